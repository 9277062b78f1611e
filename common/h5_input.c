/* SPDX-License-Identifier: MIT */
#include "common/h5_input_parts.h"

#include "common/h5_guard.h"
#include "common/h5_trace.h"
#include "common/rlog.h"
#include "common/yaml_doc.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PIECE = 10000,
    DEFLATE_BEST = 1100, /* no byte holds more samples: zlib reaches 1030 to 1 */
    STEP_SAMPLES = 2000  /* as many as Shepherd's reader looks at */
};

static const double NS_PER_SAMPLE = 10000;

/* An open input; everything -1 or NULL until it is there. */
struct source {
    hid_t file;
    struct h5_trace *time;
    struct h5_trace *voltage;
    struct h5_trace *current;
    double gain_V;
    double offset_V;
    double gain_A;
    double offset_A;
};

static void close_source(struct source *source)
{
    h5_trace_close(&source->time);
    h5_trace_close(&source->voltage);
    h5_trace_close(&source->current);
    h5_close(&source->file);
}

/* Old and new names of the incumbent. */
static const char *canonical_datatype(const char *name)
{
    static const char *const names[][2] = {
        {"ivsample",   "ivsample"},
        { "ivsamples", "ivsample"},
        { "ivtrace",   "ivsample"},
        { "ivcurve",   "ivcurve" },
        { "ivcurves",  "ivcurve" },
        { "ivsurface", "ivcurve" },
        { "isc_voc",   "isc_voc" },
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(name, names[i][0]) == 0) {
            return names[i][1];
        }
    }
    return NULL;
}

static int read_kind(hid_t file, struct h5_input_info *info, struct err *err)
{
    hid_t data = h5_has(file, "/data") ? H5Gopen2(file, "/data", H5P_DEFAULT) : -1;
    char mode[64] = "";
    char datatype[64] = "";
    int64_t window = 0;
    bool has_data = data >= 0;
    bool has_window = false;

    h5_get_text(file, "mode", mode, sizeof(mode));
    h5_get_text(file, "hostname", info->hostname, sizeof(info->hostname));
    if (has_data) {
        h5_get_text(data, "datatype", datatype, sizeof(datatype));
        has_window = h5_get_i64(data, "window_samples", &window);
    }
    h5_close(&data);
    if (!has_data && mode[0] == '\0') {
        return err_set(err, ERR_INPUT, "holds no recording (neither a mode nor /data)");
    }
    if (strcmp(mode, "harvester") != 0) {
        return err_set(err, ERR_INPUT,
                       "mode is '%s': only a harvest (mode harvester) can be "
                       "emulated",
                       mode);
    }
    if (canonical_datatype(datatype) == NULL) {
        return err_set(err, ERR_INPUT, "datatype '%s' is none of ivsample, ivcurve, isc_voc",
                       datatype);
    }
    snprintf(info->datatype, sizeof(info->datatype), "%s", canonical_datatype(datatype));
    if (strcmp(info->datatype, "ivcurve") == 0
        && (!has_window || window < 1 || window > UINT32_MAX)) {
        return err_set(err, ERR_INPUT, "an ivcurve without a window (window_samples %lld)",
                       (long long)window);
    }
    info->window_samples = strcmp(info->datatype, "ivcurve") == 0 ? (uint32_t)window : 0;
    return 0;
}

static int check_rate(struct source *source, uint64_t n_samples, struct err *err)
{
    uint64_t first = 0;
    uint64_t last = 0;
    double gain = 1e-9;
    double offset = 0;
    double step_ns = 0;

    if (n_samples < 2) {
        return 0;
    }
    if (h5_trace_meaning(source->time, &gain, &offset, err) < 0
        || h5_trace_read_u64(source->time, 0, 1, &first, err) < 0
        || h5_trace_read_u64(source->time, n_samples - 1, 1, &last, err) < 0) {
        return -1;
    }
    step_ns = (double)(int64_t)(last - first) * gain * 1e9 / (double)(n_samples - 1);
    if (!(fabs(step_ns - NS_PER_SAMPLE) < NS_PER_SAMPLE / 20)) {
        return err_set(err, ERR_INPUT, "one sample every %.6g us on average, 10 us are needed",
                       step_ns / 1000);
    }
    return 0;
}

