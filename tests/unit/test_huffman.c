/* SPDX-License-Identifier: MIT */
#include "common/huffman.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A full code (Kraft's sum is 1) within the limit, in which no code begins another. */
static void check(const struct huffman *huffman, const uint32_t *counts, unsigned n_symbols,
                  unsigned max_bits)
{
    uint32_t kraft = 0;

    for (unsigned i = 0; i < n_symbols; i++) {
        assert_int_equal(huffman->lengths[i] != 0, counts[i] != 0);
        assert_in_range(huffman->lengths[i], 0, max_bits);
        kraft += huffman->lengths[i] == 0 ? 0 : 1u << (max_bits - huffman->lengths[i]);
        for (unsigned k = 0; k < i; k++) {
            unsigned shorter = huffman->lengths[i] < huffman->lengths[k] ? huffman->lengths[i]
                                                                         : huffman->lengths[k];
            uint32_t mask = (1u << shorter) - 1;

            if (shorter != 0 && (huffman->codes[i] & mask) == (huffman->codes[k] & mask)) {
                fail_msg("code %u begins like code %u", i, k);
            }
        }
    }
    assert_int_equal(kraft, 1u << max_bits);
}

static void test_frequent_symbols_get_short_codes(void **state)
{
    static const uint32_t counts[5] = { 1, 50, 0, 20, 7 };
    static const uint8_t lengths[5] = { 3, 1, 0, 2, 3 };
    struct huffman huffman;

    (void)state;
    huffman_build(&huffman, counts, 5, 15);
    check(&huffman, counts, 5, 15);
    assert_memory_equal(huffman.lengths, lengths, sizeof(lengths));
    assert_int_equal(huffman_cost(&huffman, counts, 5), 3 + 50 + 40 + 21);
    assert_int_equal(huffman.codes[1], 0); /* canonical: 0, 10, 110, 111; lowest bit first */
    assert_int_equal(huffman.codes[3], 1);
    assert_int_equal(huffman.codes[0], 3);
    assert_int_equal(huffman.codes[4], 7);
}

static void test_none_and_one(void **state)
{
    uint32_t counts[HUFFMAN_SYMBOLS] = { 0 };
    struct huffman huffman;

    (void)state;
    huffman_build(&huffman, counts, HUFFMAN_SYMBOLS, 15);
    assert_int_equal(huffman_cost(&huffman, counts, HUFFMAN_SYMBOLS), 0);
    counts[287] = 9;
    huffman_build(&huffman, counts, HUFFMAN_SYMBOLS, 15);
    assert_int_equal(huffman.lengths[287], 1);
    assert_int_equal(huffman_cost(&huffman, counts, HUFFMAN_SYMBOLS), 9);
}

/* Fibonacci's numbers make the deepest tree there is. */
static void test_no_code_is_longer_than_the_limit(void **state)
{
    uint32_t counts[30] = { 1, 1 };
    struct huffman huffman;

    (void)state;
    for (unsigned n = 2; n < 30; n++) {
        counts[n] = counts[n - 1] + counts[n - 2];
    }
    for (unsigned limit = 7; limit <= 15; limit++) {
        huffman_build(&huffman, counts, 28, limit);
        check(&huffman, counts, 28, limit);
    }
}

static void test_random_counts(void **state)
{
    uint64_t random = 5;

    (void)state;
    for (int round = 0; round < 300; round++) {
        uint32_t counts[HUFFMAN_SYMBOLS] = { 0 };
        struct huffman huffman;
        unsigned n_symbols = 0;

        for (unsigned i = 0; i < HUFFMAN_SYMBOLS; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            counts[i] = (uint32_t)(random >> 40 & 0x3FFF) >> (random >> 60);
            counts[i] *= random >> 33 & (unsigned)(round & 1 ? 1 : 3) ? 1 : 0;
            n_symbols += counts[i] != 0;
        }
        if (n_symbols >= 2) {
            huffman_build(&huffman, counts, HUFFMAN_SYMBOLS, 14);
            check(&huffman, counts, HUFFMAN_SYMBOLS, 14);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frequent_symbols_get_short_codes),
        cmocka_unit_test(test_none_and_one),
        cmocka_unit_test(test_no_code_is_longer_than_the_limit),
        cmocka_unit_test(test_random_counts),
    };

    return cmocka_run_group_tests_name("huffman", tests, NULL, NULL);
}
