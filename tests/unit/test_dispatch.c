/* SPDX-License-Identifier: MIT */
/* What each verb does, asked over the wire of an agent that runs: the everyday words, inputs,
 * logs, and who may touch whose experiment. */
#include "sheep/agent.h"

#include "common/clock.h"
#include "common/rlog.h"
#include "tests/support/agent_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static const struct proto_frame NOTHING = { NULL, 0 };

/* One agent for all tests; each is left idle. */
static struct agent_bench bench;
static unsigned n_prepared;

static int open_bench(void **state)
{
    (void)state;
    agent_bench_init(&bench, "speed: fast, truth: false");
    return 0;
}

static int close_bench(void **state)
{
    (void)state;
    agent_bench_fini(&bench);
    return 0;
}

static enum proto_verb ask(enum proto_verb verb, const void *body)
{
    return node_client_ask(&bench.client, SERVER_CONTROL, verb, body, NOTHING);
}

static void expect_refused(enum proto_verb heard, const char *code, const char *text)
{
    agent_bench_expect_refused(&bench.client, heard, code, text);
}

static int leave_idle(void **state)
{
    enum proto_verb heard = ask(VERB_CANCEL, NULL);

    (void)state;
    return heard == VERB_CANCELLED || heard == VERB_REFUSED ? 0 : -1;
}

static const struct body_state *ask_state(struct node_client *client)
{
    assert_int_equal(node_client_ask(client, SERVER_CONTROL, VERB_STATUS, NULL, NOTHING),
                     VERB_STATE);
    return PROTO_CONST_BODY(&client->message, body_state);
}

static void prepare(void)
{
    bench.client.token.experiment++;
    /* The log of the one before is perhaps still being removed. */
    snprintf(bench.prepare.log, sizeof(bench.prepare.log), "day_%u", ++n_prepared);
    if (agent_bench_prepare(&bench, &bench.client) != VERB_READY) {
        fail_msg("%s", PROTO_CONST_BODY(&bench.client.message, body_refused)->why);
    }
}

/* ---- everybody ---- */

static void test_hello_says_what_the_node_is(void **state)
{
    const struct body_welcome *body = PROTO_CONST_BODY(&bench.client.message, body_welcome);
    struct body_hello hello = { .name = "ann's herd" };

    (void)state;
    assert_int_equal(ask(VERB_HELLO, &hello), VERB_WELCOME);
    assert_string_equal(body->node, "sheep0");
    assert_string_equal(body->version, BW_VERSION);
    assert_string_equal(body->board, "sim");
    assert_string_equal(body->state, "idle");
    assert_true(body->boot_id == bench.client.token.boot_id);
    assert_true(body->boot_id != 0);
    assert_int_equal(body->experiment, 0);
    assert_true(body->disk_free_bytes > 0);
    assert_false(body->has_calibration);
}

static void test_clocks_are_exchanged(void **state)
{
    static const struct {
        enum proto_verb ask;
        enum proto_verb answer;
    } PAIRS[] = {
        {VERB_CLOCK, VERB_CLOCKED},
        { VERB_PING, VERB_PONG   }
    };
    const struct body_clock *body = PROTO_CONST_BODY(&bench.client.message, body_clock);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(PAIRS); i++) {
        struct body_clock asked = { .t1_ns = clock_utc_ns() };

        assert_int_equal(ask(PAIRS[i].ask, &asked), PAIRS[i].answer);
        assert_true(body->t1_ns == asked.t1_ns);
        assert_true(body->t2_ns >= asked.t1_ns);
        assert_true(body->t3_ns >= body->t2_ns);
        assert_true(clock_utc_ns() >= body->t3_ns);
        assert_string_equal(body->source, "sim");
        assert_true(body->is_locked);
        assert_int_equal(body->claimed_bound_ns, 10000);
        assert_string_equal(body->state, "idle");
        assert_int_equal(body->n_samples, 0);
    }
}

