/* SPDX-License-Identifier: MIT */
/* XIN, XOUT, XCHG: multiply unit, scratchpad, the other core, fill and zero.
 * SPRUH73 4.4.1.2.3 to 4.4.1.2.5. */
#include "pru/sim/pru_exec.h"

#include "pru/sim/pru_cpu.h"

#include <string.h>

enum device {
    DEVICE_MULTIPLIER = 0,
    DEVICE_SCRATCH = 10, /* and 11, 12 */
    DEVICE_SCRATCH_LAST = 12,
    DEVICE_DIRECT = 14,
    DEVICE_ONES = 254,
    DEVICE_ZERO = 255,
};

enum multiplier_bit {
    MODE_ACCUMULATE = 1 << 0,
    MODE_CARRY = 1 << 1,
};

static unsigned transfer_length(const struct pru_cpu *cpu, const struct pru_op *op)
{
    return op->burst < PRU_BURST_FROM_R0 ? op->burst + 1u
                                         : cpu->reg.byte[op->burst - PRU_BURST_FROM_R0];
}

static bool fits(const struct pru_op *op, unsigned length, unsigned first, unsigned last)
{
    return op->byte_d >= first * 4 && op->byte_d + length <= (last + 1) * 4;
}

static uint8_t *scratch_bytes(struct pru_cpu *cpu, const struct pru_op *op)
{
    return (uint8_t *)cpu->scratch->bank[op->device - DEVICE_SCRATCH] + op->byte_d;
}

static bool is_scratch(const struct pru_op *op)
{
    return op->device >= DEVICE_SCRATCH && op->device <= DEVICE_SCRATCH_LAST;
}

static unsigned read_multiplier(struct pru_cpu *cpu, const struct pru_op *op, unsigned length)
{
    uint64_t product = pru_cpu_product(cpu);
    uint32_t shadow[3] = { cpu->multiplier.mode, (uint32_t)product, (uint32_t)(product >> 32) };

    if (!fits(op, length, 25, 27)) {
        return pru_cpu_fail(cpu, PRU_FAULT_BURST, op->device);
    }
    memcpy(&cpu->reg.byte[op->byte_d], (uint8_t *)shadow + (op->byte_d - 25 * 4), length);
    return 1;
}

/* Each write of r25 in accumulate mode takes one pair of operands; bit 1 written as 1 clears
 * the sum afterwards, read as 1 it says that the sum once overflowed. */
static void write_mode(struct pru_cpu *cpu, uint32_t mode)
{
    struct pru_multiplier *unit = &cpu->multiplier;
    bool was_accumulating = (unit->mode & MODE_ACCUMULATE) != 0;
    uint32_t carry = unit->mode & MODE_CARRY;

    unit->mode = (mode & ~(uint32_t)MODE_CARRY) | carry;
    if ((mode & MODE_ACCUMULATE) != 0) {
        uint64_t before = was_accumulating ? unit->sum : 0;

        unit->factors[0] = cpu->reg.word[28];
        unit->factors[1] = cpu->reg.word[29];
        unit->sum = before + (uint64_t)unit->factors[0] * unit->factors[1];
        unit->mode |= unit->sum < before ? (uint32_t)MODE_CARRY : 0;
    } else if (was_accumulating) {
        unit->changed =
            cpu->n_instructions; /* the factors of the last sum for one more cycle */
    }
    if ((mode & MODE_CARRY) != 0) {
        unit->sum = 0;
        unit->mode &= ~(uint32_t)MODE_CARRY;
    }
}

static unsigned write_multiplier(struct pru_cpu *cpu, const struct pru_op *op, unsigned length)
{
    uint32_t mode = cpu->multiplier.mode & ~(uint32_t)MODE_CARRY;

    if (!fits(op, length, 25, 27)) {
        return pru_cpu_fail(cpu, PRU_FAULT_BURST, op->device);
    }
    if (op->byte_d / 4 == 25 && length > 0) {
        unsigned skip = op->byte_d - 25 * 4;
        unsigned n = length < 4 - skip ? length : 4 - skip;

        memcpy((uint8_t *)&mode + skip, &cpu->reg.byte[op->byte_d], n);
        write_mode(cpu, mode);
    }
    return 1; /* r26 and r27 are results: written values are lost */
}

