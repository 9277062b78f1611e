/* SPDX-License-Identifier: MIT */
#include "pru/core/vsource.h"

#include "pru/core/fx.h"
#include "pru/core/pair_harvester.h"

static const uint32_t CURRENT_ZERO = 1u << 31;

static bool has_store(const struct vsource *source)
{
    return (source->params->converter.flags & VSOURCE_HAS_STORE) != 0;
}

void vsource_init(struct vsource *source, const struct vsource_params *params)
{
    source->params = params;
    source->residue.residue_nA = 0;
    source->start_power_n = params->converter.start_power_n;
    source->point.voltage_uV = 0;
    source->point.current_nA = 0;
    curve_harvester_init(&source->harvester, params);
    store_init(&source->store, &params->store);
    converter_init(&source->converter, &params->converter,
                   has_store(source) ? source->store.V_uV : 0);
}

/* Into the store, as a sum with 2^31; rounded to nearest, limited. */
static uint32_t offset_current(const struct store *store)
{
    uint32_t I_nA = fx_min_u32(fx_high(store->I_taken_nA_n32), CURRENT_ZERO - 1u)
                    + (fx_low(store->I_taken_nA_n32) >> 31);

    I_nA = fx_min_u32(I_nA, CURRENT_ZERO - 1u);
    return store->is_charging ? CURRENT_ZERO + I_nA : CURRENT_ZERO - I_nA;
}

/* Charging the output capacitor takes a current (no buck: up to the store's voltage less the
 * drop) or a power (buck: up to its voltage) from the store in the samples after switching on.
 */
static void charge_output(const struct vsource *source, struct store_flow *flow)
{
    const struct vsource_converter *p = &source->params->converter;

    if (source->converter.output_charge_n == 0 || !source->converter.is_on) {
        return;
    }
    if ((p->flags & VSOURCE_HAS_BUCK) != 0) {
        flow->discharge_fW_n8 = fx_add_u64(flow->discharge_fW_n8, p->P_output_charge_fW_n8);
    } else {
        /* C_output counts in nA n32 per uV n8 here */
        uint64_t I_n32 =
            fx_scale(fx_raise_u32(source->converter.output_charge_uV, 8), p->C_output);

        flow->discharge_nA_n32 = fx_add_u64(flow->discharge_nA_n32, I_n32);
    }
}

static uint32_t aux_uV(const struct vsource *source, uint32_t V_out_uV)
{
    const struct vsource_converter *p = &source->params->converter;

    if (p->aux_mode == VSOURCE_AUX_FIXED) {
        return p->aux_uV;
    }
    if (p->aux_mode == VSOURCE_AUX_MIRROR) {
        return V_out_uV;
    }
    return p->aux_mode == VSOURCE_AUX_STORAGE ? source->converter.V_mid_uV : 0;
}

/* A boost stage holds its store at the limit; what started above it is seen as it is. */
static uint32_t limited_V_mid(const struct vsource *source)
{
    const struct store *store = &source->store;
    uint32_t limit_uV = source->params->converter.V_intermediate_max_uV;
    uint32_t V_oc_uV = store->V_oc_uV_n8 >> 8;

    if (store->V_uV <= limit_uV) {
        return store->V_uV;
    }
    return fx_min_u32(store->V_uV, V_oc_uV > limit_uV ? V_oc_uV : limit_uV);
}

static struct curve_point step_harvester(struct vsource *source, struct curve_point input)
{
    if ((source->params->harvester.flags & VSOURCE_HARVESTER_INPUT_ISC_VOC) != 0) {
        return pair_harvester_step(&source->harvester, input);
    }
    return curve_harvester_step(&source->harvester, input);
}

void vsource_harvest(struct vsource *source, struct curve_point input)
{
    source->point = step_harvester(source, input);
    converter_prepare(&source->converter, source->point);
}

void vsource_prepare(struct vsource *source, struct store_flow *flow)
{
    store_flow_init(&source->store, flow);
    charge_output(source, flow);
}

void vsource_accept(const struct vsource *source, struct store_flow *flow)
{
    flow->charge_fW_n8 = source->converter.P_input_fW_n8;
}

static void step_source(struct vsource *source, uint32_t flags, uint32_t I_out_nA,
                        struct store_flow *flow)
{
    struct converter *converter = &source->converter;
    uint32_t V_mid_uV = 0;

    converter_output(converter, I_out_nA, flow);
    if ((flags & VSOURCE_HAS_BOOST) == 0) {
        converter_feed(converter, &source->store, flow);
    }
    V_mid_uV = converter->V_mid_uV;
    if ((flags & VSOURCE_HAS_STORE) != 0) {
        store_step(&source->store, flow);
        V_mid_uV = limited_V_mid(source);
    }
    converter_update(converter, V_mid_uV);
    if ((flags & VSOURCE_HAS_FEEDBACK) != 0) {
        source->harvester.set_uV = converter->V_request_uV;
    }
}

void vsource_convert(struct vsource *source, struct store_flow *flow, uint32_t current_code,
                     struct vsource_output *output)
{
    const struct vsource_params *p = source->params;
    const struct converter *converter = &source->converter;
    uint32_t flags = p->converter.flags;
    uint32_t V_supply_uV = 0;

    output->I_out_nA = calib_current_from_code(&p->adc_current, current_code, &source->residue);
    output->is_starting = source->start_power_n > 0;
    step_source(source, flags, output->is_starting ? 0 : output->I_out_nA, flow);
    V_supply_uV = converter->V_out_uV;
    if (output->is_starting) {
        source->start_power_n--;
        V_supply_uV = p->converter.start_power_uV;
    }
    output->V_out_uV = V_supply_uV;
    output->V_mid_uV = converter->V_mid_uV;
    output->V_harvest_uV = source->point.voltage_uV;
    output->I_harvest_nA = source->point.current_nA;
    output->is_on = converter->is_on;
    output->is_power_good = converter->is_power_good;
    output->is_clamped = vsource_is_clamped(source);
    output->is_gpio_muted = V_supply_uV < p->converter.V_output_log_gpio_uV;
    output->target_code = V_supply_uV == 0 ? 0 : calib_to_code(&p->dac_target, V_supply_uV);
    output->has_aux = p->converter.aux_mode != VSOURCE_AUX_OFF;
    output->aux_code =
        output->has_aux ? calib_to_code(&p->dac_aux, aux_uV(source, V_supply_uV)) : 0;
    output->is_saturated =
        current_code >= CALIB_ADC_MAX || output->target_code >= CALIB_DAC_MAX;
    output->I_mid_offset_nA = CURRENT_ZERO;
    if ((flags & VSOURCE_HAS_STORE) != 0) {
        output->I_mid_offset_nA = offset_current(&source->store);
        output->is_saturated |= source->store.is_exhausted;
    }
}

void vsource_step(struct vsource *source, struct curve_point input, uint32_t current_code,
                  struct vsource_output *output)
{
    struct store_flow flow;

    vsource_harvest(source, input);
    vsource_prepare(source, &flow);
    if (vsource_is_ahead(source)) {
        vsource_accept(source, &flow);
    }
    vsource_convert(source, &flow, current_code, output);
}
