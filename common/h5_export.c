/* SPDX-License-Identifier: MIT */
#include "common/h5_export.h"

#include "common/buf.h"
#include "common/h5_guard.h"
#include "common/h5_trace.h"
#include "common/yaml_doc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    PIECE = 4096,
    MAX_COLUMNS = 16,
    MAX_WIDTH = 8
};

/* One dataset of the channel, read in pieces. */
struct column {
    char name[64];
    char unit[24];
    hid_t dataset;
    hid_t type;
    bool is_text;
    hsize_t width; /* cells a row */
    double gain;
    double offset;
    struct h5_trace *trace; /* of one-dimensional numbers; NULL: read by dataset */
    double *values;         /* PIECE * width */
    char **texts;           /* PIECE */
    hid_t memory_type;
};

struct exporter {
    const struct h5_export *job;
    hid_t file;
    struct h5_trace *time;
    uint64_t n_rows; /* in the file */
    uint64_t first;  /* to write: [first, end) */
    uint64_t end;
    uint64_t T_ns; /* of the first sample of the recording, where times begin */
    size_t n_columns;
    struct column columns[MAX_COLUMNS];
    uint64_t stamps[PIECE];
};

static void close_column(struct column *column)
{
    h5_trace_close(&column->trace);
    h5_close(&column->type);
    h5_close(&column->memory_type);
    h5_close(&column->dataset);
    free(column->values);
    free(column->texts);
}

/* The first row whose stamp is not before `from_ns`; stamps rise. */
static int find_row(struct exporter *exporter, uint64_t from_ns, uint64_t *row, struct err *err)
{
    uint64_t low = 0;
    uint64_t high = exporter->n_rows;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        uint64_t stamp = 0;

        if (h5_trace_read_u64(exporter->time, middle, 1, &stamp, err) < 0) {
            return -1;
        }
        if (stamp < from_ns) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *row = low;
    return 0;
}

static int find_range(struct exporter *exporter, struct err *err)
{
    const struct h5_export *job = exporter->job;
    uint64_t begin_ns = exporter->T_ns + (uint64_t)(job->begin_s * 1e9);
    uint64_t end_ns =
        job->end_s < 0 ? UINT64_MAX : exporter->T_ns + (uint64_t)(job->end_s * 1e9);

    if (job->begin_s <= 0) {
        exporter->first = 0; /* also what a monitor noted before T */
    } else if (find_row(exporter, begin_ns, &exporter->first, err) < 0) {
        return -1;
    }
    if (end_ns == UINT64_MAX) {
        exporter->end = exporter->n_rows;
        return 0;
    }
    return find_row(exporter, end_ns, &exporter->end, err);
}

static int open_number(struct column *column, hid_t file, const char *path, struct err *err)
{
    if (!h5_get_f64(column->dataset, "gain", &column->gain)) {
        column->gain = 1;
    }
    h5_get_f64(column->dataset, "offset", &column->offset);
    column->values = calloc((size_t)(PIECE * column->width), sizeof(double));
    if (column->values == NULL) {
        return err_set(err, ERR_MEMORY, "%s", path);
    }
    if (column->width == 1) {
        column->trace = h5_trace_open(file, path, err);
        return column->trace == NULL ? -1 : 0;
    }
    return 0;
}

static int open_text(struct column *column, const char *path, struct err *err)
{
    if (H5Tis_variable_str(column->type) <= 0) {
        return err_set(err, ERR_INPUT, "%s: not text of variable length", path);
    }
    column->is_text = true;
    column->memory_type = H5Tcopy(column->type);
    column->texts = calloc(PIECE, sizeof(*column->texts));
    return column->texts == NULL ? err_set(err, ERR_MEMORY, "%s", path) : 0;
}

static int open_column(struct exporter *exporter, const char *group, const char *name,
                       struct err *err)
{
    struct column *column = &exporter->columns[exporter->n_columns];
    char path[160];
    hsize_t dims[2] = { 0, 1 };
    hid_t space = -1;
    int n_dims = -1;
    int result = 0;

