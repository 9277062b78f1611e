/* SPDX-License-Identifier: MIT */
/* Sample streams at a lower rate: row i is the mean of samples [window i, window (i + 1)).
 *
 * The mean is exact, rounded to the nearest code. A window of which samples are missing is made
 * from those that are there; a window without any has no row. Nothing is allocated. */
#ifndef COMMON_DECIMATE_H
#define COMMON_DECIMATE_H

#include "common/rlog_format.h"

#include <stddef.h>
#include <stdint.h>

/* Receives rows that follow each other, within one chunk of the grid of rows. */
typedef void (*decimate_emit_fn)(void *arg, uint64_t first_row, const uint32_t *rows,
                                 uint32_t count);

struct decimator {
    uint32_t window;
    decimate_emit_fn emit;
    void *arg;
    uint64_t row; /* the one that grows */
    uint64_t sum; /* of its samples */
    uint64_t n_samples;
    uint64_t first_row; /* of rows[0] */
    uint32_t count;
    uint32_t rows[RLOG_CHUNK_SAMPLES];
};

/* window: 1 to 65536 samples. */
void decimate_init(struct decimator *decimator, uint32_t window, decimate_emit_fn emit,
                   void *arg);

/* Samples [first, first + count); first never goes back. */
void decimate_add(struct decimator *decimator, uint64_t first, const uint32_t *samples,
                  size_t count);

/* Emits the rows that are complete. */
void decimate_flush(struct decimator *decimator);

/* Emits everything, a window that is cut by the end included. */
void decimate_finish(struct decimator *decimator);

#endif
