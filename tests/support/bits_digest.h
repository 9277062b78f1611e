/* SPDX-License-Identifier: MIT */
/* Steps pru/core through a set of parameters and keeps a digest over all that comes out.
 * Integers only: the digest must be the same from every compiler, optimisation and width of
 * word, and on the PRU. Included once by a program. */
#ifndef TESTS_SUPPORT_BITS_DIGEST_H
#define TESTS_SUPPORT_BITS_DIGEST_H

#include "pru/core/adc_harvester.h"
#include "pru/core/fx.h"
#include "pru/core/vsource.h"

#include <stdint.h>

/* FNV-1a in words, one for each half: quick on a core with a 32-bit multiplier. */
static uint32_t digest_low = 2166136261u;
static uint32_t digest_high = 2166136261u;

static void add(uint64_t value)
{
    digest_low = (digest_low ^ fx_low(value)) * 16777619u;
    digest_high = (digest_high ^ fx_high(value)) * 16777619u;
}

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* A ramp when there are curves, else stretches of random height. */
static struct curve_point make_input(const struct vsource_params *params, uint32_t k,
                                     uint32_t *seed, struct curve_point last)
{
    uint32_t window_n = params->harvester.window_samples;

    if (window_n > 1) {
        uint32_t V_uV = 5000000u - 5507u * (k % window_n % 907u);

        last.voltage_uV = V_uV;
        last.current_nA = V_uV < 4000000u ? (4000000u - V_uV) * 2 + k % 977u : 0;
    } else if (k % 700 == 0) {
        last.voltage_uV = next_random(seed) % 5000000u;
        last.current_nA = next_random(seed) >> (8 + next_random(seed) % 16u);
    }
    return last;
}

static void run_source(const struct vsource_params *params, uint32_t seed, uint32_t n_samples)
{
    static struct vsource source;
    struct curve_point input = { 0, 0 };
    uint32_t code = 0;

    vsource_init(&source, params);
    for (uint32_t k = 0; k < n_samples; k++) {
        struct vsource_output output;

        input = make_input(params, k, &seed, input);
        code = k % 300 == 0 ? next_random(&seed) >> (14 + next_random(&seed) % 18u) : code;
        vsource_step(&source, input, code, &output);
        add(((uint64_t)output.V_mid_uV << 32) | output.I_mid_offset_nA);
        add(((uint64_t)output.target_code << 32) | output.I_out_nA);
        add((output.is_on ? 1u : 0u) | (output.is_power_good ? 2u : 0u)
            | (output.is_clamped ? 4u : 0u) | (output.is_saturated ? 8u : 0u)
            | (output.is_gpio_muted ? 16u : 0u));
        add(source.store.soc_n58);
        add(source.store.soc_rest);
        add(source.converter.P_input_fW_n8);
        add(source.converter.P_output_fW_n8);
        add(source.harvester.set_uV);
    }
}

static void run_recorder(const struct vsource_params *params, uint32_t seed, uint32_t n_samples)
{
    static struct adc_harvester harvester;
    uint32_t voltage = 0;

    adc_harvester_init(&harvester, params);
    for (uint32_t k = 0; k < n_samples; k++) {
        struct adc_output output;
        struct adc_codes codes;

        codes.voltage = voltage;
        codes.current =
            voltage < 200000u ? (200000u - voltage) / 4u + next_random(&seed) % 8u : 0;
        adc_harvester_step(&harvester, codes, &output);
        voltage = output.has_dac ? output.dac_code * 4u : voltage;
        voltage = voltage > 210000u ? 210000u : voltage;
        add(((uint64_t)output.recorded.voltage << 32) | output.recorded.current);
        add(output.dac_code);
    }
}

#endif
