/* SPDX-License-Identifier: MIT */
/* Formats and their ranges are explained in pru/core/README.md. */
#include "common/vsource_derive.h"

#include <math.h>
#include <string.h>

static const double SAMPLE_S = 10e-6;
static const double SAMPLES_PER_MS = 100;
/* Charge of 1 nA during one sample, in As. */
static const double UNIT_As = 1e-9 * 10e-6;
static const double V_STORE_MAX = 16.777215; /* uV n8 in 32 bits */
static const double R_SERIES_MAX_Ohm = 15999;
static const double PO_STEP_MAX_uV = 300000; /* the incumbent's */

static int to_u32(double value, const char *name, uint32_t *result, struct err *err)
{
    double rounded = nearbyint(value);

    if (!(rounded >= 0) || rounded > UINT32_MAX) {
        return err_set(err, ERR_INPUT, "%s: %g is beyond 0..%u", name, value, UINT32_MAX);
    }
    *result = (uint32_t)rounded;
    return 0;
}

/* One number of a table of conversions: result = value x factor, rounded. */
struct conversion {
    const char *name;
    double value;
    double factor;
    uint32_t *result;
};

static int convert(const struct conversion *conversions, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        const struct conversion *c = &conversions[i];

        if (to_u32(c->value * c->factor, c->name, c->result, err) < 0) {
            return -1;
        }
    }
    return 0;
}

struct vsource_scale vsource_scale_of(double value)
{
    struct vsource_scale scale = { 0, 0 };
    int exponent = 0;
    double mantissa = 0;

    if (!(value > 0)) {
        return scale;
    }
    mantissa = nearbyint(ldexp(frexp(value, &exponent), 32));
    if (mantissa > UINT32_MAX) {
        mantissa = ldexp(mantissa, -1);
        exponent++;
    }
    if (exponent > 32 || exponent < 32 - 127) {
        if (exponent > 32) {
            scale.mantissa = UINT32_MAX;
        }
        return scale;
    }
    scale.mantissa = (uint32_t)mantissa;
    scale.shift = (uint32_t)(32 - exponent);
    return scale;
}

static struct vsource_channel adc_channel(const struct cal_channel *cal, double unit)
{
    struct vsource_channel channel = {
        .factor = (uint32_t)nearbyint(cal->gain / unit * 65536),
        .offset = (int32_t)nearbyint(cal->offset / unit),
        .round = 1u << 15,
    };

    return channel;
}

static struct vsource_channel dac_channel(const struct cal_channel *cal)
{
    struct vsource_channel channel = {
        .factor = (uint32_t)nearbyint(ldexp(1e-6 / cal->gain, 32)),
        .offset = (int32_t)nearbyint(cal->offset * 1e6),
        .round = 1u << 31,
    };

    return channel;
}

void vsource_derive_calibration(const struct calibration *cal, enum target_port port,
                                struct vsource_params *params)
{
    bool is_a = port == PORT_A;

    params->adc_voltage = adc_channel(&cal->hrv_adc_V, 1e-6);
    params->dac_harvest = dac_channel(&cal->hrv_dac_V);
    params->adc_current = adc_channel(is_a ? &cal->emu_adc_I_A : &cal->emu_adc_I_B, 1e-9);
    params->dac_target = dac_channel(is_a ? &cal->emu_dac_V_A : &cal->emu_dac_V_B);
    params->dac_aux = dac_channel(is_a ? &cal->emu_dac_V_B : &cal->emu_dac_V_A);
}

/* I / Isc at V / Voc = v of one diode whose thermal voltage is SHAPE of the open-circuit
 * voltage; a fill factor of 0.77, as a good silicon cell has. */
static double curve_shape(double v)
{
    static const double SHAPE = 0.063;

    return 1 - expm1(v / SHAPE) / expm1(1 / SHAPE);
}

