/* SPDX-License-Identifier: MIT */
/* The harvester of an emulation whose input holds pairs of open-circuit voltage and
 * short-circuit current: rebuilds the curve between them. */
#ifndef PRU_CORE_PAIR_HARVESTER_H
#define PRU_CORE_PAIR_HARVESTER_H

#include "pru/abi/vsource_params.h"
#include "pru/core/curve_harvester.h"

/* pair: Voc and Isc of this sample. mppt_opt and mppt_po take the curve's peak, mppt_voc its
 * fraction of Voc (and nothing while it measures), cv the set-point. Uses set_uV and
 * interval_step of the harvester, which curve_harvester_init has set. */
struct curve_point pair_harvester_step(struct curve_harvester *harvester,
                                       struct curve_point pair);

/* What such a source gives at a voltage: I = Isc f(V / Voc), interpolated between the knots of
 * params->curve_n16; 0 from Voc on. */
uint32_t pair_harvester_current(const struct vsource_params *params, struct curve_point pair,
                                uint32_t voltage_uV);

#endif
