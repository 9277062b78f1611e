/* SPDX-License-Identifier: MIT */
#include "sheep/clock_map.h"

#include "pru/abi/pru_shm.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

/* A reading never weighs more than one of this width: below it skew rules, not the bracket. */
static const double BOUND_FLOOR_NS = 200.0;
/* A crystal's rate drifts with temperature by some 0.2 ppm/s at worst, so that after t seconds
 * it is off the line by half of that times t^2: older readings count less. */
static const double DRIFT_NS_PER_S2 = 100.0;
/* A crystal and its correction by the clock's daemon, one sigma. */
static const double RATE_PRIOR_SIGMA = 100e-6 * PRU_TICK_NS;
static const double NS_PER_SAMPLE = 10000.0;
static const double STEER_LIMIT = 200e-6;
static const double STEER_GAIN_PER_S = 1.0;
static const double STEER_INTEGRAL_PER_S2 = 0.1;
/* The integral is for a rate that the map does not see yet; a late start is not one. */
static const double STEER_INTEGRAL_MAX_NS = 5000.0;
static const double STEER_INTEGRAL_LIMIT_PPM = 20.0;
/* Reading UTC and the monotonic clock one after the other differs by less, without a step. */
static const int64_t STEP_FLOOR_NS = 5000;

struct clock_reading clock_reading_make(int64_t before_ns, uint64_t tick, int64_t after_ns)
{
    int64_t half = (after_ns - before_ns + 1) / 2;

    if (half < 0) {
        half = 0;
    }
    return (struct clock_reading){
        .tick = tick,
        .mono_ns = before_ns + half,
        .bound_ns = half > UINT32_MAX ? UINT32_MAX : (uint32_t)half,
    };
}

void clock_map_init(struct clock_map *map)
{
    memset(map, 0, sizeof(*map));
    map->ns_per_tick = PRU_TICK_NS;
    map->rate_sigma = RATE_PRIOR_SIGMA;
}

/* Ticks from `to` back to `from`, signed; the counter wraps after 2900 years. */
static double ticks_between(uint64_t from, uint64_t to)
{
    return (double)(int64_t)(to - from);
}

/* Weighted least squares of the deviation from the nominal rate, seen from the newest reading;
 * the prior on the rate is one more observation, so that two readings 1 ms apart do no harm. */
static void fit(struct clock_map *map)
{
    double sw = 0.0;
    double sx = 0.0;
    double sxx = 1.0 / (RATE_PRIOR_SIGMA * RATE_PRIOR_SIGMA);
    double sy = 0.0;
    double sxy = 0.0;
    int64_t origin_ns =
        map->readings[(map->next_idx + CLOCK_MAP_READINGS - 1) % CLOCK_MAP_READINGS].mono_ns;

    for (unsigned i = 0; i < map->count; i++) {
        const struct clock_reading *reading = &map->readings[i];
        double x = ticks_between(map->base_tick, reading->tick);
        double y = (double)(reading->mono_ns - origin_ns) - x * PRU_TICK_NS;
        double age_s = x * PRU_TICK_NS * 1e-9;
        double sigma = hypot(fmax((double)reading->bound_ns, BOUND_FLOOR_NS),
                             DRIFT_NS_PER_S2 * age_s * age_s);
        double weight = 1.0 / (sigma * sigma);

        sw += weight;
        sx += weight * x;
        sxx += weight * x * x;
        sy += weight * y;
        sxy += weight * x * y;
    }
    double determinant = sw * sxx - sx * sx;
    double slope = (sw * sxy - sx * sy) / determinant;
    double intercept = (sxx * sy - sx * sxy) / determinant;

    map->ns_per_tick = PRU_TICK_NS + slope;
    map->rate_sigma = sqrt(sw / determinant);
    map->base_mono_ns = origin_ns + (int64_t)floor(intercept);
    map->base_mono_ns_frac = intercept - floor(intercept);
}

void clock_map_add(struct clock_map *map, const struct clock_reading *reading)
{
    map->readings[map->next_idx] = *reading;
    map->next_idx = (map->next_idx + 1) % CLOCK_MAP_READINGS;
    if (map->count < CLOCK_MAP_READINGS) {
        map->count++;
    }
    map->base_tick = reading->tick;
    fit(map);
}

int64_t clock_map_mono_at(const struct clock_map *map, uint64_t tick)
{
    double delta = ticks_between(map->base_tick, tick) * map->ns_per_tick;

    return map->base_mono_ns + llround(delta + map->base_mono_ns_frac);
}

uint64_t clock_map_tick_at(const struct clock_map *map, int64_t mono_ns)
{
    double delta = (double)(mono_ns - map->base_mono_ns) - map->base_mono_ns_frac;

    return map->base_tick + (uint64_t)llround(delta / map->ns_per_tick);
}

uint32_t clock_map_bound_ns(const struct clock_map *map, uint64_t tick)
{
    double best = 4e9;

    for (unsigned i = 0; i < map->count; i++) {
        const struct clock_reading *reading = &map->readings[i];
        int64_t residual = reading->mono_ns - clock_map_mono_at(map, reading->tick);
        double bound = (double)reading->bound_ns + fabs((double)residual)
                       + 3.0 * map->rate_sigma * fabs(ticks_between(reading->tick, tick));

        best = fmin(best, bound);
    }
    return (uint32_t)best;
}

double clock_map_rate_ppm(const struct clock_map *map)
{
    return (PRU_TICK_NS / map->ns_per_tick - 1.0) * 1e6;
}

static double clamp(double value, double limit)
{
    return fmax(-limit, fmin(limit, value));
}

uint32_t clock_steer(struct clock_steering *steering, const struct clock_map *map,
                     int64_t residual_ns, uint32_t interval_ms)
{
    double residual_ppm = (double)residual_ns * 1e-3; /* of one second: ns / 1e9 * 1e6 */
    double nominal = PRU_PERIOD_NOMINAL_Q20;
    double period = NS_PER_SAMPLE / map->ns_per_tick * (double)(1u << 20);
    double correction_ppm = STEER_GAIN_PER_S * residual_ppm + steering->integral_ppm;
    double wanted = period * (1.0 - correction_ppm * 1e-6) / nominal - 1.0;
    double allowed = clamp(wanted, STEER_LIMIT);

    if (fabs((double)residual_ns) <= STEER_INTEGRAL_MAX_NS && fabs(wanted) <= STEER_LIMIT) {
        steering->integral_ppm += STEER_INTEGRAL_PER_S2 * residual_ppm * interval_ms * 1e-3;
        steering->integral_ppm = clamp(steering->integral_ppm, STEER_INTEGRAL_LIMIT_PPM);
    }
    return (uint32_t)llround(nominal * (1.0 + allowed));
}

int64_t clock_offset_add(struct clock_offset *offset, int64_t before_ns, int64_t utc_ns,
                         int64_t after_ns)
{
    struct clock_reading reading = clock_reading_make(before_ns, 0, after_ns);
    struct clock_offset now = { true, utc_ns - reading.mono_ns, reading.bound_ns };
    int64_t step = now.offset_ns - offset->offset_ns;
    int64_t slack = (int64_t)now.bound_ns + offset->bound_ns + STEP_FLOOR_NS;

    if (!offset->is_valid) {
        *offset = now;
        return 0;
    }
    if (step > slack || step < -slack) {
        *offset = now;
        return step;
    }
    if (now.bound_ns < offset->bound_ns) {
        *offset = now;
    }
    return 0;
}
