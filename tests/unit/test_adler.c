/* SPDX-License-Identifier: MIT */
/* The sum of RFC 1950, 8.2, byte by byte beside ours. */
#include "common/adler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum {
    PRIME = 65521
};

static void add_slowly(struct adler *sum, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        sum->low = (sum->low + bytes[i]) % PRIME;
        sum->high = (sum->high + sum->low) % PRIME;
    }
}

static void expect_equal(const struct adler *sum, const struct adler *wanted)
{
    assert_int_equal(sum->low, wanted->low);
    assert_int_equal(sum->high, wanted->high);
}

static void test_a_known_sum(void **state)
{
    struct adler sum = { .low = 1 };
    uint8_t out[4 + BITS_SLACK] = { 0 };
    struct bits bits = { .at = out };

    (void)state;
    adler_add(&sum, (const uint8_t *)"Wiki", 4);
    adler_add(&sum, (const uint8_t *)"pedia", 5);
    adler_put(&sum, &bits);
    assert_memory_equal(out, "\x11\xE6\x03\x98", 4);
    assert_ptr_equal(bits.at, out + 4);
}

static void test_portions_do_not_matter(void **state)
{
    static const size_t SIZES[] = { 0, 1, 2, 15, 16, 17, 5551, 5552, 5553, 20000 };
    static uint8_t bytes[20000];
    struct adler sum = { .low = 1 };
    struct adler wanted = { .low = 1 };

    (void)state;
    memset(bytes, 0xFF, sizeof(bytes));
    for (size_t i = 0; i < sizeof(SIZES) / sizeof(SIZES[0]); i++) {
        adler_add(&sum, bytes, SIZES[i]);
        add_slowly(&wanted, bytes, SIZES[i]);
        expect_equal(&sum, &wanted);
    }
}

static void test_repeated_bytes_are_looked_at_once(void **state)
{
    static const size_t SIZES[] = { 1, 2, 16, 251, 4096 };
    static const size_t TIMES[] = { 0, 1, 2, 3, 100, 1000, 65521, 65522 };
    static uint8_t bytes[4096];

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(255 - i % 7);
    }
    for (size_t i = 0; i < sizeof(SIZES) / sizeof(SIZES[0]); i++) {
        for (size_t k = 0; k < sizeof(TIMES) / sizeof(TIMES[0]); k++) {
            struct adler sum = { .low = 65520, .high = 65519 };
            struct adler wanted = sum;

            if (SIZES[i] * TIMES[k] > 20000000) {
                continue;
            }
            adler_add_repeated(&sum, bytes, SIZES[i], TIMES[k]);
            for (size_t n = 0; n < TIMES[k]; n++) {
                add_slowly(&wanted, bytes, SIZES[i]);
            }
            expect_equal(&sum, &wanted);
        }
    }
}

/* At the limits that the header gives, against the same sum in two steps. */
static void test_large_repetitions(void **state)
{
    static const uint8_t BYTE = 0xFF;
    const size_t times = (1u << 28) - 1;
    struct adler sum = { .low = 1 };
    struct adler wanted = { .low = 1 };

    (void)state;
    adler_add_repeated(&sum, &BYTE, 1, times);
    for (size_t n = 0; n < times; n++) {
        wanted.low += BYTE;
        wanted.low -= wanted.low >= PRIME ? PRIME : 0;
        wanted.high += wanted.low;
        wanted.high -= wanted.high >= PRIME ? PRIME : 0;
    }
    expect_equal(&sum, &wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_known_sum),
        cmocka_unit_test(test_portions_do_not_matter),
        cmocka_unit_test(test_repeated_bytes_are_looked_at_once),
        cmocka_unit_test(test_large_repetitions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
