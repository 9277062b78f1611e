/* SPDX-License-Identifier: MIT */
/* herd attach: what an earlier herd's journal says becomes the run again. */
#include "herd/run_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct replay {
    struct run *run;
    size_t n_nodes; /* counted in the first pass */
    bool has_begin;
    bool has_go;
    bool is_cancelled;
    bool is_over;
    int64_t T_ns;
    uint64_t n;
    uint64_t n_arms;
    bool *out;
    char (*why)[PROTO_TEXT_SIZE];
    struct err *err;
};

static int count_nodes(void *arg, const struct journal_entry *entry, struct err *err)
{
    struct replay *replay = arg;

    (void)err;
    replay->n_nodes += entry->kind == JOURNAL_NODE ? 1 : 0;
    replay->is_over = replay->is_over || entry->kind == JOURNAL_END;
    return 0;
}

static struct run_node *find_node(struct run *run, const char *name, size_t *i)
{
    for (*i = 0; *i < run->n_nodes; (*i)++) {
        if (run->names[*i] != NULL && strcmp(run->names[*i], name) == 0) {
            return &run->nodes[*i];
        }
    }
    return NULL;
}

static int take_begin(struct replay *replay, const struct journal_entry *entry, struct err *err)
{
    struct run *run = replay->run;

    snprintf(run->name, sizeof(run->name), "%s", entry->name);
    snprintf(run->output, sizeof(run->output), "%s", entry->path);
    if (snprintf(run->copies, sizeof(run->copies), "%s/.bellwether/%s", run->output, run->id)
        >= (int)sizeof(run->copies)) {
        return err_set(err, ERR_INPUT, "%s: path too long", run->output);
    }
    run->experiment = entry->experiment;
    run->clock_error_max_ns = entry->clock_error_max_ns;
    if (entry->controller >= run->controller) {
        run->controller = entry->controller + 1; /* this machine's clock went back */
    }
    replay->has_begin = true;
    return 0;
}

static int take_node(struct replay *replay, const struct journal_entry *entry, struct err *err)
{
    struct run *run = replay->run;
    const struct inventory_node *known =
        inventory_get(run->request->context->inventory, entry->node);
    size_t i = 0;

    while (i < run->n_nodes && run->names[i] != NULL) {
        i++;
    }
    if (i == run->n_nodes) {
        return err_set(err, ERR_CORRUPT, "the journal of run %s names a node twice", run->id);
    }
    if (known == NULL) {
        return err_set(
            err, ERR_INPUT,
            "%s took part in run %s, but is not in the inventory %s; herd attach --list shows all runs",
            entry->node, run->id, run->request->context->inventory->path);
    }
    run->nodes[i].node = known;
    run->members[i] = known;
    run->names[i] = known->name;
    run->nodes[i].mode = (enum experiment_mode)entry->mode;
    run->nodes[i].exists = (enum record_exists)entry->n;
    run->nodes[i].n_planned = entry->sample;
    snprintf(run->nodes[i].log, sizeof(run->nodes[i].log), "%s", entry->log);
    return 0;
}

static void take_clock(struct run_node *node, const struct journal_entry *entry)
{
    node->clock.view.n_exchanges = 1;
    node->clock.view.offset_ns = entry->offset_ns; /* to the median, which is 0 here */
    node->clock.view.bound_ns = entry->bound_ns;
    snprintf(node->clock.claim.source, sizeof(node->clock.claim.source), "%.90s", entry->text);
}

