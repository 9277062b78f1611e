/* SPDX-License-Identifier: MIT */
#include "pru/core/fx.h"

#include "pru/core/fx_tables.h"

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
#elif !defined(__PRU__)
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

#ifndef __PRU__
struct vsource_scale fx_reciprocal(uint32_t value)
{
    uint32_t least = value == 0 ? 1 : value;
    uint32_t top = fx_top_bit_u32(least);
    uint32_t x_n32 = least << (31 - top);
    const uint32_t *knot = &RECIPROCALS[(x_n32 >> 24) & 127u];
    uint32_t r_n31 = knot[0] - fx_high(fx_mul_u32(knot[0] - knot[1], (x_n32 & 0xFFFFFFu) << 8));
    /* r <- r (2 - x r): the error is squared, and what remains is never too much, as 2 - x r is
     * rounded down. */
    uint32_t two_less_n31 = UINT32_MAX - fx_high(fx_mul_u32(x_n32, r_n31));
    struct vsource_scale result = {
        .mantissa = fx_high(fx_mul_u32(r_n31, two_less_n31)) << 1 | 0x80000000u,
        .shift = 32 + top,
    };

    return result;
}

/* value x 2^n, which leaves room for it. */
static uint64_t normalise(uint64_t value, uint32_t n)
{
    return n < 32 ? fx_raise(value, n) : fx_join(fx_low(value) << (n - 32), 0);
}

uint32_t fx_sqrt_u64(uint64_t value)
{
    uint32_t n = (63 - fx_top_bit_u64(value)) & ~1u;
    uint64_t x_n64 = normalise(value, n);
    uint32_t x_n32 = fx_high(x_n64);
    uint32_t y_n31 = 0;
    uint32_t xy2_n30 = 0;
    uint32_t root_n32 = 0;
    uint32_t rest_n48 = 0;

    if (fx_is_zero_u64(value)) {
        return 0;
    }
    /* One of the two top bits of x is set: 128 to 511. */
    // NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult)
    y_n31 = (uint32_t)INVERSE_ROOTS[(x_n32 >> 23) - 128] << 16;
    /* y <- y (3 - x y^2) / 2, near 1 / sqrt(x); less what rounding may add, so that it and the
     * root remain too small. */
    xy2_n30 = fx_high(fx_mul_u32(x_n32, fx_high(fx_mul_u32(y_n31, y_n31))));
    y_n31 = fx_high(fx_mul_u32(y_n31, (3u << 30) - 3u - xy2_n30)) << 1;
    root_n32 = fx_high(fx_mul_u32(x_n32, y_n31)) << 1;
    /* root <- root + (x - root^2) y / 2 */
    rest_n48 = fx_low(fx_shift_right(x_n64 - fx_mul_u32(root_n32, root_n32), 16));
    root_n32 += fx_high(fx_mul_u32(rest_n48, y_n31)) >> 16;
    return root_n32 >> (n >> 1);
}
#endif
