/* SPDX-License-Identifier: MIT */
/* The life of an experiment in the agent: does what the protocol says, and tells it what the
 * recorder says. */
#include "sheep/agent_state.h"

#include "common/log.h"
#include "common/rlog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void feed_failure(struct agent *agent, enum node_event_kind kind, const struct err *err)
{
    struct node_event event = {
        .kind = kind,
        .preparation = agent->node.preparation,
        .code = err->code,
        .why = err->text,
    };

    agent_feed(agent, &event);
}

/* ---- journal ---- */

struct journal_job {
    struct node_journal journal;
    char state_dir[PATH_SIZE];
    uint64_t n; /* of a start that waits for it; 0: none */
    bool has_failed;
    struct err err;
};

static void run_journal(void *arg)
{
    struct journal_job *job = arg;

    job->has_failed = node_journal_save(&job->journal, job->state_dir, &job->err) < 0;
}

static void send_start(struct agent *agent)
{
    struct recorder_request request = {
        .kind = RECORDER_START,
        .T_ns = agent->node.T_ns,
        .arm_n = (uint32_t)agent->node.n,
    };
    struct err err = { 0 };

    if (recorder_link_send(agent->link, &request, &agent->seq_start, &err) < 0) {
        feed_failure(agent, NODE_EVENT_START_FAILED, &err);
    }
}

static void journal_done(void *owner, void *arg)
{
    struct agent *agent = owner;
    struct journal_job *job = arg;
    /* Meanwhile it may have been cancelled, and something else be prepared. */
    bool is_wanted = job->n != 0 && agent->node.state == NODE_STARTING
                     && agent->node.n == job->n
                     && agent->node.experiment == job->journal.experiment;

    if (job->has_failed) {
        log_error("journal: %s", job->err.text);
    }
    if (is_wanted && job->has_failed) {
        feed_failure(agent, NODE_EVENT_START_FAILED, &job->err);
    } else if (is_wanted) {
        send_start(agent);
    }
    free(job);
}

/* n: the arm whose start waits for the journal. */
static void save_journal(struct agent *agent, uint64_t n)
{
    struct journal_job *job = calloc(1, sizeof(*job));
    struct worker_job work = {
        .run = run_journal, .done = journal_done, .owner = agent, .arg = job
    };
    struct err err = { .code = ERR_MEMORY };

    if (job == NULL) {
        if (n != 0) {
            feed_failure(agent, NODE_EVENT_START_FAILED, &err);
        }
        return;
    }
    job->journal = agent->journal;
    job->n = n;
    memcpy(job->state_dir, agent->state_dir, sizeof(job->state_dir));
    if (worker_submit(agent->journalist, &work, &err) < 0) {
        free(job);
        log_error("journal: %s", err.text);
        if (n != 0) {
            feed_failure(agent, NODE_EVENT_START_FAILED, &err);
        }
    }
}

/* What is not going is forgotten by the next agent. */
static void clear_journal(struct agent *agent)
{
    if (agent->journal.is_going) {
        struct node_journal kept = agent->journal;

        memset(&agent->journal, 0, sizeof(agent->journal));
        save_journal(agent, 0);
        agent->journal = kept; /* repeats are still answered from it */
        agent->journal.is_going = false;
    }
}

/* ---- actions ---- */

static int make_plan(struct agent *agent, struct err *err)
{
    struct plan_context context = {
        .config = agent->config,
        .store = &agent->store,
        .inputs = &agent->inputs,
        .claim = &agent->claim,
        .experiment = agent->node.experiment,
        .boot_id = agent->boot_id,
    };

    clock_claim_read(&agent->claim, agent->config);
    if (agent->prepare_body == NULL) {
        return err_set(err, ERR_STATE, "nothing was asked for");
    }
    if (!recorder_link_is_up(agent->link)) {
        return err_set(err, ERR_UNREACHABLE, "the recorder is not there");
    }
    return plan_make(agent->plan, &context, agent->prepare_body, agent->prepare_payload, err);
}

