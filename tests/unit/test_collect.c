/* SPDX-License-Identifier: MIT */
#include "herd/collect.h"

#include "common/clock.h"
#include "common/rlog.h"
#include "common/rlog_file.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    SEGMENT_0 = 3000,
    SEGMENT_1 = 1704,
    PIECE = 512,
    LARGEST = 701, /* payload: neither pieces nor multiples of 8 */
};

static char folder[64];
static uint8_t content[SEGMENT_0 + SEGMENT_1];
static char expected[DIGEST_TEXT_SIZE];

/* A whole segment; its headers count in the digest. */
static void make_segment(uint32_t number, uint8_t *start, size_t size,
                         crypto_generichash_state *headers)
{
    static const uint8_t id[16] = "of the test";
    struct rlog_segment_header segment = rlog_make_segment_header(number, id);
    size_t at = sizeof(segment);

    memcpy(start, &segment, sizeof(segment));
    crypto_generichash_update(headers, start, sizeof(segment));
    while (at < size) {
        struct rlog_record_header header = { .type = RLOG_TEXT, .first = at };
        uint8_t *payload = start + at + sizeof(header);
        size_t left = size - at - sizeof(header);
        size_t n = left < LARGEST ? left : LARGEST;

        for (size_t i = 0; i < n; i++) {
            payload[i] = (uint8_t)(i * 7 + i / 251 + at);
        }
        rlog_seal_record(&header, payload, n);
        memcpy(start + at, &header, sizeof(header));
        crypto_generichash_update(headers, start + at, sizeof(header));
        at += sizeof(header) + rlog_padded(n);
    }
}

