/* SPDX-License-Identifier: MIT */
/* Exchanges of timestamps with all nodes, and what their clock daemons claim. */
#ifndef HERD_CLOCK_SURVEY_H
#define HERD_CLOCK_SURVEY_H

#include "herd/ask.h"
#include "herd/clock_view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Entries are per node of the inventory. */
struct clock_survey {
    size_t n_nodes;
    struct clock_view *views;
    struct body_clock *claims; /* of the last answer */
    struct clock_median median;
    bool has_median;
    /* while it runs */
    bool *is_mute; /* did not answer once: not asked again */
    struct body_clock question;
    size_t turn; /* whose turn it is: every n_turns-th node */
    size_t n_turns;
};

MUST_CHECK int clock_survey_init(struct clock_survey *survey, size_t n_nodes, struct err *err);
void clock_survey_fini(struct clock_survey *survey);

/* `count` exchanges with every node that has said WELCOME; what an earlier run found is
 * forgotten. A node that does not answer within timeout_ms is not asked again. */
void clock_survey_run(struct clock_survey *survey, struct ask *ask, uint64_t count,
                      int timeout_ms);

#endif
