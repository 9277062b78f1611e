/* SPDX-License-Identifier: MIT */
/* A node in the world: the real protocol, and a recorder that obeys it. */
#include "start_world.h"

#include "start_trace.h"

static const uint64_t EXPERIMENT = 4711;
static const uint64_t USER = 1;

int64_t machine_mono(const struct world *world, const struct machine *machine)
{
    return world->now_ns + machine->mono_zero_ns;
}

int64_t machine_utc(const struct world *world, const struct machine *machine)
{
    return world->now_ns + machine->utc_offset_ns;
}

/* Up to 50 ms, or what is asked for. */
static int64_t draw_clock_error(struct world *world)
{
    int64_t error_us = (int64_t)world_random(world, 100001) - 50000;

    return world->starts != NULL ? error_us * world->starts->clock_error_ns / 50000
                                 : error_us * NS_PER_US;
}

void machine_init(struct world *world, size_t i)
{
    struct machine *machine = &world->machines[i];

    machine->life = 1;
    machine->recorder_life = 1;
    machine->mono_zero_ns = (int64_t)world_random(world, 1000000) * NS_PER_MS;
    machine->utc_offset_ns = draw_clock_error(world);
    machine->disk_ns = NS_PER_MS;
    node_experiment_init(&machine->node, 100 * (i + 1) + machine->life);
}

/* ---- the recorder ---- */

static void report(struct world *world, size_t i, const struct node_event *event)
{
    struct item item = { .kind = ITEM_REPORT, .i = i, .life = world->machines[i].life };

    item.as.report = *event;
    world_put(world, &item, (int64_t)world_random(world, 5) * NS_PER_MS);
}

static void ask_recorder(struct world *world, size_t i, enum recorder_word word,
                         int64_t delay_ns)
{
    struct machine *machine = &world->machines[i];
    struct item item = { .kind = ITEM_RECORDER, .i = i, .life = machine->recorder_life };

    item.as.request.word = word;
    item.as.request.preparation = machine->node.preparation;
    item.as.request.T_ns = machine->node.T_ns;
    item.as.request.n = machine->node.n;
    delay_ns += (int64_t)world_random(world, 1 + (uint64_t)machine->disk_ns);
    /* One after the other, in their order. */
    if (machine->recorder_busy_ns < world->now_ns + delay_ns) {
        machine->recorder_busy_ns = world->now_ns + delay_ns;
    }
    world_put(world, &item, machine->recorder_busy_ns - world->now_ns);
}

static void recorder_prepare(struct world *world, const struct item *item)
{
    struct machine *machine = &world->machines[item->i];
    struct node_event event = { .kind = NODE_EVENT_PREPARED,
                                .preparation = item->as.request.preparation };

    if (machine->is_running || machine->has_T || world_chance(world, 0.03)) {
        event.kind = NODE_EVENT_PREPARE_FAILED;
        event.code = ERR_HARDWARE;
    } else {
        machine->is_prepared = true;
        machine->prepared_as = event.preparation;
        machine->is_ended = false;
        event.promise_ns = machine_utc(world, machine) + 300 * NS_PER_MS;
    }
    report(world, item->i, &event);
}

static void recorder_start(struct world *world, const struct item *item)
{
    struct machine *machine = &world->machines[item->i];
    struct node_event event = { .kind = NODE_EVENT_START_CONFIRMED };
    int64_t T_ns = item->as.request.T_ns;
    struct item sample = { .kind = ITEM_SAMPLE_0,
                           .i = item->i,
                           .life = machine->recorder_life };
    int64_t ahead_ns = 0;

    /* The agent sends START only while it still wants it, see journal_done of the agent. */
    if (machine->node.state != NODE_STARTING || machine->node.n != item->as.request.n) {
        return;
    }
    if (world->breach == BREACH_OFFSET) {
        T_ns += machine->utc_offset_ns;
    }
    ahead_ns = T_ns - machine_utc(world, machine);
    if (!machine->is_prepared || ahead_ns < 20 * NS_PER_MS || world_chance(world, 0.02)) {
        event.kind = world->breach == BREACH_SILENT_START ? NODE_EVENT_START_CONFIRMED
                                                          : NODE_EVENT_START_FAILED;
        report(world, item->i, &event);
        return;
    }
    machine->has_T = true;
    machine->T_told_ns = item->as.request.T_ns;
    machine->stepped_since_start_ns = 0;
    sample.as.request.n = item->as.request.n;
    sample.as.request.preparation = machine->prepared_as;
    world_put(world, &sample, ahead_ns);
    report(world, item->i, &event);
}

