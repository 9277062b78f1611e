/* SPDX-License-Identifier: MIT */
/* All nodes of an experiment on one reactor: one socket for control and one for bulk, requests
 * with deadlines, heartbeats, reconnection. One thread. */
#ifndef HERD_FLOCK_H
#define HERD_FLOCK_H

#include "common/attrs.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/inventory.h"
#include "common/keys.h"
#include "common/proto.h"
#include "herd/session.h"

#include <czmq.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* (fcntl.h has taken "struct flock".) */
struct herd_flock;

/* A message that came in; a loan during the call. */
struct flock_message {
    const struct proto_message *message;
    int64_t received_ns; /* UTC of this machine */
    int64_t mono_ns;
};

enum flock_news {
    FLOCK_WELCOMED, /* heard for the first time, or again after silence: the same boot */
    FLOCK_REBOOTED, /* heard again, and the node has forgotten what did not run */
    FLOCK_SILENT,
    FLOCK_LOST,
};

/* Nodes are named by their place in `nodes`. All pointers outlive the flock. */
struct flock_config {
    const struct inventory_node *const *nodes;
    size_t n_nodes;
    const struct key_pair *key;
    const char *name;    /* of this controller, for "in use by" */
    uint64_t experiment; /* 0: none yet */
    uint64_t controller; /* UTC ns at which this process took over */
    bool take_over;
    void *arg;
    void (*on_news)(void *arg, size_t i, enum flock_news news);
    /* Everything that is no answer to a flock_request, PONG included. */
    void (*on_message)(void *arg, size_t i, const struct flock_message *message);
    /* From the bulk port. */
    void (*on_bulk)(void *arg, size_t i, const struct flock_message *message);
    /* What herd thinks of the node, for its heartbeat: "", "running", "done". */
    const char *(*beat_state)(void *arg, size_t i);
};

/* Raises limits, opens the socket, connects to everybody. ERR_INPUT names a node without a
 * public key. Greeting starts with the loop. */
struct herd_flock *flock_open(const struct flock_config *config, struct err *err);
void flock_close(struct herd_flock **flock);

zloop_t *flock_loop(const struct herd_flock *flock);

/* Runs the loop until flock_pause is called (by a handler); 0, or -1 when the loop broke. */
MUST_CHECK int flock_run(struct herd_flock *flock);
void flock_pause(struct herd_flock *flock);

const struct session *flock_session(const struct herd_flock *flock, size_t i);

/* Sends once, without waiting; returns the number that an answer will repeat, 0 when it could
 * not be sent now (not connected, queue full). */
uint32_t flock_tell(struct herd_flock *flock, size_t i, enum proto_verb verb, const void *body,
                    struct proto_frame payload);

/* As flock_tell, on the bulk port, which is connected on demand. */
uint32_t flock_tell_bulk(struct herd_flock *flock, size_t i, enum proto_verb verb,
                         const void *body, struct proto_frame payload);

/* A request on the control port that is repeated (same number) every again_ms until it is
 * answered. `answer` is called exactly once: with the message, or with NULL at the deadline, at
 * a reboot of the node, and at flock_close. */
typedef void (*flock_answer_fn)(void *arg, size_t i, const struct flock_message *message);
struct flock_request {
    enum proto_verb verb;
    const void *body; /* copied */
    uint32_t timeout_ms;
    uint32_t again_ms;
    flock_answer_fn answer;
    void *arg;
};
MUST_CHECK int flock_request(struct herd_flock *flock, size_t i,
                             const struct flock_request *request, struct err *err);

/* The same request to everybody whose `wanted` is true (NULL: to all); `done` is called once,
 * when the last has answered or given up. */
MUST_CHECK int flock_request_all(struct herd_flock *flock, const struct flock_request *request,
                                 const bool *wanted, void (*done)(void *arg), struct err *err);

/* Commands another experiment from now on. */
void flock_set_token(struct herd_flock *flock, uint64_t experiment, uint64_t controller);

struct flock_stats {
    uint64_t n_sent;
    uint64_t n_received;
    uint64_t n_refused; /* messages that were none */
    uint64_t n_unsent;  /* not connected, or queue full */
    uint64_t n_reconnects;
};
struct flock_stats flock_stats(const struct herd_flock *flock);

#endif
