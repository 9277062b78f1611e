/* SPDX-License-Identifier: MIT */
#include "herd/cli.h"

#include <fcntl.h>
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

/* What the command under test was called with. */
static struct {
    struct cmd_options options;
    int argc;
    char words[256]; /* joined by a blank */
    unsigned n_calls;
} seen;

static int note(const struct cmd_options *options, int argc, char **argv)
{
    seen.options = *options;
    seen.argc = argc;
    seen.words[0] = '\0';
    seen.n_calls++;
    for (int i = 0; i < argc; i++) {
        size_t length = strlen(seen.words);

        snprintf(seen.words + length, sizeof(seen.words) - length, "%s%s", i > 0 ? " " : "",
                 argv[i]);
    }
    assert_null(argv[argc]);
    return 42;
}

static const struct cmd status = { "status", "what they do", "usage of status\n", note };
static const struct cmd alive = { "alive", "who is there", "usage of alive\n", note };
static const struct cmd *const COMMANDS[] = { &status, &alive, NULL };

/* What was printed between begin_capture and end_capture, on both streams. */
static char printed[8192];
static FILE *capture;
static int saved_out;
static int saved_err;

static void begin_capture(void)
{
    capture = tmpfile();
    assert_non_null(capture);
    fflush(stdout);
    saved_out = dup(STDOUT_FILENO);
    saved_err = dup(STDERR_FILENO);
    dup2(fileno(capture), STDOUT_FILENO);
    dup2(fileno(capture), STDERR_FILENO);
}

static void end_capture(void)
{
    size_t size = 0;

    fflush(stdout);
    dup2(saved_out, STDOUT_FILENO);
    dup2(saved_err, STDERR_FILENO);
    close(saved_out);
    close(saved_err);
    rewind(capture);
    size = fread(printed, 1, sizeof(printed) - 1, capture);
    printed[size] = '\0';
    fclose(capture);
}

/* Splits a line into words; argv[argc] is NULL. The words live until the next call. */
static int split(const char *line, char *argv[MAX_WORDS + 1])
{
    static char words[256];
    char *rest = words;
    int argc = 0;

    snprintf(words, sizeof(words), "%s", line);
    memset(argv, 0, (MAX_WORDS + 1) * sizeof(*argv));
    for (char *word = strtok_r(words, " ", &rest); word != NULL && argc < MAX_WORDS;
         word = strtok_r(NULL, " ", &rest)) {
        argv[argc++] = word;
    }
    return argc;
}

static int call(const char *line)
{
    char *argv[MAX_WORDS + 1];
    int argc = split(line, argv);
    int result = 0;

    memset(&seen, 0, sizeof(seen));
    begin_capture();
    result = cli_main(COMMANDS, argc, argv);
    end_capture();
    return result;
}

static void test_global_options_stand_anywhere(void **state)
{
    static const char *const LINES[] = {
        "herd -i a.yml -l x --json -v -k key status one -n 2",
        "herd status -i a.yml one -l x --json -n 2 -v -k key",
        "herd --inventory=a.yml status --limit x one -n 2 --json --verbose --key=key",
        "herd -ia.yml status one --limit=x -n 2 --json -v -kkey",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(LINES); i++) {
        assert_int_equal(call(LINES[i]), 42);
        assert_string_equal(seen.words, "status one -n 2");
        assert_string_equal(seen.options.inventory, "a.yml");
        assert_string_equal(seen.options.limit, "x");
        assert_string_equal(seen.options.key, "key");
        assert_true(seen.options.is_json);
        assert_true(seen.options.is_verbose);
        assert_false(seen.options.is_quiet);
    }
    assert_int_equal(call("herd status -- -i x --json"), 42);
    assert_string_equal(seen.words, "status -- -i x --json");
    assert_false(seen.options.is_json);
    assert_null(seen.options.inventory);
    assert_int_equal(call("herd -q alive"), 42);
    assert_true(seen.options.is_quiet);
}

static void test_help_is_never_an_error(void **state)
{
    (void)state;
    assert_int_equal(call("herd --help"), 0);
    assert_non_null(strstr(printed, "what they do"));
    assert_non_null(strstr(printed, "Examples"));
    assert_int_equal(call("herd status --help"), 0);
    assert_string_equal(printed, "usage of status\n");
    assert_int_equal(call("herd -h status x y"), 0);
    assert_string_equal(printed, "usage of status\n");
    assert_int_equal(call("herd help alive"), 0);
    assert_string_equal(printed, "usage of alive\n");
    assert_int_equal(call("herd help"), 0);
    assert_int_equal(call("herd --version"), 0);
    assert_string_equal(printed, "herd " BW_VERSION "\n");
    assert_int_equal(seen.n_calls, 0);
}

