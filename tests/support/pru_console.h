/* SPDX-License-Identifier: MIT */
/* Output of a program in GNU's PRU simulator, whose HALT is a system call. For the PRU alone.
 */
#ifndef TESTS_SUPPORT_PRU_CONSOLE_H
#define TESTS_SUPPORT_PRU_CONSOLE_H

#include <stdint.h>

static void console_call(uint32_t number, uint32_t a, uint32_t b, uint32_t c)
{
    register uint32_t r1 __asm__("r1") = number;
    register uint32_t r14 __asm__("r14") = a;
    register uint32_t r15 __asm__("r15") = b;
    register uint32_t r16 __asm__("r16") = c;

    __asm__ volatile("halt" : "+r"(r14) : "r"(r1), "r"(r15), "r"(r16) : "memory");
}

static void console_write(const char *text, uint32_t length)
{
    console_call(5, 1, (uint32_t)text, length);
}

static void __attribute__((noreturn)) console_exit(void)
{
    console_call(1, 0, 0, 0);
    for (;;) {}
}

/* Eight digits; where the text goes on. */
static char *console_hex(char *text, uint32_t value)
{
    for (int i = 0; i < 8; i++) {
        *text++ = "0123456789abcdef"[value >> 28];
        value <<= 4;
    }
    return text;
}

#endif
