/* SPDX-License-Identifier: MIT */
/* What the agent must not wait for: the journal, recovery and removal of logs. */
#include "sheep/agent_state.h"

#include "common/log.h"
#include "common/rlog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void agent_feed_failure(struct agent *agent, enum node_event_kind kind, const struct err *err)
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
        agent_feed_failure(agent, NODE_EVENT_START_FAILED, &err);
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
        agent_feed_failure(agent, NODE_EVENT_START_FAILED, &job->err);
    } else if (is_wanted) {
        send_start(agent);
    }
    free(job);
}

/* n: the arm whose start waits for the journal. */
void agent_save_journal(struct agent *agent, uint64_t n)
{
    struct journal_job *job = calloc(1, sizeof(*job));
    struct worker_job work = {
        .run = run_journal, .done = journal_done, .owner = agent, .arg = job
    };
    struct err err = { .code = ERR_MEMORY };

    if (job == NULL) {
        if (n != 0) {
            agent_feed_failure(agent, NODE_EVENT_START_FAILED, &err);
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
            agent_feed_failure(agent, NODE_EVENT_START_FAILED, &err);
        }
    }
}

/* What is not going is forgotten by the next agent. */
void agent_clear_journal(struct agent *agent)
{
    if (agent->journal.is_going) {
        struct node_journal kept = agent->journal;

        memset(&agent->journal, 0, sizeof(agent->journal));
        agent_save_journal(agent, 0);
        agent->journal = kept; /* repeats are still answered from it */
        agent->journal.is_going = false;
    }
}

/* ---- a log that nobody closed ---- */

struct recovery_job {
    char log[PROTO_NAME_SIZE];
    struct store store;
    bool is_current; /* the experiment waits for it */
    bool is_empty;   /* never started, and removed */
    char why[PROTO_TEXT_SIZE];
    struct store_entry entry;
    bool has_failed;
    struct err err;
};

/* Whose log it is, when nobody remembers: its own manifest does. */
static void find_owner(struct store_entry *entry, const char *folder)
{
    struct rlog_reader *reader = NULL;
    struct err ignored = { 0 };

    if (entry->experiment == 0 && (reader = rlog_reader_open(folder, &ignored)) != NULL) {
        entry->experiment = rlog_reader_manifest(reader)->experiment;
        rlog_reader_close(&reader);
    }
}

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
    if (!job->is_current && !result.was_closed && result.end.n_samples == 0) {
        job->is_empty = true;
        job->has_failed = store_remove(&job->store, job->log, &job->err) < 0;
        return;
    }
    find_owner(&job->entry, folder);
    rlog_digest_text(result.digest, job->entry.digest);
    if (store_note(&job->store, job->log, &job->entry, &job->err) < 0) {
        job->has_failed = true;
    }
}

void agent_fill_ended(struct body_ended *ended, const struct store_entry *entry)
{
    ended->n_samples = entry->n_samples;
    ended->n_gap_samples = entry->n_gap_samples;
    ended->reason = entry->reason;
    ended->log_bytes = entry->log_bytes;
    snprintf(ended->digest, sizeof(ended->digest), "%s", entry->digest);
    snprintf(ended->text, sizeof(ended->text), "%s", entry->text);
}

void agent_take_entry(struct agent *agent, const struct store_entry *entry)
{
    agent_fill_ended(&agent->ended, entry);
}

void agent_feed_ended(struct agent *agent)
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
    } else if (job->is_empty) {
        log_info("log %s never started: removed", job->log);
    } else {
        log_info("log %s: closed with %llu samples", job->log,
                 (unsigned long long)job->entry.n_samples);
    }
    if (job->is_current && agent->node.state == NODE_RECOVERING
        && strcmp(agent->journal.log, job->log) == 0) {
        agent_take_entry(agent, &job->entry);
        agent_feed_ended(agent);
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

void agent_recover_log(struct agent *agent)
{
    char why[PROTO_TEXT_SIZE];

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

    if (!store_keeps(&job->store, job->log)) {
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

void agent_release_log(struct agent *agent)
{
    struct release_job *job = calloc(1, sizeof(*job));
    struct worker_job work = {
        .run = run_release, .done = release_done, .owner = agent, .arg = job
    };
    struct err err = { 0 };

    log_info("%s is released", agent->journal.log);
    if (!store_keeps(&agent->store, agent->journal.log)) {
        log_server_forget(agent->logs, agent->journal.log);
    }
    agent_clear_journal(agent);
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
