/* SPDX-License-Identifier: MIT */
/* Random and extreme parameters of the virtual source; the invariants of vsource_watch hold in
 * every sample. BW_PROPERTY_SETS=10000 in the environment: the whole of it, for nightly runs;
 * otherwise a tenth, from the same seeds. */
#include "common/vsource_derive.h"
#include "tests/support/scene.h"
#include "tests/support/vsource_random.h"
#include "tests/support/vsource_watch.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum {
    N_SETS = 1000,
    N_SAMPLES = 10000,
    N_VARIANTS = 32 /* of run_extremes */
};

static uint32_t n_sets;
static bool is_whole;
static uint32_t n_extremes_refused;

/* -1: refused by the derivation, 0: no threshold crossed, 1: crossed. */
static int run(struct vsource_random *random, const char *what)
{
    static struct vsource_params params;
    static struct vsource_watch watch;
    struct source_config finished = random->config.source;
    uint32_t seed = random->seed;
    struct err err = { 0 };

    source_config_finish(&finished);
    if (vsource_derive(&random->config, &random->cal, &params, &err) < 0) {
        return -1;
    }
    /* A curve's bend within a sample is not seen by its slope at the start. */
    vsource_watch_init(&watch, &params, finished.storage.q_As,
                       finished.storage.p_VOC[4] > 0 ? 1e-4 : 1e-6);
    for (uint32_t k = 0; k < N_SAMPLES; k++) {
        struct curve_point input = vsource_random_input(random, k);

        if (!vsource_watch_step(&watch, input,
                                watch.source.converter.is_on ? random->code : 0)) {
            fail_msg("%s, seed %u: %s", what, seed, watch.fault);
        }
    }
    return watch.has_crossed ? 1 : 0;
}

static void test_random_parameters(void **state)
{
    static struct vsource_random random;
    uint32_t n_crossed = 0;
    uint32_t n_refused = 0;

    (void)state;
    for (uint32_t set = 1; set <= n_sets; set++) {
        char what[40];
        int crossed = 0;

        vsource_random_all(&random, set * 2654435761u);
        snprintf(what, sizeof(what), "set %u", set);
        crossed = run(&random, what);
        n_crossed += crossed > 0;
        n_refused += crossed < 0;
    }
    print_message("%u sets, %u crossed a threshold, %u refused\n", n_sets, n_crossed,
                  n_refused);
    assert_true(n_refused * 50 <= n_sets);
    assert_true(n_crossed * 10 >= (n_sets - n_refused) * 9);
}

/* A preset in a scene, watched like the random ones. */
static void watch_preset(const struct source_config *source, enum scene_environment environment,
                         enum scene_load load, const char *what)
{
    static struct vsource_params params;
    static struct vsource_watch watch;
    struct vsource_input input = scene_input(environment);
    struct err err = { 0 };

    vsource_derive_defaults(&params);
    if (vsource_derive_source(source, &input, &params, &err) < 0) {
        fail_msg("%s: %s", what, err.text);
    }
    vsource_watch_init(&watch, &params, source->storage.q_As, 1e-6);
    for (uint32_t k = 0; k < N_SAMPLES; k++) {
        const struct converter *converter = &watch.source.converter;
        uint32_t code =
            scene_load_code(load, k, converter->V_out_uV * 1e-6, converter->is_power_good);

        if (!vsource_watch_step(&watch, scene_sample(environment, k, 7), code)) {
            fail_msg("%s, environment %d, load %d: %s", what, (int)environment, (int)load,
                     watch.fault);
        }
    }
}

/* Every storage behind every source's converter (a fifth, unless it is the whole): no path
 * creates energy. */
static void test_no_preset_creates_energy(void **state)
{
    const char *name = NULL;
    const char *storage = NULL;

    for (size_t i = 0; (name = presets_name(*state, PRESET_SOURCE, i)) != NULL; i++) {
        for (size_t k = 0; (storage = presets_name(*state, PRESET_STORAGE, k)) != NULL; k++) {
            struct source_config source;
            char what[160];

            if (!is_whole && (i + k) % 5 != 0) {
                continue;
            }
            scene_source(*state, name, &source);
            scene_storage(*state, storage, &source.storage);
            snprintf(what, sizeof(what), "%s, %s", name, storage);
            watch_preset(&source, (enum scene_environment)(k % N_SCENE_ENVIRONMENTS),
                         (enum scene_load)(k / 3 % N_SCENE_LOADS), what);
        }
    }
}

