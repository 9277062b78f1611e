/* SPDX-License-Identifier: MIT */
#include "common/h5_build.h"

#include "common/h5_build_parts.h"
#include "common/product.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WRITE_BEHIND_BYTES = 8 * 1024 * 1024
};

static const double SAMPLE_S = 1e-5;
/* nA + 2^31, see enum pru_array */
static const double STORAGE_ZERO_A = -2.147483648;

/* What Shepherd's tools want to read about voltage and current. */
static void describe_streams(struct h5_builder *builder)
{
    const struct rlog_manifest *manifest = &builder->manifest;

    builder->streams[RLOG_STREAM_VOLTAGE] = (struct h5_stream_info){
        "voltage",
        {manifest->voltage.gain, manifest->voltage.offset, "V",
          "voltage [V] = value * gain + offset"}
    };
    builder->streams[RLOG_STREAM_CURRENT] = (struct h5_stream_info){
        "current",
        {manifest->current.gain, manifest->current.offset, "A",
          "current [A] = value * gain + offset"}
    };
    builder->streams[RLOG_STREAM_STORAGE_VOLTAGE] = (struct h5_stream_info){
        "storage_voltage",
        {1e-6, 0.0, "V", "voltage of the store [V] = value * gain + offset"}
    };
    builder->streams[RLOG_STREAM_STORAGE_CURRENT] = (struct h5_stream_info){
        "storage_current",
        {1e-9, STORAGE_ZERO_A, "A", "current into the store [A] = value * gain + offset"}
    };
}

static void add_energy(struct h5_builder *builder)
{
    builder->energy_J += product_power(&builder->product, builder->product_of.count,
                                       &builder->manifest.voltage, &builder->manifest.current)
                         * SAMPLE_S;
    builder->n_energy_samples += builder->product_of.count;
}

static int add_stream(struct h5_builder *builder, enum rlog_stream stream, const char *path,
                      bool is_recorded, struct err *err)
{
    bool is_stored = is_recorded && !builder->manifest.config.record.overview_only;
    struct h5_chunked_spec spec = {
        .path = path,
        .type = H5T_STD_U32LE,
        .type_bytes = sizeof(uint32_t),
        .chunk_rows = RLOG_CHUNK_SAMPLES,
        .meaning = builder->streams[stream].meaning,
    };
    struct h5_chunked *chunked = h5_chunked_create(builder->packer, &spec, err);

    if (chunked == NULL) {
        return -1;
    }
    if (h5_put_i64(h5_chunked_dataset(chunked), "recorded", is_stored, err) < 0) {
        h5_chunked_destroy(&chunked);
        return -1;
    }
    builder->samples[stream] = h5_samples_create(&chunked, err);
    h5_chunked_destroy(&chunked);
    return builder->samples[stream] == NULL ? -1 : 0;
}

static int add_storage(struct h5_builder *builder, struct err *err)
{
    hid_t group = -1;
    int result = 0;

    if (!builder->manifest.has_storage) {
        return 0;
    }
    group = h5_make_group(builder->file, "/data_storage", err);
    if (group < 0) {
        return -1;
    }
    /* the same stamps, under both names */
    if (H5Lcreate_hard(builder->file, "/data/time", group, "time", H5P_DEFAULT, H5P_DEFAULT)
        < 0) {
        result = h5_fail(err, ERR_SYSTEM, "/data_storage/time");
    }
    h5_close(&group);
    if (result < 0
        || add_stream(builder, RLOG_STREAM_STORAGE_VOLTAGE, "/data_storage/voltage", true, err)
               < 0) {
        return -1;
    }
    return add_stream(builder, RLOG_STREAM_STORAGE_CURRENT, "/data_storage/current", true, err);
}

static hid_t create_file(const char *path, struct err *err)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    hid_t file = -1;

    if (access >= 0 && H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) >= 0) {
        file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    }
    h5_close(&access);
    if (file < 0) {
        h5_fail(err, ERR_SYSTEM, "%s", path);
    }
    return file;
}

