/* SPDX-License-Identifier: MIT */
/* One order to many nodes: who obeyed, who did not, and in how few lines it is said. */
#include "herd/order.h"

#include "tests/support/ask_fake.h"
#include "tests/support/caught.h"

#include "herd/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    N_NODES = 6
};

static const struct body_empty NOTHING;
static const struct order BLINK = { .command = "blink",
                                    .verb = VERB_STATUS,
                                    .done_verb = VERB_STATE,
                                    .body = &NOTHING,
                                    .done_word = "blinks",
                                    .timeout_ms = 100 };

static struct inventory_node nodes[N_NODES];
static struct inventory inventory = { .n_nodes = N_NODES, .nodes = nodes };
static bool selected[N_NODES];
static struct context context = { .inventory = &inventory, .selected = selected };
static bool refuses[N_NODES];

static void play(size_t i, const void *body, struct proto_message *message,
                 int64_t *received_ns)
{
    (void)body;
    (void)received_ns;
    message->verb = refuses[i] ? VERB_REFUSED : VERB_STATE;
    if (refuses[i]) {
        snprintf(PROTO_BODY(message, body_refused)->why, 20, "busy %zu", i % 2);
    }
}

static int set_up(void **state)
{
    (void)state;
    ask_fake_reset(N_NODES, play);
    memset(refuses, 0, sizeof(refuses));
    context.n_selected = N_NODES;
    for (size_t i = 0; i < N_NODES; i++) {
        snprintf(nodes[i].name, sizeof(nodes[i].name), "sheep%zu", i);
        selected[i] = true;
    }
    return 0;
}

/* Gives the order and compares all that is said with it. */
static void expect(bool is_json, int wanted_status, const char *wanted_out,
                   const char *wanted_err)
{
    const struct cmd_options options = { .is_json = is_json };
    struct caught out;
    struct caught err;
    char *out_text = NULL;
    char *err_text = NULL;
    int status = 0;

    caught_begin(&out, STDOUT_FILENO);
    caught_begin(&err, STDERR_FILENO);
    status = order_give(&options, &context, &BLINK);
    err_text = caught_end(&err);
    out_text = caught_end(&out);
    assert_string_equal(out_text, wanted_out);
    assert_string_equal(err_text, wanted_err);
    assert_int_equal(status, wanted_status);
    assert_int_equal(ask_fake.n_opened, ask_fake.n_closed);
    free(out_text);
    free(err_text);
}

static void test_all_obey(void **state)
{
    (void)state;
    expect(false, EXIT_ALL_VALID, "sheep[0-5] (6): blinks\n", "");
    assert_int_equal(ask_fake.verb, VERB_STATUS);
    assert_int_equal(ask_fake.n_hellos, 1);
}

static void test_equal_answers_share_a_line(void **state)
{
    (void)state;
    refuses[1] = refuses[2] = refuses[3] = true;
    ask_fake.is_silent[4] = true;
    expect(false, EXIT_NODE_FAILED, "sheep[0,5] (2): blinks\n",
           "sheep[1,3] (2): refused: busy 1\nsheep2 (1): refused: busy 0\n"
           "sheep4 (1): no answer\n");
}

static void test_only_those_meant_count(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_NODES; i++) {
        selected[i] = i == 2;
    }
    context.n_selected = 1;
    refuses[1] = true;
    expect(false, EXIT_ALL_VALID, "sheep2 (1): blinks\n", "");
    assert_int_equal(ask_fake.n_asked[1], 0);
    assert_int_equal(ask_fake.n_asked[2], 1);
}

static void test_for_machines_each_has_a_line(void **state)
{
    (void)state;
    context.n_selected = 3;
    selected[3] = selected[4] = selected[5] = false;
    refuses[1] = true;
    ask_fake.is_silent[2] = true;
    expect(true, EXIT_NODE_FAILED,
           "{\"node\": \"sheep0\", \"done\": true, \"text\": \"blinks\"}\n"
           "{\"node\": \"sheep1\", \"done\": false, \"text\": \"refused: busy 1\"}\n"
           "{\"node\": \"sheep2\", \"done\": false, \"text\": \"no answer\"}\n",
           "");
}

static void test_nobody_is_there(void **state)
{
    (void)state;
    memset(ask_fake.is_silent, true, sizeof(ask_fake.is_silent));
    expect(false, EXIT_NOBODY, "", "sheep[0-5] (6): no answer\n");
}

static void test_what_keeps_it_from_asking(void **state)
{
    (void)state;
    ask_fake.fails_to_open = true;
    expect(false, EXIT_USAGE, "", "herd blink: no public key\n");
}

/* Either a set of nodes, or --all: never everybody by a forgotten word. */
static void test_who_is_meant_must_be_said(void **state)
{
    static const struct {
        int n_operands;
        bool is_all;
        int status;
        const char *nodes;
    } CASES[] = {
        {0,  true,  0,          NULL    },
        { 1, false, 0,          "sheep2"},
        { 0, false, EXIT_USAGE, "kept"  },
        { 1, true,  EXIT_USAGE, "kept"  },
        { 2, false, EXIT_USAGE, "kept"  },
        { 2, true,  EXIT_USAGE, "kept"  },
    };
    const struct cmd_options options = { 0 };
    char words[3][10] = { "blink", "sheep2", "sheep3" };
    char *argv[] = { words[0], words[1], words[2], NULL };

    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(CASES); k++) {
        struct cli_scan scan = { .global = &options,
                                 .argc = 1 + CASES[k].n_operands,
                                 .argv = argv,
                                 .at = 1,
                                 .n_operands = CASES[k].n_operands };
        const char *meant = "kept";
        struct caught caught;
        char *text = NULL;

        caught_begin(&caught, STDERR_FILENO);
        assert_int_equal(order_take_nodes(&scan, CASES[k].is_all, &meant), CASES[k].status);
        text = caught_end(&caught);
        assert_int_equal(strstr(text, ", or --all") != NULL, CASES[k].status != 0);
        free(text);
        if (CASES[k].nodes == NULL) {
            assert_null(meant);
        } else {
            assert_string_equal(meant, CASES[k].nodes);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_all_obey, set_up),
        cmocka_unit_test_setup(test_equal_answers_share_a_line, set_up),
        cmocka_unit_test_setup(test_only_those_meant_count, set_up),
        cmocka_unit_test_setup(test_for_machines_each_has_a_line, set_up),
        cmocka_unit_test_setup(test_nobody_is_there, set_up),
        cmocka_unit_test_setup(test_what_keeps_it_from_asking, set_up),
        cmocka_unit_test(test_who_is_meant_must_be_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