/* An extent is only a number; without data behind it, decoding would never end. */
static int check_storage(const struct h5_trace *trace, const char *name, struct err *err)
{
    hsize_t stored = H5Dget_storage_size(h5_trace_dataset(trace));
    int64_t recorded = 1;

    if (h5_get_i64(h5_trace_dataset(trace), "recorded", &recorded) && recorded == 0) {
        return err_set(err, ERR_INPUT, "the %s was not recorded", name);
    }
    if (h5_trace_rows(trace) / DEFLATE_BEST > stored) {
        return err_set(err, ERR_INPUT,
                       "the %s has an extent of %llu samples, but only %llu bytes", name,
                       (unsigned long long)h5_trace_rows(trace), (unsigned long long)stored);
    }
    return 0;
}

static int open_traces(struct source *source, struct h5_input_info *info, struct err *err)
{
    source->time = h5_trace_open(source->file, "/data/time", err);
    source->voltage =
        source->time == NULL ? NULL : h5_trace_open(source->file, "/data/voltage", err);
    source->current =
        source->voltage == NULL ? NULL : h5_trace_open(source->file, "/data/current", err);
    if (source->current == NULL
        || h5_trace_meaning(source->voltage, &source->gain_V, &source->offset_V, err) < 0
        || h5_trace_meaning(source->current, &source->gain_A, &source->offset_A, err) < 0) {
        return -1;
    }
    info->n_samples = h5_trace_rows(source->voltage);
    if (info->n_samples != h5_trace_rows(source->current)
        || info->n_samples != h5_trace_rows(source->time)) {
        return err_set(err, ERR_INPUT,
                       "time, voltage and current differ in length: %llu, %llu, %llu",
                       (unsigned long long)h5_trace_rows(source->time),
                       (unsigned long long)h5_trace_rows(source->voltage),
                       (unsigned long long)h5_trace_rows(source->current));
    }
    if (info->n_samples == 0) {
        return err_set(err, ERR_INPUT, "empty: no samples");
    }
    if (check_storage(source->voltage, "voltage", err) < 0
        || check_storage(source->current, "current", err) < 0) {
        return -1;
    }
    return check_rate(source, info->n_samples, err);
}

/* virtual_harvester.voltage_step_mV of a config, wherever the incumbent's versions put it. */
static double step_of_config(hid_t object)
{
    static const char *const roots[] = { NULL, "parameters" };
    static const char *const maps[] = { "virtual_harvester", "harvester" };
    char *text = h5_get_long_text(object, "config");
    struct yaml_doc *doc = text == NULL ? NULL : yaml_parse(text, strlen(text), "config", NULL);
    const struct yaml_node *root = doc == NULL ? NULL : yaml_root(doc);
    double step_mV = 0;

    for (size_t i = 0; i < ARRAY_LEN(roots) && root != NULL; i++) {
        const struct yaml_node *base = roots[i] == NULL ? root : yaml_get(root, roots[i]);

        for (size_t k = 0; k < ARRAY_LEN(maps); k++) {
            double value = 0;
            const char *number =
                yaml_text(yaml_get(yaml_get(base, maps[k]), "voltage_step_mV"), "");

            if (step_mV == 0 && text_to_f64(number, &value) && value > 0) {
                step_mV = value;
            }
        }
    }
    yaml_destroy(&doc);
    free(text);
    return step_mV * 1000;
}

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;

    return left < right ? -1 : left > right;
}

/* Without a config: the median of the steps at the beginning. */
static int estimate_step(struct source *source, struct h5_input_info *info, struct err *err)
{
    double values[STEP_SAMPLES];
    size_t count = info->n_samples < STEP_SAMPLES ? (size_t)info->n_samples : STEP_SAMPLES;
    size_t n_steps = 0;

    if (h5_trace_read(source->voltage, 0, count, values, err) < 0) {
        return -1;
    }
    for (size_t i = 1; i < count; i++) {
        double step = fabs(values[i] - values[i - 1]);

        if (step > 0) {
            values[n_steps++] = step;
        }
    }
    if (n_steps > 0) {
        qsort(values, n_steps, sizeof(values[0]), compare_doubles);
        info->voltage_step_uV = values[n_steps / 2] * fabs(source->gain_V) * 1e6;
    }
    return 0;
}

static int find_step(struct source *source, struct h5_input_info *info, struct err *err)
{
    hid_t data = H5Gopen2(source->file, "/data", H5P_DEFAULT);

    if (strcmp(info->datatype, "ivcurve") == 0) {
        info->voltage_step_uV = data < 0 ? 0 : step_of_config(data);
        if (info->voltage_step_uV == 0) {
            info->voltage_step_uV = step_of_config(source->file);
        }
    }
    h5_close(&data);
    if (strcmp(info->datatype, "ivcurve") == 0 && info->voltage_step_uV == 0) {
        return estimate_step(source, info, err);
    }
    return 0;
}

