/* SPDX-License-Identifier: MIT */
#include "common/vsource_derive.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct vsource_input SAMPLES = { 0, 0, false };
static const struct vsource_input CURVES = { 909, 5506.6, false };

static struct source_config neutral_source(void)
{
    struct source_config source;

    schema_defaults(&source_schema, &source);
    source.storage = storage_capacitor(100, 5, 3);
    return source;
}

static void assert_refused(const struct source_config *source, const char *name)
{
    struct vsource_params params;
    struct err err = { 0 };

    vsource_derive_defaults(&params);
    assert_int_equal(vsource_derive_source(source, &CURVES, &params, &err), -1);
    assert_int_equal(err.code, ERR_INPUT);
    if (strstr(err.text, name) == NULL) {
        fail_msg("'%s' does not name %s", err.text, name);
    }
}

static void test_what_cannot_be_represented_is_named(void **state)
{
    struct source_config source = neutral_source();

    (void)state;
    source.V_input_drop_mV = 1e7;
    assert_refused(&source, "V_input_drop_mV");
    source = neutral_source();
    source.I_input_max_mA = -1;
    assert_refused(&source, "I_input_max_mA");
    source = neutral_source();
    source.V_output_mV = (double)NAN;
    assert_refused(&source, "V_output_mV");
    source = neutral_source();
    source.LUT_input_efficiency[13] = 1.5;
    assert_refused(&source, "LUT_input_efficiency[1][1]");
    source = neutral_source();
    source.LUT_output_efficiency[3] = -0.1;
    assert_refused(&source, "LUT_output_efficiency[3]");
    source = neutral_source();
    source.LUT_input_I_min_log2_nA = 0;
    assert_refused(&source, "LUT_input_I_min_log2_nA");
    source = neutral_source();
    source.storage.q_As = 1e-8;
    assert_refused(&source, "q_As");
    source = neutral_source();
    source.storage.SoC_init = 1.1;
    assert_refused(&source, "SoC_init");
    source = neutral_source();
    source.storage.p_VOC[3] = 20;
    assert_refused(&source, "p_VOC");
    source = neutral_source();
    source.storage.p_Rs[2] = 20000;
    assert_refused(&source, "p_Rs");
    source = neutral_source();
    source.storage.R_leak_Ohm = 1;
    assert_refused(&source, "R_leak_Ohm");
    source = neutral_source();
    source.I_intermediate_leak_nA = 5e9;
    assert_refused(&source, "I_intermediate_leak_nA");
    source = neutral_source();
    source.harvester.voltage_mV = 5001;
    assert_refused(&source, "voltage_mV");
    source = neutral_source();
    source.harvester.voltage_min_mV = 5001;
    assert_refused(&source, "voltage_min_mV");
    source = neutral_source();
    source.harvester.algorithm = HARVESTER_IVCURVE;
    assert_refused(&source, "ivcurve");
    source.harvester.algorithm = HARVESTER_SWEEP;
    assert_refused(&source, "sweep");
}

static void test_curves_without_a_step_are_refused(void **state)
{
    struct vsource_input input = { 909, 0, false };
    struct source_config source = neutral_source();
    struct vsource_params params;
    struct err err = { 0 };

    (void)state;
    vsource_derive_defaults(&params);
    assert_int_equal(vsource_derive_source(&source, &input, &params, &err), -1);
    assert_non_null(strstr(err.text, "step"));
}

static void test_a_recording_harvester_is_no_neutral_one(void **state)
{
    struct harvester_config harvester;
    struct vsource_params params;
    struct err err = { 0 };

    (void)state;
    schema_defaults(&harvester_schema, &harvester);
    harvester.algorithm = HARVESTER_NEUTRAL;
    vsource_derive_defaults(&params);
    assert_int_equal(vsource_derive_harvester(&harvester, NULL, &params, &err), -1);
    assert_non_null(strstr(err.text, "neutral"));
}

