/* SPDX-License-Identifier: MIT */
/* What the node's own clock daemon says of its clock. */
#ifndef SHEEP_CLOCK_CLAIM_H
#define SHEEP_CLOCK_CLAIM_H

#include "common/proto.h"
#include "sheep/config.h"

#include <stdbool.h>
#include <stdint.h>

struct clock_claim {
    char source[PROTO_NAME_SIZE];
    bool is_locked;
    int64_t offset_ns;
    int64_t bound_ns;
};

/* A simulated node claims what sheep.yaml says. A claim of ptp4l or chrony is not read yet:
 * such a node says "none", and herd then needs `clock_source: any`. */
void clock_claim_read(struct clock_claim *claim, const struct sheep_config *config);

/* Whether an experiment may use this clock; on false, why says why not. */
bool clock_claim_is_good(const struct clock_claim *claim, enum clock_source wanted,
                         char why[PROTO_NAME_SIZE]);

#endif