static void derive_curve(struct vsource_params *params)
{
    enum {
        STEPS = 10000
    };
    double best = 0;

    for (uint32_t i = 0; i < VSOURCE_CURVE_KNOTS; i++) {
        double v = (double)i / (VSOURCE_CURVE_KNOTS - 1);

        params->curve_n16[i] = (uint32_t)nearbyint(65536 * curve_shape(v));
    }
    for (int i = 0; i < STEPS; i++) {
        double v = (double)i / STEPS;

        if (v * curve_shape(v) > best) {
            best = v * curve_shape(v);
            params->curve_peak_V_n16 = (uint32_t)nearbyint(65536 * v);
            params->curve_peak_I_n16 = (uint32_t)nearbyint(65536 * curve_shape(v));
        }
    }
}

void vsource_derive_defaults(struct vsource_params *params)
{
    struct calibration nominal = calibration_default();

    memset(params, 0, sizeof(*params));
    params->version = VSOURCE_PARAMS_VERSION;
    params->size = sizeof(*params);
    params->harvester.algorithm = VSOURCE_NEUTRAL;
    vsource_derive_calibration(&nominal, PORT_A, params);
    derive_curve(params);
}

static int check_harvester(const struct harvester_config *h, const struct vsource_input *input,
                           struct err *err)
{
    if (h->voltage_min_mV > h->voltage_max_mV) {
        return err_set(err, ERR_INPUT,
                       "harvester: voltage_min_mV %g is above voltage_max_mV %g",
                       h->voltage_min_mV, h->voltage_max_mV);
    }
    if (h->voltage_mV < h->voltage_min_mV || h->voltage_mV > h->voltage_max_mV) {
        return err_set(err, ERR_INPUT,
                       "harvester: voltage_mV %g is not between voltage_min_mV %g and "
                       "voltage_max_mV %g",
                       h->voltage_mV, h->voltage_min_mV, h->voltage_max_mV);
    }
    if (input == NULL) {
        return h->algorithm != HARVESTER_NEUTRAL
                   ? 0
                   : err_set(err, ERR_INPUT, "harvester: algorithm neutral cannot record");
    }
    if (h->algorithm == HARVESTER_SWEEP) {
        return err_set(err, ERR_INPUT,
                       "harvester: algorithm sweep records, it cannot be emulated");
    }
    if (h->algorithm == HARVESTER_ISC_VOC || h->algorithm == HARVESTER_IVCURVE) {
        return err_set(err, ERR_INPUT, "harvester: algorithm %s records, it cannot be emulated",
                       h->algorithm == HARVESTER_ISC_VOC ? "isc_voc" : "ivcurve");
    }
    if (h->algorithm == HARVESTER_NEUTRAL && input->is_isc_voc) {
        return err_set(err, ERR_INPUT,
                       "harvester: algorithm neutral has no operating point on an input of Isc "
                       "and Voc");
    }
    if (input->window_samples > 1 && !input->is_isc_voc && !(input->step_uV > 0)) {
        return err_set(err, ERR_INPUT, "input: the voltage step of its curves is unknown");
    }
    return 0;
}

/* The shortest interval: a step of the ramp, or a pass of the input's curve. */
static double shortest_ms(const struct harvester_config *h, const struct vsource_input *input)
{
    double samples = 1.0 + h->wait_cycles;

    if (input != NULL && input->window_samples > 1 && !input->is_isc_voc) {
        samples = fmax(samples, input->window_samples);
    }
    return samples / SAMPLES_PER_MS;
}

static uint32_t harvester_flags(const struct harvester_config *h,
                                const struct vsource_input *input)
{
    uint32_t flags = 0;

    flags |= input != NULL ? VSOURCE_HARVESTER_EMULATION : 0u;
    flags |= h->rising ? VSOURCE_HARVESTER_RISING : 0u;
    flags |= h->enable_linear_extrapolation ? VSOURCE_HARVESTER_EXTRAPOLATE : 0u;
    flags |= h->enable_automatic_cutout ? VSOURCE_HARVESTER_AUTO_CUTOUT : 0u;
    flags |= input != NULL && input->is_isc_voc ? VSOURCE_HARVESTER_INPUT_ISC_VOC : 0u;
    return flags;
}