static void test_mistakes_exit_with_2(void **state)
{
    static const struct {
        const char *line;
        const char *says;
    } CASES[] = {
        {"herd",                 "Usage"                 },
        { "herd stauts",         "did you mean 'status'" },
        { "herd xyzzy",          "herd --help"           },
        { "herd shell-cmd ls",   "'herd exec -- COMMAND'"},
        { "herd help stauts",    "did you mean 'status'" },
        { "herd --frobnicate",   "--frobnicate"          },
        { "herd status -i",      "-i needs a value"      },
        { "herd status --limit", "--limit needs a value" },
        { "herd --json stauts",  "\"error\": \"usage\""  },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        assert_int_equal(call(CASES[i].line), EXIT_USAGE);
        if (strstr(printed, CASES[i].says) == NULL) {
            fail_msg("'%s' said '%s'", CASES[i].line, printed);
        }
        assert_int_equal(seen.n_calls, 0);
    }
}

static const struct cli_option OPTIONS[] = {
    {'n',  "count",     true },
    { 'f', "force",     false},
    { 300, "only-long", false},
    { 0,   NULL,        false},
};

/* Scans a line and writes what it found as "n=2 f 300 | operands". */
static const char *scanned(const char *line)
{
    static char found[256];
    static const struct cmd_options NONE;
    char *argv[MAX_WORDS + 1];
    struct cli_scan scan = {
        .global = &NONE, .options = OPTIONS, .argc = split(line, argv), .argv = argv
    };
    const char *value = NULL;
    int option = 0;
    size_t at = 0;

    while ((option = cli_next(&scan, &value)) != 0) {
        if (option == '?') {
            return "?";
        }
        at += (size_t)snprintf(found + at, sizeof(found) - at, option < 256 ? "%c" : "%d",
                               option);
        at += (size_t)snprintf(found + at, sizeof(found) - at, "%s%s ",
                               value != NULL ? "=" : "", value != NULL ? value : "");
    }
    at += (size_t)snprintf(found + at, sizeof(found) - at, "|");
    for (int i = 0; i < scan.n_operands; i++) {
        at += (size_t)snprintf(found + at, sizeof(found) - at, " %s", argv[scan.at + i]);
    }
    assert_int_equal(scan.at + scan.n_operands, scan.argc);
    return found;
}

static void test_options_of_a_command_mix_with_operands(void **state)
{
    static const struct {
        const char *line;
        const char *found;
    } CASES[] = {
        {"x",                                        "|"                  },
        { "x a b c",                                 "| a b c"            },
        { "x a -n 2 b -f c",                         "n=2 f | a b c"      },
        { "x -n2 --count 3 --count=4 a --only-long", "n=2 n=3 n=4 300 | a"},
        { "x -f -- -n a -f",                         "f | -n a -f"        },
        { "x a - b",                                 "| a - b"            },
        { "x --count= a",                            "n= | a"             },
    };
    static const char *const WRONG[] = { "x -z",  "x --forced", "x --force=1", "x a -n",
                                         "x -fz", "x --coun 3", "x -n" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        assert_string_equal(scanned(CASES[i].line), CASES[i].found);
    }
    for (size_t i = 0; i < ARRAY_LEN(WRONG); i++) {
        const char *found = NULL;

        begin_capture();
        found = scanned(WRONG[i]);
        end_capture();
        assert_string_equal(found, "?");
        assert_non_null(strstr(printed, "herd x: -"));
    }
}

static void test_every_error_has_its_exit_status(void **state)
{
    static const struct {
        enum err_code code;
        int status;
    } CASES[] = {
        {ERR_NONE,         0  },
        { ERR_USAGE,       2  },
        { ERR_INPUT,       2  },
        { ERR_NOT_FOUND,   2  },
        { ERR_EXISTS,      2  },
        { ERR_DENIED,      2  },
        { ERR_SYSTEM,      2  },
        { ERR_NO_SPACE,    1  },
        { ERR_STATE,       1  },
        { ERR_HARDWARE,    1  },
        { ERR_TIMEOUT,     3  },
        { ERR_UNREACHABLE, 3  },
        { ERR_INTERRUPTED, 130},
    };
    static const struct cmd_options PLAIN;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct err err = { .code = CASES[i].code, .text = "as planned" };
        int result = 0;

        begin_capture();
        result = cmd_fail(&PLAIN, "test", &err);
        end_capture();
        assert_int_equal(result, CASES[i].status);
        assert_string_equal(printed, "herd test: as planned\n");
    }
}

