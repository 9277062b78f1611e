/* SPDX-License-Identifier: MIT */
/* A flock and played nodes on one loop, with real sockets and keys. */
#include "herd/flock.h"

#include "common/log.h"
#include "common/wire.h"
#include "common/zap.h"

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
    N = 2,
    LIMIT_MS = 8000
};

struct stage;

struct part {
    struct stage *stage;
    struct key_pair key;
    zsock_t *control;
    zsock_t *bulk;
    uint64_t boot_id;
    bool is_mute;       /* but for HELLO and PING */
    unsigned n_dropped; /* questions still to be lost */
    unsigned n_asked;
    unsigned n_beats;
    uint32_t last_seq;
    unsigned n_repeated; /* with the number of the one before */
    char beat_state[PROTO_NAME_SIZE];
    size_t n_bulk_bytes;
    bool speaks_after_restart; /* at the next question */
};

struct stage {
    char folder[64];
    struct key_pair key;
    struct zap *zap;
    struct part parts[N];
    struct inventory_node nodes[N];
    const struct inventory_node *members[N];
    struct herd_flock *flock;
    /* what the flock told */
    unsigned news[N][4];
    unsigned n_messages;
    unsigned n_bulk;
    unsigned n_answers[N];
    unsigned n_nulls[N];
    unsigned n_done;
    bool (*until)(const struct stage *stage);
    int64_t deadline_ns;
};

static void hush(enum log_level level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    (void)arg;
}

/* ---- nodes ---- */

static void reply(struct part *part, zsock_t *socket, const struct wire_message *got,
                  const struct proto_message *message, enum proto_verb verb, const void *body)
{
    struct proto_token token = message->token;
    const struct proto_frame nothing = { NULL, 0 };
    struct err err;

    token.boot_id = part->boot_id;
    assert_int_equal(wire_tell(socket, got->peer_id, verb, &token, body, nothing, &err), 0);
}

static void play_control(struct part *part, const struct wire_message *got,
                         const struct proto_message *message)
{
    struct body_welcome welcome = { .boot_id = part->boot_id, .node = "n", .version = "0" };
    struct body_state state = { .node = "n", .state = "idle", .n_samples = 42 };

    snprintf(welcome.state, sizeof(welcome.state), "idle");
    snprintf(welcome.board, sizeof(welcome.board), "sim");
    if (message->verb == VERB_HELLO) {
        reply(part, part->control, got, message, VERB_WELCOME, &welcome);
        return;
    }
    if (part->speaks_after_restart && message->verb == VERB_STATUS) {
        part->speaks_after_restart = false;
        part->boot_id = 900;
        reply(part, part->control, got, message, VERB_STATE, &state);
        return;
    }
    if (message->token.boot_id != part->boot_id) {
        return;
    }
    if (message->verb == VERB_PING) {
        const struct body_clock *beat = PROTO_CONST_BODY(message, body_clock);

        part->n_beats++;
        snprintf(part->beat_state, sizeof(part->beat_state), "%s", beat->state);
        reply(part, part->control, got, message, VERB_PONG, beat);
        return;
    }
    part->n_asked++;
    part->n_repeated += message->token.seq == part->last_seq ? 1 : 0;
    part->last_seq = message->token.seq;
    if (part->n_dropped > 0) {
        part->n_dropped--;
    } else if (!part->is_mute) {
        reply(part, part->control, got, message, VERB_STATE, &state);
    }
}

static int on_node(zloop_t *loop, zsock_t *socket, void *arg)
{
    struct part *part = arg;
    struct proto_message message;
    struct wire_message got;
    struct err err;

    (void)loop;
    while (wire_recv(socket, &got, &err) > 0) {
        assert_int_equal(proto_decode(&message, got.frames, got.n_frames, ROLE_OPERATOR, &err),
                         0);
        if (socket == part->control) {
            play_control(part, &got, &message);
        } else {
            struct body_have stored = *PROTO_CONST_BODY(&message, body_have);

            part->n_bulk_bytes += message.payload.size;
            reply(part, part->bulk, &got, &message, VERB_STORED, &stored);
        }
        wire_message_fini(&got);
    }
    return 0;
}

/* ---- herd ---- */

