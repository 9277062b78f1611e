/* SPDX-License-Identifier: MIT */
#include "common/h5_trace.h"

#include "common/lzf.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FILTER_LZF = 32000, /* registered for h5py */
    MAX_FILTERS = 8,
    MAX_TYPE_BYTES = 16,
    MAX_CHUNK_BYTES = 64 * 1024 * 1024,
    CACHE_BYTES = 16 * 1024 * 1024,
    CACHE_SLOTS = 521
};

struct h5_trace {
    hid_t dataset;
    hid_t type;
    hid_t space;
    char path[96];
    uint64_t n_rows;
    size_t type_bytes;
    /* only with LZF: one decoded chunk */
    bool has_lzf;
    int n_filters;
    H5Z_filter_t filters[MAX_FILTERS];
    hsize_t chunk_rows;
    uint64_t chunk_number; /* decoded; UINT64_MAX: none */
    uint8_t *chunk;
    uint8_t *packed;
    uint8_t *scratch; /* type conversion, chunk_rows * 16 */
};

static int read_filters(struct h5_trace *trace, hid_t plan, struct err *err)
{
    trace->n_filters = H5Pget_layout(plan) == H5D_CHUNKED ? H5Pget_nfilters(plan) : 0;
    if (trace->n_filters < 0 || trace->n_filters > MAX_FILTERS) {
        return h5_fail(err, ERR_INPUT, "%s: filters", trace->path);
    }
    for (int i = 0; i < trace->n_filters; i++) {
        unsigned flags = 0;
        size_t none = 0;

        trace->filters[i] =
            H5Pget_filter2(plan, (unsigned)i, &flags, &none, NULL, 0, NULL, NULL);
        trace->has_lzf = trace->has_lzf || trace->filters[i] == FILTER_LZF;
    }
    for (int i = 0; i < trace->n_filters; i++) {
        H5Z_filter_t id = trace->filters[i];

        if (id != FILTER_LZF && H5Zfilter_avail(id) <= 0) {
            return err_set(err, ERR_INPUT,
                           "%s: compressed by HDF5 filter %d, which is not known", trace->path,
                           (int)id);
        }
        if (trace->has_lzf && id != FILTER_LZF && id != H5Z_FILTER_SHUFFLE) {
            return err_set(err, ERR_INPUT, "%s: LZF together with HDF5 filter %d", trace->path,
                           (int)id);
        }
    }
    return 0;
}

static int make_chunk(struct h5_trace *trace, hid_t plan, struct err *err)
{
    if (H5Pget_chunk(plan, 1, &trace->chunk_rows) != 1 || trace->chunk_rows == 0
        || trace->chunk_rows > MAX_CHUNK_BYTES / MAX_TYPE_BYTES) {
        return h5_fail(err, ERR_INPUT, "%s: chunks", trace->path);
    }
    trace->chunk_number = UINT64_MAX;
    trace->chunk = malloc((size_t)trace->chunk_rows * MAX_TYPE_BYTES);
    trace->scratch = malloc((size_t)trace->chunk_rows * MAX_TYPE_BYTES);
    trace->packed = malloc((size_t)trace->chunk_rows * MAX_TYPE_BYTES);
    if (trace->chunk == NULL || trace->scratch == NULL || trace->packed == NULL) {
        return err_set(err, ERR_MEMORY, "chunk of %s", trace->path);
    }
    return 0;
}

/* A chunk cache that holds a large chunk, so that reading on does not unpack it again. */
static hid_t open_dataset(hid_t file, const char *path)
{
    hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
    hid_t dataset = -1;

    if (access >= 0 && H5Pset_chunk_cache(access, CACHE_SLOTS, CACHE_BYTES, 1.0) >= 0) {
        dataset = H5Dopen2(file, path, access);
    }
    h5_close(&access);
    return dataset;
}

