/* SPDX-License-Identifier: MIT */
#include "tests/support/h5_scratch.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    LEVEL = 1,
    MAX_CHUNK = 1 << 20
};

int h5_scratch_set_up(void **state)
{
    struct h5_scratch *scratch = calloc(1, sizeof(*scratch));
    struct err err = { 0 };

    assert_non_null(scratch);
    h5_quiet();
    snprintf(scratch->folder, sizeof(scratch->folder), "/tmp/bw-scratch-XXXXXX");
    assert_non_null(mkdtemp(scratch->folder));
    snprintf(scratch->path, sizeof(scratch->path), "%s/a.h5", scratch->folder);
    scratch->file = H5Fcreate(scratch->path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(scratch->file >= 0);
    h5_scratch_group(scratch, "/data");
    h5_scratch_group(scratch, "/integrity");
    scratch->packer = h5_packer_create(scratch->file, LEVEL, &err);
    assert_non_null(scratch->packer);
    *state = scratch;
    return 0;
}

void h5_scratch_plain(struct h5_scratch *scratch)
{
    struct err err = { 0 };

    h5_packer_destroy(&scratch->packer);
    scratch->packer = h5_packer_create(scratch->file, 0, &err);
    assert_non_null(scratch->packer);
}

static void empty_folder(const char *folder)
{
    DIR *listing = opendir(folder);
    struct dirent *entry = NULL;

    assert_non_null(listing);
    while ((entry = readdir(listing)) != NULL) {
        char path[400];

        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.') {
            assert_int_equal(unlink(path), 0);
        }
    }
    closedir(listing);
}

int h5_scratch_tear_down(void **state)
{
    struct h5_scratch *scratch = *state;

    h5_packer_destroy(&scratch->packer);
    h5_close(&scratch->file);
    /* what a test forgot to close would hold the file */
    assert_int_equal(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL), 0);
    empty_folder(scratch->folder);
    assert_int_equal(rmdir(scratch->folder), 0);
    free(scratch);
    return 0;
}

void h5_scratch_group(const struct h5_scratch *scratch, const char *path)
{
    struct err err = { 0 };
    hid_t group = h5_make_group(scratch->file, path, &err);

    assert_true(group >= 0);
    h5_close(&group);
}

static hid_t open_dataset(const struct h5_scratch *scratch, const char *path)
{
    hid_t dataset = H5Dopen2(scratch->file, path, H5P_DEFAULT);

    if (dataset < 0) {
        fail_msg("no dataset %s", path);
    }
    return dataset;
}

/* Extents as [rows, columns]; columns is 0 with one dimension. */
static void extent_of(hid_t dataset, hsize_t extent[2])
{
    hid_t space = H5Dget_space(dataset);
    int n_dims = H5Sget_simple_extent_ndims(space);

    extent[1] = 0;
    assert_in_range(n_dims, 1, 2);
    assert_int_equal(H5Sget_simple_extent_dims(space, extent, NULL), n_dims);
    h5_close(&space);
}

uint64_t h5_scratch_rows(const struct h5_scratch *scratch, const char *path)
{
    hid_t dataset = open_dataset(scratch, path);
    hsize_t extent[2];

    extent_of(dataset, extent);
    h5_close(&dataset);
    return extent[0];
}

