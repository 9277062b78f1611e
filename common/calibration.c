/* SPDX-License-Identifier: MIT */
#include "common/calibration.h"

#include <math.h>
#include <stddef.h>

/* Cape 2.4: ADS8691 (18 bit, 1.25 x 4.096 V), DAC8562 (16 bit, 2 x 2.5 V), shunt of 2 Ohm
 * behind an amplifier of gain 48. */
static const double ADC_RANGE_V = 1.25 * 4.096;
static const double ADC_CODES = 262144;
static const double DAC_RANGE_V = 5.0;
static const double DAC_CODES = 65536;
static const double SHUNT_V_PER_A = 2.0 * 48;

static const struct field channel_fields[] = {
    {.name = "gain",
     .type = FIELD_F64,
     .offset = offsetof(struct cal_channel, gain),
     .help = "V or A per code" },
    { .name = "offset",
     .type = FIELD_F64,
     .offset = offsetof(struct cal_channel, offset),
     .default_text = "0",
     .help = "V or A at code 0" },
    { .name = NULL            },
};

static const struct schema channel_schema = {
    .name = "channel",
    .help = "value = code x gain + offset",
    .fields = channel_fields,
    .size = sizeof(struct cal_channel),
};

/* The channels of one side stand in a row in the struct. */
_Static_assert(offsetof(struct calibration, hrv_adc_I) - offsetof(struct calibration, hrv_dac_V)
                   == 3 * sizeof(struct cal_channel),
               "harvester channels are adjacent");
_Static_assert(offsetof(struct calibration, emu_adc_I_B)
                       - offsetof(struct calibration, emu_dac_V_A)
                   == 3 * sizeof(struct cal_channel),
               "emulator channels are adjacent");

static const struct field harvester_fields[] = {
    {.name = "dac_V_Hrv",
     .type = FIELD_MAP,
     .offset = 0,
     .sub = &channel_schema,
     .help = "voltage that the harvester's port is held at" },
    { .name = "dac_V_Sim",
     .type = FIELD_MAP,
     .offset = sizeof(struct cal_channel),
     .sub = &channel_schema,
     .help = "simulated source" },
    { .name = "adc_V_Sense",
     .type = FIELD_MAP,
     .offset = 2 * sizeof(struct cal_channel),
     .sub = &channel_schema,
     .help = "measured voltage" },
    { .name = "adc_C_Hrv",
     .type = FIELD_MAP,
     .offset = 3 * sizeof(struct cal_channel),
     .sub = &channel_schema,
     .help = "measured current" },
    { .name = NULL                  },
};

static const struct field emulator_fields[] = {
    {.name = "dac_V_A",
     .type = FIELD_MAP,
     .offset = 0,
     .sub = &channel_schema,
     .help = "supply of target port A" },
    { .name = "dac_V_B",
     .type = FIELD_MAP,
     .offset = sizeof(struct cal_channel),
     .sub = &channel_schema,
     .help = "supply of target port B" },
    { .name = "adc_C_A",
     .type = FIELD_MAP,
     .offset = 2 * sizeof(struct cal_channel),
     .sub = &channel_schema,
     .help = "current of target port A" },
    { .name = "adc_C_B",
     .type = FIELD_MAP,
     .offset = 3 * sizeof(struct cal_channel),
     .sub = &channel_schema,
     .help = "current of target port B" },
    { .name = NULL},
};

static const struct schema harvester_side = { .name = "harvester",
                                              .fields = harvester_fields,
                                              .size = 4 * sizeof(struct cal_channel) };
static const struct schema emulator_side = { .name = "emulator",
                                             .fields = emulator_fields,
                                             .size = 4 * sizeof(struct cal_channel) };

static const struct field calibration_fields[] = {
    {.name = "is_default",
     .type = FIELD_BOOL,
     .offset = offsetof(struct calibration, is_default),
     .default_text = "false",
     .help = "nominal values: nobody measured this cape" },
    { .name = "harvester",
     .type = FIELD_MAP,
     .offset = offsetof(struct calibration, hrv_dac_V),
     .sub = &harvester_side },
    { .name = "emulator",
     .type = FIELD_MAP,
     .offset = offsetof(struct calibration, emu_dac_V_A),
     .sub = &emulator_side },
    { .name = NULL                                   },
};

