/* SPDX-License-Identifier: MIT */
/* Nodes with the same words share a line, on the stream that their end belongs to. */
#include "herd/words.h"

#include "tests/support/caught.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    N_NODES = 6
};

static struct inventory_node nodes[N_NODES];
static struct inventory inventory = { .n_nodes = N_NODES, .nodes = nodes };
static bool selected[N_NODES];
static const struct context CONTEXT = { .inventory = &inventory, .selected = selected };
static struct words words;

static int set_up(void **state)
{
    struct err err = { 0 };

    (void)state;
    for (size_t i = 0; i < N_NODES; i++) {
        snprintf(nodes[i].name, sizeof(nodes[i].name), "sheep%zu", i);
        selected[i] = true;
    }
    return words_init(&words, &CONTEXT, &err);
}

static int tear_down(void **state)
{
    (void)state;
    words_fini(&words);
    return 0;
}

static void say(size_t i, const char *text, bool is_good)
{
    snprintf(words.texts[i], WORDS_SIZE, "%s", text);
    words.is_good[i] = is_good;
}

static void expect(const char *wanted_out, const char *wanted_err)
{
    struct caught out;
    struct caught err;
    char *out_text = NULL;
    char *err_text = NULL;

    caught_begin(&out, STDOUT_FILENO);
    caught_begin(&err, STDERR_FILENO);
    words_print(&words);
    err_text = caught_end(&err);
    out_text = caught_end(&out);
    assert_string_equal(out_text, wanted_out);
    assert_string_equal(err_text, wanted_err);
    free(out_text);
    free(err_text);
}

static void test_the_same_words_share_a_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_NODES; i++) {
        say(i, i % 2 == 0 ? "even" : "odd", true);
    }
    expect("sheep[0,2,4] (3): even\nsheep[1,3,5] (3): odd\n", "");
}

static void test_good_and_bad_never_share_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_NODES; i++) {
        say(i, "the same", i < 4);
    }
    expect("sheep[0-3] (4): the same\n", "sheep[4-5] (2): the same\n");
}

static void test_who_is_not_meant_is_not_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_NODES; i++) {
        say(i, "here", true);
        selected[i] = i == 1 || i == 5;
    }
    expect("sheep[1,5] (2): here\n", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_same_words_share_a_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_good_and_bad_never_share_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_is_not_meant_is_not_named, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