    *column = (struct column){ .dataset = -1, .type = -1, .memory_type = -1 };
    exporter->n_columns++;
    snprintf(path, sizeof(path), "%s/%s", group, name);
    snprintf(column->name, sizeof(column->name), "%s", name);
    column->dataset = H5Dopen2(exporter->file, path, H5P_DEFAULT);
    space = column->dataset < 0 ? -1 : H5Dget_space(column->dataset);
    n_dims = space < 0 ? -1 : H5Sget_simple_extent_ndims(space);
    if (n_dims < 1 || n_dims > 2 || H5Sget_simple_extent_dims(space, dims, NULL) < 0
        || dims[1] < 1 || dims[1] > MAX_WIDTH
        || (column->type = H5Dget_type(column->dataset)) < 0) {
        h5_close(&space);
        return h5_fail(err, ERR_INPUT, "%s: no column of a table", path);
    }
    h5_close(&space);
    column->width = dims[1];
    h5_get_text(column->dataset, "unit", column->unit, sizeof(column->unit));
    if (H5Tget_class(column->type) == H5T_STRING) {
        result = open_text(column, path, err);
    } else if (h5_is_plain_number(column->type)) {
        result = open_number(column, exporter->file, path, err);
    } else {
        result = err_set(err, ERR_INPUT, "%s: neither text nor numbers", path);
    }
    /* What is not as long as its time is no column: the bytes of a serial line. */
    if (result == 0 && dims[0] != exporter->n_rows) {
        exporter->n_columns--;
        close_column(column);
    }
    return result;
}

struct listing {
    char names[MAX_COLUMNS][64];
    size_t n;
};

static herr_t list_link(hid_t group, const char *name, const H5L_info_t *info, void *arg)
{
    struct listing *listing = arg;

    (void)group;
    (void)info;
    if (strcmp(name, "time") != 0 && listing->n < MAX_COLUMNS) {
        snprintf(listing->names[listing->n++], sizeof(listing->names[0]), "%s", name);
    }
    return 0;
}

static int list_columns(hid_t file, const char *group, struct listing *listing, struct err *err)
{
    hid_t id = H5Gopen2(file, group, H5P_DEFAULT);
    hsize_t index = 0;
    int result = 0;

    if (id < 0 || H5Literate(id, H5_INDEX_NAME, H5_ITER_INC, &index, list_link, listing) < 0) {
        result = h5_fail(err, ERR_INPUT, "%s", group);
    }
    h5_close(&id);
    return result;
}

