/* SPDX-License-Identifier: MIT */
/* Inputs to nodes piece by piece, with the flock and the time played here: this program's
 * flock_request, flock_tell_bulk and clock_mono_ns stand before the real ones (--wrap). */
#include "herd/supply.h"

#include "tests/support/caught.h"

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
    N_NODES = 3,
    PIECE = 512 * 1024,
    SIZE = 3 * PIECE + 1000, /* of the stream */
    LONG_SIZE = 10 * PIECE,
    MAX_TOLD = 64
};

/* What was asked and told. */
struct told {
    size_t i;
    uint64_t offset;
    size_t size;
};

static struct {
    int64_t now_ns;
    bool is_full; /* nothing can be sent now */
    bool is_request_refused;
    struct flock_request request; /* the last one */
    struct body_have have;        /* its body */
    size_t n_requests;
    struct told told[MAX_TOLD];
    size_t n_told;
} played;

int64_t __wrap_clock_mono_ns(void);
int64_t __wrap_clock_mono_ns(void)
{
    return played.now_ns;
}

int __wrap_flock_request(struct herd_flock *flock, size_t i,
                         const struct flock_request *request, struct err *err);
int __wrap_flock_request(struct herd_flock *flock, size_t i,
                         const struct flock_request *request, struct err *err)
{
    (void)flock;
    (void)i;
    played.request = *request;
    played.have = *(const struct body_have *)request->body;
    played.n_requests++;
    return played.is_request_refused ? err_set(err, ERR_MEMORY, "request") : 0;
}

uint32_t __wrap_flock_tell_bulk(struct herd_flock *flock, size_t i, enum proto_verb verb,
                                const void *body, struct proto_frame payload);
uint32_t __wrap_flock_tell_bulk(struct herd_flock *flock, size_t i, enum proto_verb verb,
                                const void *body, struct proto_frame payload)
{
    const struct body_have *have = body;

    (void)flock;
    if (played.is_full) {
        return 0;
    }
    assert_int_equal(verb, VERB_PUT);
    assert_in_range(played.n_told, 0, MAX_TOLD - 1);
    for (size_t k = 0; k < payload.size; k++) {
        uint64_t at = have->offset + k;

        if (((const uint8_t *)payload.data)[k] != (uint8_t)(at % 251)) {
            fail_msg("byte %llu", (unsigned long long)at);
        }
    }
    played.told[played.n_told++] = (struct told){ i, have->offset, payload.size };
    return (uint32_t)played.n_told;
}

struct bench {
    char folder[64];
    struct input_stream streams[2];
    struct inputs inputs;
    struct supply *supply;
};

static void make_stream(struct bench *bench, size_t k, const char *digest, size_t size)
{
    struct input_stream *stream = &bench->streams[k];
    char path[sizeof(bench->folder) + 24];
    FILE *file = NULL;

    snprintf(path, sizeof(path), "%s/%zu", bench->folder, k);
    memcpy(stream->path, path, strlen(path) + 1);
    snprintf(stream->digest, sizeof(stream->digest), "%s", digest);
    stream->size_bytes = size;
    file = fopen(stream->path, "we");
    assert_non_null(file);
    for (size_t at = 0; at < size; at++) {
        assert_int_not_equal(fputc((int)(at % 251), file), EOF);
    }
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    struct err err = { 0 };

    assert_non_null(bench);
    memset(&played, 0, sizeof(played));
    played.now_ns = INT64_C(1000000000000);
    caught_make_folder("supply", bench->folder, sizeof(bench->folder));
    make_stream(bench, 0, "aaaa", SIZE);
    make_stream(bench, 1, "bbbb", LONG_SIZE);
    bench->inputs = (struct inputs){ bench->streams, 2 };
    bench->supply = supply_open(NULL, &bench->inputs, N_NODES, &err);
    assert_non_null(bench->supply);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;

    supply_close(&bench->supply);
    supply_close(&bench->supply);
    caught_remove_folder(bench->folder);
    free(bench);
    return 0;
}

static void want(struct bench *bench, size_t i, const char *digest)
{
    struct err err = { 0 };

    if (supply_want(bench->supply, i, digest, &err) < 0) {
        fail_msg("%s", err.text);
    }
}

static struct proto_message message_of(enum proto_verb verb)
{
    struct proto_message message;

    memset(&message, 0, sizeof(message));
    message.verb = verb;
    return message;
}

/* Node i answers HAVE with what it has, or, for SIZE_MAX, not at all. */
static void answer_have(size_t i, uint64_t offset)
{
    struct proto_message message = message_of(VERB_HAVING);
    struct flock_message came = { .message = &message };

    PROTO_BODY(&message, body_have)->offset = offset;
    played.request.answer(played.request.arg, i, offset == SIZE_MAX ? NULL : &came);
}

static void say_stored(struct bench *bench, size_t i, const char *digest, uint64_t offset)
{
    struct proto_message message = message_of(VERB_STORED);
    struct flock_message came = { .message = &message };
    struct body_have *body = PROTO_BODY(&message, body_have);

    snprintf(body->digest, sizeof(body->digest), "%s", digest);
    body->offset = offset;
    supply_take(bench->supply, i, &came);
}

