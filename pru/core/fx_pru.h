/* SPDX-License-Identifier: MIT */
/* What fx_halves.h has, described there, in the PRU's own instructions: the carry of a sum goes
 * into the next one and, by subtracting a register from itself, becomes a mask; so nothing
 * branches. tests/pru_bits.sh compares every function with the host's. Included by fx.h alone.
 *
 * In the templates %F0 is the lower word of operand 0, %N0 the upper one. */
#ifndef PRU_CORE_FX_PRU_H
#define PRU_CORE_FX_PRU_H

#ifdef __PRU__ /* nothing elsewhere */

#    include "pru/core/fx_tables.h"

#    include <stdbool.h>
#    include <stdint.h>

union fx_halves {
    uint64_t whole;
    struct {
        uint32_t low;
        uint32_t high;
    } part;
};

FX_INLINE uint32_t fx_low(uint64_t value)
{
    union fx_halves halves = { .whole = value };

    return halves.part.low;
}

FX_INLINE uint32_t fx_high(uint64_t value)
{
    union fx_halves halves = { .whole = value };

    return halves.part.high;
}

/* By instructions: a union that is written in halves goes by way of the stack. */
FX_INLINE uint64_t fx_join(uint32_t high, uint32_t low)
{
    uint64_t joined;

    __asm__("mov %F0, %2\n\tmov %N0, %1" : "=&r"(joined) : "r"(high), "r"(low));
    return joined;
}

FX_INLINE uint64_t fx_widen(uint32_t value)
{
    uint64_t wide;

    __asm__("mov %F0, %1\n\tldi %N0, 0" : "=&r"(wide) : "r"(value));
    return wide;
}

/* All bits set if a < b. */
FX_INLINE uint32_t fx_less_mask(uint64_t a, uint64_t b)
{
    uint32_t mask;

    __asm__("sub %0, %F1, %F2\n\tsuc %0, %N1, %N2\n\tsuc %0, %0, %0"
            : "=&r"(mask)
            : "r"(a), "r"(b));
    return mask;
}

FX_INLINE bool fx_is_less_u64(uint64_t a, uint64_t b)
{
    return fx_less_mask(a, b) != 0;
}

FX_INLINE bool fx_is_zero_u64(uint64_t value)
{
    return (fx_high(value) | fx_low(value)) == 0;
}

/* Bits n..n+31 of two words; n below 32. */
FX_INLINE uint32_t fx_funnel(uint32_t high, uint32_t low, uint32_t n)
{
    if (__builtin_constant_p(n) && n == 0) {
        return low;
    }
    return (low >> n) | (__builtin_constant_p(n) ? high << (32 - n) : (high << 1) << (31 - n));
}

FX_INLINE uint64_t fx_shift_right(uint64_t value, uint32_t n)
{
    return fx_join(fx_high(value) >> n, fx_funnel(fx_high(value), fx_low(value), n));
}

FX_INLINE uint64_t fx_raise(uint64_t value, uint32_t n)
{
    return fx_join((fx_high(value) << n) | ((fx_low(value) >> 1) >> (31 - n)), fx_low(value)
                                                                                   << n);
}

FX_INLINE uint64_t fx_raise_u32(uint32_t value, uint32_t n)
{
    return fx_join((value >> 1) >> (31 - n), value << n);
}

FX_INLINE uint64_t fx_add_u64(uint64_t a, uint64_t b)
{
    uint64_t sum;
    uint32_t mask;

    __asm__("add %F0, %F2, %F3\n\tadc %N0, %N2, %N3\n\tsuc %1, %1, %1\n\t"
            "or %F0, %F0, %1\n\tor %N0, %N0, %1"
            : "=&r"(sum), "=&r"(mask)
            : "r"(a), "r"(b));
    return sum;
}

