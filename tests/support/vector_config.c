/* SPDX-License-Identifier: MIT */
#include "tests/support/vector_config.h"

#include "common/vsource_derive.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char HARVESTER[] = "pru_hrv.";

static uint32_t u32_of(const struct vector_file *file, const char *prefix, const char *key,
                       double missing)
{
    return (uint32_t)vector_number(file, prefix, key, missing);
}

void vector_harvester_params(const struct vector_file *file, struct vsource_params *params)
{
    enum {
        FIRMWARE_CUTOUT = 5 /* of the generation without such a parameter */
    };
    struct vsource_harvester *p = &params->harvester;

    memset(p, 0, sizeof(*p));
    p->algorithm = u32_of(file, HARVESTER, "algorithm", 0);
    /* bit 3 (automatic cut-out) has no code in the reference */
    p->flags = u32_of(file, HARVESTER, "hrv_mode", 0) & 7u;
    p->flags |= VSOURCE_HARVESTER_POWER_32 | VSOURCE_HARVESTER_HOLD_STALE;
    p->window_samples = u32_of(file, HARVESTER, "window_size", 0);
    p->voltage_uV = u32_of(file, HARVESTER, "voltage_uV", 0);
    p->voltage_min_uV = u32_of(file, HARVESTER, "voltage_min_uV", 0);
    p->voltage_max_uV = u32_of(file, HARVESTER, "voltage_max_uV", 0);
    p->voltage_step_uV = u32_of(file, HARVESTER, "voltage_step_uV", 0);
    p->current_limit_nA = u32_of(file, HARVESTER, "current_limit_nA", 0);
    p->setpoint_n16 = u32_of(file, HARVESTER, "setpoint_n8", 0) << 8;
    p->interval_n = u32_of(file, HARVESTER, "interval_n", 0);
    p->duration_n = u32_of(file, HARVESTER, "duration_n", 0);
    p->wait_cycles_n = u32_of(file, HARVESTER, "wait_cycles_n", 0);
    p->cutout_cycles_n = u32_of(file, HARVESTER, "cutout_cycles_n", FIRMWARE_CUTOUT);
    p->po_step_max_uV = 300000;
}

void vector_calibration_params(const struct vector_file *file, struct vsource_params *params)
{
    static const char CAL[] = "cal_pru.";

    params->adc_current.factor = u32_of(file, CAL, "adc_current_gain", 0) << 8;
    params->adc_current.offset = (int32_t)vector_number(file, CAL, "adc_current_offset", 0);
    params->adc_current.round = 0;
    params->adc_voltage.factor = u32_of(file, CAL, "adc_voltage_gain", 0) << 8;
    params->adc_voltage.offset = (int32_t)vector_number(file, CAL, "adc_voltage_offset", 0);
    params->adc_voltage.round = 0;
    params->dac_harvest.factor = u32_of(file, CAL, "dac_voltage_gain", 0) << 12;
    params->dac_harvest.offset = (int32_t)vector_number(file, CAL, "dac_voltage_offset", 0);
    params->dac_harvest.round = 0;
    params->dac_target = params->dac_harvest;
}

void vector_storage_config(const struct vector_file *file, const char *prefix,
                           struct storage_config *storage)
{
    schema_defaults(&storage_schema, storage);
    storage->is_present = vector_text(file, prefix, "q_As") != NULL;
    storage->SoC_init = vector_number(file, prefix, "SoC_init", storage->SoC_init);
    storage->q_As = vector_number(file, prefix, "q_As", 0);
    (void)vector_list(file, prefix, "p_VOC", storage->p_VOC, 6);
    (void)vector_list(file, prefix, "p_Rs", storage->p_Rs, 6);
    storage->R_leak_Ohm = vector_number(file, prefix, "R_leak_Ohm", 0);
}

static bool flag_of(const struct vector_file *file, const char *prefix, const char *key)
{
    return vector_number(file, prefix, key, 0) > 0;
}

/* The names of generation 1 lack "output_". */
static double threshold_of(const struct vector_file *file, const char *prefix, const char *edge,
                           double missing)
{
    char key[100];

    snprintf(key, sizeof(key), "V_intermediate_%s_threshold_mV", edge);
    missing = vector_number(file, prefix, key, missing);
    snprintf(key, sizeof(key), "V_intermediate_%s_output_threshold_mV", edge);
    return vector_number(file, prefix, key, missing);
}

