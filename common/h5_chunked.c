/* SPDX-License-Identifier: MIT */
#include "common/h5_chunked.h"

#include "common/plane_deflate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RAW_MASK_2 = 3, /* both filters left out for this chunk */
    RAW_MASK_1 = 1
};

struct h5_packer {
    hid_t file;
    unsigned level;                /* 0: datasets have no filters */
    struct plane_deflate *deflate; /* NULL at level 0 */
    uint8_t *planes;               /* shuffled */
    uint8_t *packed;
    size_t capacity; /* of planes; packed holds the bound of it */
};

struct h5_chunked {
    struct h5_packer *packer; /* loan */
    hid_t dataset;
    char path[96];
    size_t type_bytes;
    size_t row_bytes;
    unsigned n_columns;
    uint32_t chunk_rows;
    uint64_t n_rows;
    uint64_t next_chunk;
    uint8_t *rows; /* a chunk that fills by appending; NULL until the first append */
    uint32_t fill;
    struct h5_sums *sums;
};

struct h5_packer *h5_packer_create(hid_t file, unsigned level, struct err *err)
{
    struct h5_packer *packer = calloc(1, sizeof(*packer));

    if (packer == NULL) {
        err_set(err, ERR_MEMORY, "compressor");
        return NULL;
    }
    packer->file = file;
    packer->level = level;
    packer->deflate = level > 0 ? plane_deflate_create(level, err) : NULL;
    if (level > 0 && packer->deflate == NULL) {
        h5_packer_destroy(&packer);
    }
    return packer;
}

void h5_packer_destroy(struct h5_packer **packer_p)
{
    struct h5_packer *packer = *packer_p;

    if (packer == NULL) {
        return;
    }
    plane_deflate_destroy(&packer->deflate);
    free(packer->planes);
    free(packer->packed);
    free(packer);
    *packer_p = NULL;
}

bool h5_packer_deflates(const struct h5_packer *packer)
{
    return packer->level > 0;
}

static int reserve(struct h5_packer *packer, size_t size, struct err *err)
{
    if (size <= packer->capacity) {
        return 0;
    }
    free(packer->planes);
    free(packer->packed);
    packer->planes = malloc(size);
    packer->packed = malloc(plane_deflate_bound(size));
    packer->capacity = size;
    if (packer->planes == NULL || packer->packed == NULL) {
        packer->capacity = 0;
        return err_set(err, ERR_MEMORY, "chunk of %zu bytes", size);
    }
    return 0;
}

static void shuffle(const uint8_t *data, size_t size, size_t type_bytes, uint8_t *planes)
{
    size_t count = size / type_bytes;

    for (size_t plane = 0; plane < type_bytes; plane++) {
        for (size_t i = 0; i < count; i++) {
            planes[plane * count + i] = data[i * type_bytes + plane];
        }
    }
}

/* The packed size, or 0 when that is no gain. */
static size_t pack(struct h5_packer *packer, const void *data, size_t size, size_t type_bytes)
{
    shuffle(data, size, type_bytes, packer->planes);
    return plane_deflate(packer->deflate, packer->planes, size / type_bytes, type_bytes,
                         packer->packed, plane_deflate_bound(size));
}

static hid_t make_plan(const struct h5_packer *packer, const struct h5_chunked_spec *spec)
{
    hsize_t chunk[2] = { spec->chunk_rows, spec->n_columns };
    hid_t plan = H5Pcreate(H5P_DATASET_CREATE);
    bool is_good = plan >= 0 && H5Pset_chunk(plan, spec->n_columns > 0 ? 2 : 1, chunk) >= 0
                   && H5Pset_obj_track_times(plan, false) >= 0;

    if (is_good && packer->level > 0) {
        is_good = (spec->type_bytes == 1 || H5Pset_shuffle(plan) >= 0)
                  && H5Pset_deflate(plan, packer->level) >= 0;
    }
    if (!is_good) {
        h5_close(&plan);
    }
    return plan;
}

static hid_t create_dataset(const struct h5_packer *packer, const struct h5_chunked_spec *spec)
{
    hsize_t none[2] = { 0, spec->n_columns };
    hsize_t unlimited[2] = { H5S_UNLIMITED, spec->n_columns };
    hid_t space = H5Screate_simple(spec->n_columns > 0 ? 2 : 1, none, unlimited);
    hid_t plan = make_plan(packer, spec);
    hid_t dataset = -1;

    if (space >= 0 && plan >= 0) {
        dataset = H5Dcreate2(packer->file, spec->path, spec->type, space, H5P_DEFAULT, plan,
                             H5P_DEFAULT);
    }
    h5_close(&plan);
    h5_close(&space);
    return dataset;
}

struct h5_chunked *h5_chunked_create(struct h5_packer *packer,
                                     const struct h5_chunked_spec *spec, struct err *err)
{
    struct h5_chunked *chunked = calloc(1, sizeof(*chunked));

    if (chunked == NULL) {
        err_set(err, ERR_MEMORY, "%s", spec->path);
        return NULL;
    }
    chunked->packer = packer;
    chunked->type_bytes = spec->type_bytes;
    chunked->n_columns = spec->n_columns;
    chunked->row_bytes = spec->type_bytes * (spec->n_columns > 0 ? spec->n_columns : 1);
    chunked->chunk_rows = spec->chunk_rows;
    snprintf(chunked->path, sizeof(chunked->path), "%s", spec->path);
    chunked->dataset = create_dataset(packer, spec);
    if (chunked->dataset < 0) {
        h5_fail(err, ERR_SYSTEM, "%s", spec->path);
        goto fail;
    }
    if (h5_put_meaning(chunked->dataset, &spec->meaning, err) < 0
        || reserve(packer, chunked->row_bytes * spec->chunk_rows, err) < 0) {
        goto fail;
    }
    chunked->sums = h5_sums_create(packer->file, spec->path, err);
    if (chunked->sums == NULL) {
        goto fail;
    }
    return chunked;
fail:
    h5_chunked_destroy(&chunked);
    return NULL;
}