FX_INLINE uint64_t fx_sub_u64(uint64_t a, uint64_t b)
{
    uint64_t rest;
    uint32_t mask;

    __asm__("sub %F0, %F2, %F3\n\tsuc %N0, %N2, %N3\n\tsuc %1, %1, %1\n\tnot %1, %1\n\t"
            "and %F0, %F0, %1\n\tand %N0, %N0, %1"
            : "=&r"(rest), "=&r"(mask)
            : "r"(a), "r"(b));
    return rest;
}

FX_INLINE uint64_t fx_distance_u64(uint64_t a, uint64_t b, bool *is_less)
{
    uint64_t distance;
    uint32_t mask;

    __asm__("sub %F0, %F2, %F3\n\tsuc %N0, %N2, %N3\n\tsuc %1, %1, %1\n\t"
            "xor %F0, %F0, %1\n\txor %N0, %N0, %1\n\tsub %F0, %F0, %1\n\tsuc %N0, %N0, %1"
            : "=&r"(distance), "=&r"(mask)
            : "r"(a), "r"(b));
    *is_less = mask != 0;
    return distance;
}

FX_INLINE uint32_t fx_mix(const uint32_t *pair, uint32_t fraction_n32)
{
    uint32_t mixed;
    uint32_t mask;

    __asm__("lbbo &r28, %2, 0, 8\n\tmov %0, r28\n\t"
            "sub r28, r29, r28\n\tsuc %1, %1, %1\n\t"
            "xor r28, r28, %1\n\tsub r28, r28, %1\n\tmov r29, %3\n\tnop\n\txin 0, r26, 8\n\t"
            "lsr r26, r26, 31\n\tadd r27, r27, r26\n\t"
            "xor r27, r27, %1\n\tsub r27, r27, %1\n\tadd %0, %0, r27"
            : "=&r"(mixed), "=&r"(mask)
            : "r"(pair), "r"(fraction_n32), "m"(*(const uint32_t(*)[2])pair)
            : "r26", "r27", "r28", "r29");
    return mixed;
}

FX_INLINE void fx_wide_add(struct fx_wide *value, const struct fx_wide *other)
{
    uint64_t high = value->high;
    uint32_t low = value->low;
    uint32_t mask;

    __asm__("add %1, %1, %4\n\tadc %F0, %F0, %F3\n\tadc %N0, %N0, %N3\n\tsuc %2, %2, %2\n\t"
            "or %F0, %F0, %2\n\tor %N0, %N0, %2"
            : "+&r"(high), "+&r"(low), "=&r"(mask)
            : "r"(other->high), "r"(other->low));
    value->high = high;
    value->low = low;
}

FX_INLINE bool fx_wide_sub(struct fx_wide *value, const struct fx_wide *other)
{
    uint64_t high = value->high;
    uint32_t low = value->low;
    uint32_t mask;

    __asm__("sub %1, %1, %4\n\tsuc %F0, %F0, %F3\n\tsuc %N0, %N0, %N3\n\tsuc %2, %2, %2"
            : "+&r"(high), "+&r"(low), "=&r"(mask)
            : "r"(other->high), "r"(other->low));
    value->high = high;
    value->low = low;
    return mask != 0;
}

/* The 96 bits of a x b. */
struct fx_product {
    uint32_t low;
    uint32_t middle;
    uint32_t high;
};

FX_INLINE struct fx_product fx_multiply(uint64_t a, uint32_t b)
{
    struct fx_product p;

    __asm__("mov r28, %F3\n\tmov r29, %4\n\tnop\n\txin 0, r26, 8\n\t"
            "mov r28, %N3\n\tmov %0, r26\n\tmov %1, r27\n\txin 0, r26, 8\n\t"
            "add %1, %1, r26\n\tadc %2, r27, 0"
            : "=&r"(p.low), "=&r"(p.middle), "=&r"(p.high)
            : "r"(a), "r"(b)
            : "r26", "r27", "r28", "r29");
    return p;
}

