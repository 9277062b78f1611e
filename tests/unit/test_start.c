/* SPDX-License-Identifier: MIT */
#include "herd/start.h"

#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum {
    N = 3
};

/* A herd alone: the test is the nodes, the network and the clock. */
struct bench {
    struct start start;
    int64_t mono_ns;
    int64_t utc_ns;
    size_t n_told[N_VERBS];
    size_t n_journal[8];
    bool is_go_journalled; /* before the first GO was told */
    bool refuse_T;
};

static const int64_t UTC_0 = 1795853763123456789;

static void feed(struct bench *bench, struct start_event event)
{
    bool must_choose = false;

    event.mono_ns = bench->mono_ns;
    event.utc_ns = bench->utc_ns;
    start_step(&bench->start, &event);
    for (size_t k = 0; k < bench->start.n_actions; k++) {
        const struct start_action *action = &bench->start.actions[k];

        if (action->kind == START_ACT_TELL) {
            bench->n_told[action->verb]++;
            if (action->verb == VERB_GO) {
                assert_true(bench->is_go_journalled);
            }
        } else {
            bench->n_journal[action->kind]++;
            bench->is_go_journalled =
                bench->is_go_journalled || action->kind == START_ACT_JOURNAL_GO;
            must_choose = must_choose || action->kind == START_ACT_CHOOSE;
        }
    }
    if (must_choose) {
        struct start_event answer = { .kind = START_EVENT_T_OK };

        if (bench->refuse_T) {
            answer.kind = START_EVENT_ABORT;
            answer.code = ERR_EXISTS;
            answer.why = "the name is taken";
        }
        feed(bench, answer);
    }
}

static void pass(struct bench *bench, int64_t ms)
{
    for (int64_t step = 0; step < ms; step += 10) {
        bench->mono_ns += 10 * NS_PER_MS;
        bench->utc_ns += 10 * NS_PER_MS;
        feed(bench, (struct start_event){ .kind = START_EVENT_TIME });
    }
}

/* Until the nodes' clocks show T minus ms. */
static void pass_until(struct bench *bench, int64_t ms)
{
    int64_t until_ns = bench->start.T_mono_ns - ms * NS_PER_MS;

    while (bench->mono_ns < until_ns) {
        pass(bench, 10);
    }
}

static void say(struct bench *bench, size_t i, enum start_event_kind kind)
{
    feed(bench, (struct start_event){ .kind = kind,
                                      .i = i,
                                      .T_ns = bench->start.T_ns,
                                      .n = bench->start.n,
                                      .promise_ns = UTC_0,
                                      .n_samples = 0,
                                      .why = "said so" });
}

static void say_all(struct bench *bench, enum start_event_kind kind)
{
    for (size_t i = 0; i < N; i++) {
        say(bench, i, kind);
    }
}

static void open_bench(struct bench *bench, enum if_incomplete if_incomplete,
                       const bool required[N])
{
    const struct start_config config = { .n_nodes = N,
                                         .align_ns = NS_PER_S,
                                         .if_incomplete = if_incomplete,
                                         .prepare_timeout_ns = 5 * NS_PER_S };
    struct err err;

    memset(bench, 0, sizeof(*bench));
    bench->mono_ns = 1000 * NS_PER_S;
    bench->utc_ns = UTC_0;
    assert_int_equal(start_init(&bench->start, &config, required, &err), 0);
    start_begin(&bench->start, bench->mono_ns);
    feed(bench, (struct start_event){ .kind = START_EVENT_TIME });
}

static const bool ALL[N] = { true, true, true };
static const bool TWO[N] = { true, false, true };

static void open_armed(struct bench *bench, enum if_incomplete if_incomplete,
                       const bool required[N])
{
    open_bench(bench, if_incomplete, required);
    say_all(bench, START_EVENT_READY);
    assert_int_equal(bench->start.phase, START_ARMING);
    say_all(bench, START_EVENT_ARMED);
    assert_int_equal(bench->start.phase, START_GOING);
}

/* ---- T ---- */

