/* SPDX-License-Identifier: MIT */
#include "sheep/log_worker.h"

#include "common/decimate.h"
#include "common/overview.h"
#include "sheep/buffer_pool.h"

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
    DROP_ROWS_PERCENT = 80,
    DROP_EDGES_PERCENT = 90,
    PAUSE_NS = 1000000
};

enum job_kind {
    JOB_RECORD,
    JOB_ROW,
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

/* One stream on its way to fewer rows. */
struct reduction {
    struct log_worker *worker;
    uint8_t stream;
    struct decimator decimator;
};

struct log_worker {
    struct log_sink *sink;
    struct rlog_deflate *deflate;
    unsigned compression;
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
    uint32_t *scratch;
    struct overview *overviews[PRU_BLOCK_ARRAYS];   /* worker; NULL: not recorded */
    struct reduction *reductions[PRU_BLOCK_ARRAYS]; /* worker; NULL: every sample is stored */
    bool has_only_overview;
    bool is_patient;
    uint64_t n_edges_dropped; /* worker */
    uint32_t n_records;       /* worker */
    struct rlog_end end;      /* worker; main thread once the sink is finished */
};

/* ---- the worker's thread ---- */

/* Waits until the sink has room: the PRU's ring holds what comes meanwhile. */
static void *reserve_patiently(struct log_worker *worker, size_t size)
{
    static const struct timespec pause = { 0, PAUSE_NS };
    void *place = log_sink_reserve(worker->sink, size);

    while (place == NULL) {
        nanosleep(&pause, NULL);
        place = log_sink_reserve(worker->sink, size);
    }
    return place;
}

static void write_record(struct log_worker *worker, const struct rlog_record_header *header,
                         const void *payload, size_t size)
{
    void *place = reserve_patiently(worker, size);

    if (size != 0) {
        memcpy(place, payload, size);
    }
    log_sink_commit(worker->sink, header, size);
    worker->n_records++;
}

static void emit_overview(void *arg, const struct rlog_record_header *header,
                          const struct rlog_overview *entries)
{
    write_record(arg, header, entries, header->count * sizeof(*entries));
}

static void write_overview(struct log_worker *worker, const struct rlog_record_header *header,
                           const uint32_t *samples)
{
    struct overview *overview = worker->overviews[header->stream - RLOG_STREAM_VOLTAGE];

    if (overview != NULL) {
        overview_add(overview, header->first, samples, header->count);
    }
}

static void finish_streams(struct log_worker *worker)
{
    for (unsigned i = 0; i < PRU_BLOCK_ARRAYS; i++) {
        if (worker->reductions[i] != NULL) {
            decimate_finish(&worker->reductions[i]->decimator);
        }
        if (worker->overviews[i] != NULL) {
            overview_finish(worker->overviews[i]);
        }
    }
}

/* A sync brings to the disk what is complete. */
static void flush_streams(struct log_worker *worker)
{
    for (unsigned i = 0; i < PRU_BLOCK_ARRAYS; i++) {
        if (worker->reductions[i] != NULL) {
            decimate_flush(&worker->reductions[i]->decimator);
        }
        if (worker->overviews[i] != NULL) {
            overview_flush(worker->overviews[i]);
        }
    }
}

static void encode_edges(struct log_worker *worker, struct rlog_record_header *header,
                         const struct gpio_edge *edges)
{
    size_t bound = gpio_codec_bound(header->count);
    uint8_t *place = reserve_patiently(worker, bound);
    size_t size = gpio_codec_encode(edges, header->count, place, bound);

    log_sink_commit(worker->sink, header, size);
    worker->n_records++;
}

/* Every stream is compressed on its own; what does not get smaller stays as it is. */
static void write_samples(struct log_worker *worker, struct rlog_record_header header,
                          const uint32_t *samples)
{
    size_t raw_size = (size_t)header.count * sizeof(uint32_t);
    size_t bound = worker->compression == 0 ? raw_size : rlog_deflate_bound(header.count);
    size_t capacity = bound < raw_size ? raw_size : bound;
    uint8_t *place = reserve_patiently(worker, capacity);
    size_t size = 0;

    if (header.count == RLOG_CHUNK_SAMPLES && header.first % RLOG_CHUNK_SAMPLES == 0) {
        header.flags |= RLOG_FLAG_GRID;
    }
    if (worker->compression != 0) {
        size = rlog_deflate_u32(worker->deflate, samples, header.count, worker->scratch, place,
                                capacity);
    }
    if (size != 0) {
        header.flags |= RLOG_FLAG_DEFLATED;
    } else {
        memcpy(place, samples, raw_size);
        size = raw_size;
    }
    log_sink_commit(worker->sink, &header, size);
    worker->n_records++;
}

static void write_rows(void *arg, uint64_t first_row, const uint32_t *rows, uint32_t count)
{
    const struct reduction *reduction = arg;
    struct rlog_record_header header = {
        .type = RLOG_SAMPLES, .stream = reduction->stream, .count = count, .first = first_row
    };

    write_samples(reduction->worker, header, rows);
}

static void write_chunk(struct log_worker *worker, const struct job *job)
{
    struct reduction *reduction = worker->reductions[job->header.stream - RLOG_STREAM_VOLTAGE];

    if (reduction != NULL) {
        decimate_add(&reduction->decimator, job->header.first, job->buffer, job->header.count);
    } else if (!worker->has_only_overview) {
        write_samples(worker, job->header, job->buffer);
    }
    write_overview(worker, &job->header, job->buffer);
}

static bool is_short_of_memory(const struct log_worker *worker, unsigned limit_percent)
{
    return !worker->is_patient && log_sink_fill_percent(worker->sink) >= limit_percent;
}

static void write_edges(struct log_worker *worker, const struct job *job)
{
    struct rlog_record_header header = job->header;

    if (is_short_of_memory(worker, DROP_EDGES_PERCENT)) {
        struct rlog_gap gap = { job->first_sample, job->n_samples, RLOG_GAP_QUEUE,
                                RLOG_STREAM_GPIO };
        struct rlog_record_header gap_header = { .type = RLOG_GAP,
                                                 .count = 1,
                                                 .first = gap.first_sample };

        worker->n_edges_dropped += header.count;
        write_record(worker, &gap_header, &gap, sizeof(gap));
        return;
    }
    encode_edges(worker, &header, job->buffer);
}

static void finish(struct log_worker *worker, const struct job *job)
{
    memcpy(&worker->end, job->inline_payload, sizeof(worker->end));
    finish_streams(worker);
    worker->end.n_edges -= worker->n_edges_dropped;
    worker->end.n_records = worker->n_records + 1; /* END itself */
    log_sink_finish(worker->sink, &worker->end);
}

/* False when it was the last one. */
static bool do_job(struct log_worker *worker, const struct job *job)
{
    switch (job->kind) {
    case JOB_ROW:
        if (is_short_of_memory(worker, DROP_ROWS_PERCENT)) {
            return true;
        }
        write_record(worker, &job->header, job->inline_payload, job->size);
        return true;
    case JOB_RECORD:
        write_record(worker, &job->header, job->inline_payload, job->size);
        return true;
    case JOB_CHUNK:
        write_chunk(worker, job);
        buffer_pool_give(&worker->chunks, job->buffer);
        return true;
    case JOB_EDGES:
        write_edges(worker, job);
        buffer_pool_give(&worker->edges, job->buffer);
        return true;
    case JOB_SYNC:
        flush_streams(worker);
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

/* The overview and, at a lower rate, the reduction of one stream. */
static bool make_stream(struct log_worker *worker, const struct log_worker_options *options,
                        unsigned array)
{
    enum rlog_stream stream = (enum rlog_stream)(RLOG_STREAM_VOLTAGE + array);
    struct reduction *reduction = NULL;

    worker->overviews[array] = malloc(sizeof(struct overview));
    if (worker->overviews[array] == NULL) {
        return false;
    }
    overview_init(worker->overviews[array], stream, emit_overview, worker);
    if (options->window <= 1 || options->has_only_overview) {
        return true;
    }
    reduction = malloc(sizeof(*reduction));
    if (reduction == NULL) {
        return false;
    }
    reduction->worker = worker;
    reduction->stream = (uint8_t)stream;
    decimate_init(&reduction->decimator, options->window, write_rows, reduction);
    worker->reductions[array] = reduction;
    return true;
}

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
    worker->scratch = calloc(RLOG_CHUNK_SAMPLES, sizeof(uint32_t));
    worker->jobs = calloc(N_JOBS, sizeof(struct job));
    if (worker->chunk_memory == NULL || worker->edge_memory == NULL || worker->scratch == NULL
        || worker->jobs == NULL) {
        return false;
    }
    for (unsigned i = 0; i < PRU_BLOCK_ARRAYS; i++) {
        if ((options->record_mask >> i & 1u) != 0 && !make_stream(worker, options, i)) {
            return false;
        }
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
    worker->compression = options->compression;
    worker->has_only_overview = options->has_only_overview;
    worker->is_patient = options->is_patient;
    if (options->compression != 0) {
        worker->deflate = rlog_deflate_create(options->compression, err);
        if (worker->deflate == NULL) {
            goto fail;
        }
    }
    worker->sink = log_sink_create(writer, options->memory_bytes, options->event_fd, err);
    if (worker->sink == NULL) {
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
    log_sink_destroy(&worker->sink);
    rlog_deflate_destroy(&worker->deflate);
    if (worker->has_semaphore) {
        sem_destroy(&worker->wake);
    }
    for (unsigned i = 0; i < PRU_BLOCK_ARRAYS; i++) {
        free(worker->overviews[i]);
        free(worker->reductions[i]);
    }
    buffer_pool_fini(&worker->chunks);
    buffer_pool_fini(&worker->edges);
    free(worker->chunk_memory);
    free(worker->edge_memory);
    free(worker->scratch);
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

bool log_worker_put_row(struct log_worker *worker, const struct rlog_record_header *header,
                        const void *payload, size_t size)
{
    if (free_jobs(worker) < JOBS_PER_BLOCK * 2) {
        return false;
    }
    return put_inline(worker, JOB_ROW, header, payload, size);
}

void log_worker_sync(struct log_worker *worker)
{
    next_job_patiently(worker)->kind = JOB_SYNC;
    put_job(worker);
}

void log_worker_finish(struct log_worker *worker, const struct rlog_end *end)
{
    struct job *job = next_job_patiently(worker);

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
