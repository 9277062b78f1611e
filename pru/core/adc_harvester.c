/* SPDX-License-Identifier: MIT */
#include "pru/core/adc_harvester.h"

#include "pru/core/calib.h"
#include "pru/core/fx.h"

static const uint32_t NEVER = 1u << 30; /* so that the first sample begins an interval */

void adc_harvester_init(struct adc_harvester *harvester, const struct vsource_params *params)
{
    const struct vsource_harvester *p = &params->harvester;

    harvester->params = params;
    harvester->set_uV = fx_add_u32(p->voltage_uV, 1);
    harvester->interval_step = NEVER;
    harvester->settle_steps = 0;
    harvester->step_uV = p->voltage_step_uV;
    harvester->power = 0;
    harvester->hold_voltage = 0;
    harvester->hold_current = 0;
    harvester->last_voltage = 0;
    harvester->is_rising = (p->flags & VSOURCE_HARVESTER_RISING) != 0;
    harvester->is_cut = false;
}

static void write_set(const struct adc_harvester *h, struct adc_output *output)
{
    output->dac_code = calib_to_code(&h->params->dac_harvest, h->set_uV);
    output->has_dac = true;
}

static void limit_set(struct adc_harvester *h)
{
    const struct vsource_harvester *p = &h->params->harvester;

    h->set_uV = fx_min_u32(h->set_uV, p->voltage_max_uV);
    if (h->set_uV < p->voltage_min_uV) {
        h->set_uV = p->voltage_min_uV;
    }
}

static void move_set(struct adc_harvester *h, uint32_t step_uV)
{
    h->set_uV = h->is_rising ? fx_add_u32(h->set_uV, step_uV) : fx_sub_u32(h->set_uV, step_uV);
}

static bool begins_interval(struct adc_harvester *h)
{
    h->interval_step++;
    if (h->interval_step < h->params->harvester.interval_n) {
        return false;
    }
    h->interval_step = 0;
    return true;
}

/* The spike after the ramp's jump: the first cut-out steps are replaced by the ends of the
 * range. Automatic: it ends as soon as the voltage moves the ramp's way again. */
static void cut_out(struct adc_harvester *h, struct adc_codes *codes)
{
    uint32_t voltage = codes->voltage;
    bool is_moving_on = h->is_rising ? voltage > h->last_voltage : voltage < h->last_voltage;

    if (h->interval_step >= h->params->harvester.cutout_cycles_n
        || ((h->params->harvester.flags & VSOURCE_HARVESTER_AUTO_CUTOUT) != 0 && is_moving_on
            && h->interval_step > 0)) {
        h->is_cut = false;
    }
    h->last_voltage = voltage;
    if (!h->is_cut) {
        return;
    }
    codes->voltage = h->is_rising ? 0 : CALIB_ADC_MAX;
    if (!h->is_rising) {
        codes->current = 0;
    }
}

static void step_ivcurve(struct adc_harvester *h, struct adc_output *output)
{
    const struct vsource_harvester *p = &h->params->harvester;

    cut_out(h, &output->recorded);
    if (h->settle_steps > 0) {
        h->settle_steps--;
        return;
    }
    h->settle_steps = p->wait_cycles_n;
    h->interval_step++;
    if (h->interval_step >= p->window_samples) {
        h->interval_step = 0;
        h->is_cut = true;
        h->set_uV = h->is_rising ? p->voltage_min_uV : p->voltage_max_uV;
    } else {
        move_set(h, p->voltage_step_uV);
        limit_set(h);
    }
    write_set(h, output);
}

static void step_isc_voc(struct adc_harvester *h, struct adc_output *output)
{
    if (h->settle_steps > 0) {
        h->settle_steps--;
    } else {
        /* The phase that ends was the other one: short before open, open before short. */
        output->dac_code = h->is_rising ? CALIB_DAC_MAX : 0;
        output->has_dac = true;
        if (h->is_rising) {
            h->hold_current = output->recorded.current;
        } else {
            h->hold_voltage = output->recorded.voltage;
        }
        h->is_rising = !h->is_rising;
        h->settle_steps = h->params->harvester.wait_cycles_n;
    }
    output->recorded.voltage = h->hold_voltage;
    output->recorded.current = h->hold_current;
}

