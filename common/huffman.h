/* SPDX-License-Identifier: MIT */
/* Huffman codes as deflate has them (RFC 1951, 3.2.2): canonical, of limited length. */
#ifndef COMMON_HUFFMAN_H
#define COMMON_HUFFMAN_H

#include <stdint.h>

enum {
    HUFFMAN_SYMBOLS = 288, /* at most */
    HUFFMAN_BITS = 15      /* at most */
};

struct huffman {
    uint8_t lengths[HUFFMAN_SYMBOLS]; /* bits; 0: the symbol does not occur */
    uint16_t codes[HUFFMAN_SYMBOLS];  /* lowest bit first in the stream */
};

/* Codes for symbols that occur so often; the sum of counts is below 2^22. Optimal, or nearly so
 * when the limit cuts codes that would be longer than max_bits. A symbol that is alone gets
 * one bit. */
void huffman_build(struct huffman *huffman, const uint32_t *counts, unsigned n_symbols,
                   unsigned max_bits);

/* Bits that all of them take. */
uint64_t huffman_cost(const struct huffman *huffman, const uint32_t *counts,
                      unsigned n_symbols);

#endif
