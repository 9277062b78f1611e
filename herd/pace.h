/* SPDX-License-Identifier: MIT */
/* How fast bytes may come: a bucket that fills with time and may go into debt, so that the mean
 * is exact whatever the size of what came. Pure. */
#ifndef HERD_PACE_H
#define HERD_PACE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    PACE_BURST_MS = 250, /* what a bucket holds */
};

struct pace {
    uint64_t rate; /* bytes a second; 0: no limit */
    int64_t bytes; /* may come now; below 0: owed */
    int64_t mono_ns;
};

void pace_init(struct pace *pace, uint64_t rate, int64_t mono_ns);
bool pace_may(struct pace *pace, int64_t mono_ns); /* whether more may be asked for */
void pace_take(struct pace *pace, uint64_t bytes); /* these came */

/* What to ask for at once: a burst of the slower of two; UINT64_MAX without limits. */
uint64_t pace_window(uint64_t rate, uint64_t other);

#endif
