/* SPDX-License-Identifier: MIT */
/* The 21 points at which the incumbent's virtual source is known to be wrong, and that ours is
 * right there. Points 10 and 11 state a bound that remains instead. */
#include "common/storage_build.h"
#include "common/vsource_derive.h"
#include "pru/core/efficiency.h"
#include "pru/core/fx.h"
#include "pru/core/vsource.h"
#include "tests/support/scene.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const double N32 = 4294967296.0;
static const struct vsource_input SAMPLES = { 0, 0, false };

static struct presets *presets;

/* A source around a plain capacitor, neutral otherwise. */
static struct source_config capacitor_source(double C_uF, double rated_V, double start_V)
{
    struct source_config source;

    schema_defaults(&source_schema, &source);
    source.harvester.algorithm = HARVESTER_NEUTRAL;
    source.storage = storage_capacitor(C_uF, rated_V, start_V);
    source.V_intermediate_max_mV = rated_V * 1000;
    source.C_output_uF = 0;
    source_config_finish(&source);
    return source;
}

static void derive(const struct source_config *source, struct vsource_params *params)
{
    struct err err = { 0 };

    vsource_derive_defaults(params);
    if (vsource_derive_source(source, &SAMPLES, params, &err) < 0) {
        fail_msg("%s", err.text);
    }
}

static uint32_t code_of(double I_A)
{
    return (uint32_t)lround(I_A / 2.0345052083333335e-07);
}

static double soc_of(const struct vsource *source)
{
    return (double)source->store.soc_n58 / 0x1p58 + source->store.soc_rest / 0x1p90;
}

static void assert_close(double got, double expected, double relative)
{
    if (fabs(got - expected) > relative * fabs(expected)) {
        fail_msg("%.9g instead of %.9g", got, expected);
    }
}

static void test_01_division_is_right_from_10_mV_to_10_V(void **state)
{
    struct vsource_params params;
    struct store_flow flow = { 0 };
    struct source_config config = capacitor_source(1000, 10, 0);

    (void)state;
    derive(&config, &params);
    flow.discharge_fW_n8 = 1000000ull << 8; /* 1 nW */
    for (int i = 0; i <= 540; i++) {
        double V = 0.01 * pow(1000, i / 540.0);
        struct store store;
        double V_now = 0;

        store_init(&store, &params.store);
        store.soc_n58 = (uint64_t)(V / 10 * 0x1p58);
        store_step(&store, &flow); /* the voltage is looked up at the end of a step */
        V_now = store.V_oc_uV_n8 / 256e6;
        store_step(&store, &flow);
        assert_close((double)store.I_nA_n32 / N32, 1.0 / V_now, 1e-3);
    }
}

static void charge_for(struct vsource *source, struct curve_point input, long count)
{
    struct vsource_output output;

    for (long i = 0; i < count; i++) {
        vsource_step(source, input, 0, &output);
    }
}

static void test_02_smallest_powers_accumulate(void **state)
{
    static const struct curve_point inputs[] = {
        {1,   1  }, /* 1 fW */
        { 19, 195}, /* 3.7 pW */
    };
    struct source_config config = capacitor_source(10, 10, 3);

    (void)state;
    config.enable_boost = true;
    for (size_t i = 0; i < 2; i++) {
        struct vsource_params params;
        struct vsource source;
        double before = 0;
        double power_W = inputs[i].voltage_uV * 1e-6 * inputs[i].current_nA * 1e-9;

        derive(&config, &params);
        vsource_init(&source, &params);
        before = soc_of(&source);
        charge_for(&source, inputs[i], 100000);
        assert_close((soc_of(&source) - before) * config.storage.q_As, power_W / 3, 2e-3);
    }
}

static void test_03_cold_start_follows_the_physics(void **state)
{
    static const struct curve_point input = { 1000000, 10000000 }; /* 10 mW */
    struct source_config config = capacitor_source(10, 10, 0);
    struct vsource_params params;
    struct vsource source;

    (void)state;
    config.enable_boost = true;
    config.V_intermediate_enable_output_threshold_mV = 10000;
    derive(&config, &params);
    vsource_init(&source, &params);
    for (int n = 1; n < 4000; n++) {
        charge_for(&source, input, 1);
        /* C V^2 / 2 = P t */
        assert_close(source.store.V_uV * 1e-6, sqrt(2 * 0.01 * n * 10e-6 / 10e-6), 1e-4);
    }
}

