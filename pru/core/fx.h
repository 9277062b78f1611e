/* SPDX-License-Identifier: MIT */
/* Fixed-point arithmetic for a 32-bit core without a divider: saturates, never wraps.
 *
 * 64-bit numbers are compared, shifted, multiplied and taken apart by functions alone, which
 * fx_halves.h has for cores of 32 bits, fx_words.h for those of 64, and fx_pru.h in the PRU's
 * own instructions: the same bits, as tests/vsource_bits.sh and tests/pru_bits.sh show. */
#ifndef PRU_CORE_FX_H
#define PRU_CORE_FX_H

#include "pru/abi/vsource_params.h"

#include <stdbool.h>
#include <stdint.h>

/* A machine with words of 64 bits; -DFX_HALVES: calculates in halves there too, for tests. */
#if defined(__LP64__) && !defined(FX_HALVES)
#    define FX_WORDS 1
#endif

/* Of a struct that is used in every sample: a PRU's compiler aligns nothing, and there each
 * access to a word that is not costs one cycle more. Fields of bytes come last. */
#define FX_WORD_ALIGNED __attribute__((aligned(4)))

/* A function that keeps its registers for itself: what a PRU's image calls once would become
 * part of its caller, which then wants more than there are. */
#ifdef __PRU__
#    define FX_APART  __attribute__((noinline))
#    define FX_INLINE static inline __attribute__((always_inline))
#else
#    define FX_APART
#    define FX_INLINE static inline
#endif

#ifdef __PRU__
/* The only wide product: the PRU's multiply unit takes its operands from r28 and r29, and has
 * the result one cycle later (AM335x TRM 4.4.1.3). */
static inline __attribute__((always_inline)) uint64_t fx_mul_u32(uint32_t a, uint32_t b)
{
    register uint32_t x __asm__("r28") = a;
    register uint32_t y __asm__("r29") = b;
    register uint64_t product __asm__("r26");

    __asm__("nop\n\txin 0, r26, 8" : "=r"(product) : "r"(x), "r"(y));
    return product;
}

/* Number of the highest bit that is set; 0 for 0. */
static inline uint32_t fx_top_bit_u32(uint32_t value)
{
    uint32_t top;

    __asm__("lmbd %0, %1, 1" : "=r"(top) : "r"(value | 1u));
    return top;
}
#else
/* The only wide product; the multiply unit in assembler on the PRU. */
static inline uint64_t fx_mul_u32(uint32_t a, uint32_t b)
{
    return (uint64_t)a * b;
}

/* Number of the highest bit that is set; 0 for 0. */
static inline uint32_t fx_top_bit_u32(uint32_t value)
{
    return 31u - (uint32_t)__builtin_clz(value | 1u);
}
#endif

/* A product of 96 bits: high x 2^32 + low. */
struct fx_wide {
    uint64_t high;
    uint32_t low;
};

#ifdef FX_WORDS
#    include "pru/core/fx_words.h"
#elif defined(__PRU__)
#    include "pru/core/fx_pru.h"
#else
#    include "pru/core/fx_halves.h"
#endif

static inline uint32_t fx_add_u32(uint32_t a, uint32_t b)
{
    return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

static inline uint32_t fx_sub_u32(uint32_t a, uint32_t b)
{
    return a > b ? a - b : 0;
}

static inline uint32_t fx_min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static inline uint32_t fx_distance_u32(uint32_t a, uint32_t b)
{
    return a > b ? a - b : b - a;
}

/* |value|, of INT32_MIN too. */
static inline uint32_t fx_size_i32(int32_t value)
{
    return value >= 0 ? (uint32_t)value : (uint32_t)(-(value + 1)) + 1u;
}

/* |a - b|, and whether a < b. */
#ifndef __PRU__
static inline uint64_t fx_distance_u64(uint64_t a, uint64_t b, bool *is_less)
{
    *is_less = fx_is_less_u64(a, b);
    return *is_less ? b - a : a - b;
}

/* Between pair[0] and pair[1], fraction_n32 of the way; rounded to nearest. */
static inline uint32_t fx_mix(const uint32_t *pair, uint32_t fraction_n32)
{
    bool is_rising = pair[1] >= pair[0];
    uint64_t way = fx_mul_u32(is_rising ? pair[1] - pair[0] : pair[0] - pair[1], fraction_n32);
    uint32_t part = fx_high(way) + (fx_low(way) >> 31);

    return is_rising ? pair[0] + part : pair[0] - part;
}

/* value + other; saturated. */
static inline void fx_wide_add(struct fx_wide *value, const struct fx_wide *other)
{
    uint64_t low = fx_widen(value->low) + fx_widen(other->low);

    value->high = fx_add_u64(value->high, fx_add_u64(other->high, fx_widen(fx_high(low))));
    value->low = fx_low(low);
}

/* value - other; true, and value of no meaning, if that is below 0. */
static inline bool fx_wide_sub(struct fx_wide *value, const struct fx_wide *other)
{
    bool borrows = value->low < other->low;
    bool is_less = fx_is_less_u64(value->high, other->high)
                   || (borrows && !fx_is_less_u64(other->high, value->high));

    if (!is_less) {
        value->high -= other->high + fx_widen(borrows);
        value->low =
            borrows ? UINT32_MAX - (other->low - value->low) + 1u : value->low - other->low;
    }
    return is_less;
}
#endif

static inline uint64_t fx_min_u64(uint64_t a, uint64_t b)
{
    return fx_is_less_u64(b, a) ? b : a;
}

/* As u32, saturated. */
static inline uint32_t fx_clamp_u32(uint64_t value)
{
    return fx_high(value) != 0 ? UINT32_MAX : fx_low(value);
}

/* a x b / 2^n, rounded down, saturated; n below 32. */
uint32_t fx_mul_down(uint32_t a, uint32_t b, uint32_t n);

/* Adds a signed number, saturated at both ends. */
uint32_t fx_offset_u32(uint32_t value, int32_t offset);

static inline uint32_t fx_top_bit_u64(uint64_t value)
{
    uint32_t high = fx_high(value);

    return high != 0 ? 32u + fx_top_bit_u32(high) : fx_top_bit_u32(fx_low(value));
}

/* a x b / 2^32, rounded down. */
static inline uint64_t fx_mul_high(uint64_t a, uint32_t b)
{
    return fx_mul_shift(a, b, 32);
}

/* value x scale */
FX_INLINE uint64_t fx_scale(uint64_t value, struct vsource_scale scale)
{
    return fx_mul_shift(value, scale.mantissa, scale.shift);
}

#ifndef __PRU__
/* 1 / value as mantissa (top bit set) and shift (32 to 63), so that x / value = fx_scale(x,
 * it). By interpolated table and a Newton step; relative error below 2^-29, never too much. 0
 * is taken for 1. */
struct vsource_scale fx_reciprocal(uint32_t value);

/* Square root, rounded down, or one less. */
uint32_t fx_sqrt_u64(uint64_t value);
#endif

#endif