static void test_scales_keep_31_bits(void **state)
{
    static const double values[] = { 1, 3, 0.1, 1e-9, 4e9, 12345.678, 0x1p-60, 0x1p31 };

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct vsource_scale scale = vsource_scale_of(values[i]);
        double got = ldexp(scale.mantissa, -(int)scale.shift);

        assert_true(fabs(got / values[i] - 1) < 0x1p-31);
    }
    assert_int_equal(vsource_scale_of(0).mantissa, 0);
    assert_int_equal(vsource_scale_of(-1).mantissa, 0);
    assert_int_equal(vsource_scale_of(1e-300).mantissa, 0);
    assert_int_equal(vsource_scale_of(1e300).mantissa, UINT32_MAX);
}

static void test_switches_follow_what_is_there(void **state)
{
    struct source_config source = neutral_source();
    struct vsource_params params;
    struct err err = { 0 };
    uint32_t flags = 0;

    (void)state;
    source.enable_boost = true;
    source.enable_feedback_to_hrv = true;
    vsource_derive_defaults(&params);
    assert_int_equal(vsource_derive_source(&source, &CURVES, &params, &err), 0);
    flags = params.converter.flags;
    assert_true((flags & VSOURCE_HAS_BOOST) != 0 && (flags & VSOURCE_HAS_FEEDBACK) == 0);
    source.enable_boost = false;
    assert_int_equal(vsource_derive_source(&source, &CURVES, &params, &err), 0);
    assert_true((params.converter.flags & VSOURCE_HAS_FEEDBACK) != 0);
    assert_int_equal(vsource_derive_source(&source, &SAMPLES, &params, &err), 0);
    assert_true((params.converter.flags & VSOURCE_HAS_FEEDBACK) == 0);
    source.enable_boost = true;
    source.storage.is_present = false;
    assert_int_equal(vsource_derive_source(&source, &CURVES, &params, &err), 0);
    flags = params.converter.flags;
    assert_true((flags & (VSOURCE_HAS_BOOST | VSOURCE_HAS_STORE | VSOURCE_HAS_FEEDBACK)) == 0);
}

/* Generation 1's own numbers for its presets (47 uF, 1 uF; 33 uF, 1 uF). */
static void test_thresholds_leave_room_for_the_output_capacitor(void **state)
{
    struct source_config source = neutral_source();
    struct vsource_params params;
    struct err err = { 0 };

    (void)state;
    source.enable_buck = true;
    source.V_output_mV = 2200;
    source.V_buck_drop_mV = 200;
    source.storage = storage_capacitor(33, 5.5, 3.4);
    source.V_intermediate_enable_output_threshold_mV = 2000;
    source.V_intermediate_disable_output_threshold_mV = 1000;
    vsource_derive_defaults(&params);
    assert_int_equal(vsource_derive_source(&source, &SAMPLES, &params, &err), 0);
    assert_int_equal(params.converter.V_disable_uV, 2400000);
    assert_int_equal(params.converter.V_enable_uV,
                     lround(2400000 + 2200000 * (1 - sqrt(1 - 1.0 / 33))));
    /* 2.42 uJ in one sample */
    assert_true(fabs((double)params.converter.P_output_charge_fW_n8 / 256 / 0.242e15 - 1)
                < 1e-9);
    assert_int_equal(params.converter.output_charge_n, 1);
    source.C_output_uF = 1000;
    assert_int_equal(vsource_derive_source(&source, &SAMPLES, &params, &err), 0);
    assert_int_equal(params.converter.output_charge_n, 9);
}

