/* SPDX-License-Identifier: MIT */
#include "sheep/feeder.h"

#include "common/clock.h"
#include "common/rlog.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum {
    PIECE = 4096, /* samples read at once */
    MEMORY_MINIMUM = 4 * PIECE,
    PREFILL_TIMEOUT_MS = 2000,
    PAUSE_CALM_US = 10000, /* an eighth of the ring */
    PAUSE_EAGER_US = 50,
    PAUSE_READER_US = 20000
};

struct feeder {
    struct pru_link *link;
    struct rlog_input_reader *reader; /* the reading thread */
    uint64_t n_total;
    bool is_eager;
    struct pru_input *memory; /* ring of `capacity` samples */
    uint64_t capacity;
    size_t memory_bytes;
    _Atomic uint64_t n_read; /* the reading thread */
    _Atomic uint64_t n_fed;  /* the feeding thread */
    _Atomic bool is_at_end;  /* nothing follows n_read */
    _Atomic bool is_failed;
    _Atomic bool quit_wanted;
    struct err err; /* written before is_failed */
    pthread_t read_thread;
    pthread_t feed_thread;
    bool has_read_thread;
    bool has_feed_thread;
    uint32_t voltage[PIECE]; /* the reading thread */
    uint32_t current[PIECE];
};

static void pause_us(long us)
{
    struct timespec pause = { us / 1000000, us % 1000000 * 1000 };

    nanosleep(&pause, NULL);
}

static void read_piece(struct feeder *feeder, uint64_t n_read)
{
    uint64_t room = feeder->capacity - (n_read - atomic_load(&feeder->n_fed));
    size_t max = room < PIECE ? (size_t)room : PIECE;
    long got =
        rlog_input_read(feeder->reader, feeder->voltage, feeder->current, max, &feeder->err);

    if (got <= 0) {
        atomic_store(&feeder->is_failed, got < 0);
        atomic_store(&feeder->is_at_end, true);
        return;
    }
    for (long i = 0; i < got; i++) {
        struct pru_input *input = &feeder->memory[(n_read + (uint64_t)i) % feeder->capacity];

        input->voltage_uV = feeder->voltage[i];
        input->current_nA = feeder->current[i];
    }
    atomic_store_explicit(&feeder->n_read, n_read + (uint64_t)got, memory_order_release);
}

static void *run_reader(void *arg)
{
    struct feeder *feeder = arg;

    pthread_setname_np(pthread_self(), "bw-reader");
    while (!atomic_load(&feeder->quit_wanted) && !atomic_load(&feeder->is_at_end)) {
        uint64_t n_read = atomic_load(&feeder->n_read);

        if (n_read - atomic_load(&feeder->n_fed) + PIECE > feeder->capacity) {
            pause_us(feeder->is_eager ? PAUSE_EAGER_US : PAUSE_READER_US);
        } else {
            read_piece(feeder, n_read);
        }
    }
    return NULL;
}

/* Moves what fits; false when all of the input is handed over. */
static bool feed(struct feeder *feeder)
{
    bool is_at_end = atomic_load(&feeder->is_at_end);
    uint64_t n_fed = atomic_load(&feeder->n_fed);
    uint64_t ready = atomic_load_explicit(&feeder->n_read, memory_order_acquire) - n_fed;
    uint32_t room = pru_link_input_room(feeder->link);

    while (ready > 0 && room > 0) {
        uint64_t offset = n_fed % feeder->capacity;
        uint64_t piece = feeder->capacity - offset;

        piece = piece < ready ? piece : ready;
        piece = piece < room ? piece : room;
        pru_link_input_put(feeder->link, &feeder->memory[offset], (uint32_t)piece);
        n_fed += piece;
        ready -= piece;
        room -= (uint32_t)piece;
    }
    atomic_store(&feeder->n_fed, n_fed);
    if (is_at_end && ready == 0 && atomic_load(&feeder->is_failed)) {
        return false; /* nothing follows, but it is not the end: let the PRU count */
    }
    if (is_at_end && ready == 0) {
        pru_link_input_end(feeder->link);
        return false;
    }
    return true;
}

