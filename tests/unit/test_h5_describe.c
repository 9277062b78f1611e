/* SPDX-License-Identifier: MIT */
/* What a file says about itself, as Shepherd's readers look for it. */
#include "common/h5_describe.h"

#include "common/yaml_doc.h"
#include "tests/support/h5_scratch.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct bench {
    struct h5_scratch *scratch;
    struct rlog_manifest manifest;
};

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    struct rlog_manifest *manifest = NULL;
    void *scratch = NULL;

    assert_non_null(bench);
    assert_int_equal(h5_scratch_set_up(&scratch), 0);
    bench->scratch = scratch;
    H5Ldelete(bench->scratch->file, "/data", H5P_DEFAULT);
    h5_scratch_group(bench->scratch, "/sync");
    manifest = &bench->manifest;
    schema_defaults(&node_config_schema, &manifest->config);
    manifest->experiment = 0xAB12;
    manifest->window_samples = 300;
    snprintf(manifest->experiment_name, sizeof(manifest->experiment_name), "trial");
    snprintf(manifest->node, sizeof(manifest->node), "sheep7");
    snprintf(manifest->version, sizeof(manifest->version), "1.2");
    snprintf(manifest->board, sizeof(manifest->board), "sim");
    snprintf(manifest->datatype, sizeof(manifest->datatype), "ivcurve");
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    void *scratch = bench->scratch;

    h5_scratch_tear_down(&scratch);
    free(bench);
    return 0;
}

static void begin(const struct bench *bench)
{
    struct err err = { 0 };

    if (h5_describe_begin(bench->scratch->file, &bench->manifest, &err) < 0) {
        fail_msg("%s", err.text);
    }
}

static void test_root_and_data_say_what_it_is(void **state)
{
    struct bench *bench = *state;
    const struct h5_scratch *scratch = bench->scratch;

    bench->manifest.is_cal_default = true;
    begin(bench);
    h5_scratch_expect_text(scratch, "/", "mode", "harvester");
    h5_scratch_expect_text(scratch, "/", "hostname", "sheep7");
    h5_scratch_expect_text(scratch, "/", "experiment", "trial");
    h5_scratch_expect_text(scratch, "/", "experiment_id", "000000000000ab12");
    h5_scratch_expect_text(scratch, "/", "software", "bellwether 1.2");
    h5_scratch_expect_text(scratch, "/", "board", "sim");
    h5_scratch_expect_text(scratch, "/", "calibration", "default");
    h5_scratch_expect_text(scratch, "/data", "datatype", "ivcurve");
    h5_scratch_expect_number(scratch, "/data", "window_samples", 300);
    h5_scratch_expect_number(scratch, "/data", "samplerate", 100000);
    assert_false(h5_scratch_has_attribute(scratch, "/data", "first_sample"));
    assert_false(h5_scratch_has_attribute(scratch, "/data", "end_sample"));
}

static void test_an_emulation_with_a_part_recorded(void **state)
{
    struct bench *bench = *state;
    const struct h5_scratch *scratch = bench->scratch;

    bench->manifest.mode = MODE_EMULATE;
    bench->manifest.config.record.samplerate = RECORD_100_HZ;
    bench->manifest.config.record.delay_ns = 20000000;
    bench->manifest.config.record.duration_ns = 50000000;
    begin(bench);
    h5_scratch_expect_text(scratch, "/", "mode", "emulator");
    h5_scratch_expect_text(scratch, "/", "calibration", "measured");
    h5_scratch_expect_number(scratch, "/data", "samplerate", 100);
    h5_scratch_expect_number(scratch, "/data", "first_sample", 2000);
    h5_scratch_expect_number(scratch, "/data", "end_sample", 7000);
}