static void say_refused(struct bench *bench, size_t i, enum err_code code, const char *why)
{
    struct proto_message message = message_of(VERB_REFUSED);
    struct flock_message came = { .message = &message };
    struct body_refused *body = PROTO_BODY(&message, body_refused);

    snprintf(body->code, sizeof(body->code), "%s", err_code_name(code));
    snprintf(body->why, sizeof(body->why), "%s", why);
    supply_take(bench->supply, i, &came);
}

static void pass(struct bench *bench, int64_t ms)
{
    played.now_ns += ms * 1000000;
    supply_tick(bench->supply);
}

static void expect_told(size_t n, size_t i, uint64_t offset, size_t size)
{
    assert_true(n < played.n_told);
    assert_int_equal(played.told[n].i, i);
    assert_int_equal(played.told[n].offset, offset);
    assert_int_equal(played.told[n].size, size);
}

static void test_nobody_wants_anything(void **state)
{
    struct bench *bench = *state;
    struct err err = { 0 };

    assert_true(supply_is_done(bench->supply));
    assert_string_equal(supply_failure(bench->supply, 0), "");
    assert_int_equal(supply_want(bench->supply, 0, "cccc", &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_string_equal(err.text, "no stream cccc");
    assert_true(supply_is_done(bench->supply));
    assert_int_equal(played.n_requests, 0);
}

static void test_a_stream_goes_in_pieces(void **state)
{
    struct bench *bench = *state;
    uint64_t n_there = 1;
    uint64_t n_wanted = 0;

    want(bench, 1, "aaaa");
    assert_int_equal(played.request.verb, VERB_HAVE);
    assert_string_equal(played.have.digest, "aaaa");
    assert_int_equal(played.have.size, SIZE);
    /* before the node has answered, nothing is sent */
    pass(bench, 100);
    assert_int_equal(played.n_told, 0);
    assert_false(supply_is_done(bench->supply));
    assert_string_equal(supply_failure(bench->supply, 1),
                        "input: not all of it arrived in time");
    answer_have(1, 0);
    assert_int_equal(played.n_told, 4);
    expect_told(0, 1, 0, PIECE);
    expect_told(2, 1, UINT64_C(2) * PIECE, PIECE);
    expect_told(3, 1, UINT64_C(3) * PIECE, 1000);
    say_stored(bench, 1, "aaaa", UINT64_C(2) * PIECE);
    supply_progress(bench->supply, 1, &n_there, &n_wanted);
    assert_int_equal(n_there, UINT64_C(2) * PIECE);
    assert_int_equal(n_wanted, SIZE);
    assert_false(supply_is_done(bench->supply));
    say_stored(bench, 1, "aaaa", SIZE);
    assert_true(supply_is_done(bench->supply));
    assert_string_equal(supply_failure(bench->supply, 1), "");
    assert_int_equal(played.n_told, 4);
    supply_progress(bench->supply, 0, &n_there, &n_wanted);
    assert_int_equal(n_there + n_wanted, 0);
}

static void test_four_pieces_are_under_way(void **state)
{
    struct bench *bench = *state;

    want(bench, 0, "bbbb");
    answer_have(0, 0);
    pass(bench, 10);
    assert_int_equal(played.n_told, 4);
    say_stored(bench, 0, "bbbb", PIECE);
    assert_int_equal(played.n_told, 5);
    expect_told(4, 0, UINT64_C(4) * PIECE, PIECE);
    say_stored(bench, 0, "bbbb", UINT64_C(3) * PIECE);
    assert_int_equal(played.n_told, 7);
    say_stored(bench, 0, "bbbb", UINT64_C(7) * PIECE);
    assert_int_equal(played.n_told, 10);
}

static void test_what_is_there_is_not_sent_again(void **state)
{
    struct bench *bench = *state;

    want(bench, 0, "aaaa");
    answer_have(0, SIZE);
    assert_true(supply_is_done(bench->supply));
    want(bench, 1, "aaaa");
    answer_have(1, UINT64_C(3) * PIECE);
    assert_int_equal(played.n_told, 1);
    expect_told(0, 1, UINT64_C(3) * PIECE, 1000);
    /* an offset of anybody's is no reason to trust it: more than all is all */
    want(bench, 2, "bbbb");
    answer_have(2, UINT64_MAX - 1);
    assert_int_equal(played.n_told, 1);
}

static void test_no_answer_is_a_failure(void **state)
{
    struct bench *bench = *state;

    want(bench, 0, "aaaa");
    answer_have(0, SIZE_MAX);
    assert_true(supply_is_done(bench->supply));
    assert_string_equal(supply_failure(bench->supply, 0), "input: no answer to HAVE");
    played.is_request_refused = true;
    {
        struct err err = { 0 };

        assert_int_equal(supply_want(bench->supply, 1, "aaaa", &err), -1);
        assert_string_equal(err.text, "request");
    }
}

static void test_a_refusal_is_a_failure(void **state)
{
    struct bench *bench = *state;
    struct proto_message message = message_of(VERB_REFUSED);
    struct flock_message came = { .message = &message };

    want(bench, 0, "aaaa");
    snprintf(PROTO_BODY(&message, body_refused)->why, 20, "disk full");
    played.request.answer(played.request.arg, 0, &came);
    assert_string_equal(supply_failure(bench->supply, 0), "input: disk full");
    want(bench, 1, "bbbb");
    answer_have(1, 0);
    say_refused(bench, 1, ERR_NO_SPACE, "no room");
    assert_string_equal(supply_failure(bench->supply, 1), "input: no room");
    assert_true(supply_is_done(bench->supply));
    /* once failed, nothing more is sent */
    say_stored(bench, 1, "bbbb", UINT64_C(4) * PIECE);
    pass(bench, 5000);
    assert_int_equal(played.n_told, 4);
}

/* A piece that came before its turn: the node is asked again from where it is, later. */
static void test_a_lost_piece_is_sent_again(void **state)
{
    struct bench *bench = *state;

    want(bench, 0, "bbbb");
    answer_have(0, 0);
    say_stored(bench, 0, "bbbb", PIECE);
    say_refused(bench, 0, ERR_STATE, "out of order");
    assert_false(supply_is_done(bench->supply));
    pass(bench, 3000);
    assert_int_equal(played.n_told, 5);
    pass(bench, 1);
    assert_int_equal(played.n_told, 9);
    expect_told(5, 0, PIECE, PIECE);
    expect_told(8, 0, UINT64_C(4) * PIECE, PIECE);
    /* not at every tick */
    pass(bench, 2999);
    assert_int_equal(played.n_told, 9);
    pass(bench, 2);
    assert_int_equal(played.n_told, 13);
}

static void test_a_node_that_takes_nothing_is_given_up(void **state)
{
    struct bench *bench = *state;

    want(bench, 0, "bbbb");
    answer_have(0, 0);
    pass(bench, 59000);
    say_stored(bench, 0, "bbbb", PIECE);
    pass(bench, 60000);
    assert_false(supply_is_done(bench->supply));
    /* the same again is no progress */
    say_stored(bench, 0, "bbbb", PIECE);
    pass(bench, 1);
    assert_true(supply_is_done(bench->supply));
    assert_string_equal(supply_failure(bench->supply, 0),
                        "input: the node takes no more of it");
}

static void test_a_full_queue_waits(void **state)
{
    struct bench *bench = *state;

    want(bench, 0, "aaaa");
    played.is_full = true;
    answer_have(0, 0);
    pass(bench, 10);
    assert_int_equal(played.n_told, 0);
    assert_false(supply_is_done(bench->supply));
    played.is_full = false;
    pass(bench, 10);
    assert_int_equal(played.n_told, 4);
    expect_told(0, 0, 0, PIECE);
}

static void test_a_stream_that_is_gone_here_is_a_failure(void **state)
{
    struct bench *bench = *state;

    want(bench, 0, "aaaa");
    want(bench, 1, "bbbb");
    unlink(bench->streams[0].path);
    assert_int_equal(truncate(bench->streams[1].path, PIECE + 10), 0);
    answer_have(0, 0);
    answer_have(1, 0);
    assert_string_equal(supply_failure(bench->supply, 0),
                        "input: the decoded stream cannot be read here");
    assert_string_equal(supply_failure(bench->supply, 1),
                        "input: the decoded stream cannot be read here");
    assert_int_equal(played.n_told, 1);
    assert_true(supply_is_done(bench->supply));
}

/* What another stream, another node or nobody has asked for changes nothing. */
static void test_stray_messages_change_nothing(void **state)
{
    struct bench *bench = *state;

    say_stored(bench, 2, "aaaa", SIZE);
    want(bench, 0, "aaaa");
    say_stored(bench, 0, "aaaa", SIZE);
    say_refused(bench, 0, ERR_NO_SPACE, "early");
    assert_false(supply_is_done(bench->supply));
    answer_have(0, 0);
    say_stored(bench, 0, "bbbb", SIZE);
    assert_false(supply_is_done(bench->supply));
    say_stored(bench, 0, "aaaa", SIZE);
    assert_true(supply_is_done(bench->supply));
    say_refused(bench, 0, ERR_NO_SPACE, "late");
    assert_string_equal(supply_failure(bench->supply, 0), "");
}

#define WITH_BENCH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_nobody_wants_anything),
        WITH_BENCH(test_a_stream_goes_in_pieces),
        WITH_BENCH(test_four_pieces_are_under_way),
        WITH_BENCH(test_what_is_there_is_not_sent_again),
        WITH_BENCH(test_no_answer_is_a_failure),
        WITH_BENCH(test_a_refusal_is_a_failure),
        WITH_BENCH(test_a_lost_piece_is_sent_again),
        WITH_BENCH(test_a_node_that_takes_nothing_is_given_up),
        WITH_BENCH(test_a_full_queue_waits),
        WITH_BENCH(test_a_stream_that_is_gone_here_is_a_failure),
        WITH_BENCH(test_stray_messages_change_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
