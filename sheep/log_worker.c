/* SPDX-License-Identifier: MIT */
#include "sheep/log_worker.h"

#include "sheep/buffer_pool.h"
#include "sheep/log_records.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    N_JOBS = 512,
    N_CHUNKS_PER_STREAM = 8, /* 0.8 s of samples */
    N_EDGE_BUFFERS = 16,
    JOBS_PER_BLOCK = 64, /* far more than one block makes: chunks, gaps, edges, anchors */
    PAUSE_NS = 1000000
};

enum job_kind {
    JOB_RECORD,
    JOB_ROW,
    JOB_LOST_ROWS, /* its payload: struct log_lost_rows */
    JOB_CHUNK,
    JOB_EDGES,
    JOB_SYNC,
    JOB_FINISH,
    JOB_QUIT,
};

struct job {
    enum job_kind kind;
    uint32_t size;         /* of the inline payload */
    uint64_t first_sample; /* of JOB_EDGES: where they come from */
    uint64_t n_samples;
    struct rlog_record_header header;
    void *buffer; /* of JOB_CHUNK and JOB_EDGES */
    uint64_t inline_payload[LOG_WORKER_INLINE / sizeof(uint64_t)];
};

struct log_worker {
    struct log_sink *sink;
    struct log_records *records; /* worker */
    unsigned n_streams;
    struct job *jobs;
    _Atomic uint32_t head; /* main thread */
    _Atomic uint32_t tail; /* worker */
    sem_t wake;
    bool has_semaphore;
    pthread_t thread;
    bool has_thread;
    struct buffer_pool chunks;
    struct buffer_pool edges;
    uint32_t *chunk_memory;
    struct gpio_edge *edge_memory;
    struct log_lost_rows refused_rows; /* main thread; what the worker was not told yet */
    struct rlog_end end;               /* worker; main thread once the sink is finished */
};

_Static_assert(sizeof(struct log_lost_rows) <= LOG_WORKER_INLINE, "fits into a job");

/* ---- the worker's thread ---- */

static void write_edges(struct log_worker *worker, const struct job *job)
{
    struct log_edges edges = { job->buffer, job->header.count, job->first_sample,
                               job->n_samples };

    log_records_edges(worker->records, &edges);
}

static void lose_rows(struct log_worker *worker, const struct job *job)
{
    struct log_lost_rows lost;

    memcpy(&lost, job->inline_payload, sizeof(lost));
    log_records_lose_rows(worker->records, &lost);
}

static void finish(struct log_worker *worker, const struct job *job)
{
    memcpy(&worker->end, job->inline_payload, sizeof(worker->end));
    log_records_finish(worker->records, &worker->end);
    log_sink_finish(worker->sink, &worker->end);
}

/* False when it was the last one. */
static bool do_job(struct log_worker *worker, const struct job *job)
{
    switch (job->kind) {
    case JOB_ROW:
        log_records_row(worker->records, &job->header, job->inline_payload, job->size);
        return true;
    case JOB_LOST_ROWS:
        lose_rows(worker, job);
        return true;
    case JOB_RECORD:
        log_records_put(worker->records, &job->header, job->inline_payload, job->size);
        return true;
    case JOB_CHUNK:
        log_records_chunk(worker->records, &job->header, job->buffer);
        buffer_pool_give(&worker->chunks, job->buffer);
        return true;
    case JOB_EDGES:
        write_edges(worker, job);
        buffer_pool_give(&worker->edges, job->buffer);
        return true;
    case JOB_SYNC:
        log_records_flush(worker->records);
        log_sink_sync(worker->sink);
        return true;
    case JOB_FINISH:
        finish(worker, job);
        return true;
    case JOB_QUIT:
        return false;
    }
    return false;
}

static void *run_thread(void *arg)
{
    struct log_worker *worker = arg;

    pthread_setname_np(pthread_self(), "bw-worker");
    for (;;) {
        uint32_t tail = atomic_load_explicit(&worker->tail, memory_order_relaxed);

        while (sem_wait(&worker->wake) < 0 && errno == EINTR) {}
        if (tail == atomic_load_explicit(&worker->head, memory_order_acquire)) {
            continue;
        }
        bool goes_on = do_job(worker, &worker->jobs[tail % N_JOBS]);

        atomic_store_explicit(&worker->tail, tail + 1, memory_order_release);
        if (!goes_on) {
            return NULL;
        }
    }
}

