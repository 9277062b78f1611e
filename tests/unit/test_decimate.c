/* SPDX-License-Identifier: MIT */
/* Means of windows against a plain recomputation over the same samples. */
#include "common/decimate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    N_SAMPLES = 2345678,
    SEED = 20240711
};

struct bench {
    struct decimator decimator;
    uint32_t samples[N_SAMPLES];
    bool is_there[N_SAMPLES];
    uint32_t rows[N_SAMPLES];
    bool has[N_SAMPLES];
    uint64_t n_calls;
};

static void take(void *arg, uint64_t first_row, const uint32_t *rows, uint32_t count)
{
    struct bench *bench = arg;

    assert_in_range(count, 1, RLOG_CHUNK_SAMPLES);
    /* never across the border of a chunk of rows */
    assert_int_equal(first_row / RLOG_CHUNK_SAMPLES,
                     (first_row + count - 1) / RLOG_CHUNK_SAMPLES);
    for (uint32_t i = 0; i < count; i++) {
        assert_in_range(first_row + i, 0, N_SAMPLES - 1);
        assert_false(bench->has[first_row + i]); /* each row once */
        bench->has[first_row + i] = true;
        bench->rows[first_row + i] = rows[i];
    }
    bench->n_calls++;
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    uint64_t random = SEED;

    assert_non_null(bench);
    for (size_t i = 0; i < N_SAMPLES; i++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        bench->samples[i] = (uint32_t)(random >> 32);
    }
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static void feed(struct bench *bench, size_t first, size_t end)
{
    memset(bench->is_there + first, 1, end - first);
    decimate_add(&bench->decimator, first, bench->samples + first, end - first);
}

/* Round half up, in 64 bits. */
static void check(const struct bench *bench, uint32_t window)
{
    for (size_t row = 0; row <= (N_SAMPLES - 1) / window; row++) {
        uint64_t sum = 0;
        uint64_t count = 0;

        for (size_t i = row * window; i < (row + 1) * window && i < N_SAMPLES; i++) {
            if (bench->is_there[i]) {
                sum += bench->samples[i];
                count++;
            }
        }
        assert_int_equal(bench->has[row], count > 0);
        if (count > 0 && bench->rows[row] != (2 * sum + count) / (2 * count)) {
            fail_msg("window %u, row %zu", window, row);
        }
    }
}

static void run(struct bench *bench, uint32_t window, size_t step, bool has_gaps)
{
    memset(bench->is_there, 0, sizeof(bench->is_there));
    memset(bench->has, 0, sizeof(bench->has));
    bench->n_calls = 0;
    decimate_init(&bench->decimator, window, take, bench);
    for (size_t at = 0; at < N_SAMPLES; at += step) {
        size_t end = at + step < N_SAMPLES ? at + step : N_SAMPLES;

        if (!has_gaps || at / step % 7 != 3) {
            feed(bench, at, end);
        }
        if (at / step % 11 == 5) {
            decimate_flush(&bench->decimator);
        }
    }
    decimate_finish(&bench->decimator);
    check(bench, window);
}

static void test_every_row_is_the_mean_of_its_window(void **state)
{
    static const uint32_t windows[] = { 100, 1000, 10000 };

    for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
        run(*state, windows[i], 10000, false);
        run(*state, windows[i], 7919, false);
    }
}

static void test_gaps_leave_means_of_what_is_there(void **state)
{
    static const uint32_t windows[] = { 100, 1000, 10000 };

    for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
        run(*state, windows[i], 333, true);
        run(*state, windows[i], 25000, true);
    }
}

static void test_extreme_codes_do_not_overflow(void **state)
{
    struct bench *bench = *state;

    memset(bench->samples, 0xFF, sizeof(bench->samples));
    run(bench, 10000, 10000, false);
    assert_true(bench->rows[0] == UINT32_MAX);
    assert_true(bench->rows[N_SAMPLES / 10000] == UINT32_MAX); /* and the short last one */
}

static void test_halves_are_rounded_up(void **state)
{
    struct bench *bench = *state;
    uint32_t samples[100];

    for (size_t i = 0; i < 100; i++) {
        samples[i] = i < 50 ? 6 : 7;
    }
    decimate_init(&bench->decimator, 100, take, bench);
    decimate_add(&bench->decimator, 0, samples, 100);
    samples[99] = 6; /* 6.49 */
    decimate_add(&bench->decimator, 100, samples, 100);
    decimate_finish(&bench->decimator);
    assert_int_equal(bench->rows[0], 7);
    assert_int_equal(bench->rows[1], 6);
}

#define WITH_BENCH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_every_row_is_the_mean_of_its_window),
        WITH_BENCH(test_gaps_leave_means_of_what_is_there),
        WITH_BENCH(test_extreme_codes_do_not_overflow),
        WITH_BENCH(test_halves_are_rounded_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
