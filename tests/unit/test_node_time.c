/* SPDX-License-Identifier: MIT */
/* The recorder's time over a scripted clock and counter: brackets, T, steps, residuals. */
#include "sheep/node_time.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    N_WIDTHS = 7,
    USUAL_NS = 2000
};

static const int64_t MONO_NS = INT64_C(9000) * 1000000000;
static const int64_t UTC_NS = INT64_C(1800000000) * 1000000000;

/* Time passes when it is read: every reading of the monotonic clock costs the next step. */
struct rig {
    int64_t now_ns; /* monotonic */
    int64_t utc_minus_mono_ns;
    double ppm; /* of the counter */
    unsigned n_reads;
    int64_t after_counter_ns[N_WIDTHS]; /* how long each reading of the counter is held up */
    unsigned n_counted;
};

struct fake_clock {
    struct clock clock;
    struct rig *rig;
};

struct fake_board {
    struct board board;
    struct rig *rig;
};

static struct rig *rig_of(const struct clock *clock)
{
    return ((const struct fake_clock *)(const void *)clock)->rig;
}

static int64_t read_mono(const struct clock *clock)
{
    struct rig *rig = rig_of(clock);

    rig->now_ns += USUAL_NS / 2;
    return rig->now_ns;
}

static int64_t read_utc(const struct clock *clock)
{
    const struct rig *rig = rig_of(clock);

    return rig->now_ns + USUAL_NS / 4 + rig->utc_minus_mono_ns;
}

static uint64_t tick_of(const struct rig *rig, int64_t mono_ns)
{
    return (uint64_t)llround((double)(mono_ns - MONO_NS) * (1.0 + rig->ppm * 1e-6)
                             / PRU_TICK_NS)
           + 1000000;
}

static uint64_t read_counter(struct board *board)
{
    struct rig *rig = ((struct fake_board *)(void *)board)->rig;
    uint64_t tick = tick_of(rig, rig->now_ns + USUAL_NS / 4);

    rig->now_ns += rig->after_counter_ns[rig->n_counted++ % N_WIDTHS];
    return tick;
}

static const struct board_ops OPS = { .name = "scripted", .counter = read_counter };

struct fixture {
    struct rig rig;
    struct fake_clock clock;
    struct fake_board board;
    struct node_time time;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->rig.now_ns = MONO_NS;
    f->rig.utc_minus_mono_ns = UTC_NS - MONO_NS;
    f->clock.clock.mono_ns = read_mono;
    f->clock.clock.utc_ns = read_utc;
    f->clock.rig = &f->rig;
    f->board.board.ops = &OPS;
    f->board.rig = &f->rig;
    node_time_init(&f->time, &f->clock.clock, &f->board.board);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

/* A reading every 100 ms, as the recorder does while it waits. */
static void read_for(struct fixture *f, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(node_time_read(&f->time), 0);
        f->rig.now_ns += 100 * NS_PER_MS;
    }
}

static void test_the_narrowest_reading_of_a_burst_counts(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < N_WIDTHS; i++) {
        f->rig.after_counter_ns[i] = i == 4 ? 0 : 3 * NS_PER_MS; /* preempted, but for once */
    }
    assert_int_equal(node_time_read(&f->time), 0);
    assert_int_equal(f->rig.n_counted, N_WIDTHS);
    assert_int_equal(f->time.map.count, 1);
    assert_int_equal(f->time.map.readings[0].bound_ns, USUAL_NS / 4);
    assert_true(llabs(clock_map_mono_at(&f->time.map, f->time.map.readings[0].tick)
                      - (MONO_NS + 12 * NS_PER_MS + INT64_C(9) * USUAL_NS / 2 + USUAL_NS / 4))
                <= 5);
}

static void test_the_start_tick_lies_at_T(void **state)
{
    static const double PPMS[] = { 0.0, 50.0, -50.0 };

    for (size_t i = 0; i < ARRAY_LEN(PPMS); i++) {
        struct fixture *f = NULL;
        uint64_t tick = 0;

        tear_down(state);
        set_up(state);
        f = *state;
        f->rig.ppm = PPMS[i];
        read_for(f, 30);
        node_time_set_start(&f->time, UTC_NS + 4 * NS_PER_S);
        tick = node_time_start_tick(&f->time);
        assert_true(llabs((int64_t)(tick - tick_of(&f->rig, MONO_NS + 4 * NS_PER_S))) * 5
                    < INT64_C(2) * USUAL_NS);
        assert_true(llabs(node_time_utc_at(&f->time, tick) - (UTC_NS + 4 * NS_PER_S)) < 10);
    }
}

static void test_the_residual_says_how_late_a_sample_was(void **state)
{
    struct fixture *f = *state;
    uint64_t tick = 0;

    read_for(f, 10);
    node_time_set_start(&f->time, UTC_NS + 2 * NS_PER_S);
    tick = node_time_start_tick(&f->time);
    assert_true(llabs(node_time_residual_ns(&f->time, tick, 0)) <= 5);
    assert_true(llabs(node_time_residual_ns(&f->time, tick + 74000, 0) - 370000) <= 5);
    assert_true(llabs(node_time_residual_ns(&f->time, tick, 37) + 370000) <= 5);
    /* Sample 100000 comes a second, 200 million ticks, after the first. */
    assert_true(llabs(node_time_residual_ns(&f->time, tick + 200000000, 100000)) <= USUAL_NS);
}

static void test_a_step_of_the_clock_is_told_once_and_does_not_move_T(void **state)
{
    struct fixture *f = *state;
    uint64_t tick = 0;
    int64_t utc_ns = 0;
    int64_t step_ns = 0;

    read_for(f, 10);
    node_time_set_start(&f->time, UTC_NS + 5 * NS_PER_S);
    tick = node_time_start_tick(&f->time);
    utc_ns = node_time_utc_at(&f->time, tick);
    f->rig.utc_minus_mono_ns -= 30 * NS_PER_MS;
    step_ns = node_time_read(&f->time);
    assert_true(llabs(step_ns + 30 * NS_PER_MS) <= USUAL_NS);
    assert_int_equal(node_time_read(&f->time), 0);
    assert_true(llabs((int64_t)(node_time_start_tick(&f->time) - tick)) * 5 < USUAL_NS);
    assert_true(llabs(node_time_residual_ns(&f->time, tick, 0)) < USUAL_NS);
    assert_true(llabs(node_time_utc_at(&f->time, tick) - utc_ns + 30 * NS_PER_MS) < USUAL_NS);
}

static void test_steering_goes_against_the_residual(void **state)
{
    struct fixture *f = *state;
    uint32_t on_time = 0;

    read_for(f, 30);
    on_time = node_time_steer(&f->time, 0, 250);
    assert_true(fabs((double)on_time / PRU_PERIOD_NOMINAL_Q20 - 1.0) < 5e-6);
    assert_true(node_time_steer(&f->time, 20000, 250) < on_time);
    assert_true(node_time_steer(&f->time, -20000, 250) > on_time);
    assert_true(node_time_steer(&f->time, NS_PER_S, 250)
                >= (uint32_t)(PRU_PERIOD_NOMINAL_Q20 * (1 - 200.01e-6)));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_the_narrowest_reading_of_a_burst_counts),
        TEST(test_the_start_tick_lies_at_T),
        TEST(test_the_residual_says_how_late_a_sample_was),
        TEST(test_a_step_of_the_clock_is_told_once_and_does_not_move_T),
        TEST(test_steering_goes_against_the_residual),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
