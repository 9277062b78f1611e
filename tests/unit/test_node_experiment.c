/* SPDX-License-Identifier: MIT */
/* The node's start protocol: every state meets every event, and who may speak. */
#include "common/clock.h"
#include "sheep/experiment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static const uint64_t BOOT = 77;
static const uint64_t EXPERIMENT = 1234;
static const uint64_t CONTROLLER = 500;
static const uint64_t USER = 9;
static const int64_t UTC_NS = INT64_C(1800000000) * 1000000000;
static const int64_t MONO_NS = INT64_C(5000) * 1000000000;

/* A node and the clock around it. */
struct fixture {
    struct node_experiment node;
    struct node_actions actions;
    int64_t now_ns; /* since the beginning */
};

static int64_t agreed_T(void)
{
    return UTC_NS + 5 * NS_PER_S;
}

static struct node_event make(enum node_event_kind kind)
{
    struct node_event event = {
        .kind = kind,
        .experiment = EXPERIMENT,
        .controller = CONTROLLER,
        .boot_id = BOOT,
        .user = USER,
        .T_ns = agreed_T(),
        .n = 1,
        .sample = 1000,
        .is_clock_good = true,
        .is_match = true,
        .preparation = 1,
        .promise_ns = UTC_NS + NS_PER_S,
        .n_samples = 42,
        .code = ERR_HARDWARE,
        .why = "because",
    };

    return event;
}

static void fire(struct fixture *f, struct node_event event)
{
    event.mono_ns = MONO_NS + f->now_ns;
    event.utc_ns += UTC_NS + f->now_ns;
    node_experiment_step(&f->node, &event, &f->actions);
}

static void fire_kind(struct fixture *f, enum node_event_kind kind)
{
    fire(f, make(kind));
}

static void bring_to(struct fixture *f, enum node_state state)
{
    static const enum node_event_kind WAY[] = {
        NODE_EVENT_PREPARE,         NODE_EVENT_PREPARED, NODE_EVENT_ARM,   NODE_EVENT_GO,
        NODE_EVENT_START_CONFIRMED, NODE_EVENT_STARTED,  NODE_EVENT_ENDED,
    };

    memset(f, 0, sizeof(*f));
    node_experiment_init(&f->node, BOOT);
    for (size_t i = 0; i < ARRAY_LEN(WAY) && f->node.state != state; i++) {
        if (state == NODE_CANCELLING && f->node.state == NODE_GOING) {
            fire_kind(f, NODE_EVENT_CANCEL);
        } else if (state == NODE_RECOVERING && f->node.state == NODE_RUNNING) {
            fire_kind(f, NODE_EVENT_RECORDER_LOST);
        } else {
            fire_kind(f, WAY[i]);
        }
    }
    assert_int_equal(f->node.state, state);
}

/* What is done in short: A answer, T tell, and the recorder's letters. */
static void describe(const struct node_actions *actions, char *text, size_t size)
{
    static const char *const NAMES[] = {
        [NODE_ACT_ANSWER] = "",         [NODE_ACT_TELL] = "!",
        [NODE_ACT_PREPARE] = "prepare", [NODE_ACT_START] = "start",
        [NODE_ACT_CANCEL] = "cancel",   [NODE_ACT_STOP] = "stop",
        [NODE_ACT_RECOVER] = "recover", [NODE_ACT_RELEASE] = "release",
    };
    size_t at = 0;

    text[0] = '\0';
    for (size_t i = 0; i < actions->count; i++) {
        const struct node_action *action = &actions->list[i];
        const char *verb = action->verb == VERB_NONE ? "" : proto_verb_info(action->verb)->name;

        at += (size_t)snprintf(text + at, size - at, "%s%s%s", i > 0 ? " " : "",
                               NAMES[action->kind], verb);
    }
}

struct expectation {
    enum node_event_kind event;
    const char *does[N_NODE_STATES]; /* "" silence */
    enum node_state next[N_NODE_STATES];
};

/* In the order idle preparing prepared armed starting going cancelling running recovering done.
 */