static void test_T_is_aligned_and_after_every_promise(void **state)
{
    struct bench bench;

    (void)state;
    open_bench(&bench, INCOMPLETE_ABORT, ALL);
    say(&bench, 0, START_EVENT_READY);
    feed(&bench, (struct start_event){
                     .kind = START_EVENT_READY, .i = 1, .promise_ns = UTC_0 + 3 * NS_PER_S });
    say(&bench, 2, START_EVENT_READY);
    assert_int_equal(bench.start.T_ns % NS_PER_S, 0);
    assert_true(bench.start.T_ns >= UTC_0 + 3 * NS_PER_S);
    assert_true(bench.start.T_ns < UTC_0 + 4 * NS_PER_S);
    start_fini(&bench.start);
}

static void test_T_allows_for_clocks_and_network_and_is_not_corrected(void **state)
{
    struct bench bench;
    int64_t floor_ns = 0;

    (void)state;
    open_bench(&bench, INCOMPLETE_ABORT, ALL);
    bench.start.config.align_ns = 0;
    bench.start.config.network = (struct start_network){ .median_offset_ns = 40 * NS_PER_MS,
                                                         .largest_offset_ns = 50 * NS_PER_MS,
                                                         .largest_bound_ns = 2 * NS_PER_MS,
                                                         .worst_trip_ns = 4 * NS_PER_MS };
    floor_ns = UTC_0 + (50 + 2 + 3 * 4 + START_ARM_MARGIN_MS) * NS_PER_MS;
    say_all(&bench, START_EVENT_READY);
    assert_int_equal(bench.start.T_ns, floor_ns);
    /* herd's timers run by the nodes' clocks, which are 40 ms ahead of its own */
    assert_int_equal(bench.start.T_mono_ns - bench.mono_ns, floor_ns - UTC_0 - 40 * NS_PER_MS);
    start_fini(&bench.start);
}

/* ---- the good way ---- */

static void test_all_ready_armed_and_going_is_committed(void **state)
{
    struct bench bench;

    (void)state;
    open_bench(&bench, INCOMPLETE_ABORT, ALL);
    assert_int_equal(bench.n_told[VERB_PREPARE], N);
    say(&bench, 0, START_EVENT_READY);
    say(&bench, 1, START_EVENT_READY);
    assert_int_equal(bench.n_told[VERB_ARM], 0);
    say(&bench, 2, START_EVENT_READY);
    assert_int_equal(bench.n_told[VERB_ARM], N);
    assert_int_equal(bench.n_journal[START_ACT_JOURNAL_ARM], 1);
    say(&bench, 0, START_EVENT_ARMED);
    say(&bench, 1, START_EVENT_ARMED);
    assert_int_equal(bench.n_told[VERB_GO], 0);
    say(&bench, 2, START_EVENT_ARMED);
    assert_int_equal(bench.n_told[VERB_GO], N);
    say_all(&bench, START_EVENT_GOING);
    assert_int_equal(bench.start.phase, START_COMMITTED);
    assert_int_equal(bench.start.nodes[0].word, START_WORD_OPEN);
    say(&bench, 0, START_EVENT_STARTED);
    assert_int_equal(bench.start.nodes[0].word, START_WORD_STARTED);
    start_fini(&bench.start);
}

static void test_unanswered_messages_are_repeated(void **state)
{
    struct bench bench;

    (void)state;
    open_bench(&bench, INCOMPLETE_ABORT, ALL);
    pass(&bench, START_AGAIN_PREPARE_MS + 20);
    assert_int_equal(bench.n_told[VERB_PREPARE], 2 * N);
    say_all(&bench, START_EVENT_READY);
    pass(&bench, START_AGAIN_ARM_MS + 20);
    assert_int_equal(bench.n_told[VERB_ARM], 2 * N);
    start_fini(&bench.start);
}

static void test_an_armed_word_for_another_T_or_n_does_not_count(void **state)
{
    struct bench bench;

    (void)state;
    open_bench(&bench, INCOMPLETE_ABORT, ALL);
    say_all(&bench, START_EVENT_READY);
    say(&bench, 0, START_EVENT_ARMED);
    say(&bench, 1, START_EVENT_ARMED);
    feed(&bench, (struct start_event){ .kind = START_EVENT_ARMED,
                                       .i = 2,
                                       .T_ns = bench.start.T_ns + 1,
                                       .n = bench.start.n });
    feed(&bench, (struct start_event){ .kind = START_EVENT_ARMED,
                                       .i = 2,
                                       .T_ns = bench.start.T_ns,
                                       .n = bench.start.n + 1 });
    assert_int_equal(bench.start.phase, START_ARMING);
    assert_int_equal(bench.n_told[VERB_GO], 0);
    start_fini(&bench.start);
}

