/* SPDX-License-Identifier: MIT */
/* Instructions of the PRU (core V3, AM335x), decoded once when they are loaded.
 *
 * Encodings as the GNU assembler for pru-elf emits them; semantics after SPRUIJ2 (PRU Assembly
 * Instruction User Guide), which leaves open what GNU's simulator then answers: the carry is
 * bit `width of the destination` of the 33-bit result, LMBD looks at the width of its source.
 * MVIx and SCAN, whose encodings no manual gives and no compiler emits, are illegal here. */
#ifndef PRU_SIM_PRU_ISA_H
#define PRU_SIM_PRU_ISA_H

#include <stdint.h>

struct pru_cpu;
struct pru_op;

/* Does the operation; returns the cycles that it took, 0 when it must be done again (a fault,
 * a wait for the other core). cpu->pc is that of the next instruction already. */
typedef unsigned (*pru_exec_fn)(struct pru_cpu *cpu, const struct pru_op *op);

enum pru_op_flag {
    PRU_OP_READS_R31 = 1 << 0, /* pins and host interrupts */
    PRU_OP_WRITES_R30 = 1 << 1,
    PRU_OP_WRITES_R31 = 1 << 2,     /* strobes of events */
    PRU_OP_WRITES_FACTORS = 1 << 3, /* r28 or r29: the multiply unit lags by one instruction */
};

enum {
    PRU_BURST_FROM_R0 = 124, /* burst - 124 is the byte of r0 that holds the length */
    PRU_BURST_MAX = 124,
};

struct pru_op {
    pru_exec_fn exec;
    uint32_t mask_d; /* of the fields, moved to bit 0 */
    uint32_t mask_1;
    uint32_t mask_2; /* 0: the operand is imm */
    uint32_t imm;    /* operand 2, or 0 when it is a register */
    uint32_t target; /* of a branch, the end of a loop: address in words */
    uint8_t byte_d;  /* offsets in the register file, 0..127 */
    uint8_t byte_1;
    uint8_t byte_2;
    uint8_t width_d; /* bits */
    uint8_t width_1;
    uint8_t burst;  /* bytes - 1; from PRU_BURST_FROM_R0 on a byte of r0 */
    uint8_t device; /* XIN, XOUT, XCHG; constant of LBCO, SBCO */
    uint8_t flags;
    uint32_t word; /* for messages */
};

/* The word at address `pc` (in words) of the program memory. */
struct pru_op pru_decode(uint32_t word, uint32_t pc);

/* What stands where nothing was loaded. */
struct pru_op pru_decode_empty(void);

#endif