static int open_columns(struct exporter *exporter, const char *group, struct err *err)
{
    struct listing listing = { .n = 0 };
    bool has_samples = strncmp(group, "/data", 5) == 0;

    if (has_samples) {
        listing.n = 2;
        snprintf(listing.names[0], sizeof(listing.names[0]), "voltage");
        snprintf(listing.names[1], sizeof(listing.names[1]), "current");
    } else if (list_columns(exporter->file, group, &listing, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < listing.n; i++) {
        if (open_column(exporter, group, listing.names[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int read_block(struct column *column, uint64_t first, size_t count, void *cells,
                      hid_t memory_type, struct err *err)
{
    hsize_t start[2] = { first, 0 };
    hsize_t size[2] = { count, column->width };
    hid_t space = H5Dget_space(column->dataset);
    hid_t memory = -1;
    int n_dims = space < 0 ? 0 : H5Sget_simple_extent_ndims(space);
    int result = 0;

    if (n_dims > 0) {
        memory = H5Screate_simple(n_dims, size, NULL);
    }
    if (memory < 0 || H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, size, NULL) < 0
        || H5Dread(column->dataset, memory_type, memory, space, H5P_DEFAULT, cells) < 0) {
        result = h5_fail(err, ERR_CORRUPT, "%s", column->name);
    }
    h5_close(&memory);
    h5_close(&space);
    return result;
}

static int read_column(struct column *column, uint64_t first, size_t count, struct err *err)
{
    if (column->is_text) {
        return read_block(column, first, count, column->texts, column->memory_type, err);
    }
    if (column->trace != NULL) {
        return h5_trace_read(column->trace, first, count, column->values, err);
    }
    return read_block(column, first, count, column->values, H5T_NATIVE_DOUBLE, err);
}

static void free_texts(struct column *column, size_t count)
{
    for (size_t i = 0; column->is_text && i < count; i++) {
        H5free_memory(column->texts[i]);
        column->texts[i] = NULL;
    }
}

/* RFC 4180: in quotes, quotes doubled. */
static void write_text(FILE *out, const char *text)
{
    fputc('"', out);
    for (; text != NULL && *text != '\0'; text++) {
        if (*text == '"') {
            fputc('"', out);
        }
        fputc(*text, out);
    }
    fputc('"', out);
}

static void write_cells(const struct exporter *exporter, const struct column *column,
                        size_t row)
{
    const struct h5_export *job = exporter->job;

    for (hsize_t k = 0; k < column->width; k++) {
        fputc(job->separator, job->out);
        if (column->is_text) {
            write_text(job->out, column->texts[row]);
        } else {
            double value = column->values[row * column->width + k];

            fprintf(job->out, "%.12g", value * column->gain + column->offset);
        }
    }
}

static void write_head(const struct exporter *exporter)
{
    const struct h5_export *job = exporter->job;

    fprintf(job->out, "time_ns%ctime_s", job->separator);
    for (size_t i = 0; i < exporter->n_columns; i++) {
        const struct column *column = &exporter->columns[i];
        bool has_unit = column->unit[0] != '\0' && strcmp(column->unit, "n") != 0;

        for (hsize_t k = 0; k < column->width; k++) {
            fprintf(job->out, "%c%s", job->separator, column->name);
            if (column->width > 1) {
                fprintf(job->out, "_%llu", (unsigned long long)k);
            }
            if (has_unit && column->width == 1) {
                fprintf(job->out, " [%s]", column->unit);
            }
        }
    }
    fputc('\n', job->out);
}

static int write_rows(struct exporter *exporter, uint64_t first, size_t count, struct err *err)
{
    const struct h5_export *job = exporter->job;

    if (h5_trace_read_u64(exporter->time, first, count, exporter->stamps, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < exporter->n_columns; i++) {
        if (read_column(&exporter->columns[i], first, count, err) < 0) {
            return -1;
        }
    }
    for (size_t row = 0; row < count; row++) {
        int64_t since_ns = (int64_t)(exporter->stamps[row] - exporter->T_ns);

        fprintf(job->out, "%llu%c%.9f", (unsigned long long)exporter->stamps[row],
                job->separator, (double)since_ns * 1e-9);
        for (size_t i = 0; i < exporter->n_columns; i++) {
            write_cells(exporter, &exporter->columns[i], row);
        }
        fputc('\n', job->out);
    }
    for (size_t i = 0; i < exporter->n_columns; i++) {
        free_texts(&exporter->columns[i], count);
    }
    return ferror(job->out) ? err_set_errno(err, "writing the export") : 0;
}

static int write_csv(struct exporter *exporter, struct err *err)
{
    write_head(exporter);
    for (uint64_t at = exporter->first; at < exporter->end; at += PIECE) {
        size_t count = exporter->end - at < PIECE ? (size_t)(exporter->end - at) : PIECE;

        if (write_rows(exporter, at, count, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Pins and their names, from the description of /gpio/value. */
struct pins {
    unsigned count;
    unsigned bits[MAX_COLUMNS];
    char names[MAX_COLUMNS][48];
};

static void find_pins(hid_t dataset, struct pins *pins)
{
    char *text = h5_get_long_text(dataset, "description");
    struct yaml_doc *doc =
        text == NULL ? NULL : yaml_parse(text, strlen(text), "description", NULL);
    const struct yaml_node *map = doc == NULL ? NULL : yaml_root(doc);

    for (size_t i = 0;
         map != NULL && map->kind == YAML_MAP && i < map->count && pins->count < MAX_COLUMNS;
         i++) {
        uint64_t bit = 0;
        const char *name = yaml_text(yaml_get(map->items[i], "name"), NULL);

        if (name != NULL && name_is_safe(name, 40) && text_to_u64(map->keys[i], &bit)
            && bit < 53) {
            pins->bits[pins->count] = (unsigned)bit;
            snprintf(pins->names[pins->count++], sizeof(pins->names[0]), "%s", name);
        }
    }
    yaml_destroy(&doc);
    free(text);
}

static void write_changes(FILE *out, const struct pins *pins, uint64_t value, uint64_t before,
                          bool is_first)
{
    for (unsigned i = 0; i < pins->count; i++) {
        if (is_first || ((value ^ before) >> pins->bits[i] & 1)) {
            fprintf(out, "%u%c\n", (unsigned)(value >> pins->bits[i] & 1), '!' + (int)i);
        }
    }
}

/* IEEE 1364, chapter 18; time 0 is the first sample. */
static int write_vcd(struct exporter *exporter, struct err *err)
{
    FILE *out = exporter->job->out;
    struct column *column = &exporter->columns[0];
    struct pins pins = { 0 };
    uint64_t before = 0;
    bool is_first = true;

    find_pins(column->dataset, &pins);
    fprintf(out, "$timescale 1 ns $end\n$scope module gpio $end\n");
    for (unsigned i = 0; i < pins.count; i++) {
        fprintf(out, "$var wire 1 %c %s $end\n", '!' + (int)i, pins.names[i]);
    }
    fprintf(out, "$upscope $end\n$enddefinitions $end\n");
    for (uint64_t at = exporter->first; at < exporter->end; at += PIECE) {
        size_t count = exporter->end - at < PIECE ? (size_t)(exporter->end - at) : PIECE;

        if (h5_trace_read_u64(exporter->time, at, count, exporter->stamps, err) < 0
            || read_column(column, at, count, err) < 0) {
            return -1;
        }
        for (size_t i = 0; i < count; i++) {
            int64_t since_ns = (int64_t)(exporter->stamps[i] - exporter->T_ns);
            uint64_t value = (uint64_t)column->values[i];

            fprintf(out, "#%lld\n", (long long)(since_ns < 0 ? 0 : since_ns));
            write_changes(out, &pins, value, before, is_first);
            before = value;
            is_first = false;
        }
    }
    return ferror(out) ? err_set_errno(err, "writing the export") : 0;
}

/* "samples" is /data; everything else a group of that name. */
static int find_group(const struct exporter *exporter, char *group, size_t size,
                      struct err *err)
{
    const char *channel = exporter->job->channel;
    char path[160];

    if (strcmp(channel, "samples") == 0) {
        snprintf(group, size, "/data");
    } else if (strcmp(channel, "storage") == 0) {
        snprintf(group, size, "/data_storage");
    } else {
        snprintf(group, size, "/%.100s", channel);
    }
    snprintf(path, sizeof(path), "%s/time", group);
    if (!h5_has(exporter->file, path)) {
        return err_set(err, ERR_INPUT,
                       "%s: has nothing of channel '%s'; herd export --help names them",
                       exporter->job->path, channel);
    }
    return 0;
}

static int open_channel(struct exporter *exporter, struct err *err)
{
    struct h5_trace *time = NULL;
    char group[120];
    char path[160];

    if (find_group(exporter, group, sizeof(group), err) < 0) {
        return -1;
    }
    time = h5_trace_open(exporter->file, "/data/time", err);
    if (time == NULL) {
        return -1;
    }
    if (h5_trace_rows(time) > 0 && h5_trace_read_u64(time, 0, 1, &exporter->T_ns, err) < 0) {
        h5_trace_close(&time);
        return -1;
    }
    h5_trace_close(&time);
    snprintf(path, sizeof(path), "%s/time", group);
    exporter->time = h5_trace_open(exporter->file, path, err);
    if (exporter->time == NULL) {
        return -1;
    }
    exporter->n_rows = h5_trace_rows(exporter->time);
    if (open_columns(exporter, group, err) < 0 || find_range(exporter, err) < 0) {
        return -1;
    }
    if (exporter->job->is_vcd
        && (exporter->n_columns != 1 || strcmp(exporter->columns[0].name, "value") != 0)) {
        return err_set(err, ERR_USAGE, "VCD is for the channel gpio");
    }
    return 0;
}

int h5_export_here(const struct h5_export *job, uint64_t *n_rows, struct err *err)
{
    struct exporter *exporter = calloc(1, sizeof(*exporter));
    int result = -1;

    if (exporter == NULL) {
        return err_set(err, ERR_MEMORY, "export");
    }
    exporter->job = job;
    exporter->file = h5_open_file(job->path, NULL, err);
    if (exporter->file >= 0 && open_channel(exporter, err) == 0) {
        result = job->is_vcd ? write_vcd(exporter, err) : write_csv(exporter, err);
        *n_rows = exporter->end > exporter->first ? exporter->end - exporter->first : 0;
    }
    if (fflush(job->out) != 0 && result == 0) {
        result = err_set_errno(err, "writing the export");
    }
    for (size_t i = 0; i < exporter->n_columns; i++) {
        close_column(&exporter->columns[i]);
    }
    h5_trace_close(&exporter->time);
    h5_close(&exporter->file);
    free(exporter);
    return result;
}

static int export_in_child(const void *arg, void *result, struct err *err)
{
    return h5_export_here(arg, result, err);
}

int h5_export(const struct h5_export *job, uint64_t *n_rows, struct err *err)
{
    fflush(job->out); /* or the child would write it once more */
    return h5_guard(job->path, export_in_child, job, n_rows, sizeof(*n_rows), err);
}