#define I  NODE_IDLE
#define PG NODE_PREPARING
#define P  NODE_PREPARED
#define A  NODE_ARMED
#define S  NODE_STARTING
#define G  NODE_GOING
#define C  NODE_CANCELLING
#define R  NODE_RUNNING
#define RC NODE_RECOVERING
#define D  NODE_DONE
#define STAY                           \
    {                                  \
        I, PG, P, A, S, G, C, R, RC, D \
    }

static const struct expectation EXPECTED[] = {
    {NODE_EVENT_PREPARE,
     { "prepare", "", "READY", "READY", "", "", "", "", "", "" },
     { PG, PG, P, A, S, G, C, R, RC, D }                                                            },
    { NODE_EVENT_ARM,
     { "REFUSED", "REFUSED", "ARMED", "ARMED", "ARMED", "ARMED", "", "ARMED", "ARMED",
        "ARMED" },
     { I, PG, A, A, S, G, C, R, RC, D }                                                             },
    { NODE_EVENT_GO,
     { "REFUSED", "STOOD_DOWN", "STOOD_DOWN", "start", "", "GOING", "", "GOING", "", "GOING" },
     { I, PG, P, S, S, G, C, R, RC, D }                                                             },
    { NODE_EVENT_CANCEL,
     { "REFUSED", "cancel CANCELLED", "cancel CANCELLED", "cancel CANCELLED", "cancel",
        "cancel", "", "stop STOPPING", "STOPPING", "STOPPING" },
     { I, I, I, I, C, C, C, R, RC, D }                                                              },
    { NODE_EVENT_STOP,
     { "REFUSED", "REFUSED", "REFUSED", "REFUSED", "stop STOPPING", "stop STOPPING", "",
        "stop STOPPING", "STOPPING", "STOPPING" },
     STAY                                                                                           },
    { NODE_EVENT_RELEASE,
     { "REFUSED", "REFUSED", "REFUSED", "REFUSED", "REFUSED", "REFUSED", "REFUSED", "REFUSED",
        "REFUSED", "release RELEASED" },
     { I, PG, P, A, S, G, C, R, RC, I }                                                             },
    { NODE_EVENT_BEAT,
     { "", "", "", "", "", "", "", "!STARTED", "", "!STARTED !ENDED" },
     STAY                                                                                           },
    { NODE_EVENT_TAKE_OVER,        { "", "", "", "", "", "", "", "", "", "" },                  STAY},
    { NODE_EVENT_PREPARED,
     { "", "READY", "", "", "", "", "", "", "", "" },
     { I, P, P, A, S, G, C, R, RC, D }                                                              },
    { NODE_EVENT_PREPARE_FAILED,
     { "", "REFUSED", "", "", "", "", "", "", "", "" },
     { I, I, P, A, S, G, C, R, RC, D }                                                              },
    { NODE_EVENT_START_CONFIRMED,
     { "", "", "", "", "GOING", "", "", "", "", "" },
     { I, PG, P, A, G, G, C, R, RC, D }                                                             },
    { NODE_EVENT_START_FAILED,
     { "", "", "", "", "STOOD_DOWN", "", "", "", "", "" },
     { I, PG, P, A, P, G, C, R, RC, D }                                                             },
    { NODE_EVENT_CANCEL_CONFIRMED,
     { "", "", "", "", "", "", "CANCELLED", "", "", "" },
     { I, PG, P, A, S, G, I, R, RC, D }                                                             },
    { NODE_EVENT_CANCEL_FAILED,
     { "", "", "", "", "", "", "stop STOPPING", "stop STOPPING", "", "" },
     { I, PG, P, A, S, G, G, R, RC, D }                                                             },
    { NODE_EVENT_STARTED,
     { "", "", "", "", "GOING !STARTED", "!STARTED", "!STARTED", "", "", "" },
     { I, PG, P, A, R, R, R, R, RC, D }                                                             },
    { NODE_EVENT_ENDED,
     { "", "", "!CANCELLED", "!STOOD_DOWN !CANCELLED", "!ENDED", "!ENDED", "!ENDED", "!ENDED",
        "!ENDED", "" },
     { I, PG, I, I, D, D, D, D, D, D }                                                              },
    { NODE_EVENT_RECORDER_LOST,
     { "", "REFUSED", "!CANCELLED", "!STOOD_DOWN !CANCELLED", "recover", "recover", "recover",
        "recover", "", "" },
     { I, I, I, I, RC, RC, RC, RC, RC, D }                                                          },
    { NODE_EVENT_TIME,             { "", "", "", "", "", "", "", "", "", "" },                  STAY},
};

