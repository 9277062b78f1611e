/* SPDX-License-Identifier: MIT */
#include "herd/ask.h"

#include "common/clock.h"
#include "common/wire.h"
#include "herd/knock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SCAN_MS = 10, /* between two looks at all peers */
    GIVES_UP_MS = 50,
    HELLO_AGAIN_MS = 200, /* at first; it doubles */
    ASK_AGAIN_MS = 1000,
    AGAIN_MAX_MS = 2000,
    RECONNECT_MS = 2000, /* libzmq does not come back by itself when it was refused */
    HANDSHAKE_MS = 10,   /* more of it for each node: handshakes end together */
};

struct peer {
    enum ask_state state;
    bool is_meant;
    bool is_connected;
    bool is_welcome;
    bool is_asked; /* in this round */
    uint32_t seq;  /* of the question that waits for its answer */
    int64_t sent_ns;
    int64_t next_ns;      /* monotonic: when to ask again */
    int again_ms;         /* the wait after that */
    int64_t connected_ns; /* monotonic */
    unsigned generation;  /* of the connection: a ROUTER forgets an old id late */
    struct body_welcome welcome;
};

struct ask {
    const struct inventory *inventory;
    zsock_t *socket;
    struct knock knock;
    struct peer *peers;
    uint64_t controller;
    uint32_t seq;
    size_t n_open;      /* who is waited for in this round */
    int64_t welcome_ns; /* monotonic: when anybody said WELCOME last */
};

/* A node's routing id is its place in the inventory, and the number of the connection: no
 * search when it answers. */
static void peer_id_of(const struct ask *ask, size_t i, char id[WIRE_ID_SIZE])
{
    snprintf(id, WIRE_ID_SIZE, "%zu.%u", i, ask->peers[i].generation);
}

static int connect_peer(struct ask *ask, size_t i, struct err *err)
{
    const struct inventory_node *node = &ask->inventory->nodes[i];
    char endpoint[INVENTORY_HOST_SIZE + 32];
    char id[WIRE_ID_SIZE];

    ask->peers[i].is_connected = true; /* or will never be */
    ask->peers[i].connected_ns = clock_mono_ns();
    peer_id_of(ask, i, id);
    snprintf(endpoint, sizeof(endpoint), "tcp://%s:%u", node->host, node->port);
    if (wire_connect(ask->socket, endpoint, node->public_key, id, err) < 0) {
        return err_prepend(err, "%s", node->name);
    }
    return 0;
}

static void reconnect_peer(struct ask *ask, size_t i)
{
    const struct inventory_node *node = &ask->inventory->nodes[i];
    char endpoint[INVENTORY_HOST_SIZE + 32];

    snprintf(endpoint, sizeof(endpoint), "tcp://%s:%u", node->host, node->port);
    if (wire_disconnect(ask->socket, endpoint, NULL) == 0) {
        ask->peers[i].generation++;
        ask->peers[i].again_ms = HELLO_AGAIN_MS;
        ask->peers[i].next_ns = 0;
        /* It worked at the beginning; if it does not now, the node stays silent. */
        if (connect_peer(ask, i, NULL) < 0) {
            return;
        }
    }
}

static int choose_all(struct ask *ask, const bool *selected, struct err *err)
{
    for (size_t i = 0; i < ask->inventory->n_nodes; i++) {
        const struct inventory_node *node = &ask->inventory->nodes[i];

        if (!selected[i]) {
            continue;
        }
        if (!key_text_is_valid(node->public_key)) {
            return err_set(err, ERR_INPUT,
                           "%s: its public key is not known; herd enroll fetches it",
                           node->name);
        }
        ask->peers[i].is_meant = true;
        ask->peers[i].state = ASK_SILENT;
    }
    return 0;
}

struct ask *ask_open(const struct inventory *inventory, const bool *selected,
                     const struct key_pair *key, struct err *err)
{
    struct ask *ask = NULL;

    if (wire_limits(inventory->n_nodes, err) < 0) {
        return NULL;
    }
    ask = calloc(1, sizeof(*ask));
    if (ask == NULL
        || (ask->peers = calloc(inventory->n_nodes + 1, sizeof(*ask->peers))) == NULL) {
        err_set(err, ERR_MEMORY, "%zu nodes", inventory->n_nodes);
        goto fail;
    }
    ask->inventory = inventory;
    ask->controller = (uint64_t)clock_utc_ns();
    ask->socket = wire_client(ZMQ_ROUTER, key, NULL, err);
    if (ask->socket == NULL || choose_all(ask, selected, err) < 0) {
        goto fail;
    }
    return ask;
fail:
    ask_close(&ask);
    return NULL;
}

