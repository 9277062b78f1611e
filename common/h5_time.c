/* SPDX-License-Identifier: MIT */
#include "common/h5_time.h"

#include "common/rlog_format.h"
#include "common/time_pack.h"

#include <stdlib.h>

static const uint64_t NS_PER_SAMPLE = 10000;

struct h5_time {
    struct h5_chunked *chunked;
    uint64_t step_ns;
    uint64_t next_chunk;
    uint64_t stamps[RLOG_CHUNK_SAMPLES];
    uint8_t packed[TIME_PACK_BYTES];
};

struct h5_time *h5_time_create(struct h5_packer *packer, uint32_t window, struct err *err)
{
    const struct h5_chunked_spec spec = {
        .path = "/data/time",
        .type = H5T_STD_U64LE,
        .type_bytes = sizeof(uint64_t),
        .chunk_rows = RLOG_CHUNK_SAMPLES,
        .meaning = {1e-9, 0.0, "s", "time of the sample [s] = value * gain + offset"},
    };
    struct h5_time *time = calloc(1, sizeof(*time));

    if (time == NULL) {
        err_set(err, ERR_MEMORY, "/data/time");
        return NULL;
    }
    time->step_ns = window * NS_PER_SAMPLE;
    time->chunked = h5_chunked_create(packer, &spec, err);
    if (time->chunked == NULL) {
        h5_time_destroy(&time);
    }
    return time;
}

void h5_time_destroy(struct h5_time **time)
{
    if (*time != NULL) {
        h5_chunked_destroy(&(*time)->chunked);
        free(*time);
        *time = NULL;
    }
}

static int write_chunk(struct h5_time *time, int64_t T_ns, struct err *err)
{
    uint64_t number = time->next_chunk++;
    uint64_t first_ns = (uint64_t)T_ns + number * RLOG_CHUNK_SAMPLES * time->step_ns;

    if (h5_chunked_is_deflated(time->chunked) && time->step_ns == NS_PER_SAMPLE) {
        size_t size = time_pack(first_ns, time->packed);

        return h5_chunked_write_as_is(time->chunked, number, time->packed, size, true, err);
    }
    for (uint64_t i = 0; i < RLOG_CHUNK_SAMPLES; i++) {
        time->stamps[i] = first_ns + i * time->step_ns;
    }
    return h5_chunked_write(time->chunked, number, time->stamps, err);
}

int h5_time_advance(struct h5_time *time, int64_t T_ns, uint64_t n_rows, struct err *err)
{
    while ((time->next_chunk + 1) * RLOG_CHUNK_SAMPLES <= n_rows) {
        if (h5_chunked_extend(time->chunked, (time->next_chunk + 1) * RLOG_CHUNK_SAMPLES, err)
                < 0
            || write_chunk(time, T_ns, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int h5_time_finish(struct h5_time *time, int64_t T_ns, uint64_t n_rows, struct err *err)
{
    if (h5_time_advance(time, T_ns, n_rows, err) < 0
        || h5_chunked_extend(time->chunked, n_rows, err) < 0) {
        return -1;
    }
    if (n_rows % RLOG_CHUNK_SAMPLES != 0 && write_chunk(time, T_ns, err) < 0) {
        return -1;
    }
    return h5_chunked_finish(time->chunked, err);
}
