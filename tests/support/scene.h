/* SPDX-License-Identifier: MIT */
/* What tests of the virtual source need around it: presets, environments, loads. */
#ifndef TESTS_SUPPORT_SCENE_H
#define TESTS_SUPPORT_SCENE_H

#include "common/presets.h"
#include "common/vsource_config.h"
#include "common/vsource_derive.h"
#include "pru/core/curve_harvester.h"

#include <stdbool.h>
#include <stdint.h>

/* As cmocka's setup and teardown of a group; presets is a loan until the latter, *state too. */
int scene_load_presets(void **state);
int scene_drop_presets(void **state);
const struct presets *scene_presets(void);

/* How much of it: a number from the environment, as nightly runs give it. */
uint64_t scene_number(const char *variable, uint64_t otherwise);

/* A preset, resolved and finished; ends the test when there is none of that name. */
void scene_source(const struct presets *presets, const char *name,
                  struct source_config *source);
/* The same from YAML, as "{inherit_from: BQ25570s, C_intermediate_uF: 47}". */
void scene_source_of(const struct presets *presets, const char *text,
                     struct source_config *source);
void scene_harvester(const struct presets *presets, const char *name,
                     struct harvester_config *harvester);
void scene_storage(const struct presets *presets, const char *name,
                   struct storage_config *storage);

enum scene_environment {
    SCENE_SUN,    /* curves of a solar cell of 909 steps under a changing sky */
    SCENE_BLOCKS, /* constant stretches of random height, some empty */
    SCENE_BURSTS, /* radio: bursts of 3 mA, otherwise next to nothing */
    N_SCENE_ENVIRONMENTS
};

enum scene_load {
    SCENE_RESISTOR, /* 1 kOhm */
    SCENE_DUTY,     /* 5 mA for 3 of 20 ms when power is good, else 1 uA */
    SCENE_SLEEP,    /* 350 nA */
    N_SCENE_LOADS
};

/* How the environment's samples are to be read. */
struct vsource_input scene_input(enum scene_environment environment);
/* Sample k; the same for the same seed. */
struct curve_point scene_sample(enum scene_environment environment, uint64_t k, uint32_t seed);
/* The ADC's code of what the target draws at nominal calibration. */
uint32_t scene_load_code(enum scene_load load, uint64_t k, double V_out, bool is_power_good);

/* xorshift, so that runs repeat; seed must not be 0. */
uint32_t scene_random(uint32_t *seed);

#endif
