/* SPDX-License-Identifier: MIT */
/* Runs that end before anything is recorded: what they leave behind, and what they say. */
#include "herd/run.h"

#include "tests/support/caught.h"

#include "common/keys.h"
#include "herd/builder.h"
#include "herd/journal.h"

#include <glob.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    INTERRUPT_MS = 300
};

/* A folder with an inventory of two nodes that nobody hears. */
struct bench {
    char folder[64];
    char before[PATH_MAX];
    struct cmd_options options;
    struct context context;
    struct experiment *experiment;
    char *said; /* on standard error, of the last run */
};

static void write_inventory(bool has_keys)
{
    char text[400] = "sheep: {hosts: {\"sheep[0:1]\": {}}}\n";
    struct key_pair pair;
    struct err err = { 0 };

    if (has_keys) {
        assert_int_equal(key_generate(&pair, "sheep", ROLE_SHEEP, &err), 0);
        /* ports of loopback that nobody serves */
        snprintf(text, sizeof(text),
                 "sheep: {vars: {ansible_host: 127.0.0.1, public_key: \"%s\"},\n"
                 "  hosts: {sheep0: {port: 7}, sheep1: {port: 11}}}\n",
                 pair.public_key);
    }
    caught_write_text("herd.yml", text);
}

static void open_all(struct bench *bench, bool has_keys, const char *experiment)
{
    struct fault_list faults = { 0 };

    write_inventory(has_keys);
    assert_int_equal(context_open(&bench->context, &bench->options, "test", NULL, true), 0);
    bench->experiment =
        experiment_parse(experiment, "a.yaml", bench->context.inventory, NULL, &faults);
    if (bench->experiment == NULL) {
        fail_msg("%s", faults.faults[0].text);
    }
    fault_fini(&faults);
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    struct key_pair pair;
    struct err err = { 0 };

    assert_non_null(bench);
    assert_non_null(getcwd(bench->before, sizeof(bench->before)));
    caught_make_folder("run", bench->folder, sizeof(bench->folder));
    assert_int_equal(chdir(bench->folder), 0);
    assert_int_equal(key_generate(&pair, "test", ROLE_OPERATOR, &err), 0);
    assert_int_equal(key_save(&pair, bench->folder, "herd", true, &err), 0);
    setenv("HOME", bench->folder, 1);
    setenv("BELLWETHER_STATE", "state", 1);
    unsetenv("BELLWETHER_KEY");
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;

    experiment_destroy(&bench->experiment);
    context_close(&bench->context);
    assert_int_equal(chdir(bench->before), 0);
    caught_remove_folder(bench->folder);
    free(bench->said);
    free(bench);
    return 0;
}

static void run(struct bench *bench, const struct run_request *request, int wanted_status)
{
    struct caught out;
    struct caught err;
    int status = 0;

    free(bench->said);
    caught_begin(&out, STDOUT_FILENO);
    caught_begin(&err, STDERR_FILENO);
    status = run_execute(request);
    bench->said = caught_end(&err);
    free(caught_end(&out));
    if (status != wanted_status) {
        fail_msg("status %d: %s", status, bench->said);
    }
}

static struct run_request request_of(struct bench *bench)
{
    return (struct run_request){ .options = &bench->options,
                                 .command = "run",
                                 .context = &bench->context,
                                 .experiment = bench->experiment,
                                 .output = "results" };
}

static void expect_said(const struct bench *bench, const char *text)
{
    if (strstr(bench->said, text) == NULL) {
        fail_msg("%s", bench->said);
    }
}

static size_t count_paths(const char *pattern)
{
    glob_t found = { 0 };
    size_t count = glob(pattern, 0, NULL, &found) == 0 ? found.gl_pathc : 0;

    globfree(&found);
    return count;
}

/* Nothing but the folder that was asked for. */
static void expect_empty_results(void)
{
    assert_int_equal(count_paths("results"), 1);
    assert_int_equal(count_paths("results/*"), 0);
    assert_int_equal(count_paths("results/.b*"), 0);
}

struct journal_facts {
    unsigned n_begins;
    unsigned n_nodes;
    struct journal_entry begin;
    struct journal_entry node;
};

static int note_entry(void *arg, const struct journal_entry *entry, struct err *err)
{
    struct journal_facts *facts = arg;

    (void)err;
    if (entry->kind == JOURNAL_BEGIN) {
        facts->n_begins++;
        facts->begin = *entry;
    } else if (entry->kind == JOURNAL_NODE) {
        facts->n_nodes++;
        facts->node = *entry;
    }
    return 0;
}

