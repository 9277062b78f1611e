/* SPDX-License-Identifier: MIT */
/* Every stream of the monitors into its group; what does not fit is counted, never written. */
#include "common/h5_monitor.h"

#include "tests/support/h5_scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint64_t UTC_NS = UINT64_C(1800000000123456789);

static struct h5_monitor *create(const struct h5_scratch *scratch)
{
    struct err err = { 0 };
    struct h5_monitor *monitor = h5_monitor_create(scratch->file, scratch->packer, &err);

    if (monitor == NULL) {
        fail_msg("%s", err.text);
    }
    return monitor;
}

static void finish(struct h5_monitor *monitor, uint64_t n_ignored)
{
    struct err err = { 0 };

    assert_int_equal(h5_monitor_ignored(monitor), n_ignored);
    if (h5_monitor_finish(monitor, &err) < 0) {
        fail_msg("%s", err.text);
    }
    h5_monitor_destroy(&monitor);
    assert_null(monitor);
}

static void add(struct h5_monitor *monitor, struct rlog_record_header header,
                const void *payload, size_t size)
{
    struct rlog_record record = { .header = header, .payload = payload };
    struct err err = { 0 };

    record.header.payload_size = (uint32_t)size;
    if (h5_monitor_add(monitor, &record, &err) < 0) {
        fail_msg("%s", err.text);
    }
}

static void add_text(struct h5_monitor *monitor, unsigned stream, uint32_t level,
                     const void *bytes, size_t size)
{
    add(monitor,
        (struct rlog_record_header){
            .type = RLOG_TEXT, .stream = (uint8_t)stream, .count = level, .first = UTC_NS },
        bytes, size);
}

static void add_row(struct h5_monitor *monitor, unsigned stream, const int64_t *values,
                    uint32_t count)
{
    add(monitor,
        (struct rlog_record_header){
            .type = RLOG_ROW, .stream = (uint8_t)stream, .count = count, .first = UTC_NS },
        values, count * sizeof(*values));
}

static void expect_text(const struct h5_scratch *scratch, const char *path, uint64_t row,
                        const char *wanted)
{
    char *found = h5_scratch_text(scratch, path, row);

    assert_string_equal(found, wanted);
    free(found);
}

static void test_groups_are_there_datasets_are_not(void **state)
{
    static const char *const GROUPS[] = { "/pru_util", "/uart", "/kernel",  "/sheep",
                                          "/sys_util", "/ptp",  "/phc2sys", "/ntp",
                                          "/system",   "/iio" };
    struct h5_scratch *scratch = *state;

    finish(create(scratch), 0);
    for (size_t i = 0; i < ARRAY_LEN(GROUPS); i++) {
        H5G_info_t info;

        assert_true(H5Gget_info_by_name(scratch->file, GROUPS[i], &info, H5P_DEFAULT) >= 0);
        assert_int_equal(info.nlinks, 0);
    }
}

static void test_lines_keep_time_level_and_text(void **state)
{
    struct h5_scratch *scratch = *state;
    struct h5_monitor *monitor = create(scratch);

    add_text(monitor, RLOG_STREAM_SHEEP, 30, "ready", 5);
    add_text(monitor, RLOG_STREAM_SHEEP, 40, "failed", 6);
    add_text(monitor, RLOG_STREAM_SHEEP, 300, "loud", 4);
    add_text(monitor, RLOG_STREAM_KERNEL, 0, "usb 1-1", 7);
    add_text(monitor, RLOG_STREAM_NTP, 0, "", 0);
    finish(monitor, 0);
    assert_int_equal(h5_scratch_u64(scratch, "/sheep/time", 1), UTC_NS);
    assert_int_equal(h5_scratch_u64(scratch, "/sheep/level", 0), 30);
    assert_int_equal(h5_scratch_u64(scratch, "/sheep/level", 1), 40);
    assert_int_equal(h5_scratch_u64(scratch, "/sheep/level", 2), 255);
    expect_text(scratch, "/sheep/message", 0, "ready");
    expect_text(scratch, "/sheep/message", 1, "failed");
    expect_text(scratch, "/kernel/message", 0, "usb 1-1");
    expect_text(scratch, "/ntp/message", 0, "");
    assert_int_equal(h5_scratch_rows(scratch, "/ntp/time"), 1);
    assert_false(h5_has(scratch->file, "/kernel/level"));
}

