/* SPDX-License-Identifier: MIT */
/* Chunks that this project packs by itself: libhdf5 unpacks them, the list sums them. */
#include "common/h5_chunked.h"

#include "common/crc32c.h"
#include "tests/support/h5_scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    CHUNK = 100,
    WORD_BITS = 32
};

static const char *const PATH = "/data/a";

static struct h5_chunked *create_at(const struct h5_scratch *scratch, const char *path,
                                    hid_t type, size_t type_bytes, unsigned n_columns)
{
    struct h5_chunked_spec spec = {
        .path = path,
        .type = type,
        .type_bytes = type_bytes,
        .n_columns = n_columns,
        .chunk_rows = CHUNK,
        .meaning = {2.0, -1.0, "V", "of a test"}
    };
    struct err err = { 0 };
    struct h5_chunked *chunked = h5_chunked_create(scratch->packer, &spec, &err);

    if (chunked == NULL) {
        fail_msg("%s", err.text);
    }
    return chunked;
}

static struct h5_chunked *create(const struct h5_scratch *scratch)
{
    return create_at(scratch, PATH, H5T_STD_U32LE, 4, 0);
}

static void finish(struct h5_chunked *chunked)
{
    struct err err = { 0 };

    if (h5_chunked_finish(chunked, &err) < 0) {
        fail_msg("%s", err.text);
    }
    h5_chunked_destroy(&chunked);
    assert_null(chunked);
}

/* Rows that no compressor makes smaller. */
static void fill_noise(void *bytes, size_t size)
{
    uint8_t *at = bytes;
    uint32_t value = 1;

    for (size_t i = 0; i < size; i++) {
        value = value * 1664525 + 1013904223;
        at[i] = (uint8_t)(value >> 24);
    }
}

static void fill_ramp(uint32_t *rows, size_t count, uint32_t first)
{
    for (size_t i = 0; i < count; i++) {
        rows[i] = first + (uint32_t)i;
    }
}

static void test_rows_in_any_portions_come_back(void **state)
{
    static const size_t PORTIONS[] = { 1, 7, 99, 100, 101, 250 };
    struct h5_scratch *scratch = *state;
    uint32_t rows[1030];
    uint32_t found[1030];
    struct err err = { 0 };

    fill_ramp(rows, ARRAY_LEN(rows), 1000000);
    for (size_t i = 0; i < ARRAY_LEN(PORTIONS); i++) {
        struct h5_chunked *chunked = create(scratch);

        for (size_t at = 0; at < ARRAY_LEN(rows); at += PORTIONS[i]) {
            size_t left = ARRAY_LEN(rows) - at;
            size_t part = left < PORTIONS[i] ? left : PORTIONS[i];

            assert_int_equal(h5_chunked_append(chunked, rows + at, part, &err), 0);
        }
        assert_int_equal(h5_chunked_rows(chunked), 1000);
        finish(chunked);
        memset(found, 0, sizeof(found));
        h5_scratch_read(scratch, PATH, H5T_NATIVE_UINT32, found, ARRAY_LEN(rows), 0);
        assert_memory_equal(found, rows, sizeof(rows));
        h5_scratch_check_sums(scratch, PATH, CHUNK, 11);
        H5Ldelete(scratch->file, PATH, H5P_DEFAULT);
        H5Ldelete(scratch->file, "/integrity/data.a", H5P_DEFAULT);
    }
}

static void test_columns_stay_together(void **state)
{
    struct h5_scratch *scratch = *state;
    struct h5_chunked *chunked = create_at(scratch, PATH, H5T_STD_U16LE, 2, 3);
    uint16_t rows[150][3];
    uint16_t found[150][3];
    struct err err = { 0 };

    for (unsigned i = 0; i < 150; i++) {
        for (unsigned k = 0; k < 3; k++) {
            rows[i][k] = (uint16_t)(i * 257 + k);
        }
    }
    assert_int_equal(h5_chunked_append(chunked, rows, 150, &err), 0);
    finish(chunked);
    h5_scratch_read(scratch, PATH, H5T_NATIVE_UINT16, found, 150, 3);
    assert_memory_equal(found, rows, sizeof(rows));
    h5_scratch_check_sums(scratch, PATH, CHUNK, 2);
}

static uint32_t mask_of(const struct h5_scratch *scratch, const char *path, size_t *size)
{
    static uint8_t stored[4 * CHUNK];
    uint32_t mask = 99;

    *size = h5_scratch_chunk(scratch, path, 0, &mask, stored, sizeof(stored));
    return mask;
}

