/* SPDX-License-Identifier: MIT */
/* While nodes record: their logs are followed, HDF5 grows, and each node is brought to its end.
 */
#include "herd/run_state.h"

#include "common/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FETCH_EVERY_MS = 20,
    STATE_EVERY_MS = 2000,
    RELEASE_AGAIN_MS = 1000,
    STOP_TIMEOUT_MS = 20 * 1000,
    STOP_AGAIN_MS = 200,
    MAX_FETCHES = 4,   /* at once, of one node */
    STOP_GRAIN = 1000, /* an agreed stop is a multiple of it */
};

/* The name that was held for a file that will not come; a whole file stays. */
static void free_name(struct run_node *node)
{
    struct stat status;

    if (node->final_path[0] != '\0' && !node->is_built && stat(node->final_path, &status) == 0
        && status.st_size == 0) {
        (void)unlink(node->final_path);
        node->final_path[0] = '\0';
    }
}

static void fail_node(struct run *run, size_t i, const char *what, const char *detail)
{
    struct run_node *node = &run->nodes[i];

    snprintf(node->failure, sizeof(node->failure), "%s: %s", what, detail);
    free_name(node);
    node->is_settled = true;
    run_judge(run, i);
}

/* ---- the copy of the log ---- */

void run_follow_reset(struct run *run, size_t i)
{
    if (run->nodes[i].collect != NULL) {
        collect_reset(run->nodes[i].collect);
    }
}

static bool open_copy(struct run *run, size_t i)
{
    struct run_node *node = &run->nodes[i];
    char folder[PATH_SIZE];
    char part[PATH_SIZE];
    char stem[RUN_STEM_SIZE];
    struct err err = { 0 };

    run_stem(run, node->mode, stem);
    snprintf(folder, sizeof(folder), "%.400s/%s.rlog", run->copies, run->names[i]);
    snprintf(part, sizeof(part), "%.280s/%s_%s.h5.part", run->output, stem, run->names[i]);
    node->collect = collect_open(folder, node->log, &err);
    if (node->collect == NULL) {
        fail_node(run, i, "its log cannot be kept here", err.text);
        return false;
    }
    collect_keep(node->collect);
    collect_set_window(node->collect, pace_window(run->request->rate,
                                                  run->request->total_rate / run->n_nodes));
    builder_set(run->builder, i, folder, part);
    return true;
}

static void fetch(struct run *run, size_t i, int64_t mono_ns)
{
    struct run_node *node = &run->nodes[i];
    struct body_fetch body;

    if (!flock_session(run->flock, i)->is_welcome || !pace_may(&node->pace, mono_ns)
        || !pace_may(&run->pace, mono_ns)) {
        return; /* the next tick looks again */
    }
    for (int n = 0;
         n < MAX_FETCHES && collect_next_fetch(node->collect, mono_ns, node->log_bytes, &body);
         n++) {
        if (flock_tell_bulk(run->flock, i, VERB_FETCH, &body, (struct proto_frame){ NULL, 0 })
            == 0) {
            collect_reset(node->collect); /* not connected yet */
            return;
        }
    }
}

/* A fetch that is refused is a fault only when nothing more can come. */
static void take_refusal(struct run *run, size_t i, const struct body_refused *body)
{
    struct run_node *node = &run->nodes[i];

    log_debug("%s: fetch: %s", run->names[i], body->why);
    if (node->is_ended && !collect_is_complete(node->collect)) {
        fail_node(run, i, "its log cannot be fetched", body->why);
    }
}

void run_take_data(struct run *run, size_t i, const struct flock_message *message)
{
    struct run_node *node = &run->nodes[i];
    struct err err = { 0 };

    if (node->collect == NULL || node->is_settled) {
        return;
    }
    if (message->message->verb == VERB_REFUSED) {
        take_refusal(run, i, PROTO_CONST_BODY(message->message, body_refused));
        return;
    }
    if (message->message->verb != VERB_DATA) {
        return;
    }
    pace_take(&node->pace, message->message->payload.size);
    pace_take(&run->pace, message->message->payload.size);
    if (collect_take(node->collect, PROTO_CONST_BODY(message->message, body_data),
                     message->message->payload, &err)
        < 0) {
        fail_node(run, i, "its log cannot be kept here", err.text);
        return;
    }
    fetch(run, i, message->mono_ns);
}

/* ---- the end of a node ---- */

