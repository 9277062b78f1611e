/* SPDX-License-Identifier: MIT */
#include "pru/core/converter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A neutral converter at a store of V_mid without resistance. */
struct bench {
    struct vsource_converter params;
    struct vsource_store store_params;
    struct converter converter;
    struct store store;
    struct store_flow flow;
};

static void set_up(struct bench *b, uint32_t flags, uint32_t V_mid_uV)
{
    memset(b, 0, sizeof(*b));
    b->params.flags = flags | VSOURCE_HAS_STORE;
    b->params.V_input_max_uV = 10000000;
    b->params.I_input_max_nA = UINT32_MAX;
    b->params.V_enable_uV = 1000;
    for (int i = 0; i < VSOURCE_TABLE_SIZE; i++) {
        b->params.LUT_output_inverse_n16[i] = 65536;
        for (int k = 0; k < VSOURCE_TABLE_SIZE; k++) {
            b->params.LUT_input_n20[i][k] = 1u << 20;
        }
    }
    store_init(&b->store, &b->store_params);
    b->store.V_oc_uV_n8 = V_mid_uV << 8;
    converter_init(&b->converter, &b->params, V_mid_uV);
    store_flow_init(&b->store, &b->flow);
}

static void input(struct bench *b, uint32_t V_uV, uint32_t I_nA)
{
    struct curve_point point = { V_uV, I_nA };

    store_flow_init(&b->store, &b->flow);
    converter_input(&b->converter, &b->store, point, &b->flow);
}

static void test_boost_delivers_power_above_its_threshold(void **state)
{
    struct bench b;

    (void)state;
    set_up(&b, VSOURCE_HAS_BOOST, 3000000);
    b.params.V_input_boost_threshold_uV = 130000;
    b.params.V_input_drop_uV = 20000;
    b.params.I_input_max_nA = 5000;
    input(&b, 149999, 1000);
    assert_true(b.flow.charge_fW_n8 == 0);
    input(&b, 150000, 1000);
    assert_true(b.flow.charge_fW_n8 == 130000000ull << 8);
    input(&b, 150000, 9000);
    assert_true(b.flow.charge_fW_n8 == 5ull * 130000000 << 8);
    b.params.V_input_max_uV = 200000;
    input(&b, 4000000, 1000);
    assert_true(b.flow.charge_fW_n8 == 200000000ull << 8);
    assert_true(b.flow.charge_nA_n32 == 0);
}

static void test_a_diode_passes_current_forward_only(void **state)
{
    struct bench b;

    (void)state;
    set_up(&b, 0, 3000000);
    b.params.V_input_drop_uV = 300000;
    input(&b, 3300001, 1000);
    assert_true(b.flow.charge_nA_n32 == 1000ull << 32 && b.flow.charge_fW_n8 == 0);
    input(&b, 3300000, 1000);
    assert_true(b.flow.charge_nA_n32 == 0);
    /* 100 Ohm and 50 mV: 500 uA at most */
    b.params.R_input_kOhm_n28 = 1u << 28;
    b.params.R_input_kOhm_n28 /= 10;
    input(&b, 3350000, 1000000);
    assert_true(b.flow.charge_nA_n32 >> 32 >= 499999 && b.flow.charge_nA_n32 >> 32 <= 500001);
}

static void test_feedback_asks_for_the_store_and_creates_nothing(void **state)
{
    struct bench b;

    (void)state;
    set_up(&b, VSOURCE_HAS_FEEDBACK, 3000000);
    b.params.V_input_drop_uV = 300000;
    input(&b, 3305000, 1000);
    assert_int_equal(b.converter.V_request_uV, 3300000);
    assert_true(b.flow.charge_nA_n32 == 1000ull << 32 && b.flow.charge_fW_n8 == 0);
    input(&b, 3295000, 1000);
    assert_true(b.flow.charge_nA_n32 == 0);
    assert_true(b.flow.charge_fW_n8 == 2995000000ull << 8);
}