/* RFC 3629, section 4: what is no sequence becomes '?', byte by byte; all others stay. */
static void test_what_is_no_utf8_becomes_a_question_mark(void **state)
{
    static const struct {
        const char *bytes;
        const char *text;
    } CASES[] = {
        {"plain",                   "plain"                 },
        { "\xC3\xA4\xE2\x82\xAC",   "\xC3\xA4\xE2\x82\xAC"  },
        { "\xF0\x9F\x90\x91 sheep", "\xF0\x9F\x90\x91 sheep"},
        { "a\x80z",                 "a?z"                   },
        { "\xC0\xAF",               "??"                    },
        { "\xC1\xBF",               "??"                    },
        { "\xE0\x9F\xBF",           "???"                   },
        { "\xE0\xA0\x80",           "\xE0\xA0\x80"          },
        { "\xED\x9F\xBF",           "\xED\x9F\xBF"          },
        { "\xED\xA0\x80",           "???"                   },
        { "\xF0\x8F\xBF\xBF",       "????"                  },
        { "\xF0\x90\x80\x80",       "\xF0\x90\x80\x80"      },
        { "\xF4\x8F\xBF\xBF",       "\xF4\x8F\xBF\xBF"      },
        { "\xF4\x90\x80\x80",       "????"                  },
        { "\xF5\x80\x80\x80",       "????"                  },
        { "cut \xE2\x82",           "cut ??"                },
        { "\xC3(",                  "?("                    },
        { "\xFF\xFE",               "??"                    },
    };
    struct h5_scratch *scratch = *state;
    struct h5_monitor *monitor = create(scratch);

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        add_text(monitor, RLOG_STREAM_KERNEL, 0, CASES[i].bytes, strlen(CASES[i].bytes));
    }
    /* what would complete it lies behind the end */
    add_text(monitor, RLOG_STREAM_KERNEL, 0, "\xE2\x82\xAC", 2);
    finish(monitor, 0);
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        expect_text(scratch, "/kernel/message", i, CASES[i].text);
    }
    expect_text(scratch, "/kernel/message", ARRAY_LEN(CASES), "??");
}

static void test_no_byte_of_the_uart_is_lost(void **state)
{
    static const uint8_t READS[2][5] = {
        {0,    'a', 0,   0xFF, '\n'},
        { 'b', 0,   'c', 0,    0   }
    };
    struct h5_scratch *scratch = *state;
    struct h5_monitor *monitor = create(scratch);
    uint8_t found[10];
    uint32_t sizes[3];

    add_text(monitor, RLOG_STREAM_UART, 0, READS[0], 5);
    add_text(monitor, RLOG_STREAM_UART, 0, READS[1], 5);
    add_text(monitor, RLOG_STREAM_UART, 0, "", 0);
    finish(monitor, 0);
    h5_scratch_read(scratch, "/uart/bytes", H5T_NATIVE_UINT8, found, sizeof(found), 0);
    assert_memory_equal(found, READS, sizeof(READS));
    h5_scratch_read(scratch, "/uart/size", H5T_NATIVE_UINT32, sizes, 3, 0);
    assert_int_equal(sizes[0], 5);
    assert_int_equal(sizes[2], 0);
    expect_text(scratch, "/uart/message", 0, "a\xFF\n");
    expect_text(scratch, "/uart/message", 1, "bc");
    assert_int_equal(h5_scratch_u64(scratch, "/uart/time", 1), UTC_NS);
}

