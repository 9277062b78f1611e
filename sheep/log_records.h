/* SPDX-License-Identifier: MIT */
/* From samples, edges and rows to records in the sink: compressed, coded, reduced, summed up.
 *
 * One thread, the worker's. Nothing is allocated after create. When the sink is full it waits,
 * except for what log_worker.h says may be dropped. */
#ifndef SHEEP_LOG_RECORDS_H
#define SHEEP_LOG_RECORDS_H

#include "common/err.h"
#include "common/gpio_codec.h"
#include "common/rlog.h"
#include "sheep/log_sink.h"

#include <stddef.h>
#include <stdint.h>

struct log_records;
struct log_worker_options;

/* `sink` is a loan until destroy. */
struct log_records *log_records_create(const struct log_worker_options *options,
                                       struct log_sink *sink, struct err *err);
void log_records_destroy(struct log_records **records);

/* A record as it is. */
void log_records_put(struct log_records *records, const struct rlog_record_header *header,
                     const void *payload, size_t size);

/* Rows of monitors that found no room; times as their records have them, UTC in ns. */
struct log_lost_rows {
    uint64_t count;
    uint64_t first_ns;
    struct log_lost_stretch {
        uint64_t first_ns; /* 0: nothing of this stream */
        uint64_t last_ns;
    } streams[RLOG_N_STREAMS];
};

/* `count` of them, the row of this header or what was lost in front of it. */
void log_lost_rows_add(struct log_lost_rows *lost, const struct rlog_record_header *header,
                       uint64_t count);

/* The same of a monitor's row: dropped first when memory before the disk is short. What was
 * dropped is a gap of its stream, once rows are taken again, or at the end. */
void log_records_row(struct log_records *records, const struct rlog_record_header *header,
                     const void *payload, size_t size);

/* Rows that were lost before they got here: told like those that are dropped here. */
void log_records_lose_rows(struct log_records *records, const struct log_lost_rows *lost);

/* header: stream, first and count of the samples. */
void log_records_chunk(struct log_records *records, const struct rlog_record_header *header,
                       const uint32_t *samples);

/* Edges, and the stretch of the recording that they come from: dropped next, as a gap of it. */
struct log_edges {
    const struct gpio_edge *edges;
    uint32_t count;
    uint64_t first_sample;
    uint64_t n_samples;
};
void log_records_edges(struct log_records *records, const struct log_edges *edges);

/* Rows and overviews that are complete. */
void log_records_flush(struct log_records *records);

/* All that is left, and a remark when rows were lost; corrects *end by what was dropped, and
 * counts the records, END included. */
void log_records_finish(struct log_records *records, struct rlog_end *end);

#endif
