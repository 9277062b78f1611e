/* SPDX-License-Identifier: MIT */
/* What fx_halves.h has, in words of 64 bits and products of 128; described there. Included by
 * fx.h alone. */
#ifndef PRU_CORE_FX_WORDS_H
#define PRU_CORE_FX_WORDS_H

#include <stdbool.h>
#include <stdint.h>

struct fx_wide;

#ifdef __LP64__ /* nothing elsewhere */

__extension__ typedef unsigned __int128 fx_u128;

static inline uint32_t fx_low(uint64_t value)
{
    return (uint32_t)(value & UINT32_MAX);
}

static inline uint32_t fx_high(uint64_t value)
{
    return (uint32_t)(value >> 32);
}

static inline uint64_t fx_join(uint32_t high, uint32_t low)
{
    return (uint64_t)high << 32 | low;
}

static inline uint64_t fx_widen(uint32_t value)
{
    return value;
}

static inline bool fx_is_less_u64(uint64_t a, uint64_t b)
{
    return a < b;
}

static inline bool fx_is_zero_u64(uint64_t value)
{
    return value == 0;
}

static inline uint64_t fx_shift_right(uint64_t value, uint32_t n)
{
    return value >> n;
}

static inline uint64_t fx_raise(uint64_t value, uint32_t n)
{
    return value << n;
}

static inline uint64_t fx_raise_u32(uint32_t value, uint32_t n)
{
    return (uint64_t)value << n;
}

static inline uint64_t fx_add_u64(uint64_t a, uint64_t b)
{
    uint64_t sum = 0;

    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static inline uint64_t fx_sub_u64(uint64_t a, uint64_t b)
{
    uint64_t difference = 0;

    return __builtin_sub_overflow(a, b, &difference) ? 0 : difference;
}

void fx_mul_wide(uint64_t a, uint32_t b, uint32_t n, struct fx_wide *result);

static inline uint64_t fx_mul_shift(uint64_t a, uint32_t b, uint32_t n)
{
    fx_u128 product = n < 96 ? (fx_u128)a * b >> n : 0;

    return product >> 64 != 0 ? UINT64_MAX : (uint64_t)product;
}

static inline uint64_t fx_mul_carry(uint64_t a, uint32_t b, uint32_t n, uint32_t *rest)
{
    fx_u128 product = (fx_u128)a * b + *rest;

    *rest = (uint32_t)(product & ((1u << n) - 1u));
    product >>= n;
    return product >> 64 != 0 ? UINT64_MAX : (uint64_t)product;
}

#endif

#endif