static void test_every_state_answers_every_event(void **state)
{
    (void)state;
    assert_int_equal(ARRAY_LEN(EXPECTED), N_NODE_EVENTS);
    for (size_t i = 0; i < ARRAY_LEN(EXPECTED); i++) {
        for (int from = 0; from < N_NODE_STATES; from++) {
            struct fixture f;
            char text[200];
            struct node_event event = make(EXPECTED[i].event);

            bring_to(&f, (enum node_state)from);
            if (event.kind == NODE_EVENT_TAKE_OVER) {
                event.controller++;
                event.takes_over = true;
            }
            fire(&f, event);
            describe(&f.actions, text, sizeof(text));
            if (strcmp(text, EXPECTED[i].does[from]) != 0
                || f.node.state != EXPECTED[i].next[from]) {
                fail_msg("event %d in %s (%d): '%s' instead of '%s', then %s", (int)event.kind,
                         node_state_name((enum node_state)from), from, text,
                         EXPECTED[i].does[from], node_state_name(f.node.state));
            }
        }
    }
}

static void expect(struct fixture *f, const char *does, enum node_state next)
{
    char text[200];

    describe(&f->actions, text, sizeof(text));
    assert_string_equal(text, does);
    assert_int_equal(f->node.state, next);
}

static void test_go_is_accepted_until_the_guard_and_not_after(void **state)
{
    static const struct {
        int64_t before_T_ms;
        const char *does;
        enum node_state next;
    } CASES[] = {
        {401,  "start",                  NODE_STARTING},
        { 400, "!STOOD_DOWN STOOD_DOWN", NODE_PREPARED},
        { 0,   "!STOOD_DOWN STOOD_DOWN", NODE_PREPARED},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct fixture f;

        bring_to(&f, NODE_ARMED);
        f.now_ns = 5 * NS_PER_S - CASES[i].before_T_ms * NS_PER_MS;
        fire_kind(&f, NODE_EVENT_GO);
        expect(&f, CASES[i].does, CASES[i].next);
    }
}

static void test_stood_down_is_final_for_that_arm(void **state)
{
    struct fixture f;
    struct node_event event = make(NODE_EVENT_ARM);

    (void)state;
    bring_to(&f, NODE_ARMED);
    f.now_ns = 5 * NS_PER_S - 400 * NS_PER_MS;
    fire_kind(&f, NODE_EVENT_TIME);
    expect(&f, "!STOOD_DOWN", NODE_PREPARED);
    fire_kind(&f, NODE_EVENT_BEAT); /* it may have been lost */
    expect(&f, "!STOOD_DOWN", NODE_PREPARED);
    /* Even if the same arm came back with time enough. */
    event.T_ns = UTC_NS + 20 * NS_PER_S;
    fire(&f, event);
    expect(&f, "STOOD_DOWN", NODE_PREPARED);
    event.n = 2;
    fire(&f, event);
    expect(&f, "ARMED", NODE_ARMED);
    /* A late GO for the first arm says nothing about the second. */
    fire_kind(&f, NODE_EVENT_GO);
    expect(&f, "STOOD_DOWN", NODE_ARMED);
    assert_int_equal(f.actions.list[0].n, 1);
}

static void test_a_go_that_does_not_match_stands_down(void **state)
{
    struct fixture f;
    struct node_event event = make(NODE_EVENT_GO);

    (void)state;
    bring_to(&f, NODE_ARMED);
    event.T_ns++;
    fire(&f, event);
    expect(&f, "STOOD_DOWN", NODE_PREPARED);
    bring_to(&f, NODE_ARMED);
    event = make(NODE_EVENT_GO);
    event.n = 2;
    fire(&f, event);
    expect(&f, "STOOD_DOWN", NODE_PREPARED);
    assert_int_equal(f.node.n_down, 2);
}

