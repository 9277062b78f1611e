/* SPDX-License-Identifier: MIT */
/* The newest of a log that grows: goes from record header to record header and takes what a
 * live view shows, the overview of one level and the pins. Samples are not read. One thread. */
#ifndef SHEEP_LOG_TAIL_H
#define SHEEP_LOG_TAIL_H

#include "common/err.h"
#include "common/rlog.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LOG_TAIL_LEVEL = 2, /* entries of 4096 samples: 24 a second */
    LOG_TAIL_WINDOW = RLOG_OVERVIEW_WINDOW * RLOG_OVERVIEW_FACTOR * RLOG_OVERVIEW_FACTOR,
    LOG_TAIL_ENTRIES = 64, /* kept of each stream until they are fetched; the oldest go */
    LOG_TAIL_STREAMS = 4,  /* from RLOG_STREAM_VOLTAGE on */
};

/* The newest `count` entries; entries[0] begins at sample `first`. */
struct log_tail_stream {
    uint64_t first;
    uint32_t count;
    struct rlog_overview entries[LOG_TAIL_ENTRIES];
};

struct log_tail_news {
    struct log_tail_stream streams[LOG_TAIL_STREAMS]; /* since the last look */
    bool has_gpio;
    uint16_t gpio;
    int64_t gpio_ns;
    uint64_t n_edges; /* since the tail was opened */
};

struct log_tail;

/* Begins with the segment that is durable now: what was before is not looked for. */
struct log_tail *log_tail_open(const char *folder, const struct rlog_position *durable,
                               struct err *err);
void log_tail_close(struct log_tail **tail);
const struct rlog_manifest *log_tail_manifest(const struct log_tail *tail);

/* Reads on, not beyond `durable` and not for longer than a few ms; *news is a loan until the
 * next call. -1: the log cannot be read on. */
MUST_CHECK int log_tail_read(struct log_tail *tail, const struct rlog_position *durable,
                             const struct log_tail_news **news, struct err *err);

#endif
