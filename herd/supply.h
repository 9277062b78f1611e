/* SPDX-License-Identifier: MIT */
/* Brings input streams to the nodes that do not hold them yet: HAVE, then PUT piece by piece.
 * Never used while an experiment runs. One thread, that of the flock. */
#ifndef HERD_SUPPLY_H
#define HERD_SUPPLY_H

#include "common/err.h"
#include "herd/flock.h"
#include "herd/inputs.h"

#include <stdbool.h>
#include <stddef.h>

struct supply;

/* `flock` and `inputs` outlive it. */
struct supply *supply_open(struct herd_flock *flock, const struct inputs *inputs,
                           size_t n_nodes, struct err *err);
void supply_close(struct supply **supply);

/* Node i is to have the stream; begins to ask. */
MUST_CHECK int supply_want(struct supply *supply, size_t i, const char *digest,
                           struct err *err);

/* Messages of the bulk port (STORED, REFUSED). */
void supply_take(struct supply *supply, size_t i, const struct flock_message *message);

/* From a timer: repeats what was not answered. */
void supply_tick(struct supply *supply);

/* True when every node that wants one has it, or has failed. */
bool supply_is_done(const struct supply *supply);

/* "" when node i has what it wants; else why not, so far. */
const char *supply_failure(const struct supply *supply, size_t i);

/* Bytes that are there and bytes that are wanted, of node i. */
void supply_progress(const struct supply *supply, size_t i, uint64_t *n_there,
                     uint64_t *n_wanted);

#endif
