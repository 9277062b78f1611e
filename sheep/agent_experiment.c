/* SPDX-License-Identifier: MIT */
/* The life of an experiment in the agent: does what the protocol says, and tells it what the
 * recorder says. */
#include "sheep/agent_state.h"

#include "common/log.h"
#include "common/rlog.h"

#include <stdio.h>
#include <string.h>

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

    agent_read_claim(agent);
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
        agent_feed_failure(agent, NODE_EVENT_PREPARE_FAILED, &err);
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
    agent_save_journal(agent, action->n);
}

static void do_cancel(struct agent *agent, const struct node_action *action)
{
    struct recorder_request request = { .kind = RECORDER_CANCEL };
    struct err err = { 0 };

    (void)action;
    if (recorder_link_send(agent->link, &request, &agent->seq_cancel, &err) < 0) {
        log_warn("cancel: %s", err.text); /* its death is reported by itself */
    } else {
        memcpy(agent->store.leaving, agent->journal.log, sizeof(agent->store.leaving));
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
        agent_recover_log(agent);
        return;
    case NODE_ACT_RELEASE:
        agent_release_log(agent);
        return;
    }
}

void agent_feed(struct agent *agent, struct node_event *event)
{
    enum node_state before = agent->node.state;
    struct node_actions actions = { 0 };

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
        agent_clear_journal(agent);
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
    agent_take_entry(agent, &entry);
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
        agent_feed_ended(agent);
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
        agent->store.leaving[0] = '\0';
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

    agent->store.leaving[0] = '\0';
    read_page(agent);
    if (agent->page.is_ended != 0) {
        agent_look_at_page(agent); /* it closed the log before it went */
    }
    snprintf(err.text, sizeof(err.text), "the recorder ended: %.400s", why);
    agent_feed_failure(agent, NODE_EVENT_RECORDER_LOST, &err);
}

/* What was asked while the line broke has no answer: the page tells what became of it. */
void agent_recorder_up(void *arg, bool is_again)
{
    struct agent *agent = arg;
    struct err err = { .code = ERR_HARDWARE, .text = "the line to the recorder broke" };
    struct node_event event = { .kind = NODE_EVENT_START_CONFIRMED };
    bool has_T = false;

    agent->store.leaving[0] = '\0';
    if (!is_again) {
        return;
    }
    has_T = read_page(agent) && agent->page.state >= RECORDER_STARTING;
    if (agent->node.state >= NODE_PREPARING && agent->node.state <= NODE_ARMED) {
        agent_feed_failure(agent, NODE_EVENT_RECORDER_LOST, &err);
    } else if (agent->node.state == NODE_STARTING && has_T) {
        agent_feed(agent, &event);
    } else if (agent->node.state == NODE_STARTING) {
        agent_feed_failure(agent, NODE_EVENT_START_FAILED, &err);
    } else if (agent->node.state == NODE_CANCELLING) {
        do_cancel(agent, NULL); /* asked again: it is harmless */
    }
    agent_look_at_page(agent);
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
        agent_take_entry(agent, &entry);
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
        agent_clear_journal(agent);
        return;
    }
    node_experiment_restore(&agent->node, &restore);
    if (restore.state == NODE_RECOVERING) {
        agent_recover_log(agent);
    }
}
