/* SPDX-License-Identifier: MIT */
/* A scratch HDF5 file for a test, read back by libhdf5 alone: none of our readers. */
#ifndef TESTS_SUPPORT_H5_SCRATCH_H
#define TESTS_SUPPORT_H5_SCRATCH_H

#include "common/h5_chunked.h"

#include <hdf5.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct h5_scratch {
    char folder[64];
    char path[96]; /* folder/a.h5 */
    hid_t file;    /* open, with /data and /integrity in it */
    struct h5_packer *packer;
};

/* As cmocka's setup and teardown. The packer deflates; h5_scratch_plain's does not. Whatever
 * the test left in the folder is removed. */
int h5_scratch_set_up(void **state);
int h5_scratch_tear_down(void **state);
#define WITH_H5_SCRATCH(test) \
    cmocka_unit_test_setup_teardown(test, h5_scratch_set_up, h5_scratch_tear_down)
void h5_scratch_plain(struct h5_scratch *scratch);

void h5_scratch_group(const struct h5_scratch *scratch, const char *path);

/* Rows (first extent) of a dataset. */
uint64_t h5_scratch_rows(const struct h5_scratch *scratch, const char *path);
/* Everything in it as `type`; fails the test unless it is exactly n_rows rows of `columns`. */
void h5_scratch_read(const struct h5_scratch *scratch, const char *path, hid_t type,
                     void *values, uint64_t n_rows, unsigned columns);
uint64_t h5_scratch_u64(const struct h5_scratch *scratch, const char *path, uint64_t row);
/* Row of a dataset of texts, to be freed. */
char *h5_scratch_text(const struct h5_scratch *scratch, const char *path, uint64_t row);

/* Attribute of the object at path; must exist. */
void h5_scratch_expect_text(const struct h5_scratch *scratch, const char *path,
                            const char *name, const char *value);
void h5_scratch_expect_number(const struct h5_scratch *scratch, const char *path,
                              const char *name, double value);
bool h5_scratch_has_attribute(const struct h5_scratch *scratch, const char *path,
                              const char *name);

/* The chunk that begins at row, as stored; returns its size, 0 when not allocated. */
size_t h5_scratch_chunk(const struct h5_scratch *scratch, const char *path, uint64_t row,
                        uint32_t *mask, void *bytes, size_t capacity);

/* `path` holds n_chunks of `chunk_rows`, and its list in /integrity says of each what is
 * stored: h5_chunk_sum, or 0 where nothing is. */
void h5_scratch_check_sums(const struct h5_scratch *scratch, const char *path,
                           uint32_t chunk_rows, uint64_t n_chunks);

#endif
