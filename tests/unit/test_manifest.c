/* SPDX-License-Identifier: MIT */
/* The manifest of a run is YAML that says of each node what was wanted, measured and received,
 * whatever nodes have said. Sessions and copies are played (--wrap). */
#include "herd/run_state.h"

#include "tests/support/caught.h"

#include "common/log.h"
#include "common/yaml_doc.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    N_NODES = 3
};

struct bench {
    char folder[64];
    struct node_config config;
    struct run_request request; /* no limit on any rate */
    struct run run;
    struct yaml_doc *doc;
};

static struct session sessions[N_NODES];
static char copy_folder[100];
static unsigned n_errors;

const struct session *__wrap_flock_session(const struct herd_flock *flock, size_t i);
const struct session *__wrap_flock_session(const struct herd_flock *flock, size_t i)
{
    (void)flock;
    return &sessions[i];
}

const char *__wrap_collect_folder(const struct collect *collect);
const char *__wrap_collect_folder(const struct collect *collect)
{
    (void)collect;
    return copy_folder;
}

static void count_errors(enum log_level level, const char *line, void *arg)
{
    (void)line;
    (void)arg;
    n_errors += level == LOG_LEVEL_ERROR ? 1 : 0;
}

static int set_up(void **state)
{
    static const char *const NAMES[] = { "sheep0", "sheep1", "sheep2" };
    struct bench *bench = calloc(1, sizeof(*bench));
    struct run *run = NULL;
    struct err err = { 0 };

    assert_non_null(bench);
    run = &bench->run;
    caught_make_folder("manifest", bench->folder, sizeof(bench->folder));
    memset(sessions, 0, sizeof(sessions));
    n_errors = 0;
    log_set_sink(count_errors, NULL);
    run->request = &bench->request;
    assert_int_equal(run_alloc(run, N_NODES, &err), 0);
    snprintf(run->name, sizeof(run->name), "trial");
    snprintf(run->id, sizeof(run->id), "trial_1");
    snprintf(run->output, sizeof(run->output), "%s", bench->folder);
    run->experiment = 0xAB12;
    run->start.T_ns = INT64_C(1800000000123456789);
    run->start.n = 2;
    run->median.offset_ns = 1000;
    schema_defaults(&node_config_schema, &bench->config);
    for (size_t i = 0; i < N_NODES; i++) {
        run->names[i] = NAMES[i];
        run->required[i] = i == 0;
        snprintf(run->nodes[i].log, sizeof(run->nodes[i].log), "log%zu", i);
        sessions[i].boot_id = 70 + i;
        snprintf(sessions[i].welcome.version, sizeof(sessions[i].welcome.version), "0.%zu", i);
        snprintf(sessions[i].welcome.board, sizeof(sessions[i].welcome.board), "sim");
    }
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;

    yaml_destroy(&bench->doc);
    log_set_sink(NULL, NULL);
    caught_remove_folder(bench->folder);
    for (size_t i = 0; i < N_NODES; i++) {
        buf_fini(&bench->run.nodes[i].config_text);
    }
    free(bench->run.nodes);
    free(bench->run.members);
    free(bench->run.names);
    free(bench->run.required);
    free(bench);
    return 0;
}

/* Writes it and reads it as YAML. */
static void write_manifest(struct bench *bench)
{
    struct err err = { 0 };

    run_write_manifest(&bench->run);
    yaml_destroy(&bench->doc);
    bench->doc = yaml_load(bench->run.manifest, &err);
    if (bench->doc == NULL) {
        fail_msg("%s", err.text);
    }
}

static const char *head(const struct bench *bench, const char *key)
{
    return yaml_text(yaml_get(yaml_root(bench->doc), key), "none");
}

static const struct yaml_node *node_of(const struct bench *bench, size_t i)
{
    return yaml_get(yaml_get(yaml_root(bench->doc), "nodes"), bench->run.names[i]);
}

static const char *of(const struct bench *bench, size_t i, const char *key)
{
    return yaml_text(yaml_get(node_of(bench, i), key), "none");
}

