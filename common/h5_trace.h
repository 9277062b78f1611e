/* SPDX-License-Identifier: MIT */
/* Reading one dimension of numbers from an HDF5 file of anybody's: any number type, contiguous
 * or in chunks, with gzip, LZF (which libhdf5 does not know) or no compression. */
#ifndef COMMON_H5_TRACE_H
#define COMMON_H5_TRACE_H

#include "common/h5_util.h"

#include <stdint.h>

struct h5_trace;
struct h5_trace *h5_trace_open(hid_t file, const char *path, struct err *err);
void h5_trace_close(struct h5_trace **trace);

uint64_t h5_trace_rows(const struct h5_trace *trace);
hid_t h5_trace_dataset(const struct h5_trace *trace); /* a loan, for attributes */

/* Rows [first, first + count) as raw values; exact for integers up to 2^53. */
MUST_CHECK int h5_trace_read(struct h5_trace *trace, uint64_t first, size_t count,
                             double *values, struct err *err);
/* The same for stamps, which need all of 64 bits. */
MUST_CHECK int h5_trace_read_u64(struct h5_trace *trace, uint64_t first, size_t count,
                                 uint64_t *values, struct err *err);

/* gain and offset of the dataset; an error when gain is missing, 0 or no number. */
MUST_CHECK int h5_trace_meaning(const struct h5_trace *trace, double *gain, double *offset,
                                struct err *err);

#endif
