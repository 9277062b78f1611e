/* SPDX-License-Identifier: MIT */
/* The virtual source in a user's units: converter, storage, harvester. */
#ifndef COMMON_VSOURCE_CONFIG_H
#define COMMON_VSOURCE_CONFIG_H

#include "common/schema.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    VSOURCE_LUT_SIZE = 12,
    PRESET_NAME_SIZE = 64
};

/* Values as the incumbent numbers them, so that they can be compared by >=. */
enum harvester_algorithm {
    HARVESTER_NEUTRAL = 1,
    HARVESTER_ISC_VOC = 8,
    HARVESTER_IVCURVE = 16,
    HARVESTER_CV = 256,
    HARVESTER_SWEEP = 512, /* ours: a ramp that holds each voltage for interval_ms */
    HARVESTER_MPPT_VOC = 4096,
    HARVESTER_MPPT_PO = 8192,
    HARVESTER_MPPT_OPT = 16384,
};

struct harvester_config {
    char name[PRESET_NAME_SIZE]; /* of the preset it inherits from, or "" */
    enum harvester_algorithm algorithm;
    uint32_t samples_n;
    double voltage_mV;
    double voltage_min_mV;
    double voltage_max_mV;
    double current_limit_uA;
    double voltage_step_mV; /* 0: (max - min) / (samples_n - 1) */
    double setpoint_n;
    double interval_ms;
    double duration_ms;
    bool rising;
    bool enable_linear_extrapolation;
    uint32_t wait_cycles;
    uint32_t cutout_cycles;
    bool enable_automatic_cutout;
};

/* What makes the numbers of a storage (common/storage_build.h). */
enum storage_kind {
    STORAGE_GIVEN, /* they are given */
    STORAGE_CAPACITOR,
    STORAGE_LIPO,
    STORAGE_LEAD_ACID,
};

struct storage_config {
    char name[PRESET_NAME_SIZE];
    bool is_present; /* false: direct connection */
    /* What a data sheet says; turned into q_As, p_VOC, p_Rs and R_leak_Ohm when finished. */
    enum storage_kind build;
    double C_uF;
    double V_rated_mV;
    double R_series_Ohm;
    double capacity_mAh;
    double SoC_init;   /* 0..1 */
    double q_As;       /* capacity */
    double p_VOC[6];   /* V; reference in common/storage_config.c */
    double p_Rs[6];    /* Ohm */
    double R_leak_Ohm; /* 0: none */
    /* What the papers' float models know beside; no effect in the step of a sample. */
    double p_RtS[3];
    double p_CtS[3];
    double p_RtL[3];
    double p_CtL[3];
    double p_rce;
    double kdash;
};

struct source_config {
    char name[PRESET_NAME_SIZE];
    bool enable_boost;
    bool enable_buck;
    bool enable_feedback_to_hrv;
    double interval_startup_delay_drain_ms;
    struct harvester_config harvester;
    double V_input_max_mV;
    double I_input_max_mA;
    double V_input_drop_mV;
    double R_input_mOhm;
    struct storage_config storage; /* C_intermediate_uF and friends are turned into it */
    double C_intermediate_uF;      /* 0: `storage` rules */
    double V_intermediate_init_mV; /* < 0: storage.SoC_init rules */
    double I_intermediate_leak_nA;
    double V_intermediate_enable_output_threshold_mV;
    double V_intermediate_disable_output_threshold_mV;
    double interval_check_thresholds_ms;
    double V_pwr_good_enable_threshold_mV;
    double V_pwr_good_disable_threshold_mV;
    bool immediate_pwr_good_signal;
    double C_output_uF;
    double V_output_log_gpio_threshold_mV;
    double V_input_boost_threshold_mV;
    double V_intermediate_max_mV;
    double LUT_input_efficiency[VSOURCE_LUT_SIZE * VSOURCE_LUT_SIZE]; /* [voltage][current] */
    uint32_t LUT_input_V_min_log2_uV;
    uint32_t LUT_input_I_min_log2_nA;
    double V_output_mV;
    double V_buck_drop_mV;
    double LUT_output_efficiency[VSOURCE_LUT_SIZE];
    uint32_t LUT_output_I_min_log2_nA;
    bool interpolate_LUT; /* false: nearest, the incumbent's way */
};

extern const struct schema harvester_schema;
extern const struct schema storage_schema;
extern const struct schema source_schema;

/* V_OC (p_VOC) or series resistance (p_Rs) at a state of charge of 0 to 1:
 * p0 exp(-p1 s) + p2 + p3 s - p4 s^2 + p5 s^3. */
double storage_curve(const double p[6], double state_of_charge);

/* An ideal capacitor: charged to voltage_V at the start, full at rated_V. */
struct storage_config storage_capacitor(double C_uF, double rated_V, double voltage_V);

/* Whether what its `build` needs is given. */
bool storage_is_buildable(const struct storage_config *storage);

/* Fills what follows from other parameters: the harvesters' voltage_step_mV of 0, a storage
 * that is built, and the store that C_intermediate_uF and V_intermediate_init_mV (generation 1)
 * describe. Finishing twice changes nothing more. */
void harvester_config_finish(struct harvester_config *harvester);
void storage_config_finish(struct storage_config *storage);
void source_config_finish(struct source_config *source);

#endif
