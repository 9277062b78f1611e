/* SPDX-License-Identifier: MIT */
/* The table of what one node is told. Its first entries are set by herd or belong to the whole
 * experiment; the rest is what a person may write for a node, a group or all. */
#include "common/experiment.h"
#include "common/experiment_parts.h"
#include "common/log.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum {
    PIN_COUNT = 16, /* of pru/abi/pru_shm.h */
    ALL_PINS = (1 << PIN_COUNT) - 1,
    SAMPLE_NS = 10000
};

static const struct enum_name modes[] = {
    {"harvest",  MODE_HARVEST},
    { "emulate", MODE_EMULATE},
    { NULL,      0           }
};
static const struct enum_name log_levels[] = {
    {"error",    LOG_LEVEL_ERROR},
    { "warning", LOG_LEVEL_WARN },
    { "info",    LOG_LEVEL_INFO },
    { "debug",   LOG_LEVEL_DEBUG},
    { NULL,      0              }
};
static const struct enum_name ports[] = {
    {"A",   PORT_A},
    { "B",  PORT_B},
    { "1",  PORT_A},
    { "2",  PORT_B},
    { NULL, 0     }
};
static const struct enum_name aux_sources[] = {
    {"fixed",    AUX_FIXED  },
    { "mirror",  AUX_MIRROR },
    { "storage", AUX_STORAGE},
    { NULL,      0          }
};
static const struct enum_name exists_names[] = {
    {"number",     EXISTS_NUMBER   },
    { "refuse",    EXISTS_REFUSE   },
    { "overwrite", EXISTS_OVERWRITE},
    { NULL,        0               }
};
static const struct enum_name where_names[] = {
    {"disk", WHERE_DISK},
    { "ram", WHERE_RAM },
    { NULL,  0         }
};
static const struct enum_name rates[] = {
    {"10",      RECORD_10_HZ  },
    { "100",    RECORD_100_HZ },
    { "1000",   RECORD_1_KHZ  },
    { "100000", RECORD_100_KHZ},
    { NULL,     0             }
};
static const struct enum_name clock_sources[] = {
    {"daemon", CLOCK_SOURCE_DAEMON},
    { "any",   CLOCK_SOURCE_ANY   },
    { NULL,    0                  }
};

/* `all`, `none` or a list of pins. */
static void decode_pins(const struct yaml_node *node, void *member, struct fault_list *faults)
{
    const char *text = yaml_text(node, "");
    uint32_t mask = 0;

    for (size_t i = 0; node->kind == YAML_LIST && i < node->count; i++) {
        int64_t pin = -1;

        if (!text_to_i64(yaml_text(node->items[i], ""), &pin) || pin < 0 || pin >= PIN_COUNT) {
            fault_add(faults, node->items[i]->place, "gpio: a pin is a number from 0 to %d",
                      PIN_COUNT - 1);
            continue;
        }
        mask |= 1u << pin;
    }
    if (strcmp(text, "all") == 0 || strcmp(text, "true") == 0) {
        mask = ALL_PINS;
    } else if (node->kind != YAML_LIST && strcmp(text, "none") != 0
               && strcmp(text, "false") != 0) {
        fault_add(faults, node->place,
                  "gpio: wants all, none or a list of pins such as [0, 3]");
    }
    memcpy(member, &mask, sizeof(mask));
}

static void encode_pins(const void *member, struct buf *out, unsigned indent)
{
    uint32_t mask = 0;
    const char *separator = "";

    (void)indent;
    memcpy(&mask, member, sizeof(mask));
    if ((mask & ALL_PINS) == ALL_PINS) {
        buf_text(out, " all\n");
        return;
    }
    if ((mask & ALL_PINS) == 0) {
        buf_text(out, " none\n");
        return;
    }
    buf_text(out, " [");
    for (unsigned pin = 0; pin < PIN_COUNT; pin++) {
        if ((mask >> pin & 1u) != 0) {
            buf_printf(out, "%s%u", separator, pin);
            separator = ", ";
        }
    }
    buf_text(out, "]\n");
}

