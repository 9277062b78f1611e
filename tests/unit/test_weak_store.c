/* SPDX-License-Identifier: MIT */
/* Of the 21 points at which the incumbent's virtual source is known to be wrong, those of the
 * store: ours is right there. */
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

/* Power by voltage, in both directions, for powers that do not move the voltage meanwhile. */
static void divide(const struct vsource_params *params, double V, uint64_t power_fW,
                   bool is_charging)
{
    struct store_flow flow;
    struct store store;
    double V_now = 0;

    store_init(&store, &params->store);
    store.soc_n58 = (uint64_t)(V / 10 * 0x1p58);
    store_flow_init(&store, &flow); /* no leakage here */
    store_step(&store, &flow);      /* the voltage is looked up at the end of a step */
    store_flow_init(&store, &flow);
    V_now = store.V_oc_uV_n8 / 256e6;
    flow.charge_fW_n8 = is_charging ? power_fW << 8 : 0;
    flow.discharge_fW_n8 = is_charging ? 0 : power_fW << 8;
    store_step(&store, &flow);
    weak_assert_close((double)store.I_nA_n32 / 0x1p32, (double)power_fW * 1e-6 / V_now, 1e-3);
}

static void test_01_division_table__division_is_right_from_10_mV_to_10_V(void **state)
{
    struct vsource_params params;
    struct source_config config = weak_capacitor_source(100000, 10, 0);

    (void)state;
    weak_derive(&config, &params);
    for (int i = 0; i <= 540; i++) {
        double V = 0.01 * pow(1000, i / 540.0);

        for (uint64_t power_fW = 1000; power_fW <= 1000000000; power_fW *= 1000) {
            divide(&params, fmin(V, 9.999), power_fW, false);
            divide(&params, fmin(V, 9.999), power_fW, true);
        }
    }
}

static void accumulate(const struct source_config *config, struct curve_point input)
{
    struct vsource_params params;
    struct vsource source;
    double power_W = input.voltage_uV * 1e-6 * input.current_nA * 1e-9;
    double V = storage_curve(config->storage.p_VOC, config->storage.SoC_init);
    uint64_t before_n58 = 0;
    uint32_t before_rest = 0;
    double gained = 0;

    weak_begin(config, &params, &source);
    before_n58 = source.store.soc_n58;
    before_rest = source.store.soc_rest;
    weak_feed(&source, input, 20000);
    gained = (double)(source.store.soc_n58 - before_n58) / 0x1p58
             + ((double)source.store.soc_rest - before_rest) / 0x1p90;
    /* what lies below 2^-90 of the capacity is cut off: 0.4 % of 1 fW in a battery of 1.2 Ah */
    weak_assert_close(gained * config->storage.q_As, 0.2 * power_W / V,
                      2e-3 + config->storage.q_As / 0x1p90 / (power_W / V * 10e-6));
}

/* In every storage, from 10 uF to the battery of 1.2 Ah; the leak that is larger is left out.
 */
static void test_02_current_resolution__smallest_powers_accumulate(void **state)
{
    static const struct curve_point inputs[] = {
        {1,   1  }, /* 1 fW */
        { 19, 195}, /* 195 nA x 19 uV = 3.7 pW */
    };
    const char *name = NULL;

    for (size_t i = 0; (name = presets_name(*state, PRESET_STORAGE, i)) != NULL; i++) {
        struct source_config config = weak_capacitor_source(10, 10, 3);

        scene_storage(*state, name, &config.storage);
        config.storage.R_leak_Ohm = 0;
        config.storage.SoC_init = 0.5;
        config.V_intermediate_max_mV = 16000;
        config.V_intermediate_enable_output_threshold_mV = 16000;
        config.enable_boost = true;
        accumulate(&config, inputs[0]);
        accumulate(&config, inputs[1]);
    }
}

