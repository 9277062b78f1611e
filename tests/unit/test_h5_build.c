/* SPDX-License-Identifier: MIT */
/* From a log to HDF5 and back: every sample, gap and edge, also while the log grows. */
#include "common/gpio_codec.h"
#include "common/h5_build.h"
#include "common/h5_guard.h"
#include "common/h5_info.h"
#include "common/h5_trace.h"
#include "common/h5_util.h"
#include "common/h5_verify.h"
#include "common/product.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    PIECE = 10000
};

static const int64_t T_NS = 1800000000123450000;

struct bench {
    char folder[64];
    char log[128];
    char part[128];
    char file[128];
    struct rlog_manifest manifest;
    struct rlog_writer *writer;
    struct rlog_deflate *deflate;
    uint64_t n_edges;
    double energy_J; /* summed here, sample by sample */
};

static uint32_t code_of(unsigned stream, uint64_t n)
{
    return (uint32_t)((n * (stream == RLOG_STREAM_VOLTAGE ? 7919 : 104729) + n / 3) % 262144);
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    struct rlog_manifest *manifest = NULL;
    struct err err = { 0 };

    assert_non_null(bench);
    manifest = &bench->manifest;
    snprintf(bench->folder, sizeof(bench->folder), "/tmp/bw-h5-XXXXXX");
    assert_non_null(mkdtemp(bench->folder));
    snprintf(bench->log, sizeof(bench->log), "%s/a.rlog", bench->folder);
    snprintf(bench->part, sizeof(bench->part), "%s/a.h5.part", bench->folder);
    snprintf(bench->file, sizeof(bench->file), "%s/a.h5", bench->folder);
    schema_defaults(&node_config_schema, &manifest->config);
    snprintf(manifest->experiment_name, sizeof(manifest->experiment_name), "t");
    snprintf(manifest->node, sizeof(manifest->node), "sheep7");
    snprintf(manifest->datatype, sizeof(manifest->datatype), "ivsample");
    manifest->n_planned = UINT64_MAX;
    manifest->has_voltage = true;
    manifest->has_current = true;
    manifest->gpio_mask = 0x201;
    manifest->voltage = (struct cal_channel){ 2e-5, 1e-3 };
    manifest->current = (struct cal_channel){ 2e-7, -1e-6 };
    manifest->config.record.compression = 1;
    bench->deflate = rlog_deflate_create(1, &err);
    assert_non_null(bench->deflate);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    struct err err = { 0 };

    rlog_writer_destroy(&bench->writer);
    rlog_deflate_destroy(&bench->deflate);
    if (access(bench->log, F_OK) == 0) {
        assert_int_equal(rlog_remove(bench->log, &err), 0);
    }
    unlink(bench->part);
    unlink(bench->file);
    assert_int_equal(rmdir(bench->folder), 0);
    free(bench);
    return 0;
}

static void put(struct bench *bench, struct rlog_record_header header, const void *payload,
                size_t size)
{
    struct err err = { 0 };

    assert_int_equal(rlog_writer_append(bench->writer, header, payload, size, &err), 0);
}

static void begin(struct bench *bench)
{
    struct rlog_start start = { .T_ns = T_NS, .start_error_ns = 42, .start_bound_ns = 7 };
    struct err err = { 0 };

    bench->writer = rlog_writer_create(bench->log, &bench->manifest, &err);
    assert_non_null(bench->writer);
    put(bench, (struct rlog_record_header){ .type = RLOG_START, .count = 1 }, &start,
        sizeof(start));
}

