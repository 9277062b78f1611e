/* SPDX-License-Identifier: MIT */
/* Random and extreme parameters of the virtual source; the invariants of vsource_watch hold in
 * every sample. BW_PROPERTY_SETS=10000 in the environment: the whole of it, for nightly runs;
 * otherwise a tenth, from the same seeds. */
#include "common/vsource_derive.h"
#include "tests/support/scene.h"
#include "tests/support/vsource_watch.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    N_SAMPLES = 10000
};

static uint32_t n_sets = 1000;
static bool is_whole;

static double uniform(uint32_t *seed, double low, double high)
{
    return low + (high - low) * (scene_random(seed) / 4294967296.0);
}

static double log_uniform(uint32_t *seed, double low, double high)
{
    return exp(uniform(seed, log(low), log(high)));
}

static bool chance(uint32_t *seed, double probability)
{
    return uniform(seed, 0, 1) < probability;
}

static void random_tables(struct source_config *s, uint32_t *seed)
{
    for (int i = 0; i < 144; i++) {
        s->LUT_input_efficiency[i] = uniform(seed, 0, 1);
    }
    for (int i = 0; i < 12; i++) {
        s->LUT_output_efficiency[i] = uniform(seed, 0.01, 1);
    }
    s->LUT_input_V_min_log2_uV = scene_random(seed) % 21;
    s->LUT_input_I_min_log2_nA = 1 + scene_random(seed) % 20;
    s->LUT_output_I_min_log2_nA = 1 + scene_random(seed) % 20;
    s->interpolate_LUT = chance(seed, 0.7);
}

static void random_storage(struct storage_config *storage, uint32_t *seed)
{
    double rated_V = uniform(seed, 3, 10);
    double start_V = uniform(seed, 0, rated_V);

    *storage = storage_capacitor(log_uniform(seed, 2, 60), rated_V, start_V);
    if (chance(seed, 0.5)) {
        storage->p_Rs[2] = log_uniform(seed, 0.01, 50);
    }
    if (chance(seed, 0.5)) {
        storage->R_leak_Ohm = log_uniform(seed, 1e3, 1e9);
    }
    if (chance(seed, 0.2)) {
        storage->q_As *= 20;
        storage->p_VOC[2] = uniform(seed, 0, 3);
        storage->p_VOC[4] = uniform(seed, 0, rated_V / 3);
    }
}

/* Mostly such that a threshold is crossed within 0.1 s: small stores, thresholds around where
 * the voltage starts. */
static void random_source(struct source_config *s, uint32_t *seed)
{
    double V_mV = 0;

    schema_defaults(&source_schema, s);
    random_storage(&s->storage, seed);
    V_mV = storage_curve(s->storage.p_VOC, s->storage.SoC_init) * 1000;
    s->harvester.algorithm = HARVESTER_NEUTRAL;
    s->enable_boost = chance(seed, 0.5);
    s->enable_buck = chance(seed, 0.5);
    s->V_input_max_mV = uniform(seed, 500, 10000);
    s->I_input_max_mA = log_uniform(seed, 0.1, 4200);
    s->V_input_drop_mV = chance(seed, 0.3) ? uniform(seed, 0, 800) : 0;
    s->R_input_mOhm = chance(seed, 0.3) ? log_uniform(seed, 1, 1e6) : 0;
    s->V_intermediate_enable_output_threshold_mV = fmin(10000, V_mV * uniform(seed, 0.4, 1.05));
    s->V_intermediate_disable_output_threshold_mV =
        s->V_intermediate_enable_output_threshold_mV * uniform(seed, 0.5, 1);
    s->interval_check_thresholds_ms = chance(seed, 0.5) ? log_uniform(seed, 0.01, 20) : 0;
    s->V_pwr_good_enable_threshold_mV = fmin(10000, V_mV * uniform(seed, 0.5, 1.1));
    s->V_pwr_good_disable_threshold_mV =
        s->V_pwr_good_enable_threshold_mV * uniform(seed, 0.6, 1);
    s->immediate_pwr_good_signal = chance(seed, 0.5);
    s->C_output_uF = chance(seed, 0.7) ? log_uniform(seed, 0.01, 3) : 0;
    s->V_intermediate_max_mV = uniform(seed, 2000, 10000);
    s->V_output_mV = fmin(5000, chance(seed, 0.9) ? V_mV * uniform(seed, 0.1, 0.85) : 5000);
    s->V_buck_drop_mV = chance(seed, 0.5) ? uniform(seed, 0, 0.15) * V_mV : 0;
    s->V_input_boost_threshold_mV = chance(seed, 0.5) ? uniform(seed, 0, 500) : 0;
    s->interval_startup_delay_drain_ms = chance(seed, 0.2) ? uniform(seed, 0, 20) : 0;
    s->I_intermediate_leak_nA = chance(seed, 0.3) ? log_uniform(seed, 1, 1e6) : 0;
    if (chance(seed, 0.7)) {
        random_tables(s, seed);
    }
}

/* Input and load of a run: stretches of random height. */
static struct curve_point random_input(uint32_t *seed)
{
    struct curve_point point = { 0, 0 };

    if (chance(seed, 0.7)) {
        point.voltage_uV = (uint32_t)log_uniform(seed, 1, 6e6);
        point.current_nA = (uint32_t)log_uniform(seed, 1, 8e7);
    }
    return point;
}

