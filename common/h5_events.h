/* SPDX-License-Identifier: MIT */
/* What a log holds beside samples and monitors: GPIO edges, gaps, time anchors and overviews,
 * into /gpio, /gaps, /sync and /overview. */
#ifndef COMMON_H5_EVENTS_H
#define COMMON_H5_EVENTS_H

#include "common/h5_chunked.h"
#include "common/rlog.h"

#include <stdint.h>

/* Streams that have samples, by enum rlog_stream; the rest is NULL. */
struct h5_stream_info {
    const char *name;          /* "voltage", of /overview/voltage */
    struct h5_meaning meaning; /* of its codes */
};

struct h5_events;
struct h5_events *h5_events_create(hid_t file, struct h5_packer *packer,
                                   const struct rlog_manifest *manifest,
                                   const struct h5_stream_info *streams, struct err *err);
void h5_events_destroy(struct h5_events **events);

/* T, once START was read; all records below come behind it. */
void h5_events_set_start(struct h5_events *events, int64_t T_ns);

/* RLOG_EDGES, RLOG_GAP, RLOG_ANCHOR or RLOG_OVERVIEW. */
MUST_CHECK int h5_events_add(struct h5_events *events, const struct rlog_record *record,
                             struct err *err);

/* Notes those parts of a stretch without samples that no gap of the log explains. */
MUST_CHECK int h5_events_add_hole(struct h5_events *events, uint32_t stream, uint64_t first,
                                  uint64_t count, struct err *err);
MUST_CHECK int h5_events_finish(struct h5_events *events, struct err *err);

uint64_t h5_events_edges(const struct h5_events *events);
uint64_t h5_events_gaps(const struct h5_events *events);

#endif
