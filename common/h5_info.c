/* SPDX-License-Identifier: MIT */
#include "common/h5_info.h"

#include "common/h5_describe.h"
#include "common/h5_guard.h"
#include "common/h5_trace.h"
#include "common/h5_verify.h"
#include "common/yaml_doc.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    PIECE = 10000,
    GAP_UNDERRUN = RLOG_GAP_UNDERRUN
};

static const double SAMPLE_S = 1e-5;

/* Gaps that hide samples, in the order of the file. */
struct gaps {
    uint64_t *first;
    uint64_t *count;
    uint64_t *cause;
    uint64_t *stream;
    size_t n;
};

struct reader {
    hid_t file;
    struct h5_info *info;
    struct gaps gaps;  /* in rows */
    uint64_t window;   /* samples of 10 us in a row */
    uint64_t n_said;   /* samples of the recording; 0 when the file does not say */
    uint64_t from_row; /* only rows [from_row, to_row) are recorded */
    uint64_t to_row;
    struct h5_trace *voltage;
    struct h5_trace *current;
    double gain[2];
    double offset[2];
    double sum[2];
    uint64_t n_counted;
    double energy_VA; /* of samples */
};

static uint64_t *read_column(hid_t file, const char *path, size_t *n)
{
    struct err ignored;
    struct h5_trace *trace = h5_trace_open(file, path, &ignored);
    uint64_t *values = NULL;

    *n = 0;
    if (trace != NULL && h5_trace_rows(trace) < (uint64_t)1 << 24) {
        *n = (size_t)h5_trace_rows(trace);
        values = calloc(*n + 1, sizeof(*values));
        if (values == NULL || h5_trace_read_u64(trace, 0, *n, values, &ignored) < 0) {
            free(values);
            values = NULL;
            *n = 0;
        }
    }
    h5_trace_close(&trace);
    return values;
}

/* Only a window that lacks all its samples has no row; the last one may be short. */
static void gaps_to_rows(struct reader *reader, size_t i)
{
    uint64_t first = reader->gaps.first[i];
    uint64_t end = first + reader->gaps.count[i];

    first = first / reader->window + (first % reader->window != 0);
    end = end / reader->window + (end == reader->n_said && end % reader->window != 0);
    reader->gaps.first[i] = first;
    reader->gaps.count[i] = end > first ? end - first : 0;
}

static void read_gaps(struct reader *reader)
{
    struct gaps *gaps = &reader->gaps;
    size_t n_first = 0;
    size_t n_count = 0;
    size_t n_cause = 0;
    size_t n_stream = 0;

    gaps->first = read_column(reader->file, "/gaps/first_sample", &n_first);
    gaps->count = read_column(reader->file, "/gaps/n_samples", &n_count);
    gaps->cause = read_column(reader->file, "/gaps/cause", &n_cause);
    gaps->stream = read_column(reader->file, "/gaps/stream", &n_stream);
    gaps->n = n_first < n_count ? n_first : n_count;
    gaps->n = n_stream < gaps->n ? n_stream : gaps->n;
    gaps->n = n_cause < gaps->n ? n_cause : gaps->n;
    reader->info->n_gaps = gaps->n;
    for (size_t i = 0; i < gaps->n && reader->window > 1; i++) {
        gaps_to_rows(reader, i);
    }
}

/* Marks what is missing of rows [first, first + count). */
static void mark_missing(const struct reader *reader, uint64_t first, size_t count,
                         uint8_t *missing)
{
    const struct gaps *gaps = &reader->gaps;

    for (size_t i = 0; i < count; i++) {
        missing[i] = first + i < reader->from_row || first + i >= reader->to_row;
    }
    for (size_t i = 0; i < gaps->n; i++) {
        uint64_t begin = gaps->first[i];
        uint64_t end = begin + gaps->count[i];

        if (gaps->cause[i] == GAP_UNDERRUN || gaps->stream[i] >= RLOG_STREAM_GPIO
            || end <= first || begin >= first + count) {
            continue;
        }
        begin = begin > first ? begin - first : 0;
        end = end < first + count ? end - first : count;
        memset(missing + begin, 1, (size_t)(end - begin));
    }
}

