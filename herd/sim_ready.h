/* SPDX-License-Identifier: MIT */
/* Waits until nodes answer. */
#ifndef HERD_SIM_READY_H
#define HERD_SIM_READY_H

#include "common/attrs.h"
#include "common/err.h"
#include "common/inventory.h"
#include "common/keys.h"

#include <stdbool.h>

/* Says HELLO to every node until it answers WELCOME. `gives_up(arg)` is asked about every 50 ms
 * and ends the waiting with ERR_STATE. ERR_TIMEOUT names a node that did not answer. */
MUST_CHECK int sim_wait_ready(const struct inventory *inventory, const struct key_pair *key,
                              int timeout_ms, bool (*gives_up)(void *arg), void *arg,
                              struct err *err);

#endif
