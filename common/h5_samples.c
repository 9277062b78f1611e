/* SPDX-License-Identifier: MIT */
#include "common/h5_samples.h"

#include <stdlib.h>
#include <string.h>

/* 115 days; beyond it something is wrong, and T + n * 10 us would soon overflow. */
static const uint64_t MAX_SAMPLES = UINT64_C(1000000000000);

struct h5_samples {
    struct h5_chunked *chunked;
    bool is_open;    /* a chunk gathers samples */
    uint64_t number; /* of that chunk */
    uint64_t next;
    uint64_t n_received;
    struct h5_hole *holes;
    size_t n_holes;
    size_t hole_capacity;
    uint32_t gathered[RLOG_CHUNK_SAMPLES];
    uint32_t decoded[RLOG_CHUNK_SAMPLES];
};

struct h5_samples *h5_samples_create(struct h5_chunked **chunked, struct err *err)
{
    struct h5_samples *samples = calloc(1, sizeof(*samples));

    if (samples == NULL) {
        err_set(err, ERR_MEMORY, "samples");
        return NULL;
    }
    samples->chunked = *chunked;
    *chunked = NULL;
    return samples;
}

void h5_samples_destroy(struct h5_samples **samples)
{
    if (*samples != NULL) {
        h5_chunked_destroy(&(*samples)->chunked);
        free((*samples)->holes);
        free(*samples);
        *samples = NULL;
    }
}

static int add_hole(struct h5_samples *samples, uint64_t end, struct err *err)
{
    if (samples->n_holes == samples->hole_capacity) {
        size_t capacity = samples->hole_capacity * 2 + 16;
        struct h5_hole *holes = realloc(samples->holes, capacity * sizeof(*holes));

        if (holes == NULL) {
            return err_set(err, ERR_MEMORY, "list of gaps");
        }
        samples->holes = holes;
        samples->hole_capacity = capacity;
    }
    samples->holes[samples->n_holes++] = (struct h5_hole){ samples->next, end - samples->next };
    return 0;
}

static uint64_t chunk_end(uint64_t number)
{
    return (number + 1) * RLOG_CHUNK_SAMPLES;
}

static int close_chunk(struct h5_samples *samples, uint64_t extent, struct err *err)
{
    if (!samples->is_open) {
        return 0;
    }
    samples->is_open = false;
    if (h5_chunked_extend(samples->chunked, extent, err) < 0) {
        return -1;
    }
    return h5_chunked_write(samples->chunked, samples->number, samples->gathered, err);
}

static int put_piece(struct h5_samples *samples, const uint32_t *piece, uint32_t count,
                     struct err *err)
{
    uint64_t number = samples->next / RLOG_CHUNK_SAMPLES;
    size_t at = (size_t)(samples->next % RLOG_CHUNK_SAMPLES);

    if (samples->is_open && samples->number != number
        && close_chunk(samples, chunk_end(samples->number), err) < 0) {
        return -1;
    }
    if (!samples->is_open) {
        memset(samples->gathered, 0, sizeof(samples->gathered));
        samples->number = number;
        samples->is_open = true;
    }
    memcpy(samples->gathered + at, piece, count * sizeof(*piece));
    samples->next += count;
    samples->n_received += count;
    return at + count == RLOG_CHUNK_SAMPLES ? close_chunk(samples, samples->next, err) : 0;
}

static int put_pieces(struct h5_samples *samples, const struct rlog_record *record,
                      struct err *err)
{
    uint32_t count = record->header.count;
    uint32_t at = 0;

    if (rlog_record_samples(record, samples->decoded, err) < 0) {
        return -1;
    }
    while (at < count) {
        uint32_t room = RLOG_CHUNK_SAMPLES - (uint32_t)(samples->next % RLOG_CHUNK_SAMPLES);
        uint32_t part = count - at < room ? count - at : room;

        if (put_piece(samples, samples->decoded + at, part, err) < 0) {
            return -1;
        }
        at += part;
    }
    return 0;
}

static int put_whole(struct h5_samples *samples, const struct rlog_record *record,
                     struct err *err)
{
    if (samples->is_open && close_chunk(samples, chunk_end(samples->number), err) < 0) {
        return -1;
    }
    samples->next += RLOG_CHUNK_SAMPLES;
    samples->n_received += RLOG_CHUNK_SAMPLES;
    if (h5_chunked_extend(samples->chunked, samples->next, err) < 0) {
        return -1;
    }
    return h5_chunked_write_as_is(samples->chunked, record->header.first / RLOG_CHUNK_SAMPLES,
                                  record->payload, record->header.payload_size,
                                  record->header.flags & RLOG_FLAG_DEFLATED, err);
}

/* What looks odd is unpacked, which finds what is wrong with it. */
static bool goes_as_it_is(const struct h5_samples *samples, const struct rlog_record *record)
{
    size_t raw_size = RLOG_CHUNK_SAMPLES * sizeof(uint32_t);

    if (record->header.count != RLOG_CHUNK_SAMPLES
        || record->header.first % RLOG_CHUNK_SAMPLES != 0) {
        return false;
    }
    if (record->header.flags & RLOG_FLAG_DEFLATED) {
        return h5_chunked_is_deflated(samples->chunked)
               && record->header.payload_size < raw_size;
    }
    return record->header.payload_size == raw_size;
}

int h5_samples_add(struct h5_samples *samples, const struct rlog_record *record,
                   struct err *err)
{
    uint64_t first = record->header.first;

    if (first < samples->next || first > MAX_SAMPLES) {
        return err_set(err, ERR_CORRUPT, "samples from %llu on behind sample %llu",
                       (unsigned long long)first, (unsigned long long)samples->next);
    }
    if (first > samples->next && add_hole(samples, first, err) < 0) {
        return -1;
    }
    samples->next = first;
    return goes_as_it_is(samples, record) ? put_whole(samples, record, err)
                                          : put_pieces(samples, record, err);
}

int h5_samples_finish(struct h5_samples *samples, uint64_t n_samples, struct err *err)
{
    if (n_samples < samples->next) {
        return err_set(err, ERR_CORRUPT, "%llu samples although sample %llu was recorded",
                       (unsigned long long)n_samples, (unsigned long long)samples->next - 1);
    }
    if (n_samples > samples->next && add_hole(samples, n_samples, err) < 0) {
        return -1;
    }
    samples->next = n_samples;
    if (close_chunk(samples, n_samples, err) < 0
        || h5_chunked_extend(samples->chunked, n_samples, err) < 0) {
        return -1;
    }
    return h5_chunked_finish(samples->chunked, err);
}

uint64_t h5_samples_next(const struct h5_samples *samples)
{
    return samples->next;
}

uint64_t h5_samples_received(const struct h5_samples *samples)
{
    return samples->n_received;
}

const struct h5_hole *h5_samples_holes(const struct h5_samples *samples, size_t *count)
{
    *count = samples->n_holes;
    return samples->holes;
}
