/* SPDX-License-Identifier: MIT */
/* When the next sample is due: adds the period up without losing its fraction.
 *
 * On the board this is PRU1's part; the simulated board calls the same code. */
#ifndef PRU_CORE_TIMEBASE_H
#define PRU_CORE_TIMEBASE_H

#include <stdint.h>

struct timebase {
    uint64_t next_tick; /* counter at which the next sample is due */
    uint32_t fraction_q20;
};

/* The next sample (number 0) is due at start_tick. */
void timebase_start(struct timebase *timebase, uint64_t start_tick);

/* The sample that was due has been taken: the next one is a period later. Call it once per
 * sample with the period in force now; a changed period takes effect from here on, and no
 * fraction is lost: after n samples of one period, next_tick is start + floor(n x period). */
void timebase_advance(struct timebase *timebase, uint32_t period_ticks_q20);

#endif
