/* SPDX-License-Identifier: MIT */
/* Inside of the node's start protocol: what experiment.c (who may speak) and experiment_table.c
 * (what is done) share. */
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

/* Ends what is prepared or done; the experiment stays known, for repeats. */
void node_step_go_idle(struct node_step *step);

#endif
