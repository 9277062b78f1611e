/* SPDX-License-Identifier: MIT */
/* Integer arithmetic that saturates and never wraps, the same on every machine.
 *
 * The one wide product is fx_mul; on the PRU it is the multiply unit. Real numbers whose size
 * is not known beforehand travel as struct fx_scale, 32 bits of mantissa and an exponent:
 * relative error 2^-31 a step. */
#ifndef PRU_CORE_FX_H
#define PRU_CORE_FX_H

#include "pru/abi/vsource_params.h"

#include <stdbool.h>
#include <stdint.h>

static inline uint64_t fx_mul(uint32_t a, uint32_t b)
{
    return (uint64_t)a * b;
}

static inline uint32_t fx_min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static inline uint32_t fx_max_u32(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static inline uint32_t fx_add_u32(uint32_t a, uint32_t b)
{
    return b > UINT32_MAX - a ? UINT32_MAX : a + b;
}

static inline uint32_t fx_sub_u32(uint32_t a, uint32_t b)
{
    return a > b ? a - b : 0;
}

static inline uint64_t fx_add_u64(uint64_t a, uint64_t b)
{
    return b > UINT64_MAX - a ? UINT64_MAX : a + b;
}

static inline uint64_t fx_sub_u64(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static inline uint32_t fx_clamp_u32(uint64_t value)
{
    return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

/* a + signed b, clamped at both ends. */
static inline uint32_t fx_shift_u32(uint32_t a, int32_t b)
{
    return b >= 0 ? fx_add_u32(a, (uint32_t)b) : fx_sub_u32(a, 0u - (uint32_t)b);
}

static inline uint32_t fx_distance_u32(uint32_t a, uint32_t b)
{
    return a > b ? a - b : b - a;
}

/* Index of the highest set bit; 0 for 0. LMBD on the PRU. */
static inline uint32_t fx_top_bit(uint32_t value)
{
    uint32_t top = 0;

    for (uint32_t step = 16; step > 0; step >>= 1) {
        if (value >> step != 0) {
            value >>= step;
            top += step;
        }
    }
    return top;
}

/* a * b >> shift, 0 <= shift <= 32, saturating. */
static inline uint64_t fx_mul_shift(uint64_t a, uint32_t b, uint32_t shift)
{
    uint64_t low = fx_mul((uint32_t)a, b);
    uint64_t high = fx_mul((uint32_t)(a >> 32), b);
    uint32_t up = 32 - shift;

    if (up > 0 && high >> (64 - up) != 0) {
        return UINT64_MAX;
    }
    return fx_add_u64(high << up, low >> shift);
}

/* ---- real numbers ---- */

static inline struct fx_scale fx_scale_of(uint64_t value)
{
    struct fx_scale scale = { 0, 0 };
    uint32_t high = (uint32_t)(value >> 32);
    uint32_t top = 0;

    if (high != 0) {
        top = fx_top_bit(high) + 1;
        scale.m = (uint32_t)(value >> top);
        scale.e = (int32_t)top;
        return scale;
    }
    if (value != 0) {
        top = 31 - fx_top_bit((uint32_t)value);
        scale.m = (uint32_t)value << top;
        scale.e = 0 - (int32_t)top;
    }
    return scale;
}

static inline struct fx_scale fx_scale_mul(struct fx_scale a, struct fx_scale b)
{
    uint64_t product = fx_mul(a.m, b.m);
    struct fx_scale result = { (uint32_t)(product >> 32), a.e + b.e + 32 };

    if (result.m != 0 && result.m >> 31 == 0) {
        result.m = (uint32_t)(product >> 31);
        result.e--;
    }
    return result;
}

/* value * 2^bits as an integer, rounded to nearest, saturating. */
static inline uint64_t fx_scale_to(struct fx_scale value, int32_t bits)
{
    int32_t shift = value.e + bits;

    if (value.m == 0 || shift < -32) {
        return 0;
    }
    if (shift > 32) {
        return UINT64_MAX;
    }
    if (shift >= 0) {
        return (uint64_t)value.m << (uint32_t)shift;
    }
    return ((uint64_t)value.m + (1u << (uint32_t)(-shift - 1))) >> (uint32_t)(-shift);
}

/* 1 / value to 2^-24 relative; value must not be 0. */
struct fx_scale fx_reciprocal(uint32_t value);

/* Largest r with r * r <= value. */
uint32_t fx_sqrt(uint64_t value);

#endif
