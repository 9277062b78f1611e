/* SPDX-License-Identifier: MIT */
/* What reads recordings: summaries, exports and inputs, from a file that was built from a log
 * of known content; and the guard around all of them. */
#include "common/gpio_codec.h"
#include "common/h5_build.h"
#include "common/h5_export.h"
#include "common/h5_guard.h"
#include "common/h5_info.h"
#include "common/h5_input_parts.h"
#include "common/h5_verify.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    PIECE = 10000,
    N_SAMPLES = 25000,
    N_EDGES = 9
};

static const int64_t T_NS = 1800000000000000000;

struct bench {
    char folder[64];
    char log[128];
    char part[128];
    char file[128];
    char out[128];
    struct rlog_manifest manifest;
};

static uint32_t voltage_code(uint64_t n)
{
    return (uint32_t)(100000 + n % 5000);
}

static uint32_t current_code(uint64_t n)
{
    return (uint32_t)(n % 777 * 10);
}

static void put(struct rlog_writer *writer, struct rlog_record_header header,
                const void *payload, size_t size)
{
    struct err err = { 0 };

    assert_int_equal(rlog_writer_append(writer, header, payload, size, &err), 0);
}

static void put_samples(struct rlog_writer *writer, uint64_t first, uint32_t count)
{
    static uint32_t samples[PIECE];

    for (unsigned stream = RLOG_STREAM_VOLTAGE; stream <= RLOG_STREAM_CURRENT; stream++) {
        for (uint32_t i = 0; i < count; i++) {
            samples[i] = stream == RLOG_STREAM_VOLTAGE ? voltage_code(first + i)
                                                       : current_code(first + i);
        }
        put(writer,
            (struct rlog_record_header){ .type = RLOG_SAMPLES,
                                         .stream = (uint8_t)stream,
                                         .count = count,
                                         .first = first },
            samples, count * sizeof(*samples));
    }
}

/* Power-good (pin 9) is up from 10 ms to 30 ms, and from 200 ms on; pin 0 toggles meanwhile. */
static void put_edges(struct rlog_writer *writer)
{
    static const struct gpio_edge edges[N_EDGES] = {
        {T_NS + 10000000,   0x200},
        { T_NS + 12000000,  0x201},
        { T_NS + 13000000,  0x200},
        { T_NS + 30000000,  0    },
        { T_NS + 31000000,  1    },
        { T_NS + 32000000,  0    },
        { T_NS + 200000000, 0x200},
        { T_NS + 201000000, 0x201},
        { T_NS + 202000000, 0x200},
    };
    uint8_t packed[200];
    size_t size = gpio_codec_encode(edges, N_EDGES, packed, sizeof(packed));

    put(writer,
        (struct rlog_record_header){
            .type = RLOG_EDGES, .stream = RLOG_STREAM_GPIO, .count = N_EDGES },
        packed, size);
}

static void put_rest(struct rlog_writer *writer)
{
    static const char text[] = "say \"hi\", ok";
    int64_t values[3] = { -5, 100, 7 };

    put(writer,
        (struct rlog_record_header){
            .type = RLOG_TEXT, .stream = RLOG_STREAM_KERNEL, .first = (uint64_t)T_NS + 5000 },
        text, sizeof(text) - 1);
    put(writer,
        (struct rlog_record_header){
            .type = RLOG_ROW, .stream = RLOG_STREAM_PTP, .count = 3, .first = (uint64_t)T_NS },
        values, sizeof(values));
    /* of a width that its stream does not have: left out */
    put(writer,
        (struct rlog_record_header){
            .type = RLOG_ROW, .stream = RLOG_STREAM_PTP, .count = 2, .first = (uint64_t)T_NS },
        values, 16);
}

