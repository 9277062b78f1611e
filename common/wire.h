/* SPDX-License-Identifier: MIT */
/* Sockets as both sides make them: CURVE always, bounded, never lingering; and whole messages
 * in and out of them. */
#ifndef COMMON_WIRE_H
#define COMMON_WIRE_H

#include "common/attrs.h"
#include "common/err.h"
#include "common/keys.h"
#include "common/proto.h"

#include <czmq.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WIRE_ID_SIZE = 64,         /* of a routing id, ours are text */
    WIRE_HANDSHAKE_MS = 5000,  /* a stranger holds a connection no longer */
    WIRE_PROBE_MS = 2000,      /* ZMTP heartbeats */
    WIRE_QUEUE_MESSAGES = 256, /* per peer and direction */
    WIRE_RECONNECT_MS = 100,   /* first; doubles to the maximum */
    WIRE_RECONNECT_MAX_MS = 2000,
};

/* A CURVE server: ROUTER or PUB (type as ZMQ_ROUTER), bound at once to "tcp://ADDRESS:PORT"
 * (port "*" takes a free one; zsock_endpoint tells). zap_start must have been called before, or
 * nobody gets in. Closed with zsock_destroy. */
zsock_t *wire_bind(int type, const char *endpoint, const struct key_pair *own, struct err *err);

/* A CURVE client that is not connected yet: ROUTER (or SUB). `own_id` is its routing id at the
 * peers; NULL, as in herd: each peer gives every connection an id of its own, which nobody else
 * can have or guess. */
zsock_t *wire_client(int type, const struct key_pair *own, const char *own_id, struct err *err);

/* Connects to one node whose public key is pinned; `peer_id` names it in wire_send (ROUTER; may
 * be NULL for SUB). Repeated with the same id only after wire_disconnect. */
MUST_CHECK int wire_connect(zsock_t *socket, const char *endpoint, const char *server_key,
                            const char *peer_id, struct err *err);

/* Ends the connection to `endpoint`, if there is one. ERR_STATE: messages wait, read them
 * first. (To ask a socket for input makes libzmq begin to read a message, and it aborts the
 * program when the connection that has the rest is taken away.) */
MUST_CHECK int wire_disconnect(zsock_t *socket, const char *endpoint, struct err *err);

/* Sends without blocking. ERR_UNREACHABLE: no such peer now; ERR_STATE: its queue is full;
 * nothing was sent then. */
MUST_CHECK int wire_send(zsock_t *socket, const char *peer_id,
                         const struct proto_encoded *encoded, struct err *err);

/* To all subscribers of a PUB or XPUB; whoever is slow misses it. */
void wire_publish(zsock_t *socket, const struct proto_encoded *encoded);

/* As wire_send, from the message's parts. */
MUST_CHECK int wire_tell(zsock_t *socket, const char *peer_id, enum proto_verb verb,
                         const struct proto_token *token, const void *body,
                         struct proto_frame payload, struct err *err);

/* A message from a ROUTER: frames are loans until wire_message_fini. */
struct wire_message {
    char peer_id[WIRE_ID_SIZE]; /* text, "@" and hex for an id that this side gave; a chosen id
                                   with other bytes, with "@" first, or too long, is refused */
    char user[KEY_TEXT_SIZE];   /* the peer's public key as ZAP saw it; "" at a client */
    struct proto_frame frames[PROTO_MAX_FRAMES];
    size_t n_frames;
    size_t n_parts;
    zmq_msg_t parts[PROTO_MAX_FRAMES];
};

/* 1: a message; 0: nothing there; -1: one that is refused (too many frames, a strange id), and
 * was read to its end, so that the caller counts it and goes on. fini after 1 only. */
MUST_CHECK int wire_recv(zsock_t *socket, struct wire_message *message, struct err *err);

/* The same from a socket that is no ROUTER (SUB, XPUB): no peer_id. */
MUST_CHECK int wire_recv_plain(zsock_t *socket, struct wire_message *message, struct err *err);
void wire_message_fini(struct wire_message *message);

/* Once, in main, before any socket: signals stay the program's own business, czmq's limit on
 * sockets is lifted to libzmq's, and the heap keeps what messages need. */
void wire_init(void);

/* Raises the limit of descriptors for n_peers connections, or says that it cannot. */
MUST_CHECK int wire_limits(size_t n_peers, struct err *err);

#endif
