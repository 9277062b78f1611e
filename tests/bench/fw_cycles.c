/* SPDX-License-Identifier: MIT */
/* fw_cycles IMAGES [SAMPLES]: a line for every preset, of the firmware's images in the PRU
 * simulator: cycles of the longest sample, from its trigger to its end, with memories at their
 * best, at their worst, and stalling at random; and PRU1's longest loop, likewise. A period has
 * 2000. tests/bench/fw_cycles.py compares them with the table that is kept. */
#include "common/presets.h"
#include "common/vsource_derive.h"
#include "pru/fw/link.h"
#include "tests/support/fw_bench.h"
#include "tests/support/scene.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    N_LATENCIES = 3,
    POLL_CYCLES = 50,
};

static uint32_t n_samples = 1500;

struct longest {
    uint32_t sample;
    uint32_t loop; /* of PRU1 */
};

static uint32_t code(uint64_t reading, bool is_voltage)
{
    uint32_t hash = (uint32_t)(reading / 50) * 2654435761u;

    return ((hash >> 16) & 0xFFFu) + (uint32_t)(reading & 3u) + (is_voltage ? 100000u : 0);
}

static void fill_input(const struct fw_bench *bench, enum scene_environment around)
{
    for (uint32_t k = 0; k < PRU_INPUT_SAMPLES; k++) {
        struct curve_point point = scene_sample(around, k, 3);

        bench->shm.input[k].voltage_uV = point.voltage_uV;
        bench->shm.input[k].current_nA = point.current_nA;
    }
    bench->shm.control->input_write_idx = PRU_INPUT_SAMPLES;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* Exits when the firmware does not run. */
static struct longest run(const char *folder, enum pru_mode mode,
                          const struct vsource_params *params, enum scene_environment around,
                          enum pru_latency latency)
{
    static struct fw_bench bench;
    const struct link *link = NULL;
    uint32_t done_seq = 0;
    struct longest longest = { 0 };
    uint32_t n = 0;

    memset(&bench, 0, sizeof(bench));
    bench.adc_code = code;
    if (fw_bench_boot(&bench, folder, mode, latency) < 0) {
        fprintf(stderr, "%s\n", bench.why);
        exit(1);
    }
    fill_input(&bench, around);
    if (fw_bench_start(&bench, params, 15, n_samples) < 0) {
        fprintf(stderr, "%s\n", bench.why);
        exit(1);
    }
    link = (const void *)((const uint8_t *)bench.shm.control + PRU_MAP_PRIVATE_OFFSET);
    for (uint64_t i = 0; n < n_samples && i < (uint64_t)n_samples * 200; i++) {
        fw_bench_run(&bench, POLL_CYCLES);
        if (n > 1) { /* the first one's has the commands before it */
            longest.loop = larger(longest.loop, link->loop_ticks);
        }
        if (link->done_seq != done_seq) {
            done_seq = link->done_seq;
            longest.sample = larger(longest.sample, link->sample_ticks);
            n++;
        }
    }
    if (n != n_samples) {
        fprintf(stderr, "saw %" PRIu32 " samples of %" PRIu32 "\n", n, n_samples);
        exit(1);
    }
    fw_bench_close(&bench);
    return longest;
}

static void measure(const char *folder, const char *name, enum pru_mode mode,
                    const struct vsource_params *params, enum scene_environment around)
{
    static const char *const INPUTS[] = { "curves", "samples", "bursts" };
    struct longest longest[N_LATENCIES];

    for (int latency = 0; latency < N_LATENCIES; latency++) {
        longest[latency] = run(folder, mode, params, around, (enum pru_latency)latency);
    }
    printf("%s %s %s", mode == PRU_MODE_HARVEST ? "harvest" : "emulate", name,
           mode == PRU_MODE_HARVEST ? "-" : INPUTS[around]);
    for (int latency = 0; latency < N_LATENCIES; latency++) {
        printf(" %" PRIu32, longest[latency].sample);
    }
    for (int latency = 0; latency < N_LATENCIES; latency++) {
        printf(" %" PRIu32, longest[latency].loop);
    }
    printf("\n");
}

static void measure_sources(const char *folder, const struct presets *presets)
{
    const char *name = NULL;

    for (size_t i = 0; (name = presets_name(presets, PRESET_SOURCE, i)) != NULL; i++) {
        for (int around = SCENE_SUN; around <= SCENE_BLOCKS; around++) {
            struct vsource_input input = scene_input((enum scene_environment)around);
            struct source_config source;
            struct vsource_params params;
            struct err err = { .code = ERR_NONE };

            scene_source(presets, name, &source);
            vsource_derive_defaults(&params);
            if (vsource_derive_source(&source, &input, &params, &err) == 0) {
                measure(folder, name, PRU_MODE_EMULATE, &params,
                        (enum scene_environment)around);
            }
        }
    }
}

static void measure_harvesters(const char *folder, const struct presets *presets)
{
    const char *name = NULL;

    for (size_t i = 0; (name = presets_name(presets, PRESET_HARVESTER, i)) != NULL; i++) {
        struct harvester_config harvester;
        struct vsource_params params;
        struct err err = { .code = ERR_NONE };

        scene_harvester(presets, name, &harvester);
        vsource_derive_defaults(&params);
        if (vsource_derive_harvester(&harvester, NULL, &params, &err) == 0) {
            measure(folder, name, PRU_MODE_HARVEST, &params, SCENE_BLOCKS);
        }
    }
}

int main(int argc, char **argv)
{
    struct fault_list faults = { 0 };
    struct presets *presets = presets_load(NULL, &faults);

    if (argc < 2 || presets == NULL) {
        fprintf(stderr, "usage: fw_cycles IMAGES [SAMPLES]\n");
        return 2;
    }
    if (!fw_bench_has_images(argv[1])) {
        printf("skipped: no firmware in %s\n", argv[1]);
        return 77;
    }
    n_samples = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : n_samples;
    measure_harvesters(argv[1], presets);
    measure_sources(argv[1], presets);
    presets_destroy(&presets);
    fault_fini(&faults);
    return 0;
}
