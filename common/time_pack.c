/* SPDX-License-Identifier: MIT */
#include "common/time_pack.h"

#include "common/adler.h"
#include "common/deflate_code.h"

#include <string.h>

enum {
    STEP_NS = 10000,
    N_PLANES = 8,
    N_LOW_PLANES = 3,
    N_DISTANCES = 3,
    PERIOD_0 = 16,   /* samples after which the lowest byte repeats, */
    PERIOD_1 = 4096, /* and the one above it */
};

_Static_assert(TIME_PACK_SAMPLES % PERIOD_0 == 0, "the lowest byte's period fills a chunk");

/* Bits as they stand in the stream. */
struct word {
    uint32_t value;
    uint32_t count;
};

/* All that can be said, made once for a chunk. */
struct words {
    struct word symbols[DEFLATE_N_SYMBOLS];
    struct word lengths[DEFLATE_MAX_MATCH + 1]; /* with their extra bits */
};

/* The fixed codes of RFC 1951, 3.2.6. */
static struct word symbol_word(unsigned symbol)
{
    if (symbol < 144) {
        return (struct word){ bits_reverse(0x30 + symbol, 8), 8 };
    }
    if (symbol < 256) {
        return (struct word){ bits_reverse(0x190 + symbol - 144, 9), 9 };
    }
    if (symbol < 280) {
        return (struct word){ bits_reverse(symbol - 256, 7), 7 };
    }
    return (struct word){ bits_reverse(0xC0 + symbol - 280, 8), 8 };
}

static void make_words(struct words *words)
{
    for (unsigned i = 0; i < DEFLATE_N_SYMBOLS; i++) {
        words->symbols[i] = symbol_word(i);
    }
    for (unsigned i = DEFLATE_MIN_MATCH; i <= DEFLATE_MAX_MATCH; i++) {
        struct deflate_length code = deflate_length(i);
        struct word word = words->symbols[code.symbol];

        words->lengths[i].value = word.value | code.extra << word.count;
        words->lengths[i].count = word.count + code.n_extra;
    }
}

/* Groups of 2 codes, each with one more extra bit than the one before. */
static struct word distance_word(unsigned distance)
{
    unsigned rest = distance - 1;
    unsigned n_extra = 0;

    while (rest >> n_extra >= 4) {
        n_extra++;
    }
    return (struct word){ bits_reverse(2 * n_extra + (rest >> n_extra), 5)
                              | (rest & ((1u << n_extra) - 1)) << 5,
                          5 + n_extra };
}

/* What is written, and where. */
struct writer {
    struct bits bits;
    struct adler sum;
    struct words words;
};

static void put_symbol(struct writer *writer, unsigned symbol)
{
    bits_put(&writer->bits, writer->words.symbols[symbol].value,
             writer->words.symbols[symbol].count);
}

static void put_match(struct writer *writer, unsigned length, struct word distance)
{
    struct word word = writer->words.lengths[length];

    bits_add(&writer->bits, word.value, word.count);
    bits_put(&writer->bits, distance.value, distance.count);
}

