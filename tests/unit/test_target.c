/* SPDX-License-Identifier: MIT */
#include "pru/sim/target.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct world_target CYCLE = {
    .kind = TARGET_CYCLE,
    .V_on_V = 1.8,
    .V_brownout_V = 1.7,
    .off_uA = 0.5,
    .boot_ms = 0.05,
    .boot_uA = 800,
    .sleep_ms = 0.1,
    .sleep_uA = 2,
    .compute_ms = 0.03,
    .compute_uA = 1500,
    .send_ms = 0.02,
    .send_uA = 7000,
};

static void expect_run(struct target *target, int n, double current_uA, unsigned pins)
{
    for (int i = 0; i < n; i++) {
        double current_A = target_step(target, 2.0, false);

        assert_true(fabs(current_A - current_uA * 1e-6) < 1e-12);
        assert_int_equal(target_pins(target), pins);
    }
}

static void test_cycle_of_states(void **state)
{
    struct target target;

    (void)state;
    target_init(&target, &CYCLE, NULL);
    assert_true(target_step(&target, 0.0, false) == 0);
    assert_true(fabs(target_step(&target, 1.75, false) - 0.5e-6) < 1e-12);
    assert_int_equal(target_pins(&target), 0);
    expect_run(&target, 5, 800, 0x0);
    expect_run(&target, 10, 2, 0x1);
    expect_run(&target, 3, 1500, 0x1 | 0x2 | 0x8);
    expect_run(&target, 2, 7000, 0x1 | 0x4 | 0x8);
    expect_run(&target, 10, 2, 0x1 | 0x8);
    expect_run(&target, 3, 1500, 0x1 | 0x2);
    expect_run(&target, 2, 7000, 0x1 | 0x4);
    expect_run(&target, 10, 2, 0x1);
}

static void test_brownout_and_another_boot(void **state)
{
    struct target target;

    (void)state;
    target_init(&target, &CYCLE, NULL);
    expect_run(&target, 5, 800, 0x0);
    expect_run(&target, 1, 2, 0x1);
    /* Within the hysteresis it lives on. */
    assert_true(fabs(target_step(&target, 1.7, false) - 2e-6) < 1e-12);
    assert_int_equal(target_pins(&target), 0x1);
    assert_true(fabs(target_step(&target, 1.6999, false) - 0.5e-6) < 1e-12);
    assert_int_equal(target_pins(&target), 0);
    target_step(&target, 1.79, false);
    assert_int_equal(target.state, TARGET_OFF);
    expect_run(&target, 5, 800, 0x0);
    assert_int_equal(target.n_boots, 2);
}

static void test_waits_for_power_good(void **state)
{
    struct world_target model = CYCLE;
    struct target target;

    (void)state;
    model.needs_power_good = true;
    target_init(&target, &model, NULL);
    for (int i = 0; i < 10; i++) {
        target_step(&target, 3.0, false);
        assert_int_equal(target.state, TARGET_OFF);
    }
    target_step(&target, 3.0, true);
    assert_int_equal(target.state, TARGET_BOOT);
    target_step(&target, 3.0, false); /* the signal is for the start only */
    assert_int_equal(target.state, TARGET_BOOT);
}

static void test_uart_tells_boots_and_cycles(void **state)
{
    static const char expected[] =
        "boot 1\r\ncycle 1 supply 2.000 V\r\ncycle 2 supply 2.000 V\r\n";
    struct target target;

    (void)state;
    target_init(&target, &CYCLE, NULL);
    for (int i = 0; i < 5 + 15 + 15; i++) {
        target_step(&target, 2.0, false);
    }
    assert_int_equal(target.uart_fill, sizeof(expected) - 1);
    assert_memory_equal(target.uart, expected, sizeof(expected) - 1);
}

static void test_uart_without_reader_keeps_whole_lines(void **state)
{
    struct target target;

    (void)state;
    target_init(&target, &CYCLE, NULL);
    for (int i = 0; i < 10000; i++) {
        target_step(&target, 2.0, false);
    }
    assert_true(target.uart_fill <= sizeof(target.uart));
    assert_true(target.uart_fill > sizeof(target.uart) - 64);
    assert_int_equal(target.uart[target.uart_fill - 1], '\n');
}

static void test_replay_begins_anew_with_every_boot(void **state)
{
    double times[] = { 0, 10, 20 };
    double currents[] = { 100, 200, 300 };
    struct table trace = {
        .n_rows = 3, .n_columns = 2, .columns = {times, currents}
    };
    struct world_target model = CYCLE;
    struct target target;

    (void)state;
    model.kind = TARGET_REPLAY;
    target_init(&target, &model, &trace);
    assert_true(target_step(&target, 1.0, false) == 0);
    for (int i = 0; i < 7; i++) {
        assert_true(fabs(target_step(&target, 2.0, false) - currents[i % 3] * 1e-9) < 1e-18);
    }
    assert_true(target_step(&target, 1.0, false) == 0);
    assert_true(fabs(target_step(&target, 2.0, false) - 100e-9) < 1e-18);
}

static void test_resistor_and_none(void **state)
{
    struct world_target model = CYCLE;
    struct target target;

    (void)state;
    model.kind = TARGET_RESISTOR;
    model.resistance_Ohm = 1000;
    target_init(&target, &model, NULL);
    assert_true(fabs(target_step(&target, 1.5, false) - 1.5e-3) < 1e-12);
    assert_int_equal(target_pins(&target), 0);
    assert_true(fabs(target_step(&target, 2.0, false) - 2.0e-3) < 1e-12);
    assert_int_equal(target_pins(&target), 0x3);
    model.kind = TARGET_NONE;
    target_init(&target, &model, NULL);
    assert_true(target_step(&target, 3.0, true) == 0);
    assert_int_equal(target_pins(&target), 0);
}

static void test_shortest_states_last_a_sample(void **state)
{
    struct world_target model = CYCLE;
    struct target target;

    (void)state;
    model.boot_ms = 0;
    model.sleep_ms = 0;
    model.compute_ms = 0;
    model.send_ms = 0;
    target_init(&target, &model, NULL);
    expect_run(&target, 1, 800, 0x0);
    expect_run(&target, 1, 2, 0x1);
    expect_run(&target, 1, 1500, 0x1 | 0x2 | 0x8);
    expect_run(&target, 1, 7000, 0x1 | 0x4 | 0x8);
    expect_run(&target, 1, 2, 0x1 | 0x8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cycle_of_states),
        cmocka_unit_test(test_brownout_and_another_boot),
        cmocka_unit_test(test_waits_for_power_good),
        cmocka_unit_test(test_uart_tells_boots_and_cycles),
        cmocka_unit_test(test_uart_without_reader_keeps_whole_lines),
        cmocka_unit_test(test_replay_begins_anew_with_every_boot),
        cmocka_unit_test(test_resistor_and_none),
        cmocka_unit_test(test_shortest_states_last_a_sample),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
