/* SPDX-License-Identifier: MIT */
#include "sheep/log_records.h"

#include "common/decimate.h"
#include "common/overview.h"
#include "sheep/log_worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    DROP_ROWS_PERCENT = 80,
    DROP_EDGES_PERCENT = 90,
    PAUSE_NS = 1000000,
    NS_PER_SAMPLE = 10000
};

/* One stream on its way to fewer rows. */
struct reduction {
    struct log_records *records;
    uint8_t stream;
    struct decimator decimator;
};

struct log_records {
    struct log_sink *sink; /* a loan */
    struct rlog_deflate *deflate;
    unsigned compression;
    uint32_t *scratch;
    struct overview *overviews[PRU_BLOCK_ARRAYS];   /* NULL: not recorded */
    struct reduction *reductions[PRU_BLOCK_ARRAYS]; /* NULL: every sample is stored */
    bool has_only_overview;
    bool is_patient;
    uint64_t n_edges_dropped;
    struct log_lost_rows lost_rows; /* all of them; stretches: what no gap says yet */
    int64_t T_ns;                   /* of START, which comes before any row */
    uint32_t n_records;
};

/* Waits until the sink has room: the PRU's ring holds what comes meanwhile. */
static void *reserve_patiently(struct log_records *records, size_t size)
{
    static const struct timespec pause = { 0, PAUSE_NS };
    void *place = log_sink_reserve(records->sink, size);

    while (place == NULL) {
        nanosleep(&pause, NULL);
        place = log_sink_reserve(records->sink, size);
    }
    return place;
}

void log_records_put(struct log_records *records, const struct rlog_record_header *header,
                     const void *payload, size_t size)
{
    void *place = reserve_patiently(records, size);

    if (header->type == RLOG_START && size == sizeof(struct rlog_start)) {
        records->T_ns = ((const struct rlog_start *)payload)->T_ns;
    }
    if (size != 0) {
        memcpy(place, payload, size);
    }
    log_sink_commit(records->sink, header, size);
    records->n_records++;
}

static bool is_short_of_memory(const struct log_records *records, unsigned limit_percent)
{
    return !records->is_patient && log_sink_fill_percent(records->sink) >= limit_percent;
}

/* Rows of one stream, behind those that the stretch has. */
static void extend(struct log_lost_stretch *stretch, uint64_t first_ns, uint64_t last_ns)
{
    stretch->first_ns = stretch->first_ns == 0 ? first_ns : stretch->first_ns;
    stretch->last_ns = last_ns;
}

void log_lost_rows_add(struct log_lost_rows *lost, const struct rlog_record_header *header,
                       uint64_t count)
{
    lost->first_ns = lost->count == 0 ? header->first : lost->first_ns;
    lost->count += count;
    if (header->stream < RLOG_N_STREAMS) {
        extend(&lost->streams[header->stream], header->first, header->first);
    }
}

void log_records_lose_rows(struct log_records *records, const struct log_lost_rows *lost)
{
    struct log_lost_rows *sum = &records->lost_rows;

    sum->first_ns = sum->count == 0 ? lost->first_ns : sum->first_ns;
    sum->count += lost->count;
    for (unsigned i = 0; i < RLOG_N_STREAMS; i++) {
        if (lost->streams[i].first_ns != 0) {
            extend(&sum->streams[i], lost->streams[i].first_ns, lost->streams[i].last_ns);
        }
    }
}

static uint64_t sample_at(const struct log_records *records, uint64_t utc_ns)
{
    int64_t since_ns = (int64_t)utc_ns - records->T_ns;

    return since_ns <= 0 ? 0 : (uint64_t)since_ns / NS_PER_SAMPLE;
}

