/* SPDX-License-Identifier: MIT */
/* The harvester of an emulation: picks an operating point from a recorded stream of curves.
 *
 * Behaviour and names follow virtual-source models of the incumbent's second generation, whose
 * integers it reproduces exactly. */
#ifndef PRU_CORE_CURVE_HARVESTER_H
#define PRU_CORE_CURVE_HARVESTER_H

#include "pru/abi/vsource_params.h"
#include "pru/core/fx.h"

#include <stdbool.h>
#include <stdint.h>

struct curve_point {
    uint32_t voltage_uV;
    uint32_t current_nA;
};

/* What two neighbouring points of a curve differ by. */
struct curve_slope {
    uint32_t size;
    bool is_down;
} FX_WORD_ALIGNED;

/* Storage belongs to the caller. */
struct curve_harvester {
    const struct vsource_params *params; /* a loan */
    uint32_t set_uV; /* where the source shall be operated; feedback writes it from outside */
    uint32_t interval_step;
    uint32_t step_uV;  /* mppt_po: size of the next step */
    uint64_t power_fW; /* mppt_po: of the interval before */
    /* cv: the point that is held between two passes of the curve, and how it walks on */
    struct curve_point hold;
    struct curve_point last;
    uint32_t n_beyond; /* samples since current last flowed at set_uV or above */
    /* mppt_voc, mppt_opt: what is known now and what the scan under way has found */
    uint32_t age_now;
    uint32_t age_next;
    uint32_t voc_now_uV;
    uint32_t voc_next_uV;
    uint64_t best_now_fW;
    uint64_t best_next_fW;
    struct curve_point best_now;
    struct curve_point best_next;
    /* as above */
    struct curve_slope slope_uV;
    struct curve_slope slope_nA;
    bool was_below;
    bool is_rising; /* mppt_po: direction */
} FX_WORD_ALIGNED;

void curve_harvester_init(struct curve_harvester *harvester,
                          const struct vsource_params *params);

/* Takes one point of the stream, gives the operating point for this sample. A stream of single
 * samples (window of 0 or 1) and algorithms below cv pass unchanged. */
struct curve_point curve_harvester_step(struct curve_harvester *harvester,
                                        struct curve_point input);

#endif
