/* SPDX-License-Identifier: MIT */
/* Serves bytes of logs to whoever follows them: FETCH grants credit, DATA uses it up.
 *
 * A FETCH that asks further on than the last one of its sender (progress) grants credit from
 * its position on, and what was sent behind that position counts against it. A FETCH that asks
 * for the same or an earlier position starts there anew: its sender lost what was under way. Of
 * a log that grows only durable bytes are served. A FETCH without credit is echoed behind what
 * is under way: its sender then knows whether that was lost. Of a log in memory that grows,
 * segments which a FETCH says are kept elsewhere are given back. Streams take turns, a piece
 * each, those of a log that grows before those of old ones. One thread.
 */
#ifndef SHEEP_LOG_SERVER_H
#define SHEEP_LOG_SERVER_H

#include "common/err.h"
#include "common/proto.h"
#include "common/rlog.h"
#include "common/wire.h"
#include "sheep/store.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    LOG_SERVER_STREAMS = 32,
    LOG_SERVER_PIECE = 256 * 1024,
    LOG_SERVER_CREDIT_MAX = 8 * 1024 * 1024, /* bounds what waits in a socket */
};

struct log_server_options {
    const struct store *store;
    void *arg;
    /* How far the log is durable: true and *durable while it grows; false: it is closed, whole.
     */
    bool (*is_live)(void *arg, const char *log, struct rlog_position *durable);
    /* Sends DATA; ERR_STATE: the peer's queue is full, later; another failure ends the stream.
     */
    int (*send)(void *arg, const char *peer_id, const struct proto_token *token,
                const struct body_data *body, struct proto_frame payload, struct err *err);
};

struct log_server;
struct log_server *log_server_create(const struct log_server_options *options, struct err *err);
void log_server_destroy(struct log_server **server);

/* A FETCH of this peer; its token comes back in DATA. That is_kept may be said by this peer was
 * checked. */
MUST_CHECK int log_server_fetch(struct log_server *server, const char *peer_id,
                                const struct proto_token *token, const struct body_fetch *body,
                                struct err *err);

/* Sends up to max_pieces; returns how many were sent: 0 means that there is nothing to do now.
 */
size_t log_server_pump(struct log_server *server, size_t max_pieces);

/* Forgets all streams of a log, before it is removed. */
void log_server_forget(struct log_server *server, const char *log);

#endif