static void test_clock_rows(void **state)
{
    static const int64_t VALUES[] = { INT64_MIN, -5, INT64_MAX };
    struct h5_scratch *scratch = *state;
    struct h5_monitor *monitor = create(scratch);
    int64_t found[1][3];

    add_row(monitor, RLOG_STREAM_PTP, VALUES, 3);
    add_row(monitor, RLOG_STREAM_PHC2SYS, VALUES, 3);
    finish(monitor, 0);
    h5_scratch_read(scratch, "/ptp/values", H5T_NATIVE_INT64, found, 1, 3);
    assert_memory_equal(found, VALUES, sizeof(found));
    h5_scratch_read(scratch, "/phc2sys/values", H5T_NATIVE_INT64, found, 1, 3);
    assert_memory_equal(found, VALUES, sizeof(found));
    assert_int_equal(h5_scratch_u64(scratch, "/ptp/time", 0), UTC_NS);
}

static void test_system_rows_saturate(void **state)
{
    static const int64_t VALUES[2][9] = {
        {7,    300, -1, 11, 12, 13, 14, 15, 16},
        { 256, 0,   99, 21, 22, 23, 24, 25, 26},
    };
    struct h5_scratch *scratch = *state;
    struct h5_monitor *monitor = create(scratch);
    uint8_t cpu[2];
    uint8_t ram[2][2];
    int64_t io[2][4];
    int64_t net[2][2];

    add_row(monitor, RLOG_STREAM_SYS_UTIL, VALUES[0], 9);
    add_row(monitor, RLOG_STREAM_SYS_UTIL, VALUES[1], 9);
    finish(monitor, 0);
    h5_scratch_read(scratch, "/sys_util/cpu", H5T_NATIVE_UINT8, cpu, 2, 0);
    h5_scratch_read(scratch, "/sys_util/ram", H5T_NATIVE_UINT8, ram, 2, 2);
    h5_scratch_read(scratch, "/sys_util/io", H5T_NATIVE_INT64, io, 2, 4);
    h5_scratch_read(scratch, "/sys_util/net", H5T_NATIVE_INT64, net, 2, 2);
    assert_int_equal(cpu[0], 7);
    assert_int_equal(cpu[1], 255);
    assert_int_equal(ram[0][0], 255);
    assert_int_equal(ram[0][1], 0);
    assert_int_equal(ram[1][1], 99);
    assert_int_equal(io[1][0], 21);
    assert_int_equal(io[1][3], 24);
    assert_int_equal(net[0][0], 15);
    assert_int_equal(net[0][1], 16);
}

static void test_utilisation_saturates(void **state)
{
    static const struct rlog_util ROWS[] = {
        {.utc_ns = 5,  .pru0_mean_ns = 100,   .pru0_max_ns = 65535, .pru1_max_ns = 1     },
        { .utc_ns = 6, .pru0_mean_ns = 65536, .pru0_max_ns = 0,     .pru1_max_ns = 999999},
    };
    struct h5_scratch *scratch = *state;
    struct h5_monitor *monitor = create(scratch);
    uint16_t values[2][3];

    add(monitor,
        (struct rlog_record_header){
            .type = RLOG_UTIL, .stream = RLOG_STREAM_PRU_UTIL, .count = 2 },
        ROWS, sizeof(ROWS));
    finish(monitor, 0);
    h5_scratch_read(scratch, "/pru_util/values", H5T_NATIVE_UINT16, values, 2, 3);
    assert_int_equal(values[0][0], 100);
    assert_int_equal(values[0][1], 65535);
    assert_int_equal(values[0][2], 1);
    assert_int_equal(values[1][0], 65535);
    assert_int_equal(values[1][2], 65535);
    assert_int_equal(h5_scratch_u64(scratch, "/pru_util/time", 1), 6);
}

