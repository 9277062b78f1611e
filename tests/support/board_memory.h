/* SPDX-License-Identifier: MIT */
/* A board that is nothing but memory: it takes no sample and obeys at once, as it is told to.
 * The test plays the PRU. */
#ifndef TESTS_SUPPORT_BOARD_MEMORY_H
#define TESTS_SUPPORT_BOARD_MEMORY_H

#include "sheep/board.h"

#include <stdbool.h>
#include <stdint.h>

struct board_memory {
    struct board board;
    /* how it behaves */
    bool fails_to_boot;
    bool is_deaf;                       /* no command is acknowledged */
    uint32_t abi_version;               /* that boot shows; PRU_ABI_VERSION */
    enum pru_state state_after_boot;    /* IDLE */
    enum pru_state state_after_command; /* UNKNOWN: what the command asks for */
    enum pru_error error;               /* shown together with the state */
    /* what was done to it */
    enum pru_mode mode;
    enum pru_command command;
    unsigned n_boots;
    unsigned n_halts;
    unsigned n_kicks;
};

/* The calling test fails without memory. */
struct board_memory *board_memory_create(void);
void board_memory_destroy(struct board_memory **memory);

/* The PRU's part: puts an edge, or a block of which samples[a][i] = first + i + a * 1000000. */
void board_memory_edge(struct board_memory *memory, uint64_t tick, uint16_t pins);
void board_memory_block(struct board_memory *memory, uint64_t first_sample, uint64_t first_tick,
                        uint32_t n_samples);
uint32_t board_memory_sample(unsigned array, uint64_t sample);

/* The block by itself, in nobody's ring. */
void board_memory_fill(struct pru_block *block, uint64_t first_sample, uint64_t first_tick,
                       uint32_t n_samples);

#endif
