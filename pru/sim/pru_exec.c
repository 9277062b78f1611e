/* SPDX-License-Identifier: MIT */
/* Arithmetic, branches, memory. Each function takes the cycles that pru_cpu.h tabulates. */
#include "pru/sim/pru_exec.h"

#include "pru/sim/pru_cpu.h"

#include <string.h>

static inline uint32_t load(const struct pru_cpu *cpu, uint8_t byte)
{
    uint32_t value;

    memcpy(&value, &cpu->reg.byte[byte], sizeof(value));
    return value;
}

static inline uint32_t source_1(const struct pru_cpu *cpu, const struct pru_op *op)
{
    return load(cpu, op->byte_1) & op->mask_1;
}

static inline uint32_t source_2(const struct pru_cpu *cpu, const struct pru_op *op)
{
    return (load(cpu, op->byte_2) & op->mask_2) | op->imm;
}

static inline unsigned store(struct pru_cpu *cpu, const struct pru_op *op, uint32_t value)
{
    uint32_t merged = (load(cpu, op->byte_d) & ~op->mask_d) | (value & op->mask_d);

    memcpy(&cpu->reg.byte[op->byte_d], &merged, sizeof(merged));
    return 1;
}

/* The carry is the bit above the destination, borrow included. */
static inline unsigned store_carry(struct pru_cpu *cpu, const struct pru_op *op, uint64_t value)
{
    cpu->carry = (uint32_t)(value >> op->width_d) & 1u;
    return store(cpu, op, (uint32_t)value);
}

unsigned pru_exec_add(struct pru_cpu *cpu, const struct pru_op *op)
{
    return store_carry(cpu, op, (uint64_t)source_1(cpu, op) + source_2(cpu, op));
}

unsigned pru_exec_adc(struct pru_cpu *cpu, const struct pru_op *op)
{
    return store_carry(cpu, op, (uint64_t)source_1(cpu, op) + source_2(cpu, op) + cpu->carry);
}

unsigned pru_exec_sub(struct pru_cpu *cpu, const struct pru_op *op)
{
    return store_carry(cpu, op, (uint64_t)source_1(cpu, op) - source_2(cpu, op));
}

unsigned pru_exec_suc(struct pru_cpu *cpu, const struct pru_op *op)
{
    return store_carry(cpu, op, (uint64_t)source_1(cpu, op) - source_2(cpu, op) - cpu->carry);
}

unsigned pru_exec_rsb(struct pru_cpu *cpu, const struct pru_op *op)
{
    return store_carry(cpu, op, (uint64_t)source_2(cpu, op) - source_1(cpu, op));
}

unsigned pru_exec_rsc(struct pru_cpu *cpu, const struct pru_op *op)
{
    return store_carry(cpu, op, (uint64_t)source_2(cpu, op) - source_1(cpu, op) - cpu->carry);
}

unsigned pru_exec_lsl(struct pru_cpu *cpu, const struct pru_op *op)
{
    return store(cpu, op, source_1(cpu, op) << (source_2(cpu, op) & 31u));
}

unsigned pru_exec_lsr(struct pru_cpu *cpu, const struct pru_op *op)
{
    return store(cpu, op, source_1(cpu, op) >> (source_2(cpu, op) & 31u));
}

unsigned pru_exec_and(struct pru_cpu *cpu, const struct pru_op *op)
{
    return store(cpu, op, source_1(cpu, op) & source_2(cpu, op));
}

unsigned pru_exec_or(struct pru_cpu *cpu, const struct pru_op *op)
{
    return store(cpu, op, source_1(cpu, op) | source_2(cpu, op));
}

unsigned pru_exec_xor(struct pru_cpu *cpu, const struct pru_op *op)
{
    return store(cpu, op, source_1(cpu, op) ^ source_2(cpu, op));
}

unsigned pru_exec_not(struct pru_cpu *cpu, const struct pru_op *op)
{
    return store(cpu, op, ~source_1(cpu, op));
}

