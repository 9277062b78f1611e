/* SPDX-License-Identifier: MIT */
/* Inputs of an experiment: each distinct file once, known by its content. */
#include "herd/inputs.h"

#include "common/rlog.h"
#include "tests/support/caught.h"
#include "tests/support/harvest_file.h"

#include <fcntl.h>
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
    N_NODES = 4
};

struct bench {
    char folder[64];
    char decoded[80]; /* folder/decoded, not there yet */
    struct inventory_node nodes[N_NODES];
    struct experiment_node members[N_NODES];
    struct experiment experiment;
};

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));

    assert_non_null(bench);
    caught_make_folder("inputs", bench->folder, sizeof(bench->folder));
    snprintf(bench->decoded, sizeof(bench->decoded), "%s/decoded", bench->folder);
    for (size_t i = 0; i < N_NODES; i++) {
        snprintf(bench->nodes[i].name, sizeof(bench->nodes[i].name), "sheep%zu", i);
        bench->members[i].node = &bench->nodes[i];
        bench->members[i].config.mode = MODE_EMULATE;
        bench->members[i].config.duration_ns = -1;
    }
    bench->experiment.n_nodes = N_NODES;
    bench->experiment.nodes = bench->members;
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;

    caught_remove_folder(bench->folder);
    free(bench);
    return 0;
}

/* Node i plays folder/name; the file is written when `recipe` is given. */
static void give(struct bench *bench, size_t i, const char *name,
                 const struct harvest_file *recipe)
{
    char *input = bench->members[i].config.input;
    char path[sizeof(bench->folder) + 64];

    snprintf(path, sizeof(path), "%s/%s", bench->folder, name);
    memcpy(input, path, strlen(path) + 1);
    if (recipe != NULL) {
        harvest_file_write(input, recipe);
    }
}

static void decode(struct bench *bench, struct inputs *inputs)
{
    struct err err = { 0 };

    if (inputs_check(&bench->experiment, &err) < 0
        || inputs_decode(inputs, &bench->experiment, bench->decoded, &err) < 0) {
        fail_msg("%s", err.text);
    }
}

static void test_without_inputs_nothing_is_written(void **state)
{
    struct bench *bench = *state;
    struct inputs inputs = { 0 };

    decode(bench, &inputs);
    assert_int_equal(inputs.n_streams, 0);
    assert_int_equal(access(bench->decoded, F_OK), -1);
    assert_string_equal(bench->members[0].config.input_digest, "");
    assert_null(inputs_find(&inputs, ""));
    inputs_fini(&inputs);
}

static void test_nodes_of_one_file_share_its_stream(void **state)
{
    struct bench *bench = *state;
    struct harvest_file recipe = harvest_file_base();
    struct inputs inputs = { 0 };
    const struct input_stream *stream = NULL;

    give(bench, 0, "a.h5", &recipe);
    recipe.n_time = recipe.n_voltage = recipe.n_current = 777;
    give(bench, 2, "b.h5", &recipe);
    give(bench, 3, "a.h5", NULL);
    decode(bench, &inputs);
    assert_int_equal(inputs.n_streams, 2);
    assert_string_equal(bench->members[0].config.input_digest,
                        bench->members[3].config.input_digest);
    assert_string_not_equal(bench->members[0].config.input_digest,
                            bench->members[2].config.input_digest);
    assert_string_equal(bench->members[1].config.input_digest, "");
    assert_int_equal(bench->members[3].config.input_samples, 100);
    assert_int_equal(bench->members[2].config.input_samples, 777);
    stream = inputs_find(&inputs, bench->members[2].config.input_digest);
    assert_non_null(stream);
    assert_string_equal(stream->source, bench->members[2].config.input);
    assert_int_equal(stream->n_samples, 777);
    assert_null(inputs_find(&inputs, "0123"));
    inputs_fini(&inputs);
}

/* A stream is what a node is going to play: size, samples and digest agree with the file. */
static void check_stream(const struct input_stream *stream)
{
    struct err err = { 0 };
    struct rlog_input_reader *reader = rlog_input_open(stream->path, &err);
    int fd = open(stream->path, O_RDONLY | O_CLOEXEC);

    assert_non_null(reader);
    assert_int_equal(rlog_input_samples(reader), stream->n_samples);
    assert_int_equal(lseek(fd, 0, SEEK_END), stream->size_bytes);
    rlog_input_close(&reader);
    close(fd);
}

static void test_a_stream_can_be_read(void **state)
{
    struct bench *bench = *state;
    struct harvest_file recipe = harvest_file_base();
    struct inputs inputs = { 0 };
    const struct input_stream *stream = NULL;
    char path[PATH_SIZE] = "";

    give(bench, 0, "a.h5", &recipe);
    decode(bench, &inputs);
    stream = inputs_find(&inputs, bench->members[0].config.input_digest);
    if (stream != NULL) {
        check_stream(stream);
        snprintf(path, sizeof(path), "%s", stream->path);
    }
    assert_string_not_equal(path, "");
    inputs_fini(&inputs);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(inputs.n_streams, 0);
    inputs_fini(&inputs);
}

