/* SPDX-License-Identifier: MIT */
#include "start_trace.h"

enum {
    STATE_IDLE,
    STATE_PREPARED,
    STATE_ARMED,
    STATE_GOING,
    STATE_RUNNING,
};

enum {
    DECISION_MS = 250,
};

static void put(const struct world *world, uint64_t value)
{
    fputc('0' + (int)(value < 70 ? value : 70), world->trace);
}

/* The model's state. What the recorder has not answered yet counts as answered, and what ended
 * as running: it does not begin again. */
static unsigned state_of(const struct machine *machine, const struct node_experiment *node)
{
    bool has_run = machine->n_starts > 0;

    switch (node->state) {
    case NODE_IDLE:
        return has_run && node->is_started ? STATE_RUNNING : STATE_IDLE;
    case NODE_PREPARING:
    case NODE_PREPARED:
        return STATE_PREPARED;
    case NODE_ARMED:
        return STATE_ARMED;
    case NODE_STARTING:
    case NODE_GOING:
    case NODE_CANCELLING:
        return has_run ? STATE_RUNNING : STATE_GOING;
    case NODE_RUNNING:
    case NODE_RECOVERING:
    case NODE_DONE:
    case N_NODE_STATES:
        break;
    }
    return STATE_RUNNING;
}

/* Of the arm that the node holds, by its monotonic clock. */
static unsigned own_phase(const struct node_experiment *node, int64_t mono_ns)
{
    static const int64_t GUARDS_MS[] = { NODE_GO_GUARD_MS, DECISION_MS, NODE_CANCEL_GUARD_MS };
    unsigned phase = 0;

    while (phase < ARRAY_LEN(GUARDS_MS)
           && mono_ns >= node->T_mono_ns - GUARDS_MS[phase] * NS_PER_MS) {
        phase++;
    }
    return phase;
}

static unsigned phase_of(const struct node_experiment *before, const struct node_event *event)
{
    int64_t ahead_ns = event->T_ns - event->utc_ns;

    if (event->kind != NODE_EVENT_ARM) {
        return own_phase(before, event->mono_ns);
    }
    return event->T_ns >= before->promise_ns && ahead_ns > NODE_GO_GUARD_MS * NS_PER_MS ? 0 : 1;
}

static const struct node_action *find_word(const struct node_actions *actions, unsigned *word)
{
    static const enum proto_verb WORDS[] = { VERB_READY, VERB_ARMED, VERB_GOING,
                                             VERB_STOOD_DOWN, VERB_CANCELLED };

    *word = 0;
    for (size_t k = 0; k < actions->count; k++) {
        const struct node_action *action = &actions->list[k];

        for (unsigned w = 0; w < ARRAY_LEN(WORDS); w++) {
            if ((action->kind == NODE_ACT_ANSWER || action->kind == NODE_ACT_TELL)
                && action->verb == WORDS[w]) {
                *word = w + 1;
                return action;
            }
        }
    }
    return NULL;
}

static void put_message(const struct world *world, size_t i,
                        const struct node_experiment *before, const struct node_event *event,
                        const struct node_actions *actions)
{
    static const unsigned VERBS[N_NODE_MESSAGES] = {
        [NODE_EVENT_PREPARE] = 0, [NODE_EVENT_ARM] = 1,  [NODE_EVENT_GO] = 2,
        [NODE_EVENT_CANCEL] = 3,  [NODE_EVENT_BEAT] = 4,
    };
    const struct machine *machine = &world->machines[i];
    unsigned word = 0;
    const struct node_action *said = find_word(actions, &word);
    uint64_t n = event->n > 0 ? event->n - 1 : 0;

    fputc('M', world->trace);
    put(world, i);
    put(world, VERBS[event->kind]);
    put(world, n);
    put(world, event->controller);
    put(world, event->boot_id == before->boot_id ? 1 : 0);
    put(world, phase_of(before, event));
    put(world, own_phase(before, event->mono_ns));
    put(world, event->kind == NODE_EVENT_GO && word == 4 ? 1 : 0);
    put(world, state_of(machine, &machine->node));
    put(world, machine->node.n > 0 ? machine->node.n - 1 : 0);
    put(world, word);
    put(world, said != NULL && said->n > 0 ? said->n - 1 : 0);
}

/* What the model has as a message: everything that changes what the node does next. */
static bool is_of_model(const struct node_experiment *before, const struct node_event *event)
{
    bool has_arm = event->kind == NODE_EVENT_ARM || event->kind == NODE_EVENT_GO;

    return (has_arm || event->kind == NODE_EVENT_PREPARE || event->kind == NODE_EVENT_CANCEL
            || event->kind == NODE_EVENT_BEAT)
           && !(has_arm && event->n == 0) /* garbled; there is no such arm */
           && before->state != NODE_CANCELLING
           && !(before->state == NODE_PREPARING && event->kind == NODE_EVENT_ARM);
}

void trace_begin(const struct world *world)
{
    if (world->trace != NULL) {
        fputs("=\n", world->trace);
    }
}

void trace_step(const struct world *world, size_t i, const struct node_experiment *before,
                const struct node_event *event, const struct node_actions *actions)
{
    const struct machine *machine = &world->machines[i];
    bool is_message = (int)event->kind < N_NODE_MESSAGES;

    if (world->trace == NULL) {
        return;
    }
    if (is_message && is_of_model(before, event)
        && !(event->kind == NODE_EVENT_CANCEL && machine->node.state == NODE_CANCELLING)) {
        put_message(world, i, before, event, actions);
        fputc('\n', world->trace);
        return;
    }
    if (is_message && machine->node.controller != before->controller) {
        fputc('O', world->trace);
        put(world, i);
        put(world, machine->node.controller);
        fputc('\n', world->trace);
    }
    if (state_of(machine, &machine->node) != state_of(machine, before)) {
        fputc('X', world->trace);
        put(world, i);
        put(world, state_of(machine, &machine->node));
        fputc('\n', world->trace);
    }
}

void trace_reboot(const struct world *world, size_t i)
{
    const struct machine *machine = &world->machines[i];

    if (world->trace != NULL) {
        fputc('B', world->trace);
        put(world, i);
        put(world, state_of(machine, &machine->node));
        put(world, machine->node.n > 0 ? machine->node.n - 1 : 0);
        put(world, machine->node.controller);
        fputc('\n', world->trace);
    }
}

void trace_sample_0(const struct world *world, size_t i, uint64_t n)
{
    if (world->trace != NULL) {
        fputc('S', world->trace);
        put(world, i);
        put(world, n - 1);
        fputc('\n', world->trace);
    }
}

void trace_go(const struct world *world, uint64_t n)
{
    if (world->trace != NULL) {
        fputc('G', world->trace);
        put(world, n - 1);
        for (size_t i = 0; i < WORLD_MAX_NODES; i++) {
            put(world, i < world->n_nodes && !world->herd.start.nodes[i].is_out ? 1 : 0);
        }
        fputc('\n', world->trace);
    }
}