/* One chunk, through write; gives how it was stored. */
static uint32_t store_one(const struct h5_scratch *scratch, const char *path, hid_t type,
                          size_t type_bytes, const void *rows, size_t *size)
{
    struct h5_chunked *chunked = create_at(scratch, path, type, type_bytes, 0);
    struct err err = { 0 };

    assert_int_equal(h5_chunked_extend(chunked, CHUNK, &err), 0);
    assert_int_equal(h5_chunked_write(chunked, 0, rows, &err), 0);
    finish(chunked);
    return mask_of(scratch, path, size);
}

static void test_what_does_not_shrink_is_stored_as_it_is(void **state)
{
    struct h5_scratch *scratch = *state;
    uint8_t noise[4 * CHUNK];
    uint8_t zeros[4 * CHUNK] = { 0 };
    size_t size = 0;

    fill_noise(noise, sizeof(noise));
    /* both filters left out; with one filter, that one */
    assert_int_equal(store_one(scratch, "/data/n4", H5T_STD_U32LE, 4, noise, &size), 3);
    assert_int_equal(size, 400);
    assert_int_equal(store_one(scratch, "/data/n1", H5T_STD_U8LE, 1, noise, &size), 1);
    assert_int_equal(size, 100);
    assert_int_equal(store_one(scratch, "/data/z4", H5T_STD_U32LE, 4, zeros, &size), 0);
    assert_in_range(size, 1, 40);
    h5_scratch_plain(scratch);
    assert_int_equal(store_one(scratch, "/data/p4", H5T_STD_U32LE, 4, zeros, &size), 0);
    assert_int_equal(size, 400);
}

static void test_noise_comes_back(void **state)
{
    struct h5_scratch *scratch = *state;
    uint32_t noise[CHUNK];
    uint32_t found[CHUNK];
    size_t size = 0;

    fill_noise(noise, sizeof(noise));
    store_one(scratch, PATH, H5T_STD_U32LE, 4, noise, &size);
    h5_scratch_read(scratch, PATH, H5T_NATIVE_UINT32, found, CHUNK, 0);
    assert_memory_equal(found, noise, sizeof(noise));
}

static void test_a_chunk_left_out_is_zero_and_sums_to_zero(void **state)
{
    struct h5_scratch *scratch = *state;
    struct h5_chunked *chunked = create(scratch);
    uint32_t rows[CHUNK];
    uint32_t found[10 * CHUNK];
    struct err err = { 0 };

    fill_ramp(rows, CHUNK, 5);
    assert_int_equal(h5_chunked_extend(chunked, ARRAY_LEN(found), &err), 0);
    assert_int_equal(h5_chunked_write(chunked, 2, rows, &err), 0);
    assert_int_equal(h5_chunked_write_as_is(chunked, 7, rows, sizeof(rows), false, &err), 0);
    finish(chunked);
    h5_scratch_check_sums(scratch, PATH, CHUNK, 10);
    assert_int_equal(h5_scratch_u64(scratch, "/integrity/data.a", 6), 0);
    assert_int_not_equal(h5_scratch_u64(scratch, "/integrity/data.a", 7), 0);
    h5_scratch_read(scratch, PATH, H5T_NATIVE_UINT32, found, ARRAY_LEN(found), 0);
    for (size_t i = 0; i < ARRAY_LEN(found); i++) {
        bool is_there = i / CHUNK == 2 || i / CHUNK == 7;

        assert_int_equal(found[i], is_there ? rows[i % CHUNK] : 0);
    }
}

static void test_a_packed_chunk_is_stored_byte_by_byte(void **state)
{
    struct h5_scratch *scratch = *state;
    uint32_t rows[CHUNK];
    uint32_t found[CHUNK];
    uint8_t packed[4 * CHUNK];
    uint8_t again[4 * CHUNK];
    uint32_t mask = 0;
    size_t size = 0;
    struct h5_chunked *chunked = NULL;
    struct err err = { 0 };

    fill_ramp(rows, CHUNK, 77);
    store_one(scratch, "/data/b", H5T_STD_U32LE, 4, rows, &size);
    size = h5_scratch_chunk(scratch, "/data/b", 0, &mask, packed, sizeof(packed));
    chunked = create(scratch);
    assert_true(h5_chunked_is_deflated(chunked));
    assert_int_equal(h5_chunked_extend(chunked, CHUNK, &err), 0);
    assert_int_equal(h5_chunked_write_as_is(chunked, 0, packed, size, true, &err), 0);
    finish(chunked);
    assert_int_equal(h5_scratch_chunk(scratch, PATH, 0, &mask, again, sizeof(again)), size);
    assert_int_equal(mask, 0);
    assert_memory_equal(again, packed, size);
    h5_scratch_read(scratch, PATH, H5T_NATIVE_UINT32, found, CHUNK, 0);
    assert_memory_equal(found, rows, sizeof(rows));
}