/* Each stream's lost rows are a gap: from the sample of the first one to that of the last. */
static void put_lost_rows(struct log_records *records)
{
    for (uint32_t i = 0; i < RLOG_N_STREAMS; i++) {
        struct log_lost_stretch *lost = &records->lost_rows.streams[i];
        struct rlog_gap gap = { .first_sample = sample_at(records, lost->first_ns),
                                .cause = RLOG_GAP_QUEUE,
                                .stream = i };
        struct rlog_record_header header = { .type = RLOG_GAP,
                                             .count = 1,
                                             .first = gap.first_sample };

        if (lost->first_ns == 0) {
            continue;
        }
        gap.n_samples = lost->last_ns < lost->first_ns
                            ? 1
                            : sample_at(records, lost->last_ns) - gap.first_sample + 1;
        *lost = (struct log_lost_stretch){ 0 };
        log_records_put(records, &header, &gap, sizeof(gap));
    }
}

void log_records_row(struct log_records *records, const struct rlog_record_header *header,
                     const void *payload, size_t size)
{
    if (is_short_of_memory(records, DROP_ROWS_PERCENT)) {
        log_lost_rows_add(&records->lost_rows, header, 1);
        return;
    }
    put_lost_rows(records);
    log_records_put(records, header, payload, size);
}

/* ---- samples ---- */

static void emit_overview(void *arg, const struct rlog_record_header *header,
                          const struct rlog_overview *entries)
{
    log_records_put(arg, header, entries, header->count * sizeof(*entries));
}

/* Every stream is compressed on its own; what does not get smaller stays as it is. */
static void write_samples(struct log_records *records, struct rlog_record_header header,
                          const uint32_t *samples)
{
    size_t raw_size = (size_t)header.count * sizeof(uint32_t);
    size_t bound = records->compression == 0 ? raw_size : rlog_deflate_bound(header.count);
    size_t capacity = bound < raw_size ? raw_size : bound;
    uint8_t *place = reserve_patiently(records, capacity);
    size_t size = 0;

    if (header.count == RLOG_CHUNK_SAMPLES && header.first % RLOG_CHUNK_SAMPLES == 0) {
        header.flags |= RLOG_FLAG_GRID;
    }
    if (records->compression != 0) {
        size = rlog_deflate_u32(records->deflate, samples, header.count, records->scratch,
                                place, capacity);
    }
    if (size != 0) {
        header.flags |= RLOG_FLAG_DEFLATED;
    } else {
        memcpy(place, samples, raw_size);
        size = raw_size;
    }
    log_sink_commit(records->sink, &header, size);
    records->n_records++;
}

static void write_rows(void *arg, uint64_t first_row, const uint32_t *rows, uint32_t count)
{
    const struct reduction *reduction = arg;
    struct rlog_record_header header = {
        .type = RLOG_SAMPLES, .stream = reduction->stream, .count = count, .first = first_row
    };

    write_samples(reduction->records, header, rows);
}

void log_records_chunk(struct log_records *records, const struct rlog_record_header *header,
                       const uint32_t *samples)
{
    unsigned array = header->stream - RLOG_STREAM_VOLTAGE;
    struct reduction *reduction = records->reductions[array];
    struct overview *overview = records->overviews[array];

    if (reduction != NULL) {
        decimate_add(&reduction->decimator, header->first, samples, header->count);
    } else if (!records->has_only_overview) {
        write_samples(records, *header, samples);
    }
    if (overview != NULL) {
        overview_add(overview, header->first, samples, header->count);
    }
}

/* ---- edges ---- */

static void note_dropped(struct log_records *records, const struct log_edges *edges)
{
    struct rlog_gap gap = { edges->first_sample, edges->n_samples, RLOG_GAP_QUEUE,
                            RLOG_STREAM_GPIO };
    struct rlog_record_header header = { .type = RLOG_GAP,
                                         .count = 1,
                                         .first = gap.first_sample };

    records->n_edges_dropped += edges->count;
    log_records_put(records, &header, &gap, sizeof(gap));
}

void log_records_edges(struct log_records *records, const struct log_edges *edges)
{
    struct rlog_record_header header = { .type = RLOG_EDGES,
                                         .stream = RLOG_STREAM_GPIO,
                                         .count = edges->count };
    size_t bound = gpio_codec_bound(edges->count);
    uint8_t *place = NULL;

    if (is_short_of_memory(records, DROP_EDGES_PERCENT)) {
        note_dropped(records, edges);
        return;
    }
    place = reserve_patiently(records, bound);
    log_sink_commit(records->sink, &header,
                    gpio_codec_encode(edges->edges, edges->count, place, bound));
    records->n_records++;
}

