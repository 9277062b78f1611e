/* SPDX-License-Identifier: MIT */
/* Between rings and disk: what becomes of chunks, edges, rows and small records, also when the
 * disk stalls, read back from the log. */
#include "sheep/log_worker.h"

#include "tests/support/disk_fault.h"
#include "tests/support/log_bench.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    MEMORY_BYTES = 4 << 20,
    TWO_STREAMS = 3
};

struct fixture {
    struct log_bench bench;
    struct log_worker_options options;
    struct log_worker *worker;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    disk_fault_reset();
    log_bench_init(&f->bench);
    f->options = (struct log_worker_options){ .memory_bytes = MEMORY_BYTES,
                                              .record_mask = TWO_STREAMS,
                                              .has_edges = true,
                                              .event_fd = f->bench.event_fd };
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    disk_fault_reset();
    log_worker_destroy(&f->worker);
    log_bench_fini(&f->bench);
    free(f);
    return 0;
}

static void begin(struct fixture *f)
{
    struct rlog_writer *writer = log_bench_writer(&f->bench);
    struct err err = { 0 };

    f->worker = log_worker_create(&f->options, &writer, &err);
    assert_non_null(f->worker);
    assert_null(writer);
}

static void nap(void)
{
    poll(NULL, 0, 1);
}

static uint32_t smooth(uint64_t sample)
{
    return (uint32_t)(sample / 8);
}

static uint32_t wild(uint64_t sample)
{
    uint64_t z = (sample + 1) * UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    return (uint32_t)(z >> 27);
}

static void put_chunk(struct fixture *f, enum rlog_stream stream, uint64_t first,
                      uint32_t count, uint32_t (*value)(uint64_t sample))
{
    uint32_t *samples = log_worker_chunk(f->worker);

    for (int i = 0; samples == NULL; i++) {
        assert_true(i < 10000);
        nap();
        samples = log_worker_chunk(f->worker);
    }
    for (uint32_t i = 0; i < count; i++) {
        samples[i] = value(first + i);
    }
    log_worker_put_chunk(f->worker, stream, first, count, samples);
}

static void expect_chunk(const struct fixture *f, size_t n, uint64_t first, uint32_t count,
                         unsigned flags, uint32_t (*value)(uint64_t sample))
{
    const struct log_record *record =
        log_bench_find(&f->bench, RLOG_SAMPLES, RLOG_STREAM_NONE, n);
    uint32_t n_wrong = 0;

    assert_non_null(record);
    assert_int_equal(record->header.first, first);
    assert_int_equal(record->header.count, count);
    assert_int_equal(record->header.flags, flags);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t sample = 0;

        memcpy(&sample, record->payload + i * sizeof(sample), sizeof(sample));
        n_wrong += sample != value(first + i);
    }
    assert_int_equal(n_wrong, 0);
}

static size_t count(const struct fixture *f, enum rlog_type type)
{
    return log_bench_count(&f->bench, type, RLOG_STREAM_NONE);
}

static void test_chunks_are_deflated_where_that_pays(void **state)
{
    struct fixture *f = *state;

    f->options.compression = 1;
    begin(f);
    put_chunk(f, RLOG_STREAM_VOLTAGE, 0, RLOG_CHUNK_SAMPLES, smooth);
    put_chunk(f, RLOG_STREAM_CURRENT, 0, RLOG_CHUNK_SAMPLES, wild);
    put_chunk(f, RLOG_STREAM_VOLTAGE, 10000, 1, smooth);
    put_chunk(f, RLOG_STREAM_VOLTAGE, 15000, RLOG_CHUNK_SAMPLES, smooth); /* off the grid */
    log_bench_finish(&f->bench, &f->worker, NULL);
    expect_chunk(f, 0, 0, RLOG_CHUNK_SAMPLES, RLOG_FLAG_DEFLATED | RLOG_FLAG_GRID, smooth);
    expect_chunk(f, 1, 0, RLOG_CHUNK_SAMPLES, RLOG_FLAG_GRID, wild);
    expect_chunk(f, 2, 10000, 1, 0, smooth);
    expect_chunk(f, 3, 15000, RLOG_CHUNK_SAMPLES, RLOG_FLAG_DEFLATED, smooth);
}