/* ---- nodes that do not take part ---- */

static void test_a_required_node_that_refuses_cancels_all(void **state)
{
    struct bench bench;

    (void)state;
    open_bench(&bench, INCOMPLETE_ABORT, ALL);
    say(&bench, 0, START_EVENT_READY);
    feed(&bench, (struct start_event){ .kind = START_EVENT_REFUSED,
                                       .i = 1,
                                       .verb = VERB_PREPARE,
                                       .code = ERR_NO_SPACE,
                                       .why = "disk full" });
    assert_int_equal(bench.start.phase, START_CANCELLING);
    /* the one that refused holds nothing; the third may still become ready */
    assert_int_equal(bench.n_told[VERB_CANCEL], 2);
    assert_int_equal(bench.n_told[VERB_ARM], 0);
    say(&bench, 0, START_EVENT_CANCELLED);
    say(&bench, 2, START_EVENT_CANCELLED);
    pass(&bench, 10);
    assert_int_equal(bench.start.phase, START_OVER);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(bench.start.nodes[i].word, START_WORD_NOT_STARTED);
    }
    assert_non_null(strstr(bench.start.why, "disk full"));
    start_fini(&bench.start);
}

static void test_the_rest_runs_without_a_node_that_is_not_required(void **state)
{
    struct bench bench;

    (void)state;
    open_bench(&bench, INCOMPLETE_ABORT, TWO);
    say(&bench, 0, START_EVENT_READY);
    feed(&bench, (struct start_event){ .kind = START_EVENT_REFUSED,
                                       .i = 1,
                                       .verb = VERB_PREPARE,
                                       .code = ERR_STATE,
                                       .why = "no" });
    say(&bench, 2, START_EVENT_READY);
    assert_int_equal(bench.start.phase, START_ARMING);
    assert_int_equal(bench.n_told[VERB_ARM], 2);
    say(&bench, 0, START_EVENT_ARMED);
    say(&bench, 2, START_EVENT_ARMED);
    assert_int_equal(bench.n_told[VERB_GO], 2);
    assert_int_equal(bench.start.nodes[1].word, START_WORD_NOT_STARTED);
    start_fini(&bench.start);
}

static void test_no_answer_to_prepare_is_a_refusal_in_the_end(void **state)
{
    struct bench bench;

    (void)state;
    open_bench(&bench, INCOMPLETE_ABORT, ALL);
    say(&bench, 0, START_EVENT_READY);
    say(&bench, 1, START_EVENT_READY);
    pass(&bench, 5100);
    assert_int_equal(bench.start.phase, START_CANCELLING);
    assert_int_equal(bench.start.nodes[2].code, ERR_TIMEOUT);
    pass(&bench, START_CANCEL_GIVE_UP_MS + 50);
    assert_int_equal(bench.start.phase, START_OVER);
    /* no GO was ever decided: silence cannot have started anything */
    assert_int_equal(bench.start.nodes[2].word, START_WORD_NOT_STARTED);
    start_fini(&bench.start);
}

static void test_excluded_nodes_are_not_asked(void **state)
{
    const struct start_config config = { .n_nodes = N, .prepare_timeout_ns = NS_PER_S };
    struct bench bench = { .mono_ns = 5, .utc_ns = UTC_0 };
    struct err err;

    (void)state;
    assert_int_equal(start_init(&bench.start, &config, TWO, &err), 0);
    start_exclude(&bench.start, 1, ERR_STATE, "its clock is off");
    start_begin(&bench.start, bench.mono_ns);
    feed(&bench, (struct start_event){ .kind = START_EVENT_TIME });
    assert_int_equal(bench.n_told[VERB_PREPARE], 2);
    start_fini(&bench.start);
}

/* ---- arming ---- */

