/* SPDX-License-Identifier: MIT */
#include "common/deflate_block.h"

#include <stdbool.h>
#include <string.h>

enum {
    LITERAL_BITS = 14, /* so that four of them and what is held fit into 64 bits */
    HEADER_BITS = 7,
    N_LITERALS = 256,
    RUN_COST_BITS = 10, /* of a run, roughly */
    BLOCK_BITS = 3 + 5 + 5 + 4
};

/* Of the alphabet that tells code lengths (3.2.7). */
enum {
    REPEAT_LAST = 16,
    ZEROS_FEW = 17,
    ZEROS_MANY = 18,
    N_HEADER_SYMBOLS = 19
};

static const uint8_t HEADER_ORDER[N_HEADER_SYMBOLS] = { 16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                        11, 4,  12, 3, 13, 2, 14, 1, 15 };
static const uint8_t
    HEADER_EXTRA[N_HEADER_SYMBOLS] = { [REPEAT_LAST] = 2, [ZEROS_FEW] = 3, [ZEROS_MANY] = 7 };

/* A table for each quarter, filled in turn: the next byte often is the same, and would wait for
 * its count. */
static void count_bytes(struct deflate_block *block)
{
    const uint8_t *bytes = block->bytes;
    size_t quarter = block->size / DEFLATE_QUARTERS;

    memset(block->quarters, 0, sizeof(block->quarters));
    for (size_t i = 0; i < quarter; i++) {
        block->quarters[0][bytes[i]]++;
        block->quarters[1][bytes[quarter + i]]++;
        block->quarters[2][bytes[2 * quarter + i]]++;
        block->quarters[3][bytes[3 * quarter + i]]++;
    }
    for (size_t i = DEFLATE_QUARTERS * quarter; i < block->size; i++) {
        block->quarters[DEFLATE_QUARTERS - 1][bytes[i]]++;
    }
    memset(block->counts, 0, sizeof(block->counts));
    for (unsigned i = 0; i < N_LITERALS; i++) {
        block->counts[i] = block->quarters[0][i] + block->quarters[1][i] + block->quarters[2][i]
                           + block->quarters[3][i];
    }
}

static uint64_t sum_of_squares(const uint32_t *counts)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < N_LITERALS; i++) {
        sum += (uint64_t)counts[i] * counts[i];
    }
    return sum;
}

/* How probable two bytes of one quarter are the same, beside two of all: a quarter more is a
 * third of a bit a byte. */
bool deflate_block_drifts(const struct deflate_block *block)
{
    uint32_t all[N_LITERALS];
    uint64_t parts = 0;

    for (unsigned i = 0; i < N_LITERALS; i++) {
        all[i] = block->quarters[0][i] + block->quarters[1][i] + block->quarters[2][i]
                 + block->quarters[3][i];
    }
    for (unsigned q = 0; q < DEFLATE_QUARTERS; q++) {
        parts += sum_of_squares(block->quarters[q]);
    }
    return parts * DEFLATE_QUARTERS * 4 > sum_of_squares(all) * 5;
}

/* ---- the code lengths, as the block's header tells them ---- */

static void add_symbol(struct deflate_header *header, uint32_t *counts, unsigned symbol,
                       unsigned extra)
{
    header->symbols[header->n_symbols] = (uint8_t)symbol;
    header->extras[header->n_symbols++] = (uint8_t)extra;
    counts[symbol]++;
}

/* `count` times the same length. */
static void add_lengths(struct deflate_header *header, uint32_t *counts, uint8_t length,
                        unsigned count)
{
    if (length != 0) {
        add_symbol(header, counts, length, 0);
        count--;
    }
    while (count >= 3) {
        unsigned most = length != 0 ? 6 : 138;
        unsigned part = count < most ? count : most;

        if (length != 0) {
            add_symbol(header, counts, REPEAT_LAST, part - 3);
        } else if (part <= 10) {
            add_symbol(header, counts, ZEROS_FEW, part - 3);
        } else {
            add_symbol(header, counts, ZEROS_MANY, part - 11);
        }
        count -= part;
    }
    while (count-- > 0) {
        add_symbol(header, counts, length, 0);
    }
}

