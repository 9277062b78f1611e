/* SPDX-License-Identifier: MIT */
/* Where time comes from: the machine, or a test that steps it. */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include "common/attrs.h"

#include <stdint.h>

static const int64_t NS_PER_US = 1000;
static const int64_t NS_PER_MS = 1000 * 1000;
static const int64_t NS_PER_S = 1000 * 1000 * 1000;

/* Instants are ns of UTC; intervals and deadlines use the monotonic clock. `utc_offset_ns` is
 * the error of a simulated node's clock and 0 everywhere else. */
struct clock {
    int64_t (*utc_ns)(const struct clock *clock);
    int64_t (*mono_ns)(const struct clock *clock);
    int64_t utc_offset_ns;
    int64_t stepped_utc_ns;  /* only of clock_stepped */
    int64_t stepped_mono_ns; /* only of clock_stepped */
};

/* The machine's clocks, UTC plus utc_offset_ns. */
struct clock clock_system(int64_t utc_offset_ns);

/* A clock that stands still; whoever owns it moves stepped_utc_ns and stepped_mono_ns. */
struct clock clock_stepped(int64_t utc_ns, int64_t mono_ns);

static inline int64_t clock_utc(const struct clock *clock)
{
    return clock->utc_ns(clock);
}

static inline int64_t clock_mono(const struct clock *clock)
{
    return clock->mono_ns(clock);
}

/* The machine's own, for logs and for edges that have no struct clock. */
int64_t clock_utc_ns(void);
int64_t clock_mono_ns(void);

enum {
    CLOCK_TEXT_SIZE = 40
};

/* "2026-11-28T06:51:24.123456Z", and for file names "2026-11-28T06-51-24Z". */
void clock_format_utc(int64_t utc_ns, char text[CLOCK_TEXT_SIZE]);
void clock_format_file(int64_t utc_ns, char text[CLOCK_TEXT_SIZE]);

#endif