void h5_chunked_destroy(struct h5_chunked **chunked_p)
{
    struct h5_chunked *chunked = *chunked_p;

    if (chunked == NULL) {
        return;
    }
    h5_sums_destroy(&chunked->sums);
    h5_close(&chunked->dataset);
    free(chunked->rows);
    free(chunked);
    *chunked_p = NULL;
}

hid_t h5_chunked_dataset(const struct h5_chunked *chunked)
{
    return chunked->dataset;
}

uint64_t h5_chunked_rows(const struct h5_chunked *chunked)
{
    return chunked->n_rows;
}

bool h5_chunked_is_deflated(const struct h5_chunked *chunked)
{
    return chunked->packer->level > 0;
}

int h5_chunked_extend(struct h5_chunked *chunked, uint64_t n_rows, struct err *err)
{
    hsize_t extent[2] = { n_rows, chunked->n_columns };

    if (n_rows <= chunked->n_rows) {
        return 0;
    }
    if (H5Dset_extent(chunked->dataset, extent) < 0) {
        return h5_fail(err, ERR_SYSTEM, "%s", chunked->path);
    }
    chunked->n_rows = n_rows;
    return 0;
}

static int store(struct h5_chunked *chunked, uint64_t number, const void *data, size_t size,
                 uint32_t mask, struct err *err)
{
    hsize_t offset[2] = { number * chunked->chunk_rows, 0 };

    if (number < chunked->next_chunk) {
        return err_set(err, ERR_CORRUPT, "%s: chunk %llu comes twice", chunked->path,
                       (unsigned long long)number);
    }
    chunked->next_chunk = number + 1;
    if (H5Dwrite_chunk(chunked->dataset, H5P_DEFAULT, mask, offset, size, data) < 0) {
        return h5_fail(err, ERR_SYSTEM, "%s", chunked->path);
    }
    return h5_sums_put(chunked->sums, number, h5_chunk_sum(mask, data, size), err);
}

static uint32_t raw_mask(const struct h5_chunked *chunked)
{
    if (chunked->packer->level == 0) {
        return 0;
    }
    return chunked->type_bytes > 1 ? RAW_MASK_2 : RAW_MASK_1;
}

int h5_chunked_write_as_is(struct h5_chunked *chunked, uint64_t number, const void *data,
                           size_t size, bool is_packed, struct err *err)
{
    return store(chunked, number, data, size, is_packed ? 0 : raw_mask(chunked), err);
}

int h5_chunked_write(struct h5_chunked *chunked, uint64_t number, const void *rows,
                     struct err *err)
{
    struct h5_packer *packer = chunked->packer;
    size_t size = chunked->row_bytes * chunked->chunk_rows;
    size_t packed = packer->level > 0 ? pack(packer, rows, size, chunked->type_bytes) : 0;

    if (packed > 0) {
        return store(chunked, number, packer->packed, packed, 0, err);
    }
    return store(chunked, number, rows, size, raw_mask(chunked), err);
}

static int write_filled(struct h5_chunked *chunked, struct err *err)
{
    uint64_t n_rows = chunked->n_rows + chunked->fill;
    uint64_t number = chunked->n_rows / chunked->chunk_rows;
    size_t used = chunked->fill * chunked->row_bytes;

    memset(chunked->rows + used, 0, chunked->chunk_rows * chunked->row_bytes - used);
    chunked->fill = 0;
    if (h5_chunked_extend(chunked, n_rows, err) < 0) {
        return -1;
    }
    return h5_chunked_write(chunked, number, chunked->rows, err);
}

int h5_chunked_append(struct h5_chunked *chunked, const void *rows, size_t n_rows,
                      struct err *err)
{
    const uint8_t *from = rows;

    if (chunked->rows == NULL) {
        chunked->rows = malloc(chunked->row_bytes * chunked->chunk_rows);
        if (chunked->rows == NULL) {
            return err_set(err, ERR_MEMORY, "%s", chunked->path);
        }
    }
    while (n_rows > 0) {
        size_t room = chunked->chunk_rows - chunked->fill;
        size_t part = n_rows < room ? n_rows : room;

        memcpy(chunked->rows + chunked->fill * chunked->row_bytes, from,
               part * chunked->row_bytes);
        chunked->fill += (uint32_t)part;
        from += part * chunked->row_bytes;
        n_rows -= part;
        if (chunked->fill == chunked->chunk_rows && write_filled(chunked, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int h5_chunked_finish(struct h5_chunked *chunked, struct err *err)
{
    if (chunked->fill > 0 && write_filled(chunked, err) < 0) {
        return -1;
    }
    return h5_sums_finish(
        chunked->sums, (chunked->n_rows + chunked->chunk_rows - 1) / chunked->chunk_rows, err);
}
