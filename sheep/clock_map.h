/* SPDX-License-Identifier: MIT */
/* The line between the PRU's counter and the node's monotonic clock, and the steering along it.
 *
 * Pure: readings come in, instants and periods come out; nothing here reads a clock. UTC
 * differs from the monotonic clock by an offset that only a step of the clock changes (slewing
 * moves both alike), so the line is kept in monotonic time and UTC is one addition away. A
 * reading is bracketed (clock, counter, clock): the truth lies within +-bound_ns of it, however
 * long the process was preempted in between, and its weight falls with the square of the bound.
 */
#ifndef SHEEP_CLOCK_MAP_H
#define SHEEP_CLOCK_MAP_H

#include <stdbool.h>
#include <stdint.h>

enum {
    CLOCK_MAP_READINGS = 64
};

struct clock_reading {
    uint64_t tick;     /* the PRU's counter */
    int64_t mono_ns;   /* middle of the bracket */
    uint32_t bound_ns; /* half its width */
};

/* Plain data; one thread. */
struct clock_map {
    struct clock_reading readings[CLOCK_MAP_READINGS];
    unsigned count;
    unsigned next_idx;
    uint64_t base_tick; /* the newest reading's */
    double base_mono_ns_frac;
    int64_t base_mono_ns; /* of the fitted line at base_tick */
    double ns_per_tick;
    double rate_sigma; /* of ns_per_tick */
};

/* The bracket before <= counter <= after as a reading. */
struct clock_reading clock_reading_make(int64_t before_ns, uint64_t tick, int64_t after_ns);

void clock_map_init(struct clock_map *map);

/* Takes a reading (the narrowest of a burst) and fits anew; a rate of 5 ns a tick within some
 * 100 ppm is assumed until the readings know better. */
void clock_map_add(struct clock_map *map, const struct clock_reading *reading);

/* Conversions along the line; meaningful after the first reading. */
int64_t clock_map_mono_at(const struct clock_map *map, uint64_t tick);
uint64_t clock_map_tick_at(const struct clock_map *map, int64_t mono_ns);

/* How far the truth may be from clock_map_mono_at(tick), at most (for three sigma of the rate).
 */
uint32_t clock_map_bound_ns(const struct clock_map *map, uint64_t tick);

/* The counter's error against the clock in ppm; positive: it runs fast. */
double clock_map_rate_ppm(const struct clock_map *map);

/* The PI controller of the PRU's period. */
struct clock_steering {
    double integral_ppm;
};

/* Period that brings a sample whose instant is residual_ns late (negative: early) back onto the
 * grid within about a second, when called every interval_ms; within +-200 ppm of nominal. */
uint32_t clock_steer(struct clock_steering *steering, const struct clock_map *map,
                     int64_t residual_ns, uint32_t interval_ms);

/* Steps of UTC against the monotonic clock. */
struct clock_offset {
    bool is_valid;
    int64_t offset_ns; /* UTC minus monotonic */
    uint32_t bound_ns;
};

/* Takes a bracketed reading of UTC (mono, utc, mono). Returns the size of the step since the
 * readings before, or 0 when the clock did not step; after a step the new offset rules. */
int64_t clock_offset_add(struct clock_offset *offset, int64_t before_ns, int64_t utc_ns,
                         int64_t after_ns);

#endif