/* Matches of `length` bytes in all, which is at least DEFLATE_MIN_MATCH. */
static void put_run(struct writer *writer, unsigned length, unsigned distance)
{
    struct word word = distance_word(distance);

    while (length > 0) {
        unsigned part = deflate_part(length);

        put_match(writer, part, word);
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

/* The longest match that begins at `at`: its length, or 0, and the index of its distance. */
static unsigned find_match(const uint8_t *plane, unsigned at, unsigned end,
                           const unsigned *distances, unsigned *which)
{
    unsigned best = 0;

    for (unsigned i = 0; i < N_DISTANCES && distances[i] <= at; i++) {
        unsigned length = match_length(plane, at, distances[i], end);

        if (length > best) {
            best = length;
            *which = i;
        }
    }
    return best;
}

/* Bytes [0, end), searched at a few distances that rise. */
static void put_searched(struct writer *writer, const uint8_t *plane, unsigned end,
                         const unsigned distances[N_DISTANCES])
{
    struct word words[N_DISTANCES];

    for (unsigned i = 0; i < N_DISTANCES; i++) {
        words[i] = distance_word(distances[i]);
    }
    for (unsigned at = 0; at < end;) {
        unsigned which = 0;
        unsigned length = find_match(plane, at, end, distances, &which);

        if (length < DEFLATE_MIN_MATCH) {
            put_symbol(writer, plane[at++]);
            continue;
        }
        put_match(writer, length, words[which]);
        at += length;
    }
}

static void make_plane(uint64_t first_ns, unsigned p, uint8_t *plane, unsigned end)
{
    for (uint32_t i = 0; i < end; i++) {
        plane[i] = (uint8_t)(((uint32_t)first_ns + i * STEP_NS) >> 8 * p);
    }
}

/* The lowest three bytes change with nearly every sample; two of them repeat exactly. */
static void put_low_planes(struct writer *writer, uint64_t first_ns)
{
    static const unsigned near_1[N_DISTANCES] = { 59, 367, PERIOD_1 };
    static const unsigned near_2[N_DISTANCES] = { 1, 1678, 5033 };
    uint8_t plane[TIME_PACK_SAMPLES];

    make_plane(first_ns, 0, plane, PERIOD_0);
    adler_add_repeated(&writer->sum, plane, PERIOD_0, TIME_PACK_SAMPLES / PERIOD_0);
    for (unsigned i = 0; i < PERIOD_0; i++) {
        put_symbol(writer, plane[i]);
    }
    put_run(writer, TIME_PACK_SAMPLES - PERIOD_0, PERIOD_0);

    make_plane(first_ns, 1, plane, PERIOD_1);
    adler_add_repeated(&writer->sum, plane, PERIOD_1, TIME_PACK_SAMPLES / PERIOD_1);
    adler_add(&writer->sum, plane, TIME_PACK_SAMPLES % PERIOD_1);
    put_searched(writer, plane, PERIOD_1, near_1);
    put_run(writer, TIME_PACK_SAMPLES - PERIOD_1, PERIOD_1);

    make_plane(first_ns, 2, plane, TIME_PACK_SAMPLES);
    adler_add(&writer->sum, plane, TIME_PACK_SAMPLES);
    put_searched(writer, plane, TIME_PACK_SAMPLES, near_2);
}

/* The others stay the same for 1 677 samples and more: nothing has to be looked at. */
static void put_high_plane(struct writer *writer, uint64_t first_ns, unsigned p)
{
    for (unsigned at = 0; at < TIME_PACK_SAMPLES;) {
        uint64_t stamp_ns = first_ns + (uint64_t)at * STEP_NS;
        uint64_t to_change_ns =
            (UINT64_C(1) << 8 * p) - (stamp_ns & ((UINT64_C(1) << 8 * p) - 1));
        uint64_t same = (to_change_ns + STEP_NS - 1) / STEP_NS;
        unsigned left = TIME_PACK_SAMPLES - at;
        unsigned count = same < left ? (unsigned)same : left;
        uint8_t byte = (uint8_t)(stamp_ns >> 8 * p);

        adler_add_repeated(&writer->sum, &byte, 1, count);
        put_symbol(writer, byte);
        at += count;
        if (count > DEFLATE_MIN_MATCH) {
            put_run(writer, count - 1, 1);
        } else {
            for (unsigned i = 1; i < count; i++) {
                put_symbol(writer, byte);
            }
        }
    }
}

size_t time_pack(uint64_t first_ns, uint8_t out[TIME_PACK_BYTES])
{
    struct writer writer = { .bits = { .at = out }, .sum = { .low = 1 } };

    make_words(&writer.words);
    bits_put(&writer.bits, 0x0178, 16); /* CMF 0x78, FLG 0x01: window of 32 KiB, fastest */
    bits_put(&writer.bits, 3, 3);       /* last block, fixed codes */
    put_low_planes(&writer, first_ns);
    for (unsigned p = N_LOW_PLANES; p < N_PLANES; p++) {
        put_high_plane(&writer, first_ns, p);
    }
    put_symbol(&writer, DEFLATE_END_OF_BLOCK);
    bits_align(&writer.bits);
    adler_put(&writer.sum, &writer.bits);
    return (size_t)(writer.bits.at - out);
}
