/* SPDX-License-Identifier: MIT */
#include "sheep/server.h"

#include "common/log.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MESSAGES_PER_WAKE = 32, /* then the other sockets have their turn */
    LOG_BURST = 4,
    LOG_INTERVAL_MS = 10000,
    MILLI = 1000,
};

struct door {
    struct server *server;
    enum server_port port;
    zsock_t *socket;
};

struct server {
    struct server_options options;
    struct key_pair key;
    struct keyring *ring;
    struct door doors[N_SERVER_PORTS];
    struct server_peer *peers; /* SERVER_MAX_PEERS; a free one has no id */
    struct server_stats stats;
    struct log_limit limit;
    struct proto_message message; /* large, and one at a time */
};

/* ---- peers ---- */

uint64_t server_user_number(const char *user)
{
    unsigned char hash[16] = { 0 };
    uint64_t number = 0;

    crypto_generichash(hash, sizeof(hash), (const unsigned char *)user, strlen(user), NULL, 0);
    memcpy(&number, hash, sizeof(number));
    return number;
}

static struct server_peer *find_peer(struct server *server, enum server_port port,
                                     const struct wire_message *got)
{
    struct server_peer *oldest = &server->peers[0];

    for (size_t i = 0; i < SERVER_MAX_PEERS; i++) {
        struct server_peer *peer = &server->peers[i];

        if (peer->port == port && strcmp(peer->id, got->peer_id) == 0
            && strcmp(peer->user, got->user) == 0) {
            return peer;
        }
        if (peer->heard_mono_ns < oldest->heard_mono_ns) {
            oldest = peer;
        }
    }
    memset(oldest, 0, sizeof(*oldest));
    oldest->port = port;
    memcpy(oldest->id, got->peer_id, sizeof(oldest->id));
    memcpy(oldest->user, got->user, sizeof(oldest->user));
    oldest->user_id = server_user_number(got->user);
    oldest->credit = (int64_t)SERVER_BURST * MILLI;
    oldest->heard_mono_ns = clock_mono_ns();
    return oldest;
}

/* A token bucket, in thousandths of a message. */
static bool is_within_rate(struct server_peer *peer, int64_t mono_ns)
{
    int64_t elapsed_us = (mono_ns - peer->heard_mono_ns) / NS_PER_US;
    int64_t full = (int64_t)SERVER_BURST * MILLI;

    peer->heard_mono_ns = mono_ns;
    peer->credit += elapsed_us > NS_PER_S / NS_PER_US ? (int64_t)SERVER_RATE_PER_S * MILLI
                                                      : elapsed_us * SERVER_RATE_PER_S / MILLI;
    if (peer->credit > full) {
        peer->credit = full;
    }
    if (peer->credit < MILLI) {
        return false;
    }
    peer->credit -= MILLI;
    return true;
}

/* ---- messages ---- */

static void note_refused(struct server *server, const char *who, const char *why)
{
    server->stats.n_refused++;
    if (log_limit_pass(&server->limit, clock_mono_ns(), LOG_BURST, LOG_INTERVAL_MS)) {
        log_warn("refused a message of %s: %s (%llu in all)", who, why,
                 (unsigned long long)server->stats.n_refused);
        server->limit.suppressed = 0;
    }
}

/* Only a request of this protocol gets an answer; what a sheep says is none. */
static void answer_refused(struct door *door, const char *peer_id, const struct err *why)
{
    const struct proto_message *message = &door->server->message;
    const struct proto_verb_info *info = proto_verb_info(message->verb);
    struct body_refused body = { 0 };
    struct proto_token token = server_answer_token(door->server, &message->token);
    const struct proto_frame nothing = { NULL, 0 };

    if (info == NULL || (info->roles & ROLE_SHEEP) != 0 || message->token.seq == 0) {
        return;
    }
    snprintf(body.why, sizeof(body.why), "%.*s", (int)sizeof(body.why) - 1, why->text);
    snprintf(body.code, sizeof(body.code), "%s", err_code_name(why->code));
    if (wire_tell(door->socket, peer_id, VERB_REFUSED, &token, &body, nothing, NULL) < 0) {
        return; /* gone, or it does not read; it asks again */
    }
}

