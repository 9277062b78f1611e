/* SPDX-License-Identifier: MIT */
/* The emulator's side of harvesting: from a stream of points on recorded IV curves to the pair
 * that an algorithm would have taken. It sees one point a sample and keeps no curve. */
#ifndef PRU_CORE_HARVESTER_H
#define PRU_CORE_HARVESTER_H

#include "pru/abi/vsource_params.h"

#include <stdbool.h>
#include <stdint.h>

struct harvester_point {
    uint32_t voltage_uV;
    uint32_t current_nA;
};

struct harvester {
    const struct harvester_params *params;
    uint32_t setpoint_uV; /* also written by the converter when it feeds back */
    uint32_t interval_step;
    uint32_t stride_uV;
    bool is_rising;
    bool was_below; /* the last point lay below the set point */
    struct harvester_point hold;
    struct harvester_point last;
    int64_t delta_voltage_uV; /* of the curve around the held point */
    int64_t delta_current_nA;
    uint32_t voc_now_uV;
    uint32_t voc_next_uV;
    uint32_t age_now;
    uint32_t age_next;
    uint64_t power_now;
    uint64_t power_next; /* mppt_po: of the last step */
    struct harvester_point best_now;
    struct harvester_point best_next;
};

/* params stays a loan. */
void harvester_init(struct harvester *harvester, const struct harvester_params *params);

/* Replaces the point in place. Pairs that are no curve (window_size <= 1) pass unchanged. */
void harvester_step(struct harvester *harvester, struct harvester_point *point);

#endif
