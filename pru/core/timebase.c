/* SPDX-License-Identifier: MIT */
#include "pru/core/timebase.h"

enum {
    FRACTION_BITS = 20,
    FRACTION_MASK = (1 << FRACTION_BITS) - 1
};

void timebase_start(struct timebase *timebase, uint64_t start_tick)
{
    timebase->next_tick = start_tick;
    timebase->fraction_q20 = 0;
}

void timebase_advance(struct timebase *timebase, uint32_t period_ticks_q20)
{
    uint32_t fraction = timebase->fraction_q20 + (period_ticks_q20 & FRACTION_MASK);

    timebase->next_tick += (period_ticks_q20 >> FRACTION_BITS) + (fraction >> FRACTION_BITS);
    timebase->fraction_q20 = fraction & FRACTION_MASK;
}
