/* SPDX-License-Identifier: MIT */
/* Columns of every kind that grow together. */
#include "common/h5_table.h"

#include "tests/support/h5_scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum {
    N_ROWS = 25,
    CHUNK = 10
};

static const struct h5_column_spec COLUMNS[] = {
    H5_TIME_COLUMN("of the row"),
    {"u8",   H5_CELL_U8,  0, { 1.0, 0.0, "n", "a byte" }  },
    { "u16", H5_CELL_U16, 2, { 2.0, 1.0, "V", "two" }     },
    { "u32", H5_CELL_U32, 0, { 1.0, 0.0, "n", "a word" }  },
    { "i64", H5_CELL_I64, 0, { 1.0, 0.0, "n", "a signed" }},
};

/* Row i of each column; at the ends of its range first. */
struct cells {
    uint64_t time[N_ROWS];
    uint8_t u8[N_ROWS];
    uint16_t u16[N_ROWS][2];
    uint32_t u32[N_ROWS];
    int64_t i64[N_ROWS];
};

static void fill(struct cells *cells)
{
    memset(cells, 0, sizeof(*cells));
    for (unsigned i = 0; i < N_ROWS; i++) {
        cells->time[i] = UINT64_MAX - i;
        cells->u8[i] = (uint8_t)(UINT8_MAX - i);
        cells->u16[i][0] = (uint16_t)(UINT16_MAX - i);
        cells->u16[i][1] = (uint16_t)i;
        cells->u32[i] = UINT32_MAX - i;
        cells->i64[i] = INT64_MIN + (int64_t)i;
    }
}

static struct h5_table *create(const struct h5_scratch *scratch)
{
    struct err err = { 0 };
    struct h5_table *table =
        h5_table_create(scratch->packer, "/data", CHUNK, COLUMNS, ARRAY_LEN(COLUMNS), &err);

    if (table == NULL) {
        fail_msg("%s", err.text);
    }
    return table;
}

static void append(struct h5_table *table, const struct cells *cells, size_t at, size_t count)
{
    const void *list[] = { cells->time + at, cells->u8 + at, cells->u16 + at, cells->u32 + at,
                           cells->i64 + at };
    struct err err = { 0 };

    assert_int_equal(h5_table_append(table, list, count, &err), 0);
}

static void test_every_kind_of_cell_comes_back(void **state)
{
    struct h5_scratch *scratch = *state;
    struct h5_table *table = create(scratch);
    struct cells cells;
    struct cells found;
    struct err err = { 0 };

    fill(&cells);
    memset(&found, 0, sizeof(found));
    append(table, &cells, 0, 3);
    append(table, &cells, 3, 0);
    append(table, &cells, 3, N_ROWS - 3);
    assert_int_equal(h5_table_finish(table, &err), 0);
    h5_table_destroy(&table);
    h5_table_destroy(&table);
    h5_scratch_read(scratch, "/data/time", H5T_NATIVE_UINT64, found.time, N_ROWS, 0);
    h5_scratch_read(scratch, "/data/u8", H5T_NATIVE_UINT8, found.u8, N_ROWS, 0);
    h5_scratch_read(scratch, "/data/u16", H5T_NATIVE_UINT16, found.u16, N_ROWS, 2);
    h5_scratch_read(scratch, "/data/u32", H5T_NATIVE_UINT32, found.u32, N_ROWS, 0);
    h5_scratch_read(scratch, "/data/i64", H5T_NATIVE_INT64, found.i64, N_ROWS, 0);
    assert_memory_equal(&found, &cells, sizeof(cells));
    h5_scratch_check_sums(scratch, "/data/time", CHUNK, 3);
    h5_scratch_check_sums(scratch, "/data/u8", CHUNK, 3);
    h5_scratch_check_sums(scratch, "/data/u16", CHUNK, 3);
}

/* A type of the file, whatever machine wrote it. */
static void test_types_are_little_endian(void **state)
{
    struct h5_scratch *scratch = *state;
    const hid_t types[] = { H5T_STD_U64LE, H5T_STD_U8LE, H5T_STD_U16LE, H5T_STD_U32LE,
                            H5T_STD_I64LE };
    struct h5_table *table = create(scratch);

    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        hid_t type = H5Dget_type(h5_table_dataset(table, i));

        assert_true(H5Tequal(type, types[i]) > 0);
        h5_close(&type);
    }
    h5_table_destroy(&table);
}

static void test_an_empty_table_has_its_columns(void **state)
{
    struct h5_scratch *scratch = *state;
    struct h5_table *table = create(scratch);
    struct err err = { 0 };

    assert_int_equal(h5_table_finish(table, &err), 0);
    h5_table_destroy(&table);
    assert_int_equal(h5_scratch_rows(scratch, "/data/i64"), 0);
    h5_scratch_expect_text(scratch, "/data/time", "description", "of the row");
    h5_scratch_expect_number(scratch, "/data/time", "gain", 1e-9);
    h5_scratch_expect_number(scratch, "/data/u16", "offset", 1);
    h5_scratch_expect_text(scratch, "/data/u16", "unit", "V");
}

static void test_a_table_that_cannot_be_is_refused(void **state)
{
    struct h5_scratch *scratch = *state;
    struct h5_column_spec twice[] = { COLUMNS[1], COLUMNS[1] };
    struct h5_column_spec many[H5_TABLE_COLUMNS + 1] = { COLUMNS[0] };
    struct err err = { 0 };

    assert_null(h5_table_create(scratch->packer, "/data", CHUNK, twice, 2, &err));
    assert_int_equal(strncmp(err.text, "/data/u8: ", 10), 0);
    assert_null(h5_table_create(scratch->packer, "/none", CHUNK, COLUMNS, 1, &err));
    assert_int_equal(strncmp(err.text, "/none/time: ", 12), 0);
    assert_null(h5_table_create(scratch->packer, "/data", CHUNK, many, ARRAY_LEN(many), &err));
    assert_false(h5_has(scratch->file, "/data/time"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_H5_SCRATCH(test_every_kind_of_cell_comes_back),
        WITH_H5_SCRATCH(test_types_are_little_endian),
        WITH_H5_SCRATCH(test_an_empty_table_has_its_columns),
        WITH_H5_SCRATCH(test_a_table_that_cannot_be_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