/* A log is hostile: kinds and widths that their streams do not have. */
static void test_what_does_not_fit_is_counted(void **state)
{
    static const struct {
        uint8_t type;
        uint8_t stream;
        uint32_t count;
        size_t size;
    } CASES[] = {
        {RLOG_ROW,   RLOG_STREAM_PTP,      2,          16   },
        { RLOG_ROW,  RLOG_STREAM_PTP,      3,          16   },
        { RLOG_ROW,  RLOG_STREAM_PTP,      9,          72   },
        { RLOG_ROW,  RLOG_STREAM_SYS_UTIL, 3,          24   },
        { RLOG_ROW,  RLOG_STREAM_SYS_UTIL, 9,          80   },
        { RLOG_ROW,  RLOG_STREAM_KERNEL,   3,          24   },
        { RLOG_ROW,  RLOG_STREAM_PRU_UTIL, 3,          24   },
        { RLOG_UTIL, RLOG_STREAM_PTP,      1,          24   },
        { RLOG_UTIL, RLOG_STREAM_PRU_UTIL, 2,          24   },
        { RLOG_UTIL, RLOG_STREAM_PRU_UTIL, 0x0AAAAAAB, 8    },
        { RLOG_UTIL, RLOG_STREAM_PRU_UTIL, 4097,       98328},
        { RLOG_TEXT, RLOG_STREAM_PTP,      0,          5    },
        { RLOG_TEXT, RLOG_STREAM_VOLTAGE,  0,          5    },
        { RLOG_TEXT, RLOG_N_STREAMS,       0,          5    },
        { RLOG_TEXT, 255,                  0,          5    },
    };
    struct h5_scratch *scratch = *state;
    struct h5_monitor *monitor = create(scratch);
    uint8_t *zeros = calloc(1, 100000);

    assert_non_null(zeros);
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        add(monitor,
            (struct rlog_record_header){
                .type = CASES[i].type, .stream = CASES[i].stream, .count = CASES[i].count },
            zeros, CASES[i].size);
        assert_int_equal(h5_monitor_ignored(monitor), i + 1);
    }
    finish(monitor, ARRAY_LEN(CASES));
    free(zeros);
    /* nothing to hold, no dataset */
    assert_false(h5_has(scratch->file, "/ptp/time"));
    assert_false(h5_has(scratch->file, "/sys_util/time"));
    assert_false(h5_has(scratch->file, "/pru_util/time"));
}

static void test_named_channels_grow_under_their_names(void **state)
{
    static const int64_t BOTH[] = { 3, 21500, 63, -7 };
    static const int64_t ONE[] = { 3, 21600 };
    static const int64_t AFTER[] = { 0, 21700 };
    struct h5_scratch *scratch = *state;
    struct h5_monitor *monitor = create(scratch);
    int64_t values[3];

    add_text(monitor, RLOG_STREAM_SYSTEM, 3, "0.001 -1 degC temperature.cpu", 29);
    add_text(monitor, RLOG_STREAM_SYSTEM, 63, "1 0 n errors", 12);
    add_row(monitor, RLOG_STREAM_SYSTEM, BOTH, 4);
    add_row(monitor, RLOG_STREAM_SYSTEM, ONE, 2);
    /* the other stream has names of its own; this one never got a value */
    add_text(monitor, RLOG_STREAM_IIO, 3, "1 0 V in", 8);
    /* an agent that started again counts anew */
    add_text(monitor, RLOG_STREAM_SYSTEM, 0, "0.001 -1 degC temperature.cpu", 29);
    add_row(monitor, RLOG_STREAM_SYSTEM, AFTER, 2);
    finish(monitor, 0);
    h5_scratch_read(scratch, "/system/temperature.cpu/value", H5T_NATIVE_INT64, values, 3, 0);
    assert_int_equal(values[0], 21500);
    assert_int_equal(values[1], 21600);
    assert_int_equal(values[2], 21700);
    assert_int_equal(h5_scratch_u64(scratch, "/system/temperature.cpu/time", 2), UTC_NS);
    h5_scratch_expect_number(scratch, "/system/temperature.cpu/value", "gain", 0.001);
    h5_scratch_expect_number(scratch, "/system/temperature.cpu/value", "offset", -1);
    h5_scratch_expect_text(scratch, "/system/temperature.cpu/value", "unit", "degC");
    h5_scratch_read(scratch, "/system/errors/value", H5T_NATIVE_INT64, values, 1, 0);
    assert_int_equal(values[0], -7);
    assert_false(h5_has(scratch->file, "/iio/in"));
}

