/* SPDX-License-Identifier: MIT */
/* Inside of herd's start protocol: what start.c (words of nodes) and start_phase.c (what time
 * and the words so far make of them) share. */
#ifndef HERD_START_PARTS_H
#define HERD_START_PARTS_H

#include "herd/start.h"

void start_act(struct start *start, enum start_action_kind kind, size_t i,
               enum proto_verb verb);
void start_enter(struct start *start, enum start_phase phase);

void start_explain(struct start_node *node, enum err_code code, const char *why);
/* Without a GO nothing starts: that proof needs no word of the node. */
void start_leave(struct start_node *node, enum err_code code, const char *why);
void start_prove_not_started(struct start_node *node, enum err_code code, const char *why);
void start_prove_started(struct start_node *node);

void start_cancel(struct start *start, enum err_code code, const char *why);
/* T is agreed with the driver: ARM to all. */
void start_arm_all(struct start *start);
/* What is due in the present phase. */
void start_advance(struct start *start, int64_t utc_ns);

#endif