static void test_an_arm_that_is_late_is_tried_again_with_a_later_T(void **state)
{
    struct bench bench;
    int64_t first_T_ns = 0;

    (void)state;
    open_bench(&bench, INCOMPLETE_ABORT, ALL);
    say_all(&bench, START_EVENT_READY);
    first_T_ns = bench.start.T_ns;
    say(&bench, 0, START_EVENT_ARMED);
    pass_until(&bench, START_GUARD_GO_MS + START_GO_LEAD_MS - 20);
    assert_int_equal(bench.start.n, 2);
    assert_true(bench.start.T_ns > first_T_ns);
    assert_false(bench.start.nodes[0].is_armed);
    assert_false(bench.start.is_go_decided);
    say_all(&bench, START_EVENT_ARMED);
    assert_int_equal(bench.start.phase, START_GOING);
    start_fini(&bench.start);
}

static void test_too_near_is_tried_again_and_a_bad_clock_is_not(void **state)
{
    struct bench bench;

    (void)state;
    open_bench(&bench, INCOMPLETE_ABORT, ALL);
    say_all(&bench, START_EVENT_READY);
    feed(&bench, (struct start_event){ .kind = START_EVENT_REFUSED,
                                       .i = 1,
                                       .verb = VERB_ARM,
                                       .n = bench.start.n,
                                       .code = ERR_TIMEOUT,
                                       .why = "T is too near" });
    assert_int_equal(bench.start.n, 2);
    feed(&bench, (struct start_event){ .kind = START_EVENT_REFUSED,
                                       .i = 1,
                                       .verb = VERB_ARM,
                                       .n = bench.start.n,
                                       .code = ERR_STATE,
                                       .why = "the clock is not good enough" });
    assert_int_equal(bench.start.phase, START_CANCELLING);
    start_fini(&bench.start);
}

static void test_arming_is_given_up_after_some_tries(void **state)
{
    struct bench bench;

    (void)state;
    open_bench(&bench, INCOMPLETE_ABORT, ALL);
    say_all(&bench, START_EVENT_READY);
    pass(&bench, 60000);
    assert_int_equal(bench.start.phase, START_OVER);
    assert_int_equal(bench.start.n, START_MAX_ARMS);
    assert_false(bench.start.is_go_decided);
    assert_int_equal(bench.n_told[VERB_GO], 0);
    start_fini(&bench.start);
}

static void test_an_optional_node_that_is_not_armed_stays_behind(void **state)
{
    struct bench bench;

    (void)state;
    open_bench(&bench, INCOMPLETE_ABORT, TWO);
    say_all(&bench, START_EVENT_READY);
    say(&bench, 0, START_EVENT_ARMED);
    say(&bench, 2, START_EVENT_ARMED);
    assert_int_equal(bench.n_told[VERB_GO], 0);
    pass_until(&bench, START_GUARD_GO_MS + START_GO_LEAD_MS - 20);
    assert_true(bench.n_told[VERB_GO] >= 2);
    assert_false(bench.start.nodes[1].is_told);
    assert_int_equal(bench.start.nodes[1].word, START_WORD_NOT_STARTED);
    assert_true(bench.n_told[VERB_CANCEL] > 0);
    start_fini(&bench.start);
}

static void test_a_taken_name_cancels_before_anybody_is_armed(void **state)
{
    struct bench bench;

    (void)state;
    open_bench(&bench, INCOMPLETE_ABORT, ALL);
    bench.refuse_T = true;
    say_all(&bench, START_EVENT_READY);
    assert_int_equal(bench.start.phase, START_CANCELLING);
    assert_int_equal(bench.start.code, ERR_EXISTS);
    assert_int_equal(bench.n_told[VERB_ARM], 0);
    start_fini(&bench.start);
}

/* ---- GO ---- */

static void test_go_is_not_repeated_behind_its_guard(void **state)
{
    struct bench bench;
    size_t n_go = 0;

    (void)state;
    open_armed(&bench, INCOMPLETE_CONTINUE, ALL);
    say(&bench, 0, START_EVENT_GOING);
    pass_until(&bench, START_GUARD_GO_MS);
    n_go = bench.n_told[VERB_GO];
    assert_true(n_go > N);
    pass_until(&bench, START_DECISION_MS + 20);
    assert_int_equal(bench.n_told[VERB_GO], n_go);
    start_fini(&bench.start);
}

