/* SPDX-License-Identifier: MIT */
#include "sheep/clock_claim.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEARD_S = 5, /* they are asked every second */
    SLAVE_S = 3,
    TIMESYNCD_POLL_S = 4096 /* twice its PollIntervalMaxSec, timesyncd.conf(5) */
};

static const int64_t TIMESYNCD_BOUND_NS = INT64_C(5) * 1000 * 1000 * 1000;

static void set_source(struct clock_claim *claim, const char *source)
{
    memset(claim, 0, sizeof(*claim));
    snprintf(claim->source, sizeof(claim->source), "%s", source);
}

static void set_why(struct clock_claim *claim, const char *why)
{
    snprintf(claim->why, sizeof(claim->why), "%s", why);
}

void clock_claim_read(struct clock_claim *claim, const struct sheep_config *config)
{
    int source = config->clock.source;

    if (source != CLOCK_SIM && source != CLOCK_ANY) {
        set_source(claim, "none");
        set_why(claim, "no daemon disciplines it");
        return;
    }
    set_source(claim, source == CLOCK_SIM ? "sim" : "any");
    claim->is_locked = config->clock.locked;
    claim->bound_ns = (int64_t)(config->clock.claimed_bound_us * (double)NS_PER_US);
    if (!claim->is_locked) {
        set_why(claim, "its daemon says that it is not locked");
    }
}

static bool is_heard(int64_t heard_ns, int64_t now_ns)
{
    return heard_ns != 0 && now_ns - heard_ns <= HEARD_S * NS_PER_S;
}

/* All ports answer every second; of several, one follows the master. */
static bool has_slave(const struct clock_daemons *daemons, int64_t now_ns)
{
    return daemons->slave_ns != 0 && now_ns - daemons->slave_ns <= SLAVE_S * NS_PER_S;
}

/* Any sum of what somebody else says. */
static int64_t add(int64_t a, int64_t b)
{
    int64_t sum = 0;

    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static int64_t last_offset(const struct clock_daemons *daemons)
{
    return daemons->ptp_offsets[(daemons->n_ptp_offsets - 1) % CLOCK_OFFSETS];
}

/* How far the offsets differ from the last one. */
static int64_t spread_ns(const struct clock_daemons *daemons)
{
    unsigned n_offsets =
        daemons->n_ptp_offsets < CLOCK_OFFSETS ? daemons->n_ptp_offsets : CLOCK_OFFSETS;
    int64_t spread = 0;

    for (unsigned i = 0; i < n_offsets; i++) {
        int64_t difference = 0;

        if (__builtin_sub_overflow(daemons->ptp_offsets[i], last_offset(daemons), &difference)
            || difference == INT64_MIN) {
            return INT64_MAX;
        }
        if (llabs(difference) > spread) {
            spread = llabs(difference);
        }
    }
    return spread;
}

static void claim_ptp4l(struct clock_claim *claim, const struct clock_daemons *daemons,
                        int64_t now_ns)
{
    set_source(claim, "ptp4l");
    if (!is_heard(daemons->ptp_ns, now_ns) || daemons->n_ptp_offsets == 0) {
        set_why(claim, "ptp4l is not heard");
        return;
    }
    if (!daemons->is_gm_present || !has_slave(daemons, now_ns)) {
        set_why(claim, "ptp4l follows no master");
        return;
    }
    if (daemons->is_stamped_by_hardware) {
        set_source(claim, "ptp4l+phc2sys");
        if (!is_heard(daemons->phc2sys_ns, now_ns)) {
            set_why(claim, "ptp4l has a hardware clock, and phc2sys is silent");
            return;
        }
        claim->offset_ns = daemons->phc2sys.offset_ns;
        claim->bound_ns = daemons->phc2sys.delay_ns / 2;
    }
    claim->offset_ns = add(claim->offset_ns, last_offset(daemons));
    claim->bound_ns = add(claim->bound_ns, spread_ns(daemons));
    claim->is_locked = true;
}

static int64_t to_ns(double seconds)
{
    static const double LARGEST_S = 9e9;

    if (!(fabs(seconds) < LARGEST_S)) {
        return INT64_MAX;
    }
    return (int64_t)(seconds * (double)NS_PER_S);
}

static void claim_chrony(struct clock_claim *claim, const struct clock_daemons *daemons,
                         int64_t now_ns)
{
    const struct chrony_tracking *tracking = &daemons->chrony;

    set_source(claim, "chrony");
    if (!is_heard(daemons->chrony_ns, now_ns)) {
        set_why(claim, "chrony is not heard");
        return;
    }
    if (tracking->leap == 3 || tracking->stratum == 0) {
        set_why(claim, "chrony is not synchronised");
        return;
    }
    claim->offset_ns = to_ns(tracking->offset_s);
    claim->bound_ns = to_ns(tracking->root_dispersion_s + tracking->root_delay_s / 2);
    claim->is_locked = true;
}

static void claim_timesyncd(struct clock_claim *claim, const struct clock_daemons *daemons)
{
    set_source(claim, "timesyncd");
    if (daemons->timesyncd_age_ns < 0
        || daemons->timesyncd_age_ns > TIMESYNCD_POLL_S * NS_PER_S) {
        set_why(claim, "timesyncd has not synchronised of late");
        return;
    }
    claim->bound_ns = TIMESYNCD_BOUND_NS;
    claim->is_locked = true;
}

void clock_claim_of_daemons(struct clock_claim *claim, const struct clock_daemons *daemons,
                            enum clock_daemon source, int64_t now_ns)
{
    bool is_auto = source == CLOCK_AUTO;

    if (is_auto || source == CLOCK_PTP4L) {
        claim_ptp4l(claim, daemons, now_ns);
        if (!is_auto || claim->is_locked) {
            return;
        }
    }
    if (is_auto || source == CLOCK_CHRONY) {
        claim_chrony(claim, daemons, now_ns);
        if (!is_auto || claim->is_locked) {
            return;
        }
    }
    claim_timesyncd(claim, daemons);
    if (is_auto && !claim->is_locked) {
        set_source(claim, "none");
        set_why(claim, "neither ptp4l, chrony nor timesyncd is locked");
    }
}

bool clock_claim_is_good(const struct clock_claim *claim, enum clock_source wanted,
                         char why[PROTO_NAME_SIZE])
{
    if (wanted == CLOCK_SOURCE_ANY || claim->is_locked) {
        return true;
    }
    snprintf(why, PROTO_NAME_SIZE, "clock: %s (clock_source: any would accept it)", claim->why);
    return false;
}
