/* SPDX-License-Identifier: MIT */
#include "common/adler.h"

#include <zlib.h>

static const uint32_t PRIME = 65521;

void adler_add(struct adler *sum, const uint8_t *bytes, size_t size)
{
    uLong both = adler32_z((uLong)sum->high << 16 | sum->low, bytes, size);

    sum->low = (uint32_t)(both & 0xFFFF);
    sum->high = (uint32_t)(both >> 16);
}

void adler_add_run(struct adler *sum, uint8_t byte, size_t count)
{
    uint64_t n = count;
    uint64_t high = sum->high + n * sum->low + byte * (n * (n + 1) / 2 % PRIME);

    sum->low = (uint32_t)((sum->low + n * byte) % PRIME);
    sum->high = (uint32_t)(high % PRIME);
}

void adler_put(const struct adler *sum, struct bits *bits)
{
    bits_put(bits, sum->high >> 8, 8);
    bits_put(bits, sum->high & 255, 8);
    bits_put(bits, sum->low >> 8, 8);
    bits_put(bits, sum->low & 255, 8);
}
