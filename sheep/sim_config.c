/* SPDX-License-Identifier: MIT */
#include "sheep/sim_config.h"

#include <stdio.h>
#include <string.h>

enum {
    STALL_MS = 6000 /* a second longer than the ring lasts */
};

static const struct enum_name SPEEDS[] = {
    {"real",    SIM_REAL },
    { "fast",        SIM_FAST },
    { 0}
};
static const struct enum_name LATENCIES[] = {
    {"best",             SIM_LATENCY_BEST },
    { "worst",                 SIM_LATENCY_WORST },
    { "random",SIM_LATENCY_RANDOM },
    { 0         },
};
static const struct enum_name ADC_FAULTS[] = {
    {"none",             SIM_ADC_SOUND },
    { "silent",                 SIM_ADC_SILENT },
    { "stuck_high",SIM_ADC_STUCK_HIGH },
    { "same_code",      SIM_ADC_SAME_CODE },
    { "forgetful",                 SIM_ADC_FORGETFUL },
    { 0},
};
static const struct enum_name TRANSDUCERS[] = {
    {"solar",              TRANSDUCER_SOLAR },
    { "constant",                   TRANSDUCER_CONSTANT },
    { "replay",TRANSDUCER_REPLAY },
    { 0           },
};
static const struct enum_name TARGETS[] = {
    {"cycle",        TARGET_CYCLE },
    { "replay",             TARGET_REPLAY },
    { "resistor",TARGET_RESISTOR },
    { "none",    TARGET_NONE },
    { 0            },
};

/* One line per field; every field is there, because the defaults are merged in before. */
#define AT(type, member) .name = #member, .offset = offsetof(struct type, member)
#define NUMBER(owner, member, low, high, of, text)                                 \
    {                                                                              \
        AT(owner, member), .type = FIELD_F64, .minimum = (low), .maximum = (high), \
                           .unit = (of), .help = (text)                            \
    }
#define COUNT(owner, member, kind, high, text)                                             \
    {                                                                                      \
        AT(owner, member), .type = (kind), .minimum = 0, .maximum = (high), .help = (text) \
    }
#define FILE_PATH(owner, member, text)                                                        \
    {                                                                                         \
        AT(owner, member), .type = FIELD_STRING, .size = sizeof(((struct owner *)0)->member), \
                           .help = (text)                                                     \
    }

static const struct field TRANSDUCER_FIELDS[] = {
    {AT(world_transducer, kind), .type = FIELD_ENUM, .enums = TRANSDUCERS,
     .help = "what the harvester is connected to" },
    FILE_PATH(world_transducer, environment,
              "CSV: time_s,irradiance_W_per_m2[,temperature_C]; empty: constant light"),
    NUMBER(world_transducer, irradiance_W_per_m2, 0, 2000, "W/m2", "without an environment"),
    NUMBER(world_transducer, environment_start_s, 0, 1e9, "s", "instant of it at sample 0"),
    NUMBER(world_transducer, time_scale, 0, 1e6, NULL, "seconds of it in one second"),
    NUMBER(world_transducer, Isc_mA, 0, 1e4, "mA", "at 1000 W/m2 and 25 C"),
    NUMBER(world_transducer, Voc_V, 0.01, 100, "V", "at 1000 W/m2 and 25 C"),
    COUNT(world_transducer, n_cells, FIELD_U32, 1000, "in series"),
    NUMBER(world_transducer, ideality, 0.1, 10, NULL, "of the diode"),
    NUMBER(world_transducer, Rs_Ohm, 0, 1e6, "Ohm", "in series"),
    NUMBER(world_transducer, Rsh_Ohm, 0, 1e12, "Ohm", "parallel"),
    NUMBER(world_transducer, temperature_C, -100, 200, "C", "without a column of it"),
    NUMBER(world_transducer, Isc_per_K, -0.1, 0.1, "1/K", "relative"),
    NUMBER(world_transducer, Voc_V_per_K, -1, 1, "V/K", "of the whole cell"),
    NUMBER(world_transducer, source_V, 0, 100, "V", "constant: open voltage"),
    NUMBER(world_transducer, source_Ohm, 0, 1e9, "Ohm", "constant: inner resistance"),
    FILE_PATH(world_transducer, curve, "replay: CSV voltage_V,current_A"),
    { 0},
};