static int look(struct h5_trace *trace, struct err *err)
{
    hsize_t n_rows = 0;
    hid_t plan = -1;
    int result = 0;

    trace->type = H5Dget_type(trace->dataset);
    trace->space = H5Dget_space(trace->dataset);
    trace->type_bytes = trace->type < 0 ? 0 : H5Tget_size(trace->type);
    if (!h5_is_plain_number(trace->type) || trace->type_bytes > MAX_TYPE_BYTES
        || trace->space < 0 || H5Sget_simple_extent_ndims(trace->space) != 1
        || H5Sget_simple_extent_dims(trace->space, &n_rows, NULL) < 0) {
        return h5_fail(err, ERR_INPUT, "%s: not one dimension of numbers", trace->path);
    }
    trace->n_rows = n_rows;
    plan = H5Dget_create_plist(trace->dataset);
    if (plan < 0) {
        return h5_fail(err, ERR_INPUT, "%s", trace->path);
    }
    result = read_filters(trace, plan, err);
    if (result == 0 && trace->has_lzf) {
        result = make_chunk(trace, plan, err);
    }
    h5_close(&plan);
    return result;
}

struct h5_trace *h5_trace_open(hid_t file, const char *path, struct err *err)
{
    struct h5_trace *trace = calloc(1, sizeof(*trace));

    if (trace == NULL) {
        err_set(err, ERR_MEMORY, "%s", path);
        return NULL;
    }
    trace->dataset = -1;
    trace->type = -1;
    trace->space = -1;
    snprintf(trace->path, sizeof(trace->path), "%s", path);
    if (!h5_has(file, path)) {
        err_set(err, ERR_INPUT, "has no %s", path);
        goto fail;
    }
    trace->dataset = open_dataset(file, path);
    if (trace->dataset < 0) {
        h5_fail(err, ERR_INPUT, "%s", path);
        goto fail;
    }
    if (look(trace, err) < 0) {
        goto fail;
    }
    return trace;
fail:
    h5_trace_close(&trace);
    return NULL;
}

void h5_trace_close(struct h5_trace **trace_p)
{
    struct h5_trace *trace = *trace_p;

    if (trace == NULL) {
        return;
    }
    h5_close(&trace->space);
    h5_close(&trace->type);
    h5_close(&trace->dataset);
    free(trace->chunk);
    free(trace->scratch);
    free(trace->packed);
    free(trace);
    *trace_p = NULL;
}

uint64_t h5_trace_rows(const struct h5_trace *trace)
{
    return trace->n_rows;
}

hid_t h5_trace_dataset(const struct h5_trace *trace)
{
    return trace->dataset;
}

static void unshuffle(const uint8_t *planes, size_t count, size_t type_bytes, uint8_t *rows)
{
    for (size_t plane = 0; plane < type_bytes; plane++) {
        for (size_t i = 0; i < count; i++) {
            rows[i * type_bytes + plane] = planes[plane * count + i];
        }
    }
}

/* Undoes the filters that the chunk went through, the last one first. */
static int unpack(struct h5_trace *trace, size_t size, uint32_t mask, struct err *err)
{
    size_t whole = (size_t)trace->chunk_rows * trace->type_bytes;

    for (int i = trace->n_filters - 1; i >= 0; i--) {
        uint8_t *done = trace->packed;

        if (mask >> i & 1) {
            continue;
        }
        if (trace->filters[i] == FILTER_LZF) {
            size = lzf_decode(trace->packed, size, trace->chunk, whole);
        } else if (size == whole) {
            unshuffle(trace->packed, (size_t)trace->chunk_rows, trace->type_bytes,
                      trace->chunk);
        }
        if (size != whole) {
            break;
        }
        trace->packed = trace->chunk;
        trace->chunk = done;
    }
    if (size != whole) {
        return err_set(err, ERR_CORRUPT, "%s: a chunk does not unpack", trace->path);
    }
    memcpy(trace->chunk, trace->packed, whole);
    return 0;
}

