/* SPDX-License-Identifier: MIT */
#include "herd/flock_parts.h"

#include "common/log.h"
#include "common/wire.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TICK_MS = 50,
    BATCH = 128,   /* messages per wake-up of one socket, so that timers keep their time */
    ROUNDS = 16,   /* of them, where a socket has to be empty */
    AWAY_MS = 500, /* between two ticks: this process was stopped, or had no processor */
    ID_BASE = 10,
};

/* ---- connections ---- */

/* A ROUTER may not know two connections by one id, and forgets an old one late: each connection
 * has an id of its own, which also finds the node. */
static void routing_id(size_t i, unsigned generation, char id[WIRE_ID_SIZE])
{
    snprintf(id, WIRE_ID_SIZE, "%zu.%u", i, generation);
}

static bool parse_routing_id(const struct herd_flock *flock, const char *id, size_t *i,
                             unsigned *generation)
{
    char *end = NULL;
    unsigned long value = strtoul(id, &end, ID_BASE);

    if (end == id || *end != '.' || value >= flock->config.n_nodes) {
        return false;
    }
    *i = value;
    *generation = (unsigned)strtoul(end + 1, &end, ID_BASE);
    return *end == '\0';
}

static void endpoint_of(const struct inventory_node *node, bool is_bulk, char *text,
                        size_t size)
{
    snprintf(text, size, "tcp://%s:%u", node->host, node->port + (is_bulk ? 1U : 0U));
}

static int connect_node(struct herd_flock *flock, size_t i, bool is_bulk, struct err *err)
{
    const struct inventory_node *node = flock->config.nodes[i];
    struct link *link = &flock->links[i];
    char endpoint[INVENTORY_HOST_SIZE + 32];
    char id[WIRE_ID_SIZE];

    endpoint_of(node, is_bulk, endpoint, sizeof(endpoint));
    routing_id(i, is_bulk ? link->bulk_id : link->control_id, id);
    if (wire_connect(is_bulk ? flock->bulk : flock->control, endpoint, node->public_key, id,
                     err)
        < 0) {
        return err_prepend(err, "%s", node->name);
    }
    return 0;
}

