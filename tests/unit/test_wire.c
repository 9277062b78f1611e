/* SPDX-License-Identifier: MIT */
/* Doors, with real sockets on loopback: who gets in and who does not. */
#include "common/wire.h"
#include "common/zap.h"

#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    ARRIVES_MS = 5000, /* what must come; never waited for in full */
    STAYS_OUT_MS = 300 /* what must not */
};

static const struct proto_token TOKEN = { .seq = 7 };
static const struct proto_frame NOTHING = { NULL, 0 };

struct world {
    char folder[64];
    struct key_pair node;
    struct key_pair ann; /* authorized operator */
    struct key_pair eve; /* a stranger */
    struct zap *zap;
    zsock_t *server;
    char endpoint[64];
};

static void hush(enum log_level level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    (void)arg;
}

static void authorize(struct world *world, const struct key_pair *pair)
{
    char path[160];
    struct err err = { 0 };

    snprintf(path, sizeof(path), "%s/%s.pub", world->folder, pair->name);
    assert_int_equal(key_save_public(pair, path, &err), 0);
}

static void revoke_key(struct world *world, const struct key_pair *pair)
{
    char path[160];

    snprintf(path, sizeof(path), "%s/%s.pub", world->folder, pair->name);
    assert_int_equal(unlink(path), 0);
}

static void open_server(struct world *world)
{
    struct err err = { 0 };
    char *endpoint = NULL;

    world->server = wire_bind(ZMQ_ROUTER, "tcp://127.0.0.1:*", &world->node, &err);
    assert_non_null(world->server);
    endpoint = zsock_last_endpoint(world->server);
    snprintf(world->endpoint, sizeof(world->endpoint), "%s", endpoint);
    zstr_free(&endpoint);
}

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    struct err err = { 0 };

    assert_non_null(world);
    log_set_sink(hush, NULL);
    snprintf(world->folder, sizeof(world->folder), "/tmp/test_wire.XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    assert_int_equal(key_generate(&world->node, "sheep0", ROLE_SHEEP, &err), 0);
    assert_int_equal(key_generate(&world->ann, "ann", ROLE_OPERATOR, &err), 0);
    assert_int_equal(key_generate(&world->eve, "eve", ROLE_OPERATOR, &err), 0);
    authorize(world, &world->ann);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    char command[128];

    zsock_destroy(&world->server);
    zap_stop(&world->zap);
    snprintf(command, sizeof(command), "rm -r '%s'", world->folder);
    log_set_sink(NULL, NULL);
    free(world);
    return system(command);
}

static void open_doors(struct world *world)
{
    struct err err = { 0 };

    world->zap = zap_start(world->folder, &err);
    assert_non_null(world->zap);
    open_server(world);
}

static bool has_input(zsock_t *socket, int timeout_ms)
{
    zmq_pollitem_t item = { .socket = zsock_resolve(socket), .events = ZMQ_POLLIN };

    return zmq_poll(&item, 1, timeout_ms) == 1;
}

/* Sends STATUS and says whether it arrived within the time; the server's view is in *got. */
static bool status_arrives(struct world *world, zsock_t *client, int timeout_ms,
                           struct wire_message *got)
{
    int64_t end_ns = clock_mono_ns() + timeout_ms * NS_PER_MS;
    struct err err = { 0 };

    while (clock_mono_ns() < end_ns) {
        if (wire_tell(client, "sheep0", VERB_STATUS, &TOKEN, NULL, NOTHING, &err) == 0
            && has_input(world->server, timeout_ms)) {
            return wire_recv(world->server, got, &err) == 1;
        }
        has_input(world->server, 10);
    }
    return false;
}

static zsock_t *client_of(struct world *world, const struct key_pair *pair,
                          const char *server_key)
{
    struct err err = { 0 };
    zsock_t *client = wire_client(ZMQ_ROUTER, pair, pair->name, &err);

    assert_non_null(client);
    assert_int_equal(wire_connect(client, world->endpoint, server_key, "sheep0", &err), 0);
    return client;
}

static bool gets_in(struct world *world, const struct key_pair *pair, const char *server_key,
                    int timeout_ms)
{
    struct wire_message got;
    zsock_t *client = client_of(world, pair, server_key);
    bool is_in = status_arrives(world, client, timeout_ms, &got);

    if (is_in) {
        wire_message_fini(&got);
    }
    zsock_destroy(&client);
    return is_in;
}

