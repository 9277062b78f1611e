/* SPDX-License-Identifier: MIT */
/* A recording whose file systems run out of room, one by one. */
#include "sheep/space_watch.h"
#include "tests/support/recording_bench.h"
#include "tests/support/space_fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum {
    N_PLANNED = 200000
};

static const uint64_t MIB = UINT64_C(1) << 20;

/* File systems of their own on every Linux, apart from that of the recordings. */
static const char STATE[] = "/dev/shm";
static const char TEMP[] = "/dev/."; /* not the beginning of the other */

static int set_up(void **state)
{
    struct bench *bench = NULL;

    space_fault_set(NULL, 0, false);
    bench_set_up(state);
    bench = *state;
    bench->state_dir = STATE;
    bench->temp_dir = TEMP;
    bench->plan.is_paced = true;
    bench->request.manifest.n_planned = N_PLANNED;
    return 0;
}

static int tear_down(void **state)
{
    space_fault_set(NULL, 0, false);
    return bench_tear_down(state);
}

/* All remarks of the log, a line each. */
static void read_remarks(const struct bench *bench, char *text, size_t size)
{
    struct rlog_record record;
    struct err err = { 0 };
    struct rlog_reader *reader = rlog_reader_open(bench->request.log_folder, &err);
    size_t used = 0;

    assert_non_null(reader);
    text[0] = '\0';
    while (rlog_reader_next(reader, &record, &err) == RLOG_NEXT_RECORD) {
        if (record.header.type == RLOG_REMARK && used < size) {
            used +=
                (size_t)snprintf(text + used, size - used, "%.*s\n",
                                 (int)record.header.payload_size, (const char *)record.payload);
        }
    }
    rlog_reader_close(&reader);
}

/* Runs, with so much room in the folder from the start on. */
static void run_short(struct bench *bench, const char *folder, uint64_t free_bytes,
                      bool is_read_only, char *remarks, size_t size)
{
    bench_prepare(bench);
    space_fault_set(folder, free_bytes, is_read_only);
    bench_start(bench);
    bench_run(bench);
    assert_string_equal(bench->page.fault, "");
    bench_verify_log(bench, bench->page.end.n_samples);
    read_remarks(bench, remarks, size);
}

static void expect_whole_run(const struct bench *bench, const char *remarks, const char *said)
{
    assert_int_equal(bench->page.end.n_samples, N_PLANNED);
    assert_int_equal(bench->page.end.reason, RLOG_END_COMPLETE);
    assert_string_equal(remarks, said);
}

static void expect_early_end(const struct bench *bench, const char *remarks, const char *said)
{
    assert_true(bench->page.end.n_samples < N_PLANNED);
    assert_int_equal(bench->page.end.reason, RLOG_END_NO_SPACE);
    assert_string_equal(remarks, said);
}

static void test_enough_room_is_no_remark(void **state)
{
    char remarks[2000];

    run_short(*state, NULL, 0, false, remarks, sizeof(remarks));
    expect_whole_run(*state, remarks, "");
}

static void test_disk_that_runs_short_is_told_and_the_run_goes_on(void **state)
{
    struct bench *bench = *state;
    char remarks[2000];

    run_short(bench, bench->folder, 20 * MIB, false, remarks, sizeof(remarks));
    expect_whole_run(bench, remarks, "room runs short: the disk had only 20 MB left\n");
}

static void test_full_disk_ends_the_run_in_order(void **state)
{
    struct bench *bench = *state;
    char remarks[2000];

    run_short(bench, bench->folder, 10 * MIB, false, remarks, sizeof(remarks));
    expect_early_end(bench, remarks, "ended early: the disk has only 10 MB left\n");
}

static void test_full_system_disk_ends_the_run_too(void **state)
{
    char remarks[2000];

    run_short(*state, STATE, 10 * MIB, false, remarks, sizeof(remarks));
    expect_early_end(*state, remarks,
                     "ended early: the file system of the node's state has only 10 MB left\n");
}

static void test_full_temporary_files_are_told(void **state)
{
    char remarks[2000];

    run_short(*state, TEMP, MIB, false, remarks, sizeof(remarks));
    expect_whole_run(
        *state, remarks,
        "room runs short: the file system of temporary files had only 1 MB left\n");
}

static void test_read_only_remount_is_named(void **state)
{
    struct bench *bench = *state;
    char remarks[2000];

    run_short(bench, bench->folder, 900 * MIB, true, remarks, sizeof(remarks));
    expect_whole_run(bench, remarks, "the disk was mounted read-only\n");
}

/* The system's own disk is often the only one: it is told once. */
static void test_file_system_is_watched_once(void **state)
{
    struct bench *bench = *state;
    char remarks[2000];

    bench->state_dir = bench->folder;
    bench->temp_dir = bench->folder;
    run_short(bench, bench->folder, 20 * MIB, false, remarks, sizeof(remarks));
    expect_whole_run(bench, remarks, "room runs short: the disk had only 20 MB left\n");
}

static void test_each_news_comes_once(void **state)
{
    struct space_place place = { .early_bytes = 100, .end_bytes = 50 };
    static const struct {
        struct space_room room;
        enum space_news news;
    } steps[] = {
        {{ 100, false }, SPACE_NOTHING_NEW},
        { { 99, false }, SPACE_SHORT      },
        { { 98, false }, SPACE_NOTHING_NEW},
        { { 50, false }, SPACE_NOTHING_NEW},
        { { 49, false }, SPACE_OUT        },
        { { 0, false },  SPACE_NOTHING_NEW},
        { { 60, false }, SPACE_NOTHING_NEW},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        assert_int_equal(space_judge(&place, &steps[i].room), steps[i].news);
    }
    place = (struct space_place){ .early_bytes = 100, .end_bytes = 0 };
    assert_int_equal(space_judge(&place, &(struct space_room){ 0, false }), SPACE_SHORT);
    assert_int_equal(space_judge(&place, &(struct space_room){ 0, true }), SPACE_READ_ONLY);
}

#define SPACE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SPACE_TEST(test_enough_room_is_no_remark),
        SPACE_TEST(test_disk_that_runs_short_is_told_and_the_run_goes_on),
        SPACE_TEST(test_full_disk_ends_the_run_in_order),
        SPACE_TEST(test_full_system_disk_ends_the_run_too),
        SPACE_TEST(test_full_temporary_files_are_told),
        SPACE_TEST(test_read_only_remount_is_named),
        SPACE_TEST(test_file_system_is_watched_once),
        cmocka_unit_test(test_each_news_comes_once),
    };

    return cmocka_run_group_tests_name("recording_space", tests, NULL, NULL);
}