static void test_the_head(void **state)
{
    struct bench *bench = *state;
    char wanted[PATH_SIZE];

    write_manifest(bench);
    snprintf(wanted, sizeof(wanted), "%s/hrv_trial_2027-01-15T08-00-00Z.manifest.yaml",
             bench->folder);
    assert_string_equal(bench->run.manifest, wanted);
    assert_string_equal(head(bench, "experiment"), "trial");
    assert_string_equal(head(bench, "id"), "trial_1");
    assert_string_equal(head(bench, "token"), "0x000000000000ab12");
    assert_string_equal(head(bench, "T"), "2027-01-15T08:00:00.123456Z");
    assert_string_equal(head(bench, "T_ns"), "1800000000123456789");
    assert_string_equal(head(bench, "arm_n"), "2");
    assert_string_equal(head(bench, "median_offset_ns"), "1000");
    assert_string_equal(head(bench, "is_attached"), "false");
    assert_string_equal(head(bench, "stopped_after_samples"), "none");
    bench->run.stop_sample = 777;
    bench->run.is_attached = true;
    bench->run.nodes[0].mode = MODE_EMULATE;
    write_manifest(bench);
    assert_non_null(strstr(bench->run.manifest, "/emu_trial_"));
    assert_string_equal(head(bench, "stopped_after_samples"), "777");
    assert_string_equal(head(bench, "is_attached"), "true");
}

static void test_a_node_of_which_nothing_is_known(void **state)
{
    struct bench *bench = *state;

    write_manifest(bench);
    assert_string_equal(of(bench, 0, "verdict"), "not yet");
    assert_string_equal(of(bench, 0, "is_required"), "true");
    assert_string_equal(of(bench, 1, "is_required"), "false");
    assert_string_equal(of(bench, 1, "log"), "log1");
    assert_string_equal(of(bench, 1, "boot_id"), "71");
    assert_string_equal(of(bench, 1, "version"), "0.1");
    assert_string_equal(of(bench, 1, "board"), "sim");
    assert_string_equal(of(bench, 1, "start_error_ns"), "none");
    assert_string_equal(of(bench, 1, "n_samples"), "none");
    assert_string_equal(of(bench, 1, "file"), "none");
    assert_null(yaml_get(node_of(bench, 1), "clock"));
    assert_null(yaml_get(node_of(bench, 1), "config"));
}

static void fill_node(struct run_node *node, const struct node_config *config)
{
    node->config = config;
    node->is_started = true;
    node->started.start_error_ns = -17;
    node->started.start_bound_ns = 40;
    node->is_ended = true;
    node->ended.n_samples = 300000;
    node->ended.n_gap_samples = 5;
    node->ended.reason = RLOG_END_STOPPED;
    snprintf(node->ended.digest, sizeof(node->ended.digest), "1234");
    node->is_built = true;
    snprintf(node->final_path, sizeof(node->final_path), "/some/where/a.h5");
    node->summary.file_bytes = 4321;
    node->summary.ring_fill_max_percent = 12;
    node->summary.queue_fill_max_percent = 34;
    node->summary.energy_Ws = 0.125;
    node->is_released = true;
    node->has_verdict = true;
    node->verdict.kind = VERDICT_REMARKS;
    snprintf(node->verdict.text, sizeof(node->verdict.text), "5 samples are missing: ring");
    node->clock.view.n_exchanges = 16;
    node->clock.view.offset_ns = 1500;
    node->clock.view.bound_ns = 200;
    node->clock.claim.is_locked = true;
    snprintf(node->clock.claim.source, sizeof(node->clock.claim.source), "ptp4l");
}

static void test_a_node_of_which_all_is_known(void **state)
{
    struct bench *bench = *state;
    const struct yaml_node *clock = NULL;

    bench->config.duration_ns = INT64_C(3000000000);
    fill_node(&bench->run.nodes[2], &bench->config);
    write_manifest(bench);
    assert_string_equal(of(bench, 2, "verdict"),
                        "valid with remarks: 5 samples are missing: ring");
    assert_string_equal(of(bench, 2, "start_error_ns"), "-17");
    assert_string_equal(of(bench, 2, "start_bound_ns"), "40");
    assert_string_equal(of(bench, 2, "n_samples"), "300000");
    assert_string_equal(of(bench, 2, "n_gap_samples"), "5");
    assert_string_equal(of(bench, 2, "log_digest"), "1234");
    assert_string_equal(of(bench, 2, "file"), "a.h5");
    assert_string_equal(of(bench, 2, "file_bytes"), "4321");
    assert_string_equal(of(bench, 2, "ring_fill_max_percent"), "12");
    assert_string_equal(of(bench, 2, "queue_fill_max_percent"), "34");
    assert_string_equal(of(bench, 2, "energy_Ws"), "0.125");
    assert_string_equal(of(bench, 2, "is_released"), "true");
    clock = yaml_get(node_of(bench, 2), "clock");
    assert_string_equal(yaml_text(yaml_get(clock, "offset_to_median_ns"), ""), "500");
    assert_string_equal(yaml_text(yaml_get(clock, "bound_ns"), ""), "200");
    assert_string_equal(yaml_text(yaml_get(clock, "exchanges"), ""), "16");
    assert_string_equal(yaml_text(yaml_get(clock, "is_locked"), ""), "true");
    assert_string_equal(yaml_text(yaml_get(clock, "source"), ""), "ptp4l");
    assert_string_equal(
        yaml_text(yaml_get(yaml_get(node_of(bench, 2), "config"), "duration"), ""), "3 s");
}

