/* SPDX-License-Identifier: MIT */
#include "common/vsource_derive.h"

#include "common/vsource_derive_parts.h"

#include <math.h>
#include <string.h>

static const double PO_STEP_MAX_uV = 300000; /* the incumbent's */

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
    return samples / VSOURCE_SAMPLES_PER_MS;
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
    const struct vsource_conversion conversions[] = {
        {"harvester: voltage_mV",        h.voltage_mV,            1000,          &p->voltage_uV                                  },
        { "harvester: voltage_min_mV",   h.voltage_min_mV,        1000,          &p->voltage_min_uV                              },
        { "harvester: voltage_max_mV",   h.voltage_max_mV,        1000,          &p->voltage_max_uV                              },
        { "harvester: voltage_step_mV",  step_mV,                 1000,          &p->voltage_step_uV                             },
        { "harvester: current_limit_uA", fmax(h.current_limit_uA, LIMIT_MIN_uA), 1000,
         &p->current_limit_nA },
        { "harvester: setpoint_n",                             h.setpoint_n,                             65536,  &p->setpoint_n16                },
        { "harvester: interval_ms",                             interval_ms,                            VSOURCE_SAMPLES_PER_MS,  &p->interval_n},
        { "harvester: duration_ms",                             duration_ms,                            VSOURCE_SAMPLES_PER_MS,  &p->duration_n                },
        { "step",                             PO_STEP_MAX_uV,                                              1,                 &p->po_step_max_uV   },
    };

    return vsource_derive_numbers(conversions, sizeof(conversions) / sizeof(conversions[0]),
                                  err);
}
