/* SPDX-License-Identifier: MIT */
/* Adler-32 (RFC 1950, 8.2), with a short cut for bytes that repeat. */
#ifndef COMMON_ADLER_H
#define COMMON_ADLER_H

#include "common/bits.h"

#include <stddef.h>
#include <stdint.h>

struct adler {
    uint32_t low; /* 1 at first */
    uint32_t high;
};

void adler_add(struct adler *sum, const uint8_t *bytes, size_t size);

/* The same bytes `times` times, each looked at once; size and times are below 2^28. */
void adler_add_repeated(struct adler *sum, const uint8_t *bytes, size_t size, size_t times);

/* Highest byte first, as a zlib stream ends. */
void adler_put(const struct adler *sum, struct bits *bits);

#endif