void ask_close(struct ask **ask)
{
    if (*ask == NULL) {
        return;
    }
    zsock_destroy(&(*ask)->socket);
    free((*ask)->peers);
    free(*ask);
    *ask = NULL;
}

/* Puts the question; its number stays the same when it is repeated. */
static void tell(struct ask *ask, size_t i, const struct ask_round *round, int64_t mono_ns)
{
    struct peer *peer = &ask->peers[i];
    const struct proto_token token = {
        .experiment = round->experiment != NULL ? round->experiment(round->arg, i) : 0,
        .controller = ask->controller,
        .boot_id = peer->welcome.boot_id,
        .seq = peer->seq,
    };
    const struct proto_frame nothing = { NULL, 0 };
    char id[WIRE_ID_SIZE];

    peer_id_of(ask, i, id);
    peer->next_ns = mono_ns + peer->again_ms * NS_PER_MS;
    peer->again_ms = 2 * peer->again_ms < AGAIN_MAX_MS ? 2 * peer->again_ms : AGAIN_MAX_MS;
    peer->sent_ns = clock_utc_ns();
    /* Not connected or full of questions: asked again later, silent in the end. */
    if (wire_tell(ask->socket, id, round->verb, &token, round->body(round->arg, i), nothing,
                  NULL)
        < 0) {
        return;
    }
}

static bool find_peer(const struct ask *ask, const char *id, size_t *i)
{
    char number_text[WIRE_ID_SIZE];
    char expected[WIRE_ID_SIZE];
    uint64_t number = 0;

    snprintf(number_text, sizeof(number_text), "%.*s", (int)strcspn(id, "."), id);
    if (!text_to_u64(number_text, &number) || number >= ask->inventory->n_nodes) {
        return false;
    }
    *i = (size_t)number;
    peer_id_of(ask, *i, expected);
    return ask->peers[*i].is_meant && strcmp(id, expected) == 0;
}

static void take_welcome(struct ask *ask, struct peer *peer,
                         const struct proto_message *message)
{
    ask->welcome_ns = clock_mono_ns();
    knock_answered(&ask->knock, ask->welcome_ns);
    peer->welcome = *PROTO_CONST_BODY(message, body_welcome);
    peer->is_welcome = true;
    peer->state = ASK_ANSWERED;
}

static void take(struct ask *ask, const struct ask_round *round, const struct wire_message *got)
{
    struct proto_message message;
    int64_t received_ns = clock_utc_ns();
    struct peer *peer = NULL;
    size_t i = 0;

    if (!find_peer(ask, got->peer_id, &i)
        || proto_decode(&message, got->frames, got->n_frames, ROLE_SHEEP, NULL) < 0) {
        return;
    }
    peer = &ask->peers[i];
    if (message.token.seq != peer->seq || !peer->is_asked || peer->state == ASK_ANSWERED) {
        return; /* of an earlier question, or unasked */
    }
    if (message.verb == VERB_WELCOME) {
        take_welcome(ask, peer, &message);
    } else if (round->answer != NULL) {
        const struct ask_answer answer = {
            .i = i, .message = &message, .sent_ns = peer->sent_ns, .received_ns = received_ns
        };

        if (round->answer(round->arg, &answer)) {
            peer->state = ASK_ANSWERED;
        }
    }
    ask->n_open -= peer->state == ASK_ANSWERED ? 1 : 0;
}

static void listen_for(struct ask *ask, const struct ask_round *round, int timeout_ms)
{
    zmq_pollitem_t item = { .socket = zsock_resolve(ask->socket), .events = ZMQ_POLLIN };
    struct wire_message got;
    int result = 0;

    if (zmq_poll(&item, 1, timeout_ms) <= 0) {
        return;
    }
    while ((result = wire_recv(ask->socket, &got, NULL)) != 0) {
        if (result > 0) {
            take(ask, round, &got);
            wire_message_fini(&got);
        }
    }
}

/* A connection is given up when nothing came of it, nor of any other, in the time that so many
 * handshakes may take; sooner, and all would be begun anew and never end. */
