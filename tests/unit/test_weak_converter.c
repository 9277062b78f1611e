/* SPDX-License-Identifier: MIT */
/* Of the 21 points at which the incumbent's virtual source is known to be wrong, those of the
 * converter: ours is right there. Point 11 states a bound that remains. */
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

static void test_04_efficiency_quantisation__efficiencies_are_not_quantised(void **state)
{
    static const double etas[] = { 1.0, 0.93, 0.92, 0.73, 0.6, 0.5, 0.1, 0.01 };

    (void)state;
    for (size_t i = 0; i < sizeof(etas) / sizeof(etas[0]); i++) {
        struct source_config config = weak_capacitor_source(10, 10, 3);
        struct vsource_params params;

        for (int k = 0; k < 144; k++) {
            config.LUT_input_efficiency[k] = etas[i];
        }
        for (int k = 0; k < 12; k++) {
            config.LUT_output_efficiency[k] = etas[i];
        }
        weak_derive(&config, &params);
        weak_assert_close(efficiency_input_n20(&params.converter, 1000000, 1000) / 0x1p20,
                          etas[i], 6e-5);
        weak_assert_close(65536.0 / efficiency_output_inverse_n16(&params.converter, 1000),
                          etas[i], 1e-5);
    }
}

/* Between two entries the nearest value is taken, so that no mean is shifted. */
static void test_04_efficiency_quantisation__interpolation_rounds_to_nearest(void **state)
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
static void test_04_efficiency_quantisation__efficiencies_are_interpolated(void **state)
{
    struct source_config config;
    struct vsource_params params;
    uint32_t last = 0;

    scene_source(*state, "BQ25570", &config);
    weak_derive(&config, &params);
    for (uint32_t V_uV = 0; V_uV < 2000000; V_uV += 100) {
        uint32_t eta = efficiency_input_n20(&params.converter, V_uV, 300000);

        /* steepest: 0.45 per bin of 131 mV */
        assert_true(V_uV == 0 || fx_distance_u32(eta, last) < 0x1p20 * 0.45 / 1000);
        last = eta;
    }
}

static void test_08_R_input__a_resistor_creates_no_energy(void **state)
{
    static const struct curve_point input = { 1000000, 1000000 };
    struct source_config config = weak_capacitor_source(47, 6.3, 0);
    struct vsource_params params;
    struct vsource source;

    (void)state;
    config.R_input_mOhm = 10000;
    config.V_intermediate_enable_output_threshold_mV = 5000;
    weak_derive(&config, &params);
    vsource_init(&source, &params);
    for (int i = 0; i < 100; i++) {
        weak_feed(&source, input, 100);
        assert_true(source.store.V_uV <= 1000000);
    }
    weak_assert_close(source.store.V_uV * 1e-6, 1.0, 1e-3);
}

static void test_09_first_sample__nothing_is_on_before_the_first_sample(void **state)
{
    static const struct curve_point input = { 3000000, 1000000 };
    struct source_config config = weak_capacitor_source(47, 6.3, 1.9);
    struct vsource_params params;
    struct vsource source;
    struct vsource_output output;

    (void)state;
    config.V_intermediate_enable_output_threshold_mV = 2000;
    config.enable_boost = true;
    weak_derive(&config, &params);
    vsource_init(&source, &params);
    vsource_step(&source, input, weak_code_of(5e-3), &output);
    assert_true(source.converter.P_output_fW_n8 == 0);
    assert_int_equal(output.V_out_uV, 0);
    assert_int_equal(output.target_code, 0);
    assert_false(output.is_power_good);
}

/* Started 1 mV below the enable threshold: off until the very sample of the crossing. The input
 * grows from nothing, by a two thousandth a sample. */