static int set_up(void **state)
{
    _Alignas(64) crypto_generichash_state headers;
    uint8_t digest[RLOG_DIGEST_BYTES];

    (void)state;
    crypto_generichash_init(&headers, NULL, 0, sizeof(digest));
    make_segment(0, content, SEGMENT_0, &headers);
    make_segment(1, content + SEGMENT_0, SEGMENT_1, &headers);
    crypto_generichash_final(&headers, digest, sizeof(digest));
    rlog_digest_text(digest, expected);
    snprintf(folder, sizeof(folder), "/tmp/bw-collect-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    char path[128];

    (void)state;
    for (uint32_t k = 0; k < 3; k++) {
        rlog_segment_path(folder, k, path, sizeof(path));
        unlink(path);
    }
    snprintf(path, sizeof(path), "%s/manifest.yaml", folder);
    unlink(path);
    return rmdir(folder);
}

static struct collect *open_copy(void)
{
    struct err err = { 0 };
    struct collect *collect = collect_open(folder, "day_sheep0", &err);

    assert_non_null(collect);
    return collect;
}

/* What a node would send for this FETCH: a piece, or the end. */
static void serve(struct collect *collect, uint64_t segment, uint64_t offset)
{
    const uint8_t *start = segment == 0 ? content : content + SEGMENT_0;
    size_t size = segment == 0 ? SEGMENT_0 : SEGMENT_1;
    size_t n = size - (size_t)offset < PIECE ? size - (size_t)offset : PIECE;
    struct body_data body = { .segment = segment, .offset = offset };
    struct err err;

    snprintf(body.log, sizeof(body.log), "day_sheep0");
    body.is_segment_end = offset + n == size;
    body.is_log_end = body.is_segment_end && segment == 1;
    assert_int_equal(
        collect_take(collect, &body, (struct proto_frame){ start + offset, n }, &err), 0);
}

static void serve_manifest(struct collect *collect)
{
    struct body_data body = { .is_manifest = true };
    struct err err;

    snprintf(body.log, sizeof(body.log), "day_sheep0");
    assert_int_equal(collect_take(collect, &body, (struct proto_frame){ "x: 1\n", 5 }, &err),
                     0);
}

/* What a node answers to a FETCH without credit. */
static void echo(struct collect *collect, uint64_t segment, uint64_t offset)
{
    struct body_data body = { .segment = segment, .offset = offset };
    struct err err;

    snprintf(body.log, sizeof(body.log), "day_sheep0");
    assert_int_equal(collect_take(collect, &body, (struct proto_frame){ NULL, 0 }, &err), 0);
}

static void expect_whole(const struct collect *collect)
{
    char text[DIGEST_TEXT_SIZE];

    collect_digest(collect, text);
    assert_true(collect_is_complete(collect));
    assert_int_equal(collect_bytes(collect), sizeof(content));
    assert_string_equal(text, expected);
}

static void serve_rest(struct collect *collect)
{
    uint64_t from = collect_bytes(collect);

    while (from < sizeof(content)) {
        serve(collect, from < SEGMENT_0 ? 0 : 1, from < SEGMENT_0 ? from : from - SEGMENT_0);
        assert_true(collect_bytes(collect) > from);
        from = collect_bytes(collect);
    }
}

static void test_a_log_arrives_in_pieces_and_segments(void **state)
{
    struct collect *collect = open_copy();
    struct body_fetch fetch;
    struct err err;

    (void)state;
    assert_true(collect_next_fetch(collect, 1, 0, &fetch));
    assert_true(fetch.manifest);
    assert_true(collect_next_fetch(collect, 1, 0, &fetch));
    assert_false(fetch.manifest);
    assert_int_equal(fetch.segment, 0);
    assert_int_equal(fetch.offset, 0);
    assert_int_equal(fetch.credit_bytes, COLLECT_CREDIT);
    assert_false(collect_next_fetch(collect, 1, 0, &fetch));
    serve_rest(collect);
    assert_false(collect_is_complete(collect)); /* the manifest is missing */
    serve_manifest(collect);
    expect_whole(collect);
    assert_int_equal(collect_received(collect), sizeof(content));
    assert_false(collect_next_fetch(collect, NS_PER_S, sizeof(content), &fetch));
    assert_int_equal(collect_sync(collect, &err), 0);
    collect_close(&collect);
}

static void test_what_does_not_continue_the_copy_is_ignored(void **state)
{
    struct collect *collect = open_copy();

    (void)state;
    serve(collect, 0, 0);
    serve(collect, 0, 0);    /* twice */
    serve(collect, 0, 1024); /* ahead */
    serve(collect, 1, 0);    /* another segment */
    assert_int_equal(collect_bytes(collect), PIECE);
    serve_manifest(collect);
    serve_rest(collect);
    expect_whole(collect);
    collect_close(&collect);
}

static void test_a_new_herd_continues_where_the_copy_ends(void **state)
{
    struct collect *collect = open_copy();
    struct body_fetch fetch;

    (void)state;
    serve_manifest(collect);
    while (collect_bytes(collect) < SEGMENT_0 + PIECE) {
        uint64_t from = collect_bytes(collect);

        serve(collect, from < SEGMENT_0 ? 0 : 1, from < SEGMENT_0 ? from : from - SEGMENT_0);
    }
    collect_close(&collect);
    collect = open_copy();
    assert_true(collect_has_manifest(collect));
    assert_true(collect_next_fetch(collect, 1, 0, &fetch));
    assert_int_equal(fetch.segment, 1);
    assert_int_equal(fetch.offset, PIECE);
    assert_int_equal(collect_received(collect), 0);
    serve_rest(collect);
    expect_whole(collect);
    collect_close(&collect);
}

static void test_a_lost_connection_asks_again_from_what_is_here(void **state)
{
    struct collect *collect = open_copy();
    struct body_fetch fetch;

    (void)state;
    serve_manifest(collect);
    assert_true(collect_next_fetch(collect, 1, 0, &fetch));
    serve(collect, 0, 0);
    assert_false(collect_next_fetch(collect, 2, 0, &fetch));
    collect_reset(collect);
    assert_true(collect_next_fetch(collect, 3, 0, &fetch));
    assert_int_equal(fetch.offset, PIECE);
    collect_close(&collect);
}

static void test_silence_is_asked_again_only_when_there_is_more(void **state)
{
    struct collect *collect = open_copy();
    struct body_fetch fetch;
    int64_t begin_ns = clock_mono_ns();
    int64_t late_ns = begin_ns + (COLLECT_RETRY_MS + 100) * NS_PER_MS;

    (void)state;
    serve_manifest(collect);
    assert_true(collect_next_fetch(collect, begin_ns, 0, &fetch));
    assert_false(collect_next_fetch(collect, late_ns, 0, &fetch));
    assert_true(collect_next_fetch(collect, late_ns, 100, &fetch));
    assert_int_equal(fetch.credit_bytes, 0); /* a question first */
    assert_false(collect_next_fetch(collect, late_ns, 100, &fetch));
    echo(collect, 0, 0);
    assert_true(collect_next_fetch(collect, late_ns, 100, &fetch));
    assert_int_equal(fetch.credit_bytes, COLLECT_CREDIT);
    assert_false(collect_next_fetch(collect, late_ns, 100, &fetch));
    collect_close(&collect);
}

static void test_an_echo_behind_bytes_asks_for_nothing(void **state)
{
    struct collect *collect = open_copy();
    struct body_fetch fetch;

    (void)state;
    serve_manifest(collect);
    assert_true(collect_next_fetch(collect, 1, SEGMENT_0, &fetch));
    serve(collect, 0, 0); /* slow, but not lost */
    echo(collect, 0, 0);
    assert_false(collect_next_fetch(collect, 2, SEGMENT_0, &fetch));
    collect_close(&collect);
}

static void test_a_hole_is_asked_for_at_once_and_once(void **state)
{
    struct collect *collect = open_copy();
    struct body_fetch fetch;

    (void)state;
    serve_manifest(collect);
    assert_true(collect_next_fetch(collect, 1, SEGMENT_0, &fetch));
    serve(collect, 0, 0);
    serve(collect, 0, (uint64_t)2 * PIECE);
    assert_true(collect_next_fetch(collect, 2, SEGMENT_0, &fetch));
    assert_int_equal(fetch.offset, PIECE);
    assert_int_equal(fetch.credit_bytes, COLLECT_CREDIT);
    serve(collect, 0, (uint64_t)3 * PIECE);
    assert_false(collect_next_fetch(collect, 2, SEGMENT_0, &fetch));
    assert_int_equal(collect_repeated(collect), 2 * PIECE);
    serve_rest(collect);
    expect_whole(collect);
    collect_close(&collect);
}

static void test_restart_forgets_the_copy(void **state)
{
    struct collect *collect = open_copy();
    struct body_fetch fetch;
    struct err err;

    (void)state;
    serve_manifest(collect);
    serve_rest(collect);
    assert_int_equal(collect_restart(collect, &err), 0);
    assert_int_equal(collect_bytes(collect), 0);
    assert_false(collect_is_complete(collect));
    assert_true(collect_next_fetch(collect, 1, 0, &fetch));
    assert_int_equal(fetch.segment, 0);
    serve_rest(collect);
    expect_whole(collect);
    collect_close(&collect);
}

/* Only a run's own copy lets a node forget what is here. */
static void test_a_kept_copy_says_so(void **state)
{
    struct collect *collect = open_copy();
    struct body_fetch fetch;

    (void)state;
    serve_manifest(collect);
    assert_true(collect_next_fetch(collect, 1, 0, &fetch));
    assert_false(fetch.is_kept);
    collect_keep(collect);
    collect_reset(collect);
    assert_true(collect_next_fetch(collect, 2, 0, &fetch));
    assert_true(fetch.is_kept);
    assert_int_equal(fetch.segment, 0);
    for (uint64_t offset = 0; offset < SEGMENT_0; offset += PIECE) {
        serve(collect, 0, offset);
    }
    assert_true(collect_next_fetch(collect, 3, 0, &fetch));
    assert_true(fetch.is_kept);
    assert_int_equal(fetch.segment, 1);
    collect_close(&collect);
}

static void test_more_than_a_segment_holds_is_refused(void **state)
{
    struct collect *collect = open_copy();
    struct body_data body = { 0 };
    struct err err;

    (void)state;
    snprintf(body.log, sizeof(body.log), "another_log");
    assert_int_equal(collect_take(collect, &body, (struct proto_frame){ content, 10 }, &err),
                     0);
    assert_int_equal(collect_bytes(collect), 0);
    snprintf(body.log, sizeof(body.log), "day_sheep0");
    assert_int_equal(
        collect_take(collect, &body,
                     (struct proto_frame){ content, (size_t)RLOG_SEGMENT_BYTES + 1 }, &err),
        0);
    assert_int_equal(collect_bytes(collect), 0);
    collect_close(&collect);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_log_arrives_in_pieces_and_segments, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_what_does_not_continue_the_copy_is_ignored, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_new_herd_continues_where_the_copy_ends, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_lost_connection_asks_again_from_what_is_here,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_silence_is_asked_again_only_when_there_is_more,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_echo_behind_bytes_asks_for_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_hole_is_asked_for_at_once_and_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_restart_forgets_the_copy, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_kept_copy_says_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_more_than_a_segment_holds_is_refused, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