static void put_stream(struct bench *bench, unsigned stream, uint64_t first, uint32_t count)
{
    static uint32_t samples[PIECE];
    static uint32_t scratch[PIECE];
    static uint8_t packed[5 * PIECE];
    struct rlog_record_header header = {
        .type = RLOG_SAMPLES, .stream = (uint8_t)stream, .count = count, .first = first
    };
    size_t size = 0;

    for (uint32_t i = 0; i < count; i++) {
        samples[i] = code_of(stream, first + i);
    }
    if (bench->manifest.config.record.compression > 0) {
        size =
            rlog_deflate_u32(bench->deflate, samples, count, scratch, packed, sizeof(packed));
    }
    if (size > 0) {
        header.flags = RLOG_FLAG_DEFLATED | (count == PIECE ? RLOG_FLAG_GRID : 0);
        put(bench, header, packed, size);
    } else {
        put(bench, header, samples, count * sizeof(*samples));
    }
}

/* Of 10 us. */
static double row_energy_J(const struct bench *bench, uint64_t n)
{
    const struct rlog_manifest *manifest = &bench->manifest;
    double V =
        code_of(RLOG_STREAM_VOLTAGE, n) * manifest->voltage.gain + manifest->voltage.offset;
    double A =
        code_of(RLOG_STREAM_CURRENT, n) * manifest->current.gain + manifest->current.offset;

    return V * A * 1e-5;
}

static void put_product(struct bench *bench, uint64_t first, uint32_t count)
{
    static uint32_t codes[2][PIECE];
    struct rlog_product product;

    for (uint32_t i = 0; i < count; i++) {
        codes[0][i] = code_of(RLOG_STREAM_VOLTAGE, first + i);
        codes[1][i] = code_of(RLOG_STREAM_CURRENT, first + i);
    }
    product = product_sum(codes[0], codes[1], count);
    put(bench,
        (struct rlog_record_header){ .type = RLOG_PRODUCT, .count = count, .first = first },
        &product, sizeof(product));
}

static void put_samples(struct bench *bench, uint64_t first, uint32_t count)
{
    put_product(bench, first, count);
    put_stream(bench, RLOG_STREAM_VOLTAGE, first, count);
    put_stream(bench, RLOG_STREAM_CURRENT, first, count);
    for (uint64_t n = first; n < first + count; n++) {
        bench->energy_J += row_energy_J(bench, n);
    }
}

static void put_gap(struct bench *bench, uint64_t first, uint64_t count, uint32_t cause)
{
    struct rlog_gap gap = { first, count, cause, 0 };

    put(bench, (struct rlog_record_header){ .type = RLOG_GAP, .count = 1, .first = first },
        &gap, sizeof(gap));
}

static void put_edges(struct bench *bench, int64_t from_ns, uint32_t count)
{
    static struct gpio_edge edges[PIECE];
    static uint8_t packed[14 * PIECE];
    size_t size = 0;

    for (uint32_t i = 0; i < count; i++) {
        edges[i] =
            (struct gpio_edge){ from_ns + i * INT64_C(700), (uint16_t)(i % 2 ? 0x201 : 0) };
    }
    size = gpio_codec_encode(edges, count, packed, sizeof(packed));
    put(bench,
        (struct rlog_record_header){
            .type = RLOG_EDGES, .stream = RLOG_STREAM_GPIO, .count = count },
        packed, size);
    bench->n_edges += count;
}

static void end_with_gaps(struct bench *bench, uint64_t n_samples, uint64_t n_gap_samples)
{
    struct rlog_end last = { .n_samples = n_samples,
                             .n_gap_samples = n_gap_samples,
                             .n_edges = bench->n_edges };
    uint8_t digest[RLOG_DIGEST_BYTES];
    struct err err = { 0 };

    assert_int_equal(rlog_writer_finish(bench->writer, &last, digest, &err), 0);
}

static void end(struct bench *bench, uint64_t n_samples)
{
    end_with_gaps(bench, n_samples, 0);
}

static struct h5_summary build(struct bench *bench)
{
    struct h5_summary summary = { 0 };
    struct err err = { 0 };
    struct h5_builder *builder = h5_builder_create(bench->log, bench->part, &err);

