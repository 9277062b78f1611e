/* SPDX-License-Identifier: MIT */
/* How far sample instants are from the grid of UTC: node_time and clock_steer, called as the
 * recorder calls them, over simulated crystals and brackets, in virtual time.
 *
 * A crystal has an offset, a drift with temperature and a wander (random walk of its
 * frequency). A reading of the counter takes 1.5 to 4 us, as on a Cortex-A8, is not taken in
 * the middle, and the process may be preempted for up to 5 ms before or behind it. */
#include "common/attrs.h"
#include "pru/abi/pru_shm.h"
#include "sheep/node_time.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    EARLY_READS = 22, /* from PREPARE to T, a second and a bit */
    EARLY_MS = 50,
    ARM_LEAD_MS = 120,
    KEEP_MS = 250,
    RUN_S = 60,
    CONVERGED_S = 5,
    N_LOOKS = (RUN_S - CONVERGED_S) * 1000 /* one per ms */
};

static const int64_t UTC_MINUS_MONO_NS = INT64_C(1800000000) * 1000000000;
static const double NS_PER_SAMPLE = 10000.0;

struct crystal {
    const char *name;
    double ppm;
    double drift_ppm;  /* at most, by temperature: */
    double drift_s;    /* time constant */
    double wander_ppm; /* of the random walk after a second */
};

struct brackets {
    const char *name;
    double skew_low; /* where in the bracket the counter is read */
    double skew_high;
    double preempted; /* share of readings */
};

static const struct crystal CRYSTALS[] = {
    {"exact",         0,    0,  1,  0   },
    { "+100 ppm",     100,  0,  1,  0   },
    { "-100 ppm",     -100, 0,  1,  0   },
    { "warming up",   35,   4,  20, 0   },
    { "cooling down", -60,  -4, 20, 0   },
    { "wandering",    20,   0,  1,  0.02},
};

static const struct brackets BRACKETS[] = {
    {"even",          0.3, 0.7,  0.02},
    { "skewed",       0.7, 0.95, 0.02},
    { "skewed, busy", 0.7, 0.95, 0.5 },
};

struct rig {
    const struct crystal *crystal;
    const struct brackets *brackets;
    uint64_t random;
    double now_ns; /* true time, which is UTC and the monotonic clock */
    double tick;   /* the counter, exact */
    double wander;
    double wander_until_ns;
    int64_t utc_step_ns;
    uint32_t period_q20; /* of the running PRU; 0: it does not run */
    double sample;       /* its position on its own grid */
};

struct fake_clock {
    struct clock clock;
    struct rig *rig;
};

struct fake_board {
    struct board board;
    struct rig *rig;
};

struct node {
    struct rig rig;
    struct fake_clock clock;
    struct fake_board board;
    struct node_time time;
};

static double random_unit(struct rig *rig)
{
    rig->random = rig->random * 6364136223846793005u + 1442695040888963407u;
    return (double)(rig->random >> 11) * 0x1p-53;
}

static double random_normal(struct rig *rig)
{
    double radius = sqrt(-2.0 * log(1.0 - random_unit(rig)));

    return radius * cos(6.283185307179586 * random_unit(rig));
}

static void pass(struct rig *rig, double ns)
{
    const struct crystal *crystal = rig->crystal;
    double warm = 1.0 - exp(-rig->now_ns * 1e-9 / crystal->drift_s);
    double ppm = crystal->ppm + crystal->drift_ppm * warm + rig->wander;
    double ticks = ns * (1.0 + ppm * 1e-6) / PRU_TICK_NS;

    rig->now_ns += ns;
    rig->tick += ticks;
    if (rig->period_q20 != 0) {
        rig->sample += ticks / (rig->period_q20 / (double)(1u << 20));
    }
    while (rig->now_ns > rig->wander_until_ns) {
        rig->wander += crystal->wander_ppm * sqrt(1e-3) * random_normal(rig);
        rig->wander_until_ns += 1e6;
    }
}

static void pass_until(struct rig *rig, double ns)
{
    while (rig->now_ns < ns) {
        pass(rig, fmin(ns - rig->now_ns, 1e6));
    }
}

static int64_t read_mono(const struct clock *clock)
{
    struct rig *rig = ((const struct fake_clock *)(const void *)clock)->rig;

    pass(rig, 150.0);
    return (int64_t)rig->now_ns;
}

static int64_t read_utc(const struct clock *clock)
{
    struct rig *rig = ((const struct fake_clock *)(const void *)clock)->rig;

    pass(rig, 150.0);
    return (int64_t)rig->now_ns + UTC_MINUS_MONO_NS + rig->utc_step_ns;
}