static void do_prepare(struct agent *agent, const struct node_action *action)
{
    struct err err = { 0 };

    (void)action;
    if (make_plan(agent, &err) < 0
        || recorder_link_send(agent->link, &agent->plan->request, &agent->seq_prepare, &err)
               < 0) {
        log_info("refused %s: %s",
                 agent->prepare_body != NULL ? agent->prepare_body->experiment_name : "",
                 err.text);
        feed_failure(agent, NODE_EVENT_PREPARE_FAILED, &err);
        return;
    }
    memset(&agent->journal, 0, sizeof(agent->journal));
    memset(&agent->started, 0, sizeof(agent->started));
    memset(&agent->ended, 0, sizeof(agent->ended));
    agent->journal.experiment = agent->node.experiment;
    agent->journal.n_planned = agent->plan->request.manifest.n_planned;
    snprintf(agent->journal.experiment_name, sizeof(agent->journal.experiment_name), "%s",
             agent->plan->request.manifest.experiment_name);
    snprintf(agent->journal.log, sizeof(agent->journal.log), "%s", agent->plan->log);
}

static void do_start(struct agent *agent, const struct node_action *action)
{
    agent->journal.controller = agent->node.controller;
    agent->journal.is_going = true;
    agent->journal.T_ns = action->T_ns;
    agent->journal.arm_n = action->n;
    agent->seq_start = 0;
    save_journal(agent, action->n);
}

static void do_cancel(struct agent *agent, const struct node_action *action)
{
    struct recorder_request request = { .kind = RECORDER_CANCEL };
    struct err err = { 0 };

    (void)action;
    if (recorder_link_send(agent->link, &request, &agent->seq_cancel, &err) < 0) {
        log_warn("cancel: %s", err.text); /* its death is reported by itself */
    }
    log_info("%s is cancelled", agent->journal.experiment_name);
}

static void do_stop(struct agent *agent, const struct node_action *action)
{
    struct recorder_request request = {
        .kind = RECORDER_STOP,
        .sample = action->sample == UINT64_MAX ? 0 : action->sample,
    };
    struct err err = { 0 };

    if (recorder_link_send(agent->link, &request, &agent->seq_stop, &err) < 0) {
        log_warn("stop: %s", err.text);
    }
}

/* ---- a log that nobody closed ---- */

struct recovery_job {
    char log[PROTO_NAME_SIZE];
    struct store store;
    bool is_current; /* the experiment waits for it */
    char why[PROTO_TEXT_SIZE];
    struct store_entry entry;
    bool has_failed;
    struct err err;
};

static void run_recovery(void *arg)
{
    struct recovery_job *job = arg;
    struct rlog_recovery result = { 0 };
    char folder[PATH_SIZE];

    job->entry.reason = RLOG_END_INTERRUPTED;
    snprintf(job->entry.text, sizeof(job->entry.text), "%s", job->why);
    if (!store_has(&job->store, job->log)) {
        return;
    }
    if (store_log_path(&job->store, job->log, folder, &job->err) < 0
        || rlog_recover(folder, &result, &job->err) < 0) {
        job->has_failed = true;
        return;
    }
    job->entry.n_samples = result.end.n_samples;
    job->entry.n_gap_samples = result.end.n_gap_samples;
    job->entry.reason = result.end.reason;
    job->entry.log_bytes = result.bytes;
    if (result.end.reason != RLOG_END_INTERRUPTED) {
        job->entry.text[0] = '\0'; /* it was closed in time */
    }
    rlog_digest_text(result.digest, job->entry.digest);
    if (store_note(&job->store, job->log, &job->entry, &job->err) < 0) {
        job->has_failed = true;
    }
}

static void take_entry(struct agent *agent, const struct store_entry *entry)
{
    agent->ended.n_samples = entry->n_samples;
    agent->ended.n_gap_samples = entry->n_gap_samples;
    agent->ended.reason = entry->reason;
    agent->ended.log_bytes = entry->log_bytes;
    snprintf(agent->ended.digest, sizeof(agent->ended.digest), "%s", entry->digest);
    snprintf(agent->ended.text, sizeof(agent->ended.text), "%s", entry->text);
}

static void feed_ended(struct agent *agent)
{
    struct node_event event = { .kind = NODE_EVENT_ENDED, .n_samples = agent->ended.n_samples };

    log_info("%s ended: %llu samples, reason %llu%s%s", agent->journal.log,
             (unsigned long long)agent->ended.n_samples,
             (unsigned long long)agent->ended.reason, agent->ended.text[0] != '\0' ? ": " : "",
             agent->ended.text);
    agent_feed(agent, &event);
}

static void recovery_done(void *owner, void *arg)
{
    struct agent *agent = owner;
    struct recovery_job *job = arg;

    if (job->has_failed) {
        log_error("log %s: %s", job->log, job->err.text);
        snprintf(job->entry.text, sizeof(job->entry.text), "%.*s",
                 (int)sizeof(job->entry.text) - 1, job->err.text);
    } else {
        log_info("log %s: closed with %llu samples", job->log,
                 (unsigned long long)job->entry.n_samples);
    }
    if (job->is_current && agent->node.state == NODE_RECOVERING
        && strcmp(agent->journal.log, job->log) == 0) {
        take_entry(agent, &job->entry);
        feed_ended(agent);
    }
    free(job);
}

