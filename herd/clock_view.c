/* SPDX-License-Identifier: MIT */
#include "herd/clock_view.h"

#include <stdlib.h>

void clock_view_add(struct clock_view *view, int64_t t1_ns, int64_t t2_ns, int64_t t3_ns,
                    int64_t t4_ns)
{
    int64_t out_ns = 0;
    int64_t back_ns = 0;
    int64_t delay_ns = 0;

    /* The node's numbers are its own; whatever they are, nothing overflows. */
    if (__builtin_sub_overflow(t2_ns, t1_ns, &out_ns)
        || __builtin_sub_overflow(t3_ns, t4_ns, &back_ns)
        || __builtin_sub_overflow(out_ns, back_ns, &delay_ns) || delay_ns < 0 || t3_ns < t2_ns
        || t4_ns < t1_ns) {
        return;
    }
    if (view->n_exchanges == 0 || delay_ns / 2 < view->bound_ns) {
        view->offset_ns = out_ns / 2 + back_ns / 2;
        /* Halves round down by at most 1 ns each. */
        view->bound_ns = delay_ns / 2 + 2;
    }
    view->n_exchanges++;
}

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

bool clock_view_median(const struct clock_view *views, size_t n_views, int64_t *median_ns)
{
    int64_t *offsets = calloc(n_views + 1, sizeof(*offsets));
    size_t count = 0;

    for (size_t i = 0; offsets != NULL && i < n_views; i++) {
        if (views[i].n_exchanges > 0) {
            offsets[count++] = views[i].offset_ns;
        }
    }
    if (count > 0) {
        qsort(offsets, count, sizeof(*offsets), compare);
        *median_ns = count % 2 == 1 ? offsets[count / 2]
                                    : offsets[count / 2 - 1] / 2 + offsets[count / 2] / 2;
    }
    free(offsets);
    return count > 0;
}

bool clock_view_is_proven_off(const struct clock_view *view, int64_t median_ns,
                              int64_t limit_ns)
{
    int64_t distance_ns = 0;

    if (view->n_exchanges == 0) {
        return false;
    }
    if (__builtin_sub_overflow(view->offset_ns, median_ns, &distance_ns)
        || distance_ns == INT64_MIN) {
        return true;
    }
    if (distance_ns < 0) {
        distance_ns = -distance_ns;
    }
    return distance_ns - view->bound_ns > limit_ns;
}
