/* SPDX-License-Identifier: MIT */
/* How an answer of the start protocol is put together. What is answered when is tested in
 * test_node_experiment.c. */
#include "sheep/experiment_step.h"

#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct node_experiment node;
    struct node_event event;
    struct node_actions actions;
    struct node_step step;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    memset(&f->actions, 0xA5, sizeof(f->actions)); /* what an earlier step left there */
    f->actions.count = 0;
    f->node.T_ns = 1000;
    f->node.n = 3;
    f->node.preparation = 8;
    f->step = (struct node_step){ &f->node, &f->event, &f->actions };
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static void test_actions_follow_each_other_with_the_arm_of_the_node(void **state)
{
    struct fixture *f = *state;

    assert_ptr_equal(node_step_act(&f->step, NODE_ACT_PREPARE), &f->actions.list[0]);
    f->node.n = 4;
    assert_ptr_equal(node_step_answer(&f->step, VERB_READY), &f->actions.list[1]);
    assert_ptr_equal(node_step_tell(&f->step, VERB_STARTED), &f->actions.list[2]);
    assert_int_equal(f->actions.count, 3);
    assert_int_equal(f->actions.list[0].kind, NODE_ACT_PREPARE);
    assert_int_equal(f->actions.list[0].verb, VERB_NONE);
    assert_int_equal(f->actions.list[0].n, 3);
    assert_int_equal(f->actions.list[0].T_ns, 1000);
    assert_int_equal(f->actions.list[0].preparation, 8);
    assert_int_equal(f->actions.list[0].code, ERR_NONE);
    assert_string_equal(f->actions.list[0].why, "");
    assert_int_equal(f->actions.list[1].kind, NODE_ACT_ANSWER);
    assert_int_equal(f->actions.list[1].verb, VERB_READY);
    assert_int_equal(f->actions.list[1].n, 4);
    assert_int_equal(f->actions.list[2].kind, NODE_ACT_TELL);
    assert_int_equal(f->actions.list[2].verb, VERB_STARTED);
}

static void test_a_refusal_says_why_in_what_room_there_is(void **state)
{
    struct fixture *f = *state;
    char text[NODE_WHY_SIZE + 40];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    node_step_refuse(&f->step, ERR_STATE, "in use");
    node_step_refuse(&f->step, ERR_HARDWARE, NULL);
    node_step_refuse(&f->step, ERR_INPUT, text);
    assert_int_equal(f->actions.list[0].kind, NODE_ACT_ANSWER);
    assert_int_equal(f->actions.list[0].verb, VERB_REFUSED);
    assert_int_equal(f->actions.list[0].code, ERR_STATE);
    assert_string_equal(f->actions.list[0].why, "in use");
    assert_string_equal(f->actions.list[1].why, "");
    assert_int_equal(strlen(f->actions.list[2].why), NODE_WHY_SIZE - 1);
    assert_int_equal(f->actions.count, 3);
}

static void test_standing_down_ends_the_arm_and_all_before_for_good(void **state)
{
    struct fixture *f = *state;

    f->event = (struct node_event){ .kind = NODE_EVENT_CANCEL, .T_ns = 7777 };
    node_step_stand_down(&f->step, NODE_ACT_ANSWER, 3, "cancelled");
    assert_int_equal(f->actions.list[0].kind, NODE_ACT_ANSWER);
    assert_int_equal(f->actions.list[0].verb, VERB_STOOD_DOWN);
    assert_int_equal(f->actions.list[0].n, 3);
    assert_int_equal(f->actions.list[0].T_ns, 1000); /* a CANCEL has no T of its own */
    assert_string_equal(f->actions.list[0].why, "cancelled");
    assert_int_equal(f->node.n_down, 3);
    /* An older arm that is asked about again does not bring the newer one back. */
    f->event.kind = NODE_EVENT_GO;
    node_step_stand_down(&f->step, NODE_ACT_TELL, 2, NULL);
    assert_int_equal(f->actions.list[1].kind, NODE_ACT_TELL);
    assert_int_equal(f->actions.list[1].n, 2);
    assert_int_equal(f->actions.list[1].T_ns, 7777);
    assert_int_equal(f->node.n_down, 3);
    f->event.kind = NODE_EVENT_ARM;
    node_step_stand_down(&f->step, NODE_ACT_ANSWER, 5, "past");
    assert_int_equal(f->actions.list[2].T_ns, 7777);
    assert_int_equal(f->node.n_down, 5);
}