static void widen(struct h5_range *range, double value)
{
    range->minimum = value < range->minimum ? value : range->minimum;
    range->maximum = value > range->maximum ? value : range->maximum;
}

/* Samples that a row stands for; a last one may be short. */
static double row_samples(const struct reader *reader, uint64_t row)
{
    uint64_t begin = row * reader->window;

    if (reader->n_said > begin && reader->n_said - begin < reader->window) {
        return (double)(reader->n_said - begin);
    }
    return (double)reader->window;
}

static int add_piece(struct reader *reader, uint64_t first, size_t count, struct err *err)
{
    double volts[PIECE];
    double amperes[PIECE];
    uint8_t missing[PIECE];

    if (h5_trace_read(reader->voltage, first, count, volts, err) < 0
        || h5_trace_read(reader->current, first, count, amperes, err) < 0) {
        return -1;
    }
    mark_missing(reader, first, count, missing);
    for (size_t i = 0; i < count; i++) {
        double V = volts[i] * reader->gain[0] + reader->offset[0];
        double A = amperes[i] * reader->gain[1] + reader->offset[1];

        if (missing[i]) {
            continue;
        }
        widen(&reader->info->voltage, V);
        widen(&reader->info->current, A);
        reader->sum[0] += V;
        reader->sum[1] += A;
        reader->energy_VA += V * A * row_samples(reader, first + i);
        reader->n_counted++;
    }
    return 0;
}

static void read_compression(struct reader *reader)
{
    hid_t plan = H5Dget_create_plist(h5_trace_dataset(reader->voltage));
    unsigned level = 0;
    unsigned flags = 0;
    size_t n_codes = 1;

    snprintf(reader->info->compression, sizeof(reader->info->compression), "none");
    if (plan >= 0 && H5Pget_layout(plan) == H5D_CHUNKED
        && H5Pget_filter_by_id2(plan, H5Z_FILTER_DEFLATE, &flags, &n_codes, &level, 0, NULL,
                                NULL)
               >= 0) {
        snprintf(reader->info->compression, sizeof(reader->info->compression), "gzip-%u",
                 level & 15);
    } else if (plan >= 0 && H5Pget_layout(plan) == H5D_CHUNKED && H5Pget_nfilters(plan) > 0) {
        snprintf(reader->info->compression, sizeof(reader->info->compression), "other");
    }
    H5Eclear2(H5E_DEFAULT);
    h5_close(&plan);
}

static bool is_recorded(const struct h5_trace *trace)
{
    int64_t value = 1;

    return !h5_get_i64(h5_trace_dataset(trace), "recorded", &value) || value != 0;
}

static int read_traces(struct reader *reader, struct err *err)
{
    struct h5_info *info = reader->info;
    uint64_t n_rows = 0;

    reader->voltage = h5_trace_open(reader->file, "/data/voltage", err);
    reader->current =
        reader->voltage == NULL ? NULL : h5_trace_open(reader->file, "/data/current", err);
    if (reader->current == NULL
        || h5_trace_meaning(reader->voltage, &reader->gain[0], &reader->offset[0], err) < 0
        || h5_trace_meaning(reader->current, &reader->gain[1], &reader->offset[1], err) < 0) {
        return -1;
    }
    read_compression(reader);
    n_rows = h5_trace_rows(reader->voltage);
    if (h5_trace_rows(reader->current) < n_rows) {
        n_rows = h5_trace_rows(reader->current);
    }
    info->summary.n_samples = n_rows * reader->window;
    if (n_rows > 0 && reader->window > 1) {
        info->summary.n_samples -= reader->window - (uint64_t)row_samples(reader, n_rows - 1);
    }
    info->voltage = (struct h5_range){ is_recorded(reader->voltage), DBL_MAX, 0, -DBL_MAX };
    info->current = (struct h5_range){ is_recorded(reader->current), DBL_MAX, 0, -DBL_MAX };
    for (uint64_t at = 0; at < n_rows; at += PIECE) {
        size_t count = n_rows - at < PIECE ? (size_t)(n_rows - at) : PIECE;

        if (add_piece(reader, at, count, err) < 0) {
            return -1;
        }
    }
    info->summary.energy_Ws = (double)NAN;
    if (reader->n_counted > 0) {
        info->voltage.mean = reader->sum[0] / (double)reader->n_counted;
        info->current.mean = reader->sum[1] / (double)reader->n_counted;
        if (info->voltage.is_recorded && info->current.is_recorded) {
            info->summary.energy_Ws = reader->energy_VA * SAMPLE_S;
        }
    }
    return 0;
}

