/* SPDX-License-Identifier: MIT */
#include "common/crc32c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum {
    LONGEST = 7000 /* beyond twice the lanes of the instruction */
};

typedef uint32_t (*crc_fn)(uint32_t crc, const void *data, size_t size);

static const crc_fn WAYS[] = { crc32c, crc32c_portable };

/* Bit by bit, as the polynomial is defined. */
static uint32_t crc_of_bits(uint32_t state, uint8_t byte)
{
    state ^= byte;
    for (int bit = 0; bit < 8; bit++) {
        state = state >> 1 ^ (state & 1 ? 0x82F63B78u : 0);
    }
    return state;
}

static void test_it_matches_the_rfc(void **state)
{
    uint8_t zeros[32] = { 0 };
    uint8_t rising[32];

    (void)state;
    for (uint8_t i = 0; i < 32; i++) {
        rising[i] = i;
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(WAYS[i](0, zeros, 32), 0x8A9136AAu); /* RFC 3720 B.4 */
        assert_int_equal(WAYS[i](0, rising, 32), 0x46DD794Eu);
        assert_int_equal(WAYS[i](0, "123456789", 9), 0xE3069283u);
        assert_int_equal(WAYS[i](WAYS[i](0, rising, 13), rising + 13, 19), 0x46DD794Eu);
    }
}

static void test_any_length_is_as_bit_by_bit(void **state)
{
    static uint8_t bytes[LONGEST + 1];
    uint32_t random = 1;
    uint32_t expected = ~0u;

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        random = random * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(random >> 24);
    }
    for (size_t size = 0; size < LONGEST; size++) {
        assert_int_equal(crc32c(0, bytes + 1, size), ~expected);
        assert_int_equal(crc32c_portable(0, bytes + 1, size), ~expected);
        expected = crc_of_bits(expected, bytes[1 + size]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_matches_the_rfc),
        cmocka_unit_test(test_any_length_is_as_bit_by_bit),
    };

    return cmocka_run_group_tests_name("crc32c", tests, NULL, NULL);
}