static void make_log(struct bench *bench)
{
    struct rlog_start start = { .T_ns = T_NS, .start_error_ns = -9, .start_bound_ns = 3 };
    struct rlog_gap gap = { 12000, 100, RLOG_GAP_RING, 0 };
    struct rlog_end end = { .n_samples = N_SAMPLES, .n_gap_samples = 100, .n_edges = N_EDGES };
    uint8_t digest[RLOG_DIGEST_BYTES];
    struct err err = { 0 };
    struct rlog_writer *writer = rlog_writer_create(bench->log, &bench->manifest, &err);

    assert_non_null(writer);
    put(writer, (struct rlog_record_header){ .type = RLOG_START, .count = 1 }, &start,
        sizeof(start));
    put_edges(writer);
    put_samples(writer, 0, PIECE);
    put_samples(writer, 10000, 2000);
    put(writer, (struct rlog_record_header){ .type = RLOG_GAP, .count = 1, .first = 12000 },
        &gap, sizeof(gap));
    put_samples(writer, 12100, 7900);
    put_samples(writer, 20000, 5000);
    put_rest(writer);
    assert_int_equal(rlog_writer_finish(writer, &end, digest, &err), 0);
    rlog_writer_destroy(&writer);
}

static void build(struct bench *bench)
{
    struct h5_evidence evidence = { .verdict = "valid", .manifest = "m.yaml" };
    struct h5_summary summary;
    struct err err = { 0 };
    struct h5_builder *builder = h5_builder_create(bench->log, bench->part, &err);

    if (builder == NULL || h5_builder_advance(builder, &err) != 1
        || h5_builder_finish(builder, &evidence, bench->file, &summary, &err) < 0) {
        fail_msg("%s", err.text);
    }
    h5_builder_destroy(&builder);
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    struct rlog_manifest *manifest = NULL;

    assert_non_null(bench);
    manifest = &bench->manifest;
    snprintf(bench->folder, sizeof(bench->folder), "/tmp/bw-read-XXXXXX");
    assert_non_null(mkdtemp(bench->folder));
    snprintf(bench->log, sizeof(bench->log), "%s/a.rlog", bench->folder);
    snprintf(bench->part, sizeof(bench->part), "%s/a.h5.part", bench->folder);
    snprintf(bench->file, sizeof(bench->file), "%s/a.h5", bench->folder);
    snprintf(bench->out, sizeof(bench->out), "%s/out", bench->folder);
    schema_defaults(&node_config_schema, &manifest->config);
    snprintf(manifest->experiment_name, sizeof(manifest->experiment_name), "t");
    snprintf(manifest->node, sizeof(manifest->node), "sheep7");
    snprintf(manifest->datatype, sizeof(manifest->datatype), "ivsample");
    manifest->n_planned = N_SAMPLES;
    manifest->has_voltage = true;
    manifest->has_current = true;
    manifest->gpio_mask = 0x201;
    manifest->voltage = (struct cal_channel){ 2e-5, 1e-3 };
    manifest->current = (struct cal_channel){ 2e-7, 0 };
    manifest->config.record.compression = 1;
    make_log(bench);
    build(bench);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    struct err err = { 0 };

    assert_int_equal(rlog_remove(bench->log, &err), 0);
    unlink(bench->file);
    unlink(bench->out);
    assert_int_equal(rmdir(bench->folder), 0);
    free(bench);
    return 0;
}

static void test_info_counts_what_is_there(void **state)
{
    struct bench *bench = *state;
    struct h5_info info;
    struct err err = { 0 };
    double sum_V = 0;
    double energy_J = 0;

    for (uint64_t n = 0; n < N_SAMPLES; n++) {
        if (n < 12000 || n >= 12100) {
            sum_V += voltage_code(n) * 2e-5 + 1e-3;
            energy_J += (voltage_code(n) * 2e-5 + 1e-3) * (current_code(n) * 2e-7) * 1e-5;
        }
    }
    if (h5_info_here(bench->file, &info, &err) < 0) {
        fail_msg("%s", err.text);
    }
    assert_true(info.is_ours);
    assert_string_equal(info.mode, "harvester");
    assert_string_equal(info.hostname, "sheep7");
    assert_string_equal(info.verdict, "valid");
    assert_string_equal(info.compression, "gzip-1");
    assert_int_equal(info.summary.n_samples, N_SAMPLES);
    assert_int_equal(info.summary.n_gap_samples, 100);
    assert_int_equal(info.n_gaps, 1);
    assert_int_equal(info.summary.start_error_ns, -9);
    assert_int_equal(info.summary.n_edges, N_EDGES);
    assert_true(fabs(info.voltage.mean - sum_V / (N_SAMPLES - 100)) < 1e-9);
    assert_true(fabs(info.voltage.minimum - (100000 * 2e-5 + 1e-3)) < 1e-12);
    assert_true(fabs(info.current.maximum - 7760 * 2e-7) < 1e-12);
    assert_true(fabs(info.summary.energy_Ws - energy_J) < 1e-9 * energy_J);
    assert_true(info.has_power_good);
    assert_int_equal(info.power_good_bit, 9);
    assert_int_equal(info.n_turn_ons, 2);
    assert_true(fabs(info.on_time_s - (0.02 + 0.05)) < 1e-9);
    assert_int_equal(h5_info(bench->file, &info, &err), 0);
    assert_int_equal(info.n_turn_ons, 2);
}