static void test_04_efficiencies_are_not_quantised(void **state)
{
    static const double etas[] = { 1.0, 0.93, 0.92, 0.73, 0.6, 0.5, 0.1, 0.01 };

    (void)state;
    for (size_t i = 0; i < sizeof(etas) / sizeof(etas[0]); i++) {
        struct source_config config = capacitor_source(10, 10, 3);
        struct vsource_params params;

        for (int k = 0; k < 144; k++) {
            config.LUT_input_efficiency[k] = etas[i];
        }
        for (int k = 0; k < 12; k++) {
            config.LUT_output_efficiency[k] = etas[i];
        }
        derive(&config, &params);
        assert_close(efficiency_input_n20(&params.converter, 1000000, 1000) / 0x1p20, etas[i],
                     6e-5);
        assert_close(65536.0 / efficiency_output_inverse_n16(&params.converter, 1000), etas[i],
                     1e-5);
    }
}

/* Between two entries the nearest value is taken, so that no mean is shifted. */
static void test_04_interpolation_rounds_to_nearest(void **state)
{
    struct vsource_converter params;

    (void)state;
    memset(&params, 0, sizeof(params));
    params.flags = VSOURCE_INTERPOLATE;
    params.LUT_input_V_log2_uV = 17;
    for (uint32_t k = 0; k < 12; k++) {
        params.LUT_input_n20[0][k] = 1000;
        params.LUT_input_n20[1][k] = 1001;
        params.LUT_input_n20[2][k] = 1000;
    }
    assert_int_equal(efficiency_input_n20(&params, (1u << 17) - 200, 1), 1000);
    assert_int_equal(efficiency_input_n20(&params, (1u << 17) + 200, 1), 1001);
    assert_int_equal(efficiency_input_n20(&params, (2u << 17) - 200, 1), 1001);
    assert_int_equal(efficiency_input_n20(&params, (2u << 17) + 200, 1), 1000);
}

/* Between two entries nothing jumps. */
static void test_04_efficiencies_are_interpolated(void **state)
{
    struct source_config config;
    struct vsource_params params;
    uint32_t last = 0;

    (void)state;
    scene_source(presets, "BQ25570", &config);
    derive(&config, &params);
    for (uint32_t V_uV = 0; V_uV < 2000000; V_uV += 100) {
        uint32_t eta = efficiency_input_n20(&params.converter, V_uV, 300000);

        /* steepest: 0.45 per bin of 131 mV */
        assert_true(V_uV == 0 || fx_distance_u32(eta, last) < 0x1p20 * 0.45 / 1000);
        last = eta;
    }
}

static void test_05_voltage_moves_without_steps(void **state)
{
    static const struct curve_point input = { 1000000, 100000 }; /* 100 uW */
    struct source_config config = capacitor_source(47, 6.3, 3);
    struct vsource_params params;
    struct vsource source;

    (void)state;
    config.enable_boost = true;
    derive(&config, &params);
    vsource_init(&source, &params);
    for (int i = 0; i < 200000; i++) {
        uint32_t before_uV = source.store.V_uV;

        charge_for(&source, input, 1);
        /* P dt / (C V) is 7.1 uV at 3 V */
        assert_true(source.store.V_uV >= before_uV && source.store.V_uV - before_uV <= 9);
    }
}

static void test_06_charge_of_the_output_capacitor_is_taken(void **state)
{
    static const struct curve_point nothing = { 0, 0 };

    (void)state;
    for (int has_buck = 0; has_buck < 2; has_buck++) {
        struct source_config config = capacitor_source(47, 10, 4);
        struct vsource_params params;
        struct vsource source;
        double expected_V = 0;

        config.C_output_uF = 5;
        config.enable_buck = has_buck;
        config.V_output_mV = 2200;
        derive(&config, &params);
        vsource_init(&source, &params);
        charge_for(&source, nothing, 5000);
        /* without buck both share the charge, with buck the energy of the output is gone */
        expected_V = has_buck ? sqrt(4.0 * 4.0 - 5.0 / 47 * 2.2 * 2.2) : 4.0 * 47 / 52;
        assert_close(source.store.V_uV * 1e-6, expected_V, 1e-4);
        charge_for(&source, nothing, 5000);
        assert_close(source.store.V_uV * 1e-6, expected_V, 1e-4);
    }
}

