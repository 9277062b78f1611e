/* SPDX-License-Identifier: MIT */
/* Watches a virtual source sample by sample for what must never happen: energy from nothing,
 * switching against the thresholds, chatter, values out of range. */
#ifndef TESTS_SUPPORT_VSOURCE_WATCH_H
#define TESTS_SUPPORT_VSOURCE_WATCH_H

#include "pru/core/vsource.h"

#include <stdbool.h>
#include <stdint.h>

struct vsource_watch {
    struct vsource source;
    struct vsource_output output;
    double E_knots[VSOURCE_STORE_KNOTS]; /* content of the store below each knot, J */
    double q_As;
    double tolerance; /* of the balance, in parts of what has moved */
    double E_start;
    double E_in;  /* what the input could give */
    double E_out; /* what the target got */
    uint64_t k;
    bool has_crossed; /* a threshold, of output or power-good */
    char fault[200];  /* "" while all is well */
};

/* params must outlive the watch. */
void vsource_watch_init(struct vsource_watch *watch, const struct vsource_params *params,
                        double q_As, double tolerance);

/* One sample; false when something was wrong, with the reason in fault. */
bool vsource_watch_step(struct vsource_watch *watch, struct curve_point input,
                        uint32_t current_code);

#endif
