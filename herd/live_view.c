/* SPDX-License-Identifier: MIT */
#include "herd/live_view.h"

#include "common/clock.h"
#include "common/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FRESH_MS = 3000,
    LIVE_PORT = 2, /* behind the control port */
};

struct word {
    int64_t mono_ns; /* 0: none yet */
    struct body_live body;
};

struct live_view {
    const struct inventory *inventory;
    zsock_t *socket;
    struct word *words; /* by node */
    struct proto_message message;
};

static int connect_all(struct live_view *view, const bool *selected, struct err *err)
{
    for (size_t i = 0; i < view->inventory->n_nodes; i++) {
        const struct inventory_node *node = &view->inventory->nodes[i];
        char endpoint[INVENTORY_HOST_SIZE + 32];

        snprintf(endpoint, sizeof(endpoint), "tcp://%s:%u", node->host,
                 node->port + (unsigned)LIVE_PORT);
        if (selected[i]
            && wire_connect(view->socket, endpoint, node->public_key, NULL, err) < 0) {
            return err_prepend(err, "%s", node->name);
        }
    }
    return 0;
}

struct live_view *live_view_open(const struct inventory *inventory, const bool *selected,
                                 const struct key_pair *key, struct err *err)
{
    struct live_view *view = calloc(1, sizeof(*view));

    if (view == NULL
        || (view->words = calloc(inventory->n_nodes + 1, sizeof(*view->words))) == NULL) {
        err_set(err, ERR_MEMORY, "the live view of %zu nodes", inventory->n_nodes);
        goto fail;
    }
    view->inventory = inventory;
    view->socket = wire_client(ZMQ_SUB, key, NULL, err);
    if (view->socket == NULL) {
        goto fail;
    }
    zsock_set_subscribe(view->socket, "BW1");
    if (connect_all(view, selected, err) < 0) {
        goto fail;
    }
    return view;
fail:
    live_view_close(&view);
    return NULL;
}

void live_view_close(struct live_view **view)
{
    if (*view == NULL) {
        return;
    }
    zsock_destroy(&(*view)->socket);
    free((*view)->words);
    free(*view);
    *view = NULL;
}

/* Between two syncs of its log a node has no news of samples: what it said last stands. */
static void take_word(struct word *word, const struct body_live *body)
{
    const struct body_live old = word->body;

    word->mono_ns = clock_mono_ns();
    word->body = *body;
    if (body->experiment == 0 || body->experiment != old.experiment) {
        return;
    }
    if (!body->has_voltage) {
        word->body.has_voltage = old.has_voltage;
        word->body.voltage_V = old.voltage_V;
    }
    if (!body->has_current) {
        word->body.has_current = old.has_current;
        word->body.current_A = old.current_A;
    }
}

static void take(struct live_view *view, const struct wire_message *got)
{
    const struct body_live *body = PROTO_CONST_BODY(&view->message, body_live);

    if (proto_decode(&view->message, got->frames, got->n_frames, ROLE_SHEEP, NULL) < 0
        || view->message.verb != VERB_LIVE) {
        return;
    }
    for (size_t i = 0; i < view->inventory->n_nodes; i++) {
        if (strcmp(view->inventory->nodes[i].name, body->node) == 0) {
            take_word(&view->words[i], body);
        }
    }
}

void live_view_listen(struct live_view *view, int timeout_ms)
{
    int64_t end_ns = clock_mono_ns() + timeout_ms * NS_PER_MS;
    int64_t left_ns = 0;

    while ((left_ns = end_ns - clock_mono_ns()) > 0) {
        zmq_pollitem_t item = { .socket = zsock_resolve(view->socket), .events = ZMQ_POLLIN };
        struct wire_message got;
        int result = 0;

        if (zmq_poll(&item, 1, (long)(left_ns / NS_PER_MS) + 1) < 0) {
            return;
        }
        /* A node that floods takes no more than its share of time. */
        while (clock_mono_ns() < end_ns
               && (result = wire_recv_plain(view->socket, &got, NULL)) != 0) {
            if (result > 0) {
                take(view, &got);
                wire_message_fini(&got);
            }
        }
    }
}

const struct body_live *live_view_of(const struct live_view *view, size_t i)
{
    const struct word *word = &view->words[i];

    return word->mono_ns != 0 && clock_mono_ns() - word->mono_ns < FRESH_MS * NS_PER_MS
               ? &word->body
               : NULL;
}
