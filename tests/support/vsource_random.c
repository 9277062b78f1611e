/* SPDX-License-Identifier: MIT */
#include "tests/support/vsource_random.h"

#include "tests/support/scene.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum {
    STRETCH = 500
};

double vsource_random_uniform(uint32_t *seed, double low, double high)
{
    return low + (high - low) * (scene_random(seed) / 4294967296.0);
}

static double log_uniform(uint32_t *seed, double low, double high)
{
    return exp(vsource_random_uniform(seed, log(low), log(high)));
}

static bool chance(uint32_t *seed, double probability)
{
    return vsource_random_uniform(seed, 0, 1) < probability;
}

static void choose_tables(struct source_config *s, uint32_t *seed)
{
    for (int i = 0; i < 144; i++) {
        s->LUT_input_efficiency[i] = vsource_random_uniform(seed, 0, 1);
    }
    for (int i = 0; i < 12; i++) {
        s->LUT_output_efficiency[i] = vsource_random_uniform(seed, 0.01, 1);
    }
    s->LUT_input_V_min_log2_uV = scene_random(seed) % 21;
    s->LUT_input_I_min_log2_nA = 1 + scene_random(seed) % 20;
    s->LUT_output_I_min_log2_nA = 1 + scene_random(seed) % 20;
    s->interpolate_LUT = chance(seed, 0.7);
}

static void choose_storage(struct storage_config *storage, uint32_t *seed)
{
    double rated_V = vsource_random_uniform(seed, 3, 10);
    double start_V = vsource_random_uniform(seed, 0, rated_V);

    *storage = storage_capacitor(log_uniform(seed, 2, 60), rated_V, start_V);
    if (chance(seed, 0.5)) {
        storage->p_Rs[2] = log_uniform(seed, 0.01, 50);
    }
    if (chance(seed, 0.5)) {
        storage->R_leak_Ohm = log_uniform(seed, 1e3, 1e9);
    }
    if (chance(seed, 0.2)) {
        storage->q_As *= 20;
        storage->p_VOC[2] = vsource_random_uniform(seed, 0, 3);
        storage->p_VOC[4] = vsource_random_uniform(seed, 0, rated_V / 3);
    }
}

static void choose_thresholds(struct source_config *s, double V_mV, uint32_t *seed)
{
    s->V_intermediate_enable_output_threshold_mV =
        fmin(10000, V_mV * vsource_random_uniform(seed, 0.4, 1.02));
    s->V_intermediate_disable_output_threshold_mV =
        s->V_intermediate_enable_output_threshold_mV * vsource_random_uniform(seed, 0.5, 1);
    s->interval_check_thresholds_ms = chance(seed, 0.5) ? log_uniform(seed, 0.01, 20) : 0;
    s->V_pwr_good_enable_threshold_mV =
        fmin(10000, V_mV * vsource_random_uniform(seed, 0.5, 1.05));
    s->V_pwr_good_disable_threshold_mV =
        s->V_pwr_good_enable_threshold_mV * vsource_random_uniform(seed, 0.6, 1);
    s->immediate_pwr_good_signal = chance(seed, 0.5);
}

static void choose_source(struct source_config *s, uint32_t *seed)
{
    double V_mV = 0;

    choose_storage(&s->storage, seed);
    V_mV = storage_curve(s->storage.p_VOC, s->storage.SoC_init) * 1000;
    s->enable_boost = chance(seed, 0.5);
    s->enable_buck = chance(seed, 0.5);
    s->enable_feedback_to_hrv = chance(seed, 0.5);
    s->V_input_max_mV = vsource_random_uniform(seed, 500, 10000);
    s->I_input_max_mA = log_uniform(seed, 0.1, 4200);
    s->V_input_drop_mV = chance(seed, 0.3) ? vsource_random_uniform(seed, 0, 800) : 0;
    s->R_input_mOhm = chance(seed, 0.3) ? log_uniform(seed, 1, 1e6) : 0;
    choose_thresholds(s, V_mV, seed);
    s->C_output_uF = chance(seed, 0.7) ? log_uniform(seed, 0.01, 3) : 0;
    s->V_intermediate_max_mV = vsource_random_uniform(seed, 2000, 10000);
    s->V_output_mV =
        fmin(5000, chance(seed, 0.9) ? V_mV * vsource_random_uniform(seed, 0.1, 0.85) : 5000);
    s->V_buck_drop_mV = chance(seed, 0.5) ? vsource_random_uniform(seed, 0, 0.15) * V_mV : 0;
    s->V_input_boost_threshold_mV =
        chance(seed, 0.5) ? vsource_random_uniform(seed, 0, 500) : 0;
    s->interval_startup_delay_drain_ms =
        chance(seed, 0.2) ? vsource_random_uniform(seed, 0, 20) : 0;
    s->I_intermediate_leak_nA = chance(seed, 0.3) ? log_uniform(seed, 1, 1e6) : 0;
    if (chance(seed, 0.7)) {
        choose_tables(s, seed);
    }
}

