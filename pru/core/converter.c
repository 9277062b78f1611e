/* SPDX-License-Identifier: MIT */
#include "pru/core/converter.h"

#include "pru/core/efficiency.h"
#include "pru/core/fx.h"

static const uint32_t FIRST_CHECK = UINT32_MAX - 15u; /* the first sample is a check */

static bool has(const struct converter *c, uint32_t flag)
{
    return (c->params->flags & flag) != 0;
}

void converter_init(struct converter *converter, const struct vsource_converter *params,
                    uint32_t V_mid_uV)
{
    converter->params = params;
    converter->V_input_uV = 0;
    converter->V_request_uV = V_mid_uV;
    converter->V_mid_uV = V_mid_uV;
    converter->V_out_uV = 0;
    converter->P_input_fW_n8 = 0;
    converter->I_input_nA = 0;
    converter->P_output_fW_n8 = 0;
    converter->P_input_rest = 0;
    converter->P_output_rest = 0;
    converter->check_count = FIRST_CHECK;
    converter->startup_drain_n = params->startup_drain_n;
    converter->output_charge_n = 0;
    converter->output_charge_uV = 0;
    converter->is_on = false;
    converter->is_power_good = false;
    converter->is_regulated = false;
    converter->is_clamped = false;
}

static uint64_t to_n8(uint64_t power_fW)
{
    return fx_high(power_fW) >> 24 != 0 ? UINT64_MAX : fx_raise(power_fW, 8);
}

static void prepare_boost(struct converter *c, uint32_t I_nA)
{
    uint32_t eta_n20 = 0;

    c->P_input_fW_n8 = 0;
    if (c->V_input_uV < c->params->V_input_boost_threshold_uV || I_nA == 0) {
        c->is_clamped = false;
        return;
    }
    eta_n20 = efficiency_input_n20(c->params, c->V_input_uV, I_nA);
    /* n20 to n8 */
    c->P_input_fW_n8 =
        fx_mul_carry(fx_mul_u32(c->V_input_uV, I_nA), eta_n20, 12, &c->P_input_rest);
}

static uint32_t resistor_drop(const struct converter *c, uint32_t I_nA)
{
    return fx_mul_down(I_nA, c->params->R_input_kOhm_n28, 28);
}

/* Without boost a current flows: what the source gives, as far as its voltage lies above the
 * store's, and no more than drives the rest of the voltage across the resistances. */
static FX_APART void input_diode(struct converter *c, const struct store *store, uint32_t I_nA,
                                 struct store_flow *flow)
{
    struct vsource_scale inverse;
    uint64_t V_uV_n8 = fx_raise_u32(c->V_input_uV, 8);
    uint64_t I_n32 = fx_join(I_nA, 0);
    uint64_t most_n32 = 0;

    inverse = fx_reciprocal(fx_add_u32(store->R_kOhm_n28, c->params->R_input_kOhm_n28));
    inverse.shift -= 32;
    /* n8 / n28 to n32 */
    most_n32 = fx_scale(fx_raise(fx_sub_u64(V_uV_n8, fx_widen(store_voltage(store, flow))), 20),
                        inverse);
    if (fx_is_less_u64(most_n32, I_n32)) {
        I_n32 = most_n32;
        I_nA = fx_high(most_n32);
    }
    c->P_input_fW_n8 =
        to_n8(fx_mul_u32(fx_sub_u32(c->V_input_uV, resistor_drop(c, I_nA)), I_nA));
    flow->charge_nA_n32 = I_n32;
}

/* With feedback the harvester follows the store: its point toggles around it. What suffices for
 * the store's voltage delivers its current, what lies below its power: nothing is created. */
static FX_APART void input_feedback(struct converter *c, const struct store *store,
                                    uint32_t I_nA, struct store_flow *flow)
{
    uint32_t drop_uV = resistor_drop(c, I_nA);
    uint32_t behind_uV = fx_sub_u32(c->V_input_uV, drop_uV);
    uint64_t needed_uV_n8 = 0;

    needed_uV_n8 = fx_widen(store_voltage(store, flow))
                   + fx_shift_right(fx_mul_u32(I_nA, store->R_kOhm_n28), 20);
    c->V_request_uV = fx_add_u32(c->V_mid_uV, fx_add_u32(drop_uV, c->params->V_input_drop_uV));
    c->P_input_fW_n8 = to_n8(fx_mul_u32(behind_uV, I_nA));
    if (!fx_is_less_u64(fx_raise_u32(behind_uV, 8), needed_uV_n8)) {
        flow->charge_nA_n32 = fx_join(I_nA, 0);
    } else {
        flow->charge_fW_n8 = c->P_input_fW_n8;
    }
}

void converter_prepare(struct converter *converter, struct curve_point input)
{
    const struct vsource_converter *p = converter->params;
    uint32_t I_nA = fx_min_u32(input.current_nA, p->I_input_max_nA);
    uint32_t V_uV = fx_sub_u32(input.voltage_uV, p->V_input_drop_uV);

    converter->V_input_uV = fx_min_u32(V_uV, p->V_input_max_uV);
    converter->is_clamped = has(converter, VSOURCE_COUNT_CLAMPED)
                            && (V_uV > p->V_input_max_uV || I_nA < input.current_nA);
    converter->I_input_nA = I_nA;
    if (has(converter, VSOURCE_HAS_BOOST)) {
        prepare_boost(converter, I_nA);
    }
}

