/* SPDX-License-Identifier: MIT */
#include "herd/pace.h"

#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum {
    RATE = 1000000,
    PIECE = 262144
};

/* Takes a piece whenever it may, every step for ten seconds. */
static uint64_t taken_in_ten_seconds(struct pace *pace, int64_t step_ns)
{
    uint64_t bytes = 0;

    for (int64_t now_ns = 0; now_ns <= 10 * NS_PER_S; now_ns += step_ns) {
        if (pace_may(pace, now_ns)) {
            pace_take(pace, PIECE);
            bytes += PIECE;
        }
    }
    return bytes;
}

static void test_the_mean_is_the_rate_whatever_the_step(void **state)
{
    static const int64_t steps_ns[] = { 1000 * NS_PER_US, 100 * NS_PER_MS, 240 * NS_PER_MS };

    (void)state;
    for (size_t i = 0; i < sizeof(steps_ns) / sizeof(steps_ns[0]); i++) {
        struct pace pace;

        pace_init(&pace, RATE, 0);
        assert_in_range(taken_in_ten_seconds(&pace, steps_ns[i]), 10 * RATE - PIECE,
                        10 * RATE + 2 * PIECE);
    }
}

static void test_what_was_not_taken_is_not_saved_up(void **state)
{
    struct pace pace;
    uint64_t bytes = 0;

    (void)state;
    pace_init(&pace, RATE, 0);
    while (bytes < RATE && pace_may(&pace, 3600 * NS_PER_S)) {
        pace_take(&pace, 1000);
        bytes += 1000;
    }
    assert_int_equal(bytes, RATE / 4);
}

static void test_no_rate_is_no_limit(void **state)
{
    struct pace pace;

    (void)state;
    pace_init(&pace, 0, 0);
    for (int i = 0; i < 1000; i++) {
        assert_true(pace_may(&pace, 0));
        pace_take(&pace, UINT32_MAX);
    }
    assert_true(pace_window(0, 0) == UINT64_MAX);
    assert_int_equal(pace_window(RATE, 0), RATE / 4);
    assert_int_equal(pace_window(0, RATE), RATE / 4);
    assert_int_equal(pace_window(UINT64_C(8) * RATE, RATE), RATE / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_mean_is_the_rate_whatever_the_step),
        cmocka_unit_test(test_what_was_not_taken_is_not_saved_up),
        cmocka_unit_test(test_no_rate_is_no_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