/* Runs an export and gives its text, to be freed. */
static char *export(struct bench *bench, struct h5_export job, uint64_t n_rows)
{
    struct buf text = { 0 };
    struct err err = { 0 };
    uint64_t found = 0;

    job.path = bench->file;
    job.out = fopen(bench->out, "we");
    assert_non_null(job.out);
    if (h5_export_here(&job, &found, &err) < 0) {
        fail_msg("%s", err.text);
    }
    fclose(job.out);
    assert_int_equal(found, n_rows);
    assert_int_equal(buf_read_file(&text, bench->out, 1 << 24, &err), 0);
    return text.data;
}

static void test_export_of_samples_within_a_range(void **state)
{
    struct h5_export job = {
        .channel = "samples", .begin_s = 0.1, .end_s = 0.10003, .separator = ';'
    };
    char *text = export(*state, job, 3);

    assert_string_equal(text, "time_ns;time_s;voltage [V];current [A]\n"
                              "1800000000100000000;0.100000000;2.001;0.001352\n"
                              "1800000000100010000;0.100010000;2.00102;0.001354\n"
                              "1800000000100020000;0.100020000;2.00104;0.001356\n");
    free(text);
}

static void test_export_of_texts_and_rows(void **state)
{
    struct h5_export kernel = { .channel = "kernel", .end_s = -1, .separator = ',' };
    struct h5_export ptp = { .channel = "ptp", .end_s = -1, .separator = ',' };
    char *text = export(*state, kernel, 1);

    assert_string_equal(text, "time_ns,time_s,message\n"
                              "1800000000000005000,0.000005000,\"say \"\"hi\"\", ok\"\n");
    free(text);
    text = export(*state, ptp, 1);
    assert_string_equal(text, "time_ns,time_s,values_0,values_1,values_2\n"
                              "1800000000000000000,0.000000000,-5,100,7\n");
    free(text);
}

static void test_export_of_pins_as_vcd(void **state)
{
    struct h5_export job = {
        .channel = "gpio", .end_s = 0.02, .separator = ',', .is_vcd = true
    };
    char *text = export(*state, job, 3);

    assert_string_equal(text, "$timescale 1 ns $end\n$scope module gpio $end\n"
                              "$var wire 1 ! gpio0 $end\n$var wire 1 \" pwr_good $end\n"
                              "$upscope $end\n$enddefinitions $end\n"
                              "#10000000\n0!\n1\"\n#12000000\n1!\n#13000000\n0!\n");
    free(text);
}

