/* SPDX-License-Identifier: MIT */
#include "herd/sim_ready.h"

#include "common/clock.h"
#include "common/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ASK_MS = 50
};

struct wait {
    const struct inventory *inventory;
    zsock_t *socket;
    bool *is_ready;
    size_t n_ready;
};

static int connect_all(struct wait *wait, struct err *err)
{
    for (size_t i = 0; i < wait->inventory->n_nodes; i++) {
        const struct inventory_node *node = &wait->inventory->nodes[i];
        char endpoint[INVENTORY_HOST_SIZE + 32];

        snprintf(endpoint, sizeof(endpoint), "tcp://%s:%u", node->host, node->port);
        if (wire_connect(wait->socket, endpoint, node->public_key, node->name, err) < 0) {
            return err_prepend(err, "%s", node->name);
        }
    }
    return 0;
}

static void ask_all(struct wait *wait)
{
    static const struct body_hello HELLO = { .name = "herd sim", .version = BW_VERSION };
    const struct proto_token token = { .seq = 1 };
    const struct proto_frame nothing = { NULL, 0 };

    for (size_t i = 0; i < wait->inventory->n_nodes; i++) {
        /* Not connected yet, or still full of earlier questions: asked again soon. */
        if (!wait->is_ready[i]
            && wire_tell(wait->socket, wait->inventory->nodes[i].name, VERB_HELLO, &token,
                         &HELLO, nothing, NULL)
                   < 0) {
            continue;
        }
    }
}

static void note(struct wait *wait, const struct wire_message *got)
{
    struct proto_message message;

    if (proto_decode(&message, got->frames, got->n_frames, ROLE_SHEEP, NULL) < 0
        || message.verb != VERB_WELCOME) {
        return;
    }
    for (size_t i = 0; i < wait->inventory->n_nodes; i++) {
        if (strcmp(wait->inventory->nodes[i].name, got->peer_id) == 0 && !wait->is_ready[i]) {
            wait->is_ready[i] = true;
            wait->n_ready++;
        }
    }
}

static void listen_for(struct wait *wait, int timeout_ms)
{
    zmq_pollitem_t item = { .socket = zsock_resolve(wait->socket), .events = ZMQ_POLLIN };
    struct wire_message got;
    int result = 0;

    if (zmq_poll(&item, 1, timeout_ms) <= 0) {
        return;
    }
    while ((result = wire_recv(wait->socket, &got, NULL)) != 0) {
        if (result > 0) {
            note(wait, &got);
            wire_message_fini(&got);
        }
    }
}

static int wait_all(struct wait *wait, int timeout_ms, bool (*gives_up)(void *arg), void *arg,
                    struct err *err)
{
    int64_t deadline_ns = clock_mono_ns() + timeout_ms * NS_PER_MS;

    while (wait->n_ready < wait->inventory->n_nodes) {
        int64_t ask_ns = clock_mono_ns() + ASK_MS * NS_PER_MS;

        ask_all(wait);
        while (clock_mono_ns() < ask_ns && wait->n_ready < wait->inventory->n_nodes) {
            listen_for(wait, ASK_MS);
        }
        if (gives_up != NULL && gives_up(arg)) {
            return err_set(err, ERR_STATE, "a sheep ended before it was ready");
        }
        if (clock_mono_ns() > deadline_ns) {
            size_t i = 0;

            while (wait->is_ready[i]) {
                i++;
            }
            return err_set(err, ERR_TIMEOUT, "%s was not ready within %d s",
                           wait->inventory->nodes[i].name, timeout_ms / 1000);
        }
    }
    return 0;
}

int sim_wait_ready(const struct inventory *inventory, const struct key_pair *key,
                   int timeout_ms, bool (*gives_up)(void *arg), void *arg, struct err *err)
{
    struct wait wait = { .inventory = inventory };
    int result = -1;

    if (wire_limits(inventory->n_nodes, err) < 0) {
        return -1;
    }
    wait.is_ready = calloc(inventory->n_nodes + 1, sizeof(*wait.is_ready));
    if (wait.is_ready == NULL) {
        return err_set(err, ERR_MEMORY, "waiting for the sheep");
    }
    wait.socket = wire_client(ZMQ_ROUTER, key, NULL, err);
    if (wait.socket != NULL && connect_all(&wait, err) == 0) {
        result = wait_all(&wait, timeout_ms, gives_up, arg, err);
    }
    zsock_destroy(&wait.socket);
    free(wait.is_ready);
    return result;
}
