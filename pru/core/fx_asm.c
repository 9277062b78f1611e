/* SPDX-License-Identifier: MIT */
/* On a PRU: what fx.c says in C, in the core's own instructions; nothing elsewhere. A product
 * takes its factors from r28 and r29, and one more instruction before XIN can have it. */
#include "pru/core/fx.h"

#ifdef __PRU__

#    include "pru/core/fx_tables.h"

struct vsource_scale fx_reciprocal(uint32_t value)
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

uint32_t fx_sqrt_u64(uint64_t value)
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

uint64_t fx_mul_shift_any(uint64_t a, uint32_t b, uint32_t n)
{
    register uint64_t product __asm__("r14") = a;
    register uint32_t factor __asm__("r16") = b;
    register uint32_t shift __asm__("r17") = n;

    __asm__(FX_MUL_SHIFT "\n\tqbeq 9f, r16, 0\n\t"
                         "fill &r14, 8\n"
                         "9:"
            : "+r"(product), "+r"(factor), "+r"(shift)
            :
            : "r26", "r27", "r28", "r29");
    return product;
}

#endif
