/* SPDX-License-Identifier: MIT */
/* What each verb does; the role was checked with the message. */
#include "sheep/agent_state.h"

#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct proto_frame NOTHING = { NULL, 0 };

struct call {
    struct agent *agent;
    struct server_peer *peer;
    const struct proto_message *message;
    int64_t received_ns;
};

static struct node_event make_event(const struct call *call, enum node_event_kind kind)
{
    const struct proto_token *token = &call->message->token;
    struct node_event event = {
        .kind = kind,
        .experiment = token->experiment,
        .controller = token->controller,
        .boot_id = token->boot_id,
        .user = call->peer->user_id,
        .takes_over = call->peer->takes_over,
        .n_samples = agent_samples(call->agent),
    };

    return event;
}

static void note_owner(const struct call *call)
{
    struct agent *agent = call->agent;
    const struct server_peer *peer = call->peer;
    bool is_new = false;

    if (agent->node.user != peer->user_id || agent->node.state == NODE_IDLE
        || agent->node.controller != call->message->token.controller) {
        return;
    }
    memcpy(agent->owner_peer, peer->id, sizeof(agent->owner_peer));
    if (agent->journal.is_going && agent->journal.controller != agent->node.controller) {
        agent->journal.controller = agent->node.controller;
        is_new = true;
    }
    memcpy(agent->journal.user, peer->user, sizeof(agent->journal.user));
    snprintf(agent->journal.owner, sizeof(agent->journal.owner), "%s", peer->name);
    if (is_new) {
        agent_save_journal(agent, 0); /* the next agent must know who may stop it */
    }
}

/* Feeds a message to the protocol; its answer may come later, to whoever asked last. */
static void feed(const struct call *call, struct node_event *event,
                 struct agent_request *pending)
{
    struct agent *agent = call->agent;
    struct agent_request before = *pending;

    *pending = agent->current;
    agent_feed(agent, event);
    if (agent->is_answered) {
        *pending = before;
    }
    note_owner(call);
}

/* ---- everybody ---- */

static void on_hello(const struct call *call)
{
    const struct body_hello *body = PROTO_CONST_BODY(call->message, body_hello);
    struct agent *agent = call->agent;

    if (body->name[0] != '\0') {
        snprintf(call->peer->name, sizeof(call->peer->name), "%s", body->name);
    }
    call->peer->takes_over = body->take_over && call->peer->role == ROLE_OPERATOR;
    if (call->peer->takes_over && agent->node.state != NODE_IDLE) {
        struct node_event event = make_event(call, NODE_EVENT_TAKE_OVER);

        event.boot_id = agent->boot_id; /* HELLO cannot know it */
        agent_feed(agent, &event);
        if (!agent->is_answered && agent->node.user == call->peer->user_id
            && agent->node.controller == call->message->token.controller) {
            log_warn("%s takes experiment %s over from %s", call->peer->name,
                     agent->journal.experiment_name, agent->journal.owner);
        }
        note_owner(call);
    }
    if (!agent->is_answered) {
        agent_answer_welcome(agent, &agent->current);
    }
}

static void on_ping(const struct call *call)
{
    const struct body_clock *body = PROTO_CONST_BODY(call->message, body_clock);
    struct agent *agent = call->agent;
    struct node_event event = make_event(call, NODE_EVENT_BEAT);

    agent_answer_clock(agent, &agent->current, VERB_PONG, body, call->received_ns);
    if (call->peer->role == ROLE_OPERATOR && agent->node.state != NODE_IDLE) {
        event.seen = node_state_of(body->state);
        feed(call, &event, &call->agent->pending_other);
    }
}

static void on_clock(const struct call *call)
{
    agent_answer_clock(call->agent, &call->agent->current, VERB_CLOCKED,
                       PROTO_CONST_BODY(call->message, body_clock), call->received_ns);
}

static void on_status(const struct call *call)
{
    agent_answer_state(call->agent, &call->agent->current);
}

