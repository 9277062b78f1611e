/* SPDX-License-Identifier: MIT */
#include "herd/journal.h"

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

static char folder[64];

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/bw-journal-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static void remove_run(const char *id)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/runs/%s/journal", folder, id);
    unlink(path);
    snprintf(path, sizeof(path), "%s/runs/%s/experiment.yaml", folder, id);
    unlink(path);
    snprintf(path, sizeof(path), "%s/runs/%s", folder, id);
    rmdir(path);
}

static int tear_down(void **state)
{
    char path[256];

    (void)state;
    remove_run("day_2026-06-21T10-00-00Z");
    remove_run("early_2026-06-21T11-00-00Z");
    snprintf(path, sizeof(path), "%s/runs", folder);
    rmdir(path);
    return rmdir(folder);
}

static const char ID[] = "day_2026-06-21T10-00-00Z";

struct seen {
    size_t n;
    struct journal_entry entries[16];
};

static int keep(void *arg, const struct journal_entry *entry, struct err *err)
{
    struct seen *seen = arg;

    (void)err;
    if (seen->n < 16) {
        seen->entries[seen->n] = *entry;
    }
    seen->n++;
    return 0;
}

static void test_what_was_written_is_replayed(void **state)
{
    const struct journal_entry begin = { .kind = JOURNAL_BEGIN,
                                         .experiment = UINT64_MAX,
                                         .controller = 1795853763000000000U,
                                         .name = "day",
                                         .path = "/home/user/a \"quoted\" folder",
                                         .clock_error_max_ns = 100000 };
    const struct journal_entry go = { .kind = JOURNAL_GO, .T_ns = 1795853763000000000, .n = 2 };
    const struct journal_entry clock = { .kind = JOURNAL_CLOCK,
                                         .node = "sheep0",
                                         .offset_ns = -4711,
                                         .text = "ptp4l: locked, 'well'\tyes" };
    struct seen seen = { 0 };
    struct err err = { 0 };
    struct journal *journal = journal_create(folder, ID, "name: day\n", &err);

    (void)state;
    assert_non_null(journal);
    assert_int_equal(journal_add(journal, &begin, &err), 0);
    assert_int_equal(journal_add(journal, &go, &err), 0);
    assert_int_equal(journal_add(journal, &clock, &err), 0);
    assert_int_equal(journal_sync(journal, &err), 0);
    journal_close(&journal);
    assert_int_equal(journal_replay(folder, ID, keep, &seen, &err), 0);
    assert_int_equal(seen.n, 3);
    assert_int_equal(seen.entries[0].kind, JOURNAL_BEGIN);
    assert_true(seen.entries[0].experiment == UINT64_MAX);
    assert_string_equal(seen.entries[0].path, begin.path);
    assert_int_equal(seen.entries[1].T_ns, go.T_ns);
    assert_int_equal(seen.entries[1].n, 2);
    assert_int_equal(seen.entries[2].offset_ns, -4711);
    assert_string_equal(seen.entries[2].text, "ptp4l: locked, 'well' yes");
    assert_true(seen.entries[2].at_ns > 0);
}

static void test_a_torn_line_is_none_and_the_next_one_is_whole(void **state)
{
    const struct journal_entry end = { .kind = JOURNAL_END };
    struct seen seen = { 0 };
    struct err err = { 0 };
    struct journal *journal = journal_create(folder, ID, "", &err);
    char path[256];
    int fd = -1;

    (void)state;
    assert_non_null(journal);
    journal_close(&journal);
    snprintf(path, sizeof(path), "%s/runs/%s/journal", folder, ID);
    fd = open(path, O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, "{\"entry\": \"go\", \"T_n", 20), 20);
    close(fd);
    assert_int_equal(journal_replay(folder, ID, keep, &seen, &err), 0);
    assert_int_equal(seen.n, 0);
    journal = journal_open(folder, ID, &err);
    assert_non_null(journal);
    assert_int_equal(journal_add(journal, &end, &err), 0);
    journal_close(&journal);
    assert_int_equal(journal_replay(folder, ID, keep, &seen, &err), 0);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.entries[0].kind, JOURNAL_END);
}

static void test_the_newest_run_that_nobody_holds_is_found(void **state)
{
    const struct journal_entry end = { .kind = JOURNAL_END };
    char id[JOURNAL_ID_SIZE];
    struct err err = { 0 };
    struct journal *older = journal_create(folder, ID, "", &err);
    struct journal *newer = journal_create(folder, "early_2026-06-21T11-00-00Z", "", &err);

    (void)state;
    assert_non_null(older);
    assert_non_null(newer);
    assert_int_equal(journal_find_open(folder, id, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    journal_close(&older);
    assert_int_equal(journal_find_open(folder, id, &err), 0);
    assert_string_equal(id, ID);
    journal_close(&newer);
    assert_int_equal(journal_find_open(folder, id, &err), 0);
    assert_string_equal(id, "early_2026-06-21T11-00-00Z");
    newer = journal_open(folder, id, &err);
    assert_int_equal(journal_add(newer, &end, &err), 0);
    journal_close(&newer);
    assert_int_equal(journal_find_open(folder, id, &err), 0);
    assert_string_equal(id, ID);
}

static void test_one_herd_holds_a_run(void **state)
{
    struct err err = { 0 };
    struct journal *journal = journal_create(folder, ID, "", &err);

    (void)state;
    assert_null(journal_open(folder, ID, &err));
    assert_int_equal(err.code, ERR_STATE);
    assert_null(journal_create(folder, ID, "", &err));
    assert_true(journal_exists(folder, ID));
    assert_false(journal_exists(folder, "other"));
    journal_close(&journal);
}

static void test_names_that_leave_the_folder_are_refused(void **state)
{
    struct seen seen = { 0 };
    struct err err = { 0 };

    (void)state;
    assert_null(journal_create(folder, "../out", "", &err));
    assert_int_equal(err.code, ERR_INPUT);
    assert_int_equal(journal_replay(folder, "a/b", keep, &seen, &err), -1);
    assert_int_equal(journal_replay(folder, "unknown", keep, &seen, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_was_written_is_replayed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_torn_line_is_none_and_the_next_one_is_whole,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_newest_run_that_nobody_holds_is_found, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_one_herd_holds_a_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names_that_leave_the_folder_are_refused, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
