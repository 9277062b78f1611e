/* SPDX-License-Identifier: MIT */
#include "sheep/experiment.h"

#include "common/clock.h"
#include "sheep/experiment_step.h"

#include <assert.h>
#include <string.h>

/* ---- who may speak ---- */

static bool is_owner_gone(const struct node_experiment *node, int64_t mono_ns)
{
    return mono_ns - node->heard_mono_ns > NODE_LOST_MS * NS_PER_MS;
}

bool node_experiment_is_busy(const struct node_experiment *node, int64_t mono_ns)
{
    if (node->state == NODE_DONE) {
        return !node->is_ended_known && !is_owner_gone(node, mono_ns);
    }
    return node->state != NODE_IDLE;
}

static bool is_same_user(const struct node_step *step)
{
    return step->event->user == step->node->user || step->event->takes_over;
}

/* A heartbeat that does not count is no message to refuse: its PONG says all. */
static void refuse_message(struct node_step *step, enum err_code code, const char *why)
{
    if (step->event->kind != NODE_EVENT_BEAT) {
        node_step_refuse(step, code, why);
    }
}

static bool admit_new(struct node_step *step)
{
    const struct node_experiment *node = step->node;

    if (step->event->kind != NODE_EVENT_PREPARE) {
        refuse_message(step, ERR_NOT_FOUND, "that experiment is not here");
        return false;
    }
    if (!node_experiment_is_busy(node, step->event->mono_ns)
        || (node->state == NODE_DONE && is_same_user(step))) {
        return true;
    }
    if (step->event->takes_over && step->event->controller >= node->controller
        && node->state <= NODE_ARMED) {
        node_step_act(step, NODE_ACT_CANCEL);
        node_step_go_idle(step);
        return true;
    }
    node_step_refuse(step, ERR_STATE, "in use");
    return false;
}

static void adopt_owner(struct node_step *step)
{
    struct node_experiment *node = step->node;

    node->controller = step->event->controller;
    node->user = step->event->user;
    node->heard_mono_ns = step->event->mono_ns;
    node->lease_mono_ns = step->event->mono_ns + NODE_LEASE_MS * NS_PER_MS;
}

/* Its token may name an experiment of its own, yet to come. */
static bool admit_take_over(struct node_step *step)
{
    if (step->node->state == NODE_IDLE || !step->event->takes_over) {
        return false;
    }
    if (step->event->controller <= step->node->controller) {
        node_step_refuse(step, ERR_DENIED, "a newer controller has taken over");
        return false;
    }
    adopt_owner(step);
    return true;
}

/* Whether the message changes anything; if it may, its sender is the owner from now on. */
static bool admit(struct node_step *step)
{
    struct node_experiment *node = step->node;
    const struct node_event *event = step->event;

    if (event->boot_id != node->boot_id) {
        refuse_message(step, ERR_STATE, "the node was restarted since");
        return false;
    }
    if (event->kind == NODE_EVENT_TAKE_OVER) {
        return admit_take_over(step);
    }
    if (event->experiment != node->experiment) {
        return admit_new(step);
    }
    if (event->controller < node->controller) {
        refuse_message(step, ERR_DENIED, "a newer controller has taken over");
        return false;
    }
    if (event->user != node->user && !event->takes_over) {
        refuse_message(step, ERR_DENIED, "another user's experiment");
        return false;
    }
    adopt_owner(step);
    return true;
}

void node_experiment_step(struct node_experiment *node, const struct node_event *event,
                          struct node_actions *actions)
{
    struct node_event due = { .kind = NODE_EVENT_TIME,
                              .mono_ns = event->mono_ns,
                              .utc_ns = event->utc_ns };
    struct node_step first = { node, &due, actions };
    struct node_step step = { node, event, actions };

    assert((int)event->kind >= 0 && event->kind < N_NODE_EVENTS);
    actions->count = 0;
    /* A deadline that has passed is dealt with before whatever came late. */
    if (event->kind != NODE_EVENT_TIME && event->mono_ns >= node_experiment_deadline_ns(node)) {
        node_step_handle(&first);
    }
    if ((int)event->kind >= N_NODE_MESSAGES || admit(&step)) {
        node_step_handle(&step);
    }
}

/* ---- the rest ---- */

void node_experiment_init(struct node_experiment *node, uint64_t boot_id)
{
    memset(node, 0, sizeof(*node));
    node->boot_id = boot_id;
}

void node_experiment_restore(struct node_experiment *node, const struct node_restore *from)
{
    node->state = from->state;
    node->experiment = from->experiment;
    node->controller = from->controller;
    node->user = from->user;
    node->T_ns = from->T_ns;
    node->T_mono_ns = from->mono_ns + (from->T_ns - from->utc_ns);
    node->armed_offset_ns = from->utc_ns - from->mono_ns;
    node->n = from->n;
    node->n_down = from->n > 0 ? from->n - 1 : 0;
    node->n_samples = from->n_samples;
    node->is_started = from->is_started;
    node->heard_mono_ns = from->mono_ns;
}

int64_t node_experiment_deadline_ns(const struct node_experiment *node)
{
    int64_t guard_ns = node->T_mono_ns - NODE_GO_GUARD_MS * NS_PER_MS;

    switch (node->state) {
    case NODE_PREPARING:
    case NODE_PREPARED:
        return node->lease_mono_ns;
    case NODE_ARMED:
        return guard_ns < node->lease_mono_ns ? guard_ns : node->lease_mono_ns;
    case NODE_IDLE:
    case NODE_STARTING:
    case NODE_GOING:
    case NODE_CANCELLING:
    case NODE_RUNNING:
    case NODE_RECOVERING:
    case NODE_DONE:
    case N_NODE_STATES:
        break;
    }
    return INT64_MAX;
}

static const char *const STATE_NAMES[N_NODE_STATES] = {
    [NODE_IDLE] = "idle",        [NODE_PREPARING] = "preparing", [NODE_PREPARED] = "prepared",
    [NODE_ARMED] = "armed",      [NODE_STARTING] = "going",      [NODE_GOING] = "going",
    [NODE_CANCELLING] = "going", [NODE_RUNNING] = "running",     [NODE_RECOVERING] = "running",
    [NODE_DONE] = "done",
};

const char *node_state_name(enum node_state state)
{
    return STATE_NAMES[state];
}

enum node_state node_state_of(const char *name)
{
    static const enum node_state KNOWN[] = { NODE_PREPARED, NODE_ARMED, NODE_GOING,
                                             NODE_RUNNING, NODE_DONE };

    for (size_t i = 0; i < ARRAY_LEN(KNOWN); i++) {
        if (strcmp(STATE_NAMES[KNOWN[i]], name) == 0) {
            return KNOWN[i];
        }
    }
    return NODE_IDLE;
}
