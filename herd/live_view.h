/* SPDX-License-Identifier: MIT */
/* What nodes publish of themselves (LIVE): the newest word of each. Lossy; a node that says
 * nothing may be fine. One thread. */
#ifndef HERD_LIVE_VIEW_H
#define HERD_LIVE_VIEW_H

#include "common/err.h"
#include "common/inventory.h"
#include "common/keys.h"
#include "common/proto.h"

#include <stdbool.h>
#include <stddef.h>

struct live_view;

/* Listens to those that are `selected`; the inventory must outlive it. Nothing is waited for.
 */
struct live_view *live_view_open(const struct inventory *inventory, const bool *selected,
                                 const struct key_pair *key, struct err *err);
void live_view_close(struct live_view **view);

/* Takes what comes for so long. */
void live_view_listen(struct live_view *view, int timeout_ms);

/* The newest message of node i, not older than three seconds, else NULL; a loan until the next
 * listening. */
const struct body_live *live_view_of(const struct live_view *view, size_t i);

#endif
