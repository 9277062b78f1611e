/* SPDX-License-Identifier: MIT */
/* bits_run on a PRU, in GNU's simulator: the parameters are linked in, BITS_SAMPLES says how
 * many samples each; the digest is written as its two words, most significant byte first in
 * hex. */
#include "tests/support/bits_digest.h"
#include "tests/support/pru_console.h"

extern const struct vsource_params bits_params[];
extern const struct vsource_params bits_params_end[];

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
    *console_hex(console_hex(text, digest_high), digest_low) = '\n';
    console_write(text, sizeof(text));
    console_exit();
}