static void on_list(const struct call *call)
{
    struct agent *agent = call->agent;
    bool is_recording = agent->node.state > NODE_IDLE && agent->node.state < NODE_DONE;
    struct body_empty body = { 0 };
    struct buf list = { 0 };
    struct err err = { 0 };

    if (store_list(&agent->store, is_recording ? agent->journal.log : "", &list, &err) < 0) {
        agent_refuse(agent, &agent->current, &err);
    } else {
        agent_answer(agent, &agent->current, VERB_LISTING, &body,
                     (struct proto_frame){ list.data, list.size });
    }
    buf_fini(&list);
}

/* ---- the experiment ---- */

static void on_prepare(const struct call *call)
{
    struct agent *agent = call->agent;
    struct node_event event = make_event(call, NODE_EVENT_PREPARE);

    agent->prepare_body = PROTO_CONST_BODY(call->message, body_prepare);
    agent->prepare_payload = call->message->payload;
    feed(call, &event, &agent->pending_prepare);
    agent->prepare_body = NULL;
    agent->prepare_payload = NOTHING;
}

static void on_arm(const struct call *call)
{
    const struct body_arm *body = PROTO_CONST_BODY(call->message, body_arm);
    struct agent *agent = call->agent;
    struct node_event event = make_event(call, NODE_EVENT_ARM);
    char why[PROTO_NAME_SIZE] = "";

    agent_read_claim(agent);
    event.is_clock_good = clock_claim_is_good(
        &agent->claim,
        agent->plan != NULL ? agent->plan->request.manifest.config.clock_source
                            : CLOCK_SOURCE_DAEMON,
        why);
    event.why = why;
    event.T_ns = body->T_ns;
    event.n = body->n;
    feed(call, &event, &call->agent->pending_other);
}

static void on_go(const struct call *call)
{
    const struct body_arm *body = PROTO_CONST_BODY(call->message, body_arm);
    struct node_event event = make_event(call, NODE_EVENT_GO);

    event.T_ns = body->T_ns;
    event.n = body->n;
    feed(call, &event, &call->agent->pending_go);
}

static void on_cancel(const struct call *call)
{
    struct node_event event = make_event(call, NODE_EVENT_CANCEL);

    feed(call, &event, &call->agent->pending_cancel);
}

static void on_stop(const struct call *call)
{
    struct node_event event = make_event(call, NODE_EVENT_STOP);

    event.sample = PROTO_CONST_BODY(call->message, body_stop)->sample;
    feed(call, &event, &call->agent->pending_other);
}

/* ---- logs ---- */

struct removal {
    struct agent_request request;
    enum proto_verb verb;
    struct body_log body;
    struct store store;
    struct err err;
    bool has_failed;
};

static void run_removal(void *arg)
{
    struct removal *removal = arg;

    removal->has_failed = store_remove(&removal->store, removal->body.log, &removal->err) < 0;
}

static void removal_done(void *owner, void *arg)
{
    struct removal *removal = arg;
    struct agent *agent = owner;

    if (removal->has_failed) {
        agent_refuse(agent, &removal->request, &removal->err);
    } else {
        log_info("log %s is removed", removal->body.log);
        agent_answer(agent, &removal->request, removal->verb, &removal->body, NOTHING);
    }
    free(removal);
}

/* Removes in the worker, then answers. */
static int remove_log(const struct call *call, enum proto_verb verb, struct err *err)
{
    struct agent *agent = call->agent;
    struct removal *removal = calloc(1, sizeof(*removal));
    struct worker_job job = {
        .run = run_removal, .done = removal_done, .owner = agent, .arg = removal
    };

    if (removal == NULL) {
        return err_set(err, ERR_MEMORY, "removal");
    }
    removal->request = agent->current;
    removal->verb = verb;
    removal->store = agent->store;
    removal->body = *PROTO_CONST_BODY(call->message, body_log);
    log_server_forget(agent->logs, removal->body.log);
    if (worker_submit(agent->worker, &job, err) < 0) {
        free(removal);
        return -1;
    }
    return 0;
}

/* A log of an earlier experiment: what is known of it decides. */
static int release_old(const struct call *call, struct err *err)
{
    struct agent *agent = call->agent;
    const struct body_log *body = PROTO_CONST_BODY(call->message, body_log);
    struct store_entry entry;

    if (store_find(&agent->store, body->log, &entry, err) < 0) {
        return err_set(err, ERR_NOT_FOUND, "no closed log %s on this node", body->log);
    }
    if (strcmp(entry.digest, body->digest) != 0) {
        return err_set(err, ERR_CORRUPT, "the digest is not that of %s", body->log);
    }
    if (!store_keeps(&agent->store, body->log)) {
        return remove_log(call, VERB_RELEASED, err);
    }
    entry.is_released = true;
    if (store_note(&agent->store, body->log, &entry, err) < 0) {
        return -1;
    }
    agent_answer(agent, &agent->current, VERB_RELEASED, body, NOTHING);
    return 0;
}

