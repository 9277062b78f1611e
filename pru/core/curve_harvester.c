/* SPDX-License-Identifier: MIT */
#include "pru/core/curve_harvester.h"

#include "pru/core/fx.h"

static const uint32_t NEVER = 1u << 30; /* an interval that has not begun */
static const uint32_t VOC_MIN_uV = 1000;
static const struct curve_point NOTHING = { 0, 0 };

static uint32_t quadruple(uint32_t value)
{
    return value > UINT32_MAX >> 2 ? UINT32_MAX : value << 2;
}

static struct curve_slope slope_between(uint32_t from, uint32_t to)
{
    struct curve_slope slope = { .size = fx_distance_u32(from, to), .is_down = to < from };

    return slope;
}

void curve_harvester_init(struct curve_harvester *harvester,
                          const struct vsource_params *params)
{
    const struct vsource_harvester *p = &params->harvester;
    uint32_t scan_n = fx_add_u32(p->window_samples, p->window_samples);

    harvester->params = params;
    harvester->set_uV = fx_add_u32(p->voltage_uV, 1);
    harvester->interval_step = p->interval_n > scan_n ? p->interval_n - scan_n : NEVER;
    harvester->is_rising = (p->flags & VSOURCE_HARVESTER_RISING) != 0;
    harvester->step_uV = p->voltage_step_uV;
    harvester->power_fW = 0;
    harvester->hold = NOTHING;
    harvester->last = NOTHING;
    harvester->slope_uV = slope_between(0, 0);
    harvester->slope_nA = slope_between(0, 0);
    harvester->was_below = false;
    harvester->n_beyond = 0;
    harvester->age_now = 0;
    harvester->age_next = 0;
    harvester->voc_now_uV = p->voltage_max_uV;
    harvester->voc_next_uV = p->voltage_max_uV;
    harvester->best_now_fW = 0;
    harvester->best_next_fW = 0;
    harvester->best_now = NOTHING;
    harvester->best_next = NOTHING;
}

static uint32_t walk(uint32_t value, struct curve_slope slope, bool is_onward)
{
    return slope.is_down == is_onward ? fx_sub_u32(value, slope.size)
                                      : fx_add_u32(value, slope.size);
}

static void extrapolate(struct curve_harvester *h)
{
    bool is_rising = h->slope_uV.size > 0 && !h->slope_uV.is_down;
    bool is_onward = (h->hold.voltage_uV < h->set_uV) == is_rising;

    h->hold.voltage_uV = walk(h->hold.voltage_uV, h->slope_uV, is_onward);
    h->hold.current_nA = walk(h->hold.current_nA, h->slope_nA, is_onward);
}

/* The curve crossed the set-point: hold the nearer one of the two points beside it. */
static void hold_nearest(struct curve_harvester *h, struct curve_point input, uint32_t reach_uV)
{
    uint32_t now_uV = fx_distance_u32(input.voltage_uV, h->set_uV);
    uint32_t before_uV = fx_distance_u32(h->last.voltage_uV, h->set_uV);

    if (now_uV < before_uV && now_uV < reach_uV) {
        h->hold = input;
    } else if (before_uV < now_uV && before_uV < reach_uV) {
        h->hold = h->last;
    } else {
        return;
    }
    h->slope_uV = slope_between(h->last.voltage_uV, input.voltage_uV);
    h->slope_nA = slope_between(h->last.current_nA, input.current_nA);
}

/* In two whole passes no current came at the set-point or above: the light has fallen, and the
 * set-point lies beyond the open circuit. What was held would give energy that is not. Cut-out
 * readings stand there with a current of 0. */
static void drop_stale(struct curve_harvester *h, struct curve_point input)
{
    const struct vsource_harvester *p = &h->params->harvester;
    bool is_reached = input.voltage_uV >= h->set_uV && input.current_nA > 0;

    h->n_beyond = is_reached ? 0 : fx_add_u32(h->n_beyond, 1);
    if (h->n_beyond > fx_add_u32(p->window_samples, p->window_samples)
        && (p->flags & VSOURCE_HARVESTER_HOLD_STALE) == 0) {
        h->hold.current_nA = 0;
        h->slope_nA.size = 0;
    }
}

static struct curve_point step_cv(struct curve_harvester *h, struct curve_point input)
{
    const struct vsource_harvester *p = &h->params->harvester;
    uint32_t reach_uV = quadruple(p->voltage_step_uV);
    bool is_below = input.voltage_uV < h->set_uV;

    if (is_below != h->was_below
        && fx_distance_u32(input.voltage_uV, h->last.voltage_uV) < reach_uV) {
        hold_nearest(h, input, reach_uV);
    } else if ((p->flags & VSOURCE_HARVESTER_EXTRAPOLATE) != 0) {
        extrapolate(h);
    }
    drop_stale(h, input);
    h->last = input;
    h->was_below = is_below;
    return h->hold;
}

static void count_interval(struct curve_harvester *h)
{
    h->interval_step++;
    if (h->interval_step >= h->params->harvester.interval_n) {
        h->interval_step = 0;
    }
}