static void test_07_a_full_store_holds_no_hidden_energy(void **state)
{
    static const struct curve_point strong = { 2000000, 50000000 };
    static const struct curve_point nothing = { 0, 0 };
    struct source_config config;
    struct vsource_params params;
    struct vsource source;
    struct vsource_output output;
    double C_F = 0;

    (void)state;
    scene_source(presets, "BQ25504", &config);
    config.storage.SoC_init = 0.3;
    config.storage.R_leak_Ohm = 0;
    C_F = config.storage.q_As / 6.3;
    derive(&config, &params);
    vsource_init(&source, &params);
    charge_for(&source, strong, 100000);
    assert_close(source.store.V_uV * 1e-6, 3.6, 1e-6);
    for (int i = 1; i <= 10000; i++) {
        vsource_step(&source, nothing, code_of(1e-3), &output);
        /* it falls from the first sample on */
        assert_close(3.6 - output.V_mid_uV * 1e-6, i * 1e-3 * 10e-6 / C_F, 0.002);
    }
}

static void test_08_a_resistor_creates_no_energy(void **state)
{
    static const struct curve_point input = { 1000000, 1000000 };
    struct source_config config = capacitor_source(47, 6.3, 0);
    struct vsource_params params;
    struct vsource source;

    (void)state;
    config.R_input_mOhm = 10000;
    config.V_intermediate_enable_output_threshold_mV = 5000;
    derive(&config, &params);
    vsource_init(&source, &params);
    for (int i = 0; i < 100; i++) {
        charge_for(&source, input, 100);
        assert_true(source.store.V_uV <= 1000000);
    }
    assert_close(source.store.V_uV * 1e-6, 1.0, 1e-3);
}

static void test_09_nothing_is_on_before_the_first_sample(void **state)
{
    static const struct curve_point input = { 3000000, 1000000 };
    struct source_config config = capacitor_source(47, 6.3, 1.9);
    struct vsource_params params;
    struct vsource source;
    struct vsource_output output;

    (void)state;
    config.V_intermediate_enable_output_threshold_mV = 2000;
    config.enable_boost = true;
    derive(&config, &params);
    vsource_init(&source, &params);
    vsource_step(&source, input, code_of(5e-3), &output);
    assert_true(source.converter.P_output_fW_n8 == 0);
    assert_int_equal(output.V_out_uV, 0);
    assert_int_equal(output.target_code, 0);
    assert_false(output.is_power_good);
}

/* Every storage, started 1 mV below the threshold: off until the very sample of the crossing.
 */
static void start_below(const char *name)
{
    static const struct curve_point input = { 3000000, 50000000 };
    struct source_config config = capacitor_source(47, 6.3, 1.9);
    struct vsource_params params;
    struct vsource source;
    struct vsource_output output;
    double start_V = 0;
    bool was_on = false;

    scene_storage(presets, name, &config.storage);
    config.storage.SoC_init = 0.5;
    config.V_intermediate_max_mV = 16000;
    start_V = storage_curve(config.storage.p_VOC, 0.5);
    config.V_intermediate_enable_output_threshold_mV = start_V * 1000 + 1;
    config.V_pwr_good_enable_threshold_mV = start_V * 1000 + 1;
    config.V_pwr_good_disable_threshold_mV = start_V * 1000 - 100;
    config.enable_boost = true;
    derive(&config, &params);
    vsource_init(&source, &params);
    for (int i = 0; i < 100000 && !was_on; i++) {
        vsource_step(&source, input, 0, &output);
        was_on = output.V_mid_uV >= params.converter.V_enable_uV;
        assert_int_equal(output.is_on, was_on);
        assert_int_equal(output.is_power_good, was_on);
        assert_int_equal(output.V_out_uV, was_on ? output.V_mid_uV : 0);
    }
    /* a battery takes hours for a millivolt, unless its resistance lifts it */
    if (config.storage.q_As < 1) {
        assert_true(was_on);
    }
}

static void test_09_storages_start_off_below_the_threshold(void **state)
{
    const char *name = NULL;

    (void)state;
    for (size_t i = 0; (name = presets_name(presets, PRESET_STORAGE, i)) != NULL; i++) {
        start_below(name);
    }
}

/* What remains: the harvester sees the store's voltage once per pass of the curve. The charge
 * that arrives stays within 2 % of what the curve gives at the store's voltage. */