/* -1: refused by the derivation, 0: no threshold crossed, 1: crossed. */
static int run(const struct source_config *source, uint32_t seed, const char *what)
{
    static const struct vsource_input SAMPLES = { 0, 0, false };
    static struct vsource_params params;
    static struct vsource_watch watch;
    struct source_config finished = *source;
    struct curve_point input = { 0, 0 };
    uint32_t code = 0;
    struct err err = { 0 };

    source_config_finish(&finished);
    vsource_derive_defaults(&params);
    if (vsource_derive_source(source, &SAMPLES, &params, &err) < 0) {
        return -1;
    }
    /* A curve's bend within a sample is not seen by its slope at the start. */
    vsource_watch_init(&watch, &params, finished.storage.q_As,
                       finished.storage.p_VOC[4] > 0 ? 1e-4 : 1e-6);
    for (uint32_t k = 0; k < N_SAMPLES; k++) {
        if (k % 500 == 0) {
            input = random_input(&seed);
            code = chance(&seed, 0.7) ? (uint32_t)log_uniform(&seed, 1, 262143) : 0;
        }
        if (!vsource_watch_step(&watch, input, watch.source.converter.is_on ? code : 0)) {
            fail_msg("%s, seed %u: %s", what, seed, watch.fault);
        }
    }
    return watch.has_crossed ? 1 : 0;
}

static void test_random_parameters(void **state)
{
    uint32_t n_crossed = 0;
    uint32_t n_refused = 0;

    (void)state;
    for (uint32_t set = 1; set <= n_sets; set++) {
        struct source_config source;
        uint32_t seed = set * 2654435761u;
        char what[40];
        int crossed = 0;

        (void)scene_random(&seed);
        random_source(&source, &seed);
        snprintf(what, sizeof(what), "set %u", set);
        crossed = run(&source, seed, what);
        n_crossed += crossed > 0;
        n_refused += crossed < 0;
    }
    print_message("%u sets, %u crossed a threshold, %u refused\n", n_sets, n_crossed,
                  n_refused);
    assert_true(n_refused * 50 <= n_sets);
    assert_true(n_crossed * 10 >= (n_sets - n_refused) * 9);
}

/* A parameter and what it may be set to at most and at least. */
struct extreme {
    const char *name;
    size_t offset;
    double low;
    double high;
};

#define EXTREME(member, low_, high_)                                 \
    {                                                                \
#        member, offsetof(struct source_config, member), low_, high_ \
    }

static const struct extreme extremes[] = {
    EXTREME(interval_startup_delay_drain_ms, 0, 10000),
    EXTREME(V_input_max_mV, 0, 10000),
    EXTREME(I_input_max_mA, 0, 4290),
    EXTREME(V_input_drop_mV, 0, 4.29e6),
    EXTREME(R_input_mOhm, 0, 4.29e6),
    EXTREME(C_intermediate_uF, 0.1, 1e5),
    EXTREME(V_intermediate_init_mV, 0, 10000),
    EXTREME(I_intermediate_leak_nA, 0, 4.29e9),
    EXTREME(V_intermediate_enable_output_threshold_mV, 0, 10000),
    EXTREME(V_intermediate_disable_output_threshold_mV, 0, 10000),
    EXTREME(interval_check_thresholds_ms, 0, 4290),
    EXTREME(V_pwr_good_enable_threshold_mV, 0, 10000),
    EXTREME(V_pwr_good_disable_threshold_mV, 0, 10000),
    EXTREME(C_output_uF, 0, 4.29e6),
    EXTREME(V_output_log_gpio_threshold_mV, 0, 4.29e6),
    EXTREME(V_input_boost_threshold_mV, 0, 10000),
    EXTREME(V_intermediate_max_mV, 0, 10000),
    EXTREME(V_output_mV, 0, 5000),
    EXTREME(V_buck_drop_mV, 0, 5000),
    EXTREME(storage.p_Rs[2], 0, 15000),
    EXTREME(storage.R_leak_Ohm, 4, 1e300),
    EXTREME(storage.SoC_init, 0, 1),
    EXTREME(storage.q_As, 7e-7, 1e6),
};

static void set_extreme(struct source_config *source, size_t which)
{
    const struct extreme *extreme = &extremes[which / 2];

    memcpy((char *)source + extreme->offset, which % 2 == 0 ? &extreme->low : &extreme->high,
           sizeof(double));
}

static void run_extremes(size_t a, size_t b, uint32_t variant)
{
    struct source_config source;
    char what[160];

    schema_defaults(&source_schema, &source);
    source.harvester.algorithm = HARVESTER_NEUTRAL;
    source.storage = storage_capacitor(10, 5, 3);
    source.enable_boost = (variant & 1u) != 0;
    source.enable_buck = (variant & 2u) != 0;
    set_extreme(&source, a);
    set_extreme(&source, b);
    snprintf(what, sizeof(what), "%s %s, %s %s, variant %u", extremes[a / 2].name,
             a % 2 == 0 ? "low" : "high", extremes[b / 2].name, b % 2 == 0 ? "low" : "high",
             variant);
    (void)run(&source, (uint32_t)(a * 1000 + b + 1), what);
}

static void test_extremes_alone_and_in_pairs(void **state)
{
    size_t count = 2 * sizeof(extremes) / sizeof(extremes[0]);
    uint32_t number = 0;

    (void)state;
    for (size_t a = 0; a < count; a++) {
        for (size_t b = a; b < count; b++) {
            number++;
            if (a == b) {
                run_extremes(a, b, number % 4);
            } else if (is_whole || number % 10 == 0) {
                run_extremes(a, b, (number / 10) % 4);
            }
        }
    }
}

static int read_environment(void **state)
{
    const char *sets = getenv("BW_PROPERTY_SETS");

    (void)state;
    if (sets != NULL) {
        n_sets = (uint32_t)strtoul(sets, NULL, 10);
        is_whole = true;
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_parameters),
        cmocka_unit_test(test_extremes_alone_and_in_pairs),
    };

    return cmocka_run_group_tests(tests, read_environment, NULL);
}