static void decode_compression(const struct yaml_node *node, void *member,
                               struct fault_list *faults)
{
    const char *text = yaml_text(node, "");
    uint32_t level = 0;
    int64_t number = -1;

    if (strncmp(text, "gzip-", 5) == 0 && text_to_i64(text + 5, &number) && number >= 1
        && number <= 9) {
        level = (uint32_t)number;
    } else if (strcmp(text, "none") != 0) {
        fault_add(faults, node->place, "compression: wants none or gzip-1 to gzip-9%s%.40s%s",
                  text[0] != '\0' ? ", not '" : "", text, text[0] != '\0' ? "'" : "");
    }
    memcpy(member, &level, sizeof(level));
}

static void encode_compression(const void *member, struct buf *out, unsigned indent)
{
    uint32_t level = 0;

    (void)indent;
    memcpy(&level, member, sizeof(level));
    if (level == 0) {
        buf_text(out, " none\n");
    } else {
        buf_printf(out, " gzip-%" PRIu32 "\n", level);
    }
}

#define RECORD(key, member_, type_) \
    .name = (key), .type = (type_), .offset = offsetof(struct record_config, member_)

static const struct field record_fields[] = {
    {RECORD("voltage",                                           voltage, FIELD_BOOL), .default_text = "true" },
    { RECORD("current",                                               current, FIELD_BOOL), .default_text = "true" },
    { RECORD("storage",                                                         storage, FIELD_BOOL), .default_text = "false",
     .help = "voltage and current of the storage too" },
    { RECORD("samplerate",     samplerate, FIELD_ENUM), .default_text = "100000", .enums = rates,
     .unit = "Hz", .help = "below 100000 each row is the mean of its window" },
    { RECORD("overview_only",                                    overview_only, FIELD_BOOL), .default_text = "false",
     .help = "no samples, but minimum, mean and maximum of every 64 and more" },
    { RECORD("delay",                                          delay_ns, FIELD_DURATION_NS), .default_text = "0 s", .unit = "s",
     .minimum = 0, .maximum = 1e8,
     .help = "voltage, current and storage are recorded from then on" },
    { RECORD("duration",                                               duration_ns, FIELD_DURATION_NS), .default_text = "to the end",
     .unit = "s", .open_text = "to the end", .help = "and for so long" },
    { RECORD("gpio",           gpio_mask, FIELD_CUSTOM), .default_text = "all", .decode = decode_pins,
     .encode = encode_pins, .help = "all, none, or a list of pins: [0, 3]" },
    { RECORD("sync_interval",                                       sync_interval_ns, FIELD_DURATION_NS), .default_text = "1 s",
     .unit = "s", .minimum = 0.01, .maximum = 3600,
     .help = "a cut of power loses at most this much" },
    { RECORD("compression",                                               compression, FIELD_CUSTOM), .default_text = "gzip-1",
     .decode = decode_compression, .encode = encode_compression,
     .help = "none, or gzip-1 to gzip-9" },
    { RECORD("exists",                                            exists, FIELD_ENUM), .default_text = "number", .enums = exists_names,
     .help = "what happens when the name is taken" },
    { RECORD("where", where, FIELD_ENUM), .default_text = "disk", .enums = where_names,
     .help = "ram: in the node's memory, where each 64 MiB stay until herd has them" },
    { RECORD("memory",                                    memory_bytes, FIELD_BYTES), .default_text = "64 MiB", .minimum = 1 << 20,
     .maximum = 1LL << 40, .unit = "B",
     .help = "that the node may use for what is not yet on disk" },
    { .name = NULL                                              },
};
static const struct schema record_schema = { .name = "record",
                                             .fields = record_fields,
                                             .size = sizeof(struct record_config) };

