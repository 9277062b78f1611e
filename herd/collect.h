/* SPDX-License-Identifier: MIT */
/* Follows one node's log and keeps a copy of it here, segment by segment, from wherever the
 * copy ends. Knows nothing of sockets: FETCH bodies out, DATA in. One thread. */
#ifndef HERD_COLLECT_H
#define HERD_COLLECT_H

#include "common/err.h"
#include "common/experiment.h"
#include "common/proto.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    COLLECT_CREDIT = 4 * 1024 * 1024, /* the window: what a node may send unasked */
    COLLECT_WINDOW_MIN = 64 * 1024,
    COLLECT_ACKS = 4,        /* asked anew after so great a part of the window */
    COLLECT_RETRY_MS = 2000, /* nothing came although something should: the node is asked */
};

struct collect;

/* `folder` is the local NAME.rlog; it is made, or continued. */
struct collect *collect_open(const char *folder, const char *log, struct err *err);
void collect_close(struct collect **collect);

/* What to ask for now: true and *body, at most once per call; call again until false.
 * `available` is how many bytes the node says it has. */
bool collect_next_fetch(struct collect *collect, int64_t mono_ns, uint64_t available,
                        struct body_fetch *body);

/* The connection is another one: whatever was under way is lost. */
void collect_reset(struct collect *collect);

/* Throws the copy away and begins anew (its digest was wrong). */
MUST_CHECK int collect_restart(struct collect *collect, struct err *err);

/* Bytes that came. What does not continue the copy is ignored. -1: this disk. */
MUST_CHECK int collect_take(struct collect *collect, const struct body_data *body,
                            struct proto_frame payload, struct err *err);

bool collect_has_manifest(const struct collect *collect);
bool collect_is_complete(const struct collect *collect);  /* the end of the log is here */
uint64_t collect_bytes(const struct collect *collect);    /* of the copy */
uint64_t collect_received(const struct collect *collect); /* by this process, over the wire */
uint64_t collect_repeated(const struct collect *collect); /* the same, and of no use */

/* The copy is the run's own: each FETCH says that the segments in front are durable here, so
 * that a node which records in memory lets them go. */
void collect_keep(struct collect *collect);

/* For a transfer that is held back: between COLLECT_WINDOW_MIN and COLLECT_CREDIT. */
void collect_set_window(struct collect *collect, uint64_t bytes);
const char *collect_folder(const struct collect *collect);

/* Over what is here, as text. */
void collect_digest(const struct collect *collect, char text[DIGEST_TEXT_SIZE]);

/* Makes the copy durable. */
MUST_CHECK int collect_sync(struct collect *collect, struct err *err);

#endif
