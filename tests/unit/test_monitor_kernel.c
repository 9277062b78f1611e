/* SPDX-License-Identifier: MIT */
/* Rows of monitors as they leave: text that is cut, values, the kernel's log with its gaps and
 * its time, the machine's load. Parsers have tests of their own. */
#include "sheep/monitor.h"

#include "sheep/monitor_system.h"
#include "sheep/proc_parse.h"
#include "tests/support/temp_folder.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    MAX_ROWS = 128,
    LINE_BYTES = 8192 /* what one read of kmsg gives at most */
};

static const int64_t UTC_NS = INT64_C(1800000000) * 1000000000;
static const int64_t MONO_NS = INT64_C(50) * 1000000000;

struct fixture {
    char folder[TEMP_FOLDER_SIZE];
    struct monitor_out out;
    struct recorder_row rows[MAX_ROWS];
    size_t n_rows;
    struct err err;
};

static bool keep(void *arg, struct recorder_row *row)
{
    struct fixture *f = arg;

    assert_true(f->n_rows < MAX_ROWS);
    f->rows[f->n_rows++] = *row;
    return true;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    temp_folder_make(f->folder);
    f->out = (struct monitor_out){ clock_stepped(UTC_NS, MONO_NS), keep, f };
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    temp_folder_remove(f->folder);
    free(f);
    return 0;
}

static void expect_text(const struct fixture *f, size_t i, enum rlog_stream stream,
                        uint32_t level, int64_t utc_ns, const char *text)
{
    const struct recorder_row *row = &f->rows[i];

    assert_true(i < f->n_rows);
    assert_int_equal(row->type, RLOG_TEXT);
    assert_int_equal(row->stream, stream);
    assert_int_equal(row->count, level);
    assert_true(row->utc_ns == utc_ns);
    assert_int_equal(row->size, strlen(text));
    assert_memory_equal(row->payload, text, row->size);
}

static void test_a_long_text_is_cut_into_rows_of_one_stamp(void **state)
{
    struct fixture *f = *state;
    char text[2 * RECORDER_ROW_BYTES + 41];
    char piece[RECORDER_ROW_BYTES + 1];

    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        text[i] = (char)('a' + i % 26);
    }
    text[sizeof(text) - 1] = '\0';
    monitor_text(&f->out, RLOG_STREAM_UART, 7, 99, text, sizeof(text) - 1);
    assert_int_equal(f->n_rows, 3);
    snprintf(piece, sizeof(piece), "%.*s", RECORDER_ROW_BYTES, text);
    expect_text(f, 0, RLOG_STREAM_UART, 7, 99, piece);
    snprintf(piece, sizeof(piece), "%.*s", RECORDER_ROW_BYTES, text + RECORDER_ROW_BYTES);
    expect_text(f, 1, RLOG_STREAM_UART, 7, 99, piece);
    expect_text(f, 2, RLOG_STREAM_UART, 7, 99, text + (size_t)2 * RECORDER_ROW_BYTES);
    monitor_text(&f->out, RLOG_STREAM_UART, 7, 99, text, 0);
    assert_int_equal(f->n_rows, 3);
    monitor_text(&f->out, RLOG_STREAM_UART, 7, 99, text, RECORDER_ROW_BYTES);
    assert_int_equal(f->n_rows, 4);
}

static void test_values_are_a_row(void **state)
{
    static const int64_t VALUES[] = { INT64_MIN, 0, INT64_MAX };
    struct fixture *f = *state;

    monitor_values(&f->out, RLOG_STREAM_PTP, 77, VALUES, 3);
    assert_int_equal(f->n_rows, 1);
    assert_int_equal(f->rows[0].type, RLOG_ROW);
    assert_int_equal(f->rows[0].stream, RLOG_STREAM_PTP);
    assert_int_equal(f->rows[0].count, 3);
    assert_int_equal(f->rows[0].size, sizeof(VALUES));
    assert_int_equal(f->rows[0].utc_ns, 77);
    assert_memory_equal(f->rows[0].payload, VALUES, sizeof(VALUES));
}

static void append(const char *path, const char *text, size_t size)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, size), size);
    close(fd);
}

/* One record, padded to what a read takes, so that the next one is a read of its own. */
static void append_padded(const char *path, const char *head)
{
    char line[LINE_BYTES];
    size_t length = strlen(head);

    memset(line, '\n', sizeof(line));
    for (size_t i = 0; i < length; i++) {
        line[i] = head[i];
    }
    append(path, line, sizeof(line));
}