static void note_text(struct run *run, enum journal_kind kind, size_t i, const char *text)
{
    struct journal_entry entry = { .kind = kind };

    snprintf(entry.node, sizeof(entry.node), "%s", run->names[i]);
    snprintf(entry.text, sizeof(entry.text), "%s", text);
    snprintf(entry.path, sizeof(entry.path), "%s", run->nodes[i].final_path);
    snprintf(entry.digest, sizeof(entry.digest), "%s",
             run->nodes[i].is_digest_right ? run->nodes[i].ended.digest : "");
    (void)run_note(run, &entry, true);
}

static void drop_copy(struct run *run, size_t i)
{
    struct run_node *node = &run->nodes[i];
    char folder[PATH_SIZE];
    struct err err = { 0 };

    snprintf(folder, sizeof(folder), "%s", collect_folder(node->collect));
    collect_close(&node->collect);
    if (rlog_remove(folder, &err) < 0) {
        log_warn("%s", err.text);
    }
}

static void on_released(void *arg, size_t i, const struct flock_message *message)
{
    struct run *run = arg;
    struct run_node *node = &run->nodes[i];

    if (message != NULL && message->message->verb == VERB_RELEASED) {
        node->is_released = true;
        note_text(run, JOURNAL_RELEASED, i, "");
    } else {
        progress_warn(run->progress, i, "unreleased", "did not release its copy: %s",
                      message != NULL && message->message->verb == VERB_REFUSED
                          ? PROTO_CONST_BODY(message->message, body_refused)->why
                          : "no answer");
    }
    node->is_settled = true;
}

void run_release(struct run *run, size_t i)
{
    struct run_node *node = &run->nodes[i];
    struct body_log body = { 0 };
    const struct flock_request request = { .verb = VERB_RELEASE,
                                           .body = &body,
                                           .timeout_ms = RUN_RELEASE_MS,
                                           .again_ms = RELEASE_AGAIN_MS,
                                           .answer = on_released,
                                           .arg = run };
    struct err err = { 0 };

    snprintf(body.log, sizeof(body.log), "%s", node->log);
    snprintf(body.digest, sizeof(body.digest), "%s", node->ended.digest);
    node->is_releasing = true;
    if (flock_request(run->flock, i, &request, &err) < 0) {
        node->is_settled = true;
    }
}

static void take_built_file(struct run *run, size_t i, const struct builder_answer *answer)
{
    struct run_node *node = &run->nodes[i];
    char text[VERDICT_TEXT_SIZE + 40];

    node->is_building = false;
    if (answer->result < 0) {
        fail_node(run, i, "no HDF5", answer->err.text);
        return;
    }
    node->summary = answer->summary;
    node->is_built = true;
    node->end_ns = clock_mono_ns();
    run_judge(run, i);
    verdict_print(&node->verdict, text, sizeof(text));
    note_text(run, JOURNAL_VERDICT, i, text);
    progress_event(run->progress, i, "verdict", "%s", text);
    if (!node->is_digest_right) {
        node->is_settled = true; /* the node's copy is the better one: it stays */
        return;
    }
    run_release(run, i);
    drop_copy(run, i);
}

void run_built(void *arg, const struct builder_answer *answer)
{
    struct run *run = arg;
    size_t i = (size_t)answer->i;

    if (answer->work == BUILDER_FINISH) {
        take_built_file(run, i, answer);
    } else if (answer->result < 0) {
        /* FINISH will say it again, and then it counts. */
        log_debug("%s: %s", run->names[i], answer->err.text);
    }
}

/* What the file can already say about itself. */
static struct h5_evidence make_evidence(const struct run *run, size_t i)
{
    const struct run_node *node = &run->nodes[i];
    struct h5_evidence evidence = { .has_clock = node->clock.view.n_exchanges > 0 };
    char stem[RUN_STEM_SIZE];

    if (evidence.has_clock) {
        evidence.clock_offset_ns = node->clock.view.offset_ns - run->median.offset_ns;
        evidence.clock_bound_ns = node->clock.view.bound_ns + run->median.bound_ns;
        snprintf(evidence.clock_source, sizeof(evidence.clock_source), "%.31s",
                 node->clock.claim.source);
    }
    run_stem(run, node->mode, stem);
    snprintf(evidence.manifest, sizeof(evidence.manifest), "%s.manifest.yaml", stem);
    return evidence;
}

