/* SPDX-License-Identifier: MIT */
/* The live view: a publisher on the third port that says twice a second what the node does and
 * measures (struct body_live), while anybody listens. Lossy; nothing depends on it, and without
 * listeners it reads and sends nothing. One thread, that of the loop. */
#ifndef SHEEP_LIVE_H
#define SHEEP_LIVE_H

#include "common/clock.h"
#include "common/err.h"
#include "common/proto.h"
#include "common/rlog.h"
#include "sheep/config.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    LIVE_PORT = 2, /* behind the control port */
    LIVE_MS = 500,
};

struct live;

/* zap_start comes first. Reads the node's key, binds the port. */
struct live *live_open(const struct sheep_config *config, uint64_t boot_id, struct err *err);
void live_close(struct live **live);

/* Whoever may no longer come in must not go on listening: all connections are ended. The port
 * opens again within a second. */
void live_end_all(struct live *live);

bool live_is_heard(struct live *live);

/* Publishes *body, filled in with samples and pins of the log that grows in `folder` (NULL:
 * none). */
void live_say(struct live *live, struct body_live *body, const char *folder,
              const struct rlog_position *durable);

#endif