static void read_tables(const struct vector_file *file, const char *prefix,
                        struct source_config *s)
{
    for (size_t row = 0; row < VSOURCE_LUT_SIZE; row++) {
        char key[64];

        snprintf(key, sizeof(key), "LUT_input_efficiency[%zu]", row);
        (void)vector_list(file, prefix, key, &s->LUT_input_efficiency[row * VSOURCE_LUT_SIZE],
                          VSOURCE_LUT_SIZE);
    }
    (void)vector_list(file, prefix, "LUT_output_efficiency", s->LUT_output_efficiency,
                      VSOURCE_LUT_SIZE);
    s->LUT_input_V_min_log2_uV = u32_of(file, prefix, "LUT_input_V_min_log2_uV", 0);
    s->LUT_input_I_min_log2_nA = u32_of(file, prefix, "LUT_input_I_min_log2_nA", 1);
    s->LUT_output_I_min_log2_nA = u32_of(file, prefix, "LUT_output_I_min_log2_nA", 1);
}

void vector_source_config(const struct vector_file *file, const char *prefix,
                          struct source_config *s)
{
    char storage[100];

    schema_defaults(&source_schema, s);
    snprintf(storage, sizeof(storage), "%sstorage.", prefix);
    vector_storage_config(file, storage, &s->storage);
    s->harvester.algorithm = HARVESTER_NEUTRAL; /* pru_hrv.* rules */
    s->interpolate_LUT = false;
    s->enable_boost = flag_of(file, prefix, "enable_boost");
    s->enable_buck = flag_of(file, prefix, "enable_buck");
    s->enable_feedback_to_hrv = flag_of(file, prefix, "enable_feedback_to_hrv");
    s->immediate_pwr_good_signal = flag_of(file, prefix, "immediate_pwr_good_signal");
    s->V_intermediate_enable_output_threshold_mV = threshold_of(file, prefix, "enable", 1);
    s->V_intermediate_disable_output_threshold_mV = threshold_of(file, prefix, "disable", 0);
    const struct {
        const char *key;
        double *value;
    } numbers[] = {
        {"interval_startup_delay_drain_ms",  &s->interval_startup_delay_drain_ms},
        { "V_input_max_mV",                  &s->V_input_max_mV                 },
        { "I_input_max_mA",                  &s->I_input_max_mA                 },
        { "V_input_drop_mV",                 &s->V_input_drop_mV                },
        { "R_input_mOhm",                    &s->R_input_mOhm                   },
        { "C_intermediate_uF",               &s->C_intermediate_uF              },
        { "V_intermediate_init_mV",          &s->V_intermediate_init_mV         },
        { "I_intermediate_leak_nA",          &s->I_intermediate_leak_nA         },
        { "interval_check_thresholds_ms",    &s->interval_check_thresholds_ms   },
        { "V_pwr_good_enable_threshold_mV",  &s->V_pwr_good_enable_threshold_mV },
        { "V_pwr_good_disable_threshold_mV", &s->V_pwr_good_disable_threshold_mV},
        { "C_output_uF",                     &s->C_output_uF                    },
        { "V_output_log_gpio_threshold_mV",  &s->V_output_log_gpio_threshold_mV },
        { "V_input_boost_threshold_mV",      &s->V_input_boost_threshold_mV     },
        { "V_intermediate_max_mV",           &s->V_intermediate_max_mV          },
        { "V_output_mV",                     &s->V_output_mV                    },
        { "V_buck_drop_mV",                  &s->V_buck_drop_mV                 },
    };

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        *numbers[i].value = vector_number(file, prefix, numbers[i].key, *numbers[i].value);
    }
    read_tables(file, prefix, s);
    source_config_finish(s);
}

int vector_source_params(const struct vector_file *file, struct source_config *source,
                         struct vsource_params *params, struct err *err)
{
    const char *datatype = vector_text(file, "", "dtype_in");
    bool has_curves = datatype != NULL && strcmp(datatype, "ivcurve") == 0;
    struct vsource_input input = { 0, 0, false };

    vector_source_config(file, "user.", source);
    vsource_derive_defaults(params);
    vector_harvester_params(file, params);
    input.window_samples = has_curves ? params->harvester.window_samples : 0;
    input.step_uV = params->harvester.voltage_step_uV;
    if (vsource_derive_source(source, &input, params, err) < 0) {
        return -1;
    }
    vector_harvester_params(file, params);
    vector_calibration_params(file, params);
    return 0;
}

double vector_table_step(const struct vector_file *file, const char *prefix)
{
    double knots[VSOURCE_STORE_KNOTS] = { 0 };
    size_t count =
        vector_list(file, prefix, "LuT_VOC_uV_n8", knots, sizeof(knots) / sizeof(knots[0]));
    double step = 0;

    for (size_t i = 1; i < count && i < sizeof(knots) / sizeof(knots[0]); i++) {
        step = fmax(step, fabs(knots[i] - knots[i - 1]) / 256);
    }
    return step;
}

uint32_t vector_u32(const struct vector_file *file, int column)
{
    double value = column < 0 ? 0 : nearbyint(file->row[column]);

    return value >= UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}