static void submit_recovery(struct agent *agent, const char *log, bool is_current,
                            const char *why)
{
    struct recovery_job *job = calloc(1, sizeof(*job));
    struct worker_job work = {
        .run = run_recovery, .done = recovery_done, .owner = agent, .arg = job
    };
    struct err err = { 0 };

    if (job == NULL) {
        log_error("log %s: no memory to recover it", log);
        return;
    }
    snprintf(job->log, sizeof(job->log), "%s", log);
    snprintf(job->why, sizeof(job->why), "%s", why);
    job->store = agent->store;
    job->is_current = is_current;
    job->entry.experiment = is_current ? agent->node.experiment : 0;
    if (worker_submit(agent->worker, &work, &err) < 0) {
        log_error("log %s: %s", log, err.text);
        free(job);
    }
}

static void do_recover(struct agent *agent, const struct node_action *action)
{
    char why[PROTO_TEXT_SIZE];

    (void)action;
    snprintf(why, sizeof(why), "interrupted: the recorder died%s%.*s",
             agent->page.fault[0] != '\0' ? ": " : "", (int)sizeof(why) / 2, agent->page.fault);
    submit_recovery(agent, agent->journal.log, true, why);
}

static void scan_one(void *arg, const char *log)
{
    struct agent *agent = arg;
    struct store_entry entry;
    bool is_current = agent->node.state != NODE_IDLE && strcmp(agent->journal.log, log) == 0;

    if (!is_current && store_find(&agent->store, log, &entry, NULL) < 0) {
        submit_recovery(agent, log, false, "interrupted: found unfinished after a start");
    }
}

void agent_scan_logs(struct agent *agent)
{
    struct err err = { 0 };

    if (store_each(&agent->store, scan_one, agent, &err) < 0) {
        log_error("recordings: %s", err.text);
    }
}

/* ---- release ---- */

struct release_job {
    char log[PROTO_NAME_SIZE];
    struct store store;
    struct err err;
    bool has_failed;
};

static void run_release(void *arg)
{
    struct release_job *job = arg;
    struct store_entry entry;

    if (job->store.retention == RETENTION_RELEASE) {
        job->has_failed = store_remove(&job->store, job->log, &job->err) < 0;
        return;
    }
    if (store_find(&job->store, job->log, &entry, &job->err) < 0) {
        job->has_failed = true;
        return;
    }
    entry.is_released = true;
    job->has_failed = store_note(&job->store, job->log, &entry, &job->err) < 0;
}

static void release_done(void *owner, void *arg)
{
    struct release_job *job = arg;

    (void)owner;
    if (job->has_failed) {
        log_warn("release of %s: %s", job->log, job->err.text);
    }
    free(job);
}

static void do_release(struct agent *agent, const struct node_action *action)
{
    struct release_job *job = calloc(1, sizeof(*job));
    struct worker_job work = {
        .run = run_release, .done = release_done, .owner = agent, .arg = job
    };
    struct err err = { 0 };

    (void)action;
    log_info("%s is released", agent->journal.log);
    if (agent->store.retention == RETENTION_RELEASE) {
        log_server_forget(agent->logs, agent->journal.log);
    }
    clear_journal(agent);
    if (job == NULL) {
        return;
    }
    snprintf(job->log, sizeof(job->log), "%s", agent->journal.log);
    job->store = agent->store;
    if (worker_submit(agent->worker, &work, &err) < 0) {
        log_error("release of %s: %s", job->log, err.text);
        free(job);
    }
}

/* ---- the step ---- */

/* An answer to what was asked a moment ago goes to who asks now; a later one to who waits. */
static void do_answer(struct agent *agent, const struct node_event *event,
                      const struct node_action *action)
{
    struct agent_request *pending = NULL;

    if ((int)event->kind < N_NODE_MESSAGES && agent->current.is_set) {
        agent->is_answered = true;
        agent_do_answer(agent, &agent->current, action);
        return;
    }
    switch (event->kind) {
    case NODE_EVENT_CANCEL_CONFIRMED:
    case NODE_EVENT_CANCEL_FAILED:
        pending = &agent->pending_cancel;
        break;
    case NODE_EVENT_START_CONFIRMED:
    case NODE_EVENT_START_FAILED:
    case NODE_EVENT_STARTED:
        pending = &agent->pending_go;
        break;
    default:
        pending = &agent->pending_prepare;
        break;
    }
    if (pending->is_set) {
        agent_do_answer(agent, pending, action);
        pending->is_set = false;
    }
}