static void test_incomplete_at_the_decision_aborts(void **state)
{
    struct bench bench;

    (void)state;
    open_armed(&bench, INCOMPLETE_ABORT, ALL);
    say(&bench, 0, START_EVENT_GOING);
    say(&bench, 1, START_EVENT_GOING);
    pass_until(&bench, START_DECISION_MS + 20);
    assert_int_equal(bench.start.phase, START_GOING);
    pass_until(&bench, START_DECISION_MS - 20);
    assert_int_equal(bench.start.phase, START_CANCELLING);
    assert_true(bench.n_told[VERB_CANCEL] >= N);
    assert_int_equal(bench.n_journal[START_ACT_JOURNAL_CANCEL], 1);
    say(&bench, 0, START_EVENT_CANCELLED);
    say(&bench, 1, START_EVENT_STOPPING);
    pass(&bench, START_CANCEL_GIVE_UP_MS + 1000);
    assert_int_equal(bench.start.phase, START_OVER);
    assert_int_equal(bench.start.nodes[0].word, START_WORD_NOT_STARTED);
    assert_true(bench.start.nodes[1].is_orphan);
    assert_int_not_equal(bench.start.nodes[1].word, START_WORD_NOT_STARTED);
    /* told GO, never heard again: nobody can know */
    assert_int_equal(bench.start.nodes[2].word, START_WORD_UNKNOWN);
    assert_true(bench.start.nodes[2].is_orphan);
    start_fini(&bench.start);
}

/* Its agent dies before READY and prepares anew: a member like any other, which a CANCEL must
 * reach as well. */
static void test_a_restart_before_ready_is_forgotten_with_the_next_prepare(void **state)
{
    struct bench bench;
    size_t n_cancel = 0;

    (void)state;
    open_bench(&bench, INCOMPLETE_ABORT, ALL);
    say(&bench, 2, START_EVENT_REBOOTED);
    pass(&bench, START_AGAIN_PREPARE_MS + 100);
    say_all(&bench, START_EVENT_READY);
    say_all(&bench, START_EVENT_ARMED);
    assert_int_equal(bench.start.phase, START_GOING);
    say(&bench, 0, START_EVENT_GOING);
    assert_int_equal(bench.start.phase, START_GOING);
    pass_until(&bench, START_DECISION_MS - 20);
    assert_int_equal(bench.start.phase, START_CANCELLING);
    say(&bench, 0, START_EVENT_CANCELLED);
    say(&bench, 1, START_EVENT_CANCELLED);
    n_cancel = bench.n_told[VERB_CANCEL];
    pass(&bench, (int64_t)2 * START_AGAIN_CANCEL_MS);
    assert_true(bench.n_told[VERB_CANCEL] > n_cancel);
    say(&bench, 2, START_EVENT_CANCELLED);
    pass(&bench, 50);
    assert_int_equal(bench.start.phase, START_OVER);
    assert_int_equal(bench.start.nodes[2].word, START_WORD_NOT_STARTED);
    start_fini(&bench.start);
}

static void test_a_cancelled_run_is_resumed_with_orphans(void **state)
{
    const bool told[N] = { true, true, false };
    struct bench bench;

    (void)state;
    open_bench(&bench, INCOMPLETE_ABORT, ALL);
    start_resume(&bench.start, UTC_0, 1, told, true);
    assert_int_equal(bench.start.phase, START_OVER);
    assert_true(bench.start.nodes[0].is_orphan);
    assert_false(bench.start.nodes[2].is_orphan);
    say(&bench, 0, START_EVENT_STARTED);
    say(&bench, 1, START_EVENT_CANCELLED);
    assert_int_equal(bench.start.nodes[0].word, START_WORD_STARTED);
    assert_int_equal(bench.start.nodes[1].word, START_WORD_NOT_STARTED);
    start_fini(&bench.start);
}

static void test_incomplete_at_the_decision_continues_if_agreed_beforehand(void **state)
{
    struct bench bench;

    (void)state;
    open_armed(&bench, INCOMPLETE_CONTINUE, ALL);
    say(&bench, 0, START_EVENT_GOING);
    say(&bench, 1, START_EVENT_GOING);
    pass_until(&bench, START_DECISION_MS - 20);
    assert_int_equal(bench.start.phase, START_COMMITTED);
    assert_int_equal(bench.start.nodes[2].word, START_WORD_UNKNOWN);
    say(&bench, 2, START_EVENT_STARTED);
    assert_int_equal(bench.start.nodes[2].word, START_WORD_STARTED);
    start_fini(&bench.start);
}

