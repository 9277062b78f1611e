/* SPDX-License-Identifier: MIT */
/* What blocks (SSH) for many nodes at once: a few threads, so that one slow node delays nobody.
 */
#ifndef HERD_EACH_NODE_H
#define HERD_EACH_NODE_H

#include "herd/context.h"

#include <stddef.h>

/* Calls work(arg, i) once for every node that is selected, from up to 32 threads, and returns
 * when all are through. What belongs to node i is touched by one thread alone. */
void each_node(const struct context *context, void (*work)(void *arg, size_t i), void *arg);

#endif