static bool is_current_log(const struct agent *agent, const char *log)
{
    return agent->node.state != NODE_IDLE && strcmp(agent->journal.log, log) == 0;
}

static void on_release(const struct call *call)
{
    struct agent *agent = call->agent;
    const struct body_log *body = PROTO_CONST_BODY(call->message, body_log);
    struct node_event event = make_event(call, NODE_EVENT_RELEASE);
    struct err err = { 0 };

    if (is_current_log(agent, body->log)) {
        event.is_match = strcmp(agent->ended.digest, body->digest) == 0;
        feed(call, &event, &call->agent->pending_other);
    } else if (release_old(call, &err) < 0) {
        agent_refuse(agent, &agent->current, &err);
    }
}

static void on_remove(const struct call *call)
{
    struct agent *agent = call->agent;
    const struct body_log *body = PROTO_CONST_BODY(call->message, body_log);
    struct err err = { 0 };

    if (is_current_log(agent, body->log)
        && node_experiment_is_busy(&agent->node, clock_mono(&agent->clock))) {
        err_set(&err, ERR_STATE, "log %s is in use", body->log);
    } else if (!store_has(&agent->store, body->log)) {
        err_set(&err, ERR_NOT_FOUND, "no log %s on this node", body->log);
    } else if (remove_log(call, VERB_REMOVED, &err) == 0) {
        return;
    }
    agent_refuse(agent, &agent->current, &err);
}

static void on_fetch(const struct call *call)
{
    struct agent *agent = call->agent;
    struct body_fetch body = *PROTO_CONST_BODY(call->message, body_fetch);
    struct err err = { 0 };

    body.is_kept &= call->peer->role == ROLE_OPERATOR && is_current_log(agent, body.log)
                    && call->message->token.experiment == agent->node.experiment;
    if (call->peer->port != SERVER_BULK) {
        err_set(&err, ERR_INPUT, "FETCH belongs to the bulk port");
    } else if (log_server_fetch(agent->logs, call->peer->id, &call->message->token, &body, &err)
               == 0) {
        agent_pump(agent);
        return;
    }
    agent_refuse(agent, &agent->current, &err);
}

/* ---- inputs ---- */

static void on_have(const struct call *call)
{
    struct agent *agent = call->agent;
    struct body_have body = *PROTO_CONST_BODY(call->message, body_have);
    bool is_whole = false;
    struct err err = { 0 };

    if (input_store_have(&agent->inputs, body.digest, &body.offset, &is_whole, &err) < 0) {
        agent_refuse(agent, &agent->current, &err);
        return;
    }
    /* All bytes without the proof is not "here" yet: the last piece is asked for again. */
    if (!is_whole && body.offset > 0 && body.offset >= body.size) {
        body.offset = body.size > 0 ? body.size - 1 : 0;
    }
    agent_answer(agent, &agent->current, VERB_HAVING, &body, NOTHING);
}

struct verification {
    struct agent_request request;
    struct body_have body;
    struct input_store inputs;
    struct err err;
    bool has_failed;
};

static void run_verification(void *arg)
{
    struct verification *check = arg;
    char path[PATH_SIZE];

    /* A repeated last piece may find the work done. */
    check->has_failed = input_store_verify(&check->inputs, check->body.digest, &check->err) < 0
                        && input_store_path(&check->inputs, check->body.digest, path, NULL) < 0;
}

static void verification_done(void *owner, void *arg)
{
    struct verification *check = arg;

    if (check->has_failed) {
        log_warn("%s", check->err.text);
        agent_refuse(owner, &check->request, &check->err);
    } else {
        agent_answer(owner, &check->request, VERB_STORED, &check->body, NOTHING);
    }
    free(check);
}

