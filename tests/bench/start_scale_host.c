/* SPDX-License-Identifier: MIT */
#include "start_scale.h"

#include "common/clock.h"
#include "common/experiment.h"
#include "common/log.h"
#include "common/wire.h"
#include "common/zap.h"
#include "sheep/experiment.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    N_THREADS = 2,
    POLL_MS = 20,
    BATCH = 8,
    PREPARE_MS = 1, /* a recorder's promise */
};

struct host_node {
    const struct scale_node *node;
    zsock_t *socket;
    struct node_experiment experiment;
    uint64_t boot_id;
    char peer[WIRE_ID_SIZE];
    struct proto_token token; /* of the last message */
    char log[PROTO_NAME_SIZE];
    bool is_told_started;
};

struct host_thread {
    struct host_node *nodes;
    zmq_pollitem_t *items;
    size_t n_nodes;
    volatile int *must_stop;
    uint64_t n_messages;
    pthread_t thread;
};

/* ---- words ---- */

static void answer(struct host_node *node, enum proto_verb verb, const void *body)
{
    struct proto_token token = node->token;
    const struct proto_frame nothing = { NULL, 0 };

    token.boot_id = node->boot_id;
    (void)!wire_tell(node->socket, node->peer, verb, &token, body, nothing, NULL);
}

static void answer_welcome(struct host_node *node)
{
    struct body_welcome body = { .boot_id = node->boot_id, .has_calibration = true };

    snprintf(body.node, sizeof(body.node), "%s", node->node->name);
    snprintf(body.version, sizeof(body.version), "%s", BW_VERSION);
    snprintf(body.board, sizeof(body.board), "sim");
    snprintf(body.state, sizeof(body.state), "%s", node_state_name(node->experiment.state));
    answer(node, VERB_WELCOME, &body);
}

static void answer_clock(struct host_node *node, enum proto_verb verb,
                         const struct body_clock *asked, int64_t received_ns)
{
    struct body_clock body = { .t1_ns = asked->t1_ns,
                               .t2_ns = received_ns,
                               .is_locked = true,
                               .claimed_bound_ns = 20000 };

    snprintf(body.source, sizeof(body.source), "sim");
    snprintf(body.state, sizeof(body.state), "%s", node_state_name(node->experiment.state));
    body.t3_ns = clock_utc_ns();
    answer(node, verb, &body);
}

static void answer_state(struct host_node *node)
{
    struct body_state body = { .experiment = node->experiment.experiment,
                               .is_started = node->experiment.is_started };

    snprintf(body.node, sizeof(body.node), "%s", node->node->name);
    snprintf(body.state, sizeof(body.state), "%s", node_state_name(node->experiment.state));
    answer(node, VERB_STATE, &body);
}

static void do_answer(struct host_node *node, const struct node_action *action)
{
    struct body_refused refused = { 0 };
    struct body_ready ready = { .promise_ns = action->promise_ns };
    struct body_arm arm = { .T_ns = action->T_ns, .n = action->n };
    struct body_stop stop = { .sample = action->sample };

    switch (action->verb) {
    case VERB_REFUSED:
        snprintf(refused.why, sizeof(refused.why), "%s", action->why);
        snprintf(refused.code, sizeof(refused.code), "%s", err_code_name(action->code));
        answer(node, VERB_REFUSED, &refused);
        break;
    case VERB_READY:
        snprintf(ready.log, sizeof(ready.log), "%s", node->log);
        answer(node, VERB_READY, &ready);
        break;
    case VERB_STOPPING:
        answer(node, VERB_STOPPING, &stop);
        break;
    case VERB_ARMED:
    case VERB_GOING:
    case VERB_STOOD_DOWN:
        answer(node, action->verb, &arm);
        break;
    default:
        answer(node, action->verb, NULL);
        break;
    }
}

/* ---- the protocol ---- */

static void feed(struct host_node *node, struct node_event *event);

static void report(struct host_node *node, enum node_event_kind kind)
{
    struct node_event event = { .kind = kind,
                                .preparation = node->experiment.preparation,
                                .promise_ns = clock_utc_ns() + PREPARE_MS * NS_PER_MS };

    feed(node, &event);
}