static const struct field TARGET_FIELDS[] = {
    {AT(world_target,                      kind), .type = FIELD_ENUM, .enums = TARGETS,
     .help = "what the emulator supplies" },
    NUMBER(world_target, V_on_V, 0, 10, "V", "starts to boot at or above"),
    NUMBER(world_target, V_brownout_V, 0, 10, "V", "dies below"),
    { AT(world_target,                  needs_power_good), .type = FIELD_BOOL,
     .help = "boots only while power is good" },
    NUMBER(world_target, off_uA, 0, 1e6, "uA", "below V_on_V"),
    NUMBER(world_target, boot_ms, 0, 1e6, "ms", "length of the boot"),
    NUMBER(world_target, boot_uA, 0, 1e6, "uA", "during it"),
    NUMBER(world_target, sleep_ms, 0, 1e6, "ms", "length of sleep"),
    NUMBER(world_target, sleep_uA, 0, 1e6, "uA", "during it"),
    NUMBER(world_target, compute_ms, 0, 1e6, "ms", "length of computing"),
    NUMBER(world_target, compute_uA, 0, 1e6, "uA", "during it"),
    NUMBER(world_target, send_ms, 0, 1e6, "ms", "length of sending"),
    NUMBER(world_target, send_uA, 0, 1e6, "uA", "during it"),
    NUMBER(world_target, resistance_Ohm, 0, 1e12, "Ohm", "of a resistor"),
    FILE_PATH(world_target, trace, "replay: CSV time_us,current_nA at 100 kHz"),
    { 0},
};

static const struct field CHANNEL_FIELDS[] = {
    NUMBER(world_channel, gain_error, -0.5, 0.5, NULL, "true = nominal * (1 + this) + offset"),
    NUMBER(world_channel, offset, -1, 1, "V or A", "of code 0"),
    { 0 },
};

static const struct schema CHANNEL_SCHEMA = { "channel", "What is wrong with a converter",
                                              CHANNEL_FIELDS, sizeof(struct world_channel) };
static const struct schema TRANSDUCER_SCHEMA = { "transducer", "What is harvested",
                                                 TRANSDUCER_FIELDS,
                                                 sizeof(struct world_transducer) };
static const struct schema TARGET_SCHEMA = { "target", "What is supplied", TARGET_FIELDS,
                                             sizeof(struct world_target) };

/* A member of the world is a key of the map itself. */
#define WORLD(member) \
    .name = #member,  \
    .offset = offsetof(struct sim_config, world) + offsetof(struct world_config, member)
#define CHANNEL(member)                                                               \
    {                                                                                 \
        WORLD(member), .type = FIELD_MAP, .sub = &CHANNEL_SCHEMA, .help = "its error" \
    }

static const struct field SIM_FIELDS[] = {
    {WORLD(seed),                                    .type = FIELD_U64, .help = "all noise follows from it" },
    NUMBER(sim_config, oscillator_ppm, -200, 200, "ppm", "error of the PRU's counter"),
    { AT(sim_config,           speed), .type = FIELD_ENUM, .enums = SPEEDS,
     .help = "by the clock, or as fast as possible" },
    NUMBER(sim_config, fast_limit, 0, 1e6, NULL,
           "speed fast, board sim: at most so many times real time; 0: no limit"),
    FILE_PATH(sim_config, firmware, "board iss: folder of the PRU's program files"),
    { AT(sim_config,                                 cape), .type = FIELD_U32, .minimum = 24, .maximum = 25,
     .help = "board iss: revision of the cape, 24 or 25" },
    { AT(sim_config,                            memory_latency), .type = FIELD_ENUM, .enums = LATENCIES,
     .help = "board iss: what reads of OCMC and DDR take" },
    FILE_PATH(sim_config, pin_file, "its first byte becomes 1 when sample 0 is taken"),
    FILE_PATH(sim_config, uart_link, "becomes a link to the target's serial line"),
    { AT(sim_config, truth), .type = FIELD_BOOL,
     .help = "what was true at every sample is written beside: 32 bytes a sample" },
    COUNT(sim_config, late_samples, FIELD_U32, 0, "fault: starts so much late, unsaid"),
    COUNT(sim_config, hang_at, FIELD_U64, 0, "fault: no sample from this one on"),
    COUNT(sim_config, stall_at, FIELD_U64, 0, "fault: the recorder is held up then"),
    COUNT(sim_config, stall_ms, FIELD_U32, 600000, "for so long; the ring holds 5120"),
    { AT(sim_config,                                 impatient), .type = FIELD_BOOL,
     .help = "fault, board iss: waits neither for room nor for input" },
    COUNT(sim_config, hang_core, FIELD_U32, 1, "board iss: the core that hang_at stops"),
    { AT(sim_config,                             adc_fault), .type = FIELD_ENUM, .enums = ADC_FAULTS,
     .help = "fault, board iss: of the first ADC in use" },
    COUNT(sim_config, adc_fault_at, FIELD_U64, 0, "fault, board iss: from this sample on"),
    COUNT(sim_config, ddr_stall_at, FIELD_U64, 0, "fault, board iss: DDR stalls then, once"),
    COUNT(sim_config, ddr_stall_us, FIELD_U32, 1000000, "for so long"),
    COUNT(sim_config, overwrite_at, FIELD_U64, 0, "fault: shared memory is overwritten then"),
    { WORLD(noise_lsb_rms),                                 .type = FIELD_F64, .maximum = 1000, .unit = "LSB",
     .help = "noise of every ADC" },
    CHANNEL(hrv_dac_V),
    CHANNEL(hrv_adc_V),
    CHANNEL(hrv_adc_I),
    CHANNEL(emu_dac_V_A),
    CHANNEL(emu_dac_V_B),
    CHANNEL(emu_adc_I_A),
    CHANNEL(emu_adc_I_B),
    { WORLD(transducer),                                             .type = FIELD_MAP, .sub = &TRANSDUCER_SCHEMA,
     .help = "what is harvested" },
    { WORLD(target),    .type = FIELD_MAP, .sub = &TARGET_SCHEMA, .help = "what is supplied" },
    { 0                           },
};