static void test_export_refuses_what_is_not_there(void **state)
{
    struct bench *bench = *state;
    struct h5_export job = {
        .path = bench->file, .end_s = -1, .separator = ',', .out = stderr
    };
    struct err err = { 0 };
    uint64_t n_rows = 0;

    job.channel = "uart";
    assert_int_equal(h5_export_here(&job, &n_rows, &err), -1);
    assert_int_equal(err.code, ERR_INPUT);
    job.channel = "samples";
    job.is_vcd = true;
    assert_int_equal(h5_export_here(&job, &n_rows, &err), -1);
    job.path = "/nowhere.h5";
    assert_int_equal(h5_export(&job, &n_rows, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void test_a_harvest_becomes_an_input(void **state)
{
    struct bench *bench = *state;
    static uint32_t voltage_uV[PIECE];
    static uint32_t current_nA[PIECE];
    struct h5_input_info info;
    struct h5_input_info checked;
    char digest[DIGEST_TEXT_SIZE];
    char again[DIGEST_TEXT_SIZE];
    struct err err = { 0 };
    struct rlog_input_reader *reader = NULL;
    uint64_t n = 0;
    long count = 0;

    assert_int_equal(h5_input_check_here(bench->file, &checked, &err), 0);
    if (h5_input_decode_here(bench->file, bench->out, &info, digest, &err) < 0) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(checked.n_samples, N_SAMPLES);
    assert_int_equal(info.n_samples, N_SAMPLES);
    assert_int_equal(info.window_samples, 0);
    assert_string_equal(info.datatype, "ivsample");
    assert_string_equal(info.hostname, "sheep7");
    reader = rlog_input_open(bench->out, &err);
    assert_non_null(reader);
    while ((count = rlog_input_read(reader, voltage_uV, current_nA, PIECE, &err)) > 0) {
        for (long i = 0; i < count; i++, n++) {
            bool is_missing = n >= 12000 && n < 12100;

            assert_int_equal(voltage_uV[i], is_missing ? 1000 : voltage_code(n) * 20 + 1000);
            assert_int_equal(current_nA[i], is_missing ? 0 : current_code(n) * 200);
        }
    }
    assert_int_equal(count, 0);
    assert_int_equal(n, N_SAMPLES);
    rlog_input_close(&reader);
    assert_int_equal(h5_input_decode(bench->file, bench->out, &info, again, &err), 0);
    assert_string_equal(digest, again);
}

static void test_an_input_that_is_missing_or_text_is_refused(void **state)
{
    struct bench *bench = *state;
    struct h5_input_info info;
    char manifest[160];
    struct err err = { 0 };

    assert_int_equal(h5_input_check(bench->out, &info, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    snprintf(manifest, sizeof(manifest), "%s/manifest.yaml", bench->log);
    assert_int_equal(h5_input_check(manifest, &info, &err), -1);
    assert_int_equal(err.code, ERR_INPUT);
    assert_non_null(strstr(err.text, "not an HDF5 file"));
}

static int crash(const void *arg, void *result, struct err *err)
{
    (void)result;
    (void)err;
    raise(*(const int *)arg);
    return 0;
}

static int answer(const void *arg, void *result, struct err *err)
{
    *(int *)result = *(const int *)arg + 1;
    return *(const int *)arg < 0 ? err_set(err, ERR_TIMEOUT, "said so") : 0;
}

static void test_the_guard_survives_what_it_guards(void **state)
{
    static const int signals[] = { SIGSEGV, SIGABRT, SIGKILL, SIGXCPU };
    struct err err = { 0 };
    int result = 0;
    int given = 41;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
        assert_int_equal(h5_guard("/x", crash, &signals[i], &result, sizeof(result), &err), -1);
        assert_int_equal(err.code, ERR_CORRUPT);
    }
    assert_int_equal(h5_guard("/x", answer, &given, &result, sizeof(result), &err), 0);
    assert_int_equal(result, 42);
    given = -7;
    assert_int_equal(h5_guard("/x", answer, &given, &result, sizeof(result), &err), -1);
    assert_int_equal(result, -6);
    assert_int_equal(err.code, ERR_TIMEOUT);
    assert_string_equal(err.text, "said so");
}

int main(void)
{
#define WITH_BENCH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_info_counts_what_is_there),
        WITH_BENCH(test_export_of_samples_within_a_range),
        WITH_BENCH(test_export_of_texts_and_rows),
        WITH_BENCH(test_export_of_pins_as_vcd),
        WITH_BENCH(test_export_refuses_what_is_not_there),
        WITH_BENCH(test_a_harvest_becomes_an_input),
        WITH_BENCH(test_an_input_that_is_missing_or_text_is_refused),
        cmocka_unit_test(test_the_guard_survives_what_it_guards),
    };

    return cmocka_run_group_tests_name("h5_read", tests, NULL, NULL);
}