static void take_verdict(struct run_node *node, const struct journal_entry *entry)
{
    static const struct {
        const char *head;
        enum verdict_kind kind;
    } HEADS[] = {
        {"valid with remarks: ", VERDICT_REMARKS},
        { "valid",               VERDICT_VALID  },
        { "invalid because ",    VERDICT_INVALID},
    };

    for (size_t k = 0; k < ARRAY_LEN(HEADS); k++) {
        size_t length = strlen(HEADS[k].head);

        if (strncmp(entry->text, HEADS[k].head, length) == 0) {
            node->verdict.kind = HEADS[k].kind;
            snprintf(node->verdict.text, sizeof(node->verdict.text), "%.390s",
                     entry->text + length);
            break;
        }
    }
    snprintf(node->final_path, sizeof(node->final_path), "%s", entry->path);
    snprintf(node->ended.digest, sizeof(node->ended.digest), "%s", entry->digest);
    node->has_verdict = true;
    node->is_built = entry->path[0] != '\0';
    node->is_settled = true;
}

/* What a node's entry says. */
static void take_of_node(struct replay *replay, const struct journal_entry *entry)
{
    size_t i = 0;
    struct run_node *node = find_node(replay->run, entry->node, &i);

    if (node == NULL) {
        return;
    }
    switch (entry->kind) {
    case JOURNAL_READY:
        snprintf(node->log, sizeof(node->log), "%s", entry->log);
        break;
    case JOURNAL_CLOCK:
        take_clock(node, entry);
        break;
    case JOURNAL_OUT:
        if (!replay->has_go) {
            replay->out[i] = true;
            snprintf(replay->why[i], sizeof(replay->why[i]), "%s", entry->text);
        }
        break;
    case JOURNAL_NAME:
        snprintf(node->final_path, sizeof(node->final_path), "%s", entry->path);
        break;
    case JOURNAL_VERDICT:
        take_verdict(node, entry);
        break;
    case JOURNAL_RELEASED:
        node->is_released = true;
        break;
    default:
        break;
    }
}

static int take_entry(void *arg, const struct journal_entry *entry, struct err *err)
{
    struct replay *replay = arg;
    struct run *run = replay->run;

    switch (entry->kind) {
    case JOURNAL_BEGIN:
        return take_begin(replay, entry, err);
    case JOURNAL_NODE:
        return take_node(replay, entry, err);
    case JOURNAL_GO:
        replay->has_go = true;
        replay->T_ns = entry->T_ns;
        replay->n = entry->n;
        return 0;
    case JOURNAL_STOP:
        run->stop_sample = entry->sample;
        run->is_stopping = true;
        return 0;
    case JOURNAL_READY:
    case JOURNAL_CLOCK:
    case JOURNAL_OUT:
    case JOURNAL_NAME:
    case JOURNAL_VERDICT:
    case JOURNAL_RELEASED:
        take_of_node(replay, entry);
        return 0;
    case JOURNAL_CANCEL:
        replay->is_cancelled = true;
        return 0;
    case JOURNAL_ARM:
    case JOURNAL_END:
    case N_JOURNAL_KINDS:
        break;
    }
    return 0;
}

/* The start, as far as the journal knows it; nodes will say the rest. */
static int resume_start(struct replay *replay, struct err *err)
{
    struct run *run = replay->run;
    const struct start_config config = { .n_nodes = run->n_nodes };
    bool *told = calloc(run->n_nodes + 1, sizeof(*told));

    if (told == NULL || start_init(&run->start, &config, run->required, err) < 0) {
        free(told);
        return err_set(err, ERR_MEMORY, "the start");
    }
    run->has_start = true;
    for (size_t i = 0; i < run->n_nodes; i++) {
        told[i] = replay->has_go && !replay->out[i];
    }
    start_resume(&run->start, replay->T_ns, replay->n, told, replay->is_cancelled);
    run->start.T_mono_ns = clock_mono_ns() + (replay->T_ns - clock_utc_ns());
    for (size_t i = 0; i < run->n_nodes; i++) {
        snprintf(run->start.nodes[i].why, sizeof(run->start.nodes[i].why), "%.230s",
                 replay->why[i][0] != '\0' ? replay->why[i] : "no GO was decided");
    }
    free(told);
    return 0;
}

