/* SPDX-License-Identifier: MIT */
/* clock_map against simulated oscillators: skewed brackets, preemptions, steps. */
#include "sheep/clock_map.h"

#include "common/attrs.h"
#include "pru/abi/pru_shm.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const int64_t START_NS = 123456789012345;

struct oscillator {
    double ppm;
    uint64_t tick_at_start;
    uint64_t random;
};

static double random_unit(struct oscillator *osc)
{
    osc->random = osc->random * 6364136223846793005u + 1442695040888963407u;
    return (double)(osc->random >> 11) * 0x1p-53;
}

static uint64_t tick_of(const struct oscillator *osc, double mono_ns)
{
    double elapsed = mono_ns * (1.0 + osc->ppm * 1e-6) / PRU_TICK_NS;

    return osc->tick_at_start + (uint64_t)llround(elapsed);
}

/* One bracketed reading at START_NS + at_ns: 1.5 to 4 us wide, the counter read at 70..95 % of
 * it, and in one of twenty a preemption of up to 5 ms on either side. */
static struct clock_reading read_once(struct oscillator *osc, double at_ns)
{
    double width = 1500.0 + 2500.0 * random_unit(osc);
    double before = width * (0.7 + 0.25 * random_unit(osc));
    double after = width - before;

    if (random_unit(osc) < 0.05) {
        before += 5e6 * random_unit(osc);
    } else if (random_unit(osc) < 0.05) {
        after += 5e6 * random_unit(osc);
    }
    return clock_reading_make(START_NS + (int64_t)at_ns, tick_of(osc, at_ns + before),
                              START_NS + (int64_t)(at_ns + before + after));
}

static struct clock_reading read_burst(struct oscillator *osc, double at_ns)
{
    struct clock_reading best = read_once(osc, at_ns);

    for (int i = 1; i < 7; i++) {
        struct clock_reading next = read_once(osc, at_ns + i * 20000.0);

        if (next.bound_ns < best.bound_ns) {
            best = next;
        }
    }
    return best;
}

static void test_map_follows_oscillators_within_its_bound(void **state)
{
    static const double ppms[] = { -100.0, -50.0, -3.3, 0.0, 17.0, 50.0, 100.0 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ppms); i++) {
        struct oscillator osc = { ppms[i], 987654321u, i + 1 };
        struct clock_map map;
        double at_ns = 0.0;

        clock_map_init(&map);
        for (int k = 0; k < 40; k++) {
            at_ns = k * 100e6;
            struct clock_reading reading = read_burst(&osc, at_ns);

            clock_map_add(&map, &reading);
            double ahead_ns = at_ns + 50e6;
            uint64_t tick = tick_of(&osc, ahead_ns);
            double error = (double)(clock_map_mono_at(&map, tick) - START_NS) - ahead_ns;

            assert_true(fabs(error) <= clock_map_bound_ns(&map, tick) + 5.0);
        }
        uint64_t tick = clock_map_tick_at(&map, START_NS + (int64_t)at_ns);

        assert_true(fabs((double)(int64_t)(tick - tick_of(&osc, at_ns))) * 5.0 < 2500.0);
        assert_true(fabs(clock_map_rate_ppm(&map) - ppms[i]) < 2.0);
        assert_true(clock_map_bound_ns(&map, tick) < 8000);
    }
}

static void test_first_readings_do_not_mislead(void **state)
{
    struct oscillator osc = { 80.0, 5, 42 };
    struct clock_map map;

    (void)state;
    clock_map_init(&map);
    for (int k = 0; k < 3; k++) {
        struct clock_reading reading = read_burst(&osc, k * 1e6);

        clock_map_add(&map, &reading);
        /* A millisecond says nothing about ppm: the prior must hold the rate. */
        assert_true(fabs(clock_map_rate_ppm(&map)) < 400.0);
    }
}

/* Runs a board for seconds: sample instants obey the period, the map sees noisy readings. */
static double steer_for(double ppm, double first_error_ns, int quarters, double *worst_late)
{
    struct oscillator osc = { ppm, 0, 7 };
    struct clock_map map;
    struct clock_steering steering = { 0 };
    double sample_tick = first_error_ns / PRU_TICK_NS; /* of the sample on the grid point */
    double ideal_ns = 0.0;

    clock_map_init(&map);
    for (int k = 0; k < 40; k++) {
        struct clock_reading reading = read_burst(&osc, -4e9 + k * 100e6);

        clock_map_add(&map, &reading);
    }
    *worst_late = 0.0;
    for (int k = 0; k < quarters; k++) {
        struct clock_reading reading = read_burst(&osc, ideal_ns);
        int64_t residual = 0;

        clock_map_add(&map, &reading);
        residual = clock_map_mono_at(&map, (uint64_t)(int64_t)llround(sample_tick)) - START_NS
                   - (int64_t)ideal_ns;
        uint32_t period = clock_steer(&steering, &map, residual, 250);

        assert_true(fabs((double)period / PRU_PERIOD_NOMINAL_Q20 - 1.0) <= 200.001e-6);
        sample_tick += 25000.0 * period / (double)(1 << 20);
        ideal_ns += 250e6;
        double true_ns = sample_tick * PRU_TICK_NS / (1.0 + ppm * 1e-6);

        if (k > quarters / 2 && fabs(true_ns - ideal_ns) > fabs(*worst_late)) {
            *worst_late = true_ns - ideal_ns;
        }
    }
    return sample_tick * PRU_TICK_NS / (1.0 + ppm * 1e-6) - ideal_ns;
}

static void test_steering_holds_the_grid(void **state)
{
    static const double ppms[] = { -100.0, -50.0, 0.0, 50.0, 100.0 };
    double worst = 0.0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ppms); i++) {
        assert_true(fabs(steer_for(ppms[i], 0.0, 240, &worst)) < 3000.0);
        assert_true(fabs(worst) < 3000.0);
        /* A late start of 370 us is brought in, and not overshot for long. */
        assert_true(fabs(steer_for(ppms[i], 370e3, 240, &worst)) < 3000.0);
        assert_true(fabs(worst) < 5000.0);
    }
}

static void test_offset_sees_steps_and_nothing_else(void **state)
{
    struct clock_offset offset = { 0 };
    int64_t mono = START_NS;

    (void)state;
    assert_int_equal(clock_offset_add(&offset, mono, 1000 * mono, mono + 300), 0);
    offset = (struct clock_offset){ 0 };
    assert_int_equal(clock_offset_add(&offset, mono, mono + 5000000150, mono + 300), 0);
    assert_int_equal(offset.offset_ns, 5000000000);
    for (int i = 1; i < 100; i++) {
        int64_t wide = i % 10 == 0 ? 5000000 : 400;

        mono += 250000000;
        /* UTC read at the very end of the bracket: late by half its width, and no step. */
        assert_int_equal(clock_offset_add(&offset, mono, mono + wide + 5000000000, mono + wide),
                         0);
    }
    assert_int_equal(offset.offset_ns, 5000000000);
    mono += 250000000;
    assert_in_range(-clock_offset_add(&offset, mono, mono + 4998000150, mono + 300), 1990000,
                    2010000);
    assert_int_equal(clock_offset_add(&offset, mono, mono + 4998000150, mono + 300), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map_follows_oscillators_within_its_bound),
        cmocka_unit_test(test_first_readings_do_not_mislead),
        cmocka_unit_test(test_steering_holds_the_grid),
        cmocka_unit_test(test_offset_sees_steps_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
