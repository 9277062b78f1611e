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

/* Behind the first i of them, `low` is higher by i times their sum. */
void adler_add_repeated(struct adler *sum, const uint8_t *bytes, size_t size, size_t times)
{
    uLong once = adler32_z(0, bytes, size);
    uint64_t bytes_sum = once & 0xFFFF;
    uint64_t whole = (uint64_t)size * times % PRIME;
    uint64_t pairs = (uint64_t)times * (times - 1) / 2 % PRIME;
    uint64_t high = sum->high + whole * sum->low + times % PRIME * (once >> 16)
                    + size % PRIME * bytes_sum % PRIME * pairs;

    if (times > 0) {
        sum->low = (uint32_t)((sum->low + times % PRIME * bytes_sum) % PRIME);
        sum->high = (uint32_t)(high % PRIME);
    }
}

void adler_put(const struct adler *sum, struct bits *bits)
{
    bits_put(bits, sum->high >> 8, 8);
    bits_put(bits, sum->high & 255, 8);
    bits_put(bits, sum->low >> 8, 8);
    bits_put(bits, sum->low & 255, 8);
}