static void test_chunks_only_rise(void **state)
{
    struct h5_scratch *scratch = *state;
    struct h5_chunked *chunked = create(scratch);
    uint32_t rows[CHUNK] = { 0 };
    struct err err = { 0 };

    assert_int_equal(h5_chunked_extend(chunked, 500, &err), 0);
    assert_int_equal(h5_chunked_write(chunked, 3, rows, &err), 0);
    for (uint64_t number = 2; number <= 3; number++) {
        assert_int_equal(h5_chunked_write(chunked, number, rows, &err), -1);
        assert_int_equal(err.code, ERR_CORRUPT);
        assert_non_null(strstr(err.text, "comes twice"));
        assert_int_equal(strncmp(err.text, "/data/a: chunk ", 15), 0);
    }
    assert_int_equal(h5_chunked_write(chunked, 4, rows, &err), 0);
    h5_chunked_destroy(&chunked);
}

static void test_the_extent_never_shrinks(void **state)
{
    struct h5_scratch *scratch = *state;
    struct h5_chunked *chunked = create(scratch);
    struct err err = { 0 };

    assert_int_equal(h5_chunked_extend(chunked, 250, &err), 0);
    assert_int_equal(h5_chunked_extend(chunked, 100, &err), 0);
    assert_int_equal(h5_chunked_rows(chunked), 250);
    finish(chunked);
    assert_int_equal(h5_scratch_rows(scratch, PATH), 250);
    assert_int_equal(h5_scratch_rows(scratch, "/integrity/data.a"), 3);
}

static void test_meaning_stands_beside_it(void **state)
{
    struct h5_scratch *scratch = *state;
    struct h5_chunked *chunked = create(scratch);

    assert_int_equal(H5Iget_type(h5_chunked_dataset(chunked)), H5I_DATASET);
    h5_chunked_destroy(&chunked);
    h5_chunked_destroy(&chunked);
    h5_scratch_expect_number(scratch, PATH, "gain", 2.0);
    h5_scratch_expect_number(scratch, PATH, "offset", -1.0);
    h5_scratch_expect_text(scratch, PATH, "unit", "V");
    h5_scratch_expect_text(scratch, PATH, "description", "of a test");
}

static void test_what_cannot_be_created_is_named(void **state)
{
    struct h5_scratch *scratch = *state;
    struct h5_chunked_spec spec = {
        .path = "/nowhere/a",
        .type = H5T_STD_U32LE,
        .type_bytes = 4,
        .chunk_rows = CHUNK,
        .meaning = {1, 0, "n", "x"}
    };
    struct err err = { 0 };

    assert_null(h5_chunked_create(scratch->packer, &spec, &err));
    assert_int_equal(strncmp(err.text, "/nowhere/a: ", 12), 0);
    spec.path = PATH;
    H5Ldelete(scratch->file, "/integrity", H5P_DEFAULT);
    assert_null(h5_chunked_create(scratch->packer, &spec, &err));
    assert_int_equal(strncmp(err.text, "/integrity/data.a: ", 19), 0);
    /* zlib knows levels up to 9 */
    assert_null(h5_packer_create(scratch->file, 10, &err));
    assert_string_equal(err.text, "compressor of level 10");
}

/* The list is written in portions of 512. */
static void test_a_list_of_many_sums(void **state)
{
    static const uint64_t NUMBERS[] = { 0, 1, 511, 512, 1100, 1535, 1536 };
    struct h5_scratch *scratch = *state;
    struct err err = { 0 };
    struct h5_sums *sums = h5_sums_create(scratch->file, "/data/a", &err);
    uint32_t found[2000];
    size_t at = 0;

    assert_non_null(sums);
    for (size_t i = 0; i < ARRAY_LEN(NUMBERS); i++) {
        assert_int_equal(h5_sums_put(sums, NUMBERS[i], (uint32_t)i + 1, &err), 0);
    }
    assert_int_equal(h5_sums_finish(sums, ARRAY_LEN(found), &err), 0);
    h5_sums_destroy(&sums);
    h5_sums_destroy(&sums);
    h5_scratch_read(scratch, "/integrity/data.a", H5T_NATIVE_UINT32, found, ARRAY_LEN(found),
                    0);
    for (uint64_t i = 0; i < ARRAY_LEN(found); i++) {
        if (at < ARRAY_LEN(NUMBERS) && NUMBERS[at] == i) {
            assert_int_equal(found[i], ++at);
        } else {
            assert_int_equal(found[i], 0);
        }
    }
}

