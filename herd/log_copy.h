/* SPDX-License-Identifier: MIT */
/* herd's copy of a node's log: identical segment files, filled in order from DATA.
 *
 * A copy that exists is gone on with: its position follows from its files. One thread. */
#ifndef HERD_LOG_COPY_H
#define HERD_LOG_COPY_H

#include "common/attrs.h"
#include "common/err.h"
#include "common/proto.h"
#include "common/rlog_format.h"

#include <stdbool.h>
#include <stdint.h>

struct log_copy;

/* Opens or makes FOLDER ("OUTPUT/.bellwether/ID/NODE.rlog"). */
struct log_copy *log_copy_open(const char *folder, struct err *err);
void log_copy_close(struct log_copy **copy);

struct log_copy_position {
    bool has_manifest;
    uint32_t segment;
    uint64_t offset; /* in the segment: what to FETCH next */
    uint64_t total;  /* bytes of all segments here */
    bool is_whole;   /* the end of the log was seen */
};
struct log_copy_position log_copy_position(const struct log_copy *copy);

/* Takes in one DATA: the manifest, or bytes exactly at the position. Bytes that are here
 * already are skipped; bytes from further on are ERR_STATE (FETCH again from the position).
 * A segment that would grow beyond RLOG_SEGMENT_BYTES is ERR_INPUT. */
MUST_CHECK int log_copy_take(struct log_copy *copy, const struct body_data *body,
                             struct proto_frame payload, struct err *err);

/* fdatasync of what was taken: only now may the node be told so. */
MUST_CHECK int log_copy_sync(struct log_copy *copy, struct err *err);

#endif
