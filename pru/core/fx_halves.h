/* SPDX-License-Identifier: MIT */
/* 64-bit numbers on a core of 32 bits, in halves: GCC for the PRU compares them byte by byte,
 * and calls a library to shift them, even by 32. Sums and differences it does well. Every
 * product wider than 32 bits is made of fx_mul_u32. Included by fx.h alone. */
#ifndef PRU_CORE_FX_HALVES_H
#define PRU_CORE_FX_HALVES_H

#include <stdbool.h>
#include <stdint.h>

struct fx_wide;

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

static inline uint64_t fx_add_u64(uint64_t a, uint64_t b)
{
    return fx_is_less_u64(~b, a) ? UINT64_MAX : a + b;
}

static inline uint64_t fx_sub_u64(uint64_t a, uint64_t b)
{
    return fx_is_less_u64(a, b) ? 0 : a - b;
}

/* a x b / 2^n, rounded down; any n. */
void fx_mul_wide(uint64_t a, uint32_t b, uint32_t n, struct fx_wide *result);

/* (a x b + rest) / 2^n, rounded down, saturated; what is cut off stays in rest. n is 1 to 31,
 * rest below 2^n. */
uint64_t fx_mul_carry(uint64_t a, uint32_t b, uint32_t n, uint32_t *rest);

/* a x b / 2^n, rounded down; any n; exact in between, saturated. */
uint64_t fx_mul_shift(uint64_t a, uint32_t b, uint32_t n);

#endif