static void test_10_feedback_charges_with_the_curve_at_the_store(void **state)
{
    struct vsource_input input = { 101, 50000, false };
    struct source_config config;
    struct vsource_params params;
    struct vsource source;
    struct vsource_output output;
    struct err err = { 0 };
    double ideal_nA = 0;
    double charged_nA = 0;

    (void)state;
    scene_source(presets, "diode+capacitor", &config);
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
    assert_close(charged_nA, ideal_nA, 0.02);
}

/* What remains is the raster itself: switching happens at the first check at or after the
 * crossing, to the microvolt. */
static void test_11_thresholds_are_exact_on_the_raster(void **state)
{
    struct vsource_converter params;
    struct converter converter;

    (void)state;
    memset(&params, 0, sizeof(params));
    params.flags = VSOURCE_HAS_STORE;
    params.V_enable_uV = 2000000;
    params.V_disable_uV = 1800000;
    params.check_interval_n = 6400;
    converter_init(&converter, &params, 0);
    for (uint32_t n = 0; n < 64000; n++) {
        uint32_t V_uV = n < 32000 ? 1999999 + n % 2 : 1800000 - n % 2;

        /* checks fall on even n: 1999999 there, never on; then 2000000 at 32000 */
        converter_update(&converter, n == 32000 ? 2000000 : V_uV);
        assert_int_equal(converter.is_on, n >= 32000);
    }
    converter_update(&converter, 1799999); /* n = 64000 is a check */
    assert_false(converter.is_on);
}

static void test_12_table_index_does_not_wrap(void **state)
{
    struct vsource_converter params;

    (void)state;
    memset(&params, 0, sizeof(params));
    for (uint32_t i = 0; i < 12; i++) {
        for (uint32_t k = 0; k < 12; k++) {
            params.LUT_input_n20[i][k] = 1000 * i + k;
        }
    }
    for (uint32_t interpolate = 0; interpolate < 2; interpolate++) {
        params.flags = interpolate != 0 ? VSOURCE_INTERPOLATE : 0u;
        for (uint32_t log2 = 0; log2 <= 20; log2++) {
            params.LUT_input_V_log2_uV = log2;
            params.LUT_input_I_log2_nA = log2;
            for (uint32_t V_uV = 12u << log2; V_uV < 16000000; V_uV += 1 + V_uV / 7) {
                assert_int_equal(efficiency_input_n20(&params, V_uV, UINT32_MAX), 11011);
            }
        }
    }
}

static void test_13_recorded_storage_current_is_right(void **state)
{
    static const struct curve_point nothing = { 0, 0 };
    static const struct curve_point input = { 3000000, 2000000 };
    struct source_config config = capacitor_source(1000, 6.3, 3);
    struct vsource_params params;
    struct vsource source;
    struct vsource_output output;

    (void)state;
    config.enable_buck = true;
    config.V_output_mV = 1800;
    config.enable_boost = true;
    derive(&config, &params);
    vsource_init(&source, &params);
    vsource_step(&source, nothing, 0, &output);
    vsource_step(&source, nothing, code_of(5e-3), &output);
    assert_close((double)output.I_mid_offset_nA - 0x1p31,
                 -1.8 * output.I_out_nA / (output.V_mid_uV * 1e-6), 1e-4);
    vsource_step(&source, input, 0, &output);
    assert_close((double)output.I_mid_offset_nA - 0x1p31, 6e6 / (output.V_mid_uV * 1e-6), 1e-4);
}

static void test_14_large_powers_are_not_cut(void **state)
{
    static const struct curve_point inputs[] = {
        {1000000,   1000000000}, /* 1 W */
        { 10000000, 4290000000}, /* 42.9 W */
    };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct source_config config = capacitor_source(100000, 10, 3);
        struct vsource_params params;
        struct vsource source;

        config.enable_boost = true;
        config.I_input_max_mA = 4290;
        derive(&config, &params);
        vsource_init(&source, &params);
        charge_for(&source, inputs[i], 1);
        assert_true(source.converter.P_input_fW_n8
                    == ((uint64_t)inputs[i].voltage_uV * inputs[i].current_nA) << 8);
    }
}

