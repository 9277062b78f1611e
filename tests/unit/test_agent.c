/* SPDX-License-Identifier: MIT */
/* The agent as a whole, spoken to as herd does: its life, and that of an experiment. */
#include "sheep/agent.h"

#include "common/clock.h"
#include "common/rlog.h"
#include "sheep/recorder_ipc.h"
#include "tests/support/agent_bench.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const struct proto_frame NOTHING = { NULL, 0 };

static int set_up(void **state)
{
    struct agent_bench *bench = calloc(1, sizeof(*bench));

    assert_non_null(bench);
    agent_bench_init(bench, "speed: fast, truth: false");
    *state = bench;
    return 0;
}

/* In real time an experiment can be met while it runs. */
static int set_up_paced(void **state)
{
    struct agent_bench *bench = calloc(1, sizeof(*bench));

    assert_non_null(bench);
    agent_bench_init(bench, "truth: false");
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct agent_bench *bench = *state;

    agent_bench_fini(bench);
    free(bench);
    return 0;
}

static enum proto_verb ask(struct agent_bench *bench, enum proto_verb verb, const void *body)
{
    return node_client_ask(&bench->client, SERVER_CONTROL, verb, body, NOTHING);
}

static const struct body_state *ask_state(struct agent_bench *bench)
{
    assert_int_equal(ask(bench, VERB_STATUS, NULL), VERB_STATE);
    return PROTO_CONST_BODY(&bench->client.message, body_state);
}

