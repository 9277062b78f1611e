/* SPDX-License-Identifier: MIT */
#include "pru/core/pair_harvester.h"

#include "pru/core/fx.h"

enum {
    INDEX_SHIFT = 27, /* n32 to 32 steps */
};

uint32_t pair_harvester_current(const struct vsource_params *params, struct curve_point pair,
                                uint32_t voltage_uV)
{
    const uint32_t *knots = params->curve_n16;
    uint32_t part_n32 = 0;
    uint32_t knot = 0;
    uint32_t fall_n16 = 0;

    if (voltage_uV >= pair.voltage_uV) {
        return 0;
    }
    part_n32 = fx_clamp_u32(fx_scale(fx_join(voltage_uV, 0), fx_reciprocal(pair.voltage_uV)));
    knot = part_n32 >> INDEX_SHIFT;
    /* the curve falls */
    fall_n16 = fx_high(
        fx_mul_u32(fx_sub_u32(knots[knot], knots[knot + 1]), part_n32 << (32 - INDEX_SHIFT)));
    return fx_mul_down(pair.current_nA, knots[knot] - fall_n16, 16);
}

static struct curve_point at_voltage(const struct vsource_params *params,
                                     struct curve_point pair, uint32_t voltage_uV)
{
    struct curve_point point = {
        .voltage_uV = fx_min_u32(voltage_uV, pair.voltage_uV),
        .current_nA = pair_harvester_current(params, pair, voltage_uV),
    };

    return point;
}

/* Left open for `duration` of each interval; then at a fraction of what was measured. */
static struct curve_point step_pair_voc(struct curve_harvester *h, struct curve_point pair)
{
    const struct vsource_harvester *p = &h->params->harvester;
    struct curve_point point;

    h->interval_step++;
    if (h->interval_step >= p->interval_n) {
        h->interval_step = 0;
    }
    if (h->interval_step < p->duration_n) {
        h->set_uV = fx_mul_down(pair.voltage_uV, p->setpoint_n16, 16);
        h->set_uV = fx_min_u32(h->set_uV, p->voltage_max_uV);
        if (h->set_uV < p->voltage_min_uV) {
            h->set_uV = p->voltage_min_uV;
        }
        point.voltage_uV = pair.voltage_uV;
        point.current_nA = 0;
        return point;
    }
    return at_voltage(h->params, pair, h->set_uV);
}

struct curve_point pair_harvester_step(struct curve_harvester *harvester,
                                       struct curve_point pair)
{
    const struct vsource_params *params = harvester->params;
    uint32_t algorithm = params->harvester.algorithm;
    struct curve_point point = pair;

    if (algorithm >= VSOURCE_MPPT_PO) {
        point.voltage_uV = fx_mul_down(pair.voltage_uV, params->curve_peak_V_n16, 16);
        point.current_nA = fx_mul_down(pair.current_nA, params->curve_peak_I_n16, 16);
        return point;
    }
    if (algorithm >= VSOURCE_MPPT_VOC) {
        return step_pair_voc(harvester, pair);
    }
    return at_voltage(params, pair, harvester->set_uV);
}
