/* SPDX-License-Identifier: MIT */
/* What each instruction does; used by the decoder alone. */
#ifndef PRU_SIM_PRU_EXEC_H
#define PRU_SIM_PRU_EXEC_H

#include "pru/sim/pru_isa.h"

unsigned pru_exec_add(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_adc(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_sub(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_suc(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_lsl(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_lsr(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_rsb(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_rsc(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_and(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_or(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_xor(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_not(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_min(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_max(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_clr(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_set(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_lmbd(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_ldi(struct pru_cpu *cpu, const struct pru_op *op);

unsigned pru_exec_jmp(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_jal(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_never(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_qblt(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_qbeq(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_qble(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_qbgt(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_qbne(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_qbge(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_qba(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_qbbs(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_qbbc(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_loop(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_halt(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_slp(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_illegal(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_empty(struct pru_cpu *cpu, const struct pru_op *op);

unsigned pru_exec_lbbo(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_sbbo(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_lbco(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_sbco(struct pru_cpu *cpu, const struct pru_op *op);

unsigned pru_exec_xin(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_xout(struct pru_cpu *cpu, const struct pru_op *op);
unsigned pru_exec_xchg(struct pru_cpu *cpu, const struct pru_op *op);

#endif