static void test_all_faults_are_told(void **state)
{
    static const struct cmd_options PLAIN;
    static const struct cmd_options JSON = { .is_json = true };
    struct fault_list faults = { 0 };
    int status_plain = 0;
    int status_json = 0;

    (void)state;
    fault_add(&faults, (struct yaml_place){ "a.yaml", 1, 2 }, "first");
    fault_add(&faults, (struct yaml_place){ "a.yaml", 3, 4 }, "second");
    begin_capture();
    status_plain = cmd_fail_faults(&PLAIN, "test", &faults);
    status_json = cmd_fail_faults(&JSON, "test", &faults);
    end_capture();
    assert_int_equal(status_plain, EXIT_USAGE);
    assert_int_equal(status_json, EXIT_USAGE);
    assert_string_equal(
        printed,
        "a.yaml:1:2: first\na.yaml:3:4: second\nherd test: 2 faults\n"
        "{\"command\": \"test\", \"error\": \"input\", \"faults\": ["
        "{\"file\": \"a.yaml\", \"line\": 1, \"column\": 2, \"text\": \"first\"}, "
        "{\"file\": \"a.yaml\", \"line\": 3, \"column\": 4, \"text\": \"second\"}]}\n");
    fault_fini(&faults);
}

/* Parses "x -t VALUE"; the timeout that came of it, or -1. */
static int timeout_of(char *value)
{
    static const struct cmd_options NONE;
    char command[] = "x";
    char *argv[] = { command, NULL };
    struct cli_scan scan = { .global = &NONE, .argc = 1, .argv = argv };
    int timeout_ms = -1;
    int result = 0;

    begin_capture();
    result = cli_take_timeout(&scan, value, &timeout_ms);
    end_capture();
    assert_int_equal(result, timeout_ms == -1 ? EXIT_USAGE : 0);
    assert_int_equal(strstr(printed, "number of seconds up to 86400") != NULL, result != 0);
    return timeout_ms;
}

static void test_a_timeout_is_in_seconds(void **state)
{
    static struct {
        char text[12];
        int wanted_ms;
    } CASES[] = {
        {"1",        1000    },
        { "0.5",     500     },
        { "1e-9",    1       },
        { "86400",   86400000},
        { "86400.1", -1      },
        { "0",       -1      },
        { "-1",      -1      },
        { "nan",     -1      },
        { "5s",      -1      },
        { "",        -1      },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        assert_int_equal(timeout_of(CASES[i].text), CASES[i].wanted_ms);
    }
}

static void test_one_set_of_nodes_at_most(void **state)
{
    static const struct cmd_options NONE;
    char words[3][4] = { "x", "a", "b" };
    char *argv[] = { words[0], words[1], words[2], NULL };

    (void)state;
    for (int n = 0; n <= 2; n++) {
        struct cli_scan scan = {
            .global = &NONE, .argc = n + 1, .argv = argv, .at = 1, .n_operands = n
        };
        const char *nodes = "as before";
        int result = 0;

        begin_capture();
        result = cli_take_nodes(&scan, &nodes);
        end_capture();
        assert_int_equal(result, n > 1 ? EXIT_USAGE : 0);
        assert_int_equal(strstr(printed, "not 2: join them with a comma") != NULL, n > 1);
        if (n == 0) {
            assert_null(nodes);
        } else {
            assert_string_equal(nodes, n == 1 ? "a" : "as before");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_global_options_stand_anywhere),
        cmocka_unit_test(test_help_is_never_an_error),
        cmocka_unit_test(test_mistakes_exit_with_2),
        cmocka_unit_test(test_options_of_a_command_mix_with_operands),
        cmocka_unit_test(test_a_timeout_is_in_seconds),
        cmocka_unit_test(test_one_set_of_nodes_at_most),
        cmocka_unit_test(test_every_error_has_its_exit_status),
        cmocka_unit_test(test_all_faults_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
