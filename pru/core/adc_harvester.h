/* SPDX-License-Identifier: MIT */
/* The harvester while recording: operates the transducer through DAC and ADCs, in raw codes.
 *
 * Behaviour follows the incumbent's firmware, whose codes it reproduces exactly. */
#ifndef PRU_CORE_ADC_HARVESTER_H
#define PRU_CORE_ADC_HARVESTER_H

#include "pru/abi/vsource_params.h"
#include "pru/core/fx.h"

#include <stdbool.h>
#include <stdint.h>

/* Storage belongs to the caller. */
struct adc_harvester {
    const struct vsource_params *params; /* a loan */
    uint32_t set_uV;
    uint32_t interval_step;
    uint32_t settle_steps;
    uint32_t step_uV;      /* mppt_po */
    uint64_t power;        /* mppt_po: of the interval before, in codes */
    uint32_t hold_voltage; /* isc_voc, codes */
    uint32_t hold_current;
    uint32_t last_voltage; /* ivcurve: code of the sample before */
    bool is_rising;
    bool is_cut; /* ivcurve: readings after the ramp's jump are discarded */
} FX_WORD_ALIGNED;

struct adc_codes {
    uint32_t voltage;
    uint32_t current;
};

struct adc_output {
    struct adc_codes recorded;
    uint32_t dac_code;
    bool has_dac; /* dac_code is to be written */
} FX_WORD_ALIGNED;

void adc_harvester_init(struct adc_harvester *harvester, const struct vsource_params *params);

/* Takes the ADCs' codes, which are those that the DAC's code of the sample before led to. */
void adc_harvester_step(struct adc_harvester *harvester, struct adc_codes codes,
                        struct adc_output *output);

#endif
