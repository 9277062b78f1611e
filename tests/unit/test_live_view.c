/* SPDX-License-Identifier: MIT */
/* The newest word of each node that publishes, from real sockets with real keys. */
#include "herd/live_view.h"

#include "tests/support/caught.h"

#include "common/clock.h"
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

#include <cmocka.h>

enum {
    N_NODES = 3,
    LIVE_PORT = 2,
    FRESH_MS = 3000,
    ARRIVES_MS = 5000,
    TURN_MS = 20
};

struct bench {
    char folder[64];
    struct key_pair key;
    struct zap *zap;
    struct key_pair node_keys[N_NODES];
    zsock_t *sockets[N_NODES];
    struct inventory_node nodes[N_NODES];
    struct inventory inventory;
    bool selected[N_NODES];
    struct live_view *view;
};

/* Time goes on by itself, and by what a test adds. */
static int64_t added_ns;
static int64_t step_ns; /* at every look */
int64_t __real_clock_mono_ns(void);
int64_t __wrap_clock_mono_ns(void);
int64_t __wrap_clock_mono_ns(void)
{
    added_ns += step_ns;
    return __real_clock_mono_ns() + added_ns;
}

static void hush(enum log_level level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    (void)arg;
}

static void open_node(struct bench *bench, size_t i)
{
    struct inventory_node *node = &bench->nodes[i];
    struct err err = { 0 };
    const char *colon = NULL;

    snprintf(node->name, sizeof(node->name), "sheep%zu", i);
    snprintf(node->host, sizeof(node->host), "127.0.0.1");
    assert_int_equal(key_generate(&bench->node_keys[i], node->name, ROLE_SHEEP, &err), 0);
    memcpy(node->public_key, bench->node_keys[i].public_key, sizeof(node->public_key));
    bench->sockets[i] = wire_bind(ZMQ_PUB, "tcp://127.0.0.1:*", &bench->node_keys[i], &err);
    if (bench->sockets[i] == NULL) {
        fail_msg("%s", err.text);
    }
    colon = strrchr(zsock_endpoint(bench->sockets[i]), ':');
    node->port = (uint16_t)(strtoul(colon + 1, NULL, 10) - LIVE_PORT);
    bench->selected[i] = true;
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    char path[96];
    struct err err = { 0 };

    assert_non_null(bench);
    log_set_sink(hush, NULL);
    added_ns = 0;
    step_ns = 0;
    caught_make_folder("live", bench->folder, sizeof(bench->folder));
    assert_int_equal(key_generate(&bench->key, "test", ROLE_OPERATOR, &err), 0);
    snprintf(path, sizeof(path), "%s/test.pub", bench->folder);
    assert_int_equal(key_save_public(&bench->key, path, &err), 0);
    bench->zap = zap_start(bench->folder, &err);
    assert_non_null(bench->zap);
    for (size_t i = 0; i < N_NODES; i++) {
        open_node(bench, i);
    }
    bench->inventory.n_nodes = N_NODES;
    bench->inventory.nodes = bench->nodes;
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;

    live_view_close(&bench->view);
    live_view_close(&bench->view);
    for (size_t i = 0; i < N_NODES; i++) {
        zsock_destroy(&bench->sockets[i]);
    }
    zap_stop(&bench->zap);
    caught_remove_folder(bench->folder);
    log_set_sink(NULL, NULL);
    free(bench);
    return 0;
}

static void open_view(struct bench *bench)
{
    struct err err = { 0 };

    bench->view = live_view_open(&bench->inventory, bench->selected, &bench->key, &err);
    if (bench->view == NULL) {
        fail_msg("%s", err.text);
    }
}

static void publish_as(const struct bench *bench, size_t i, enum proto_verb verb,
                       const void *body)
{
    const struct proto_token token = { .boot_id = 1 };
    struct proto_encoded encoded;
    struct err err = { 0 };

    if (proto_encode(&encoded, verb, &token, body, (struct proto_frame){ NULL, 0 }, &err) < 0) {
        fail_msg("%s", err.text);
    }
    wire_publish(bench->sockets[i], &encoded);
    proto_encoded_fini(&encoded);
}

static void publish(const struct bench *bench, size_t i, const char *name, uint64_t n_samples)
{
    struct body_live body = { .n_samples = n_samples };

    snprintf(body.node, sizeof(body.node), "%s", name);
    publish_as(bench, i, VERB_LIVE, &body);
}