/* ---- the main thread ---- */

static bool make_buffers(struct log_worker *worker, const struct log_worker_options *options)
{
    uint32_t n_chunks = worker->n_streams * N_CHUNKS_PER_STREAM;
    uint32_t n_edges = options->has_edges ? N_EDGE_BUFFERS : 0;

    if (!buffer_pool_init(&worker->chunks, n_chunks)
        || !buffer_pool_init(&worker->edges, n_edges)) {
        return false;
    }
    worker->chunk_memory = calloc((size_t)n_chunks * RLOG_CHUNK_SAMPLES + 1, sizeof(uint32_t));
    worker->edge_memory =
        calloc((size_t)n_edges * LOG_WORKER_EDGES + 1, sizeof(struct gpio_edge));
    worker->jobs = calloc(N_JOBS, sizeof(struct job));
    if (worker->chunk_memory == NULL || worker->edge_memory == NULL || worker->jobs == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < n_chunks; i++) {
        buffer_pool_give(&worker->chunks,
                         worker->chunk_memory + (size_t)i * RLOG_CHUNK_SAMPLES);
    }
    for (uint32_t i = 0; i < n_edges; i++) {
        buffer_pool_give(&worker->edges, worker->edge_memory + (size_t)i * LOG_WORKER_EDGES);
    }
    return true;
}

struct log_worker *log_worker_create(const struct log_worker_options *options,
                                     struct rlog_writer **writer, struct err *err)
{
    struct log_worker *worker = calloc(1, sizeof(*worker));

    if (worker == NULL) {
        err_set(err, ERR_MEMORY, "buffers before the log");
        return NULL;
    }
    worker->n_streams = (unsigned)__builtin_popcount(options->record_mask);
    if (!make_buffers(worker, options)) {
        err_set(err, ERR_MEMORY, "buffers before the log");
        goto fail;
    }
    worker->sink = log_sink_create(writer, options->memory_bytes, options->event_fd, err);
    if (worker->sink == NULL) {
        goto fail;
    }
    worker->records = log_records_create(options, worker->sink, err);
    if (worker->records == NULL) {
        goto fail;
    }
    worker->has_semaphore = sem_init(&worker->wake, 0, 0) == 0;
    worker->has_thread =
        worker->has_semaphore && pthread_create(&worker->thread, NULL, run_thread, worker) == 0;
    if (!worker->has_thread) {
        err_set(err, ERR_SYSTEM, "thread before the log");
        goto fail;
    }
    return worker;
fail:
    log_worker_destroy(&worker);
    return NULL;
}

static uint32_t free_jobs(const struct log_worker *worker)
{
    return N_JOBS
           - (atomic_load_explicit(&worker->head, memory_order_relaxed)
              - atomic_load_explicit(&worker->tail, memory_order_acquire));
}

/* The next free job, which put_job hands over. The caller saw that there is one. */
static struct job *next_job(struct log_worker *worker)
{
    uint32_t head = atomic_load_explicit(&worker->head, memory_order_relaxed);

    return &worker->jobs[head % N_JOBS];
}

static void put_job(struct log_worker *worker)
{
    atomic_fetch_add_explicit(&worker->head, 1, memory_order_release);
    sem_post(&worker->wake);
}

/* For the calls that must not fail: they are few, and has_room leaves jobs for them; a worker
 * that is far behind at the very end is waited for. */
static struct job *next_job_patiently(struct log_worker *worker)
{
    static const struct timespec pause = { 0, PAUSE_NS };

    while (free_jobs(worker) == 0) {
        nanosleep(&pause, NULL);
    }
    return next_job(worker);
}

void log_worker_destroy(struct log_worker **worker_p)
{
    struct log_worker *worker = *worker_p;

    if (worker == NULL) {
        return;
    }
    if (worker->has_thread) {
        next_job_patiently(worker)->kind = JOB_QUIT;
        put_job(worker);
        pthread_join(worker->thread, NULL);
    }
    log_records_destroy(&worker->records);
    log_sink_destroy(&worker->sink);
    if (worker->has_semaphore) {
        sem_destroy(&worker->wake);
    }
    buffer_pool_fini(&worker->chunks);
    buffer_pool_fini(&worker->edges);
    free(worker->chunk_memory);
    free(worker->edge_memory);
    free(worker->jobs);
    free(worker);
    *worker_p = NULL;
}

