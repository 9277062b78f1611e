/* SPDX-License-Identifier: MIT */
#include "herd/report.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *printed(const struct table *table)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);

    assert_non_null(stream);
    table_print(table, stream);
    fclose(stream);
    return text;
}

static void test_columns_grow_with_their_cells(void **state)
{
    static const char *const HEADERS[] = { "node", "free", "state" };
    struct table *table = table_create(HEADERS, 3);
    char *text = NULL;

    (void)state;
    table_align_right(table, 1);
    table_align_right(table, 9);
    table_cell(table, "sheep[0-3]");
    table_cell(table, "%d", 5);
    table_cell(table, "idle");
    table_cell(table, "k\xc3\xbchn");
    table_cell(table, "12345");
    table_cell(table, "running");
    text = printed(table);
    assert_string_equal(text, "node         free  state\n"
                              "sheep[0-3]      5  idle\n"
                              "k\xc3\xbchn        12345  running\n");
    free(text);
    table_destroy(&table);
    assert_null(table);
    table_destroy(&table);
    table_print(NULL, stdout);
    table_cell(NULL, "x");
    table_align_right(NULL, 0);
}

static void test_a_table_of_many_rows_keeps_all(void **state)
{
    static const char *const HEADERS[] = { "n" };
    struct table *table = table_create(HEADERS, 1);
    char *text = NULL;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        table_cell(table, "%d", i);
    }
    text = printed(table);
    assert_non_null(strstr(text, "\n999\n"));
    free(text);
    table_destroy(&table);
}

static void test_json_nests_and_escapes(void **state)
{
    struct buf out = { 0 };
    struct json json = { .out = &out };

    (void)state;
    json_open(&json, NULL, '{');
    json_text(&json, "text", "a\"b\\c\nd\x01\x7f\xff\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x91\xe2(");
    json_text(&json, "none", NULL);
    json_open(&json, "list", '[');
    json_i64(&json, NULL, INT64_MIN);
    json_u64(&json, NULL, UINT64_MAX);
    json_close(&json, ']');
    json_f64(&json, "half", 0.5);
    json_f64(&json, "nan", (double)NAN);
    json_f64(&json, "inf", -(double)INFINITY);
    json_bool(&json, "yes", true);
    json_bool(&json, "no", false);
    json_null(&json, "null");
    json_open(&json, "empty", '{');
    json_close(&json, '}');
    json_close(&json, '}');
    assert_string_equal(out.data,
                        "{\"text\": \"a\\\"b\\\\c\\nd\\u0001\\u007f\\ufffd\xc3\xa9\xe2\x82\xac"
                        "\xf0\x9f\x90\x91\\ufffd(\", \"none\": null, \"list\": "
                        "[-9223372036854775808, 18446744073709551615], \"half\": 0.5, \"nan\": "
                        "null, \"inf\": null, \"yes\": true, \"no\": false, \"null\": null, "
                        "\"empty\": {}}");
    buf_fini(&out);
}

static void test_a_line_starts_anew(void **state)
{
    struct buf out = { 0 };
    struct json json = { .out = &out };
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);

    (void)state;
    for (int i = 0; i < 2; i++) {
        json_open(&json, NULL, '{');
        json_i64(&json, "i", i);
        json_close(&json, '}');
        json_line(&json, stream);
    }
    fclose(stream);
    assert_string_equal(text, "{\"i\": 0}\n{\"i\": 1}\n");
    assert_int_equal(out.size, 0);
    free(text);
    buf_fini(&out);
}

static void test_depth_is_bounded(void **state)
{
    struct buf out = { 0 };
    struct json json = { .out = &out };

    (void)state;
    for (int i = 0; i < 100; i++) {
        json_open(&json, NULL, '[');
    }
    for (int i = 0; i < 101; i++) {
        json_close(&json, ']');
    }
    assert_false(out.failed);
    buf_fini(&out);
}

static void test_quantities_for_people(void **state)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } BYTES[] = {
        {0,           "0 B"   },
        { 999,        "999 B" },
        { 1000,       "1.0 kB"},
        { 12345,      "12 kB" },
        { 999600,     "1.0 MB"},
        { 9940000,    "9.9 MB"},
        { 9960000,    "10 MB" },
        { UINT64_MAX, "18 EB" },
    };
    static const struct {
        int64_t ns;
        const char *text;
        const char *span;
    } TIMES[] = {
        {0,                     "0 ns",    "0.0 s"     },
        { -999,                 "-999 ns", "-0.0 s"    },
        { 1500,                 "1.5 us",  "0.0 s"     },
        { -100000,              "-100 us", "-0.0 s"    },
        { 59900000000,          "59.9 s",  "59.9 s"    },
        { 61 * 1000000000LL,    "61.0 s",  "1 min 01 s"},
        { 3661 * 1000000000LL,  "3661 s",  "1 h 01 min"},
        { 90000 * 1000000000LL, "90000 s", "1 d 01 h"  },
    };
    char text[HUMAN_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(BYTES); i++) {
        assert_string_equal(human_bytes(BYTES[i].bytes, text), BYTES[i].text);
    }
    for (size_t i = 0; i < ARRAY_LEN(TIMES); i++) {
        assert_string_equal(human_ns(TIMES[i].ns, text), TIMES[i].text);
        assert_string_equal(human_span(TIMES[i].ns, text), TIMES[i].span);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns_grow_with_their_cells),
        cmocka_unit_test(test_a_table_of_many_rows_keeps_all),
        cmocka_unit_test(test_json_nests_and_escapes),
        cmocka_unit_test(test_a_line_starts_anew),
        cmocka_unit_test(test_depth_is_bounded),
        cmocka_unit_test(test_quantities_for_people),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
