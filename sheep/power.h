/* SPDX-License-Identifier: MIT */
/* The node's power, through logind. */
#ifndef SHEEP_POWER_H
#define SHEEP_POWER_H

#include "common/attrs.h"
#include "common/err.h"

#include <stdbool.h>

/* Asks logind over D-Bus (busctl) to power the machine off, or to reboot it; blocks until it
 * has agreed or not. ERR_STATE: the board is a simulated one, and the machine is not its own;
 * ERR_DENIED: logind refused, with its words. */
MUST_CHECK int power_ask(const char *board, bool is_reboot, struct err *err);

#endif