static void start_below(const char *name, struct source_config *config, bool has_buck)
{
    struct curve_point input = { 5000000, 0 };
    struct vsource_params params;
    struct vsource source;
    struct vsource_output output;
    double start_mV = 1000 * storage_curve(config->storage.p_VOC, config->storage.SoC_init);
    double I_nA = 10;
    uint32_t k = 0;

    config->enable_boost = true;
    config->enable_buck = has_buck;
    config->V_output_mV = 1500;
    config->V_intermediate_max_mV = 16000;
    config->V_intermediate_enable_output_threshold_mV = start_mV + 1;
    config->V_pwr_good_enable_threshold_mV = start_mV + 1;
    config->V_pwr_good_disable_threshold_mV = start_mV - 100;
    weak_begin(config, &params, &source);
    for (bool was_on = false; k < 1000000 && !was_on; k++) {
        vsource_step(&source, input, 0, &output);
        was_on = output.V_mid_uV >= params.converter.V_enable_uV;
        if (output.is_on != was_on || output.is_power_good != was_on
            || (!was_on && (output.V_out_uV != 0 || output.target_code != 0))
            || (was_on && output.V_out_uV != (has_buck ? 1500000 : output.V_mid_uV))) {
            fail_msg("%s: sample %u, V_mid %u, V_out %u, on %d, power-good %d", name, k,
                     output.V_mid_uV, output.V_out_uV, output.is_on, output.is_power_good);
        }
        I_nA *= 1.0005;
        input.current_nA = (uint32_t)fmin(4e9, I_nA);
    }
    if (k < 1000 || k == 1000000) {
        fail_msg("%s: crossed after %u samples", name, k);
    }
}

static void test_09_first_sample__storages_start_off_below_the_threshold(void **state)
{
    const char *name = NULL;

    for (size_t i = 0; (name = presets_name(*state, PRESET_STORAGE, i)) != NULL; i++) {
        for (int has_buck = 0; has_buck < 2; has_buck++) {
            struct source_config config = weak_capacitor_source(47, 6.3, 1.9);

            scene_storage(*state, name, &config.storage);
            config.storage.SoC_init = 0.5;
            start_below(name, &config, has_buck != 0);
        }
    }
}

/* What remains is the raster itself: switching happens at the first check at or after the
 * crossing, to the microvolt. */
static void test_11_64_ms_raster__thresholds_are_exact_on_the_raster(void **state)
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

static void test_12_8_bit_index__table_index_does_not_wrap(void **state)
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

static void test_13_I_mid_log__recorded_storage_current_is_right(void **state)
{
    static const struct curve_point nothing = { 0, 0 };
    static const struct curve_point input = { 3000000, 2000000 };
    struct source_config config = weak_capacitor_source(1000, 6.3, 3);
    struct vsource_params params;
    struct vsource source;
    struct vsource_output output;

    (void)state;
    config.enable_buck = true;
    config.V_output_mV = 1800;
    config.enable_boost = true;
    weak_derive(&config, &params);
    vsource_init(&source, &params);
    vsource_step(&source, nothing, 0, &output);
    vsource_step(&source, nothing, weak_code_of(5e-3), &output);
    weak_assert_close((double)output.I_mid_offset_nA - 0x1p31,
                      -1.8 * output.I_out_nA / (output.V_mid_uV * 1e-6), 1e-4);
    vsource_step(&source, input, 0, &output);
    weak_assert_close((double)output.I_mid_offset_nA - 0x1p31, 6e6 / (output.V_mid_uV * 1e-6),
                      1e-4);
}

static void test_14_powers_in_32_bit__1_W_and_72_W_do_not_wrap(void **state)
{
    static const struct {
        struct curve_point input;
        uint64_t power_fW_n8;
    } cases[] = {
        {{ 1000000, 1000000000 },   1000000000000000ull << 8 }, /* 1 W */
        { { 10000000, 4290000000 }, 42900000000000000ull << 8}, /* 42.9 W, the range's end */
        { { 18000000, 4000000000 }, 72000000000000000ull << 8}, /* 72 W, the format's end */
        { { 20000000, 4000000000 }, UINT64_MAX               }, /* 80 W: at the limit */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct source_config config = weak_capacitor_source(100000, 10, 9);
        struct vsource_params params;
        struct vsource source;
        struct store_flow flow = { 0 };
        double before = 0;

        config.enable_boost = true;
        config.enable_buck = true;
        config.I_input_max_mA = 4290;
        weak_derive(&config, &params);
        params.converter.V_input_max_uV = UINT32_MAX;
        vsource_init(&source, &params);
        before = weak_soc(&source.store);
        weak_feed(&source, cases[i].input, 1);
        assert_true(source.converter.P_input_fW_n8 == cases[i].power_fW_n8);
        /* P / V, as far as the store's current reaches: 4.29 A */
        weak_assert_close((weak_soc(&source.store) - before) * config.storage.q_As,
                          fmin((double)cases[i].power_fW_n8 / 256e15 / 9, 4.294967296) * 10e-6,
                          1e-3);
        source.converter.V_out_uV = cases[i].input.voltage_uV;
        source.converter.is_regulated = true;
        converter_output(&source.converter, cases[i].input.current_nA, &flow);
        assert_true(source.converter.P_output_fW_n8 == cases[i].power_fW_n8);
        assert_true(flow.discharge_fW_n8 == cases[i].power_fW_n8);
    }
}

