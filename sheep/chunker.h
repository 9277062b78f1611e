/* SPDX-License-Identifier: MIT */
/* Blocks of the PRU become grid-aligned chunks of the log, and missing samples become gaps.
 *
 * One thread, the recorder's main one. Allocates nothing. */
#ifndef SHEEP_CHUNKER_H
#define SHEEP_CHUNKER_H

#include "pru/abi/pru_shm.h"
#include "sheep/log_worker.h"

#include <stdbool.h>
#include <stdint.h>

struct chunker {
    struct log_worker *worker; /* a loan */
    uint32_t record_mask;      /* bits of enum pru_array */
    uint64_t from;             /* only samples [from, to) are recorded */
    uint64_t to;
    uint64_t next_sample; /* the first one not seen yet */
    uint64_t first;       /* of the chunk being filled */
    uint32_t count;       /* in it */
    uint32_t *buffers[PRU_BLOCK_ARRAYS];
    uint64_t n_gap_samples;
    uint64_t n_underruns;
};

void chunker_init(struct chunker *chunker, struct log_worker *worker, uint32_t record_mask);

/* Before the first block: only samples [from, to) are recorded. What is lost outside of them is
 * a gap none the less, for edges and the input suffer from it too. */
void chunker_set_range(struct chunker *chunker, uint64_t from, uint64_t to);

/* Takes a block; log_worker_has_room() was true. Samples missing before it become a gap of
 * `cause`. Returns true when a chunk was completed at a boundary of the grid. */
bool chunker_block(struct chunker *chunker, const struct pru_block *block,
                   enum rlog_gap_cause cause);

/* Samples up to `end` that never came. */
void chunker_gap(struct chunker *chunker, uint64_t end, enum rlog_gap_cause cause);

/* Hands over the chunk being filled, however short. */
void chunker_flush(struct chunker *chunker);

#endif