static int replay_all(struct replay *replay, struct err *err)
{
    struct run *run = replay->run;

    if (journal_replay(run->state_folder, run->id, count_nodes, replay, err) < 0) {
        return -1;
    }
    if (replay->is_over) {
        return err_set(err, ERR_NOT_FOUND, "run %s is complete; nothing is left to collect",
                       run->id);
    }
    replay->out = calloc(replay->n_nodes + 1, sizeof(*replay->out));
    replay->why = calloc(replay->n_nodes + 1, sizeof(*replay->why));
    if (replay->out == NULL || replay->why == NULL
        || run_alloc(run, replay->n_nodes, err) < 0) {
        return err_set(err, ERR_MEMORY, "run %s", run->id);
    }
    if (journal_replay(run->state_folder, run->id, take_entry, replay, err) < 0) {
        return -1;
    }
    if (!replay->has_begin) {
        return err_set(err, ERR_CORRUPT, "the journal of run %s has no beginning", run->id);
    }
    return resume_start(replay, err);
}

int run_load(struct run *run, struct err *err)
{
    struct replay replay = { .run = run };
    const char *id = run->request->id;
    int result = 0;

    run->is_attached = true;
    if (id != NULL && id[0] != '\0') {
        snprintf(run->id, sizeof(run->id), "%s", id);
    } else if (journal_find_open(run->state_folder, run->id, err) < 0) {
        return -1;
    }
    run->journal = journal_open(run->state_folder, run->id, err);
    if (run->journal == NULL) {
        return -1;
    }
    result = replay_all(&replay, err);
    free(replay.out);
    free(replay.why);
    return result;
}

/* ---- on the wire ---- */

/* No GO was decided: whoever still holds something for this run is told to let go. */
static void cancel_all(struct run *run)
{
    for (size_t i = 0; i < run->n_nodes; i++) {
        if (flock_session(run->flock, i)->is_welcome) {
            (void)flock_tell(run->flock, i, VERB_CANCEL, NULL, (struct proto_frame){ NULL, 0 });
        }
    }
}

static bool is_somebody_there(struct run *run)
{
    for (size_t i = 0; i < run->n_nodes; i++) {
        if (!run->nodes[i].is_settled && !flock_session(run->flock, i)->is_welcome) {
            return false;
        }
    }
    return true;
}

static bool is_never(struct run *run)
{
    (void)run;
    return false;
}

/* The file is in place; its herd ended before the copy of the log went. */
static void forget_copy(const struct run *run, size_t i)
{
    char folder[PATH_SIZE];

    snprintf(folder, sizeof(folder), "%.400s/%s.rlog", run->copies, run->names[i]);
    if (rlog_remove(folder, NULL) < 0) {
        return; /* it went, or something else lies there: that stays */
    }
}

void run_reattach(struct run *run)
{
    enum {
        CANCEL_MS = 300
    };

    (void)run_wait(run, is_somebody_there, RUN_CONNECT_MS);
    if (run->err.code != ERR_NONE || run->is_detached) {
        return;
    }
    if (run->start.n == 0) {
        snprintf(run->start.why, sizeof(run->start.why), "no GO was decided in run %s",
                 run->id);
        cancel_all(run);
        (void)run_wait(run, is_never, CANCEL_MS);
        return;
    }
    progress_event(run->progress, PROGRESS_ALL, "attached", "attached to run %s", run->id);
    run->has_median = true;
    for (size_t i = 0; i < run->n_nodes; i++) {
        struct run_node *node = &run->nodes[i];

        if (node->is_settled && node->is_built) {
            forget_copy(run, i);
        }
        if (node->is_settled && !node->is_released && node->ended.digest[0] != '\0') {
            node->is_settled = false;
            run_release(run, i);
        }
    }
    run_follow(run);
    for (size_t i = 0; i < run->n_nodes; i++) {
        if (!run->nodes[i].is_settled && flock_session(run->flock, i)->is_welcome) {
            run_ask_state(run, i);
        }
    }
}
