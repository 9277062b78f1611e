/* SPDX-License-Identifier: MIT */
/* Bits from the lowest on, as deflate wants them (RFC 1951, 3.1.1), on a little-endian machine.
 *
 * Nothing is checked: whoever writes knows how much room there is, BITS_SLACK bytes included.
 */
#ifndef COMMON_BITS_H
#define COMMON_BITS_H

#include <stdint.h>
#include <string.h>

enum {
    BITS_SLACK = 8 /* bytes behind the last one that may be written over */
};

struct bits {
    uint8_t *at;
    uint64_t held;
    unsigned n_held; /* below 8 after bits_flush */
};

/* Up to 56 bits may be added between two flushes. */
static inline void bits_add(struct bits *bits, uint64_t value, unsigned count)
{
    bits->held |= value << bits->n_held;
    bits->n_held += count;
}

static inline void bits_flush(struct bits *bits)
{
    memcpy(bits->at, &bits->held, sizeof(bits->held));
    bits->at += bits->n_held >> 3;
    bits->held >>= bits->n_held & ~7u;
    bits->n_held &= 7;
}

static inline void bits_put(struct bits *bits, uint64_t value, unsigned count)
{
    bits_add(bits, value, count);
    bits_flush(bits);
}

/* Zeros up to the next byte. */
static inline void bits_align(struct bits *bits)
{
    bits_put(bits, 0, (8 - bits->n_held) & 7);
}

/* Codes of at most 16 bits, which deflate wants from their highest bit on. */
static inline uint32_t bits_reverse(uint32_t value, unsigned count)
{
    value = (value & 0x5555) << 1 | (value >> 1 & 0x5555);
    value = (value & 0x3333) << 2 | (value >> 2 & 0x3333);
    value = (value & 0x0F0F) << 4 | (value >> 4 & 0x0F0F);
    value = (value & 0x00FF) << 8 | value >> 8;
    return value >> (16 - count);
}

#endif
