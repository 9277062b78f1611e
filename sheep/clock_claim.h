/* SPDX-License-Identifier: MIT */
/* What the node's own clock daemon says of its clock. Pure. */
#ifndef SHEEP_CLOCK_CLAIM_H
#define SHEEP_CLOCK_CLAIM_H

#include "common/proto.h"
#include "sheep/config.h"
#include "sheep/time_codec.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    CLOCK_CLAIM_WHY = 80
};

struct clock_claim {
    char source[PROTO_NAME_SIZE];
    bool is_locked;
    int64_t offset_ns;
    int64_t bound_ns;
    char why[CLOCK_CLAIM_WHY]; /* it is not locked */
};

/* What daemons said, and when, by the node's monotonic clock; 0: never. */
enum {
    CLOCK_OFFSETS = 16
};
struct clock_daemons {
    int64_t ptp_ns;
    bool is_gm_present;
    int64_t slave_ns;                   /* a port said that it follows a master, */
    bool is_stamped_by_hardware;        /* and that it stamps so: phc2sys must follow */
    int64_t ptp_offsets[CLOCK_OFFSETS]; /* of late, a ring */
    unsigned n_ptp_offsets;             /* so far */
    int64_t phc2sys_ns;
    struct phc2sys_line phc2sys;
    int64_t chrony_ns;
    struct chrony_tracking chrony;
    int64_t timesyncd_age_ns; /* since it synchronised; < 0: it never did */
};

/* What sheep.yaml itself says of the clock: CLOCK_SIM and CLOCK_ANY claim that, others nothing.
 */
void clock_claim_read(struct clock_claim *claim, const struct sheep_config *config);

/* ptp4l: locked while it has a grandmaster and a port that follows it, and, with hardware
 * stamps, phc2sys was heard; bound: how far its offsets of late differ from the last, and half
 * of what phc2sys' reading takes. chrony: the bound that it documents, root dispersion and half
 * the root delay. timesyncd: it tells none, so what it accepts of a server, RootDistanceMaxSec.
 */
void clock_claim_of_daemons(struct clock_claim *claim, const struct clock_daemons *daemons,
                            enum clock_daemon source, int64_t now_ns);

/* Whether an experiment may use this clock; on false, why says why not. */
bool clock_claim_is_good(const struct clock_claim *claim, enum clock_source wanted,
                         char why[PROTO_NAME_SIZE]);

#endif