static int make_layout(struct h5_builder *builder, struct err *err)
{
    const struct rlog_manifest *manifest = &builder->manifest;
    hid_t integrity = h5_make_group(builder->file, "/integrity", err);

    if (integrity < 0) {
        return -1;
    }
    h5_close(&integrity);
    if (h5_describe_begin(builder->file, manifest, err) < 0) {
        return -1;
    }
    builder->packer = h5_packer_create(builder->file, manifest->config.record.compression, err);
    if (builder->packer == NULL) {
        return -1;
    }
    builder->time = h5_time_create(builder->packer, builder->window, err);
    if (builder->time == NULL
        || add_stream(builder, RLOG_STREAM_VOLTAGE, "/data/voltage", manifest->has_voltage, err)
               < 0
        || add_stream(builder, RLOG_STREAM_CURRENT, "/data/current", manifest->has_current, err)
               < 0
        || add_storage(builder, err) < 0) {
        return -1;
    }
    builder->events =
        h5_events_create(builder->file, builder->packer, manifest, builder->streams, err);
    if (builder->events == NULL) {
        return -1;
    }
    builder->monitor = h5_monitor_create(builder->file, builder->packer, err);
    return builder->monitor == NULL ? -1 : 0;
}

struct h5_builder *h5_builder_create(const char *log_folder, const char *part_path,
                                     struct err *err)
{
    struct h5_builder *builder = calloc(1, sizeof(*builder));

    if (builder == NULL) {
        err_set(err, ERR_MEMORY, "building %s", part_path);
        return NULL;
    }
    h5_quiet();
    builder->file = -1;
    snprintf(builder->part_path, sizeof(builder->part_path), "%s", part_path);
    builder->reader = rlog_reader_open(log_folder, err);
    if (builder->reader == NULL) {
        goto fail;
    }
    builder->manifest = *rlog_reader_manifest(builder->reader);
    builder->window = record_window(&builder->manifest.config.record);
    record_range(&builder->manifest.config.record, &builder->from, &builder->to);
    describe_streams(builder);
    builder->file = create_file(part_path, err);
    if (builder->file < 0 || make_layout(builder, err) < 0) {
        goto fail;
    }
    return builder;
fail:
    h5_builder_destroy(&builder);
    return NULL;
}

void h5_build_close_parts(struct h5_builder *builder)
{
    h5_monitor_destroy(&builder->monitor);
    h5_events_destroy(&builder->events);
    for (int i = 0; i < N_SAMPLE_STREAMS; i++) {
        h5_samples_destroy(&builder->samples[i]);
    }
    h5_time_destroy(&builder->time);
    h5_packer_destroy(&builder->packer);
}

void h5_builder_destroy(struct h5_builder **builder_p)
{
    struct h5_builder *builder = *builder_p;

    if (builder == NULL) {
        return;
    }
    h5_build_close_parts(builder);
    if (builder->file >= 0) {
        H5Fclose(builder->file);
    }
    rlog_reader_close(&builder->reader);
    free(builder);
    *builder_p = NULL;
}

static int malformed(const struct rlog_record *record, const char *what, struct err *err)
{
    return err_set(err, ERR_CORRUPT, "segment %u, byte %llu: %s", record->segment,
                   (unsigned long long)record->offset, what);
}

static int take_start(struct h5_builder *builder, const struct rlog_record *record,
                      struct err *err)
{
    if (record->header.payload_size != sizeof(builder->start) || builder->has_start) {
        return malformed(record, "malformed or second START", err);
    }
    memcpy(&builder->start, record->payload, sizeof(builder->start));
    builder->has_start = true;
    h5_events_set_start(builder->events, builder->start.T_ns);
    return h5_describe_start(builder->file, &builder->start, err);
}

/* Where every sample is stored, a product counts once its samples are there: a log may be cut
 * between the two. */
static int take_product(struct h5_builder *builder, const struct rlog_record *record,
                        struct err *err)
{
    if (record->header.payload_size != sizeof(builder->product)) {
        return malformed(record, "malformed product", err);
    }
    memcpy(&builder->product, record->payload, sizeof(builder->product));
    builder->product_of = record->header;
    if (!h5_build_has_every_sample(builder)) {
        add_energy(builder);
    }
    return 0;
}

/* Those of the current come last. */
static void match_product(struct h5_builder *builder, const struct rlog_record_header *header)
{
    if (h5_build_has_every_sample(builder) && header->stream == RLOG_STREAM_CURRENT
        && header->first == builder->product_of.first
        && header->count == builder->product_of.count
        && h5_samples_next(builder->samples[RLOG_STREAM_VOLTAGE])
               == header->first + header->count) {
        add_energy(builder);
        builder->product_of.count = 0;
    }
}

static int take_samples(struct h5_builder *builder, const struct rlog_record *record,
                        struct err *err)
{
    unsigned stream = record->header.stream;

