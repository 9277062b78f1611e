/* SPDX-License-Identifier: MIT */
/* What four-timestamp exchanges prove about clocks: offset, bound, and the flock's median. */
#ifndef HERD_CLOCK_VIEW_H
#define HERD_CLOCK_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The exchange with the least delay so far. The true offset lies within offset +- bound, also
 * when the two ways take different times. */
struct clock_view {
    unsigned n_exchanges;
    int64_t offset_ns; /* the node's clock minus ours */
    int64_t bound_ns;  /* half the round trip */
};

/* Times of one exchange: ours, the node's, the node's, ours. Ignored when they contradict each
 * other (an answer before its question). */
void clock_view_add(struct clock_view *view, int64_t t1_ns, int64_t t2_ns, int64_t t3_ns,
                    int64_t t4_ns);

/* The median of the nodes' clocks, as well as it is known: it lies within offset +- bound. Of
 * an even number, the mean of the two in the middle. */
struct clock_median {
    int64_t offset_ns;
    int64_t bound_ns;
};

/* Over the views with an exchange; false when there is none. */
bool clock_view_median(const struct clock_view *views, size_t n_views,
                       struct clock_median *median);

/* True when the clock is further than limit from the median, whatever the network did to this
 * clock's exchanges or to those that the median comes from. */
bool clock_view_is_proven_off(const struct clock_view *view, const struct clock_median *median,
                              int64_t limit_ns);

#endif
