/* SPDX-License-Identifier: MIT */
/* Every function of pru/core/fx.h that the PRU has in instructions of its own, over operands
 * from the edges and at random: a line each, its name and a digest of what it gives. The host's
 * lines must be the PRU's. FX_BITS_ROUNDS: operands of each. */
#include "pru/core/fx.h"

#include <stdint.h>

#ifdef __PRU__
#    include "tests/support/pru_console.h"
#else
#    include <inttypes.h>
#    include <stdio.h>
#endif

#ifndef FX_BITS_ROUNDS
#    define FX_BITS_ROUNDS 2000
#endif

static uint32_t seed;
static uint32_t digest;

static uint32_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed;
}

static void add(uint32_t value)
{
    digest = (digest ^ value) * 16777619u;
}

static void add_u64(uint64_t value)
{
    add(fx_low(value));
    add(fx_high(value));
}

/* All kinds of lengths, and what lies beside the powers of two. One random number a statement:
 * the order must be the same everywhere. */
static uint32_t word(void)
{
    uint32_t kind = next_random() % 8;
    uint32_t n = next_random() % 32;
    uint32_t value = next_random();

    if (kind == 0) {
        return (1u << n) - value % 2;
    }
    if (kind == 1) {
        return 0u - value % 3;
    }
    return kind == 2 ? value % 3 : value >> n;
}

static uint64_t long_word(void)
{
    uint32_t high = word();
    uint32_t low = word();

    return fx_join(low % 4 == 0 ? 0 : high, low);
}

/* Near to another one, on either side. */
static uint64_t near(uint64_t value)
{
    uint32_t kind = next_random() % 4;
    uint64_t other = long_word();

    if (kind == 0) {
        return value;
    }
    if (kind == 1) {
        return value + 1;
    }
    return kind == 2 ? value - 1 : other;
}

static void sums(void)
{
    uint64_t a = long_word();
    uint64_t b = near(next_random() % 2 != 0 ? a : ~a);
    bool is_less = false;

    add_u64(fx_add_u64(a, b));
    add_u64(fx_sub_u64(a, b));
    add(fx_is_less_u64(a, b));
    add(fx_is_zero_u64(a));
    add_u64(fx_min_u64(a, b));
    add_u64(fx_distance_u64(a, b, &is_less));
    add(is_less);
}

static void shifts(void)
{
    uint64_t a = long_word();
    uint32_t n = next_random() % 32;

    add_u64(fx_shift_right(a, n));
    add_u64(fx_raise(fx_shift_right(a, n), n));
    add_u64(fx_raise_u32(fx_low(a), n));
    add_u64(fx_shift_right(a, 12));
    add_u64(fx_shift_right(a, 0));
    add(fx_top_bit_u64(a));
}

static void product_any(void)
{
    uint64_t a = long_word();
    uint32_t b = word();
    uint32_t n = next_random() % 128;

    add_u64(fx_mul_shift(a, b, n));
}

static void product_fixed(void)
{
    uint64_t a = long_word();
    uint32_t b = word();

    add_u64(fx_mul_shift(a, b, 0));
    add_u64(fx_mul_shift(a, b, 18));
    add_u64(fx_mul_shift(a, b, 31));
    add_u64(fx_mul_shift(a, b, 32));
    add_u64(fx_mul_shift(a, b, 52));
    add_u64(fx_mul_shift(a, b, 64));
    add_u64(fx_mul_shift(a, b, 69));
    add_u64(fx_mul_shift(a, b, 96));
}

static void product_wide(void)
{
    uint64_t a = long_word();
    uint32_t b = word();
    uint32_t n = next_random() % 128;
    struct fx_wide wide;

    fx_mul_wide(a, b, n, &wide);
    add_u64(wide.high);
    add(wide.low);
}

static void product_carry(void)
{
    uint64_t a = long_word();
    uint32_t b = word();
    uint32_t rest = next_random() % 256;

    add_u64(fx_mul_carry(a, b, 8, &rest));
    add(rest);
    rest = next_random() % 4096;
    add_u64(fx_mul_carry(a, b, 12, &rest));
    add(rest);
}

static void mix(void)
{
    uint32_t pair[2];
    uint32_t fraction = 0;

    pair[0] = word();
    pair[1] = word();
    fraction = word();
    add(fx_mix(pair, fraction));
}

static void wide(void)
{
    struct fx_wide a;
    struct fx_wide b;
    struct fx_wide sum;
    bool is_less = false;

    a.high = long_word();
    a.low = word();
    b.high = near(a.high);
    b.low = word();
    sum = a;
    fx_wide_add(&sum, &b);
    add_u64(sum.high);
    add(sum.low);
    is_less = fx_wide_sub(&a, &b);
    add(is_less);
    add_u64(is_less ? 0 : a.high);
    add(is_less ? 0 : a.low);
}

static void reciprocal(void)
{
    struct vsource_scale inverse = fx_reciprocal(word());

    add(inverse.mantissa);
    add(inverse.shift);
}

static void root(void)
{
    uint32_t side = word();

    add(fx_sqrt_u64(long_word()));
    add(fx_sqrt_u64(near(fx_mul_u32(side, side))));
}

static const struct {
    char name[14]; /* blanks up to the end */
    void (*run)(void);
} FUNCTIONS[] = {
    {"sums         ",  sums         },
    { "shifts       ", shifts       },
    { "mul_shift    ", product_any  },
    { "mul_shift(n) ", product_fixed},
    { "mul_wide     ", product_wide },
    { "mul_carry    ", product_carry},
    { "mix          ", mix          },
    { "wide         ", wide         },
    { "reciprocal   ", reciprocal   },
    { "sqrt         ", root         },
};

int main(void)
{
    for (uint32_t i = 0; i < sizeof(FUNCTIONS) / sizeof(FUNCTIONS[0]); i++) {
        seed = 1;
        digest = 2166136261u;
        for (uint32_t k = 0; k < FX_BITS_ROUNDS; k++) {
            FUNCTIONS[i].run();
        }
#ifdef __PRU__
        char line[9];

        console_write(FUNCTIONS[i].name, 13);
        *console_hex(line, digest) = '\n';
        console_write(line, sizeof(line));
    }
    console_exit();
#else
        printf("%s%08" PRIx32 "\n", FUNCTIONS[i].name, digest);
    }
    return 0;
#endif
}
