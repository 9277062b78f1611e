/* SPDX-License-Identifier: MIT */
#include "pru/sim/converters.h"

struct converter_line converter_line(double nominal_gain, const struct world_channel *errors)
{
    return (struct converter_line){ nominal_gain * (1.0 + errors->gain_error), errors->offset };
}

uint32_t adc_convert(const struct converter_line *line, double value, double noise_lsb_rms,
                     struct rng *rng)
{
    double code = (value - line->offset) / line->gain + noise_lsb_rms * rng_normal(rng) + 0.5;

    if (code < 0) {
        return 0;
    }
    return code >= ADC_CODES ? (uint32_t)ADC_CODES - 1 : (uint32_t)code;
}

double dac_convert(const struct converter_line *line, uint32_t code)
{
    double value = (double)code * line->gain + line->offset;

    return value > 0 ? value : 0;
}
