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

static int64_t middle_of(int64_t *values, size_t count)
{
    qsort(values, count, sizeof(*values), compare);
    return count % 2 == 1 ? values[count / 2]
                          : values[count / 2 - 1] / 2 + values[count / 2] / 2;
}

/* Saturated: a node's clock may say anything. */
static int64_t add(int64_t a, int64_t b)
{
    int64_t sum = 0;

    if (!__builtin_add_overflow(a, b, &sum)) {
        return sum;
    }
    return b > 0 ? INT64_MAX : INT64_MIN;
}

/* Every clock is at or above its lower end, so the median is at or above the median of the
 * lower ends; and so for the upper ones. */
bool clock_view_median(const struct clock_view *views, size_t n_views,
                       struct clock_median *median)
{
    int64_t *lows = calloc(n_views + 1, sizeof(*lows));
    int64_t *highs = calloc(n_views + 1, sizeof(*highs));
    size_t count = 0;

    for (size_t i = 0; lows != NULL && highs != NULL && i < n_views; i++) {
        if (views[i].n_exchanges > 0) {
            lows[count] = add(views[i].offset_ns, -views[i].bound_ns);
            highs[count++] = add(views[i].offset_ns, views[i].bound_ns);
        }
    }
    if (count > 0) {
        int64_t low_ns = middle_of(lows, count);
        int64_t high_ns = middle_of(highs, count);

        median->offset_ns = low_ns / 2 + high_ns / 2;
        median->bound_ns = high_ns / 2 - low_ns / 2 + 2;
    }
    free(lows);
    free(highs);
    return count > 0;
}

bool clock_view_is_proven_off(const struct clock_view *view, const struct clock_median *median,
                              int64_t limit_ns)
{
    int64_t distance_ns = 0;

    if (view->n_exchanges == 0) {
        return false;
    }
    if (__builtin_sub_overflow(view->offset_ns, median->offset_ns, &distance_ns)
        || distance_ns == INT64_MIN) {
        return true;
    }
    if (distance_ns < 0) {
        distance_ns = -distance_ns;
    }
    return distance_ns - view->bound_ns - median->bound_ns > limit_ns;
}
