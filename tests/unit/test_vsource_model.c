/* SPDX-License-Identifier: MIT */
/* pru/core against the double model: every preset of a source with every harvester, and every
 * storage, in every environment with every load. BW_SAMPLES in the environment: samples per
 * run, for nightly runs. */
#include "common/vsource_derive.h"
#include "pru/core/vsource.h"
#include "tests/support/scene.h"
#include "tests/support/vsource_ref.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct comparison {
    struct vsource_params params;
    struct vsource source;
    struct vsource_ref ref;
    double E_output; /* V_out x I_out of the target, J */
    double E_input;  /* behind the input stage; with feedback, as much as the store's voltage
                        takes */
    double store_V;  /* before the last sample, as its direct currents leave it */
    double worst_V;  /* in parts of 0.1 % or 1 mV */
    double worst_V_at;
    uint32_t disagreeing_checks; /* in a row */
    uint32_t worst_disagreeing;
};

static void open_comparison(struct comparison *c, const struct source_config *source,
                            enum scene_environment environment)
{
    struct vsource_input input = scene_input(environment);
    struct err err = { 0 };

    memset(c, 0, sizeof(*c));
    vsource_derive_defaults(&c->params);
    if (vsource_derive_source(source, &input, &c->params, &err) < 0) {
        fail_msg("%s: %s", source->name, err.text);
    }
    vsource_init(&c->source, &c->params);
    vsource_ref_init(&c->ref, source, input.window_samples > 1);
}

static void watch_voltage(struct comparison *c, uint64_t k, const struct vsource_output *output)
{
    double V = output->V_mid_uV * 1e-6;
    double allowed = fmax(1e-3, 1e-3 * c->ref.V_mid);

    if (fabs(V - c->ref.V_mid) / allowed > c->worst_V) {
        c->worst_V = fabs(V - c->ref.V_mid) / allowed;
        c->worst_V_at = (double)k;
    }
}

static double input_power(const struct comparison *c, const struct vsource_output *output)
{
    const struct converter *converter = &c->source.converter;
    double P = (double)converter->P_input_fW_n8 / 256e15;
    double I = fmin(output->I_harvest_nA * 1e-9, c->ref.config.I_input_max_mA / 1000);
    double behind_V =
        fmax(0, converter->V_input_uV * 1e-6 - I * c->ref.config.R_input_mOhm / 1000);

    if ((c->params.converter.flags & VSOURCE_HAS_FEEDBACK) == 0) {
        return P;
    }
    return I * fmin(behind_V, c->store_V);
}

static void step_comparison(struct comparison *c, uint64_t k, struct curve_point input,
                            uint32_t code)
{
    struct vsource_output output;
    double V_out = c->source.converter.V_out_uV * 1e-6;
    bool is_draining = c->source.converter.startup_drain_n > 0;
    const struct vsource_converter *p = &c->params.converter;
    bool is_check = c->source.converter.check_count + 1 >= p->check_interval_n;
    double V_oc = c->source.store.V_oc_uV_n8 / 256e6;
    double R = c->source.store.R_kOhm_n28 / 0x1p28 * 1000;

    vsource_step(&c->source, input, code, &output);
    c->store_V = V_oc - (V_out > 0 ? output.I_out_nA * 1e-9 * R : 0);
    vsource_ref_step(&c->ref, output.V_harvest_uV * 1e-6, output.I_harvest_nA * 1e-9,
                     output.I_out_nA * 1e-9, output.is_on);
    c->E_output += is_draining ? 0 : V_out * output.I_out_nA * 1e-9 * 10e-6;
    c->E_input += input_power(c, &output) * 10e-6;
    watch_voltage(c, k, &output);
    if (is_check || p->check_interval_n <= 1) {
        c->disagreeing_checks = c->ref.wants_on != output.is_on ? c->disagreeing_checks + 1 : 0;
        c->worst_disagreeing = c->disagreeing_checks > c->worst_disagreeing
                                   ? c->disagreeing_checks
                                   : c->worst_disagreeing;
    }
}

/* 0.1 %, or 1 nJ. */
static bool is_near(double got_J, double expected_J)
{
    return fabs(got_J - expected_J) <= 1e-3 * fabs(expected_J) + 1e-9;
}

static void check_comparison(const struct comparison *c, const char *what)
{
    if (c->worst_V > 1 || !is_near(c->E_output, c->ref.E_output)
        || !is_near(c->E_input, c->ref.E_input) || c->worst_disagreeing > 1) {
        fail_msg("%s: V_mid %.2f of the limit at %.0f, E_out %g instead of %g, E_in %g instead "
                 "of %g, %u checks decided otherwise",
                 what, c->worst_V, c->worst_V_at, c->E_output, c->ref.E_output, c->E_input,
                 c->ref.E_input, c->worst_disagreeing);
    }
}

static void compare(const struct source_config *source, enum scene_environment environment,
                    enum scene_load load, const char *what)
{
    static struct comparison c;
    uint64_t n_samples = scene_number("BW_SAMPLES", 12000);
    char text[200];

    open_comparison(&c, source, environment);
    for (uint64_t k = 0; k < n_samples; k++) {
        uint32_t code = scene_load_code(load, k, c.source.converter.V_out_uV * 1e-6,
                                        c.source.converter.is_power_good);

        step_comparison(&c, k, scene_sample(environment, k, 1), code);
    }
    snprintf(text, sizeof(text), "%s, environment %d, load %d", what, (int)environment,
             (int)load);
    check_comparison(&c, text);
}

static void compare_in_all_scenes(const struct source_config *source, const char *what)
{
    for (int environment = 0; environment < N_SCENE_ENVIRONMENTS; environment++) {
        for (int load = 0; load < N_SCENE_LOADS; load++) {
            compare(source, (enum scene_environment)environment, (enum scene_load)load, what);
        }
    }
}

/* As they are, and with every harvester that finds an operating point. */
static void test_sources_with_all_harvesters(void **state)
{
    const char *name = NULL;

    (void)state;
    for (size_t i = 0; (name = presets_name(scene_presets(), PRESET_SOURCE, i)) != NULL; i++) {
        struct source_config source;
        const char *harvester = NULL;

        scene_source(scene_presets(), name, &source);
        compare_in_all_scenes(&source, name);
        for (size_t k = 0;
             (harvester = presets_name(scene_presets(), PRESET_HARVESTER, k)) != NULL; k++) {
            char what[100];

            snprintf(what, sizeof(what), "%s, %s", name, harvester);
            scene_harvester(scene_presets(), harvester, &source.harvester);
            if (source.harvester.algorithm == HARVESTER_NEUTRAL
                || source.harvester.algorithm >= HARVESTER_CV) {
                compare_in_all_scenes(&source, what);
            }
        }
    }
}

static void test_storages_behind_a_boost_stage(void **state)
{
    const char *name = NULL;

    (void)state;
    for (size_t i = 0; (name = presets_name(scene_presets(), PRESET_STORAGE, i)) != NULL; i++) {
        struct source_config source;

        scene_source(scene_presets(), "BQ25570s", &source);
        scene_storage(scene_presets(), name, &source.storage);
        compare_in_all_scenes(&source, name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sources_with_all_harvesters),
        cmocka_unit_test(test_storages_behind_a_boost_stage),
    };

    return cmocka_run_group_tests(tests, scene_load_presets, scene_drop_presets);
}
