/* SPDX-License-Identifier: MIT */
/* Files with a number in each: named once, read anew each time, and said once when they fail.
 */
#include "sheep/channel_files.h"

#include "tests/support/temp_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char folder[TEMP_FOLDER_SIZE];
    char path[TEMP_FOLDER_SIZE + 16];
    struct channel_files files;
    unsigned n_rows;
    unsigned n_warnings;
};

static bool keep(void *arg, struct recorder_row *row)
{
    struct fixture *f = arg;

    f->n_rows += row->stream == RLOG_STREAM_SYS_UTIL ? 1 : 0;
    f->n_warnings += row->stream == RLOG_STREAM_SHEEP ? 1 : 0;
    return true;
}

static void write_number(const struct fixture *f, const char *text)
{
    FILE *file = fopen(f->path, "we");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct monitor_out out = { clock_stepped(1, 1), keep, f };

    assert_non_null(f);
    temp_folder_make(f->folder);
    snprintf(f->path, sizeof(f->path), "%s/number", f->folder);
    write_number(f, "42\n");
    channel_files_init(&f->files, "test", RLOG_STREAM_SYS_UTIL, &out);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    channel_files_fini(&f->files);
    (void)unlink(f->path);
    (void)rmdir(f->folder);
    free(f);
    return 0;
}

static int add(struct fixture *f, const char *name, const char *path)
{
    struct channel channel = { .unit = "n", .gain = 1 };

    snprintf(channel.name, sizeof(channel.name), "%s", name);
    return channel_files_add(&f->files, &channel, path, NUMBER_INTEGER);
}

static void test_a_file_is_read_anew_each_time(void **state)
{
    struct fixture *f = *state;
    int64_t value = 0;

    assert_int_equal(add(f, "a", f->path), 0);
    assert_true(channel_files_read(&f->files, 0, &value));
    assert_int_equal(value, 42);
    write_number(f, "-7\n");
    assert_true(channel_files_read(&f->files, 0, &value));
    assert_int_equal(value, -7);
}

static void test_what_cannot_be_read_is_said_once(void **state)
{
    struct fixture *f = *state;
    int64_t value = 0;

    assert_int_equal(add(f, "a", f->path), 0);
    assert_int_equal(add(f, "b", NULL), 1);
    write_number(f, "no number\n");
    assert_false(channel_files_read(&f->files, 0, &value));
    assert_false(channel_files_read(&f->files, 0, &value));
    assert_false(channel_files_read(&f->files, 1, &value)); /* it never had a file */
    assert_int_equal(f->n_warnings, 1);
}

static void test_names_are_told_apart_and_found(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(add(f, "fan", NULL), 0);
    assert_int_equal(add(f, "fan", NULL), 1);
    assert_int_equal(channel_files_find(&f->files, "fan"), 0);
    assert_int_equal(channel_files_find(&f->files, "fan:2"), 1);
    assert_int_equal(channel_files_find(&f->files, "fan:3"), -1);
    assert_int_equal(add(f, "x", "/nowhere/number"), -1);
}

static void test_there_is_room_for_so_many(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < CHANNEL_MAX; i++) {
        assert_int_equal(add(f, "fan", NULL), i);
    }
    assert_int_equal(f->n_warnings, 1); /* with the last */
    assert_int_equal(add(f, "fan", NULL), -1);
}

static void test_an_instant_takes_as_few_rows_as_it_needs(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < CHANNEL_PAIRS + 1; i++) {
        channel_files_put(&f->files, 5, i, 1);
    }
    assert_int_equal(f->n_rows, 1);
    channel_files_flush(&f->files, 5);
    channel_files_flush(&f->files, 5);
    assert_int_equal(f->n_rows, 2);
}

static void test_a_text_ends_with_its_line(void **state)
{
    struct fixture *f = *state;
    char text[CHANNEL_FILE_BYTES];

    write_number(f, "cpu-thermal\nmore\n");
    assert_true(channel_file_text(f->path, text));
    assert_string_equal(text, "cpu-thermal");
    write_number(f, "");
    assert_false(channel_file_text(f->path, text));
    assert_false(channel_file_text("/nowhere/text", text));
}

#define WITH_FILES(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FILES(test_a_file_is_read_anew_each_time),
        WITH_FILES(test_what_cannot_be_read_is_said_once),
        WITH_FILES(test_names_are_told_apart_and_found),
        WITH_FILES(test_there_is_room_for_so_many),
        WITH_FILES(test_an_instant_takes_as_few_rows_as_it_needs),
        WITH_FILES(test_a_text_ends_with_its_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