    if (builder == NULL || h5_builder_advance(builder, &err) != 1
        || h5_builder_finish(builder, NULL, bench->file, &summary, &err) < 0) {
        fail_msg("%s", err.text);
    }
    h5_builder_destroy(&builder);
    assert_int_equal(access(bench->part, F_OK), -1);
    return summary;
}

static void verify(const struct bench *bench, struct h5_summary *summary)
{
    struct err err = { 0 };

    if (h5_verify_here(bench->file, summary, &err) < 0) {
        fail_msg("%s", err.text);
    }
}

/* Every stored value of a stream; `is_missing` says where 0 is right. */
static void check_stream(const struct bench *bench, unsigned stream, const char *path,
                         uint64_t n_samples, bool (*is_missing)(uint64_t n))
{
    struct err err = { 0 };
    hid_t file = h5_open_file(bench->file, NULL, &err);
    struct h5_trace *trace = h5_trace_open(file, path, &err);
    static uint64_t values[PIECE];

    assert_non_null(trace);
    assert_int_equal(h5_trace_rows(trace), n_samples);
    for (uint64_t at = 0; at < n_samples; at += PIECE) {
        size_t count = n_samples - at < PIECE ? (size_t)(n_samples - at) : PIECE;

        assert_int_equal(h5_trace_read_u64(trace, at, count, values, &err), 0);
        for (size_t i = 0; i < count; i++) {
            uint64_t wanted = 0;

            if (stream == 0) {
                wanted = (uint64_t)T_NS + (at + i) * 10000;
            } else if (is_missing == NULL || !is_missing(at + i)) {
                wanted = code_of(stream, at + i);
            }
            if (values[i] != wanted) {
                fail_msg("%s[%llu] is %llu", path, (unsigned long long)(at + i),
                         (unsigned long long)values[i]);
            }
        }
    }
    h5_trace_close(&trace);
    h5_close(&file);
}

static void check_samples(const struct bench *bench, uint64_t n_samples,
                          bool (*is_missing)(uint64_t n))
{
    check_stream(bench, 0, "/data/time", n_samples, NULL);
    check_stream(bench, RLOG_STREAM_VOLTAGE, "/data/voltage", n_samples, is_missing);
    check_stream(bench, RLOG_STREAM_CURRENT, "/data/current", n_samples, is_missing);
}

static uint64_t read_one(const struct bench *bench, const char *path, uint64_t row)
{
    struct err err = { 0 };
    hid_t file = h5_open_file(bench->file, NULL, &err);
    struct h5_trace *trace = h5_trace_open(file, path, &err);
    uint64_t value = UINT64_MAX;

    assert_non_null(trace);
    if (row == UINT64_MAX) {
        value = h5_trace_rows(trace);
    } else {
        assert_int_equal(h5_trace_read_u64(trace, row, 1, &value, &err), 0);
    }
    h5_trace_close(&trace);
    h5_close(&file);
    return value;
}

static uint64_t count_rows(const struct bench *bench, const char *path)
{
    return read_one(bench, path, UINT64_MAX);
}

/* What is counted from the data agrees with what was summed here. */
static void check_info(const struct bench *bench, uint64_t n_samples, uint32_t rate)
{
    struct h5_info info;
    struct err err = { 0 };

    assert_int_equal(h5_info_here(bench->file, &info, &err), 0);
    assert_int_equal(info.summary.n_samples, n_samples);
    assert_int_equal(info.samplerate_Hz, rate);
    assert_true(fabs(info.summary.energy_Ws - bench->energy_J) < 1e-9 * bench->energy_J);
}

