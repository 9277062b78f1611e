/* SPDX-License-Identifier: MIT */
#include "pru/core/fx.h"

/* 2^14 * 64 / (32 + i + 0.5): the reciprocal of a mantissa in [0.5, 1) at the middle of its
 * bin. */
static const uint16_t FIRST_GUESS_Q14[32] = {
    32264, 31301, 30394, 29537, 28728, 27962, 27236, 26546, 25891, 25267, 24672,
    24105, 23564, 23046, 22550, 22075, 21620, 21183, 20763, 20360, 19973, 19600,
    19240, 18893, 18559, 18236, 17924, 17623, 17332, 17050, 16777, 16513,
};

struct fx_scale fx_reciprocal(uint32_t value)
{
    struct fx_scale result = { 0, 0 };
    uint32_t shift = 31 - fx_top_bit(value);
    uint32_t mantissa = value << shift;
    uint32_t guess_q30 = (uint32_t)FIRST_GUESS_Q14[(mantissa >> 26) & 31] << 16;

    /* Newton: r <- r (2 - m r); the error of 2^-6 becomes 2^-12, then 2^-24. */
    for (int i = 0; i < 2; i++) {
        uint32_t product_q30 = (uint32_t)(fx_mul(mantissa, guess_q30) >> 32);

        guess_q30 = (uint32_t)(fx_mul(guess_q30, 0x80000000u - product_q30) >> 30);
    }
    /* m in [0.5, 1) has a reciprocal in (1, 2]: bit 30 is set, or bit 31 for exactly 2. */
    result.m = guess_q30 >> 31 != 0 ? guess_q30 : guess_q30 << 1;
    result.e = (int32_t)shift - 62 - (guess_q30 >> 31 != 0 ? 0 : 1);
    return result;
}

uint32_t fx_sqrt(uint64_t value)
{
    uint32_t root = 0;

    for (uint32_t bit = 1u << 31; bit > 0; bit >>= 1) {
        if (fx_mul(root | bit, root | bit) <= value) {
            root |= bit;
        }
    }
    return root;
}
