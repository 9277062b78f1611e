/* SPDX-License-Identifier: MIT */
#include "common/vsource_derive.h"

#include "common/vsource_derive_parts.h"

#include <math.h>
#include <string.h>

static bool is_flat(const double *table, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (table[i] < table[0] || table[i] > table[0]) {
            return false;
        }
    }
    return true;
}

static int derive_tables(const struct source_config *source, struct vsource_converter *p,
                         struct err *err)
{
    enum {
        N = VSOURCE_TABLE_SIZE
    };
    static const double INVERSE_MAX = 16384; /* below 0.006 % nothing reaches the output */

    for (size_t i = 0; i < (size_t)N * N; i++) {
        double eta = source->LUT_input_efficiency[i];

        if (!(eta >= 0 && eta <= 1)) {
            return err_set(err, ERR_INPUT, "LUT_input_efficiency[%zu][%zu]: %g is beyond 0..1",
                           i / N, i % N, eta);
        }
        p->LUT_input_n20[i / N][i % N] = (uint32_t)nearbyint(ldexp(eta, 20));
    }
    for (size_t i = 0; i < N; i++) {
        double eta = source->LUT_output_efficiency[i];

        if (!(eta >= 0 && eta <= 1)) {
            return err_set(err, ERR_INPUT, "LUT_output_efficiency[%zu]: %g is beyond 0..1", i,
                           eta);
        }
        p->LUT_output_inverse_n16[i] =
            (uint32_t)nearbyint(65536 * fmin(INVERSE_MAX, 1 / fmax(eta, 1 / INVERSE_MAX)));
    }
    if (source->LUT_input_V_min_log2_uV > 20 || source->LUT_input_I_min_log2_nA > 20
        || source->LUT_output_I_min_log2_nA > 20 || source->LUT_input_I_min_log2_nA < 1
        || source->LUT_output_I_min_log2_nA < 1) {
        return err_set(err, ERR_INPUT,
                       "LUT_input_V_min_log2_uV is beyond 0..20, or LUT_input_I_min_log2_nA or "
                       "LUT_output_I_min_log2_nA beyond 1..20");
    }
    p->LUT_input_V_log2_uV = source->LUT_input_V_min_log2_uV;
    p->LUT_input_I_log2_nA = source->LUT_input_I_min_log2_nA - 1;
    p->LUT_output_I_log2_nA = source->LUT_output_I_min_log2_nA - 1;
    if ((p->flags & VSOURCE_HAS_BOOST) != 0
        && !is_flat(source->LUT_input_efficiency, (size_t)N * N)) {
        p->flags |= VSOURCE_COUNT_CLAMPED;
    }
    return 0;
}

/* Capacitance of the store as far as its output capacitor is concerned. */
static double store_F(const struct storage_config *storage)
{
    double full_V = storage_curve(storage->p_VOC, 1);

    return full_V > 0 ? storage->q_As / full_V : 0;
}

/* How far the store falls when it charges the output capacitor through the buck. */
static double switch_on_drop_mV(double from_mV, double to_mV, double ratio)
{
    double square = from_mV * from_mV - ratio * to_mV * to_mV;

    return square > 0 ? from_mV - sqrt(square) : 0;
}

/* The thresholds are those of the storage; a buck starts no lower than it can regulate. */
static int derive_thresholds(const struct source_config *source, struct vsource_converter *p,
                             struct err *err)
{
    double enable_mV = source->V_intermediate_enable_output_threshold_mV;
    double disable_mV = source->V_intermediate_disable_output_threshold_mV;
    double lowest_mV = source->V_output_mV + source->V_buck_drop_mV;
    double C_store_F = source->storage.is_present ? store_F(&source->storage) : 0;

    if (source->enable_buck) {
        double ratio = C_store_F > 0 ? source->C_output_uF * 1e-6 / C_store_F : 0;

        if (enable_mV <= lowest_mV) {
            enable_mV =
                lowest_mV + (ratio < 1 ? source->V_output_mV * (1 - sqrt(1 - ratio)) : 0);
        } else {
            enable_mV =
                fmax(enable_mV, switch_on_drop_mV(enable_mV, source->V_output_mV, ratio));
        }
        disable_mV = fmax(disable_mV, lowest_mV);
    }
    const struct vsource_conversion conversions[] = {
        {"V_intermediate_enable_output_threshold_mV",   enable_mV,  1000, &p->V_enable_uV },
        { "V_intermediate_disable_output_threshold_mV", disable_mV, 1000, &p->V_disable_uV},
    };

    return vsource_derive_numbers(conversions, sizeof(conversions) / sizeof(conversions[0]),
                                  err);
}

/* The charge for the output capacitor, spread over as many samples as the formats need. */
static int derive_output_capacitor(const struct source_config *source,
                                   struct vsource_converter *p, struct err *err)
{
    static const double POWER_MAX_W = 30;
    static const double CHARGE_MAX_As = 30e-6; /* 3 A for a sample */
    double C_out_F = source->C_output_uF * 1e-6;
    double C_store_F = store_F(&source->storage);
    double V_out_V = source->V_output_mV / 1000;
    double energy_J = C_out_F * V_out_V * V_out_V / 2;
    double C_series_F = 0;
    double count = 1;

