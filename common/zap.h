/* SPDX-License-Identifier: MIT */
/* The doorkeeper: answers every CURVE handshake of this process from a folder of keys. */
#ifndef COMMON_ZAP_H
#define COMMON_ZAP_H

#include "common/attrs.h"
#include "common/err.h"

#include <stdint.h>

/* Our handler of RFC 27 in a thread of its own, one per process (ZeroMQ has one handler per
 * context). It lets in the clients whose public key is in `folder` (see keyring_open), reads
 * the folder again when it changed, and hands out the key in Z85 as user id. NULL and err when
 * it cannot be bound: fatal, since a socket must not be opened without it. */
struct zap;
struct zap *zap_start(const char *folder, struct err *err);
void zap_stop(struct zap **zap);

struct zap_stats {
    uint64_t n_accepted;
    uint64_t n_refused;
    uint64_t n_keys;
};

/* Asks the handler; -1 (ERR_TIMEOUT) when it does not answer within a second: dead, and the
 * agent must end, for nobody can come in any more. */
MUST_CHECK int zap_check(struct zap *zap, struct zap_stats *stats, struct err *err);

#endif
