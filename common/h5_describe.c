/* SPDX-License-Identifier: MIT */
#include "common/h5_describe.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text_attribute {
    const char *name;
    const char *value;
};

struct number_attribute {
    const char *name;
    int64_t value;
};

static int put_texts(hid_t object, const struct text_attribute *list, size_t count,
                     struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (h5_put_text(object, list[i].name, list[i].value, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int put_numbers(hid_t object, const struct number_attribute *list, size_t count,
                       struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (h5_put_i64(object, list[i].name, list[i].value, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* The resolved configuration. Shepherd's reader looks for virtual_harvester.voltage_step_mV. */
static int make_config(const struct node_config *config, struct buf *text, struct err *err)
{
    struct harvester_config harvester =
        config->mode == MODE_HARVEST ? config->harvester : config->source.harvester;

    harvester_config_finish(&harvester);
    schema_encode(&node_config_schema, config, text, 0);
    buf_text(text, "virtual_harvester:\n");
    schema_encode(&harvester_schema, &harvester, text, 2);
    return text->failed ? err_set(err, ERR_MEMORY, "config") : 0;
}

static const double SAMPLES_PER_MS = 100;

static int describe_data(hid_t file, const struct rlog_manifest *manifest, const char *config,
                         struct err *err)
{
    hid_t data = h5_make_group(file, "/data", err);
    uint32_t rate_Hz = RECORD_100_KHZ / record_window(&manifest->config.record);
    uint64_t from = 0;
    uint64_t to = 0;
    int64_t start_power = 0;
    int result = -1;

    record_range(&manifest->config.record, &from, &to);
    if (manifest->mode == MODE_EMULATE) {
        start_power = llround(manifest->config.start_power_ms * SAMPLES_PER_MS);
    }
    if (data >= 0 && h5_put_text(data, "datatype", manifest->datatype, err) == 0
        && h5_put_i64(data, "window_samples", manifest->window_samples, err) == 0
        && h5_put_i64(data, "samplerate", rate_Hz, err) == 0
        && (from == 0 || h5_put_i64(data, "first_sample", (int64_t)from, err) == 0)
        && (to == UINT64_MAX || h5_put_i64(data, "end_sample", (int64_t)to, err) == 0)
        && (start_power == 0
            || h5_put_i64(data, "start_power_samples", start_power, err) == 0)) {
        result = h5_put_text(data, "config", config, err);
    }
    h5_close(&data);
    return result;
}

int h5_describe_begin(hid_t file, const struct rlog_manifest *manifest, struct err *err)
{
    struct buf config = { 0 };
    char id[24];
    char software[64];
    int result = make_config(&manifest->config, &config, err);

    snprintf(id, sizeof(id), "%016llx", (unsigned long long)manifest->experiment);
    snprintf(software, sizeof(software), "bellwether %.32s", manifest->version);
    if (result == 0) {
        const struct text_attribute texts[] = {
            {"mode",           manifest->mode == MODE_HARVEST ? "harvester" : "emulator"},
            { "hostname",      manifest->node                                           },
            { "config",        config.data                                              },
            { "experiment",    manifest->experiment_name                                },
            { "experiment_id", id                                                       },
            { "software",      software                                                 },
            { "board",         manifest->board                                          },
            { "calibration",   manifest->is_cal_default ? "default" : "measured"        },
        };

        result = put_texts(file, texts, ARRAY_LEN(texts), err);
    }
    if (result == 0) {
        result = describe_data(file, manifest, config.data, err);
    }
    buf_fini(&config);
    return result;
}

int h5_describe_start(hid_t file, const struct rlog_start *start, struct err *err)
{
    const struct number_attribute numbers[] = {
        {"T_ns",            start->T_ns          },
        { "start_error_ns", start->start_error_ns},
        { "start_bound_ns", start->start_bound_ns},
        { "arm_n",          start->arm_n         },
    };
    hid_t sync = H5Gopen2(file, "/sync", H5P_DEFAULT);
    int result = sync < 0 ? h5_fail(err, ERR_SYSTEM, "/sync")
                          : put_numbers(sync, numbers, ARRAY_LEN(numbers), err);

    h5_close(&sync);
    return result;
}

const char *h5_end_reason_name(uint32_t reason)
{
    static const char *const names[] = {
        [RLOG_END_COMPLETE] = "complete",       [RLOG_END_STOPPED] = "stopped",
        [RLOG_END_NO_SPACE] = "no space",       [RLOG_END_FAULT] = "fault",
        [RLOG_END_INTERRUPTED] = "interrupted",
    };

    return reason < ARRAY_LEN(names) ? names[reason] : "unknown";
}

/* Readers parse every string as YAML, so it must be a scalar of it. */
static int put_free_text(hid_t object, const char *name, const char *text, struct err *err)
{
    struct buf scalar = { 0 };
    int result = 0;

    yaml_emit_scalar(text, &scalar);
    result = scalar.failed ? err_set(err, ERR_MEMORY, "%s", name)
                           : h5_put_text(object, name, scalar.data, err);
    buf_fini(&scalar);
    return result;
}

void h5_read_free_text(hid_t object, const char *name, char *text, size_t size)
{
    char *scalar = h5_get_long_text(object, name);
    struct yaml_doc *doc = NULL;

    text[0] = '\0';
    if (scalar != NULL) {
        doc = yaml_parse(scalar, strlen(scalar), name, NULL);
        snprintf(text, size, "%s", doc == NULL ? scalar : yaml_text(yaml_root(doc), ""));
    }
    yaml_destroy(&doc);
    free(scalar);
}

static int describe_clock(hid_t file, const struct h5_evidence *evidence, struct err *err)
{
    const struct number_attribute numbers[] = {
        {"clock_offset_ns", evidence->clock_offset_ns},
        { "clock_bound_ns", evidence->clock_bound_ns },
    };
    hid_t sync = H5Gopen2(file, "/sync", H5P_DEFAULT);
    int result = 0;

    if (sync < 0) {
        return h5_fail(err, ERR_SYSTEM, "/sync");
    }
    if (evidence->has_clock) {
        result = put_numbers(sync, numbers, ARRAY_LEN(numbers), err);
    }
    if (result == 0 && evidence->clock_source[0] != '\0') {
        result = h5_put_text(sync, "clock_source", evidence->clock_source, err);
    }
    h5_close(&sync);
    return result;
}

int h5_describe_end(hid_t file, const struct rlog_end *end, const struct h5_summary *summary,
                    const struct h5_evidence *evidence, struct err *err)
{
    const struct number_attribute numbers[] = {
        {"n_samples",               (int64_t)summary->n_samples    },
        { "n_gap_samples",          (int64_t)summary->n_gap_samples},
        { "n_edges",                (int64_t)summary->n_edges      },
        { "n_input_underruns",      (int64_t)end->n_input_underruns},
        { "n_clamped",              (int64_t)end->n_clamped        },
        { "n_records",              (int64_t)summary->n_records    },
        { "n_remarks",              (int64_t)summary->n_remarks    },
        { "end_reason_code",        end->reason                    },
        { "ring_fill_max_percent",  end->ring_fill_max_percent     },
        { "queue_fill_max_percent", end->queue_fill_max_percent    },
    };

    if (put_numbers(file, numbers, ARRAY_LEN(numbers), err) < 0
        || h5_put_text(file, "end_reason", h5_end_reason_name(end->reason), err) < 0
        || (isfinite(summary->energy_Ws)
            && h5_put_f64(file, "energy_Ws", summary->energy_Ws, err) < 0)
        || put_free_text(file, "remarks", summary->remarks, err) < 0
        || put_free_text(file, "verdict", evidence->verdict, err) < 0
        || put_free_text(file, "manifest", evidence->manifest, err) < 0) {
        return -1;
    }
    return describe_clock(file, evidence, err);
}