static void recorder_cancel(struct world *world, const struct item *item)
{
    struct machine *machine = &world->machines[item->i];
    struct node_event event = { .kind = NODE_EVENT_CANCEL_CONFIRMED };

    if (machine->is_running) {
        event.kind = NODE_EVENT_CANCEL_FAILED;
    } else {
        machine->is_prepared = false;
        machine->has_T = false;
    }
    report(world, item->i, &event);
}

static void end_recording(struct world *world, size_t i)
{
    struct machine *machine = &world->machines[i];
    struct node_event event = { .kind = NODE_EVENT_ENDED, .n_samples = 1000 };

    machine->is_running = false;
    machine->is_prepared = false;
    machine->has_T = false;
    machine->is_ended = true;
    machine->is_logged = world->breach != BREACH_RECORD;
    report(world, i, &event);
}

void machine_recorder(struct world *world, const struct item *item)
{
    if (item->life != world->machines[item->i].recorder_life) {
        return;
    }
    switch (item->as.request.word) {
    case WORD_PREPARE:
        recorder_prepare(world, item);
        break;
    case WORD_START:
        recorder_start(world, item);
        break;
    case WORD_CANCEL:
        recorder_cancel(world, item);
        break;
    case WORD_STOP:
        if (world->machines[item->i].is_running) {
            end_recording(world, item->i);
        }
        break;
    }
}

static void check_start(struct world *world, size_t i, uint64_t n)
{
    struct machine *machine = &world->machines[i];
    int64_t error_ns = machine->started_utc_ns - machine->T_told_ns;

    if (machine->n_starts > 1) {
        world_break(world, "node %zu started twice", i);
    }
    if (n >= WORLD_MAX_ARM || !machine->has_confirmed[n]
        || machine->confirmed_T_ns[n] != machine->T_told_ns) {
        world_break(world, "node %zu started with an arm that it did not confirm", i);
    } else if (!world->go_decided[n] || world->go_decided_T_ns[n] != machine->T_told_ns) {
        world_break(world, "node %zu started without a GO in the journal", i);
    }
    if (error_ns > NS_PER_US || error_ns < -NS_PER_US) {
        world_break(world, "node %zu started %lld us from the T that it confirmed", i,
                    (long long)(error_ns / NS_PER_US));
    }
    if (n < WORLD_MAX_ARM && machine->has_stood_down[n]) {
        world_break(world, "node %zu started after it stood down", i);
    }
}

static void note_start(struct world *world, const struct machine *machine)
{
    struct world_starts *starts = world->starts;
    int64_t error_ns = world->now_ns - machine->T_told_ns;

    if (starts == NULL) {
        return;
    }
    if (machine->has_stepped) {
        starts->n_stepped++;
    } else if (starts->n_errors < starts->capacity) {
        starts->errors_ns[starts->n_errors++] = error_ns < 0 ? -error_ns : error_ns;
    }
}

