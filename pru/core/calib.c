/* SPDX-License-Identifier: MIT */
#include "pru/core/calib.h"

#include "pru/core/fx.h"

static uint32_t scale_code(const struct vsource_channel *channel, uint32_t code)
{
    uint64_t product = fx_mul_u32(channel->factor, fx_min_u32(code, CALIB_ADC_MAX));
    uint32_t low = channel->round + fx_low(product);
    uint32_t high = fx_high(product) + (low < channel->round ? 1u : 0u);

    return high >> 16 != 0 ? UINT32_MAX : (high << 16) | (low >> 16);
}

uint32_t calib_from_code(const struct vsource_channel *channel, uint32_t code)
{
    return fx_offset_u32(scale_code(channel, code), channel->offset);
}

uint32_t calib_current_from_code(const struct vsource_channel *channel, uint32_t code,
                                 struct calib_residue *residue)
{
    uint32_t value_nA = scale_code(channel, code);
    uint32_t owed_nA = 0;

    if (channel->offset >= 0) {
        return fx_add_u32(value_nA, (uint32_t)channel->offset);
    }
    owed_nA = fx_add_u32(fx_size_i32(channel->offset), residue->residue_nA);
    if (value_nA > owed_nA) {
        residue->residue_nA = 0;
        return value_nA - owed_nA;
    }
    residue->residue_nA = fx_min_u32(owed_nA - value_nA, CALIB_RESIDUE_MAX_nA);
    return 0;
}

uint32_t calib_to_code(const struct vsource_channel *channel, uint32_t voltage_uV)
{
    uint32_t above_uV = channel->offset >= 0
                            ? fx_sub_u32(voltage_uV, (uint32_t)channel->offset)
                            : fx_add_u32(voltage_uV, fx_size_i32(channel->offset));
    uint64_t code = fx_add_u64(fx_mul_u32(above_uV, channel->factor), fx_widen(channel->round));

    return fx_min_u32(fx_high(code), CALIB_DAC_MAX);
}