static void test_a_buck_passes_at_least_the_current_in_drop_out(void **state)
{
    struct bench b;

    (void)state;
    set_up(&b, VSOURCE_HAS_BUCK, 2000000);
    b.params.V_output_uV = 2200000;
    b.params.V_buck_drop_uV = 200000;
    converter_update(&b.converter, 2000000);
    assert_int_equal(b.converter.V_out_uV, 1800000);
    assert_false(b.converter.is_regulated);
    converter_output(&b.converter, 1000, &b.flow);
    assert_true(b.flow.discharge_fW_n8 == 2000000000ull << 8);
    b.params.LUT_output_inverse_n16[VSOURCE_TABLE_SIZE - 1] = 3u << 16;
    store_flow_init(&b.store, &b.flow);
    converter_output(&b.converter, 1u << 20, &b.flow);
    assert_true(b.flow.discharge_fW_n8 == 3ull * 1800000 * (1u << 20) << 8);
    converter_update(&b.converter, 3000000);
    assert_int_equal(b.converter.V_out_uV, 2200000);
    assert_true(b.converter.is_regulated);
}

static void test_power_good_has_its_hysteresis_to_the_microvolt(void **state)
{
    static const struct {
        uint32_t V_uV;
        bool is_good;
    } course[] = {
        {2799999,  false},
        { 2800000, true },
        { 2200001, true },
        { 2200000, false},
        { 2799999, false},
        { 2800000, true },
        { 900,     false}, /* with the output, which needs 1
  mV */
        { 2799999, false},
    };
    struct bench b;

    (void)state;
    set_up(&b, VSOURCE_PG_IMMEDIATE, 0);
    b.params.V_disable_uV = 1000;
    b.params.V_pwr_good_enable_uV = 2800000;
    b.params.V_pwr_good_disable_uV = 2200000;
    for (size_t i = 0; i < sizeof(course) / sizeof(course[0]); i++) {
        converter_update(&b.converter, course[i].V_uV);
        assert_int_equal(b.converter.is_power_good, course[i].is_good);
    }
    /* equal thresholds: on the line it stays as it was */
    b.params.V_pwr_good_disable_uV = 2800000;
    converter_update(&b.converter, 2800000);
    assert_false(b.converter.is_power_good);
    converter_update(&b.converter, 2800001);
    assert_true(b.converter.is_power_good);
    converter_update(&b.converter, 2800000);
    assert_true(b.converter.is_power_good);
}

static void test_power_good_waits_for_the_raster_unless_immediate(void **state)
{
    struct bench b;

    (void)state;
    set_up(&b, 0, 0);
    b.params.check_interval_n = 10;
    b.params.V_pwr_good_enable_uV = 2000000;
    converter_update(&b.converter, 1500000); /* the first sample is a check */
    assert_true(b.converter.is_on);
    for (int i = 1; i < 10; i++) {
        converter_update(&b.converter, 2500000);
        assert_false(b.converter.is_power_good);
    }
    converter_update(&b.converter, 2500000);
    assert_true(b.converter.is_power_good);
}

static void test_saturation_instead_of_wrapping(void **state)
{
    struct bench b;

    (void)state;
    set_up(&b, VSOURCE_HAS_BOOST, 3000000);
    b.params.V_input_max_uV = UINT32_MAX;
    input(&b, UINT32_MAX, UINT32_MAX);
    assert_true(b.flow.charge_fW_n8 == UINT64_MAX);
    set_up(&b, VSOURCE_HAS_FEEDBACK, 3000000);
    b.params.V_input_max_uV = UINT32_MAX;
    b.params.V_input_drop_uV = UINT32_MAX;
    b.params.R_input_kOhm_n28 = UINT32_MAX;
    input(&b, UINT32_MAX, UINT32_MAX);
    assert_int_equal(b.converter.V_request_uV, UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_boost_delivers_power_above_its_threshold),
        cmocka_unit_test(test_a_diode_passes_current_forward_only),
        cmocka_unit_test(test_feedback_asks_for_the_store_and_creates_nothing),
        cmocka_unit_test(test_a_buck_passes_at_least_the_current_in_drop_out),
        cmocka_unit_test(test_power_good_has_its_hysteresis_to_the_microvolt),
        cmocka_unit_test(test_power_good_waits_for_the_raster_unless_immediate),
        cmocka_unit_test(test_saturation_instead_of_wrapping),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
