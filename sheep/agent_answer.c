/* SPDX-License-Identifier: MIT */
#include "sheep/agent_state.h"

#include "common/log.h"

#include <stdio.h>
#include <string.h>

static const struct proto_frame NOTHING = { NULL, 0 };

/* Requests that change something are answered the same way when they are repeated. */
static bool is_cached(enum proto_verb verb)
{
    switch (verb) {
    case VERB_PREPARE:
    case VERB_ARM:
    case VERB_GO:
    case VERB_CANCEL:
    case VERB_STOP:
    case VERB_RELEASE:
    case VERB_REMOVE:
    case VERB_POWER:
        return true;
    default:
        return false;
    }
}

void agent_answer(struct agent *agent, const struct agent_request *request,
                  enum proto_verb verb, const void *body, struct proto_frame payload)
{
    struct proto_token token = server_answer_token(agent->server, &request->token);
    struct proto_encoded encoded;
    struct err err = { 0 };

    if (proto_encode(&encoded, verb, &token, body, payload, &err) < 0) {
        log_error("answer %s: %s", proto_verb_info(verb)->name, err.text);
        return;
    }
    if (is_cached(request->verb)) {
        reply_cache_put(agent->cache, request->user, request->verb, &request->token, &encoded);
    }
    if (server_send(agent->server, request->port, request->peer_id, &encoded, &err) < 0) {
        log_debug("answer %s: %s", proto_verb_info(verb)->name, err.text);
    }
    proto_encoded_fini(&encoded);
}

void agent_refuse(struct agent *agent, const struct agent_request *request,
                  const struct err *why)
{
    struct body_refused body = { 0 };

    snprintf(body.why, sizeof(body.why), "%.*s", (int)sizeof(body.why) - 1, why->text);
    snprintf(body.code, sizeof(body.code), "%s", err_code_name(why->code));
    agent_answer(agent, request, VERB_REFUSED, &body, NOTHING);
}

/* ---- what the protocol answers ---- */

static void answer_refused(struct agent *agent, const struct agent_request *request,
                           const struct node_action *action)
{
    struct err why = { .code = action->code };

    if (strcmp(action->why, "in use") == 0) {
        snprintf(why.text, sizeof(why.text), "in use by %s for experiment %s",
                 agent->journal.owner, agent->journal.experiment_name);
    } else {
        snprintf(why.text, sizeof(why.text), "%s", action->why);
    }
    agent_refuse(agent, request, &why);
}

static void answer_ready(struct agent *agent, const struct agent_request *request,
                         const struct node_action *action)
{
    struct body_ready body = { .promise_ns = action->promise_ns };

    snprintf(body.log, sizeof(body.log), "%s", agent->journal.log);
    agent_answer(agent, request, VERB_READY, &body, NOTHING);
}

static void answer_arm(struct agent *agent, const struct agent_request *request,
                       const struct node_action *action)
{
    struct body_arm body = { .T_ns = action->T_ns, .n = action->n };

    snprintf(body.why, sizeof(body.why), "%s", action->why);
    agent_answer(agent, request, action->verb, &body, NOTHING);
}

static void answer_stopping(struct agent *agent, const struct agent_request *request,
                            const struct node_action *action)
{
    struct body_stop body = { .sample = action->sample };

    agent_answer(agent, request, VERB_STOPPING, &body, NOTHING);
}

static void answer_released(struct agent *agent, const struct agent_request *request,
                            const struct node_action *action)
{
    struct body_log body = { 0 };

    (void)action;
    snprintf(body.log, sizeof(body.log), "%s", agent->journal.log);
    snprintf(body.digest, sizeof(body.digest), "%s", agent->ended.digest);
    agent_answer(agent, request, VERB_RELEASED, &body, NOTHING);
}

static void answer_empty(struct agent *agent, const struct agent_request *request,
                         const struct node_action *action)
{
    struct body_empty body = { 0 };

    agent_answer(agent, request, action->verb, &body, NOTHING);
}

