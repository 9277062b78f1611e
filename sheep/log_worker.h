/* SPDX-License-Identifier: MIT */
/* The thread between the rings and the disk; what it makes of jobs is in log_records.h.
 *
 * The recorder's main thread fills buffers that the worker owns and hands them over as jobs, in
 * the order of the log; the worker puts the finished records into the sink. Buffers and jobs
 * are made at creation, and only for what is recorded. When the disk stalls until the sink's
 * memory is full, monitors' rows are dropped first, then edges; for samples the worker waits,
 * so that the recorder finds no room and the PRU's ring takes its turn. */
#ifndef SHEEP_LOG_WORKER_H
#define SHEEP_LOG_WORKER_H

#include "common/err.h"
#include "common/gpio_codec.h"
#include "common/rlog.h"
#include "pru/abi/pru_shm.h"
#include "sheep/log_sink.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LOG_WORKER_INLINE = 512, /* payload of a small record */
    LOG_WORKER_EDGES = 8192, /* in one buffer */
};

struct log_worker;

struct log_worker_options {
    size_t memory_bytes;    /* of the sink */
    uint32_t record_mask;   /* sample streams that are recorded, bits of enum pru_array */
    uint32_t window;        /* samples of one stored row, see common/decimate.h; 0 and 1: all */
    bool has_only_overview; /* no rows of them are stored */
    bool has_edges;
    bool is_patient;      /* the board waits for room: nothing needs to be dropped */
    unsigned compression; /* 0 none, 1..9 */
    int event_fd;         /* see log_sink_create */
};

/* Takes over the writer. */
struct log_worker *log_worker_create(const struct log_worker_options *options,
                                     struct rlog_writer **writer, struct err *err);
void log_worker_destroy(struct log_worker **worker);

/* ---- the recorder's main thread ---- */

/* True when there are buffers and jobs enough for whatever one more block may need. */
bool log_worker_has_room(const struct log_worker *worker);

/* An empty buffer for RLOG_CHUNK_SAMPLES, which put hands over; NULL when there is none. */
uint32_t *log_worker_chunk(struct log_worker *worker);
void log_worker_put_chunk(struct log_worker *worker, enum rlog_stream stream, uint64_t first,
                          uint32_t count, uint32_t *samples);

/* The same for LOG_WORKER_EDGES edges. first_sample and n_samples say which stretch of the
 * recording they come from, in case that they must be dropped. */
struct gpio_edge *log_worker_edges(struct log_worker *worker);
void log_worker_put_edges(struct log_worker *worker, struct gpio_edge *edges, uint32_t count,
                          uint64_t first_sample, uint64_t n_samples);

/* A small record (at most LOG_WORKER_INLINE bytes); false when there is no room for it. */
bool log_worker_put(struct log_worker *worker, const struct rlog_record_header *header,
                    const void *payload, size_t size);

/* As log_worker_put for rows of monitors, which are dropped first when memory is short:
 * a gap of their stream, and a remark at the end says how many. */
bool log_worker_put_row(struct log_worker *worker, const struct rlog_record_header *header,
                        const void *payload, size_t size);

/* So many rows were lost in front of the one with this header before they got here. */
void log_worker_lose_rows(struct log_worker *worker, const struct rlog_record_header *header,
                          uint64_t count);

void log_worker_sync(struct log_worker *worker);

/* The last call; the worker corrects *end by what it dropped. */
void log_worker_finish(struct log_worker *worker, const struct rlog_end *end);

/* What happened to END, once the sink is finished. */
void log_worker_status(struct log_worker *worker, struct log_sink_status *status);
void log_worker_end(struct log_worker *worker, struct rlog_end *end);

#endif
