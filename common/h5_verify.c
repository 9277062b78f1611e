/* SPDX-License-Identifier: MIT */
#include "common/h5_verify.h"

#include "common/h5_chunked.h"
#include "common/h5_describe.h"
#include "common/h5_digest.h"
#include "common/h5_guard.h"
#include "common/h5_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_CHUNK_BYTES = 64 * 1024 * 1024,
    MAX_PATH = 256
};

/* One dataset and its list of sums. */
struct proof {
    hid_t file;
    char path[MAX_PATH];
    hid_t dataset;
    uint32_t *sums;
    uint64_t n_sums;
    uint8_t *chunk;
    size_t capacity;
    struct err *err;
};

static int read_sums(struct proof *proof, hid_t list)
{
    hid_t space = H5Dget_space(list);
    hssize_t count = space < 0 ? -1 : H5Sget_simple_extent_npoints(space);
    int result = 0;

    free(proof->sums);
    proof->sums = NULL;
    if (count < 0 || count > MAX_CHUNK_BYTES) {
        result = h5_fail(proof->err, ERR_CORRUPT, "/integrity of %s", proof->path);
    } else {
        proof->n_sums = (uint64_t)count;
        proof->sums = calloc((size_t)count + 1, sizeof(*proof->sums));
        if (proof->sums == NULL) {
            result = err_set(proof->err, ERR_MEMORY, "/integrity");
        } else if (count > 0
                   && H5Dread(list, H5T_NATIVE_UINT32, H5S_ALL, H5S_ALL, H5P_DEFAULT,
                              proof->sums)
                          < 0) {
            result = h5_fail(proof->err, ERR_CORRUPT, "/integrity of %s", proof->path);
        }
    }
    h5_close(&space);
    return result;
}

static int read_chunk(struct proof *proof, const hsize_t *offset, hsize_t size, uint32_t *mask)
{
    if (size > MAX_CHUNK_BYTES) {
        return err_set(proof->err, ERR_CORRUPT, "%s: a chunk of %llu bytes", proof->path,
                       (unsigned long long)size);
    }
    if (size > proof->capacity) {
        free(proof->chunk);
        proof->capacity = 0;
        proof->chunk = malloc((size_t)size);
        if (proof->chunk == NULL) {
            return err_set(proof->err, ERR_MEMORY, "chunk of %llu bytes",
                           (unsigned long long)size);
        }
        proof->capacity = (size_t)size;
    }
    if (H5Dread_chunk(proof->dataset, H5P_DEFAULT, offset, mask, proof->chunk) < 0) {
        return h5_fail(proof->err, ERR_CORRUPT, "%s: row %llu", proof->path,
                       (unsigned long long)offset[0]);
    }
    return 0;
}

static int check_chunk(struct proof *proof, uint64_t number, hsize_t chunk_rows)
{
    hsize_t offset[2] = { number * chunk_rows, 0 };
    hsize_t size = 0;
    uint32_t mask = 0;
    uint32_t sum = 0;

    /* fails, or gives 0, where nothing is allocated */
    if (H5Dget_chunk_storage_size(proof->dataset, offset, &size) < 0) {
        size = 0;
    }
    if (size > 0) {
        if (read_chunk(proof, offset, size, &mask) < 0) {
            return -1;
        }
        sum = h5_chunk_sum(mask, proof->chunk, (size_t)size);
    }
    if (sum != proof->sums[number]) {
        return err_set(proof->err, ERR_CORRUPT,
                       "%s: the checksum of rows %llu to %llu is wrong", proof->path,
                       (unsigned long long)offset[0],
                       (unsigned long long)(offset[0] + chunk_rows - 1));
    }
    return 0;
}

static int check_chunks(struct proof *proof)
{
    hid_t space = H5Dget_space(proof->dataset);
    hid_t plan = H5Dget_create_plist(proof->dataset);
    hsize_t extent[2] = { 0 };
    hsize_t chunk[2] = { 0 };
    int n_dims = space < 0 ? -1 : H5Sget_simple_extent_ndims(space);
    int result = 0;

    if (plan < 0 || n_dims < 1 || n_dims > 2
        || H5Sget_simple_extent_dims(space, extent, NULL) < 0
        || H5Pget_chunk(plan, 2, chunk) != n_dims || chunk[0] == 0
        || (extent[0] + chunk[0] - 1) / chunk[0] != proof->n_sums) {
        result = h5_fail(proof->err, ERR_CORRUPT, "%s: does not fit its list of checksums",
                         proof->path);
    }
    for (uint64_t i = 0; i < proof->n_sums && result == 0; i++) {
        result = check_chunk(proof, i, chunk[0]);
    }
    h5_close(&plan);
    h5_close(&space);
    return result;
}

static int check_texts(struct proof *proof)
{
    uint32_t sum = 0;

    if (h5_text_sum(proof->file, proof->path, &sum, proof->err) < 0) {
        return -1;
    }
    if (proof->n_sums != 1 || sum != proof->sums[0]) {
        return err_set(proof->err, ERR_CORRUPT, "%s: the checksum of its texts is wrong",
                       proof->path);
    }
    return 0;
}