static void test_a_clock_that_steps_after_arm_stands_down(void **state)
{
    struct fixture f;
    struct node_event event = make(NODE_EVENT_GO);

    (void)state;
    bring_to(&f, NODE_ARMED);
    event.utc_ns = 11 * NS_PER_MS;
    fire(&f, event);
    expect(&f, "STOOD_DOWN", NODE_PREPARED);
    bring_to(&f, NODE_ARMED);
    event.utc_ns = -11 * NS_PER_MS;
    fire(&f, event);
    expect(&f, "STOOD_DOWN", NODE_PREPARED);
    bring_to(&f, NODE_ARMED);
    event.utc_ns = 9 * NS_PER_MS;
    fire(&f, event);
    expect(&f, "start", NODE_STARTING);
}

static void test_arm_wants_time_a_good_clock_and_a_newer_number(void **state)
{
    struct fixture f;
    struct node_event event = make(NODE_EVENT_ARM);

    (void)state;
    bring_to(&f, NODE_PREPARED);
    event.T_ns = UTC_NS + NS_PER_S / 2; /* before the promise */
    fire(&f, event);
    expect(&f, "REFUSED", NODE_PREPARED);
    event = make(NODE_EVENT_ARM);
    event.is_clock_good = false;
    fire(&f, event);
    expect(&f, "REFUSED", NODE_PREPARED);
    event = make(NODE_EVENT_ARM);
    event.T_ns = INT64_MAX;
    fire(&f, event);
    expect(&f, "REFUSED", NODE_PREPARED);
    event.T_ns = INT64_MIN;
    fire(&f, event);
    expect(&f, "REFUSED", NODE_PREPARED);
    event = make(NODE_EVENT_ARM);
    event.n = 0;
    fire(&f, event);
    expect(&f, "STOOD_DOWN", NODE_PREPARED);
    event.n = 3;
    fire(&f, event);
    expect(&f, "ARMED", NODE_ARMED);
    event.n = 2;
    fire(&f, event);
    expect(&f, "", NODE_ARMED);
    event.n = 4;
    event.T_ns += NS_PER_S;
    fire(&f, event);
    expect(&f, "ARMED", NODE_ARMED);
    assert_true(f.node.T_ns == agreed_T() + NS_PER_S);
}

static void test_the_lease_runs_out_without_the_owner(void **state)
{
    static const enum node_state HELD[] = { NODE_PREPARING, NODE_PREPARED, NODE_ARMED };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(HELD); i++) {
        struct fixture f;
        struct node_event event = make(NODE_EVENT_ARM);

        bring_to(&f, HELD[i]);
        if (HELD[i] == NODE_ARMED) {
            event.n = 2;
            event.T_ns = UTC_NS + 100 * NS_PER_S;
            fire(&f, event);
        }
        f.now_ns = 20 * NS_PER_S;
        fire_kind(&f, NODE_EVENT_BEAT);
        f.now_ns = 49 * NS_PER_S;
        fire_kind(&f, NODE_EVENT_TIME);
        assert_int_equal(f.actions.count, 0);
        f.now_ns = 50 * NS_PER_S;
        assert_true(node_experiment_deadline_ns(&f.node) == MONO_NS + f.now_ns);
        fire_kind(&f, NODE_EVENT_TIME);
        expect(&f, "cancel !CANCELLED", NODE_IDLE);
    }
}

static void test_going_does_not_depend_on_the_owner(void **state)
{
    struct fixture f;

    (void)state;
    bring_to(&f, NODE_GOING);
    f.now_ns = 1000 * NS_PER_S;
    fire_kind(&f, NODE_EVENT_TIME);
    expect(&f, "", NODE_GOING);
    bring_to(&f, NODE_RUNNING);
    f.now_ns = 1000 * NS_PER_S;
    fire_kind(&f, NODE_EVENT_TIME);
    expect(&f, "", NODE_RUNNING);
}

static void test_cancel_holds_until_its_guard_and_is_a_stop_after(void **state)
{
    struct fixture f;

    (void)state;
    bring_to(&f, NODE_GOING);
    f.now_ns = 5 * NS_PER_S - 101 * NS_PER_MS;
    fire_kind(&f, NODE_EVENT_CANCEL);
    expect(&f, "cancel", NODE_CANCELLING);
    bring_to(&f, NODE_GOING);
    f.now_ns = 5 * NS_PER_S - 100 * NS_PER_MS;
    fire_kind(&f, NODE_EVENT_CANCEL);
    expect(&f, "stop STOPPING", NODE_GOING);
}