static void answer_started(struct agent *agent, const struct agent_request *request,
                           const struct node_action *action)
{
    (void)action;
    agent_answer(agent, request, VERB_STARTED, &agent->started, NOTHING);
}

static void answer_ended(struct agent *agent, const struct agent_request *request,
                         const struct node_action *action)
{
    (void)action;
    agent_answer(agent, request, VERB_ENDED, &agent->ended, NOTHING);
}

void agent_do_answer(struct agent *agent, const struct agent_request *request,
                     const struct node_action *action)
{
    static const struct {
        enum proto_verb verb;
        void (*answer)(struct agent *agent, const struct agent_request *request,
                       const struct node_action *action);
    } ANSWERS[] = {
        {VERB_REFUSED,     answer_refused },
        { VERB_READY,      answer_ready   },
        { VERB_ARMED,      answer_arm     },
        { VERB_GOING,      answer_arm     },
        { VERB_STOOD_DOWN, answer_arm     },
        { VERB_STOPPING,   answer_stopping},
        { VERB_RELEASED,   answer_released},
        { VERB_CANCELLED,  answer_empty   },
        { VERB_STARTED,    answer_started },
        { VERB_ENDED,      answer_ended   },
    };

    for (size_t i = 0; i < ARRAY_LEN(ANSWERS); i++) {
        if (ANSWERS[i].verb == action->verb) {
            ANSWERS[i].answer(agent, request, action);
        }
    }
}

/* ---- what the node is ---- */

/* The experiment's number as others may see it: none when the node is free. */
static uint64_t shown_experiment(const struct agent *agent)
{
    return agent->node.state == NODE_IDLE ? 0 : agent->node.experiment;
}

static bool is_page_ours(const struct agent *agent)
{
    return agent->page.experiment == agent->node.experiment;
}

uint64_t agent_samples(const struct agent *agent)
{
    if (agent->node.state == NODE_DONE) {
        return agent->ended.n_samples;
    }
    return agent->node.state != NODE_IDLE && is_page_ours(agent) ? agent->page.n_samples : 0;
}

void agent_answer_welcome(struct agent *agent, const struct agent_request *request)
{
    struct body_welcome body = {
        .boot_id = agent->boot_id,
        .experiment = shown_experiment(agent),
        .disk_free_bytes = store_free_bytes(&agent->store),
        .has_calibration = agent->config->has_calibration,
    };

    snprintf(body.node, sizeof(body.node), "%s", agent->config->name);
    snprintf(body.version, sizeof(body.version), "%s", BW_VERSION);
    snprintf(body.board, sizeof(body.board), "%s", agent->config->board);
    snprintf(body.state, sizeof(body.state), "%s", node_state_name(agent->node.state));
    if (agent->node.state != NODE_IDLE) {
        snprintf(body.experiment_name, sizeof(body.experiment_name), "%s",
                 agent->journal.experiment_name);
        snprintf(body.owner, sizeof(body.owner), "%s", agent->journal.owner);
    }
    agent_answer(agent, request, VERB_WELCOME, &body, NOTHING);
}

void agent_answer_clock(struct agent *agent, const struct agent_request *request,
                        enum proto_verb verb, const struct body_clock *asked,
                        int64_t received_ns)
{
    struct body_clock body = {
        .t1_ns = asked->t1_ns,
        .t2_ns = received_ns,
        .is_locked = agent->claim.is_locked,
        .claimed_offset_ns = agent->claim.offset_ns,
        .claimed_bound_ns = agent->claim.bound_ns,
        .experiment = shown_experiment(agent),
        .n_samples = agent_samples(agent),
    };

    snprintf(body.source, sizeof(body.source), "%s", agent->claim.source);
    snprintf(body.state, sizeof(body.state), "%s", node_state_name(agent->node.state));
    if (agent->node.state == NODE_DONE) {
        body.log_bytes = agent->ended.log_bytes;
        body.log_bytes_max = agent->ended.log_bytes;
    } else if (agent->node.state != NODE_IDLE && is_page_ours(agent)) {
        body.log_bytes = agent->page.durable.total;
        body.log_bytes_max = agent->page.durable.total;
    }
    /* The last thing before the message is made. */
    body.t3_ns = clock_utc(&agent->clock);
    agent_answer(agent, request, verb, &body, NOTHING);
}

