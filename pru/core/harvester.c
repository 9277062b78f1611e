/* SPDX-License-Identifier: MIT */
#include "pru/core/harvester.h"

#include "pru/core/fx.h"

enum {
    MIN_OPEN_UV = 1000, /* below, a curve is dark rather than open */
    NEVER_TWICE =
        1 << 30, /* interval step of a harvester whose interval is below two windows */
};

void harvester_init(struct harvester *harvester, const struct harvester_params *params)
{
    struct harvester fresh = { 0 };
    uint32_t two_windows = params->window_size << 1;

    *harvester = fresh;
    harvester->params = params;
    harvester->setpoint_uV = fx_add_u32(params->voltage_uV, 1);
    harvester->interval_step = params->interval_n > two_windows
                                   ? params->interval_n - two_windows
                                   : (uint32_t)NEVER_TWICE;
    harvester->stride_uV = params->voltage_step_uV;
    harvester->is_rising = (params->flags & HARVESTER_FLAG_RISING) != 0;
    harvester->voc_now_uV = params->voltage_max_uV;
    harvester->voc_next_uV = params->voltage_max_uV;
}

static uint32_t move(uint32_t value, int64_t delta)
{
    int64_t moved = (int64_t)value + delta;

    if (moved < 0) {
        return 0;
    }
    return moved > (int64_t)UINT32_MAX ? UINT32_MAX : (uint32_t)moved;
}

static void hold_point(struct harvester *harvester, struct harvester_point held,
                       struct harvester_point point)
{
    harvester->hold = held;
    harvester->delta_voltage_uV =
        (int64_t)point.voltage_uV - (int64_t)harvester->last.voltage_uV;
    harvester->delta_current_nA =
        (int64_t)point.current_nA - (int64_t)harvester->last.current_nA;
}

/* Between two passes of the curve the held point walks along its slope, to and fro over the set
 * point. */
static void extrapolate(struct harvester *harvester)
{
    bool is_below = harvester->hold.voltage_uV < harvester->setpoint_uV;
    int64_t sign = is_below == (harvester->delta_voltage_uV > 0) ? 1 : -1;

    harvester->hold.voltage_uV =
        move(harvester->hold.voltage_uV, sign * harvester->delta_voltage_uV);
    harvester->hold.current_nA =
        move(harvester->hold.current_nA, sign * harvester->delta_current_nA);
}

static void step_cv(struct harvester *harvester, struct harvester_point *point)
{
    uint32_t setpoint_uV = harvester->setpoint_uV;
    uint32_t reach_uV = fx_clamp_u32(fx_mul(harvester->params->voltage_step_uV, 4));
    bool is_below = point->voltage_uV < setpoint_uV;
    uint32_t step_uV = fx_distance_u32(point->voltage_uV, harvester->last.voltage_uV);

    if (is_below != harvester->was_below && step_uV < reach_uV) {
        uint32_t now_uV = fx_distance_u32(point->voltage_uV, setpoint_uV);
        uint32_t before_uV = fx_distance_u32(harvester->last.voltage_uV, setpoint_uV);

        if (now_uV < before_uV && now_uV < reach_uV) {
            hold_point(harvester, *point, *point);
        } else if (before_uV < now_uV && before_uV < reach_uV) {
            hold_point(harvester, harvester->last, *point);
        }
    } else if (harvester->params->flags & HARVESTER_FLAG_EXTRAPOLATION) {
        extrapolate(harvester);
    }
    harvester->last = *point;
    harvester->was_below = is_below;
    *point = harvester->hold;
}

static void advance_interval(struct harvester *harvester)
{
    harvester->interval_step++;
    if (harvester->interval_step >= harvester->params->interval_n) {
        harvester->interval_step = 0;
    }
}

/* The lowest voltage without current of the last two windows is the open circuit's. */
static void track_voc(struct harvester *harvester, const struct harvester_point *point)
{
    const struct harvester_params *params = harvester->params;
    uint32_t floor_uV = fx_max_u32(MIN_OPEN_UV, params->voltage_min_uV);

    harvester->age_next = fx_add_u32(harvester->age_next, 1);
    harvester->age_now = fx_add_u32(harvester->age_now, 1);
    if (point->current_nA < params->current_limit_nA
        && point->voltage_uV < harvester->voc_next_uV && point->voltage_uV >= floor_uV
        && point->voltage_uV <= params->voltage_max_uV) {
        harvester->voc_next_uV = point->voltage_uV;
        harvester->age_next = 0;
    }
    if (harvester->age_now > params->window_size << 1
        || harvester->voc_next_uV <= harvester->voc_now_uV) {
        harvester->age_now = harvester->age_next;
        harvester->voc_now_uV = harvester->voc_next_uV;
        harvester->age_next = 0;
        harvester->voc_next_uV = params->voltage_max_uV;
    }
}

