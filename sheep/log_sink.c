/* SPDX-License-Identifier: MIT */
#include "sheep/log_sink.h"

#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    ALIGNMENT = 8,
    SLAB_BYTES = 1024 * 1024,
    SLABS_MINIMUM = 4,
    WAKE_BYTES = 256 * 1024 /* syncs wake the thread anyway: less is not worth a switch */
};

/* In front of every payload in a slab. */
struct entry {
    uint64_t size; /* of the payload */
    struct rlog_record_header header;
};

_Static_assert(sizeof(struct entry) % ALIGNMENT == 0, "payloads stay aligned");

/* Filled by the producer from its start; returned empty by the sink once it is closed. */
struct slab {
    uint8_t *memory;
    _Atomic uint32_t filled;
    _Atomic bool is_closed;
};

/* Slab numbers from one thread to the other, free running; never more than there are slabs. */
struct slab_queue {
    uint32_t *numbers;
    _Atomic uint32_t head;
    _Atomic uint32_t tail;
};

struct log_sink {
    /* set at creation */
    struct rlog_writer *writer; /* the sink's thread */
    uint8_t *memory;
    struct slab *slabs;
    uint32_t n_slabs;
    int event_fd;
    pthread_t thread;
    bool has_thread;
    bool has_semaphore;
    sem_t wake;
    /* producer */
    uint32_t *spare; /* a stack: the slab used last is the warmest */
    uint32_t n_spare;
    struct slab *filling;
    uint32_t fill_offset;
    uint32_t unannounced; /* bytes committed since the thread was woken */
    struct rlog_end end;  /* written before finish_wanted */
    /* the sink's thread */
    uint32_t drain_offset;
    bool is_failed;
    /* both */
    struct slab_queue order; /* producer to sink */
    struct slab_queue freed; /* sink to producer */
    _Atomic uint64_t bytes_in;
    _Atomic uint64_t bytes_out;
    _Atomic bool sync_wanted;
    _Atomic bool finish_wanted;
    _Atomic bool quit_wanted;
    _Atomic uint32_t fill_max_percent;
    /* short and rare: taken after a sync and by log_sink_status, never by the producer */
    pthread_mutex_t status_mutex;
    struct log_sink_status status;
};

static uint32_t align_up(size_t value)
{
    return (uint32_t)((value + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1));
}

static void queue_put(struct log_sink *sink, struct slab_queue *queue, uint32_t number)
{
    uint32_t head = atomic_load_explicit(&queue->head, memory_order_relaxed);

    queue->numbers[head % sink->n_slabs] = number;
    atomic_store_explicit(&queue->head, head + 1, memory_order_release);
}

/* False when the queue is empty; leaves the entry there unless is_taken. */
static bool queue_get(struct log_sink *sink, struct slab_queue *queue, uint32_t *number,
                      bool is_taken)
{
    uint32_t tail = atomic_load_explicit(&queue->tail, memory_order_relaxed);

    if (tail == atomic_load_explicit(&queue->head, memory_order_acquire)) {
        return false;
    }
    *number = queue->numbers[tail % sink->n_slabs];
    if (is_taken) {
        atomic_store_explicit(&queue->tail, tail + 1, memory_order_release);
    }
    return true;
}

static void announce(const struct log_sink *sink)
{
    uint64_t one = 1;

    if (write(sink->event_fd, &one, sizeof(one)) < 0 && errno != EAGAIN) {
        struct err err;

        err_set_errno(&err, "recorder: event of the log's thread");
        log_warn("%s", err.text);
    }
}

static void note_failure(struct log_sink *sink, const struct err *err)
{
    pthread_mutex_lock(&sink->status_mutex);
    if (!sink->status.is_failed) {
        sink->status.is_failed = true;
        sink->status.err = *err;
    }
    pthread_mutex_unlock(&sink->status_mutex);
    announce(sink);
}

/* Writes what `slab` holds; after a failure it is only taken off. */
static void drain_slab(struct log_sink *sink, struct slab *slab)
{
    uint32_t filled = atomic_load_explicit(&slab->filled, memory_order_acquire);

    while (sink->drain_offset != filled) {
        const struct entry *entry =
            (const struct entry *)(const void *)(slab->memory + sink->drain_offset);
        uint32_t step = (uint32_t)sizeof(*entry) + align_up(entry->size);
        struct err err;

        if (!sink->is_failed
            && rlog_writer_append(sink->writer, entry->header, entry + 1, entry->size, &err)
                   < 0) {
            sink->is_failed = true;
            note_failure(sink, &err);
        }
        sink->drain_offset += step;
        atomic_fetch_add_explicit(&sink->bytes_out, step, memory_order_relaxed);
    }
}

