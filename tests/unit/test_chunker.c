/* SPDX-License-Identifier: MIT */
/* Blocks in, chunks and gaps out: to the sample, read back from a log. */
#include "sheep/chunker.h"

#include "tests/support/board_memory.h"
#include "tests/support/log_bench.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    ALL_ARRAYS = 15,
    VOLTAGE_AND_CURRENT = 3
};

struct fixture {
    struct log_bench bench;
    struct log_worker *worker;
    struct chunker chunker;
    struct pru_block block;
};

static void begin(struct fixture *f, uint32_t record_mask)
{
    struct log_worker_options options = { .memory_bytes = 1u << 20,
                                          .record_mask = record_mask,
                                          .event_fd = f->bench.event_fd };
    struct rlog_writer *writer = log_bench_writer(&f->bench);
    struct err err = { 0 };

    f->worker = log_worker_create(&options, &writer, &err);
    assert_non_null(f->worker);
    chunker_init(&f->chunker, f->worker, record_mask);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    log_bench_init(&f->bench);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    log_worker_destroy(&f->worker);
    log_bench_fini(&f->bench);
    free(f);
    return 0;
}

static bool put(struct fixture *f, uint64_t first, uint32_t count)
{
    for (int i = 0; !log_worker_has_room(f->worker); i++) {
        assert_true(i < 10000);
        poll(NULL, 0, 1);
    }
    board_memory_fill(&f->block, first, first * PRU_SAMPLE_TICKS, count);
    return chunker_block(&f->chunker, &f->block, RLOG_GAP_RING);
}

/* Blocks of 1000, [first, end). */
static void put_all(struct fixture *f, uint64_t first, uint64_t end)
{
    for (; first < end; first += PRU_BLOCK_SAMPLES) {
        put(f, first, PRU_BLOCK_SAMPLES);
    }
}

static void finish(struct fixture *f)
{
    chunker_flush(&f->chunker);
    log_bench_finish(&f->bench, &f->worker, NULL);
}

/* The n-th chunk of a stream holds [first, first + count), every sample in its place. */
static void expect_chunk(const struct fixture *f, unsigned array, size_t n, uint64_t first,
                         uint32_t count)
{
    const struct log_record *record = log_bench_find(
        &f->bench, RLOG_SAMPLES, (enum rlog_stream)(RLOG_STREAM_VOLTAGE + array), n);
    uint32_t n_wrong = 0;

    assert_non_null(record);
    assert_int_equal(record->header.first, first);
    assert_int_equal(record->header.count, count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t sample = 0;

        memcpy(&sample, record->payload + i * sizeof(sample), sizeof(sample));
        n_wrong += sample != board_memory_sample(array, first + i);
    }
    assert_int_equal(n_wrong, 0);
}

static size_t count_chunks(const struct fixture *f)
{
    return log_bench_count(&f->bench, RLOG_SAMPLES, RLOG_STREAM_NONE);
}

static void test_chunks_lie_on_the_grid_for_every_stream(void **state)
{
    struct fixture *f = *state;

    begin(f, ALL_ARRAYS);
    for (uint64_t first = 0; first < 25000; first += PRU_BLOCK_SAMPLES) {
        assert_int_equal(put(f, first, PRU_BLOCK_SAMPLES), first == 9000 || first == 19000);
    }
    finish(f);
    for (unsigned array = 0; array < PRU_BLOCK_ARRAYS; array++) {
        expect_chunk(f, array, 0, 0, 10000);
        expect_chunk(f, array, 1, 10000, 10000);
        expect_chunk(f, array, 2, 20000, 5000);
    }
    assert_int_equal(count_chunks(f), 12);
    assert_int_equal(log_bench_count(&f->bench, RLOG_GAP, RLOG_STREAM_NONE), 0);
    assert_int_equal(f->chunker.n_gap_samples, 0);
}

static void test_only_what_is_recorded_is_kept(void **state)
{
    struct fixture *f = *state;

    begin(f, 1u << PRU_ARRAY_CURRENT | 1u << PRU_ARRAY_STORAGE_CURRENT);
    put_all(f, 0, 10000);
    finish(f);
    expect_chunk(f, PRU_ARRAY_CURRENT, 0, 0, 10000);
    expect_chunk(f, PRU_ARRAY_STORAGE_CURRENT, 0, 0, 10000);
    assert_int_equal(count_chunks(f), 2);
}

static void test_missing_blocks_become_a_gap_and_cut_the_chunk(void **state)
{
    struct fixture *f = *state;
    struct rlog_gap gap;

    begin(f, VOLTAGE_AND_CURRENT);
    put_all(f, 0, 3000);
    put_all(f, 7000, 12000);
    finish(f);
    for (unsigned array = 0; array < 2; array++) {
        expect_chunk(f, array, 0, 0, 3000);
        expect_chunk(f, array, 1, 7000, 3000);
        expect_chunk(f, array, 2, 10000, 2000);
    }
    gap = log_bench_gap(&f->bench, 0);
    assert_int_equal(gap.first_sample, 3000);
    assert_int_equal(gap.n_samples, 4000);
    assert_int_equal(gap.cause, RLOG_GAP_RING);
    assert_int_equal(gap.stream, 0);
    assert_int_equal(f->chunker.n_gap_samples, 4000);
    assert_int_equal(log_bench_count(&f->bench, RLOG_GAP, RLOG_STREAM_NONE), 1);
}

