/* SPDX-License-Identifier: MIT */
#include "herd/clock_judge.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

bool clock_claims_more(const struct body_clock *claim, int64_t limit_ns)
{
    int64_t sum_ns = 0;

    if (claim->claimed_offset_ns == INT64_MIN || claim->claimed_bound_ns < 0) {
        return true;
    }
    return __builtin_add_overflow(llabs(claim->claimed_offset_ns), claim->claimed_bound_ns,
                                  &sum_ns)
           || sum_ns > limit_ns;
}

enum clock_judgement clock_judge(const struct clock_evidence *evidence,
                                 const struct clock_median *median, int64_t limit_ns,
                                 enum clock_source source, char why[CLOCK_WHY_SIZE])
{
    const struct clock_view *view = &evidence->view;
    const struct body_clock *claim = &evidence->claim;

    why[0] = '\0';
    if (view->n_exchanges == 0) {
        snprintf(why, CLOCK_WHY_SIZE, "clock: no exchange of timestamps came through");
        return CLOCK_UNHEARD;
    }
    if (clock_view_is_proven_off(view, median, limit_ns)) {
        snprintf(why, CLOCK_WHY_SIZE,
                 "clock: proven off by %.6f s (+-%.6f s) from the median of the nodes",
                 (double)(view->offset_ns - median->offset_ns) / 1e9,
                 (double)view->bound_ns / 1e9);
        return CLOCK_PROVEN_OFF;
    }
    if (source == CLOCK_SOURCE_ANY) {
        return CLOCK_GOOD;
    }
    if (!claim->is_locked) {
        snprintf(
            why, CLOCK_WHY_SIZE,
            "clock: its daemon (%.60s) is not locked; clock_source: any starts all the same",
            claim->source[0] != '\0' ? claim->source : "none");
        return CLOCK_UNLOCKED;
    }
    if (clock_claims_more(claim, limit_ns)) {
        snprintf(why, CLOCK_WHY_SIZE,
                 "clock: %.60s claims %" PRId64 " ns +-%" PRId64
                 " ns, more than clock_error_max of %" PRId64 " ns",
                 claim->source, claim->claimed_offset_ns, claim->claimed_bound_ns, limit_ns);
        return CLOCK_CLAIMS_TOO_MUCH;
    }
    return CLOCK_GOOD;
}