const struct schema calibration_schema = {
    .name = "calibration",
    .help = "gain and offset of each converter of a cape",
    .fields = calibration_fields,
    .size = sizeof(struct calibration),
};

/* What check compares with, in the order of the struct. */
static const struct {
    const char *name;
    size_t offset;
    bool is_dac;
    bool is_current;
} channels[] = {
    {"harvester.dac_V_Hrv",    offsetof(struct calibration, hrv_dac_V),     true,  false},
    { "harvester.dac_V_Sim",   offsetof(struct calibration, hrv_dac_V_sim), true,  false},
    { "harvester.adc_V_Sense", offsetof(struct calibration, hrv_adc_V),     false, false},
    { "harvester.adc_C_Hrv",   offsetof(struct calibration, hrv_adc_I),     false, true },
    { "emulator.dac_V_A",      offsetof(struct calibration, emu_dac_V_A),   true,  false},
    { "emulator.dac_V_B",      offsetof(struct calibration, emu_dac_V_B),   true,  false},
    { "emulator.adc_C_A",      offsetof(struct calibration, emu_adc_I_A),   false, true },
    { "emulator.adc_C_B",      offsetof(struct calibration, emu_adc_I_B),   false, true },
};

struct calibration calibration_default(void)
{
    struct cal_channel dac = { .gain = DAC_RANGE_V / DAC_CODES };
    struct cal_channel adc_V = { .gain = ADC_RANGE_V / ADC_CODES };
    struct cal_channel adc_I = { .gain = ADC_RANGE_V / ADC_CODES / SHUNT_V_PER_A };

    return (struct calibration){
        .is_default = true,
        .hrv_dac_V = dac,
        .hrv_dac_V_sim = dac,
        .hrv_adc_V = adc_V,
        .hrv_adc_I = adc_I,
        .emu_dac_V_A = dac,
        .emu_dac_V_B = dac,
        .emu_adc_I_A = adc_I,
        .emu_adc_I_B = adc_I,
    };
}

static const struct cal_channel *channel_at(const struct calibration *cal, size_t i)
{
    return (const struct cal_channel *)(const void *)((const char *)cal + channels[i].offset);
}

int calibration_check(const struct calibration *cal, struct err *err)
{
    static const double MAX_FACTOR = 2;
    static const double MAX_OFFSET = 0.05; /* of full scale */
    struct calibration nominal = calibration_default();

    for (size_t i = 0; i < ARRAY_LEN(channels); i++) {
        const struct cal_channel *channel = channel_at(cal, i);
        double gain = channel_at(&nominal, i)->gain;
        double full_scale = gain * (channels[i].is_dac ? DAC_CODES : ADC_CODES);
        const char *unit = channels[i].is_current ? "A" : "V";

        if (!(channel->gain >= gain / MAX_FACTOR && channel->gain <= gain * MAX_FACTOR)) {
            return err_set(err, ERR_INPUT,
                           "calibration of %s: a gain of %g %s is not within a factor of %g of "
                           "the nominal %g",
                           channels[i].name, channel->gain, unit, MAX_FACTOR, gain);
        }
        if (!(fabs(channel->offset) <= MAX_OFFSET * full_scale)) {
            return err_set(
                err, ERR_INPUT,
                "calibration of %s: an offset of %g %s is beyond %g %% of full scale",
                channels[i].name, channel->offset, unit, MAX_OFFSET * 100);
        }
    }
    return 0;
}

int calibration_load(struct calibration *cal, const char *path, struct err *err)
{
    struct yaml_doc *doc = yaml_load(path, err);
    struct fault_list faults = { 0 };
    const struct yaml_node *root = NULL;
    int status = -1;

    if (doc == NULL) {
        return -1;
    }
    root = yaml_root(doc);
    if (yaml_get(root, "parameters") != NULL) {
        root = yaml_get(root, "parameters"); /* Shepherd's wrapper */
    }
    schema_decode(&calibration_schema, root, cal, &faults);
    status = fault_check(&faults, err);
    if (status == 0 && calibration_check(cal, err) < 0) {
        status = err_prepend(err, "%s", path);
    }
    fault_fini(&faults);
    yaml_destroy(&doc);
    return status;
}