static void test_03_cold_start__cold_start_follows_the_physics(void **state)
{
    static const struct curve_point input = { 1000000, 10000000 }; /* 10 mW */
    struct source_config config = weak_capacitor_source(10, 10, 0);
    struct vsource_params params;
    struct vsource source;

    (void)state;
    config.enable_boost = true;
    config.V_intermediate_enable_output_threshold_mV = 10000;
    weak_derive(&config, &params);
    vsource_init(&source, &params);
    for (int n = 1; n < 4000; n++) {
        weak_feed(&source, input, 1);
        /* C V^2 / 2 = P t */
        weak_assert_close(source.store.V_uV * 1e-6, sqrt(2 * 0.01 * n * 10e-6 / 10e-6), 1e-4);
    }
}

static void test_05_V_OC_staircase__voltage_moves_without_steps(void **state)
{
    static const struct curve_point input = { 1000000, 100000 }; /* 100 uW */
    struct source_config config = weak_capacitor_source(47, 6.3, 3);
    struct vsource_params params;
    struct vsource source;

    (void)state;
    config.enable_boost = true;
    weak_derive(&config, &params);
    vsource_init(&source, &params);
    for (int i = 0; i < 200000; i++) {
        uint32_t before_uV = source.store.V_uV;

        weak_feed(&source, input, 1);
        /* P dt / (C V) is 7.1 uV at 3 V */
        assert_true(source.store.V_uV >= before_uV && source.store.V_uV - before_uV <= 9);
    }
}

static void test_06_switch_on_drop__charge_of_the_output_capacitor_is_taken(void **state)
{
    static const struct curve_point nothing = { 0, 0 };

    (void)state;
    for (int has_buck = 0; has_buck < 2; has_buck++) {
        struct source_config config = weak_capacitor_source(47, 10, 4);
        struct vsource_params params;
        struct vsource source;
        double expected_V = 0;

        config.C_output_uF = 5;
        config.enable_buck = has_buck;
        config.V_output_mV = 2200;
        weak_derive(&config, &params);
        vsource_init(&source, &params);
        weak_feed(&source, nothing, 5000);
        /* without buck both share the charge, with buck the energy of the output is gone */
        expected_V = has_buck ? sqrt(4.0 * 4.0 - 5.0 / 47 * 2.2 * 2.2) : 4.0 * 47 / 52;
        weak_assert_close(source.store.V_uV * 1e-6, expected_V, 1e-4);
        weak_feed(&source, nothing, 5000);
        weak_assert_close(source.store.V_uV * 1e-6, expected_V, 1e-4);
    }
}

static void test_07_V_mid_max__a_full_store_holds_no_hidden_energy(void **state)
{
    static const struct curve_point strong = { 2000000, 50000000 };
    static const struct curve_point nothing = { 0, 0 };
    struct source_config config;
    struct vsource_params params;
    struct vsource source;
    struct vsource_output output;
    double C_F = 0;

    scene_source(*state, "BQ25504", &config);
    config.storage.SoC_init = 0.3;
    config.storage.R_leak_Ohm = 0;
    C_F = config.storage.q_As / 6.3;
    weak_derive(&config, &params);
    vsource_init(&source, &params);
    weak_feed(&source, strong, 100000);
    weak_assert_close(source.store.V_uV * 1e-6, 3.6, 1e-6);
    for (int i = 1; i <= 10000; i++) {
        vsource_step(&source, nothing, weak_code_of(1e-3), &output);
        /* it falls from the first sample on */
        weak_assert_close(3.6 - output.V_mid_uV * 1e-6, i * 1e-3 * 10e-6 / C_F, 0.002);
    }
}

