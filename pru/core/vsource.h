/* SPDX-License-Identifier: MIT */
/* The virtual source of an emulation: one sample of input and of the target's current in, the
 * codes of the converters out. Needs no shared memory; integers alike on every machine.
 *
 * Equations, formats and error bounds are in pru/core/README.md. */
#ifndef PRU_CORE_VSOURCE_H
#define PRU_CORE_VSOURCE_H

#include "pru/abi/vsource_params.h"
#include "pru/core/calib.h"
#include "pru/core/converter.h"
#include "pru/core/curve_harvester.h"
#include "pru/core/store.h"

#include <stdbool.h>
#include <stdint.h>

/* Storage belongs to the caller. */
struct vsource {
    const struct vsource_params *params; /* a loan for as long as the source is stepped */
    struct curve_harvester harvester;
    struct converter converter;
    struct store store;
    struct calib_residue residue;
    uint32_t start_power_n;   /* samples of start power that are left */
    struct curve_point point; /* where the harvester operates */
};

/* What a sample leads to. The codes are written to the converters now; the current that they
 * cause is measured in the next sample. */
struct vsource_output {
    uint32_t target_code;
    uint32_t aux_code;        /* if has_aux */
    uint32_t V_out_uV;        /* as the converter wants it */
    uint32_t V_mid_uV;        /* terminals of the store; the input's voltage without one */
    uint32_t I_mid_offset_nA; /* into the store, + 2^31 */
    uint32_t I_out_nA;        /* the target's, calibrated */
    uint32_t V_harvest_uV;    /* what the harvester handed on */
    uint32_t I_harvest_nA;
    bool has_aux;
    bool is_on;
    bool is_power_good;
    bool is_gpio_muted;
    bool is_clamped;   /* outside the input's efficiency table; vsource_is_clamped */
    bool is_starting;  /* start power supplies the target */
    bool is_saturated; /* a converter's code was at its limit, or the store gave its most */
} FX_WORD_ALIGNED;

void vsource_init(struct vsource *source, const struct vsource_params *params);

/* One sample, in parts, so that two cores can work at it while an ADC converts. The
 * harvester: V and I of the input in uV and nA to its operating point, and what that gives to a
 * boost stage. */
void vsource_harvest(struct vsource *source, struct curve_point input);

/* What flows whatever harvester and target do; before or after vsource_harvest. */
void vsource_prepare(struct vsource *source, struct store_flow *flow);

/* Whether the next vsource_harvest may follow vsource_accept; output's V_harvest, I_harvest and
 * is_clamped are the next sample's then. Otherwise it has to wait for vsource_convert, which
 * looks at the last one's results or changes what it begins with. */
static inline bool vsource_is_ahead(const struct vsource *source)
{
    return (source->params->converter.flags & VSOURCE_HAS_BOOST) != 0;
}

/* After vsource_harvest and vsource_prepare, if vsource_is_ahead: takes over what the former
 * has left. */
void vsource_accept(const struct vsource *source, struct store_flow *flow);

/* Whether the point lies outside the input's efficiency table. */
static inline bool vsource_is_clamped(const struct vsource *source)
{
    return source->converter.is_clamped;
}

/* The converter, after all of these: that flow, and current_code of the target's ADC. */
void vsource_convert(struct vsource *source, struct store_flow *flow, uint32_t current_code,
                     struct vsource_output *output);

/* The whole. */
void vsource_step(struct vsource *source, struct curve_point input, uint32_t current_code,
                  struct vsource_output *output);

#endif