static void test_a_required_node_that_stood_down_aborts_at_once(void **state)
{
    struct bench bench;

    (void)state;
    open_armed(&bench, INCOMPLETE_ABORT, ALL);
    say(&bench, 1, START_EVENT_STOOD_DOWN);
    assert_int_equal(bench.start.phase, START_CANCELLING);
    assert_int_equal(bench.start.nodes[1].word, START_WORD_NOT_STARTED);
    start_fini(&bench.start);
}

static void test_going_of_an_earlier_arm_does_not_count(void **state)
{
    struct bench bench;

    (void)state;
    open_armed(&bench, INCOMPLETE_ABORT, ALL);
    feed(&bench, (struct start_event){ .kind = START_EVENT_GOING,
                                       .i = 0,
                                       .T_ns = bench.start.T_ns,
                                       .n = bench.start.n - 1 });
    assert_false(bench.start.nodes[0].is_going);
    start_fini(&bench.start);
}

static void test_abort_of_the_user_cancels_until_it_is_committed(void **state)
{
    struct bench bench;

    (void)state;
    open_armed(&bench, INCOMPLETE_ABORT, ALL);
    feed(&bench, (struct start_event){
                     .kind = START_EVENT_ABORT, .code = ERR_INTERRUPTED, .why = "Ctrl-C" });
    assert_int_equal(bench.start.phase, START_CANCELLING);
    start_fini(&bench.start);
    open_armed(&bench, INCOMPLETE_ABORT, ALL);
    say_all(&bench, START_EVENT_GOING);
    feed(&bench, (struct start_event){ .kind = START_EVENT_ABORT, .code = ERR_INTERRUPTED });
    assert_int_equal(bench.start.phase, START_COMMITTED);
    start_fini(&bench.start);
}

/* ---- reboots, and what cannot be known ---- */

static void test_a_reboot_after_go_is_unknown_until_its_state_is_told(void **state)
{
    struct bench bench;

    (void)state;
    open_armed(&bench, INCOMPLETE_CONTINUE, ALL);
    say_all(&bench, START_EVENT_GOING);
    say(&bench, 0, START_EVENT_REBOOTED);
    assert_int_equal(bench.start.nodes[0].word, START_WORD_UNKNOWN);
    assert_int_equal(bench.n_journal[START_ACT_ASK_STATE], 1);
    feed(&bench, (struct start_event){ .kind = START_EVENT_STATE, .i = 0, .is_here = false });
    assert_int_equal(bench.start.nodes[0].word, START_WORD_NOT_STARTED);
    say(&bench, 1, START_EVENT_REBOOTED);
    feed(&bench, (struct start_event){
                     .kind = START_EVENT_STATE, .i = 1, .is_here = true, .is_started = true });
    assert_int_equal(bench.start.nodes[1].word, START_WORD_STARTED);
    start_fini(&bench.start);
}

static void test_what_is_proven_stays_so_over_a_reboot(void **state)
{
    struct bench bench;

    (void)state;
    open_armed(&bench, INCOMPLETE_CONTINUE, ALL);
    say(&bench, 0, START_EVENT_STOOD_DOWN);
    assert_int_equal(bench.start.nodes[0].word, START_WORD_NOT_STARTED);
    say(&bench, 0, START_EVENT_REBOOTED);
    assert_int_equal(bench.start.nodes[0].word, START_WORD_NOT_STARTED);
    start_fini(&bench.start);
}

static void test_a_reboot_before_go_takes_the_node_out(void **state)
{
    struct bench bench;

    (void)state;
    open_bench(&bench, INCOMPLETE_ABORT, TWO);
    say_all(&bench, START_EVENT_READY);
    say(&bench, 1, START_EVENT_REBOOTED);
    assert_true(bench.start.nodes[1].is_out);
    say(&bench, 0, START_EVENT_ARMED);
    say(&bench, 2, START_EVENT_ARMED);
    assert_int_equal(bench.start.phase, START_GOING);
    start_fini(&bench.start);
}

static void test_started_outweighs_a_late_not_started(void **state)
{
    struct bench bench;

    (void)state;
    open_armed(&bench, INCOMPLETE_CONTINUE, ALL);
    say_all(&bench, START_EVENT_GOING);
    say(&bench, 0, START_EVENT_STARTED);
    say(&bench, 0, START_EVENT_STOOD_DOWN);
    say(&bench, 0, START_EVENT_CANCELLED);
    assert_int_equal(bench.start.nodes[0].word, START_WORD_STARTED);
    start_fini(&bench.start);
}