const struct schema sim_config_schema = { "sim", "The world around a simulated board",
                                          SIM_FIELDS, sizeof(struct sim_config) };

static struct sim_config defaults(void)
{
    struct sim_config config;

    memset(&config, 0, sizeof(config));
    config.world = world_config_default();
    config.truth = true;
    config.cape = 24;
    config.stall_ms = STALL_MS;
    return config;
}

/* Relative to the folder of the file that names it. */
static void resolve(char *path, size_t size, const char *file, struct fault_list *faults)
{
    const char *slash = file == NULL ? NULL : strrchr(file, '/');
    struct yaml_place nowhere = { 0 };
    char whole[2 * PATH_SIZE];

    if (path[0] == '\0' || path[0] == '/' || slash == NULL) {
        return;
    }
    snprintf(whole, sizeof(whole), "%.*s/%s", (int)(slash - file), file, path);
    if (strlen(whole) >= size) {
        fault_add(faults, nowhere, "sim: path is too long: %s", path);
        return;
    }
    memcpy(path, whole, strlen(whole) + 1);
}

static void resolve_all(struct sim_config *config, const char *file, struct fault_list *faults)
{
    struct world_transducer *transducer = &config->world.transducer;
    struct world_target *target = &config->world.target;

    resolve(config->firmware, sizeof(config->firmware), file, faults);
    resolve(config->pin_file, sizeof(config->pin_file), file, faults);
    resolve(config->uart_link, sizeof(config->uart_link), file, faults);
    resolve(transducer->environment, sizeof(transducer->environment), file, faults);
    resolve(transducer->curve, sizeof(transducer->curve), file, faults);
    resolve(target->trace, sizeof(target->trace), file, faults);
}

int sim_config_load(struct sim_config *config, const struct yaml_node *map, const char *file,
                    struct err *err)
{
    struct sim_config base = defaults();
    struct yaml_doc *base_doc = NULL;
    struct yaml_doc *doc = NULL;
    struct yaml_node *merged = NULL;
    struct fault_list faults = { 0 };
    struct buf text = { 0 };
    int result = -1;

    schema_encode(&sim_config_schema, &base, &text, 0);
    base_doc = yaml_parse(text.data, text.size, "defaults of sim", err);
    doc = yaml_create();
    if (base_doc == NULL || doc == NULL) {
        goto done;
    }
    merged = yaml_merge(doc, yaml_root(base_doc), map, err);
    if (merged == NULL) {
        goto done;
    }
    schema_decode(&sim_config_schema, merged, config, &faults);
    resolve_all(config, file, &faults);
    result = fault_check(&faults, err);
done:
    fault_fini(&faults);
    buf_fini(&text);
    yaml_destroy(&doc);
    yaml_destroy(&base_doc);
    return result;
}
