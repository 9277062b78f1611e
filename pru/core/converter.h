/* SPDX-License-Identifier: MIT */
/* The converter between harvester, store and target: input stage, output stage, thresholds. */
#ifndef PRU_CORE_CONVERTER_H
#define PRU_CORE_CONVERTER_H

#include "pru/abi/vsource_params.h"
#include "pru/core/curve_harvester.h"
#include "pru/core/store.h"

#include <stdbool.h>
#include <stdint.h>

/* Storage belongs to the caller. */
struct converter {
    const struct vsource_converter *params; /* a loan */
    uint32_t V_input_uV;                    /* behind drop and clip */
    uint32_t I_input_nA;
    uint32_t V_request_uV; /* feedback: what the harvester shall be operated at */
    uint32_t V_mid_uV;
    uint32_t V_out_uV;
    uint64_t P_input_fW_n8;  /* behind the input stage */
    uint64_t P_output_fW_n8; /* in front of the output stage */
    uint32_t P_input_rest;   /* what rounding has left, n28 */
    uint32_t P_output_rest;  /* n16 */
    uint32_t check_count;
    uint32_t startup_drain_n;
    uint32_t output_charge_uV; /* what it is charged to, without buck */
    uint32_t output_charge_n;  /* samples in which the output capacitor is still charged */
    bool is_on;
    bool is_power_good;
    bool is_regulated; /* buck: V_out_uV is V_output_uV, not the store's less the drop */
    bool is_clamped;   /* this sample lay outside the input's efficiency table */
} FX_WORD_ALIGNED;

/* V_mid_uV: the store's, or 0 without one. */
void converter_init(struct converter *converter, const struct vsource_converter *params,
                    uint32_t V_mid_uV);

/* Input, as far as it depends on nothing but the input: limits, and a boost stage's power. */
void converter_prepare(struct converter *converter, struct curve_point input);

/* The rest of it, after the output, added to flow. */
void converter_feed(struct converter *converter, const struct store *store,
                    struct store_flow *flow);

/* Both. Input, after the output: what the harvester gives becomes a power (boost) or a current
 * (no boost) into the store, added to flow; without a store, V_mid. */
void converter_input(struct converter *converter, const struct store *store,
                     struct curve_point input, struct store_flow *flow);

/* Output: what the target draws, added to flow: a power (buck) or a current. */
void converter_output(struct converter *converter, uint32_t I_out_nA, struct store_flow *flow);

/* Thresholds, power-good and the output's voltage, from V_mid_uV after the store's step. */
void converter_update(struct converter *converter, uint32_t V_mid_uV);

#endif
