/* SPDX-License-Identifier: MIT */
/* Is a node fit for an experiment? From what it says of itself to what is wrong. Pure. */
#ifndef HERD_PREFLIGHT_H
#define HERD_PREFLIGHT_H

#include "common/node_facts.h"
#include "common/proto.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PREFLIGHT_MAX_FINDINGS = 16,
    PREFLIGHT_TEXT_SIZE = 200,
};

/* Everything that counts. */
struct preflight_facts {
    bool is_answered; /* else nothing below holds */
    const struct body_welcome *welcome;
    const struct body_state *state;
    const struct body_clock *clock;
    const struct node_facts *machine;
    int64_t offset_ns; /* of its clock to the median of the nodes; how well that is known */
    int64_t bound_ns;
    bool has_offset;
    /* what is asked for */
    const char *version; /* herd's */
    uint64_t min_free_bytes;
    int64_t clock_error_max_ns;
};

struct preflight_finding {
    bool is_fault; /* an experiment would fail, or be worth nothing; else a warning */
    char text[PREFLIGHT_TEXT_SIZE];
};

struct preflight {
    struct preflight_finding findings[PREFLIGHT_MAX_FINDINGS];
    size_t n_findings;
    size_t n_faults;
};

void preflight_judge(struct preflight *preflight, const struct preflight_facts *facts);

#endif
