/* SPDX-License-Identifier: MIT */
/* The node's publisher: silent without a listener, and what a subscriber gets. */
#include "sheep/live.h"

#include "common/log.h"
#include "common/wire.h"
#include "common/zap.h"
#include "sheep/log_tail.h"
#include "tests/support/caught.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    ARRIVES_MS = 5000,
    FIRST_PORT = 20000,
    LAST_PORT = 32000
};

struct bench {
    char folder[64];
    struct sheep_config config;
    struct key_pair key;
    struct key_pair node_key;
    struct zap *zap;
    struct live *live;
    zsock_t *listener;
    struct wire_message message;
};

static void hush(enum log_level level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    (void)arg;
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    char path[96];
    struct err err = { 0 };

    assert_non_null(bench);
    log_set_sink(hush, NULL);
    caught_make_folder("live", bench->folder, sizeof(bench->folder));
    assert_int_equal(key_generate(&bench->key, "test", ROLE_OBSERVER, &err), 0);
    snprintf(path, sizeof(path), "%s/test.pub", bench->folder);
    assert_int_equal(key_save_public(&bench->key, path, &err), 0);
    assert_int_equal(key_generate(&bench->node_key, "sheep0", ROLE_SHEEP, &err), 0);
    snprintf(bench->config.secret_key, sizeof(bench->config.secret_key), "%s/sheep.key",
             bench->folder);
    assert_int_equal(key_save(&bench->node_key, bench->folder, "sheep", false, &err), 0);
    snprintf(bench->config.address, sizeof(bench->config.address), "127.0.0.1");
    bench->zap = zap_start(bench->folder, &err);
    assert_non_null(bench->zap);
    for (uint32_t port = FIRST_PORT; bench->live == NULL && port < LAST_PORT; port += 7) {
        bench->config.port = port;
        bench->live = live_open(&bench->config, 77, &err);
    }
    assert_non_null(bench->live);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;

    wire_message_fini(&bench->message);
    zsock_destroy(&bench->listener);
    live_close(&bench->live);
    live_close(&bench->live);
    zap_stop(&bench->zap);
    caught_remove_folder(bench->folder);
    log_set_sink(NULL, NULL);
    free(bench);
    return 0;
}

static void listen_to_it(struct bench *bench)
{
    char endpoint[64];
    struct err err = { 0 };

    snprintf(endpoint, sizeof(endpoint), "tcp://127.0.0.1:%u", bench->config.port + LIVE_PORT);
    bench->listener = wire_client(ZMQ_SUB, &bench->key, NULL, &err);
    assert_non_null(bench->listener);
    zsock_set_subscribe(bench->listener, "");
    assert_int_equal(
        wire_connect(bench->listener, endpoint, bench->node_key.public_key, NULL, &err), 0);
}

static bool becomes_heard(struct bench *bench, bool wanted)
{
    int64_t end_ns = clock_mono_ns() + ARRIVES_MS * NS_PER_MS;

    while (live_is_heard(bench->live) != wanted) {
        if (clock_mono_ns() > end_ns) {
            return false;
        }
        zclock_sleep(10);
    }
    return true;
}

/* Waits for what was said; a loan until the end of the test. */
static const struct body_live *receive(struct bench *bench, const struct proto_frame **payload)
{
    int64_t end_ns = clock_mono_ns() + ARRIVES_MS * NS_PER_MS;
    static struct proto_message message;
    struct err err = { 0 };

    while (wire_recv_plain(bench->listener, &bench->message, &err) <= 0) {
        assert_true(clock_mono_ns() < end_ns);
        zclock_sleep(5);
    }
    if (proto_decode(&message, bench->message.frames, bench->message.n_frames, ROLE_SHEEP, &err)
        < 0) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(message.verb, VERB_LIVE);
    assert_int_equal(message.token.boot_id, 77);
    *payload = &message.payload;
    return PROTO_CONST_BODY(&message, body_live);
}