/* 72 W: beyond what a sample's power can hold, it stays at the limit. */
static void test_14_72_W_saturate(void **state)
{
    struct vsource_params params;
    struct source_config config = capacitor_source(100000, 10, 3);
    struct vsource source;
    struct store_flow flow = { 0 };

    (void)state;
    config.enable_buck = true;
    derive(&config, &params);
    vsource_init(&source, &params);
    source.converter.V_out_uV = 16000000;
    source.converter.is_regulated = true;
    converter_output(&source.converter, UINT32_MAX, &flow);

    assert_close((double)source.converter.P_output_fW_n8 / 256, 16e6 * UINT32_MAX, 1e-9);
    source.converter.V_out_uV = 20000000;
    converter_output(&source.converter, UINT32_MAX, &flow);
    assert_true(source.converter.P_output_fW_n8 == UINT64_MAX);
    assert_true(flow.discharge_fW_n8 == UINT64_MAX);
}

static void test_15_extrapolation_does_not_wrap(void **state)
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

static void test_16_large_storages_count_exactly_and_leak(void **state)
{
    static const char *const names[] = { "PL-383562", "LEOCH_LP12-1.2AH",
                                         "Maxwell BCAP0025 P300 X11" };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct source_config config = capacitor_source(47, 6.3, 3);
        struct vsource_params params;
        struct store store;
        struct store_flow flow = { 0 };
        double start_As = 0;
        double V = 0;

        scene_storage(presets, names[i], &config.storage);
        config.V_intermediate_max_mV = 16000;
        derive(&config, &params);
        store_init(&store, &params.store);
        V = storage_curve(config.storage.p_VOC, config.storage.SoC_init);
        start_As = (double)store.soc_n58 / 0x1p58 * config.storage.q_As;
        for (int k = 0; k < 100000; k++) {
            store_flow_init(&store, &flow);
            store_step(&store, &flow);
        }
        assert_close(start_As
                         - ((double)store.soc_n58 / 0x1p58 + store.soc_rest / 0x1p90)
                               * config.storage.q_As,
                     V / config.storage.R_leak_Ohm, 2e-3);
        start_As = (double)store.soc_n58 / 0x1p58 * config.storage.q_As;
        for (int k = 0; k < 100000; k++) {
            store_flow_init(&store, &flow);
            flow.charge_nA_n32 = (uint64_t)(1e9 * N32); /* 1 A */
            store_step(&store, &flow);
        }
        assert_close((double)store.soc_n58 / 0x1p58 * config.storage.q_As - start_As, 1.0,
                     1e-3);
    }
}

static void test_17_capacitance_is_not_rounded(void **state)
{
    static const double C_uF[] = { 1, 10, 100, 1000, 100000 };

    (void)state;
    for (size_t i = 0; i < sizeof(C_uF) / sizeof(C_uF[0]); i++) {
        struct source_config config = capacitor_source(C_uF[i], 10, 2);
        struct vsource_params params;
        struct store store;
        struct store_flow flow = { .charge_nA_n32 = (uint64_t)(C_uF[i] * 1000 * N32) };
        double before = 0;

        derive(&config, &params);
        store_init(&store, &params.store);
        before = store.V_oc_uV_n8;
        for (int k = 0; k < 100000; k++) {
            store_step(&store, &flow); /* 1 V/s */
        }
        assert_close((store.V_oc_uV_n8 - before) / 256e6, 1.0, 1e-7);
    }
}

static void test_18_intervals_reach_over_the_input_s_window(void **state)
{
    struct vsource_input input = { 909, 5507, false };
    struct harvester_config harvester;
    struct vsource_params params;
    struct err err = { 0 };

    (void)state;
    scene_harvester(presets, "mppt_opt", &harvester);
    vsource_derive_defaults(&params);
    assert_int_equal(vsource_derive_harvester(&harvester, &input, &params, &err), 0);
    assert_int_equal(params.harvester.interval_n, 909);
    assert_int_equal(params.harvester.duration_n, 909);
}

static void test_19_converters_are_calibrated_to_half_a_code(void **state)
{
    struct vsource_params params;

    (void)state;
    vsource_derive_defaults(&params);
    for (uint32_t V_uV = 0; V_uV <= 4999000; V_uV += 911) {
        double exact = V_uV * 1e-6 / 5.0 * 65536;

        assert_true(fabs(calib_to_code(&params.dac_target, V_uV) - exact) <= 0.5 + 1e-3);
    }
    assert_close(params.adc_current.factor / 65536.0, 1e9 / 4915200, 1e-7);
    assert_close(params.adc_voltage.factor / 65536.0, 1e6 / 51200, 1e-6);
}