void machine_sample_0(struct world *world, const struct item *item)
{
    struct machine *machine = &world->machines[item->i];
    struct node_event event = { .kind = NODE_EVENT_STARTED };
    struct item end = { .kind = ITEM_RECORDER, .i = item->i, .life = machine->recorder_life };

    if (item->life != machine->recorder_life || !machine->has_T || !machine->is_prepared
        || item->as.request.preparation != machine->prepared_as) {
        return;
    }
    machine->is_running = true;
    machine->n_starts++;
    machine->started_n = item->as.request.n;
    machine->started_utc_ns = machine_utc(world, machine) - machine->stepped_since_start_ns;
    check_start(world, item->i, item->as.request.n);
    note_start(world, machine);
    trace_sample_0(world, item->i, item->as.request.n);
    world_note(world, "node %zu starts", item->i);
    report(world, item->i, &event);
    end.as.request.word = WORD_STOP;
    world_put(world, &end, 10 * NS_PER_S);
}

/* ---- the agent ---- */

static void answer(struct world *world, size_t i, const struct node_action *action,
                   enum proto_verb asked)
{
    const struct machine *machine = &world->machines[i];
    struct item item = { .kind = ITEM_TO_HERD, .i = i };

    item.as.word.verb = action->verb;
    item.as.word.asked = asked;
    item.as.word.boot_id = machine->node.boot_id;
    item.as.word.T_ns = action->T_ns;
    item.as.word.n = action->n;
    item.as.word.promise_ns = action->promise_ns;
    item.as.word.code = action->code;
    item.as.word.n_samples = machine->node.n_samples;
    world_send(world, &item);
}

static enum proto_verb verb_of(enum node_event_kind kind)
{
    static const enum proto_verb VERBS[N_NODE_MESSAGES] = {
        [NODE_EVENT_PREPARE] = VERB_PREPARE, [NODE_EVENT_ARM] = VERB_ARM,
        [NODE_EVENT_GO] = VERB_GO,           [NODE_EVENT_CANCEL] = VERB_CANCEL,
        [NODE_EVENT_STOP] = VERB_STOP,       [NODE_EVENT_RELEASE] = VERB_RELEASE,
        [NODE_EVENT_BEAT] = VERB_PING,       [NODE_EVENT_TAKE_OVER] = VERB_HELLO,
    };

    return (int)kind < N_NODE_MESSAGES ? VERBS[kind] : VERB_PREPARE;
}

static void note_word(struct world *world, size_t i, const struct node_action *action)
{
    struct machine *machine = &world->machines[i];

    if (action->n >= WORLD_MAX_ARM) {
        return;
    }
    if (action->verb == VERB_ARMED) {
        machine->has_confirmed[action->n] = true;
        machine->confirmed_T_ns[action->n] = action->T_ns;
    }
    if (action->verb == VERB_STOOD_DOWN) {
        machine->has_stood_down[action->n] = true;
    }
}

/* Before the recorder hears of a start, the journal is on the disk. */
static void start_recorder(struct world *world, size_t i)
{
    struct machine *machine = &world->machines[i];
    int64_t late_ns =
        machine_mono(world, machine) - (machine->node.T_mono_ns - NODE_GO_GUARD_MS * NS_PER_MS);

    if (late_ns >= 0) {
        world_break(world, "node %zu accepted a GO behind its guard", i);
    }
    machine->has_journal = true;
    machine->journal = (struct node_restore){
        .experiment = machine->node.experiment,
        .controller = machine->node.controller,
        .user = machine->node.user,
        .T_ns = machine->node.T_ns,
        .n = machine->node.n,
    };
    ask_recorder(world, i, WORD_START, machine->disk_ns);
}

static void perform(struct world *world, size_t i, const struct node_event *event,
                    const struct node_action *action)
{
    struct machine *machine = &world->machines[i];
    struct node_event recovered = { .kind = NODE_EVENT_ENDED };
    struct node_action lie = *action;

    switch (action->kind) {
    case NODE_ACT_ANSWER:
    case NODE_ACT_TELL:
        note_word(world, i, action);
        if (world->breach == BREACH_CANCEL_LIE && event->kind == NODE_EVENT_CANCEL
            && action->verb == VERB_STOPPING) {
            lie.verb = VERB_CANCELLED;
        }
        answer(world, i, &lie, verb_of(event->kind));
        break;
    case NODE_ACT_PREPARE:
        ask_recorder(world, i, WORD_PREPARE, machine->disk_ns);
        break;
    case NODE_ACT_START:
        start_recorder(world, i);
        break;
    case NODE_ACT_CANCEL:
        ask_recorder(world, i, WORD_CANCEL, 0);
        break;
    case NODE_ACT_STOP:
        ask_recorder(world, i, WORD_STOP, 0);
        break;
    case NODE_ACT_RECOVER:
        machine->is_logged = machine->n_starts > 0;
        recovered.n_samples = machine->n_starts > 0 ? 500 : 0;
        report(world, i, &recovered);
        break;
    case NODE_ACT_RELEASE:
        break;
    }
}

