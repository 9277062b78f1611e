/* SPDX-License-Identifier: MIT */
/* manifest.yaml of a recording log. */
#include "common/rlog.h"

static const struct field channel_fields[] = {
    {.name = "gain",
     .type = FIELD_F64,
     .offset = offsetof(struct cal_channel, gain),
     .unit = "V or A",
     .help = "SI value of one code" },
    { .name = "offset",
     .type = FIELD_F64,
     .offset = offsetof(struct cal_channel, offset),
     .unit = "V or A",
     .help = "SI value of code 0" },
    { 0                     },
};

static const struct schema channel_schema = {
    .name = "channel",
    .help = "What a code means: SI = raw * gain + offset",
    .fields = channel_fields,
    .size = sizeof(struct cal_channel),
};

static const struct enum_name mode_names[] = {
    {"harvest",  MODE_HARVEST},
    { "emulate", MODE_EMULATE},
    { NULL,      0           },
};

#define MEMBER(member, kind)                                                           \
    .name = #member, .type = (kind), .offset = offsetof(struct rlog_manifest, member), \
    .size = sizeof(((struct rlog_manifest *)0)->member)

static const struct field manifest_fields[] = {
    {MEMBER(experiment_name,                     FIELD_STRING), .help = "name of the experiment" },
    { MEMBER(experiment,          FIELD_U64), .help = "its id in the token of messages" },
    { MEMBER(node,                         FIELD_STRING), .help = "who recorded" },
    { MEMBER(version, FIELD_STRING), .help = "of sheep" },
    { MEMBER(board,                               FIELD_STRING), .help = "sim, iss or pru" },
    { MEMBER(mode,                    FIELD_ENUM), .enums = mode_names, .help = "harvest or emulate" },
    { MEMBER(datatype,                            FIELD_STRING), .help = "ivsample, ivcurve or isc_voc" },
    { MEMBER(window_samples,                        FIELD_U32), .help = "samples of one curve, 0 for ivsample" },
    { MEMBER(n_planned,                              FIELD_U64), .help = "samples; 2^64-1: open end" },
    { MEMBER(has_voltage,                 FIELD_BOOL), .help = "voltage is recorded" },
    { MEMBER(has_current,                               FIELD_BOOL), .help = "current is recorded" },
    { MEMBER(has_storage,                       FIELD_BOOL), .help = "voltage and current of the store are, too" },
    { MEMBER(voltage,                                         FIELD_MAP), .sub = &channel_schema, .help = "codes of the voltage" },
    { MEMBER(current,  FIELD_MAP), .sub = &channel_schema, .help = "codes of the current" },
    { MEMBER(gpio_mask,                                         FIELD_U32), .help = "pins that are recorded" },
    { MEMBER(is_cal_default,         FIELD_BOOL), .help = "nominal calibration, nobody measured it" },
    { MEMBER(config,                                         FIELD_MAP), .sub = &node_config_schema, .help = "as resolved by herd" },
    { 0  },
};

const struct schema rlog_manifest_schema = {
    .name = "manifest",
    .help = "What a reader must know before the first record",
    .fields = manifest_fields,
    .size = sizeof(struct rlog_manifest),
};