static void test_status_of_an_idle_node(void **state)
{
    const struct body_state *body = ask_state(&bench.client);

    (void)state;
    assert_string_equal(body->node, "sheep0");
    assert_string_equal(body->state, "idle");
    assert_string_equal(body->experiment_name, "");
    assert_int_equal(body->experiment, 0);
    assert_false(body->is_started);
    assert_true(body->uptime_ns > 0);
}

/* Nobody switches off the machine that simulates. */
static void test_power_of_a_simulated_node_is_not_touched(void **state)
{
    struct body_power body = { .is_reboot = true };

    (void)state;
    expect_refused(ask(VERB_POWER, &body), "state", "a simulated board");
    prepare();
    expect_refused(ask(VERB_POWER, &body), "state", "in use by ann's herd for experiment day");
}

/* ---- the experiment ---- */

static void test_a_prepared_node_says_for_whom(void **state)
{
    struct node_client olga;
    const struct body_state *body = NULL;

    (void)state;
    prepare();
    assert_true(bench.promise_ns > clock_utc_ns() - NS_PER_S);
    assert_string_equal(PROTO_CONST_BODY(&bench.client.message, body_ready)->log,
                        bench.prepare.log);
    node_client_open(&olga, &bench.node, &bench.node.olga, "olga-1");
    body = ask_state(&olga);
    assert_string_equal(body->state, "prepared");
    assert_string_equal(body->experiment_name, "day");
    assert_string_equal(body->log, bench.prepare.log);
    assert_string_equal(body->owner, "ann's herd"); /* as her HELLO had it */
    assert_int_equal(body->n_planned, 1000);
    assert_true(body->experiment == bench.client.token.experiment);
    node_client_close(&olga);
}

static void test_a_repeated_request_gets_the_same_answer(void **state)
{
    struct body_ready first;
    const struct body_ready *again = PROTO_CONST_BODY(&bench.client.message, body_ready);

    (void)state;
    prepare();
    first = *again;
    memset(&bench.client.message, 0, sizeof(bench.client.message));
    bench.client.token.seq--; /* what ask counts up again */
    assert_int_equal(ask(VERB_PREPARE, &bench.prepare), VERB_READY); /* without its payload */
    assert_memory_equal(again, &first, sizeof(first));
}

static void test_a_config_that_is_wrong_is_refused_with_its_place(void **state)
{
    static const char CONFIG[] = "mode: harvest\nduraton: 5 s\n";

    (void)state;
    bench.client.token.experiment++;
    expect_refused(node_client_ask(&bench.client, SERVER_CONTROL, VERB_PREPARE, &bench.prepare,
                                   (struct proto_frame){ CONFIG, sizeof(CONFIG) - 1 }),
                   "input", "config:2:1: ");
    assert_string_equal(ask_state(&bench.client)->state, "idle");
}

static void test_others_are_told_who_is_here(void **state)
{
    struct node_client bob;

    (void)state;
    prepare();
    node_client_open(&bob, &bench.node, &bench.node.bob, "bob-1");
    agent_bench_greet(&bob, false);
    bob.token.experiment = 9999;
    bob.token.controller = 2000;
    agent_bench_expect_refused(&bob, agent_bench_prepare(&bench, &bob), "state",
                               "in use by ann's herd for experiment day");
    bob.token.experiment = bench.client.token.experiment;
    agent_bench_expect_refused(
        &bob, node_client_ask(&bob, SERVER_CONTROL, VERB_CANCEL, NULL, NOTHING), "denied",
        "another user's experiment");
    assert_string_equal(ask_state(&bench.client)->state, "prepared");
    node_client_close(&bob);
}