/* Curves, or pairs of Voc and Isc, and what finds its way on them. */
static void choose_harvester(struct node_config *config, uint32_t *seed)
{
    static const enum harvester_algorithm algorithms[] = { HARVESTER_CV, HARVESTER_MPPT_VOC,
                                                           HARVESTER_MPPT_PO,
                                                           HARVESTER_MPPT_OPT };
    struct harvester_config *h = &config->source.harvester;

    h->algorithm = algorithms[scene_random(seed) % 4];
    h->voltage_min_mV = vsource_random_uniform(seed, 0, 2000);
    h->voltage_max_mV = vsource_random_uniform(seed, 2500, 5000);
    h->voltage_mV = vsource_random_uniform(seed, h->voltage_min_mV, h->voltage_max_mV);
    h->current_limit_uA = log_uniform(seed, 1, 50000);
    h->setpoint_n = vsource_random_uniform(seed, 0, 1);
    h->interval_ms = log_uniform(seed, 0.01, 50);
    h->duration_ms = log_uniform(seed, 0.01, 10);
    h->rising = chance(seed, 0.5);
    h->enable_linear_extrapolation = chance(seed, 0.7);
    config->input_is_isc_voc = chance(seed, 0.3);
    config->input_window = config->input_is_isc_voc ? 2 : 8 + scene_random(seed) % 400;
    config->input_step_uV = 5e6 / (config->input_window - 1);
}

static void choose_channel(struct cal_channel *channel, double full_scale, uint32_t *seed)
{
    channel->gain *= vsource_random_uniform(seed, 0.8, 1.2);
    channel->offset = vsource_random_uniform(seed, -0.01, 0.01) * full_scale;
}

void vsource_random_neutral(struct vsource_random *random, uint32_t seed)
{
    memset(random, 0, sizeof(*random));
    random->config.mode = MODE_EMULATE;
    random->cal = calibration_default();
    random->seed = seed;
    schema_defaults(&source_schema, &random->config.source);
    random->config.source.harvester.algorithm = HARVESTER_NEUTRAL;
}

void vsource_random_all(struct vsource_random *random, uint32_t seed)
{
    struct node_config *config = &random->config;

    vsource_random_neutral(random, seed);
    (void)scene_random(&seed);
    choose_source(&config->source, &seed);
    if (chance(&seed, 0.4)) {
        choose_harvester(config, &seed);
    }
    config->target_port = chance(&seed, 0.5) ? PORT_A : PORT_B;
    config->aux_source = (enum aux_source)(scene_random(&seed) % 3);
    config->voltage_aux_mV = vsource_random_uniform(&seed, 0, 4500);
    if (chance(&seed, 0.2)) {
        config->start_power_ms = vsource_random_uniform(&seed, 0, 30);
        config->start_power_mV = vsource_random_uniform(&seed, 0, 4500);
    }
    if (chance(&seed, 0.5)) {
        choose_channel(&random->cal.emu_adc_I_A, 0.05, &seed);
        choose_channel(&random->cal.emu_adc_I_B, 0.05, &seed);
        choose_channel(&random->cal.emu_dac_V_A, 5, &seed);
        choose_channel(&random->cal.emu_dac_V_B, 5, &seed);
    }
    random->seed = seed;
}

/* A falling ramp over a source whose curve is 1 - (V / Voc)^8. */
static struct curve_point curve_at(const struct vsource_random *random, uint32_t k)
{
    uint32_t at = k % random->config.input_window;
    double V_uV = 5e6 - at * random->config.input_step_uV;
    double part = V_uV / random->source.voltage_uV;
    struct curve_point point = { (uint32_t)fmax(0, V_uV), 0 };

    if (part < 1) {
        point.current_nA = (uint32_t)(random->source.current_nA * (1 - pow(part, 8)));
    }
    return point;
}

struct curve_point vsource_random_input(struct vsource_random *random, uint32_t k)
{
    if (k % STRETCH == 0) {
        uint32_t *seed = &random->seed;

        memset(&random->source, 0, sizeof(random->source));
        if (chance(seed, 0.7)) {
            random->source.voltage_uV = (uint32_t)log_uniform(seed, 1, 6e6);
            random->source.current_nA = (uint32_t)log_uniform(seed, 1, 8e7);
        }
        random->code = chance(seed, 0.7) ? (uint32_t)log_uniform(seed, 1, 262143) : 0;
    }
    return random->config.input_window > 2 ? curve_at(random, k) : random->source;
}
