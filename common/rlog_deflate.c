/* SPDX-License-Identifier: MIT */
/* Shuffle and deflate: what HDF5's two filters undo when they read a chunk of u32. */
#include "common/plane_deflate.h"
#include "common/rlog.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

struct rlog_deflate {
    struct plane_deflate *planes;
};

struct rlog_deflate *rlog_deflate_create(unsigned level, struct err *err)
{
    struct rlog_deflate *state = calloc(1, sizeof(*state));

    if (state == NULL) {
        err_set(err, ERR_MEMORY, "compressor of level %u", level);
        return NULL;
    }
    state->planes = plane_deflate_create(level, err);
    if (state->planes == NULL) {
        rlog_deflate_destroy(&state);
    }
    return state;
}

void rlog_deflate_destroy(struct rlog_deflate **state)
{
    if (*state != NULL) {
        plane_deflate_destroy(&(*state)->planes);
        free(*state);
        *state = NULL;
    }
}

size_t rlog_deflate_bound(size_t count)
{
    return plane_deflate_bound(count * sizeof(uint32_t));
}

/* All lowest bytes first, then the second ones, and so on (HDF5's shuffle filter). A loop for
 * each plane is what compilers make vectors of. */
static void shuffle(const uint32_t *samples, size_t count, uint8_t *planes)
{
    for (unsigned p = 0; p < sizeof(*samples); p++) {
        uint8_t *plane = planes + p * count;

        for (size_t i = 0; i < count; i++) {
            plane[i] = (uint8_t)(samples[i] >> 8 * p);
        }
    }
}

static void unshuffle(const uint8_t *planes, size_t count, uint32_t *samples)
{
    for (size_t i = 0; i < count; i++) {
        samples[i] = (uint32_t)planes[i] | (uint32_t)planes[count + i] << 8
                     | (uint32_t)planes[2 * count + i] << 16
                     | (uint32_t)planes[3 * count + i] << 24;
    }
}

size_t rlog_deflate_u32(struct rlog_deflate *state, const uint32_t *samples, size_t count,
                        uint32_t *scratch, uint8_t *out, size_t capacity)
{
    shuffle(samples, count, (uint8_t *)scratch);
    return plane_deflate(state->planes, (const uint8_t *)scratch, count, sizeof(uint32_t), out,
                         capacity);
}

int rlog_inflate_u32(const uint8_t *payload, size_t size, uint32_t *samples, size_t count,
                     struct err *err)
{
    uint8_t planes[RLOG_CHUNK_SAMPLES * sizeof(uint32_t)];
    uLongf got = (uLongf)(count * sizeof(uint32_t));

    if (got > sizeof(planes) || uncompress(planes, &got, payload, (uLong)size) != Z_OK
        || got != count * sizeof(uint32_t)) {
        return err_set(err, ERR_CORRUPT, "compressed samples do not unpack to %zu", count);
    }
    unshuffle(planes, count, samples);
    return 0;
}

int rlog_record_samples(const struct rlog_record *record, uint32_t *samples, struct err *err)
{
    size_t count = record->header.count;

    if (record->header.type != RLOG_SAMPLES || count == 0 || count > RLOG_CHUNK_SAMPLES) {
        return err_set(err, ERR_CORRUPT, "segment %u, byte %llu: not a record of samples",
                       record->segment, (unsigned long long)record->offset);
    }
    if (record->header.flags & RLOG_FLAG_DEFLATED) {
        return rlog_inflate_u32(record->payload, record->header.payload_size, samples, count,
                                err);
    }
    if (record->header.payload_size != count * sizeof(uint32_t)) {
        return err_set(err, ERR_CORRUPT, "segment %u, byte %llu: %u bytes are not %zu samples",
                       record->segment, (unsigned long long)record->offset,
                       record->header.payload_size, count);
    }
    memcpy(samples, record->payload, count * sizeof(uint32_t));
    return 0;
}
