/* SPDX-License-Identifier: MIT */
#include "pru/core/efficiency.h"

#include "pru/core/fx.h"

enum {
    LAST = VSOURCE_TABLE_SIZE - 1,
    FRACTION_BITS = 12,
    HALF = 1 << (FRACTION_BITS - 1),
};

/* Entry and way to the next one. */
struct position {
    uint32_t entry;
    uint32_t fraction_n12;
};

/* value x 2^12 / 2^log2, for values below 2^(log2 + 4). */
static uint32_t normalise_n12(uint32_t value, uint32_t log2)
{
    return log2 >= FRACTION_BITS ? value >> (log2 - FRACTION_BITS)
                                 : value << (FRACTION_BITS - log2);
}

/* From bins, n12, to middles of bins. */
static struct position between_middles(uint32_t bins_n12)
{
    uint32_t middles_n12 = fx_sub_u32(bins_n12, HALF);
    struct position position = {
        .entry = middles_n12 >> FRACTION_BITS,
        .fraction_n12 = middles_n12 & ((1u << FRACTION_BITS) - 1u),
    };

    if (position.entry >= LAST) {
        position.entry = LAST;
        position.fraction_n12 = 0;
    }
    return position;
}

static struct position find_voltage(uint32_t voltage_uV, uint32_t log2, bool is_interpolated)
{
    struct position end = { .entry = LAST, .fraction_n12 = 0 };
    uint32_t bin = voltage_uV >> log2;

    if (bin > LAST) {
        return end;
    }
    if (!is_interpolated) {
        end.entry = bin;
        return end;
    }
    return between_middles(normalise_n12(voltage_uV, log2));
}

static struct position find_current(uint32_t current_nA, uint32_t log2, bool is_interpolated)
{
    struct position end = { .entry = 0, .fraction_n12 = 0 };
    uint32_t bin = fx_top_bit_u32(current_nA >> log2);
    uint32_t above_nA = 0;

    if (bin > LAST) {
        end.entry = LAST;
        return end;
    }
    if (!is_interpolated || current_nA >> log2 == 0) {
        end.entry = bin;
        return end;
    }
    above_nA = current_nA - (1u << (log2 + bin));
    return between_middles((bin << FRACTION_BITS) + normalise_n12(above_nA, log2 + bin));
}

/* Rounded to nearest, so that the mean is kept. */
static uint32_t part_of(uint32_t difference, uint32_t fraction_n12)
{
    return fx_low(fx_shift_right(fx_mul_u32(difference, fraction_n12) + HALF, FRACTION_BITS));
}

static uint32_t mix(uint32_t a, uint32_t b, uint32_t fraction_n12)
{
    if (b >= a) {
        return a + part_of(b - a, fraction_n12);
    }
    return a - part_of(a - b, fraction_n12);
}

static uint32_t mix_row(const uint32_t *row, struct position at)
{
    return at.fraction_n12 == 0 ? row[at.entry]
                                : mix(row[at.entry], row[at.entry + 1], at.fraction_n12);
}

uint32_t efficiency_input_n20(const struct vsource_converter *params, uint32_t voltage_uV,
                              uint32_t current_nA)
{
    bool is_interpolated = (params->flags & VSOURCE_INTERPOLATE) != 0;
    struct position row =
        find_voltage(voltage_uV, params->LUT_input_V_log2_uV, is_interpolated);
    struct position column =
        find_current(current_nA, params->LUT_input_I_log2_nA, is_interpolated);
    uint32_t low = mix_row(params->LUT_input_n20[row.entry], column);

    if (row.fraction_n12 == 0) {
        return low;
    }
    return mix(low, mix_row(params->LUT_input_n20[row.entry + 1], column), row.fraction_n12);
}

uint32_t efficiency_output_inverse_n16(const struct vsource_converter *params,
                                       uint32_t current_nA)
{
    struct position at = find_current(current_nA, params->LUT_output_I_log2_nA,
                                      (params->flags & VSOURCE_INTERPOLATE) != 0);

    return mix_row(params->LUT_output_inverse_n16, at);
}