static void read_span(struct reader *reader)
{
    struct err ignored;
    struct h5_trace *time = h5_trace_open(reader->file, "/data/time", &ignored);
    uint64_t n = time == NULL ? 0 : h5_trace_rows(time);
    uint64_t stamp = 0;

    if (n > 0 && h5_trace_read_u64(time, 0, 1, &stamp, &ignored) == 0) {
        reader->info->first_ns = (int64_t)stamp;
    }
    if (n > 0 && h5_trace_read_u64(time, n - 1, 1, &stamp, &ignored) == 0) {
        reader->info->last_ns = (int64_t)stamp;
    }
    h5_trace_close(&time);
}

/* The bit whose name says power-good (ours) or battery-ok (the incumbent's). */
static bool find_power_good(const struct h5_trace *value, uint32_t *bit)
{
    char *text = h5_get_long_text(h5_trace_dataset(value), "description");
    struct yaml_doc *doc =
        text == NULL ? NULL : yaml_parse(text, strlen(text), "description", NULL);
    const struct yaml_node *map = doc == NULL ? NULL : yaml_root(doc);
    bool is_found = false;

    for (size_t i = 0; map != NULL && map->kind == YAML_MAP && i < map->count; i++) {
        const char *name = yaml_text(yaml_get(map->items[i], "name"), "");
        uint64_t number = 0;

        if ((strcasecmp(name, "pwr_good") == 0 || strcasecmp(name, "bat_ok") == 0)
            && text_to_u64(map->keys[i], &number) && number < 64) {
            *bit = (uint32_t)number;
            is_found = true;
        }
    }
    yaml_destroy(&doc);
    free(text);
    return is_found;
}

/* High from an edge to the next; before the first edge the pin is taken to be low. */
static int add_on_time(struct reader *reader, struct h5_trace *time, struct h5_trace *value,
                       struct err *err)
{
    struct h5_info *info = reader->info;
    uint64_t n = h5_trace_rows(time);
    int64_t end_ns = info->last_ns + (int64_t)reader->window * 10000;
    int64_t since_ns = 0;
    bool is_on = false;
    double on_ns = 0;

    n = h5_trace_rows(value) < n ? h5_trace_rows(value) : n;
    for (uint64_t at = 0; at < n; at += PIECE) {
        size_t count = n - at < PIECE ? (size_t)(n - at) : PIECE;
        uint64_t stamps[PIECE];
        uint64_t pins[PIECE];

        if (h5_trace_read_u64(time, at, count, stamps, err) < 0
            || h5_trace_read_u64(value, at, count, pins, err) < 0) {
            return -1;
        }
        for (size_t i = 0; i < count; i++) {
            bool is_high = pins[i] >> info->power_good_bit & 1;

            if (is_high && !is_on) {
                since_ns = (int64_t)stamps[i];
                info->n_turn_ons++;
            } else if (!is_high && is_on) {
                on_ns += (double)((int64_t)stamps[i] - since_ns);
            }
            is_on = is_high;
        }
    }
    if (is_on && end_ns > since_ns) {
        on_ns += (double)(end_ns - since_ns);
    }
    info->on_time_s = on_ns * 1e-9;
    return 0;
}

