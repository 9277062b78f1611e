/* SPDX-License-Identifier: MIT */
#include "sheep/agent_state.h"

#include <stdio.h>

static void fill(const struct agent *agent, struct body_live *body)
{
    const struct node_experiment *node = &agent->node;

    snprintf(body->node, sizeof(body->node), "%s", agent->config->name);
    snprintf(body->state, sizeof(body->state), "%s", node_state_name(node->state));
    body->utc_ns = clock_utc(&agent->clock);
    body->disk_free_bytes = store_free_bytes(&agent->store);
    body->ring_fill_max = agent->page.ring_fill_max_percent;
    body->queue_fill_max = agent->page.queue_fill_max_percent;
    if (node->state != NODE_IDLE) {
        snprintf(body->experiment_name, sizeof(body->experiment_name), "%s",
                 agent->journal.experiment_name);
        body->experiment = node->experiment;
        body->T_ns = agent->page.experiment == node->experiment ? agent->page.T_ns : 0;
        body->n_samples = agent_samples(agent);
        snprintf(body->fault, sizeof(body->fault), "%s",
                 agent->page.experiment == node->experiment ? agent->page.fault : "");
    }
}

void agent_keep_live(struct agent *agent)
{
    struct body_live body = { 0 };
    bool is_recording = agent->node.state == NODE_RUNNING
                        && agent->page.experiment == agent->node.experiment
                        && agent->page.is_ended == 0;

    if (agent->live == NULL || !live_is_heard(agent->live)) {
        return;
    }
    fill(agent, &body);
    live_say(agent->live, &body, is_recording ? agent->page.log_folder : NULL,
             &agent->page.durable);
}
