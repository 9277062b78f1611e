/* SPDX-License-Identifier: MIT */
/* A log in a folder of its own, and what came to stand in it, record by record. */
#ifndef TESTS_SUPPORT_LOG_BENCH_H
#define TESTS_SUPPORT_LOG_BENCH_H

#include "common/rlog.h"
#include "sheep/log_worker.h"
#include "tests/support/temp_folder.h"

#include <stddef.h>
#include <stdint.h>

struct log_record {
    struct rlog_record_header header;
    uint8_t *payload; /* a copy; samples are inflated */
    size_t size;
};

struct log_bench {
    char folder[TEMP_FOLDER_SIZE];
    char log[TEMP_PATH_SIZE];
    int event_fd;
    struct log_record *records; /* after log_bench_read */
    size_t n_records;
};

/* All fail the calling test when they cannot do their work. */
void log_bench_init(struct log_bench *bench);
void log_bench_fini(struct log_bench *bench);

/* A new log of a harvest; for log_sink_create or log_worker_create. */
struct rlog_writer *log_bench_writer(struct log_bench *bench);

/* Waits for the event descriptor, at most 10 s. */
void log_bench_wait(const struct log_bench *bench);

/* Ends a worker's log in order, destroys the worker, and reads the log. *end: what was said of
 * it; NULL: nothing. */
void log_bench_finish(struct log_bench *bench, struct log_worker **worker,
                      const struct rlog_end *end);

/* Reads all records that are there; is_closed: the last one must be END. */
void log_bench_read(struct log_bench *bench, bool is_closed);

/* The n-th record (from 0) of a type and, unless it is NONE, a stream; NULL behind the last. */
const struct log_record *log_bench_find(const struct log_bench *bench, enum rlog_type type,
                                        enum rlog_stream stream, size_t n);
size_t log_bench_count(const struct log_bench *bench, enum rlog_type type,
                       enum rlog_stream stream);

/* What the payload of a GAP says, of the n-th one. */
struct rlog_gap log_bench_gap(const struct log_bench *bench, size_t n);

#endif
