/* SPDX-License-Identifier: MIT */
/* Codes of the converters to uV and nA, and back. Factors from common/vsource_derive.c. */
#ifndef PRU_CORE_CALIB_H
#define PRU_CORE_CALIB_H

#include "pru/abi/vsource_params.h"
#include "pru/core/fx.h"

enum {
    CALIB_ADC_CODE_MAX = (1 << 18) - 1, /* ADS8691 */
    CALIB_DAC_CODE_MAX = (1 << 16) - 1, /* DAC8562 */
    CALIB_RESIDUE_MAX_NA = 60000,       /* 30 samples of 2 uA noise */
};

/* With a negative offset, readings below zero are carried to the next sample in *residue_nA, so
 * that the mean of a noisy zero stays zero. */
static inline uint32_t calib_current_nA(const struct calibration_params *cal, uint32_t code,
                                        uint32_t *residue_nA)
{
    uint32_t value = fx_clamp_u32(fx_mul(code, cal->adc_current_nA_n16) >> 16);
    uint32_t debt = 0;

    if (cal->adc_current_offset_nA >= 0) {
        return fx_add_u32(value, (uint32_t)cal->adc_current_offset_nA);
    }
    debt = fx_add_u32(0u - (uint32_t)cal->adc_current_offset_nA, *residue_nA);
    if (value > debt) {
        *residue_nA = 0;
        return value - debt;
    }
    *residue_nA = fx_min_u32(debt - value, CALIB_RESIDUE_MAX_NA);
    return 0;
}

static inline uint32_t calib_voltage_uV(const struct calibration_params *cal, uint32_t code)
{
    return fx_shift_u32(fx_clamp_u32(fx_mul(code, cal->adc_voltage_uV_n16) >> 16),
                        cal->adc_voltage_offset_uV);
}

static inline uint32_t calib_dac_code(const struct calibration_params *cal, uint32_t voltage_uV)
{
    int32_t offset_uV = cal->dac_offset_uV;
    uint32_t net_uV = offset_uV >= 0 ? fx_sub_u32(voltage_uV, (uint32_t)offset_uV)
                                     : fx_add_u32(voltage_uV, 0u - (uint32_t)offset_uV);
    uint64_t code =
        fx_add_u64(fx_mul(net_uV, cal->dac_per_uV_n32), cal->dac_rounding_n32) >> 32;

    return code > CALIB_DAC_CODE_MAX ? (uint32_t)CALIB_DAC_CODE_MAX : (uint32_t)code;
}

#endif
