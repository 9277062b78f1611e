/* SPDX-License-Identifier: MIT */
/* Tables of /proc, a process, numbers of /sys. */
#include "sheep/proc_parse.h"

#include "common/attrs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Kernels let iowait and, of virtual machines, steal go back now and then. */
static void test_a_counter_that_goes_back_is_no_nonsense(void **state)
{
    struct cpu_ticks ticks = { 0 };
    int64_t values[N_SYSTEM_COLUMNS] = { 0 };

    (void)state;
    proc_parse_cpu(&ticks, "cpu  100 0 100 800 50 0 0 50 0 0\n", values);
    proc_parse_cpu(&ticks, "cpu  110 0 100 900 50 0 0 30 0 0\n", values);
    assert_int_equal(values[SYSTEM_CPU_PERCENT], 0);
    proc_parse_cpu(&ticks, "cpu  210 0 100 900 10 0 0 30 0 0\n", values);
    assert_int_equal(values[SYSTEM_CPU_PERCENT], 100);
}

static void test_proc_tables_are_parsed(void **state)
{
    struct cpu_ticks ticks = { 0 };
    int64_t values[N_SYSTEM_COLUMNS] = { 0 };

    (void)state;
    proc_parse_cpu(&ticks, "cpu  100 0 100 800 0 0 0 0 0 0\n", values);
    assert_int_equal(values[SYSTEM_CPU_PERCENT], 0);
    proc_parse_cpu(&ticks, "cpu  130 0 120 850 0 0 0 0 0 0\n", values);
    assert_int_equal(values[SYSTEM_CPU_PERCENT], 50);
    proc_parse_memory("MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:  250 kB\n", values);
    assert_int_equal(values[SYSTEM_RAM_AVAILABLE_PERCENT], 25);
    assert_int_equal(values[SYSTEM_RAM_USED_PERCENT], 75);
    proc_parse_disks("   8  0 sda 10 1 20 3 40 5 60 7 0 8 9\n"
                     "   8  1 sda1 10 1 20 3 40 5 60 7 0 8 9\n"
                     " 179  0 mmcblk0 1 0 2 0 3 0 4 0 0 0 0\n",
                     values);
    assert_int_equal(values[SYSTEM_DISK_READS], 11);
    assert_int_equal(values[SYSTEM_DISK_WRITTEN_BYTES], 64 * 512);
    proc_parse_network("Inter-| Receive\n face |bytes\n    lo: 9 0 0 0 0 0 0 0 9 0\n"
                       "  eth0: 123 1 0 0 0 0 0 0 456 1 0 0 0 0 0 0\n",
                       values);
    assert_int_equal(values[SYSTEM_NET_RECEIVED_BYTES], 123);
    assert_int_equal(values[SYSTEM_NET_SENT_BYTES], 456);
}

static void test_a_process_is_parsed_whatever_its_command(void **state)
{
    static const char REST[] =
        " S 1 1 1 0 -1 4194560 1 0 0 0 30 12 0 0 20 -5 3 0 777 1000000 250 18446744073709551615\n";
    static const char *const COMMANDS[][2] = {
        {"12 (sheep)",              "sheep"          },
        { "12 (a) b) S 1 (c)",      "a) b) S 1 (c"   },
        { "12 ()",                  ""               },
        { "12 (sixteen letters!!)", "sixteen letters"},
    };
    static const char *const BAD[] = { "",         "12",
                                       "12 (x",    "12 x)",
                                       ")(",       "12 (x)",
                                       "12 (x) S", "12 (x) S 1 1 1 0 -1 4194560 1 0 0 0 30" };
    struct proc_stat stat;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(COMMANDS); i++) {
        char text[256];

        snprintf(text, sizeof(text), "%s%s", COMMANDS[i][0], REST);
        assert_true(proc_parse_stat(&stat, text));
        assert_string_equal(stat.command, COMMANDS[i][1]);
        assert_int_equal(stat.cpu_ticks, 42);
        assert_int_equal(stat.start_ticks, 777);
        assert_int_equal(stat.rss_pages, 250);
    }
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        assert_false(proc_parse_stat(&stat, BAD[i]));
    }
}

static void test_numbers_of_a_file(void **state)
{
    static const struct {
        const char *text;
        enum number_form form;
        int64_t value; /* -99: none */
    } CASES[] = {
        {"42\n",                     NUMBER_INTEGER,  42     },
        { "-42",                     NUMBER_INTEGER,  -42    },
        { "0x1F\n",                  NUMBER_INTEGER,  31     },
        { "010\n",                   NUMBER_INTEGER,  10     },
        { "",                        NUMBER_INTEGER,  -99    },
        { "\n",                      NUMBER_INTEGER,  -99    },
        { "4 2",                     NUMBER_INTEGER,  -99    },
        { "4.2",                     NUMBER_INTEGER,  -99    },
        { "4.2\n",                   NUMBER_MICRO,    4200000},
        { "-0.0000015",              NUMBER_MICRO,    -2     },
        { "1e30",                    NUMBER_MICRO,    -99    },
        { "nan",                     NUMBER_MICRO,    -99    },
        { "warm",                    NUMBER_MICRO,    -99    },
        { "# a 9:\t 2\n# b:\t 40\n", NUMBER_LINE_SUM, 42     },
        { "# a:\t 2\nno number\n7",  NUMBER_LINE_SUM, 9      },
        { "none\n",                  NUMBER_LINE_SUM, -99    },
        { "",                        NUMBER_LINE_SUM, -99    },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        int64_t value = 0;
        bool is_number = proc_parse_number(CASES[i].text, CASES[i].form, &value);

        if (is_number != (CASES[i].value != -99) || (is_number && value != CASES[i].value)) {
            fail_msg("'%s': %d, %lld", CASES[i].text, is_number, (long long)value);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_counter_that_goes_back_is_no_nonsense),
        cmocka_unit_test(test_proc_tables_are_parsed),
        cmocka_unit_test(test_a_process_is_parsed_whatever_its_command),
        cmocka_unit_test(test_numbers_of_a_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