static void tell(struct agent *agent, const struct node_action *action)
{
    struct agent_request owner = { .port = SERVER_CONTROL };

    if (agent->owner_peer[0] == '\0') {
        return;
    }
    memcpy(owner.peer_id, agent->owner_peer, sizeof(owner.peer_id));
    owner.token.experiment = agent->node.experiment;
    owner.token.controller = agent->node.controller;
    agent_do_answer(agent, &owner, action);
}

static void perform(struct agent *agent, const struct node_event *event,
                    const struct node_action *action)
{
    switch (action->kind) {
    case NODE_ACT_ANSWER:
        do_answer(agent, event, action);
        return;
    case NODE_ACT_TELL:
        tell(agent, action);
        return;
    case NODE_ACT_PREPARE:
        do_prepare(agent, action);
        return;
    case NODE_ACT_START:
        do_start(agent, action);
        return;
    case NODE_ACT_CANCEL:
        do_cancel(agent, action);
        return;
    case NODE_ACT_STOP:
        do_stop(agent, action);
        return;
    case NODE_ACT_RECOVER:
        do_recover(agent, action);
        return;
    case NODE_ACT_RELEASE:
        do_release(agent, action);
        return;
    }
}

void agent_feed(struct agent *agent, struct node_event *event)
{
    enum node_state before = agent->node.state;
    struct node_actions actions;

    event->mono_ns = clock_mono(&agent->clock);
    event->utc_ns = clock_utc(&agent->clock);
    node_experiment_step(&agent->node, event, &actions);
    for (size_t i = 0; i < actions.count; i++) {
        perform(agent, event, &actions.list[i]);
    }
    if (agent->node.state != before) {
        log_debug("%s: %s", agent->journal.experiment_name, node_state_name(agent->node.state));
    }
    if (agent->node.state == NODE_IDLE && before != NODE_IDLE) {
        clear_journal(agent);
    }
}

/* ---- the recorder ---- */

static void take_started(struct agent *agent)
{
    agent->started.T_ns = agent->page.T_ns;
    agent->started.start_error_ns = agent->page.start_error_ns;
    agent->started.start_bound_ns = agent->page.start_bound_ns;
}

static void take_page_ended(struct agent *agent)
{
    const struct recorder_page *page = &agent->page;
    struct store_entry entry = {
        .experiment = page->experiment,
        .n_samples = page->end.n_samples,
        .n_gap_samples = page->end.n_gap_samples,
        .reason = page->end.reason,
        .log_bytes = page->log_bytes,
    };
    struct err err = { 0 };

    rlog_digest_text(page->digest, entry.digest);
    snprintf(entry.text, sizeof(entry.text), "%.*s", (int)sizeof(entry.text) - 1, page->fault);
    if (store_note(&agent->store, agent->journal.log, &entry, &err) < 0) {
        log_error("index of %s: %s", agent->journal.log, err.text);
    }
    take_entry(agent, &entry);
}

static bool read_page(struct agent *agent)
{
    struct recorder_page page;

    if (!recorder_link_page(agent->link, &page)) {
        return false;
    }
    agent->page = page;
    return page.experiment == agent->node.experiment && agent->node.state != NODE_IDLE;
}

void agent_look_at_page(struct agent *agent)
{
    enum node_state state = agent->node.state;
    struct node_event event = { 0 };

    if (!read_page(agent) || state < NODE_STARTING || state >= NODE_RECOVERING) {
        return;
    }
    if (agent->page.is_started != 0 && state != NODE_RUNNING) {
        take_started(agent);
        log_info("%s started, %lld ns from T", agent->journal.log,
                 (long long)agent->started.start_error_ns);
        event.kind = NODE_EVENT_STARTED;
        agent_feed(agent, &event);
    }
    if (agent->page.is_ended != 0 && agent->node.state < NODE_RECOVERING) {
        take_page_ended(agent);
        feed_ended(agent);
    }
}

