/* SPDX-License-Identifier: MIT */
/* Fixed-point arithmetic for a 32-bit core without a divider: saturates, never wraps.
 *
 * Every product wider than 32 bits is made of fx_mul_u32. No 64-bit shift by a variable, which
 * would be a call into a library on such a core. */
#ifndef PRU_CORE_FX_H
#define PRU_CORE_FX_H

#include "pru/abi/vsource_params.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __PRU__
/* The only wide product: the PRU's multiply unit takes its operands from r28 and r29, and has
 * the result one cycle later (AM335x TRM 4.4.1.3). */
static inline uint64_t fx_mul_u32(uint32_t a, uint32_t b)
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

static inline uint32_t fx_low(uint64_t value)
{
    return (uint32_t)(value & UINT32_MAX);
}

static inline uint32_t fx_high(uint64_t value)
{
    return (uint32_t)(value >> 32);
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

/* As u32, saturated. */
static inline uint32_t fx_clamp_u32(uint64_t value)
{
    return fx_high(value) != 0 ? UINT32_MAX : fx_low(value);
}

/* Adds a signed number, saturated at both ends. */
uint32_t fx_offset_u32(uint32_t value, int32_t offset);

/* value x part_n16, rounded down, saturated. */
uint32_t fx_part_n16(uint32_t value, uint32_t part_n16);

static inline uint32_t fx_top_bit_u64(uint64_t value)
{
    uint32_t high = fx_high(value);

    return high != 0 ? 32u + fx_top_bit_u32(high) : fx_top_bit_u32(fx_low(value));
}

/* value x 2^n, saturated; any n. */
uint64_t fx_shift_left(uint64_t value, uint32_t n);

/* a x b / 2^32, rounded down. */
uint64_t fx_mul_high(uint64_t a, uint32_t b);

/* A product of 96 bits: high x 2^32 + low. */
struct fx_wide {
    uint64_t high;
    uint32_t low;
};

/* a x b / 2^n, rounded down; any n. */
void fx_mul_wide(uint64_t a, uint32_t b, uint32_t n, struct fx_wide *result);

/* (a x b + rest) / 2^n, rounded down, saturated; what is cut off stays in rest. n is 1 to 31,
 * rest below 2^n. */
uint64_t fx_mul_carry(uint64_t a, uint32_t b, uint32_t n, uint32_t *rest);

/* a x b / 2^n, rounded down; any n; exact in between, saturated. */
uint64_t fx_mul_shift(uint64_t a, uint32_t b, uint32_t n);

/* value x scale: the same with the scale's mantissa and shift. */
uint64_t fx_scale(uint64_t value, struct vsource_scale scale);

/* 1 / value as mantissa (top bit set) and shift (32 to 63), so that x / value = fx_scale(x,
 * it). By table and two Newton steps; relative error below 2^-27, never too much. 0 is taken
 * for 1. */
struct vsource_scale fx_reciprocal(uint32_t value);

/* Square root, rounded down within one unit of the last of 32 bits: for any value the result r
 * holds |r - sqrt(value)| <= 1 + sqrt(value) x 2^-29. */
uint32_t fx_sqrt_u64(uint64_t value);

#endif
