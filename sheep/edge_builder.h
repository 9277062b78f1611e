/* SPDX-License-Identifier: MIT */
/* Edges of the PRU's GPIO ring become edges of the log, in nanoseconds since T.
 *
 * An edge is placed by the block that it falls into: T plus the block's first sample plus the
 * fraction of it, along the period that was in force. Edges therefore wait in the ring until
 * their block has come. While the output is below the threshold that the source config names,
 * they are left out. One thread, the recorder's main one. */
#ifndef SHEEP_EDGE_BUILDER_H
#define SHEEP_EDGE_BUILDER_H

#include "sheep/log_worker.h"
#include "sheep/pru_link.h"

#include <stdbool.h>
#include <stdint.h>

struct edge_builder {
    struct log_worker *worker; /* loans */
    struct pru_link *link;
    int64_t T_ns;
    uint32_t mask;
    struct gpio_edge *edges; /* buffer being filled */
    uint32_t count;
    uint64_t first_sample; /* of the block of its first edge */
    uint64_t next_sample;  /* behind the last block looked at */
    uint64_t n_edges;
    uint32_t n_lost; /* as the PRU counts */
    uint16_t last_pins;
    bool has_last;
};

void edge_builder_init(struct edge_builder *builder, struct log_worker *worker,
                       struct pru_link *link, uint32_t mask);

/* Takes the edges that lie before the end of `block`. */
void edge_builder_block(struct edge_builder *builder, const struct pru_block *block);

/* Hands over what was collected. */
void edge_builder_flush(struct edge_builder *builder);

#endif