/* What an armed node believes to have more time than it has. */
static int64_t lateness(const struct world *world, const struct machine *machine)
{
    return world->breach == BREACH_LATE_GO && machine->node.state == NODE_ARMED
               ? 350 * NS_PER_MS
               : 0;
}

void machine_feed(struct world *world, size_t i, struct node_event *event)
{
    struct machine *machine = &world->machines[i];
    enum node_state before = machine->node.state;
    struct node_experiment was;
    struct node_actions actions;

    event->mono_ns = machine_mono(world, machine) - lateness(world, machine);
    event->utc_ns = machine_utc(world, machine) - lateness(world, machine);
    if (world->breach == BREACH_NOT_FINAL && event->kind == NODE_EVENT_ARM) {
        machine->node.n_down = 0;
    }
    world->pairs[before][event->kind]++;
    was = machine->node;
    node_experiment_step(&machine->node, event, &actions);
    trace_step(world, i, &was, event, &actions);
    for (size_t k = 0; k < actions.count; k++) {
        perform(world, i, event, &actions.list[k]);
    }
    if (machine->node.state == NODE_IDLE && before != NODE_IDLE && before != NODE_DONE) {
        machine->has_journal = false;
    }
    if (world->breach == BREACH_START_ON_ARM && event->kind == NODE_EVENT_ARM
        && machine->node.state == NODE_ARMED) {
        struct node_event go = *event;

        go.kind = NODE_EVENT_GO;
        machine_feed(world, i, &go);
    }
    if (machine->node.state != before) {
        world_note(world, "node %zu: event %d, %s to %s", i, (int)event->kind,
                   node_state_name(before), node_state_name(machine->node.state));
    }
}

static bool may_act(const struct machine *machine, const struct node_event *event)
{
    return event->boot_id == machine->node.boot_id
           && (event->experiment != machine->node.experiment
               || event->controller >= machine->node.controller);
}

static void answer_state(struct world *world, size_t i)
{
    const struct node_experiment *node = &world->machines[i].node;
    struct item item = { .kind = ITEM_TO_HERD, .i = i };

    item.as.word.verb = VERB_STATE;
    item.as.word.boot_id = node->boot_id;
    /* Released, it is still known to have run: from memory, or from the log folder. */
    item.as.word.is_here = (node->state != NODE_IDLE && node->experiment == EXPERIMENT)
                           || world->machines[i].is_logged;
    item.as.word.is_going =
        item.as.word.is_here && (node->state == NODE_GOING || node->state == NODE_RUNNING);
    item.as.word.is_started =
        item.as.word.is_here && (node->is_started || world->machines[i].is_logged);
    world_send(world, &item);
}

static void answer_pong(struct world *world, size_t i)
{
    struct item item = { .kind = ITEM_TO_HERD, .i = i };

    item.as.word.verb = VERB_PONG;
    item.as.word.boot_id = world->machines[i].node.boot_id;
    world_send(world, &item);
}

static bool has_changed(const struct node_experiment *a, const struct node_experiment *b)
{
    return a->state != b->state || a->controller != b->controller || a->user != b->user
           || a->experiment != b->experiment || a->n != b->n || a->n_down != b->n_down
           || a->T_ns != b->T_ns || a->lease_mono_ns != b->lease_mono_ns
           || a->preparation != b->preparation;
}