FX_INLINE uint64_t fx_saturate(uint32_t excess, uint32_t high, uint32_t low)
{
    return excess != 0 ? UINT64_MAX : fx_join(high, low);
}

/* n is a constant. */
FX_INLINE uint64_t fx_mul_shift_by(uint64_t a, uint32_t b, uint32_t n)
{
    struct fx_product p = fx_multiply(a, b);
    uint32_t bits = n & 31u;

    if (n < 32) {
        return fx_saturate(p.high >> bits, fx_funnel(p.high, p.middle, bits),
                           fx_funnel(p.middle, p.low, bits));
    }
    if (n < 64) {
        return fx_join(p.high >> bits, fx_funnel(p.high, p.middle, bits));
    }
    return n < 96 ? fx_widen(p.high >> bits) : 0;
}

uint64_t fx_mul_shift_any(uint64_t a, uint32_t b, uint32_t n);

FX_INLINE uint64_t fx_mul_shift(uint64_t a, uint32_t b, uint32_t n)
{
    return __builtin_constant_p(n) ? fx_mul_shift_by(a, b, n) : fx_mul_shift_any(a, b, n);
}

/* a x b / 2^n in r14, r15, r16; the loop is for n from 32 on. */
#    define FX_MUL_SHIFT           \
        "mov r28, r14\n\t"         \
        "mov r29, r16\n\t"         \
        "nop\n\t"                  \
        "xin 0, r26, 8\n\t"        \
        "mov r28, r15\n\t"         \
        "mov r14, r26\n\t"         \
        "mov r15, r27\n\t"         \
        "xin 0, r26, 8\n\t"        \
        "add r15, r15, r26\n\t"    \
        "adc r16, r27, 0\n\t"      \
        "qbge 2f, r17, 31\n"       \
        "1:\tmov r14, r15\n\t"     \
        "mov r15, r16\n\t"         \
        "ldi r16, 0\n\t"           \
        "sub r17, r17, 32\n\t"     \
        "qblt 1b, r17, 31\n"       \
        "2:\trsb r28, r17, 31\n\t" \
        "lsr r14, r14, r17\n\t"    \
        "lsl r26, r15, 1\n\t"      \
        "lsl r26, r26, r28\n\t"    \
        "or r14, r14, r26\n\t"     \
        "lsr r15, r15, r17\n\t"    \
        "lsl r26, r16, 1\n\t"      \
        "lsl r26, r26, r28\n\t"    \
        "or r15, r15, r26\n\t"     \
        "lsr r16, r16, r17"

FX_INLINE void fx_mul_wide(uint64_t a, uint32_t b, uint32_t n, struct fx_wide *result)
{
    register uint64_t product __asm__("r14") = a;
    register uint32_t factor __asm__("r16") = b;
    register uint32_t shift __asm__("r17") = n;

    __asm__(FX_MUL_SHIFT
            : "+r"(product), "+r"(factor), "+r"(shift)
            :
            : "r26", "r27", "r28", "r29");
    result->high = fx_join(factor, fx_high(product));
    result->low = fx_low(product);
}

/* n is a constant. */
FX_INLINE uint64_t fx_mul_carry(uint64_t a, uint32_t b, uint32_t n, uint32_t *rest)
{
    struct fx_product p = fx_multiply(a, b);

    __asm__("add %0, %0, %3\n\tadc %1, %1, 0\n\tadc %2, %2, 0"
            : "+&r"(p.low), "+&r"(p.middle), "+&r"(p.high)
            : "r"(*rest));
    *rest = p.low & ((1u << n) - 1u);
    return fx_saturate(p.high >> n, fx_funnel(p.high, p.middle, n),
                       fx_funnel(p.middle, p.low, n));
}