static void test_16_large_storages__large_storages_count_exactly_and_leak(void **state)
{
    const char *name = NULL;

    for (size_t i = 0; (name = presets_name(*state, PRESET_STORAGE, i)) != NULL; i++) {
        struct source_config config = weak_capacitor_source(47, 6.3, 3);
        struct vsource_params params;
        struct store store;
        struct store_flow flow = { 0 };
        double start_As = 0;
        double V = 0;

        scene_storage(*state, name, &config.storage);
        if (config.storage.q_As < 10) {
            continue;
        }
        config.V_intermediate_max_mV = 16000;
        weak_derive(&config, &params);
        store_init(&store, &params.store);
        V = storage_curve(config.storage.p_VOC, config.storage.SoC_init);
        start_As = (double)store.soc_n58 / 0x1p58 * config.storage.q_As;
        for (int k = 0; k < 100000; k++) {
            store_flow_init(&store, &flow);
            store_step(&store, &flow);
        }
        weak_assert_close(start_As
                              - ((double)store.soc_n58 / 0x1p58 + store.soc_rest / 0x1p90)
                                    * config.storage.q_As,
                          V / config.storage.R_leak_Ohm, 2e-3);
        start_As = (double)store.soc_n58 / 0x1p58 * config.storage.q_As;
        for (int k = 0; k < 100000; k++) {
            store_flow_init(&store, &flow);
            flow.charge_nA_n32 = (uint64_t)(1e9 * 0x1p32); /* 1 A */
            store_step(&store, &flow);
        }
        weak_assert_close((double)store.soc_n58 / 0x1p58 * config.storage.q_As - start_As, 1.0,
                          1e-3);
    }
}

static void test_17_constant_us_per_nF__capacitance_is_not_rounded(void **state)
{
    static const double C_uF[] = { 1, 10, 100, 1000, 100000 };

    (void)state;
    for (size_t i = 0; i < sizeof(C_uF) / sizeof(C_uF[0]); i++) {
        struct source_config config = weak_capacitor_source(C_uF[i], 10, 2);
        struct vsource_params params;
        struct store store;
        struct store_flow flow = { .charge_nA_n32 = (uint64_t)(C_uF[i] * 1000 * 0x1p32) };
        double before = 0;

        weak_derive(&config, &params);
        store_init(&store, &params.store);
        before = store.V_oc_uV_n8;
        for (int k = 0; k < 100000; k++) {
            store_step(&store, &flow); /* 1 V/s */
        }
        weak_assert_close((store.V_oc_uV_n8 - before) / 256e6, 1.0, 1e-7);
    }
}

static void test_21_resistance_of_batteries__resistance_of_a_battery_goes_with_its_size(
    void **state)
{
    struct storage_config measured = storage_build_lipo(860);
    struct storage_config small = storage_build_lipo(12);

    (void)state;
    weak_assert_close(storage_curve(measured.p_Rs, 0.8), 0.1046, 1e-3);
    for (int i = 0; i <= 10; i++) {
        double soc = i / 10.0;

        weak_assert_close(storage_curve(small.p_Rs, soc),
                          storage_curve(measured.p_Rs, soc) * 860 / 12, 1e-9);
    }
    measured = storage_build_lead_acid(1200);
    small = storage_build_lead_acid(2400);
    weak_assert_close(storage_curve(small.p_Rs, 0.5), storage_curve(measured.p_Rs, 0.5) / 2,
                      1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_01_division_table__division_is_right_from_10_mV_to_10_V),
        cmocka_unit_test(test_02_current_resolution__smallest_powers_accumulate),
        cmocka_unit_test(test_03_cold_start__cold_start_follows_the_physics),
        cmocka_unit_test(test_05_V_OC_staircase__voltage_moves_without_steps),
        cmocka_unit_test(test_06_switch_on_drop__charge_of_the_output_capacitor_is_taken),
        cmocka_unit_test(test_07_V_mid_max__a_full_store_holds_no_hidden_energy),
        cmocka_unit_test(test_16_large_storages__large_storages_count_exactly_and_leak),
        cmocka_unit_test(test_17_constant_us_per_nF__capacitance_is_not_rounded),
        cmocka_unit_test(
            test_21_resistance_of_batteries__resistance_of_a_battery_goes_with_its_size),
    };

    return cmocka_run_group_tests(tests, weak_load_presets, weak_drop_presets);
}
