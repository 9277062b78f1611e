/* SPDX-License-Identifier: MIT */
#include "sheep/clock_claim.h"

#include <stdio.h>
#include <string.h>

void clock_claim_read(struct clock_claim *claim, const struct sheep_config *config)
{
    memset(claim, 0, sizeof(*claim));
    if (strcmp(config->clock.source, "sim") != 0 && strcmp(config->clock.source, "any") != 0) {
        snprintf(claim->source, sizeof(claim->source), "none");
        return;
    }
    snprintf(claim->source, sizeof(claim->source), "%s", config->clock.source);
    claim->is_locked = config->clock.locked;
    claim->bound_ns = (int64_t)(config->clock.claimed_bound_us * (double)NS_PER_US);
}

bool clock_claim_is_good(const struct clock_claim *claim, enum clock_source wanted,
                         char why[PROTO_NAME_SIZE])
{
    if (wanted == CLOCK_SOURCE_ANY || claim->is_locked) {
        return true;
    }
    snprintf(why, PROTO_NAME_SIZE, "clock: %s (clock_source: any would accept it)",
             strcmp(claim->source, "none") == 0 ? "no daemon disciplines it"
                                                : "its daemon says that it is not locked");
    return false;
}
