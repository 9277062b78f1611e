/* SPDX-License-Identifier: MIT */
/* Faults of converters, memory, cores and host around the real firmware: each is detected, each
 * is named, no sample is silently wrong. Skipped with a word where there is no PRU compiler. */
#include "tests/support/firmware_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct firmware_trace trace;
static struct firmware_trace sound;
static struct firmware_scene scene;

static void prepare(enum pru_mode mode, uint32_t n_samples)
{
    if (!firmware_is_there()) {
        skip();
    }
    firmware_prepare(&scene, mode, n_samples);
    scene.config.harvester.algorithm = HARVESTER_CV;
    scene.config.harvester.voltage_mV = 1000.0;
    scene.config.harvester.voltage_min_mV = 0.0;
    scene.config.harvester.voltage_max_mV = 5000.0;
}

static void run(void)
{
    char rules[1000];

    firmware_run_iss(&scene, &trace, rules, sizeof(rules));
    assert_string_equal(rules, "");
}

static void expect_fault(const char *what)
{
    run();
    assert_int_equal(trace.state, PRU_STATE_FAULT);
    if (strstr(trace.fault, what) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", what, trace.fault);
    }
}

static void test_silent_adc_is_named(void **state)
{
    (void)state;
    prepare(PRU_MODE_HARVEST, 5000);
    scene.sim.adc_fault = SIM_ADC_SILENT;
    scene.sim.adc_fault_at = 500;
    expect_fault("a converter does not answer (error 6");
    prepare(PRU_MODE_EMULATE, 5000);
    scene.sim.adc_fault = SIM_ADC_SILENT;
    scene.sim.adc_fault_at = 500;
    expect_fault("a converter does not answer (error 6");
}

static void test_stuck_adc_is_named(void **state)
{
    (void)state;
    prepare(PRU_MODE_HARVEST, 5000);
    scene.sim.adc_fault = SIM_ADC_STUCK_HIGH;
    scene.sim.adc_fault_at = 500;
    expect_fault("a converter does not answer");
}

static void test_adc_that_forgot_its_range_is_started_again(void **state)
{
    char rules[1000];

    (void)state;
    prepare(PRU_MODE_HARVEST, 4000);
    scene.sim.adc_fault = SIM_ADC_FORGETFUL;
    scene.sim.adc_fault_at = 500;
    firmware_run_iss(&scene, &trace, rules, sizeof(rules));
    assert_int_equal(trace.state, PRU_STATE_DONE);
    assert_true((trace.flags & PRU_BLOCK_ADC) != 0);
    assert_true(trace.voltage[498] > 0);
    assert_int_equal(trace.voltage[600], 0);
    assert_true(trace.voltage[3999] > 0);
}

static void test_hung_cores_are_named(void **state)
{
    (void)state;
    for (uint32_t core = 0; core < 2; core++) {
        prepare(PRU_MODE_HARVEST, 3000);
        scene.sim.hang_at = 700;
        scene.sim.hang_core = core;
        expect_fault("the other core is silent");
    }
}

static void test_overwritten_memory_is_named(void **state)
{
    (void)state;
    prepare(PRU_MODE_HARVEST, 3000);
    scene.sim.overwrite_at = 700;
    run();
    assert_non_null(strstr(trace.fault, "canary"));
}

static void test_missing_input_is_counted(void **state)
{
    (void)state;
    prepare(PRU_MODE_EMULATE, 3000);
    scene.sim.impatient = true;
    scene.n_input = 2000;
    run();
    assert_int_equal(trace.state, PRU_STATE_DONE);
    assert_int_equal(trace.underruns, 1000);
}

/* A stall of the memory delays a sample or not; it changes none. */
static void test_stalled_ddr_changes_no_sample(void **state)
{
    (void)state;
    prepare(PRU_MODE_EMULATE, 3000);
    run();
    sound = trace;
    scene.sim.ddr_stall_at = 1500;
    scene.sim.ddr_stall_us = 20;
    run();
    assert_int_equal(trace.state, PRU_STATE_DONE);
    assert_memory_equal(trace.voltage, sound.voltage, sizeof(trace.voltage));
    assert_memory_equal(trace.current, sound.current, sizeof(trace.current));
    assert_true((trace.flags & PRU_BLOCK_LATE) != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_silent_adc_is_named),
        cmocka_unit_test(test_stuck_adc_is_named),
        cmocka_unit_test(test_adc_that_forgot_its_range_is_started_again),
        cmocka_unit_test(test_hung_cores_are_named),
        cmocka_unit_test(test_overwritten_memory_is_named),
        cmocka_unit_test(test_missing_input_is_counted),
        cmocka_unit_test(test_stalled_ddr_changes_no_sample),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