static void on_answer(struct agent *agent, const struct recorder_event *event)
{
    struct node_event out = {
        .preparation = agent->node.preparation,
        .promise_ns = event->promise_ns,
        .code = (enum err_code)event->code,
        .why = event->text,
        .n_samples = agent_samples(agent),
    };
    bool is_ok = event->code == ERR_NONE;

    if (event->seq == agent->seq_prepare) {
        out.kind = is_ok ? NODE_EVENT_PREPARED : NODE_EVENT_PREPARE_FAILED;
    } else if (event->seq == agent->seq_start) {
        out.kind = is_ok ? NODE_EVENT_START_CONFIRMED : NODE_EVENT_START_FAILED;
    } else if (event->seq == agent->seq_cancel) {
        out.kind = is_ok ? NODE_EVENT_CANCEL_CONFIRMED : NODE_EVENT_CANCEL_FAILED;
    } else {
        if (!is_ok) {
            log_warn("recorder: %s", event->text);
        }
        return;
    }
    agent_feed(agent, &out);
}

void agent_recorder_event(void *arg, const struct recorder_event *event)
{
    struct agent *agent = arg;
    bool is_ours = read_page(agent);

    switch ((enum recorder_event_kind)event->kind) {
    case RECORDER_ANSWER:
        on_answer(agent, event);
        return;
    case RECORDER_STARTED:
        agent_look_at_page(agent);
        return;
    case RECORDER_ENDED:
        if (is_ours && agent->page.is_ended != 0) {
            agent_look_at_page(agent);
        } else {
            /* Given up: what there is of a log must be closed by us. */
            agent_recorder_lost(agent, event->text);
        }
        return;
    }
    log_warn("recorder: event %u is unknown", event->kind);
}

void agent_recorder_lost(void *arg, const char *why)
{
    struct agent *agent = arg;
    struct err err = { .code = ERR_HARDWARE };

    read_page(agent);
    if (agent->page.is_ended != 0) {
        agent_look_at_page(agent); /* it closed the log before it went */
    }
    snprintf(err.text, sizeof(err.text), "the recorder ended: %.400s", why);
    feed_failure(agent, NODE_EVENT_RECORDER_LOST, &err);
}

void agent_recorder_up(void *arg)
{
    (void)arg;
    log_debug("recorder is there");
}

/* ---- after a start of the agent ---- */

static bool is_recording(const struct agent *agent)
{
    return recorder_link_is_up(agent->link) && agent->page.state >= RECORDER_STARTING
           && agent->page.experiment == agent->journal.experiment;
}

static enum node_state find_state(struct agent *agent)
{
    bool is_page_ours = agent->page.experiment == agent->journal.experiment;
    struct store_entry entry;

    if (is_page_ours && agent->page.is_started != 0) {
        take_started(agent);
    }
    if (is_recording(agent)) {
        return agent->page.state == RECORDER_STARTING ? NODE_GOING : NODE_RUNNING;
    }
    if (store_find(&agent->store, agent->journal.log, &entry, NULL) == 0) {
        take_entry(agent, &entry);
        return entry.is_released ? NODE_IDLE : NODE_DONE;
    }
    if (is_page_ours && agent->page.is_ended != 0) {
        take_page_ended(agent);
        return NODE_DONE;
    }
    return store_has(&agent->store, agent->journal.log) ? NODE_RECOVERING : NODE_IDLE;
}

void agent_restore(struct agent *agent)
{
    struct node_restore restore = { 0 };
    struct node_action recover = { .kind = NODE_ACT_RECOVER };
    struct err err = { 0 };

    read_page(agent);
    if (node_journal_load(&agent->journal, agent->state_dir, &err) < 0) {
        log_error("%s", err.text);
        return;
    }
    if (agent->journal.experiment == 0 || !agent->journal.is_going) {
        return;
    }
    restore.state = find_state(agent);
    restore.experiment = agent->journal.experiment;
    restore.controller = agent->journal.controller;
    restore.user = server_user_number(agent->journal.user);
    restore.T_ns = agent->journal.T_ns;
    restore.n = agent->journal.arm_n;
    restore.n_samples = agent->ended.n_samples;
    restore.is_started =
        restore.state == NODE_RUNNING || agent->started.T_ns != 0 || restore.n_samples > 0;
    restore.mono_ns = clock_mono(&agent->clock);
    restore.utc_ns = clock_utc(&agent->clock);
    log_info("%s of %s is here, %s", agent->journal.experiment_name, agent->journal.owner,
             node_state_name(restore.state));
    if (restore.state == NODE_IDLE) {
        clear_journal(agent);
        return;
    }
    node_experiment_restore(&agent->node, &restore);
    if (restore.state == NODE_RECOVERING) {
        do_recover(agent, &recover);
    }
}
