/* SPDX-License-Identifier: MIT */
/* Parameters of the virtual storage; names, ranges and defaults are the incumbent's, but for
 * those of `build`, which are its constructors. */
#include "common/storage_build.h"
#include "common/vsource_config.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct enum_name builds[] = {
    {"none",            STORAGE_GIVEN    },
    { "capacitor",      STORAGE_CAPACITOR},
    { "supercapacitor", STORAGE_CAPACITOR},
    { "lipo",           STORAGE_LIPO     },
    { "lead_acid",      STORAGE_LEAD_ACID},
    { NULL,             0                },
};

static const struct field storage_fields[] = {
    {.name = "name",
     .type = FIELD_STRING,
     .offset = offsetof(struct storage_config, name),
     .default_text = "",
     .size = PRESET_NAME_SIZE,
     .help = "the preset it came from" },
    { .name = "is_present",
     .type = FIELD_BOOL,
     .offset = offsetof(struct storage_config, is_present),
     .default_text = "false",
     .help = "false: nothing is stored, input and output are connected directly" },
    { .name = "build",
     .type = FIELD_ENUM,
     .offset = offsetof(struct storage_config, build),
     .default_text = "none",
     .enums = builds,
     .help =
          "makes q_As, p_VOC and p_Rs from what a data sheet says: of a capacitor C_uF, V_rated_mV and R_series_Ohm, of a battery capacity_mAh" },
    { .name = "C_uF",
     .type = FIELD_F64,
     .offset = offsetof(struct storage_config, C_uF),
     .maximum = 1e9,
     .default_text = "0",
     .unit = "uF",
     .help = "build: capacitance" },
    { .name = "V_rated_mV",
     .type = FIELD_F64,
     .offset = offsetof(struct storage_config, V_rated_mV),
     .maximum = 16777,
     .default_text = "0",
     .unit = "mV",
     .help = "build: voltage of the full capacitor" },
    { .name = "R_series_Ohm",
     .type = FIELD_F64,
     .offset = offsetof(struct storage_config, R_series_Ohm),
     .maximum = 15999,
     .default_text = "0",
     .unit = "Ohm",
     .help = "build: series resistance of the capacitor" },
    { .name = "capacity_mAh",
     .type = FIELD_F64,
     .offset = offsetof(struct storage_config, capacity_mAh),
     .maximum = 1e8,
     .default_text = "0",
     .unit = "mAh",
     .help =
          "build: capacity of the battery; resistances go with its inverse, as those of cells in parallel" },
    { .name = "SoC_init",
     .type = FIELD_F64,
     .offset = offsetof(struct storage_config, SoC_init),
     .maximum = 1,
     .default_text = "0.8",
     .help = "state of charge at the start" },
    { .name = "q_As",
     .type = FIELD_F64,
     .offset = offsetof(struct storage_config, q_As),
     .maximum = 1e9,
     .default_text = "0",
     .unit = "As",
     .help = "capacity; of a capacitor C x rated voltage" },
    { .name = "p_VOC",
     .type = FIELD_F64_LIST,
     .offset = offsetof(struct storage_config, p_VOC),
     .default_text = "[0, 0, 0, 1, 0, 0]",
     .unit = "V",
     .max_count = 6,
     .help =
          "open-circuit voltage over the state of charge s: p0 exp(-p1 s) + p2 + p3 s - p4 s^2 + p5 s^3" },
    { .name = "p_Rs",
     .type = FIELD_F64_LIST,
     .offset = offsetof(struct storage_config, p_Rs),
     .default_text = "0",
     .unit = "Ohm",
     .max_count = 6,
     .help = "series resistance, same form" },
    { .name = "R_leak_Ohm",
     .type = FIELD_F64,
     .offset = offsetof(struct storage_config, R_leak_Ohm),
     .maximum = DBL_MAX,
     .default_text = "0",
     .unit = "Ohm",
     .help =
          "parallel resistance, self-discharge; 0: none; of a battery that is built it goes with capacity_mAh" },
    { .name = "p_RtS",
     .type = FIELD_F64_LIST,
     .offset = offsetof(struct storage_config, p_RtS),
     .default_text = "0",
     .max_count = 3,
     .help = "resistance of the short transient; float models only, no effect here" },
    { .name = "p_CtS",
     .type = FIELD_F64_LIST,
     .offset = offsetof(struct storage_config, p_CtS),
     .default_text = "0",
     .max_count = 3,
     .help = "capacitance of the short transient; float models only, no effect here" },
    { .name = "p_RtL",
     .type = FIELD_F64_LIST,
     .offset = offsetof(struct storage_config, p_RtL),
     .default_text = "0",
     .max_count = 3,
     .help = "resistance of the long transient; float models only, no effect here" },
    { .name = "p_CtL",
     .type = FIELD_F64_LIST,
     .offset = offsetof(struct storage_config, p_CtL),
     .default_text = "0",
     .max_count = 3,
     .help = "capacitance of the long transient; float models only, no effect here" },
    { .name = "p_rce",
     .type = FIELD_F64,
     .offset = offsetof(struct storage_config, p_rce),
     .maximum = 1,
     .default_text = "1",
     .help = "rate capacity effect; float models only, no effect here" },
    { .name = "kdash",
     .type = FIELD_F64,
     .offset = offsetof(struct storage_config, kdash),
     .maximum = 1,
     .default_text = "2.2250738585072014e-308",
     .help = "rate of that effect; float models only, no effect here" },
    { .name = NULL                        },
};

const struct schema storage_schema = {
    .name = "storage",
    .help = "what holds the energy between input and output",
    .fields = storage_fields,
    .size = sizeof(struct storage_config),
};

double storage_curve(const double p[6], double state_of_charge)
{
    double s = state_of_charge;

    return p[0] * exp(-p[1] * s) + p[2] + p[3] * s - p[4] * s * s + p[5] * s * s * s;
}

struct storage_config storage_capacitor(double C_uF, double rated_V, double voltage_V)
{
    struct storage_config storage;

    schema_defaults(&storage_schema, &storage);
    storage.is_present = true;
    storage.q_As = C_uF * 1e-6 * rated_V;
    storage.p_VOC[3] = rated_V;
    storage.SoC_init = fmin(1, fmax(0, voltage_V / rated_V));
    snprintf(storage.name, sizeof(storage.name), "capacitor");
    return storage;
}

void storage_config_finish(struct storage_config *storage)
{
    struct storage_config built;

    switch (storage->build) {
    case STORAGE_GIVEN:
        return;
    case STORAGE_CAPACITOR:
        built = storage_build_capacitor(storage->C_uF, storage->V_rated_mV / 1000,
                                        storage->R_series_Ohm, storage->R_leak_Ohm);
        break;
    case STORAGE_LIPO:
        built = storage_build_lipo(storage->capacity_mAh);
        break;
    case STORAGE_LEAD_ACID:
        built = storage_build_lead_acid(storage->capacity_mAh);
        break;
    }
    storage->q_As = built.q_As;
    memcpy(storage->p_VOC, built.p_VOC, sizeof(storage->p_VOC));
    memcpy(storage->p_Rs, built.p_Rs, sizeof(storage->p_Rs));
    storage->R_leak_Ohm = built.R_leak_Ohm;
}

bool storage_is_buildable(const struct storage_config *storage)
{
    switch (storage->build) {
    case STORAGE_GIVEN:
        return true;
    case STORAGE_CAPACITOR:
        return storage->C_uF > 0 && storage->V_rated_mV > 0;
    case STORAGE_LIPO:
    case STORAGE_LEAD_ACID:
        return storage->capacity_mAh > 0;
    }
    return false;
}