unsigned pru_exec_min(struct pru_cpu *cpu, const struct pru_op *op)
{
    uint32_t one = source_1(cpu, op);
    uint32_t two = source_2(cpu, op);

    return store(cpu, op, one < two ? one : two);
}

unsigned pru_exec_max(struct pru_cpu *cpu, const struct pru_op *op)
{
    uint32_t one = source_1(cpu, op);
    uint32_t two = source_2(cpu, op);

    return store(cpu, op, one > two ? one : two);
}

unsigned pru_exec_clr(struct pru_cpu *cpu, const struct pru_op *op)
{
    return store(cpu, op, source_1(cpu, op) & ~(1u << (source_2(cpu, op) & 31u)));
}

unsigned pru_exec_set(struct pru_cpu *cpu, const struct pru_op *op)
{
    return store(cpu, op, source_1(cpu, op) | 1u << (source_2(cpu, op) & 31u));
}

/* The highest bit that equals bit 0 of operand 2; 32 without one. */
unsigned pru_exec_lmbd(struct pru_cpu *cpu, const struct pru_op *op)
{
    uint32_t value = source_1(cpu, op);

    if ((source_2(cpu, op) & 1u) == 0) {
        value = ~value & op->mask_1;
    }
    return store(cpu, op, value == 0 ? 32 : 31 - (uint32_t)__builtin_clz(value));
}

unsigned pru_exec_ldi(struct pru_cpu *cpu, const struct pru_op *op)
{
    return store(cpu, op, op->imm);
}

unsigned pru_exec_jmp(struct pru_cpu *cpu, const struct pru_op *op)
{
    cpu->pc = source_2(cpu, op) & 0xFFFFu;
    return 1;
}

/* The target is read before the link is written: both may be the same register. */
unsigned pru_exec_jal(struct pru_cpu *cpu, const struct pru_op *op)
{
    uint32_t link = cpu->pc;

    (void)pru_exec_jmp(cpu, op);
    return store(cpu, op, link);
}

static inline unsigned branch_if(struct pru_cpu *cpu, const struct pru_op *op, bool is_taken)
{
    if (is_taken) {
        cpu->pc = op->target;
    }
    return 1;
}

unsigned pru_exec_never(struct pru_cpu *cpu, const struct pru_op *op)
{
    return branch_if(cpu, op, false);
}

unsigned pru_exec_qblt(struct pru_cpu *cpu, const struct pru_op *op)
{
    return branch_if(cpu, op, source_2(cpu, op) < source_1(cpu, op));
}

unsigned pru_exec_qbeq(struct pru_cpu *cpu, const struct pru_op *op)
{
    return branch_if(cpu, op, source_2(cpu, op) == source_1(cpu, op));
}

unsigned pru_exec_qble(struct pru_cpu *cpu, const struct pru_op *op)
{
    return branch_if(cpu, op, source_2(cpu, op) <= source_1(cpu, op));
}

unsigned pru_exec_qbgt(struct pru_cpu *cpu, const struct pru_op *op)
{
    return branch_if(cpu, op, source_2(cpu, op) > source_1(cpu, op));
}

unsigned pru_exec_qbne(struct pru_cpu *cpu, const struct pru_op *op)
{
    return branch_if(cpu, op, source_2(cpu, op) != source_1(cpu, op));
}

unsigned pru_exec_qbge(struct pru_cpu *cpu, const struct pru_op *op)
{
    return branch_if(cpu, op, source_2(cpu, op) >= source_1(cpu, op));
}

unsigned pru_exec_qba(struct pru_cpu *cpu, const struct pru_op *op)
{
    return branch_if(cpu, op, true);
}

unsigned pru_exec_qbbs(struct pru_cpu *cpu, const struct pru_op *op)
{
    return branch_if(cpu, op, (source_1(cpu, op) >> (source_2(cpu, op) & 31u) & 1u) != 0);
}

unsigned pru_exec_qbbc(struct pru_cpu *cpu, const struct pru_op *op)
{
    return branch_if(cpu, op, (source_1(cpu, op) >> (source_2(cpu, op) & 31u) & 1u) == 0);
}