static void test_who_takes_over_is_the_owner_and_the_one_before_is_not(void **state)
{
    struct node_client bob;

    (void)state;
    prepare();
    node_client_open(&bob, &bench.node, &bench.node.bob, "bob-2");
    bob.token.controller = 2000;
    bob.token.experiment = bench.client.token.experiment;
    agent_bench_greet(&bob, true);
    expect_refused(ask(VERB_CANCEL, NULL), "denied", "a newer controller has taken over");
    assert_string_equal(ask_state(&bob)->owner, "bob");
    assert_int_equal(node_client_ask(&bob, SERVER_CONTROL, VERB_CANCEL, NULL, NOTHING),
                     VERB_CANCELLED);
    assert_string_equal(ask_state(&bob)->state, "idle");
    node_client_close(&bob);
}

static void test_a_start_in_the_past_is_refused(void **state)
{
    struct body_arm arm = { .n = 1, .T_ns = 1000 };

    (void)state;
    prepare();
    assert_int_not_equal(ask(VERB_ARM, &arm), VERB_ARMED);
    assert_int_not_equal(ask(VERB_GO, &arm), VERB_GOING);
    assert_string_equal(ask_state(&bench.client)->state, "prepared");
}

static void test_a_stop_without_an_experiment_is_refused(void **state)
{
    struct body_stop stop = { .sample = UINT64_MAX };

    (void)state;
    bench.client.token.experiment++;
    expect_refused(ask(VERB_STOP, &stop), "not_found", "that experiment is not here");
}

/* ---- logs ---- */

static void test_logs_that_are_not_here_are_refused_by_name(void **state)
{
    struct body_log body = { .log = "nowhere" };
    struct body_fetch fetch = { .log = "nowhere", .credit_bytes = 1000 };
    char path[TEMP_PATH_SIZE];
    struct stat status;

    (void)state;
    expect_refused(ask(VERB_REMOVE, &body), "not_found", "no log nowhere on this node");
    expect_refused(ask(VERB_RELEASE, &body), "not_found", "no closed log nowhere on this node");
    expect_refused(node_client_ask(&bench.client, SERVER_BULK, VERB_FETCH, &fetch, NOTHING),
                   "not_found", "nowhere");
    expect_refused(ask(VERB_FETCH, &fetch), "input", "FETCH belongs to the bulk port");
    /* A name is no path. */
    temp_folder_path(bench.node.folder, "data/precious.rlog", path);
    assert_int_equal(mkdir(path, 0755), 0);
    snprintf(body.log, sizeof(body.log), "../precious");
    assert_int_equal(ask(VERB_REMOVE, &body), VERB_REFUSED);
    assert_int_equal(stat(path, &status), 0);
}

static void test_the_log_of_an_experiment_that_is_here_is_not_removed(void **state)
{
    struct body_log body;

    (void)state;
    prepare();
    memset(&body, 0, sizeof(body));
    memcpy(body.log, bench.prepare.log, sizeof(body.log));
    assert_int_equal(ask(VERB_LIST, NULL), VERB_LISTING);
    assert_non_null(strstr(bench.client.payload.data, bench.prepare.log));
    assert_non_null(strstr(bench.client.payload.data, "recording"));
    expect_refused(ask(VERB_REMOVE, &body), "state", " is in use");
}

/* ---- inputs ---- */

struct input {
    struct body_have have;
    struct buf bytes;
};

static void make_input(struct input *input)
{
    uint64_t random = 1; /* or it would be compressed to next to nothing */
    uint32_t voltage[500];
    uint32_t current[500];
    char path[TEMP_PATH_SIZE];
    struct rlog_input_writer *writer = NULL;
    uint64_t n_samples = 0;
    struct err err = { 0 };

    memset(input, 0, sizeof(*input));
    for (uint32_t i = 0; i < ARRAY_LEN(voltage); i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        voltage[i] = (uint32_t)(random >> 32);
        current[i] = (uint32_t)(random >> 16);
    }
    temp_folder_path(bench.node.folder, "input", path);
    writer = rlog_input_create(path, &err);
    assert_non_null(writer);
    assert_int_equal(rlog_input_append(writer, voltage, current, ARRAY_LEN(voltage), &err), 0);
    assert_int_equal(rlog_input_finish(&writer, input->have.digest, &n_samples, &err), 0);
    assert_int_equal(buf_read_file(&input->bytes, path, 1 << 20, &err), 0);
    input->have.size = input->bytes.size;
}

