/* SPDX-License-Identifier: MIT */
#include "common/h5_text.h"

#include "common/crc32c.h"
#include "common/h5_chunked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BUFFERED = 64,
    CHUNK_ROWS = 256
};

struct h5_text {
    hid_t file; /* loan */
    hid_t dataset;
    hid_t type;
    char path[64];
    uint64_t n_rows; /* written */
    uint32_t crc;
    size_t fill;
    char *rows[BUFFERED];
};

static hid_t make_type(bool is_utf8)
{
    hid_t type = H5Tcopy(H5T_C_S1);

    if (type >= 0
        && (H5Tset_size(type, H5T_VARIABLE) < 0
            || H5Tset_cset(type, is_utf8 ? H5T_CSET_UTF8 : H5T_CSET_ASCII) < 0)) {
        h5_close(&type);
    }
    return type;
}

static hid_t make_dataset(hid_t file, const char *path, hid_t type)
{
    hsize_t none = 0;
    hsize_t unlimited = H5S_UNLIMITED;
    hsize_t chunk = CHUNK_ROWS;
    hid_t space = H5Screate_simple(1, &none, &unlimited);
    hid_t plan = H5Pcreate(H5P_DATASET_CREATE);
    hid_t dataset = -1;

    if (type >= 0 && space >= 0 && plan >= 0 && H5Pset_chunk(plan, 1, &chunk) >= 0
        && H5Pset_obj_track_times(plan, false) >= 0) {
        dataset = H5Dcreate2(file, path, type, space, H5P_DEFAULT, plan, H5P_DEFAULT);
    }
    h5_close(&plan);
    h5_close(&space);
    return dataset;
}

struct h5_text *h5_text_create(hid_t file, const char *path, bool is_utf8,
                               const char *description, struct err *err)
{
    struct h5_text *text = calloc(1, sizeof(*text));

    if (text == NULL) {
        err_set(err, ERR_MEMORY, "%s", path);
        return NULL;
    }
    text->file = file;
    snprintf(text->path, sizeof(text->path), "%s", path);
    text->type = make_type(is_utf8);
    text->dataset = make_dataset(file, path, text->type);
    if (text->dataset < 0) {
        h5_fail(err, ERR_SYSTEM, "%s", path);
        goto fail;
    }
    if (h5_put_text(text->dataset, "unit", "n", err) < 0
        || h5_put_text(text->dataset, "description", description, err) < 0) {
        goto fail;
    }
    return text;
fail:
    h5_text_destroy(&text);
    return NULL;
}

static void drop_rows(struct h5_text *text)
{
    for (size_t i = 0; i < text->fill; i++) {
        free(text->rows[i]);
    }
    text->fill = 0;
}

static int flush(struct h5_text *text, struct err *err)
{
    int result = 0;

    if (text->fill == 0) {
        return 0;
    }
    if (!h5_append(text->dataset, text->type, text->n_rows, text->fill, text->rows)) {
        result = h5_fail(err, ERR_SYSTEM, "%s", text->path);
    }
    text->n_rows += text->fill;
    drop_rows(text);
    return result;
}

static uint32_t sum_row(uint32_t crc, const char *row, size_t size)
{
    uint8_t head[4] = { (uint8_t)size, (uint8_t)(size >> 8), (uint8_t)(size >> 16),
                        (uint8_t)(size >> 24) };

    return crc32c(crc32c(crc, head, sizeof(head)), row, size);
}

int h5_text_append(struct h5_text *text, const void *bytes, size_t size, struct err *err)
{
    const char *from = bytes;
    char *row = malloc(size + 1);
    size_t used = 0;

    if (row == NULL) {
        return err_set(err, ERR_MEMORY, "%s", text->path);
    }
    for (size_t i = 0; i < size; i++) {
        if (from[i] != '\0') {
            row[used++] = from[i];
        }
    }
    row[used] = '\0';
    text->crc = sum_row(text->crc, row, used);
    text->rows[text->fill++] = row;
    return text->fill == BUFFERED ? flush(text, err) : 0;
}

int h5_text_finish(struct h5_text *text, struct err *err)
{
    struct h5_sums *sums = NULL;
    int result = flush(text, err);

    if (result < 0) {
        return -1;
    }
    sums = h5_sums_create(text->file, text->path, err);
    if (sums == NULL) {
        return -1;
    }
    if (h5_sums_put(sums, 0, text->crc, err) < 0 || h5_sums_finish(sums, 1, err) < 0) {
        result = -1;
    }
    h5_sums_destroy(&sums);
    return result;
}

void h5_text_destroy(struct h5_text **text)
{
    if (*text != NULL) {
        drop_rows(*text);
        h5_close(&(*text)->dataset);
        h5_close(&(*text)->type);
        free(*text);
        *text = NULL;
    }
}

/* Reads up to BUFFERED rows and goes on with the sum. */
static int sum_rows(hid_t dataset, hid_t type, hid_t space, hsize_t start, hsize_t count,
                    uint32_t *sum)
{
    char *rows[BUFFERED] = { NULL };
    hid_t memory = H5Screate_simple(1, &count, NULL);
    int result = -1;

    if (memory >= 0
        && H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, NULL, &count, NULL) >= 0
        && H5Dread(dataset, type, memory, space, H5P_DEFAULT, rows) >= 0) {
        for (hsize_t i = 0; i < count; i++) {
            *sum = sum_row(*sum, rows[i] != NULL ? rows[i] : "",
                           rows[i] != NULL ? strlen(rows[i]) : 0);
        }
        H5Dvlen_reclaim(type, memory, H5P_DEFAULT, rows);
        result = 0;
    }
    h5_close(&memory);
    return result;
}

int h5_text_sum(hid_t file, const char *path, uint32_t *sum, struct err *err)
{
    hid_t dataset = H5Dopen2(file, path, H5P_DEFAULT);
    hid_t type = dataset < 0 ? -1 : H5Dget_type(dataset);
    hid_t space = dataset < 0 ? -1 : H5Dget_space(dataset);
    hsize_t n_rows = 0;
    int result = 0;

    *sum = 0;
    if (space < 0 || type < 0 || H5Tis_variable_str(type) <= 0
        || H5Sget_simple_extent_ndims(space) != 1
        || H5Sget_simple_extent_dims(space, &n_rows, NULL) < 0) {
        result = h5_fail(err, ERR_CORRUPT, "%s", path);
    }
    for (hsize_t at = 0; at < n_rows && result == 0; at += BUFFERED) {
        hsize_t count = n_rows - at < BUFFERED ? n_rows - at : BUFFERED;

        if (sum_rows(dataset, type, space, at, count, sum) < 0) {
            result = h5_fail(err, ERR_CORRUPT, "%s", path);
        }
    }
    h5_close(&space);
    h5_close(&type);
    h5_close(&dataset);
    return result;
}