static void test_without_both_traces_there_is_no_energy(void **state)
{
    struct bench *bench = *state;

    fill_node(&bench->run.nodes[0], &bench->config);
    bench->run.nodes[0].summary.energy_Ws = (double)NAN;
    write_manifest(bench);
    assert_string_equal(of(bench, 0, "energy_Ws"), "none");
    assert_string_equal(of(bench, 0, "is_released"), "true");
}

/* Texts of a node's: none of them ends a value, a node or the file. */
static void test_words_of_nodes_stay_values(void **state)
{
    static const char *const WORDS[] = { "a: b", "\"", "x\nnodes: {}", "{", "- 1", "# no", "" };
    struct bench *bench = *state;

    for (size_t k = 0; k < ARRAY_LEN(WORDS); k++) {
        struct run_node *node = &bench->run.nodes[1];

        fill_node(node, &bench->config);
        snprintf(sessions[1].welcome.version, sizeof(sessions[1].welcome.version), "%s",
                 WORDS[k]);
        snprintf(sessions[1].welcome.board, sizeof(sessions[1].welcome.board), "%s", WORDS[k]);
        snprintf(node->clock.claim.source, sizeof(node->clock.claim.source), "%s", WORDS[k]);
        snprintf(node->ended.digest, sizeof(node->ended.digest), "%s", WORDS[k]);
        snprintf(node->log, sizeof(node->log), "%s", WORDS[k]);
        write_manifest(bench);
        assert_string_equal(of(bench, 1, "version"), WORDS[k]);
        assert_string_equal(of(bench, 1, "board"), WORDS[k]);
        assert_string_equal(of(bench, 1, "log_digest"), WORDS[k]);
        assert_string_equal(of(bench, 1, "log"), WORDS[k]);
        assert_string_equal(
            yaml_text(yaml_get(yaml_get(node_of(bench, 1), "clock"), "source"), "none"),
            WORDS[k]);
        assert_string_equal(of(bench, 2, "log"), "log2");
    }
}

/* After attach, herd does not know what was wanted; the log does. */
static void test_the_config_comes_from_the_log(void **state)
{
    struct bench *bench = *state;
    struct rlog_manifest *manifest = calloc(1, sizeof(*manifest));
    struct rlog_writer *writer = NULL;
    struct err err = { 0 };

    assert_non_null(manifest);
    snprintf(copy_folder, sizeof(copy_folder), "%s/a.rlog", bench->folder);
    run_recall_config(&bench->run, 1);
    assert_int_equal(bench->run.nodes[1].config_text.size, 0);
    schema_defaults(&node_config_schema, &manifest->config);
    manifest->config.voltage_aux_mV = 2345;
    snprintf(manifest->experiment_name, sizeof(manifest->experiment_name), "t");
    snprintf(manifest->node, sizeof(manifest->node), "sheep1");
    snprintf(manifest->datatype, sizeof(manifest->datatype), "ivsample");
    writer = rlog_writer_create(copy_folder, manifest, &err);
    assert_non_null(writer);
    rlog_writer_destroy(&writer);
    free(manifest);
    run_recall_config(&bench->run, 1);
    write_manifest(bench);
    assert_string_equal(
        yaml_text(yaml_get(yaml_get(node_of(bench, 1), "config"), "voltage_aux_mV"), ""),
        "2345");
    /* what is known is not read again, nor over what was wanted */
    bench->run.nodes[2].config = &bench->config;
    run_recall_config(&bench->run, 2);
    assert_int_equal(bench->run.nodes[2].config_text.size, 0);
}

static void test_what_cannot_be_written_is_said_once(void **state)
{
    struct bench *bench = *state;

    snprintf(bench->run.output, sizeof(bench->run.output), "%s/none", bench->folder);
    run_write_manifest(&bench->run);
    assert_string_equal(bench->run.manifest, "");
    assert_int_equal(n_errors, 1);
}

#define WITH_BENCH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_the_head),
        WITH_BENCH(test_a_node_of_which_nothing_is_known),
        WITH_BENCH(test_a_node_of_which_all_is_known),
        WITH_BENCH(test_without_both_traces_there_is_no_energy),
        WITH_BENCH(test_words_of_nodes_stay_values),
        WITH_BENCH(test_the_config_comes_from_the_log),
        WITH_BENCH(test_what_cannot_be_written_is_said_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
