/* SPDX-License-Identifier: MIT */
/* From what is known of a node's recording to what may be said of it. Pure. */
#ifndef HERD_VERDICT_H
#define HERD_VERDICT_H

#include "common/buf.h"
#include "common/rlog_format.h"

#include <stdbool.h>
#include <stdint.h>

enum verdict_kind {
    VERDICT_VALID,
    VERDICT_REMARKS, /* valid with remarks */
    VERDICT_INVALID,
    VERDICT_NOT_STARTED, /* it would have, but the start was called off */
    VERDICT_REFUSED,     /* took no part, and said why, or was not reached before GO */
    VERDICT_UNKNOWN,     /* cannot be known until the node is heard again */
};

enum {
    VERDICT_TEXT_SIZE = 400,
    VERDICT_START_ERROR_US = 100, /* a start error is never held against a node below this */
};

struct verdict {
    enum verdict_kind kind;
    char
        text[VERDICT_TEXT_SIZE]; /* reasons or remarks, "; " between them; "" when plainly valid
                                  */
};

/* Everything that counts. */
struct verdict_facts {
    /* the start */
    bool took_part;  /* GO was told to it */
    bool is_refusal; /* if not: because of the node itself */
    bool is_orphan;  /* a CANCEL came too late for it */
    bool is_started;
    bool is_not_started; /* proven */
    const char *why;     /* of not taking part, or of not having started; NULL: none */
    int64_t start_error_ns;
    int64_t start_bound_ns;
    int64_t clock_error_max_ns;
    /* the clock */
    bool is_clock_proven_off; /* at the end of the run */
    bool is_clock_stepped;
    /* the recording */
    bool is_collected; /* its log is here, whole, and built */
    const char *collect_failure;
    const char *unknown_why; /* if neither collected nor failed; NULL: not heard */
    bool is_digest_right;
    uint64_t n_planned; /* UINT64_MAX: open end */
    uint64_t n_samples; /* in the log */
    uint64_t n_built;   /* in the HDF5 */
    uint64_t n_gap_samples;
    uint64_t n_underruns;
    uint64_t n_clamped;
    uint32_t end_reason; /* enum rlog_end_reason */
    const char *end_text;
    bool is_cal_default;
    bool is_stop_agreed; /* the user, or on_failure, stopped all at one sample */
    const char *remarks; /* of the log, one a line; NULL: none */
};

void verdict_find(const struct verdict_facts *facts, struct verdict *verdict);

/* "valid", "valid with remarks: ...", "invalid because ...", "refused: ...", "unknown: ...". */
void verdict_print(const struct verdict *verdict, char *text, size_t size);

static inline bool verdict_is_good(const struct verdict *verdict)
{
    return verdict->kind == VERDICT_VALID || verdict->kind == VERDICT_REMARKS;
}

#endif
