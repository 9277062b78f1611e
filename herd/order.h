/* SPDX-License-Identifier: MIT */
/* One order to many nodes, and what each says to it; nodes that answer alike share a line. */
#ifndef HERD_ORDER_H
#define HERD_ORDER_H

#include "herd/cmd.h"
#include "herd/context.h"

#include "common/proto.h"

struct order {
    const char *command; /* for messages */
    enum proto_verb verb;
    enum proto_verb done_verb; /* what a node answers that obeys */
    const void *body;
    const char *done_word; /* what it does then */
    int timeout_ms;
};

/* Gives it to the nodes that the context selects, prints the outcome and returns an exit
 * status. */
int order_give(const struct cmd_options *options, const struct context *context,
               const struct order *order);

/* The operands of commands that a forgotten word must not turn on everybody: either one set of
 * nodes, into *nodes, or --all. 0 or an exit status. */
struct cli_scan;
int order_take_nodes(struct cli_scan *scan, bool is_all, const char **nodes);

#endif
