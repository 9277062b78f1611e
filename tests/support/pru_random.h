/* SPDX-License-Identifier: MIT */
/* Programs for the PRU that leave a trace of what each instruction did, for a comparison of two
 * simulators. Made from a seed, so that a program can be made again. */
#ifndef TESTS_SUPPORT_PRU_RANDOM_H
#define TESTS_SUPPORT_PRU_RANDOM_H

#include "pru/sim/rng.h"

#include <stddef.h>
#include <stdint.h>

enum {
    PRU_RANDOM_WORDS = 65536,      /* as much as 16 bits of program address reach */
    PRU_RANDOM_DATA = 4096,        /* bytes of data memory that begin at random */
    PRU_RANDOM_TRACE = 0x00100000, /* where the trace begins; beyond a PRU's own memory */
    PRU_RANDOM_TRACE_BYTES = 0x200000,
};

struct pru_random {
    struct rng rng;
    uint32_t words[PRU_RANDOM_WORDS];
    size_t n_words;
    uint8_t data[PRU_RANDOM_DATA];
    size_t n_trace;  /* bytes that the program will have written */
    size_t n_tested; /* instructions whose effect is in the trace */
    size_t next;     /* of the systematic ones */
};

/* Every arithmetic instruction and LMBD with every width and place of every operand and both
 * carries: from number `next` on, as many as fit. Returns the number to go on with; the last
 * one is pru_random_n_cases(). */
size_t pru_random_cases(struct pru_random *program, uint64_t seed, size_t next);
size_t pru_random_n_cases(void);

/* Anything: arithmetic, bursts, branches, loops, jumps, transfers, products; in groups of four.
 */
void pru_random_mix(struct pru_random *program, uint64_t seed);

/* The program as an ELF file that loaders of segments and of sections both accept; at most
 * `size` bytes. */
size_t pru_random_elf(const struct pru_random *program, uint8_t *file, size_t size);

#endif
