/* SPDX-License-Identifier: MIT */
/* Fetches closed logs from many nodes at once, each node's one after the other. */
#ifndef HERD_FETCH_H
#define HERD_FETCH_H

#include "common/attrs.h"
#include "common/err.h"
#include "common/experiment.h"
#include "common/inventory.h"
#include "common/keys.h"
#include "common/proto.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fetch_job {
    size_t node;               /* in the inventory */
    char log[PROTO_NAME_SIZE]; /* on the node */
    char folder[PATH_MAX];     /* the copy here; one that exists is gone on with */
    uint64_t bytes_expected;   /* for progress */
    /* result */
    bool is_whole;
    uint64_t bytes;                /* of the copy now */
    uint64_t bytes_received;       /* by this call, what was no use included */
    uint64_t bytes_repeated;       /* of those: were here already when they came */
    char digest[DIGEST_TEXT_SIZE]; /* of a whole one */
    struct err err;                /* why it is not whole */
};

/* Told while it goes on, at most ten times a second, and at the end. */
typedef void (*fetch_progress_fn)(void *arg, const struct fetch_job *jobs, size_t n_jobs);

struct fetch_options {
    const struct inventory *inventory;
    const struct key_pair *key;
    int silence_ms; /* a node that sends nothing for so long is given up, and one that answers
                     * heartbeats but sends no bytes for six times as long */
    uint64_t rate;  /* bytes a second of each node; 0: no limit */
    uint64_t total_rate; /* of all together */
    fetch_progress_fn progress;
    void *arg;
};

/* Returns when every job is whole or has its err; -1 only when nothing could be begun. */
MUST_CHECK int fetch_all(const struct fetch_options *options, struct fetch_job *jobs,
                         size_t n_jobs, struct err *err);

#endif
