/* SPDX-License-Identifier: MIT */
/* zlib unpacks whatever was packed, and would seldom have packed it better. */
#include "common/plane_deflate.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

enum {
    ROWS = 10000,
    MOST = 300000,
};

static uint64_t seed = 1;

static uint32_t random_bits(unsigned count)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return count == 0 ? 0 : (uint32_t)(seed >> (64 - count));
}

/* Exact: what comes out is what went in, and nothing is written behind the room. */
static size_t check(struct plane_deflate *state, const uint8_t *planes, size_t plane_size,
                    size_t n_planes)
{
    static uint8_t back[MOST];
    size_t whole = plane_size * n_planes;
    size_t room = plane_deflate_bound(whole);
    uint8_t *out = malloc(room + 1);
    uLongf got = sizeof(back);
    size_t size = 0;

    assert_non_null(out);
    out[room] = 0xA5;
    size = plane_deflate(state, planes, plane_size, n_planes, out, room);
    assert_int_equal(out[room], 0xA5);
    assert_true(size < whole || size == 0);
    if (size > 0) {
        assert_int_equal(uncompress(back, &got, out, size), Z_OK);
        assert_int_equal(got, whole);
        assert_memory_equal(back, planes, whole);
    }
    free(out);
    return size > 0 ? size : whole;
}

static size_t zlib_size(const uint8_t *planes, size_t whole, int level)
{
    static uint8_t out[MOST * 2];
    uLongf size = sizeof(out);

    assert_int_equal(compress2(out, &size, planes, whole, level), Z_OK);
    return size;
}

/* Signals that boards record, or that are hard. */
static uint32_t signal_at(unsigned kind, uint32_t n)
{
    static uint32_t walk = 100000;

    switch (kind) {
    case 0:
        return 77777;
    case 1:
        return 100000 + random_bits(2) - random_bits(2);
    case 2:
        return 0x18600 + random_bits(7);
    case 3:
        return 0x12BFE + random_bits(2); /* across a border of bytes */
    case 4:
        return n % 909 * 200 + random_bits(1);
    case 5:
        return n % 909 * 200;
    case 6:
        return (uint32_t)(120000 + 80000 * sin(n / 3000.0));
    case 7:
        return n % 1000 < 30 ? 150000 + random_bits(3) : 2000;
    case 8:
        walk += random_bits(1) == 0 ? 1u : UINT32_MAX;
        return walk;
    case 9:
        return random_bits(18);
    case 10:
        return random_bits(32);
    case 11:
        return n / 2500 * 70000;
    case 12:
        return 100000 + n / 100 + random_bits(3); /* noise on a slow drift */
    default:
        return n % 5000 * 2654435761u;
    }
}

enum {
    N_SIGNALS = 14
};

static void make_planes(unsigned kind, uint8_t *planes)
{
    for (uint32_t i = 0; i < ROWS; i++) {
        uint32_t word = signal_at(kind, i);

        for (unsigned p = 0; p < 4; p++) {
            planes[p * ROWS + i] = (uint8_t)(word >> 8 * p);
        }
    }
}

static void test_signals_come_back_and_are_small(void **state)
{
    static const int levels[] = { 1, 6, 9 };
    static uint8_t planes[4 * ROWS];
    struct err err = { 0 };

    (void)state;
    for (size_t l = 0; l < sizeof(levels) / sizeof(levels[0]); l++) {
        struct plane_deflate *deflate = plane_deflate_create((unsigned)levels[l], &err);

        assert_non_null(deflate);
        for (unsigned kind = 0; kind < N_SIGNALS; kind++) {
            size_t ours = 0;
            size_t zlibs = 0;

            make_planes(kind, planes);
            ours = check(deflate, planes, ROWS, 4);
            zlibs = zlib_size(planes, sizeof(planes), levels[l]);
            if (ours > zlibs + zlibs / 14 + 64) {
                fail_msg("level %d, signal %u: %zu bytes, zlib makes %zu", levels[l], kind,
                         ours, zlibs);
            }
        }
        plane_deflate_destroy(&deflate);
    }
}

/* What matters most: noise on a level is a good deal smaller than by zlib's fastest. */
static void test_noise_is_coded_close_to_its_entropy(void **state)
{
    static uint8_t planes[4 * ROWS];
    struct err err = { 0 };
    struct plane_deflate *deflate = plane_deflate_create(1, &err);

    (void)state;
    make_planes(1, planes); /* a triangle of 7 values: 2.66 bits each */
    assert_in_range(check(deflate, planes, ROWS, 4), 3320, 3550);
    make_planes(2, planes); /* 7 bits */
    assert_in_range(check(deflate, planes, ROWS, 4), 8750, 9000);
    make_planes(0, planes);
    assert_in_range(check(deflate, planes, ROWS, 4), 1, 130);
    make_planes(12, planes); /* each quarter has 25 of the 100 values that the whole has */
    assert_in_range(check(deflate, planes, ROWS, 4), 1, 6600);
    make_planes(10, planes);
    assert_int_equal(check(deflate, planes, ROWS, 4), sizeof(planes));
    plane_deflate_destroy(&deflate);
}