static void test_19_dac_and_adc_gains__converters_are_calibrated_to_half_a_code(void **state)
{
    struct vsource_params params;

    (void)state;
    vsource_derive_defaults(&params);
    for (uint32_t V_uV = 0; V_uV <= 4999000; V_uV += 911) {
        double exact = V_uV * 1e-6 / 5.0 * 65536;

        assert_true(fabs(calib_to_code(&params.dac_target, V_uV) - exact) <= 0.5 + 1e-3);
    }
    weak_assert_close(params.adc_current.factor / 65536.0, 1e9 / 4915200, 1e-7);
    weak_assert_close(params.adc_voltage.factor / 65536.0, 1e6 / 51200, 1e-6);
}

static void test_20_boost_less_paths__paths_without_boost_conserve_charge(void **state)
{
    static const struct curve_point input = { 3000000, 1000000 };
    static const struct curve_point nothing = { 0, 0 };
    struct source_config config = weak_capacitor_source(100, 6.3, 2);
    struct vsource_params params;
    struct vsource source;
    struct vsource_output output;
    double before = 0;
    double drawn_As = 0;

    (void)state;
    config.V_intermediate_enable_output_threshold_mV = 5000;
    weak_derive(&config, &params);
    vsource_init(&source, &params);
    before = weak_soc(&source.store);
    weak_feed(&source, input, 5000);
    weak_assert_close((weak_soc(&source.store) - before) * config.storage.q_As, 1e-3 * 0.05,
                      1e-6);
    /* the output's drop is paid for: the store gives the target's whole current */
    config.V_buck_drop_mV = 300;
    config.V_intermediate_enable_output_threshold_mV = 1;
    weak_derive(&config, &params);
    vsource_init(&source, &params);
    vsource_step(&source, nothing, 0, &output);
    before = weak_soc(&source.store);
    for (int k = 0; k < 5000; k++) {
        vsource_step(&source, nothing, weak_code_of(1e-3), &output);
        drawn_As += output.I_out_nA * 1e-9 * 10e-6;
    }
    weak_assert_close((before - weak_soc(&source.store)) * config.storage.q_As, drawn_As, 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_04_efficiency_quantisation__efficiencies_are_not_quantised),
        cmocka_unit_test(test_04_efficiency_quantisation__interpolation_rounds_to_nearest),
        cmocka_unit_test(test_04_efficiency_quantisation__efficiencies_are_interpolated),
        cmocka_unit_test(test_08_R_input__a_resistor_creates_no_energy),
        cmocka_unit_test(test_09_first_sample__nothing_is_on_before_the_first_sample),
        cmocka_unit_test(test_09_first_sample__storages_start_off_below_the_threshold),
        cmocka_unit_test(test_11_64_ms_raster__thresholds_are_exact_on_the_raster),
        cmocka_unit_test(test_12_8_bit_index__table_index_does_not_wrap),
        cmocka_unit_test(test_13_I_mid_log__recorded_storage_current_is_right),
        cmocka_unit_test(test_14_powers_in_32_bit__1_W_and_72_W_do_not_wrap),
        cmocka_unit_test(test_19_dac_and_adc_gains__converters_are_calibrated_to_half_a_code),
        cmocka_unit_test(test_20_boost_less_paths__paths_without_boost_conserve_charge),
    };

    return cmocka_run_group_tests(tests, weak_load_presets, weak_drop_presets);
}
