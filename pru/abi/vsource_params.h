/* SPDX-License-Identifier: MIT */
/* The PRU's integers: what common/vsource_derive.c makes of a user's units and a calibration.
 *
 * `_nK` is a value times 2^K. A struct fx_scale is a positive real number m * 2^e with the top
 * bit of m set (or m = 0 for zero). All of it is written by the host and copied by the PRU when
 * it is configured. Meaning and range of each number: pru/core/README.md. */
#ifndef PRU_ABI_VSOURCE_PARAMS_H
#define PRU_ABI_VSOURCE_PARAMS_H

#include <stddef.h>
#include <stdint.h>

enum {
    VSOURCE_LUT_BINS = 12,
    VSOURCE_TABLE_SIZE = 129, /* nodes at k/128 of the state of charge */
};

struct fx_scale {
    uint32_t m;
    int32_t e;
};

/* One converter channel of the port in use. */
struct calibration_params {
    uint32_t adc_current_nA_n16; /* nA of one code */
    int32_t adc_current_offset_nA;
    uint32_t adc_voltage_uV_n16; /* uV of one code */
    int32_t adc_voltage_offset_uV;
    uint32_t dac_per_uV_n32; /* codes of one uV */
    int32_t dac_offset_uV;
    uint32_t dac_rounding_n32; /* added before the fraction is cut: 2^31 rounds to nearest */
    uint32_t dac_aux_code;     /* of the other output, fixed; see aux_mode */
};

/* Same numbers as the algorithm's name in an experiment. */
enum pru_algorithm {
    PRU_ALGORITHM_NONE = 0,
    PRU_ALGORITHM_NEUTRAL = 1,
    PRU_ALGORITHM_ISC_VOC = 8,
    PRU_ALGORITHM_IVCURVE = 16,
    PRU_ALGORITHM_CV = 256,
    PRU_ALGORITHM_MPPT_VOC = 4096,
    PRU_ALGORITHM_MPPT_PO = 8192,
    PRU_ALGORITHM_MPPT_OPT = 16384,
};

enum harvester_flag {
    HARVESTER_FLAG_EMULATION = 1u << 0,
    HARVESTER_FLAG_RISING = 1u << 1,
    HARVESTER_FLAG_EXTRAPOLATION = 1u << 2,
    HARVESTER_FLAG_AUTO_CUTOUT = 1u << 3,
};

struct harvester_params {
    uint32_t algorithm; /* enum pru_algorithm */
    uint32_t flags;     /* enum harvester_flag */
    uint32_t window_size;
    uint32_t voltage_uV;
    uint32_t voltage_min_uV;
    uint32_t voltage_max_uV;
    uint32_t voltage_step_uV;
    uint32_t current_limit_nA;
    uint32_t setpoint_n8;
    uint32_t interval_n;
    uint32_t duration_n;
    uint32_t wait_cycles_n;
    uint32_t cutout_cycles_n;
    uint32_t step_limit_uV; /* recording: longest stride of mppt_po */
};

enum converter_flag {
    CONVERTER_FLAG_STORAGE = 1u << 0,
    CONVERTER_FLAG_BOOST = 1u << 1,
    CONVERTER_FLAG_BUCK = 1u << 2,
    CONVERTER_FLAG_FEEDBACK = 1u << 3,
    CONVERTER_FLAG_IMMEDIATE_PG = 1u << 4,
    CONVERTER_FLAG_NEAREST = 1u << 5,     /* tables are not interpolated */
    CONVERTER_FLAG_COUNT_INPUT = 1u << 6, /* the input table is not flat: leaving it counts */
    CONVERTER_FLAG_COUNT_OUTPUT = 1u << 7,
};

enum aux_mode {
    AUX_OFF = 0,
    AUX_FIXED = 1,   /* dac_aux_code */
    AUX_MIRROR = 2,  /* the target's supply */
    AUX_STORAGE = 3, /* the storage's voltage */
};

struct converter_params {
    uint32_t flags; /* enum converter_flag */
    uint32_t aux_mode;
    uint32_t interval_startup_delay_drain_n;
    uint32_t interval_check_thresholds_n;
    uint32_t V_input_max_uV;
    uint32_t I_input_max_nA;
    uint32_t V_input_drop_uV;
    uint32_t R_input_kOhm_n22;
    uint32_t V_input_boost_threshold_uV;
    uint32_t V_enable_output_uV;
    uint32_t V_disable_output_uV;
    uint32_t V_pwr_good_enable_uV;
    uint32_t V_pwr_good_disable_uV;
    uint32_t V_output_uV;
    uint32_t V_buck_drop_uV;
    uint32_t V_output_log_gpio_uV;
    uint32_t V_mid_max_uV;
    uint32_t start_power_n; /* samples during which start_power_uV supplies the target */
    uint32_t start_power_uV;
    uint32_t LUT_input_V_shift; /* log2 of a bin's width in uV */
    uint32_t LUT_input_I_shift; /* bin 0 ends at 2^(shift + 1) nA */
    uint32_t LUT_output_I_shift;
    uint32_t feedback_slack_uV; /* how far a held point may lie below what was asked for */
    uint32_t reserved;
    uint32_t LUT_input_efficiency_n20[VSOURCE_LUT_BINS]
                                     [VSOURCE_LUT_BINS]; /* [voltage][current] */
    uint32_t LUT_output_inverse_n16[VSOURCE_LUT_BINS];
};

struct storage_params {
    uint64_t SoC_init_n62;
    uint64_t SoC_max_n62;            /* where V_OC reaches V_mid_max */
    uint64_t dSoC_enable_output_n62; /* charge of the output's capacitor */
    struct fx_scale dSoC_n62_per_nA; /* of one sample */
    struct fx_scale leak_nA_per_uV;
    uint32_t leak_nA;
    uint32_t has_resistance;
    uint32_t V_OC_uV_n8[VSOURCE_TABLE_SIZE];
    uint32_t R_series_kOhm_n32[VSOURCE_TABLE_SIZE];
    uint32_t reserved;
    uint32_t reserved_2;
};

struct vsource_params {
    uint32_t version; /* PRU_ABI_VERSION */
    uint32_t reserved;
    struct calibration_params calibration;
    struct harvester_params harvester;
    struct converter_params converter;
    struct storage_params storage;
};

_Static_assert(sizeof(struct calibration_params) == 32, "calibration");
_Static_assert(sizeof(struct harvester_params) == 56, "harvester");
_Static_assert(offsetof(struct converter_params, LUT_input_efficiency_n20) == 96, "converter");
_Static_assert(sizeof(struct converter_params) == 96 + 576 + 48, "converter");
_Static_assert(offsetof(struct storage_params, V_OC_uV_n8) == 48, "storage");
_Static_assert(offsetof(struct vsource_params, calibration) == 8, "params");
_Static_assert(offsetof(struct vsource_params, harvester) == 40, "params");
_Static_assert(offsetof(struct vsource_params, converter) == 96, "params");
_Static_assert(offsetof(struct vsource_params, storage) == 816, "params");
_Static_assert(sizeof(struct vsource_params) % 8 == 0, "params");
_Static_assert(sizeof(struct vsource_params) <= 4096, "params");

#endif
