/* SPDX-License-Identifier: MIT */
/* /data/time: T + n * window * 10 000 ns for every row n, whatever is missing. */
#ifndef COMMON_H5_TIME_H
#define COMMON_H5_TIME_H

#include "common/h5_chunked.h"

#include <stdint.h>

struct h5_time;
/* window: samples of 10 us in a row. */
struct h5_time *h5_time_create(struct h5_packer *packer, uint32_t window, struct err *err);
void h5_time_destroy(struct h5_time **time);

/* Writes the whole chunks below n_rows that are not there yet. */
MUST_CHECK int h5_time_advance(struct h5_time *time, int64_t T_ns, uint64_t n_rows,
                               struct err *err);
/* The rest; the last chunk's padding goes on counting. */
MUST_CHECK int h5_time_finish(struct h5_time *time, int64_t T_ns, uint64_t n_rows,
                              struct err *err);

#endif
