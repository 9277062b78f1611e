/* SPDX-License-Identifier: MIT */
/* Seeded pseudo-random numbers: xoshiro256** (Blackman and Vigna 2018), seeded by SplitMix64.
 */
#ifndef PRU_SIM_RNG_H
#define PRU_SIM_RNG_H

#include <stdint.h>

struct rng {
    uint64_t s[4];
};

static inline uint64_t rng_split(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static inline void rng_seed(struct rng *rng, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        rng->s[i] = rng_split(&seed);
    }
}

static inline uint64_t rng_next(struct rng *rng)
{
    uint64_t *s = rng->s;
    uint64_t five = s[1] * 5;
    uint64_t result = (five << 7 | five >> 57) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = s[3] << 45 | s[3] >> 19;
    return result;
}

/* Mean 0, standard deviation 1: the sum of four uniform 16-bit numbers (Irwin-Hall), +-3.46 at
 * most. Enough for the noise of a converter, and cheap. */
static inline double rng_normal(struct rng *rng)
{
    uint64_t bits = rng_next(rng);
    uint32_t sum = (uint32_t)(bits & 0xFFFF) + (uint32_t)(bits >> 16 & 0xFFFF)
                   + (uint32_t)(bits >> 32 & 0xFFFF) + (uint32_t)(bits >> 48);

    return ((double)sum / 65536.0 - 2.0) * 1.7320508075688772;
}

/* 0..n - 1, n up to 2^32; even to one in 2^32. */
static inline uint32_t rng_below(struct rng *rng, uint32_t n)
{
    return (uint32_t)((rng_next(rng) >> 32) * n >> 32);
}

#endif
