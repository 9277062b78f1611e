/* SPDX-License-Identifier: MIT */
#include "pru/core/store.h"

#include "pru/core/fx.h"

enum {
    KNOT_MAX = VSOURCE_STORE_KNOTS - 2,
};

/* The knot below the state of charge, and the way to the next one. */
static uint32_t knot_of(const struct store *s, uint32_t *fraction_n32)
{
    uint32_t knot = fx_high(s->soc_n58) >> (VSOURCE_STORE_INDEX_SHIFT - 32);

    if (knot > KNOT_MAX) {
        *fraction_n32 = UINT32_MAX;
        return KNOT_MAX;
    }
    *fraction_n32 = fx_high(fx_raise(s->soc_n58, 64 - VSOURCE_STORE_INDEX_SHIFT));
    return knot;
}

/* What the terminals' voltage needs of the state of charge. */
static void look_up(struct store *s)
{
    const struct vsource_store *p = s->params;
    uint32_t fraction_n32 = 0;
    uint32_t knot = knot_of(s, &fraction_n32);

    s->V_oc_uV_n8 = fx_mix(&p->V_oc_uV_n8[knot], fraction_n32);
    s->R_series_kOhm_n28 = fx_mix(&p->R_series_kOhm_n28[knot], fraction_n32);
}

static uint32_t resistor_uV_n8(uint64_t I_nA_n32, uint32_t R_kOhm_n28)
{
    return fx_clamp_u32(fx_mul_shift(I_nA_n32, R_kOhm_n28, 32 + 20));
}

static uint32_t terminal_uV(const struct store *s)
{
    uint32_t drop_uV_n8 = resistor_uV_n8(s->I_nA_n32, s->R_series_kOhm_n28);
    uint32_t V_uV_n8 = 0;

    if (fx_is_zero_u64(s->soc_n58) && s->soc_rest == 0) {
        return 0;
    }
    V_uV_n8 = s->is_charging ? fx_add_u32(s->V_oc_uV_n8, drop_uV_n8)
                             : fx_sub_u32(s->V_oc_uV_n8, drop_uV_n8);
    return fx_add_u32(V_uV_n8, 1u << 7) >> 8; /* to nearest */
}

void store_init(struct store *store, const struct vsource_store *params)
{
    store->params = params;
    store->soc_n58 = params->soc_init_n58;
    store->soc_rest = 0;
    store->is_charging = true;
    store->I_nA_n32 = 0;
    store->I_taken_nA_n32 = 0;
    store->is_exhausted = false;
    look_up(store);
    store->V_uV = terminal_uV(store);
    store->R_kOhm_n28 = store->R_series_kOhm_n28;
    store->I_leak_nA_n32 = 0;
    store->V_idle_uV_n8 = store->V_oc_uV_n8;
}

/* What two opposite flows leave, and whether it charges. */
static uint64_t net(uint64_t in, uint64_t out, bool *is_charging)
{
    bool is_less = false;
    uint64_t difference = fx_distance_u64(in, out, &is_less);

    *is_charging = !is_less;
    return difference;
}

static uint32_t direct_uV_n8(const struct store *store, uint64_t in_n32, uint64_t out_n32)
{
    bool is_charging = false;
    uint64_t direct_n32 = net(in_n32, out_n32, &is_charging);
    uint32_t shift_uV_n8 = resistor_uV_n8(direct_n32, store->R_kOhm_n28);

    return is_charging ? fx_add_u32(store->V_oc_uV_n8, shift_uV_n8)
                       : fx_sub_u32(store->V_oc_uV_n8, shift_uV_n8);
}

void store_flow_init(struct store *store, struct store_flow *flow)
{
    const struct vsource_store *p = store->params;
    uint32_t fraction_n32 = 0;
    uint32_t knot = knot_of(store, &fraction_n32);

    store->R_kOhm_n28 = fx_add_u32(store->R_series_kOhm_n28, p->R_half_kOhm_n28[knot]);
    store->I_leak_nA_n32 =
        fx_add_u64(p->I_leak_nA_n32, fx_scale(fx_widen(store->V_oc_uV_n8), p->G_leak));
    store->V_idle_uV_n8 = direct_uV_n8(store, 0, store->I_leak_nA_n32);
    flow->charge_fW_n8 = 0;
    flow->discharge_fW_n8 = 0;
    flow->charge_nA_n32 = 0;
    flow->discharge_nA_n32 = store->I_leak_nA_n32;
}

uint32_t store_voltage(const struct store *store, const struct store_flow *flow)
{
    return direct_uV_n8(store, flow->charge_nA_n32, flow->discharge_nA_n32);
}

