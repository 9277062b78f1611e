/* SPDX-License-Identifier: MIT */
/* Texts of any bytes come back in order, and one sum covers them all. */
#include "common/h5_text.h"

#include "common/crc32c.h"
#include "tests/support/h5_scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const PATH = "/data/message";

static struct h5_text *create(const struct h5_scratch *scratch)
{
    struct err err = { 0 };
    struct h5_text *text = h5_text_create(scratch->file, PATH, true, "a line", &err);

    if (text == NULL) {
        fail_msg("%s", err.text);
    }
    return text;
}

static void append(struct h5_text *text, const void *bytes, size_t size)
{
    struct err err = { 0 };

    assert_int_equal(h5_text_append(text, bytes, size, &err), 0);
}

static void finish(struct h5_text *text)
{
    struct err err = { 0 };

    if (h5_text_finish(text, &err) < 0) {
        fail_msg("%s", err.text);
    }
    h5_text_destroy(&text);
    assert_null(text);
}

static void expect_row(const struct h5_scratch *scratch, uint64_t row, const char *wanted)
{
    char *found = h5_scratch_text(scratch, PATH, row);

    assert_string_equal(found, wanted);
    free(found);
}

/* As h5_layout.md has it: of each text its length (u32, little-endian) and its bytes. */
static uint32_t sum_row(uint32_t crc, const char *row)
{
    size_t size = strlen(row);
    uint8_t head[4] = { (uint8_t)size, (uint8_t)(size >> 8), 0, 0 };

    return crc32c(crc32c(crc, head, sizeof(head)), row, size);
}

/* 64 are held back at a time; 0, 1, 63 .. 65 and many. */
static void test_rows_keep_their_order(void **state)
{
    static const unsigned COUNTS[] = { 0, 1, 63, 64, 65, 200 };
    struct h5_scratch *scratch = *state;

    for (size_t i = 0; i < ARRAY_LEN(COUNTS); i++) {
        struct h5_text *text = create(scratch);
        struct err err = { 0 };
        uint32_t crc = 0;
        uint32_t sum = 0;
        char row[32];

        for (unsigned n = 0; n < COUNTS[i]; n++) {
            snprintf(row, sizeof(row), "row %u of %u", n, COUNTS[i]);
            crc = sum_row(crc, row);
            append(text, row, strlen(row));
        }
        finish(text);
        assert_int_equal(h5_scratch_rows(scratch, PATH), COUNTS[i]);
        for (unsigned n = 0; n < COUNTS[i]; n++) {
            snprintf(row, sizeof(row), "row %u of %u", n, COUNTS[i]);
            expect_row(scratch, n, row);
        }
        assert_int_equal(h5_scratch_rows(scratch, "/integrity/data.message"), 1);
        assert_int_equal(h5_scratch_u64(scratch, "/integrity/data.message", 0), crc);
        assert_int_equal(h5_text_sum(scratch->file, PATH, &sum, &err), 0);
        assert_int_equal(sum, crc);
        H5Ldelete(scratch->file, PATH, H5P_DEFAULT);
        H5Ldelete(scratch->file, "/integrity/data.message", H5P_DEFAULT);
    }
}

static void test_zero_bytes_are_left_out(void **state)
{
    struct h5_scratch *scratch = *state;
    struct h5_text *text = create(scratch);
    struct err err = { 0 };
    uint32_t sum = 0;

    append(text, "\0a\0\0b\xFF\0", 7);
    append(text, "", 0);
    append(text, "\0\0", 2);
    finish(text);
    expect_row(scratch, 0, "ab\xFF");
    expect_row(scratch, 1, "");
    expect_row(scratch, 2, "");
    assert_int_equal(h5_text_sum(scratch->file, PATH, &sum, &err), 0);
    assert_int_equal(sum, sum_row(sum_row(sum_row(0, "ab\xFF"), ""), ""));
}

static void test_a_long_text_is_whole(void **state)
{
    struct h5_scratch *scratch = *state;
    struct h5_text *text = create(scratch);
    size_t size = 3000000;
    char *row = malloc(size + 1);

    assert_non_null(row);
    for (size_t i = 0; i < size; i++) {
        row[i] = (char)('a' + i % 26);
    }
    row[size] = '\0';
    append(text, row, size);
    finish(text);
    expect_row(scratch, 0, row);
    free(row);
}

