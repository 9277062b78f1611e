/* SPDX-License-Identifier: MIT */
/* What is stored of the samples: means of windows, a part, an overview alone. */
#include "tests/support/recording_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* The mean of the window that row `row` of an array stands for, half up; without the samples
 * [skip, skip_end). */
static uint32_t mean_of(unsigned array, uint64_t first, uint64_t end, uint64_t skip,
                        uint64_t skip_end)
{
    uint64_t sum = 0;
    uint64_t count = 0;

    for (uint64_t n = first; n < end; n++) {
        if (n < skip || n >= skip_end) {
            sum += board_fake_sample(array, n);
            count++;
        }
    }
    return count == 0 ? 0 : (uint32_t)((2 * sum + count) / (2 * count));
}

/* Every row that the log holds against the mean; returns how many there are of a stream. */
static uint64_t check_rows(const struct bench *bench, unsigned array, uint32_t window,
                           uint64_t n_samples, uint64_t skip, uint64_t skip_end)
{
    static uint32_t rows[RLOG_CHUNK_SAMPLES];
    struct rlog_record record;
    struct err err = { 0 };
    struct rlog_reader *reader = rlog_reader_open(bench->request.log_folder, &err);
    uint64_t n_rows = 0;

    assert_non_null(reader);
    while (rlog_reader_next(reader, &record, &err) == RLOG_NEXT_RECORD) {
        if (record.header.type != RLOG_SAMPLES
            || record.header.stream != RLOG_STREAM_VOLTAGE + array) {
            continue;
        }
        assert_int_equal(rlog_record_samples(&record, rows, &err), 0);
        for (uint32_t i = 0; i < record.header.count; i++) {
            uint64_t first = (record.header.first + i) * window;
            uint64_t end = first + window < n_samples ? first + window : n_samples;

            assert_int_equal(rows[i], mean_of(array, first, end, skip, skip_end));
            n_rows++;
        }
    }
    rlog_reader_close(&reader);
    return n_rows;
}

static void check_rate(struct bench *bench, enum record_rate rate)
{
    struct rlog_manifest *manifest = &bench->request.manifest;
    uint32_t window = RECORD_100_KHZ / (uint32_t)rate;
    uint64_t n_samples = 1234567;

    manifest->config.record.samplerate = rate;
    manifest->n_planned = n_samples;
    bench_prepare(bench);
    bench_start(bench);
    bench_run(bench);
    assert_string_equal(bench->page.fault, "");
    assert_int_equal(bench->page.end.n_samples, n_samples); /* samples, not rows */
    for (unsigned array = 0; array < 2; array++) {
        assert_int_equal(check_rows(bench, array, window, n_samples, 0, 0),
                         (n_samples + window - 1) / window);
    }
    bench_verify_log(bench, n_samples);
}

static void test_rows_at_1_kHz_are_means(void **state)
{
    check_rate(*state, RECORD_1_KHZ);
}

static void test_rows_at_100_Hz_are_means(void **state)
{
    check_rate(*state, RECORD_100_HZ);
}

static void test_rows_at_10_Hz_are_means(void **state)
{
    check_rate(*state, RECORD_10_HZ);
}

static void test_rows_around_lost_blocks_are_means_of_the_rest(void **state)
{
    struct bench *bench = *state;
    struct content content;

    bench->request.manifest.config.record.samplerate = RECORD_10_HZ;
    bench->plan.lose_at =
        13; /* 13 000 to 42 000: row 1 lacks its end, 2 and 3 all, 4 a fifth */
    bench->plan.lose_blocks = 29;
    bench_prepare(bench);
    bench_start(bench);
    bench_run(bench);
    assert_int_equal(check_rows(bench, 0, 10000, 200000, 13000, 42000), 18);
    assert_int_equal(check_rows(bench, 1, 10000, 200000, 13000, 42000), 18);
    memset(&content, 0, sizeof(content));
    bench_read_log(bench, &content);
    assert_int_equal(content.n_gaps, 1);
    assert_int_equal(content.gaps[0].first_sample, 13000);
    assert_int_equal(content.gaps[0].n_samples, 29000);
    assert_int_equal(content.end.n_gap_samples, 29000);
}

static void test_a_delayed_and_limited_trace_has_just_its_samples(void **state)
{
    struct bench *bench = *state;
    struct content content;

    bench->request.manifest.config.record.delay_ns = INT64_C(12345) * 10000;
    bench->request.manifest.config.record.duration_ns = INT64_C(100001) * 10000;
    bench_prepare(bench);
    bench_start(bench);
    bench_run(bench);
    bench_read_log(bench, &content);
    assert_int_equal(content.n_samples[RLOG_STREAM_VOLTAGE], 100001);
    assert_int_equal(content.n_samples[RLOG_STREAM_CURRENT], 100001);
    assert_int_equal(content.n_wrong, 0);
    assert_int_equal(content.n_gaps, 0);
    assert_int_equal(content.end.n_samples, 200000);
    assert_int_equal(content.end.n_gap_samples, 0);
    bench_verify_log(bench, 200000);
}

static void test_an_overview_alone_holds_no_sample(void **state)
{
    struct bench *bench = *state;
    struct content content;

    bench->request.manifest.config.record.overview_only = true;
    bench->request.manifest.n_planned = 123457;
    bench_prepare(bench);
    bench_start(bench);
    bench_run(bench);
    bench_read_log(bench, &content);
    assert_int_equal(content.n_samples[RLOG_STREAM_VOLTAGE], 0);
    assert_int_equal(content.n_samples[RLOG_STREAM_CURRENT], 0);
    assert_int_equal(content.n_overview[RLOG_STREAM_VOLTAGE], 123457 / 64 + 1);
    assert_int_equal(content.n_overview[RLOG_STREAM_CURRENT], 123457 / 64 + 1);
    assert_int_equal(content.end.n_samples, 123457);
    bench_verify_log(bench, 123457);
}

#define RECORDING_TEST(name) \
    cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RECORDING_TEST(test_rows_at_1_kHz_are_means),
        RECORDING_TEST(test_rows_at_100_Hz_are_means),
        RECORDING_TEST(test_rows_at_10_Hz_are_means),
        RECORDING_TEST(test_rows_around_lost_blocks_are_means_of_the_rest),
        RECORDING_TEST(test_a_delayed_and_limited_trace_has_just_its_samples),
        RECORDING_TEST(test_an_overview_alone_holds_no_sample),
    };

    return cmocka_run_group_tests_name("recording_rates", tests, NULL, NULL);
}