void converter_feed(struct converter *converter, const struct store *store,
                    struct store_flow *flow)
{
    uint32_t I_nA = converter->I_input_nA;

    if (has(converter, VSOURCE_HAS_BOOST)) {
        flow->charge_fW_n8 = converter->P_input_fW_n8;
    } else if (has(converter, VSOURCE_HAS_FEEDBACK)) {
        input_feedback(converter, store, I_nA, flow);
    } else if (has(converter, VSOURCE_HAS_STORE)) {
        input_diode(converter, store, I_nA, flow);
    } else {
        converter->V_mid_uV = converter->V_input_uV;
        converter->P_input_fW_n8 = 0;
    }
}

void converter_input(struct converter *converter, const struct store *store,
                     struct curve_point input, struct store_flow *flow)
{
    converter_prepare(converter, input);
    converter_feed(converter, store, flow);
}

void converter_output(struct converter *converter, uint32_t I_out_nA, struct store_flow *flow)
{
    const struct vsource_converter *p = converter->params;
    uint64_t power_fW = fx_mul_u32(converter->V_out_uV, I_out_nA);

    converter->P_output_fW_n8 = 0;
    if (converter->startup_drain_n > 0) {
        converter->startup_drain_n--;
        return;
    }
    if (converter->V_out_uV == 0) {
        return; /* switched off: what the ADC reads is not drawn from the store */
    }
    if (!has(converter, VSOURCE_HAS_BUCK)) {
        converter->P_output_fW_n8 = to_n8(power_fW);
        flow->discharge_nA_n32 = fx_add_u64(flow->discharge_nA_n32, fx_join(I_out_nA, 0));
        return;
    }
    /* n16 to n8 */
    converter->P_output_fW_n8 = fx_mul_carry(
        power_fW, efficiency_output_inverse_n16(p, I_out_nA), 8, &converter->P_output_rest);
    if (!converter->is_regulated) {
        /* Passing through: at least the target's own current leaves the store. */
        uint64_t through_n8 = to_n8(fx_mul_u32(converter->V_mid_uV, I_out_nA));

        if (fx_is_less_u64(converter->P_output_fW_n8, through_n8)) {
            flow->discharge_fW_n8 = fx_add_u64(flow->discharge_fW_n8, through_n8);
            return;
        }
    }
    flow->discharge_fW_n8 = fx_add_u64(flow->discharge_fW_n8, converter->P_output_fW_n8);
}

/* Whether the output is on, after a check. */
static bool check_thresholds(struct converter *c, uint32_t V_mid_uV)
{
    const struct vsource_converter *p = c->params;

    if (c->is_on) {
        return V_mid_uV >= p->V_disable_uV;
    }
    if (V_mid_uV < p->V_enable_uV) {
        return false;
    }
    c->output_charge_n = p->output_charge_n;
    c->output_charge_uV = fx_sub_u32(V_mid_uV, p->V_buck_drop_uV);
    return true;
}

static bool check_power_good(const struct converter *c, uint32_t V_mid_uV, bool is_on)
{
    bool is_high = false;
    bool is_low = false;

    if (!is_on) {
        return false;
    }
    is_high = V_mid_uV >= c->params->V_pwr_good_enable_uV;
    is_low = V_mid_uV <= c->params->V_pwr_good_disable_uV;
    return c->is_power_good ? is_high || !is_low : is_high && !is_low;
}

/* The output's voltage, and whether it is regulated. */
static bool set_output(struct converter *c, uint32_t V_mid_uV, bool is_on)
{
    const struct vsource_converter *p = c->params;

    if (!is_on && c->startup_drain_n == 0) {
        c->V_out_uV = 0;
        return false;
    }
    if (has(c, VSOURCE_HAS_BUCK) && V_mid_uV > fx_add_u32(p->V_output_uV, p->V_buck_drop_uV)) {
        c->V_out_uV = p->V_output_uV;
        return true;
    }
    c->V_out_uV = fx_sub_u32(V_mid_uV, p->V_buck_drop_uV);
    return false;
}

void converter_update(struct converter *converter, uint32_t V_mid_uV)
{
    const struct vsource_converter *p = converter->params;
    bool is_on = converter->is_on;
    uint32_t count = converter->check_count + 1;
    bool is_check = count >= p->check_interval_n;

    converter->V_mid_uV = V_mid_uV;
    if (converter->output_charge_n != 0) {
        converter->output_charge_n--;
    }
    if (is_check) {
        count = 0;
        is_on = check_thresholds(converter, V_mid_uV);
        converter->is_on = is_on;
    }
    converter->check_count = count;
    if (is_check || has(converter, VSOURCE_PG_IMMEDIATE)) {
        converter->is_power_good = check_power_good(converter, V_mid_uV, is_on);
    }
    converter->is_regulated = set_output(converter, V_mid_uV, is_on);
}