static int verify_input(struct agent *agent, const struct body_have *body, struct err *err)
{
    struct verification *check = calloc(1, sizeof(*check));
    struct worker_job job = {
        .run = run_verification, .done = verification_done, .owner = agent, .arg = check
    };

    if (check == NULL) {
        return err_set(err, ERR_MEMORY, "input");
    }
    check->request = agent->current;
    check->body = *body;
    check->inputs = agent->inputs;
    if (worker_submit(agent->worker, &job, err) < 0) {
        free(check);
        return -1;
    }
    return 0;
}

static void on_put(const struct call *call)
{
    struct agent *agent = call->agent;
    struct body_have body = *PROTO_CONST_BODY(call->message, body_have);
    struct input_piece piece = {
        .digest = body.digest,
        .size = body.size,
        .offset = body.offset,
        .data = call->message->payload.data,
        .n_bytes = call->message->payload.size,
    };
    char path[PATH_SIZE];
    struct err err = { 0 };

    if (call->peer->port != SERVER_BULK) {
        err_set(&err, ERR_INPUT, "PUT belongs to the bulk port");
        agent_refuse(agent, &agent->current, &err);
        return;
    }
    if (input_store_put(&agent->inputs, &piece, &body.offset, &err) < 0) {
        agent_refuse(agent, &agent->current, &err);
        return;
    }
    if (body.offset < body.size
        || input_store_path(&agent->inputs, body.digest, path, NULL) == 0) {
        agent_answer(agent, &agent->current, VERB_STORED, &body, NOTHING);
    } else if (verify_input(agent, &body, &err) < 0) {
        agent_refuse(agent, &agent->current, &err);
    }
}

/* ---- the machine ---- */

static void on_power(const struct call *call)
{
    agent_power(call->agent, call->peer->name, PROTO_CONST_BODY(call->message, body_power));
}

static void on_inventory(const struct call *call)
{
    agent_inventory(call->agent);
}

static void on_blink(const struct call *call)
{
    agent_blink(call->agent, call->peer->name, PROTO_CONST_BODY(call->message, body_blink));
}

/* ---- the table ---- */

typedef void (*verb_fn)(const struct call *call);

static const verb_fn VERBS[N_VERBS] = {
    [VERB_HELLO] = on_hello,
    [VERB_PING] = on_ping,
    [VERB_CLOCK] = on_clock,
    [VERB_STATUS] = on_status,
    [VERB_PREPARE] = on_prepare,
    [VERB_ARM] = on_arm,
    [VERB_GO] = on_go,
    [VERB_CANCEL] = on_cancel,
    [VERB_STOP] = on_stop,
    [VERB_RELEASE] = on_release,
    [VERB_LIST] = on_list,
    [VERB_REMOVE] = on_remove,
    [VERB_HAVE] = on_have,
    [VERB_PUT] = on_put,
    [VERB_FETCH] = on_fetch,
    [VERB_POWER] = on_power,
    [VERB_INVENTORY] = on_inventory,
    [VERB_BLINK] = on_blink,
};

static bool answer_again(struct agent *agent)
{
    struct proto_encoded encoded = { 0 };
    struct err err = { 0 };

    encoded.n_frames = reply_cache_find(agent->cache, agent->current.user, agent->current.verb,
                                        &agent->current.token, encoded.frames);
    if (encoded.n_frames == 0) {
        return false;
    }
    if (server_send(agent->server, agent->current.port, agent->current.peer_id, &encoded, &err)
        < 0) {
        log_debug("repeated answer: %s", err.text);
    }
    return true;
}

void agent_dispatch(void *arg, struct server_peer *peer, const struct proto_message *message,
                    int64_t received_ns)
{
    struct agent *agent = arg;
    struct call call = { agent, peer, message, received_ns };
    verb_fn handler = VERBS[message->verb];

    memset(&agent->current, 0, sizeof(agent->current));
    agent->current.is_set = true;
    agent->current.port = peer->port;
    agent->current.verb = message->verb;
    agent->current.token = message->token;
    memcpy(agent->current.peer_id, peer->id, sizeof(peer->id));
    memcpy(agent->current.user, peer->user, sizeof(peer->user));
    agent->is_answered = false;
    if (handler != NULL && !answer_again(agent)) {
        handler(&call);
    }
    agent->current.is_set = false;
}