static void test_every_sample_and_edge_arrives(void **state)
{
    struct bench *bench = *state;
    struct h5_summary summary;

    begin(bench);
    put_edges(bench, T_NS, 3000);
    for (uint64_t at = 0; at < 60000; at += PIECE) {
        put_samples(bench, at, PIECE);
    }
    put_samples(bench, 60000, 4321);
    put_edges(bench, T_NS + INT64_C(3000) * 700, 10000);
    end(bench, 64321);
    summary = build(bench);
    check_samples(bench, 64321, NULL);
    assert_int_equal(count_rows(bench, "/gaps/first_sample"), 0);
    assert_int_equal(count_rows(bench, "/gpio/time"), 13000);
    assert_int_equal(read_one(bench, "/gpio/time", 12999),
                     (uint64_t)T_NS + UINT64_C(12999) * 700);
    assert_int_equal(read_one(bench, "/gpio/value", 12999), 0x201);
    assert_true(fabs(summary.energy_Ws - bench->energy_J) < 1e-9 * bench->energy_J);
    verify(bench, &summary);
    assert_int_equal(summary.n_samples, 64321);
    assert_int_equal(summary.n_edges, 13000);
    assert_true(summary.T_ns == T_NS);
    assert_int_equal(summary.start_error_ns, 42);
    assert_true(fabs(summary.energy_Ws - bench->energy_J) < 1e-9 * bench->energy_J);
}

static bool in_gaps(uint64_t n)
{
    return (n >= 15000 && n < 41000) || (n >= 55555 && n < 55556);
}

static void test_gaps_are_zero_listed_and_not_allocated(void **state)
{
    struct bench *bench = *state;
    struct h5_summary summary;
    struct err err = { 0 };
    hid_t file = -1;
    hid_t dataset = -1;
    hsize_t size = 0;
    hsize_t offset = 20000;

    begin(bench);
    put_samples(bench, 0, PIECE);
    put_samples(bench, 10000, 5000);
    put_gap(bench, 15000, 26000, RLOG_GAP_RING);
    put_samples(bench, 41000, 9000);
    put_samples(bench, 50000, 5555);
    /* one sample that no gap explains */
    put_samples(bench, 55556, 4444);
    end(bench, 60000);
    summary = build(bench);
    assert_int_equal(summary.n_gap_samples, 26001);
    assert_true(fabs(summary.energy_Ws - bench->energy_J) < 1e-9 * bench->energy_J);
    check_samples(bench, 60000, in_gaps);
    assert_int_equal(count_rows(bench, "/gaps/first_sample"), 3);
    assert_int_equal(read_one(bench, "/gaps/first_sample", 0), 15000);
    assert_int_equal(read_one(bench, "/gaps/n_samples", 0), 26000);
    assert_int_equal(read_one(bench, "/gaps/time", 0), (uint64_t)T_NS + 150000000);
    for (uint64_t row = 1; row < 3; row++) { /* of voltage and of current */
        assert_int_equal(read_one(bench, "/gaps/first_sample", row), 55555);
        assert_int_equal(read_one(bench, "/gaps/n_samples", row), 1);
        assert_int_equal(read_one(bench, "/gaps/cause", row), 0);
        assert_int_equal(read_one(bench, "/gaps/stream", row), row);
    }
    file = h5_open_file(bench->file, NULL, &err);
    dataset = H5Dopen2(file, "/data/voltage", H5P_DEFAULT);
    assert_true(H5Dget_chunk_storage_size(dataset, &offset, &size) < 0 || size == 0);
    offset = 30000;
    assert_true(H5Dget_chunk_storage_size(dataset, &offset, &size) < 0 || size == 0);
    offset = 40000;
    assert_true(H5Dget_chunk_storage_size(dataset, &offset, &size) >= 0 && size > 0);
    h5_close(&dataset);
    h5_close(&file);
    verify(bench, &summary);
}