static void step_mppt_voc(struct harvester *harvester, struct harvester_point *point)
{
    const struct harvester_params *params = harvester->params;

    advance_interval(harvester);
    track_voc(harvester, point);
    step_cv(harvester, point);
    if (harvester->interval_step < params->duration_n) {
        harvester->setpoint_uV = params->voltage_max_uV;
        point->current_nA = 0;
    } else if (harvester->interval_step == params->duration_n) {
        harvester->setpoint_uV =
            fx_clamp_u32(fx_mul(harvester->voc_now_uV, params->setpoint_n8) >> 8);
        point->current_nA = 0;
    }
}

static void stride(struct harvester *harvester)
{
    harvester->setpoint_uV = harvester->is_rising
                                 ? fx_add_u32(harvester->setpoint_uV, harvester->stride_uV)
                                 : fx_sub_u32(harvester->setpoint_uV, harvester->stride_uV);
}

static void turn(struct harvester *harvester, bool is_rising)
{
    harvester->is_rising = is_rising;
    harvester->stride_uV = harvester->params->voltage_step_uV;
}

static void bound_setpoint(struct harvester *harvester)
{
    const struct harvester_params *params = harvester->params;

    if (harvester->setpoint_uV >= params->voltage_max_uV) {
        harvester->setpoint_uV = params->voltage_max_uV;
        turn(harvester, false);
    }
    if (harvester->setpoint_uV <= params->voltage_min_uV) {
        harvester->setpoint_uV = params->voltage_min_uV;
        turn(harvester, true);
    }
    if (harvester->setpoint_uV < params->voltage_step_uV) {
        harvester->setpoint_uV = params->voltage_step_uV;
        turn(harvester, true);
    }
}

static void step_mppt_po(struct harvester *harvester, struct harvester_point *point)
{
    const struct harvester_params *params = harvester->params;
    uint64_t power = 0;

    advance_interval(harvester);
    step_cv(harvester, point);
    if (harvester->interval_step != 0) {
        return;
    }
    power = fx_mul(point->voltage_uV, point->current_nA);
    if (power > harvester->power_next) {
        stride(harvester);
        harvester->stride_uV = fx_add_u32(harvester->stride_uV, harvester->stride_uV);
    } else if (power == 0 && harvester->setpoint_uV > 0) {
        turn(harvester, true);
        harvester->setpoint_uV = fx_sub_u32(harvester->setpoint_uV,
                                            fx_clamp_u32(fx_mul(params->voltage_step_uV, 4)));
    } else {
        turn(harvester, !harvester->is_rising);
        stride(harvester);
    }
    harvester->power_next = power;
    bound_setpoint(harvester);
}

/* The best point of the last one to two windows. */
static void step_mppt_opt(struct harvester *harvester, struct harvester_point *point)
{
    const struct harvester_params *params = harvester->params;
    uint64_t power = fx_mul(point->voltage_uV, point->current_nA);

    harvester->age_next = fx_add_u32(harvester->age_next, 1);
    harvester->age_now = fx_add_u32(harvester->age_now, 1);
    if (power >= harvester->power_next && point->voltage_uV >= params->voltage_min_uV
        && point->voltage_uV <= params->voltage_max_uV) {
        harvester->age_next = 0;
        harvester->power_next = power;
        harvester->best_next = *point;
    }
    if (harvester->age_now > params->window_size << 1
        || harvester->power_next >= harvester->power_now) {
        struct harvester_point none = { 0, 0 };

        harvester->age_now = harvester->age_next;
        harvester->power_now = harvester->power_next;
        harvester->best_now = harvester->best_next;
        harvester->age_next = 0;
        harvester->power_next = 0;
        harvester->best_next = none;
    }
    *point = harvester->best_now;
}

void harvester_step(struct harvester *harvester, struct harvester_point *point)
{
    uint32_t algorithm = harvester->params->algorithm;

    if (harvester->params->window_size <= 1 || algorithm < PRU_ALGORITHM_CV) {
        return;
    }
    if (algorithm >= PRU_ALGORITHM_MPPT_OPT) {
        step_mppt_opt(harvester, point);
    } else if (algorithm >= PRU_ALGORITHM_MPPT_PO) {
        step_mppt_po(harvester, point);
    } else if (algorithm >= PRU_ALGORITHM_MPPT_VOC) {
        step_mppt_voc(harvester, point);
    } else {
        step_cv(harvester, point);
    }
}