unsigned pru_exec_loop(struct pru_cpu *cpu, const struct pru_op *op)
{
    uint32_t count = source_2(cpu, op);

    if (count == 0) {
        return branch_if(cpu, op, true);
    }
    cpu->loop_top = cpu->pc;
    cpu->loop_end = op->target;
    cpu->loop_count = count;
    return 1;
}

/* Stops on itself: the address that STS shows is that of the HALT. */
unsigned pru_exec_halt(struct pru_cpu *cpu, const struct pru_op *op)
{
    (void)op;
    cpu->is_running = false;
    return 0;
}

/* imm 1: until a pin or host interrupt of the wake-up mask is high; 0: until the host says so.
 */
unsigned pru_exec_slp(struct pru_cpu *cpu, const struct pru_op *op)
{
    bool is_woken = cpu->is_woken;

    cpu->is_woken = false;
    if (op->imm == 1 && (cpu->reg.word[31] & cpu->wakeup_mask) != 0) {
        is_woken = true;
    }
    cpu->is_asleep = !is_woken;
    return is_woken ? 1 : 0;
}

unsigned pru_exec_illegal(struct pru_cpu *cpu, const struct pru_op *op)
{
    return pru_cpu_fail(cpu, PRU_FAULT_ILLEGAL, op->word);
}

unsigned pru_exec_empty(struct pru_cpu *cpu, const struct pru_op *op)
{
    (void)op;
    return pru_cpu_fail(cpu, PRU_FAULT_EMPTY, (cpu->pc - 1) * 4);
}

static inline unsigned burst_length(const struct pru_cpu *cpu, const struct pru_op *op)
{
    return op->burst < PRU_BURST_FROM_R0 ? op->burst + 1u
                                         : cpu->reg.byte[op->burst - PRU_BURST_FROM_R0];
}

static inline unsigned words_touched(uint32_t address, unsigned length)
{
    return ((address & 3u) + length + 3u) / 4u;
}

static inline bool is_own_ram(uint32_t address, unsigned length)
{
    return address < PRU_RAM_BYTES && length <= PRU_RAM_BYTES - address;
}

static unsigned load_burst(struct pru_cpu *cpu, const struct pru_op *op, uint32_t base)
{
    uint32_t address = base + source_2(cpu, op);
    unsigned length = burst_length(cpu, op);

    if (op->byte_d + length > PRU_REGISTERS * 4) {
        return pru_cpu_fail(cpu, PRU_FAULT_BURST, address);
    }
    if (is_own_ram(address, length)) {
        memcpy(&cpu->reg.byte[op->byte_d], &cpu->ram[address], length);
        return 2 + words_touched(address, length);
    }
    return cpu->ports->read(cpu->ports->context, cpu, address, &cpu->reg.byte[op->byte_d],
                            length);
}

static unsigned store_burst(struct pru_cpu *cpu, const struct pru_op *op, uint32_t base)
{
    uint32_t address = base + source_2(cpu, op);
    unsigned length = burst_length(cpu, op);

    if (op->byte_d + length > PRU_REGISTERS * 4) {
        return pru_cpu_fail(cpu, PRU_FAULT_BURST, address);
    }
    if (is_own_ram(address, length)) {
        memcpy(&cpu->ram[address], &cpu->reg.byte[op->byte_d], length);
        return 1 + words_touched(address, length);
    }
    return cpu->ports->write(cpu->ports->context, cpu, address, &cpu->reg.byte[op->byte_d],
                             length);
}

unsigned pru_exec_lbbo(struct pru_cpu *cpu, const struct pru_op *op)
{
    return load_burst(cpu, op, source_1(cpu, op));
}

unsigned pru_exec_sbbo(struct pru_cpu *cpu, const struct pru_op *op)
{
    return store_burst(cpu, op, source_1(cpu, op));
}

unsigned pru_exec_lbco(struct pru_cpu *cpu, const struct pru_op *op)
{
    return load_burst(cpu, op, cpu->constants[op->device]);
}

unsigned pru_exec_sbco(struct pru_cpu *cpu, const struct pru_op *op)
{
    return store_burst(cpu, op, cpu->constants[op->device]);
}
