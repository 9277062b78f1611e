/* SPDX-License-Identifier: MIT */
#include "herd/cmd.h"

#include "common/attrs.h"
#include "common/keys.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    MAX_WORDS = 16
};

static char folder[] = "/tmp/test_keygen.XXXXXX";
static char start_folder[PATH_MAX];

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/test_keygen.XXXXXX");
    assert_non_null(getcwd(start_folder, sizeof(start_folder)));
    assert_non_null(mkdtemp(folder));
    return chdir(folder);
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    assert_int_equal(chdir(start_folder), 0);
    snprintf(command, sizeof(command), "rm -r '%s'", folder);
    return system(command);
}

static int keygen(const char *line, bool is_json)
{
    const struct cmd_options options = { .is_json = is_json };
    char words[256];
    char *argv[MAX_WORDS + 1] = { NULL };
    char *rest = words;
    int argc = 0;

    snprintf(words, sizeof(words), "%s", line);
    for (char *word = strtok_r(words, " ", &rest); word != NULL && argc < MAX_WORDS;
         word = strtok_r(NULL, " ", &rest)) {
        argv[argc++] = word;
    }
    return cmd_keygen.run(&options, argc, argv);
}

static void test_a_pair_is_made_as_asked(void **state)
{
    static const struct {
        const char *line;
        const char *path;
        const char *name; /* NULL: some name of this user */
        int role;
    } CASES[] = {
        {"keygen",                              "herd.key",           NULL,     ROLE_OPERATOR},
        { "keygen ann -n Ann.A -r observer",    "ann.key",            "Ann.A",  ROLE_OBSERVER},
        { "keygen --role=sheep deep/er/sheep0", "deep/er/sheep0.key", "sheep0", ROLE_SHEEP   },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct key_pair pair;
        struct err err = { 0 };

        assert_int_equal(keygen(CASES[i].line, i % 2 == 1), 0);
        assert_int_equal(key_load(&pair, CASES[i].path, &err), 0);
        assert_int_equal(pair.role, CASES[i].role);
        if (CASES[i].name != NULL) {
            assert_string_equal(pair.name, CASES[i].name);
        }
    }
}

static void test_mistakes_make_nothing(void **state)
{
    static const char *const LINES[] = {
        "keygen -r king",  "keygen a b",     "keygen -n",   "keygen --force",
        "keygen -n a/b x", "keygen .hidden", "keygen dir/",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(LINES); i++) {
        assert_int_equal(keygen(LINES[i], false), EXIT_USAGE);
    }
    assert_int_equal(rmdir("dir"), -1);
    assert_int_not_equal(access("herd.key", F_OK), 0);
    assert_int_not_equal(access("x.key", F_OK), 0);
}

static void test_nothing_is_replaced(void **state)
{
    struct key_pair before;
    struct key_pair after;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(keygen("keygen", false), 0);
    assert_int_equal(key_load(&before, "herd.key", &err), 0);
    assert_int_equal(keygen("keygen", true), EXIT_USAGE);
    assert_int_equal(unlink("herd.pub"), 0);
    assert_int_equal(keygen("keygen", false), EXIT_USAGE);
    assert_int_equal(key_load(&after, "herd.key", &err), 0);
    assert_memory_equal(&before, &after, sizeof(before));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_pair_is_made_as_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mistakes_make_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_is_replaced, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
