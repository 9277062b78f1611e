/* SPDX-License-Identifier: MIT */
/* Formats and their ranges are explained in pru/core/README.md. */
#include "common/vsource_derive.h"

#include "common/vsource_derive_parts.h"

#include <math.h>
#include <string.h>

int vsource_derive_u32(double value, const char *name, uint32_t *result, struct err *err)
{
    double rounded = nearbyint(value);

    if (!(rounded >= 0) || rounded > UINT32_MAX) {
        return err_set(err, ERR_INPUT, "%s: %g is beyond 0..%u", name, value, UINT32_MAX);
    }
    *result = (uint32_t)rounded;
    return 0;
}

int vsource_derive_numbers(const struct vsource_conversion *conversions, size_t count,
                           struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        const struct vsource_conversion *c = &conversions[i];

        if (vsource_derive_u32(c->value * c->factor, c->name, c->result, err) < 0) {
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
    const struct vsource_conversion conversions[] = {
        {"voltage_aux_mV",  config->voltage_aux_mV, 1000,                   &p->aux_uV        },
        { "start_power_ms", config->start_power_ms, VSOURCE_SAMPLES_PER_MS, &p->start_power_n },
        { "start_power_mV", config->start_power_mV, 1000,                   &p->start_power_uV},
    };

    return vsource_derive_numbers(conversions, sizeof(conversions) / sizeof(conversions[0]),
                                  err);
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
