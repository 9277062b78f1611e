/* SPDX-License-Identifier: MIT */
/* How a run shows itself: a line per node that redraws on a terminal, one line per event
 * otherwise, JSON lines for machines. */
#ifndef HERD_PROGRESS_H
#define HERD_PROGRESS_H

#include "herd/cmd.h"

#include "common/attrs.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress;

/* `names` outlive it. On a terminal only if standard output is one and neither --json nor
 * --quiet was given. */
struct progress *progress_open(const struct cmd_options *options, const char *const *names,
                               size_t n_nodes);
void progress_close(struct progress **progress); /* the lines stay as they are */

/* An event: of node i, or of all (PROGRESS_ALL). `event` is a word for machines. */
#define PROGRESS_ALL SIZE_MAX
void progress_event(struct progress *progress, size_t i, const char *event, const char *format,
                    ...) PRINTF_LIKE(4, 5);

/* As an event, for people only when something is wrong: goes to standard error. */
void progress_warn(struct progress *progress, size_t i, const char *event, const char *format,
                   ...) PRINTF_LIKE(4, 5);

/* What the node's line shows: a word, samples taken and planned (0, or UINT64_MAX: open), bytes
 * collected. Drawn at the next progress_draw. */
struct progress_state {
    const char *word; /* a constant */
    uint64_t n_samples;
    uint64_t n_planned;
    uint64_t n_bytes;
    const char *link; /* "", "silent", "lost" */
};
void progress_set(struct progress *progress, size_t i, const struct progress_state *state);

/* From a timer, a few times a second. */
void progress_draw(struct progress *progress);

#endif