static void test_a_growing_log_gives_the_same_file_as_a_closed_one(void **state)
{
    struct bench *bench = *state;
    struct h5_summary summary;
    struct err err = { 0 };
    struct h5_builder *builder = NULL;
    uint64_t at = 0;

    begin(bench);
    builder = h5_builder_create(bench->log, bench->part, &err);
    assert_non_null(builder);
    while (at < 230000) {
        uint32_t count = (uint32_t)(1 + at % 9973);

        count = at / PIECE != (at + count - 1) / PIECE ? PIECE - (uint32_t)(at % PIECE) : count;
        put_samples(bench, at, count);
        at += count;
        assert_int_equal(rlog_writer_sync(bench->writer, &err), 0);
        assert_int_equal(h5_builder_advance(builder, &err), 0);
    }
    end(bench, at);
    assert_int_equal(h5_builder_advance(builder, &err), 1);
    assert_int_equal(h5_builder_finish(builder, NULL, bench->file, &summary, &err), 0);
    h5_builder_destroy(&builder);
    check_samples(bench, at, NULL);
    assert_true(fabs(summary.energy_Ws - bench->energy_J) < 1e-9 * bench->energy_J);
    verify(bench, &summary);
}

static void test_without_compression_nothing_is_filtered(void **state)
{
    struct bench *bench = *state;
    struct h5_summary summary;

    bench->manifest.config.record.compression = 0;
    begin(bench);
    put_samples(bench, 0, PIECE);
    put_samples(bench, 10000, 77);
    end(bench, 10077);
    build(bench);
    check_samples(bench, 10077, NULL);
    verify(bench, &summary);
}

static void test_a_trace_that_is_off_has_its_extent_and_no_chunk(void **state)
{
    struct bench *bench = *state;
    struct h5_summary summary;
    struct err err = { 0 };
    hid_t file = -1;
    hid_t dataset = -1;
    int64_t recorded = -1;

    bench->manifest.has_current = false;
    begin(bench);
    put_stream(bench, RLOG_STREAM_VOLTAGE, 0, PIECE);
    put_stream(bench, RLOG_STREAM_VOLTAGE, 10000, 100);
    end(bench, 10100);
    summary = build(bench);
    assert_true(isnan(summary.energy_Ws));
    assert_int_equal(summary.n_gap_samples, 0);
    check_stream(bench, RLOG_STREAM_VOLTAGE, "/data/voltage", 10100, NULL);
    assert_int_equal(count_rows(bench, "/data/current"), 10100);
    file = h5_open_file(bench->file, NULL, &err);
    dataset = H5Dopen2(file, "/data/current", H5P_DEFAULT);
    assert_true(h5_get_i64(dataset, "recorded", &recorded));
    assert_int_equal(recorded, 0);
    assert_int_equal(H5Dget_storage_size(dataset), 0);
    h5_close(&dataset);
    h5_close(&file);
    verify(bench, &summary);
}

/* Rows at 1 kHz: their stamps, gaps in samples. Their energy is that of the products, which
 * tell of each sample; what is read from the rows weighs the short last one. */
static void test_rows_stand_for_windows(void **state)
{
    struct bench *bench = *state;
    struct h5_summary summary;
    uint64_t row = 0;

    bench->manifest.config.record.samplerate = RECORD_1_KHZ;
    begin(bench);
    put_samples(bench, 0, 40);                /* rows, not samples */
    put_gap(bench, 3950, 180, RLOG_GAP_RING); /* half of row 39, row 40, 30 of row 41 */
    put_samples(bench, 41, PIECE - 41);
    put_samples(bench, PIECE, 12); /* the last of them stands for 50 samples */
    end_with_gaps(bench, 1001150, 180);
    summary = build(bench);
    assert_int_equal(summary.n_samples, 1001150);
    assert_int_equal(summary.n_gap_samples, 180);
    assert_int_equal(count_rows(bench, "/data/time"), PIECE + 12);
    assert_int_equal(count_rows(bench, "/data/voltage"), PIECE + 12);
    for (row = 0; row < PIECE + 12; row += 1237) {
        assert_int_equal(read_one(bench, "/data/time", row), (uint64_t)T_NS + row * 1000000);
        assert_int_equal(read_one(bench, "/data/current", row),
                         row == 40 ? 0 : code_of(RLOG_STREAM_CURRENT, row));
    }
    assert_int_equal(count_rows(bench, "/gaps/first_sample"), 1);
    assert_int_equal(read_one(bench, "/gaps/first_sample", 0), 3950);
    assert_int_equal(read_one(bench, "/gaps/time", 0), (uint64_t)T_NS + 39500000);
    assert_true(fabs(summary.energy_Ws - bench->energy_J) < 1e-9 * bench->energy_J);
    bench->energy_J = bench->energy_J * 100 - row_energy_J(bench, PIECE + 11) * 50;
    verify(bench, &summary);
    assert_int_equal(summary.n_samples, 1001150);
    check_info(bench, 1001150, RECORD_1_KHZ);
}

