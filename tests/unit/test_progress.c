/* SPDX-License-Identifier: MIT */
/* What a run shows: lines that redraw on a terminal, events elsewhere, JSON for machines. */
#include "herd/progress.h"

#include "tests/support/caught.h"

#include <fcntl.h>
#include <pty.h>
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
    SCREEN_SIZE = 20000
};

static const char *const NAMES[] = { "n0", "sheep1", "n2", "n3", "n4" };
static const struct cmd_options PLAIN = { 0 };

/* Runs `act` with its standard output caught; to be freed. */
static char *print(const struct cmd_options *options, void (*act)(struct progress *progress))
{
    struct caught caught;
    struct progress *progress = progress_open(options, NAMES, 3);

    assert_non_null(progress);
    caught_begin(&caught, STDOUT_FILENO);
    act(progress);
    progress_close(&progress);
    assert_null(progress);
    return caught_end(&caught);
}

static void say_two(struct progress *progress)
{
    progress_event(progress, 1, "ready", "prepared in %d ms", 7);
    progress_event(progress, PROGRESS_ALL, "go", "all \"go\"");
}

static void test_events_are_lines(void **state)
{
    char *text = print(&PLAIN, say_two);

    (void)state;
    assert_string_equal(text, "sheep1: prepared in 7 ms\nall \"go\"\n");
    free(text);
}

static void test_quiet_says_nothing_but_warnings(void **state)
{
    const struct cmd_options quiet = { .is_quiet = true };
    struct progress *progress = progress_open(&quiet, NAMES, 3);
    char *text = print(&quiet, say_two);
    struct caught caught;

    (void)state;
    assert_string_equal(text, "");
    free(text);
    caught_begin(&caught, STDERR_FILENO);
    progress_warn(progress, 0, "lost", "lost %s", "it");
    progress_warn(progress, PROGRESS_ALL, "late", "late");
    text = caught_end(&caught);
    assert_string_equal(text, "n0: lost it\nlate\n");
    free(text);
    progress_close(&progress);
    progress_close(&progress);
}

static void say_three(struct progress *progress)
{
    say_two(progress);
    progress_warn(progress, 2, "lost", "line\nbreak");
    progress_draw(progress);
}

/* One object a line, warnings too; seconds since the begin. */
static void test_json_lines(void **state)
{
    const struct cmd_options json = { .is_json = true, .is_quiet = true };
    char *text = print(&json, say_three);
    char *rest = NULL;
    char *lines[3] = { strtok_r(text, "\n", &rest), strtok_r(NULL, "\n", &rest),
                       strtok_r(NULL, "\n", &rest) };
    static const char *const ENDS[] = {
        ", \"node\": \"sheep1\", \"text\": \"prepared in 7 ms\"}",
        ", \"text\": \"all \\\"go\\\"\"}",
        ", \"node\": \"n2\", \"text\": \"line\\nbreak\"}",
    };
    static const char *const BEGINS[] = { "{\"event\": \"ready\", \"seconds\": ",
                                          "{\"event\": \"go\", \"seconds\": ",
                                          "{\"event\": \"lost\", \"seconds\": " };

    (void)state;
    assert_null(strtok_r(NULL, "\n", &rest));
    for (size_t i = 0; i < 3; i++) {
        double seconds = -1;
        char *end = NULL;

        assert_non_null(lines[i]);
        assert_memory_equal(lines[i], BEGINS[i], strlen(BEGINS[i]));
        seconds = strtod(lines[i] + strlen(BEGINS[i]), &end);
        assert_true(seconds >= 0 && seconds < 60);
        assert_string_equal(end, ENDS[i]);
    }
    free(text);
}

static void say_much(struct progress *progress)
{
    char text[3000];

    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    progress_event(progress, 0, "long", "%s", text);
}

static void test_long_texts_are_cut(void **state)
{
    char *text = print(&PLAIN, say_much);

    (void)state;
    assert_in_range(strlen(text), 500, 800);
    assert_int_equal(text[strlen(text) - 1], '\n');
    free(text);
}

static void set_and_draw(struct progress *progress)
{
    const struct progress_state one = { .word = "running", .link = "" };

    progress_set(progress, 0, &one);
    progress_draw(progress);
}

static void test_without_a_terminal_nothing_is_drawn(void **state)
{
    char *text = print(&PLAIN, set_and_draw);

    (void)state;
    assert_string_equal(text, "");
    free(text);
}

/* ---- on a terminal ---- */

struct terminal {
    int master;
    int before;
};

static void open_terminal(struct terminal *terminal, unsigned short rows,
                          unsigned short columns)
{
    struct winsize size = { .ws_row = rows, .ws_col = columns };
    int slave = -1;

    fflush(stdout);
    terminal->before = dup(STDOUT_FILENO);
    assert_int_equal(openpty(&terminal->master, &slave, NULL, NULL, &size), 0);
    assert_int_equal(dup2(slave, STDOUT_FILENO), STDOUT_FILENO);
    close(slave);
    assert_int_equal(fcntl(terminal->master, F_SETFL, O_NONBLOCK), 0);
}

