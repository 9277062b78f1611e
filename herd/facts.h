/* SPDX-License-Identifier: MIT */
/* What nodes are made of, as INVENTORIED tells it. */
#ifndef HERD_FACTS_H
#define HERD_FACTS_H

#include "herd/ask.h"

#include "common/node_facts.h"

#include <stddef.h>

/* One entry per node of the inventory. */
struct facts {
    size_t n_nodes;
    struct node_facts *nodes;
    char (*faults)[200]; /* why a node gave none; "" */
};

/* Asks all nodes; returns how many gave theirs. Free with facts_fini, also after 0. */
size_t facts_ask(struct facts *facts, struct ask *ask, size_t n_nodes, int timeout_ms);
void facts_fini(struct facts *facts);

#endif
