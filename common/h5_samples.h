/* SPDX-License-Identifier: MIT */
/* One sample stream of a log into its dataset: chunk k holds samples [10000 k, 10000 (k + 1)).
 *
 * A full, grid-aligned record goes in as it is; anything else is put together here. Samples
 * that are missing inside a chunk are 0, chunks without any are not allocated, and both are
 * remembered as holes. */
#ifndef COMMON_H5_SAMPLES_H
#define COMMON_H5_SAMPLES_H

#include "common/h5_chunked.h"
#include "common/rlog.h"

#include <stdbool.h>
#include <stdint.h>

struct h5_samples;

struct h5_hole {
    uint64_t first;
    uint64_t count;
};

/* Takes over the dataset. */
struct h5_samples *h5_samples_create(struct h5_chunked **chunked, struct err *err);
void h5_samples_destroy(struct h5_samples **samples);

/* An RLOG_SAMPLES record of this stream; they come in order. One that goes in as it is is not
 * unpacked: its record's checksum says that it is what the recorder packed. */
MUST_CHECK int h5_samples_add(struct h5_samples *samples, const struct rlog_record *record,
                              struct err *err);

/* Extent [0, n_samples) exactly. */
MUST_CHECK int h5_samples_finish(struct h5_samples *samples, uint64_t n_samples,
                                 struct err *err);

/* Behind the last sample seen, and how many there were. */
uint64_t h5_samples_next(const struct h5_samples *samples);
uint64_t h5_samples_received(const struct h5_samples *samples);
/* Stretches without samples; the one behind the last sample comes with finish. */
const struct h5_hole *h5_samples_holes(const struct h5_samples *samples, size_t *count);

#endif
