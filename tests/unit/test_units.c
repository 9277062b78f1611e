/* SPDX-License-Identifier: MIT */
#include "common/units.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_durations(void **state)
{
    static const struct {
        const char *text;
        const char *bare;
        int64_t ns;
    } cases[] = {
        {"30 s",                    "s",  30000000000     },
        { "1.5 ms",                 "s",  1500000         },
        { "2 h",                    "s",  7200000000000   },
        { "7",                      "us", 7000            },
        { "7",                      NULL, 7000000000      },
        { "0.1",                    "s",  100000000       },
        { "-3s",                    "s",  -3000000000     },
        { "1e3 ns",                 "s",  1000            },
        { "5 \xC2\xB5s",            "s",  5000            },
        { "2 min",                  "s",  120000000000    },
        { "1 d",                    "s",  86400000000000  },
        { "9223372036854775807 ns", "s",  INT64_MAX       },
        { "0.4 ns",                 "s",  0               },
        { "+2 ms",                  "s",  2000000         },
        { "9007199254740993 ns",    "s",  9007199254740993},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t ns = 0;

        assert_int_equal(duration_parse(cases[i].text, cases[i].bare, &ns), UNIT_OK);
        assert_true(ns == cases[i].ns);
    }
}

static void test_bad_durations(void **state)
{
    int64_t ns = 0;

    (void)state;
    assert_int_equal(duration_parse("soon", "s", &ns), UNIT_NOT_A_NUMBER);
    assert_int_equal(duration_parse("", "s", &ns), UNIT_NOT_A_NUMBER);
    assert_int_equal(duration_parse("1-2 s", "s", &ns), UNIT_NOT_A_NUMBER);
    assert_int_equal(duration_parse("1 V", "s", &ns), UNIT_UNKNOWN);
    assert_int_equal(duration_parse("1 s s", "s", &ns), UNIT_UNKNOWN);
    assert_int_equal(duration_parse("1e30 s", "s", &ns), UNIT_OUT_OF_RANGE);
    assert_int_equal(duration_parse("9223372036854775807 us", "s", &ns), UNIT_OUT_OF_RANGE);
    assert_int_equal(duration_unit_ns("parsec"), 0);
}

static void test_bytes(void **state)
{
    uint64_t bytes = 0;

    (void)state;
    assert_int_equal(bytes_parse("64 MiB", &bytes), UNIT_OK);
    assert_true(bytes == 64ULL << 20);
    assert_int_equal(bytes_parse("1.5 kB", &bytes), UNIT_OK);
    assert_true(bytes == 1500);
    assert_int_equal(bytes_parse("2 TB", &bytes), UNIT_OK);
    assert_int_equal(bytes, UINT64_C(2000000000000));
    assert_int_equal(bytes_parse("18446744073709551615", &bytes), UNIT_OK);
    assert_true(bytes == UINT64_MAX);
    assert_int_equal(bytes_parse("18446744073709551615 KiB", &bytes), UNIT_OUT_OF_RANGE);
    assert_int_equal(bytes_parse("-1", &bytes), UNIT_OUT_OF_RANGE);
    assert_int_equal(bytes_parse("5 s", &bytes), UNIT_UNKNOWN);
    assert_int_equal(bytes_parse("many", &bytes), UNIT_NOT_A_NUMBER);
}

static void test_quantities(void **state)
{
    double value = 0;

    (void)state;
    assert_int_equal(quantity_parse("2.4 V", "mV", &value), UNIT_OK);
    assert_true(value == 2400);
    assert_int_equal(quantity_parse("47 nF", "uF", &value), UNIT_OK);
    assert_true(value == 0.047);
    assert_int_equal(quantity_parse("1.5e1 kOhm", "mOhm", &value), UNIT_OK);
    assert_true(value == 15e6);
    assert_int_equal(quantity_parse("3 mV", "mV", &value), UNIT_OK);
    assert_int_equal(quantity_parse("0.7", NULL, &value), UNIT_OK);
    assert_true(value == 0.7);
    assert_int_equal(quantity_parse("3 A", "mV", &value), UNIT_UNKNOWN);
    assert_int_equal(quantity_parse("3 V", NULL, &value), UNIT_UNKNOWN);
    assert_int_equal(quantity_parse("3 V", "log2(nA)", &value), UNIT_UNKNOWN);
    assert_int_equal(quantity_parse("nan", "mV", &value), UNIT_NOT_A_NUMBER);
    assert_int_equal(quantity_parse("1e999", "mV", &value), UNIT_NOT_A_NUMBER);
    assert_int_equal(quantity_parse("1e9223372036854775807 V", "mV", &value),
                     UNIT_NOT_A_NUMBER);
    assert_int_equal(quantity_parse("1e-9223372036854775808 nF", "F", &value),
                     UNIT_NOT_A_NUMBER);
    assert_int_equal(quantity_parse("1e-00000000000000000003 V", "mV", &value), UNIT_OK);
    assert_true(value == 1);
}

static void test_formats_read_back(void **state)
{
    static const int64_t walls[] = { 0, 1, -1, 999, 1000, 60000000000, INT64_MAX, INT64_MIN };
    static const double numbers[] = { 0, -0.0, 0.1, 1e-300, 1.0 / 3, 12345678901234567.0 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(walls); i++) {
        struct buf out = { 0 };
        int64_t ns = 5;

        duration_format(walls[i], &out);
        assert_int_equal(duration_parse(out.data, "s", &ns), UNIT_OK);
        assert_true(ns == walls[i]);
        buf_fini(&out);
    }
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        struct buf out = { 0 };

        number_format(numbers[i], &out);
        assert_true(strtod(out.data, NULL) == numbers[i]);
        assert_true(signbit(strtod(out.data, NULL)) == signbit(numbers[i]));
        buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_bad_durations),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_quantities),
        cmocka_unit_test(test_formats_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
