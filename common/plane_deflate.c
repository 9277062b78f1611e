/* SPDX-License-Identifier: MIT */
#include "common/plane_deflate.h"

#include "common/adler.h"
#include "common/deflate_block.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    HASH_BITS = 12,
    PROBE_STEP = 4,     /* of the places that are remembered */
    PROBE_PART = 4,     /* a quarter of the plane is looked up in the rest */
    SPLIT_LEAST = 2048, /* a block's header is not for nothing */
    PROBE_LEAST = 512,  /* a plane that is shorter is always tried */
    MATCH_BITS = 20,    /* that one costs, roughly */
    MARGIN = 128,       /* headers, sums, and what may be written over */
    RAW_BITS = 3 + 7 + 32
};

struct plane_deflate {
    z_stream stream; /* raw, for what repeats */
    uint16_t places[1 << HASH_BITS];
    struct deflate_block block;
};

/* A stream while it is made. */
struct output {
    struct bits bits;
    uint8_t *end; /* of the room */
    struct adler sum;
};

struct plane_deflate *plane_deflate_create(unsigned level, struct err *err)
{
    struct plane_deflate *state = calloc(1, sizeof(*state));

    if (state == NULL
        || deflateInit2(&state->stream, (int)level, Z_DEFLATED, -MAX_WBITS, MAX_MEM_LEVEL - 1,
                        Z_DEFAULT_STRATEGY)
               != Z_OK) {
        free(state);
        err_set(err, ERR_MEMORY, "compressor of level %u", level);
        return NULL;
    }
    return state;
}

void plane_deflate_destroy(struct plane_deflate **state)
{
    if (*state != NULL) {
        deflateEnd(&(*state)->stream);
        free(*state);
        *state = NULL;
    }
}

size_t plane_deflate_bound(size_t size)
{
    return size + MARGIN;
}

static uint64_t load(const uint8_t *bytes)
{
    uint64_t word = 0;

    memcpy(&word, bytes, sizeof(word));
    return word;
}

static uint32_t hash(uint64_t word)
{
    return (uint32_t)(word * UINT64_C(0x9E3779B97F4A7C15) >> (64 - HASH_BITS));
}

static unsigned match_length(const uint8_t *here, const uint8_t *there, size_t most)
{
    unsigned length = 0;

    while (length < most && here[length] == there[length]) {
        length++;
    }
    return length;
}

/* The bits that zlib's matches would save in the last quarter of the bytes, where literals take
 * so many bits / 16, are worth its time. */
static bool is_repetitive(struct plane_deflate *state, const uint8_t *bytes, size_t size,
                          uint64_t literal_bits_q4)
{
    size_t from = size - size / PROBE_PART;
    size_t remembered = 0;
    const uint64_t match_bits_q4 = UINT64_C(16) * MATCH_BITS;
    uint64_t shortest = match_bits_q4 / (literal_bits_q4 + 1) + 1;
    uint64_t mask = shortest < 8 ? (UINT64_C(1) << 8 * shortest) - 1 : UINT64_MAX;
    uint64_t saved_q4 = 0;

    if (size < PROBE_LEAST || shortest > DEFLATE_MAX_MATCH) {
        return size < PROBE_LEAST;
    }
    memset(state->places, 0, sizeof(state->places));
    for (size_t at = from; at + sizeof(mask) <= size;) {
        uint64_t word = load(bytes + at) & mask;
        size_t place = 0;
        size_t most = size - at < DEFLATE_MAX_MATCH ? size - at : DEFLATE_MAX_MATCH;

        for (; remembered + PROBE_STEP <= at; remembered += PROBE_STEP) {
            state->places[hash(load(bytes + remembered) & mask)] = (uint16_t)remembered;
        }
        place = state->places[hash(word)];
        if ((load(bytes + place) & mask) == word) {
            unsigned length = match_length(bytes + at, bytes + place, most);
            uint64_t gain_q4 = length * literal_bits_q4;

            saved_q4 += gain_q4 > match_bits_q4 ? gain_q4 - match_bits_q4 : 0;
            at += length;
        } else {
            at++;
        }
    }
    return saved_q4 * 16 > literal_bits_q4 * (size - from); /* a sixteenth */
}

static size_t room(const struct output *output)
{
    return (size_t)(output->end - output->bits.at);
}

static bool put_raw(struct output *output, const uint8_t *bytes, size_t size)
{
    struct bits *bits = &output->bits;

    if (room(output) < size + MARGIN / 2) {
        return false;
    }
    bits_put(bits, 0, 3);
    bits_align(bits);
    bits_put(bits, size, 16);
    bits_put(bits, ~size & 0xFFFF, 16);
    memcpy(bits->at, bytes, size);
    bits->at += size;
    return true;
}