/* Both cores must meet: whoever comes first waits. */
static unsigned transfer_direct(struct pru_cpu *cpu, const struct pru_op *op, bool is_output)
{
    struct pru_cpu *peer = cpu->peer;
    unsigned length = transfer_length(cpu, op);
    const struct pru_cpu *from = is_output ? cpu : peer;
    struct pru_cpu *to = is_output ? peer : cpu;

    if (!fits(op, length, 0, PRU_SCRATCH_REGISTERS - 1)) {
        return pru_cpu_fail(cpu, PRU_FAULT_BURST, op->device);
    }
    if (cpu->direct.is_done) {
        cpu->direct = (struct pru_direct){ .is_waiting = false };
        return 1;
    }
    if (peer == NULL || !peer->direct.is_waiting || peer->direct.is_done
        || peer->direct.is_output == is_output) {
        cpu->direct = (struct pru_direct){ .is_waiting = true, .is_output = is_output };
        return 0;
    }
    memcpy(&to->reg.byte[op->byte_d], &from->reg.byte[op->byte_d], length);
    peer->direct.is_done = true;
    cpu->direct = (struct pru_direct){ .is_waiting = false };
    return 1;
}

unsigned pru_exec_xin(struct pru_cpu *cpu, const struct pru_op *op)
{
    unsigned length = transfer_length(cpu, op);

    if (op->device == DEVICE_MULTIPLIER) {
        return read_multiplier(cpu, op, length);
    }
    if (op->device == DEVICE_DIRECT) {
        return transfer_direct(cpu, op, false);
    }
    if (op->device == DEVICE_ONES || op->device == DEVICE_ZERO) {
        if (!fits(op, length, 0, PRU_REGISTERS - 1)) {
            return pru_cpu_fail(cpu, PRU_FAULT_BURST, op->device);
        }
        memset(&cpu->reg.byte[op->byte_d], op->device == DEVICE_ONES ? 0xFF : 0, length);
        return 1;
    }
    if (!is_scratch(op)) {
        return pru_cpu_fail(cpu, PRU_FAULT_DEVICE, op->device);
    }
    if (!fits(op, length, 0, PRU_SCRATCH_REGISTERS - 1)) {
        return pru_cpu_fail(cpu, PRU_FAULT_BURST, op->device);
    }
    memcpy(&cpu->reg.byte[op->byte_d], scratch_bytes(cpu, op), length);
    return 1;
}

unsigned pru_exec_xout(struct pru_cpu *cpu, const struct pru_op *op)
{
    unsigned length = transfer_length(cpu, op);

    if (op->device == DEVICE_MULTIPLIER) {
        return write_multiplier(cpu, op, length);
    }
    if (op->device == DEVICE_DIRECT) {
        return transfer_direct(cpu, op, true);
    }
    if (!is_scratch(op)) {
        return pru_cpu_fail(cpu, PRU_FAULT_DEVICE, op->device);
    }
    if (!fits(op, length, 0, PRU_SCRATCH_REGISTERS - 1)) {
        return pru_cpu_fail(cpu, PRU_FAULT_BURST, op->device);
    }
    memcpy(scratch_bytes(cpu, op), &cpu->reg.byte[op->byte_d], length);
    return 1;
}

unsigned pru_exec_xchg(struct pru_cpu *cpu, const struct pru_op *op)
{
    unsigned length = transfer_length(cpu, op);
    uint8_t held[PRU_SCRATCH_REGISTERS * 4];

    if (!is_scratch(op)) {
        return pru_cpu_fail(cpu, PRU_FAULT_DEVICE, op->device);
    }
    if (!fits(op, length, 0, PRU_SCRATCH_REGISTERS - 1)) {
        return pru_cpu_fail(cpu, PRU_FAULT_BURST, op->device);
    }
    memcpy(held, scratch_bytes(cpu, op), length);
    memcpy(scratch_bytes(cpu, op), &cpu->reg.byte[op->byte_d], length);
    memcpy(&cpu->reg.byte[op->byte_d], held, length);
    return 1;
}