static void test_what_a_curve_needs_is_handed_on(void **state)
{
    struct bench *bench = *state;
    struct harvest_file recipe = harvest_file_base();
    struct inputs inputs = { 0 };
    const struct node_config *config = &bench->members[0].config;

    recipe.datatype = "ivcurve";
    recipe.window = 50;
    recipe.data_config = "virtual_harvester: {voltage_step_mV: 2.5}\n";
    give(bench, 0, "a.h5", &recipe);
    recipe.datatype = "isc_voc";
    recipe.window = 0;
    give(bench, 1, "b.h5", &recipe);
    decode(bench, &inputs);
    assert_int_equal(config->input_window, 50);
    assert_true(config->input_step_uV == 2500);
    assert_false(config->input_is_isc_voc);
    assert_int_equal(bench->members[1].config.input_window, 0);
    assert_true(bench->members[1].config.input_is_isc_voc);
    inputs_fini(&inputs);
}

static void test_the_duration_must_be_there(void **state)
{
    struct bench *bench = *state;
    struct harvest_file recipe = harvest_file_base();
    struct err err = { 0 };
    char wanted[300];

    give(bench, 1, "a.h5", &recipe);
    bench->members[1].config.duration_ns = 1000000; /* its 100 samples exactly */
    assert_int_equal(inputs_check(&bench->experiment, &err), 0);
    bench->members[1].config.duration_ns = 1010000;
    assert_int_equal(inputs_check(&bench->experiment, &err), -1);
    assert_int_equal(err.code, ERR_INPUT);
    snprintf(wanted, sizeof(wanted),
             "input of sheep1: %s holds 100 samples, the duration needs 101",
             bench->members[1].config.input);
    assert_string_equal(err.text, wanted);
}

/* Whatever is wrong with a file, a person chose it: it is wrong input. */
static void test_a_file_that_cannot_be_is_named_with_its_node(void **state)
{
    struct bench *bench = *state;
    struct harvest_file recipe = harvest_file_base();
    struct err err = { 0 };
    char wanted[300];

    give(bench, 2, "none.h5", NULL);
    assert_int_equal(inputs_check(&bench->experiment, &err), -1);
    assert_int_equal(err.code, ERR_INPUT);
    snprintf(wanted, sizeof(wanted), "input of sheep2: input: %s: No such file or directory",
             bench->members[2].config.input);
    assert_string_equal(err.text, wanted);
    recipe.mode = "emulator";
    give(bench, 2, "a.h5", &recipe);
    assert_int_equal(inputs_check(&bench->experiment, &err), -1);
    assert_int_equal(err.code, ERR_INPUT);
    assert_non_null(strstr(err.text, "only a harvest"));
    /* nothing was written */
    assert_int_equal(access(bench->decoded, F_OK), -1);
}

static void test_a_failure_leaves_what_fini_removes(void **state)
{
    struct bench *bench = *state;
    struct harvest_file recipe = harvest_file_base();
    struct inputs inputs = { 0 };
    struct err err = { 0 };

    give(bench, 0, "a.h5", &recipe);
    give(bench, 1, "none.h5", NULL);
    assert_int_equal(inputs_decode(&inputs, &bench->experiment, bench->decoded, &err), -1);
    assert_int_equal(strncmp(err.text, "input: ", 7), 0);
    assert_int_equal(inputs.n_streams, 1);
    inputs_fini(&inputs);
    /* the folder is empty */
    assert_int_equal(rmdir(bench->decoded), 0);
}

static void test_a_folder_that_cannot_be_is_named(void **state)
{
    struct bench *bench = *state;
    struct harvest_file recipe = harvest_file_base();
    struct inputs inputs = { 0 };
    struct err err = { 0 };
    char folder[600];

    give(bench, 0, "a.h5", &recipe);
    /* a file stands where the folder should */
    assert_int_equal(
        inputs_decode(&inputs, &bench->experiment, bench->members[0].config.input, &err), -1);
    assert_non_null(strstr(err.text, bench->members[0].config.input));
    inputs_fini(&inputs);
    /* its name leaves no room for a stream's */
    memset(folder, '/', sizeof(folder));
    memcpy(folder, bench->folder, strlen(bench->folder));
    folder[PATH_SIZE - 3] = '\0';
    assert_int_equal(inputs_decode(&inputs, &bench->experiment, folder, &err), -1);
    assert_int_equal(err.code, ERR_INPUT);
    assert_non_null(strstr(err.text, "path too long"));
    inputs_fini(&inputs);
}

#define WITH_BENCH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_without_inputs_nothing_is_written),
        WITH_BENCH(test_nodes_of_one_file_share_its_stream),
        WITH_BENCH(test_a_stream_can_be_read),
        WITH_BENCH(test_what_a_curve_needs_is_handed_on),
        WITH_BENCH(test_the_duration_must_be_there),
        WITH_BENCH(test_a_file_that_cannot_be_is_named_with_its_node),
        WITH_BENCH(test_a_failure_leaves_what_fini_removes),
        WITH_BENCH(test_a_folder_that_cannot_be_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
