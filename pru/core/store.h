/* SPDX-License-Identifier: MIT */
/* The energy store between input and output: capacitor, supercapacitor or battery.
 *
 * Holds a charge; its voltage follows from a table over the state of charge, interpolated. What
 * is added or taken is exact to 2^-90 of the capacity, nothing is rounded away. */
#ifndef PRU_CORE_STORE_H
#define PRU_CORE_STORE_H

#include "pru/abi/vsource_params.h"
#include "pru/core/fx.h"

#include <stdbool.h>
#include <stdint.h>

/* What a sample does to the store. Powers and currents act together, for one sample. Begins
 * with store_flow_init. */
struct store_flow {
    uint64_t charge_fW_n8;     /* power in, at whatever voltage the terminals have */
    uint64_t discharge_fW_n8;  /* power out */
    uint64_t charge_nA_n32;    /* current in */
    uint64_t discharge_nA_n32; /* current out, leakage included */
} FX_WORD_ALIGNED;

/* Storage belongs to the caller. */
struct store {
    const struct vsource_store *params; /* a loan */
    uint64_t soc_n58;
    uint32_t soc_rest; /* n90 */
    uint32_t V_oc_uV_n8;
    uint32_t R_series_kOhm_n28;
    uint32_t V_uV; /* at the terminals, as of the last step; 0 when empty */
    /* by store_flow_init */
    uint32_t R_kOhm_n28;   /* R_series and half a sample's change of voltage per current */
    uint32_t V_idle_uV_n8; /* store_voltage with nothing but leakage */
    uint64_t I_leak_nA_n32;
    /* of the last step */
    uint64_t I_nA_n32;       /* net current */
    uint64_t I_taken_nA_n32; /* what of it a full store took, or an empty one gave */
    bool is_charging;        /* its direction */
    bool is_exhausted;       /* more was asked for than the store could give */
} FX_WORD_ALIGNED;

void store_init(struct store *store, const struct vsource_store *params);

/* Nothing but leakage. Calculates on the way what the coming step needs of the state of charge;
 * once before each store_step. */
void store_flow_init(struct store *store, struct store_flow *flow);

/* The voltage, uV n8, that the direct currents of flow lead to: what stands against any further
 * current into the store, which sees store->R_kOhm_n28 behind it. */
uint32_t store_voltage(const struct store *store, const struct store_flow *flow);

/* One sample. The net power P flows at the voltage V that solves
 * V = V_oc + (I_direct + P/V) (R_series + R_half): the middle of the sample. That conserves
 * energy, from an empty store on. Charging ends at soc_max, discharging at 0.
 */
void store_step(struct store *store, const struct store_flow *flow);

#endif
