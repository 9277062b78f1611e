/* SPDX-License-Identifier: MIT */
/* Herd in the world: the real protocol, with a journal that survives it. */
#include "start_world.h"

#include "start_trace.h"

#include <string.h>

enum {
    LOST_S = 10
};

static void tell(struct world *world, size_t i, enum proto_verb verb, int64_t T_ns, uint64_t n)
{
    static const enum node_event_kind KINDS[N_VERBS] = {
        [VERB_PREPARE] = NODE_EVENT_PREPARE, [VERB_ARM] = NODE_EVENT_ARM,
        [VERB_GO] = NODE_EVENT_GO,           [VERB_CANCEL] = NODE_EVENT_CANCEL,
        [VERB_STOP] = NODE_EVENT_STOP,       [VERB_PING] = NODE_EVENT_BEAT,
        [VERB_RELEASE] = NODE_EVENT_RELEASE, [VERB_HELLO] = NODE_EVENT_TAKE_OVER,
    };
    struct herd_machine *herd = &world->herd;
    struct item item = { .kind = ITEM_TO_NODE, .i = i };

    item.as.message.verb = verb;
    item.as.message.event.kind = KINDS[verb];
    item.as.message.event.controller = herd->controller;
    item.as.message.event.boot_id = herd->boot_seen[i];
    item.as.message.event.T_ns = T_ns;
    item.as.message.event.n = n;
    item.as.message.event.sample = UINT64_MAX;
    item.as.message.event.is_match = world_chance(world, 0.9);
    item.as.message.event.takes_over = verb == VERB_HELLO;
    if (verb == VERB_PING) {
        item.as.message.event.seen = herd->is_done[i]                  ? NODE_DONE
                                     : herd->start.nodes[i].is_started ? NODE_RUNNING
                                                                       : NODE_IDLE;
    }
    world_send(world, &item);
}

static void note_words(struct world *world)
{
    for (size_t i = 0; i < world->n_nodes; i++) {
        enum start_word word = world->herd.start.nodes[i].word;

        world->said_not_started[i] |= word == START_WORD_NOT_STARTED;
        world->said_started[i] |= word == START_WORD_STARTED;
        if (word == START_WORD_NOT_STARTED && world->machines[i].n_starts > 0) {
            world_break(world, "herd says that node %zu did not start, and it did", i);
        }
        if (word == START_WORD_STARTED && world->machines[i].n_starts == 0) {
            world_break(world, "herd says that node %zu started, and it did not", i);
        }
    }
}

static void step(struct world *world, struct start_event *event);

static void journal_go(struct world *world, const struct start_action *action)
{
    struct herd_machine *herd = &world->herd;

    if (action->n < WORLD_MAX_ARM) {
        world->go_decided[action->n] = true;
        world->go_decided_T_ns[action->n] = action->T_ns;
    }
    trace_go(world, action->n);
    if (world->breach == BREACH_JOURNAL) {
        return;
    }
    herd->is_go_journalled = true;
    herd->go_T_ns = action->T_ns;
    herd->go_n = action->n;
    for (size_t i = 0; i < world->n_nodes; i++) {
        herd->was_told[i] = !herd->start.nodes[i].is_out;
    }
}

static void choose(struct world *world)
{
    struct start_event event = { .kind = START_EVENT_T_OK };

    step(world, &event);
}

static void step(struct world *world, struct start_event *event)
{
    struct herd_machine *herd = &world->herd;
    struct start *start = &herd->start;
    struct start_action actions[WORLD_MAX_NODES * 4 + 8];
    size_t n_actions = 0;

    event->mono_ns = world->now_ns;
    event->utc_ns = world->now_ns;
    start_step(start, event);
    n_actions = start->n_actions;
    memcpy(actions, start->actions, n_actions * sizeof(*actions));
    for (size_t k = 0; k < n_actions; k++) {
        const struct start_action *action = &actions[k];

        switch (action->kind) {
        case START_ACT_TELL:
            tell(world, action->i, action->verb, action->T_ns, action->n);
            if (world->breach == BREACH_GO_UNASKED && action->verb == VERB_ARM) {
                tell(world, action->i, VERB_GO, action->T_ns, action->n);
            }
            break;
        case START_ACT_ASK_STATE:
            tell(world, action->i, VERB_STATUS, 0, 0);
            break;
        case START_ACT_CHOOSE:
            choose(world);
            break;
        case START_ACT_JOURNAL_GO:
            world_note(world, "herd decides GO %llu", (unsigned long long)action->n);
            journal_go(world, action);
            break;
        case START_ACT_JOURNAL_CANCEL:
            herd->is_cancel_journalled = true;
            break;
        case START_ACT_JOURNAL_ARM:
            break;
        }
    }
    note_words(world);
}

static void init(struct world *world)
{
    struct herd_machine *herd = &world->herd;
    struct start_config config = {
        .n_nodes = world->n_nodes,
        .align_ns = NS_PER_S / 10,
        .if_incomplete = world_chance(world, 0.5) ? INCOMPLETE_ABORT : INCOMPLETE_CONTINUE,
        .prepare_timeout_ns = 20 * NS_PER_S,
        .network = {.largest_offset_ns = 50 * NS_PER_MS,
                    .largest_bound_ns = 10 * NS_PER_MS,
                    .worst_trip_ns = world->delay_max_ns},
    };
    bool is_required[WORLD_MAX_NODES];
    struct err err = { 0 };

    for (size_t i = 0; i < world->n_nodes; i++) {
        is_required[i] = world_chance(world, 0.8);
        herd->boot_seen[i] = world->machines[i].node.boot_id;
        herd->heard_ns[i] = world->now_ns;
        herd->is_done[i] = false;
    }
    start_fini(&herd->start);
    if (start_init(&herd->start, &config, is_required, &err) < 0) {
        world_break(world, "%s", err.text);
    }
    herd->is_alive = true;
    herd->life++;
    herd->controller++;
}

