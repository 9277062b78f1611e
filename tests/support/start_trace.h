/* SPDX-License-Identifier: MIT */
/* What the simulated nodes and herd did, in the letters that tests/model/accept.pml reads: each
 * value is a character from '0' on. */
#ifndef TESTS_START_TRACE_H
#define TESTS_START_TRACE_H

#include "start_world.h"

/* All do nothing unless world->trace is set. */
void trace_begin(const struct world *world);
/* A step of node i: `before` is what it was. */
void trace_step(const struct world *world, size_t i, const struct node_experiment *before,
                const struct node_event *event, const struct node_actions *actions);
void trace_reboot(const struct world *world, size_t i);
void trace_sample_0(const struct world *world, size_t i, uint64_t n);
void trace_go(const struct world *world, uint64_t n);

#endif