/* As many as may be under way at once; the others when those stand. */
static int connect_more(struct herd_flock *flock, int64_t mono_ns, struct err *err)
{
    while (flock->n_begun < flock->config.n_nodes && knock_next(&flock->knock, mono_ns)) {
        size_t i = flock->n_begun++;

        /* A prime step spreads the heartbeats over the second. */
        session_init(&flock->links[i].session, mono_ns, (uint32_t)i * 37U);
        flock->links[i].is_connected = true;
        if (connect_node(flock, i, false, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static void connect_others(struct herd_flock *flock, int64_t mono_ns)
{
    struct err err = { 0 };

    while (connect_more(flock, mono_ns, &err) < 0) {
        log_warn("%s", err.text);
    }
}

/* ---- sending ---- */

static struct proto_token token_of(const struct herd_flock *flock, size_t i, uint32_t seq)
{
    return (struct proto_token){ .experiment = flock->config.experiment,
                                 .controller = flock->config.controller,
                                 .boot_id = flock->links[i].session.boot_id,
                                 .seq = seq };
}

bool flock_send_seq(struct herd_flock *flock, size_t i, enum proto_verb verb, const void *body,
                    uint32_t seq)
{
    struct proto_token token = token_of(flock, i, seq);
    const struct proto_frame nothing = { NULL, 0 };
    char id[WIRE_ID_SIZE];

    routing_id(i, flock->links[i].control_id, id);
    if (wire_tell(flock->control, id, verb, &token, body, nothing, NULL) < 0) {
        flock->stats.n_unsent++;
        return false;
    }
    flock->stats.n_sent++;
    return true;
}

static uint32_t tell_on(struct herd_flock *flock, size_t i, bool is_bulk, enum proto_verb verb,
                        const void *body, struct proto_frame payload)
{
    struct link *link = &flock->links[i];
    uint32_t seq = ++link->seq;
    struct proto_token token = token_of(flock, i, seq);
    char id[WIRE_ID_SIZE];

    routing_id(i, is_bulk ? link->bulk_id : link->control_id, id);
    if (wire_tell(is_bulk ? flock->bulk : flock->control, id, verb, &token, body, payload, NULL)
        < 0) {
        flock->stats.n_unsent++;
        return 0;
    }
    flock->stats.n_sent++;
    return seq;
}

uint32_t flock_tell(struct herd_flock *flock, size_t i, enum proto_verb verb, const void *body,
                    struct proto_frame payload)
{
    return tell_on(flock, i, false, verb, body, payload);
}

static int on_bulk(zloop_t *loop, zsock_t *socket, void *arg);

static bool open_bulk(struct herd_flock *flock, size_t i)
{
    struct link *link = &flock->links[i];
    struct err err = { 0 };

    if (flock->bulk == NULL) {
        flock->bulk = wire_client(ZMQ_ROUTER, flock->config.key, NULL, &err);
        if (flock->bulk == NULL || zloop_reader(flock->loop, flock->bulk, on_bulk, flock) < 0) {
            log_error("bulk socket: %s", err.text);
            zsock_destroy(&flock->bulk);
            return false;
        }
    }
    if (!link->has_bulk && connect_node(flock, i, true, &err) < 0) {
        log_error("%s", err.text);
        return false;
    }
    link->has_bulk = true;
    return true;
}

uint32_t flock_tell_bulk(struct herd_flock *flock, size_t i, enum proto_verb verb,
                         const void *body, struct proto_frame payload)
{
    return open_bulk(flock, i) ? tell_on(flock, i, true, verb, body, payload) : 0;
}

/* ---- receiving ---- */

static void tell_news(struct herd_flock *flock, size_t i, enum flock_news news)
{
    if (flock->config.on_news != NULL) {
        flock->config.on_news(flock->config.arg, i, news);
    }
}

static void take_control(struct herd_flock *flock, size_t i,
                         const struct flock_message *message)
{
    struct link *link = &flock->links[i];
    enum session_news news = session_hear(&link->session, message->mono_ns, message->message);
    struct pending *pending = NULL;

    if (news == SESSION_NEWS_IGNORE) {
        return;
    }
    if (news == SESSION_NEWS_REBOOT) {
        flock_fail_pending(link, i, flock_is_of_other_boot, (int64_t)link->session.boot_id);
    }
    if (news != SESSION_NEWS_NONE) {
        knock_answered(&flock->knock, message->mono_ns);
        connect_others(flock, message->mono_ns);
        tell_news(flock, i, news == SESSION_NEWS_REBOOT ? FLOCK_REBOOTED : FLOCK_WELCOMED);
        flock_repeat_pending(flock, i, message->mono_ns);
        return;
    }
    pending = message->message->token.seq != 0
                  ? flock_take_pending(link, message->message->token.seq)
                  : NULL;
    if (pending != NULL) {
        flock_finish_pending(i, pending, message);
    } else if (flock->config.on_message != NULL) {
        flock->config.on_message(flock->config.arg, i, message);
    }
}

static void take_bulk(struct herd_flock *flock, size_t i, const struct flock_message *message)
{
    if (message->message->token.boot_id == flock->links[i].session.boot_id
        && flock->config.on_bulk != NULL) {
        flock->config.on_bulk(flock->config.arg, i, message);
    }
}

static void refuse(struct herd_flock *flock, const char *id, const struct err *err)
{
    flock->stats.n_refused++;
    if (log_limit_pass(&flock->garbage, clock_mono_ns(), 1, 1000)) {
        log_warn("message from %s refused: %s", id, err->text);
    }
}

static void take(struct herd_flock *flock, const struct wire_message *got, bool is_bulk)
{
    struct proto_message message;
    struct flock_message in = { .message = &message };
    struct err err = { 0 };
    unsigned generation = 0;
    size_t i = 0;

    in.received_ns = clock_utc_ns();
    in.mono_ns = clock_mono_ns();
    if (!parse_routing_id(flock, got->peer_id, &i, &generation)
        || generation != (is_bulk ? flock->links[i].bulk_id : flock->links[i].control_id)) {
        return; /* a connection that was given up */
    }
    if (proto_decode(&message, got->frames, got->n_frames, ROLE_SHEEP, &err) < 0) {
        refuse(flock, flock->config.nodes[i]->name, &err);
        return;
    }
    flock->stats.n_received++;
    if (is_bulk) {
        take_bulk(flock, i, &in);
    } else {
        take_control(flock, i, &in);
    }
}

static int receive(struct herd_flock *flock, zsock_t *socket, bool is_bulk)
{
    struct wire_message got;
    struct err err = { 0 };
    int result = 0;

    for (int n = 0; n < BATCH && !flock->is_paused; n++) {
        result = wire_recv(socket, &got, &err);
        if (result == 0) {
            break;
        }
        if (result < 0) {
            refuse(flock, "a node", &err);
            continue;
        }
        take(flock, &got, is_bulk);
        wire_message_fini(&got);
    }
    return flock->is_paused ? -1 : 0;
}

static int on_control(zloop_t *loop, zsock_t *socket, void *arg)
{
    (void)loop;
    return receive(arg, socket, false);
}

static int on_bulk(zloop_t *loop, zsock_t *socket, void *arg)
{
    (void)loop;
    return receive(arg, socket, true);
}

/* ---- connections made anew ---- */

/* False: there is always another message; later. */
static bool let_go(struct herd_flock *flock, size_t i, bool is_bulk)
{
    zsock_t *socket = is_bulk ? flock->bulk : flock->control;
    char endpoint[INVENTORY_HOST_SIZE + 32];

    endpoint_of(flock->config.nodes[i], is_bulk, endpoint, sizeof(endpoint));
    for (int n = 0; n < ROUNDS; n++) {
        if (wire_disconnect(socket, endpoint, NULL) == 0) {
            return true;
        }
        (void)receive(flock, socket, is_bulk);
    }
    return false;
}

static void reconnect(struct herd_flock *flock, size_t i)
{
    struct link *link = &flock->links[i];
    struct err err = { 0 };

    if ((link->has_bulk && !let_go(flock, i, true)) || !let_go(flock, i, false)) {
        return;
    }
    link->is_stale = false;
    flock->stats.n_reconnects++;
    link->control_id++;
    if (connect_node(flock, i, false, &err) < 0) {
        log_warn("%s", err.text);
    }
    if (link->has_bulk) {
        link->has_bulk = false;
        link->bulk_id++;
    }
}

/* ---- time ---- */

static void greet(struct herd_flock *flock, size_t i)
{
    struct body_hello hello = { .take_over = flock->config.take_over };
    struct proto_token token = token_of(flock, i, ++flock->links[i].seq);
    const struct proto_frame nothing = { NULL, 0 };
    char id[WIRE_ID_SIZE];

    snprintf(hello.name, sizeof(hello.name), "%s", flock->config.name);
    snprintf(hello.version, sizeof(hello.version), "%s", BW_VERSION);
    token.boot_id = 0;
    routing_id(i, flock->links[i].control_id, id);
    if (wire_tell(flock->control, id, VERB_HELLO, &token, &hello, nothing, NULL) < 0) {
        flock->stats.n_unsent++;
    }
}

static void beat(struct herd_flock *flock, size_t i)
{
    struct body_clock body = { .t1_ns = clock_utc_ns() };

    if (flock->config.beat_state != NULL) {
        snprintf(body.state, sizeof(body.state), "%s",
                 flock->config.beat_state(flock->config.arg, i));
    }
    (void)flock_tell(flock, i, VERB_PING, &body, (struct proto_frame){ NULL, 0 });
}

static void tick_node(struct herd_flock *flock, size_t i, int64_t mono_ns)
{
    struct link *link = &flock->links[i];
    unsigned due = link->is_connected ? session_tick(&link->session, mono_ns) : 0;

    if ((due & SESSION_IS_CHANGED) != 0) {
        tell_news(flock, i, link->session.link == SESSION_LOST ? FLOCK_LOST : FLOCK_SILENT);
    }
    link->is_stale = link->is_stale || (due & SESSION_DO_RECONNECT) != 0;
    if (link->is_stale && knock_next(&flock->knock, mono_ns)) {
        reconnect(flock, i);
    }
    if ((due & SESSION_DO_HELLO) != 0) {
        greet(flock, i);
    }
    if ((due & SESSION_DO_BEAT) != 0) {
        beat(flock, i);
    }
    flock_fail_pending(link, i, flock_is_late, mono_ns);
    flock_repeat_pending(flock, i, mono_ns);
}

/* After a while without the processor, what has come meanwhile is heard before anybody is
 * judged by how long he was silent. */
static void come_back(struct herd_flock *flock, int64_t mono_ns)
{
    int64_t gap_ns = mono_ns - flock->ticked_ns;

    flock->ticked_ns = mono_ns;
    if (gap_ns < AWAY_MS * NS_PER_MS) {
        return;
    }
    for (size_t i = 0; i < flock->config.n_nodes; i++) {
        session_forgive(&flock->links[i].session, mono_ns, gap_ns);
    }
    for (int n = 0; n < ROUNDS && (zsock_events(flock->control) & ZMQ_POLLIN) != 0; n++) {
        (void)receive(flock, flock->control, false);
    }
}

static int on_tick(zloop_t *loop, int timer_id, void *arg)
{
    struct herd_flock *flock = arg;
    int64_t mono_ns = clock_mono_ns();

    (void)loop;
    (void)timer_id;
    come_back(flock, mono_ns);
    connect_others(flock, mono_ns);
    for (size_t i = 0; i < flock->config.n_nodes; i++) {
        tick_node(flock, i, mono_ns);
    }
    return flock->is_paused ? -1 : 0;
}

/* ---- the whole ---- */

static int check_keys(const struct flock_config *config, struct err *err)
{
    for (size_t i = 0; i < config->n_nodes; i++) {
        if (config->nodes[i]->public_key[0] == '\0') {
            return err_set(err, ERR_INPUT,
                           "%s has no public_key in the inventory: herd enroll fetches it",
                           config->nodes[i]->name);
        }
    }
    return 0;
}

static int open_sockets(struct herd_flock *flock, struct err *err)
{
    flock->control = wire_client(ZMQ_ROUTER, flock->config.key, NULL, err);
    if (flock->control == NULL) {
        return -1;
    }
    if (connect_more(flock, flock->ticked_ns, err) < 0) {
        return -1;
    }
    if (zloop_reader(flock->loop, flock->control, on_control, flock) < 0
        || zloop_timer(flock->loop, TICK_MS, 0, on_tick, flock) < 0) {
        return err_set(err, ERR_MEMORY, "the reactor");
    }
    return 0;
}

struct herd_flock *flock_open(const struct flock_config *config, struct err *err)
{
    struct herd_flock *flock = NULL;
    int64_t mono_ns = clock_mono_ns();

    if (check_keys(config, err) < 0 || wire_limits(config->n_nodes, err) < 0) {
        return NULL;
    }
    flock = calloc(1, sizeof(*flock));
    if (flock == NULL
        || (flock->links = calloc(config->n_nodes + 1, sizeof(*flock->links))) == NULL
        || (flock->loop = zloop_new()) == NULL) {
        err_set(err, ERR_MEMORY, "a flock of %zu nodes", config->n_nodes);
        goto fail;
    }
    flock->config = *config;
    flock->ticked_ns = mono_ns;
    if (open_sockets(flock, err) < 0) {
        goto fail;
    }
    return flock;
fail:
    flock_close(&flock);
    return NULL;
}

void flock_close(struct herd_flock **flock_p)
{
    struct herd_flock *flock = *flock_p;

    if (flock == NULL) {
        return;
    }
    for (size_t i = 0; flock->links != NULL && i < flock->config.n_nodes; i++) {
        flock_fail_pending(&flock->links[i], i, NULL, 0);
    }
    zloop_destroy(&flock->loop);
    zsock_destroy(&flock->control);
    zsock_destroy(&flock->bulk);
    free(flock->links);
    free(flock);
    *flock_p = NULL;
}

zloop_t *flock_loop(const struct herd_flock *flock)
{
    return flock->loop;
}

int flock_run(struct herd_flock *flock)
{
    flock->is_paused = false;
    (void)zloop_start(flock->loop);
    return flock->is_paused ? 0 : -1;
}

void flock_pause(struct herd_flock *flock)
{
    flock->is_paused = true;
}

const struct session *flock_session(const struct herd_flock *flock, size_t i)
{
    return &flock->links[i].session;
}

void flock_set_token(struct herd_flock *flock, uint64_t experiment, uint64_t controller)
{
    flock->config.experiment = experiment;
    flock->config.controller = controller;
}

struct flock_stats flock_stats(const struct herd_flock *flock)
{
    return flock->stats;
}