/* All bytes are here: are they the right ones? False while there is more to do. */
static bool check_copy(struct run *run, size_t i)
{
    struct run_node *node = &run->nodes[i];
    char digest[DIGEST_TEXT_SIZE];
    struct err err = { 0 };

    if (node->is_copy_checked) {
        return true;
    }
    collect_digest(node->collect, digest);
    node->is_digest_right = strcmp(digest, node->ended.digest) == 0;
    if (!node->is_digest_right && !node->was_refetched) {
        progress_warn(run->progress, i, "refetch",
                      "the copy of its log differs from the node's: fetched anew");
        node->was_refetched = true;
        if (collect_restart(node->collect, &err) < 0) {
            fail_node(run, i, "its log cannot be kept here", err.text);
        }
        return false;
    }
    if (collect_sync(node->collect, &err) < 0) {
        fail_node(run, i, "its log cannot be kept here", err.text);
        return false;
    }
    node->is_copy_checked = true;
    return true;
}

static void finish(struct run *run, size_t i)
{
    struct run_node *node = &run->nodes[i];
    struct h5_evidence evidence = make_evidence(run, i);
    struct verdict verdict;
    struct err err = { 0 };

    if (node->is_building || !check_copy(run, i)) {
        return;
    }
    if (run_take_name(run, i, &err) < 0) {
        fail_node(run, i, "no name for its file", err.text);
        return;
    }
    run_recall_config(run, i);
    run_judge(run, i);
    verdict = node->verdict;
    verdict_print(&verdict, evidence.verdict, sizeof(evidence.verdict));
    node->is_building = true;
    builder_finish(run->builder, i, &evidence, node->final_path);
}

/* ---- the whole ---- */

static bool was_told(const struct run *run, size_t i)
{
    return run->start.nodes[i].is_told;
}

void run_follow(struct run *run)
{
    int64_t mono_ns = clock_mono_ns();

    run->is_following = true;
    for (size_t i = 0; i < run->n_nodes; i++) {
        run->nodes[i].moved_ns = mono_ns;
        if (run->nodes[i].is_settled || run->nodes[i].is_releasing) {
            continue;
        }
        if (!was_told(run, i)) {
            run->nodes[i].is_settled = true;
            run_judge(run, i);
        } else if (!open_copy(run, i)) {
            continue;
        }
    }
    run_write_manifest(run);
}

/* The instant by which every node should have ended by itself. */
static int64_t expected_end_ns(const struct run *run, const struct run_node *node)
{
    uint64_t n = run->stop_sample > 0 ? run->stop_sample : node->n_planned;

    if (n == UINT64_MAX || n > INT64_MAX / RUN_SAMPLE_NS / 2) {
        return INT64_MAX;
    }
    return run->start.T_mono_ns + (int64_t)n * RUN_SAMPLE_NS;
}

static void note_movement(struct run *run, size_t i, int64_t mono_ns)
{
    struct run_node *node = &run->nodes[i];
    uint64_t sum = node->n_samples + node->log_bytes + node->is_ended + node->is_started;

    if (node->collect != NULL) {
        sum += collect_bytes(node->collect);
    }
    if (sum != node->last_sum) {
        node->last_sum = sum;
        node->moved_ns = mono_ns;
    }
}

/* True when the node has had its time: nothing moved, and its end should have come. */
static bool has_patience_ended(const struct run *run, size_t i, int64_t mono_ns)
{
    const struct run_node *node = &run->nodes[i];
    int64_t end_ns = expected_end_ns(run, node);
    int64_t from_ns = node->moved_ns;

    if (end_ns == INT64_MAX && !node->is_ended) {
        return false;
    }
    from_ns = !node->is_ended && end_ns > from_ns ? end_ns : from_ns;
    return mono_ns > from_ns + RUN_PATIENCE_S * NS_PER_S;
}

/* A node of which it is not known whether it started is asked. */
static void settle_start(struct run *run, size_t i, int64_t mono_ns)
{
    struct run_node *node = &run->nodes[i];

    if (node->is_started || node->is_ended || mono_ns < node->ask_ns
        || mono_ns < run->start.T_mono_ns + STATE_EVERY_MS * NS_PER_MS
        || !flock_session(run->flock, i)->is_welcome) {
        return;
    }
    node->ask_ns = mono_ns + STATE_EVERY_MS * NS_PER_MS;
    run_ask_state(run, i);
}

