/* SPDX-License-Identifier: MIT */
#include "herd/clock_view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_the_exchange_with_the_least_delay_counts(void **state)
{
    struct clock_view view = { 0 };

    (void)state;
    clock_view_add(&view, 1000, 1600, 1700, 2300); /* 500 out, 600 back: off by 0, 600 +- */
    assert_int_equal(view.offset_ns, 0);
    assert_int_equal(view.bound_ns, 602);
    clock_view_add(&view, 1000, 1110, 1120, 1030); /* +100, 10 out, 10 back */
    assert_int_equal(view.offset_ns, 100);
    assert_int_equal(view.bound_ns, 12);
    clock_view_add(&view, 1000, 9000, 9000, 20000);
    assert_int_equal(view.offset_ns, 100);
    assert_int_equal(view.n_exchanges, 3);
}

static void test_times_that_contradict_each_other_are_ignored(void **state)
{
    struct clock_view view = { 0 };

    (void)state;
    clock_view_add(&view, 1000, 1100, 1050, 1200); /* answered before it came */
    clock_view_add(&view, 1000, 1100, 1100, 900);  /* back before it went */
    clock_view_add(&view, 1000, 1000, 2000, 1500); /* took longer there than here */
    clock_view_add(&view, 1, INT64_MIN, INT64_MAX, 2);
    clock_view_add(&view, -5, INT64_MAX, INT64_MAX, 5);
    assert_int_equal(view.n_exchanges, 0);
}

static struct clock_view view_of(int64_t offset_ns, int64_t bound_ns)
{
    return (
        struct clock_view){ .n_exchanges = 1, .offset_ns = offset_ns, .bound_ns = bound_ns };
}

static void test_the_median_is_of_the_nodes_that_were_heard(void **state)
{
    const struct clock_view views[] = {
        view_of(30, 0), { 0 }, view_of(1000000, 0), view_of(10, 0)
    };
    struct clock_median median = { 0 };

    (void)state;
    assert_true(clock_view_median(views, 4, &median));
    assert_int_equal(median.offset_ns, 30);
    assert_true(clock_view_median(views, 1, &median));
    assert_int_equal(median.offset_ns, 30);
    assert_false(clock_view_median(&views[1], 1, &median));
}

/* As happened: one node's exchanges were slow, the median moved by a quarter of a millisecond,
 * and a good clock was called wrong. */
static void test_a_slow_exchange_makes_no_good_clock_wrong(void **state)
{
    const struct clock_view views[] = { view_of(3529, 121221), view_of(500158, 666979),
                                        view_of(36999995954, 116184), view_of(-13504, 119208) };
    struct clock_median median = { 0 };

    (void)state;
    assert_true(clock_view_median(views, 4, &median));
    assert_false(clock_view_is_proven_off(&views[0], &median, 100000));
    assert_false(clock_view_is_proven_off(&views[1], &median, 100000));
    assert_true(clock_view_is_proven_off(&views[2], &median, 100000));
    assert_false(clock_view_is_proven_off(&views[3], &median, 100000));
}

/* Whatever the delays do: clocks that agree are never proven off, and the median is where it is
 * said to be. */
static void test_clocks_that_agree_are_never_proven_off(void **state)
{
    uint32_t random = 1;

    (void)state;
    for (unsigned round = 0; round < 2000; round++) {
        struct clock_view views[7];
        size_t n_views = 1 + round % 7;
        struct clock_median median = { 0 };

        for (size_t i = 0; i < n_views; i++) {
            int64_t bound_ns = 0;

            random = random * 1664525U + 1013904223U;
            bound_ns = (int64_t)(random >> 12);
            random = random * 1664525U + 1013904223U;
            views[i] =
                view_of((int64_t)(random >> 8) % (bound_ns + 1) * ((random & 1U) != 0 ? 1 : -1),
                        bound_ns);
        }
        assert_true(clock_view_median(views, n_views, &median));
        assert_true(median.offset_ns <= median.bound_ns
                    && -median.offset_ns <= median.bound_ns);
        for (size_t i = 0; i < n_views; i++) {
            assert_false(clock_view_is_proven_off(&views[i], &median, 0));
        }
    }
}

static void test_absurd_clocks_are_off_and_break_nothing(void **state)
{
    const struct clock_view views[] = { view_of(INT64_MAX, 10), view_of(INT64_MIN, 10),
                                        view_of(0, 10), view_of(5, 10), view_of(7, 10) };
    struct clock_median median = { 0 };

    (void)state;
    assert_true(clock_view_median(views, 5, &median));
    assert_true(clock_view_is_proven_off(&views[0], &median, 100));
    assert_true(clock_view_is_proven_off(&views[1], &median, 100));
    assert_false(clock_view_is_proven_off(&views[2], &median, 100));
    assert_false(clock_view_is_proven_off(&(struct clock_view){ 0 }, &median, 100));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_exchange_with_the_least_delay_counts),
        cmocka_unit_test(test_times_that_contradict_each_other_are_ignored),
        cmocka_unit_test(test_the_median_is_of_the_nodes_that_were_heard),
        cmocka_unit_test(test_a_slow_exchange_makes_no_good_clock_wrong),
        cmocka_unit_test(test_clocks_that_agree_are_never_proven_off),
        cmocka_unit_test(test_absurd_clocks_are_off_and_break_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
