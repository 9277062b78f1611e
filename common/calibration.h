/* SPDX-License-Identifier: MIT */
/* What a code of a converter means: gain and offset of each channel of a cape. */
#ifndef COMMON_CALIBRATION_H
#define COMMON_CALIBRATION_H

#include "common/err.h"
#include "common/schema.h"

#include <stdbool.h>

/* SI = raw * gain + offset, in V and A. */
struct cal_channel {
    double gain;
    double offset;
};

struct calibration {
    bool is_default; /* nominal values: nobody measured this cape */
    struct cal_channel hrv_dac_V;
    struct cal_channel hrv_dac_V_sim;
    struct cal_channel hrv_adc_V;
    struct cal_channel hrv_adc_I;
    struct cal_channel emu_dac_V_A;
    struct cal_channel emu_dac_V_B;
    struct cal_channel emu_adc_I_A;
    struct cal_channel emu_adc_I_B;
};

extern const struct schema calibration_schema;

/* Nominal values of cape 2.4: ADS8691 18 bit, 1.25 x 4.096 V; 2 Ohm shunt x 48; DAC8562 16 bit,
 * 5 V. */
struct calibration calibration_default(void);
MUST_CHECK int calibration_load(struct calibration *cal, const char *path, struct err *err);
/* Gains positive and within a factor 2 of nominal, offsets within 5 % of full scale. */
MUST_CHECK int calibration_check(const struct calibration *cal, struct err *err);

#endif
