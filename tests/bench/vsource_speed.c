/* SPDX-License-Identifier: MIT */
/* vsource_speed PARAMS NAMES [SETS [SAMPLES [RUNS]]]: steps each of the first SETS sets of
 * parameters that bits_make wrote, and prints nanoseconds per sample, the least of RUNS, and
 * how many times real time that is. Exit status 1 when one is below 100 times. */
#include "pru/core/vsource.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* Input and load change in every sample, prepared beforehand: single samples, and curves. */
enum {
    WINDOW = 909,
    N_PREPARED = 5 * WINDOW
};
static struct curve_point samples[N_PREPARED];
static struct curve_point curves[N_PREPARED];
static uint32_t codes[N_PREPARED];

static void prepare(void)
{
    uint32_t seed = 1;

    for (uint32_t i = 0; i < N_PREPARED; i++) {
        uint32_t V_uV = 5507u * (WINDOW - 1 - i % WINDOW);

        samples[i].voltage_uV = next_random(&seed) % 4500000u;
        samples[i].current_nA = next_random(&seed) >> 8;
        curves[i].voltage_uV = V_uV;
        curves[i].current_nA = V_uV < 4000000u ? (4000000u - V_uV) * 2 + seed % 977u : 0;
        codes[i] = next_random(&seed) >> 17;
    }
}

/* Of this process: what others do on the machine does not count. */
static int64_t cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static double measure(const struct vsource_params *params, uint64_t n_samples)
{
    static struct vsource source;
    const struct curve_point *inputs = params->harvester.window_samples > 1 ? curves : samples;
    struct vsource_output output;
    uint32_t at = 0;
    int64_t begin_ns = 0;

    vsource_init(&source, params);
    begin_ns = cpu_ns();
    for (uint64_t k = 0; k < n_samples; k++) {
        vsource_step(&source, inputs[at], codes[at], &output);
        at = at + 1 < N_PREPARED ? at + 1 : 0;
    }
    return (double)(cpu_ns() - begin_ns) / (double)n_samples;
}

/* The least of several runs: what else the machine does takes time, it never gives any. */
static double measure_best(const struct vsource_params *params, uint64_t n_samples, long n_runs)
{
    double best = measure(params, n_samples);

    for (long i = 1; i < n_runs; i++) {
        double ns = measure(params, n_samples);

        best = ns < best ? ns : best;
    }
    return best;
}

int main(int argc, char **argv)
{
    static const double SAMPLE_ns = 10000;
    static struct vsource_params params;
    FILE *file = argc >= 3 ? fopen(argv[1], "rb") : NULL;
    FILE *names = argc >= 3 ? fopen(argv[2], "r") : NULL;
    long n_sets = argc > 3 ? strtol(argv[3], NULL, 10) : 26;
    uint64_t n_samples = argc > 4 ? strtoull(argv[4], NULL, 10) : 50000;
    long n_runs = argc > 5 ? strtol(argv[5], NULL, 10) : 10;
    double slowest = 0;
    char name[100];

    if (file == NULL || names == NULL) {
        fprintf(stderr, "usage: vsource_speed PARAMS NAMES [SETS [SAMPLES [RUNS]]]\n");
        return 2;
    }
    prepare();
    for (long i = 0; i < n_sets && fread(&params, sizeof(params), 1, file) == 1
                     && fgets(name, sizeof(name), names) != NULL;
         i++) {
        double ns = measure_best(&params, n_samples, n_runs);

        name[strcspn(name, "\n")] = '\0';
        slowest = ns > slowest ? ns : slowest;
        printf("%-24s %-7s %7.1f ns  %6.0f x real time\n", name,
               params.harvester.window_samples > 1 ? "curves" : "samples", ns, SAMPLE_ns / ns);
    }
    fclose(file);
    fclose(names);
    printf("figure: slowest step %.1f ns, %.0f times real time\n", slowest,
           SAMPLE_ns / slowest);
    return slowest > 0 && SAMPLE_ns / slowest >= 100 ? 0 : 1;
}