static void test_an_authorized_key_talks_both_ways(void **state)
{
    struct world *world = *state;
    struct body_refused refused = { .why = "just so", .code = "state" };
    struct proto_message message;
    struct wire_message got;
    struct zap_stats stats;
    struct err err = { 0 };
    zsock_t *client = NULL;

    open_doors(world);
    client = client_of(world, &world->ann, world->node.public_key);
    assert_true(status_arrives(world, client, ARRIVES_MS, &got));
    assert_string_equal(got.peer_id, "ann");
    assert_string_equal(got.user, world->ann.public_key);
    assert_int_equal(proto_decode(&message, got.frames, got.n_frames, ROLE_OPERATOR, &err), 0);
    assert_int_equal(message.verb, VERB_STATUS);
    assert_int_equal(message.token.seq, TOKEN.seq);
    assert_int_equal(wire_tell(world->server, got.peer_id, VERB_REFUSED, &message.token,
                               &refused, NOTHING, &err),
                     0);
    wire_message_fini(&got);
    assert_true(has_input(client, ARRIVES_MS));
    assert_int_equal(wire_recv(client, &got, &err), 1);
    assert_string_equal(got.peer_id, "sheep0");
    assert_int_equal(proto_decode(&message, got.frames, got.n_frames, ROLE_SHEEP, &err), 0);
    assert_string_equal(PROTO_BODY(&message, body_refused)->why, "just so");
    wire_message_fini(&got);
    assert_int_equal(wire_recv(client, &got, &err), 0);
    assert_int_equal(zap_check(world->zap, &stats, &err), 0);
    assert_int_equal(stats.n_accepted, 1);
    assert_int_equal(stats.n_refused, 0);
    assert_int_equal(stats.n_keys, 1);
    zsock_destroy(&client);
}

static void test_a_stranger_stays_out(void **state)
{
    struct world *world = *state;
    struct zap_stats stats;
    struct err err = { 0 };

    open_doors(world);
    assert_false(gets_in(world, &world->eve, world->node.public_key, STAYS_OUT_MS));
    assert_int_equal(zap_check(world->zap, &stats, &err), 0);
    assert_true(stats.n_refused > 0);
    assert_int_equal(stats.n_accepted, 0);
    /* And the door still opens for who belongs here. */
    assert_true(gets_in(world, &world->ann, world->node.public_key, ARRIVES_MS));
}

static void test_a_node_with_another_key_is_not_talked_to(void **state)
{
    struct world *world = *state;

    open_doors(world);
    assert_false(gets_in(world, &world->ann, world->eve.public_key, STAYS_OUT_MS));
    assert_true(gets_in(world, &world->ann, world->node.public_key, ARRIVES_MS));
}

static void test_a_stolen_public_key_without_its_secret_stays_out(void **state)
{
    struct world *world = *state;
    struct key_pair thief = world->eve;

    open_doors(world);
    snprintf(thief.public_key, sizeof(thief.public_key), "%s", world->ann.public_key);
    assert_false(gets_in(world, &thief, world->node.public_key, STAYS_OUT_MS));
}

static void test_a_plain_client_stays_out(void **state)
{
    struct world *world = *state;
    zsock_t *plain = NULL;

    open_doors(world);
    plain = zsock_new(ZMQ_DEALER);
    zsock_set_linger(plain, 0);
    assert_int_equal(zsock_connect(plain, "%s", world->endpoint), 0);
    zsock_send(plain, "ssss", "BW1", "STATUS", "", "");
    assert_false(has_input(world->server, STAYS_OUT_MS));
    zsock_destroy(&plain);
}

static void test_without_a_doorkeeper_the_door_is_closed(void **state)
{
    struct world *world = *state;

    open_server(world);
    assert_false(gets_in(world, &world->ann, world->node.public_key, STAYS_OUT_MS));
}

static void test_when_the_doorkeeper_dies_the_door_closes(void **state)
{
    struct world *world = *state;

    open_doors(world);
    assert_true(gets_in(world, &world->ann, world->node.public_key, ARRIVES_MS));
    zap_stop(&world->zap);
    assert_false(gets_in(world, &world->ann, world->node.public_key, STAYS_OUT_MS));
}

static void test_keys_come_and_go_without_a_restart(void **state)
{
    struct world *world = *state;

    open_doors(world);
    authorize(world, &world->eve);
    revoke_key(world, &world->ann);
    zclock_sleep(150); /* the folder is read again at most every 100 ms */
    assert_true(gets_in(world, &world->eve, world->node.public_key, ARRIVES_MS));
    assert_false(gets_in(world, &world->ann, world->node.public_key, STAYS_OUT_MS));
}

