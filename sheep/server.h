/* SPDX-License-Identifier: MIT */
/* The node's doors: two ROUTERs behind CURVE and ZAP, who is behind each connection, and
 * limits.
 *
 * Whatever is not a message that its sender may send is refused, counted, and logged once in a
 * while. One thread, that of the loop. */
#ifndef SHEEP_SERVER_H
#define SHEEP_SERVER_H

#include "common/clock.h"
#include "common/err.h"
#include "common/keys.h"
#include "common/proto.h"
#include "common/wire.h"
#include "sheep/config.h"

#include <czmq.h>

#include <stdbool.h>
#include <stdint.h>

enum server_port {
    SERVER_CONTROL,
    SERVER_BULK,
    N_SERVER_PORTS
};

enum {
    SERVER_MAX_PEERS = 128, /* remembered; the one that was silent longest makes room */
    SERVER_RATE_PER_S = 500,
    SERVER_BURST = 1000,
};

/* One connection of one user. Pointers to it hold until the next message is handled. */
struct server_peer {
    enum server_port port;
    char id[WIRE_ID_SIZE];
    char user[KEY_TEXT_SIZE];
    uint64_t user_id; /* the key as a number */
    unsigned role;
    char name[PROTO_NAME_SIZE]; /* HELLO's, else the key's */
    bool takes_over;            /* HELLO said so */
    int64_t heard_mono_ns;
    int64_t credit; /* of messages, in thousandths */
};

struct server_stats {
    uint64_t n_messages;
    uint64_t n_refused;
    uint64_t n_over_rate;
};

/* A message that may be handled. received_ns is the node's UTC right behind the socket. */
typedef void (*server_message_fn)(void *arg, struct server_peer *peer,
                                  const struct proto_message *message, int64_t received_ns);

struct server_options {
    zloop_t *loop;
    const struct sheep_config *config;
    const struct clock *clock;
    uint64_t boot_id;
    server_message_fn on_message;
    void *arg;
};

struct server;

/* zap_start comes first. Reads the node's key, binds both ports. */
struct server *server_open(const struct server_options *options, struct err *err);
void server_close(struct server **server);

/* Looks whether the folder of authorized keys changed; every second. True when it did. */
bool server_refresh_keys(struct server *server);

/* A public key as a number, for the protocol. */
uint64_t server_user_number(const char *user);

struct server_stats server_stats(const struct server *server);

/* Sends without waiting. The token's boot id is filled in. */
MUST_CHECK int server_send(struct server *server, enum server_port port, const char *peer_id,
                           const struct proto_encoded *encoded, struct err *err);

/* Answers a request: its token, with this boot's id. */
struct proto_token server_answer_token(const struct server *server,
                                       const struct proto_token *request);

#endif