static int load_chunk(struct h5_trace *trace, uint64_t number, struct err *err)
{
    hsize_t offset = number * trace->chunk_rows;
    hsize_t size = 0;
    uint32_t mask = 0;

    if (trace->chunk_number == number) {
        return 0;
    }
    trace->chunk_number = UINT64_MAX;
    if (H5Dget_chunk_storage_size(trace->dataset, &offset, &size) < 0) {
        size = 0;
    }
    if (size > trace->chunk_rows * MAX_TYPE_BYTES) {
        return err_set(err, ERR_CORRUPT, "%s: a chunk larger than it can be", trace->path);
    }
    if (size == 0) { /* not allocated: zeros */
        memset(trace->chunk, 0, (size_t)trace->chunk_rows * trace->type_bytes);
    } else if (H5Dread_chunk(trace->dataset, H5P_DEFAULT, &offset, &mask, trace->packed) < 0) {
        return h5_fail(err, ERR_CORRUPT, "%s", trace->path);
    } else if (unpack(trace, (size_t)size, mask, err) < 0) {
        return -1;
    }
    trace->chunk_number = number;
    return 0;
}

static int read_lzf(struct h5_trace *trace, uint64_t first, size_t count, hid_t memory_type,
                    uint8_t *values, struct err *err)
{
    while (count > 0) {
        size_t at = (size_t)(first % trace->chunk_rows);
        size_t room = (size_t)trace->chunk_rows - at;
        size_t part = count < room ? count : room;

        if (load_chunk(trace, first / trace->chunk_rows, err) < 0) {
            return -1;
        }
        memcpy(trace->scratch, trace->chunk + at * trace->type_bytes, part * trace->type_bytes);
        if (H5Tconvert(trace->type, memory_type, part, trace->scratch, NULL, H5P_DEFAULT) < 0) {
            return h5_fail(err, ERR_INPUT, "%s: numbers", trace->path);
        }
        memcpy(values, trace->scratch, part * sizeof(uint64_t));
        values += part * sizeof(uint64_t);
        first += part;
        count -= part;
    }
    return 0;
}

static int read_rows(struct h5_trace *trace, uint64_t first, size_t count, hid_t memory_type,
                     void *values, struct err *err)
{
    hsize_t start = first;
    hsize_t length = count;
    hid_t memory = -1;
    int result = 0;

    if (first > trace->n_rows || count > trace->n_rows - first) {
        return err_set(err, ERR_INPUT, "%s: has only %llu rows", trace->path,
                       (unsigned long long)trace->n_rows);
    }
    if (count == 0) {
        return 0;
    }
    if (trace->has_lzf) {
        return read_lzf(trace, first, count, memory_type, values, err);
    }
    memory = H5Screate_simple(1, &length, NULL);
    if (memory < 0
        || H5Sselect_hyperslab(trace->space, H5S_SELECT_SET, &start, NULL, &length, NULL) < 0
        || H5Dread(trace->dataset, memory_type, memory, trace->space, H5P_DEFAULT, values)
               < 0) {
        result =
            h5_fail(err, ERR_CORRUPT, "%s: row %llu", trace->path, (unsigned long long)first);
    }
    h5_close(&memory);
    return result;
}

int h5_trace_read(struct h5_trace *trace, uint64_t first, size_t count, double *values,
                  struct err *err)
{
    return read_rows(trace, first, count, H5T_NATIVE_DOUBLE, values, err);
}

int h5_trace_read_u64(struct h5_trace *trace, uint64_t first, size_t count, uint64_t *values,
                      struct err *err)
{
    return read_rows(trace, first, count, H5T_NATIVE_UINT64, values, err);
}

int h5_trace_meaning(const struct h5_trace *trace, double *gain, double *offset,
                     struct err *err)
{
    if (!h5_get_f64(trace->dataset, "gain", gain)
        || !h5_get_f64(trace->dataset, "offset", offset)) {
        return err_set(err, ERR_INPUT, "%s has no gain or no offset", trace->path);
    }
    if (!isfinite(*gain) || !isfinite(*offset) || *gain == 0) {
        return err_set(err, ERR_INPUT, "%s: gain %g, offset %g", trace->path, *gain, *offset);
    }
    return 0;
}
