/* SPDX-License-Identifier: MIT */
/* Listens to the daemons that may discipline the node's clock, so that PREPARE and ARM know at
 * once what they claim. Belongs to the agent's loop; nothing here waits. */
#ifndef SHEEP_CLOCK_WATCH_H
#define SHEEP_CLOCK_WATCH_H

#include "sheep/clock_claim.h"

struct clock_watch;

/* `config` is a loan until destroy. NULL without an error when its source is no daemon. */
struct clock_watch *clock_watch_create(const struct sheep_config *config, const char *state_dir,
                                       struct err *err);
void clock_watch_destroy(struct clock_watch **watch);

/* Every second: takes what came since, asks anew. */
void clock_watch_tick(struct clock_watch *watch);

void clock_watch_claim(const struct clock_watch *watch, struct clock_claim *claim);

#endif
