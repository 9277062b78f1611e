/* SPDX-License-Identifier: MIT */
/* What the PRU is told about calibration, harvester, converter and storage: integers only, all
 * derived on the host by common/vsource_derive.c, copied by the PRU when it is configured.
 *
 * `_nK` after a name: integer scaled by 2^K. A scale is mantissa x 2^-shift, the mantissa with
 * its top bit set unless the scale is 0. One writer: the host. Byte offsets: pru/abi/README.md.
 */
#ifndef PRU_ABI_VSOURCE_PARAMS_H
#define PRU_ABI_VSOURCE_PARAMS_H

#include <stddef.h>
#include <stdint.h>

enum {
    VSOURCE_PARAMS_VERSION = 1,
    VSOURCE_TABLE_SIZE = 12,        /* of an efficiency table's axis */
    VSOURCE_STORE_KNOTS = 129,      /* state of charge 0/128 to 128/128 */
    VSOURCE_CURVE_KNOTS = 33,       /* V/Voc of 0/32 to 32/32 */
    VSOURCE_STORE_INDEX_SHIFT = 51, /* state of charge n58 to knot */
};

/* ADC: value = ((raw x factor_n16 + round) >> 16) + offset, in uV or nA.
 * DAC: code = ((uV - offset) x factor_n32 + round) >> 32. */
struct vsource_channel {
    uint32_t factor;
    int32_t offset; /* uV or nA */
    uint32_t round; /* half for nearest, 0 to truncate */
};

struct vsource_scale {
    uint32_t mantissa;
    uint32_t shift; /* 0..127 */
};

/* Numbers are the incumbent's; higher ones include what lower ones need. */
enum vsource_algorithm {
    VSOURCE_NEUTRAL = 1,
    VSOURCE_ISC_VOC = 8,
    VSOURCE_IVCURVE = 16,
    VSOURCE_CV = 256,
    VSOURCE_SWEEP = 512, /* recording only: one slow ramp after the other */
    VSOURCE_MPPT_VOC = 4096,
    VSOURCE_MPPT_PO = 8192,
    VSOURCE_MPPT_OPT = 16384,
};

enum vsource_harvester_flag {
    VSOURCE_HARVESTER_EMULATION = 1u << 0,
    VSOURCE_HARVESTER_RISING = 1u << 1,
    VSOURCE_HARVESTER_EXTRAPOLATE = 1u << 2,
    VSOURCE_HARVESTER_AUTO_CUTOUT = 1u << 3,
    VSOURCE_HARVESTER_INPUT_ISC_VOC = 1u << 4, /* input holds pairs of Isc and Voc */
    VSOURCE_HARVESTER_POWER_32 = 1u << 5,      /* recording mppt_po: power saturates at 2^32-1
                                                * codes, as the incumbent's; for comparison */
    VSOURCE_HARVESTER_HOLD_STALE = 1u << 6, /* emulation: a point that no curve reaches any more
                                             * is held, as the incumbent does; for comparison */
};

struct vsource_harvester {
    uint32_t algorithm;
    uint32_t flags;
    uint32_t window_samples; /* of the input, or of the curve to record; 0: single samples */
    uint32_t voltage_uV;
    uint32_t voltage_min_uV;
    uint32_t voltage_max_uV;
    uint32_t voltage_step_uV;
    uint32_t current_limit_nA;
    uint32_t setpoint_n16;
    uint32_t interval_n;
    uint32_t duration_n;
    uint32_t wait_cycles_n;
    uint32_t cutout_cycles_n;
    uint32_t po_step_max_uV; /* recording: largest step of mppt_po */
    uint32_t reserved[2];
};

enum vsource_flag {
    VSOURCE_HAS_STORE = 1u << 0,
    VSOURCE_HAS_BOOST = 1u << 1,
    VSOURCE_HAS_BUCK = 1u << 2,
    VSOURCE_HAS_FEEDBACK = 1u << 3,
    VSOURCE_INTERPOLATE = 1u << 4,  /* efficiency tables; off: nearest entry */
    VSOURCE_PG_IMMEDIATE = 1u << 5, /* power-good in every sample */
    /* The boost stage has a table that is not flat: what V_input_max and I_input_max clip lies
     * outside and is counted. */
    VSOURCE_COUNT_CLAMPED = 1u << 6,
};

enum vsource_aux {
    VSOURCE_AUX_OFF = 0,
    VSOURCE_AUX_FIXED = 1,
    VSOURCE_AUX_MIRROR = 2,  /* as the target's supply */
    VSOURCE_AUX_STORAGE = 3, /* storage voltage */
};