    if (!source->storage.is_present || !(C_out_F > 0)) {
        return 0;
    }
    if (source->enable_buck) {
        count = ceil(fmax(1, energy_J / VSOURCE_SAMPLE_S / POWER_MAX_W));
        p->P_output_charge_fW_n8 =
            (uint64_t)nearbyint(energy_J / VSOURCE_SAMPLE_S / count * 1e15 * 256);
    } else {
        C_series_F = C_out_F * C_store_F / (C_out_F + C_store_F);
        count = ceil(fmax(1, C_series_F * VSOURCE_V_STORE_MAX / CHARGE_MAX_As));
        p->C_output =
            vsource_scale_of(C_series_F / count * 1e-6 / VSOURCE_UNIT_As * ldexp(1, 24));
    }
    return vsource_derive_u32(count, "C_output_uF", &p->output_charge_n, err);
}

static int derive_numbers(const struct source_config *s, struct vsource_converter *p,
                          struct err *err)
{
    const struct vsource_conversion conversions[] = {
        {"interval_startup_delay_drain_ms", s->interval_startup_delay_drain_ms,
         VSOURCE_SAMPLES_PER_MS,                                                                                   &p->startup_drain_n                 },
        { "interval_check_thresholds_ms",   s->interval_check_thresholds_ms,
         VSOURCE_SAMPLES_PER_MS,                                                                                   &p->check_interval_n                },
        { "V_input_max_mV",                 s->V_input_max_mV,                  1000,                              &p->V_input_max_uV                  },
        { "I_input_max_mA",                 s->I_input_max_mA,                  1e6,                               &p->I_input_max_nA                  },
        { "V_input_drop_mV",                s->V_input_drop_mV,                 1000,                              &p->V_input_drop_uV                 },
        { "V_input_boost_threshold_mV",     s->V_input_boost_threshold_mV,      1000,
         &p->V_input_boost_threshold_uV                                                                                                                },
        { "R_input_mOhm",                   s->R_input_mOhm,                    ldexp(1e-6,                        28),                                  &p->R_input_kOhm_n28 },
        { "V_pwr_good_enable_threshold_mV",                                s->V_pwr_good_enable_threshold_mV,                                  1000,
         &p->V_pwr_good_enable_uV },
        { "V_pwr_good_disable_threshold_mV",                                s->V_pwr_good_disable_threshold_mV,                                 1000,
         &p->V_pwr_good_disable_uV},
        { "V_intermediate_max_mV",                                s->V_intermediate_max_mV,                                           1000,                     &p->V_intermediate_max_uV           },
        { "V_output_mV",                                s->V_output_mV,                                                     1000,                                         &p->V_output_uV          },
        { "V_buck_drop_mV",                                s->V_buck_drop_mV,                                                  1000,                                   &p->V_buck_drop_uV        },
        { "V_output_log_gpio_threshold_mV",                                s->V_output_log_gpio_threshold_mV,                                  1000,
         &p->V_output_log_gpio_uV},
    };

    return vsource_derive_numbers(conversions, sizeof(conversions) / sizeof(conversions[0]),
                                  err);
}

static uint32_t source_flags(const struct source_config *s, const struct vsource_input *input)
{
    bool has_store = s->storage.is_present;
    bool has_boost = s->enable_boost && has_store;
    bool has_curves = input->window_samples > 1 || input->is_isc_voc;
    uint32_t flags = 0;

    flags |= has_store ? VSOURCE_HAS_STORE : 0u;
    flags |= has_boost ? VSOURCE_HAS_BOOST : 0u;
    flags |= s->enable_buck ? VSOURCE_HAS_BUCK : 0u;
    flags |= s->enable_feedback_to_hrv && has_store && !has_boost && has_curves
                 ? VSOURCE_HAS_FEEDBACK
                 : 0u;
    flags |= s->interpolate_LUT ? VSOURCE_INTERPOLATE : 0u;
    flags |= s->immediate_pwr_good_signal ? VSOURCE_PG_IMMEDIATE : 0u;
    return flags;
}

int vsource_derive_source(const struct source_config *source, const struct vsource_input *input,
                          struct vsource_params *params, struct err *err)
{
    struct source_config finished = *source;
    struct vsource_converter *p = &params->converter;

    source_config_finish(&finished);
    memset(p, 0, sizeof(*p));
    memset(&params->store, 0, sizeof(params->store));
    p->flags = source_flags(&finished, input);
    if (vsource_derive_harvester(&finished.harvester, input, params, err) < 0
        || derive_numbers(&finished, p, err) < 0 || derive_tables(&finished, p, err) < 0
        || derive_thresholds(&finished, p, err) < 0
        || derive_output_capacitor(&finished, p, err) < 0) {
        return -1;
    }
    return finished.storage.is_present ? vsource_derive_store(&finished, &params->store, err)
                                       : 0;
}
