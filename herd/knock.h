/* SPDX-License-Identifier: MIT */
/* How many connections may be under way at once.
 *
 * A handshake costs both ends processor time, and libzmq gives each WIRE_HANDSHAKE_MS. On a
 * slow or busy machine a thousand that are begun together end together, too late: all are
 * thrown away, begun anew, and so for ever. So only a few are begun, others when those have
 * ended. Who does not answer holds his place until nobody has answered for a while. Pure: time
 * in. */
#ifndef HERD_KNOCK_H
#define HERD_KNOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KNOCK_AT_ONCE = 64,
    KNOCK_QUIET_MS = 200, /* without any answer: who has been called is not there */
    KNOCK_AWAY_MS = 100,  /* between two calls: the caller itself did not listen */
};

struct knock {
    size_t n_open;
    int64_t last_ns; /* monotonic: the last answer, or beginning of a new lot */
    int64_t seen_ns; /* the last call */
};

/* Whether another connection may be begun now; if so, it is counted. */
bool knock_next(struct knock *knock, int64_t mono_ns);

/* A connection that was begun stands. */
void knock_answered(struct knock *knock, int64_t mono_ns);

#endif
