/* SPDX-License-Identifier: MIT */
/* The target's pins while the firmware emulates with its heaviest preset: pulses of 200 ns at
 * any phase are seen, how wrong their time stamps are, and how many edges a second are kept. */
#include "common/presets.h"
#include "common/vsource_derive.h"
#include "tests/support/fw_bench.h"
#include "tests/support/scene.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    N_PULSES = 2000,
    PULSE = 40, /* cycles: 200 ns */
    NS_PER_CYCLE = 5,
    N_PINS = 9,
    APART = 800, /* cycles between two pulses at least, and what comes on top at most */
    APART_RANDOM = 1600,
    N_SAMPLES = 1000000, /* more than a run takes */
    SQUARE_EDGES = 1000,
    STATE_MASK = 0xFFFF,
};

struct edge {
    uint64_t cycle;
    uint32_t pins; /* from then on */
};

static struct fw_bench bench;
static const char *folder;
static struct presets *presets;
static struct edge edges[2 * N_PULSES];
static uint32_t n_edges;

/* Both cores ask, each in the order of its cycles. */
static uint32_t wave(uint64_t cycle)
{
    uint32_t low = 0;
    uint32_t high = n_edges;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (edges[middle].cycle <= cycle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low == 0 ? 0 : edges[low - 1].pins;
}

static uint32_t code(uint64_t reading, bool is_voltage)
{
    uint32_t hash = (uint32_t)(reading / 50) * 2654435761u;

    return ((hash >> 18) & 0xFFFu) + (uint32_t)(reading & 3u) + (is_voltage ? 100000u : 0);
}

/* The heaviest preset runs, nine pins are traced. */
static void start(enum pru_latency latency)
{
    struct vsource_input input = scene_input(SCENE_SUN);
    struct source_config source;
    struct vsource_params params;
    struct err err = { .code = ERR_NONE };

    if (folder == NULL) {
        print_message("skipped: no PRU compiler, so no firmware\n");
        skip();
    }
    memset(&bench, 0, sizeof(bench));
    bench.adc_code = code;
    bench.pin_wave = wave;
    n_edges = 0;
    scene_source(presets, "BQ25570s", &source);
    vsource_derive_defaults(&params);
    assert_int_equal(vsource_derive_source(&source, &input, &params, &err), 0);
    if (fw_bench_boot(&bench, folder, PRU_MODE_EMULATE, latency) < 0) {
        fail_msg("%s", bench.why);
    }
    for (uint32_t k = 0; k < PRU_INPUT_SAMPLES; k++) {
        struct curve_point point = scene_sample(SCENE_SUN, k, 3);

        bench.shm.input[k].voltage_uV = point.voltage_uV;
        bench.shm.input[k].current_nA = point.current_nA;
    }
    bench.shm.control->input_write_idx = PRU_INPUT_SAMPLES;
    bench.shm.control->gpio_mask = (1u << N_PINS) - 1;
    if (fw_bench_start(&bench, &params, 15, N_SAMPLES) < 0) {
        fail_msg("%s", bench.why);
    }
    fw_bench_run(&bench, FW_MS);
    assert_int_equal(bench.shm.control->state, PRU_STATE_RUNNING);
    assert_int_equal(bench.shm.control->gpio_write_idx, 0);
}

/* The cycle at which the counter was 0. */
static uint64_t counter_begin(void)
{
    return pru_soc_cycle(bench.soc) - fw_bench_now(&bench);
}

static void make_pulses(void)
{
    uint32_t seed = 11;
    uint64_t cycle = pru_soc_cycle(bench.soc) + APART;

    for (size_t i = 0; i < N_PULSES; i++) {
        cycle += APART + scene_random(&seed) % APART_RANDOM;
        edges[2 * i] = (struct edge){ cycle, 1u << (i % N_PINS) };
        edges[2 * i + 1] = (struct edge){ cycle + PULSE, 0 };
    }
    n_edges = 2 * N_PULSES;
}

/* Runs past the last edge; then the events, in order, against the edges: how many pulses have
 * none. */
static uint32_t count_missed(uint64_t *late_min, uint64_t *late_max)
{
    uint64_t begin = counter_begin();
    uint32_t n_missed = 0;
    uint32_t at = 0;
    uint32_t n = 0;

    fw_bench_run(&bench,
                 (uint32_t)(edges[n_edges - 1].cycle - pru_soc_cycle(bench.soc)) + APART);
    n = bench.shm.control->gpio_write_idx;
    assert_int_equal(bench.shm.control->gpio_lost, 0);
    *late_min = UINT64_MAX;
    *late_max = 0;
    for (uint32_t i = 0; i < n_edges; i++) {
        uint64_t late = at < n ? (bench.shm.gpio[at] >> 16) + begin - edges[i].cycle : 0;

        if (at == n || (bench.shm.gpio[at] & STATE_MASK) != edges[i].pins || late > APART) {
            n_missed++;
            i++; /* the pulse has no end either */
            continue;
        }
        *late_min = late < *late_min ? late : *late_min;
        *late_max = late > *late_max ? late : *late_max;
        at++;
    }
    assert_int_equal(at, n); /* nothing was seen that was not there */
    return n_missed;
}

static void test_no_short_pulse_is_missed(void **state)
{
    uint64_t late_min = 0;
    uint64_t late_max = 0;

    (void)state;
    start(PRU_LATENCY_BEST);
    make_pulses();
    assert_int_equal(count_missed(&late_min, &late_max), 0);
    print_message("figure: %d pulses of %d ns, none missed; stamps %" PRIu64 " to %" PRIu64
                  " ns behind their edges\n",
                  N_PULSES, PULSE * NS_PER_CYCLE, late_min * NS_PER_CYCLE,
                  late_max * NS_PER_CYCLE);
    fw_bench_close(&bench);
}

/* Whether a square wave of this half period is kept, edge by edge. */
static bool keeps(uint32_t half_period)
{
    uint64_t cycle = 0;
    uint32_t n_seen = 0;

    start(PRU_LATENCY_BEST);
    cycle = pru_soc_cycle(bench.soc) + APART;
    for (uint32_t i = 0; i < SQUARE_EDGES; i++) {
        edges[i] = (struct edge){ cycle + (uint64_t)i * half_period, i % 2 == 0 ? 1 : 0 };
    }
    n_edges = SQUARE_EDGES;
    fw_bench_run(&bench, SQUARE_EDGES * half_period + 2 * APART);
    n_seen = bench.shm.control->gpio_write_idx;
    assert_int_equal(bench.shm.control->state, PRU_STATE_RUNNING);
    fw_bench_close(&bench);
    return n_seen == SQUARE_EDGES;
}

static void test_a_million_edges_a_second_are_kept(void **state)
{
    uint32_t half_period = 200; /* 1 us */

    (void)state;
    assert_true(keeps(half_period));
    while (keeps(half_period - 10)) {
        half_period -= 10;
    }
    print_message("figure: %.2f million edges a second are kept, each %" PRIu32
                  " ns behind the one before\n",
                  1e3 / (half_period * NS_PER_CYCLE), half_period * NS_PER_CYCLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_short_pulse_is_missed),
        cmocka_unit_test(test_a_million_edges_a_second_are_kept),
    };
    struct fault_list faults = { 0 };
    int failed = 0;

    folder = fw_bench_has_images(BW_PRU_IMAGES) ? BW_PRU_IMAGES : NULL;
    presets = presets_load(NULL, &faults);
    if (presets == NULL) {
        return 1;
    }
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    presets_destroy(&presets);
    fault_fini(&faults);
    return failed;
}
