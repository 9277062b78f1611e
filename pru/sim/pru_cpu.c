/* SPDX-License-Identifier: MIT */
#include "pru/sim/pru_cpu.h"

#include <stdio.h>
#include <string.h>

/* Fields of registers are bytes in the order of the host's memory. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the register file is little endian");

void pru_cpu_reset(struct pru_cpu *cpu, uint32_t pc)
{
    memset(&cpu->reg, 0, sizeof(cpu->reg));
    cpu->pc = pc;
    cpu->carry = 0;
    cpu->loop_count = 0;
    cpu->is_running = false;
    cpu->is_asleep = false;
    cpu->is_woken = false;
    cpu->fault = PRU_FAULT_NONE;
    cpu->multiplier = (struct pru_multiplier){ .changed = UINT64_MAX };
    cpu->direct = (struct pru_direct){ .is_waiting = false };
}

unsigned pru_cpu_fail(struct pru_cpu *cpu, enum pru_fault fault, uint32_t address)
{
    cpu->fault = fault;
    cpu->fault_address = address;
    cpu->is_running = false;
    return 0;
}

/* Only the bytes that the instruction wrote; all of a burst. */
static uint32_t written_r31(const struct pru_cpu *cpu, const struct pru_op *op)
{
    uint32_t mask = op->mask_d == 0 ? UINT32_MAX : op->mask_d << 8 * (op->byte_d & 3u);

    return cpu->reg.word[31] & mask;
}

/* An instruction that reads pins or writes pins, strobes or operands of the multiplier. */
static unsigned execute_watched(struct pru_cpu *cpu, const struct pru_op *op)
{
    uint32_t pins = cpu->reg.word[30];
    uint32_t factors[2] = { cpu->reg.word[28], cpu->reg.word[29] };
    unsigned cycles;

    cpu->reg.word[31] =
        (op->flags & PRU_OP_READS_R31) != 0 ? cpu->ports->input(cpu->ports->context, cpu) : 0;
    cycles = op->exec(cpu, op);
    if (cycles == 0) {
        return 0;
    }
    if ((op->flags & PRU_OP_WRITES_FACTORS) != 0 && (cpu->multiplier.mode & 1u) == 0) {
        memcpy(cpu->multiplier.factors, factors, sizeof(factors));
        cpu->multiplier.changed = cpu->n_instructions;
    }
    if (cpu->reg.word[30] != pins) {
        cpu->ports->output(cpu->ports->context, cpu, cpu->cycle + cycles);
    }
    if ((op->flags & PRU_OP_WRITES_R31) != 0) {
        cpu->ports->strobe(cpu->ports->context, cpu, written_r31(cpu, op));
    }
    return cycles;
}

/* Past the last word of program memory every fetch fails. */
static void fetch_beyond(struct pru_cpu *cpu)
{
    cpu->fault_pc = cpu->pc;
    (void)pru_cpu_fail(cpu, PRU_FAULT_PC, cpu->pc * 4);
}

static void pass_loop_end(struct pru_cpu *cpu)
{
    cpu->loop_count--;
    if (cpu->loop_count != 0) {
        cpu->pc = cpu->loop_top;
    }
}

/* The same instruction again one cycle later: it waits for pins or for the other core. */
static void wait_or_stop(struct pru_cpu *cpu, uint32_t pc)
{
    cpu->pc = pc;
    if (cpu->is_running) {
        cpu->cycle++;
        cpu->n_stalls++;
    } else {
        cpu->fault_pc = pc;
    }
}

void pru_cpu_run(struct pru_cpu *cpu, uint64_t limit)
{
    cpu->limit = limit;
    while (cpu->cycle < cpu->limit && cpu->is_running) {
        uint32_t pc = cpu->pc;
        const struct pru_op *op;
        unsigned cycles;

        if (pc >= cpu->n_words) {
            fetch_beyond(cpu);
            return;
        }
        op = &cpu->program[pc];
        cpu->pc = pc + 1;
        cycles = op->flags == 0 ? op->exec(cpu, op) : execute_watched(cpu, op);
        if (cycles == 0) {
            wait_or_stop(cpu, pc);
            continue;
        }
        cpu->cycle += cycles;
        cpu->n_stalls += cycles - 1;
        cpu->n_instructions++;
        if (cpu->loop_count != 0 && cpu->pc == cpu->loop_end) {
            pass_loop_end(cpu);
        }
    }
}

uint64_t pru_cpu_product(const struct pru_cpu *cpu)
{
    const struct pru_multiplier *unit = &cpu->multiplier;
    bool is_fresh = unit->changed + 1 != cpu->n_instructions;

    if ((unit->mode & 1u) != 0) {
        return unit->sum;
    }
    return is_fresh ? (uint64_t)cpu->reg.word[28] * cpu->reg.word[29]
                    : (uint64_t)unit->factors[0] * unit->factors[1];
}

void pru_cpu_explain(const struct pru_cpu *cpu, char *text, size_t size)
{
    static const char *const WHAT[] = {
        [PRU_FAULT_NONE] = "",
        [PRU_FAULT_ILLEGAL] = "illegal instruction",
        [PRU_FAULT_EMPTY] = "ran into program memory that was never loaded",
        [PRU_FAULT_PC] = "ran beyond program memory",
        [PRU_FAULT_BURST] = "burst beyond the last register",
        [PRU_FAULT_ADDRESS] = "nothing answers at address",
        [PRU_FAULT_STANDBY] = "clear SYSCFG.STANDBY_INIT before the access to address",
        [PRU_FAULT_DEVICE] = "no such broadside device:",
    };

    if (cpu->fault == PRU_FAULT_NONE) {
        (void)snprintf(text, size, "%s", "");
        return;
    }
    (void)snprintf(text, size, "PRU%u: %s 0x%08x, program address 0x%04x", cpu->index,
                   WHAT[cpu->fault], cpu->fault_address, cpu->fault_pc * 4);
}
