/* SPDX-License-Identifier: MIT */
/* Is a node's clock good enough to start with? Pure. */
#ifndef HERD_CLOCK_JUDGE_H
#define HERD_CLOCK_JUDGE_H

#include "common/experiment.h"
#include "common/proto.h"
#include "herd/clock_view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CLOCK_WHY_SIZE = 200
};

/* What is known of one clock: what we measured, and what its daemon claims. */
struct clock_evidence {
    struct clock_view view;
    struct body_clock claim;
};

enum clock_judgement {
    CLOCK_GOOD,
    CLOCK_UNHEARD,    /* no exchange came through */
    CLOCK_PROVEN_OFF, /* |offset - median| - bound > limit: refused whatever is configured */
    CLOCK_UNLOCKED,   /* its daemon is absent or not locked */
    CLOCK_CLAIMS_TOO_MUCH,
};

/* The reference is the median of the nodes, not this machine. With CLOCK_SOURCE_ANY only what
 * is proven counts. `why` says it in words ("" when good). */
enum clock_judgement clock_judge(const struct clock_evidence *evidence,
                                 const struct clock_median *median, int64_t limit_ns,
                                 enum clock_source source, char why[CLOCK_WHY_SIZE]);

/* Whether the sum of claimed offset and bound is above the limit. */
bool clock_claims_more(const struct body_clock *claim, int64_t limit_ns);

#endif