static void fill(uint8_t *bytes, size_t size)
{
    unsigned kind = random_bits(3);
    unsigned mask_bits = random_bits(3) + 1;
    uint8_t value = 0;

    for (size_t i = 0; i < size; i++) {
        uint32_t dice = random_bits(12);

        switch (kind) {
        case 0:
            value = (uint8_t)random_bits(mask_bits);
            break;
        case 1: /* runs */
            value = dice < 300 ? (uint8_t)random_bits(8) : value;
            break;
        case 2: /* long ones */
            value = dice < 3 ? (uint8_t)random_bits(8) : value;
            break;
        case 3:
            value = i > 37 ? bytes[i - 37] : (uint8_t)dice;
            break;
        case 4: /* nearly */
            value = i > 400 && dice > 9 ? bytes[i - 400] : (uint8_t)dice;
            break;
        case 5: /* skewed: as deep a tree as it gets */
            value = (uint8_t)__builtin_ctz(random_bits(31) | 1u << 30);
            break;
        case 6:
            value = (uint8_t)(i * mask_bits / 7);
            break;
        default:
            value = (uint8_t)(i / 1000 / mask_bits);
        }
        bytes[i] = value;
    }
}

static void test_random_planes_of_all_sizes_come_back(void **state)
{
    static const size_t sizes[] = { 1,     2,     3,     4,      7,      8,
                                    9,     257,   258,   259,    1000,   65534,
                                    65535, 65536, 65537, 131070, 131071, 140000 };
    static uint8_t planes[MOST];
    const char *wish = getenv("BW_PLANES"); // NOLINT(concurrency-mt-unsafe): one thread
    long n_rounds = wish != NULL ? strtol(wish, NULL, 10) : 300;
    struct err err = { 0 };
    struct plane_deflate *deflate = plane_deflate_create(3, &err);

    (void)state;
    for (long round = 0; round < n_rounds; round++) {
        size_t size = round % 3 == 0
                          ? sizes[random_bits(16) % (sizeof(sizes) / sizeof(sizes[0]))]
                          : 1 + random_bits(13);
        size_t n_planes = 1 + random_bits(16) % (MOST / size < 8 ? MOST / size : 8);

        for (size_t p = 0; p < n_planes; p++) {
            fill(planes + p * size, size);
        }
        check(deflate, planes, size, n_planes);
    }
    plane_deflate_destroy(&deflate);
}

/* Quarters of a size that four does not divide. */
static void test_a_drift_of_odd_sizes_comes_back(void **state)
{
    static uint8_t plane[ROWS];
    struct err err = { 0 };
    struct plane_deflate *deflate = plane_deflate_create(1, &err);

    (void)state;
    for (size_t size = ROWS - 5; size < ROWS; size++) {
        for (uint32_t i = 0; i < size; i++) {
            plane[i] = (uint8_t)signal_at(12, i);
        }
        assert_in_range(check(deflate, plane, size, 1), 1, 6600);
    }
    plane_deflate_destroy(&deflate);
}

/* Too little room is an answer, not an overflow. */
static void test_too_little_room_gives_none(void **state)
{
    static uint8_t planes[4 * ROWS];
    struct err err = { 0 };
    struct plane_deflate *deflate = plane_deflate_create(1, &err);

    (void)state;
    for (unsigned kind = 1; kind < N_SIGNALS; kind++) {
        make_planes(kind, planes);
        size_t whole = check(deflate, planes, ROWS, 4);

        for (size_t room = 0; room < whole; room += 97) {
            uint8_t *out = malloc(room + 1);

            assert_non_null(out);
            assert_int_equal(plane_deflate(deflate, planes, ROWS, 4, out, room), 0);
            free(out);
        }
    }
    plane_deflate_destroy(&deflate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signals_come_back_and_are_small),
        cmocka_unit_test(test_noise_is_coded_close_to_its_entropy),
        cmocka_unit_test(test_random_planes_of_all_sizes_come_back),
        cmocka_unit_test(test_a_drift_of_odd_sizes_comes_back),
        cmocka_unit_test(test_too_little_room_gives_none),
    };

    return cmocka_run_group_tests_name("plane_deflate", tests, NULL, NULL);
}
