/* SPDX-License-Identifier: MIT */
#include "common/attrs.h"
#include "pru/sim/table.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/bw_test_table_XXXXXX";

static void write_file(const char *text, size_t size)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static int load(struct table *table, const char *text, size_t min_columns, char *why,
                size_t why_size)
{
    write_file(text, strlen(text));
    return table_load(table, path, min_columns, why, why_size);
}

static void test_rows_are_read(void **state)
{
    struct table table;
    char why[200] = "";

    (void)state;
    assert_int_equal(
        load(&table, "t,a;b\n0,1,-2\r\n\n 1.5e0 ; 2 ;3\n\t\n9,0.5,7", 2, why, sizeof(why)), 0);
    assert_int_equal(table.n_rows, 3);
    assert_int_equal(table.n_columns, 3);
    assert_true(table.columns[0][1] == 1.5 && table.columns[2][0] == -2);
    assert_true(table.columns[2][2] == 7);
    table_free(&table);
    assert_null(table.columns[0]);
    table_free(&table);
}

static void test_faults_name_the_line(void **state)
{
    static const struct {
        const char *text;
        const char *fault;
    } cases[] = {
        {"t,a\n0,1\n1,x\n",            ":3: not a row of numbers"                 },
        { "t,a\n0,1\n1,\n",            ":3: not a row of numbers"                 },
        { "t,a\n0,1 2\n",              ":2: not a row of numbers"                 },
        { "t,a\n0,nan\n",              ":2: not a row of numbers"                 },
        { "t,a\n0,inf\n",              ":2: not a row of numbers"                 },
        { "t,a\n0,1e999\n",            ":2: not a row of numbers"                 },
        { "t,a\n\n\n0\n",              ":4: too few columns"                      },
        { "t,a\n0,1\n1,2,3\n",         ":3: another number of columns than before"},
        { "t,a,b\n0,1,2\n1,2\n",       ":3: another number of columns than before"},
        { "t,a\n0,1\n2,1\n2,1\n",      ":4: the first column does not rise"       },
        { "t,a\n0,1\n2,1\n1,1\n3,1\n", ":4: the first column does not rise"       },
        { "t,a\n",                     ":1: no rows"                              },
        { "",                          ":0: no rows"                              },
        { "t,a\n0,1,2,3,4\n",          ":2: too many columns"                     },
    };
    struct table table;
    char why[600] = "";
    char expected[600];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(load(&table, cases[i].text, 2, why, sizeof(why)), -1);
        snprintf(expected, sizeof(expected), "%s%s", path, cases[i].fault);
        assert_string_equal(why, expected);
        assert_null(table.columns[0]);
        assert_int_equal(table.n_rows, 0);
    }
}

static void test_binary_and_long_lines_are_refused(void **state)
{
    struct table table;
    char text[2000];
    char why[600] = "";

    (void)state;
    memset(text, '1', sizeof(text));
    write_file(text, sizeof(text));
    assert_int_equal(table_load(&table, path, 2, why, sizeof(why)), -1);
    assert_non_null(strstr(why, ":1: line too long"));
    memcpy(text, "t,a\n0,1\n1,", 10); // NOLINT(bugprone-not-null-terminated-result)
    write_file(text, sizeof(text));
    assert_int_equal(table_load(&table, path, 2, why, sizeof(why)), -1);
    assert_non_null(strstr(why, ":3: line too long"));
    write_file("t,a\n0,1\n1\0,2\n", 14);
    assert_int_equal(table_load(&table, path, 2, why, sizeof(why)), -1);
    assert_non_null(strstr(why, ":3: "));
}

static void test_missing_file_is_named(void **state)
{
    struct table table;
    char why[200] = "";

    (void)state;
    assert_int_equal(table_load(&table, "/no/such/file.csv", 2, why, sizeof(why)), -1);
    assert_string_equal(why, "/no/such/file.csv: No such file or directory");
}

static void test_long_reasons_are_cut(void **state)
{
    struct table table;
    char why[12];

    (void)state;
    assert_int_equal(table_load(&table, "/no/such/file.csv", 2, why, sizeof(why)), -1);
    assert_string_equal(why, "/no/such/fi");
}

static void test_interpolation(void **state)
{
    struct table table;
    char why[200] = "";
    size_t hint = 0;

    (void)state;
    assert_int_equal(load(&table, "t,a\n0,1\n1,3\n4,0\n", 2, why, sizeof(why)), 0);
    assert_true(table_at(&table, 1, -5, &hint) == 1);
    assert_true(table_at(&table, 1, 0, &hint) == 1);
    assert_true(table_at(&table, 1, 0.25, &hint) == 1.5);
    assert_true(table_at(&table, 1, 1, &hint) == 3);
    assert_true(table_at(&table, 1, 2, &hint) == 2);
    assert_true(table_at(&table, 1, 4, &hint) == 0);
    assert_true(table_at(&table, 1, 1e9, &hint) == 0);
    assert_true(table_at(&table, 1, 0.5, &hint) == 2); /* back, under a stale hint */
    hint = 12345;
    assert_true(table_at(&table, 1, 0.5, &hint) == 2);
    table_free(&table);
}

static void test_single_row_is_constant(void **state)
{
    struct table table;
    char why[200] = "";
    size_t hint = 0;

    (void)state;
    assert_int_equal(load(&table, "t,a\n3,42\n", 2, why, sizeof(why)), 0);
    assert_true(table_at(&table, 1, 0, &hint) == 42);
    assert_true(table_at(&table, 1, 3, &hint) == 42);
    assert_true(table_at(&table, 1, 9, &hint) == 42);
    table_free(&table);
}

static void test_many_rows(void **state)
{
    struct table table;
    char why[200] = "";
    FILE *file = fopen(path, "we");

    (void)state;
    assert_non_null(file);
    fprintf(file, "t,a\n");
    for (int i = 0; i < 5000; i++) {
        fprintf(file, "%d,%d\n", i, -i);
    }
    assert_int_equal(fclose(file), 0);
    assert_int_equal(table_load(&table, path, 2, why, sizeof(why)), 0);
    assert_int_equal(table.n_rows, 5000);
    for (size_t i = 0; i < 5000; i++) {
        assert_true(table.columns[1][i] == -(double)i);
    }
    table_free(&table);
}

static int make_file(void **state)
{
    int file = mkstemp(path);

    (void)state;
    return file < 0 ? -1 : close(file);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_read),
        cmocka_unit_test(test_faults_name_the_line),
        cmocka_unit_test(test_binary_and_long_lines_are_refused),
        cmocka_unit_test(test_missing_file_is_named),
        cmocka_unit_test(test_long_reasons_are_cut),
        cmocka_unit_test(test_interpolation),
        cmocka_unit_test(test_single_row_is_constant),
        cmocka_unit_test(test_many_rows),
    };

    return cmocka_run_group_tests(tests, make_file, remove_file);
}