static void *run_feeder(void *arg)
{
    struct feeder *feeder = arg;

    pthread_setname_np(pthread_self(), "bw-feeder");
    while (!atomic_load(&feeder->quit_wanted) && feed(feeder)) {
        bool is_hungry = pru_link_input_room(feeder->link) > PRU_INPUT_SAMPLES / 2
                         && atomic_load(&feeder->n_read) != atomic_load(&feeder->n_fed);

        pause_us(feeder->is_eager || is_hungry ? PAUSE_EAGER_US : PAUSE_CALM_US);
    }
    return NULL;
}

static int wait_prefilled(struct feeder *feeder, struct err *err)
{
    int64_t deadline_ns = clock_mono_ns() + PREFILL_TIMEOUT_MS * NS_PER_MS;
    uint64_t wanted = feeder->n_total < PRU_INPUT_SAMPLES ? feeder->n_total : PRU_INPUT_SAMPLES;

    while (atomic_load(&feeder->n_fed) < wanted) {
        if (atomic_load(&feeder->is_failed)) {
            *err = feeder->err;
            return -1;
        }
        if (clock_mono_ns() > deadline_ns) {
            return err_set(err, ERR_TIMEOUT, "the input could not be read ahead within %d ms",
                           PREFILL_TIMEOUT_MS);
        }
        pause_us(PAUSE_EAGER_US);
    }
    return 0;
}

static bool make_memory(struct feeder *feeder, size_t memory_bytes)
{
    uint64_t samples = memory_bytes / sizeof(struct pru_input);

    samples = samples < feeder->n_total + PIECE ? samples : feeder->n_total + PIECE;
    feeder->capacity = samples < MEMORY_MINIMUM ? MEMORY_MINIMUM : samples;
    feeder->memory_bytes = (size_t)feeder->capacity * sizeof(struct pru_input);
    feeder->memory = mmap(NULL, feeder->memory_bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (feeder->memory == MAP_FAILED) {
        feeder->memory = NULL;
        return false;
    }
    return true;
}

struct feeder *feeder_create(struct pru_link *link, const char *path, size_t memory_bytes,
                             bool is_eager, struct err *err)
{
    struct feeder *feeder = calloc(1, sizeof(*feeder));

    if (feeder == NULL) {
        err_set(err, ERR_MEMORY, "feeder");
        return NULL;
    }
    feeder->link = link;
    feeder->is_eager = is_eager;
    feeder->reader = rlog_input_open(path, err);
    if (feeder->reader == NULL) {
        goto fail;
    }
    feeder->n_total = rlog_input_samples(feeder->reader);
    if (!make_memory(feeder, memory_bytes)) {
        err_set(err, ERR_MEMORY, "%zu bytes to read the input ahead", memory_bytes);
        goto fail;
    }
    feeder->has_read_thread =
        pthread_create(&feeder->read_thread, NULL, run_reader, feeder) == 0;
    feeder->has_feed_thread =
        pthread_create(&feeder->feed_thread, NULL, run_feeder, feeder) == 0;
    if (!feeder->has_read_thread || !feeder->has_feed_thread) {
        err_set(err, ERR_SYSTEM, "threads of the feeder");
        goto fail;
    }
    if (wait_prefilled(feeder, err) < 0) {
        goto fail;
    }
    return feeder;
fail:
    err_prepend(err, "input %s", path);
    feeder_destroy(&feeder);
    return NULL;
}

void feeder_destroy(struct feeder **feeder_p)
{
    struct feeder *feeder = *feeder_p;

    if (feeder == NULL) {
        return;
    }
    atomic_store(&feeder->quit_wanted, true);
    if (feeder->has_read_thread) {
        pthread_join(feeder->read_thread, NULL);
    }
    if (feeder->has_feed_thread) {
        pthread_join(feeder->feed_thread, NULL);
    }
    rlog_input_close(&feeder->reader);
    if (feeder->memory != NULL) {
        munmap(feeder->memory, feeder->memory_bytes);
    }
    free(feeder);
    *feeder_p = NULL;
}

uint64_t feeder_samples(const struct feeder *feeder)
{
    return feeder->n_total;
}

void feeder_status(struct feeder *feeder, struct feeder_status *status)
{
    memset(status, 0, sizeof(*status));
    status->n_read = atomic_load(&feeder->n_read);
    status->n_fed = atomic_load(&feeder->n_fed);
    status->is_failed = atomic_load(&feeder->is_failed);
    if (status->is_failed) {
        status->err = feeder->err;
    }
}
