/* SPDX-License-Identifier: MIT */
/* Turns a user's units into the integers that the PRU calculates with. */
#ifndef COMMON_VSOURCE_DERIVE_H
#define COMMON_VSOURCE_DERIVE_H

#include "common/calibration.h"
#include "common/experiment.h"
#include "common/vsource_config.h"
#include "pru/abi/vsource_params.h"

#include <stdint.h>

/* What a node needs for its experiment: harvest or emulation, target port, input. -1 names the
 * parameter whose value cannot be represented, or that contradicts another; nothing is bent to
 * fit. Configurations need not be finished before. */
MUST_CHECK int vsource_derive(const struct node_config *config, const struct calibration *cal,
                              struct vsource_params *params, struct err *err);

/* Its parts, for simulation and tests. Each fills what it is about, the rest stays. */

/* Version, size, and channels at the cape's nominal values: the start of any set. */
void vsource_derive_defaults(struct vsource_params *params);

void vsource_derive_calibration(const struct calibration *cal, enum target_port port,
                                struct vsource_params *params);

/* Where the samples of an emulation come from. */
struct vsource_input {
    uint32_t window_samples; /* of curves; 0 or 1: single samples */
    double step_uV;          /* of curves; 0: the harvester's own */
    bool is_isc_voc;         /* pairs of Voc and Isc */
};

/* input is NULL for a harvester that records. */
MUST_CHECK int vsource_derive_harvester(const struct harvester_config *harvester,
                                        const struct vsource_input *input,
                                        struct vsource_params *params, struct err *err);
MUST_CHECK int vsource_derive_source(const struct source_config *source,
                                     const struct vsource_input *input,
                                     struct vsource_params *params, struct err *err);

/* The closest mantissa and shift for a value >= 0; 2^-96 to 2^31 keep 32 bits. */
struct vsource_scale vsource_scale_of(double value);

#endif
