/* SPDX-License-Identifier: MIT */
/* The truth file that a simulated world writes beside a recording, for checkers.
 *
 * Little-endian. 32 bytes of header: "BWTRUTH1", u32 record size (32), u32 mode (0 harvest, 1
 * emulate), 16 bytes 0. Then one record a sample, from sample 0 on:
 * f64 voltage_V, f64 current_A, f32 irradiance_W_per_m2, u16 pins, u8 is_supplied, 9 bytes 0.
 * Harvest: at the transducer when the ADCs sampled. Emulate: at the target when its current was
 * sampled, so under the DAC code of the sample before. */
#ifndef PRU_SIM_TRUTH_H
#define PRU_SIM_TRUTH_H

#include "pru/sim/world.h"

#include <stdbool.h>

struct truth_file;

/* NULL when it cannot be made; errno says why. */
struct truth_file *truth_create(const char *path, bool is_emulation);
/* Buffered; a failed write is remembered until close. */
void truth_append(struct truth_file *file, const struct world_truth *truth);
/* -1 when anything was not written. Sets NULL. */
int truth_close(struct truth_file **file);

#endif
