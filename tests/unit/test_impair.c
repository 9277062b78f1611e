/* SPDX-License-Identifier: MIT */
#include "tests/support/impair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum {
    PACKETS = 100000
};

static const int64_t MS = 1000000;

static void test_a_clean_link_passes_everything_at_once(void **state)
{
    struct impair impair;
    int64_t leave_ns[IMPAIR_MAX_COPIES];

    (void)state;
    impair_init(&impair, 1);
    for (int64_t i = 0; i < 1000; i++) {
        assert_int_equal(impair_packet(&impair, i * MS, leave_ns), 1);
        assert_int_equal(leave_ns[0], i * MS);
    }
}

static void test_a_cut_passes_nothing(void **state)
{
    struct impair impair;
    int64_t leave_ns[IMPAIR_MAX_COPIES];

    (void)state;
    impair_init(&impair, 1);
    impair.rule.is_cut = true;
    for (int64_t i = 0; i < 1000; i++) {
        assert_int_equal(impair_packet(&impair, i * MS, leave_ns), 0);
    }
    assert_int_equal(impair.n_lost, 1000);
}

static void test_rates_are_those_of_the_rule(void **state)
{
    struct impair impair;
    int64_t leave_ns[IMPAIR_MAX_COPIES];

    (void)state;
    impair_init(&impair, 7);
    impair.rule = (struct impair_rule){ .loss_permille = 300,
                                        .duplicate_permille = 100,
                                        .reorder_permille = 50 };
    for (int64_t i = 0; i < PACKETS; i++) {
        (void)impair_packet(&impair, i * MS, leave_ns);
    }
    assert_in_range(impair.n_lost, PACKETS * 29 / 100, PACKETS * 31 / 100);
    assert_in_range(impair.n_copied, PACKETS * 65 / 1000, PACKETS * 75 / 1000);
    assert_in_range(impair.n_reordered, PACKETS * 32 / 1000, PACKETS * 38 / 1000);
}

static void test_jitter_keeps_the_order_and_overtaking_does_not(void **state)
{
    struct impair impair;
    int64_t leave_ns[IMPAIR_MAX_COPIES];
    int64_t last_ns = 0;
    unsigned n_overtaken = 0;

    (void)state;
    impair_init(&impair, 3);
    impair.rule = (struct impair_rule){ .delay_ms = 100, .jitter_ms = 50 };
    for (int64_t i = 0; i < PACKETS; i++) {
        assert_int_equal(impair_packet(&impair, i * MS / 10, leave_ns), 1);
        assert_true(leave_ns[0] >= last_ns);
        assert_in_range(leave_ns[0] - i * MS / 10, 100 * MS, 150 * MS);
        last_ns = leave_ns[0];
    }
    impair.rule.reorder_permille = 100;
    for (int64_t i = PACKETS; i < 2 * (int64_t)PACKETS; i++) {
        assert_int_equal(impair_packet(&impair, i * MS / 10, leave_ns), 1);
        n_overtaken += leave_ns[0] < last_ns ? 1 : 0;
        last_ns = leave_ns[0];
    }
    assert_in_range(n_overtaken, PACKETS / 20, PACKETS / 5);
}

static void test_a_seed_replays(void **state)
{
    struct impair first;
    struct impair second;

    (void)state;
    impair_init(&first, 11);
    impair_init(&second, 11);
    first.rule = second.rule = (struct impair_rule){ .loss_permille = 200,
                                                     .duplicate_permille = 200,
                                                     .reorder_permille = 200,
                                                     .jitter_ms = 20 };
    for (int64_t i = 0; i < 1000; i++) {
        int64_t one_ns[IMPAIR_MAX_COPIES];
        int64_t other_ns[IMPAIR_MAX_COPIES];
        unsigned n = impair_packet(&first, i * MS, one_ns);

        assert_int_equal(impair_packet(&second, i * MS, other_ns), n);
        for (unsigned k = 0; k < n; k++) {
            assert_int_equal(one_ns[k], other_ns[k]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_clean_link_passes_everything_at_once),
        cmocka_unit_test(test_a_cut_passes_nothing),
        cmocka_unit_test(test_rates_are_those_of_the_rule),
        cmocka_unit_test(test_jitter_keeps_the_order_and_overtaking_does_not),
        cmocka_unit_test(test_a_seed_replays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