static void test_the_kernels_log_comes_from_now_on_in_utc(void **state)
{
    static const char NEXT[] = "28,14,60000000,-;newest\n KEY=1\n";
    struct fixture *f = *state;
    struct monitor_kernel *kernel = NULL;
    char path[TEMP_PATH_SIZE];

    temp_folder_write(f->folder, "kmsg", "6,1,1,-;before\n");
    temp_folder_path(f->folder, "kmsg", path);
    kernel = monitor_kernel_create(path, &f->out, &f->err);
    assert_non_null(kernel);
    assert_true(monitor_kernel_fd(kernel) >= 0);
    append_padded(path, "6,10,20000000,-;usb is here");
    append_padded(path, "3,11,19000000,-;of another core");
    append_padded(path, "not a line of the kernel");
    append(path, NEXT, sizeof(NEXT) - 1);
    monitor_kernel_ready(kernel);
    assert_int_equal(f->n_rows, 4);
    /* read at once, as the first one is taken to be; the second is a second older */
    expect_text(f, 0, RLOG_STREAM_KERNEL, 6, UTC_NS, "usb is here");
    expect_text(f, 1, RLOG_STREAM_KERNEL, 3, UTC_NS - NS_PER_S, "of another core");
    expect_text(f, 2, RLOG_STREAM_SHEEP, 30, UTC_NS, "kernel log: 2 lines are missing");
    expect_text(f, 3, RLOG_STREAM_KERNEL, 4, UTC_NS, "newest");
    /* kmsg has no end; what has one is gone. */
    assert_int_equal(monitor_kernel_fd(kernel), -1);
    monitor_kernel_destroy(&kernel);
    assert_null(kernel);
    monitor_kernel_destroy(&kernel);
}

static void test_a_kernel_log_that_is_not_there_is_named(void **state)
{
    struct fixture *f = *state;

    assert_null(monitor_kernel_create("/dev/no-kmsg", &f->out, &f->err));
    assert_int_equal(f->err.code, ERR_NOT_FOUND);
    assert_non_null(strstr(f->err.text, "/dev/no-kmsg"));
}

static void test_the_load_of_this_machine_is_a_row_with_every_column(void **state)
{
    struct fixture *f = *state;
    struct monitor_system_options options = { .root = "", .agent = getpid(), .out = &f->out };
    struct monitor_system *system = monitor_system_create(&options, &f->err);
    int64_t values[N_SYSTEM_COLUMNS];
    unsigned n_found = 0;

    assert_non_null(system);
    f->n_rows = 0; /* what it says of channels */
    monitor_system_sample(system);
    monitor_system_sample(system);
    monitor_system_destroy(&system);
    for (size_t i = 0; i < f->n_rows; i++) {
        if (f->rows[i].stream != RLOG_STREAM_SYS_UTIL) {
            continue;
        }
        n_found++;
        assert_int_equal(f->rows[i].type, RLOG_ROW);
        assert_int_equal(f->rows[i].count, N_SYSTEM_COLUMNS);
        assert_int_equal(f->rows[i].size, sizeof(values));
        assert_true(f->rows[i].utc_ns == UTC_NS);
        memcpy(values, f->rows[i].payload, sizeof(values));
        assert_in_range(values[SYSTEM_CPU_PERCENT], 0, 100);
        assert_in_range(values[SYSTEM_RAM_USED_PERCENT], 1, 100);
        /* Both are cut to whole percents. */
        assert_in_range(values[SYSTEM_RAM_USED_PERCENT] + values[SYSTEM_RAM_AVAILABLE_PERCENT],
                        99, 100);
    }
    assert_int_equal(n_found, 2);
}

static struct monitors *create(struct fixture *f, const struct log_config *log)
{
    struct monitors_options options = {
        .log = log, .clock = f->out.clock, .post = keep, .arg = f
    };

    return monitors_create(&options, &f->err);
}

static void test_what_the_node_says_is_a_row_when_that_is_wanted(void **state)
{
    struct fixture *f = *state;
    struct log_config log = { .sheep = true };
    struct monitors *monitors = create(f, &log);

    assert_non_null(monitors);
    monitors_say(monitors, 20, "on its way");
    monitors_destroy(&monitors);
    assert_int_equal(f->n_rows, 1);
    expect_text(f, 0, RLOG_STREAM_SHEEP, 20, UTC_NS, "on its way");
    log = (struct log_config){ .system_ns = 3600 * NS_PER_S };
    monitors = create(f, &log);
    assert_non_null(monitors);
    f->n_rows = 0;
    monitors_say(monitors, 20, "unheard");
    monitors_destroy(&monitors);
    monitors_say(NULL, 20, "unheard");
    for (size_t i = 0; i < f->n_rows; i++) {
        assert_int_not_equal(f->rows[i].stream, RLOG_STREAM_SHEEP);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_long_text_is_cut_into_rows_of_one_stamp),
        TEST(test_values_are_a_row),
        TEST(test_the_kernels_log_comes_from_now_on_in_utc),
        TEST(test_a_kernel_log_that_is_not_there_is_named),
        TEST(test_the_load_of_this_machine_is_a_row_with_every_column),
        TEST(test_what_the_node_says_is_a_row_when_that_is_wanted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