static void drain(struct log_sink *sink)
{
    uint32_t number = 0;

    while (queue_get(sink, &sink->order, &number, false)) {
        struct slab *slab = &sink->slabs[number];
        bool is_closed = atomic_load_explicit(&slab->is_closed, memory_order_acquire);

        drain_slab(sink, slab);
        if (!is_closed) {
            return;
        }
        queue_get(sink, &sink->order, &number, true);
        sink->drain_offset = 0;
        queue_put(sink, &sink->freed, number);
    }
}

static void sync_now(struct log_sink *sink)
{
    int64_t begin_ns = clock_mono_ns();
    struct err err;

    if (sink->is_failed) {
        return;
    }
    if (rlog_writer_sync(sink->writer, &err) < 0) {
        sink->is_failed = true;
        note_failure(sink, &err);
        return;
    }
    int64_t took_ns = clock_mono_ns() - begin_ns;

    pthread_mutex_lock(&sink->status_mutex);
    sink->status.durable = rlog_writer_durable(sink->writer);
    if (took_ns > sink->status.sync_max_ns) {
        sink->status.sync_max_ns = took_ns;
    }
    pthread_mutex_unlock(&sink->status_mutex);
    announce(sink);
}

static void finish_now(struct log_sink *sink)
{
    uint8_t digest[RLOG_DIGEST_BYTES] = { 0 };
    struct err err;

    if (!sink->is_failed && rlog_writer_finish(sink->writer, &sink->end, digest, &err) < 0) {
        sink->is_failed = true;
        note_failure(sink, &err);
    }
    pthread_mutex_lock(&sink->status_mutex);
    sink->status.is_finished = true;
    if (!sink->is_failed) {
        sink->status.durable = rlog_writer_durable(sink->writer);
        memcpy(sink->status.digest, digest, sizeof(digest));
    }
    pthread_mutex_unlock(&sink->status_mutex);
    announce(sink);
}

static void *run_thread(void *arg)
{
    struct log_sink *sink = arg;

    pthread_setname_np(pthread_self(), "bw-log");
    for (;;) {
        while (sem_wait(&sink->wake) < 0 && errno == EINTR) {}
        /* The wishes are read first: what was committed before a wish is written before it is
         * fulfilled. */
        bool quit = atomic_load(&sink->quit_wanted);
        bool finish = atomic_exchange(&sink->finish_wanted, false);
        bool sync = atomic_exchange(&sink->sync_wanted, false);

        drain(sink);
        if (sync) {
            sync_now(sink);
        }
        if (finish) {
            finish_now(sink);
        }
        if (quit) {
            return NULL;
        }
    }
}