static uint64_t read_counter(struct board *board)
{
    struct rig *rig = ((struct fake_board *)(void *)board)->rig;
    const struct brackets *brackets = rig->brackets;
    double width_ns = 1500.0 + 2500.0 * random_unit(rig);
    double skew =
        brackets->skew_low + (brackets->skew_high - brackets->skew_low) * random_unit(rig);
    bool is_before = random_unit(rig) < brackets->preempted / 2;
    bool is_behind = random_unit(rig) < brackets->preempted / 2;
    uint64_t tick = 0;

    pass(rig, width_ns * skew + (is_before ? 5e6 * random_unit(rig) : 0));
    tick = (uint64_t)rig->tick;
    pass(rig, width_ns * (1 - skew) + (is_behind ? 5e6 * random_unit(rig) : 0));
    return tick;
}

static const struct board_ops OPS = { .name = "crystal", .counter = read_counter };

/* What the recorder does from PREPARE to the first sample. */
static void start(struct node *node, const struct crystal *crystal,
                  const struct brackets *brackets, uint64_t seed)
{
    struct rig *rig = &node->rig;
    double T_ns = 0;

    memset(node, 0, sizeof(*node));
    rig->crystal = crystal;
    rig->brackets = brackets;
    rig->random = seed * 7919 + 17;
    rig->tick = 1e9;
    node->clock = (struct fake_clock){
        {.utc_ns = read_utc, .mono_ns = read_mono},
        rig
    };
    node->board = (struct fake_board){ { .ops = &OPS }, rig };
    node_time_init(&node->time, &node->clock.clock, &node->board.board);
    for (int i = 0; i < EARLY_READS; i++) {
        assert_int_equal(node_time_read(&node->time), 0);
        pass_until(rig, (double)(i + 1) * EARLY_MS * 1e6);
    }
    T_ns = EARLY_READS * EARLY_MS * 1e6 + ARM_LEAD_MS * 1e6;
    node_time_set_start(&node->time, (int64_t)T_ns + UTC_MINUS_MONO_NS);
    assert_int_equal(node_time_read(&node->time), 0);
    uint64_t start_tick = node_time_start_tick(&node->time);
    uint32_t period_q20 = node_time_steer(&node->time, 0, 0);

    while (rig->tick < (double)start_tick) {
        double left_ns = ((double)start_tick - rig->tick) * PRU_TICK_NS;

        pass(rig, left_ns > 2e6 ? 1e6 : fmax(left_ns * 0.9, 1e-3));
    }
    rig->period_q20 = period_q20;
    rig->sample = (rig->tick - (double)start_tick) / PRU_SAMPLE_TICKS;
}

/* How late a sample would be that the PRU took now. */
static double error_ns(const struct node *node)
{
    return node->rig.now_ns - (double)node->time.T_mono_ns - node->rig.sample * NS_PER_SAMPLE;
}

/* As recording_keep_time: the newest block's first sample against the grid. */
static int64_t keep(struct node *node)
{
    struct rig *rig = &node->rig;
    int64_t step_ns = node_time_read(&node->time);
    double first = floor(rig->sample / PRU_BLOCK_SAMPLES) * PRU_BLOCK_SAMPLES;
    double behind = (rig->sample - first) * (rig->period_q20 / (double)(1u << 20));
    int64_t residual_ns =
        node_time_residual_ns(&node->time, (uint64_t)(rig->tick - behind), (uint64_t)first);

    rig->period_q20 = node_time_steer(&node->time, residual_ns, KEEP_MS);
    return step_ns;
}

struct figures {
    double start_ns;
    double p99_ns;
    double max_ns;
    double converged_s; /* from then on within 5 us */
};

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;

    return (left > right) - (left < right);
}

/* Runs for a minute; errors[], if given, takes the signed error of every ms after convergence.
 */
static struct figures run(struct node *node, double *errors)
{
    static double sorted[N_LOOKS];
    struct figures figures = { .start_ns = error_ns(node) };
    double T_ns = (double)node->time.T_mono_ns;
    size_t count = 0;

    for (int ms = 1; ms <= RUN_S * 1000; ms++) {
        pass_until(&node->rig, T_ns + ms * 1e6);
        double error = error_ns(node);

        if (fabs(error) > 5000) {
            figures.converged_s = ms * 1e-3;
        }
        if (ms > CONVERGED_S * 1000) {
            sorted[count] = fabs(error);
            if (errors != NULL) {
                errors[count] = error;
            }
            count++;
        }
        if (ms == 1 || ms % KEEP_MS == 0) {
            assert_int_equal(keep(node), 0);
        }
    }
    qsort(sorted, count, sizeof(sorted[0]), compare);
    figures.p99_ns = sorted[count * 99 / 100];
    figures.max_ns = sorted[count - 1];
    return figures;
}