static void test_20_paths_without_boost_conserve_charge(void **state)
{
    static const struct curve_point input = { 3000000, 1000000 };
    static const struct curve_point nothing = { 0, 0 };
    struct source_config config = capacitor_source(100, 6.3, 2);
    struct vsource_params params;
    struct vsource source;
    struct vsource_output output;
    double before = 0;
    double drawn_As = 0;

    (void)state;
    config.V_intermediate_enable_output_threshold_mV = 5000;
    derive(&config, &params);
    vsource_init(&source, &params);
    before = soc_of(&source);
    charge_for(&source, input, 5000);
    assert_close((soc_of(&source) - before) * config.storage.q_As, 1e-3 * 0.05, 1e-6);
    /* the output's drop is paid for: the store gives the target's whole current */
    config.V_buck_drop_mV = 300;
    config.V_intermediate_enable_output_threshold_mV = 1;
    derive(&config, &params);
    vsource_init(&source, &params);
    vsource_step(&source, nothing, 0, &output);
    before = soc_of(&source);
    for (int k = 0; k < 5000; k++) {
        vsource_step(&source, nothing, code_of(1e-3), &output);
        drawn_As += output.I_out_nA * 1e-9 * 10e-6;
    }
    assert_close((before - soc_of(&source)) * config.storage.q_As, drawn_As, 1e-6);
}

static void test_21_resistance_of_a_battery_goes_with_its_size(void **state)
{
    struct storage_config measured = storage_build_lipo(860);
    struct storage_config small = storage_build_lipo(12);

    (void)state;
    assert_close(storage_curve(measured.p_Rs, 0.8), 0.1046, 1e-3);
    for (int i = 0; i <= 10; i++) {
        double soc = i / 10.0;

        assert_close(storage_curve(small.p_Rs, soc),
                     storage_curve(measured.p_Rs, soc) * 860 / 12, 1e-9);
    }
    measured = storage_build_lead_acid(1200);
    small = storage_build_lead_acid(2400);
    assert_close(storage_curve(small.p_Rs, 0.5), storage_curve(measured.p_Rs, 0.5) / 2, 1e-9);
}

static int load_presets(void **state)
{
    struct fault_list faults = { 0 };

    (void)state;
    presets = presets_load(NULL, &faults);
    fault_fini(&faults);
    return presets == NULL ? -1 : 0;
}

static int drop_presets(void **state)
{
    (void)state;
    presets_destroy(&presets);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_01_division_is_right_from_10_mV_to_10_V),
        cmocka_unit_test(test_02_smallest_powers_accumulate),
        cmocka_unit_test(test_03_cold_start_follows_the_physics),
        cmocka_unit_test(test_04_efficiencies_are_not_quantised),
        cmocka_unit_test(test_04_interpolation_rounds_to_nearest),
        cmocka_unit_test(test_04_efficiencies_are_interpolated),
        cmocka_unit_test(test_05_voltage_moves_without_steps),
        cmocka_unit_test(test_06_charge_of_the_output_capacitor_is_taken),
        cmocka_unit_test(test_07_a_full_store_holds_no_hidden_energy),
        cmocka_unit_test(test_08_a_resistor_creates_no_energy),
        cmocka_unit_test(test_09_nothing_is_on_before_the_first_sample),
        cmocka_unit_test(test_09_storages_start_off_below_the_threshold),
        cmocka_unit_test(test_10_feedback_charges_with_the_curve_at_the_store),
        cmocka_unit_test(test_11_thresholds_are_exact_on_the_raster),
        cmocka_unit_test(test_12_table_index_does_not_wrap),
        cmocka_unit_test(test_13_recorded_storage_current_is_right),
        cmocka_unit_test(test_14_large_powers_are_not_cut),
        cmocka_unit_test(test_14_72_W_saturate),
        cmocka_unit_test(test_15_extrapolation_does_not_wrap),
        cmocka_unit_test(test_16_large_storages_count_exactly_and_leak),
        cmocka_unit_test(test_17_capacitance_is_not_rounded),
        cmocka_unit_test(test_18_intervals_reach_over_the_input_s_window),
        cmocka_unit_test(test_19_converters_are_calibrated_to_half_a_code),
        cmocka_unit_test(test_20_paths_without_boost_conserve_charge),
        cmocka_unit_test(test_21_resistance_of_a_battery_goes_with_its_size),
    };

    return cmocka_run_group_tests(tests, load_presets, drop_presets);
}
