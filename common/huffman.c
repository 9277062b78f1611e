/* SPDX-License-Identifier: MIT */
#include "common/huffman.h"

#include "common/bits.h"

#include <stdbool.h>
#include <string.h>

enum {
    SYMBOL_BITS = 9,
    SYMBOL_MASK = (1 << SYMBOL_BITS) - 1
};

/* Count and symbol in one word, so that sorting words sorts by count. */
static unsigned list_symbols(const uint32_t *counts, unsigned n_symbols, uint32_t *leaves)
{
    unsigned n_leaves = 0;

    for (unsigned i = 0; i < n_symbols; i++) {
        if (counts[i] != 0) {
            leaves[n_leaves++] = counts[i] << SYMBOL_BITS | i;
        }
    }
    return n_leaves;
}

/* Shell's sort: few words, no calls. */
static void sort(uint32_t *words, unsigned count)
{
    static const unsigned gaps[] = { 132, 57, 23, 10, 4, 1 };

    for (unsigned g = 0; g < sizeof(gaps) / sizeof(gaps[0]); g++) {
        unsigned gap = gaps[g];

        for (unsigned i = gap; i < count; i++) {
            uint32_t word = words[i];
            unsigned at = i;

            while (at >= gap && words[at - gap] > word) {
                words[at] = words[at - gap];
                at -= gap;
            }
            words[at] = word;
        }
    }
}

/* Depth of every leaf; leaves and inner nodes are two queues that each rise by themselves.
 * Returns the largest. */
static unsigned find_depths(const uint32_t *leaves, unsigned n_leaves, uint8_t *depths)
{
    uint32_t weight[HUFFMAN_SYMBOLS];
    uint16_t parent[2 * HUFFMAN_SYMBOLS] = { 0 };
    uint8_t inner_depth[HUFFMAN_SYMBOLS];
    unsigned leaf = 0;
    unsigned inner = 0;
    unsigned deepest = 0;

    for (unsigned made = 0; made + 1 < n_leaves; made++) {
        uint32_t sum = 0;

        for (int side = 0; side < 2; side++) {
            bool takes_leaf =
                leaf < n_leaves
                && (inner == made || leaves[leaf] >> SYMBOL_BITS <= weight[inner]);

            sum += takes_leaf ? leaves[leaf] >> SYMBOL_BITS : weight[inner];
            parent[takes_leaf ? leaf++ : HUFFMAN_SYMBOLS + inner++] = (uint16_t)made;
        }
        weight[made] = sum;
    }
    inner_depth[n_leaves - 2] = 0;
    for (unsigned i = n_leaves - 2; i-- > 0;) {
        inner_depth[i] = (uint8_t)(inner_depth[parent[HUFFMAN_SYMBOLS + i]] + 1);
    }
    for (unsigned i = 0; i < n_leaves; i++) {
        depths[i] = (uint8_t)(inner_depth[parent[i]] + 1);
        deepest = depths[i] > deepest ? depths[i] : deepest;
    }
    return deepest;
}

static void assign_codes(struct huffman *huffman, unsigned n_symbols)
{
    uint16_t next[HUFFMAN_BITS + 2] = { 0 };
    uint16_t n_of_length[HUFFMAN_BITS + 1] = { 0 };

    for (unsigned i = 0; i < n_symbols; i++) {
        n_of_length[huffman->lengths[i]]++;
    }
    n_of_length[0] = 0;
    for (unsigned bits = 1; bits <= HUFFMAN_BITS; bits++) {
        next[bits] = (uint16_t)((next[bits - 1] + n_of_length[bits - 1]) << 1);
    }
    for (unsigned i = 0; i < n_symbols; i++) {
        unsigned length = huffman->lengths[i];

        if (length != 0) {
            huffman->codes[i] = (uint16_t)bits_reverse(next[length]++, length);
        }
    }
}

void huffman_build(struct huffman *huffman, const uint32_t *counts, unsigned n_symbols,
                   unsigned max_bits)
{
    uint32_t leaves[HUFFMAN_SYMBOLS];
    uint8_t depths[HUFFMAN_SYMBOLS];
    unsigned n_leaves = list_symbols(counts, n_symbols, leaves);

    memset(huffman, 0, sizeof(*huffman));
    if (n_leaves == 1) {
        huffman->lengths[leaves[0] & SYMBOL_MASK] = 1;
    } else if (n_leaves > 1) {
        sort(leaves, n_leaves);
        /* Halving brings the counts closer together, which makes the tree less deep. */
        while (find_depths(leaves, n_leaves, depths) > max_bits) {
            for (unsigned i = 0; i < n_leaves; i++) {
                uint32_t count = leaves[i] >> SYMBOL_BITS;

                leaves[i] = (count + 1) / 2 << SYMBOL_BITS | (leaves[i] & SYMBOL_MASK);
            }
        }
        for (unsigned i = 0; i < n_leaves; i++) {
            huffman->lengths[leaves[i] & SYMBOL_MASK] = depths[i];
        }
    }
    assign_codes(huffman, n_symbols);
}

uint64_t huffman_cost(const struct huffman *huffman, const uint32_t *counts, unsigned n_symbols)
{
    uint64_t cost = 0;

    for (unsigned i = 0; i < n_symbols; i++) {
        cost += (uint64_t)counts[i] * huffman->lengths[i];
    }
    return cost;
}
