/* SPDX-License-Identifier: MIT */
/* Fixed-point arithmetic for a 32-bit core without a divider: saturates, never wraps.
 *
 * Every product wider than 32 bits is made of fx_mul_u32. 64-bit numbers are compared, shifted
 * and taken apart by the functions below, in halves: GCC for the PRU compares them byte by
 * byte, and calls a library to shift them, even by 32. Sums and differences it does well. */
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

/* Halves of a 64-bit number, on little-endian machines, which all of ours are. */
union fx_halves {
    uint64_t whole;
    struct {
        uint32_t low;
        uint32_t high;
    } part;
};

static inline uint32_t fx_low(uint64_t value)
{
    union fx_halves halves = { .whole = value };

    return halves.part.low;
}

static inline uint32_t fx_high(uint64_t value)
{
    union fx_halves halves = { .whole = value };

    return halves.part.high;
}

static inline uint64_t fx_join(uint32_t high, uint32_t low)
{
    union fx_halves halves = {
        .part = {.low = low, .high = high}
    };

    return halves.whole;
}

/* As 64 bits; the compiler would clear the upper half byte by byte. */
static inline uint64_t fx_widen(uint32_t value)
{
    return fx_join(0, value);
}

static inline bool fx_is_less_u64(uint64_t a, uint64_t b)
{
    return fx_high(a) != fx_high(b) ? fx_high(a) < fx_high(b) : fx_low(a) < fx_low(b);
}

static inline bool fx_is_zero_u64(uint64_t value)
{
    return (fx_high(value) | fx_low(value)) == 0;
}

/* Bits n..n+31 of two words; n below 32. */
static inline uint32_t fx_funnel(uint32_t high, uint32_t low, uint32_t n)
{
    return (low >> n) | ((high << 1) << (31 - n));
}

/* value / 2^n, rounded down; n below 32. */
static inline uint64_t fx_shift_right(uint64_t value, uint32_t n)
{
    return fx_join(fx_high(value) >> n, fx_funnel(fx_high(value), fx_low(value), n));
}

/* value x 2^n, for values that leave room for it; n below 32. */
static inline uint64_t fx_raise(uint64_t value, uint32_t n)
{
    return fx_join((fx_high(value) << n) | ((fx_low(value) >> 1) >> (31 - n)), fx_low(value)
                                                                                   << n);
}

static inline uint64_t fx_raise_u32(uint32_t value, uint32_t n)
{
    return fx_join((value >> 1) >> (31 - n), value << n);
}

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

static inline uint64_t fx_add_u64(uint64_t a, uint64_t b)
{
    return fx_is_less_u64(~b, a) ? UINT64_MAX : a + b;
}

static inline uint64_t fx_sub_u64(uint64_t a, uint64_t b)
{
    return fx_is_less_u64(a, b) ? 0 : a - b;
}

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

/* a x b / 2^32, rounded down. */
static inline uint64_t fx_mul_high(uint64_t a, uint32_t b)
{
    return fx_mul_shift(a, b, 32);
}

/* value x scale: fx_mul_shift with the scale's mantissa and shift. */
uint64_t fx_scale(uint64_t value, struct vsource_scale scale);

/* 1 / value as mantissa (top bit set) and shift (32 to 63), so that x / value = fx_scale(x,
 * it). By table and two Newton steps; relative error below 2^-27, never too much. 0 is taken
 * for 1. */
struct vsource_scale fx_reciprocal(uint32_t value);

/* Square root, rounded down within one unit of the last of 32 bits: for any value the result r
 * holds |r - sqrt(value)| <= 1 + sqrt(value) x 2^-29. */
uint32_t fx_sqrt_u64(uint64_t value);

#endif
