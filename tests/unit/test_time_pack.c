/* SPDX-License-Identifier: MIT */
#include "common/time_pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

enum {
    PLANES_BYTES = TIME_PACK_SAMPLES * 8
};

static size_t check(uint64_t first_ns)
{
    uint8_t *packed = malloc(TIME_PACK_BYTES);
    uint8_t *planes = malloc(PLANES_BYTES);
    uLongf got = PLANES_BYTES;
    size_t size = 0;

    assert_non_null(packed);
    assert_non_null(planes);
    size = time_pack(first_ns, packed);
    assert_in_range(size, 1, TIME_PACK_BYTES);
    assert_int_equal(uncompress(planes, &got, packed, size), Z_OK); /* its sum is right, too */
    assert_int_equal(got, PLANES_BYTES);
    for (uint64_t i = 0; i < TIME_PACK_SAMPLES; i++) {
        uint64_t stamp = 0;

        for (unsigned p = 0; p < 8; p++) {
            stamp |= (uint64_t)planes[(size_t)p * TIME_PACK_SAMPLES + i] << 8 * p;
        }
        assert_true(stamp == first_ns + i * 10000);
    }
    free(planes);
    free(packed);
    return size;
}

static void test_zlib_unpacks_every_stamp(void **state)
{
    static const uint64_t firsts[] = { 0,          1,         1795852800000000000u,
                                       UINT64_MAX, INT64_MAX, 1795852800123450000u };
    uint64_t random = 3;

    (void)state;
    for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
        check(firsts[i]);
    }
    for (int i = 0; i < 60; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        check(random);
    }
}

static void test_it_is_smaller_than_zlibs_fastest(void **state)
{
    uint64_t T_ns = 1795852800000000000u;

    (void)state;
    for (uint64_t k = 0; k < 50; k++) {
        assert_in_range(check(T_ns + k * 100000000), 1, 3700); /* zlib's level 1: 3 800 */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zlib_unpacks_every_stamp),
        cmocka_unit_test(test_it_is_smaller_than_zlibs_fastest),
    };

    return cmocka_run_group_tests_name("time_pack", tests, NULL, NULL);
}