/* False when it would be no smaller than `best_bits`; nothing is written then. */
static bool put_by_zlib(struct plane_deflate *state, struct output *output,
                        const uint8_t *bytes, size_t size, uint64_t best_bits)
{
    z_stream *stream = &state->stream;
    struct bits before = output->bits;
    struct bits *bits = &output->bits;
    size_t most = (size_t)(best_bits / 8);

    if (room(output) < MARGIN) {
        return false;
    }
    bits_put(bits, 0, 3); /* an empty raw block, behind which zlib's begin with a byte */
    bits_align(bits);
    bits_put(bits, UINT32_C(0xFFFF0000), 32);
    if (room(output) - MARGIN / 2 < most) {
        most = room(output) - MARGIN / 2;
    }
    deflateReset(stream);
    stream->next_in = (Bytef *)(uintptr_t)bytes;
    stream->avail_in = (uInt)size;
    stream->next_out = bits->at;
    stream->avail_out = (uInt)most;
    if (deflate(stream, Z_SYNC_FLUSH) != Z_OK || stream->avail_in != 0
        || stream->avail_out == 0) {
        *bits = before;
        return false;
    }
    bits->at = stream->next_out;
    return true;
}

static bool is_constant(const uint8_t *bytes, size_t size)
{
    return memcmp(bytes, bytes + 1, size - 1) == 0;
}

static bool put_planned(const struct deflate_block *block, struct output *output)
{
    if (block->cost_bits >= 8 * (uint64_t)block->size + RAW_BITS) {
        return put_raw(output, block->bytes, block->size);
    }
    if (room(output) < block->cost_bits / 8 + MARGIN / 2) {
        return false;
    }
    deflate_block_put(block, &output->bits);
    return true;
}

static size_t quarter_size(size_t size, unsigned quarter)
{
    size_t part = size / DEFLATE_QUARTERS;

    return quarter + 1 < DEFLATE_QUARTERS ? part : size - quarter * part;
}

/* Bits that the quarters take, each as a block. */
static uint64_t cost_of_quarters(struct deflate_block *block, const uint8_t *bytes, size_t size)
{
    uint64_t cost = 0;

    for (unsigned q = 0; q < DEFLATE_QUARTERS; q++) {
        deflate_block_plan(block, bytes + q * (size / DEFLATE_QUARTERS), quarter_size(size, q));
        cost += block->cost_bits;
    }
    return cost;
}

static bool put_quarters(struct deflate_block *block, struct output *output,
                         const uint8_t *bytes, size_t size)
{
    for (unsigned q = 0; q < DEFLATE_QUARTERS; q++) {
        deflate_block_plan(block, bytes + q * (size / DEFLATE_QUARTERS), quarter_size(size, q));
        if (!put_planned(block, output)) {
            return false;
        }
    }
    return true;
}

static bool put_block(struct plane_deflate *state, struct output *output, const uint8_t *bytes,
                      size_t size)
{
    struct deflate_block *block = &state->block;
    uint64_t raw_bits = 8 * (uint64_t)size + RAW_BITS;
    uint64_t whole_bits = 0;
    uint64_t best_bits = 0;

    if (is_constant(bytes, size)) {
        adler_add_repeated(&output->sum, bytes, 1, size);
        deflate_block_plan_run(block, bytes, size);
        return put_planned(block, output);
    }
    adler_add(&output->sum, bytes, size);
    deflate_block_plan(block, bytes, size);
    whole_bits = block->cost_bits;
    best_bits = whole_bits < raw_bits ? whole_bits : raw_bits;
    if (size >= SPLIT_LEAST && deflate_block_drifts(block)) {
        uint64_t split_bits = cost_of_quarters(block, bytes, size);

        best_bits = split_bits < best_bits ? split_bits : best_bits;
    }
    if (is_repetitive(state, bytes, size, best_bits * 16 / size)
        && put_by_zlib(state, output, bytes, size, best_bits)) {
        return true;
    }
    if (best_bits < whole_bits && best_bits < raw_bits) {
        return put_quarters(block, output, bytes, size);
    }
    if (block->size != size) {
        deflate_block_plan(block, bytes, size);
    }
    return put_planned(block, output);
}

/* Planes that all are of the same byte share a block; others have their own, or several. */
static size_t block_size(const uint8_t *planes, size_t at, size_t plane_size, size_t end)
{
    size_t size = plane_size - at % plane_size;

    if (size > DEFLATE_BLOCK_BYTES) {
        return DEFLATE_BLOCK_BYTES;
    }
    if (!is_constant(planes + at, size)) {
        return size;
    }
    while (at + size < end && size + plane_size <= DEFLATE_BLOCK_BYTES
           && planes[at + size] == planes[at] && is_constant(planes + at + size, plane_size)) {
        size += plane_size;
    }
    return size;
}

size_t plane_deflate(struct plane_deflate *state, const uint8_t *planes, size_t plane_size,
                     size_t n_planes, uint8_t *out, size_t capacity)
{
    struct output output = { .bits = { .at = out },
                             .end = out + capacity,
                             .sum = { .low = 1 } };
    size_t whole = plane_size * n_planes;

    if (capacity < MARGIN) {
        return 0;
    }
    bits_put(&output.bits, 0x0178, 16); /* CMF 0x78, FLG 0x01: a window of 32 KiB */
    for (size_t at = 0; at < whole;) {
        size_t size = block_size(planes, at, plane_size, whole);

        if (!put_block(state, &output, planes + at, size)) {
            return 0;
        }
        at += size;
    }
    bits_put(&output.bits, 3, 10); /* the last block, empty */
    bits_align(&output.bits);
    adler_put(&output.sum, &output.bits);
    return (size_t)(output.bits.at - out) < whole ? (size_t)(output.bits.at - out) : 0;
}
