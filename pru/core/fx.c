/* SPDX-License-Identifier: MIT */
#include "pru/core/fx.h"

uint32_t fx_offset_u32(uint32_t value, int32_t offset)
{
    uint32_t size = fx_size_i32(offset);

    return offset >= 0 ? fx_add_u32(value, size) : fx_sub_u32(value, size);
}

uint32_t fx_mul_down(uint32_t a, uint32_t b, uint32_t n)
{
    return fx_clamp_u32(fx_shift_right(fx_mul_u32(a, b), n));
}

#ifdef FX_WORDS
void fx_mul_wide(uint64_t a, uint32_t b, uint32_t n, struct fx_wide *result)
{
    fx_u128 product = n < 96 ? (fx_u128)a * b >> n : 0;

    result->high = (uint64_t)(product >> 32);
    result->low = (uint32_t)(product & UINT32_MAX);
}
#else
/* a x b + rest, 96 bits, / 2^n; returns what its lowest word was before. */
static uint32_t multiply(uint64_t a, uint32_t b, uint32_t n, uint32_t rest,
                         struct fx_wide *result)
{
    uint64_t product = fx_mul_u32(fx_low(a), b) + fx_widen(rest); /* leaves room for it */
    uint32_t lowest = fx_low(product);
    uint32_t low = lowest;
    uint32_t middle = 0;
    uint32_t high = 0;

    product = fx_mul_u32(fx_high(a), b) + fx_widen(fx_high(product));
    middle = fx_low(product);
    high = fx_high(product);
    for (; n >= 32; n -= 32) {
        low = middle;
        middle = high;
        high = 0;
    }
    result->low = fx_funnel(middle, low, n);
    result->high = fx_join(high >> n, fx_funnel(high, middle, n));
    return lowest;
}

static uint64_t saturate(const struct fx_wide *wide)
{
    return fx_high(wide->high) != 0 ? UINT64_MAX : fx_join(fx_low(wide->high), wide->low);
}

void fx_mul_wide(uint64_t a, uint32_t b, uint32_t n, struct fx_wide *result)
{
    (void)multiply(a, b, n, 0, result);
}

uint64_t fx_mul_shift(uint64_t a, uint32_t b, uint32_t n)
{
    struct fx_wide product;

    (void)multiply(a, b, n, 0, &product);
    return saturate(&product);
}

uint64_t fx_mul_carry(uint64_t a, uint32_t b, uint32_t n, uint32_t *rest)
{
    struct fx_wide product;

    *rest = multiply(a, b, n, *rest, &product) & ((1u << n) - 1u);
    return saturate(&product);
}
#endif

uint64_t fx_scale(uint64_t value, struct vsource_scale scale)
{
    return fx_mul_shift(value, scale.mantissa, scale.shift);
}

/* 2^31 / ((64 + i + 0.5) / 128) / 2^16: the middle of each of 64 steps from 1/2 to 1. */
static const uint16_t RECIPROCALS[64] = {
    65028, 64035, 63072, 62138, 61231, 60350, 59494, 58662, 57852, 57065, 56299, 55554, 54828,
    54120, 53431, 52759, 52103, 51464, 50840, 50231, 49637, 49056, 48489, 47935, 47393, 46864,
    46346, 45839, 45344, 44859, 44384, 43919, 43464, 43019, 42582, 42154, 41734, 41323, 40920,
    40525, 40137, 39756, 39383, 39017, 38657, 38304, 37958, 37617, 37283, 36954, 36631, 36314,
    36003, 35696, 35395, 35099, 34808, 34521, 34239, 33962, 33689, 33421, 33157, 32897,
};

struct vsource_scale fx_reciprocal(uint32_t value)
{
    uint32_t top = fx_top_bit_u32(value);
    uint32_t x_n32 = (value == 0 ? 1 : value) << (31 - top);
    uint32_t r_n31 = (uint32_t)RECIPROCALS[(x_n32 >> 25) & 63u] << 16;
    struct vsource_scale result = { .mantissa = 0, .shift = 32 + top };

    /* r <- r (2 - x r): the error is squared, and what remains is never too much. */
    for (int i = 0; i < 2; i++) {
        uint32_t two_less_n31 = UINT32_MAX - fx_high(fx_mul_u32(x_n32, r_n31)) + 1u;

        r_n31 = fx_mul_down(r_n31, two_less_n31, 31);
    }
    result.mantissa = r_n31 | 0x80000000u;
    return result;
}

/* 2^31 / sqrt((i + 0.5) / 64) / 2^16 for i = 16..63. */
static const uint16_t INVERSE_ROOTS[48] = {
    64535, 62664, 60947, 59364, 57898, 56535, 55265, 54076, 52961, 51912, 50923, 49989,
    49104, 48265, 47467, 46707, 45983, 45292, 44630, 43997, 43390, 42808, 42248, 41710,
    41192, 40693, 40211, 39746, 39297, 38863, 38443, 38036, 37642, 37260, 36889, 36529,
    36179, 35840, 35509, 35188, 34875, 34571, 34274, 33985, 33703, 33427, 33159, 32897,
};

/* value x 2^n, which leaves room for it. */
static uint64_t normalise(uint64_t value, uint32_t n)
{
    return n < 32 ? fx_raise(value, n) : fx_join(fx_low(value) << (n - 32), 0);
}

uint32_t fx_sqrt_u64(uint64_t value)
{
    uint32_t half = (fx_top_bit_u64(value) >> 1) + 1; /* value < 2^(2 half) */
    uint64_t x_n64 = normalise(value, 64 - 2 * half);
    uint32_t x_n32 = fx_high(x_n64);
    uint32_t y_n31 = 0;
    uint32_t root_n32 = 0;
    uint64_t square = 0;
    uint64_t step = 0;

    if (fx_is_zero_u64(value)) {
        return 0;
    }
    /* One of the two top bits of x is set: 16 to 63. */
    // NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult)
    y_n31 = (uint32_t)INVERSE_ROOTS[(x_n32 >> 26) - 16] << 16;
    /* y <- y (3 - x y^2) / 2, y near 1 / sqrt(x) */
    for (int i = 0; i < 2; i++) {
        uint32_t y2_n30 = fx_high(fx_mul_u32(y_n31, y_n31));
        uint32_t xy2_n30 = fx_high(fx_mul_u32(x_n32, y2_n30));

        y_n31 = fx_mul_down(y_n31, (3u << 30) - xy2_n30, 31);
    }
    root_n32 = fx_mul_down(x_n32, y_n31, 31);
    /* root <- root + (x - root^2) y / 2 */
    square = fx_mul_u32(root_n32, root_n32);
    if (!fx_is_less_u64(x_n64, square)) {
        step = fx_mul_shift(x_n64 - square, y_n31, 64);
        root_n32 = fx_add_u32(root_n32, fx_low(step));
    } else {
        step = fx_mul_shift(square - x_n64, y_n31, 64);
        root_n32 -= fx_low(step);
    }
    return half >= 32 ? root_n32 : root_n32 >> (32 - half);
}