/* Shepherd's reader takes the step of curves from virtual_harvester.voltage_step_mV. */
static void test_the_config_holds_shepherds_harvester(void **state)
{
    struct bench *bench = *state;
    struct err err = { 0 };

    for (unsigned mode = MODE_HARVEST; mode <= MODE_EMULATE; mode++) {
        struct harvester_config *harvester = mode == MODE_HARVEST
                                                 ? &bench->manifest.config.harvester
                                                 : &bench->manifest.config.source.harvester;
        hid_t data = -1;
        char *text = NULL;
        struct yaml_doc *doc = NULL;
        const struct yaml_node *map = NULL;

        bench->manifest.mode = mode;
        bench->manifest.config.mode = mode;
        harvester->voltage_min_mV = 0;
        harvester->voltage_max_mV = 1000;
        harvester->samples_n = mode == MODE_HARVEST ? 101 : 201;
        harvester->voltage_step_mV = 0; /* follows from the others */
        begin(bench);
        data = H5Gopen2(bench->scratch->file, "/data", H5P_DEFAULT);
        text = h5_get_long_text(data, "config");
        h5_close(&data);
        assert_non_null(text);
        h5_scratch_expect_text(bench->scratch, "/", "config", text);
        doc = yaml_parse(text, strlen(text), "config", &err);
        if (doc == NULL) {
            fail_msg("%s", err.text);
        }
        map = yaml_get(yaml_root(doc), "virtual_harvester");
        assert_string_equal(yaml_text(yaml_get(map, "voltage_step_mV"), ""),
                            mode == MODE_HARVEST ? "10" : "5");
        assert_string_equal(yaml_text(yaml_get(yaml_root(doc), "mode"), ""),
                            mode == MODE_HARVEST ? "harvest" : "emulate");
        yaml_destroy(&doc);
        free(text);
        tear_down(state);
        set_up(state);
        bench = *state;
    }
}

static void test_a_second_begin_is_refused(void **state)
{
    struct bench *bench = *state;
    struct err err = { 0 };

    begin(bench);
    assert_int_equal(h5_describe_begin(bench->scratch->file, &bench->manifest, &err), -1);
    assert_int_equal(strncmp(err.text, "attribute mode: ", 16), 0);
}

static void test_the_start(void **state)
{
    struct bench *bench = *state;
    const struct rlog_start start = { .T_ns = INT64_C(1800000000000000000),
                                      .start_error_ns = -17,
                                      .start_bound_ns = 40,
                                      .arm_n = 3 };
    struct err err = { 0 };

    assert_int_equal(h5_describe_start(bench->scratch->file, &start, &err), 0);
    h5_scratch_expect_number(bench->scratch, "/sync", "T_ns", 1.8e18);
    h5_scratch_expect_number(bench->scratch, "/sync", "start_error_ns", -17);
    h5_scratch_expect_number(bench->scratch, "/sync", "start_bound_ns", 40);
    h5_scratch_expect_number(bench->scratch, "/sync", "arm_n", 3);
    H5Ldelete(bench->scratch->file, "/sync", H5P_DEFAULT);
    assert_int_equal(h5_describe_start(bench->scratch->file, &start, &err), -1);
    assert_int_equal(strncmp(err.text, "/sync: ", 7), 0);
}

static void describe_end(const struct bench *bench, const struct h5_summary *summary,
                         const struct h5_evidence *evidence)
{
    const struct rlog_end end = { .n_input_underruns = 11,
                                  .n_clamped = 12,
                                  .reason = RLOG_END_NO_SPACE,
                                  .ring_fill_max_percent = 13,
                                  .queue_fill_max_percent = 14 };
    struct err err = { 0 };

    if (h5_describe_end(bench->scratch->file, &end, summary, evidence, &err) < 0) {
        fail_msg("%s", err.text);
    }
}

static void test_the_end_counts(void **state)
{
    struct bench *bench = *state;
    const struct h5_scratch *scratch = bench->scratch;
    const struct h5_summary summary = { .n_samples = 1000,
                                        .n_gap_samples = 10,
                                        .n_edges = 5,
                                        .n_records = 77,
                                        .n_remarks = 1,
                                        .remarks = "a remark",
                                        .energy_Ws = 0.25 };
    const struct h5_evidence evidence = { .clock_offset_ns = -5,
                                          .clock_bound_ns = 9,
                                          .clock_source = "ptp4l",
                                          .has_clock = true,
                                          .verdict = "valid",
                                          .manifest = "m.yaml" };

    describe_end(bench, &summary, &evidence);
    h5_scratch_expect_number(scratch, "/", "n_samples", 1000);
    h5_scratch_expect_number(scratch, "/", "n_gap_samples", 10);
    h5_scratch_expect_number(scratch, "/", "n_edges", 5);
    h5_scratch_expect_number(scratch, "/", "n_records", 77);
    h5_scratch_expect_number(scratch, "/", "n_input_underruns", 11);
    h5_scratch_expect_number(scratch, "/", "n_clamped", 12);
    h5_scratch_expect_number(scratch, "/", "ring_fill_max_percent", 13);
    h5_scratch_expect_number(scratch, "/", "queue_fill_max_percent", 14);
    h5_scratch_expect_number(scratch, "/", "n_remarks", 1);
    h5_scratch_expect_number(scratch, "/", "end_reason_code", RLOG_END_NO_SPACE);
    h5_scratch_expect_text(scratch, "/", "end_reason", "no space");
    h5_scratch_expect_number(scratch, "/", "energy_Ws", 0.25);
    h5_scratch_expect_text(scratch, "/", "remarks", "a remark");
    h5_scratch_expect_text(scratch, "/", "manifest", "m.yaml");
    h5_scratch_expect_number(scratch, "/sync", "clock_offset_ns", -5);
    h5_scratch_expect_number(scratch, "/sync", "clock_bound_ns", 9);
    h5_scratch_expect_text(scratch, "/sync", "clock_source", "ptp4l");
}

