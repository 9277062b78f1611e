/* SPDX-License-Identifier: MIT */
/* Random emulations for tests of what must always hold: parameters, calibration, input, load.
 */
#ifndef TESTS_SUPPORT_VSOURCE_RANDOM_H
#define TESTS_SUPPORT_VSOURCE_RANDOM_H

#include "common/calibration.h"
#include "common/experiment.h"
#include "pru/core/curve_harvester.h"

#include <stdint.h>

struct vsource_random {
    struct node_config config; /* an emulation; its source is not finished yet */
    struct calibration cal;
    uint32_t seed;             /* of input and load from here on */
    struct curve_point source; /* Voc and Isc, or the single sample, of the stretch */
    uint32_t code;
};

/* Neutral: single samples, nominal calibration, no harvester. seed must not be 0. */
void vsource_random_neutral(struct vsource_random *random, uint32_t seed);

/* Everything at random, mostly such that a threshold is crossed within 0.1 s: small stores,
 * thresholds around where the voltage starts. */
void vsource_random_all(struct vsource_random *random, uint32_t seed);

/* Input and load of sample k; they change every 500 samples. Samples are asked for in their
 * order. */
struct curve_point vsource_random_input(struct vsource_random *random, uint32_t k);

double vsource_random_uniform(uint32_t *seed, double low, double high);

#endif
