/* SPDX-License-Identifier: MIT */
/* bits_run FILE [SAMPLES]: steps pru/core through every set of parameters that bits_make wrote
 * and prints the digest and the number of sets. */
#include "tests/support/bits_digest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    static struct vsource_params params;
    FILE *file = argc >= 2 ? fopen(argv[1], "rb") : NULL;
    uint32_t n_samples = argc >= 3 ? (uint32_t)strtoul(argv[2], NULL, 10) : 8000u;
    uint32_t count = 0;

    if (file == NULL) {
        fprintf(stderr, "usage: bits_run FILE [SAMPLES]\n");
        return 2;
    }
    while (fread(&params, sizeof(params), 1, file) == 1) {
        count++;
        run_source(&params, count, n_samples);
        run_recorder(&params, count, n_samples);
    }
    fclose(file);
    printf("%08" PRIx32 "%08" PRIx32 " %u\n", digest_high, digest_low, count);
    return count > 0 ? 0 : 1;
}
