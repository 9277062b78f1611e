/* SPDX-License-Identifier: MIT */
/* Steps each set of parameters that is linked in, with an input and a load that change in every
 * sample; free-standing, so that an emulator can count the instructions of each step. */
#include "pru/core/vsource.h"

enum {
    N_SAMPLES = 100
};

extern const struct vsource_params bench_params[];
extern const struct vsource_params bench_params_end[];
void bench_main(void);

static struct vsource source;

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

void bench_main(void)
{
    uint32_t seed = 1;

    /* Two ends of one array that the linker lays out. */
    // cppcheck-suppress comparePointers
    for (const struct vsource_params *params = bench_params; params < bench_params_end;
         params++) {
        vsource_init(&source, params);
        for (uint32_t k = 0; k < N_SAMPLES; k++) {
            struct curve_point input = { next_random(&seed) >> 10, next_random(&seed) >> 8 };
            struct vsource_output output;

            vsource_step(&source, input, next_random(&seed) >> 17, &output);
        }
    }
}
