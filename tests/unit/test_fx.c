/* SPDX-License-Identifier: MIT */
#include "pru/core/fx.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

__extension__ typedef unsigned __int128 wide_uint;

/* xorshift64, so that runs repeat */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* A number of random length. */
static uint64_t random_number(uint64_t *state)
{
    uint64_t value = next_random(state);

    return value >> (next_random(state) & 63u);
}

static void test_sums_saturate(void **state)
{
    (void)state;
    assert_int_equal(fx_add_u32(UINT32_MAX - 1, 1), UINT32_MAX);
    assert_int_equal(fx_add_u32(UINT32_MAX, 1), UINT32_MAX);
    assert_int_equal(fx_sub_u32(3, 5), 0);
    assert_int_equal(fx_sub_u32(5, 3), 2);
    assert_true(fx_add_u64(UINT64_MAX, 1) == UINT64_MAX);
    assert_true(fx_add_u64(1ull << 63, 1ull << 63) == UINT64_MAX);
    assert_true(fx_sub_u64(1, 2) == 0);
    assert_int_equal(fx_clamp_u32(1ull << 32), UINT32_MAX);
    assert_int_equal(fx_clamp_u32(UINT32_MAX), UINT32_MAX);
    assert_int_equal(fx_offset_u32(10, -11), 0);
    assert_int_equal(fx_offset_u32(UINT32_MAX, 1), UINT32_MAX);
    assert_int_equal(fx_offset_u32(UINT32_MAX, INT32_MIN), (1u << 31) - 1u);
}

static void test_top_bit(void **state)
{
    (void)state;
    assert_int_equal(fx_top_bit_u32(0), 0);
    for (uint32_t i = 0; i < 64; i++) {
        uint64_t value = 1ull << i;

        assert_int_equal(fx_top_bit_u64(value), i);
        assert_int_equal(fx_top_bit_u64(value | (value - 1)), i);
    }
}

static void test_shifts_of_any_width(void **state)
{
    uint64_t seed = 1;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        uint64_t value = random_number(&seed);
        uint64_t other = random_number(&seed);
        uint32_t n = (uint32_t)(next_random(&seed) % 32);

        assert_true(fx_shift_right(value, n) == value >> n);
        assert_true(fx_raise(value >> n, n) == value >> n << n);
        assert_true(fx_raise_u32((uint32_t)value, n) == (uint64_t)(uint32_t)value << n);
        assert_true(fx_is_less_u64(value, other) == (value < other));
        assert_false(fx_is_less_u64(value, value));
        assert_true(fx_is_zero_u64(value) == (value == 0));
        assert_true(fx_join((uint32_t)(value >> 32), (uint32_t)value) == value);
    }
}

static void test_products_are_exact_or_saturated(void **state)
{
    uint64_t seed = 2;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        uint64_t a = random_number(&seed);
        uint32_t b = (uint32_t)random_number(&seed);
        uint32_t n = (uint32_t)(next_random(&seed) % 110);
        wide_uint product = (wide_uint)a * b;
        wide_uint shifted = n < 96 ? product >> n : 0;
        uint32_t bits = 1 + n % 31;
        uint32_t rest = (uint32_t)next_random(&seed) & ((1u << bits) - 1u);
        wide_uint carried = product + rest;
        uint32_t left = rest;
        struct fx_wide wide;

        fx_mul_wide(a, b, n, &wide);
        assert_true(fx_mul_shift(a, b, n)
                    == (shifted > UINT64_MAX ? UINT64_MAX : (uint64_t)shifted));
        assert_true((((wide_uint)wide.high << 32) | wide.low) == shifted);
        shifted = carried >> bits;
        assert_true(fx_mul_carry(a, b, bits, &left)
                    == (shifted > UINT64_MAX ? UINT64_MAX : (uint64_t)shifted));
        assert_int_equal(left, (uint32_t)carried & ((1u << bits) - 1u));
    }
}

static void test_reciprocal_within_bound(void **state)
{
    uint64_t seed = 3;
    double worst = 0;

    (void)state;
    for (int i = 0; i < 300000; i++) {
        uint32_t value = (uint32_t)random_number(&seed);
        struct vsource_scale inverse = fx_reciprocal(value);
        double expected = 1 / fmax(1, value);
        double got = ldexp(inverse.mantissa, -(int)inverse.shift);

        assert_true(inverse.mantissa >> 31 == 1);
        assert_true((wide_uint)inverse.mantissa * (value == 0 ? 1 : value)
                    <= (wide_uint)1 << inverse.shift); /* never too much */
        worst = fmax(worst, fabs(got / expected - 1));
    }
    assert_true(worst < 0x1p-29);
}

