/* SPDX-License-Identifier: MIT */
/* ADCs and DACs with their resolution, range, errors and noise. */
#ifndef PRU_SIM_CONVERTERS_H
#define PRU_SIM_CONVERTERS_H

#include "pru/sim/rng.h"
#include "pru/sim/world.h"

enum {
    ADC_CODES = 1 << 18, /* ADS8691 */
    DAC_CODES = 1 << 16, /* DAC8562 */
};

static const double ADC_V_GAIN = 5.12 / ADC_CODES; /* 1.25 x 4.096 V */
static const double ADC_A_GAIN = 1.0 / 4915200;    /* over 2 Ohm x 48 */
static const double DAC_V_GAIN = 5.0 / DAC_CODES;  /* 2 x 2.5 V */

/* A converter with its errors: value = code * gain + offset. */
struct converter_line {
    double gain;
    double offset;
};

struct converter_line converter_line(double nominal_gain, const struct world_channel *errors);

/* The code for a value, noise included, rounded to nearest and clamped to the range. */
uint32_t adc_convert(const struct converter_line *line, double value, double noise_lsb_rms,
                     struct rng *rng);

/* What a code makes; never below 0. */
double dac_convert(const struct converter_line *line, uint32_t code);

#endif
