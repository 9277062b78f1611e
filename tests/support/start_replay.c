/* SPDX-License-Identifier: MIT */
/* start_replay < TRACES: runs of the model (tests/model/start.pml with -DTRACE) on the node's
 * real protocol, step by step; herd's own steps are for start_replay_herd. A line "=" ends a
 * run. Status 0 when every step came out alike. */
#include "common/buf.h"
#include "common/clock.h"
#include "sheep/experiment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_NODES = 4,
    MAX_ARMS = 4,
    MAX_WORDS = 16,
    APART_MS = 10000, /* T of an arm after that of the one before */
};

/* Before T, in the model's phases: before each guard by a little, as the model has it. */
static const int64_t PHASE_MS[] = { APART_MS, 390, 240, 90, 0 };
static const uint64_t EXPERIMENT = 4711;

struct replay {
    struct node_experiment nodes[MAX_NODES];
    int64_t now_ns;
    int64_t begin_ns; /* of this run */
    unsigned long n_steps;
    unsigned long n_runs;
    unsigned long n_met[N_NODE_STATES][N_NODE_MESSAGES];
    enum proto_verb said; /* by the last step; VERB_NONE: silent */
    uint64_t said_n;
};

static void begin(struct replay *replay)
{
    replay->now_ns += 100 * NS_PER_S;
    replay->begin_ns = replay->now_ns;
    for (size_t i = 0; i < MAX_NODES; i++) {
        node_experiment_init(&replay->nodes[i], 100 * (i + 1));
    }
    replay->n_runs++;
}

static int64_t instant_of(const struct replay *replay, size_t n)
{
    return replay->begin_ns + (int64_t)(n + 1) * APART_MS * NS_PER_MS;
}

static void feed(struct replay *replay, size_t i, struct node_event *event,
                 bool recorder_refuses);

/* The recorder answers at once. */
static void act(struct replay *replay, size_t i, const struct node_action *action,
                bool recorder_refuses)
{
    struct node_event report = { .kind = N_NODE_EVENTS, .preparation = action->preparation };

    switch (action->kind) {
    case NODE_ACT_ANSWER:
    case NODE_ACT_TELL:
        replay->said = action->verb;
        replay->said_n = action->n;
        break;
    case NODE_ACT_PREPARE:
        report.kind = NODE_EVENT_PREPARED;
        report.promise_ns = replay->now_ns;
        break;
    case NODE_ACT_START:
        report.kind = recorder_refuses ? NODE_EVENT_START_FAILED : NODE_EVENT_START_CONFIRMED;
        break;
    case NODE_ACT_CANCEL:
        report.kind = replay->nodes[i].state == NODE_CANCELLING ? NODE_EVENT_CANCEL_CONFIRMED
                                                                : N_NODE_EVENTS;
        break;
    case NODE_ACT_STOP:
    case NODE_ACT_RECOVER:
    case NODE_ACT_RELEASE:
        break;
    }
    if (report.kind < N_NODE_EVENTS) {
        feed(replay, i, &report, false);
    }
}

static void feed(struct replay *replay, size_t i, struct node_event *event,
                 bool recorder_refuses)
{
    struct node_actions actions;

    event->mono_ns = replay->now_ns;
    event->utc_ns = replay->now_ns;
    node_experiment_step(&replay->nodes[i], event, &actions);
    for (size_t k = 0; k < actions.count; k++) {
        act(replay, i, &actions.list[k], recorder_refuses);
    }
}

/* ---- lines ---- */

static const char *state_of(const struct node_experiment *node)
{
    static const char *const NAMES[N_NODE_STATES] = {
        [NODE_IDLE] = "IDLE",          [NODE_PREPARING] = "preparing",
        [NODE_PREPARED] = "PREPARED",  [NODE_ARMED] = "ARMED_",
        [NODE_STARTING] = "starting",  [NODE_GOING] = "GOING_",
        [NODE_CANCELLING] = "cancel",  [NODE_RUNNING] = "RUNNING",
        [NODE_RECOVERING] = "recover", [NODE_DONE] = "done",
    };

    return NAMES[node->state];
}

static bool is_alike(const struct replay *replay, size_t i, char **words)
{
    static const struct {
        const char *word;
        enum proto_verb verb;
    } VERBS[] = {
        {"READY",       VERB_READY     },
        { "ARMED",      VERB_ARMED     },
        { "GOING",      VERB_GOING     },
        { "STOOD_DOWN", VERB_STOOD_DOWN},
        { "CANCELLED",  VERB_CANCELLED },
        { "REFUSED",    VERB_REFUSED   },
    };
    const struct node_experiment *node = &replay->nodes[i];
    bool has_arm =
        node->state == NODE_ARMED || node->state == NODE_GOING || node->state == NODE_RUNNING;
    uint64_t armed = strtoull(words[1], NULL, 10);
    uint64_t said_n = strtoull(words[3], NULL, 10);

    if (strcmp(words[0], state_of(node)) != 0 || (has_arm && node->n != armed + 1)) {
        return false;
    }
    for (size_t k = 0; k < ARRAY_LEN(VERBS); k++) {
        if (strcmp(words[2], VERBS[k].word) == 0) {
            bool has_n = VERBS[k].verb == VERB_ARMED || VERBS[k].verb == VERB_GOING
                         || VERBS[k].verb == VERB_STOOD_DOWN;

            return replay->said == VERBS[k].verb && (!has_n || replay->said_n == said_n + 1);
        }
    }
    /* NOTHING: what is no evidence either */
    return replay->said == VERB_NONE || replay->said == VERB_REFUSED
           || replay->said == VERB_STOPPING || replay->said == VERB_STARTED;
}