bool log_worker_has_room(const struct log_worker *worker)
{
    /* A chunk may be completed and the next one begun. */
    return free_jobs(worker) >= JOBS_PER_BLOCK
           && (worker->chunks.capacity == 0
               || buffer_pool_count(&worker->chunks) >= 2 * worker->n_streams);
}

uint32_t *log_worker_chunk(struct log_worker *worker)
{
    return buffer_pool_take(&worker->chunks);
}

void log_worker_put_chunk(struct log_worker *worker, enum rlog_stream stream, uint64_t first,
                          uint32_t count, uint32_t *samples)
{
    struct job *job = next_job_patiently(worker);

    job->kind = JOB_CHUNK;
    job->buffer = samples;
    job->header = (struct rlog_record_header){
        .type = RLOG_SAMPLES, .stream = (uint8_t)stream, .count = count, .first = first
    };
    put_job(worker);
}

struct gpio_edge *log_worker_edges(struct log_worker *worker)
{
    return buffer_pool_take(&worker->edges);
}

void log_worker_put_edges(struct log_worker *worker, struct gpio_edge *edges, uint32_t count,
                          uint64_t first_sample, uint64_t n_samples)
{
    struct job *job = next_job_patiently(worker);

    job->kind = JOB_EDGES;
    job->buffer = edges;
    job->first_sample = first_sample;
    job->n_samples = n_samples;
    job->header = (struct rlog_record_header){ .type = RLOG_EDGES,
                                               .stream = RLOG_STREAM_GPIO,
                                               .count = count };
    put_job(worker);
}

static bool put_inline(struct log_worker *worker, enum job_kind kind,
                       const struct rlog_record_header *header, const void *payload,
                       size_t size)
{
    struct job *job = NULL;

    if (size > LOG_WORKER_INLINE || free_jobs(worker) == 0) {
        return false;
    }
    job = next_job(worker);
    job->kind = kind;
    job->header = *header;
    job->size = (uint32_t)size;
    if (size != 0) {
        memcpy(job->inline_payload, payload, size);
    }
    put_job(worker);
    return true;
}

bool log_worker_put(struct log_worker *worker, const struct rlog_record_header *header,
                    const void *payload, size_t size)
{
    return put_inline(worker, JOB_RECORD, header, payload, size);
}

/* In front of the row that is taken again, or of the end: a gap lies where it was. */
static void tell_refused_rows(struct log_worker *worker)
{
    struct job *job = NULL;

    if (worker->refused_rows.count == 0) {
        return;
    }
    job = next_job_patiently(worker);
    job->kind = JOB_LOST_ROWS;
    memcpy(job->inline_payload, &worker->refused_rows, sizeof(worker->refused_rows));
    put_job(worker);
    memset(&worker->refused_rows, 0, sizeof(worker->refused_rows));
}

bool log_worker_put_row(struct log_worker *worker, const struct rlog_record_header *header,
                        const void *payload, size_t size)
{
    if (free_jobs(worker) < JOBS_PER_BLOCK * 2) {
        log_lost_rows_add(&worker->refused_rows, header, 1);
        return false;
    }
    tell_refused_rows(worker);
    return put_inline(worker, JOB_ROW, header, payload, size);
}

void log_worker_lose_rows(struct log_worker *worker, const struct rlog_record_header *header,
                          uint64_t count)
{
    log_lost_rows_add(&worker->refused_rows, header, count);
}

void log_worker_sync(struct log_worker *worker)
{
    next_job_patiently(worker)->kind = JOB_SYNC;
    put_job(worker);
}

void log_worker_finish(struct log_worker *worker, const struct rlog_end *end)
{
    struct job *job = NULL;

    tell_refused_rows(worker);
    job = next_job_patiently(worker);
    job->kind = JOB_FINISH;
    memcpy(job->inline_payload, end, sizeof(*end));
    put_job(worker);
}

void log_worker_status(struct log_worker *worker, struct log_sink_status *status)
{
    log_sink_status(worker->sink, status);
}

void log_worker_end(struct log_worker *worker, struct rlog_end *end)
{
    *end = worker->end;
}
