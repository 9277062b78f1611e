/* SPDX-License-Identifier: MIT */
/* Of the 21 points at which the incumbent's virtual source is known to be wrong, those of the
 * harvester: ours is right there. Point 10 states a bound that remains. */
#include "common/storage_build.h"
#include "common/vsource_derive.h"
#include "pru/core/efficiency.h"
#include "pru/core/fx.h"
#include "pru/core/vsource.h"
#include "tests/support/scene.h"
#include "tests/support/weak.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* What remains: the harvester sees the store's voltage once per pass of the curve. The charge
 * that arrives stays within 2 % of what the curve gives at the store's voltage. */
static void test_10_feedback__feedback_charges_with_the_curve_at_the_store(void **state)
{
    struct vsource_input input = { 101, 50000, false };
    struct source_config config;
    struct vsource_params params;
    struct vsource source;
    struct vsource_output output;
    struct err err = { 0 };
    double ideal_nA = 0;
    double charged_nA = 0;

    scene_source(*state, "diode+capacitor", &config);
    config.C_output_uF = 0;
    config.storage.SoC_init = 0.251;
    config.storage.R_leak_Ohm = 0;
    vsource_derive_defaults(&params);
    assert_int_equal(vsource_derive_source(&config, &input, &params, &err), 0);
    vsource_init(&source, &params);
    for (uint32_t k = 0; k < 20000; k++) {
        uint32_t V_uV = 5000000 - 50000 * (k % 101);
        /* a straight source: 100 uA at 0 V to nothing at 4 V */
        struct curve_point point = { V_uV, V_uV < 4000000 ? 100000 - V_uV / 40 : 0 };
        double V_set = source.store.V_uV + 300000.0;

        vsource_step(&source, point, 0, &output);
        if (k >= 202) { /* two passes to find it */
            ideal_nA += fmax(0, 100000 - V_set / 40);
            charged_nA += (double)output.I_mid_offset_nA - 0x1p31;
        }
    }
    weak_assert_close(charged_nA, ideal_nA, 0.02);
}

static void test_15_extrapolation_wrap__extrapolation_does_not_wrap(void **state)
{
    struct vsource_params params;
    struct curve_harvester harvester;

    (void)state;
    vsource_derive_defaults(&params);
    params.harvester.algorithm = VSOURCE_CV;
    params.harvester.flags = VSOURCE_HARVESTER_EXTRAPOLATE;
    params.harvester.window_samples = 100;
    params.harvester.voltage_uV = 2000000;
    params.harvester.voltage_step_uV = 50000;
    curve_harvester_init(&harvester, &params);
    for (uint32_t k = 0; k < 10000; k++) {
        /* steep: the current is gone within a step or two */
        uint32_t V_uV = 5000000 - 50000 * (k % 100);
        struct curve_point point = { V_uV, V_uV > 1950000 ? 0 : 3000000 };
        struct curve_point held = curve_harvester_step(&harvester, point);

        assert_true(held.current_nA <= 6000000);
        assert_true(held.voltage_uV <= 5200000);
    }
}

static void test_18_interval_clamp__intervals_reach_over_the_input_s_window(void **state)
{
    struct vsource_input input = { 909, 5507, false };
    struct harvester_config harvester;
    struct vsource_params params;
    struct err err = { 0 };

    scene_harvester(*state, "mppt_opt", &harvester);
    vsource_derive_defaults(&params);
    assert_int_equal(vsource_derive_harvester(&harvester, &input, &params, &err), 0);
    assert_int_equal(params.harvester.interval_n, 909);
    assert_int_equal(params.harvester.duration_n, 909);
}

/* While Voc is measured no current flows (generation 1 let it pass), and a later scan's Voc
 * replaces the one that is held although it is higher. */
static void test_15_extrapolation_wrap__no_current_while_voc_is_measured(void **state)
{
    struct vsource_params params;
    struct curve_harvester harvester;
    uint32_t n_without = 0;

    (void)state;
    vsource_derive_defaults(&params);
    params.harvester.algorithm = VSOURCE_MPPT_VOC;
    params.harvester.flags = VSOURCE_HARVESTER_EXTRAPOLATE;
    params.harvester.window_samples = 100;
    params.harvester.voltage_uV = 2000000;
    params.harvester.voltage_max_uV = 5000000;
    params.harvester.voltage_step_uV = 50000;
    params.harvester.current_limit_nA = 5000;
    params.harvester.setpoint_n16 = 1u << 15;
    params.harvester.interval_n = 1000;
    params.harvester.duration_n = 150;
    curve_harvester_init(&harvester, &params);
    for (uint32_t k = 0; k < 10000; k++) {
        uint32_t V_uV = 5000000 - 50000 * (k % 100);
        uint32_t Voc_uV = k < 5000 ? 3000000 : 4000000;
        struct curve_point point = { V_uV, V_uV < Voc_uV ? 1000000 : 0 };

        bool is_without = curve_harvester_step(&harvester, point).current_nA == 0;

        n_without += is_without && k >= 2000;
        if (k == 4999 || k == 9999) {
            assert_int_equal(harvester.set_uV, Voc_uV / 2);
        }
    }
    /* Of each interval 150 samples, the one in which the set-point is renewed, and those
     * until the curve passes it, at most a window. */
    assert_in_range(n_without, 8 * 151, 8 * 251);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_10_feedback__feedback_charges_with_the_curve_at_the_store),
        cmocka_unit_test(test_15_extrapolation_wrap__extrapolation_does_not_wrap),
        cmocka_unit_test(test_15_extrapolation_wrap__no_current_while_voc_is_measured),
        cmocka_unit_test(test_18_interval_clamp__intervals_reach_over_the_input_s_window),
    };

    return cmocka_run_group_tests(tests, weak_load_presets, weak_drop_presets);
}