static bool make_slabs(struct log_sink *sink, size_t memory_bytes)
{
    size_t n_slabs = memory_bytes / SLAB_BYTES;

    if (n_slabs < SLABS_MINIMUM) {
        n_slabs = SLABS_MINIMUM;
    }
    sink->n_slabs = (uint32_t)n_slabs;
    sink->memory = mmap(NULL, n_slabs * SLAB_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (sink->memory == MAP_FAILED) {
        sink->memory = NULL;
        return false;
    }
    sink->slabs = calloc(n_slabs, sizeof(*sink->slabs));
    sink->spare = calloc(n_slabs, sizeof(*sink->spare));
    sink->order.numbers = calloc(n_slabs, sizeof(uint32_t));
    sink->freed.numbers = calloc(n_slabs, sizeof(uint32_t));
    if (sink->slabs == NULL || sink->spare == NULL || sink->order.numbers == NULL
        || sink->freed.numbers == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < sink->n_slabs; i++) {
        sink->slabs[i].memory = sink->memory + (size_t)i * SLAB_BYTES;
        sink->spare[i] = sink->n_slabs - 1 - i;
    }
    sink->n_spare = sink->n_slabs;
    return true;
}

struct log_sink *log_sink_create(struct rlog_writer **writer, size_t memory_bytes, int event_fd,
                                 struct err *err)
{
    struct log_sink *sink = calloc(1, sizeof(*sink));

    if (sink == NULL) {
        goto fail;
    }
    pthread_mutex_init(&sink->status_mutex, NULL);
    sink->event_fd = event_fd;
    sink->has_semaphore = sem_init(&sink->wake, 0, 0) == 0;
    if (!sink->has_semaphore || !make_slabs(sink, memory_bytes)) {
        goto fail;
    }
    sink->writer = *writer;
    if (pthread_create(&sink->thread, NULL, run_thread, sink) != 0) {
        sink->writer = NULL;
        goto fail;
    }
    sink->has_thread = true;
    *writer = NULL;
    return sink;
fail:
    err_set(err, ERR_MEMORY, "queue of %zu bytes before the disk", memory_bytes);
    log_sink_destroy(&sink);
    return NULL;
}

void log_sink_destroy(struct log_sink **sink_p)
{
    struct log_sink *sink = *sink_p;

    if (sink == NULL) {
        return;
    }
    if (sink->has_thread) {
        atomic_store(&sink->quit_wanted, true);
        sem_post(&sink->wake);
        pthread_join(sink->thread, NULL);
    }
    rlog_writer_destroy(&sink->writer);
    if (sink->memory != NULL) {
        munmap(sink->memory, (size_t)sink->n_slabs * SLAB_BYTES);
    }
    if (sink->has_semaphore) {
        sem_destroy(&sink->wake);
    }
    pthread_mutex_destroy(&sink->status_mutex);
    free(sink->slabs);
    free(sink->spare);
    free(sink->order.numbers);
    free(sink->freed.numbers);
    free(sink);
    *sink_p = NULL;
}

/* Closes the slab in use and goes on with the one that came back last. */
static bool next_slab(struct log_sink *sink)
{
    uint32_t number = 0;

    while (queue_get(sink, &sink->freed, &number, true)) {
        sink->spare[sink->n_spare++] = number;
    }
    if (sink->n_spare == 0) {
        return false;
    }
    if (sink->filling != NULL) {
        atomic_store_explicit(&sink->filling->is_closed, true, memory_order_release);
    }
    number = sink->spare[--sink->n_spare];
    sink->filling = &sink->slabs[number];
    sink->fill_offset = 0;
    atomic_store_explicit(&sink->filling->filled, 0, memory_order_relaxed);
    atomic_store_explicit(&sink->filling->is_closed, false, memory_order_relaxed);
    queue_put(sink, &sink->order, number);
    return true;
}

void *log_sink_reserve(struct log_sink *sink, size_t size)
{
    size_t need = sizeof(struct entry) + align_up(size);

    if (need > SLAB_BYTES) {
        return NULL;
    }
    if ((sink->filling == NULL || sink->fill_offset + need > SLAB_BYTES) && !next_slab(sink)) {
        return NULL;
    }
    return sink->filling->memory + sink->fill_offset + sizeof(struct entry);
}

void log_sink_commit(struct log_sink *sink, const struct rlog_record_header *header,
                     size_t size)
{
    struct entry *entry = (struct entry *)(void *)(sink->filling->memory + sink->fill_offset);
    uint32_t step = (uint32_t)sizeof(*entry) + align_up(size);
    uint32_t percent = 0;

    entry->size = size;
    entry->header = *header;
    sink->fill_offset += step;
    atomic_fetch_add_explicit(&sink->bytes_in, step, memory_order_relaxed);
    atomic_store_explicit(&sink->filling->filled, sink->fill_offset, memory_order_release);
    percent = log_sink_fill_percent(sink);
    if (percent > atomic_load_explicit(&sink->fill_max_percent, memory_order_relaxed)) {
        atomic_store_explicit(&sink->fill_max_percent, percent, memory_order_relaxed);
    }
    sink->unannounced += step;
    if (sink->unannounced >= WAKE_BYTES) {
        sink->unannounced = 0;
        sem_post(&sink->wake);
    }
}

void log_sink_sync(struct log_sink *sink)
{
    atomic_store(&sink->sync_wanted, true);
    sem_post(&sink->wake);
}

void log_sink_finish(struct log_sink *sink, const struct rlog_end *end)
{
    sink->end = *end;
    atomic_store(&sink->finish_wanted, true);
    sem_post(&sink->wake);
}

unsigned log_sink_fill_percent(const struct log_sink *sink)
{
    uint64_t out = atomic_load_explicit(&sink->bytes_out, memory_order_relaxed);
    uint64_t in = atomic_load_explicit(&sink->bytes_in, memory_order_relaxed);

    return in <= out ? 0
                     : (unsigned)((in - out) * 100 / ((uint64_t)sink->n_slabs * SLAB_BYTES));
}

void log_sink_status(struct log_sink *sink, struct log_sink_status *status)
{
    pthread_mutex_lock(&sink->status_mutex);
    *status = sink->status;
    pthread_mutex_unlock(&sink->status_mutex);
    status->fill_percent = log_sink_fill_percent(sink);
    status->fill_max_percent =
        atomic_load_explicit(&sink->fill_max_percent, memory_order_relaxed);
}
