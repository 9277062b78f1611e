/* SPDX-License-Identifier: MIT */
/* start_replay_herd < TRACES: runs of the model (tests/model/start.pml with -DTRACE) on herd's
 * real protocol, step by step: what herd knows and decides, and whom it tells what, must be the
 * model's after each of them. A line "=" ends a run. Status 0 when all came out alike. */
#include "common/buf.h"
#include "common/clock.h"
#include "herd/start.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    N = 3,
    ALL = (1 << N) - 1,
    ARMS = 2,
    NO_ARM = 255,
    MAX_WORDS = 16,
    N_HERD_WORDS =
        16,           /* H what i n | arm go cancelled decided ready armed going free said x3 */
    APART_S = 10000,  /* T of an arm after that of the one before: room for all repeats */
    AWHILE_MS = 2010, /* after which PREPARE is said again */
    SHORTLY_MS = 110, /* and CANCEL */
    DECISION_MS = 245,
};

/* Before T, in the model's phases: behind each guard by a little. */
static const int64_t PHASE_MS[] = { 5000, 390, 240, 90, 0 };

/* What the model says of herd. */
struct view {
    unsigned arm;
    bool is_go;
    bool is_cancelled;
    bool is_decided;
    unsigned ready;
    unsigned armed;
    unsigned going;
    unsigned freed;
    bool is_not_started[N];
};

struct replay {
    struct start start;
    int64_t now_ns;
    int64_t T_ns[ARMS];
    struct view before;
    bool was_attached;
    /* the journal */
    bool has_go;
    bool has_cancel;
    int64_t go_T_ns;
    uint64_t go_n;
    /* what the step told */
    enum proto_verb verb; /* VERB_NONE: nothing */
    uint64_t n;
    unsigned told;
    bool is_mixed;
    unsigned long n_runs;
    unsigned long n_steps;
    unsigned long n_tells;
    unsigned long n_met[START_OVER + 1][N_START_EVENTS];
    const char *why; /* what is not alike */
};

/* ---- herd ---- */