static int open_source(struct source *source, const char *path, struct h5_input_info *info,
                       struct err *err)
{
    *source = (struct source){ .file = -1 };
    *info = (struct h5_input_info){ 0 };
    source->file = h5_open_file(path, NULL, err);
    if (source->file < 0) {
        /* what is damaged is no input either */
        if (err != NULL && err->code == ERR_CORRUPT) {
            err->code = ERR_INPUT;
        }
        return err_prepend(err, "input");
    }
    if (read_kind(source->file, info, err) < 0 || open_traces(source, info, err) < 0
        || find_step(source, info, err) < 0) {
        return err_prepend(err, "input %s", path);
    }
    return 0;
}

static uint32_t to_u32(double value)
{
    double rounded = nearbyint(value);

    return !(rounded > 0) ? 0 : rounded >= UINT32_MAX ? UINT32_MAX : (uint32_t)rounded;
}

static int decode_piece(struct source *source, uint64_t first, size_t count,
                        struct rlog_input_writer *writer, struct err *err)
{
    static const double UV_PER_V = 1e6;
    static const double NA_PER_A = 1e9;
    double values[PIECE];
    uint32_t voltage_uV[PIECE];
    uint32_t current_nA[PIECE];

    if (h5_trace_read(source->voltage, first, count, values, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        voltage_uV[i] = to_u32((values[i] * source->gain_V + source->offset_V) * UV_PER_V);
    }
    if (h5_trace_read(source->current, first, count, values, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        current_nA[i] = to_u32((values[i] * source->gain_A + source->offset_A) * NA_PER_A);
    }
    return rlog_input_append(writer, voltage_uV, current_nA, count, err);
}

static int decode_all(struct source *source, uint64_t n_samples, const char *out_path,
                      char digest[DIGEST_TEXT_SIZE], struct err *err)
{
    struct rlog_input_writer *writer = rlog_input_create(out_path, err);
    uint64_t written = 0;
    int result = writer == NULL ? -1 : 0;

    for (uint64_t at = 0; at < n_samples && result == 0; at += PIECE) {
        size_t count = n_samples - at < PIECE ? (size_t)(n_samples - at) : PIECE;

        result = decode_piece(source, at, count, writer, err);
    }
    if (result == 0) {
        result = rlog_input_finish(&writer, digest, &written, err);
    }
    rlog_input_destroy(&writer);
    if (result < 0) {
        unlink(out_path);
    }
    return result;
}

int h5_input_check_here(const char *path, struct h5_input_info *info, struct err *err)
{
    struct source source;
    int result = open_source(&source, path, info, err);

    close_source(&source);
    return result;
}

int h5_input_decode_here(const char *path, const char *out_path, struct h5_input_info *info,
                         char digest[DIGEST_TEXT_SIZE], struct err *err)
{
    struct source source;
    int result = open_source(&source, path, info, err);

    if (result == 0 && decode_all(&source, info->n_samples, out_path, digest, err) < 0) {
        result = err_prepend(err, "input %s", path);
    }
    close_source(&source);
    return result;
}

/* What crosses from the child to us. */
struct job {
    const char *path;
    const char *out_path;
};
struct outcome {
    struct h5_input_info info;
    char digest[DIGEST_TEXT_SIZE];
};

static int check_in_child(const void *arg, void *result, struct err *err)
{
    const struct job *job = arg;
    struct outcome *outcome = result;

    return h5_input_check_here(job->path, &outcome->info, err);
}

static int decode_in_child(const void *arg, void *result, struct err *err)
{
    const struct job *job = arg;
    struct outcome *outcome = result;

    return h5_input_decode_here(job->path, job->out_path, &outcome->info, outcome->digest, err);
}

int h5_input_check(const char *path, struct h5_input_info *info, struct err *err)
{
    struct job job = { path, NULL };
    struct outcome outcome = { 0 };
    int result = h5_guard(path, check_in_child, &job, &outcome, sizeof(outcome), err);

    *info = outcome.info;
    return result;
}

int h5_input_decode(const char *path, const char *out_path, struct h5_input_info *info,
                    char digest[DIGEST_TEXT_SIZE], struct err *err)
{
    struct job job = { path, out_path };
    struct outcome outcome = { 0 };
    int result = h5_guard(path, decode_in_child, &job, &outcome, sizeof(outcome), err);

    *info = outcome.info;
    memcpy(digest, outcome.digest, DIGEST_TEXT_SIZE);
    return result;
}
