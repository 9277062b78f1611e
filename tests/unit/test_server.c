/* SPDX-License-Identifier: MIT */
/* The node's doors, with real sockets on loopback: who is heard, who is refused, and how. */
#include "sheep/server.h"

#include "common/zap.h"
#include "tests/support/node_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const uint64_t BOOT = 77;
static const struct proto_frame NOTHING = { NULL, 0 };

struct fixture {
    struct node_bench bench;
    struct clock clock;
    struct zap *zap;
    zloop_t *loop;
    struct server *server;
    struct server_options options;
    struct node_client client;
    /* what was handled last */
    unsigned n_handled;
    struct server_peer peer;
    enum proto_verb verb;
    int64_t received_ns;
    bool takes_over; /* the handler leaves this with the peer */
    /* what node_bench_run waits for */
    uint64_t n_wanted;
    struct err err;
};

static void handle(void *arg, struct server_peer *peer, const struct proto_message *message,
                   int64_t received_ns)
{
    struct fixture *f = arg;
    struct proto_token token = server_answer_token(f->server, &message->token);
    struct proto_encoded encoded;

    f->peer = *peer;
    peer->takes_over |= f->takes_over;
    f->verb = message->verb;
    f->received_ns = received_ns;
    f->n_handled++;
    if (message->verb == VERB_STATUS) {
        assert_int_equal(proto_encode(&encoded, VERB_STATE, &token, NULL, NOTHING, &f->err), 0);
        assert_int_equal(server_send(f->server, peer->port, peer->id, &encoded, &f->err), 0);
        proto_encoded_fini(&encoded);
    }
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    node_bench_init(&f->bench, "");
    f->clock = clock_stepped(123456789, 0);
    f->zap = zap_start(f->bench.config.authorized, &f->err);
    assert_non_null(f->zap);
    f->loop = zloop_new();
    f->options = (struct server_options){ .loop = f->loop,
                                          .config = &f->bench.config,
                                          .clock = &f->clock,
                                          .boot_id = BOOT,
                                          .on_message = handle,
                                          .arg = f };
    f->server = server_open(&f->options, &f->err);
    if (f->server == NULL) {
        fail_msg("%s", f->err.text);
    }
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    node_client_close(&f->client);
    server_close(&f->server);
    zloop_destroy(&f->loop);
    zap_stop(&f->zap);
    node_bench_fini(&f->bench);
    free(f);
    return 0;
}

static bool has_seen_all(void *arg)
{
    const struct fixture *f = arg;
    struct server_stats stats = server_stats(f->server);

    return stats.n_messages + stats.n_refused >= f->n_wanted;
}

/* Until so many more messages were handled or refused. */
static void serve(struct fixture *f, uint64_t count)
{
    struct server_stats stats = server_stats(f->server);

    f->n_wanted = stats.n_messages + stats.n_refused + count;
    assert_true(node_bench_run(f->loop, has_seen_all, f));
}

static void tell(struct fixture *f, enum server_port port, enum proto_verb verb)
{
    node_client_tell(&f->client, port, verb, NULL, NOTHING);
}

static void expect_refused(struct fixture *f, const char *code, const char *why)
{
    const struct body_refused *body = PROTO_CONST_BODY(&f->client.message, body_refused);

    assert_int_equal(node_client_hear(&f->client, SERVER_CONTROL, NODE_BENCH_WAIT_MS),
                     VERB_REFUSED);
    assert_int_equal(f->client.message.token.seq, f->client.token.seq);
    assert_int_equal(f->client.message.token.boot_id, BOOT);
    assert_string_equal(body->code, code);
    if (strstr(body->why, why) == NULL) {
        fail_msg("'%s' lacks '%s'", body->why, why);
    }
}

static void test_both_doors_say_who_is_behind_them(void **state)
{
    struct fixture *f = *state;

    node_client_open(&f->client, &f->bench, &f->bench.ann, "herd-1");
    for (int port = 0; port < N_SERVER_PORTS; port++) {
        tell(f, (enum server_port)port, VERB_STATUS);
        serve(f, 1);
        assert_int_equal(f->verb, VERB_STATUS);
        assert_int_equal(f->received_ns, 123456789);
        assert_int_equal(f->peer.port, port);
        assert_string_equal(f->peer.id, "herd-1");
        assert_string_equal(f->peer.user, f->bench.ann.public_key);
        assert_true(f->peer.user_id == server_user_number(f->bench.ann.public_key));
        assert_int_equal(f->peer.role, ROLE_OPERATOR);
        assert_string_equal(f->peer.name, "ann");
        assert_int_equal(
            node_client_hear(&f->client, (enum server_port)port, NODE_BENCH_WAIT_MS),
            VERB_STATE);
        assert_int_equal(f->client.message.token.seq, f->client.token.seq);
        assert_int_equal(f->client.message.token.boot_id, BOOT);
    }
    assert_int_equal(server_stats(f->server).n_messages, 2);
    assert_int_equal(server_stats(f->server).n_refused, 0);
}