void h5_scratch_read(const struct h5_scratch *scratch, const char *path, hid_t type,
                     void *values, uint64_t n_rows, unsigned columns)
{
    hid_t dataset = open_dataset(scratch, path);
    hsize_t extent[2];

    extent_of(dataset, extent);
    assert_int_equal(extent[0], n_rows);
    assert_int_equal(extent[1], columns);
    assert_true(H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    h5_close(&dataset);
}

/* One row of one dimension into *value. */
static void read_row(hid_t dataset, hid_t type, hsize_t row, void *value)
{
    hsize_t one = 1;
    hid_t memory = H5Screate_simple(1, &one, NULL);
    hid_t space = H5Dget_space(dataset);

    assert_true(H5Sselect_hyperslab(space, H5S_SELECT_SET, &row, NULL, &one, NULL) >= 0);
    assert_true(H5Dread(dataset, type, memory, space, H5P_DEFAULT, value) >= 0);
    h5_close(&space);
    h5_close(&memory);
}

uint64_t h5_scratch_u64(const struct h5_scratch *scratch, const char *path, uint64_t row)
{
    hid_t dataset = open_dataset(scratch, path);
    uint64_t value = 0;

    read_row(dataset, H5T_NATIVE_UINT64, row, &value);
    h5_close(&dataset);
    return value;
}

char *h5_scratch_text(const struct h5_scratch *scratch, const char *path, uint64_t row)
{
    hid_t dataset = open_dataset(scratch, path);
    hid_t type = H5Dget_type(dataset);
    char *loan = NULL;
    char *copy = NULL;

    assert_true(H5Tis_variable_str(type) > 0);
    read_row(dataset, type, row, &loan);
    copy = strdup(loan != NULL ? loan : "");
    assert_non_null(copy);
    H5free_memory(loan);
    h5_close(&type);
    h5_close(&dataset);
    return copy;
}

static hid_t open_attribute(const struct h5_scratch *scratch, const char *path,
                            const char *name)
{
    hid_t attribute = H5Aopen_by_name(scratch->file, path, name, H5P_DEFAULT, H5P_DEFAULT);

    if (attribute < 0) {
        fail_msg("%s has no attribute %s", path, name);
    }
    return attribute;
}

void h5_scratch_expect_text(const struct h5_scratch *scratch, const char *path,
                            const char *name, const char *value)
{
    hid_t attribute = open_attribute(scratch, path, name);
    hid_t type = H5Aget_type(attribute);
    char *loan = NULL;

    /* what Shepherd's reader needs */
    assert_true(H5Tis_variable_str(type) > 0);
    assert_int_equal(H5Tget_cset(type), H5T_CSET_UTF8);
    assert_true(H5Aread(attribute, type, &loan) >= 0);
    assert_string_equal(loan, value);
    H5free_memory(loan);
    h5_close(&type);
    h5_close(&attribute);
}

void h5_scratch_expect_number(const struct h5_scratch *scratch, const char *path,
                              const char *name, double value)
{
    hid_t attribute = open_attribute(scratch, path, name);
    double found = 0;

    assert_true(H5Aread(attribute, H5T_NATIVE_DOUBLE, &found) >= 0);
    h5_close(&attribute);
    if (!(found <= value && found >= value)) {
        fail_msg("%s: %s is %.17g instead of %.17g", path, name, found, value);
    }
}

bool h5_scratch_has_attribute(const struct h5_scratch *scratch, const char *path,
                              const char *name)
{
    return H5Aexists_by_name(scratch->file, path, name, H5P_DEFAULT) > 0;
}

size_t h5_scratch_chunk(const struct h5_scratch *scratch, const char *path, uint64_t row,
                        uint32_t *mask, void *bytes, size_t capacity)
{
    hid_t dataset = open_dataset(scratch, path);
    hsize_t offset[2] = { row, 0 };
    hsize_t size = 0;

    if (H5Dget_chunk_storage_size(dataset, offset, &size) < 0) {
        size = 0;
    }
    assert_true(size <= capacity);
    if (size > 0) {
        assert_true(H5Dread_chunk(dataset, H5P_DEFAULT, offset, mask, bytes) >= 0);
    }
    h5_close(&dataset);
    return size;
}

void h5_scratch_check_sums(const struct h5_scratch *scratch, const char *path,
                           uint32_t chunk_rows, uint64_t n_chunks)
{
    char list[128] = "/integrity/";
    uint8_t *bytes = malloc(MAX_CHUNK);
    size_t used = strlen(list);

    assert_non_null(bytes);
    for (const char *from = path + 1; *from != '\0'; from++) {
        list[used++] = (char)(*from == '/' ? '.' : *from);
    }
    list[used] = '\0';
    assert_int_equal(h5_scratch_rows(scratch, list), n_chunks);
    for (uint64_t i = 0; i < n_chunks; i++) {
        uint32_t mask = 0;
        size_t size = h5_scratch_chunk(scratch, path, i * chunk_rows, &mask, bytes, MAX_CHUNK);
        uint64_t wanted = size == 0 ? 0 : h5_chunk_sum(mask, bytes, size);

        assert_int_equal(h5_scratch_u64(scratch, list, i), wanted);
    }
    free(bytes);
}
