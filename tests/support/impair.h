/* SPDX-License-Identifier: MIT */
/* What a bad network does to a packet: one direction of one link. Pure: a seed and times in,
 * times out.
 *
 * The draws of a direction follow from its seed and the packets' order alone, whatever their
 * instants, so that a seed and a sequence of packets give the same fates again. */
#ifndef TESTS_SUPPORT_IMPAIR_H
#define TESTS_SUPPORT_IMPAIR_H

#include <stdbool.h>
#include <stdint.h>

enum {
    IMPAIR_MAX_COPIES = 2,
    IMPAIR_OVERTAKEN_MS = 30, /* at most; how much longer a packet takes that others overtake */
};

struct impair_rule {
    uint32_t loss_permille;
    uint32_t duplicate_permille;
    uint32_t reorder_permille;
    uint32_t delay_ms;
    uint32_t jitter_ms; /* up to so much more, evenly; it does not change the order by itself */
    bool is_cut;        /* nothing passes */
};

struct impair {
    struct impair_rule rule;
    uint64_t random;
    int64_t last_ns; /* when the latest packet in order leaves */
    uint64_t n_packets;
    uint64_t n_lost;
    uint64_t n_copied;
    uint64_t n_reordered;
};

void impair_init(struct impair *impair, uint64_t seed);

/* A packet comes at now_ns: when its copies leave. Returns how many there are (0: lost). */
unsigned impair_packet(struct impair *impair, int64_t now_ns,
                       int64_t leave_ns[IMPAIR_MAX_COPIES]);

#endif
