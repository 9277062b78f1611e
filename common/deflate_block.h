/* SPDX-License-Identifier: MIT */
/* One block of deflate (RFC 1951) from bytes that are noise or stay the same: literals under a
 * Huffman code of their own, and runs of a byte. No search for what repeats otherwise. */
#ifndef COMMON_DEFLATE_BLOCK_H
#define COMMON_DEFLATE_BLOCK_H

#include "common/bits.h"
#include "common/deflate_code.h"
#include "common/huffman.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DEFLATE_QUARTERS = 4,
    DEFLATE_BLOCK_BYTES = 65535,
    DEFLATE_BLOCK_RUNS = DEFLATE_BLOCK_BYTES / (DEFLATE_MIN_MATCH + 1) + 1
};

/* Bytes [start, start + length) are the same; the first of them stays a literal. */
struct deflate_run {
    uint16_t start;
    uint16_t length;
};

/* How the code lengths of the block are told. */
struct deflate_header {
    uint8_t symbols[DEFLATE_N_SYMBOLS + 1];
    uint8_t extras[DEFLATE_N_SYMBOLS + 1];
    unsigned n_symbols;
    unsigned n_lengths;
    unsigned n_order;
    struct huffman huffman;
};

struct deflate_block {
    const uint8_t *bytes; /* a loan until it is written */
    size_t size;
    uint64_t cost_bits; /* of the whole block */
    uint32_t counts[HUFFMAN_SYMBOLS];
    uint32_t quarters[DEFLATE_QUARTERS][256]; /* of the bytes alone */
    unsigned n_runs;
    struct deflate_run runs[DEFLATE_BLOCK_RUNS];
    struct huffman huffman;
    struct deflate_header header;
};

/* Looks at 1 to DEFLATE_BLOCK_BYTES bytes and finds how to write them; cost_bits is exact. */
void deflate_block_plan(struct deflate_block *block, const uint8_t *bytes, size_t size);

/* After deflate_block_plan: the bytes change so much on their way that each quarter would be
 * better off with a block of its own. */
bool deflate_block_drifts(const struct deflate_block *block);

/* The same as deflate_block_plan for bytes that are known to be all alike. */
void deflate_block_plan_run(struct deflate_block *block, const uint8_t *bytes, size_t size);

/* Writes it, not as the last block of its stream. */
void deflate_block_put(const struct deflate_block *block, struct bits *bits);

#endif
