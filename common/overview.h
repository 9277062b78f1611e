/* SPDX-License-Identifier: MIT */
/* Overviews of a sample stream: minimum, maximum and mean of ever longer windows.
 *
 * Entry i of level 0 covers samples [64 i, 64 (i + 1)); entry i of the next level the entries
 * [8 i, 8 (i + 1)) of the one before. A window of which samples are missing is made from those
 * that are there; a window without any has no entry. Nothing is allocated after init. */
#ifndef COMMON_OVERVIEW_H
#define COMMON_OVERVIEW_H

#include "common/rlog_format.h"

#include <stddef.h>
#include <stdint.h>

enum {
    OVERVIEW_ROOM = 512 /* entries that one record holds at most */
};

/* Receives entries as an RLOG_OVERVIEW record: stream, level, first sample and count are set;
 * payload has header->count entries. */
typedef void (*overview_emit_fn)(void *arg, const struct rlog_record_header *header,
                                 const struct rlog_overview *entries);

struct overview_level {
    unsigned shift;     /* an entry has 2^shift samples: no divisions */
    uint64_t index;     /* of the entry that grows */
    uint64_t sum;       /* of its samples */
    uint64_t n_samples; /* 0: none so far */
    uint32_t minimum;
    uint32_t maximum;
    uint64_t first_index; /* of entries[0] */
    uint32_t count;
    struct rlog_overview entries[OVERVIEW_ROOM];
};

struct overview {
    uint8_t stream;
    overview_emit_fn emit;
    void *arg;
    struct overview_level levels[RLOG_OVERVIEW_LEVELS];
};

void overview_init(struct overview *overview, enum rlog_stream stream, overview_emit_fn emit,
                   void *arg);

/* Samples [first, first + count); first never goes back. */
void overview_add(struct overview *overview, uint64_t first, const uint32_t *samples,
                  size_t count);

/* Emits the entries that are complete. */
void overview_flush(struct overview *overview);

/* Emits everything, windows that are cut by the end included. */
void overview_finish(struct overview *overview);

#endif
