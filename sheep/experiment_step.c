/* SPDX-License-Identifier: MIT */
#include "sheep/experiment_step.h"

#include "common/clock.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

struct node_action *node_step_act(struct node_step *step, enum node_action_kind kind)
{
    struct node_action *action = NULL;

    assert(step->actions->count < NODE_MAX_ACTIONS);
    action = &step->actions->list[step->actions->count++];
    memset(action, 0, sizeof(*action));
    action->kind = kind;
    action->T_ns = step->node->T_ns;
    action->n = step->node->n;
    action->preparation = step->node->preparation;
    return action;
}

struct node_action *node_step_answer(struct node_step *step, enum proto_verb verb)
{
    struct node_action *action = node_step_act(step, NODE_ACT_ANSWER);

    action->verb = verb;
    return action;
}

struct node_action *node_step_tell(struct node_step *step, enum proto_verb verb)
{
    struct node_action *action = node_step_act(step, NODE_ACT_TELL);

    action->verb = verb;
    return action;
}

static void explain(struct node_action *action, const char *why)
{
    snprintf(action->why, sizeof(action->why), "%s", why == NULL ? "" : why);
}

void node_step_refuse(struct node_step *step, enum err_code code, const char *why)
{
    struct node_action *action = node_step_answer(step, VERB_REFUSED);

    action->code = code;
    explain(action, why);
}

void node_step_go_idle(struct node_step *step)
{
    struct node_experiment *node = step->node;

    node->state = NODE_IDLE;
    node->is_over = true;
    node->lease_mono_ns = 0;
    if (node->n > node->n_down) {
        node->n_down = node->n;
    }
}

/* Arm n, and with it all before, is over for good. */
void node_step_stand_down(struct node_step *step, enum node_action_kind kind, uint64_t n,
                          const char *why)
{
    struct node_experiment *node = step->node;
    struct node_action *action = node_step_act(step, kind);

    action->verb = VERB_STOOD_DOWN;
    action->n = n;
    if (step->event->kind == NODE_EVENT_GO || step->event->kind == NODE_EVENT_ARM) {
        action->T_ns = step->event->T_ns;
    }
    explain(action, why);
    if (n > node->n_down) {
        node->n_down = n;
    }
}

bool node_step_is_before(const struct node_step *step, int64_t guard_ms)
{
    return step->event->mono_ns < step->node->T_mono_ns - guard_ms * NS_PER_MS;
}

/* UTC is compared with what it was when T was put on the monotonic clock. */
bool node_step_has_clock_stepped(const struct node_step *step)
{
    int64_t offset = step->event->utc_ns - step->event->mono_ns;
    int64_t stepped = offset - step->node->armed_offset_ns;

    return stepped > NODE_CLOCK_STEP_MS * NS_PER_MS
           || stepped < -NODE_CLOCK_STEP_MS * NS_PER_MS;
}