static void test_users_have_numbers_of_their_own(void **state)
{
    struct fixture *f = *state;

    assert_true(server_user_number(f->bench.ann.public_key)
                == server_user_number(f->bench.ann.public_key));
    assert_true(server_user_number(f->bench.ann.public_key)
                != server_user_number(f->bench.bob.public_key));
    assert_true(server_user_number("") != 0);
}

static void test_what_a_role_may_not_say_is_refused_with_an_answer(void **state)
{
    struct fixture *f = *state;

    node_client_open(&f->client, &f->bench, &f->bench.olga, "olga-1");
    tell(f, SERVER_CONTROL, VERB_STOP);
    serve(f, 1);
    expect_refused(f, "denied", "STOP");
    assert_int_equal(f->n_handled, 0);
    assert_int_equal(server_stats(f->server).n_refused, 1);
    tell(f, SERVER_CONTROL, VERB_STATUS);
    serve(f, 1);
    assert_int_equal(f->peer.role, ROLE_OBSERVER);
    assert_int_equal(f->n_handled, 1);
}

/* Somebody may answer what we say with what sheep say; nobody answers that. */
static void test_words_of_a_sheep_are_refused_in_silence(void **state)
{
    struct fixture *f = *state;

    node_client_open(&f->client, &f->bench, &f->bench.ann, "herd-1");
    tell(f, SERVER_CONTROL, VERB_READY);
    serve(f, 1);
    assert_int_equal(f->n_handled, 0);
    assert_int_equal(server_stats(f->server).n_refused, 1);
    assert_int_equal(node_client_hear(&f->client, SERVER_CONTROL, 50), VERB_NONE);
}

/* Sends frames that proto_encode would not make; frame `i` is replaced. */
static void tell_torn(struct fixture *f, size_t i, const void *data, size_t size,
                      size_t n_frames)
{
    struct proto_encoded encoded;

    f->client.token.seq++;
    assert_int_equal(
        proto_encode(&encoded, VERB_STATUS, &f->client.token, NULL, NOTHING, &f->err), 0);
    encoded.frames[i] = (struct proto_frame){ data, size };
    encoded.n_frames = n_frames;
    assert_int_equal(wire_send(f->client.sockets[SERVER_CONTROL], "sheep0", &encoded, &f->err),
                     0);
    proto_encoded_fini(&encoded);
    serve(f, 1);
}

static void test_torn_frames_are_refused_and_the_next_message_is_heard(void **state)
{
    static const char BODY[70000] = "node: [";
    struct fixture *f = *state;

    node_client_open(&f->client, &f->bench, &f->bench.ann, "herd-1");
    tell(f, SERVER_CONTROL, VERB_STATUS);
    serve(f, 1);
    assert_int_equal(node_client_hear(&f->client, SERVER_CONTROL, NODE_BENCH_WAIT_MS),
                     VERB_STATE);
    tell_torn(f, 0, "BW9", 3, 4);   /* another version */
    tell_torn(f, 1, "FLY", 3, 4);   /* no such verb */
    tell_torn(f, 2, "short", 5, 4); /* token */
    tell_torn(f, 3, BODY, 7, 4);    /* YAML that does not parse */
    tell_torn(f, 3, BODY, sizeof(BODY), 4);
    tell_torn(f, 3, "", 0, 1); /* frames are missing */
    tell_torn(f, 3, "", 0, 2);
    assert_int_equal(f->n_handled, 1);
    assert_int_equal(server_stats(f->server).n_refused, 7);
    tell(f, SERVER_CONTROL, VERB_STATUS);
    serve(f, 1);
    assert_int_equal(f->n_handled, 2);
}

static void test_a_body_that_is_wrong_is_answered_with_the_place(void **state)
{
    struct fixture *f = *state;

    node_client_open(&f->client, &f->bench, &f->bench.ann, "herd-1");
    tell(f, SERVER_CONTROL, VERB_STATUS);
    serve(f, 1);
    assert_int_equal(node_client_hear(&f->client, SERVER_CONTROL, NODE_BENCH_WAIT_MS),
                     VERB_STATE);
    tell_torn(f, 3, "wings: 2", 8, 4);
    expect_refused(f, "input", "wings");
}

static void test_a_revoked_key_is_heard_no_more(void **state)
{
    struct fixture *f = *state;
    char path[TEMP_PATH_SIZE];

    node_client_open(&f->client, &f->bench, &f->bench.ann, "herd-1");
    tell(f, SERVER_CONTROL, VERB_STATUS);
    serve(f, 1);
    assert_int_equal(f->n_handled, 1);
    temp_folder_path(f->bench.folder, "authorized/ann.pub", path);
    assert_int_equal(unlink(path), 0);
    server_refresh_keys(f->server);
    tell(f, SERVER_CONTROL, VERB_STATUS); /* the connection still stands */
    serve(f, 1);
    assert_int_equal(f->n_handled, 1);
    assert_int_equal(server_stats(f->server).n_refused, 1);
}

