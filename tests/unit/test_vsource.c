/* SPDX-License-Identifier: MIT */
#include "pru/core/vsource.h"

#include "common/vsource_derive.h"
#include "tests/support/vsource_ref.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct node_config emulation(void)
{
    struct node_config config;

    memset(&config, 0, sizeof(config));
    config.mode = MODE_EMULATE;
    schema_defaults(&source_schema, &config.source);
    config.source.harvester.algorithm = HARVESTER_NEUTRAL;
    return config;
}

static void open_source(const struct node_config *config, struct vsource_params *params,
                        struct vsource *source)
{
    struct calibration cal = calibration_default();
    struct err err = { 0 };

    if (vsource_derive(config, &cal, params, &err) < 0) {
        fail_msg("%s", err.text);
    }
    vsource_init(source, params);
}

/* With neutral settings what goes in comes out to the LSB. */
static void test_neutral_is_a_wire(void **state)
{
    struct node_config config = emulation();
    struct vsource_params params;
    struct vsource source;
    struct vsource_output output;

    (void)state;
    open_source(&config, &params, &source);
    for (uint32_t V_uV = 1000; V_uV < 5000000; V_uV += 997) {
        struct curve_point input = { V_uV, 1000000 };

        vsource_step(&source, input, 5000, &output);
        assert_int_equal(output.V_out_uV, V_uV);
        assert_int_equal(output.target_code, calib_to_code(&params.dac_target, V_uV));
        assert_int_equal(output.I_mid_offset_nA, 1u << 31);
        assert_false(output.is_clamped);
    }
}

/* A neutral boost stage and a neutral buck lose nothing. */
static void test_neutral_converter_conserves_energy(void **state)
{
    struct node_config config = emulation();
    struct vsource_params params;
    struct vsource source;
    struct vsource_output output;
    double E_in = 0;
    double E_out = 0;
    double before = 0;
    double after = 0;

    (void)state;
    config.source.storage = storage_capacitor(100, 5, 3);
    config.source.enable_boost = true;
    config.source.enable_buck = true;
    config.source.V_output_mV = 2000;
    config.source.C_output_uF = 0;
    open_source(&config, &params, &source);
    before = vsource_ref_energy(&config.source.storage, 0.6);
    for (int k = 0; k < 1000000; k++) {
        struct curve_point input = { 1500000, (uint32_t)(k % 7000 < 3000 ? 4000000 : 1000000) };

        vsource_step(&source, input, k % 5000 < 2500 ? 13500 : 3000, &output);
        E_in += 1.5 * input.current_nA * 1e-9 * 1e-5;
        E_out += (double)source.converter.P_output_fW_n8 / 256 * 1e-15 * 1e-5;
    }
    after = vsource_ref_energy(&config.source.storage, (double)source.store.soc_n58 / 0x1p58);
    assert_true(output.is_on);
    assert_true(fabs(before + E_in - E_out - after) < 1e-4 * E_in);
}

static void test_start_power_supplies_first(void **state)
{
    struct node_config config = emulation();
    struct vsource_params params;
    struct vsource source;
    struct vsource_output output;
    static const struct curve_point nothing = { 0, 0 };

    (void)state;
    config.source.storage = storage_capacitor(100, 5, 2);
    config.source.C_output_uF = 0;
    config.start_power_ms = 5;
    config.start_power_mV = 3000;
    open_source(&config, &params, &source);
    for (int k = 0; k < 1000; k++) {
        vsource_step(&source, nothing, 40000, &output);
        assert_int_equal(output.is_starting, k < 500);
        if (k < 500) {
            assert_int_equal(output.V_out_uV, 3000000);
            assert_int_equal(output.V_mid_uV, 2000000); /* not from the store */
        }
    }
    assert_true(output.V_mid_uV < 2000000);
    assert_int_equal(output.V_out_uV, output.V_mid_uV);
}

