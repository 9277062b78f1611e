/* SPDX-License-Identifier: MIT */
#include "pru/core/store.h"

#include "common/storage_build.h"
#include "common/vsource_derive.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const double UNIT_As = 1e-14; /* 1 nA for a sample */

static void derive(const struct storage_config *storage, double max_mV,
                   struct vsource_params *params)
{
    static const struct vsource_input input = { 0, 0, false };
    struct source_config source;
    struct err err = { 0 };

    schema_defaults(&source_schema, &source);
    source.harvester.algorithm = HARVESTER_NEUTRAL;
    source.storage = *storage;
    source.V_intermediate_max_mV = max_mV;
    vsource_derive_defaults(params);
    if (vsource_derive_source(&source, &input, params, &err) < 0) {
        fail_msg("%s", err.text);
    }
}

static double charge_As(const struct store *store, double q_As)
{
    return ((double)store->soc_n58 / 0x1p58 + store->soc_rest / 0x1p90) * q_As;
}

static void step(struct store *store, double I_nA)
{
    struct store_flow flow;

    store_flow_init(store, &flow);
    flow.charge_nA_n32 += I_nA > 0 ? (uint64_t)(I_nA * 0x1p32) : 0;
    flow.discharge_nA_n32 += I_nA < 0 ? (uint64_t)(-I_nA * 0x1p32) : 0;
    store_step(store, &flow);
}

/* 90 bits: what is taken in pieces too small for 58 is taken all the same. */
static void test_smallest_pieces_add_up_both_ways(void **state)
{
    struct storage_config storage = storage_build_lipo(860);
    struct vsource_params params;

    (void)state;
    storage.R_leak_Ohm = 0;
    derive(&storage, 16000, &params);
    for (int sign = -1; sign <= 1; sign += 2) {
        struct store store;
        double before = 0;

        store_init(&store, &params.store);
        store.soc_n58 = 1ull << 57;
        before = charge_As(&store, storage.q_As);
        for (int k = 0; k < 1000000; k++) {
            step(&store, sign * 0.3); /* a quarter of 2^-58 */
        }
        assert_true(
            fabs((charge_As(&store, storage.q_As) - before) / (sign * 3e5 * UNIT_As) - 1)
            < 1e-2);
        assert_true(llabs((int64_t)(store.soc_n58 - (1ull << 57))) > 1000);
    }
}

static void test_what_a_full_store_takes_is_told(void **state)
{
    struct storage_config storage = storage_build_capacitor(10, 5, 0, 0);
    struct vsource_params params;
    struct store store;
    double before = 0;

    (void)state;
    derive(&storage, 4000, &params);
    store_init(&store, &params.store);
    store.soc_n58 = params.store.soc_max_n58 - (1ull << 45);
    before = charge_As(&store, storage.q_As);
    step(&store, 5e7);
    assert_true(store.soc_n58 == params.store.soc_max_n58);
    assert_true(store.I_taken_nA_n32 < store.I_nA_n32);
    assert_true(fabs((double)store.I_taken_nA_n32 / 0x1p32 * UNIT_As
                         / (charge_As(&store, storage.q_As) - before)
                     - 1)
                < 1e-6);
    step(&store, 5e7);
    assert_true(store.I_taken_nA_n32 == 0);
    assert_true(fabs(store.V_uV - 4e6) < 2);
}

static void test_what_an_empty_store_gives_is_told(void **state)
{
    struct storage_config storage = storage_build_capacitor(10, 5, 0, 0);
    struct vsource_params params;
    struct store store;
    double before = 0;

    (void)state;
    derive(&storage, 5000, &params);
    store_init(&store, &params.store);
    store.soc_n58 = 1ull << 45;
    store.soc_rest = 0;
    before = charge_As(&store, storage.q_As);
    step(&store, -5e7);
    assert_true(store.soc_n58 == 0 && store.soc_rest == 0 && store.is_exhausted);
    assert_int_equal(store.V_uV, 0);
    assert_true(fabs((double)store.I_taken_nA_n32 / 0x1p32 * UNIT_As / before - 1) < 1e-6);
    step(&store, -5e7);
    assert_true(store.I_taken_nA_n32 == 0 && store.is_exhausted);
    step(&store, 1e6);
    assert_true(!store.is_exhausted && store.V_uV > 0);
}

/* Beyond the most it can give, a store collapses and says so; what it gives is bounded. */
static void test_more_power_than_a_store_can_give(void **state)
{
    struct storage_config storage = storage_build_capacitor(1000, 5, 100, 0);
    struct vsource_params params;
    struct store store;
    struct store_flow flow;

    (void)state;
    derive(&storage, 5000, &params);
    store_init(&store, &params.store);
    store.soc_n58 = 1ull << 57; /* 2.5 V behind 100 Ohm: 15.6 mW at most */
    step(&store, 0);
    store_flow_init(&store, &flow);
    flow.discharge_fW_n8 = (uint64_t)15e12 << 8;
    store_step(&store, &flow);
    assert_false(store.is_exhausted);
    assert_true(store.V_uV > 1250000 && store.V_uV < 1600000);
    store_flow_init(&store, &flow);
    flow.discharge_fW_n8 = (uint64_t)17e12 << 8;
    store_step(&store, &flow);
    assert_true(store.is_exhausted);
}

static void test_resistance_shows_at_the_terminals(void **state)
{
    struct storage_config storage = storage_build_capacitor(100000, 5, 10, 0);
    struct vsource_params params;
    struct store store;

    (void)state;
    derive(&storage, 5000, &params);
    store_init(&store, &params.store);
    assert_int_equal(store.V_uV, 4000000);
    step(&store, 1e7); /* 10 mA: 100 mV */
    assert_true(fabs(store.V_uV - 4.1e6) < 3);
    step(&store, -1e7);
    assert_true(fabs(store.V_uV - 3.9e6) < 3);
    step(&store, 0);
    assert_true(fabs(store.V_uV - 4.0e6) < 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_smallest_pieces_add_up_both_ways),
        cmocka_unit_test(test_what_a_full_store_takes_is_told),
        cmocka_unit_test(test_what_an_empty_store_gives_is_told),
        cmocka_unit_test(test_more_power_than_a_store_can_give),
        cmocka_unit_test(test_resistance_shows_at_the_terminals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