struct vsource_converter {
    uint32_t flags;           /* enum vsource_flag */
    uint32_t startup_drain_n; /* samples whose output current is ignored */
    uint32_t start_power_n;   /* samples before the converter takes over the output */
    uint32_t start_power_uV;
    uint32_t check_interval_n; /* 0 and 1: every sample */
    uint32_t V_input_max_uV;
    uint32_t I_input_max_nA;
    uint32_t V_input_drop_uV;
    uint32_t V_input_boost_threshold_uV;
    uint32_t R_input_kOhm_n28;
    uint32_t reserved_input[2];
    uint32_t V_enable_uV;
    uint32_t V_disable_uV;
    uint32_t V_pwr_good_enable_uV;
    uint32_t V_pwr_good_disable_uV;
    uint32_t V_intermediate_max_uV;
    uint32_t V_output_uV;
    uint32_t V_buck_drop_uV;
    uint32_t V_output_log_gpio_uV;
    uint32_t aux_mode; /* enum vsource_aux */
    uint32_t aux_uV;
    /* What charging the output capacitor takes from the store at switch-on. */
    struct vsource_scale C_output;  /* nA n32 for one sample, per uV n8 (no buck) */
    uint64_t P_output_charge_fW_n8; /* for one sample (buck) */
    uint32_t LUT_input_V_log2_uV;   /* width of a voltage bin */
    uint32_t LUT_input_I_log2_nA;   /* lower edge of current bin 0; bin k: 2^(log2 + k) */
    uint32_t LUT_output_I_log2_nA;
    uint32_t output_charge_n; /* samples over which that is spread */
    uint32_t reserved[2];
    uint32_t LUT_input_n20[VSOURCE_TABLE_SIZE][VSOURCE_TABLE_SIZE]; /* [voltage][current] */
    uint32_t LUT_output_inverse_n16[VSOURCE_TABLE_SIZE];
};

struct vsource_store {
    uint64_t soc_init_n58;
    uint64_t soc_max_n58;                 /* charging ends here; discharging may start above */
    uint64_t I_leak_nA_n32;               /* constant */
    struct vsource_scale G_leak;          /* nA n32 per uV n8 */
    struct vsource_scale soc_per_current; /* state of charge n90 per nA n32 x sample */
    uint32_t V_oc_uV_n8[VSOURCE_STORE_KNOTS];
    uint32_t R_series_kOhm_n28[VSOURCE_STORE_KNOTS];
    /* Behind each knot: half a sample's change of voltage per current. */
    uint32_t R_half_kOhm_n28[VSOURCE_STORE_KNOTS];
    uint32_t reserved;
};

struct vsource_params {
    uint32_t version;                   /* VSOURCE_PARAMS_VERSION */
    uint32_t size;                      /* sizeof(struct vsource_params) */
    struct vsource_channel adc_voltage; /* harvest */
    struct vsource_channel adc_current; /* the harvester's, or the target port's */
    struct vsource_channel dac_harvest;
    struct vsource_channel dac_target;
    struct vsource_channel dac_aux;
    uint32_t reserved;
    struct vsource_harvester harvester;
    struct vsource_converter converter;
    struct vsource_store store;
    /* Shape of a source known by Isc and Voc only: I/Isc over V/Voc, and where V x I peaks. */
    uint32_t curve_n16[VSOURCE_CURVE_KNOTS];
    uint32_t curve_peak_V_n16;
    uint32_t curve_peak_I_n16;
    uint32_t reserved_end;
};

_Static_assert(sizeof(struct vsource_channel) == 12, "channel");
_Static_assert(sizeof(struct vsource_scale) == 8, "scale");
_Static_assert(sizeof(struct vsource_harvester) == 64, "harvester");
_Static_assert(offsetof(struct vsource_converter, reserved_input) == 40, "converter");
_Static_assert(offsetof(struct vsource_converter, C_output) == 88, "converter");
_Static_assert(offsetof(struct vsource_converter, P_output_charge_fW_n8) == 96, "converter");
_Static_assert(offsetof(struct vsource_converter, LUT_input_n20) == 128, "converter");
_Static_assert(offsetof(struct vsource_converter, LUT_output_inverse_n16) == 704, "converter");
_Static_assert(sizeof(struct vsource_converter) == 752, "converter");
_Static_assert(offsetof(struct vsource_store, G_leak) == 24, "store");
_Static_assert(offsetof(struct vsource_store, V_oc_uV_n8) == 40, "store");
_Static_assert(offsetof(struct vsource_store, R_series_kOhm_n28) == 556, "store");
_Static_assert(sizeof(struct vsource_store) == 1592, "store");
_Static_assert(offsetof(struct vsource_params, adc_voltage) == 8, "params");
_Static_assert(offsetof(struct vsource_params, harvester) == 72, "params");
_Static_assert(offsetof(struct vsource_params, converter) == 136, "params");
_Static_assert(offsetof(struct vsource_params, store) == 888, "params");
_Static_assert(offsetof(struct vsource_params, curve_n16) == 2480, "params");
_Static_assert(sizeof(struct vsource_params) == 2624, "params");

#endif
