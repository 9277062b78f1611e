/* SPDX-License-Identifier: MIT */
/* The recorder's side of harvesting: it steers the voltage of a real transducer through the DAC
 * and stores what the two ADCs read. One step a sample; codes in, codes out. */
#ifndef PRU_CORE_HARVEST_H
#define PRU_CORE_HARVEST_H

#include "pru/abi/vsource_params.h"

#include <stdbool.h>
#include <stdint.h>

struct harvest {
    const struct harvester_params *params;
    const struct calibration_params *cal;
    uint32_t setpoint_uV;
    uint32_t interval_step;
    uint32_t settle_steps;
    uint32_t ramp_step;
    uint32_t stride_uV;
    bool is_rising;
    uint64_t power_last;
    uint32_t hold_voltage;
    uint32_t hold_current;
};

/* What a step decides. */
struct harvest_sample {
    uint32_t voltage; /* to store */
    uint32_t current;
    bool has_dac;
    uint32_t dac; /* to write, when has_dac */
};

/* Both stay loans. */
void harvest_init(struct harvest *harvest, const struct harvester_params *params,
                  const struct calibration_params *cal);

/* voltage and current: the ADCs' codes of this sample. */
struct harvest_sample harvest_step(struct harvest *harvest, uint32_t voltage, uint32_t current);

#endif
