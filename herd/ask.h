/* SPDX-License-Identifier: MIT */
/* Questions to many nodes at once: short commands ask, nodes answer or stay silent. */
#ifndef HERD_ASK_H
#define HERD_ASK_H

#include "common/attrs.h"
#include "common/err.h"
#include "common/inventory.h"
#include "common/keys.h"
#include "common/proto.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A connection to each node that is meant, from one socket. One slow node delays nobody: all
 * are asked at once, and a round ends when all have answered or at its deadline. */
struct ask;

enum ask_state {
    ASK_NOT_MEANT,
    ASK_SILENT,   /* no WELCOME yet, or no answer in the last round */
    ASK_ANSWERED, /* in the last round */
};

/* `selected` is as in struct context; both must outlive the ask. ERR_INPUT when a node has no
 * public key. Nothing is waited for. */
struct ask *ask_open(const struct inventory *inventory, const bool *selected,
                     const struct key_pair *key, struct err *err);
void ask_close(struct ask **ask);

/* The body of the question for node i, or NULL to leave the node out of this round. */
typedef const void *(*ask_body_fn)(void *arg, size_t i);

/* An ask_body_fn for verbs without a body: everybody is asked. */
const void *ask_no_body(void *arg, size_t i);

/* An answer (also REFUSED); times are UTC ns. Return false when more follows (DATA): the node
 * then counts as not having answered yet. */
struct ask_answer {
    size_t i;
    const struct proto_message *message;
    int64_t sent_ns;
    int64_t received_ns;
};
typedef bool (*ask_answer_fn)(void *arg, const struct ask_answer *answer);

struct ask_round {
    enum proto_verb verb;
    ask_body_fn body;
    ask_answer_fn answer;
    uint64_t (*experiment)(void *arg, size_t i); /* whose question it is; NULL: of none */
    void *arg;
    int timeout_ms;
    bool (*gives_up)(void *arg); /* may be NULL; asked about every 50 ms, ends the round */
};

/* HELLO until WELCOME: finds out who is there. Returns how many are. */
size_t ask_hello(struct ask *ask, int timeout_ms, bool (*gives_up)(void *arg), void *arg);

/* Asks everybody who has said WELCOME; returns how many answered. Repeats a question that is
 * not answered within a second. */
size_t ask_all(struct ask *ask, const struct ask_round *round);

enum ask_state ask_state(const struct ask *ask, size_t i);
size_t ask_count(const struct ask *ask, enum ask_state state);

/* What WELCOME said; NULL before. */
const struct body_welcome *ask_welcome(const struct ask *ask, size_t i);

#endif
