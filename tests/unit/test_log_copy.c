/* SPDX-License-Identifier: MIT */
#include "herd/log_copy.h"

#include "common/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/test_log_copy.XXXXXX";
static char log_folder[64];

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/test_log_copy.XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(log_folder, sizeof(log_folder), "%s/a/x.rlog", folder);
    return 0;
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof(command), "rm -r '%s'", folder);
    return system(command);
}

static struct log_copy *open_copy(void)
{
    struct err err = { 0 };
    struct log_copy *copy = log_copy_open(log_folder, &err);

    if (copy == NULL) {
        fail_msg("%s", err.text);
    }
    return copy;
}

/* Gives bytes `text` at a place; flags: 's' the segment's end, 'l' the log's too. */
static int give(struct log_copy *copy, uint64_t segment, uint64_t offset, const char *text,
                const char *flags, struct err *err)
{
    const struct body_data body = { .segment = segment,
                                    .offset = offset,
                                    .is_segment_end = flags[0] != '\0',
                                    .is_log_end = flags[0] == 'l' };

    return log_copy_take(copy, &body, (struct proto_frame){ text, strlen(text) }, err);
}

static void assert_at(const struct log_copy *copy, uint32_t segment, uint64_t offset,
                      uint64_t total, bool is_whole)
{
    struct log_copy_position at = log_copy_position(copy);

    assert_int_equal(at.segment, segment);
    assert_int_equal(at.offset, offset);
    assert_int_equal(at.total, total);
    assert_int_equal(at.is_whole, is_whole);
}

static void assert_file(const char *name, const char *content)
{
    char path[128];
    struct buf text = { 0 };
    struct err err = { 0 };

    snprintf(path, sizeof(path), "%s/%s", log_folder, name);
    assert_int_equal(buf_read_file(&text, path, 1000, &err), 0);
    assert_string_equal(text.data, content);
    buf_fini(&text);
}

static void test_segments_are_filled_in_order(void **state)
{
    struct log_copy *copy = open_copy();
    struct err err = { 0 };

    (void)state;
    assert_at(copy, 0, 0, 0, false);
    assert_int_equal(give(copy, 0, 0, "hello ", "", &err), 0);
    assert_int_equal(give(copy, 0, 6, "world", "s", &err), 0);
    assert_at(copy, 1, 0, 11, false);
    assert_int_equal(give(copy, 1, 0, "again", "", &err), 0);
    assert_int_equal(log_copy_sync(copy, &err), 0);
    assert_int_equal(give(copy, 1, 5, "", "l", &err), 0);
    assert_at(copy, 1, 5, 16, true);
    assert_int_equal(give(copy, 1, 5, "more", "", &err), 0);
    assert_at(copy, 1, 5, 16, true);
    assert_file("000000.seg", "hello world");
    assert_file("000001.seg", "again");
    log_copy_close(&copy);
    log_copy_close(&copy);
}

static void test_repeats_are_skipped_and_gaps_refused(void **state)
{
    struct log_copy *copy = open_copy();
    struct err err = { 0 };

    (void)state;
    assert_int_equal(give(copy, 0, 0, "abcd", "", &err), 0);
    assert_int_equal(give(copy, 0, 0, "abcd", "", &err), 0);
    assert_int_equal(give(copy, 0, 2, "cdef", "", &err), 0);
    assert_at(copy, 0, 6, 6, false);
    assert_int_equal(give(copy, 0, 0, "ab", "", &err), 0);
    assert_at(copy, 0, 6, 6, false);
    assert_int_equal(give(copy, 0, 7, "x", "", &err), -1);
    assert_int_equal(err.code, ERR_STATE);
    assert_int_equal(give(copy, 1, 0, "x", "", &err), -1);
    assert_int_equal(err.code, ERR_STATE);
    assert_int_equal(give(copy, 0, 6, "", "s", &err), 0);
    assert_int_equal(give(copy, 0, 6, "", "s", &err), 0);
    assert_at(copy, 1, 0, 6, false);
    assert_file("000000.seg", "abcdef");
    log_copy_close(&copy);
}

static void test_a_copy_is_gone_on_with(void **state)
{
    const struct body_data manifest = { .is_manifest = true };
    struct log_copy *copy = open_copy();
    struct err err = { 0 };

    (void)state;
    assert_false(log_copy_position(copy).has_manifest);
    assert_int_equal(log_copy_take(copy, &manifest, (struct proto_frame){ "a: 1\n", 5 }, &err),
                     0);
    assert_int_equal(give(copy, 0, 0, "first", "s", &err), 0);
    assert_int_equal(give(copy, 1, 0, "sec", "", &err), 0);
    log_copy_close(&copy);
    copy = open_copy();
    assert_true(log_copy_position(copy).has_manifest);
    assert_at(copy, 1, 3, 8, false);
    assert_int_equal(give(copy, 1, 3, "ond", "l", &err), 0);
    log_copy_close(&copy);
    /* A manifest is never replaced. */
    copy = open_copy();
    assert_int_equal(log_copy_take(copy, &manifest, (struct proto_frame){ "b: 2\n", 5 }, &err),
                     0);
    assert_file("manifest.yaml", "a: 1\n");
    assert_file("000001.seg", "second");
    log_copy_close(&copy);
}

static void test_what_is_no_copy_is_refused(void **state)
{
    struct log_copy *copy = open_copy();
    char path[128];
    struct err err = { 0 };
    const struct body_data body = { .segment = 0, .offset = 0 };
    char *much = calloc(1, RLOG_SEGMENT_BYTES + 1);

    (void)state;
    assert_non_null(much);
    assert_int_equal(
        log_copy_take(copy, &body, (struct proto_frame){ much, RLOG_SEGMENT_BYTES + 1 }, &err),
        -1);
    assert_int_equal(err.code, ERR_INPUT);
    free(much);
    log_copy_close(&copy);
    snprintf(path, sizeof(path), "%s/000000.seg", log_folder);
    assert_int_equal(symlink("/etc/hostname", path), 0);
    assert_null(log_copy_open(log_folder, &err));
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_null(log_copy_open("/proc/nowhere", &err));
}

#define COPY_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        COPY_TEST(test_segments_are_filled_in_order),
        COPY_TEST(test_repeats_are_skipped_and_gaps_refused),
        COPY_TEST(test_a_copy_is_gone_on_with),
        COPY_TEST(test_what_is_no_copy_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