static const struct field uart_fields[] = {
    {.name = "enable",
     .type = FIELD_BOOL,
     .offset = offsetof(struct uart_config, enable),
     .default_text = "true" },
    { .name = "baudrate",
     .type = FIELD_U32,
     .offset = offsetof(struct uart_config, baudrate),
     .maximum = 4000000,
     .unit = "Bd",
     .default_text = "115200" },
    { .name = NULL               },
};
static const struct schema uart_schema = { .name = "uart",
                                           .fields = uart_fields,
                                           .size = sizeof(struct uart_config) };

static const struct field log_fields[] = {
    {.name = "system",
     .type = FIELD_DURATION_NS,
     .offset = offsetof(struct log_config, system_ns),
     .unit = "s",
     .minimum = 0,
     .maximum = 3600,
     .default_text = "1 s",
     .help = "interval of load, memory, disk, network and temperature; 0: off" },
    { .name = "iio",
     .type = FIELD_DURATION_NS,
     .offset = offsetof(struct log_config, iio_ns),
     .unit = "s",
     .minimum = 0,
     .maximum = 3600,
     .default_text = "1 s",
     .help = "interval of the node's industrial I/O sensors; 0: off" },
    { .name = "kernel",
     .type = FIELD_BOOL,
     .offset = offsetof(struct log_config, kernel),
     .default_text = "true",
     .help = "the kernel's messages" },
    { .name = "time",
     .type = FIELD_BOOL,
     .offset = offsetof(struct log_config, time),
     .default_text = "true",
     .help = "what the time daemons say" },
    { .name = "sheep",
     .type = FIELD_BOOL,
     .offset = offsetof(struct log_config, sheep),
     .default_text = "true",
     .help = "the agent's own log" },
    { .name = "sheep_level",
     .type = FIELD_ENUM,
     .offset = offsetof(struct log_config, sheep_level),
     .enums = log_levels,
     .default_text = "info",
     .help = "lines of it that are recorded" },
    { .name = "uart",
     .type = FIELD_MAP,
     .offset = offsetof(struct log_config, uart),
     .sub = &uart_schema,
     .is_optional = true,
     .help = "what the target sends; absent: off" },
    { .name = NULL                                                              },
};
static const struct schema log_schema = { .name = "log",
                                          .fields = log_fields,
                                          .size = sizeof(struct log_config) };

#define NODE(key, member_, type_) \
    .name = (key), .type = (type_), .offset = offsetof(struct node_config, member_)

enum {
    N_HERD_FIELDS = 6
};