static void test_words_of_another_boot_controller_or_user_change_nothing(void **state)
{
    (void)state;
    for (int from = 0; from < N_NODE_STATES; from++) {
        for (int kind = 0; kind < N_NODE_MESSAGES; kind++) {
            for (int wrong = 0; wrong < 4; wrong++) {
                struct fixture f;
                struct node_experiment before;
                struct node_event event = make((enum node_event_kind)kind);

                bring_to(&f, (enum node_state)from);
                if (from == NODE_IDLE && wrong != 0) {
                    continue; /* nothing is here that could be another's */
                }
                before = f.node;
                event.boot_id += wrong == 0;
                event.controller -= wrong == 1;
                event.user += wrong == 2;
                event.experiment += wrong == 3 && kind != NODE_EVENT_TAKE_OVER;
                if (from == NODE_DONE && kind == NODE_EVENT_PREPARE && wrong == 3) {
                    continue; /* a finished node is free for its owner's next experiment */
                }
                if (kind == NODE_EVENT_TAKE_OVER) {
                    event.controller -= wrong > 1; /* it must be newer, and that is all */
                    event.takes_over = true;
                }
                fire(&f, event);
                assert_memory_equal(&f.node, &before, sizeof(before));
                if (kind != NODE_EVENT_BEAT && f.actions.count > 0) {
                    expect(&f, "REFUSED", (enum node_state)from);
                }
            }
        }
    }
}

static void test_a_newer_controller_of_the_same_user_takes_over(void **state)
{
    struct fixture f;
    struct node_event event = make(NODE_EVENT_STOP);

    (void)state;
    bring_to(&f, NODE_RUNNING);
    event.controller++;
    fire(&f, event);
    expect(&f, "stop STOPPING", NODE_RUNNING);
    fire_kind(&f, NODE_EVENT_STOP); /* with the old token */
    expect(&f, "REFUSED", NODE_RUNNING);
}

static void test_another_user_needs_to_say_take_over(void **state)
{
    struct fixture f;
    struct node_event event = make(NODE_EVENT_TAKE_OVER);

    (void)state;
    bring_to(&f, NODE_RUNNING);
    event.user++;
    event.controller++;
    event.experiment = 555; /* its own */
    event.takes_over = true;
    fire(&f, event);
    assert_int_equal(f.node.user, USER + 1);
    event = make(NODE_EVENT_STOP);
    event.user++;
    event.controller++;
    fire(&f, event);
    expect(&f, "stop STOPPING", NODE_RUNNING);
}

static void test_take_over_of_a_prepared_node_prepares_anew(void **state)
{
    struct fixture f;
    struct node_event event = make(NODE_EVENT_PREPARE);

    (void)state;
    bring_to(&f, NODE_ARMED);
    event.user++;
    event.controller++;
    event.experiment++;
    fire(&f, event);
    expect(&f, "REFUSED", NODE_ARMED);
    event.takes_over = true;
    fire(&f, event);
    expect(&f, "cancel prepare", NODE_PREPARING);
    bring_to(&f, NODE_RUNNING);
    fire(&f, event);
    expect(&f, "REFUSED", NODE_RUNNING);
}

static void test_a_finished_node_is_free_once_its_owner_knows_or_is_lost(void **state)
{
    struct fixture f;
    struct node_event other = make(NODE_EVENT_PREPARE);
    struct node_event beat = make(NODE_EVENT_BEAT);

    (void)state;
    other.user++;
    other.experiment++;
    bring_to(&f, NODE_DONE);
    fire(&f, other);
    expect(&f, "REFUSED", NODE_DONE);
    beat.seen = NODE_DONE;
    fire(&f, beat);
    fire(&f, other);
    expect(&f, "prepare", NODE_PREPARING);
    bring_to(&f, NODE_DONE);
    f.now_ns = 11 * NS_PER_S;
    fire(&f, other);
    expect(&f, "prepare", NODE_PREPARING);
}

