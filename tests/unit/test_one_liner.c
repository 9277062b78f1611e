/* SPDX-License-Identifier: MIT */
/* An experiment from the command line alone: what its words become, and what is refused. */
#include "herd/one_liner.h"

#include "tests/support/caught.h"

#include "common/keys.h"
#include "herd/context.h"

#include <glob.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A folder with an inventory of two nodes nobody has a key of: a run is checked, written down
 * and then ends, before anybody is asked. */
struct bench {
    char folder[64];
    char before[PATH_MAX];
    struct cmd_options options;
};

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    struct key_pair pair;
    struct err err = { 0 };

    assert_non_null(bench);
    assert_non_null(getcwd(bench->before, sizeof(bench->before)));
    caught_make_folder("one", bench->folder, sizeof(bench->folder));
    assert_int_equal(chdir(bench->folder), 0);
    caught_write_text("herd.yml", "sheep: {hosts: {\"sheep[0:1]\": {}}}\n");
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

    assert_int_equal(chdir(bench->before), 0);
    caught_remove_folder(bench->folder);
    free(bench);
    return 0;
}

/* What was said on standard error, to be freed. */
static char *run(struct bench *bench, struct one_liner line, int wanted_status)
{
    struct caught caught;
    int status = 0;
    char *text = NULL;

    line.options = &bench->options;
    line.command = line.input != NULL ? "emulate" : "harvest";
    caught_begin(&caught, STDERR_FILENO);
    status = one_liner_run(&line);
    text = caught_end(&caught);
    if (status != wanted_status) {
        fail_msg("status %d: %s", status, text);
    }
    return text;
}

/* The experiment as the journal of the only run has it, to be freed. */
static char *experiment_of(struct bench *bench, struct one_liner line)
{
    char *said = run(bench, line, EXIT_USAGE);
    char path[PATH_MAX];
    glob_t runs = { 0 };

    if (strstr(said, "has no public_key") == NULL
        || glob("state/runs/*", 0, NULL, &runs) != 0) {
        fail_msg("%s", said);
        return NULL;
    }
    free(said);
    assert_int_equal(runs.gl_pathc, 1);
    snprintf(path, sizeof(path), "%s/experiment.yaml", runs.gl_pathv[0]);
    globfree(&runs);
    return caught_read_text(path);
}

static void expect_part(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("no '%s' in\n%s", part, text);
    }
}

static void test_every_option_has_its_place(void **state)
{
    struct one_liner line = { 0 };

    (void)state;
    assert_int_equal(one_liner_take(&line, 'd', "1"), 0);
    assert_int_equal(one_liner_take(&line, 'o', "2"), 0);
    assert_int_equal(one_liner_take(&line, 'a', "3"), 0);
    assert_int_equal(one_liner_take(&line, 'x', "4"), 0);
    assert_int_equal(one_liner_take(&line, ONE_LINER_IO_PORT, "5"), 0);
    assert_int_equal(one_liner_take(&line, ONE_LINER_UART, "6"), 0);
    assert_int_equal(one_liner_take(&line, ONE_LINER_NAME, "7"), 0);
    assert_false(line.overwrite || line.use_cal_default || line.take_over);
    assert_int_equal(one_liner_take(&line, 'f', NULL), 0);
    assert_true(line.overwrite && !line.use_cal_default && !line.take_over);
    assert_int_equal(one_liner_take(&line, 'c', NULL), 0);
    assert_true(line.use_cal_default && !line.take_over);
    assert_int_equal(one_liner_take(&line, ONE_LINER_TAKE_OVER, NULL), 0);
    assert_true(line.take_over);
    assert_string_equal(line.duration, "1");
    assert_string_equal(line.output, "2");
    assert_string_equal(line.algorithm, "3");
    assert_string_equal(line.voltage_aux, "4");
    assert_string_equal(line.io_port, "5");
    assert_string_equal(line.uart_baudrate, "6");
    assert_string_equal(line.name, "7");
    assert_int_equal(one_liner_take(&line, '?', NULL), EXIT_USAGE);
    assert_int_equal(one_liner_take(&line, -1, NULL), EXIT_USAGE);
}

static void test_a_harvest_of_nothing_but_defaults(void **state)
{
    char *text = experiment_of(*state, (struct one_liner){ 0 });

    expect_part(text, "name: harvest\n");
    expect_part(text, "mode: harvest\n");
    assert_null(strstr(text, "\nduration: "));
    free(text);
}

