/* SPDX-License-Identifier: MIT */
/* Blocks that zlib unpacks to what they were made from, as large as was said. */
#include "common/deflate_block.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

enum {
    ROOM = 3 * DEFLATE_BLOCK_BYTES
};

static uint8_t bytes[DEFLATE_BLOCK_BYTES];

/* Writes the block and an empty last one behind it, and has zlib read both. */
static void expect_unpacks(const struct deflate_block *block, size_t size)
{
    uint8_t *packed = calloc(1, ROOM);
    uint8_t *unpacked = calloc(1, DEFLATE_BLOCK_BYTES + 1);
    struct bits bits = { .at = packed };
    z_stream stream = { 0 };

    assert_non_null(packed);
    assert_non_null(unpacked);
    deflate_block_put(block, &bits);
    assert_int_equal((uint64_t)(bits.at - packed) * 8 + bits.n_held, block->cost_bits);
    bits_put(&bits, 1, 3); /* the last one, stored */
    bits_align(&bits);
    bits_put(&bits, 0xFFFF0000, 32);
    assert_int_equal(inflateInit2(&stream, -MAX_WBITS), Z_OK);
    stream.next_in = packed;
    stream.avail_in = (uInt)(bits.at - packed);
    stream.next_out = unpacked;
    stream.avail_out = DEFLATE_BLOCK_BYTES + 1;
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.total_out, size);
    assert_int_equal(stream.avail_in, 0);
    inflateEnd(&stream);
    assert_memory_equal(unpacked, bytes, size);
    free(packed);
    free(unpacked);
}

static uint64_t pack(size_t size)
{
    struct deflate_block *block = calloc(1, sizeof(*block));
    uint64_t cost_bits = 0;

    assert_non_null(block);
    deflate_block_plan(block, bytes, size);
    expect_unpacks(block, size);
    cost_bits = block->cost_bits;
    free(block);
    return cost_bits;
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

static void fill_noise(unsigned n_values, uint32_t seed)
{
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(next_random(&seed) % n_values);
    }
}

static const size_t SIZES[] = { 1, 2, 3, 4, 5, 7, 8, 9, 100, 10000, DEFLATE_BLOCK_BYTES };

static void test_noise_of_few_and_many_values(void **state)
{
    static const unsigned N_VALUES[] = { 1, 2, 3, 17, 255, 256 };

    (void)state;
    for (size_t i = 0; i < sizeof(N_VALUES) / sizeof(N_VALUES[0]); i++) {
        fill_noise(N_VALUES[i], 1);
        for (size_t k = 0; k < sizeof(SIZES) / sizeof(SIZES[0]); k++) {
            pack(SIZES[k]);
        }
    }
    /* 4 bits a value, some 5 because the end has a code too, and a header */
    fill_noise(16, 2);
    assert_in_range(pack(10000), 40000, 41500);
}

/* Runs of every length up to beyond what one code can tell, and of random ones. */
static void test_runs(void **state)
{
    uint32_t seed = 3;

    (void)state;
    for (unsigned length = 1; length <= 1100; length += length < 30 ? 1 : 19) {
        for (size_t i = 0; i < sizeof(bytes); i++) {
            bytes[i] = (uint8_t)(i / length);
        }
        pack(20000);
    }
    for (unsigned turn = 0; turn < 20; turn++) {
        size_t at = 0;

        while (at < sizeof(bytes)) {
            size_t length = next_random(&seed) % (1u << next_random(&seed) % 12) + 1;

            length = length < sizeof(bytes) - at ? length : sizeof(bytes) - at;
            memset(bytes + at, (int)(next_random(&seed) % 256), length);
            at += length;
        }
        pack(sizeof(bytes));
    }
    /* 40 bytes alike, again and again, are hardly more than their number */
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i / 40 * 77);
    }
    assert_in_range(pack(sizeof(bytes)), 1, 16 * sizeof(bytes) / 40);
}

/* Ever rarer values, so that codes become as long as they may. */
static void test_rare_values(void **state)
{
    size_t at = 0;

    (void)state;
    for (unsigned value = 0; value < 256 && at < sizeof(bytes); value++) {
        size_t count = value < 15 ? (size_t)1 << (15 - value) : 1;

        count = count < sizeof(bytes) - at ? count : sizeof(bytes) - at;
        for (size_t i = 0; i < count; i++) {
            bytes[(at + i) * 7919 % sizeof(bytes)] = (uint8_t)value;
        }
        at += count;
    }
    pack(sizeof(bytes));
}

static void test_bytes_known_to_be_alike(void **state)
{
    struct deflate_block *block = calloc(1, sizeof(*block));

    (void)state;
    assert_non_null(block);
    memset(bytes, 0xA5, sizeof(bytes));
    for (size_t size = 1; size <= 800; size++) {
        deflate_block_plan_run(block, bytes, size);
        expect_unpacks(block, size);
    }
    deflate_block_plan_run(block, bytes, sizeof(bytes));
    expect_unpacks(block, sizeof(bytes));
    assert_in_range(block->cost_bits, 1, 1000);
    free(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_noise_of_few_and_many_values),
        cmocka_unit_test(test_runs),
        cmocka_unit_test(test_rare_values),
        cmocka_unit_test(test_bytes_known_to_be_alike),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