/* Who did not hear CANCEL in time hears it now; to a node that runs it means stop. */
static void stop_orphan(struct run *run, size_t i, int64_t mono_ns)
{
    struct run_node *node = &run->nodes[i];

    if (run->start.nodes[i].is_orphan && !node->is_ended && mono_ns >= node->stop_ns
        && flock_session(run->flock, i)->is_welcome) {
        node->stop_ns = mono_ns + STOP_AGAIN_MS * NS_PER_MS;
        node->seq_cancel =
            flock_tell(run->flock, i, VERB_CANCEL, NULL, (struct proto_frame){ NULL, 0 });
    }
}

static void follow_node(struct run *run, size_t i, int64_t mono_ns)
{
    struct run_node *node = &run->nodes[i];

    note_movement(run, i, mono_ns);
    stop_orphan(run, i, mono_ns);
    settle_start(run, i, mono_ns);
    if (run->start.nodes[i].word == START_WORD_NOT_STARTED) {
        node->is_settled = true;
        run_judge(run, i);
        return;
    }
    fetch(run, i, mono_ns);
    if (!collect_has_manifest(node->collect)) {
        return;
    }
    if (node->is_ended && collect_is_complete(node->collect)) {
        finish(run, i);
    } else if (mono_ns >= node->advance_ns && collect_bytes(node->collect) > node->advanced) {
        node->advance_ns = mono_ns + RUN_ADVANCE_MS * NS_PER_MS;
        node->advanced = collect_bytes(node->collect);
        builder_advance(run->builder, i);
    }
}

void run_follow_tick(struct run *run, int64_t mono_ns)
{
    if (mono_ns < run->follow_ns) {
        return;
    }
    run->follow_ns = mono_ns + FETCH_EVERY_MS * NS_PER_MS;
    builder_tick(run->builder);
    for (size_t i = 0; i < run->n_nodes; i++) {
        struct run_node *node = &run->nodes[i];

        if (node->is_settled || node->is_releasing) {
            continue;
        }
        follow_node(run, i, mono_ns);
        if (!node->is_settled && !node->is_building && has_patience_ended(run, i, mono_ns)) {
            node->is_given_up = true;
            node->is_settled = true;
            run_judge(run, i);
            progress_warn(run->progress, i, "given_up", "nothing is heard of it any more");
        }
    }
}

bool run_is_settled(struct run *run)
{
    for (size_t i = 0; i < run->n_nodes; i++) {
        if (!run->nodes[i].is_settled) {
            return false;
        }
    }
    return true;
}

/* ---- an agreed stop ---- */

static void on_stopping(void *arg, size_t i, const struct flock_message *message)
{
    struct run *run = arg;

    if (message == NULL) {
        progress_warn(run->progress, i, "unstopped", "did not answer STOP");
    }
}

/* One sample for all, far enough ahead for the slowest. */
static uint64_t choose_stop(const struct run *run)
{
    int64_t sample = run_now_sample(run) + RUN_STOP_MARGIN_MS * NS_PER_MS / RUN_SAMPLE_NS;

    sample = sample < STOP_GRAIN ? STOP_GRAIN : sample;
    return (uint64_t)((sample + STOP_GRAIN - 1) / STOP_GRAIN * STOP_GRAIN);
}

void run_stop_all(struct run *run, const char *why)
{
    struct body_stop body = { .sample = choose_stop(run) };
    struct journal_entry entry = { .kind = JOURNAL_STOP, .sample = body.sample };
    const struct flock_request request = { .verb = VERB_STOP,
                                           .body = &body,
                                           .timeout_ms = STOP_TIMEOUT_MS,
                                           .again_ms = STOP_AGAIN_MS,
                                           .answer = on_stopping,
                                           .arg = run };
    struct err err = { 0 };

    if (run->is_stopping) {
        return;
    }
    run->is_stopping = true;
    run->stop_sample = body.sample;
    snprintf(entry.text, sizeof(entry.text), "%s", why);
    (void)run_note(run, &entry, true);
    progress_event(run->progress, PROGRESS_ALL, "stop", "%s: all stop after sample %" PRIu64,
                   why, body.sample);
    for (size_t i = 0; i < run->n_nodes; i++) {
        if (was_told(run, i) && !run->nodes[i].is_ended && !run->nodes[i].is_settled
            && flock_request(run->flock, i, &request, &err) < 0) {
            progress_warn(run->progress, i, "unstopped", "%s", err.text);
        }
    }
}
