/* SPDX-License-Identifier: MIT */
#include "sheep/node_time.h"

#include <string.h>

enum {
    BURST = 7,
    NS_PER_SAMPLE = 10000
};

void node_time_init(struct node_time *time, const struct clock *clock, struct board *board)
{
    memset(time, 0, sizeof(*time));
    time->clock = clock;
    time->board = board;
    clock_map_init(&time->map);
}

static struct clock_reading read_counter(struct node_time *time)
{
    struct clock_reading best = { 0 };

    for (int i = 0; i < BURST; i++) {
        int64_t before_ns = clock_mono(time->clock);
        uint64_t tick = time->board->ops->counter(time->board);
        int64_t after_ns = clock_mono(time->clock);
        struct clock_reading reading = clock_reading_make(before_ns, tick, after_ns);

        if (i == 0 || reading.bound_ns < best.bound_ns) {
            best = reading;
        }
    }
    return best;
}

static int64_t read_offset(struct node_time *time)
{
    int64_t best_before_ns = 0;
    int64_t best_utc_ns = 0;
    int64_t best_width_ns = INT64_MAX;

    for (int i = 0; i < BURST; i++) {
        int64_t before_ns = clock_mono(time->clock);
        int64_t utc_ns = clock_utc(time->clock);
        int64_t width_ns = clock_mono(time->clock) - before_ns;

        if (width_ns < best_width_ns) {
            best_before_ns = before_ns;
            best_utc_ns = utc_ns;
            best_width_ns = width_ns;
        }
    }
    return clock_offset_add(&time->offset, best_before_ns, best_utc_ns,
                            best_before_ns + best_width_ns);
}

int64_t node_time_read(struct node_time *time)
{
    struct clock_reading reading = read_counter(time);

    clock_map_add(&time->map, &reading);
    return read_offset(time);
}

void node_time_set_start(struct node_time *time, int64_t T_ns)
{
    time->T_ns = T_ns;
    time->T_mono_ns = T_ns - time->offset.offset_ns;
}

uint64_t node_time_start_tick(const struct node_time *time)
{
    return clock_map_tick_at(&time->map, time->T_mono_ns);
}

int64_t node_time_residual_ns(const struct node_time *time, uint64_t tick, uint64_t sample)
{
    int64_t ideal_ns = time->T_mono_ns + (int64_t)(sample * NS_PER_SAMPLE);

    return clock_map_mono_at(&time->map, tick) - ideal_ns;
}

int64_t node_time_utc_at(const struct node_time *time, uint64_t tick)
{
    return clock_map_mono_at(&time->map, tick) + time->offset.offset_ns;
}

uint32_t node_time_steer(struct node_time *time, int64_t residual_ns, uint32_t interval_ms)
{
    return clock_steer(&time->steering, &time->map, residual_ns, interval_ms);
}