static void test_without_compression_samples_stay_raw(void **state)
{
    struct fixture *f = *state;

    begin(f);
    put_chunk(f, RLOG_STREAM_VOLTAGE, 0, RLOG_CHUNK_SAMPLES, smooth);
    log_bench_finish(&f->bench, &f->worker, NULL);
    expect_chunk(f, 0, 0, RLOG_CHUNK_SAMPLES, RLOG_FLAG_GRID, smooth);
    assert_int_equal(f->bench.records[0].header.payload_size, 4 * RLOG_CHUNK_SAMPLES);
}

/* 10000 samples make 156 windows of 64 and one that the end cuts. */
static void test_every_stream_has_an_overview(void **state)
{
    struct fixture *f = *state;
    const struct log_record *record = NULL;
    struct rlog_overview entry;

    begin(f);
    put_chunk(f, RLOG_STREAM_CURRENT, 0, RLOG_CHUNK_SAMPLES, smooth);
    log_bench_finish(&f->bench, &f->worker, NULL);
    assert_int_equal(log_bench_count(&f->bench, RLOG_OVERVIEW, RLOG_STREAM_VOLTAGE), 0);
    record = log_bench_find(&f->bench, RLOG_OVERVIEW, RLOG_STREAM_CURRENT, 0);
    assert_non_null(record);
    assert_int_equal(record->header.count, 157);
    memcpy(&entry, record->payload + sizeof(entry), sizeof(entry)); /* samples 64 .. 127 */
    assert_int_equal(entry.minimum, 8);
    assert_int_equal(entry.maximum, 15);
    assert_in_range(entry.mean, 11, 12);
}

static uint32_t mean_of_4(uint64_t row)
{
    return (uint32_t)(row * 4 + 2); /* of 4r, 4r + 1, 4r + 2, 4r + 3, rounded */
}

static uint32_t same(uint64_t sample)
{
    return (uint32_t)sample;
}

static void test_a_lower_rate_stores_means(void **state)
{
    struct fixture *f = *state;

    f->options.window = 4;
    begin(f);
    put_chunk(f, RLOG_STREAM_VOLTAGE, 0, RLOG_CHUNK_SAMPLES, same);
    put_chunk(f, RLOG_STREAM_VOLTAGE, 10000, RLOG_CHUNK_SAMPLES, same);
    log_bench_finish(&f->bench, &f->worker, NULL);
    assert_int_equal(count(f, RLOG_SAMPLES), 1);
    expect_chunk(f, 0, 0, 5000, 0, mean_of_4);
    assert_true(count(f, RLOG_OVERVIEW) > 0);
}

static void test_a_sync_brings_out_the_rows_that_are_complete(void **state)
{
    struct fixture *f = *state;
    struct log_sink_status status;

    f->options.window = 4;
    begin(f);
    put_chunk(f, RLOG_STREAM_VOLTAGE, 0, 1002, same);
    log_worker_sync(f->worker);
    log_bench_wait(&f->bench);
    log_worker_status(f->worker, &status);
    assert_true(status.durable.total > 1000);
    log_bench_read(&f->bench, false);
    expect_chunk(f, 0, 0, 250, 0, mean_of_4);
    assert_int_equal(count(f, RLOG_SAMPLES), 1);
    log_bench_finish(&f->bench, &f->worker, NULL);
    assert_int_equal(count(f, RLOG_SAMPLES), 2);
    assert_int_equal(log_bench_find(&f->bench, RLOG_SAMPLES, RLOG_STREAM_NONE, 1)->header.first,
                     250);
}

static void test_only_overview_stores_no_sample(void **state)
{
    struct fixture *f = *state;

    f->options.has_only_overview = true;
    f->options.window = 4;
    begin(f);
    put_chunk(f, RLOG_STREAM_VOLTAGE, 0, RLOG_CHUNK_SAMPLES, same);
    log_bench_finish(&f->bench, &f->worker, NULL);
    assert_int_equal(count(f, RLOG_SAMPLES), 0);
    assert_true(count(f, RLOG_OVERVIEW) > 0);
}