/* ---- life ---- */

void log_records_flush(struct log_records *records)
{
    for (unsigned i = 0; i < PRU_BLOCK_ARRAYS; i++) {
        if (records->reductions[i] != NULL) {
            decimate_flush(&records->reductions[i]->decimator);
        }
        if (records->overviews[i] != NULL) {
            overview_flush(records->overviews[i]);
        }
    }
}

static void remark_lost_rows(struct log_records *records)
{
    struct rlog_record_header header = { .type = RLOG_REMARK,
                                         .first = records->lost_rows.first_ns };
    char text[LOG_WORKER_INLINE];

    if (records->lost_rows.count != 0) {
        snprintf(
            text, sizeof(text),
            "storage or processor was slow: %llu records of monitors found no room and are missing",
            (unsigned long long)records->lost_rows.count);
        log_records_put(records, &header, text, strlen(text));
    }
}

void log_records_finish(struct log_records *records, struct rlog_end *end)
{
    for (unsigned i = 0; i < PRU_BLOCK_ARRAYS; i++) {
        if (records->reductions[i] != NULL) {
            decimate_finish(&records->reductions[i]->decimator);
        }
        if (records->overviews[i] != NULL) {
            overview_finish(records->overviews[i]);
        }
    }
    put_lost_rows(records);
    remark_lost_rows(records);
    end->n_edges -= records->n_edges_dropped;
    end->n_records = records->n_records + 1; /* END itself */
}

/* The overview and, at a lower rate, the reduction of one stream. */
static bool make_stream(struct log_records *records, const struct log_worker_options *options,
                        unsigned array)
{
    enum rlog_stream stream = (enum rlog_stream)(RLOG_STREAM_VOLTAGE + array);
    struct reduction *reduction = NULL;

    records->overviews[array] = malloc(sizeof(struct overview));
    if (records->overviews[array] == NULL) {
        return false;
    }
    overview_init(records->overviews[array], stream, emit_overview, records);
    if (options->window <= 1 || options->has_only_overview) {
        return true;
    }
    reduction = malloc(sizeof(*reduction));
    if (reduction == NULL) {
        return false;
    }
    reduction->records = records;
    reduction->stream = (uint8_t)stream;
    decimate_init(&reduction->decimator, options->window, write_rows, reduction);
    records->reductions[array] = reduction;
    return true;
}

static bool make_streams(struct log_records *records, const struct log_worker_options *options)
{
    records->scratch = calloc(RLOG_CHUNK_SAMPLES, sizeof(uint32_t));
    if (records->scratch == NULL) {
        return false;
    }
    for (unsigned i = 0; i < PRU_BLOCK_ARRAYS; i++) {
        if ((options->record_mask >> i & 1u) != 0 && !make_stream(records, options, i)) {
            return false;
        }
    }
    return true;
}

struct log_records *log_records_create(const struct log_worker_options *options,
                                       struct log_sink *sink, struct err *err)
{
    struct log_records *records = calloc(1, sizeof(*records));

    if (records == NULL || !make_streams(records, options)) {
        err_set(err, ERR_MEMORY, "buffers before the log");
        goto fail;
    }
    records->sink = sink;
    records->compression = options->compression;
    records->has_only_overview = options->has_only_overview;
    records->is_patient = options->is_patient;
    if (options->compression != 0) {
        records->deflate = rlog_deflate_create(options->compression, err);
        if (records->deflate == NULL) {
            goto fail;
        }
    }
    return records;
fail:
    log_records_destroy(&records);
    return NULL;
}

void log_records_destroy(struct log_records **records_p)
{
    struct log_records *records = *records_p;

    if (records == NULL) {
        return;
    }
    rlog_deflate_destroy(&records->deflate);
    for (unsigned i = 0; i < PRU_BLOCK_ARRAYS; i++) {
        free(records->overviews[i]);
        free(records->reductions[i]);
    }
    free(records->scratch);
    free(records);
    *records_p = NULL;
}
