/* SPDX-License-Identifier: MIT */
/* What nodes say of themselves, each with why it did not. */
#include "herd/facts.h"

#include "tests/support/ask_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum {
    N_NODES = 6
};

static char long_why[400];

/* 0: right; 1: refuses; 2: another verb; 3: nonsense; 4: (silent); 5: right, but empty. */
static void play(size_t i, const void *body, struct proto_message *message,
                 int64_t *received_ns)
{
    static const char *const TEXTS[] = {
        "machine: Black\nn_processors: 1\n", "", "", "colour: green\n", "", ""
    };

    (void)received_ns;
    assert_non_null(body);
    message->verb = i == 1 ? VERB_REFUSED : i == 2 ? VERB_STATE : VERB_INVENTORIED;
    message->payload = (struct proto_frame){ TEXTS[i], strlen(TEXTS[i]) };
    if (i == 1) {
        snprintf(PROTO_BODY(message, body_refused)->why, PROTO_TEXT_SIZE, "%s", long_why);
    }
}

static void ask(struct facts *facts, size_t wanted)
{
    const bool selected[N_NODES] = { true, true, true, true, true, true };
    struct inventory inventory = { .n_nodes = N_NODES };
    struct ask *open = NULL;
    struct err err = { 0 };

    open = ask_open(&inventory, selected, NULL, &err);
    assert_int_equal(facts_ask(facts, open, N_NODES, 100), wanted);
    assert_int_equal(ask_fake.verb, VERB_INVENTORY);
    ask_close(&open);
}

static void test_each_node_has_facts_or_a_fault(void **state)
{
    struct facts facts = { 0 };

    (void)state;
    ask_fake_reset(N_NODES, play);
    ask_fake.is_silent[4] = true;
    snprintf(long_why, sizeof(long_why), "busy");
    ask(&facts, 2);
    assert_int_equal(facts.n_nodes, N_NODES);
    assert_string_equal(facts.nodes[0].machine, "Black");
    assert_int_equal(facts.nodes[0].n_processors, 1);
    assert_string_equal(facts.faults[0], "");
    assert_string_equal(facts.faults[1], "busy");
    assert_string_equal(facts.faults[2], "it answered STATE");
    assert_non_null(strstr(facts.faults[3], "colour"));
    assert_string_equal(facts.faults[4], "no answer");
    assert_string_equal(facts.faults[5], "");
    assert_string_equal(facts.nodes[5].machine, "");
    facts_fini(&facts);
    facts_fini(&facts);
    assert_int_equal(facts.n_nodes, 0);
}

static void test_nobody_answers(void **state)
{
    struct facts facts = { 0 };

    (void)state;
    ask_fake_reset(N_NODES, play);
    memset(ask_fake.is_silent, true, sizeof(ask_fake.is_silent));
    ask(&facts, 0);
    for (size_t i = 0; i < N_NODES; i++) {
        assert_string_equal(facts.faults[i], "no answer");
    }
    facts_fini(&facts);
}

/* A fault is cut to its place. */
static void test_long_words_are_cut(void **state)
{
    struct facts facts = { 0 };

    (void)state;
    ask_fake_reset(N_NODES, play);
    memset(long_why, 'x', sizeof(long_why) - 1);
    ask(&facts, 3);
    assert_int_equal(strlen(facts.faults[1]), 190);
    facts_fini(&facts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_node_has_facts_or_a_fault),
        cmocka_unit_test(test_nobody_answers),
        cmocka_unit_test(test_long_words_are_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