static herr_t check_dataset(hid_t integrity, const char *name, const H5L_info_t *info,
                            void *arg)
{
    struct proof *proof = arg;
    hid_t list = H5Dopen2(integrity, name, H5P_DEFAULT);
    hid_t type = -1;
    int result = -1;

    (void)info;
    h5_path_of_sum(name, proof->path, sizeof(proof->path));
    proof->dataset = list < 0 ? -1 : H5Dopen2(proof->file, proof->path, H5P_DEFAULT);
    type = proof->dataset < 0 ? -1 : H5Dget_type(proof->dataset);
    if (type < 0) {
        h5_fail(proof->err, ERR_CORRUPT, "%s", proof->path);
    } else if (read_sums(proof, list) == 0) {
        result = H5Tget_class(type) == H5T_STRING ? check_texts(proof) : check_chunks(proof);
    }
    h5_close(&type);
    h5_close(&proof->dataset);
    h5_close(&list);
    return result;
}

static int check_sums(hid_t file, hid_t integrity, struct err *err)
{
    struct proof proof = { .file = file, .dataset = -1, .err = err };
    hsize_t index = 0;
    herr_t result = 0;

    err->text[0] = '\0';
    result = H5Literate(integrity, H5_INDEX_NAME, H5_ITER_INC, &index, check_dataset, &proof);
    free(proof.sums);
    free(proof.chunk);
    if (result < 0 && err->text[0] == '\0') {
        return h5_fail(err, ERR_CORRUPT, "/integrity");
    }
    return result < 0 ? -1 : 0;
}

static int check_digest(hid_t file, hid_t integrity, struct err *err)
{
    char said[DIGEST_TEXT_SIZE + 1] = "";
    char found[DIGEST_TEXT_SIZE];

    if (!h5_get_text(integrity, "digest", said, sizeof(said))) {
        return err_set(err, ERR_CORRUPT, "/integrity has no digest");
    }
    if (h5_digest(file, found, err) < 0) {
        return -1;
    }
    if (strcmp(said, found) != 0) {
        return err_set(err, ERR_CORRUPT,
                       "an attribute, an extent or a type is not what was written");
    }
    return 0;
}

static void read_attributes(hid_t file, struct h5_summary *summary)
{
    hid_t sync = h5_has(file, "/sync") ? H5Gopen2(file, "/sync", H5P_DEFAULT) : -1;
    int64_t value = 0;

    summary->n_samples = h5_get_i64(file, "n_samples", &value) ? (uint64_t)value : 0;
    summary->n_gap_samples = h5_get_i64(file, "n_gap_samples", &value) ? (uint64_t)value : 0;
    summary->n_edges = h5_get_i64(file, "n_edges", &value) ? (uint64_t)value : 0;
    summary->n_records = h5_get_i64(file, "n_records", &value) ? (uint64_t)value : 0;
    summary->n_remarks = h5_get_i64(file, "n_remarks", &value) ? (uint64_t)value : 0;
    summary->end_reason = h5_get_i64(file, "end_reason_code", &value) ? (uint32_t)value : 0;
    h5_read_free_text(file, "remarks", summary->remarks, sizeof(summary->remarks));
    if (!h5_get_f64(file, "energy_Ws", &summary->energy_Ws)) {
        summary->energy_Ws = (double)NAN;
    }
    if (sync >= 0) {
        h5_get_i64(sync, "T_ns", &summary->T_ns);
        h5_get_i64(sync, "start_error_ns", &summary->start_error_ns);
        h5_get_i64(sync, "start_bound_ns", &summary->start_bound_ns);
    }
    h5_close(&sync);
}

int h5_verify_here(const char *path, struct h5_summary *summary, struct err *err)
{
    hid_t file = -1;
    hid_t integrity = -1;
    int result = -1;

    *summary = (struct h5_summary){ 0 };
    file = h5_open_file(path, &summary->file_bytes, err);
    if (file < 0) {
        return -1;
    }
    if (!h5_has(file, "/integrity")) {
        err_set(err, ERR_CORRUPT, "%s: has no /integrity: not a file of herd's, or unfinished",
                path);
        goto done;
    }
    integrity = H5Gopen2(file, "/integrity", H5P_DEFAULT);
    if (integrity < 0) {
        h5_fail(err, ERR_CORRUPT, "%s: /integrity", path);
        goto done;
    }
    /* the digest covers the lists, and the lists cover the rest */
    if (check_digest(file, integrity, err) < 0 || check_sums(file, integrity, err) < 0) {
        err_prepend(err, "%s", path);
        goto done;
    }
    read_attributes(file, summary);
    result = 0;
done:
    h5_close(&integrity);
    h5_close(&file);
    return result;
}

int h5_read_summary(const char *path, struct h5_summary *summary, struct err *err)
{
    hid_t file = -1;

    *summary = (struct h5_summary){ 0 };
    file = h5_open_file(path, &summary->file_bytes, err);
    if (file < 0) {
        return -1;
    }
    read_attributes(file, summary);
    h5_close(&file);
    return 0;
}

static int verify_in_child(const void *arg, void *result, struct err *err)
{
    return h5_verify_here(arg, result, err);
}

int h5_verify(const char *path, struct h5_summary *summary, struct err *err)
{
    return h5_guard(path, verify_in_child, path, summary, sizeof(*summary), err);
}
