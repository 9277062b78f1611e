/* SPDX-License-Identifier: MIT */
/* The recorder's view of time: readings of board and clock, and T held on the monotonic clock.
 *
 * Puts clock_map on real clocks. One thread, the recorder's. */
#ifndef SHEEP_NODE_TIME_H
#define SHEEP_NODE_TIME_H

#include "common/clock.h"
#include "sheep/board.h"
#include "sheep/clock_map.h"

#include <stdbool.h>
#include <stdint.h>

struct node_time {
    const struct clock *clock; /* loans */
    struct board *board;
    struct clock_map map;
    struct clock_offset offset;
    struct clock_steering steering;
    int64_t T_ns;
    int64_t T_mono_ns; /* a later step of the clock does not move it */
};

void node_time_init(struct node_time *time, const struct clock *clock, struct board *board);

/* A burst of bracketed readings of counter and UTC; the narrowest counts. Returns by how much
 * UTC stepped since the last call, else 0. */
int64_t node_time_read(struct node_time *time);

/* Fixes T; meaningful after the first reading. */
void node_time_set_start(struct node_time *time, int64_t T_ns);
uint64_t node_time_start_tick(const struct node_time *time);

/* How late the sample was whose trigger was at `tick`, against T + sample * 10 us. */
int64_t node_time_residual_ns(const struct node_time *time, uint64_t tick, uint64_t sample);

/* UTC of a tick, as the clock has it now (after whatever step). */
int64_t node_time_utc_at(const struct node_time *time, uint64_t tick);

/* The period that steers towards the grid, see clock_steer. */
uint32_t node_time_steer(struct node_time *time, int64_t residual_ns, uint32_t interval_ms);

#endif