static bool is_stuck(const struct ask *ask, const struct peer *peer, int64_t mono_ns)
{
    int64_t patience_ns =
        (RECONNECT_MS + (int64_t)ask->inventory->n_nodes * HANDSHAKE_MS) * NS_PER_MS;

    return !peer->is_welcome && mono_ns - peer->connected_ns > patience_ns
           && mono_ns - ask->welcome_ns > RECONNECT_MS * NS_PER_MS;
}

/* Asks who has not been asked, or not lately; and counts who is waited for. */
static void ask_again(struct ask *ask, const struct ask_round *round)
{
    int64_t mono_ns = clock_mono_ns();

    ask->n_open = 0;
    for (size_t i = 0; i < ask->inventory->n_nodes; i++) {
        struct peer *peer = &ask->peers[i];

        if (!peer->is_asked || peer->state == ASK_ANSWERED) {
            continue;
        }
        ask->n_open++;
        if (!peer->is_connected && knock_next(&ask->knock, mono_ns)) {
            (void)connect_peer(ask, i, NULL); /* silent, if it cannot be */
        } else if (peer->is_connected && is_stuck(ask, peer, mono_ns)) {
            reconnect_peer(ask, i);
        }
        if (peer->is_connected && mono_ns >= peer->next_ns) {
            tell(ask, i, round, mono_ns);
        }
    }
}

static void begin_round(struct ask *ask, struct peer *peer, int again_ms)
{
    peer->seq = ++ask->seq;
    peer->next_ns = 0;
    peer->again_ms = again_ms;
}

/* All peers are looked at now and then, not at every answer: that would be quadratic. */
static size_t run_round(struct ask *ask, const struct ask_round *round)
{
    int64_t now_ns = clock_mono_ns();
    int64_t deadline_ns = now_ns + round->timeout_ms * NS_PER_MS;
    int64_t gives_up_ns = 0;

    ask_again(ask, round);
    while (ask->n_open > 0 && now_ns < deadline_ns) {
        int64_t scan_ns = now_ns + SCAN_MS * NS_PER_MS;

        if (round->gives_up != NULL && now_ns >= gives_up_ns) {
            gives_up_ns = now_ns + GIVES_UP_MS * NS_PER_MS;
            if (round->gives_up(round->arg)) {
                break;
            }
        }
        while (ask->n_open > 0 && (now_ns = clock_mono_ns()) < scan_ns) {
            listen_for(ask, round, SCAN_MS);
        }
        if (ask->n_open > 0) {
            ask_again(ask, round);
        }
    }
    return ask_count(ask, ASK_ANSWERED);
}

static const void *hello_body(void *arg, size_t i)
{
    static const struct body_hello HELLO = { .name = "herd", .version = BW_VERSION };

    (void)arg;
    (void)i;
    return &HELLO;
}

size_t ask_hello(struct ask *ask, int timeout_ms, bool (*gives_up)(void *arg), void *arg)
{
    const struct ask_round round = { .verb = VERB_HELLO,
                                     .body = hello_body,
                                     .timeout_ms = timeout_ms,
                                     .gives_up = gives_up,
                                     .arg = arg };

    for (size_t i = 0; i < ask->inventory->n_nodes; i++) {
        struct peer *peer = &ask->peers[i];

        peer->is_asked = peer->is_meant && !peer->is_welcome;
        begin_round(ask, peer, HELLO_AGAIN_MS);
    }
    return run_round(ask, &round);
}

size_t ask_all(struct ask *ask, const struct ask_round *round)
{
    for (size_t i = 0; i < ask->inventory->n_nodes; i++) {
        struct peer *peer = &ask->peers[i];

        peer->is_asked = peer->is_welcome && round->body(round->arg, i) != NULL;
        begin_round(ask, peer, ASK_AGAIN_MS);
        if (peer->is_meant) {
            peer->state = ASK_SILENT;
        }
    }
    return run_round(ask, round);
}

const void *ask_no_body(void *arg, size_t i)
{
    static const struct body_empty EMPTY;

    (void)arg;
    (void)i;
    return &EMPTY;
}

enum ask_state ask_state(const struct ask *ask, size_t i)
{
    return ask->peers[i].state;
}

size_t ask_count(const struct ask *ask, enum ask_state state)
{
    size_t count = 0;

    for (size_t i = 0; i < ask->inventory->n_nodes; i++) {
        count += ask->peers[i].state == state ? 1 : 0;
    }
    return count;
}

const struct body_welcome *ask_welcome(const struct ask *ask, size_t i)
{
    return ask->peers[i].is_welcome ? &ask->peers[i].welcome : NULL;
}