static void test_the_guard_ends_to_the_nanosecond(void **state)
{
    struct fixture *f = *state;

    f->node.T_mono_ns = 10 * NS_PER_S;
    f->event.mono_ns = 10 * NS_PER_S - 400 * NS_PER_MS - 1;
    assert_true(node_step_is_before(&f->step, 400));
    f->event.mono_ns++;
    assert_false(node_step_is_before(&f->step, 400));
    assert_true(node_step_is_before(&f->step, 399));
}

static void test_a_clock_that_stepped_is_seen_in_both_directions(void **state)
{
    struct fixture *f = *state;
    int64_t limit_ns = NODE_CLOCK_STEP_MS * NS_PER_MS;

    f->node.armed_offset_ns = 500;
    f->event.mono_ns = 9000;
    f->event.utc_ns = 9500 + limit_ns;
    assert_false(node_step_has_clock_stepped(&f->step));
    f->event.utc_ns++;
    assert_true(node_step_has_clock_stepped(&f->step));
    f->event.utc_ns = 9500 - limit_ns;
    assert_false(node_step_has_clock_stepped(&f->step));
    f->event.utc_ns--;
    assert_true(node_step_has_clock_stepped(&f->step));
    /* Time that passes on both clocks is no step. */
    f->event.utc_ns = 9500 + NS_PER_S;
    f->event.mono_ns = 9000 + NS_PER_S;
    assert_false(node_step_has_clock_stepped(&f->step));
}

static void test_going_idle_keeps_what_a_repeat_needs(void **state)
{
    struct fixture *f = *state;

    f->node.state = NODE_ARMED;
    f->node.experiment = 12;
    f->node.lease_mono_ns = 99;
    f->node.n_down = 1;
    node_step_go_idle(&f->step);
    assert_int_equal(f->node.state, NODE_IDLE);
    assert_true(f->node.is_over);
    assert_int_equal(f->node.experiment, 12);
    assert_int_equal(f->node.lease_mono_ns, 0);
    assert_int_equal(f->node.n_down, 3);
    f->node.n = 2;
    node_step_go_idle(&f->step);
    assert_int_equal(f->node.n_down, 3);
}

static void test_the_table_answers_in_the_state_of_the_node(void **state)
{
    struct fixture *f = *state;

    f->event.kind = NODE_EVENT_PREPARE;
    f->event.experiment = 5;
    node_step_handle(&f->step);
    assert_int_equal(f->node.state, NODE_PREPARING);
    assert_int_equal(f->actions.count, 1);
    assert_int_equal(f->actions.list[0].kind, NODE_ACT_PREPARE);
    f->actions.count = 0;
    f->event = (struct node_event){ .kind = NODE_EVENT_PREPARED,
                                    .preparation = f->node.preparation,
                                    .promise_ns = 60 };
    node_step_handle(&f->step);
    assert_int_equal(f->node.state, NODE_PREPARED);
    assert_int_equal(f->actions.list[0].verb, VERB_READY);
    assert_int_equal(f->actions.list[0].promise_ns, 60);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_actions_follow_each_other_with_the_arm_of_the_node),
        TEST(test_a_refusal_says_why_in_what_room_there_is),
        TEST(test_standing_down_ends_the_arm_and_all_before_for_good),
        TEST(test_the_guard_ends_to_the_nanosecond),
        TEST(test_a_clock_that_stepped_is_seen_in_both_directions),
        TEST(test_going_idle_keeps_what_a_repeat_needs),
        TEST(test_the_table_answers_in_the_state_of_the_node),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
