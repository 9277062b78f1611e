/* SPDX-License-Identifier: MIT */
/* Stands before herd's ask (--wrap of ask_open, ask_close, ask_hello, ask_all, ask_state): the
 * test says what each node answers, and no socket is opened. */
#ifndef TESTS_SUPPORT_ASK_FAKE_H
#define TESTS_SUPPORT_ASK_FAKE_H

#include "herd/ask.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ASK_FAKE_NODES = 16
};

struct ask_fake {
    size_t n_nodes;
    bool fails_to_open;
    bool is_silent[ASK_FAKE_NODES]; /* hears, and does not answer */
    /* Fills in verb, body and payload of node i's answer to `body`; received_ns if it matters.
     */
    void (*answer)(size_t i, const void *body, struct proto_message *message,
                   int64_t *received_ns);
    /* what was done */
    unsigned n_opened;
    unsigned n_closed;
    unsigned n_hellos;
    unsigned n_asked[ASK_FAKE_NODES];
    enum proto_verb verb; /* of the last round */
    enum ask_state states[ASK_FAKE_NODES];
};
extern struct ask_fake ask_fake;

void ask_fake_reset(size_t n_nodes,
                    void (*answer)(size_t i, const void *body, struct proto_message *message,
                                   int64_t *received_ns));

#endif