FX_INLINE struct vsource_scale fx_reciprocal(uint32_t value)
{
    struct vsource_scale result;

    __asm__("max %0, %2, 1\n\t"
            "lmbd %1, %0, 1\n\t"
            "rsb r28, %1, 31\n\t"
            "lsl %0, %0, r28\n\t" /* x */
            "add %1, %1, 32\n\t"
            "and r29, %0.b3, 127\n\t"
            "lsl r29, r29, 2\n\t"
            "lbbo &r26, %3, r29, 8\n\t" /* two knots */
            "lsl r28, %0, 8\n\t"
            "sub r29, r26, r27\n\t"
            "mov r0, r26\n\t"
            "xin 0, r26, 8\n\t"
            "sub r29, r0, r27\n\t" /* r */
            "mov r28, %0\n\t"
            "nop\n\t"
            "xin 0, r26, 8\n\t"
            "not r28, r27\n\t" /* 2 - x r */
            "nop\n\t"
            "xin 0, r26, 8\n\t"
            "lsl %0, r27, 1\n\t"
            "set %0, %0, 31"
            : "=&r"(result.mantissa), "=&r"(result.shift)
            : "r"(value), "r"(RECIPROCALS)
            : "r0", "r26", "r27", "r28", "r29");
    return result;
}

FX_INLINE uint32_t fx_sqrt_u64(uint64_t value)
{
    register uint64_t x __asm__("r14") = value;
    register uint32_t root __asm__("r16");

    __asm__("mov r16, r14\n\t"
            "ldi r0, 0\n\t"
            "qbne 1f, r15, 0\n\t"
            "qbeq 9f, r14, 0\n\t"
            "mov r15, r14\n\t"
            "ldi r14, 0\n\t"
            "ldi r0, 16\n"
            "1:\tlmbd r16, r15, 1\n\t"
            "rsb r16, r16, 31\n\t"
            "and r16, r16, 30\n\t" /* up by that, an even number */
            "rsb r17, r16, 31\n\t"
            "lsl r15, r15, r16\n\t"
            "lsr r18, r14, 1\n\t"
            "lsr r18, r18, r17\n\t"
            "or r15, r15, r18\n\t" /* x's upper word */
            "lsl r14, r14, r16\n\t"
            "lsr r18, r15, 23\n\t"
            "sub r18, r18, 128\n\t"
            "lsl r18, r18, 1\n\t"
            "ldi r29, 0\n\t"
            "lbbo &r29.b2, %2, r18, 2\n\t" /* y */
            "lsr r16, r16, 1\n\t"
            "mov r28, r29\n\t"
            "add r0, r0, r16\n\t"
            "xin 0, r26, 8\n\t"
            "mov r18, r29\n\t"
            "mov r28, r15\n\t"
            "mov r29, r27\n\t"
            "nop\n\t"
            "xin 0, r26, 8\n\t"
            "mov r28, r18\n\t"
            "sub r29, %3, r27\n\t" /* 3 - x y y */
            "nop\n\t"
            "xin 0, r26, 8\n\t"
            "lsl r29, r27, 1\n\t"
            "mov r28, r15\n\t"
            "mov r18, r29\n\t"
            "xin 0, r26, 8\n\t"
            "lsl r16, r27, 1\n\t" /* root */
            "mov r28, r16\n\t"
            "mov r29, r16\n\t"
            "nop\n\t"
            "xin 0, r26, 8\n\t"
            "sub r14, r14, r26\n\t"
            "suc r15, r15, r27\n\t"
            "mov r29, r18\n\t"
            "mov r28.w0, r14.w2\n\t"
            "mov r28.w2, r15.w0\n\t"
            "nop\n\t"
            "xin 0, r26, 8\n\t"
            "lsr r27, r27, 16\n\t"
            "add r16, r16, r27\n\t"
            "lsr r16, r16, r0\n"
            "9:"
            : "+&r"(x), "=&r"(root)
            : "r"(INVERSE_ROOTS), "r"((3u << 30) - 3u)
            : "r0", "r17", "r18", "r26", "r27", "r28", "r29");
    return root;
}

#endif

#endif
