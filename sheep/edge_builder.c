/* SPDX-License-Identifier: MIT */
#include "sheep/edge_builder.h"

#include <string.h>

enum {
    NS_PER_SAMPLE = 10000,
    RATE_BITS = 28, /* ns per tick, fixed point: exact to 2 ns over a block */
    PIECE = 256
};

void edge_builder_init(struct edge_builder *builder, struct log_worker *worker,
                       struct pru_link *link, uint32_t mask)
{
    memset(builder, 0, sizeof(*builder));
    builder->worker = worker;
    builder->link = link;
    builder->mask = mask;
}

void edge_builder_flush(struct edge_builder *builder)
{
    if (builder->edges == NULL) {
        return;
    }
    log_worker_put_edges(builder->worker, builder->edges, builder->count, builder->first_sample,
                         builder->next_sample - builder->first_sample);
    builder->edges = NULL;
    builder->count = 0;
}

static void put_edge(struct edge_builder *builder, int64_t time_ns, uint16_t pins)
{
    if (builder->has_last && pins == builder->last_pins) {
        return; /* an edge of a pin that is masked */
    }
    builder->has_last = true;
    builder->last_pins = pins;
    builder->edges[builder->count].time_ns = time_ns;
    builder->edges[builder->count].value = pins;
    builder->count++;
    builder->n_edges++;
}

/* What lies in the ring before end_tick; false when no buffer is left for more. */
static size_t take_piece(struct edge_builder *builder, const struct pru_block *block,
                         uint64_t end_tick)
{
    struct pru_link_edge edges[PIECE];
    uint64_t rate = ((uint64_t)NS_PER_SAMPLE << (20 + RATE_BITS)) / block->period_ticks_q20;
    int64_t base_ns = builder->T_ns + (int64_t)(block->first_sample * NS_PER_SAMPLE);
    size_t room = LOG_WORKER_EDGES - builder->count;
    size_t count = pru_link_edges(builder->link, end_tick, edges, room < PIECE ? room : PIECE);

    for (size_t i = 0; i < count; i++) {
        int64_t ticks = (int64_t)(edges[i].tick - block->first_tick);
        int64_t offset_ns = ticks * (int64_t)rate / (INT64_C(1) << RATE_BITS);

        put_edge(builder, base_ns + offset_ns, (uint16_t)(edges[i].pins & builder->mask));
    }
    return count;
}

/* Events that found the ring full: somewhere since the last look. */
static void note_lost(struct edge_builder *builder, const struct pru_block *block)
{
    uint32_t n_lost = pru_link_edges_lost(builder->link);
    struct rlog_gap gap = { builder->next_sample,
                            block->first_sample + block->n_samples - builder->next_sample,
                            RLOG_GAP_RING, RLOG_STREAM_GPIO };
    struct rlog_record_header header = { .type = RLOG_GAP,
                                         .count = 1,
                                         .first = gap.first_sample };

    if (n_lost != builder->n_lost
        && log_worker_put(builder->worker, &header, &gap, sizeof(gap))) {
        builder->n_lost = n_lost;
    }
}

void edge_builder_block(struct edge_builder *builder, const struct pru_block *block)
{
    uint64_t ticks = (uint64_t)block->n_samples * block->period_ticks_q20 >> 20;
    size_t count = 0;

    if (builder->mask == 0) {
        return;
    }
    note_lost(builder, block);
    do {
        if (builder->edges == NULL) {
            if (pru_link_edges_waiting(builder->link) == 0) {
                break;
            }
            builder->edges = log_worker_edges(builder->worker);
            builder->first_sample = block->first_sample;
        }
        if (builder->edges == NULL) {
            return; /* the ring keeps them until the worker gives a buffer back */
        }
        count = take_piece(builder, block, block->first_tick + ticks);
        if (builder->count == LOG_WORKER_EDGES) {
            builder->next_sample = block->first_sample + block->n_samples;
            edge_builder_flush(builder);
        }
    } while (count != 0);
    builder->next_sample = block->first_sample + block->n_samples;
}