/* What was written since the last look, without the terminal's carriage returns. */
static void look(const struct terminal *terminal, char screen[SCREEN_SIZE])
{
    size_t used = 0;
    char block[1000];
    ssize_t n = 0;

    fflush(stdout);
    while ((n = read(terminal->master, block, sizeof(block))) > 0) {
        for (ssize_t i = 0; i < n && used < SCREEN_SIZE - 1; i++) {
            if (block[i] != '\r') {
                screen[used++] = block[i];
            }
        }
    }
    screen[used] = '\0';
}

static void close_terminal(const struct terminal *terminal)
{
    fflush(stdout);
    assert_int_equal(dup2(terminal->before, STDOUT_FILENO), STDOUT_FILENO);
    close(terminal->before);
    close(terminal->master);
}

static void test_a_terminal_redraws(void **state)
{
    const struct progress_state first = { .word = "running",
                                          .n_samples = 250000,
                                          .n_planned = 1000000,
                                          .n_bytes = 12345,
                                          .link = "" };
    const struct progress_state second = {
        .word = "running", .n_samples = 123456, .n_planned = UINT64_MAX, .link = "silent"
    };
    struct terminal terminal;
    struct progress *progress = NULL;
    char screen[SCREEN_SIZE];

    (void)state;
    open_terminal(&terminal, 24, 100);
    progress = progress_open(&PLAIN, NAMES, 2);
    progress_set(progress, 0, &first);
    progress_set(progress, 1, &second);
    progress_draw(progress);
    look(&terminal, screen);
    assert_string_equal(
        screen,
        "n0      running    [======                  ]  25 %       2.5 s       12 kB  \n"
        "sheep1  running           1.2 s         0 B  silent\n");
    /* drawn anew: two lines up, erased */
    progress_draw(progress);
    look(&terminal, screen);
    assert_memory_equal(screen, "\033[2A\033[Jn0 ", 10);
    /* an event takes their place, and the next drawing goes below it */
    progress_event(progress, 0, "x", "hello");
    look(&terminal, screen);
    assert_string_equal(screen, "\033[2A\033[Jn0: hello\n");
    progress_draw(progress);
    look(&terminal, screen);
    assert_memory_equal(screen, "n0   ", 5);
    progress_close(&progress);
    close_terminal(&terminal);
}

/* More samples than planned are no more than all. */
static void test_the_bar_ends_at_its_end(void **state)
{
    const struct progress_state over = {
        .word = "running", .n_samples = 30, .n_planned = 20, .link = ""
    };
    const struct progress_state nothing = { .word = "running", .n_planned = 1, .link = "" };
    struct terminal terminal;
    struct progress *progress = NULL;
    char screen[SCREEN_SIZE];

    (void)state;
    open_terminal(&terminal, 24, 100);
    progress = progress_open(&PLAIN, NAMES, 2);
    progress_set(progress, 0, &over);
    progress_set(progress, 1, &nothing);
    progress_draw(progress);
    look(&terminal, screen);
    assert_non_null(strstr(screen, "[========================] 100 %"));
    assert_non_null(strstr(screen, "[                        ]   0 %"));
    progress_close(&progress);
    close_terminal(&terminal);
}

/* On a small screen, no line may wrap and none scroll away: the next drawing goes up exactly
 * as many lines as there are. */
static void test_small_terminals(void **state)
{
    const struct progress_state busy = {
        .word = "collecting", .n_samples = 1, .n_planned = 2, .n_bytes = 1, .link = "silent"
    };
    struct terminal terminal;
    struct progress *progress = NULL;
    char screen[SCREEN_SIZE];
    char *rest = NULL;
    unsigned n_lines = 0;

    (void)state;
    open_terminal(&terminal, 5, 40);
    progress = progress_open(&PLAIN, NAMES, 5);
    for (size_t i = 0; i < 5; i++) {
        progress_set(progress, i, &busy);
    }
    progress_draw(progress);
    look(&terminal, screen);
    assert_non_null(strstr(screen, "\n... and 2 more\n"));
    for (char *line = strtok_r(screen, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        assert_in_range(strlen(line), 1, 40);
        n_lines++;
    }
    assert_int_equal(n_lines, 4);
    progress_draw(progress);
    look(&terminal, screen);
    assert_memory_equal(screen, "\033[4A\033[J", 7);
    progress_close(&progress);
    close_terminal(&terminal);
}

/* --json and --quiet hold on a terminal too. */
static void test_machines_and_quiet_are_never_drawn_for(void **state)
{
    const struct cmd_options options[] = { { .is_json = true }, { .is_quiet = true } };
    struct terminal terminal;
    char screen[SCREEN_SIZE];

    (void)state;
    open_terminal(&terminal, 24, 80);
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        struct progress *progress = progress_open(&options[i], NAMES, 2);

        progress_draw(progress);
        progress_close(&progress);
    }
    look(&terminal, screen);
    assert_string_equal(screen, "");
    close_terminal(&terminal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_are_lines),
        cmocka_unit_test(test_quiet_says_nothing_but_warnings),
        cmocka_unit_test(test_json_lines),
        cmocka_unit_test(test_long_texts_are_cut),
        cmocka_unit_test(test_without_a_terminal_nothing_is_drawn),
        cmocka_unit_test(test_a_terminal_redraws),
        cmocka_unit_test(test_the_bar_ends_at_its_end),
        cmocka_unit_test(test_small_terminals),
        cmocka_unit_test(test_machines_and_quiet_are_never_drawn_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
