/* SPDX-License-Identifier: MIT */
#include "herd/knock.h"

#include "common/clock.h"

static void see(struct knock *knock, int64_t mono_ns)
{
    int64_t gap_ns = mono_ns - knock->seen_ns;

    if (gap_ns > KNOCK_AWAY_MS * NS_PER_MS) {
        knock->last_ns += gap_ns;
    }
    knock->seen_ns = mono_ns;
}

bool knock_next(struct knock *knock, int64_t mono_ns)
{
    see(knock, mono_ns);
    if (knock->n_open >= KNOCK_AT_ONCE
        && mono_ns - knock->last_ns >= KNOCK_QUIET_MS * NS_PER_MS) {
        knock->n_open = 0;
    }
    if (knock->n_open >= KNOCK_AT_ONCE) {
        return false;
    }
    if (knock->n_open == 0) {
        knock->last_ns = mono_ns;
    }
    knock->n_open++;
    return true;
}

void knock_answered(struct knock *knock, int64_t mono_ns)
{
    knock->seen_ns = mono_ns;
    knock->last_ns = mono_ns;
    if (knock->n_open > 0) {
        knock->n_open--;
    }
}