void machine_message(struct world *world, const struct item *item)
{
    struct machine *machine = &world->machines[item->i];
    struct node_event event = item->as.message.event;
    struct node_experiment before;
    bool is_word_of_owner = false;

    machine_tick(world, item->i);
    before = machine->node;
    if (item->as.message.verb == VERB_STATUS) {
        answer_state(world, item->i);
        return;
    }
    if (item->as.message.verb == VERB_PING) {
        answer_pong(world, item->i);
    }
    event.experiment = EXPERIMENT;
    event.user = USER;
    event.is_clock_good = true;
    is_word_of_owner = may_act(machine, &event);
    if (world->breach == BREACH_OLD_TOKEN && event.controller < machine->node.controller) {
        event.controller = machine->node.controller;
    }
    if (world->breach == BREACH_BOOT_ID) {
        event.boot_id = machine->node.boot_id;
    }
    machine_feed(world, item->i, &event);
    if (!is_word_of_owner && has_changed(&before, &machine->node)) {
        world_break(world, "node %zu obeyed an older controller, or words for an earlier boot",
                    item->i);
    }
}

void machine_tick(struct world *world, size_t i)
{
    struct machine *machine = &world->machines[i];
    struct node_event event = { .kind = NODE_EVENT_TIME };
    int64_t due_ns = node_experiment_deadline_ns(&machine->node);

    if (world->breach == BREACH_LEASE && machine->node.state != NODE_IDLE) {
        machine->node.lease_mono_ns = INT64_MAX / 2;
        due_ns = node_experiment_deadline_ns(&machine->node);
    }
    if (machine_mono(world, machine) - lateness(world, machine) >= due_ns) {
        machine_feed(world, i, &event);
    }
}

/* ---- faults ---- */

static void kill_recorder(struct machine *machine)
{
    machine->recorder_life++;
    machine->is_prepared = false;
    machine->has_T = false;
    machine->is_running = false;
}

void machine_lose_recorder(struct world *world, size_t i)
{
    struct node_event event = { .kind = NODE_EVENT_RECORDER_LOST, .code = ERR_HARDWARE };

    kill_recorder(&world->machines[i]);
    report(world, i, &event);
}

static enum node_state find_state(const struct machine *machine)
{
    if (machine->is_running) {
        return NODE_RUNNING;
    }
    if (machine->has_T) {
        return NODE_GOING;
    }
    return machine->is_ended ? NODE_DONE : NODE_RECOVERING;
}

/* The agent begins anew: from the journal, the recorder's page and the log, as the real one
 * does.
 */
void machine_reboot(struct world *world, size_t i, bool spares_recorder)
{
    struct machine *machine = &world->machines[i];
    struct node_restore restore = machine->journal;
    struct node_event recovered = { .kind = NODE_EVENT_ENDED };

    machine->life++;
    if (!spares_recorder) {
        kill_recorder(machine);
    } else if (!machine->has_T && !machine->is_running) {
        machine->is_prepared = false; /* the recorder gives up what has no start */
    }
    node_experiment_init(&machine->node, 100 * (i + 1) + machine->life);
    world_note(world, "node %zu %s", i, spares_recorder ? "has a new agent" : "reboots");
    if (!machine->has_journal || world->breach == BREACH_RECORD) {
        if (!machine->has_journal) {
            machine->has_T = false; /* cannot be: the journal came first */
        }
        trace_reboot(world, i);
        return;
    }
    restore.state = find_state(machine);
    restore.is_started = machine->n_starts > 0;
    restore.n_samples = restore.state == NODE_DONE ? 1000 : 0;
    restore.mono_ns = machine_mono(world, machine);
    restore.utc_ns = machine_utc(world, machine);
    node_experiment_restore(&machine->node, &restore);
    trace_reboot(world, i);
    if (restore.state == NODE_RECOVERING) {
        machine->is_logged = machine->n_starts > 0;
        recovered.n_samples = machine->n_starts > 0 ? 500 : 0;
        report(world, i, &recovered);
    }
}
