/* SPDX-License-Identifier: MIT */
#include "pru/core/efficiency.h"

#include "pru/core/fx.h"

static const uint32_t HALF_n32 = 1u << 31;

enum {
    LAST = VSOURCE_TABLE_SIZE - 1,
};

/* Entry and way to the next one. */
struct position {
    uint32_t entry;
    uint32_t fraction_n32;
};

/* From a place in a bin to the middles of bins around it. */
static struct position between_middles(uint32_t bin, uint32_t place_n32)
{
    struct position position = { .entry = bin, .fraction_n32 = place_n32 ^ HALF_n32 };

    if (place_n32 < HALF_n32) {
        if (bin == 0) {
            position.fraction_n32 = 0;
            return position;
        }
        position.entry = bin - 1;
    }
    if (position.entry >= LAST) {
        position.entry = LAST;
        position.fraction_n32 = 0;
    }
    return position;
}

static struct position find_voltage(uint32_t voltage_uV, uint32_t log2, bool is_interpolated)
{
    struct position nearest = { .entry = voltage_uV >> log2, .fraction_n32 = 0 };

    if (is_interpolated) {
        return between_middles(nearest.entry, (voltage_uV << 1) << (31 - log2));
    }
    nearest.entry = fx_min_u32(nearest.entry, LAST);
    return nearest;
}

static struct position find_current(uint32_t current_nA, uint32_t log2, bool is_interpolated)
{
    uint32_t top = fx_top_bit_u32(current_nA);
    struct position nearest = { .entry = fx_sub_u32(top, log2), .fraction_n32 = 0 };

    if (is_interpolated && top >= log2) {
        return between_middles(nearest.entry, (current_nA << 1) << (31 - top));
    }
    nearest.entry = fx_min_u32(nearest.entry, LAST);
    return nearest;
}

static uint32_t mix_row(const uint32_t *row, struct position at)
{
    return at.fraction_n32 == 0 ? row[at.entry] : fx_mix(&row[at.entry], at.fraction_n32);
}

uint32_t efficiency_input_n20(const struct vsource_converter *params, uint32_t voltage_uV,
                              uint32_t current_nA)
{
    bool is_interpolated = (params->flags & VSOURCE_INTERPOLATE) != 0;
    struct position row =
        find_voltage(voltage_uV, params->LUT_input_V_log2_uV, is_interpolated);
    struct position column =
        find_current(current_nA, params->LUT_input_I_log2_nA, is_interpolated);
    uint32_t pair[2] = { mix_row(params->LUT_input_n20[row.entry], column), 0 };

    if (row.fraction_n32 != 0) {
        pair[1] = mix_row(params->LUT_input_n20[row.entry + 1], column);
    }
    row.entry = 0;
    return mix_row(pair, row);
}

uint32_t efficiency_output_inverse_n16(const struct vsource_converter *params,
                                       uint32_t current_nA)
{
    struct position at = find_current(current_nA, params->LUT_output_I_log2_nA,
                                      (params->flags & VSOURCE_INTERPOLATE) != 0);

    return mix_row(params->LUT_output_inverse_n16, at);
}