static void feed(struct host_node *node, struct node_event *event)
{
    struct node_actions actions;

    event->mono_ns = clock_mono_ns();
    event->utc_ns = clock_utc_ns();
    node_experiment_step(&node->experiment, event, &actions);
    for (size_t k = 0; k < actions.count; k++) {
        switch (actions.list[k].kind) {
        case NODE_ACT_ANSWER:
        case NODE_ACT_TELL:
            do_answer(node, &actions.list[k]);
            break;
        case NODE_ACT_PREPARE:
            report(node, NODE_EVENT_PREPARED);
            break;
        case NODE_ACT_START:
            report(node, NODE_EVENT_START_CONFIRMED);
            break;
        case NODE_ACT_CANCEL:
            report(node, NODE_EVENT_CANCEL_CONFIRMED);
            break;
        case NODE_ACT_STOP:
        case NODE_ACT_RECOVER:
        case NODE_ACT_RELEASE:
            break;
        }
    }
}

/* What the agent does with the payload: the whole configuration is decoded and checked. */
static bool takes_config(const struct proto_message *message)
{
    struct fault_list faults = { 0 };
    struct node_config config;
    struct yaml_doc *doc =
        yaml_parse(message->payload.data, message->payload.size, "config", NULL);
    bool is_good = false;

    if (doc != NULL) {
        schema_decode(&node_config_schema, yaml_root(doc), &config, &faults);
        is_good = faults.count == 0;
    }
    fault_fini(&faults);
    yaml_destroy(&doc);
    return is_good;
}

static void handle_experiment(struct host_node *node, const struct proto_message *message)
{
    static const struct {
        enum proto_verb verb;
        enum node_event_kind kind;
    } EVENTS[] = {
        {VERB_PREPARE,  NODE_EVENT_PREPARE},
        { VERB_ARM,     NODE_EVENT_ARM    },
        { VERB_GO,      NODE_EVENT_GO     },
        { VERB_CANCEL,  NODE_EVENT_CANCEL },
        { VERB_STOP,    NODE_EVENT_STOP   },
        { VERB_RELEASE, NODE_EVENT_RELEASE},
    };
    struct node_event event = { .experiment = message->token.experiment,
                                .controller = message->token.controller,
                                .boot_id = message->token.boot_id,
                                .user = 1,
                                .is_clock_good = true,
                                .is_match = true };

    for (size_t k = 0; k < ARRAY_LEN(EVENTS); k++) {
        if (EVENTS[k].verb != message->verb) {
            continue;
        }
        event.kind = EVENTS[k].kind;
        if (message->verb == VERB_PREPARE) {
            snprintf(node->log, sizeof(node->log), "%s",
                     PROTO_CONST_BODY(message, body_prepare)->log);
            if (!takes_config(message)) {
                return;
            }
        }
        if (message->verb == VERB_ARM || message->verb == VERB_GO) {
            event.T_ns = PROTO_CONST_BODY(message, body_arm)->T_ns;
            event.n = PROTO_CONST_BODY(message, body_arm)->n;
        }
        feed(node, &event);
    }
}

static void handle(struct host_node *node, const struct wire_message *got)
{
    struct proto_message message;
    int64_t received_ns = clock_utc_ns();

    if (proto_decode(&message, got->frames, got->n_frames, ROLE_OPERATOR, NULL) < 0) {
        return;
    }
    memcpy(node->peer, got->peer_id, sizeof(node->peer));
    node->token = message.token;
    switch (message.verb) {
    case VERB_HELLO:
        answer_welcome(node);
        break;
    case VERB_PING:
        answer_clock(node, VERB_PONG, PROTO_CONST_BODY(&message, body_clock), received_ns);
        break;
    case VERB_CLOCK:
        answer_clock(node, VERB_CLOCKED, PROTO_CONST_BODY(&message, body_clock), received_ns);
        break;
    case VERB_STATUS:
        answer_state(node);
        break;
    default:
        handle_experiment(node, &message);
        break;
    }
}