static void test_channels_without_a_meaning_are_counted(void **state)
{
    static const int64_t VALUES[] = { 3, 1, 64, 1, -1, 1, 5, 1 };
    struct h5_scratch *scratch = *state;
    struct h5_monitor *monitor = create(scratch);

    add_text(monitor, RLOG_STREAM_IIO, 64, "1 0 V x", 7);
    add_text(monitor, RLOG_STREAM_IIO, 3, "1 0 V ../x", 10);
    add_text(monitor, RLOG_STREAM_IIO, 3, "", 0);
    add_row(monitor, RLOG_STREAM_IIO, VALUES, 2); /* 3 has no name */
    add_text(monitor, RLOG_STREAM_IIO, 3, "1 0 V x", 7);
    assert_int_equal(h5_monitor_ignored(monitor), 4);
    add_text(monitor, RLOG_STREAM_IIO, 4, "2 0 V x", 7);
    add_text(monitor, RLOG_STREAM_IIO, 4, "1 0 A x", 7);
    add_row(monitor, RLOG_STREAM_IIO, VALUES, 3);
    add_row(monitor, RLOG_STREAM_IIO, VALUES, 8); /* the first has, the others have not */
    add(monitor,
        (struct rlog_record_header){ .type = RLOG_ROW, .stream = RLOG_STREAM_IIO, .count = 2 },
        VALUES, 8);
    add(monitor,
        (struct rlog_record_header){ .type = RLOG_UTIL, .stream = RLOG_STREAM_IIO, .count = 2 },
        VALUES, 16);
    finish(monitor, 10);
    assert_int_equal(h5_scratch_rows(scratch, "/iio/x/value"), 1);
}

/* Names come from a driver; a log of a thousand of them must not cost a thousand datasets. */
static void test_names_are_not_endless(void **state)
{
    struct h5_scratch *scratch = *state;
    struct h5_monitor *monitor = create(scratch);

    for (int i = 0; i < 100; i++) {
        char text[32];

        add_text(monitor, RLOG_STREAM_IIO, 1, text,
                 (size_t)snprintf(text, sizeof(text), "1 0 V name%d", i));
    }
    finish(monitor, 36);
}

static void test_a_group_that_is_taken_is_named(void **state)
{
    struct h5_scratch *scratch = *state;
    struct err err = { 0 };

    h5_scratch_group(scratch, "/ptp");
    assert_null(h5_monitor_create(scratch->file, scratch->packer, &err));
    assert_int_equal(strncmp(err.text, "group /ptp: ", 12), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_H5_SCRATCH(test_groups_are_there_datasets_are_not),
        WITH_H5_SCRATCH(test_lines_keep_time_level_and_text),
        WITH_H5_SCRATCH(test_what_is_no_utf8_becomes_a_question_mark),
        WITH_H5_SCRATCH(test_no_byte_of_the_uart_is_lost),
        WITH_H5_SCRATCH(test_clock_rows),
        WITH_H5_SCRATCH(test_system_rows_saturate),
        WITH_H5_SCRATCH(test_utilisation_saturates),
        WITH_H5_SCRATCH(test_what_does_not_fit_is_counted),
        WITH_H5_SCRATCH(test_named_channels_grow_under_their_names),
        WITH_H5_SCRATCH(test_channels_without_a_meaning_are_counted),
        WITH_H5_SCRATCH(test_names_are_not_endless),
        WITH_H5_SCRATCH(test_a_group_that_is_taken_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