static void test_a_run_is_written_down_before_anybody_is_asked(void **state)
{
    struct bench *bench = *state;
    struct run_request request;
    struct journal_facts facts = { 0 };
    struct err err = { 0 };
    char id[JOURNAL_ID_SIZE];
    char wanted[PATH_MAX];
    size_t id_size = 0;

    open_all(bench, false, "name: trial\nduration: 3 s\ndefaults: {mode: harvest}\n");
    request = request_of(bench);
    run(bench, &request, EXIT_USAGE);
    expect_said(bench, "herd run: sheep0 has no public_key");
    expect_empty_results();
    assert_int_equal(journal_find_open("state", id, &err), 0);
    assert_int_equal(journal_replay("state", id, note_entry, &facts, &err), 0);
    assert_int_equal(facts.n_begins, 1);
    assert_int_equal(facts.n_nodes, 2);
    assert_string_equal(facts.begin.name, "trial");
    snprintf(wanted, sizeof(wanted), "%s/results", bench->folder);
    assert_string_equal(facts.begin.path, wanted);
    assert_true(facts.begin.experiment != 0 && facts.begin.controller != 0);
    assert_string_equal(facts.node.node, "sheep1");
    assert_int_equal(facts.node.sample, 300000);
    /* the log's name: the run and the node */
    id_size = strlen(id);
    assert_memory_equal(facts.node.log, id, id_size);
    assert_string_equal(facts.node.log + id_size, "_sheep1");
    assert_memory_equal(id, "trial_", 6);
}

static void test_runs_of_one_second_are_told_apart(void **state)
{
    struct bench *bench = *state;
    struct run_request request;

    open_all(bench, false, "name: trial\ndefaults: {mode: harvest}\n");
    request = request_of(bench);
    for (int i = 0; i < 5; i++) {
        run(bench, &request, EXIT_USAGE);
    }
    assert_int_equal(count_paths("state/runs/*"), 5);
}

static void test_what_is_wrong_here_ends_it_before_the_journal(void **state)
{
    struct bench *bench = *state;
    struct run_request request;

    caught_write_text("in.h5", "no HDF5");
    open_all(bench, true, "name: trial\ndefaults: {mode: emulate, input: in.h5}\n");
    request = request_of(bench);
    run(bench, &request, EXIT_USAGE);
    expect_said(bench, "herd run: input of sheep0: input: ");
    expect_said(bench, "not an HDF5 file");
    expect_empty_results();
    caught_write_text("file", "x");
    request.output = "file";
    run(bench, &request, EXIT_USAGE);
    expect_said(bench, "herd run: output folder");
    assert_int_equal(count_paths("state/runs/*"), 0);
}

static void test_there_is_nothing_to_attach_to(void **state)
{
    struct bench *bench = *state;
    struct run_request request;

    open_all(bench, true, "name: trial\ndefaults: {mode: harvest}\n");
    request = request_of(bench);
    request.experiment = NULL;
    request.command = "attach";
    run(bench, &request, EXIT_USAGE);
    expect_said(bench, "herd attach: ");
    request.id = "trial_that_never_was";
    run(bench, &request, EXIT_USAGE);
    expect_said(bench, "trial_that_never_was");
    /* an id is no path */
    request.id = "../../etc";
    run(bench, &request, EXIT_USAGE);
    expect_said(bench, "herd attach: ");
}

static void test_nobody_is_reachable(void **state)
{
    struct bench *bench = *state;
    struct run_request request;

    open_all(bench, true, "name: trial\ndefaults: {mode: harvest}\n");
    request = request_of(bench);
    bench->options.is_json = true;
    run(bench, &request, EXIT_NOBODY);
    expect_said(bench, "unreachable");
    expect_empty_results();
}

static void *interrupt_soon(void *arg)
{
    (void)arg;
    usleep(INTERRUPT_MS * 1000);
    kill(getpid(), SIGINT);
    return NULL;
}

static void test_ctrl_c_while_connecting(void **state)
{
    struct bench *bench = *state;
    struct run_request request;
    sigset_t mask;
    pthread_t thread;

    open_all(bench, true, "name: trial\ndefaults: {mode: harvest}\n");
    request = request_of(bench);
    /* the thread inherits the mask, so that the signal is not its own */
    sigemptyset(&mask);
    sigaddset(&mask, SIGINT);
    pthread_sigmask(SIG_BLOCK, &mask, NULL);
    assert_int_equal(pthread_create(&thread, NULL, interrupt_soon, NULL), 0);
    pthread_sigmask(SIG_UNBLOCK, &mask, NULL);
    run(bench, &request, EXIT_INTERRUPTED);
    pthread_join(thread, NULL);
    expect_said(bench, "interrupted; nothing was started");
    expect_empty_results();
    /* signals are as they were */
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_int_equal(sigismember(&mask, SIGINT), 0);
}

#define WITH_BENCH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_a_run_is_written_down_before_anybody_is_asked),
        WITH_BENCH(test_runs_of_one_second_are_told_apart),
        WITH_BENCH(test_what_is_wrong_here_ends_it_before_the_journal),
        WITH_BENCH(test_there_is_nothing_to_attach_to),
        WITH_BENCH(test_nobody_is_reachable),
        WITH_BENCH(test_ctrl_c_while_connecting),
    };

    if (argc == 2 && strcmp(argv[1], "build-worker") == 0) {
        return builder_work(BUILDER_WORK_FD);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
