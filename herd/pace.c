/* SPDX-License-Identifier: MIT */
#include "herd/pace.h"

#include "common/clock.h"

static int64_t burst_bytes(uint64_t rate)
{
    return (int64_t)(rate / 1000 * PACE_BURST_MS);
}

void pace_init(struct pace *pace, uint64_t rate, int64_t mono_ns)
{
    *pace = (struct pace){ .rate = rate, .bytes = burst_bytes(rate), .mono_ns = mono_ns };
}

bool pace_may(struct pace *pace, int64_t mono_ns)
{
    int64_t elapsed_us = (mono_ns - pace->mono_ns) / NS_PER_US;
    int64_t full = burst_bytes(pace->rate);

    if (pace->rate == 0) {
        return true;
    }
    pace->bytes += (int64_t)((double)elapsed_us * 1e-6 * (double)pace->rate);
    pace->mono_ns = mono_ns;
    pace->bytes = pace->bytes < full ? pace->bytes : full;
    return pace->bytes > 0;
}

void pace_take(struct pace *pace, uint64_t bytes)
{
    if (pace->rate != 0) {
        pace->bytes -= (int64_t)bytes;
    }
}

uint64_t pace_window(uint64_t rate, uint64_t other)
{
    uint64_t slower = rate == 0 || (other != 0 && other < rate) ? other : rate;

    return slower == 0 ? UINT64_MAX : (uint64_t)burst_bytes(slower);
}