static void on_news(void *arg, size_t i, enum flock_news news)
{
    ((struct stage *)arg)->news[i][news]++;
}

static void on_message(void *arg, size_t i, const struct flock_message *message)
{
    (void)i;
    ((struct stage *)arg)->n_messages += message->message->verb == VERB_PONG ? 1 : 0;
}

static void on_bulk(void *arg, size_t i, const struct flock_message *message)
{
    (void)i;
    ((struct stage *)arg)->n_bulk += message->message->verb == VERB_STORED ? 1 : 0;
}

static const char *beat_state(void *arg, size_t i)
{
    (void)arg;
    return i == 0 ? "running" : "";
}

static void on_answer(void *arg, size_t i, const struct flock_message *message)
{
    struct stage *stage = arg;

    if (message == NULL) {
        stage->n_nulls[i]++;
    } else {
        assert_int_equal(message->message->verb, VERB_STATE);
        assert_int_equal(PROTO_CONST_BODY(message->message, body_state)->n_samples, 42);
        stage->n_answers[i]++;
    }
}

static void on_done(void *arg)
{
    ((struct stage *)arg)->n_done++;
}

static int on_tick(zloop_t *loop, int timer_id, void *arg)
{
    struct stage *stage = arg;

    (void)loop;
    (void)timer_id;
    if (stage->until(stage) || clock_mono_ns() > stage->deadline_ns) {
        flock_pause(stage->flock);
        return -1;
    }
    return 0;
}

static void wait_until(struct stage *stage, bool (*until)(const struct stage *stage))
{
    stage->until = until;
    stage->deadline_ns = clock_mono_ns() + LIMIT_MS * NS_PER_MS;
    assert_int_equal(flock_run(stage->flock), 0);
    assert_true(until(stage));
}

static bool are_welcome(const struct stage *stage)
{
    return flock_session(stage->flock, 0)->is_welcome
           && flock_session(stage->flock, 1)->is_welcome;
}

static bool is_done(const struct stage *stage)
{
    return stage->n_done > 0;
}

/* ---- set-up ---- */

static zsock_t *bind_port(const struct key_pair *key, unsigned port)
{
    char endpoint[64];
    struct err err;

    snprintf(endpoint, sizeof(endpoint), "tcp://127.0.0.1:%u", port);
    return wire_bind(ZMQ_ROUTER, endpoint, key, &err);
}

/* Two ports beside each other that nobody has; each is tried once in this process. */
static uint16_t bind_both(struct part *part)
{
    static unsigned next;

    next = next != 0 ? next : 20000 + (unsigned)getpid() % 10000;
    for (int tries = 0; tries < 500; tries++) {
        next += 2;
        part->control = bind_port(&part->key, next);
        part->bulk = part->control != NULL ? bind_port(&part->key, next + 1) : NULL;
        if (part->bulk != NULL) {
            return (uint16_t)next;
        }
        zsock_destroy(&part->control);
    }
    fail_msg("no free ports");
    return 0;
}

static void open_part(struct stage *stage, size_t i)
{
    struct part *part = &stage->parts[i];
    struct err err;

    part->stage = stage;
    part->boot_id = 100 + i;
    assert_int_equal(key_generate(&part->key, "n", ROLE_SHEEP, &err), 0);
    stage->nodes[i].port = bind_both(part);
    snprintf(stage->nodes[i].name, sizeof(stage->nodes[i].name), "n%zu", i);
    snprintf(stage->nodes[i].host, sizeof(stage->nodes[i].host), "127.0.0.1");
    memcpy(stage->nodes[i].public_key, part->key.public_key, sizeof(part->key.public_key));
    stage->members[i] = &stage->nodes[i];
}