static void test_small_records_come_as_they_are_and_large_ones_not_at_all(void **state)
{
    struct fixture *f = *state;
    uint8_t payload[LOG_WORKER_INLINE + 1];
    struct rlog_record_header header = { .type = RLOG_TEXT,
                                         .stream = RLOG_STREAM_UART,
                                         .first = 9 };
    const struct log_record *record = NULL;

    for (size_t i = 0; i < sizeof(payload); i++) {
        payload[i] = (uint8_t)(i * 3);
    }
    begin(f);
    assert_true(log_worker_put(f->worker, &header, payload, LOG_WORKER_INLINE));
    assert_false(log_worker_put(f->worker, &header, payload, LOG_WORKER_INLINE + 1));
    assert_true(log_worker_put(f->worker, &header, NULL, 0));
    assert_true(log_worker_put_row(f->worker, &header, payload, 5));
    assert_false(log_worker_put_row(f->worker, &header, payload, LOG_WORKER_INLINE + 1));
    log_bench_finish(&f->bench, &f->worker, NULL);
    assert_int_equal(count(f, RLOG_TEXT), 3);
    record = log_bench_find(&f->bench, RLOG_TEXT, RLOG_STREAM_UART, 0);
    assert_int_equal(record->size, LOG_WORKER_INLINE);
    assert_memory_equal(record->payload, payload, LOG_WORKER_INLINE);
    assert_int_equal(log_bench_find(&f->bench, RLOG_TEXT, RLOG_STREAM_UART, 1)->size, 0);
    assert_int_equal(log_bench_find(&f->bench, RLOG_TEXT, RLOG_STREAM_UART, 2)->size, 5);
}

static void put_edges(struct fixture *f, uint32_t n, uint64_t first_sample)
{
    struct gpio_edge *edges = log_worker_edges(f->worker);

    assert_non_null(edges);
    for (uint32_t i = 0; i < n; i++) {
        edges[i].time_ns = (int64_t)(first_sample * 10000 + i * UINT64_C(40));
        edges[i].value = (uint16_t)(i & 1);
    }
    log_worker_put_edges(f->worker, edges, n, first_sample, 1000);
}

static void test_edges_come_back_as_they_were(void **state)
{
    static struct gpio_edge edges[LOG_WORKER_EDGES];
    struct fixture *f = *state;
    const struct log_record *record = NULL;
    struct err err = { 0 };

    begin(f);
    put_edges(f, LOG_WORKER_EDGES, 5000);
    log_bench_finish(&f->bench, &f->worker, NULL);
    record = log_bench_find(&f->bench, RLOG_EDGES, RLOG_STREAM_GPIO, 0);
    assert_non_null(record);
    assert_int_equal(record->header.count, LOG_WORKER_EDGES);
    assert_int_equal(
        gpio_codec_decode(record->payload, record->size, edges, LOG_WORKER_EDGES, &err), 0);
    assert_int_equal(edges[0].time_ns, 50000000);
    assert_int_equal(edges[8191].time_ns, 50000000 + 8191 * 40);
    assert_int_equal(edges[8191].value, 1);
}

static void test_buffers_are_made_only_for_what_is_recorded(void **state)
{
    struct fixture *f = *state;

    f->options.record_mask = 0;
    f->options.has_edges = false;
    begin(f);
    assert_true(log_worker_has_room(f->worker));
    assert_null(log_worker_chunk(f->worker));
    assert_null(log_worker_edges(f->worker));
}

static void test_there_is_no_room_without_chunks_for_another_block(void **state)
{
    struct fixture *f = *state;
    uint32_t *held[16];

    begin(f);
    for (size_t i = 0; i < 16; i++) {
        assert_int_equal(log_worker_has_room(f->worker), i <= 12); /* two for each stream */
        held[i] = log_worker_chunk(f->worker);
        assert_non_null(held[i]);
    }
    assert_null(log_worker_chunk(f->worker));
    for (size_t i = 0; i < 4; i++) {
        log_worker_put_chunk(f->worker, RLOG_STREAM_VOLTAGE, i * 10, 10, held[i]);
    }
    for (int i = 0; !log_worker_has_room(f->worker); i++) {
        assert_true(i < 10000);
        nap();
    }
}

/* Holds the disk and fills the memory before it up to `percent`. */
static void stall(struct fixture *f, unsigned percent)
{
    struct log_sink_status status = { 0 };
    uint64_t first = 0;

    disk_fault_hold_sync();
    log_worker_sync(f->worker);
    assert_true(disk_fault_await_held());
    while (status.fill_percent < percent) {
        assert_true(first < UINT64_C(200) * RLOG_CHUNK_SAMPLES);
        put_chunk(f, RLOG_STREAM_VOLTAGE, first, RLOG_CHUNK_SAMPLES, wild);
        first += RLOG_CHUNK_SAMPLES;
        if (status.fill_percent > percent - 30) {
            poll(NULL, 0, 2); /* a chunk is 1 %: not more than wanted may be under way */
        }
        log_worker_status(f->worker, &status);
    }
    poll(NULL, 0, 20);
}

