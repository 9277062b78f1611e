/* SPDX-License-Identifier: MIT */
/* Time, network, faults and invariants of the world. */
#include "start_world.h"

#include "start_trace.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    TICK_MS = 10, /* while a start may be under way */
    LONG_TICK_MS = 50,
    BUSY_S = 12,
};

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t next_random(struct world *world)
{
    uint64_t z = world->random += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t world_random(struct world *world, uint64_t below)
{
    return below == 0 ? 0 : next_random(world) % below;
}

bool world_chance(struct world *world, double p)
{
    return (double)(next_random(world) >> 11) / 9007199254740992.0 < p;
}

void world_note(const struct world *world, const char *format, ...)
{
    va_list args;

    if (!world->is_verbose) {
        return;
    }
    printf("%9.3f  ", (double)world->now_ns / 1e9);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
}

void world_break(struct world *world, const char *format, ...)
{
    va_list args;

    if (world->broken[0] != '\0') {
        return;
    }
    va_start(args, format);
    vsnprintf(world->broken, sizeof(world->broken), format, args);
    va_end(args);
    world_note(world, "BROKEN: %s", world->broken);
}

/* ---- what waits for its time: a heap ---- */

static bool is_before(const struct item *a, const struct item *b)
{
    return a->at_ns < b->at_ns || (a->at_ns == b->at_ns && a->order < b->order);
}

static void swap(struct world *world, size_t a, size_t b)
{
    struct item item = world->items[a];

    world->items[a] = world->items[b];
    world->items[b] = item;
}

static void put_item(struct world *world, const struct item *item)
{
    size_t at = world->n_items;

    if (at == WORLD_MAX_ITEMS) {
        world_break(world, "more events than the world can hold");
        return;
    }
    world->items[at] = *item;
    world->n_items++;
    while (at > 0 && is_before(&world->items[at], &world->items[(at - 1) / 2])) {
        swap(world, at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
}

static bool take_item(struct world *world, struct item *item)
{
    size_t at = 0;

    if (world->n_items == 0) {
        return false;
    }
    *item = world->items[0];
    world->items[0] = world->items[--world->n_items];
    for (;;) {
        size_t least = at;

        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < world->n_items;
             child++) {
            if (is_before(&world->items[child], &world->items[least])) {
                least = child;
            }
        }
        if (least == at) {
            return true;
        }
        swap(world, at, least);
        at = least;
    }
}

void world_put(struct world *world, const struct item *item, int64_t delay_ns)
{
    struct item copy = *item;

    copy.at_ns = world->now_ns + delay_ns;
    copy.order = world->order++;
    put_item(world, &copy);
}

/* ---- network ---- */

static bool is_healed(const struct world *world)
{
    return world->now_ns >= WORLD_HEAL_S * NS_PER_S;
}

static bool is_cut(const struct world *world, const struct item *item)
{
    const struct machine *machine = &world->machines[item->i];
    int64_t until_ns =
        item->kind == ITEM_TO_NODE ? machine->cut_in_until_ns : machine->cut_out_until_ns;

    return world->now_ns < until_ns;
}

void world_send(struct world *world, const struct item *item)
{
    int copies = 1;

    if (item->kind == ITEM_TO_NODE) {
        world->said[world->n_said++ % ARRAY_LEN(world->said)] = *item;
    }
    if (is_healed(world)) {
        world_put(world, item, NS_PER_MS);
        return;
    }
    if (is_cut(world, item) || world_chance(world, world->loss)) {
        return;
    }
    copies += world_chance(world, world->duplication);
    for (int i = 0; i < copies; i++) {
        /* Each copy takes its own time, so that they overtake each other. */
        world_put(world, item, (int64_t)world_random(world, (uint64_t)world->delay_max_ns + 1));
    }
}

/* ---- faults ---- */

static void plan_faults(struct world *world)
{
    world->n_faults = 5 + (unsigned)world_random(world, 6);
    for (unsigned k = 0; k < world->n_faults; k++) {
        struct item item = { .kind = ITEM_FAULT, .i = world_random(world, world->n_nodes) };

        item.as.fault = (enum mishap)world_random(world, N_FAULTS);
        /* Most of it happens in the first seconds: so do most faults. */
        world_put(world, &item,
                  (int64_t)world_random(world, world_chance(world, 0.7) ? 6000 : 50000)
                      * NS_PER_MS);
    }
}

static void cut(struct world *world, struct machine *machine)
{
    int64_t until_ns = world->now_ns + (int64_t)(100 + world_random(world, 15000)) * NS_PER_MS;
    uint64_t which = world_random(world, 3);

    if (which != 0) {
        machine->cut_in_until_ns = until_ns;
    }
    if (which != 1) {
        machine->cut_out_until_ns = until_ns;
    }
}

static void step_clock(struct world *world, struct machine *machine)
{
    int64_t by_ns = ((int64_t)world_random(world, 4001) - 2000) * NS_PER_MS;

    /* T is on the monotonic clock once the recorder has it; a step later moves only UTC. */
    machine->utc_offset_ns += by_ns;
    machine->has_stepped = true;
    machine->stepped_since_start_ns += by_ns;
}

static void replay(struct world *world)
{
    size_t n = world->n_said < ARRAY_LEN(world->said) ? world->n_said : ARRAY_LEN(world->said);

    for (int k = 0; k < 5 && n > 0; k++) {
        struct item item = world->said[world_random(world, n)];

        /* Half of it garbled, as only an older controller or an earlier boot could say it. */
        if (world_chance(world, 0.5)) {
            item.as.message.event.kind =
                (enum node_event_kind)world_random(world, N_NODE_MESSAGES);
            item.as.message.event.n = world_random(world, 4);
            item.as.message.verb = VERB_NONE;
            if (item.as.message.event.kind != NODE_EVENT_PREPARE && world_chance(world, 0.5)) {
                item.as.message.event.controller--;
            } else {
                item.as.message.event.boot_id--;
            }
        }
        world_put(world, &item, (int64_t)world_random(world, 2000) * NS_PER_MS);
    }
}

static void fault_herd(struct world *world)
{
    struct item again = { .kind = ITEM_FAULT, .as.fault = FAULT_HERD };

    if (!world->herd.is_alive) {
        if (!world->is_herd_gone_for_good) {
            herd_attach(world);
        }
        return;
    }
    herd_die(world);
    world->is_herd_gone_for_good = world_chance(world, 0.2);
    world_put(world, &again, (int64_t)world_random(world, 3000) * NS_PER_MS);
}

static void do_fault(struct world *world, const struct item *item)
{
    struct machine *machine = &world->machines[item->i];

    if (is_healed(world)) {
        return;
    }
    world_note(world, "fault %d of node %zu", (int)item->as.fault, item->i);
    switch (item->as.fault) {
    case FAULT_PARTITION:
        cut(world, machine);
        break;
    case FAULT_REBOOT:
        machine_reboot(world, item->i, false);
        break;
    case FAULT_AGENT:
        machine_reboot(world, item->i, true);
        break;
    case FAULT_RECORDER:
        machine_lose_recorder(world, item->i);
        break;
    case FAULT_CLOCK:
        step_clock(world, machine);
        break;
    case FAULT_HERD:
        fault_herd(world);
        break;
    case FAULT_SLOW:
        machine->disk_ns = (int64_t)world_random(world, 1500) * NS_PER_MS;
        break;
    case FAULT_PAUSE:
        world->herd.paused_until_ns =
            world->now_ns + (int64_t)world_random(world, 5000) * NS_PER_MS;
        break;
    case FAULT_REPLAY:
        replay(world);
        break;
    case N_FAULTS:
        break;
    }
}

/* ---- the run ---- */

static void do_item(struct world *world, const struct item *item)
{
    struct node_event report = { 0 };

    switch (item->kind) {
    case ITEM_TO_NODE:
        machine_message(world, item);
        break;
    case ITEM_TO_HERD:
        herd_hear(world, item);
        break;
    case ITEM_RECORDER:
        machine_recorder(world, item);
        break;
    case ITEM_REPORT:
        if (item->life == world->machines[item->i].life) {
            report = item->as.report;
            machine_feed(world, item->i, &report);
        }
        break;
    case ITEM_SAMPLE_0:
        machine_sample_0(world, item);
        break;
    case ITEM_FAULT:
        do_fault(world, item);
        break;
    case ITEM_BEAT:
        herd_beat(world);
        world_put(world, item, NS_PER_S);
        break;
    case ITEM_NONE:
        break;
    }
}

static void run_until(struct world *world, int64_t end_ns)
{
    struct item item;

    while (world->now_ns < end_ns && world->broken[0] == '\0') {
        int64_t tick_ms = world->now_ns < BUSY_S * NS_PER_S ? TICK_MS : LONG_TICK_MS;
        int64_t next_ns = world->now_ns + tick_ms * NS_PER_MS;

        while (world->n_items > 0 && world->items[0].at_ns <= next_ns
               && world->broken[0] == '\0') {
            take_item(world, &item);
            world->now_ns = item.at_ns;
            do_item(world, &item);
        }
        world->now_ns = next_ns;
        for (size_t i = 0; i < world->n_nodes; i++) {
            machine_tick(world, i);
        }
        herd_tick(world);
    }
}

static bool is_settled(const struct world *world)
{
    const struct start *start = &world->herd.start;

    for (size_t i = 0; i < world->n_nodes; i++) {
        /* An end without a sample leaves open whether there was a first one. */
        if (!start->nodes[i].is_ended
            && (start->nodes[i].word == START_WORD_OPEN
                || start->nodes[i].word == START_WORD_UNKNOWN)) {
            return false;
        }
    }
    return true;
}

/* What must hold when the network is well and everything had time. */
static void check_end(struct world *world)
{
    for (size_t i = 0; i < world->n_nodes; i++) {
        const struct machine *machine = &world->machines[i];
        enum node_state state = machine->node.state;

        /* Prepared it may stay for as long as its owner lives: a lease is a lease. */
        if (state != NODE_IDLE && state != NODE_DONE
            && (state != NODE_PREPARED || !world->herd.is_alive)) {
            world_break(world, "node %zu is still %s", i, node_state_name(state));
        }
        if (world->said_not_started[i] && machine->n_starts > 0) {
            world_break(world, "node %zu was said not to have started, and it had", i);
        }
    }
    if (world->herd.is_alive && !is_settled(world)) {
        for (size_t i = 0; i < world->n_nodes; i++) {
            world_note(world, "herd, %s: node %zu %s%s",
                       start_phase_name(world->herd.start.phase), i,
                       start_word_name(world->herd.start.nodes[i].word),
                       world->herd.start.nodes[i].is_ended ? ", ended" : "");
        }
        world_break(world, "herd still does not know, although it hears everybody");
    }
}

static void begin(struct world *world, uint64_t seed, enum breach breach)
{
    uint64_t(*pairs)[N_NODE_EVENTS] = world->pairs;
    bool is_verbose = world->is_verbose;
    FILE *trace = world->trace;
    struct world_starts *starts = world->starts;
    struct item beat = { .kind = ITEM_BEAT };

    start_fini(&world->herd.start);
    memset(world, 0, sizeof(*world));
    world->pairs = pairs;
    world->is_verbose = is_verbose;
    world->trace = trace;
    world->starts = starts;
    world->seed = seed;
    world->random = seed * 2 + 1;
    world->breach = breach;
    world->now_ns = NS_PER_S;
    world->n_nodes = 1 + world_random(world, WORLD_MAX_NODES);
    world->loss = world_chance(world, 0.5) ? 0 : (double)world_random(world, 30) / 100;
    world->duplication = (double)world_random(world, 30) / 100;
    world->delay_max_ns = (int64_t)(1 + world_random(world, 250)) * NS_PER_MS;
    for (size_t i = 0; i < world->n_nodes; i++) {
        machine_init(world, i);
    }
    trace_begin(world);
    plan_faults(world);
    world_put(world, &beat, NS_PER_S);
    herd_begin(world);
}

bool world_run(struct world *world, uint64_t seed, enum breach breach)
{
    begin(world, seed, breach);
    run_until(world, WORLD_HEAL_S * NS_PER_S);
    if (!world->herd.is_alive && !world->is_herd_gone_for_good && world->broken[0] == '\0') {
        herd_attach(world);
    }
    run_until(world, WORLD_END_S * NS_PER_S);
    if (world->broken[0] == '\0') {
        check_end(world);
    }
    return world->broken[0] == '\0';
}