static void test_encoding_is_told(void **state)
{
    struct h5_scratch *scratch = *state;
    struct err err = { 0 };

    for (int is_utf8 = 0; is_utf8 < 2; is_utf8++) {
        const char *path = is_utf8 ? "/data/u" : "/data/b";
        struct h5_text *text = h5_text_create(scratch->file, path, is_utf8, "of it", &err);
        hid_t dataset = H5Dopen2(scratch->file, path, H5P_DEFAULT);
        hid_t type = H5Dget_type(dataset);

        assert_non_null(text);
        assert_int_equal(H5Tget_cset(type), is_utf8 ? H5T_CSET_UTF8 : H5T_CSET_ASCII);
        h5_scratch_expect_text(scratch, path, "description", "of it");
        h5_scratch_expect_text(scratch, path, "unit", "n");
        h5_close(&type);
        h5_close(&dataset);
        h5_text_destroy(&text);
    }
}

/* Rows that moved a byte between them, or swapped, are not the same rows. */
static void test_sum_sees_where_a_row_ends(void **state)
{
    static const char *const ROWS[][2] = {
        {"ab",  "c" },
        { "a",  "bc"},
        { "c",  "ab"},
        { "ab", "d" },
    };
    struct h5_scratch *scratch = *state;
    uint32_t sums[ARRAY_LEN(ROWS)];
    struct err err = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        struct h5_text *text = create(scratch);

        append(text, ROWS[i][0], strlen(ROWS[i][0]));
        append(text, ROWS[i][1], strlen(ROWS[i][1]));
        finish(text);
        assert_int_equal(h5_text_sum(scratch->file, PATH, &sums[i], &err), 0);
        for (size_t k = 0; k < i; k++) {
            assert_int_not_equal(sums[i], sums[k]);
        }
        H5Ldelete(scratch->file, PATH, H5P_DEFAULT);
        H5Ldelete(scratch->file, "/integrity/data.message", H5P_DEFAULT);
    }
}

static void test_what_is_no_text_has_no_sum(void **state)
{
    struct h5_scratch *scratch = *state;
    hsize_t count = 3;
    hid_t space = H5Screate_simple(1, &count, NULL);
    hid_t dataset = H5Dcreate2(scratch->file, "/data/n", H5T_STD_U8LE, space, H5P_DEFAULT,
                               H5P_DEFAULT, H5P_DEFAULT);
    struct err err = { 0 };
    uint32_t sum = 1;

    h5_close(&dataset);
    h5_close(&space);
    assert_int_equal(h5_text_sum(scratch->file, "/data/n", &sum, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_int_equal(strncmp(err.text, "/data/n", 7), 0);
    assert_int_equal(h5_text_sum(scratch->file, "/data/none", &sum, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_int_equal(strncmp(err.text, "/data/none: ", 12), 0);
}

static void test_a_path_that_is_taken_is_refused(void **state)
{
    struct h5_scratch *scratch = *state;
    struct h5_text *text = create(scratch);
    struct err err = { 0 };

    assert_null(h5_text_create(scratch->file, PATH, true, "again", &err));
    assert_int_equal(strncmp(err.text, "/data/message: ", 15), 0);
    assert_null(h5_text_create(scratch->file, "/nowhere/message", true, "x", &err));
    assert_int_equal(strncmp(err.text, "/nowhere/message: ", 18), 0);
    /* rows that were never written are freed */
    append(text, "left", 4);
    h5_text_destroy(&text);
    h5_text_destroy(&text);
}

static void test_without_a_list_finish_says_so(void **state)
{
    struct h5_scratch *scratch = *state;
    struct h5_text *text = create(scratch);
    struct err err = { 0 };

    H5Ldelete(scratch->file, "/integrity", H5P_DEFAULT);
    append(text, "x", 1);
    assert_int_equal(h5_text_finish(text, &err), -1);
    assert_int_equal(strncmp(err.text, "/integrity/data.message: ", 25), 0);
    h5_text_destroy(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_H5_SCRATCH(test_rows_keep_their_order),
        WITH_H5_SCRATCH(test_zero_bytes_are_left_out),
        WITH_H5_SCRATCH(test_a_long_text_is_whole),
        WITH_H5_SCRATCH(test_encoding_is_told),
        WITH_H5_SCRATCH(test_sum_sees_where_a_row_ends),
        WITH_H5_SCRATCH(test_what_is_no_text_has_no_sum),
        WITH_H5_SCRATCH(test_a_path_that_is_taken_is_refused),
        WITH_H5_SCRATCH(test_without_a_list_finish_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