/* What was not to be recorded is no gap, and no chunk. */
static void test_a_range_is_no_gap(void **state)
{
    struct bench *bench = *state;
    struct h5_summary summary;

    bench->manifest.config.record.delay_ns = INT64_C(25000) * 10000;
    bench->manifest.config.record.duration_ns = INT64_C(10000) * 10000;
    begin(bench);
    put_samples(bench, 25000, 5000);
    put_samples(bench, 30000, 4000); /* 1000 more were to come */
    end(bench, 60000);
    summary = build(bench);
    assert_int_equal(summary.n_gap_samples, 1000);
    assert_int_equal(count_rows(bench, "/gaps/first_sample"), 2); /* one for each stream */
    assert_int_equal(read_one(bench, "/gaps/first_sample", 0), 34000);
    assert_int_equal(read_one(bench, "/gaps/n_samples", 0), 1000);
    assert_int_equal(count_rows(bench, "/data/voltage"), 60000);
    assert_int_equal(read_one(bench, "/data/voltage", 24999), 0);
    assert_int_equal(read_one(bench, "/data/voltage", 25000),
                     code_of(RLOG_STREAM_VOLTAGE, 25000));
    verify(bench, &summary);
    check_info(bench, 60000, RECORD_100_KHZ);
}

static void test_an_overview_alone(void **state)
{
    struct bench *bench = *state;
    struct h5_summary summary;
    const struct rlog_overview entry = { 1, 3, 2 };

    bench->manifest.config.record.overview_only = true;
    begin(bench);
    put(bench,
        (struct rlog_record_header){
            .type = RLOG_OVERVIEW, .stream = RLOG_STREAM_VOLTAGE, .count = 1 },
        &entry, sizeof(entry));
    put_product(bench, 0, PIECE);
    for (uint64_t n = 0; n < PIECE; n++) {
        bench->energy_J += row_energy_J(bench, n);
    }
    end_with_gaps(bench, 20000, 7);
    summary = build(bench);
    assert_int_equal(summary.n_samples, 20000);
    assert_int_equal(summary.n_gap_samples, 7);
    assert_true(fabs(summary.energy_Ws - bench->energy_J) < 1e-9 * bench->energy_J);
    assert_int_equal(count_rows(bench, "/data/time"), 20000);
    assert_int_equal(count_rows(bench, "/gaps/first_sample"), 0);
    assert_int_equal(read_one(bench, "/overview/voltage/64/maximum", 0), 3);
    verify(bench, &summary);
}

/* A log that was cut behind a product, or that lost one, does not pretend to know. */
static void test_the_energy_is_that_of_the_samples_there_are(void **state)
{
    struct bench *bench = *state;
    struct h5_summary summary;
    struct err err = { 0 };

    begin(bench);
    put_samples(bench, 0, PIECE);
    put_product(bench, PIECE, PIECE);
    put_stream(bench, RLOG_STREAM_VOLTAGE, PIECE, PIECE);
    end(bench, 20000);
    summary = build(bench);
    assert_true(fabs(summary.energy_Ws - bench->energy_J) < 1e-9 * bench->energy_J);
    assert_int_equal(summary.n_gap_samples, 10000);
    rlog_writer_destroy(&bench->writer);
    assert_int_equal(rlog_remove(bench->log, &err), 0);

    begin(bench);
    put_samples(bench, 0, PIECE);
    put_stream(bench, RLOG_STREAM_VOLTAGE, PIECE, PIECE);
    put_stream(bench, RLOG_STREAM_CURRENT, PIECE, PIECE);
    end(bench, 20000);
    summary = build(bench);
    assert_true(isnan(summary.energy_Ws));
}

