/* SPDX-License-Identifier: MIT */
#include "pru/core/harvest.h"

#include "pru/core/calib.h"

enum {
    ADC_OPEN =
        0x3FFFF, /* stands for "no current yet": the source has not settled at its maximum */
};

void harvest_init(struct harvest *harvest, const struct harvester_params *params,
                  const struct calibration_params *cal)
{
    struct harvest fresh = { 0 };

    *harvest = fresh;
    harvest->params = params;
    harvest->cal = cal;
    harvest->setpoint_uV = fx_add_u32(params->voltage_uV, 1);
    harvest->interval_step = params->interval_n;
    harvest->settle_steps = 0;
    harvest->ramp_step = params->window_size;
    harvest->stride_uV = params->voltage_step_uV;
    harvest->is_rising = (params->flags & HARVESTER_FLAG_RISING) != 0;
}

static void set_dac(const struct harvest *harvest, struct harvest_sample *out,
                    uint32_t voltage_uV)
{
    out->has_dac = true;
    out->dac = calib_dac_code(harvest->cal, voltage_uV);
}

static uint32_t clamp_setpoint(const struct harvester_params *params, uint32_t voltage_uV)
{
    return fx_max_u32(fx_min_u32(voltage_uV, params->voltage_max_uV), params->voltage_min_uV);
}

static void step_cv(struct harvest *harvest, struct harvest_sample *out)
{
    if (harvest->setpoint_uV != harvest->params->voltage_uV) {
        harvest->setpoint_uV = harvest->params->voltage_uV;
        set_dac(harvest, out, harvest->setpoint_uV);
    }
}

static void advance_ramp(struct harvest *harvest)
{
    const struct harvester_params *params = harvest->params;
    bool is_rising = (params->flags & HARVESTER_FLAG_RISING) != 0;

    harvest->ramp_step++;
    if (harvest->ramp_step >= params->window_size) {
        harvest->ramp_step = 0;
        harvest->setpoint_uV = is_rising ? params->voltage_min_uV : params->voltage_max_uV;
    } else if (is_rising) {
        harvest->setpoint_uV = fx_add_u32(harvest->setpoint_uV, params->voltage_step_uV);
    } else {
        harvest->setpoint_uV = fx_sub_u32(harvest->setpoint_uV, params->voltage_step_uV);
    }
    harvest->setpoint_uV = clamp_setpoint(params, harvest->setpoint_uV);
}

/* The samples read right after the jump from one end of the ramp to the other belong to
 * neither. */
static void cut_out(const struct harvest *harvest, struct harvest_sample *out)
{
    if (harvest->ramp_step >= harvest->params->cutout_cycles_n) {
        return;
    }
    if (harvest->params->flags & HARVESTER_FLAG_RISING) {
        out->voltage = 0;
    } else {
        out->voltage = ADC_OPEN;
        out->current = 0;
    }
}

static void step_ivcurve(struct harvest *harvest, struct harvest_sample *out)
{
    if (harvest->ramp_step < harvest->params->window_size) {
        cut_out(harvest, out);
    }
    if (harvest->settle_steps > 0) {
        harvest->settle_steps--;
        return;
    }
    harvest->settle_steps = harvest->params->wait_cycles_n;
    advance_ramp(harvest);
    set_dac(harvest, out, harvest->setpoint_uV);
}

/* Alternates open circuit and short circuit; each value is read at the end of its phase. */
static void step_isc_voc(struct harvest *harvest, struct harvest_sample *out)
{
    if (harvest->settle_steps > 0) {
        harvest->settle_steps--;
    } else {
        harvest->settle_steps = harvest->params->wait_cycles_n;
        if (harvest->is_rising) {
            harvest->hold_current = out->current;
            harvest->setpoint_uV = harvest->params->voltage_max_uV;
        } else {
            harvest->hold_voltage = out->voltage;
            harvest->setpoint_uV = 0;
        }
        harvest->is_rising = !harvest->is_rising;
        set_dac(harvest, out, harvest->setpoint_uV);
    }
    out->voltage = harvest->hold_voltage;
    out->current = harvest->hold_current;
}

