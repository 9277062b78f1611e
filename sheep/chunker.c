/* SPDX-License-Identifier: MIT */
#include "sheep/chunker.h"

#include "common/product.h"

#include <string.h>

static enum rlog_stream stream_of(unsigned array)
{
    static const enum rlog_stream streams[PRU_BLOCK_ARRAYS] = {
        [PRU_ARRAY_VOLTAGE] = RLOG_STREAM_VOLTAGE,
        [PRU_ARRAY_CURRENT] = RLOG_STREAM_CURRENT,
        [PRU_ARRAY_STORAGE_VOLTAGE] = RLOG_STREAM_STORAGE_VOLTAGE,
        [PRU_ARRAY_STORAGE_CURRENT] = RLOG_STREAM_STORAGE_CURRENT,
    };

    return streams[array];
}

void chunker_init(struct chunker *chunker, struct log_worker *worker, uint32_t record_mask)
{
    memset(chunker, 0, sizeof(*chunker));
    chunker->worker = worker;
    chunker->record_mask = record_mask;
    chunker->to = UINT64_MAX;
}

void chunker_set_range(struct chunker *chunker, uint64_t from, uint64_t to)
{
    chunker->from = from;
    chunker->to = to;
}

static void put_gap(struct chunker *chunker, uint64_t first, uint64_t count,
                    enum rlog_gap_cause cause)
{
    struct rlog_gap gap = { first, count, (uint32_t)cause, 0 };
    struct rlog_record_header header = { .type = RLOG_GAP, .count = 1, .first = first };

    log_worker_put(chunker->worker, &header, &gap, sizeof(gap));
}

static void put_product(struct chunker *chunker)
{
    const uint32_t *voltage = chunker->buffers[PRU_ARRAY_VOLTAGE];
    const uint32_t *current = chunker->buffers[PRU_ARRAY_CURRENT];
    struct rlog_record_header header = { .type = RLOG_PRODUCT,
                                         .count = chunker->count,
                                         .first = chunker->first };

    if (voltage != NULL && current != NULL) {
        struct rlog_product product = product_sum(voltage, current, chunker->count);

        log_worker_put(chunker->worker, &header, &product, sizeof(product));
    }
}

void chunker_flush(struct chunker *chunker)
{
    put_product(chunker);
    for (unsigned array = 0; array < PRU_BLOCK_ARRAYS; array++) {
        if (chunker->buffers[array] != NULL) {
            log_worker_put_chunk(chunker->worker, stream_of(array), chunker->first,
                                 chunker->count, chunker->buffers[array]);
            chunker->buffers[array] = NULL;
        }
    }
    chunker->count = 0;
}

void chunker_gap(struct chunker *chunker, uint64_t end, enum rlog_gap_cause cause)
{
    if (end <= chunker->next_sample) {
        return;
    }
    chunker_flush(chunker);
    put_gap(chunker, chunker->next_sample, end - chunker->next_sample, cause);
    chunker->n_gap_samples += end - chunker->next_sample;
    chunker->next_sample = end;
}

/* Where the piece that begins with next_sample ends: at the grid or an end of the range. */
static uint32_t piece_room(const struct chunker *chunker)
{
    uint64_t next = chunker->next_sample;
    uint64_t room = RLOG_CHUNK_SAMPLES - next % RLOG_CHUNK_SAMPLES;

    if (next < chunker->from && chunker->from - next < room) {
        room = chunker->from - next;
    }
    if (next < chunker->to && chunker->to - next < room) {
        room = chunker->to - next;
    }
    return (uint32_t)room;
}

/* Copies samples that all belong to one chunk of the grid. */
static void take_piece(struct chunker *chunker, const struct pru_block *block, uint32_t offset,
                       uint32_t count)
{
    if (chunker->next_sample < chunker->from || chunker->next_sample >= chunker->to) {
        chunker->next_sample += count;
        return;
    }
    if (chunker->count == 0) {
        chunker->first = chunker->next_sample;
    }
    for (unsigned array = 0; array < PRU_BLOCK_ARRAYS; array++) {
        if ((chunker->record_mask >> array & 1u) == 0) {
            continue;
        }
        if (chunker->buffers[array] == NULL) {
            chunker->buffers[array] = log_worker_chunk(chunker->worker);
        }
        if (chunker->buffers[array] != NULL) {
            memcpy(chunker->buffers[array] + chunker->count, block->samples[array] + offset,
                   count * sizeof(uint32_t));
        }
    }
    chunker->count += count;
    chunker->next_sample += count;
}

bool chunker_block(struct chunker *chunker, const struct pru_block *block,
                   enum rlog_gap_cause cause)
{
    uint32_t offset = 0;
    bool is_boundary = false;

    chunker_gap(chunker, block->first_sample, cause);
    if (block->underruns != 0) {
        put_gap(chunker, block->first_sample + block->first_underrun, block->underruns,
                RLOG_GAP_UNDERRUN);
        chunker->n_underruns += block->underruns;
    }
    /* A block that begins before next_sample would repeat samples; the PRU never sends one. */
    if (block->first_sample < chunker->next_sample) {
        offset = (uint32_t)(chunker->next_sample - block->first_sample);
    }
    while (offset < block->n_samples) {
        uint32_t room = piece_room(chunker);
        uint32_t left = block->n_samples - offset;
        uint32_t count = left < room ? left : room;

        take_piece(chunker, block, offset, count);
        offset += count;
        if (chunker->next_sample % RLOG_CHUNK_SAMPLES == 0) {
            chunker_flush(chunker);
            is_boundary = true;
        }
    }
    return is_boundary;
}