static bool is_recorder_there(const struct agent_bench *bench)
{
    struct err err;
    int fd = recorder_ipc_connect(bench->node.state_dir, &err);

    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

/* ---- life ---- */

static void test_it_ends_on_a_signal_and_its_idle_recorder_with_it(void **state)
{
    struct agent_bench *bench = *state;
    const struct recorder_page *page = NULL;
    struct recorder_page copy = { 0 };
    char path[64];
    struct err err;

    /* The agent answers before the recorder is up: wait for that. */
    assert_int_equal(agent_bench_prepare(bench, &bench->client), VERB_READY);
    assert_int_equal(ask(bench, VERB_CANCEL, NULL), VERB_CANCELLED);
    assert_int_equal(recorder_page_map(bench->node.state_dir, &page, &err), 0);
    assert_true(recorder_page_read(page, &copy));
    recorder_page_unmap(&page);
    agent_bench_stop(bench);
    snprintf(path, sizeof(path), "/proc/%d", copy.pid);
    for (int ms = 0; access(path, F_OK) == 0 && ms < NODE_BENCH_WAIT_MS; ms++) {
        poll(NULL, 0, 1);
    }
    assert_int_equal(access(path, F_OK), -1);
}

/* One that ends as soon as it runs. */
static int run_another(struct agent_bench *bench, struct err *err)
{
    volatile sig_atomic_t stop = 1;

    return agent_bench_run(bench, &stop, err);
}

static void test_one_agent_a_data_folder(void **state)
{
    struct agent_bench *bench = *state;
    struct err err = { 0 };

    assert_int_equal(run_another(bench, &err), -1);
    assert_int_equal(err.code, ERR_EXISTS);
    assert_non_null(strstr(err.text, "another agent runs on "));
    agent_bench_greet(&bench->client, false); /* the first one is not disturbed */
    agent_bench_stop(bench);
    assert_int_equal(run_another(bench, &err), 0); /* and leaves the place */
}

static void test_what_it_cannot_start_with_is_named(void **state)
{
    struct agent_bench *bench = *state;
    struct sheep_config *config = &bench->node.config;
    char address[sizeof(config->address)];
    struct err err = { 0 };

    agent_bench_stop(bench);
    memcpy(address, config->address, sizeof(address));
    snprintf(config->address, sizeof(config->address), "192.0.2.1"); /* RFC 5737: not ours */
    assert_int_equal(run_another(bench, &err), -1);
    assert_non_null(strstr(err.text, "192.0.2.1"));
    memcpy(config->address, address, sizeof(address));
    assert_int_equal(chmod(config->secret_key, 0644), 0);
    assert_int_equal(run_another(bench, &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
    assert_non_null(strstr(err.text, config->secret_key));
    snprintf(config->authorized, sizeof(config->authorized), "/nowhere/keys");
    assert_int_equal(run_another(bench, &err), -1);
    assert_non_null(strstr(err.text, "/nowhere/keys"));
    snprintf(config->data, sizeof(config->data), "/dev/null/data");
    assert_int_equal(run_another(bench, &err), -1);
    assert_non_null(strstr(err.text, "/dev/null/data"));
}

static void test_a_restarted_agent_does_not_heed_what_was_said_to_the_one_before(void **state)
{
    struct agent_bench *bench = *state;
    uint64_t before = bench->client.token.boot_id;

    agent_bench_stop(bench);
    agent_bench_start(bench);
    assert_true(bench->client.token.boot_id != before);
    bench->client.token.boot_id = before;
    agent_bench_expect_refused(&bench->client, ask(bench, VERB_CANCEL, NULL), "state",
                               "the node was restarted since");
}

/* ---- an experiment ---- */

static void expect_log(struct agent_bench *bench, const char *text)
{
    assert_int_equal(ask(bench, VERB_LIST, NULL), VERB_LISTING);
    if (text == NULL) {
        assert_null(strstr(bench->client.payload.data, "day_1"));
    } else if (strstr(bench->client.payload.data, text) == NULL) {
        fail_msg("'%s' is not in:\n%s", text, bench->client.payload.data);
    }
}

/* All bytes of the log, over the bulk port; how many. */
static uint64_t fetch_all(struct agent_bench *bench)
{
    const struct body_data *data = PROTO_CONST_BODY(&bench->client.message, body_data);
    struct body_fetch fetch = { .log = "day_1", .credit_bytes = 8 << 20 };
    uint64_t n_bytes = 0;

    node_client_tell(&bench->client, SERVER_BULK, VERB_FETCH, &fetch, NOTHING);
    do {
        assert_int_equal(node_client_hear(&bench->client, SERVER_BULK, NODE_BENCH_WAIT_MS),
                         VERB_DATA);
        n_bytes += bench->client.payload.size;
    } while (!data->is_log_end);
    return n_bytes;
}

static void test_an_experiment_from_prepare_to_release(void **state)
{
    struct agent_bench *bench = *state;
    struct body_ended ended;
    struct body_started started;
    struct body_log log = { .log = "day_1" };
    const struct body_state *now = NULL;

    agent_bench_launch(bench);
    agent_bench_await(bench, VERB_STARTED);
    started = *PROTO_CONST_BODY(&bench->client.message, body_started);
    assert_true(started.T_ns == bench->promise_ns + 500 * NS_PER_MS);
    agent_bench_await(bench, VERB_ENDED);
    ended = *PROTO_CONST_BODY(&bench->client.message, body_ended);
    assert_int_equal(ended.n_samples, 1000);
    assert_int_equal(ended.n_gap_samples, 0);
    assert_int_equal(ended.reason, RLOG_END_COMPLETE);
    assert_string_equal(ended.text, "");
    now = ask_state(bench);
    assert_string_equal(now->state, "done");
    assert_true(now->is_started);
    assert_true(now->is_ended);
    assert_string_equal(now->log, "day_1");
    expect_log(bench, "closed");
    assert_int_equal(fetch_all(bench), ended.log_bytes);
    snprintf(log.digest, sizeof(log.digest), "%064d", 0);
    agent_bench_expect_refused(&bench->client, ask(bench, VERB_RELEASE, &log), "corrupt",
                               "digest");
    expect_log(bench, "closed");
    memcpy(log.digest, ended.digest, sizeof(log.digest));
    assert_int_equal(ask(bench, VERB_RELEASE, &log), VERB_RELEASED);
    for (int ms = 0; ms < NODE_BENCH_WAIT_MS; ms += 5) {
        assert_int_equal(ask(bench, VERB_LIST, NULL), VERB_LISTING);
        if (strstr(bench->client.payload.data, "day_1") == NULL) {
            break;
        }
        poll(NULL, 0, 5);
    }
    expect_log(bench, NULL);
    assert_string_equal(ask_state(bench)->state, "idle");
}

static void test_what_was_only_prepared_ends_with_the_agent(void **state)
{
    struct agent_bench *bench = *state;

    assert_int_equal(agent_bench_prepare(bench, &bench->client), VERB_READY);
    assert_string_equal(ask_state(bench)->state, "prepared");
    expect_log(bench, "recording");
    agent_bench_stop(bench);
    agent_bench_start(bench);
    assert_string_equal(ask_state(bench)->state, "idle");
    expect_log(bench, NULL);
}

static void test_what_is_cancelled_leaves_its_name_at_once(void **state)
{
    struct agent_bench *bench = *state;

    bench->wanted.record.exists = EXISTS_REFUSE;
    for (int i = 0; i < 20; i++) {
        if (agent_bench_prepare(bench, &bench->client) != VERB_READY) {
            fail_msg("%d: %s", i, PROTO_CONST_BODY(&bench->client.message, body_refused)->why);
        }
        assert_string_equal(PROTO_CONST_BODY(&bench->client.message, body_ready)->log, "day_1");
        assert_int_equal(ask(bench, VERB_CANCEL, NULL), VERB_CANCELLED);
        bench->client.token.experiment++;
    }
}

static void test_what_runs_outlives_the_agent(void **state)
{
    struct agent_bench *bench = *state;
    struct body_stop stop = { .sample = UINT64_MAX };
    uint64_t experiment = 0;
    const struct body_state *now = NULL;

    bench->wanted.duration_ns = 600 * NS_PER_S;
    agent_bench_launch(bench);
    agent_bench_await(bench, VERB_STARTED);
    experiment = bench->client.token.experiment;
    agent_bench_stop(bench);
    assert_true(is_recorder_there(bench));
    agent_bench_start(bench);
    now = ask_state(bench);
    assert_string_equal(now->state, "running");
    assert_true(now->experiment == experiment);
    assert_string_equal(now->owner, "ann");
    assert_true(now->is_started);
    assert_int_equal(ask(bench, VERB_STOP, &stop), VERB_STOPPING);
    agent_bench_await(bench, VERB_ENDED);
    assert_int_equal(PROTO_CONST_BODY(&bench->client.message, body_ended)->reason,
                     RLOG_END_STOPPED);
}

static void test_a_dead_recorder_leaves_a_closed_log(void **state)
{
    struct agent_bench *bench = *state;
    const struct recorder_page *page = NULL;
    struct recorder_page copy;
    struct err err;

    bench->wanted.duration_ns = 600 * NS_PER_S;
    agent_bench_launch(bench);
    agent_bench_await(bench, VERB_STARTED);
    assert_int_equal(recorder_page_map(bench->node.state_dir, &page, &err), 0);
    assert_true(recorder_page_read(page, &copy));
    recorder_page_unmap(&page);
    assert_int_equal(kill(copy.pid, SIGKILL), 0);
    agent_bench_await(bench, VERB_ENDED);
    assert_int_equal(PROTO_CONST_BODY(&bench->client.message, body_ended)->reason,
                     RLOG_END_INTERRUPTED);
    expect_log(bench, "closed");
}

int main(int argc, char **argv)
{
#define TEST(name)  cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define PACED(name) cmocka_unit_test_setup_teardown(name, set_up_paced, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_it_ends_on_a_signal_and_its_idle_recorder_with_it),
        TEST(test_one_agent_a_data_folder),
        TEST(test_what_it_cannot_start_with_is_named),
        TEST(test_a_restarted_agent_does_not_heed_what_was_said_to_the_one_before),
        TEST(test_an_experiment_from_prepare_to_release),
        TEST(test_what_was_only_prepared_ends_with_the_agent),
        TEST(test_what_is_cancelled_leaves_its_name_at_once),
        PACED(test_what_runs_outlives_the_agent),
        PACED(test_a_dead_recorder_leaves_a_closed_log),
    };
    int status = 0;

    if (node_bench_is_recorder(argc, argv, &status)) {
        return status;
    }
    wire_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
