/* SPDX-License-Identifier: MIT */
/* The thread that owns the log's writer, and the preallocated memory that rides out its stalls.
 *
 * One producer thread puts finished records in; the sink's own thread appends them to the log
 * and syncs. Neither waits for a lock: the memory is slabs that go round between the two, and
 * the one that came back last is filled next, so that no more memory is touched than the
 * longest stall needed. */
#ifndef SHEEP_LOG_SINK_H
#define SHEEP_LOG_SINK_H

#include "common/err.h"
#include "common/rlog.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log_sink;

struct log_sink_status {
    struct rlog_position durable;
    uint32_t fill_percent;
    uint32_t fill_max_percent;
    bool is_failed;   /* a write failed: everything since is discarded; err says why */
    bool is_finished; /* END is written and synced, or that failed */
    uint8_t digest[RLOG_DIGEST_BYTES];
    int64_t sync_max_ns; /* longest time one sync took */
    struct err err;
};

/* Takes over the writer (destroys it in the end) and starts the thread. event_fd is written
 * after each completed sync and at the finish; it stays the caller's. */
struct log_sink *log_sink_create(struct rlog_writer **writer, size_t memory_bytes, int event_fd,
                                 struct err *err);

/* Ends the thread, finished or not. Of a log that was not finished, only what was synced is
 * surely on the disk. */
void log_sink_destroy(struct log_sink **sink);

/* Producer: room for a payload of at most `size` bytes, or NULL when all memory is in use.
 * Then commit what became of it. */
void *log_sink_reserve(struct log_sink *sink, size_t size);
void log_sink_commit(struct log_sink *sink, const struct rlog_record_header *header,
                     size_t size);

/* Producer: sync once everything committed so far is written. */
void log_sink_sync(struct log_sink *sink);

/* Producer: append END behind everything committed, sync, compute the digest. The last call. */
void log_sink_finish(struct log_sink *sink, const struct rlog_end *end);

/* Any thread. */
unsigned log_sink_fill_percent(const struct log_sink *sink);
void log_sink_status(struct log_sink *sink, struct log_sink_status *status);

#endif