static void test_samples_stay_on_the_grid(void **state)
{
    struct node node;

    (void)state;
    for (size_t c = 0; c < ARRAY_LEN(CRYSTALS); c++) {
        for (size_t b = 0; b < ARRAY_LEN(BRACKETS); b++) {
            start(&node, &CRYSTALS[c], &BRACKETS[b], c * 10 + b);
            struct figures figures = run(&node, NULL);

            assert_true(fabs(figures.start_ns) < 2000);
            assert_true(figures.p99_ns < 2000);
            assert_true(figures.max_ns < 3000);
            assert_true(figures.converged_s < CONVERGED_S);
            print_message(
                "%-12s %-12s start %+6.2f us, then p99 %5.2f us, max %5.2f us, within "
                "5 us from %.1f s on\n",
                CRYSTALS[c].name, BRACKETS[b].name, figures.start_ns * 1e-3,
                figures.p99_ns * 1e-3, figures.max_ns * 1e-3, figures.converged_s);
        }
    }
}

/* A board that started late is brought in, whatever its crystal does. */
static void test_a_late_start_is_brought_in_within_five_seconds(void **state)
{
    struct node node;

    (void)state;
    for (size_t c = 0; c < ARRAY_LEN(CRYSTALS); c++) {
        start(&node, &CRYSTALS[c], &BRACKETS[1], c);
        node.rig.sample -= 10.0; /* 100 us */
        struct figures figures = run(&node, NULL);

        print_message("%-12s 100 us late: within 5 us after %.2f s, then p99 %.2f us\n",
                      CRYSTALS[c].name, figures.converged_s, figures.p99_ns * 1e-3);
        assert_true(figures.converged_s > 0.1);
        assert_true(figures.converged_s < CONVERGED_S);
        assert_true(figures.max_ns < 5000);
    }
}

/* What skews the brackets skews them alike on nodes of a kind. */
static void test_two_like_nodes_differ_by_less_than_a_microsecond(void **state)
{
    static double left[N_LOOKS];
    static double right[N_LOOKS];
    struct node node;

    (void)state;
    for (size_t c = 0; c < ARRAY_LEN(CRYSTALS); c++) {
        start(&node, &CRYSTALS[c], &BRACKETS[1], 2 * c);
        run(&node, left);
        start(&node, &CRYSTALS[c], &BRACKETS[2], 2 * c + 1);
        run(&node, right);
        for (size_t i = 0; i < N_LOOKS; i++) {
            left[i] = fabs(left[i] - right[i]);
        }
        qsort(left, N_LOOKS, sizeof(left[0]), compare);
        print_message("%-12s two nodes differ by p99 %.2f us\n", CRYSTALS[c].name,
                      left[N_LOOKS * 99 / 100] * 1e-3);
        assert_true(left[N_LOOKS * 99 / 100] < 1000);
    }
}

/* UTC jumps in the middle of a run: told once, and the grid stays where it was. */
static void test_a_step_of_a_millisecond_is_told_and_does_not_move_the_grid(void **state)
{
    struct node node;
    unsigned n_steps = 0;

    (void)state;
    start(&node, &CRYSTALS[3], &BRACKETS[1], 5);
    double T_ns = (double)node.time.T_mono_ns;

    for (int ms = 1; ms <= 20000; ms++) {
        pass_until(&node.rig, T_ns + ms * 1e6);
        assert_true(fabs(error_ns(&node)) < 3000);
        node.rig.utc_step_ns = ms > 10100 ? 1000000 : 0;
        if (ms % KEEP_MS == 0) {
            int64_t step_ns = keep(&node);

            n_steps += step_ns != 0;
            assert_true(step_ns == 0 || fabs((double)step_ns - 1e6) < 5000);
        }
    }
    assert_int_equal(n_steps, 1);
    /* what is said of UTC from then on is the new UTC */
    double utc_ns = (double)(node_time_utc_at(&node.time, (uint64_t)node.rig.tick)
                             - UTC_MINUS_MONO_NS - 1000000);

    assert_true(fabs(utc_ns - node.rig.now_ns) < 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples_stay_on_the_grid),
        cmocka_unit_test(test_a_late_start_is_brought_in_within_five_seconds),
        cmocka_unit_test(test_two_like_nodes_differ_by_less_than_a_microsecond),
        cmocka_unit_test(test_a_step_of_a_millisecond_is_told_and_does_not_move_the_grid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
