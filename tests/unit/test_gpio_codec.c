/* SPDX-License-Identifier: MIT */
#include "common/gpio_codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    N_EDGES = 2000
};

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 11;
}

/* Encodes into a buffer of exactly the size needed, so that ASan sees one byte too many. */
static void check_round_trip(const struct gpio_edge *edges, size_t count)
{
    size_t bound = gpio_codec_bound(count);
    uint8_t *wide = malloc(bound);
    struct gpio_edge *back = calloc(count, sizeof(*back));
    struct err err = { 0 };
    size_t size = 0;
    uint8_t *exact = NULL;

    assert_non_null(wide);
    assert_non_null(back);
    size = gpio_codec_encode(edges, count, wide, bound);
    assert_in_range(size, 10, bound);
    exact = malloc(size);
    assert_non_null(exact);
    memcpy(exact, wide, size);
    if (gpio_codec_decode(exact, size, back, count, &err) < 0) {
        fail_msg("%s", err.text);
    }
    for (size_t i = 0; i < count; i++) {
        assert_true(back[i].time_ns == edges[i].time_ns);
        assert_int_equal(back[i].value, edges[i].value);
    }
    assert_int_equal(gpio_codec_decode(exact, size, back, count + 1, &err), -1);
    assert_int_equal(gpio_codec_decode(exact, size - 1, back, count, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
    free(exact);
    free(back);
    free(wide);
}

static void test_any_edges_come_back(void **state)
{
    uint64_t random = 7;

    (void)state;
    for (int round = 0; round < 40; round++) {
        struct gpio_edge edges[N_EDGES] = { 0 };
        size_t count = 1 + next_random(&random) % N_EDGES;

        for (size_t i = 0; i < count; i++) {
            /* from steps of some ns to anything that 64 bits can say */
            unsigned shift = (unsigned)(next_random(&random) % 53);

            edges[i].time_ns = (int64_t)(next_random(&random) << 11 >> shift);
            edges[i].value = (uint16_t)next_random(&random);
            if (i > 0 && round % 2 == 0) {
                edges[i].time_ns = edges[i - 1].time_ns + (int64_t)(next_random(&random) % 900);
                edges[i].value = edges[i - 1].value ^ (uint16_t)(1u << random % 16);
                if (round % 4 == 0) {
                    edges[i].value ^= (uint16_t)(1u << (random >> 8) % 16);
                }
            }
        }
        check_round_trip(edges, count);
    }
}

static void test_extremes_come_back(void **state)
{
    static const struct gpio_edge edges[] = {
        {INT64_MIN,                             0     },
        { INT64_MAX,                            0xFFFF},
        { INT64_MAX,                            0x3FFF}, /* two pins, a step of 0 */
        { INT64_MIN,                            0x3FFE},
        { INT64_MIN + (INT64_MAX >> 8),         0xBFFF}, /* the longest step beside two pins */
        { INT64_MIN + 2 * (INT64_MAX >> 8) + 2, 0xFFFE},
        { INT64_MAX,                            0xFFFF},
        { INT64_MIN,                            0xFFFE},
        { -1,                                   0xFFFE},
        { 0,                                    0xFFFF},
    };

    (void)state;
    check_round_trip(edges, ARRAY_LEN(edges));
}

static void test_a_fast_pin_costs_three_bytes_and_a_slow_one_four(void **state)
{
    static struct gpio_edge edges[10000];
    static uint8_t out[10 + 13 * 10000];
    size_t size = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(edges); i++) {
        edges[i].time_ns = INT64_C(1700000000000000000) + (int64_t)i * 1000;
        edges[i].value = (uint16_t)(i % 2);
    }
    size = gpio_codec_encode(edges, ARRAY_LEN(edges), out, sizeof(out));
    assert_in_range(size, 1, 3 * ARRAY_LEN(edges) + 10);
    for (size_t i = 0; i < ARRAY_LEN(edges); i++) {
        edges[i].time_ns = (int64_t)i * 8000000;
    }
    size = gpio_codec_encode(edges, ARRAY_LEN(edges), out, sizeof(out));
    assert_in_range(size, 1, 4 * ARRAY_LEN(edges) + 10);
}

static size_t size_of_pairs(int64_t step_ns)
{
    static struct gpio_edge edges[1000];
    static uint8_t out[10 + 13 * 1000];

    for (size_t i = 0; i < ARRAY_LEN(edges); i++) {
        unsigned low = (unsigned)(i % 15);
        unsigned high = low + 1 + (unsigned)(i % (15 - low));

        edges[i].time_ns = INT64_C(1700000000000000000) + (int64_t)i * step_ns;
        edges[i].value = (uint16_t)(i == 0 ? 0 : edges[i - 1].value ^ 1u << low ^ 1u << high);
    }
    check_round_trip(edges, ARRAY_LEN(edges));
    return gpio_codec_encode(edges, ARRAY_LEN(edges), out, sizeof(out));
}

static void test_two_pins_at_once_cost_three_bytes_or_four(void **state)
{
    (void)state;
    assert_int_equal(size_of_pairs(4095), 10 + 999 * 3);
    assert_int_equal(size_of_pairs(4096), 10 + 999 * 4);
    assert_int_equal(size_of_pairs(524287), 10 + 999 * 4);
    assert_int_equal(size_of_pairs(524288), 10 + 999 * 5);
}

/* Pins 3 and 3, or 4 and 3: no encoder writes that. */
static void test_two_pins_have_one_order(void **state)
{
    uint8_t payload[12] = { 0 };
    struct gpio_edge edges[2];
    struct err err = { 0 };

    (void)state;
    payload[10] = 16 | 3 | 128;
    payload[11] = 4 >> 2; /* the second pin, 4, begins at bit 5 */
    payload[10] |= (4 & 3) << 5;
    assert_int_equal(gpio_codec_decode(payload, 12, edges, 2, &err), 0);
    assert_int_equal(edges[1].value, 0x18);
    payload[10] = (uint8_t)(16 | 4 | 128 | (4 & 3) << 5);
    assert_int_equal(gpio_codec_decode(payload, 12, edges, 2, &err), -1);
    payload[10] = (uint8_t)(16 | 5 | 128 | (4 & 3) << 5);
    assert_int_equal(gpio_codec_decode(payload, 12, edges, 2, &err), -1);
}

static void test_noise_is_refused_or_decoded_within_bounds(void **state)
{
    uint64_t random = 3;
    struct err err = { 0 };
    int n_refused = 0;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t size = next_random(&random) % 64;
        size_t count = next_random(&random) % 20;
        uint8_t *payload = malloc(size + (size == 0));
        struct gpio_edge edges[20];

        assert_non_null(payload);
        for (size_t i = 0; i < size; i++) {
            payload[i] = (uint8_t)next_random(&random);
        }
        n_refused += gpio_codec_decode(payload, size, edges, count, &err) < 0;
        free(payload);
    }
    assert_in_range(n_refused, 1, 20000);
}

static void test_too_little_room_is_no_encoding(void **state)
{
    struct gpio_edge edge = { 1, 2 };
    uint8_t out[64];

    (void)state;
    assert_int_equal(gpio_codec_encode(&edge, 1, out, gpio_codec_bound(1) - 1), 0);
    assert_int_equal(gpio_codec_encode(&edge, 0, out, sizeof(out)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_edges_come_back),
        cmocka_unit_test(test_extremes_come_back),
        cmocka_unit_test(test_a_fast_pin_costs_three_bytes_and_a_slow_one_four),
        cmocka_unit_test(test_two_pins_at_once_cost_three_bytes_or_four),
        cmocka_unit_test(test_two_pins_have_one_order),
        cmocka_unit_test(test_noise_is_refused_or_decoded_within_bounds),
        cmocka_unit_test(test_too_little_room_is_no_encoding),
    };

    return cmocka_run_group_tests_name("gpio_codec", tests, NULL, NULL);
}