static void test_what_is_not_known_is_not_said(void **state)
{
    struct bench *bench = *state;
    const struct h5_summary summary = { .energy_Ws = (double)NAN };
    const struct h5_evidence evidence = { 0 };

    describe_end(bench, &summary, &evidence);
    assert_false(h5_scratch_has_attribute(bench->scratch, "/", "energy_Ws"));
    assert_false(h5_scratch_has_attribute(bench->scratch, "/sync", "clock_offset_ns"));
    assert_false(h5_scratch_has_attribute(bench->scratch, "/sync", "clock_source"));
}

/* Readers parse every text as YAML, so each is a scalar of it, and reads back the same. */
static void test_free_texts_are_scalars(void **state)
{
    static const char *const TEXTS[] = {
        "valid",          "",   "null", "7",        "a: b # c", "- one\n- two",
        "say \"hi\" 'x'", "\t", "yes",  "[1, {2]}", "\xC3\xA4", "ends with: ",
    };

    for (size_t i = 0; i < ARRAY_LEN(TEXTS); i++) {
        struct bench *bench = *state;
        const struct h5_summary summary = { 0 };
        struct h5_evidence evidence = { 0 };
        char found[400];
        char *scalar = NULL;
        struct yaml_doc *doc = NULL;
        struct err err = { 0 };

        snprintf(evidence.verdict, sizeof(evidence.verdict), "%s", TEXTS[i]);
        describe_end(bench, &summary, &evidence);
        h5_read_free_text(bench->scratch->file, "verdict", found, sizeof(found));
        assert_string_equal(found, TEXTS[i]);
        scalar = h5_get_long_text(bench->scratch->file, "verdict");
        doc = yaml_parse(scalar, strlen(scalar), "verdict", &err);
        if (doc == NULL) {
            fail_msg("%s: %s", scalar, err.text);
        }
        assert_int_equal(yaml_root(doc)->kind, YAML_SCALAR);
        assert_string_equal(yaml_text(yaml_root(doc), "none"), TEXTS[i]);
        yaml_destroy(&doc);
        free(scalar);
        tear_down(state);
        set_up(state);
    }
}

static void test_a_free_text_of_anybody(void **state)
{
    struct bench *bench = *state;
    char found[8] = "before";
    struct err err = { 0 };

    h5_read_free_text(bench->scratch->file, "none", found, sizeof(found));
    assert_string_equal(found, "");
    assert_int_equal(h5_put_text(bench->scratch->file, "broken", "{ [", &err), 0);
    h5_read_free_text(bench->scratch->file, "broken", found, sizeof(found));
    assert_string_equal(found, "{ [");
    assert_int_equal(h5_put_text(bench->scratch->file, "long", "0123456789", &err), 0);
    h5_read_free_text(bench->scratch->file, "long", found, sizeof(found));
    assert_string_equal(found, "0123456");
}

static void test_reasons(void **state)
{
    (void)state;
    assert_string_equal(h5_end_reason_name(RLOG_END_COMPLETE), "complete");
    assert_string_equal(h5_end_reason_name(RLOG_END_STOPPED), "stopped");
    assert_string_equal(h5_end_reason_name(RLOG_END_NO_SPACE), "no space");
    assert_string_equal(h5_end_reason_name(RLOG_END_FAULT), "fault");
    assert_string_equal(h5_end_reason_name(RLOG_END_INTERRUPTED), "interrupted");
    assert_string_equal(h5_end_reason_name(5), "unknown");
    assert_string_equal(h5_end_reason_name(UINT32_MAX), "unknown");
}

#define WITH_BENCH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_root_and_data_say_what_it_is),
        WITH_BENCH(test_an_emulation_with_a_part_recorded),
        WITH_BENCH(test_the_config_holds_shepherds_harvester),
        WITH_BENCH(test_a_second_begin_is_refused),
        WITH_BENCH(test_the_start),
        WITH_BENCH(test_the_end_counts),
        WITH_BENCH(test_what_is_not_known_is_not_said),
        WITH_BENCH(test_free_texts_are_scalars),
        WITH_BENCH(test_a_free_text_of_anybody),
        cmocka_unit_test(test_reasons),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
