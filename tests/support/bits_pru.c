/* SPDX-License-Identifier: MIT */
/* bits_run on a PRU, in GNU's simulator: the parameters are linked in, BITS_SAMPLES says how
 * many samples each; the digest is written as its two words, most significant byte first in
 * hex. */
#include "tests/support/bits_digest.h"

extern const struct vsource_params bits_params[];
extern const struct vsource_params bits_params_end[];

static void system_call(uint32_t number, uint32_t a, uint32_t b, uint32_t c)
{
    register uint32_t r1 __asm__("r1") = number;
    register uint32_t r14 __asm__("r14") = a;
    register uint32_t r15 __asm__("r15") = b;
    register uint32_t r16 __asm__("r16") = c;

    __asm__ volatile("halt" : "+r"(r14) : "r"(r1), "r"(r15), "r"(r16) : "memory");
}

static char *put_hex(char *text, uint32_t value)
{
    for (int i = 0; i < 8; i++) {
        *text++ = "0123456789abcdef"[value >> 28];
        value <<= 4;
    }
    return text;
}

int main(void)
{
    char text[17];
    uint32_t count = 0;

    // cppcheck-suppress comparePointers
    for (const struct vsource_params *p = bits_params; p < bits_params_end; p++) {
        count++;
        run_source(p, count, BITS_SAMPLES);
        run_recorder(p, count, BITS_SAMPLES);
    }
    *put_hex(put_hex(text, digest_high), digest_low) = '\n';
    system_call(5, 1, (uint32_t)text, sizeof(text)); /* write */
    system_call(1, 0, 0, 0);                         /* exit */
    for (;;) {}
}