static int set_up(void **state)
{
    struct stage *stage = calloc(1, sizeof(*stage));
    char path[128];
    struct err err;
    struct flock_config config = { .n_nodes = N,
                                   .name = "test",
                                   .experiment = 5,
                                   .controller = 6,
                                   .on_news = on_news,
                                   .on_message = on_message,
                                   .on_bulk = on_bulk,
                                   .beat_state = beat_state };

    log_set_sink(hush, NULL);
    snprintf(stage->folder, sizeof(stage->folder), "/tmp/bw-flock-XXXXXX");
    assert_non_null(mkdtemp(stage->folder));
    assert_int_equal(key_generate(&stage->key, "test", ROLE_OPERATOR, &err), 0);
    snprintf(path, sizeof(path), "%s/test.pub", stage->folder);
    assert_int_equal(key_save_public(&stage->key, path, &err), 0);
    stage->zap = zap_start(stage->folder, &err);
    assert_non_null(stage->zap);
    for (size_t i = 0; i < N; i++) {
        open_part(stage, i);
    }
    config.nodes = stage->members;
    config.key = &stage->key;
    config.arg = stage;
    stage->flock = flock_open(&config, &err);
    assert_non_null(stage->flock);
    for (size_t i = 0; i < N; i++) {
        zloop_reader(flock_loop(stage->flock), stage->parts[i].control, on_node,
                     &stage->parts[i]);
        zloop_reader(flock_loop(stage->flock), stage->parts[i].bulk, on_node, &stage->parts[i]);
    }
    zloop_timer(flock_loop(stage->flock), 5, 0, on_tick, stage);
    wait_until(stage, are_welcome);
    *state = stage;
    return 0;
}

static int tear_down(void **state)
{
    struct stage *stage = *state;
    char path[128];

    flock_close(&stage->flock);
    for (size_t i = 0; i < N; i++) {
        zsock_destroy(&stage->parts[i].control);
        zsock_destroy(&stage->parts[i].bulk);
    }
    zap_stop(&stage->zap);
    snprintf(path, sizeof(path), "%s/test.pub", stage->folder);
    unlink(path);
    rmdir(stage->folder);
    free(stage);
    log_set_sink(NULL, NULL);
    return 0;
}

static void ask_all(struct stage *stage, uint32_t timeout_ms, uint32_t again_ms)
{
    const struct flock_request request = { .verb = VERB_STATUS,
                                           .timeout_ms = timeout_ms,
                                           .again_ms = again_ms,
                                           .answer = on_answer,
                                           .arg = stage };
    struct err err;

    assert_int_equal(flock_request_all(stage->flock, &request, NULL, on_done, &err), 0);
    wait_until(stage, is_done);
}

/* ---- tests ---- */

static void test_all_answer_and_done_is_said_once(void **state)
{
    struct stage *stage = *state;

    ask_all(stage, 5000, 1000);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(stage->n_answers[i], 1);
        assert_int_equal(stage->n_nulls[i], 0);
        assert_true(stage->news[i][FLOCK_WELCOMED] >= 1);
    }
    assert_int_equal(stage->n_done, 1);
}

static void test_a_mute_node_times_out_alone(void **state)
{
    struct stage *stage = *state;

    stage->parts[1].is_mute = true;
    ask_all(stage, 400, 100);
    assert_int_equal(stage->n_answers[0], 1);
    assert_int_equal(stage->n_answers[1], 0);
    assert_int_equal(stage->n_nulls[1], 1);
    assert_int_equal(stage->n_done, 1);
}

static void test_a_lost_request_is_repeated_with_its_number(void **state)
{
    struct stage *stage = *state;

    stage->parts[0].n_dropped = 2;
    ask_all(stage, 5000, 100);
    assert_int_equal(stage->n_answers[0], 1);
    assert_true(stage->parts[0].n_asked >= 3);
    assert_true(stage->parts[0].n_repeated >= 2);
}

static bool has_nulls(const struct stage *stage)
{
    return stage->n_nulls[0] == 1 && stage->news[0][FLOCK_REBOOTED] == 1;
}

static bool has_beaten(const struct stage *stage)
{
    return stage->parts[0].n_beats > 0 && stage->parts[1].n_beats > 0 && stage->n_messages > 1;
}

static void test_heartbeats_tell_what_herd_thinks(void **state)
{
    struct stage *stage = *state;

    wait_until(stage, has_beaten);
    assert_string_equal(stage->parts[0].beat_state, "running");
    assert_string_equal(stage->parts[1].beat_state, "");
}

/* Its next word carries another boot id: herd greets it at once, and learns the rest. */
/* Stopped, or without a processor: the words that wait are heard before silence is counted. */
static int be_away(zloop_t *loop, int timer_id, void *arg)
{
    (void)loop;
    (void)timer_id;
    (void)arg;
    zclock_sleep(SESSION_SILENT_MS + 300);
    return 0;
}

