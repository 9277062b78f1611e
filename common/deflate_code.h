/* SPDX-License-Identifier: MIT */
/* Numbers of deflate (RFC 1951, 3.2.5) that those share who write it themselves. */
#ifndef COMMON_DEFLATE_CODE_H
#define COMMON_DEFLATE_CODE_H

enum {
    DEFLATE_END_OF_BLOCK = 256,
    DEFLATE_FIRST_LENGTH = 257,
    DEFLATE_N_SYMBOLS = 286, /* literals, the end, and lengths */
    DEFLATE_MIN_MATCH = 3,
    DEFLATE_MAX_MATCH = 258,
};

struct deflate_length {
    unsigned symbol;
    unsigned n_extra; /* bits */
    unsigned extra;
};

/* Lengths are coded in groups of 4 codes, each group with one more extra bit than the one
 * before. */
static inline struct deflate_length deflate_length(unsigned length)
{
    unsigned rest = length - DEFLATE_MIN_MATCH;
    struct deflate_length code = { DEFLATE_N_SYMBOLS - 1, 0, 0 };

    if (length == DEFLATE_MAX_MATCH) {
        return code;
    }
    while (rest >> code.n_extra >= 8) {
        code.n_extra++;
    }
    code.symbol = DEFLATE_FIRST_LENGTH + 4 * code.n_extra + (rest >> code.n_extra);
    code.extra = rest & ((1u << code.n_extra) - 1);
    return code;
}

/* The first of the matches that `length` bytes are divided into: what is left is none, or one
 * that is long enough, too. length >= DEFLATE_MIN_MATCH. */
static inline unsigned deflate_part(unsigned length)
{
    if (length <= DEFLATE_MAX_MATCH) {
        return length;
    }
    return length - DEFLATE_MAX_MATCH < DEFLATE_MIN_MATCH ? length - DEFLATE_MIN_MATCH
                                                          : DEFLATE_MAX_MATCH;
}

#endif
