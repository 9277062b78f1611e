/* SPDX-License-Identifier: MIT */
/* Inside of a flock: what flock.c (connections, messages, time) and flock_request.c share. */
#ifndef HERD_FLOCK_PARTS_H
#define HERD_FLOCK_PARTS_H

#include "common/log.h"
#include "herd/flock.h"
#include "herd/knock.h"

/* A request that waits for its answer. */
struct pending {
    struct pending *next;
    enum proto_verb verb;
    uint32_t seq;
    uint64_t boot_id;
    int64_t deadline_ns;
    int64_t again_ns;
    int64_t again_every_ns;
    flock_answer_fn answer;
    void *arg;
    void *body;
};

struct link {
    struct session session;
    struct pending *pending;
    uint32_t seq;
    unsigned control_id; /* generation of the connection, part of the routing id */
    unsigned bulk_id;
    bool is_connected;
    bool has_bulk;
    bool is_stale; /* its connections are to be made anew */
};

struct herd_flock {
    struct flock_config config;
    zloop_t *loop;
    zsock_t *control;
    zsock_t *bulk;
    struct link *links;
    struct knock knock;
    size_t n_begun; /* of the links, in their order, that have been connected first */
    struct flock_stats stats;
    struct log_limit garbage;
    int64_t ticked_ns;
    bool is_paused;
};

/* Repeats a request: same number, same connection. */
bool flock_send_seq(struct herd_flock *flock, size_t i, enum proto_verb verb, const void *body,
                    uint32_t seq);

/* Ends those that `is_over` names (NULL: all), without an answer. */
void flock_fail_pending(struct link *link, size_t i,
                        bool (*is_over)(const struct pending *pending, int64_t arg),
                        int64_t arg);
bool flock_is_late(const struct pending *pending, int64_t mono_ns);
bool flock_is_of_other_boot(const struct pending *pending, int64_t boot_id);

/* Sends what is due, once the node has said WELCOME. */
void flock_repeat_pending(struct herd_flock *flock, size_t i, int64_t mono_ns);

/* The request with this number, out of the list; NULL: none. Its answer ends it. */
struct pending *flock_take_pending(struct link *link, uint32_t seq);
void flock_finish_pending(size_t i, struct pending *pending,
                          const struct flock_message *message);

#endif
