/* SPDX-License-Identifier: MIT */
/* herd clock --record: what the nodes' clocks do over a while. */
#ifndef HERD_CLOCK_RECORD_H
#define HERD_CLOCK_RECORD_H

#include "herd/clock_survey.h"
#include "herd/cmd.h"
#include "herd/context.h"

#include <stddef.h>
#include <stdint.h>

struct clock_record_request {
    int64_t duration_ns;
    int64_t interval_ns;
    const char *output; /* NULL: clock_UTC.csv here */
    uint64_t count;     /* exchanges per measurement */
    int timeout_ms;
};

/* Measures until the time is over or an interrupt comes, a CSV line per node and measurement,
 * written at once; then prints what each clock did. Returns an exit status. */
int clock_record(const struct cmd_options *options, const struct context *context,
                 struct ask *ask, struct clock_survey *survey,
                 const struct clock_record_request *request);

/* One clock's measurements, added up: nothing grows with their number. Pure. */
struct clock_track {
    size_t n;
    size_t n_unlocked;
    size_t n_silent;
    int64_t least_ns;
    int64_t most_ns;
    int64_t worst_bound_ns;
    /* for the straight line through all of them; seconds from the first, ns from the first */
    int64_t first_utc_ns;
    int64_t first_ns;
    double sum_t;
    double sum_x;
    double sum_tt;
    double sum_tx;
};

/* offset_ns: to the median of the nodes. */
void clock_track_add(struct clock_track *track, int64_t utc_ns, int64_t offset_ns,
                     int64_t bound_ns, bool is_locked);
double clock_track_mean_ns(const struct clock_track *track);
/* Of that line, ns per second (ppb); 0 with fewer than two instants. */
double clock_track_drift_ppb(const struct clock_track *track);

#endif