static void fill_experiment(const struct agent *agent, struct body_state *body)
{
    snprintf(body->experiment_name, sizeof(body->experiment_name), "%s",
             agent->journal.experiment_name);
    snprintf(body->log, sizeof(body->log), "%s", agent->journal.log);
    snprintf(body->owner, sizeof(body->owner), "%s", agent->journal.owner);
    body->experiment = agent->node.experiment;
    body->T_ns = agent->node.T_ns;
    body->n_planned = agent->journal.n_planned;
    body->n_samples = agent_samples(agent);
    body->is_started = agent->node.is_started;
    body->start_error_ns = agent->started.start_error_ns;
    body->start_bound_ns = agent->started.start_bound_ns;
    body->is_ended = agent->node.state == NODE_DONE;
    body->reason = body->is_ended ? agent->ended.reason : 0;
    if (body->is_ended) {
        snprintf(body->fault, sizeof(body->fault), "%s", agent->ended.text);
    } else if (is_page_ours(agent)) {
        snprintf(body->fault, sizeof(body->fault), "%.*s", (int)sizeof(body->fault) - 1,
                 agent->page.fault);
    }
}

/* Of an experiment that ended here before the present one: what the log folder says. "Not here"
 * would be taken for "not started". */
static bool answer_old_state(struct agent *agent, const struct agent_request *request)
{
    struct store_entry entry = { 0 };
    struct body_state body = { .experiment = request->token.experiment, .is_ended = true };
    struct body_ended ended = { 0 };
    struct agent_request unasked = *request;

    if (request->token.experiment == 0 || request->token.experiment == agent->node.experiment
        || store_find_experiment(&agent->store, request->token.experiment, body.log, &entry,
                                 NULL)
               < 0) {
        return false;
    }
    snprintf(body.node, sizeof(body.node), "%s", agent->config->name);
    snprintf(body.state, sizeof(body.state), "%s", node_state_name(NODE_DONE));
    body.disk_free_bytes = store_free_bytes(&agent->store);
    body.n_samples = entry.n_samples;
    body.is_started = entry.n_samples > 0;
    body.reason = entry.reason;
    snprintf(body.fault, sizeof(body.fault), "%s", entry.text);
    agent_answer(agent, request, VERB_STATE, &body, NOTHING);
    agent_fill_ended(&ended, &entry);
    unasked.token.seq = 0;
    agent_answer(agent, &unasked, VERB_ENDED, &ended, NOTHING);
    return true;
}

void agent_answer_state(struct agent *agent, const struct agent_request *request)
{
    struct body_state body = {
        .disk_free_bytes = store_free_bytes(&agent->store),
        .uptime_ns = clock_mono_ns() - agent->start_mono_ns,
        .ring_fill_max = agent->page.ring_fill_max_percent,
        .queue_fill_max = agent->page.queue_fill_max_percent,
    };

    if (answer_old_state(agent, request)) {
        return;
    }
    snprintf(body.node, sizeof(body.node), "%s", agent->config->name);
    snprintf(body.state, sizeof(body.state), "%s", node_state_name(agent->node.state));
    /* Released, but it ran: whoever asks for that one hears so. */
    if (agent->node.state != NODE_IDLE
        || (agent->node.is_started && request->token.experiment == agent->node.experiment)) {
        fill_experiment(agent, &body);
    }
    agent_answer(agent, request, VERB_STATE, &body, NOTHING);
}