/* A parameter and what it may be set to at least and at most. */
struct extreme {
    const char *name;
    size_t offset;
    size_t size;  /* of one: 8 a double, 4 an integer, 1 a switch */
    size_t count; /* of a table, all alike */
    double low;
    double high;
};

#define MEMBER(member, low_, high_)                                      \
    {                                                                    \
#        member, offsetof(struct node_config, member),                   \
            sizeof(((struct node_config *)NULL)->member), 1, low_, high_ \
    }
#define SOURCE(member, low_, high_)                                             \
    {                                                                           \
#        member, offsetof(struct node_config, source.member),                   \
            sizeof(((struct node_config *)NULL)->source.member), 1, low_, high_ \
    }
#define TABLE(member, low_, high_)                                                            \
    {                                                                                         \
#        member, offsetof(struct node_config, source.member), sizeof(double),                 \
            sizeof(((struct node_config *)NULL)->source.member) / sizeof(double), low_, high_ \
    }

static const struct extreme extremes[] = {
    MEMBER(voltage_aux_mV, 0, 4500),
    MEMBER(aux_source, AUX_FIXED, AUX_STORAGE),
    MEMBER(start_power_ms, 0, 10000),
    MEMBER(start_power_mV, 0, 5000),
    SOURCE(enable_feedback_to_hrv, 0, 1),
    SOURCE(interval_startup_delay_drain_ms, 0, 10000),
    SOURCE(V_input_max_mV, 0, 10000),
    SOURCE(I_input_max_mA, 0, 4290),
    SOURCE(V_input_drop_mV, 0, 4.29e6),
    SOURCE(R_input_mOhm, 0, 4.29e6),
    SOURCE(C_intermediate_uF, 0.1, 1e5),
    SOURCE(V_intermediate_init_mV, 0, 10000),
    SOURCE(I_intermediate_leak_nA, 0, 4.29e9),
    SOURCE(V_intermediate_enable_output_threshold_mV, 0, 10000),
    SOURCE(V_intermediate_disable_output_threshold_mV, 0, 10000),
    SOURCE(interval_check_thresholds_ms, 0, 4290),
    SOURCE(V_pwr_good_enable_threshold_mV, 0, 10000),
    SOURCE(V_pwr_good_disable_threshold_mV, 0, 10000),
    SOURCE(immediate_pwr_good_signal, 0, 1),
    SOURCE(C_output_uF, 0, 4.29e6),
    SOURCE(V_output_log_gpio_threshold_mV, 0, 4.29e6),
    SOURCE(V_input_boost_threshold_mV, 0, 10000),
    SOURCE(V_intermediate_max_mV, 0, 10000),
    TABLE(LUT_input_efficiency, 0, 1),
    SOURCE(LUT_input_V_min_log2_uV, 0, 20),
    SOURCE(LUT_input_I_min_log2_nA, 1, 20),
    SOURCE(V_output_mV, 0, 5000),
    SOURCE(V_buck_drop_mV, 0, 5000),
    TABLE(LUT_output_efficiency, 0, 1),
    SOURCE(LUT_output_I_min_log2_nA, 1, 20),
    SOURCE(interpolate_LUT, 0, 1),
    SOURCE(storage.p_VOC[3], 0.1, 16),
    SOURCE(storage.p_Rs[2], 0, 15000),
    SOURCE(storage.R_leak_Ohm, 4, 1e300),
    SOURCE(storage.SoC_init, 0, 1),
    SOURCE(storage.q_As, 7e-7, 1e6),
    SOURCE(harvester.voltage_mV, 0, 5000),
    SOURCE(harvester.voltage_min_mV, 0, 2500),
    SOURCE(harvester.voltage_max_mV, 2500, 5000),
    SOURCE(harvester.current_limit_uA, 1, 50000),
    SOURCE(harvester.setpoint_n, 0, 1),
    SOURCE(harvester.interval_ms, 0.01, 1e6),
    SOURCE(harvester.duration_ms, 0.01, 1e6),
    SOURCE(harvester.rising, 0, 1),
    SOURCE(harvester.enable_linear_extrapolation, 0, 1),
    SOURCE(harvester.wait_cycles, 0, 100),
};