static void test_words_become_keys(void **state)
{
    char *text = experiment_of(*state, (struct one_liner){ .name = "my-trial",
                                                           .duration = "30",
                                                           .algorithm = "cv20",
                                                           .io_port = "B",
                                                           .voltage_aux = "2.5",
                                                           .uart_baudrate = "9600",
                                                           .overwrite = true,
                                                           .use_cal_default = true });

    expect_part(text, "name: my-trial\n");
    expect_part(text, "\nduration: 30 s\n");
    expect_part(text, "algorithm: cv\n");
    expect_part(text, "target_port: B\n");
    expect_part(text, "voltage_aux_mV: 2500\n");
    expect_part(text, "baudrate: 9600\n");
    expect_part(text, "exists: overwrite\n");
    expect_part(text, "use_cal_default: true\n");
    free(text);
}

static void test_the_other_port_follows_the_target(void **state)
{
    char *text = experiment_of(*state, (struct one_liner){ .voltage_aux = "main" });

    expect_part(text, "aux_source: mirror\n");
    free(text);
}

static void test_the_other_port_follows_the_storage(void **state)
{
    char *text = experiment_of(*state, (struct one_liner){ .voltage_aux = "buffer" });

    expect_part(text, "aux_source: storage\n");
    free(text);
}

static void test_durations_with_units(void **state)
{
    char *text = experiment_of(*state, (struct one_liner){ .duration = "2 min" });

    expect_part(text, "\nduration: 2 min\n");
    free(text);
}

static void expect_faults(struct bench *bench, struct one_liner line, const char *wanted)
{
    char *text = run(bench, line, EXIT_USAGE);

    expect_part(text, wanted);
    free(text);
    assert_int_equal(access("state/runs", F_OK), -1);
}

static void test_wrong_words_name_their_key(void **state)
{
    expect_faults(*state, (struct one_liner){ .duration = "soon" }, "duration");
    expect_faults(*state, (struct one_liner){ .duration = "" }, "duration");
    expect_faults(*state, (struct one_liner){ .duration = "-3" }, "duration");
    expect_faults(*state, (struct one_liner){ .algorithm = "magic" }, "magic");
    expect_faults(*state, (struct one_liner){ .io_port = "C" }, "target_port");
    expect_faults(*state, (struct one_liner){ .voltage_aux = "high" }, "voltage_aux_mV");
    expect_faults(*state, (struct one_liner){ .voltage_aux = "3300" }, "4500");
    expect_faults(*state, (struct one_liner){ .uart_baudrate = "-1" }, "baudrate");
    expect_faults(*state, (struct one_liner){ .name = "../x" }, "name");
    expect_faults(*state, (struct one_liner){ .input = "none.h5" }, "none.h5");
}

/* No word of the command line can become two keys, or the end of the document. */
static void test_words_stay_values(void **state)
{
    expect_faults(*state, (struct one_liner){ .name = "x\nduration: 5" }, "name");
    expect_faults(*state, (struct one_liner){ .algorithm = "cv20\n  mode: emulate" }, "cv20");
    expect_faults(*state, (struct one_liner){ .algorithm = "{algorithm: cv}" },
                  "{algorithm: cv}");
    expect_faults(*state, (struct one_liner){ .io_port = "A # B" }, "A # B");
}

/* Paths begin in the shell's folder, wherever the inventory lies. */
static void test_an_input_is_of_this_folder(void **state)
{
    struct bench *bench = *state;
    char wanted[200];

    snprintf(wanted, sizeof(wanted), "%s/a b.h5", bench->folder);
    caught_write_text("a b.h5", "no HDF5");
    expect_faults(bench, (struct one_liner){ .input = "a b.h5" }, wanted);
    expect_faults(bench, (struct one_liner){ .input = "/nowhere/c.h5" }, "/nowhere/c.h5");
}

static void test_faults_for_machines(void **state)
{
    struct bench *bench = *state;

    bench->options.is_json = true;
    expect_faults(bench, (struct one_liner){ .duration = "soon" },
                  "{\"command\": \"harvest\", \"error\": \"input\", \"faults\": [{\"file\": "
                  "\"command line\", ");
}

static void test_without_an_inventory_it_says_where_it_looked(void **state)
{
    struct bench *bench = *state;
    char *text = NULL;

    unlink("herd.yml");
    text = run(bench, (struct one_liner){ 0 }, EXIT_USAGE);
    expect_part(text, "no inventory found; tried ./herd.yml");
    free(text);
}

#define WITH_BENCH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_option_has_its_place),
        WITH_BENCH(test_a_harvest_of_nothing_but_defaults),
        WITH_BENCH(test_words_become_keys),
        WITH_BENCH(test_the_other_port_follows_the_target),
        WITH_BENCH(test_the_other_port_follows_the_storage),
        WITH_BENCH(test_durations_with_units),
        WITH_BENCH(test_wrong_words_name_their_key),
        WITH_BENCH(test_words_stay_values),
        WITH_BENCH(test_an_input_is_of_this_folder),
        WITH_BENCH(test_faults_for_machines),
        WITH_BENCH(test_without_an_inventory_it_says_where_it_looked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