static void test_after_cancel_and_release_repeats_get_the_truth(void **state)
{
    struct fixture f;
    struct node_event event = make(NODE_EVENT_RELEASE);

    (void)state;
    bring_to(&f, NODE_PREPARED);
    fire_kind(&f, NODE_EVENT_CANCEL);
    fire_kind(&f, NODE_EVENT_CANCEL);
    expect(&f, "CANCELLED", NODE_IDLE);
    fire_kind(&f, NODE_EVENT_GO);
    expect(&f, "STOOD_DOWN", NODE_IDLE);
    fire_kind(&f, NODE_EVENT_PREPARE); /* a late copy: its herd has given up */
    expect(&f, "CANCELLED", NODE_IDLE);
    bring_to(&f, NODE_DONE);
    event.is_match = false;
    fire(&f, event);
    expect(&f, "REFUSED", NODE_DONE);
    fire_kind(&f, NODE_EVENT_RELEASE);
    fire_kind(&f, NODE_EVENT_RELEASE);
    expect(&f, "RELEASED", NODE_IDLE);
    fire_kind(&f, NODE_EVENT_CANCEL);
    expect(&f, "STOPPING", NODE_IDLE);
    fire_kind(&f, NODE_EVENT_GO);
    expect(&f, "GOING", NODE_IDLE);
    fire_kind(&f, NODE_EVENT_PREPARE);
    expect(&f, "", NODE_IDLE);
}

static void test_an_answer_for_a_preparation_that_was_given_up_is_ignored(void **state)
{
    struct fixture f;
    struct node_event next = make(NODE_EVENT_PREPARE);

    (void)state;
    bring_to(&f, NODE_PREPARING);
    fire_kind(&f, NODE_EVENT_CANCEL);
    next.experiment++;
    fire(&f, next);
    fire_kind(&f, NODE_EVENT_PREPARED); /* of the first */
    expect(&f, "", NODE_PREPARING);
}

static void test_restore_goes_on_where_the_agent_was(void **state)
{
    struct fixture f = { 0 };
    struct node_restore from = {
        .state = NODE_GOING,
        .experiment = EXPERIMENT,
        .controller = CONTROLLER,
        .user = USER,
        .T_ns = agreed_T(),
        .n = 1,
        .mono_ns = MONO_NS,
        .utc_ns = UTC_NS,
    };

    (void)state;
    node_experiment_init(&f.node, BOOT);
    node_experiment_restore(&f.node, &from);
    fire_kind(&f, NODE_EVENT_GO);
    expect(&f, "GOING", NODE_GOING);
    f.now_ns = 5 * NS_PER_S - 101 * NS_PER_MS;
    fire_kind(&f, NODE_EVENT_CANCEL);
    expect(&f, "cancel", NODE_CANCELLING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_state_answers_every_event),
        cmocka_unit_test(test_go_is_accepted_until_the_guard_and_not_after),
        cmocka_unit_test(test_stood_down_is_final_for_that_arm),
        cmocka_unit_test(test_a_go_that_does_not_match_stands_down),
        cmocka_unit_test(test_a_clock_that_steps_after_arm_stands_down),
        cmocka_unit_test(test_arm_wants_time_a_good_clock_and_a_newer_number),
        cmocka_unit_test(test_the_lease_runs_out_without_the_owner),
        cmocka_unit_test(test_going_does_not_depend_on_the_owner),
        cmocka_unit_test(test_cancel_holds_until_its_guard_and_is_a_stop_after),
        cmocka_unit_test(test_words_of_another_boot_controller_or_user_change_nothing),
        cmocka_unit_test(test_a_newer_controller_of_the_same_user_takes_over),
        cmocka_unit_test(test_another_user_needs_to_say_take_over),
        cmocka_unit_test(test_take_over_of_a_prepared_node_prepares_anew),
        cmocka_unit_test(test_a_finished_node_is_free_once_its_owner_knows_or_is_lost),
        cmocka_unit_test(test_after_cancel_and_release_repeats_get_the_truth),
        cmocka_unit_test(test_an_answer_for_a_preparation_that_was_given_up_is_ignored),
        cmocka_unit_test(test_restore_goes_on_where_the_agent_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
