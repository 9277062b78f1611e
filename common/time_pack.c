/* SPDX-License-Identifier: MIT */
#include "common/time_pack.h"

#include <stdbool.h>
#include <string.h>
#include <zlib.h>

enum {
    STEP_NS = 10000,
    N_PLANES = 8,
    N_LOW_PLANES = 3,
    PERIOD_0 = 16,   /* samples after which the lowest byte repeats, */
    PERIOD_1 = 4096, /* and the one above it */
    MIN_MATCH = 3,
    MAX_MATCH = 258,
    ADLER_PRIME = 65521,
    END_OF_BLOCK = 256
};

/* Bits from the lowest on, as deflate wants them (RFC 1951, 3.1.1). */
struct bits {
    uint8_t *at;
    uint64_t held;
    unsigned n_held;
};

/* Adler-32 (RFC 1950, 8.2). */
struct adler {
    uint32_t low;
    uint32_t high;
};

static void adler_add(struct adler *sum, const uint8_t *bytes, size_t size)
{
    uLong both = adler32((uLong)sum->high << 16 | sum->low, bytes, (uInt)size);

    sum->low = (uint32_t)(both & 0xFFFF);
    sum->high = (uint32_t)(both >> 16);
}

/* The same byte `count` times. */
static void adler_add_run(struct adler *sum, uint8_t byte, uint64_t count)
{
    uint64_t high = sum->high + count * sum->low + byte * (count * (count + 1) / 2);

    sum->low = (uint32_t)((sum->low + count * byte) % ADLER_PRIME);
    sum->high = (uint32_t)(high % ADLER_PRIME);
}

static void put_bits(struct bits *bits, uint32_t value, unsigned count)
{
    bits->held |= (uint64_t)value << bits->n_held;
    bits->n_held += count;
    while (bits->n_held >= 8) {
        *bits->at++ = (uint8_t)bits->held;
        bits->held >>= 8;
        bits->n_held -= 8;
    }
}

/* Codes of at most 16 bits, which deflate wants from their highest bit on. */
static uint32_t reverse(uint32_t value, unsigned count)
{
    value = (value & 0x5555) << 1 | (value >> 1 & 0x5555);
    value = (value & 0x3333) << 2 | (value >> 2 & 0x3333);
    value = (value & 0x0F0F) << 4 | (value >> 4 & 0x0F0F);
    value = (value & 0x00FF) << 8 | value >> 8;
    return value >> (16 - count);
}

/* The fixed codes of RFC 1951, 3.2.6. */
static void put_symbol(struct bits *bits, unsigned symbol)
{
    if (symbol < 144) {
        put_bits(bits, reverse(0x30 + symbol, 8), 8);
    } else if (symbol < 256) {
        put_bits(bits, reverse(0x190 + symbol - 144, 9), 9);
    } else if (symbol < 280) {
        put_bits(bits, reverse(symbol - 256, 7), 7);
    } else {
        put_bits(bits, reverse(0xC0 + symbol - 280, 8), 8);
    }
}

/* Lengths and distances are coded alike (3.2.5): groups of 4 or 2 codes, each group with one
 * more extra bit than the one before. */
static void put_length(struct bits *bits, unsigned length)
{
    unsigned rest = length - MIN_MATCH;
    unsigned n_extra = 0;

    if (length == MAX_MATCH) {
        put_symbol(bits, 285);
        return;
    }
    while (rest >> n_extra >= 8) {
        n_extra++;
    }
    put_symbol(bits, 257 + 4 * n_extra + (rest >> n_extra));
    put_bits(bits, rest & ((1u << n_extra) - 1), n_extra);
}

static void put_distance(struct bits *bits, unsigned distance)
{
    unsigned rest = distance - 1;
    unsigned n_extra = 0;

    while (rest >> n_extra >= 4) {
        n_extra++;
    }
    put_bits(bits, reverse(2 * n_extra + (rest >> n_extra), 5), 5);
    put_bits(bits, rest & ((1u << n_extra) - 1), n_extra);
}

/* Matches of `length` bytes in all, which is at least MIN_MATCH. */
static void put_run(struct bits *bits, unsigned length, unsigned distance)
{
    while (length > 0) {
        unsigned part = length < MAX_MATCH ? length : MAX_MATCH;

        /* what is left must be a match, too */
        if (length > MAX_MATCH && length - part < MIN_MATCH) {
            part = length - MIN_MATCH;
        }
        put_length(bits, part);
        put_distance(bits, distance);
        length -= part;
    }
}

