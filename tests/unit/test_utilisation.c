/* SPDX-License-Identifier: MIT */
#include "pru/core/utilisation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum {
    WINDOW = 10000
};

static struct pru_control control;
static struct utilisation utilisation;

static int set_up(void **state)
{
    (void)state;
    memset(&control, 0, sizeof(control));
    utilisation_boot(&utilisation, &control);
    return 0;
}

static void add_window(uint64_t first_tick, uint32_t ticks)
{
    for (uint64_t k = 0; k < WINDOW; k++) {
        utilisation_add(&utilisation, first_tick + k * 2000, ticks, 5);
    }
}

static void test_a_window_has_first_sum_maximum_and_count(void **state)
{
    (void)state;
    utilisation_add(&utilisation, 77, 900, 40);
    for (int k = 1; k < WINDOW - 1; k++) {
        utilisation_add(&utilisation, 77 + (uint64_t)k, 1000, 10);
    }
    assert_int_equal(control.util_write_idx, 0);
    utilisation_add(&utilisation, 99999, 1400, 12);
    assert_int_equal(control.util_write_idx, 1);
    assert_int_equal(control.util[0].first_tick, 77);
    assert_int_equal(control.util[0].pru0_max_ticks, 1400);
    assert_int_equal(control.util[0].pru0_sum_ticks, 900 + 1000 * (WINDOW - 2) + 1400);
    assert_int_equal(control.util[0].pru0_count, WINDOW);
    assert_int_equal(control.util[0].pru1_max_ticks, 40);
    add_window(500, 10);
    assert_int_equal(control.util[1].pru0_max_ticks, 10);
    assert_int_equal(control.util[1].pru1_max_ticks, 5);
}

static void test_a_full_ring_loses_the_window_and_nothing_else(void **state)
{
    (void)state;
    for (uint32_t k = 0; k < PRU_UTIL_COUNT + 2; k++) {
        add_window(k, k + 1);
    }
    assert_int_equal(control.util_write_idx, PRU_UTIL_COUNT);
    assert_int_equal(control.util[0].pru0_max_ticks, 1);
    control.util_read_idx = 1;
    add_window(1000, 2000);
    assert_int_equal(control.util_write_idx, PRU_UTIL_COUNT + 1);
    assert_int_equal(control.util[0].pru0_max_ticks, 2000);
}

static void test_a_boot_goes_on_where_the_ring_stands_and_a_start_forgets(void **state)
{
    (void)state;
    control.util_write_idx = UINT32_MAX;
    control.util_read_idx = UINT32_MAX;
    utilisation_boot(&utilisation, &control);
    utilisation_add(&utilisation, 1, 1999, 1);
    utilisation_start(&utilisation);
    add_window(3, 20);
    assert_int_equal(control.util_write_idx, 0);
    assert_int_equal(control.util[PRU_UTIL_COUNT - 1].first_tick, 3);
    assert_int_equal(control.util[PRU_UTIL_COUNT - 1].pru0_max_ticks, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_window_has_first_sum_maximum_and_count, set_up),
        cmocka_unit_test_setup(test_a_full_ring_loses_the_window_and_nothing_else, set_up),
        cmocka_unit_test_setup(test_a_boot_goes_on_where_the_ring_stands_and_a_start_forgets,
                               set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