static void test_paths_of_lists(void **state)
{
    static const char *const CASES[][2] = {
        {"/data/voltage",           "/integrity/data.voltage"           },
        { "/overview/voltage/64",   "/integrity/overview.voltage.64"    },
        { "/a",                     "/integrity/a"                      },
        { "/system/cpu.agent/time", "/integrity/system.cpu%2Eagent.time"},
    };
    char path[64];
    char back[64];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        h5_sum_path(CASES[i][0], path, sizeof(path));
        assert_string_equal(path, CASES[i][1]);
        h5_path_of_sum(path + strlen("/integrity/"), back, sizeof(back));
        assert_string_equal(back, CASES[i][0]);
    }
    for (size_t size = 1; size <= 24; size++) {
        memset(path, '#', sizeof(path));
        h5_sum_path("/data/voltage", path, size);
        assert_int_equal(strlen(path), size - 1);
        assert_memory_equal(path, "/integrity/data.voltage", size - 1);
        assert_int_equal(path[size], '#');
    }
}

static void test_a_sum_covers_mask_and_bytes(void **state)
{
    static const uint8_t HEADED[] = { 3, 2, 1, 4, 'a', 'b', 'c' };

    (void)state;
    assert_int_equal(h5_chunk_sum(0x04010203, "abc", 3), crc32c(0, HEADED, sizeof(HEADED)));
    assert_int_not_equal(h5_chunk_sum(0, "abc", 3), h5_chunk_sum(3, "abc", 3));
    assert_int_not_equal(h5_chunk_sum(0, "abc", 3), h5_chunk_sum(0, "abc", 2));
}

static uint32_t sum_of_word(uint32_t word)
{
    uint8_t bytes[8] = { 0 };

    for (unsigned i = 0; i < 4; i++) {
        bytes[4 + i] = (uint8_t)(word >> 8 * i);
    }
    return crc32c(0, bytes, sizeof(bytes));
}

/* The CRC of four bytes is linear in them, so Gauss finds those whose CRC is 0. */
static uint32_t find_word_of_crc_0(void)
{
    uint32_t constant = sum_of_word(0);
    uint32_t columns[WORD_BITS];
    uint32_t words[WORD_BITS];
    uint32_t wanted = constant;
    uint32_t word = 0;

    for (unsigned i = 0; i < WORD_BITS; i++) {
        words[i] = UINT32_C(1) << i;
        columns[i] = sum_of_word(words[i]) ^ constant;
    }
    for (unsigned bit = 0; bit < WORD_BITS; bit++) {
        unsigned pivot = bit;

        while (!(columns[pivot] >> bit & 1)) {
            pivot++;
            assert_true(pivot < WORD_BITS);
        }
        uint32_t column = columns[pivot];
        uint32_t source = words[pivot];

        columns[pivot] = columns[bit];
        words[pivot] = words[bit];
        columns[bit] = column;
        words[bit] = source;
        for (unsigned i = bit + 1; i < WORD_BITS; i++) {
            if (columns[i] >> bit & 1) {
                columns[i] ^= column;
                words[i] ^= source;
            }
        }
        if (wanted >> bit & 1) {
            wanted ^= column;
            word ^= source;
        }
    }
    return word;
}

/* 0 in the list means that there is no chunk. */
static void test_a_sum_is_never_0(void **state)
{
    uint32_t word = find_word_of_crc_0();
    uint8_t bytes[4] = { (uint8_t)word, (uint8_t)(word >> 8), (uint8_t)(word >> 16),
                         (uint8_t)(word >> 24) };

    (void)state;
    assert_int_equal(sum_of_word(word), 0);
    assert_int_equal(h5_chunk_sum(0, bytes, sizeof(bytes)), UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_H5_SCRATCH(test_rows_in_any_portions_come_back),
        WITH_H5_SCRATCH(test_columns_stay_together),
        WITH_H5_SCRATCH(test_what_does_not_shrink_is_stored_as_it_is),
        WITH_H5_SCRATCH(test_noise_comes_back),
        WITH_H5_SCRATCH(test_a_chunk_left_out_is_zero_and_sums_to_zero),
        WITH_H5_SCRATCH(test_a_packed_chunk_is_stored_byte_by_byte),
        WITH_H5_SCRATCH(test_chunks_only_rise),
        WITH_H5_SCRATCH(test_the_extent_never_shrinks),
        WITH_H5_SCRATCH(test_meaning_stands_beside_it),
        WITH_H5_SCRATCH(test_what_cannot_be_created_is_named),
        WITH_H5_SCRATCH(test_a_list_of_many_sums),
        cmocka_unit_test(test_paths_of_lists),
        cmocka_unit_test(test_a_sum_covers_mask_and_bytes),
        cmocka_unit_test(test_a_sum_is_never_0),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
