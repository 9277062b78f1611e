/* SPDX-License-Identifier: MIT */
/* One PRU core: registers, program memory, and the loop that executes it.
 *
 * Cycles, 5 ns each. What an instruction takes (SPRUIJ2 section 2; TI's "PRU Read Latencies",
 * SPRACE8, for the memories; AM335x TRM, SPRUH73, chapter 4 for the rest):
 *
 *     class                                   cycles        source
 *     arithmetic, logic, LMBD, LDI, jumps,    1             SPRUH73 4.1.1: single-cycle core;
 *       branches taken or not, LOOP                         SPRACE8 section 2
 *     passes through the end of a LOOP        0 extra       SPRUIJ2, LOOP: "zero-overhead"
 *     XIN, XOUT, XCHG, multiply unit          1             SPRUH73 4.4.1.2.4, 4.4.1.2.5
 *     product after operands are written      +1 instruction between, 4.4.1.2.3
 *     LBBO, LBCO, own or shared data RAM      2 + words     SPRACE8 table 1 (3 for 4 bytes)
 *     LBBO, LBCO elsewhere                    pru_bus.h     SPRACE8 tables 1 and 2
 *     SBBO, SBCO                              1 + words     SPRACE8 table 3 (posted)
 *     SLP                                     until woken
 *
 * "words" are the 32-bit words that a burst touches, so that an unaligned burst takes one more.
 * Both cores' accesses to one memory in the same cycle are not arbitrated. */
#ifndef PRU_SIM_PRU_CPU_H
#define PRU_SIM_PRU_CPU_H

#include "pru/sim/pru_isa.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PRU_RAM_BYTES = 8192,     /* data memory of a core */
    PRU_PROGRAM_WORDS = 2048, /* 8 KiB */
    PRU_REGISTERS = 32,
    PRU_SCRATCH_REGISTERS = 30, /* of a bank, SPRUH73 4.4.1.2.4 */
};

enum pru_fault {
    PRU_FAULT_NONE,
    PRU_FAULT_ILLEGAL, /* no such instruction */
    PRU_FAULT_EMPTY,   /* ran into program memory that was never loaded */
    PRU_FAULT_PC,      /* ran beyond program memory */
    PRU_FAULT_BURST,   /* a burst beyond r31, or a device that has no such register */
    PRU_FAULT_ADDRESS, /* nothing answers there */
    PRU_FAULT_STANDBY, /* outside access while SYSCFG.STANDBY_INIT is set: it would hang */
    PRU_FAULT_DEVICE,  /* XIN, XOUT, XCHG of a device that AM335x lacks */
};

/* What lies around a core. An access returns its cycles, or 0 and sets *fault. */
struct pru_ports {
    void *context;
    unsigned (*read)(void *context, struct pru_cpu *cpu, uint32_t address, void *bytes,
                     unsigned length);
    unsigned (*write)(void *context, struct pru_cpu *cpu, uint32_t address, const void *bytes,
                      unsigned length);
    uint32_t (*input)(void *context, const struct pru_cpu *cpu); /* r31 as it reads now */
    /* r30 has changed, from this cycle on */
    void (*output)(void *context, const struct pru_cpu *cpu, uint64_t cycle);
    void (*strobe)(void *context, const struct pru_cpu *cpu, uint32_t r31);
};

/* The three banks that both cores can reach. */
struct pru_scratch {
    uint32_t bank[3][PRU_SCRATCH_REGISTERS];
};

/* The multiply unit. In multiply mode it takes r28 and r29 at the start of each cycle; here
 * that is made up for when the product is read. */
struct pru_multiplier {
    uint32_t mode;       /* r25: bit 0 accumulate, bit 1 carry of the accumulator */
    uint64_t sum;        /* accumulate mode: r27:r26 */
    uint32_t factors[2]; /* as they were before instruction number `changed` */
    uint64_t changed;
};

/* The transfer that a core waits with for the other one (device 14). */
struct pru_direct {
    bool is_waiting;
    bool is_done;
    bool is_output;
};

struct pru_cpu {
    union {
        uint32_t
            word[PRU_REGISTERS + 1]; /* one more, so that a field of r31 can be read as 32 */
        uint8_t byte[(PRU_REGISTERS + 1) * 4];
    } reg;
    uint32_t pc; /* in words */
    uint32_t carry;
    uint64_t cycle; /* at which the next instruction starts */
    uint64_t limit; /* of the run; a port that sets 0 ends it after this instruction */
    uint64_t n_instructions;
    uint64_t n_stalls; /* cycles beyond the first of each instruction */
    uint32_t loop_top;
    uint32_t loop_end;
    uint32_t loop_count; /* 0: none */
    bool is_running;
    bool is_asleep; /* in SLP */
    bool is_woken;  /* by the host */
    enum pru_fault fault;
    uint32_t fault_pc;
    uint32_t fault_address;
    uint32_t wakeup_mask;
    uint32_t constants[32];
    struct pru_multiplier multiplier;
    struct pru_direct direct;
    uint8_t *ram; /* its own; addresses 0..8191 */
    struct pru_scratch *scratch;
    struct pru_cpu *peer; /* may be NULL */
    const struct pru_ports *ports;
    unsigned index;   /* 0 or 1 */
    uint32_t n_words; /* of program memory */
    struct pru_op *program;
};

/* Registers, carry and loop as after reset; program, data memory and cycle stay. */
void pru_cpu_reset(struct pru_cpu *cpu, uint32_t pc);

/* Executes until the core's cycle reaches `limit`, or it halts or faults (is_running is false
 * then). Never before its time: a core that is behind catches up. */
void pru_cpu_run(struct pru_cpu *cpu, uint64_t limit);

/* Stops with a fault; what pru_exec_* and the ports call. Always 0. */
unsigned pru_cpu_fail(struct pru_cpu *cpu, enum pru_fault fault, uint32_t address);

/* r27:r26 of the multiply unit as XIN would read them now. */
uint64_t pru_cpu_product(const struct pru_cpu *cpu);

/* "illegal instruction 0x2c000000 at 0x0010", at most `size` bytes; "" without a fault. */
void pru_cpu_explain(const struct pru_cpu *cpu, char *text, size_t size);

#endif