/* Nothing is older than two passes of the curve. */
static bool is_outdated(const struct curve_harvester *h)
{
    uint32_t window_n = h->params->harvester.window_samples;

    return h->age_now > fx_add_u32(window_n, window_n);
}

static void search_voc(struct curve_harvester *h, struct curve_point input)
{
    const struct vsource_harvester *p = &h->params->harvester;
    uint32_t min_uV = p->voltage_min_uV > VOC_MIN_uV ? p->voltage_min_uV : VOC_MIN_uV;

    h->age_next++;
    h->age_now++;
    if (input.current_nA < p->current_limit_nA && input.voltage_uV < h->voc_next_uV
        && input.voltage_uV >= min_uV && input.voltage_uV <= p->voltage_max_uV) {
        h->voc_next_uV = input.voltage_uV;
        h->age_next = 0;
    }
    if (is_outdated(h) || h->voc_next_uV <= h->voc_now_uV) {
        h->age_now = h->age_next;
        h->voc_now_uV = h->voc_next_uV;
        h->age_next = 0;
        h->voc_next_uV = p->voltage_max_uV;
    }
}

static struct curve_point step_voc(struct curve_harvester *h, struct curve_point input)
{
    const struct vsource_harvester *p = &h->params->harvester;
    struct curve_point output;

    count_interval(h);
    search_voc(h, input);
    output = step_cv(h, input);
    if (h->interval_step < p->duration_n) {
        h->set_uV = p->voltage_max_uV;
        h->n_beyond = 0; /* the set-point is out of reach on purpose */
        output.current_nA = 0;
    } else if (h->interval_step == p->duration_n) {
        h->set_uV = fx_mul_down(h->voc_now_uV, p->setpoint_n16, 16);
        output.current_nA = 0;
    }
    return output;
}

static void move_set(struct curve_harvester *h)
{
    h->set_uV =
        h->is_rising ? fx_add_u32(h->set_uV, h->step_uV) : fx_sub_u32(h->set_uV, h->step_uV);
}

static void limit_set(struct curve_harvester *h)
{
    const struct vsource_harvester *p = &h->params->harvester;

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
    if (h->set_uV < p->voltage_step_uV) {
        h->set_uV = p->voltage_step_uV;
        h->is_rising = true;
        h->step_uV = p->voltage_step_uV;
    }
}

static struct curve_point step_po(struct curve_harvester *h, struct curve_point input)
{
    uint32_t start_uV = h->params->harvester.voltage_step_uV;
    struct curve_point output;
    uint64_t power_fW = 0;

    count_interval(h);
    output = step_cv(h, input);
    if (h->interval_step != 0) {
        return output;
    }
    power_fW = fx_mul_u32(output.voltage_uV, output.current_nA);
    if (fx_is_less_u64(h->power_fW, power_fW)) {
        move_set(h);
        h->step_uV = fx_add_u32(h->step_uV, h->step_uV);
    } else if (fx_is_zero_u64(power_fW) && h->set_uV > 0) {
        h->is_rising = true;
        h->step_uV = start_uV;
        h->set_uV = fx_sub_u32(h->set_uV, quadruple(start_uV));
    } else {
        h->is_rising = !h->is_rising;
        h->step_uV = start_uV;
        move_set(h);
    }
    h->power_fW = power_fW;
    limit_set(h);
    return output;
}

static struct curve_point step_opt(struct curve_harvester *h, struct curve_point input)
{
    const struct vsource_harvester *p = &h->params->harvester;
    uint64_t power_fW = fx_mul_u32(input.voltage_uV, input.current_nA);

    h->age_next++;
    h->age_now++;
    if (!fx_is_less_u64(power_fW, h->best_next_fW) && input.voltage_uV >= p->voltage_min_uV
        && input.voltage_uV <= p->voltage_max_uV) {
        h->age_next = 0;
        h->best_next_fW = power_fW;
        h->best_next = input;
    }
    if (is_outdated(h) || !fx_is_less_u64(h->best_next_fW, h->best_now_fW)) {
        h->age_now = h->age_next;
        h->best_now_fW = h->best_next_fW;
        h->best_now = h->best_next;
        h->age_next = 0;
        h->best_next_fW = 0;
        h->best_next = NOTHING;
    }
    return h->best_now;
}

struct curve_point curve_harvester_step(struct curve_harvester *harvester,
                                        struct curve_point input)
{
    const struct vsource_harvester *p = &harvester->params->harvester;

    if (p->window_samples <= 1 || p->algorithm < VSOURCE_CV) {
        return input;
    }
    if (p->algorithm >= VSOURCE_MPPT_OPT) {
        return step_opt(harvester, input);
    }
    if (p->algorithm >= VSOURCE_MPPT_PO) {
        return step_po(harvester, input);
    }
    if (p->algorithm >= VSOURCE_MPPT_VOC) {
        return step_voc(harvester, input);
    }
    return step_cv(harvester, input);
}
