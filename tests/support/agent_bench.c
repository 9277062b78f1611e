/* SPDX-License-Identifier: MIT */
#include "tests/support/agent_bench.h"

#include "common/clock.h"
#include "common/rlog.h"
#include "sheep/agent.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum {
    GREET_MS = 200,
    LEAD_MS = 500 /* of T behind the promise; a GO must be there 400 ms before T */
};

static const struct proto_frame NOTHING = { NULL, 0 };

int agent_bench_run(const struct agent_bench *bench, const volatile sig_atomic_t *stop_signal,
                    struct err *err)
{
    int result = -1;

    for (int ms = 0; result < 0 && ms < NODE_BENCH_WAIT_MS; ms++) {
        result = agent_run(&bench->node.config, clock_mono_ns(), stop_signal, err);
        if (result < 0 && strstr(err->text, strerror(EADDRINUSE)) == NULL) {
            return -1;
        }
        poll(NULL, 0, 1);
    }
    return result;
}

static void *run_thread(void *arg)
{
    struct agent_bench *bench = arg;

    bench->result = agent_bench_run(bench, &bench->stop_signal, &bench->err);
    return NULL;
}

void agent_bench_greet(struct node_client *client, bool take_over)
{
    struct body_hello body = { .name = "", .take_over = take_over };
    uint64_t first_seq = client->token.seq + 1;
    bool is_welcome = false;

    client->token.boot_id = 0;
    /* What is sent to an agent that has just ended is lost. Where the machine is slow, an
     * earlier greeting was repeated, and the agent of then has answered twice: that is not for
     * this one. */
    for (int ms = 0; !is_welcome && ms < NODE_BENCH_WAIT_MS; ms += GREET_MS) {
        enum proto_verb heard = VERB_NONE;

        node_client_tell(client, SERVER_CONTROL, VERB_HELLO, &body, NOTHING);
        do {
            heard = node_client_hear(client, SERVER_CONTROL, GREET_MS);
            is_welcome = heard == VERB_WELCOME && client->message.token.seq >= first_seq;
        } while (heard != VERB_NONE && !is_welcome);
    }
    assert_true(is_welcome);
    client->token.boot_id = PROTO_CONST_BODY(&client->message, body_welcome)->boot_id;
}

void agent_bench_start(struct agent_bench *bench)
{
    bench->stop_signal = 0;
    assert_int_equal(pthread_create(&bench->thread, NULL, run_thread, bench), 0);
    bench->is_running = true;
    agent_bench_greet(&bench->client, false);
}

void agent_bench_stop(struct agent_bench *bench)
{
    bench->stop_signal = 1;
    assert_int_equal(pthread_join(bench->thread, NULL), 0);
    bench->is_running = false;
    if (bench->result < 0) {
        fail_msg("%s", bench->err.text);
    }
}

static void make_wish(struct agent_bench *bench)
{
    struct node_config *wanted = &bench->wanted;

    snprintf(bench->prepare.experiment_name, sizeof(bench->prepare.experiment_name), "day");
    snprintf(bench->prepare.log, sizeof(bench->prepare.log), "day_1");
    schema_defaults(&node_config_schema, wanted);
    wanted->mode = MODE_HARVEST;
    wanted->use_cal_default = true;
    wanted->duration_ns = 10 * NS_PER_MS;
    wanted->record.voltage = true;
    wanted->record.current = true;
    wanted->harvester.algorithm = HARVESTER_CV;
    wanted->harvester.voltage_mV = 1000;
    wanted->harvester.voltage_max_mV = 5000;
}

void agent_bench_init(struct agent_bench *bench, const char *sim)
{
    memset(bench, 0, sizeof(*bench));
    node_bench_init(&bench->node, sim);
    make_wish(bench);
    node_client_open(&bench->client, &bench->node, &bench->node.ann, "ann-1");
    bench->client.token.experiment = 42;
    bench->client.token.controller = 1000;
    agent_bench_start(bench);
}

void agent_bench_fini(struct agent_bench *bench)
{
    if (bench->is_running) {
        agent_bench_stop(bench);
    }
    node_client_close(&bench->client);
    node_bench_end_recorders(&bench->node);
    node_bench_fini(&bench->node);
}

enum proto_verb agent_bench_prepare(struct agent_bench *bench, struct node_client *client)
{
    const struct body_refused *refused = PROTO_CONST_BODY(&client->message, body_refused);
    struct buf text = { 0 };
    enum proto_verb heard = VERB_NONE;

    schema_encode(&node_config_schema, &bench->wanted, &text, 0);
    for (int ms = 0; ms < NODE_BENCH_WAIT_MS; ms += 5) {
        heard = node_client_ask(client, SERVER_CONTROL, VERB_PREPARE, &bench->prepare,
                                (struct proto_frame){ text.data, text.size });
        if (heard != VERB_REFUSED || strcmp(refused->code, "unreachable") != 0) {
            break;
        }
        client->token.experiment++; /* a refused one is not prepared again */
        poll(NULL, 0, 5);
    }
    buf_fini(&text);
    if (heard == VERB_READY) {
        bench->promise_ns = PROTO_CONST_BODY(&client->message, body_ready)->promise_ns;
    }
    return heard;
}

void agent_bench_launch(struct agent_bench *bench)
{
    struct body_arm arm = { .n = 1 };

    if (agent_bench_prepare(bench, &bench->client) != VERB_READY) {
        fail_msg("%s", PROTO_CONST_BODY(&bench->client.message, body_refused)->why);
    }
    arm.T_ns = bench->promise_ns + LEAD_MS * NS_PER_MS;
    assert_int_equal(node_client_ask(&bench->client, SERVER_CONTROL, VERB_ARM, &arm, NOTHING),
                     VERB_ARMED);
    assert_int_equal(node_client_ask(&bench->client, SERVER_CONTROL, VERB_GO, &arm, NOTHING),
                     VERB_GOING);
}

void agent_bench_await(struct agent_bench *bench, enum proto_verb verb)
{
    enum proto_verb heard = VERB_NONE;

    do {
        heard = node_client_hear(&bench->client, SERVER_CONTROL, NODE_BENCH_WAIT_MS);
        assert_int_not_equal(heard, VERB_NONE);
    } while (heard != verb);
}

void agent_bench_expect_refused(const struct node_client *client, enum proto_verb heard,
                                const char *code, const char *text)
{
    const struct body_refused *body = PROTO_CONST_BODY(&client->message, body_refused);

    assert_int_equal(heard, VERB_REFUSED);
    assert_string_equal(body->code, code);
    if (strstr(body->why, text) == NULL) {
        fail_msg("'%s' lacks '%s'", body->why, text);
    }
}
