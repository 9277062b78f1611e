/* SPDX-License-Identifier: MIT */
#include "tests/support/log_bench.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    WAIT_MS = 10000
};

void log_bench_init(struct log_bench *bench)
{
    memset(bench, 0, sizeof(*bench));
    temp_folder_make(bench->folder);
    temp_folder_path(bench->folder, "test.rlog", bench->log);
    bench->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_true(bench->event_fd >= 0);
}

static void forget(struct log_bench *bench)
{
    for (size_t i = 0; i < bench->n_records; i++) {
        free(bench->records[i].payload);
    }
    free(bench->records);
    bench->records = NULL;
    bench->n_records = 0;
}

void log_bench_fini(struct log_bench *bench)
{
    forget(bench);
    close(bench->event_fd);
    temp_folder_remove(bench->folder);
}

struct rlog_writer *log_bench_writer(struct log_bench *bench)
{
    struct rlog_manifest manifest;
    struct rlog_writer *writer = NULL;
    struct err err = { 0 };

    memset(&manifest, 0, sizeof(manifest));
    snprintf(manifest.experiment_name, sizeof(manifest.experiment_name), "test");
    snprintf(manifest.node, sizeof(manifest.node), "sheep0");
    snprintf(manifest.board, sizeof(manifest.board), "sim");
    snprintf(manifest.datatype, sizeof(manifest.datatype), "ivsample");
    schema_defaults(&node_config_schema, &manifest.config);
    manifest.mode = MODE_HARVEST;
    manifest.config.mode = MODE_HARVEST;
    manifest.voltage.gain = 1.0;
    manifest.current.gain = 1.0;
    writer = rlog_writer_create(bench->log, &manifest, &err);
    if (writer == NULL) {
        fail_msg("%s", err.text);
    }
    return writer;
}

void log_bench_wait(const struct log_bench *bench)
{
    struct pollfd pfd = { .fd = bench->event_fd, .events = POLLIN };
    uint64_t count = 0;

    assert_int_equal(poll(&pfd, 1, WAIT_MS), 1);
    assert_int_equal(read(bench->event_fd, &count, sizeof(count)), sizeof(count));
}

void log_bench_finish(struct log_bench *bench, struct log_worker **worker,
                      const struct rlog_end *end)
{
    static const struct rlog_end NOTHING = { 0 };
    struct log_sink_status status = { 0 };

    log_worker_finish(*worker, end == NULL ? &NOTHING : end);
    while (!status.is_finished) {
        log_bench_wait(bench);
        log_worker_status(*worker, &status);
    }
    if (status.is_failed) {
        fail_msg("%s", status.err.text);
    }
    log_worker_destroy(worker);
    log_bench_read(bench, true);
}

static void keep(struct log_bench *bench, const struct rlog_record *record)
{
    struct log_record *kept = NULL;
    struct err err = { 0 };
    bool is_samples = record->header.type == RLOG_SAMPLES;

    bench->records = realloc(bench->records, (bench->n_records + 1) * sizeof(*bench->records));
    assert_non_null(bench->records);
    kept = &bench->records[bench->n_records++];
    kept->header = record->header;
    kept->size =
        is_samples ? record->header.count * sizeof(uint32_t) : record->header.payload_size;
    kept->payload = malloc(RLOG_CHUNK_SAMPLES * sizeof(uint32_t) + kept->size);
    assert_non_null(kept->payload);
    if (!is_samples) {
        memcpy(kept->payload, record->payload, kept->size);
    } else if (rlog_record_samples(record, (uint32_t *)(void *)kept->payload, &err) < 0) {
        fail_msg("%s", err.text);
    }
}

void log_bench_read(struct log_bench *bench, bool is_closed)
{
    struct err err = { 0 };
    struct rlog_reader *reader = rlog_reader_open(bench->log, &err);
    struct rlog_record record;
    enum rlog_next next = RLOG_NEXT_ERROR;

    forget(bench);
    if (reader == NULL) {
        fail_msg("%s", err.text);
    }
    while ((next = rlog_reader_next(reader, &record, &err)) == RLOG_NEXT_RECORD) {
        keep(bench, &record);
    }
    if (next == RLOG_NEXT_ERROR) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(next, is_closed ? RLOG_NEXT_END : RLOG_NEXT_WAIT);
    rlog_reader_close(&reader);
}

const struct log_record *log_bench_find(const struct log_bench *bench, enum rlog_type type,
                                        enum rlog_stream stream, size_t n)
{
    for (size_t i = 0; i < bench->n_records; i++) {
        const struct rlog_record_header *header = &bench->records[i].header;

        if (header->type == type && (stream == RLOG_STREAM_NONE || header->stream == stream)
            && n-- == 0) {
            return &bench->records[i];
        }
    }
    return NULL;
}

size_t log_bench_count(const struct log_bench *bench, enum rlog_type type,
                       enum rlog_stream stream)
{
    size_t count = 0;

    while (log_bench_find(bench, type, stream, count) != NULL) {
        count++;
    }
    return count;
}

struct rlog_gap log_bench_gap(const struct log_bench *bench, size_t n)
{
    const struct log_record *record = log_bench_find(bench, RLOG_GAP, RLOG_STREAM_NONE, n);
    struct rlog_gap gap = { 0 };

    assert_non_null(record);
    assert_int_equal(record->size, sizeof(gap));
    assert_int_equal(record->header.count, 1);
    memcpy(&gap, record->payload, sizeof(gap));
    assert_int_equal(record->header.first, gap.first_sample);
    return gap;
}