/* Returns its bits. */
static uint64_t plan_header(struct deflate_header *header, const uint8_t *lengths)
{
    uint32_t counts[HUFFMAN_SYMBOLS] = { 0 };
    uint64_t cost = BLOCK_BITS;
    unsigned at = 0;

    header->n_symbols = 0;
    header->n_lengths = DEFLATE_N_SYMBOLS;
    while (lengths[header->n_lengths - 1] == 0) {
        header->n_lengths--;
    }
    while (at < header->n_lengths) {
        unsigned end = at + 1;

        while (end < header->n_lengths && lengths[end] == lengths[at]) {
            end++;
        }
        add_lengths(header, counts, lengths[at], end - at);
        at = end;
    }
    add_symbol(header, counts, 1, 0); /* the one distance, of one bit */
    huffman_build(&header->huffman, counts, N_HEADER_SYMBOLS, HEADER_BITS);
    header->n_order = N_HEADER_SYMBOLS;
    while (header->huffman.lengths[HEADER_ORDER[header->n_order - 1]] == 0) {
        header->n_order--;
    }
    for (unsigned i = 0; i < N_HEADER_SYMBOLS; i++) {
        cost += (uint64_t)counts[i] * HEADER_EXTRA[i];
    }
    return cost + 3 * (uint64_t)header->n_order
           + huffman_cost(&header->huffman, counts, N_HEADER_SYMBOLS);
}

static void put_header(const struct deflate_header *header, struct bits *bits)
{
    bits_add(bits, 2 << 1, 3); /* not the last; a code of its own */
    bits_add(bits, header->n_lengths - DEFLATE_FIRST_LENGTH, 5);
    bits_add(bits, 0, 5); /* one distance */
    bits_put(bits, header->n_order - 4, 4);
    for (unsigned i = 0; i < header->n_order; i++) {
        bits_put(bits, header->huffman.lengths[HEADER_ORDER[i]], 3);
    }
    for (unsigned i = 0; i < header->n_symbols; i++) {
        unsigned symbol = header->symbols[i];

        bits_add(bits, header->huffman.codes[symbol], header->huffman.lengths[symbol]);
        bits_put(bits, header->extras[i], HEADER_EXTRA[symbol]);
    }
}

/* ---- runs ---- */

/* Neighbours that are the same are more than chance makes of such counts. */
static bool has_runs(const struct deflate_block *block)
{
    size_t n_equal = 0;

    for (size_t i = 0; i + 1 < block->size; i++) {
        n_equal += block->bytes[i] == block->bytes[i + 1];
    }
    return n_equal > sum_of_squares(block->counts) / block->size + block->size / 16;
}

static size_t run_end(const struct deflate_block *block, size_t at)
{
    uint8_t byte = block->bytes[at];
    uint64_t eight = byte * UINT64_C(0x0101010101010101);
    size_t end = at + 1;

    while (end + 8 <= block->size && memcmp(block->bytes + end, &eight, 8) == 0) {
        end += 8;
    }
    while (end < block->size && block->bytes[end] == byte) {
        end++;
    }
    return end;
}

/* Moves a run's bytes from the literals to the lengths; returns the bits beside the symbols. */
static unsigned count_run(struct deflate_block *block, const struct deflate_run *run)
{
    unsigned left = run->length - 1u;
    unsigned cost = 0;

    block->counts[block->bytes[run->start]] -= left;
    while (left > 0) {
        unsigned part = deflate_part(left);
        struct deflate_length code = deflate_length(part);

        block->counts[code.symbol]++;
        cost += code.n_extra + 1; /* the distance's bit */
        left -= part;
    }
    return cost;
}