static enum proto_verb put(struct input *input, enum server_port port, uint64_t offset,
                           size_t n_bytes)
{
    input->have.offset = offset;
    return node_client_ask(&bench.client, port, VERB_PUT, &input->have,
                           (struct proto_frame){ input->bytes.data + offset, n_bytes });
}

static uint64_t have(struct input *input)
{
    assert_int_equal(ask(VERB_HAVE, &input->have), VERB_HAVING);
    return PROTO_CONST_BODY(&bench.client.message, body_have)->offset;
}

static void test_an_input_comes_in_pieces_and_is_proved(void **state)
{
    struct input input;

    (void)state;
    make_input(&input);
    assert_int_equal(have(&input), 0);
    expect_refused(put(&input, SERVER_CONTROL, 0, 1000), "input",
                   "PUT belongs to the bulk port");
    assert_int_equal(put(&input, SERVER_BULK, 0, 1000), VERB_STORED);
    assert_int_equal(PROTO_CONST_BODY(&bench.client.message, body_have)->offset, 1000);
    assert_int_equal(have(&input), 1000);
    assert_int_equal(put(&input, SERVER_BULK, 2000, 100), VERB_REFUSED); /* 1000 are missing */
    assert_int_equal(put(&input, SERVER_BULK, 500, 1000), VERB_STORED);  /* half of it is new */
    assert_int_equal(have(&input), 1500);
    assert_int_equal(put(&input, SERVER_BULK, 1500, input.bytes.size - 1500), VERB_STORED);
    assert_int_equal(have(&input), input.bytes.size);
    buf_fini(&input.bytes);
}

static void test_an_input_with_another_digest_is_thrown_away(void **state)
{
    struct input input;

    (void)state;
    make_input(&input);
    input.have.digest[0] = input.have.digest[0] == 'a' ? 'b' : 'a';
    expect_refused(put(&input, SERVER_BULK, 0, input.bytes.size), "corrupt", "");
    assert_int_equal(have(&input), 0);
    snprintf(input.have.digest, sizeof(input.have.digest), "../../etc/passwd");
    assert_int_equal(ask(VERB_HAVE, &input.have), VERB_REFUSED);
    assert_int_equal(put(&input, SERVER_BULK, 0, 10), VERB_REFUSED);
    buf_fini(&input.bytes);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_teardown(name, leave_idle)
    const struct CMUnitTest tests[] = {
        TEST(test_hello_says_what_the_node_is),
        TEST(test_clocks_are_exchanged),
        TEST(test_status_of_an_idle_node),
        TEST(test_power_of_a_simulated_node_is_not_touched),
        TEST(test_a_prepared_node_says_for_whom),
        TEST(test_a_repeated_request_gets_the_same_answer),
        TEST(test_a_config_that_is_wrong_is_refused_with_its_place),
        TEST(test_others_are_told_who_is_here),
        TEST(test_who_takes_over_is_the_owner_and_the_one_before_is_not),
        TEST(test_a_start_in_the_past_is_refused),
        TEST(test_a_stop_without_an_experiment_is_refused),
        TEST(test_logs_that_are_not_here_are_refused_by_name),
        TEST(test_the_log_of_an_experiment_that_is_here_is_not_removed),
        TEST(test_an_input_comes_in_pieces_and_is_proved),
        TEST(test_an_input_with_another_digest_is_thrown_away),
    };
    int status = 0;

    if (node_bench_is_recorder(argc, argv, &status)) {
        return status;
    }
    wire_init();
    return cmocka_run_group_tests(tests, open_bench, close_bench);
}
