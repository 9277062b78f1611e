/* SPDX-License-Identifier: MIT */
/* A board without arithmetic: samples whose values follow from their number, and faults on
 * demand, so that a test knows every sample that a recording must hold. */
#ifndef TESTS_SUPPORT_BOARD_FAKE_H
#define TESTS_SUPPORT_BOARD_FAKE_H

#include "sheep/board.h"

#include <stdbool.h>
#include <stdint.h>

struct fake_plan {
    bool is_paced;            /* by the clock; else as fast as the rings drain */
    bool is_lossy;            /* a hundred times real time, and a full ring does not stop it */
    double ppm;               /* of the counter, paced */
    uint32_t late_samples;    /* start this much late and do not say so */
    uint64_t lose_at;         /* block number from which on ... */
    uint32_t lose_blocks;     /* ... so many never reach the ring */
    uint64_t break_block;     /* this block arrives with a broken canary; 0: none */
    uint64_t break_memory_at; /* canary of the control block, at this block; 0: none */
    uint64_t flag_from;       /* blocks from this one on are marked so; 0: none */
    uint32_t flags;
    uint64_t fault_at; /* FAULT at this block; 0: none */
    uint64_t hang_at;  /* nothing more from this block on; 0: none */
    uint32_t edges_per_block;
};

struct board *board_fake_create(const struct fake_plan *plan, struct err *err);

/* What sample n of an array holds: noisy in the low bits, slow in the high ones. */
uint32_t board_fake_sample(unsigned array, uint64_t n);

/* Edge e of block b comes this many ticks after the block's first sample; pins after it. */
uint32_t board_fake_edge_tick(const struct fake_plan *plan, uint32_t e);
uint16_t board_fake_edge_pins(uint64_t b, uint32_t e);

#endif
