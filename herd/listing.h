/* SPDX-License-Identifier: MIT */
/* The recordings that nodes hold, as LISTING tells them. */
#ifndef HERD_LISTING_H
#define HERD_LISTING_H

#include "herd/ask.h"
#include "herd/context.h"

#include "common/attrs.h"
#include "common/err.h"
#include "common/proto.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Texts are checked: a name is safe to be part of a path. */
struct listing_entry {
    char name[PROTO_NAME_SIZE];
    char state[PROTO_NAME_SIZE]; /* recording, closed, released, unfinished */
    uint64_t bytes;
    uint64_t samples;
    char digest[65];
    uint64_t experiment;
    uint64_t reason; /* enum rlog_end_reason */
};

struct listing {
    struct listing_entry *entries;
    size_t count;
};

MUST_CHECK int listing_parse(struct listing *listing, const void *data, size_t size,
                             struct err *err);
void listing_fini(struct listing *listing);

/* One list per node of the inventory. */
struct listings {
    size_t n_nodes;
    struct listing *nodes;
    bool *are_heard;     /* which nodes answered */
    char (*faults)[200]; /* why a node gave none; "" */
};

/* Asks all nodes for their lists; returns how many answered. Free with listings_fini. */
size_t listings_ask(struct listings *listings, struct ask *ask, size_t n_nodes, int timeout_ms);
void listings_fini(struct listings *listings);

/* True when name matches pattern: * and ? as in a shell; a pattern without them matches the
 * whole name, or its beginning before a "_" (NAME of NAME_TIME_NODE). */
bool listing_matches(const char *pattern, const char *name);

#endif