/* Issue: division to within 0.1 % from 10 mV to 10 V. */
static void test_division_of_power_by_voltage(void **state)
{
    (void)state;
    for (uint32_t voltage_uV = 10000; voltage_uV <= 10000000; voltage_uV += 97) {
        struct vsource_scale inverse = fx_reciprocal(voltage_uV);
        uint64_t power_fW = 1000000000000; /* 1 mW */
        double current_nA = (double)fx_scale(power_fW, inverse);

        assert_true(fabs(current_nA * voltage_uV / (double)power_fW - 1) < 1e-4);
    }
}

/* The root rounded down, or one less. */
static void check_root(uint64_t value)
{
    wide_uint root = fx_sqrt_u64(value);

    assert_true(root * root <= value);
    assert_true((root + 2) * (root + 2) > value);
}

static void test_square_root_within_bound(void **state)
{
    uint64_t seed = 4;

    (void)state;
    for (uint64_t value = 0; value < 100000; value++) {
        check_root(value);
        check_root(UINT64_MAX - value);
        check_root((1ull << 62) - 50000 + value);
    }
    for (int i = 0; i < 300000; i++) {
        uint64_t side = random_number(&seed) & UINT32_MAX;

        check_root(random_number(&seed));
        check_root(side * side);
        check_root(side * side - 1);
    }
}

static void test_distance_and_order(void **state)
{
    uint64_t seed = 5;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        uint64_t a = random_number(&seed);
        uint64_t b = i % 3 == 0 ? a : random_number(&seed);
        bool is_less = false;

        assert_true(fx_distance_u64(a, b, &is_less) == (a < b ? b - a : a - b));
        assert_true(is_less == (a < b));
    }
}

static void test_wide_sums(void **state)
{
    uint64_t seed = 6;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        struct fx_wide a = { .high = random_number(&seed),
                             .low = (uint32_t)next_random(&seed) };
        struct fx_wide b = { .high = i % 3 == 0 ? a.high : random_number(&seed),
                             .low = (uint32_t)random_number(&seed) };
        wide_uint whole_a = (wide_uint)a.high << 32 | a.low;
        wide_uint whole_b = (wide_uint)b.high << 32 | b.low;
        struct fx_wide sum = a;

        fx_wide_add(&sum, &b);
        if ((whole_a + whole_b) >> 96 != 0) {
            assert_true(sum.high == UINT64_MAX);
        } else {
            assert_true(((wide_uint)sum.high << 32 | sum.low) == whole_a + whole_b);
        }
        assert_true(fx_wide_sub(&a, &b) == (whole_a < whole_b));
        if (whole_a >= whole_b) {
            assert_true(((wide_uint)a.high << 32 | a.low) == whole_a - whole_b);
        }
    }
}

static void test_mix_is_between_and_to_nearest(void **state)
{
    static const uint32_t UP[2] = { 5, 8 };
    static const uint32_t DOWN[2] = { UINT32_MAX, 0 };
    uint64_t seed = 7;

    (void)state;
    assert_int_equal(fx_mix(UP, 0), 5);
    assert_int_equal(fx_mix(UP, 1u << 31), 7); /* 6.5 */
    assert_int_equal(fx_mix(UP, UINT32_MAX), 8);
    assert_int_equal(fx_mix(DOWN, UINT32_MAX), 1); /* 2^-32 of the way is left */
    for (int i = 0; i < 100000; i++) {
        uint32_t pair[2] = { (uint32_t)random_number(&seed), (uint32_t)random_number(&seed) };
        uint32_t fraction = (uint32_t)random_number(&seed);
        double expected = pair[0] + ((double)pair[1] - pair[0]) * ldexp(fraction, -32);

        assert_true(fabs(fx_mix(pair, fraction) - expected) <= 0.5 + 1e-6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums_saturate),
        cmocka_unit_test(test_top_bit),
        cmocka_unit_test(test_shifts_of_any_width),
        cmocka_unit_test(test_products_are_exact_or_saturated),
        cmocka_unit_test(test_reciprocal_within_bound),
        cmocka_unit_test(test_division_of_power_by_voltage),
        cmocka_unit_test(test_square_root_within_bound),
        cmocka_unit_test(test_distance_and_order),
        cmocka_unit_test(test_wide_sums),
        cmocka_unit_test(test_mix_is_between_and_to_nearest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