    if (stream >= N_SAMPLE_STREAMS || builder->samples[stream] == NULL) {
        return malformed(record, "samples of a stream that the manifest does not have", err);
    }
    if (h5_samples_add(builder->samples[stream], record, err) < 0) {
        return err_prepend(err, "segment %u, byte %llu", record->segment,
                           (unsigned long long)record->offset);
    }
    if (h5_samples_next(builder->samples[stream]) > builder->n_seen) {
        builder->n_seen = h5_samples_next(builder->samples[stream]);
    }
    match_product(builder, &record->header);
    return 0;
}

static int take_anchor(struct h5_builder *builder, const struct rlog_record *record,
                       struct err *err)
{
    const struct rlog_manifest *manifest = &builder->manifest;
    bool has_samples = (manifest->has_voltage || manifest->has_current || manifest->has_storage)
                       && !manifest->config.record.overview_only
                       && record->header.first >= builder->from
                       && record->header.first < builder->to;
    uint64_t n_rows = record->header.first / builder->window;

    /* Without traces the anchors alone tell how far the run is. */
    if (!has_samples && n_rows > builder->n_seen
        && record->header.first <= manifest->n_planned) {
        builder->n_seen = n_rows;
    }
    return h5_events_add(builder->events, record, err);
}

void h5_build_remark(struct h5_builder *builder, const char *text, size_t size)
{
    size_t used = strlen(builder->remarks);

    builder->n_remarks++;
    snprintf(builder->remarks + used, sizeof(builder->remarks) - used, "%s%.*s",
             used > 0 ? "\n" : "", (int)size, text);
}

static int take_end(struct h5_builder *builder, const struct rlog_record *record,
                    struct err *err)
{
    if (record->header.payload_size != sizeof(builder->end)) {
        return malformed(record, "malformed END", err);
    }
    memcpy(&builder->end, record->payload, sizeof(builder->end));
    builder->has_end = true;
    return 0;
}

static int take_record(struct h5_builder *builder, const struct rlog_record *record,
                       struct err *err)
{
    builder->n_records++;
    switch ((enum rlog_type)record->header.type) {
    case RLOG_START:
        return take_start(builder, record, err);
    case RLOG_END:
        return take_end(builder, record, err);
    case RLOG_REMARK:
        h5_build_remark(builder, (const char *)record->payload, record->header.payload_size);
        return 0;
    case RLOG_TEXT:
    case RLOG_ROW:
    case RLOG_UTIL:
        return h5_monitor_add(builder->monitor, record, err);
    case RLOG_PRODUCT:
        return take_product(builder, record, err);
    case RLOG_SAMPLES:
    case RLOG_EDGES:
    case RLOG_GAP:
    case RLOG_ANCHOR:
    case RLOG_OVERVIEW:
        break;
    }
    if (!builder->has_start) {
        return malformed(record, "data before START", err);
    }
    if (record->header.type == RLOG_SAMPLES) {
        return take_samples(builder, record, err);
    }
    return record->header.type == RLOG_ANCHOR ? take_anchor(builder, record, err)
                                              : h5_events_add(builder->events, record, err);
}

/* The disk works while we do: the sync at the end has then little left to wait for. */
static void begin_writing(struct h5_builder *builder, const struct rlog_record *record)
{
    void *handle = NULL;

    builder->n_unwritten += record->header.payload_size;
    if (builder->n_unwritten < WRITE_BEHIND_BYTES) {
        return;
    }
    builder->n_unwritten = 0;
    if (H5Fget_vfd_handle(builder->file, H5P_DEFAULT, &handle) >= 0 && handle != NULL) {
        (void)!sync_file_range(*(const int *)handle, 0, 0, SYNC_FILE_RANGE_WRITE);
    }
}

int h5_builder_advance(struct h5_builder *builder, struct err *err)
{
    struct rlog_record record;
    enum rlog_next next = RLOG_NEXT_WAIT;

    while (!builder->has_end
           && (next = rlog_reader_next(builder->reader, &record, err)) == RLOG_NEXT_RECORD) {
        if (take_record(builder, &record, err) < 0
            || (builder->has_start
                && h5_time_advance(builder->time, builder->start.T_ns, builder->n_seen, err)
                       < 0)) {
            return -1;
        }
        begin_writing(builder, &record);
    }
    if (next == RLOG_NEXT_ERROR) {
        return -1;
    }
    return builder->has_end ? 1 : 0;
}
