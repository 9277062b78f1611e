/* SPDX-License-Identifier: MIT */
/* What the tests of the incumbent's 21 weak points share. */
#ifndef TESTS_SUPPORT_WEAK_H
#define TESTS_SUPPORT_WEAK_H

#include "common/presets.h"
#include "common/vsource_config.h"
#include "pru/core/vsource.h"

#include <stdint.h>

/* A source around a plain capacitor, neutral otherwise. */
struct source_config weak_capacitor_source(double C_uF, double rated_V, double start_V);

/* Parameters for single samples as input; the test fails when they are refused. */
void weak_derive(const struct source_config *source, struct vsource_params *params);

/* Derives, and sets the source to its beginning. */
void weak_begin(const struct source_config *config, struct vsource_params *params,
                struct vsource *source);

/* count samples of the same input, no load. */
void weak_feed(struct vsource *source, struct curve_point input, long count);

/* Code of the target's ADC at nominal calibration. */
uint32_t weak_code_of(double I_A);

/* State of charge, with what lies below 2^-58 of it. */
double weak_soc(const struct store *store);

void weak_assert_close(double got, double expected, double relative);

/* Fixture of a group: *state is the presets. */
int weak_load_presets(void **state);
int weak_drop_presets(void **state);

#endif