static void make(struct replay *replay)
{
    static const bool IS_REQUIRED[N] = { true, true, true };
    const struct start_config config = {
        .n_nodes = N,
        .align_ns = APART_S * NS_PER_S,
        .if_incomplete = INCOMPLETE_ABORT,
        .prepare_timeout_ns = INT64_MAX / 4,
    };
    struct err err = { 0 };

    start_fini(&replay->start);
    if (start_init(&replay->start, &config, IS_REQUIRED, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
}

static void begin(struct replay *replay)
{
    replay->now_ns = (replay->now_ns / NS_PER_S / APART_S + 1) * APART_S * NS_PER_S + NS_PER_S;
    replay->before = (struct view){ .arm = NO_ARM };
    replay->was_attached = false;
    replay->has_go = false;
    replay->has_cancel = false;
    make(replay);
    start_begin(&replay->start, replay->now_ns);
    for (size_t i = 0; i < N; i++) {
        replay->start.nodes[i].again_ns = replay->now_ns + AWHILE_MS * NS_PER_MS;
    }
}

static void note_tell(struct replay *replay, const struct start_action *action)
{
    replay->is_mixed = replay->is_mixed
                       || (replay->verb != VERB_NONE
                           && (replay->verb != action->verb || replay->n != action->n));
    replay->verb = action->verb;
    replay->n = action->n;
    replay->told |= 1U << action->i;
    replay->n_tells++;
}

static void feed(struct replay *replay, struct start_event *event)
{
    struct start *start = &replay->start;

    event->mono_ns = replay->now_ns;
    event->utc_ns = replay->now_ns;
    replay->n_met[start->phase][event->kind]++;
    start_step(start, event);
    for (size_t k = 0; k < start->n_actions; k++) {
        const struct start_action *action = &start->actions[k];

        if (action->kind == START_ACT_TELL) {
            note_tell(replay, action);
        } else if (action->kind == START_ACT_JOURNAL_GO) {
            replay->has_go = true;
            replay->go_T_ns = action->T_ns;
            replay->go_n = action->n;
        } else if (action->kind == START_ACT_JOURNAL_CANCEL) {
            replay->has_cancel = true;
        }
    }
}

static void feed_kind(struct replay *replay, enum start_event_kind kind)
{
    struct start_event event = { .kind = kind, .code = ERR_INTERRUPTED, .why = "as it was" };

    feed(replay, &event);
}

static void pass(struct replay *replay, int64_t to_ns)
{
    replay->now_ns = to_ns > replay->now_ns ? to_ns : replay->now_ns;
    feed_kind(replay, START_EVENT_TIME);
}

static void attach(struct replay *replay)
{
    make(replay);
    replay->was_attached = true;
    if (replay->has_go) {
        start_resume(&replay->start, replay->go_T_ns, replay->go_n, NULL, replay->has_cancel);
        return;
    }
    for (size_t i = 0; i < N; i++) {
        replay->start.nodes[i].is_asked = true;
    }
    feed_kind(replay, START_EVENT_ABORT);
}

/* ---- what is alike ---- */

static bool is_phase_alike(const struct start *start, const struct view *view)
{
    bool is_cancelled = start->phase == START_CANCELLING || start->phase == START_OVER;
    bool is_committed = start->phase == START_COMMITTED;
    bool waits = start->phase == START_CHOOSING; /* for a T that the model has not got yet */

    if (is_cancelled != view->is_cancelled
        || is_committed != (view->is_decided && !view->is_cancelled)
        || (start->is_go_decided != view->is_go)) {
        return false;
    }
    return is_cancelled || start->n == (view->arm == NO_ARM ? 0 : view->arm + 1)
           || (waits && start->n == view->arm + 2);
}

static bool is_node_alike(const struct start *start, const struct view *view, size_t i)
{
    const struct start_node *node = &start->nodes[i];
    unsigned bit = 1U << i;

    if (start->phase == START_PREPARING && node->is_ready != ((view->ready & bit) != 0)) {
        return false;
    }
    if (start->phase == START_ARMING && node->is_armed != ((view->armed & bit) != 0)) {
        return false;
    }
    if (view->is_go && node->is_going != ((view->going & bit) != 0)) {
        return false;
    }
    return (!view->is_go && !view->is_cancelled)
           || (node->word == START_WORD_NOT_STARTED) == view->is_not_started[i];
}

/* Whom the model tells what in this step. */
static bool is_told_alike(const struct replay *replay, const struct view *now, const char *what)
{
    const struct view *before = &replay->before;
    enum proto_verb verb = VERB_NONE;
    unsigned mask = ALL;

    if (strcmp(what, "PREPARE") == 0) {
        verb = VERB_PREPARE;
        mask = ALL & ~now->ready;
    } else if (now->is_cancelled
               && (!before->is_cancelled || strcmp(what, "CANCEL") == 0
                   || strcmp(what, "CRASH") == 0)) {
        /* A herd that has given up, or was attached behind a CANCEL, leaves it to who follows.
         */
        verb = replay->start.phase == START_CANCELLING || replay->told != 0 ? VERB_CANCEL
                                                                            : VERB_NONE;
        mask = ALL & ~now->freed;
    } else if (now->arm != before->arm) {
        verb = VERB_ARM;
    } else if (now->is_go && !before->is_go) {
        verb = VERB_GO;
    }
    mask = verb == VERB_NONE ? 0 : mask;
    return !replay->is_mixed && replay->told == mask && (mask == 0 || replay->verb == verb)
           && ((verb != VERB_ARM && verb != VERB_GO) || replay->n == now->arm + 1);
}

static bool is_alike(struct replay *replay, const struct view *view, const char *what)
{
    replay->why = !is_phase_alike(&replay->start, view) ? "phase"
                  : !is_told_alike(replay, view, what)  ? "whom it tells what"
                                                        : NULL;
    for (size_t i = 0; i < N && replay->why == NULL; i++) {
        replay->why = is_node_alike(&replay->start, view, i) ? NULL : "what it knows of a node";
    }
    return replay->why == NULL;
}

/* ---- lines ---- */

static bool hear(struct replay *replay, const char *what, size_t i, size_t n)
{
    static const struct {
        const char *word;
        enum start_event_kind kind;
    } KINDS[] = {
        {"READY",       START_EVENT_READY     },
        { "ARMED",      START_EVENT_ARMED     },
        { "GOING",      START_EVENT_GOING     },
        { "STOOD_DOWN", START_EVENT_STOOD_DOWN},
        { "CANCELLED",  START_EVENT_CANCELLED },
        { "REBOOTED",   START_EVENT_REBOOTED  },
    };
    struct start_event event = {
        .i = i,
        .n = n + 1,
        .T_ns = replay->T_ns[n],
        .promise_ns = replay->now_ns,
        .code = ERR_TIMEOUT,
        .why = "its own word",
    };

    for (size_t k = 0; k < ARRAY_LEN(KINDS); k++) {
        if (strcmp(what, KINDS[k].word) == 0) {
            event.kind = KINDS[k].kind;
            feed(replay, &event);
            return true;
        }
    }
    return false;
}

static bool act(struct replay *replay, const char *what, size_t i, size_t n)
{
    if (strcmp(what, "PREPARE") == 0) {
        pass(replay, replay->now_ns + AWHILE_MS * NS_PER_MS);
    } else if (strcmp(what, "CANCEL") == 0) {
        pass(replay, replay->now_ns + SHORTLY_MS * NS_PER_MS);
    } else if (strcmp(what, "DECIDE") == 0) {
        pass(replay, replay->T_ns[n] - DECISION_MS * NS_PER_MS);
    } else if (strcmp(what, "ABORT") == 0) {
        feed_kind(replay, START_EVENT_ABORT);
    } else if (strcmp(what, "CRASH") == 0) {
        attach(replay);
    } else if (strcmp(what, "LATER") != 0) { /* that herd did by itself, in time */
        return hear(replay, what, i, n);
    }
    return true;
}

/* The driver's part: T is taken where the model has the arm, or the run is called off. */
static void answer_choice(struct replay *replay, const struct view *view)
{
    if (replay->start.phase != START_CHOOSING) {
        return;
    }
    if (view->is_cancelled) {
        feed_kind(replay, START_EVENT_ABORT);
    } else if (view->arm != NO_ARM && replay->start.n == view->arm + 1) {
        replay->T_ns[view->arm] = replay->start.T_ns;
        feed_kind(replay, START_EVENT_T_OK);
    }
}

static unsigned number(const char *word)
{
    return (unsigned)strtoul(word, NULL, 10);
}

static bool take_herd(struct replay *replay, char **words)
{
    const struct view view = {
        .arm = number(words[5]),
        .is_go = number(words[6]) != 0,
        .is_cancelled = number(words[7]) != 0,
        .is_decided = number(words[8]) != 0,
        .ready = number(words[9]),
        .armed = number(words[10]),
        .going = number(words[11]),
        .freed = number(words[12]),
        .is_not_started = {strcmp(words[13], "NOT_STARTED") == 0,
                           strcmp(words[14], "NOT_STARTED") == 0,
                           strcmp(words[15], "NOT_STARTED") == 0},
    };
    bool is_taken = false;

    replay->verb = VERB_NONE;
    replay->told = 0;
    replay->is_mixed = false;
    is_taken = act(replay, words[1], number(words[2]) % N, number(words[3]) % ARMS);
    answer_choice(replay, &view);
    is_taken = is_taken && is_alike(replay, &view, words[1]);
    replay->before = view;
    return is_taken;
}

/* P n phase */
static bool take_phase(struct replay *replay, char **words)
{
    size_t n = number(words[1]) % ARMS;
    size_t phase = number(words[2]) % ARRAY_LEN(PHASE_MS);

    pass(replay, replay->T_ns[n] - PHASE_MS[phase] * NS_PER_MS);
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
    if (n == N_HERD_WORDS && words[0][0] == 'H') {
        replay->n_steps++;
        return take_herd(replay, words);
    }
    if (n == 3 && words[0][0] == 'P') {
        return take_phase(replay, words);
    }
    if (n == 1 && words[0][0] == '=') {
        replay->n_runs++;
        begin(replay);
        return true;
    }
    return n > 0 && (words[0][0] == 'M' || words[0][0] == 'R'); /* of nodes */
}

static void explain(const struct replay *replay, const char *line)
{
    printf("run %lu, step %lu: the model has %s", replay->n_runs + 1, replay->n_steps, line);
    printf("  not alike: %s\n", replay->why != NULL ? replay->why : "a line that is none");
    printf("  the code is %s, n %llu, and told %s to %#x\n",
           start_phase_name(replay->start.phase), (unsigned long long)replay->start.n,
           replay->verb != VERB_NONE ? proto_verb_info(replay->verb)->name : "nothing",
           replay->told);
    for (size_t i = 0; i < N; i++) {
        const struct start_node *node = &replay->start.nodes[i];

        printf("  node %zu: %s%s%s%s, %s\n", i, node->is_ready ? "ready " : "",
               node->is_armed ? "armed " : "", node->is_going ? "going " : "",
               node->is_out ? "out" : "", start_word_name(node->word));
    }
}

static void print_coverage(const struct replay *replay)
{
    size_t n_met = 0;

    for (size_t phase = 0; phase <= START_OVER; phase++) {
        for (size_t kind = 0; kind < N_START_EVENTS; kind++) {
            n_met += replay->n_met[phase][kind] > 0 ? 1 : 0;
        }
    }
    printf(
        "figure: %lu runs of the model replayed on herd's code, %lu steps, %lu words to nodes, "
        "%zu pairs of phase and event met\n",
        replay->n_runs, replay->n_steps, replay->n_tells, n_met);
}

int main(void)
{
    static struct replay replay = { .now_ns = NS_PER_S };
    char line[256];
    char copy[256];

    begin(&replay);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        memcpy(copy, line, sizeof(copy));
        if (!take_line(&replay, line)) {
            explain(&replay, copy);
            return 1;
        }
    }
    print_coverage(&replay);
    start_fini(&replay.start);
    return replay.n_steps > 0 ? 0 : 1;
}