static void test_too_many_messages_are_refused_but_not_those_of_others(void **state)
{
    enum {
        COUNT = 1400,
        PIECE = 100
    };
    struct fixture *f = *state;
    struct node_client other;
    struct server_stats stats;
    int64_t begin_ns = clock_mono_ns();
    int64_t earned = 0;

    node_client_open(&f->client, &f->bench, &f->bench.ann, "herd-1");
    for (int i = 0; i < COUNT; i += PIECE) {
        for (int k = 0; k < PIECE; k++) {
            tell(f, SERVER_CONTROL, VERB_GO); /* the handler of this test does not answer it */
        }
        serve(f, PIECE);
    }
    stats = server_stats(f->server);
    earned = (clock_mono_ns() - begin_ns) * SERVER_RATE_PER_S / NS_PER_S + 1;
    assert_int_equal(stats.n_messages + stats.n_over_rate, COUNT);
    assert_int_equal(stats.n_refused, stats.n_over_rate);
    assert_true(stats.n_messages >= SERVER_BURST);
    assert_true((int64_t)stats.n_messages <= SERVER_BURST + earned);
    node_client_open(&other, &f->bench, &f->bench.bob, "herd-2");
    node_client_tell(&other, SERVER_CONTROL, VERB_STATUS, NULL, NOTHING);
    serve(f, 1);
    assert_string_equal(f->peer.name, "bob");
    node_client_close(&other);
}

/* One message, and whether the peer was still known. */
static bool is_remembered(struct fixture *f, enum server_port port)
{
    tell(f, port, VERB_STATUS);
    serve(f, 1);
    return f->peer.takes_over;
}

/* Two places are those of the first client, at both doors. */
static void test_who_was_silent_longest_is_forgotten_when_places_run_out(void **state)
{
    struct fixture *f = *state;

    node_client_open(&f->client, &f->bench, &f->bench.ann, "herd-0");
    f->takes_over = true; /* what the handler leaves with a peer */
    assert_false(is_remembered(f, SERVER_BULK));
    assert_false(is_remembered(f, SERVER_CONTROL)); /* another door, another connection */
    f->takes_over = false;
    for (int i = 2; i <= SERVER_MAX_PEERS; i++) {
        struct node_client other;
        char id[32];

        if (i == SERVER_MAX_PEERS) {
            assert_true(is_remembered(f, SERVER_CONTROL)); /* all places are taken */
        }
        snprintf(id, sizeof(id), "herd-%d", i);
        node_client_open(&other, &f->bench, &f->bench.ann, id);
        node_client_tell(&other, SERVER_CONTROL, VERB_STATUS, NULL, NOTHING);
        serve(f, 1);
        assert_string_equal(f->peer.id, id);
        assert_false(f->peer.takes_over);
        node_client_close(&other);
    }
    assert_true(is_remembered(f, SERVER_CONTROL));
    assert_false(is_remembered(f, SERVER_BULK));
}

static void test_nobody_behind_an_id_is_told(void **state)
{
    struct fixture *f = *state;
    struct proto_token token = { 0 };
    struct proto_encoded encoded;

    assert_int_equal(proto_encode(&encoded, VERB_STATE, &token, NULL, NOTHING, &f->err), 0);
    assert_int_equal(server_send(f->server, SERVER_BULK, "nobody", &encoded, &f->err), -1);
    assert_int_equal(f->err.code, ERR_UNREACHABLE);
    proto_encoded_fini(&encoded);
}

static void test_a_door_that_cannot_be_opened_is_named(void **state)
{
    struct fixture *f = *state;
    char port[32];

    assert_null(server_open(&f->options, &f->err)); /* the ports are taken */
    snprintf(port, sizeof(port), "127.0.0.1:%u", f->bench.config.port);
    assert_non_null(strstr(f->err.text, port));
    assert_int_equal(unlink(f->bench.config.secret_key), 0);
    assert_null(server_open(&f->options, &f->err));
    assert_non_null(strstr(f->err.text, f->bench.config.secret_key));
    snprintf(f->bench.config.authorized, sizeof(f->bench.config.authorized), "/nowhere/keys");
    assert_null(server_open(&f->options, &f->err));
    assert_non_null(strstr(f->err.text, "/nowhere/keys"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_both_doors_say_who_is_behind_them),
        TEST(test_users_have_numbers_of_their_own),
        TEST(test_what_a_role_may_not_say_is_refused_with_an_answer),
        TEST(test_words_of_a_sheep_are_refused_in_silence),
        TEST(test_torn_frames_are_refused_and_the_next_message_is_heard),
        TEST(test_a_body_that_is_wrong_is_answered_with_the_place),
        TEST(test_a_revoked_key_is_heard_no_more),
        TEST(test_too_many_messages_are_refused_but_not_those_of_others),
        TEST(test_who_was_silent_longest_is_forgotten_when_places_run_out),
        TEST(test_nobody_behind_an_id_is_told),
        TEST(test_a_door_that_cannot_be_opened_is_named),
    };

    wire_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
