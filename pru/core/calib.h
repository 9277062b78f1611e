/* SPDX-License-Identifier: MIT */
/* Codes of the converters to uV and nA, and back. */
#ifndef PRU_CORE_CALIB_H
#define PRU_CORE_CALIB_H

#include "pru/abi/vsource_params.h"

#include <stdint.h>

enum {
    CALIB_ADC_MAX = (1 << 18) - 1,
    CALIB_DAC_MAX = (1 << 16) - 1,
    CALIB_RESIDUE_MAX_nA = 60000, /* 30 times the noise of the current's ADC */
};

/* Readings below zero that were not delivered yet. */
struct calib_residue {
    uint32_t residue_nA;
};

/* ADC code (limited to 18 bit) to uV or nA, limited to 0 and 2^32-1. */
uint32_t calib_from_code(const struct vsource_channel *channel, uint32_t code);

/* The same for the target's current: what a negative offset takes below zero is carried into
 * the next samples, so that the mean of a noise around zero is zero and not half the noise. */
uint32_t calib_current_from_code(const struct vsource_channel *channel, uint32_t code,
                                 struct calib_residue *residue);

/* uV to DAC code, limited to 16 bit. */
uint32_t calib_to_code(const struct vsource_channel *channel, uint32_t voltage_uV);

#endif
