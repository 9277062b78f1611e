/* SPDX-License-Identifier: MIT */
/* What both halves of the sampler change, and what the converters are told. */
#include "pru/core/sampler_state.h"

#include "pru/core/calib.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct world {
    uint32_t dac[8];
    unsigned n_power_good;
    bool is_good;
};

static struct world world;
static struct pru_control control;
static struct sampler sampler;
static struct sample_io io;

static void write_dac(void *context, enum sample_dac channel, uint32_t code)
{
    ((struct world *)context)->dac[channel] = code;
}

static void power_good(void *context, bool is_good)
{
    struct world *seen = context;

    seen->n_power_good++;
    seen->is_good = is_good;
}

static int set_up(void **state)
{
    (void)state;
    memset(&world, 0xEE, sizeof(world));
    world.n_power_good = 0;
    memset(&control, 0, sizeof(control));
    memset(&sampler, 0, sizeof(sampler));
    io = (struct sample_io){ .context = &world,
                             .dac_write = write_dac,
                             .power_good = power_good };
    sampler.control = &control;
    sampler.io = &io;
    return 0;
}

static void test_outputs_are_told_when_they_change(void **state)
{
    (void)state;
    sampler_set_outputs(&sampler, true, false);
    assert_int_equal(control.outputs, PRU_OUTPUT_POWER_GOOD);
    assert_true(world.is_good);
    sampler_set_outputs(&sampler, true, false);
    assert_int_equal(world.n_power_good, 1);
    sampler_set_outputs(&sampler, false, true);
    assert_int_equal(control.outputs, PRU_OUTPUT_GPIO_MUTED);
    assert_false(world.is_good);
    assert_int_equal(world.n_power_good, 2);
}

static void test_a_failure_switches_off_and_says_why(void **state)
{
    (void)state;
    sampler_set_outputs(&sampler, true, false);
    sampler_set_state(&sampler, PRU_STATE_RUNNING);
    sampler_fail(&sampler, PRU_ERROR_CANARY, 42);
    assert_int_equal(control.state, PRU_STATE_FAULT);
    assert_int_equal(sampler.state, PRU_STATE_FAULT);
    assert_int_equal(control.error, PRU_ERROR_CANARY);
    assert_int_equal(control.error_detail, 42);
    assert_int_equal(control.outputs, 0);
    assert_int_equal(world.dac[SAMPLE_DAC_TARGET], 0);
    assert_int_equal(world.dac[SAMPLE_DAC_AUX], 0);
    assert_int_equal(world.dac[SAMPLE_DAC_HARVEST], CALIB_DAC_MAX);
    assert_false(world.is_good);
}

static void test_a_cleared_tally_counts_from_nothing(void **state)
{
    (void)state;
    sampler.tally = (struct sampler_tally){ 1, 2, 3, 4 };
    sampler_clear_tally(&sampler);
    assert_int_equal(sampler.tally.underruns + sampler.tally.first_underrun
                         + sampler.tally.clamped + sampler.tally.flags,
                     0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_outputs_are_told_when_they_change, set_up),
        cmocka_unit_test_setup(test_a_failure_switches_off_and_says_why, set_up),
        cmocka_unit_test_setup(test_a_cleared_tally_counts_from_nothing, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