static void test_a_second_doorkeeper_is_an_error(void **state)
{
    struct world *world = *state;
    struct err err = { 0 };

    open_doors(world);
    assert_null(zap_start(world->folder, &err));
    assert_int_equal(err.code, ERR_SYSTEM);
    assert_null(zap_start("/nonexistent", &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_true(gets_in(world, &world->ann, world->node.public_key, ARRIVES_MS));
}

/* A client that holds a key but not to the form. */
static zsock_t *odd_client(struct world *world, const char *id)
{
    struct err err = { 0 };
    zsock_t *client = wire_client(ZMQ_DEALER, &world->ann, NULL, &err);

    assert_non_null(client);
    if (id != NULL) {
        zsock_set_identity(client, id);
    }
    assert_int_equal(wire_connect(client, world->endpoint, world->node.public_key, NULL, &err),
                     0);
    return client;
}

static void test_odd_messages_are_read_to_their_end(void **state)
{
    struct world *world = *state;
    zsock_t *marked = NULL;
    zsock_t *wordy = NULL;
    struct wire_message got;
    struct err err = { 0 };

    open_doors(world);
    marked = odd_client(world, "@0badcafe"); /* as if we had given it */
    zsock_send(marked, "ssss", "BW1", "STATUS", "", "");
    assert_true(has_input(world->server, ARRIVES_MS));
    assert_int_equal(wire_recv(world->server, &got, &err), -1);
    assert_non_null(strstr(err.text, "routing id"));
    wordy = odd_client(world, "wordy");
    zsock_send(wordy, "ssssssss", "BW1", "STATUS", "", "", "", "", "", "last");
    assert_true(has_input(world->server, ARRIVES_MS));
    assert_int_equal(wire_recv(world->server, &got, &err), -1);
    assert_non_null(strstr(err.text, "8 frames"));
    zsock_send(wordy, "ss", "BW1", "STATUS");
    assert_true(has_input(world->server, ARRIVES_MS));
    assert_int_equal(wire_recv(world->server, &got, &err), 1);
    assert_int_equal(got.n_frames, 2);
    assert_string_equal(got.peer_id, "wordy");
    wire_message_fini(&got);
    zsock_destroy(&marked);
    zsock_destroy(&wordy);
}

static void test_an_id_that_was_given_is_text_and_leads_back(void **state)
{
    struct world *world = *state;
    const struct body_refused body = { .why = "back" };
    struct proto_message message;
    struct wire_message got = { 0 };
    struct err err = { 0 };
    zsock_t *client = NULL;

    open_doors(world);
    client = wire_client(ZMQ_ROUTER, &world->ann, NULL, &err);
    assert_int_equal(
        wire_connect(client, world->endpoint, world->node.public_key, "sheep0", &err), 0);
    assert_true(status_arrives(world, client, ARRIVES_MS, &got));
    assert_int_equal(got.peer_id[0], '@');
    assert_int_equal(strlen(got.peer_id), 9);
    assert_int_equal(
        wire_tell(world->server, got.peer_id, VERB_REFUSED, &TOKEN, &body, NOTHING, &err), 0);
    wire_message_fini(&got);
    assert_true(has_input(client, ARRIVES_MS));
    assert_int_equal(wire_recv(client, &got, &err), 1);
    assert_int_equal(proto_decode(&message, got.frames, got.n_frames, ROLE_SHEEP, &err), 0);
    assert_string_equal(PROTO_BODY(&message, body_refused)->why, "back");
    wire_message_fini(&got);
    assert_int_equal(
        wire_tell(world->server, "@00000000", VERB_REFUSED, &TOKEN, &body, NOTHING, &err), -1);
    assert_int_equal(
        wire_tell(world->server, "@no hex", VERB_REFUSED, &TOKEN, &body, NOTHING, &err), -1);
    zsock_destroy(&client);
}

static void test_a_chosen_id_belongs_to_who_came_first(void **state)
{
    struct world *world = *state;
    const struct body_refused body = { .why = "for the first" };
    struct wire_message got;
    struct err err = { 0 };
    zsock_t *first = NULL;
    zsock_t *second = NULL;

    open_doors(world);
    first = odd_client(world, "chosen");
    zsock_send(first, "ss", "BW1", "STATUS");
    assert_true(has_input(world->server, ARRIVES_MS));
    assert_int_equal(wire_recv(world->server, &got, &err), 1);
    wire_message_fini(&got);
    second = odd_client(world, "chosen");
    zsock_send(second, "ss", "BW1", "STATUS");
    assert_false(has_input(world->server, STAYS_OUT_MS));
    assert_int_equal(
        wire_tell(world->server, "chosen", VERB_REFUSED, &TOKEN, &body, NOTHING, &err), 0);
    assert_true(has_input(first, ARRIVES_MS));
    assert_false(has_input(second, 100));
    zsock_destroy(&first);
    zsock_destroy(&second);
}

static void test_a_frame_beyond_the_limit_is_not_taken(void **state)
{
    struct world *world = *state;
    zsock_t *client = NULL;
    zframe_t *frame = zframe_new(NULL, (size_t)2 * PROTO_MAX_PAYLOAD);

    open_doors(world);
    client = odd_client(world, "big");
    memset(zframe_data(frame), 0, zframe_size(frame));
    zframe_send(&frame, client, 0);
    assert_false(has_input(world->server, STAYS_OUT_MS));
    zsock_destroy(&client);
}

static void test_a_connection_with_unread_words_is_not_taken_away(void **state)
{
    struct world *world = *state;
    struct wire_message got;
    struct err err = { 0 };
    zsock_t *client = NULL;

    open_doors(world);
    client = client_of(world, &world->ann, world->node.public_key);
    assert_true(status_arrives(world, client, ARRIVES_MS, &got));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            wire_tell(world->server, got.peer_id, VERB_CANCELLED, &TOKEN, NULL, NOTHING, &err),
            0);
    }
    wire_message_fini(&got);
    assert_true(has_input(client, ARRIVES_MS)); /* a part of the first is read by now */
    assert_int_equal(wire_disconnect(client, world->endpoint, &err), -1);
    assert_int_equal(err.code, ERR_STATE);
    while (wire_disconnect(client, world->endpoint, &err) < 0) {
        assert_int_equal(wire_recv(client, &got, &err), 1);
        wire_message_fini(&got);
    }
    assert_int_equal(wire_disconnect(client, world->endpoint, &err), 0); /* nor twice */
    assert_int_equal(wire_recv(client, &got, &err), 0);
    assert_false(has_input(client, 100));
    zsock_destroy(&client);
}