static const struct field node_fields[] = {
  /* Set by herd, or the experiment's: N_HERD_FIELDS of them. */
    {NODE("duration",                              duration_ns, FIELD_DURATION_NS), .default_text = "-1 ns", .unit = "s",
     .help = "-1 ns: until the input ends" },
    { NODE("input_digest",                          input_digest, FIELD_STRING), .size = DIGEST_TEXT_SIZE,
     .default_text = "", .help = "content hash of the decoded input" },
    { NODE("input_samples",                                 input_samples, FIELD_U64), .default_text = "0" },
    { NODE("input_window",                                           input_window, FIELD_U32), .default_text = "0" },
    { NODE("input_step_uV",       input_step_uV, FIELD_F64), .unit = "uV", .default_text = "0" },
    { NODE("input_is_isc_voc",                    input_is_isc_voc, FIELD_BOOL), .default_text = "false" },
 /* A person's. */
    { NODE("mode", mode, FIELD_ENUM), .enums = modes },
    { NODE("target_port",                        target_port, FIELD_ENUM), .enums = ports, .default_text = "A",
     .help = "of the target that is supplied and recorded" },
    { NODE("input",                                  input, FIELD_STRING), .size = PATH_SIZE, .default_text = "",
     .help = "emulate: the recording that is replayed; relative to this file; {node} stands "
              "for the node's name" },
    { NODE("input_memory",                                           input_memory_bytes, FIELD_BYTES), .default_text = "48 MB",
     .unit = "B", .minimum = 1 << 20, .maximum = 1LL << 40,
     .help = "emulate: that the node reads ahead of the input; 48 MB are 60 s" },
    { NODE("voltage_aux_mV",voltage_aux_mV, FIELD_F64), .unit = "mV", .maximum = 4500,
     .default_text = "0", .help = "supply of the other port; 0: off" },
    { NODE("aux_source",                         aux_source, FIELD_ENUM), .enums = aux_sources, .default_text = "fixed",
     .help =
          "what the other port follows: voltage_aux_mV, the target's supply (mirror), or the "
          "storage's voltage" },
    { NODE("start_power_ms",                        start_power_ms, FIELD_F64), .unit = "ms", .maximum = 600000,
     .default_text = "0",
     .help = "emulate: the target is supplied for so long before the source takes over" },
    { NODE("start_power_mV",                                  start_power_mV, FIELD_F64), .unit = "mV", .maximum = 5000,
     .default_text = "3000", .help = "with so much" },
    { NODE("use_cal_default",                         use_cal_default, FIELD_BOOL), .default_text = "false",
     .help = "run with nominal values on a board that nobody calibrated" },
    { NODE("clock_source",                     clock_source, FIELD_ENUM), .enums = clock_sources,
     .default_text = "daemon",
     .help = "any: run although no time daemon vouches for the clock" },
    { NODE("source",                                 source, FIELD_MAP), .sub = &source_schema, .help = "emulate only" },
    { NODE("harvester",                                           harvester, FIELD_MAP), .sub = &harvester_schema,
     .help = "harvest only" },
    { NODE("record",                                        record, FIELD_MAP), .sub = &record_schema },
    { NODE("log",                              log, FIELD_MAP), .sub = &log_schema },
    { .name = NULL                         },
};

const struct schema node_config_schema = {
    .name = "node",
    .help = "what one node is told",
    .fields = node_fields,
    .size = sizeof(struct node_config),
};

const struct schema layer_schema = {
    .name = "defaults, groups.NAME, nodes.NAME",
    .help = "what a person may set for all nodes, a group, or a node; later ones win. source, "
            "harvester and storage take inherit_from, or just the name of a preset",
    .fields = node_fields + N_HERD_FIELDS,
    .size = sizeof(struct node_config),
};

uint64_t node_config_samples(const struct node_config *config)
{
    if (config->duration_ns < 0) {
        return config->mode == MODE_EMULATE ? config->input_samples : UINT64_MAX;
    }
    return ((uint64_t)config->duration_ns + SAMPLE_NS / 2) / SAMPLE_NS;
}

uint32_t record_window(const struct record_config *record)
{
    return record->samplerate <= 0 ? 1 : RECORD_100_KHZ / (uint32_t)record->samplerate;
}

void record_range(const struct record_config *record, uint64_t *from, uint64_t *to)
{
    *from =
        record->delay_ns <= 0 ? 0 : ((uint64_t)record->delay_ns + SAMPLE_NS / 2) / SAMPLE_NS;
    *to = UINT64_MAX;
    if (record->duration_ns >= 0) {
        *to = *from + ((uint64_t)record->duration_ns + SAMPLE_NS / 2) / SAMPLE_NS;
    }
}

uint64_t record_bytes(const struct record_config *record, uint64_t n_samples)
{
    uint64_t window = record_window(record);
    uint64_t overview_bytes = 0;
    uint64_t from = 0;
    uint64_t to = 0;

    record_range(record, &from, &to);
    to = to < n_samples ? to : n_samples;
    n_samples = to > from ? to - from : 0;
    if (n_samples > UINT64_MAX / 8) {
        return UINT64_MAX;
    }
    if (window == 1 && !record->overview_only) {
        return n_samples * sizeof(uint32_t); /* leaves room for the overview when compressed */
    }
    overview_bytes = n_samples / 4;
    return overview_bytes
           + (record->overview_only ? 0 : (n_samples / window + 1) * sizeof(uint32_t));
}