/* M node verb n token boot-is-right | state armed said n */
static bool take_message(struct replay *replay, char **words)
{
    static const struct {
        const char *word;
        enum node_event_kind kind;
    } KINDS[] = {
        {"PREPARE", NODE_EVENT_PREPARE},
        { "ARM",    NODE_EVENT_ARM    },
        { "GO",     NODE_EVENT_GO     },
        { "CANCEL", NODE_EVENT_CANCEL },
        { "BEAT",   NODE_EVENT_BEAT   },
    };
    size_t i = strtoul(words[1], NULL, 10) % MAX_NODES;
    size_t n = strtoul(words[3], NULL, 10) % MAX_ARMS;
    struct node_event event = {
        .kind = N_NODE_EVENTS, .experiment = EXPERIMENT, .user = 1, .is_clock_good = true
    };

    for (size_t k = 0; k < ARRAY_LEN(KINDS); k++) {
        if (strcmp(words[2], KINDS[k].word) == 0) {
            event.kind = KINDS[k].kind;
        }
    }
    if (event.kind == N_NODE_EVENTS) {
        return false;
    }
    event.n = n + 1;
    event.T_ns = instant_of(replay, n);
    event.controller = strtoull(words[4], NULL, 10);
    event.boot_id = replay->nodes[i].boot_id + (words[5][0] == '1' ? 0 : 1);
    replay->said = VERB_NONE;
    replay->n_met[replay->nodes[i].state][event.kind]++;
    feed(replay, i, &event, strcmp(words[9], "STOOD_DOWN") == 0);
    if (event.kind == NODE_EVENT_BEAT && replay->said == VERB_NONE
        && strcmp(words[9], "REFUSED") == 0) {
        replay->said = VERB_REFUSED; /* a heartbeat's PONG tells the boot */
    }
    return is_alike(replay, i, words + 7);
}

/* P n phase */
static bool take_phase(struct replay *replay, char **words)
{
    size_t n = strtoul(words[1], NULL, 10) % MAX_ARMS;
    size_t phase = strtoul(words[2], NULL, 10) % ARRAY_LEN(PHASE_MS);
    int64_t at_ns = instant_of(replay, n) - PHASE_MS[phase] * NS_PER_MS;

    replay->now_ns = at_ns > replay->now_ns ? at_ns : replay->now_ns;
    for (size_t i = 0; i < MAX_NODES; i++) {
        struct node_event event = { .kind = NODE_EVENT_TIME };

        if (replay->nodes[i].state == NODE_GOING && replay->nodes[i].n == n + 1
            && PHASE_MS[phase] == 0) {
            event.kind = NODE_EVENT_STARTED;
        }
        feed(replay, i, &event, false);
    }
    return true;
}

static bool take_line(struct replay *replay, char *line)
{
    char *words[MAX_WORDS];
    char *rest = NULL;
    size_t n = 0;

    for (char *word = strtok_r(line, " \t\n", &rest); word != NULL && n < MAX_WORDS;
         word = strtok_r(NULL, " \t\n", &rest)) {
        words[n++] = word;
    }
    replay->n_steps += n > 0 && words[0][0] != 'H' ? 1 : 0;
    if (n == 11 && words[0][0] == 'M') {
        return take_message(replay, words);
    }
    if (n == 3 && words[0][0] == 'P') {
        return take_phase(replay, words);
    }
    if (n == 2 && words[0][0] == 'R') {
        size_t i = strtoul(words[1], NULL, 10) % MAX_NODES;

        node_experiment_init(&replay->nodes[i], replay->nodes[i].boot_id + 2);
        return true;
    }
    if (n == 1 && words[0][0] == '=') {
        begin(replay);
        return true;
    }
    return n > 0 && words[0][0] == 'H'; /* of herd */
}

static void print_coverage(const struct replay *replay)
{
    size_t n_met = 0;

    for (size_t state = 0; state < N_NODE_STATES; state++) {
        for (size_t kind = 0; kind < N_NODE_MESSAGES; kind++) {
            n_met += replay->n_met[state][kind] > 0 ? 1 : 0;
        }
    }
    printf(
        "figure: %lu runs of the model replayed on the code, %lu steps, %zu pairs of state and "
        "message met\n",
        replay->n_runs, replay->n_steps, n_met);
}

int main(void)
{
    static struct replay replay = { .now_ns = 1000000000000 };
    char line[256];
    char copy[256];

    begin(&replay);
    replay.n_runs = 0;
    while (fgets(line, sizeof(line), stdin) != NULL) {
        memcpy(copy, line, sizeof(copy));
        if (!take_line(&replay, line)) {
            printf("run %lu, step %lu: the model has %s", replay.n_runs + 1, replay.n_steps,
                   copy);
            for (size_t i = 0; i < MAX_NODES; i++) {
                printf("  the code's node %zu is %s, n %llu, down %llu\n", i,
                       state_of(&replay.nodes[i]), (unsigned long long)replay.nodes[i].n,
                       (unsigned long long)replay.nodes[i].n_down);
            }
            printf("  it said %s %llu\n",
                   replay.said != VERB_NONE ? proto_verb_info(replay.said)->name : "nothing",
                   (unsigned long long)replay.said_n);
            return 1;
        }
    }
    print_coverage(&replay);
    return replay.n_steps > 0 ? 0 : 1;
}
