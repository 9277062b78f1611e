/* SPDX-License-Identifier: MIT */
/* LZF against an encoder of the test's own, and against noise. */
#include "common/lzf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    MAX_BYTES = 30000,
    MAX_DISTANCE = 8192,
    MAX_LENGTH = 264
};

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

static size_t match_length(const uint8_t *data, size_t size, size_t at, size_t from)
{
    size_t length = 0;

    while (at + length < size && length < MAX_LENGTH
           && data[from + length] == data[at + length]) {
        length++;
    }
    return length;
}

/* Literal runs and matches as they come; not small, but every form occurs. */
static size_t encode(const uint8_t *data, size_t size, uint64_t *random, uint8_t *out)
{
    size_t used = 0;

    for (size_t at = 0; at < size;) {
        size_t window = at < MAX_DISTANCE ? at : MAX_DISTANCE;
        size_t distance = window == 0 ? 0 : 1 + next_random(random) % window;
        size_t length = distance == 0 ? 0 : match_length(data, size, at, at - distance);

        if (length >= 3) {
            size_t code = length - 2;
            size_t high = (distance - 1) >> 8;

            out[used++] = (uint8_t)((code < 7 ? code : 7) << 5 | high);
            if (code >= 7) {
                out[used++] = (uint8_t)(code - 7);
            }
            out[used++] = (uint8_t)(distance - 1);
            at += length;
            continue;
        }
        length = 1 + next_random(random) % 32;
        length = length < size - at ? length : size - at;
        out[used++] = (uint8_t)(length - 1);
        memcpy(out + used, data + at, length);
        used += length;
        at += length;
    }
    return used;
}

static void test_what_was_encoded_comes_back(void **state)
{
    uint64_t random = 5;

    (void)state;
    for (int round = 0; round < 60; round++) {
        size_t size = 1 + next_random(&random) % MAX_BYTES;
        unsigned kinds = 1 + (unsigned)(next_random(&random) % 4);
        uint8_t *data = malloc(size);
        uint8_t *packed = malloc(2 * size + 2);
        uint8_t *back = malloc(size);
        size_t packed_size = 0;

        assert_non_null(data);
        assert_non_null(packed);
        assert_non_null(back);
        for (size_t i = 0; i < size; i++) {
            data[i] = (uint8_t)(next_random(&random) % kinds);
        }
        packed_size = encode(data, size, &random, packed);
        assert_int_equal(lzf_decode(packed, packed_size, back, size), size);
        assert_memory_equal(data, back, size);
        assert_int_equal(lzf_decode(packed, packed_size, back, size - 1), 0);
        free(back);
        free(packed);
        free(data);
    }
}

static void test_known_bytes(void **state)
{
    static const uint8_t packed[] = { 2, 'a', 'b', 'c', 0x20, 2, 0xE0, 1, 0, 0, 'z' };
    uint8_t out[32];

    (void)state;
    assert_int_equal(lzf_decode(packed, sizeof(packed), out, sizeof(out)), 17);
    assert_memory_equal(out, "abcabccccccccccccz", 6);
    assert_memory_equal(out + 6, "cccccccccc", 10);
    assert_int_equal(out[16], 'z');
}

static void test_malformed_data_is_refused(void **state)
{
    static const struct {
        uint8_t bytes[4];
        size_t size;
    } cases[] = {
        {{ 3, 'a' },           2}, /* literals that are not there */
        { { 0x20, 0 },         2}, /* a match before anything */
        { { 0, 'a', 0x20, 1 }, 4}, /* further back than the beginning */
        { { 0, 'a', 0x20 },    3}, /* no distance */
        { { 0, 'a', 0xE0 },    3}, /* no length */
        { { 0, 'a', 0xE0, 1 }, 4}, /* no distance behind the length */
    };
    uint8_t out[512];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(lzf_decode(cases[i].bytes, cases[i].size, out, sizeof(out)), 0);
    }
    assert_int_equal(lzf_decode(cases[0].bytes, 0, out, sizeof(out)), 0);
}

static void test_noise_stays_in_bounds(void **state)
{
    uint64_t random = 17;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t size = 1 + next_random(&random) % 60;
        size_t capacity = 1 + next_random(&random) % 200;
        uint8_t *data = malloc(size);
        uint8_t *out = malloc(capacity);

        assert_non_null(data);
        assert_non_null(out);
        for (size_t i = 0; i < size; i++) {
            data[i] = (uint8_t)next_random(&random);
        }
        assert_in_range(lzf_decode(data, size, out, capacity), 0, capacity);
        free(out);
        free(data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_encoded_comes_back),
        cmocka_unit_test(test_known_bytes),
        cmocka_unit_test(test_malformed_data_is_refused),
        cmocka_unit_test(test_noise_stays_in_bounds),
    };

    return cmocka_run_group_tests_name("lzf", tests, NULL, NULL);
}