/* A disk that works again must not spoil what was decided before. */
static void resume(void)
{
    poll(NULL, 0, 50); /* until the worker has done what it can */
    disk_fault_release_sync();
}

static void test_a_stalled_disk_costs_rows_first(void **state)
{
    struct fixture *f = *state;
    struct rlog_record_header row = { .type = RLOG_ROW, .stream = RLOG_STREAM_PTP };
    struct rlog_record_header text = { .type = RLOG_TEXT, .stream = RLOG_STREAM_UART };
    struct rlog_end end = { .n_edges = 10 };

    begin(f);
    stall(f, 81);
    assert_true(log_worker_put_row(f->worker, &row, "12345678", 8));
    assert_true(log_worker_put(f->worker, &text, "x", 1));
    put_edges(f, 10, 0);
    resume();
    log_bench_finish(&f->bench, &f->worker, &end);
    assert_int_equal(count(f, RLOG_ROW), 0);
    assert_int_equal(log_bench_count(&f->bench, RLOG_TEXT, RLOG_STREAM_UART), 1);
    assert_int_equal(count(f, RLOG_EDGES), 1);
    assert_int_equal(count(f, RLOG_GAP), 0);
}

static void test_a_stalled_disk_costs_edges_next_and_says_so(void **state)
{
    struct fixture *f = *state;
    struct rlog_end end = { .n_edges = 30, .n_samples = 1 };
    struct rlog_end written;
    const struct log_record *record = NULL;
    struct rlog_gap gap;

    begin(f);
    put_edges(f, 20, 0);
    stall(f, 91);
    put_edges(f, 10, 7000);
    resume();
    log_bench_finish(&f->bench, &f->worker, &end);
    assert_int_equal(count(f, RLOG_EDGES), 1);
    gap = log_bench_gap(&f->bench, 0);
    assert_int_equal(gap.first_sample, 7000);
    assert_int_equal(gap.n_samples, 1000);
    assert_int_equal(gap.cause, RLOG_GAP_QUEUE);
    assert_int_equal(gap.stream, RLOG_STREAM_GPIO);
    record = log_bench_find(&f->bench, RLOG_END, RLOG_STREAM_NONE, 0);
    memcpy(&written, record->payload, sizeof(written));
    assert_int_equal(written.n_edges, 20);
    assert_int_equal(written.n_samples, 1);
}

/* What the recorder sees then: no room, so that the PRU's ring takes its turn. */
static bool is_without_room(const struct fixture *f)
{
    for (int ms = 0; ms < 100; ms++) {
        if (log_worker_has_room(f->worker)) {
            return false;
        }
        nap();
    }
    return true;
}

static void test_samples_wait_for_the_disk(void **state)
{
    enum {
        COUNT = 150 /* 6 MB into 4 MiB */
    };
    struct fixture *f = *state;
    bool has_been_full = false;

    begin(f);
    disk_fault_hold_sync();
    log_worker_sync(f->worker);
    assert_true(disk_fault_await_held());
    for (uint64_t i = 0; i < COUNT; i++) {
        if (!has_been_full && is_without_room(f)) {
            has_been_full = true;
            assert_in_range(i, 100, 125); /* the memory, and the worker's own buffers */
            disk_fault_release_sync();
        }
        put_chunk(f, RLOG_STREAM_VOLTAGE, i * RLOG_CHUNK_SAMPLES, RLOG_CHUNK_SAMPLES, wild);
    }
    assert_true(has_been_full);
    log_bench_finish(&f->bench, &f->worker, NULL);
    assert_int_equal(count(f, RLOG_SAMPLES), COUNT);
    assert_int_equal(count(f, RLOG_GAP), 0);
    expect_chunk(f, COUNT - 1, UINT64_C(149) * RLOG_CHUNK_SAMPLES, RLOG_CHUNK_SAMPLES,
                 RLOG_FLAG_GRID, wild);
}

/* The worker waits for the disk, its jobs run out: rows are refused, what else is small is not.
 */
