/* SPDX-License-Identifier: MIT */
#include "common/time_pack.h"

#include "common/adler.h"
#include "common/deflate_code.h"

#include <string.h>

enum {
    STEP_NS = 10000,
    N_PLANES = 8,
    N_LOW_PLANES = 3,
    PERIOD_0 = 16,   /* samples after which the lowest byte repeats, */
    PERIOD_1 = 4096, /* and the one above it */
};

/* The fixed codes of RFC 1951, 3.2.6. */
static void put_symbol(struct bits *bits, unsigned symbol)
{
    if (symbol < 144) {
        bits_put(bits, bits_reverse(0x30 + symbol, 8), 8);
    } else if (symbol < 256) {
        bits_put(bits, bits_reverse(0x190 + symbol - 144, 9), 9);
    } else if (symbol < 280) {
        bits_put(bits, bits_reverse(symbol - 256, 7), 7);
    } else {
        bits_put(bits, bits_reverse(0xC0 + symbol - 280, 8), 8);
    }
}

static void put_length(struct bits *bits, unsigned length)
{
    struct deflate_length code = deflate_length(length);

    put_symbol(bits, code.symbol);
    bits_put(bits, code.extra, code.n_extra);
}

/* Groups of 2 codes, each with one more extra bit than the one before. */
static void put_distance(struct bits *bits, unsigned distance)
{
    unsigned rest = distance - 1;
    unsigned n_extra = 0;

    while (rest >> n_extra >= 4) {
        n_extra++;
    }
    bits_put(bits, bits_reverse(2 * n_extra + (rest >> n_extra), 5), 5);
    bits_put(bits, rest & ((1u << n_extra) - 1), n_extra);
}

/* Matches of `length` bytes in all, which is at least DEFLATE_MIN_MATCH. */
static void put_run(struct bits *bits, unsigned length, unsigned distance)
{
    while (length > 0) {
        unsigned part = deflate_part(length);

        put_length(bits, part);
        put_distance(bits, distance);
        length -= part;
    }
}

static unsigned match_length(const uint8_t *plane, unsigned at, unsigned distance, unsigned end)
{
    unsigned most = end - at < DEFLATE_MAX_MATCH ? end - at : DEFLATE_MAX_MATCH;
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

        if (length < DEFLATE_MIN_MATCH) {
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
        if (count > DEFLATE_MIN_MATCH) {
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

    bits_put(&bits, 0x0178, 16); /* CMF 0x78, FLG 0x01: window of 32 KiB, fastest */
    bits_put(&bits, 3, 3);       /* last block, fixed codes */
    put_low_planes(&bits, first_ns, &sum);
    for (unsigned p = N_LOW_PLANES; p < N_PLANES; p++) {
        put_high_plane(&bits, first_ns, p, &sum);
    }
    put_symbol(&bits, DEFLATE_END_OF_BLOCK);
    bits_align(&bits);
    adler_put(&sum, &bits);
    return (size_t)(bits.at - out);
}