int vsource_derive_harvester(const struct harvester_config *harvester,
                             const struct vsource_input *input, struct vsource_params *params,
                             struct err *err)
{
    static const double STEP_MIN_mV = 0.3052;  /* 4 codes of the DAC */
    static const double LIMIT_MIN_uA = 0.8138; /* 4 codes of the ADC */
    static const double INTERVAL_MAX_ms = 1e6;
    struct vsource_harvester *p = &params->harvester;
    struct harvester_config h = *harvester;
    double step_mV = 0;
    double interval_ms = 0;
    double duration_ms = 0;

    harvester_config_finish(&h);
    if (check_harvester(&h, input, err) < 0) {
        return -1;
    }
    step_mV = input != NULL && input->step_uV > 0 ? input->step_uV / 1000 : h.voltage_step_mV;
    /* A step that rounds down would never reach the other end of its curve. */
    step_mV = ceil(fmax(step_mV, STEP_MIN_mV) * 1000 - 1e-6) / 1000;
    interval_ms = fmin(fmax(h.interval_ms, shortest_ms(&h, input)), INTERVAL_MAX_ms);
    duration_ms = fmin(fmax(h.duration_ms, shortest_ms(&h, input)), interval_ms);
    memset(p, 0, sizeof(*p));
    p->algorithm = h.algorithm;
    p->flags = harvester_flags(&h, input);
    p->window_samples = input != NULL ? input->window_samples : h.samples_n;
    p->wait_cycles_n = h.wait_cycles;
    p->cutout_cycles_n = h.cutout_cycles;
    if (h.enable_automatic_cutout && p->cutout_cycles_n == 0) {
        p->cutout_cycles_n = 1;
    }
    const struct conversion conversions[] = {
        {"harvester: voltage_mV",        h.voltage_mV,            1000,          &p->voltage_uV                          },
        { "harvester: voltage_min_mV",   h.voltage_min_mV,        1000,          &p->voltage_min_uV                      },
        { "harvester: voltage_max_mV",   h.voltage_max_mV,        1000,          &p->voltage_max_uV                      },
        { "harvester: voltage_step_mV",  step_mV,                 1000,          &p->voltage_step_uV                     },
        { "harvester: current_limit_uA", fmax(h.current_limit_uA, LIMIT_MIN_uA), 1000,
         &p->current_limit_nA },
        { "harvester: setpoint_n",                             h.setpoint_n,                             65536,  &p->setpoint_n16        },
        { "harvester: interval_ms",                             interval_ms,                            SAMPLES_PER_MS,  &p->interval_n},
        { "harvester: duration_ms",                             duration_ms,                            SAMPLES_PER_MS,  &p->duration_n        },
        { "step",                             PO_STEP_MAX_uV,                                              1,                 &p->po_step_max_uV   },
    };

    return convert(conversions, sizeof(conversions) / sizeof(conversions[0]), err);
}

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
    const struct conversion conversions[] = {
        {"V_intermediate_enable_output_threshold_mV",   enable_mV,  1000, &p->V_enable_uV },
        { "V_intermediate_disable_output_threshold_mV", disable_mV, 1000, &p->V_disable_uV},
    };

    return convert(conversions, sizeof(conversions) / sizeof(conversions[0]), err);
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
        count = ceil(fmax(1, energy_J / SAMPLE_S / POWER_MAX_W));
        p->P_output_charge_fW_n8 =
            (uint64_t)nearbyint(energy_J / SAMPLE_S / count * 1e15 * 256);
    } else {
        C_series_F = C_out_F * C_store_F / (C_out_F + C_store_F);
        count = ceil(fmax(1, C_series_F * V_STORE_MAX / CHARGE_MAX_As));
        p->C_output = vsource_scale_of(C_series_F / count * 1e-6 / UNIT_As * ldexp(1, 24));
    }
    return to_u32(count, "C_output_uF", &p->output_charge_n, err);
}