static void test_it_knows_whether_anybody_listens(void **state)
{
    struct bench *bench = *state;

    assert_false(live_is_heard(bench->live));
    listen_to_it(bench);
    assert_true(becomes_heard(bench, true));
    zsock_destroy(&bench->listener);
    assert_true(becomes_heard(bench, false));
}

static void test_who_may_no_longer_come_in_hears_no_more(void **state)
{
    struct bench *bench = *state;
    char path[96];

    listen_to_it(bench);
    assert_true(becomes_heard(bench, true));
    snprintf(path, sizeof(path), "%s/test.pub", bench->folder);
    assert_int_equal(remove(path), 0);
    live_end_all(bench->live);
    for (int i = 0; i < 100; i++) {
        assert_false(live_is_heard(bench->live)); /* opens the port again, closes the door */
        zclock_sleep(10);
    }
}

static void test_a_subscriber_gets_body_and_the_newest_of_the_log(void **state)
{
    struct bench *bench = *state;
    static struct rlog_manifest manifest;
    struct rlog_overview entries[2] = {
        {1,  3, 2},
        { 4, 6, 5}
    };
    struct rlog_record_header header = { .type = RLOG_OVERVIEW,
                                         .stream = RLOG_STREAM_VOLTAGE,
                                         .flags = LOG_TAIL_LEVEL << 8,
                                         .count = 2 };
    struct body_live body = { .n_samples = 8192 };
    struct rlog_position durable;
    const struct body_live *heard = NULL;
    const struct proto_frame *payload = NULL;
    struct live_block block;
    struct err err = { 0 };
    char log[96];

    schema_defaults(&node_config_schema, &manifest.config);
    snprintf(manifest.experiment_name, sizeof(manifest.experiment_name), "test");
    snprintf(manifest.node, sizeof(manifest.node), "sheep0");
    snprintf(manifest.datatype, sizeof(manifest.datatype), "ivsample");
    manifest.n_planned = 99;
    manifest.current.gain = 1;
    manifest.voltage = (struct cal_channel){ .gain = 0.5, .offset = 0.25 };
    snprintf(log, sizeof(log), "%s/run.rlog", bench->folder);
    struct rlog_writer *writer = rlog_writer_create(log, &manifest, &err);

    assert_non_null(writer);
    assert_int_equal(rlog_writer_append(writer, header, entries, sizeof(entries), &err), 0);
    assert_int_equal(rlog_writer_sync(writer, &err), 0);
    durable = rlog_writer_durable(writer);
    listen_to_it(bench);
    assert_true(becomes_heard(bench, true));
    live_say(bench->live, &body, log, &durable);
    heard = receive(bench, &payload);
    assert_int_equal(heard->n_samples, 8192);
    assert_int_equal(heard->n_planned, 99);
    assert_true(heard->has_voltage);
    assert_false(heard->has_current);
    assert_true(heard->voltage_V == 2.75);
    assert_int_equal(payload->size, sizeof(block) + sizeof(entries));
    memcpy(&block, payload->data, sizeof(block));
    assert_int_equal(block.stream, RLOG_STREAM_VOLTAGE);
    assert_int_equal(block.count, 2);
    assert_int_equal(block.window, LOG_TAIL_WINDOW);
    assert_memory_equal((const uint8_t *)payload->data + sizeof(block), entries,
                        sizeof(entries));
    rlog_writer_destroy(&writer);
}

static void test_without_a_key_there_is_no_view(void **state)
{
    struct bench *bench = *state;
    struct sheep_config config = bench->config;
    struct err err = { 0 };

    snprintf(config.secret_key, sizeof(config.secret_key), "/nonexistent.key");
    assert_null(live_open(&config, 1, &err));
    assert_non_null(strstr(err.text, "/nonexistent.key"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_it_knows_whether_anybody_listens, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_who_may_no_longer_come_in_hears_no_more, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_subscriber_gets_body_and_the_newest_of_the_log,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_a_key_there_is_no_view, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