static int read_gpio(struct reader *reader, struct err *err)
{
    struct h5_trace *time = NULL;
    struct h5_trace *value = NULL;
    int result = 0;

    if (!h5_has(reader->file, "/gpio/time") || !h5_has(reader->file, "/gpio/value")) {
        return 0;
    }
    time = h5_trace_open(reader->file, "/gpio/time", err);
    value = time == NULL ? NULL : h5_trace_open(reader->file, "/gpio/value", err);
    if (value == NULL) {
        result = -1;
    } else if (find_power_good(value, &reader->info->power_good_bit)) {
        reader->info->has_power_good = true;
        result = add_on_time(reader, time, value, err);
    }
    if (value != NULL) {
        reader->info->summary.n_edges = h5_trace_rows(value);
    }
    h5_trace_close(&time);
    h5_trace_close(&value);
    return result;
}

/* Rows may stand for windows, and only a part may have been recorded at all. */
static void read_rate(struct reader *reader, hid_t data)
{
    int64_t value = 0;

    if (h5_get_i64(data, "samplerate", &value) && value >= 10 && value < RECORD_100_KHZ) {
        reader->window = RECORD_100_KHZ / (uint64_t)value;
        reader->info->samplerate_Hz = (uint32_t)value;
    }
    if (h5_get_i64(data, "first_sample", &value) && value > 0) {
        reader->from_row = (uint64_t)value / reader->window;
    }
    if (h5_get_i64(data, "end_sample", &value) && value >= 0) {
        reader->to_row = ((uint64_t)value + reader->window - 1) / reader->window;
    }
}

static void read_texts(struct reader *reader)
{
    struct h5_info *info = reader->info;
    hid_t data =
        h5_has(reader->file, "/data") ? H5Gopen2(reader->file, "/data", H5P_DEFAULT) : -1;
    hid_t sync =
        h5_has(reader->file, "/sync") ? H5Gopen2(reader->file, "/sync", H5P_DEFAULT) : -1;
    int64_t window = 0;

    h5_get_text(reader->file, "mode", info->mode, sizeof(info->mode));
    h5_get_text(reader->file, "hostname", info->hostname, sizeof(info->hostname));
    h5_get_text(reader->file, "experiment", info->experiment, sizeof(info->experiment));
    h5_get_text(reader->file, "software", info->software, sizeof(info->software));
    h5_get_text(reader->file, "calibration", info->calibration, sizeof(info->calibration));
    h5_read_free_text(reader->file, "verdict", info->verdict, sizeof(info->verdict));
    if (data >= 0) {
        h5_get_text(data, "datatype", info->datatype, sizeof(info->datatype));
        info->window_samples =
            h5_get_i64(data, "window_samples", &window) ? (uint32_t)window : 0;
        read_rate(reader, data);
    }
    if (sync >= 0) {
        info->has_clock = h5_get_i64(sync, "clock_offset_ns", &info->clock_offset_ns)
                          && h5_get_i64(sync, "clock_bound_ns", &info->clock_bound_ns);
    }
    info->is_ours = sync >= 0 && h5_has(reader->file, "/integrity");
    h5_close(&sync);
    h5_close(&data);
}

int h5_info_here(const char *path, struct h5_info *info, struct err *err)
{
    struct reader reader = { .file = -1, .info = info, .window = 1, .to_row = UINT64_MAX };
    int result = -1;

    memset(info, 0, sizeof(*info));
    if (h5_read_summary(path, &info->summary, err) < 0) {
        return -1;
    }
    reader.file = h5_open_file(path, NULL, err);
    if (reader.file < 0) {
        return -1;
    }
    reader.n_said = info->summary.n_samples;
    info->samplerate_Hz = RECORD_100_KHZ;
    read_texts(&reader);
    read_gaps(&reader);
    read_span(&reader);
    if (read_traces(&reader, err) == 0 && read_gpio(&reader, err) == 0) {
        result = 0;
    } else {
        err_prepend(err, "%s", path);
    }
    h5_trace_close(&reader.voltage);
    h5_trace_close(&reader.current);
    free(reader.gaps.first);
    free(reader.gaps.count);
    free(reader.gaps.cause);
    free(reader.gaps.stream);
    h5_close(&reader.file);
    return result;
}

static int info_in_child(const void *arg, void *result, struct err *err)
{
    return h5_info_here(arg, result, err);
}

int h5_info(const char *path, struct h5_info *info, struct err *err)
{
    return h5_guard(path, info_in_child, path, info, sizeof(*info), err);
}