/* The current that power_fW_n8 drives: P / V, V from the quadratic in the header. */
static uint64_t power_current(struct store *s, uint64_t power_fW_n8, bool is_charging,
                              uint32_t V_uV_n8)
{
    uint64_t square_n16 = fx_mul_u32(V_uV_n8, V_uV_n8);
    uint64_t four_PR_n16 = fx_mul_shift(power_fW_n8, s->R_kOhm_n28, 18); /* n36 - n16 - 2 */
    uint64_t twice_n8 = fx_widen(V_uV_n8);
    struct vsource_scale inverse;

    if (is_charging) {
        /* rounded up: rather less charge than energy from nothing */
        twice_n8 += fx_widen(fx_sqrt_u64(fx_add_u64(square_n16, four_PR_n16))) + 2;
    } else if (!fx_is_less_u64(square_n16, four_PR_n16)) {
        twice_n8 += fx_widen(fx_sqrt_u64(square_n16 - four_PR_n16));
    } else {
        s->is_exhausted = true; /* beyond the most it can give: half the voltage */
    }
    inverse = fx_reciprocal(fx_clamp_u32(fx_shift_right(twice_n8, 1)));
    inverse.shift -= 32;
    return fx_scale(power_fW_n8, inverse);
}

/* The part of the current that still finds room; room is below change. */
static FX_APART uint64_t fitting_part(uint64_t I_nA_n32, uint64_t room, uint64_t change)
{
    uint32_t top = fx_top_bit_u64(change);
    uint32_t n = top > 31 ? top - 31 : 0;
    uint64_t room_n32 = fx_join(fx_low(fx_mul_shift(room, 1, n)), 0);
    struct vsource_scale inverse = fx_reciprocal(fx_low(fx_mul_shift(change, 1, n)));

    return fx_mul_high(I_nA_n32, fx_clamp_u32(fx_scale(room_n32, inverse)));
}

/* s, n58 and n90 below, and what a current adds to it within a sample. */
static void add_charge(struct store *s, struct fx_wide *soc, const struct fx_wide *change)
{
    uint64_t soc_max_n58 = s->params->soc_max_n58;

    fx_wide_add(soc, change);
    if (fx_is_less_u64(soc->high, soc_max_n58)) {
        s->soc_n58 = soc->high;
        s->soc_rest = soc->low;
        return;
    }
    s->I_taken_nA_n32 = 0; /* what it started with above the limit stays */
    if (fx_is_less_u64(s->soc_n58, soc_max_n58)) {
        s->I_taken_nA_n32 =
            fitting_part(s->I_nA_n32, soc_max_n58 - s->soc_n58, soc->high - s->soc_n58);
        s->soc_n58 = soc_max_n58;
        s->soc_rest = 0;
    }
}

static void take_charge(struct store *s, struct fx_wide *soc, const struct fx_wide *change)
{
    if (fx_wide_sub(soc, change)) {
        s->is_exhausted = true;
        s->I_taken_nA_n32 = fitting_part(s->I_nA_n32, s->soc_n58, fx_add_u64(change->high, 1));
        soc->high = 0;
        soc->low = 0;
    }
    s->soc_n58 = soc->high;
    s->soc_rest = soc->low;
}

static void move_charge(struct store *s)
{
    const struct vsource_scale *scale = &s->params->soc_per_current;
    struct fx_wide soc = { .high = s->soc_n58, .low = s->soc_rest };
    struct fx_wide change;

    fx_mul_wide(s->I_nA_n32, scale->mantissa, scale->shift, &change);
    if (s->is_charging) {
        add_charge(s, &soc, &change);
    } else {
        take_charge(s, &soc, &change);
    }
}

/* Whether of all direct currents there is leakage alone. */
static bool is_idle(const struct store *s, const struct store_flow *flow)
{
    return fx_is_zero_u64(flow->charge_nA_n32)
           && fx_is_zero_u64(flow->discharge_nA_n32 - s->I_leak_nA_n32);
}

FX_APART void store_step(struct store *store, const struct store_flow *flow)
{
    uint64_t charge_n32 = flow->charge_nA_n32;
    uint64_t discharge_n32 = flow->discharge_nA_n32;
    bool is_charging = false;
    uint64_t power_n8 = net(flow->charge_fW_n8, flow->discharge_fW_n8, &is_charging);

    store->is_exhausted = false;
    if (!fx_is_zero_u64(power_n8)) {
        uint32_t V_uV_n8 =
            is_idle(store, flow) ? store->V_idle_uV_n8 : store_voltage(store, flow);
        uint64_t I_n32 = power_current(store, power_n8, is_charging, V_uV_n8);

        if (is_charging) {
            charge_n32 = fx_add_u64(charge_n32, I_n32);
        } else {
            discharge_n32 = fx_add_u64(discharge_n32, I_n32);
        }
    }
    store->I_nA_n32 = net(charge_n32, discharge_n32, &store->is_charging);
    store->I_taken_nA_n32 = store->I_nA_n32;
    move_charge(store);
    look_up(store);
    store->V_uV = terminal_uV(store);
}