/* Sample 0, as far as this host has one. */
static void look_at_time(struct host_node *node)
{
    int64_t mono_ns = clock_mono_ns();

    if (mono_ns >= node_experiment_deadline_ns(&node->experiment)) {
        report(node, NODE_EVENT_TIME);
    }
    if (node->experiment.state == NODE_GOING && mono_ns >= node->experiment.T_mono_ns
        && !node->is_told_started) {
        node->is_told_started = true;
        node->token.seq = 0;
        report(node, NODE_EVENT_STARTED);
    }
}

static void *run_thread(void *arg)
{
    struct host_thread *self = arg;

    while (!*self->must_stop) {
        int n_ready = zmq_poll(self->items, (int)self->n_nodes, POLL_MS);

        for (size_t i = 0; i < self->n_nodes; i++) {
            struct host_node *node = &self->nodes[i];
            struct wire_message got;

            for (int k = 0; n_ready > 0 && self->items[i].revents != 0 && k < BATCH
                            && wire_recv(node->socket, &got, NULL) > 0;
                 k++) {
                self->n_messages++;
                handle(node, &got);
                wire_message_fini(&got);
            }
            look_at_time(node);
        }
    }
    return NULL;
}

/* ---- life ---- */

static int bind_all(const struct scale_node *nodes, struct host_node *hosts, size_t n_nodes,
                    struct err *err)
{
    for (size_t i = 0; i < n_nodes; i++) {
        char endpoint[64];

        snprintf(endpoint, sizeof(endpoint), "tcp://127.0.0.1:%u", nodes[i].port);
        hosts[i].node = &nodes[i];
        randombytes_buf(&hosts[i].boot_id, sizeof(hosts[i].boot_id));
        node_experiment_init(&hosts[i].experiment, hosts[i].boot_id);
        hosts[i].socket = wire_bind(ZMQ_ROUTER, endpoint, &nodes[i].key, err);
        if (hosts[i].socket == NULL) {
            return -1;
        }
    }
    return 0;
}

static void start_threads(struct host_thread threads[N_THREADS], struct host_node *hosts,
                          size_t n_nodes, volatile int *must_stop)
{
    for (size_t t = 0; t < N_THREADS; t++) {
        size_t from = n_nodes * t / N_THREADS;

        threads[t] = (struct host_thread){ .nodes = hosts + from,
                                           .n_nodes = n_nodes * (t + 1) / N_THREADS - from,
                                           .must_stop = must_stop };
        threads[t].items = calloc(threads[t].n_nodes + 1, sizeof(*threads[t].items));
        for (size_t i = 0; i < threads[t].n_nodes; i++) {
            threads[t].items[i].socket = zsock_resolve(threads[t].nodes[i].socket);
            threads[t].items[i].events = ZMQ_POLLIN;
        }
        pthread_create(&threads[t].thread, NULL, run_thread, &threads[t]);
    }
}

int scale_host(const struct scale_node *nodes, size_t n_nodes, const char *authorized,
               int ready_fd, int stop_fd)
{
    struct host_node *hosts = calloc(n_nodes, sizeof(*hosts));
    struct host_thread threads[N_THREADS];
    struct err err = { 0 };
    struct zap *zap = NULL;
    volatile int must_stop = 0;
    char word = 0;

    if (hosts == NULL || wire_limits(n_nodes * 2, &err) < 0
        || (zap = zap_start(authorized, &err)) == NULL
        || bind_all(nodes, hosts, n_nodes, &err) < 0) {
        log_error("host: %s", err.text);
        free(hosts);
        return 1;
    }
    start_threads(threads, hosts, n_nodes, &must_stop);
    if (write(ready_fd, "r", 1) != 1) {
        return 1;
    }
    while (read(stop_fd, &word, 1) > 0) {}
    must_stop = 1;
    for (size_t t = 0; t < N_THREADS; t++) {
        pthread_join(threads[t].thread, NULL);
        free(threads[t].items);
    }
    for (size_t i = 0; i < n_nodes; i++) {
        zsock_destroy(&hosts[i].socket);
    }
    zap_stop(&zap);
    free(hosts);
    return 0;
}
