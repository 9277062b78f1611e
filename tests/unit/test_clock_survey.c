/* SPDX-License-Identifier: MIT */
/* Exchanges with nodes whose clocks are known: what is found of each, and of the median. */
#include "herd/clock_survey.h"

#include "tests/support/ask_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum {
    N_NODES = 9,
    TRIP_NS = 2000
};

static int64_t offsets_ns[N_NODES];
static unsigned n_played;
static bool is_refused[N_NODES];
static unsigned n_at_once; /* the most nodes that one round asked */
static unsigned n_in_round;
static size_t last_i;

/* The k-th exchange takes k + 1 trips, so the first is the best. */
static void play(size_t i, const void *body, struct proto_message *message,
                 int64_t *received_ns)
{
    const struct body_clock *question = body;
    struct body_clock *clock = PROTO_BODY(message, body_clock);
    int64_t trip_ns = TRIP_NS * (int64_t)ask_fake.n_asked[i];

    n_in_round = i > last_i ? n_in_round + 1 : 1;
    n_at_once = n_in_round > n_at_once ? n_in_round : n_at_once;
    last_i = i;
    n_played++;
    message->verb = is_refused[i] ? VERB_REFUSED : VERB_CLOCKED;
    *clock = (struct body_clock){ .t1_ns = question->t1_ns,
                                  .t2_ns = question->t1_ns + trip_ns / 2 + offsets_ns[i],
                                  .t3_ns = question->t1_ns + trip_ns / 2 + offsets_ns[i],
                                  .is_locked = true };
    snprintf(clock->source, sizeof(clock->source), "node %zu", i);
    *received_ns = question->t1_ns + trip_ns;
}

static struct ask *set_up(struct clock_survey *survey, size_t n_nodes)
{
    static const bool selected[N_NODES] = {
        true, true, true, true, true, true, true, true, true
    };
    struct inventory inventory = { .n_nodes = n_nodes };
    struct err err = { 0 };

    ask_fake_reset(n_nodes, play);
    memset(is_refused, 0, sizeof(is_refused));
    n_played = n_at_once = n_in_round = 0;
    last_i = N_NODES;
    for (size_t i = 0; i < N_NODES; i++) {
        offsets_ns[i] = (int64_t)i * 1000 - 3000;
    }
    assert_int_equal(clock_survey_init(survey, n_nodes, &err), 0);
    return ask_open(&inventory, selected, NULL, &err);
}

static void test_every_clock_is_found(void **state)
{
    struct clock_survey survey;
    struct ask *ask = set_up(&survey, N_NODES);

    (void)state;
    clock_survey_run(&survey, ask, 5, 100);
    assert_int_equal(ask_fake.verb, VERB_CLOCK);
    assert_int_equal(n_played, 5 * N_NODES);
    for (size_t i = 0; i < N_NODES; i++) {
        assert_int_equal(survey.views[i].n_exchanges, 5);
        assert_int_equal(survey.views[i].offset_ns, offsets_ns[i]);
        assert_in_range(survey.views[i].bound_ns, TRIP_NS / 2, TRIP_NS / 2 + 2);
        assert_true(survey.claims[i].is_locked);
    }
    assert_string_equal(survey.claims[3].source, "node 3");
    assert_true(survey.has_median);
    assert_int_equal(survey.median.offset_ns, 1000);
    ask_close(&ask);
    clock_survey_fini(&survey);
    clock_survey_fini(&survey);
}

/* A crowd would widen every bound. */
static void test_few_are_asked_at_a_time(void **state)
{
    static const size_t COUNTS[] = { 1, 4, 5, 8, 9 };

    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(COUNTS); k++) {
        struct clock_survey survey;
        struct ask *ask = set_up(&survey, COUNTS[k]);

        clock_survey_run(&survey, ask, 3, 100);
        assert_int_equal(n_played, 3 * COUNTS[k]);
        assert_in_range(n_at_once, 1, 4);
        ask_close(&ask);
        clock_survey_fini(&survey);
    }
}

static void test_who_is_mute_is_asked_once(void **state)
{
    struct clock_survey survey;
    struct ask *ask = set_up(&survey, N_NODES);

    (void)state;
    ask_fake.is_silent[2] = true;
    clock_survey_run(&survey, ask, 5, 100);
    assert_int_equal(ask_fake.n_asked[2], 1);
    assert_int_equal(ask_fake.n_asked[3], 5);
    assert_int_equal(survey.views[2].n_exchanges, 0);
    /* of the other eight: the mean of the two in the middle */
    assert_int_equal(survey.median.offset_ns, 1500);
    /* the next survey tries again, and forgets what was */
    ask_fake.is_silent[2] = false;
    ask_fake.is_silent[3] = true;
    clock_survey_run(&survey, ask, 1, 100);
    assert_int_equal(survey.views[2].n_exchanges, 1);
    assert_int_equal(survey.views[3].n_exchanges, 0);
    ask_close(&ask);
    clock_survey_fini(&survey);
}

static void test_a_refusal_is_no_exchange(void **state)
{
    struct clock_survey survey;
    struct ask *ask = set_up(&survey, 2);

    (void)state;
    is_refused[0] = is_refused[1] = true;
    clock_survey_run(&survey, ask, 2, 100);
    assert_int_equal(survey.views[0].n_exchanges, 0);
    assert_string_equal(survey.claims[0].source, "");
    assert_false(survey.has_median);
    ask_close(&ask);
    clock_survey_fini(&survey);
}

static void test_nobody(void **state)
{
    struct clock_survey survey;
    struct ask *ask = set_up(&survey, 0);

    (void)state;
    clock_survey_run(&survey, ask, 2, 100);
    assert_false(survey.has_median);
    ask_close(&ask);
    clock_survey_fini(&survey);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_clock_is_found),
        cmocka_unit_test(test_few_are_asked_at_a_time),
        cmocka_unit_test(test_who_is_mute_is_asked_once),
        cmocka_unit_test(test_a_refusal_is_no_exchange),
        cmocka_unit_test(test_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