static void test_start_up_delay_ignores_what_is_drawn(void **state)
{
    struct node_config config = emulation();
    struct vsource_params params;
    struct vsource source;
    struct vsource_output output;
    static const struct curve_point nothing = { 0, 0 };

    (void)state;
    config.source.storage = storage_capacitor(100, 5, 2);
    config.source.C_output_uF = 0;
    config.source.interval_startup_delay_drain_ms = 2;
    config.source.V_intermediate_enable_output_threshold_mV = 4000;
    open_source(&config, &params, &source);
    for (int k = 0; k < 400; k++) {
        vsource_step(&source, nothing, 40000, &output);
        assert_int_equal(output.V_mid_uV, 2000000);
        assert_int_equal(output.V_out_uV, k < 199 ? 2000000 : 0); /* then off: too low */
    }
}

static void test_other_port_follows(void **state)
{
    static const struct {
        enum aux_source source;
        double fixed_mV;
        double expected_V;
    } cases[] = {
        {AUX_FIXED,    0,    0    },
        { AUX_FIXED,   1234, 1.234},
        { AUX_MIRROR,  0,    1.8  },
        { AUX_STORAGE, 0,    3.0  },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct node_config config = emulation();
        static const struct curve_point nothing = { 0, 0 };
        struct vsource_params params;
        struct vsource source;
        struct vsource_output output;

        config.source.storage = storage_capacitor(100, 5, 3);
        config.source.enable_buck = true;
        config.source.V_output_mV = 1800;
        config.source.C_output_uF = 0;
        config.aux_source = cases[i].source;
        config.voltage_aux_mV = cases[i].fixed_mV;
        open_source(&config, &params, &source);
        vsource_step(&source, nothing, 0, &output);
        assert_true(fabs(output.aux_code * 5.0 / 65536 - cases[i].expected_V) < 1e-3);
    }
}

/* The last bins are open: the table ends where the converter's own limits clip. */
static void test_outside_a_table_is_flagged(void **state)
{
    struct node_config config = emulation();
    struct vsource_params params;
    struct vsource source;
    struct vsource_output output;
    struct curve_point input = { 1000000, 1000 };

    (void)state;
    config.source.storage = storage_capacitor(100, 5, 3);
    config.source.enable_boost = true;
    config.source.LUT_input_efficiency[0] = 0.5;
    config.source.LUT_input_V_min_log2_uV = 17;
    config.source.LUT_input_I_min_log2_nA = 13;
    config.source.V_input_max_mV = 5100;
    config.source.I_input_max_mA = 100;
    config.source.V_input_drop_mV = 300;
    open_source(&config, &params, &source);
    vsource_step(&source, input, 0, &output);
    assert_false(output.is_clamped);
    input.voltage_uV = 5400000;
    input.current_nA = 100000000;
    vsource_step(&source, input, 0, &output);
    assert_false(output.is_clamped);
    input.voltage_uV++;
    vsource_step(&source, input, 0, &output);
    assert_true(output.is_clamped);
    assert_int_equal(source.converter.V_input_uV, 5100000);
    input.voltage_uV = 1000000;
    input.current_nA++;
    vsource_step(&source, input, 0, &output);
    assert_true(output.is_clamped);
    input.current_nA = 0;
    vsource_step(&source, input, 0, &output);
    assert_false(output.is_clamped);
}

static void test_storage_current_has_its_zero_in_the_middle(void **state)
{
    struct node_config config = emulation();
    struct vsource_params params;
    struct vsource source;
    struct vsource_output output;
    static const struct curve_point input = { 4000000, 700000 };

    (void)state;
    config.source.storage = storage_capacitor(1000, 5, 3);
    config.source.V_intermediate_enable_output_threshold_mV = 4900;
    open_source(&config, &params, &source);
    vsource_step(&source, input, 0, &output);
    assert_int_equal(output.I_mid_offset_nA, (1u << 31) + 700000);
    config.source.I_intermediate_leak_nA = 900000;
    open_source(&config, &params, &source);
    vsource_step(&source, input, 0, &output);
    assert_int_equal(output.I_mid_offset_nA, (1u << 31) - 200000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_neutral_is_a_wire),
        cmocka_unit_test(test_neutral_converter_conserves_energy),
        cmocka_unit_test(test_start_power_supplies_first),
        cmocka_unit_test(test_start_up_delay_ignores_what_is_drawn),
        cmocka_unit_test(test_other_port_follows),
        cmocka_unit_test(test_outside_a_table_is_flagged),
        cmocka_unit_test(test_storage_current_has_its_zero_in_the_middle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