void herd_begin(struct world *world)
{
    struct start_event event = { .kind = START_EVENT_TIME };

    init(world);
    start_begin(&world->herd.start, world->now_ns);
    /* What begin wants to be done is asked for again by time. */
    for (size_t i = 0; i < world->n_nodes; i++) {
        world->herd.start.nodes[i].again_ns = 0;
    }
    step(world, &event);
}

void herd_die(struct world *world)
{
    world_note(world, "herd dies");
    world->herd.is_alive = false;
    world->herd.life++;
}

/* Replay of the journal; without a GO in it nobody started. */
void herd_attach(struct world *world)
{
    struct herd_machine *herd = &world->herd;
    struct start_event event = { .kind = START_EVENT_ABORT,
                                 .code = ERR_INTERRUPTED,
                                 .why = "attached without a GO" };

    world_note(world, "herd attaches");
    init(world);
    for (size_t i = 0; i < world->n_nodes && world_chance(world, 0.5); i++) {
        tell(world, i, VERB_HELLO, 0, 0);
    }
    if (herd->is_go_journalled) {
        start_resume(&herd->start, herd->go_T_ns, herd->go_n, herd->was_told,
                     herd->is_cancel_journalled);
        note_words(world);
        return;
    }
    for (size_t i = 0; i < world->n_nodes; i++) {
        herd->start.nodes[i].is_asked = true;
    }
    step(world, &event);
}

static bool hear_boot(struct world *world, const struct item *item)
{
    struct herd_machine *herd = &world->herd;
    struct start_event event = { .kind = START_EVENT_REBOOTED, .i = item->i };

    if (item->as.word.boot_id < herd->boot_seen[item->i]) {
        return false;
    }
    herd->heard_ns[item->i] = world->now_ns;
    if (item->as.word.boot_id > herd->boot_seen[item->i]) {
        herd->boot_seen[item->i] = item->as.word.boot_id;
        step(world, &event);
    }
    return true;
}

void herd_hear(struct world *world, const struct item *item)
{
    static const enum start_event_kind KINDS[N_VERBS] = {
        [VERB_READY] = START_EVENT_READY,           [VERB_REFUSED] = START_EVENT_REFUSED,
        [VERB_ARMED] = START_EVENT_ARMED,           [VERB_GOING] = START_EVENT_GOING,
        [VERB_STOOD_DOWN] = START_EVENT_STOOD_DOWN, [VERB_CANCELLED] = START_EVENT_CANCELLED,
        [VERB_STOPPING] = START_EVENT_STOPPING,     [VERB_STARTED] = START_EVENT_STARTED,
        [VERB_ENDED] = START_EVENT_ENDED,           [VERB_STATE] = START_EVENT_STATE,
    };
    struct start_event event = {
        .kind = KINDS[item->as.word.verb],
        .i = item->i,
        .verb = item->as.word.asked,
        .T_ns = item->as.word.T_ns,
        .n = item->as.word.n,
        .promise_ns = item->as.word.promise_ns,
        .n_samples = item->as.word.n_samples,
        .is_here = item->as.word.is_here,
        .is_going = item->as.word.is_going,
        .is_started = item->as.word.is_started,
        .code = item->as.word.code,
        .why = "its own word",
    };

    if (!world->herd.is_alive || !hear_boot(world, item) || item->as.word.verb == VERB_PONG) {
        return;
    }
    world->herd.is_done[item->i] |= item->as.word.verb == VERB_ENDED;
    step(world, &event);
}

void herd_tick(struct world *world)
{
    struct herd_machine *herd = &world->herd;
    struct start_event event = { .kind = START_EVENT_TIME };

    if (herd->is_alive && herd->paused_until_ns <= world->now_ns) {
        step(world, &event);
    }
}

/* Once a second: heartbeats, who is lost, and questions about what is unknown. */
void herd_beat(struct world *world)
{
    struct herd_machine *herd = &world->herd;

    if (!herd->is_alive || herd->paused_until_ns > world->now_ns) {
        return;
    }
    for (size_t i = 0; i < world->n_nodes; i++) {
        const struct start_node *node = &herd->start.nodes[i];
        struct start_event gone = { .kind = START_EVENT_GONE, .i = i, .why = "lost" };

        tell(world, i, VERB_PING, 0, 0);
        if (herd->start.phase == START_COMMITTED && world_chance(world, 0.03)) {
            tell(world, i, VERB_STOP, 0, 0);
        }
        if (herd->is_done[i] && world_chance(world, 0.1)) {
            tell(world, i, VERB_RELEASE, 0, 0);
        }
        if (herd->start.phase >= START_COMMITTED
            && (node->word == START_WORD_UNKNOWN || node->word == START_WORD_OPEN)) {
            tell(world, i, VERB_STATUS, 0, 0);
        }
        if (world->now_ns - herd->heard_ns[i] > LOST_S * NS_PER_S) {
            step(world, &gone);
        }
    }
}
