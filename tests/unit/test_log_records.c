/* SPDX-License-Identifier: MIT */
/* Records made of samples, edges and rows, without a thread between: what memory that runs full
 * costs, to the percent, and what the end then says. Their content is read in
 * test_log_worker.c. */
#include "sheep/log_records.h"

#include "sheep/log_worker.h"
#include "tests/support/disk_fault.h"
#include "tests/support/log_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    MEMORY_BYTES = 4 << 20,
    ROW_NS = 123456789,
    FILL_BYTES = 20000 /* less than half a percent of it */
};

struct fixture {
    struct log_bench bench;
    struct log_worker_options options;
    struct log_sink *sink;
    struct log_records *records;
    struct err err;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    disk_fault_reset();
    log_bench_init(&f->bench);
    f->options.record_mask = 1u << PRU_ARRAY_VOLTAGE;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    disk_fault_reset();
    log_records_destroy(&f->records);
    assert_null(f->records);
    log_sink_destroy(&f->sink);
    log_bench_fini(&f->bench);
    free(f);
    return 0;
}

static void begin(struct fixture *f)
{
    struct rlog_writer *writer = log_bench_writer(&f->bench);

    f->sink = log_sink_create(&writer, MEMORY_BYTES, f->bench.event_fd, &f->err);
    assert_non_null(f->sink);
    f->records = log_records_create(&f->options, f->sink, &f->err);
    assert_non_null(f->records);
}

static struct rlog_end finish(struct fixture *f, uint64_t n_edges)
{
    struct rlog_end end = { .n_edges = n_edges };
    struct log_sink_status status = { 0 };

    log_records_finish(f->records, &end);
    log_sink_finish(f->sink, &end);
    while (!status.is_finished) {
        log_bench_wait(&f->bench);
        log_sink_status(f->sink, &status);
    }
    assert_false(status.is_failed);
    log_bench_read(&f->bench, true);
    assert_int_equal(end.n_records, f->bench.n_records);
    return end;
}

/* Holds the disk, and fills the memory before it until this percentage is just reached. */
static void fill(struct fixture *f, unsigned percent)
{
    static const uint8_t NOTHING[FILL_BYTES];
    struct rlog_record_header header = { .type = RLOG_TEXT, .stream = RLOG_STREAM_KERNEL };

    if (log_sink_fill_percent(f->sink) == 0) {
        disk_fault_hold_sync();
        log_sink_sync(f->sink);
        assert_true(disk_fault_await_held());
    }
    while (log_sink_fill_percent(f->sink) < percent) {
        log_records_put(f->records, &header, NOTHING, sizeof(NOTHING));
    }
    assert_int_equal(log_sink_fill_percent(f->sink), percent);
}

static void put_row_at(struct fixture *f, uint64_t utc_ns)
{
    struct rlog_record_header header = { .type = RLOG_ROW,
                                         .stream = RLOG_STREAM_PTP,
                                         .first = utc_ns };

    log_records_row(f->records, &header, "12345678", 8);
}

static void put_row(struct fixture *f)
{
    put_row_at(f, ROW_NS);
}

static void put_edges(struct fixture *f, uint64_t first_sample)
{
    struct gpio_edge list[2] = {
        {.time_ns = 5,  .value = 1},
        { .time_ns = 9, .value = 0}
    };
    struct log_edges edges = { list, 2, first_sample, 1000 };

    log_records_edges(f->records, &edges);
}

static void test_rows_are_dropped_from_80_percent_on_and_counted(void **state)
{
    static const char TEXT[] =
        "storage or processor was slow: 2 records of monitors found no room and are missing";
    struct fixture *f = *state;
    const struct log_record *remark = NULL;
    struct rlog_record_header start = { .type = RLOG_START, .count = 1 };
    struct rlog_start began = { .T_ns = (int64_t)ROW_NS - 5 * INT64_C(10000) };
    struct rlog_gap gap;

    begin(f);
    log_records_put(f->records, &start, &began, sizeof(began));
    fill(f, 79);
    put_row(f);
    fill(f, 80);
    put_row(f);
    put_row_at(f, ROW_NS + 20000);
    put_edges(f, 0);
    disk_fault_release_sync();
    assert_int_equal(finish(f, 2).n_edges, 2);
    remark = log_bench_find(&f->bench, RLOG_REMARK, RLOG_STREAM_NONE, 0);
    assert_non_null(remark);
    assert_int_equal(remark->header.first, ROW_NS);
    assert_int_equal(remark->size, sizeof(TEXT) - 1);
    assert_memory_equal(remark->payload, TEXT, sizeof(TEXT) - 1);
    assert_int_equal(log_bench_count(&f->bench, RLOG_ROW, RLOG_STREAM_PTP), 1);
    assert_int_equal(log_bench_count(&f->bench, RLOG_EDGES, RLOG_STREAM_GPIO), 1);
    assert_int_equal(log_bench_count(&f->bench, RLOG_GAP, RLOG_STREAM_NONE), 1);
    gap = log_bench_gap(&f->bench, 0);
    assert_int_equal(gap.stream, RLOG_STREAM_PTP);
    assert_int_equal(gap.cause, RLOG_GAP_QUEUE);
    assert_int_equal(gap.first_sample, 5);
    assert_int_equal(gap.n_samples, 3);
}

