/* SPDX-License-Identifier: MIT */
/* On a PRU: what fx.c says in C, in the core's own instructions; nothing elsewhere. A product
 * takes its factors from r28 and r29, and one more instruction before XIN can have it. */
#include "pru/core/fx.h"

#ifdef __PRU__

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