static bool advance_interval(struct harvest *harvest)
{
    harvest->interval_step++;
    if (harvest->interval_step >= harvest->params->interval_n) {
        harvest->interval_step = 0;
    }
    return harvest->interval_step == 0;
}

static void step_mppt_voc(struct harvest *harvest, struct harvest_sample *out)
{
    const struct harvester_params *params = harvest->params;
    uint32_t open_uV = 0;

    if (advance_interval(harvest)) {
        set_dac(harvest, out, params->voltage_max_uV);
    }
    if (harvest->interval_step == params->duration_n - 1) {
        open_uV = calib_voltage_uV(harvest->cal, out->voltage);
        harvest->setpoint_uV =
            clamp_setpoint(params, fx_clamp_u32(fx_mul(open_uV, params->setpoint_n8) >> 8));
        set_dac(harvest, out, harvest->setpoint_uV);
    }
    if (harvest->interval_step < params->duration_n) {
        out->current = 0;
    }
}

static void stride(struct harvest *harvest)
{
    harvest->setpoint_uV = harvest->is_rising
                               ? fx_add_u32(harvest->setpoint_uV, harvest->stride_uV)
                               : fx_sub_u32(harvest->setpoint_uV, harvest->stride_uV);
}

static void turn(struct harvest *harvest, bool is_rising)
{
    harvest->is_rising = is_rising;
    harvest->stride_uV = harvest->params->voltage_step_uV;
}

static void bound_setpoint(struct harvest *harvest)
{
    const struct harvester_params *params = harvest->params;

    if (harvest->setpoint_uV >= params->voltage_max_uV) {
        harvest->setpoint_uV = params->voltage_max_uV;
        turn(harvest, false);
    }
    if (harvest->setpoint_uV <= params->voltage_min_uV) {
        harvest->setpoint_uV = params->voltage_min_uV;
        turn(harvest, true);
    }
    if (harvest->setpoint_uV < params->voltage_step_uV) {
        harvest->setpoint_uV = params->voltage_step_uV;
        turn(harvest, true);
    }
}

/* Perturb and observe: strides double while the power rises, turn back when it falls. */
static void step_mppt_po(struct harvest *harvest, struct harvest_sample *out)
{
    const struct harvester_params *params = harvest->params;
    uint32_t voltage_uV = calib_voltage_uV(harvest->cal, out->voltage);
    uint64_t power = fx_mul(out->voltage, out->current);

    if (!advance_interval(harvest)) {
        return;
    }
    if (power > harvest->power_last) {
        stride(harvest);
        harvest->stride_uV = fx_min_u32(harvest->stride_uV << 1, params->step_limit_uV);
    } else if (power == 0 && harvest->setpoint_uV > 0) {
        turn(harvest, true);
        harvest->setpoint_uV =
            fx_sub_u32(harvest->setpoint_uV, fx_clamp_u32(fx_mul(params->voltage_step_uV, 4)));
    } else {
        turn(harvest, !harvest->is_rising);
        stride(harvest);
    }
    harvest->power_last = power;
    /* The source sags below what was asked of it: do not run away from it. */
    if (harvest->is_rising
        && fx_sub_u32(harvest->setpoint_uV, voltage_uV) > harvest->stride_uV << 1) {
        harvest->setpoint_uV = fx_sub_u32(voltage_uV, harvest->stride_uV);
        harvest->is_rising = false;
    }
    bound_setpoint(harvest);
    set_dac(harvest, out, harvest->setpoint_uV);
}

struct harvest_sample harvest_step(struct harvest *harvest, uint32_t voltage, uint32_t current)
{
    struct harvest_sample out = { voltage, current, false, 0 };

    switch (harvest->params->algorithm) {
    case PRU_ALGORITHM_CV:
        step_cv(harvest, &out);
        break;
    case PRU_ALGORITHM_IVCURVE:
        step_ivcurve(harvest, &out);
        break;
    case PRU_ALGORITHM_ISC_VOC:
        step_isc_voc(harvest, &out);
        break;
    case PRU_ALGORITHM_MPPT_VOC:
        step_mppt_voc(harvest, &out);
        break;
    case PRU_ALGORITHM_MPPT_PO:
    case PRU_ALGORITHM_MPPT_OPT:
        step_mppt_po(harvest, &out);
        break;
    default:
        break;
    }
    return out;
}