/* Those that are long enough to be worth a code, when a literal takes so many bits / 16. */
static unsigned find_runs(struct deflate_block *block, unsigned literal_bits_q4)
{
    size_t shortest = DEFLATE_MIN_MATCH + 1 + RUN_COST_BITS * 16 / (literal_bits_q4 + 1);
    unsigned cost = 0;

    block->n_runs = 0;
    for (size_t at = 0; at + shortest <= block->size;) {
        size_t end = at + 1;

        if (block->bytes[at] != block->bytes[end]) {
            at = end;
            continue;
        }
        end = run_end(block, at);

        if (end - at >= shortest) {
            struct deflate_run *run = &block->runs[block->n_runs++];

            *run = (struct deflate_run){ (uint16_t)at, (uint16_t)(end - at) };
            cost += count_run(block, run);
        }
        at = end;
    }
    return cost;
}

/* ---- the whole block ---- */

static void plan_codes(struct deflate_block *block, unsigned extra_bits)
{
    block->counts[DEFLATE_END_OF_BLOCK] = 1;
    huffman_build(&block->huffman, block->counts, DEFLATE_N_SYMBOLS, LITERAL_BITS);
    block->cost_bits = extra_bits + plan_header(&block->header, block->huffman.lengths)
                       + huffman_cost(&block->huffman, block->counts, DEFLATE_N_SYMBOLS);
}

void deflate_block_plan(struct deflate_block *block, const uint8_t *bytes, size_t size)
{
    block->bytes = bytes;
    block->size = size;
    block->n_runs = 0;
    count_bytes(block);
    plan_codes(block, 0);
    if (has_runs(block)) {
        unsigned extra_bits = find_runs(block, (unsigned)(block->cost_bits * 16 / size));

        plan_codes(block, extra_bits);
    }
}

void deflate_block_plan_run(struct deflate_block *block, const uint8_t *bytes, size_t size)
{
    unsigned extra_bits = 0;

    block->bytes = bytes;
    block->size = size;
    block->n_runs = 0;
    memset(block->counts, 0, sizeof(block->counts));
    block->counts[bytes[0]] = (uint32_t)size;
    if (size > DEFLATE_MIN_MATCH) {
        block->runs[block->n_runs++] = (struct deflate_run){ 0, (uint16_t)size };
        extra_bits = count_run(block, &block->runs[0]);
    }
    plan_codes(block, extra_bits);
}

static void put_literals(const struct deflate_block *block, struct bits *bits, size_t at,
                         size_t end)
{
    const struct huffman *huffman = &block->huffman;
    const uint8_t *bytes = block->bytes;
    struct bits local = *bits; /* in registers */

    for (; at + 4 <= end; at += 4) {
        bits_add(&local, huffman->codes[bytes[at]], huffman->lengths[bytes[at]]);
        bits_add(&local, huffman->codes[bytes[at + 1]], huffman->lengths[bytes[at + 1]]);
        bits_add(&local, huffman->codes[bytes[at + 2]], huffman->lengths[bytes[at + 2]]);
        bits_add(&local, huffman->codes[bytes[at + 3]], huffman->lengths[bytes[at + 3]]);
        bits_flush(&local);
    }
    for (; at < end; at++) {
        bits_put(&local, huffman->codes[bytes[at]], huffman->lengths[bytes[at]]);
    }
    *bits = local;
}

static void put_run(const struct deflate_block *block, struct bits *bits, unsigned length)
{
    while (length > 0) {
        unsigned part = deflate_part(length);
        struct deflate_length code = deflate_length(part);

        bits_add(bits, block->huffman.codes[code.symbol], block->huffman.lengths[code.symbol]);
        bits_add(bits, code.extra, code.n_extra);
        bits_put(bits, 0, 1); /* distance 1 */
        length -= part;
    }
}

void deflate_block_put(const struct deflate_block *block, struct bits *bits)
{
    size_t at = 0;

    put_header(&block->header, bits);
    for (unsigned i = 0; i < block->n_runs; i++) {
        const struct deflate_run *run = &block->runs[i];

        put_literals(block, bits, at, run->start + 1u);
        put_run(block, bits, run->length - 1u);
        at = (size_t)run->start + run->length;
    }
    put_literals(block, bits, at, block->size);
    bits_put(bits, block->huffman.codes[DEFLATE_END_OF_BLOCK],
             block->huffman.lengths[DEFLATE_END_OF_BLOCK]);
}