static void test_what_cannot_be_sent_says_why(void **state)
{
    struct world *world = *state;
    struct err err = { 0 };
    zsock_t *client = NULL;
    int result = 0;

    open_doors(world);
    assert_int_equal(
        wire_tell(world->server, "nobody", VERB_CANCELLED, &TOKEN, NULL, NOTHING, &err), -1);
    assert_int_equal(err.code, ERR_UNREACHABLE);
    client = wire_client(ZMQ_ROUTER, &world->ann, NULL, &err);
    assert_int_equal(wire_connect(client, world->endpoint, "no key", "sheep0", &err), -1);
    assert_int_equal(err.code, ERR_INPUT);
    assert_int_equal(wire_connect(client, "nonsense", world->node.public_key, "sheep0", &err),
                     -1);
    /* Nobody listens at this port; messages queue up to the limit, then nothing is lost
     * silently. */
    assert_int_equal(
        wire_connect(client, "tcp://127.0.0.1:1", world->node.public_key, "sheep1", &err), 0);
    for (int i = 0; i < 2 * WIRE_QUEUE_MESSAGES && result == 0; i++) {
        result = wire_tell(client, "sheep1", VERB_STATUS, &TOKEN, NULL, NOTHING, &err);
    }
    assert_int_equal(result, -1);
    assert_int_equal(err.code, ERR_STATE);
    zsock_destroy(&client);
    assert_null(wire_bind(ZMQ_ROUTER, world->endpoint, &world->node, &err));
}

static void test_limits_are_raised_or_named(void **state)
{
    struct rlimit limit;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(wire_limits(10, &err), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(limit.rlim_cur >= 30);
    if (limit.rlim_max != RLIM_INFINITY) {
        assert_int_equal(wire_limits(limit.rlim_max, &err), -1);
        assert_non_null(strstr(err.text, "ulimit"));
    }
}

#define DOOR_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits_are_raised_or_named),
        DOOR_TEST(test_an_authorized_key_talks_both_ways),
        DOOR_TEST(test_a_stranger_stays_out),
        DOOR_TEST(test_a_node_with_another_key_is_not_talked_to),
        DOOR_TEST(test_a_stolen_public_key_without_its_secret_stays_out),
        DOOR_TEST(test_a_plain_client_stays_out),
        DOOR_TEST(test_without_a_doorkeeper_the_door_is_closed),
        DOOR_TEST(test_when_the_doorkeeper_dies_the_door_closes),
        DOOR_TEST(test_keys_come_and_go_without_a_restart),
        DOOR_TEST(test_a_second_doorkeeper_is_an_error),
        DOOR_TEST(test_odd_messages_are_read_to_their_end),
        DOOR_TEST(test_an_id_that_was_given_is_text_and_leads_back),
        DOOR_TEST(test_a_chosen_id_belongs_to_who_came_first),
        DOOR_TEST(test_a_frame_beyond_the_limit_is_not_taken),
        DOOR_TEST(test_a_connection_with_unread_words_is_not_taken_away),
        DOOR_TEST(test_what_cannot_be_sent_says_why),
    };

    zsys_handler_set(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