static void step_cv(struct adc_harvester *h, struct adc_output *output)
{
    if (h->set_uV != h->params->harvester.voltage_uV) {
        h->set_uV = h->params->harvester.voltage_uV;
        write_set(h, output);
    }
}

/* A ramp that holds each voltage for a whole interval. */
static void step_sweep(struct adc_harvester *h, struct adc_output *output)
{
    const struct vsource_harvester *p = &h->params->harvester;
    bool is_first = h->interval_step >= NEVER;
    uint32_t end_uV = h->is_rising ? p->voltage_max_uV : p->voltage_min_uV;

    if (!begins_interval(h)) {
        return;
    }
    if (is_first || h->set_uV == end_uV) {
        h->set_uV = h->is_rising ? p->voltage_min_uV : p->voltage_max_uV;
    } else {
        move_set(h, p->voltage_step_uV);
        limit_set(h);
    }
    write_set(h, output);
}

static void step_voc(struct adc_harvester *h, struct adc_output *output)
{
    const struct vsource_harvester *p = &h->params->harvester;
    uint32_t voc_uV = 0;

    if (begins_interval(h)) {
        output->dac_code = CALIB_DAC_MAX;
        output->has_dac = true;
    }
    if (h->interval_step + 1 == p->duration_n) {
        voc_uV = calib_from_code(&h->params->adc_voltage, output->recorded.voltage);
        h->set_uV = fx_mul_down(voc_uV, p->setpoint_n16, 16);
        limit_set(h);
        write_set(h, output);
    }
    if (h->interval_step < p->duration_n) {
        output->recorded.current = 0;
    }
}

static void climb(struct adc_harvester *h, uint64_t power)
{
    const struct vsource_harvester *p = &h->params->harvester;

    if (power > h->power) {
        move_set(h, h->step_uV);
        h->step_uV = fx_min_u32(fx_add_u32(h->step_uV, h->step_uV), p->po_step_max_uV);
    } else {
        h->is_rising = !h->is_rising;
        h->step_uV = p->voltage_step_uV;
        move_set(h, h->step_uV);
    }
    h->power = power;
}

static void step_po(struct adc_harvester *h, struct adc_output *output)
{
    const struct vsource_harvester *p = &h->params->harvester;
    uint64_t power = fx_mul_u32(output->recorded.voltage, output->recorded.current);
    uint32_t source_uV = 0;

    if (!begins_interval(h)) {
        return;
    }
    if ((p->flags & VSOURCE_HARVESTER_POWER_32) != 0) {
        power = fx_clamp_u32(power);
    }
    climb(h, power);
    /* A falling source must not be lost: the set-point stays near what it really gives. */
    source_uV = calib_from_code(&h->params->adc_voltage, output->recorded.voltage);
    if (h->is_rising && fx_sub_u32(h->set_uV, source_uV) > fx_add_u32(h->step_uV, h->step_uV)) {
        h->is_rising = false;
        h->set_uV = fx_sub_u32(source_uV, h->step_uV);
    }
    if (h->set_uV >= p->voltage_max_uV) {
        h->set_uV = p->voltage_max_uV;
        h->is_rising = false;
        h->step_uV = p->voltage_step_uV;
    }
    if (h->set_uV <= p->voltage_min_uV) {
        h->set_uV = p->voltage_min_uV;
        h->is_rising = true;
        h->step_uV = p->voltage_step_uV;
    }
    write_set(h, output);
}

void adc_harvester_step(struct adc_harvester *harvester, struct adc_codes codes,
                        struct adc_output *output)
{
    uint32_t algorithm = harvester->params->harvester.algorithm;

    output->recorded = codes;
    output->dac_code = 0;
    output->has_dac = false;
    if (algorithm >= VSOURCE_MPPT_PO) {
        step_po(harvester, output);
    } else if (algorithm >= VSOURCE_MPPT_VOC) {
        step_voc(harvester, output);
    } else if (algorithm >= VSOURCE_SWEEP) {
        step_sweep(harvester, output);
    } else if (algorithm >= VSOURCE_CV) {
        step_cv(harvester, output);
    } else if (algorithm >= VSOURCE_IVCURVE) {
        step_ivcurve(harvester, output);
    } else {
        step_isc_voc(harvester, output);
    }
}