static void test_rows_that_are_refused_are_counted_and_a_gap(void **state)
{
    struct fixture *f = *state;
    struct rlog_record_header row = { .type = RLOG_ROW, .stream = RLOG_STREAM_PTP, .first = 9 };
    struct rlog_record_header text = { .type = RLOG_TEXT, .stream = RLOG_STREAM_UART };
    struct rlog_record_header late = { .type = RLOG_ROW, .stream = RLOG_STREAM_SYS_UTIL };
    const struct log_record *remark = NULL;
    unsigned n_refused = 0;
    unsigned n_gaps = 0;
    char wanted[96];

    begin(f);
    disk_fault_hold_sync();
    log_worker_sync(f->worker);
    assert_true(disk_fault_await_held());
    for (uint64_t i = 0; !is_without_room(f); i++) {
        put_chunk(f, RLOG_STREAM_VOLTAGE, i * RLOG_CHUNK_SAMPLES, RLOG_CHUNK_SAMPLES, wild);
    }
    for (unsigned i = 0; i < 1000; i++) {
        n_refused += !log_worker_put_row(f->worker, &row, "12345678", 8);
    }
    assert_in_range(n_refused, 500, 900);
    for (uint64_t i = 0; i < 3; i++) { /* none of these gets as far as the worker */
        late.first = 500000 + i * 20000;
        assert_false(log_worker_put_row(f->worker, &late, "12345678", 8));
    }
    assert_true(log_worker_put(f->worker, &text, "x", 1));
    disk_fault_release_sync();
    log_bench_finish(&f->bench, &f->worker, NULL);
    assert_int_equal(log_bench_count(&f->bench, RLOG_TEXT, RLOG_STREAM_UART), 1);
    remark = log_bench_find(&f->bench, RLOG_REMARK, RLOG_STREAM_NONE, 0);
    assert_non_null(remark);
    assert_int_equal(remark->header.first, 9);
    snprintf(wanted, sizeof(wanted), "storage or processor was slow: %zu records of monitors ",
             1003 - count(f, RLOG_ROW));
    assert_true(1000 - count(f, RLOG_ROW) >= n_refused);
    assert_memory_equal(remark->payload, wanted, strlen(wanted));
    for (size_t i = 0; i < count(f, RLOG_GAP); i++) {
        struct rlog_gap gap = log_bench_gap(&f->bench, i);

        if (gap.stream == RLOG_STREAM_SYS_UTIL) {
            n_gaps++;
            assert_int_equal(gap.cause, RLOG_GAP_QUEUE);
            assert_int_equal(gap.first_sample, 50);
            assert_int_equal(gap.n_samples, 5);
        }
    }
    assert_int_equal(n_gaps, 1);
}

static void test_the_end_counts_all_records(void **state)
{
    struct fixture *f = *state;
    struct rlog_record_header header = { .type = RLOG_TEXT, .stream = RLOG_STREAM_UART };
    struct rlog_end end = { .reason = RLOG_END_STOPPED, .n_samples = 20 };
    struct rlog_end known;
    struct log_sink_status status = { 0 };

    begin(f);
    log_worker_put(f->worker, &header, "a", 1);
    put_chunk(f, RLOG_STREAM_VOLTAGE, 0, 20, smooth);
    put_edges(f, 3, 0);
    log_worker_finish(f->worker, &end);
    while (!status.is_finished) {
        log_bench_wait(&f->bench);
        log_worker_status(f->worker, &status);
    }
    log_worker_end(f->worker, &known);
    log_bench_read(&f->bench, true);
    assert_int_equal(known.n_records, f->bench.n_records);
    assert_int_equal(known.reason, RLOG_END_STOPPED);
    assert_int_equal(known.n_samples, 20);
    assert_memory_equal(f->bench.records[f->bench.n_records - 1].payload, &known,
                        offsetof(struct rlog_end, digest)); /* which is the writer's */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_chunks_are_deflated_where_that_pays),
        TEST(test_without_compression_samples_stay_raw),
        TEST(test_every_stream_has_an_overview),
        TEST(test_a_lower_rate_stores_means),
        TEST(test_a_sync_brings_out_the_rows_that_are_complete),
        TEST(test_only_overview_stores_no_sample),
        TEST(test_small_records_come_as_they_are_and_large_ones_not_at_all),
        TEST(test_edges_come_back_as_they_were),
        TEST(test_buffers_are_made_only_for_what_is_recorded),
        TEST(test_there_is_no_room_without_chunks_for_another_block),
        TEST(test_a_stalled_disk_costs_rows_first),
        TEST(test_a_stalled_disk_costs_edges_next_and_says_so),
        TEST(test_samples_wait_for_the_disk),
        TEST(test_rows_that_are_refused_are_counted_and_a_gap),
        TEST(test_the_end_counts_all_records),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