static void set_extreme(struct node_config *config, size_t which)
{
    const struct extreme *extreme = &extremes[which / 2];
    double value = which % 2 == 0 ? extreme->low : extreme->high;
    uint32_t number = (uint32_t)fmin(value, UINT32_MAX);
    uint8_t is_on = value > 0;
    const void *from = extreme->size == 8 ? (const void *)&value : (const void *)&number;

    from = extreme->size == 1 ? &is_on : from;
    for (size_t i = 0; i < extreme->count; i++) {
        memcpy((char *)config + extreme->offset + i * extreme->size, from, extreme->size);
    }
}

/* Bits of variant: boost, buck, curves as input; then which harvester finds its way on them. */
static void run_extremes(size_t a, size_t b, uint32_t variant)
{
    static const enum harvester_algorithm algorithms[] = { HARVESTER_CV, HARVESTER_MPPT_VOC,
                                                           HARVESTER_MPPT_PO,
                                                           HARVESTER_MPPT_OPT };
    static struct vsource_random random;
    struct source_config *source = &random.config.source;
    char what[160];

    vsource_random_neutral(&random, (uint32_t)(a * 1000 + b + 1));
    source->storage = storage_capacitor(10, 5, 3);
    source->enable_boost = (variant & 1u) != 0;
    source->enable_buck = (variant & 2u) != 0;
    if ((variant & 4u) != 0) {
        random.config.input_window = 101;
        random.config.input_step_uV = 50000;
        source->harvester.algorithm = algorithms[variant / 8 % 4];
    }
    set_extreme(&random.config, a);
    set_extreme(&random.config, b);
    snprintf(what, sizeof(what), "%s %s, %s %s, variant %u", extremes[a / 2].name,
             a % 2 == 0 ? "low" : "high", extremes[b / 2].name, b % 2 == 0 ? "low" : "high",
             variant);
    n_extremes_refused += run(&random, what) < 0;
}

/* In all variants of converter and input; a tenth of it, unless it is the whole: others each
 * time a parameter comes. */
static void test_extremes_alone(void **state)
{
    size_t count = 2 * sizeof(extremes) / sizeof(extremes[0]);
    uint32_t n_run = 0;

    (void)state;
    n_extremes_refused = 0;
    for (size_t a = 0; a < count; a++) {
        for (uint32_t variant = 0; variant < N_VARIANTS; variant++) {
            if (is_whole || (variant + a) % 10 == 0) {
                n_run++;
                run_extremes(a, a, variant);
            }
        }
    }
    print_message("%u extremes, %u refused\n", n_run, n_extremes_refused);
    assert_true(n_extremes_refused * 5 <= n_run);
}

static void test_extremes_in_pairs(void **state)
{
    size_t count = 2 * sizeof(extremes) / sizeof(extremes[0]);
    uint32_t number = 0;
    uint32_t n_run = 0;

    (void)state;
    n_extremes_refused = 0;
    for (size_t a = 0; a < count; a++) {
        for (size_t b = a + 1; b < count; b++) {
            number++;
            if (is_whole || number % 10 == 0) {
                n_run++;
                run_extremes(a, b, number / 10 % N_VARIANTS);
            }
        }
    }
    print_message("%u pairs of extremes, %u refused\n", n_run, n_extremes_refused);
    assert_true(n_extremes_refused * 5 <= n_run);
}

static int set_up(void **state)
{
    n_sets = (uint32_t)scene_number("BW_PROPERTY_SETS", N_SETS);
    is_whole = n_sets != N_SETS;
    return scene_load_presets(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_parameters),
        cmocka_unit_test(test_no_preset_creates_energy),
        cmocka_unit_test(test_extremes_alone),
        cmocka_unit_test(test_extremes_in_pairs),
    };

    return cmocka_run_group_tests(tests, set_up, scene_drop_presets);
}
