/* SPDX-License-Identifier: MIT */
/* Overviews against a plain recomputation over the same samples. */
#include "common/overview.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    N_SAMPLES = 700001,
    N_ENTRIES = N_SAMPLES / RLOG_OVERVIEW_WINDOW + 2,
};

struct bench {
    struct overview overview;
    uint32_t samples[N_SAMPLES];
    bool is_there[N_SAMPLES];
    bool has[RLOG_OVERVIEW_LEVELS][N_ENTRIES];
    struct rlog_overview entries[RLOG_OVERVIEW_LEVELS][N_ENTRIES];
    uint64_t n_calls;
};

static uint64_t window_of(unsigned level)
{
    uint64_t window = RLOG_OVERVIEW_WINDOW;

    while (level-- > 0) {
        window *= RLOG_OVERVIEW_FACTOR;
    }
    return window;
}

static void take(void *arg, const struct rlog_record_header *header,
                 const struct rlog_overview *entries)
{
    struct bench *bench = arg;
    unsigned level = header->flags >> 8;

    assert_int_equal(header->type, RLOG_OVERVIEW);
    assert_int_equal(header->stream, RLOG_STREAM_CURRENT);
    assert_in_range(header->count, 1, OVERVIEW_ROOM);
    assert_int_equal(header->first % window_of(level), 0);
    for (uint32_t i = 0; i < header->count; i++) {
        uint64_t index = header->first / window_of(level) + i;

        assert_in_range(index, 0, N_ENTRIES - 1);
        assert_false(bench->has[level][index]); /* each entry once */
        bench->has[level][index] = true;
        bench->entries[level][index] = entries[i];
    }
    bench->n_calls++;
}

static void feed(struct bench *bench, uint64_t first, uint64_t end)
{
    while (first < end) {
        size_t count = (size_t)(1 + (first * 7919) % 10000);

        count = count < end - first ? count : (size_t)(end - first);
        memset(bench->is_there + first, true, count);
        overview_add(&bench->overview, first, bench->samples + first, count);
        first += count;
    }
}

static void check_entry(const struct bench *bench, unsigned level, uint64_t index)
{
    uint64_t window = window_of(level);
    uint64_t sum = 0;
    uint64_t count = 0;
    uint32_t minimum = UINT32_MAX;
    uint32_t maximum = 0;

    for (uint64_t i = index * window; i < (index + 1) * window && i < N_SAMPLES; i++) {
        if (bench->is_there[i]) {
            sum += bench->samples[i];
            count++;
            minimum = bench->samples[i] < minimum ? bench->samples[i] : minimum;
            maximum = bench->samples[i] > maximum ? bench->samples[i] : maximum;
        }
    }
    assert_int_equal(bench->has[level][index], count > 0);
    if (count > 0) {
        assert_int_equal(bench->entries[level][index].minimum, minimum);
        assert_int_equal(bench->entries[level][index].maximum, maximum);
        assert_int_equal(bench->entries[level][index].mean, (sum + count / 2) / count);
    }
}

static void check_all(const struct bench *bench)
{
    for (unsigned level = 0; level < RLOG_OVERVIEW_LEVELS; level++) {
        for (uint64_t i = 0; i <= N_SAMPLES / window_of(level); i++) {
            check_entry(bench, level, i);
        }
    }
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    uint32_t value = 1;

    assert_non_null(bench);
    for (int i = 0; i < N_SAMPLES; i++) {
        value = value * 1664525u + 1013904223u;
        bench->samples[i] = value;
    }
    overview_init(&bench->overview, RLOG_STREAM_CURRENT, take, bench);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static void test_every_level_matches_its_samples(void **state)
{
    struct bench *bench = *state;

    feed(bench, 0, N_SAMPLES);
    overview_finish(&bench->overview);
    check_all(bench);
}

static void test_gaps_leave_out_what_is_missing(void **state)
{
    struct bench *bench = *state;

    feed(bench, 100, 1000);
    feed(bench, 1001, 5003);
    feed(bench, 300000, 300001);
    feed(bench, 650000, N_SAMPLES);
    overview_finish(&bench->overview);
    check_all(bench);
}

static void test_flush_gives_each_entry_once_and_no_half_ones(void **state)
{
    struct bench *bench = *state;

    feed(bench, 0, 100);
    overview_flush(&bench->overview);
    assert_true(bench->has[0][0]);
    assert_false(bench->has[0][1]);
    for (uint64_t at = 100; at < N_SAMPLES; at += 33333) {
        feed(bench, at, at + 33333 < N_SAMPLES ? at + 33333 : N_SAMPLES);
        overview_flush(&bench->overview);
    }
    overview_finish(&bench->overview);
    check_all(bench);
}

static void test_a_window_that_has_passed_is_complete(void **state)
{
    struct bench *bench = *state;

    feed(bench, 0, 512);
    overview_flush(&bench->overview);
    assert_true(bench->has[0][7]);
    assert_true(bench->has[1][0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_level_matches_its_samples, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_gaps_leave_out_what_is_missing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_flush_gives_each_entry_once_and_no_half_ones,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_window_that_has_passed_is_complete, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests_name("overview", tests, NULL, NULL);
}