static void handle(struct door *door, const struct wire_message *got, int64_t received_ns)
{
    struct server *server = door->server;
    const struct key_pair *key = keyring_find(server->ring, got->user);
    struct server_peer *peer = NULL;
    struct err err = { 0 };

    if (key == NULL) {
        note_refused(server, "a stranger", "key unknown or revoked");
        return;
    }
    peer = find_peer(server, door->port, got);
    peer->role = (unsigned)key->role;
    if (peer->name[0] == '\0') {
        snprintf(peer->name, sizeof(peer->name), "%s", key->name);
    }
    if (!is_within_rate(peer, clock_mono_ns())) {
        server->stats.n_over_rate++;
        note_refused(server, key->name, "too many messages a second");
        return;
    }
    if (proto_decode(&server->message, got->frames, got->n_frames, peer->role, &err) < 0) {
        note_refused(server, key->name, err.text);
        answer_refused(door, got->peer_id, &err);
        return;
    }
    server->stats.n_messages++;
    server->options.on_message(server->options.arg, peer, &server->message, received_ns);
}

static int on_readable(zloop_t *loop, zsock_t *socket, void *arg)
{
    struct door *door = arg;
    struct wire_message got;
    struct err err = { 0 };

    (void)loop;
    for (int i = 0; i < MESSAGES_PER_WAKE; i++) {
        int result = wire_recv(socket, &got, &err);

        if (result == 0) {
            break;
        }
        if (result < 0) {
            note_refused(door->server, "somebody", err.text);
            continue;
        }
        handle(door, &got, clock_utc(door->server->options.clock));
        wire_message_fini(&got);
    }
    return 0;
}

/* ---- life ---- */

static int open_door(struct server *server, enum server_port port, struct err *err)
{
    const struct sheep_config *config = server->options.config;
    struct door *door = &server->doors[port];
    char endpoint[sizeof(config->address) + 32];

    snprintf(endpoint, sizeof(endpoint), "tcp://%s:%u", config->address,
             config->port + (unsigned)port);
    door->server = server;
    door->port = port;
    door->socket = wire_bind(ZMQ_ROUTER, endpoint, &server->key, err);
    if (door->socket == NULL) {
        return -1;
    }
    if (zloop_reader(server->options.loop, door->socket, on_readable, door) < 0) {
        return err_set(err, ERR_SYSTEM, "socket in the loop");
    }
    zloop_reader_set_tolerant(server->options.loop, door->socket);
    return 0;
}

struct server *server_open(const struct server_options *options, struct err *err)
{
    struct server *server = calloc(1, sizeof(*server));

    if (server == NULL
        || (server->peers = calloc(SERVER_MAX_PEERS, sizeof(*server->peers))) == NULL) {
        err_set(err, ERR_MEMORY, "server");
        goto fail;
    }
    server->options = *options;
    server->ring = keyring_open(options->config->authorized, err);
    if (server->ring == NULL || key_load(&server->key, options->config->secret_key, err) < 0) {
        goto fail;
    }
    for (int port = 0; port < N_SERVER_PORTS; port++) {
        if (open_door(server, (enum server_port)port, err) < 0) {
            goto fail;
        }
    }
    return server;
fail:
    server_close(&server);
    return NULL;
}

void server_close(struct server **server_p)
{
    struct server *server = *server_p;

    if (server == NULL) {
        return;
    }
    for (int port = 0; port < N_SERVER_PORTS; port++) {
        if (server->doors[port].socket != NULL) {
            zloop_reader_end(server->options.loop, server->doors[port].socket);
            zsock_destroy(&server->doors[port].socket);
        }
    }
    keyring_close(&server->ring);
    key_wipe(&server->key);
    free(server->peers);
    free(server);
    *server_p = NULL;
}

bool server_refresh_keys(struct server *server)
{
    uint64_t version = keyring_version(server->ring);
    struct err err = { 0 };

    if (keyring_refresh(server->ring, &err) < 0
        && log_limit_pass(&server->limit, clock_mono_ns(), LOG_BURST, LOG_INTERVAL_MS)) {
        log_error("authorized keys: %s", err.text);
    }
    return keyring_version(server->ring) != version;
}

struct server_stats server_stats(const struct server *server)
{
    return server->stats;
}

int server_send(struct server *server, enum server_port port, const char *peer_id,
                const struct proto_encoded *encoded, struct err *err)
{
    return wire_send(server->doors[port].socket, peer_id, encoded, err);
}

struct proto_token server_answer_token(const struct server *server,
                                       const struct proto_token *request)
{
    struct proto_token token = *request;

    token.boot_id = server->options.boot_id;
    return token;
}