static int derive_numbers(const struct source_config *s, struct vsource_converter *p,
                          struct err *err)
{
    const struct conversion conversions[] = {
        {"interval_startup_delay_drain_ms", s->interval_startup_delay_drain_ms, SAMPLES_PER_MS,
         &p->startup_drain_n                                                                                                                           },
        { "interval_check_thresholds_ms",   s->interval_check_thresholds_ms,    SAMPLES_PER_MS,
         &p->check_interval_n                                                                                                                          },
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

    return convert(conversions, sizeof(conversions) / sizeof(conversions[0]), err);
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

static int derive_store_tables(const struct storage_config *storage, struct vsource_store *p,
                               struct err *err)
{
    for (uint32_t i = 0; i < VSOURCE_STORE_KNOTS; i++) {
        double soc = (double)i / (VSOURCE_STORE_KNOTS - 1);
        double V_oc = storage_curve(storage->p_VOC, soc);
        double R_series = storage_curve(storage->p_Rs, soc);

        if (!(V_oc >= 0 && V_oc <= V_STORE_MAX)) {
            return err_set(err, ERR_INPUT,
                           "storage: p_VOC gives %g V at a state of charge of %g, beyond 0..%g",
                           V_oc, soc, V_STORE_MAX);
        }
        if (!(R_series >= 0 && R_series <= R_SERIES_MAX_Ohm)) {
            return err_set(err, ERR_INPUT,
                           "storage: p_Rs gives %g Ohm at a state of charge of %g, beyond "
                           "0..%g",
                           R_series, soc, R_SERIES_MAX_Ohm);
        }
        p->V_oc_uV_n8[i] = (uint32_t)nearbyint(V_oc * 1e6 * 256);
        p->R_series_kOhm_n28[i] = (uint32_t)nearbyint(ldexp(R_series / 1000, 28));
    }
    return 0;
}

/* The highest state of charge whose voltage is not above the limit. */
static uint64_t state_of_charge_below(const struct vsource_store *p, double V_max_mV)
{
    double limit_n8 = V_max_mV * 1000 * 256;

    for (uint32_t k = 1; k <= VSOURCE_STORE_KNOTS; k++) {
        uint32_t i = VSOURCE_STORE_KNOTS - k;
        double low = p->V_oc_uV_n8[i];
        double fraction = 0;

        if (low > limit_n8) {
            continue;
        }
        if (i < VSOURCE_STORE_KNOTS - 1) {
            fraction = (limit_n8 - low) / (p->V_oc_uV_n8[i + 1] - low);
        }
        return (uint64_t)(ldexp(i + fraction, VSOURCE_STORE_INDEX_SHIFT));
    }
    return 0;
}

/* How far a sample's current moves the voltage by its middle, as a resistance; rounded up, and
 * a voltage that falls while charging counts as level, so that nothing is created. */
static void derive_half_steps(double q_As, struct vsource_store *p)
{
    for (uint32_t i = 0; i < VSOURCE_STORE_KNOTS - 1; i++) {
        double step_V = ((double)p->V_oc_uV_n8[i + 1] - p->V_oc_uV_n8[i]) / 256e6;
        double slope_V_per_As = fmax(0, step_V) * (VSOURCE_STORE_KNOTS - 1) / q_As;
        double R_kOhm = slope_V_per_As * SAMPLE_S / 2 / 1000;

        p->R_half_kOhm_n28[i] = (uint32_t)fmin(UINT32_MAX, ceil(ldexp(R_kOhm, 28)));
    }
    p->R_half_kOhm_n28[VSOURCE_STORE_KNOTS - 1] = p->R_half_kOhm_n28[VSOURCE_STORE_KNOTS - 2];
}

static int derive_store(const struct source_config *source, struct vsource_store *p,
                        struct err *err)
{
    /* Full scale of the state of charge, n58, and the mantissa's 32 bits. */
    static const double Q_MIN_As = 0x1p58 * 1e-14 / 0x1p32;
    static const double R_LEAK_MIN_Ohm = 4;
    const struct storage_config *storage = &source->storage;
    double q_As = storage->q_As;

    if (!(q_As > Q_MIN_As) || !isfinite(q_As)) {
        return err_set(err, ERR_INPUT, "storage: q_As %g is below %.3g (0.1 uF x 6.7 V)", q_As,
                       Q_MIN_As);
    }
    if (!(storage->SoC_init >= 0 && storage->SoC_init <= 1)) {
        return err_set(err, ERR_INPUT, "storage: SoC_init %g is beyond 0..1",
                       storage->SoC_init);
    }
    if (storage->R_leak_Ohm < 0
        || (storage->R_leak_Ohm > 0 && storage->R_leak_Ohm < R_LEAK_MIN_Ohm)) {
        return err_set(err, ERR_INPUT, "storage: R_leak_Ohm %g is below %g",
                       storage->R_leak_Ohm, R_LEAK_MIN_Ohm);
    }
    if (!(source->I_intermediate_leak_nA >= 0 && source->I_intermediate_leak_nA < 0x1p32)) {
        return err_set(err, ERR_INPUT, "I_intermediate_leak_nA: %g is beyond 0..4.29e9",
                       source->I_intermediate_leak_nA);
    }
    if (derive_store_tables(storage, p, err) < 0) {
        return -1;
    }
    p->soc_init_n58 = (uint64_t)(ldexp(storage->SoC_init, 58));
    p->soc_max_n58 = state_of_charge_below(p, source->V_intermediate_max_mV);
    p->I_leak_nA_n32 = (uint64_t)ldexp(source->I_intermediate_leak_nA, 32);
    p->G_leak =
        vsource_scale_of(storage->R_leak_Ohm > 0 ? ldexp(1000 / storage->R_leak_Ohm, 24) : 0);
    p->soc_per_current = vsource_scale_of(ldexp(UNIT_As / q_As, 58));
    derive_half_steps(q_As, p);
    return 0;
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
    return finished.storage.is_present ? derive_store(&finished, &params->store, err) : 0;
}

static uint32_t aux_mode(const struct node_config *config)
{
    switch (config->aux_source) {
    case AUX_FIXED:
        return config->voltage_aux_mV > 0 ? VSOURCE_AUX_FIXED : VSOURCE_AUX_OFF;
    case AUX_MIRROR:
        return VSOURCE_AUX_MIRROR;
    case AUX_STORAGE:
        return VSOURCE_AUX_STORAGE;
    }
    return VSOURCE_AUX_OFF;
}

static int derive_emulation(const struct node_config *config, struct vsource_params *params,
                            struct err *err)
{
    struct vsource_input input = {
        .window_samples = config->input_window,
        .step_uV = config->input_step_uV,
        .is_isc_voc = config->input_is_isc_voc,
    };
    struct vsource_converter *p = &params->converter;

    if (vsource_derive_source(&config->source, &input, params, err) < 0) {
        return -1;
    }
    p->aux_mode = aux_mode(config);
    const struct conversion conversions[] = {
        {"voltage_aux_mV",  config->voltage_aux_mV, 1000,           &p->aux_uV        },
        { "start_power_ms", config->start_power_ms, SAMPLES_PER_MS, &p->start_power_n },
        { "start_power_mV", config->start_power_mV, 1000,           &p->start_power_uV},
    };

    return convert(conversions, sizeof(conversions) / sizeof(conversions[0]), err);
}

int vsource_derive(const struct node_config *config, const struct calibration *cal,
                   struct vsource_params *params, struct err *err)
{
    vsource_derive_defaults(params);
    vsource_derive_calibration(cal, config->target_port, params);
    if (config->mode == MODE_EMULATE) {
        return derive_emulation(config, params, err);
    }
    params->adc_current = adc_channel(&cal->hrv_adc_I, 1e-9);
    return vsource_derive_harvester(&config->harvester, NULL, params, err);
}