static unsigned match_length(const uint8_t *plane, unsigned at, unsigned distance, unsigned end)
{
    unsigned most = end - at < MAX_MATCH ? end - at : MAX_MATCH;
    unsigned length = 0;

    while (length + 8 <= most
           && memcmp(plane + at + length, plane + at + length - distance, 8) == 0) {
        length += 8;
    }
    while (length < most && plane[at + length] == plane[at + length - distance]) {
        length++;
    }
    return length;
}

/* The longest match that begins at `at`: its length, or 0, and its distance. */
static unsigned find_match(const uint8_t *plane, unsigned at, unsigned end,
                           const unsigned *distances, unsigned *distance)
{
    unsigned best = 0;

    for (unsigned i = 0; distances[i] != 0 && distances[i] <= at; i++) {
        unsigned length = match_length(plane, at, distances[i], end);

        if (length > best) {
            best = length;
            *distance = distances[i];
        }
    }
    return best;
}

/* Bytes [0, end), searched at a few distances that rise and are ended by 0. */
static void put_searched(struct bits *bits, const uint8_t *plane, unsigned end,
                         const unsigned *distances)
{
    for (unsigned at = 0; at < end;) {
        unsigned distance = 0;
        unsigned length = find_match(plane, at, end, distances, &distance);

        if (length < MIN_MATCH) {
            put_symbol(bits, plane[at++]);
            continue;
        }
        put_length(bits, length);
        put_distance(bits, distance);
        at += length;
    }
}

/* The lowest three bytes change with nearly every sample. */
static void put_low_planes(struct bits *bits, uint64_t first_ns, struct adler *sum)
{
    static const unsigned near[2][4] = {
        {59,    367 },
        { 1, 1678, 5033 }
    };
    uint8_t plane[TIME_PACK_SAMPLES];

    for (unsigned p = 0; p < N_LOW_PLANES; p++) {
        for (uint32_t i = 0; i < TIME_PACK_SAMPLES; i++) {
            plane[i] = (uint8_t)(((uint32_t)first_ns + i * STEP_NS) >> 8 * p);
        }
        adler_add(sum, plane, sizeof(plane));
        if (p == 0) {
            for (unsigned i = 0; i < PERIOD_0; i++) {
                put_symbol(bits, plane[i]);
            }
            put_run(bits, TIME_PACK_SAMPLES - PERIOD_0, PERIOD_0);
        } else if (p == 1) {
            put_searched(bits, plane, PERIOD_1, near[0]);
            put_run(bits, TIME_PACK_SAMPLES - PERIOD_1, PERIOD_1);
        } else {
            put_searched(bits, plane, TIME_PACK_SAMPLES, near[1]);
        }
    }
}

/* The others stay the same for 1 677 samples and more: nothing has to be looked at. */
static void put_high_plane(struct bits *bits, uint64_t first_ns, unsigned p, struct adler *sum)
{
    for (unsigned at = 0; at < TIME_PACK_SAMPLES;) {
        uint64_t stamp_ns = first_ns + (uint64_t)at * STEP_NS;
        uint64_t to_change_ns =
            (UINT64_C(1) << 8 * p) - (stamp_ns & ((UINT64_C(1) << 8 * p) - 1));
        uint64_t same = (to_change_ns + STEP_NS - 1) / STEP_NS;
        unsigned left = TIME_PACK_SAMPLES - at;
        unsigned count = same < left ? (unsigned)same : left;
        uint8_t byte = (uint8_t)(stamp_ns >> 8 * p);

        adler_add_run(sum, byte, count);
        put_symbol(bits, byte);
        at += count;
        if (count > MIN_MATCH) {
            put_run(bits, count - 1, 1);
        } else {
            for (unsigned i = 1; i < count; i++) {
                put_symbol(bits, byte);
            }
        }
    }
}

size_t time_pack(uint64_t first_ns, uint8_t out[TIME_PACK_BYTES])
{
    struct bits bits = { .at = out };
    struct adler sum = { .low = 1 };

    put_bits(&bits, 0x0178, 16); /* CMF 0x78, FLG 0x01: window of 32 KiB, fastest */
    put_bits(&bits, 3, 3);       /* last block, fixed codes */
    put_low_planes(&bits, first_ns, &sum);
    for (unsigned p = N_LOW_PLANES; p < N_PLANES; p++) {
        put_high_plane(&bits, first_ns, p, &sum);
    }
    put_symbol(&bits, END_OF_BLOCK);
    put_bits(&bits, 0, (8 - bits.n_held) & 7);
    put_bits(&bits, sum.high >> 8, 8);
    put_bits(&bits, sum.high & 255, 8);
    put_bits(&bits, sum.low >> 8, 8);
    put_bits(&bits, sum.low & 255, 8);
    return (size_t)(bits.at - out);
}