static void test_edges_are_dropped_from_90_percent_on(void **state)
{
    struct fixture *f = *state;
    struct rlog_gap gap;

    begin(f);
    fill(f, 89);
    put_edges(f, 1000);
    fill(f, 90);
    put_edges(f, 2000);
    put_edges(f, 3000);
    disk_fault_release_sync();
    assert_int_equal(finish(f, 6).n_edges, 2);
    assert_int_equal(log_bench_count(&f->bench, RLOG_EDGES, RLOG_STREAM_GPIO), 1);
    assert_int_equal(log_bench_count(&f->bench, RLOG_GAP, RLOG_STREAM_NONE), 2);
    gap = log_bench_gap(&f->bench, 0);
    assert_int_equal(gap.first_sample, 2000);
    assert_int_equal(gap.n_samples, 1000);
    assert_int_equal(gap.cause, RLOG_GAP_QUEUE);
    assert_int_equal(gap.stream, RLOG_STREAM_GPIO);
    assert_int_equal(log_bench_gap(&f->bench, 1).first_sample, 3000);
}

/* A board that waits for room needs nothing dropped. */
static void test_a_patient_one_drops_nothing(void **state)
{
    struct fixture *f = *state;

    f->options.is_patient = true;
    begin(f);
    fill(f, 95);
    put_row(f);
    put_edges(f, 1000);
    disk_fault_release_sync();
    assert_int_equal(finish(f, 2).n_edges, 2);
    assert_int_equal(log_bench_count(&f->bench, RLOG_ROW, RLOG_STREAM_PTP), 1);
    assert_int_equal(log_bench_count(&f->bench, RLOG_EDGES, RLOG_STREAM_GPIO), 1);
    assert_int_equal(log_bench_count(&f->bench, RLOG_GAP, RLOG_STREAM_NONE), 0);
    assert_int_equal(log_bench_count(&f->bench, RLOG_REMARK, RLOG_STREAM_NONE), 0);
}

static void put_chunk(struct fixture *f, uint64_t first, uint32_t count)
{
    static uint32_t samples[RLOG_CHUNK_SAMPLES];
    struct rlog_record_header header = {
        .type = RLOG_SAMPLES, .stream = RLOG_STREAM_VOLTAGE, .count = count, .first = first
    };

    for (uint32_t i = 0; i < count; i++) {
        samples[i] = (uint32_t)(first + i);
    }
    log_records_chunk(f->records, &header, samples);
}

static void test_flush_brings_out_whole_rows_and_finish_the_rest(void **state)
{
    struct fixture *f = *state;
    const struct log_record *record = NULL;
    uint32_t row = 0;

    f->options.window = 100;
    begin(f);
    put_chunk(f, 0, 250);
    log_records_flush(f->records);
    log_records_flush(f->records); /* nothing comes twice */
    put_chunk(f, 250, 100);
    finish(f, 0);
    assert_int_equal(log_bench_count(&f->bench, RLOG_SAMPLES, RLOG_STREAM_VOLTAGE), 2);
    record = log_bench_find(&f->bench, RLOG_SAMPLES, RLOG_STREAM_VOLTAGE, 0);
    assert_int_equal(record->header.first, 0);
    assert_int_equal(record->header.count, 2);
    record = log_bench_find(&f->bench, RLOG_SAMPLES, RLOG_STREAM_VOLTAGE, 1);
    assert_int_equal(record->header.first, 2);
    assert_int_equal(record->header.count, 2); /* 200 .. 299 and the 50 that the end cuts */
    memcpy(&row, record->payload + sizeof(row), sizeof(row));
    assert_int_equal(row, 325); /* mean of 300 .. 349, rounded */
}

static void test_a_stream_that_is_not_recorded_has_no_overview(void **state)
{
    struct fixture *f = *state;

    f->options.record_mask = 0;
    begin(f);
    put_chunk(f, 0, 1000);
    finish(f, 0);
    assert_int_equal(log_bench_count(&f->bench, RLOG_SAMPLES, RLOG_STREAM_NONE), 1);
    assert_int_equal(log_bench_count(&f->bench, RLOG_OVERVIEW, RLOG_STREAM_NONE), 0);
}

static void test_a_level_that_zlib_does_not_know_is_refused(void **state)
{
    struct fixture *f = *state;
    struct log_records *records = NULL;

    begin(f);
    f->options.compression = 17;
    records = log_records_create(&f->options, f->sink, &f->err);
    assert_null(records);
    assert_int_not_equal(f->err.code, ERR_NONE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_rows_are_dropped_from_80_percent_on_and_counted),
        TEST(test_edges_are_dropped_from_90_percent_on),
        TEST(test_a_patient_one_drops_nothing),
        TEST(test_flush_brings_out_whole_rows_and_finish_the_rest),
        TEST(test_a_stream_that_is_not_recorded_has_no_overview),
        TEST(test_a_level_that_zlib_does_not_know_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
