/* SPDX-License-Identifier: MIT */
/* What both halves of the sampler change: state, error, outputs, block. Not for other modules.
 */
#ifndef PRU_CORE_SAMPLER_STATE_H
#define PRU_CORE_SAMPLER_STATE_H

#include "pru/core/sampler.h"

void sampler_set_state(struct sampler *s, enum pru_state state);
void sampler_set_error(struct sampler *s, enum pru_error error, uint32_t detail);

/* Power-good, and whether the target's pins are muted. */
void sampler_set_outputs(struct sampler *s, bool is_good, bool is_muted);

void sampler_clear_tally(struct sampler *s);

/* Hands the block over, if there is one; true then. The next sample begins another span. */
bool sampler_close_block(struct sampler *s);

/* Target off, source open. */
void sampler_switch_off(struct sampler *s);

#endif