/* Node i says it until it has arrived, or the time is over. */
static const struct body_live *say(struct bench *bench, size_t i, uint64_t n_samples)
{
    const struct body_live *heard = NULL;
    int64_t end_ns = clock_mono_ns() + ARRIVES_MS * NS_PER_MS;

    while (clock_mono_ns() < end_ns) {
        publish(bench, i, bench->nodes[i].name, n_samples);
        live_view_listen(bench->view, TURN_MS);
        heard = live_view_of(bench->view, i);
        if (heard != NULL && heard->n_samples == n_samples) {
            return heard;
        }
    }
    return NULL;
}

static void test_the_newest_word_of_each(void **state)
{
    struct bench *bench = *state;

    open_view(bench);
    assert_null(live_view_of(bench->view, 0));
    assert_non_null(say(bench, 0, 5));
    assert_non_null(say(bench, 1, 7));
    assert_non_null(say(bench, 0, 6));
    assert_int_equal(live_view_of(bench->view, 0)->n_samples, 6);
    assert_int_equal(live_view_of(bench->view, 1)->n_samples, 7);
    assert_null(live_view_of(bench->view, 2));
}

static void test_a_word_grows_old(void **state)
{
    struct bench *bench = *state;

    open_view(bench);
    assert_non_null(say(bench, 0, 5));
    added_ns = (FRESH_MS - 1000) * NS_PER_MS;
    assert_non_null(live_view_of(bench->view, 0));
    added_ns = (FRESH_MS + 1000) * NS_PER_MS;
    assert_null(live_view_of(bench->view, 0));
    assert_non_null(say(bench, 0, 5));
}

static void test_only_those_meant_are_heard(void **state)
{
    struct bench *bench = *state;

    bench->selected[1] = false;
    open_view(bench);
    for (int turn = 0; turn < 10; turn++) {
        publish(bench, 1, "sheep1", 9);
        assert_non_null(say(bench, 0, (uint64_t)turn));
    }
    assert_null(live_view_of(bench->view, 1));
}

/* What is no LIVE, or of nobody in the inventory, changes nothing. */
static void test_strange_words_change_nothing(void **state)
{
    static const char GARBAGE[] = "BW1";
    const struct body_state other = { .node = "sheep1", .state = "idle" };
    struct bench *bench = *state;

    open_view(bench);
    assert_non_null(say(bench, 0, 5));
    publish(bench, 0, "sheep77", 8);
    publish_as(bench, 0, VERB_STATE, &other);
    zstr_sendx(bench->sockets[0], GARBAGE, "LIVE", "no token", "no body", NULL);
    zstr_send(bench->sockets[0], GARBAGE);
    live_view_listen(bench->view, 5 * TURN_MS);
    assert_int_equal(live_view_of(bench->view, 0)->n_samples, 5);
    assert_null(live_view_of(bench->view, 1));
    assert_non_null(say(bench, 0, 6));
}

/* Another key than the pinned one: somebody else on its address is not heard. */
static void test_an_impostor_is_not_heard(void **state)
{
    struct bench *bench = *state;

    memcpy(bench->nodes[2].public_key, bench->node_keys[1].public_key,
           sizeof(bench->nodes[2].public_key));
    open_view(bench);
    for (int turn = 0; turn < 10; turn++) {
        publish(bench, 2, "sheep2", 9);
        assert_non_null(say(bench, 0, (uint64_t)turn));
    }
    assert_null(live_view_of(bench->view, 2));
}

static void test_a_node_without_a_key_is_named(void **state)
{
    struct bench *bench = *state;
    struct err err = { 0 };

    bench->nodes[1].public_key[0] = '\0';
    assert_null(live_view_open(&bench->inventory, bench->selected, &bench->key, &err));
    assert_int_equal(strncmp(err.text, "sheep1: ", 8), 0);
}

#define WITH_BENCH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

/* Two hundred words wait; there is time for some five of them. */
static void test_a_flood_does_not_hold_the_listener(void **state)
{
    struct bench *bench = *state;

    open_view(bench);
    assert_non_null(say(bench, 0, 1));
    for (uint64_t n = 1001; n <= 1200; n++) {
        publish(bench, 0, bench->nodes[0].name, n);
    }
    zclock_sleep(300);
    step_ns = NS_PER_MS;
    live_view_listen(bench->view, 10);
    step_ns = 0;
    assert_true(live_view_of(bench->view, 0)->n_samples > 1000);
    assert_true(live_view_of(bench->view, 0)->n_samples < 1200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_flood_does_not_hold_the_listener, set_up,
                                        tear_down),
        WITH_BENCH(test_the_newest_word_of_each),
        WITH_BENCH(test_a_word_grows_old),
        WITH_BENCH(test_only_those_meant_are_heard),
        WITH_BENCH(test_strange_words_change_nothing),
        WITH_BENCH(test_an_impostor_is_not_heard),
        WITH_BENCH(test_a_node_without_a_key_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