static void test_what_never_came_at_the_end_is_a_gap_once(void **state)
{
    struct fixture *f = *state;

    begin(f, VOLTAGE_AND_CURRENT);
    put_all(f, 0, 1000);
    chunker_gap(&f->chunker, 1000, RLOG_GAP_IO); /* nothing is missing */
    chunker_gap(&f->chunker, 1500, RLOG_GAP_IO);
    chunker_gap(&f->chunker, 1500, RLOG_GAP_IO);
    chunker_gap(&f->chunker, 200, RLOG_GAP_IO);
    finish(f);
    assert_int_equal(log_bench_count(&f->bench, RLOG_GAP, RLOG_STREAM_NONE), 1);
    assert_int_equal(log_bench_gap(&f->bench, 0).first_sample, 1000);
    assert_int_equal(log_bench_gap(&f->bench, 0).n_samples, 500);
    assert_int_equal(log_bench_gap(&f->bench, 0).cause, RLOG_GAP_IO);
    assert_int_equal(f->chunker.n_gap_samples, 500);
    assert_int_equal(f->chunker.next_sample, 1500);
}

static void test_underruns_are_noted_and_their_samples_kept(void **state)
{
    struct fixture *f = *state;
    struct rlog_gap gap;

    begin(f, VOLTAGE_AND_CURRENT);
    put(f, 0, PRU_BLOCK_SAMPLES);
    board_memory_fill(&f->block, 1000, 2000000, PRU_BLOCK_SAMPLES);
    f->block.underruns = 30;
    f->block.first_underrun = 970;
    chunker_block(&f->chunker, &f->block, RLOG_GAP_RING);
    finish(f);
    expect_chunk(f, PRU_ARRAY_VOLTAGE, 0, 0, 2000);
    gap = log_bench_gap(&f->bench, 0);
    assert_int_equal(gap.first_sample, 1970);
    assert_int_equal(gap.n_samples, 30);
    assert_int_equal(gap.cause, RLOG_GAP_UNDERRUN);
    assert_int_equal(f->chunker.n_underruns, 30);
    assert_int_equal(f->chunker.n_gap_samples, 0);
}

static void test_only_the_range_is_recorded(void **state)
{
    struct fixture *f = *state;

    begin(f, VOLTAGE_AND_CURRENT);
    chunker_set_range(&f->chunker, 2500, 11001);
    put_all(f, 0, 15000);
    finish(f);
    for (unsigned array = 0; array < 2; array++) {
        expect_chunk(f, array, 0, 2500, 7500);
        expect_chunk(f, array, 1, 10000, 1001);
    }
    assert_int_equal(count_chunks(f), 4);
    assert_int_equal(f->chunker.next_sample, 15000);
}

static void test_a_loss_outside_of_the_range_is_told_all_the_same(void **state)
{
    struct fixture *f = *state;

    begin(f, VOLTAGE_AND_CURRENT);
    chunker_set_range(&f->chunker, 5000, 6000);
    put_all(f, 0, 1000);
    put_all(f, 3000, 8000);
    finish(f);
    expect_chunk(f, PRU_ARRAY_VOLTAGE, 0, 5000, 1000);
    assert_int_equal(log_bench_gap(&f->bench, 0).first_sample, 1000);
    assert_int_equal(log_bench_gap(&f->bench, 0).n_samples, 2000);
    assert_int_equal(count_chunks(f), 2);
}

static void test_no_sample_is_recorded_twice(void **state)
{
    struct fixture *f = *state;

    begin(f, VOLTAGE_AND_CURRENT);
    put(f, 0, 1000);
    put(f, 0, 1000);   /* the same again */
    put(f, 500, 1000); /* half of it is new */
    finish(f);
    expect_chunk(f, PRU_ARRAY_VOLTAGE, 0, 0, 1500);
    assert_int_equal(count_chunks(f), 2);
}

static void test_short_blocks_cross_the_grid_where_it_lies(void **state)
{
    struct fixture *f = *state;

    begin(f, VOLTAGE_AND_CURRENT);
    chunker_gap(&f->chunker, 9001, RLOG_GAP_RING);
    assert_false(put(f, 9001, 7));
    assert_true(put(f, 9008, 1000)); /* 9008 .. 10007 */
    finish(f);
    expect_chunk(f, PRU_ARRAY_CURRENT, 0, 9001, 999);
    expect_chunk(f, PRU_ARRAY_CURRENT, 1, 10000, 8);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_chunks_lie_on_the_grid_for_every_stream),
        TEST(test_only_what_is_recorded_is_kept),
        TEST(test_missing_blocks_become_a_gap_and_cut_the_chunk),
        TEST(test_what_never_came_at_the_end_is_a_gap_once),
        TEST(test_underruns_are_noted_and_their_samples_kept),
        TEST(test_only_the_range_is_recorded),
        TEST(test_a_loss_outside_of_the_range_is_told_all_the_same),
        TEST(test_no_sample_is_recorded_twice),
        TEST(test_short_blocks_cross_the_grid_where_it_lies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
