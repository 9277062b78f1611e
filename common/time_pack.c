/* SPDX-License-Identifier: MIT */
#include "common/time_pack.h"

#include <stdbool.h>
#include <string.h>
#include <zlib.h>

enum {
    STEP_NS = 10000,
    N_PLANES = 8,
    MIN_MATCH = 3,
    MAX_MATCH = 258,
    MAX_DISTANCES = 4,
    END_OF_BLOCK = 256
};

/* Bits from the lowest on, as deflate wants them (RFC 1951, 3.1.1). */
struct bits {
    uint8_t *at;
    uint64_t held;
    unsigned n_held;
};

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

static uint32_t reverse(uint32_t value, unsigned count)
{
    uint32_t reversed = 0;

    for (unsigned i = 0; i < count; i++) {
        reversed |= (value >> i & 1) << (count - 1 - i);
    }
    return reversed;
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

static unsigned match_length(const uint8_t *plane, unsigned at, unsigned distance)
{
    unsigned left = TIME_PACK_SAMPLES - at;
    unsigned most = left < MAX_MATCH ? left : MAX_MATCH;
    unsigned length = 0;

    while (length < most && plane[at + length] == plane[at + length - distance]) {
        length++;
    }
    return length;
}

static void put_plane(struct bits *bits, const uint8_t *plane, const unsigned *distances)
{
    for (unsigned at = 0; at < TIME_PACK_SAMPLES;) {
        unsigned best = 0;
        unsigned best_distance = 0;

        for (unsigned i = 0; distances[i] != 0 && distances[i] <= at; i++) {
            unsigned length = match_length(plane, at, distances[i]);

            if (length > best) {
                best = length;
                best_distance = distances[i];
            }
        }
        if (best < MIN_MATCH) {
            put_symbol(bits, plane[at++]);
            continue;
        }
        put_length(bits, best);
        put_distance(bits, best_distance);
        at += best;
    }
}

size_t time_pack(uint64_t first_ns, uint8_t out[TIME_PACK_BYTES])
{
    /* rising, and ended by 0 */
    static const unsigned distances[N_PLANES][MAX_DISTANCES] = {
        {16   },
        { 59,   367, 4096 },
        { 1, 1678, 5033 },
        { 1   },
        { 1},
        { 1   },
        { 1   },
        { 1   },
    };
    uint8_t plane[TIME_PACK_SAMPLES];
    struct bits bits = { .at = out };
    uLong sum = adler32(0, NULL, 0);

    put_bits(&bits, 0x0178, 16); /* CMF 0x78, FLG 0x01: window of 32 KiB, fastest */
    put_bits(&bits, 3, 3);       /* last block, fixed codes */
    for (unsigned p = 0; p < N_PLANES; p++) {
        for (uint64_t i = 0; i < TIME_PACK_SAMPLES; i++) {
            plane[i] = (uint8_t)((first_ns + i * STEP_NS) >> 8 * p);
        }
        sum = adler32(sum, plane, sizeof(plane));
        put_plane(&bits, plane, distances[p]);
    }
    put_symbol(&bits, END_OF_BLOCK);
    put_bits(&bits, 0, (8 - bits.n_held) & 7);
    for (int i = 3; i >= 0; i--) {
        put_bits(&bits, (uint32_t)(sum >> 8 * i) & 255, 8);
    }
    return (size_t)(bits.at - out);
}
