/* SPDX-License-Identifier: MIT */
#include "common/crc32c.h"
#include "common/h5_chunked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BUFFERED = 512,
    LIST_CHUNK = 512
};

struct h5_sums {
    hid_t dataset;
    uint64_t written;
    uint32_t fill;
    uint32_t buffer[BUFFERED];
};

uint32_t h5_chunk_sum(uint32_t filter_mask, const void *data, size_t size)
{
    uint8_t head[4] = { (uint8_t)filter_mask, (uint8_t)(filter_mask >> 8),
                        (uint8_t)(filter_mask >> 16), (uint8_t)(filter_mask >> 24) };
    uint32_t crc = crc32c(crc32c(0, head, sizeof(head)), data, size);

    return crc == 0 ? UINT32_MAX : crc;
}

/* A dot that is part of a name, as in cpu.agent, must not be taken for a step in the path. */
static const char DOT[] = "%2E";

static size_t put_text(char *out, size_t size, size_t at, const char *text)
{
    while (*text != '\0' && at + 1 < size) {
        out[at++] = *text++;
    }
    out[at] = '\0';
    return at;
}

void h5_sum_path(const char *path, char *sum_path, size_t size)
{
    size_t at = put_text(sum_path, size, 0, "/integrity/");

    for (const char *from = path + 1; *from != '\0'; from++) {
        const char plain[2] = { *from };

        at = put_text(sum_path, size, at, *from == '/' ? "." : *from == '.' ? DOT : plain);
    }
}

void h5_path_of_sum(const char *name, char *path, size_t size)
{
    size_t at = put_text(path, size, 0, "/");

    for (const char *from = name; *from != '\0'; from++) {
        bool is_dot = strncmp(from, DOT, sizeof(DOT) - 1) == 0;
        const char plain[2] = { *from };

        at = put_text(path, size, at, is_dot ? "." : *from == '.' ? "/" : plain);
        from += is_dot ? sizeof(DOT) - 2 : 0;
    }
}

static hid_t create_list(hid_t file, const char *path)
{
    hsize_t none = 0;
    hsize_t unlimited = H5S_UNLIMITED;
    hsize_t chunk = LIST_CHUNK;
    hid_t space = H5Screate_simple(1, &none, &unlimited);
    hid_t plan = H5Pcreate(H5P_DATASET_CREATE);
    hid_t dataset = -1;

    if (space >= 0 && plan >= 0 && H5Pset_chunk(plan, 1, &chunk) >= 0
        && H5Pset_obj_track_times(plan, false) >= 0) {
        dataset = H5Dcreate2(file, path, H5T_STD_U32LE, space, H5P_DEFAULT, plan, H5P_DEFAULT);
    }
    h5_close(&plan);
    h5_close(&space);
    return dataset;
}

struct h5_sums *h5_sums_create(hid_t file, const char *path, struct err *err)
{
    static const struct h5_meaning meaning = { 1.0, 0.0, "n", "CRC-32C of each stored chunk" };
    struct h5_sums *sums = calloc(1, sizeof(*sums));
    char sum_path[128];

    if (sums == NULL) {
        err_set(err, ERR_MEMORY, "sums of %s", path);
        return NULL;
    }
    h5_sum_path(path, sum_path, sizeof(sum_path));
    sums->dataset = create_list(file, sum_path);
    if (sums->dataset < 0) {
        h5_fail(err, ERR_SYSTEM, "%s", sum_path);
        goto fail;
    }
    if (h5_put_meaning(sums->dataset, &meaning, err) < 0) {
        goto fail;
    }
    return sums;
fail:
    h5_sums_destroy(&sums);
    return NULL;
}

static int flush(struct h5_sums *sums, struct err *err)
{
    int result = 0;

    if (sums->fill == 0) {
        return 0;
    }
    if (!h5_append(sums->dataset, H5T_NATIVE_UINT32, sums->written, sums->fill, sums->buffer)) {
        result = h5_fail(err, ERR_SYSTEM, "/integrity");
    }
    sums->written += sums->fill;
    sums->fill = 0;
    return result;
}

static int push(struct h5_sums *sums, uint32_t sum, struct err *err)
{
    sums->buffer[sums->fill++] = sum;
    return sums->fill == BUFFERED ? flush(sums, err) : 0;
}

int h5_sums_put(struct h5_sums *sums, uint64_t number, uint32_t sum, struct err *err)
{
    while (sums->written + sums->fill < number) {
        if (push(sums, 0, err) < 0) {
            return -1;
        }
    }
    return push(sums, sum, err);
}

int h5_sums_finish(struct h5_sums *sums, uint64_t n_chunks, struct err *err)
{
    while (sums->written + sums->fill < n_chunks) {
        if (push(sums, 0, err) < 0) {
            return -1;
        }
    }
    return flush(sums, err);
}

void h5_sums_destroy(struct h5_sums **sums)
{
    if (*sums != NULL) {
        h5_close(&(*sums)->dataset);
        free(*sums);
        *sums = NULL;
    }
}
