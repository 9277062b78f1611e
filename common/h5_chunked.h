/* SPDX-License-Identifier: MIT */
/* Datasets whose chunks this project shuffles, deflates and sums itself, and hands to libhdf5
 * as they are to be stored.
 *
 * Beside each one, /integrity holds a list: CRC-32C of every chunk as stored (its filter mask,
 * u32, then its bytes), 0 for a chunk that is not allocated. */
#ifndef COMMON_H5_CHUNKED_H
#define COMMON_H5_CHUNKED_H

#include "common/err.h"
#include "common/h5_util.h"

#include <hdf5.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Shared by all datasets of one file; one thread. */
struct h5_packer;
struct h5_packer *h5_packer_create(hid_t file, unsigned level, struct err *err);
void h5_packer_destroy(struct h5_packer **packer);
bool h5_packer_deflates(const struct h5_packer *packer);

struct h5_chunked_spec {
    const char *path; /* absolute; its groups exist */
    hid_t type;       /* in the file, little-endian */
    size_t type_bytes;
    unsigned n_columns; /* 0: one dimension, else [n][n_columns] */
    uint32_t chunk_rows;
    struct h5_meaning meaning;
};

struct h5_chunked;
struct h5_chunked *h5_chunked_create(struct h5_packer *packer,
                                     const struct h5_chunked_spec *spec, struct err *err);
void h5_chunked_destroy(struct h5_chunked **chunked);

hid_t h5_chunked_dataset(const struct h5_chunked *chunked); /* a loan */
uint64_t h5_chunked_rows(const struct h5_chunked *chunked); /* its extent */
bool h5_chunked_is_deflated(const struct h5_chunked *chunked);

/* Only ever larger: libhdf5 would rewrite a last chunk that it cuts. */
MUST_CHECK int h5_chunked_extend(struct h5_chunked *chunked, uint64_t n_rows, struct err *err);

/* Chunks in rising order, within the extent. `rows` are chunk_rows rows, padded. */
MUST_CHECK int h5_chunked_write(struct h5_chunked *chunked, uint64_t number, const void *rows,
                                struct err *err);

/* A chunk that is packed already: shuffled and deflated if is_packed, else plain rows. */
MUST_CHECK int h5_chunked_write_as_is(struct h5_chunked *chunked, uint64_t number,
                                      const void *data, size_t size, bool is_packed,
                                      struct err *err);

/* Rows one after the other; finish writes the last, padded chunk. */
MUST_CHECK int h5_chunked_append(struct h5_chunked *chunked, const void *rows, size_t n_rows,
                                 struct err *err);
MUST_CHECK int h5_chunked_finish(struct h5_chunked *chunked, struct err *err);

/* What stands in the list for a chunk: never 0. */
uint32_t h5_chunk_sum(uint32_t filter_mask, const void *data, size_t size);

/* "/data/voltage" is summed in "/integrity/data.voltage", "/system/cpu.agent/time" in
 * "/integrity/system.cpu%2Eagent.time"; and the way back, from the name of the list. */
void h5_sum_path(const char *path, char *sum_path, size_t size);
void h5_path_of_sum(const char *name, char *path, size_t size);

/* A list of sums, which grows at its end. */
struct h5_sums;
struct h5_sums *h5_sums_create(hid_t file, const char *path, struct err *err);
MUST_CHECK int h5_sums_put(struct h5_sums *sums, uint64_t number, uint32_t sum,
                           struct err *err);
/* n_chunks: what the list must cover in the end. */
MUST_CHECK int h5_sums_finish(struct h5_sums *sums, uint64_t n_chunks, struct err *err);
void h5_sums_destroy(struct h5_sums **sums);

#endif