static void test_charging_ends_at_the_limit(void **state)
{
    struct source_config source = neutral_source();
    struct vsource_params params;
    struct err err = { 0 };

    (void)state;
    source.V_intermediate_max_mV = 3600;
    vsource_derive_defaults(&params);
    assert_int_equal(vsource_derive_source(&source, &SAMPLES, &params, &err), 0);
    assert_true(fabs((double)params.store.soc_max_n58 / 0x1p58 - 0.72) < 1e-9);
    source.V_intermediate_max_mV = 9000;
    assert_int_equal(vsource_derive_source(&source, &SAMPLES, &params, &err), 0);
    assert_true(params.store.soc_max_n58 == 1ull << 58);
    source.storage.R_leak_Ohm = DBL_MAX; /* none, in the incumbent's files */
    assert_int_equal(vsource_derive_source(&source, &SAMPLES, &params, &err), 0);
    assert_int_equal(params.store.G_leak.mantissa, 0);
}

static void test_clamping_is_counted_before_a_boost_stage_with_a_table(void **state)
{
    struct source_config source = neutral_source();
    struct vsource_params params;
    struct err err = { 0 };

    (void)state;
    vsource_derive_defaults(&params);
    assert_int_equal(vsource_derive_source(&source, &SAMPLES, &params, &err), 0);
    assert_true((params.converter.flags & VSOURCE_COUNT_CLAMPED) == 0);
    assert_int_equal(params.converter.LUT_input_n20[11][11], 1u << 20);
    assert_int_equal(params.converter.LUT_output_inverse_n16[0], 65536);
    source.LUT_input_efficiency[0] = 0.01;
    source.LUT_output_efficiency[0] = 0;
    assert_int_equal(vsource_derive_source(&source, &SAMPLES, &params, &err), 0);
    assert_true((params.converter.flags & VSOURCE_COUNT_CLAMPED) == 0);
    assert_int_equal(params.converter.LUT_output_inverse_n16[0], 16384u << 16);
    source.enable_boost = true;
    source.storage = storage_capacitor(10, 5, 3);
    assert_int_equal(vsource_derive_source(&source, &SAMPLES, &params, &err), 0);
    assert_true((params.converter.flags & VSOURCE_COUNT_CLAMPED) != 0);
    source.LUT_input_efficiency[0] = source.LUT_input_efficiency[1];
    assert_int_equal(vsource_derive_source(&source, &SAMPLES, &params, &err), 0);
    assert_true((params.converter.flags & VSOURCE_COUNT_CLAMPED) == 0);
}

static void test_ramp_and_raster_as_the_incumbent_has_them(void **state)
{
    struct harvester_config harvester;
    struct vsource_params params;
    struct err err = { 0 };

    (void)state;
    schema_defaults(&harvester_schema, &harvester);
    harvester.algorithm = HARVESTER_IVCURVE;
    harvester.samples_n = 909;
    harvester.rising = false;
    harvester.enable_automatic_cutout = true;
    vsource_derive_defaults(&params);
    assert_int_equal(vsource_derive_harvester(&harvester, NULL, &params, &err), 0);
    assert_int_equal(params.harvester.voltage_step_uV, 5507);
    assert_int_equal(params.harvester.window_samples, 909);
    assert_int_equal(params.harvester.cutout_cycles_n, 1);
    assert_int_equal(params.harvester.interval_n, 10000);
    assert_int_equal(params.harvester.flags,
                     VSOURCE_HARVESTER_EXTRAPOLATE | VSOURCE_HARVESTER_AUTO_CUTOUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_cannot_be_represented_is_named),
        cmocka_unit_test(test_curves_without_a_step_are_refused),
        cmocka_unit_test(test_a_recording_harvester_is_no_neutral_one),
        cmocka_unit_test(test_scales_keep_31_bits),
        cmocka_unit_test(test_switches_follow_what_is_there),
        cmocka_unit_test(test_thresholds_leave_room_for_the_output_capacitor),
        cmocka_unit_test(test_charging_ends_at_the_limit),
        cmocka_unit_test(test_clamping_is_counted_before_a_boost_stage_with_a_table),
        cmocka_unit_test(test_ramp_and_raster_as_the_incumbent_has_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