static bool has_beaten_twice(const struct stage *stage)
{
    return stage->n_messages >= 2 * N;
}

static void test_who_does_not_listen_finds_nobody_silent(void **state)
{
    struct stage *stage = *state;

    zloop_timer(flock_loop(stage->flock), 1, 1, be_away, stage);
    wait_until(stage, has_beaten_twice);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(stage->news[i][FLOCK_SILENT], 0);
        assert_int_equal(flock_session(stage->flock, i)->link, SESSION_UP);
    }
}

static void test_a_restarted_node_fails_what_was_asked_and_is_news(void **state)
{
    struct stage *stage = *state;
    const struct flock_request request = { .verb = VERB_STATUS,
                                           .timeout_ms = 60000,
                                           .again_ms = 200,
                                           .answer = on_answer,
                                           .arg = stage };
    struct err err;

    stage->parts[0].is_mute = true;
    stage->parts[0].speaks_after_restart = true;
    assert_int_equal(flock_request(stage->flock, 0, &request, &err), 0);
    wait_until(stage, has_nulls);
    assert_int_equal(flock_session(stage->flock, 0)->boot_id, 900);
    assert_int_equal(stage->news[1][FLOCK_REBOOTED], 0);
}

static bool has_stored(const struct stage *stage)
{
    static const uint8_t bytes[3000];
    const struct body_have body = { .digest = "00", .size = sizeof(bytes) };

    if (stage->n_bulk == 0) {
        flock_tell_bulk(stage->flock, 1, VERB_PUT, &body,
                        (struct proto_frame){ bytes, sizeof(bytes) });
    }
    return stage->n_bulk > 0;
}

static void test_the_bulk_port_is_opened_on_demand(void **state)
{
    struct stage *stage = *state;

    wait_until(stage, has_stored);
    assert_true(stage->parts[1].n_bulk_bytes >= 3000);
    assert_int_equal(stage->parts[0].n_bulk_bytes, 0);
}

static void test_closing_answers_what_is_open(void **state)
{
    struct stage *stage = *state;
    const struct flock_request request = { .verb = VERB_STATUS,
                                           .timeout_ms = 60000,
                                           .again_ms = 1000,
                                           .answer = on_answer,
                                           .arg = stage };
    struct err err;

    stage->parts[0].is_mute = true;
    assert_int_equal(flock_request(stage->flock, 0, &request, &err), 0);
    for (size_t i = 0; i < N; i++) {
        zloop_reader_end(flock_loop(stage->flock), stage->parts[i].control);
        zloop_reader_end(flock_loop(stage->flock), stage->parts[i].bulk);
    }
    flock_close(&stage->flock);
    assert_int_equal(stage->n_nulls[0], 1);
}

static void test_a_node_without_a_key_is_refused_by_name(void **state)
{
    struct stage *stage = *state;
    struct flock_config config = {
        .nodes = stage->members, .n_nodes = N, .key = &stage->key, .name = "test"
    };
    struct err err = { 0 };

    stage->nodes[1].public_key[0] = '\0';
    assert_null(flock_open(&config, &err));
    assert_int_equal(err.code, ERR_INPUT);
    assert_non_null(strstr(err.text, "n1"));
}

static void test_numbers_are_counted(void **state)
{
    struct stage *stage = *state;
    struct flock_stats stats;

    ask_all(stage, 5000, 1000);
    stats = flock_stats(stage->flock);
    assert_true(stats.n_sent >= N && stats.n_received >= N);
    assert_int_equal(stats.n_refused, 0);
    assert_int_equal(stats.n_reconnects, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_answer_and_done_is_said_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_mute_node_times_out_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_lost_request_is_repeated_with_its_number, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_heartbeats_tell_what_herd_thinks, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_who_does_not_listen_finds_nobody_silent, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_restarted_node_fails_what_was_asked_and_is_news,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_bulk_port_is_opened_on_demand, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_closing_answers_what_is_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_node_without_a_key_is_refused_by_name, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_numbers_are_counted, set_up, tear_down),
    };

    wire_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
