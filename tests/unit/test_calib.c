/* SPDX-License-Identifier: MIT */
#include "pru/core/calib.h"

#include "common/vsource_derive.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct vsource_params derived(struct cal_channel adc_I, struct cal_channel dac)
{
    struct calibration cal = calibration_default();
    struct vsource_params params;

    cal.emu_adc_I_B = adc_I;
    cal.emu_dac_V_B = dac;
    vsource_derive_defaults(&params);
    vsource_derive_calibration(&cal, PORT_B, &params);
    return params;
}

static void test_codes_become_units_to_the_nearest(void **state)
{
    static const struct cal_channel gains[] = {
        {2.0345052083333335e-07, 0       },
        { 2.0313e-07,            1.6e-06 },
        { 1.2e-07,               -2.1e-05},
        { 3.9e-07,               1e-3    },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(gains) / sizeof(gains[0]); i++) {
        struct vsource_params params = derived(gains[i], (struct cal_channel){ 7.6e-05, 0 });

        for (uint32_t code = 0; code <= CALIB_ADC_MAX; code += 37) {
            double expected_nA = fmax(0, code * gains[i].gain + gains[i].offset) * 1e9;
            double got_nA = calib_from_code(&params.adc_current, code);

            /* rounding of value, offset and factor */
            assert_true(fabs(got_nA - expected_nA)
                        <= 0.51 + (i > 0 ? 0.5 : 0) + expected_nA * 1e-7);
        }
    }
}

static void test_dac_rounds_to_the_nearest_code(void **state)
{
    static const struct cal_channel dacs[] = {
        {7.6293945e-05, 0     },
        { 7.6384e-05,   0.0012},
        { 7.5e-05,      -0.004},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(dacs) / sizeof(dacs[0]); i++) {
        struct vsource_params params = derived((struct cal_channel){ 2e-07, 0 }, dacs[i]);

        for (uint32_t voltage_uV = 0; voltage_uV < 5200000; voltage_uV += 331) {
            double exact = (voltage_uV * 1e-6 - dacs[i].offset) / dacs[i].gain;
            double got = calib_to_code(&params.dac_target, voltage_uV);

            exact = fmin(CALIB_DAC_MAX, fmax(0, exact));
            assert_true(fabs(got - exact) <= 0.5 + 0.01);
        }
        assert_int_equal(calib_to_code(&params.dac_target, UINT32_MAX), CALIB_DAC_MAX);
    }
}

/* Weak point of a clipped ADC: the mean of a noise around zero must not be half the noise. */
static void test_residue_keeps_the_mean_at_zero(void **state)
{
    struct vsource_params params =
        derived((struct cal_channel){ 2.0345e-07, -2e-05 }, (struct cal_channel){ 7.6e-05, 0 });
    struct calib_residue residue = { 0 };
    uint64_t sum_nA = 0;
    uint32_t noise = 1;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        noise = noise * 1664525u + 1013904223u;
        /* offset is 98.3 codes: 98 +- 8, mean a third of a code below zero */
        sum_nA += calib_current_from_code(&params.adc_current, 91 + (noise >> 28), &residue);
    }
    /* the residue's bound is all that may be left */
    assert_true(sum_nA / 100000 < 60);
    assert_true(residue.residue_nA <= CALIB_RESIDUE_MAX_nA);
}

static void test_ports_have_calibrations_of_their_own(void **state)
{
    struct calibration cal = calibration_default();
    struct vsource_params a;
    struct vsource_params b;

    (void)state;
    cal.emu_dac_V_A.gain = 7e-05;
    cal.emu_adc_I_B.gain = 1.5e-07;
    vsource_derive_defaults(&a);
    vsource_derive_defaults(&b);
    vsource_derive_calibration(&cal, PORT_A, &a);
    vsource_derive_calibration(&cal, PORT_B, &b);
    assert_int_equal(a.dac_target.factor, b.dac_aux.factor);
    assert_int_equal(a.dac_aux.factor, b.dac_target.factor);
    assert_int_not_equal(a.dac_target.factor, b.dac_target.factor);
    assert_int_not_equal(a.adc_current.factor, b.adc_current.factor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes_become_units_to_the_nearest),
        cmocka_unit_test(test_dac_rounds_to_the_nearest_code),
        cmocka_unit_test(test_residue_keeps_the_mean_at_zero),
        cmocka_unit_test(test_ports_have_calibrations_of_their_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