/* Neither is more than an error, and no file takes the final name. */
static void test_logs_that_do_not_hold_together_are_refused(void **state)
{
    struct bench *bench = *state;
    struct h5_summary summary;
    struct err err = { 0 };
    struct h5_builder *builder = NULL;

    begin(bench);
    put_samples(bench, 20000, PIECE);
    put_samples(bench, 10000, PIECE); /* goes back */
    end(bench, 30000);
    builder = h5_builder_create(bench->log, bench->part, &err);
    assert_non_null(builder);
    assert_int_equal(h5_builder_advance(builder, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
    h5_builder_destroy(&builder);
    rlog_writer_destroy(&bench->writer);
    assert_int_equal(rlog_remove(bench->log, &err), 0);

    begin(bench);
    put_samples(bench, 0, PIECE);
    end(bench, 9999); /* fewer than there are */
    builder = h5_builder_create(bench->log, bench->part, &err);
    assert_non_null(builder);
    assert_int_equal(h5_builder_advance(builder, &err), 1);
    assert_int_equal(h5_builder_finish(builder, NULL, bench->file, &summary, &err), -1);
    h5_builder_destroy(&builder);
    assert_int_equal(access(bench->file, F_OK), -1);
}

static void test_evidence_is_written_and_read_back(void **state)
{
    struct bench *bench = *state;
    struct h5_evidence evidence = { .clock_offset_ns = -77,
                                    .clock_bound_ns = 5,
                                    .clock_source = "sim",
                                    .has_clock = true,
                                    .verdict = "invalid because: x" };
    struct h5_summary summary;
    struct err err = { 0 };
    struct h5_builder *builder = NULL;
    static const char remark[] = "the clock: stepped";
    static const char second[] = "- again";
    static const int64_t unknown[1] = { 7 };

    begin(bench);
    put_samples(bench, 0, PIECE);
    put(bench,
        (struct rlog_record_header){
            .type = RLOG_ROW, .stream = RLOG_STREAM_SYS_UTIL, .count = ARRAY_LEN(unknown) },
        unknown, sizeof(unknown));
    put(bench, (struct rlog_record_header){ .type = RLOG_REMARK }, remark, strlen(remark));
    put(bench, (struct rlog_record_header){ .type = RLOG_REMARK }, second, strlen(second));
    end(bench, 10000);
    builder = h5_builder_create(bench->log, bench->part, &err);
    assert_non_null(builder);
    assert_int_equal(h5_builder_advance(builder, &err), 1);
    assert_int_equal(h5_builder_finish(builder, &evidence, bench->file, &summary, &err), 0);
    h5_builder_destroy(&builder);
    assert_int_equal(h5_verify(bench->file, &summary, &err), 0);
    assert_int_equal(summary.n_remarks, 3);
    assert_string_equal(summary.remarks,
                        "the clock: stepped\n- again\n"
                        "1 records of monitors fit no stream and are left out");
}

/* What a reader sees of a file, or 0 when it cannot be read. */
static uint64_t look(const struct bench *bench)
{
    static const char *const paths[] = { "/data/time", "/data/voltage", "/data/current",
                                         "/gpio/time", "/gpio/value" };
    struct err err = { 0 };
    hid_t file = h5_open_file(bench->file, NULL, &err);
    uint64_t sum = 14695981039346656037u;
    static uint64_t values[PIECE];

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct h5_trace *trace = file < 0 ? NULL : h5_trace_open(file, paths[i], &err);
        double gain = 0;
        double offset = 0;
        uint64_t n = trace == NULL ? 0 : h5_trace_rows(trace);

        if (trace == NULL || n > 20000 || h5_trace_meaning(trace, &gain, &offset, &err) < 0) {
            h5_trace_close(&trace);
            h5_close(&file);
            return 0;
        }
        sum = (sum ^ n) * 1099511628211u;
        sum = (sum ^ (uint64_t)(gain * 1e15)) * 1099511628211u;
        for (uint64_t at = 0; at < n; at += PIECE) {
            size_t count = n - at < PIECE ? (size_t)(n - at) : PIECE;

            if (h5_trace_read_u64(trace, at, count, values, &err) < 0) {
                h5_trace_close(&trace);
                h5_close(&file);
                return 0;
            }
            for (size_t k = 0; k < count; k++) {
                sum = (sum ^ values[k]) * 1099511628211u;
            }
        }
        h5_trace_close(&trace);
    }
    h5_close(&file);
    return sum;
}

struct look_result {
    uint64_t sum;
};

static int look_in_child(const void *arg, void *result, struct err *err)
{
    (void)err;
    ((struct look_result *)result)->sum = look(arg);
    return 0;
}

static void test_a_flipped_bit_that_changes_anything_is_found(void **state)
{
    struct bench *bench = *state;
    struct h5_summary summary;
    struct err err = { 0 };
    uint64_t random = 99;
    uint64_t right = 0;
    const char *wish = getenv("BW_FLIPS"); // NOLINT(concurrency-mt-unsafe): one thread
    int n_rounds = wish != NULL ? (int)strtol(wish, NULL, 10) : 60;
    int n_found = 0;
    int n_harmless = 0;

    begin(bench);
    put_edges(bench, T_NS, 500);
    put_samples(bench, 0, PIECE);
    put_samples(bench, 10000, 200);
    end(bench, 10200);
    summary = build(bench);
    right = look(bench);
    assert_true(right != 0);
    int fd = open(bench->file, O_RDWR | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_true(summary.file_bytes > 0);
    for (int round = 0; round < n_rounds && summary.file_bytes > 0; round++) {
        uint8_t byte = 0;
        off_t at = 0;

        random = random * 6364136223846793005u + 1442695040888963407u;
        at = (off_t)((random >> 16) % summary.file_bytes);
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= (uint8_t)(1u << (random >> 60 & 7));
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        struct h5_summary said;
        struct look_result seen = { 0 };
        bool is_found = h5_verify(bench->file, &said, &err) < 0;

        if (!is_found
            && (h5_guard(bench->file, look_in_child, bench, &seen, sizeof(seen), &err) < 0
                || seen.sum != right)) {
            fail_msg("byte %lld changed what is read, and was not found", (long long)at);
        }
        n_found += is_found;
        n_harmless += !is_found;
        byte ^= (uint8_t)(1u << (random >> 60 & 7));
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    close(fd);
    print_message("%d flips found, %d in unused bytes\n", n_found, n_harmless);
    assert_true(n_found > n_rounds / 5);
    assert_int_equal(h5_verify(bench->file, &summary, &err), 0);
}

int main(void)
{
#define WITH_BENCH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_every_sample_and_edge_arrives),
        WITH_BENCH(test_gaps_are_zero_listed_and_not_allocated),
        WITH_BENCH(test_a_growing_log_gives_the_same_file_as_a_closed_one),
        WITH_BENCH(test_without_compression_nothing_is_filtered),
        WITH_BENCH(test_a_trace_that_is_off_has_its_extent_and_no_chunk),
        WITH_BENCH(test_rows_stand_for_windows),
        WITH_BENCH(test_a_range_is_no_gap),
        WITH_BENCH(test_an_overview_alone),
        WITH_BENCH(test_the_energy_is_that_of_the_samples_there_are),
        WITH_BENCH(test_logs_that_do_not_hold_together_are_refused),
        WITH_BENCH(test_evidence_is_written_and_read_back),
        WITH_BENCH(test_a_flipped_bit_that_changes_anything_is_found),
    };

    return cmocka_run_group_tests_name("h5_build", tests, NULL, NULL);
}