static void test_resume_knows_nothing_but_what_the_journal_says(void **state)
{
    struct bench bench;
    const bool told[N] = { true, false, true };

    (void)state;
    open_bench(&bench, INCOMPLETE_ABORT, ALL);
    start_resume(&bench.start, UTC_0, 2, told, false);
    assert_int_equal(bench.start.phase, START_COMMITTED);
    assert_int_equal(bench.start.nodes[0].word, START_WORD_UNKNOWN);
    assert_int_equal(bench.start.nodes[1].word, START_WORD_NOT_STARTED);
    feed(&bench,
         (struct start_event){ .kind = START_EVENT_ENDED, .i = 2, .n_samples = 100000 });
    assert_int_equal(bench.start.nodes[2].word, START_WORD_STARTED);
    start_fini(&bench.start);
}

static void test_every_event_in_every_phase_is_harmless(void **state)
{
    (void)state;
    for (int phase = START_PREPARING; phase <= START_OVER; phase++) {
        for (int kind = 0; kind < N_START_EVENTS; kind++) {
            struct bench bench;

            open_bench(&bench, INCOMPLETE_CONTINUE, TWO);
            bench.start.phase = (enum start_phase)phase;
            bench.start.T_mono_ns = bench.mono_ns + 600 * NS_PER_MS;
            bench.is_go_journalled = true;
            say(&bench, 1, (enum start_event_kind)kind);
            say(&bench, N + 5, (enum start_event_kind)kind);
            assert_true(bench.start.phase >= START_PREPARING
                        && bench.start.phase <= START_OVER);
            assert_non_null(start_phase_name(bench.start.phase));
            assert_non_null(start_word_name(bench.start.nodes[1].word));
            start_fini(&bench.start);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_T_is_aligned_and_after_every_promise),
        cmocka_unit_test(test_T_allows_for_clocks_and_network_and_is_not_corrected),
        cmocka_unit_test(test_all_ready_armed_and_going_is_committed),
        cmocka_unit_test(test_unanswered_messages_are_repeated),
        cmocka_unit_test(test_an_armed_word_for_another_T_or_n_does_not_count),
        cmocka_unit_test(test_a_required_node_that_refuses_cancels_all),
        cmocka_unit_test(test_the_rest_runs_without_a_node_that_is_not_required),
        cmocka_unit_test(test_no_answer_to_prepare_is_a_refusal_in_the_end),
        cmocka_unit_test(test_excluded_nodes_are_not_asked),
        cmocka_unit_test(test_an_arm_that_is_late_is_tried_again_with_a_later_T),
        cmocka_unit_test(test_too_near_is_tried_again_and_a_bad_clock_is_not),
        cmocka_unit_test(test_arming_is_given_up_after_some_tries),
        cmocka_unit_test(test_an_optional_node_that_is_not_armed_stays_behind),
        cmocka_unit_test(test_a_taken_name_cancels_before_anybody_is_armed),
        cmocka_unit_test(test_go_is_not_repeated_behind_its_guard),
        cmocka_unit_test(test_incomplete_at_the_decision_aborts),
        cmocka_unit_test(test_a_restart_before_ready_is_forgotten_with_the_next_prepare),
        cmocka_unit_test(test_a_cancelled_run_is_resumed_with_orphans),
        cmocka_unit_test(test_incomplete_at_the_decision_continues_if_agreed_beforehand),
        cmocka_unit_test(test_a_required_node_that_stood_down_aborts_at_once),
        cmocka_unit_test(test_going_of_an_earlier_arm_does_not_count),
        cmocka_unit_test(test_abort_of_the_user_cancels_until_it_is_committed),
        cmocka_unit_test(test_a_reboot_after_go_is_unknown_until_its_state_is_told),
        cmocka_unit_test(test_what_is_proven_stays_so_over_a_reboot),
        cmocka_unit_test(test_a_reboot_before_go_takes_the_node_out),
        cmocka_unit_test(test_started_outweighs_a_late_not_started),
        cmocka_unit_test(test_resume_knows_nothing_but_what_the_journal_says),
        cmocka_unit_test(test_every_event_in_every_phase_is_harmless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
