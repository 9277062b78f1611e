/* SPDX-License-Identifier: MIT */
/* Inside of the node's start protocol: what experiment.c (who may speak), experiment_table.c
 * (what is done) and experiment_step.c (how it is said) share. */
#ifndef SHEEP_EXPERIMENT_STEP_H
#define SHEEP_EXPERIMENT_STEP_H

#include "sheep/experiment.h"

struct node_step {
    struct node_experiment *node;
    const struct node_event *event;
    struct node_actions *actions;
};

/* Runs the table's answer to the event in the node's state. */
void node_step_handle(struct node_step *step);

/* Appends an action; the arm and the preparation are those of the node. */
struct node_action *node_step_act(struct node_step *step, enum node_action_kind kind);
void node_step_refuse(struct node_step *step, enum err_code code, const char *why);

/* Answers and tells; both are filled in by the caller. */
struct node_action *node_step_answer(struct node_step *step, enum proto_verb verb);
struct node_action *node_step_tell(struct node_step *step, enum proto_verb verb);

/* Arm n, and with it all before, is over for good. */
void node_step_stand_down(struct node_step *step, enum node_action_kind kind, uint64_t n,
                          const char *why);

/* True until T - guard_ms on the monotonic clock. */
bool node_step_is_before(const struct node_step *step, int64_t guard_ms);

/* UTC is compared with what it was when T was put on the monotonic clock. */
bool node_step_has_clock_stepped(const struct node_step *step);

/* Ends what is prepared or done; the experiment stays known, for repeats. */
void node_step_go_idle(struct node_step *step);

#endif
