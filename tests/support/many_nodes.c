/* SPDX-License-Identifier: MIT */
/* many_nodes FOLDER COUNT BASE_PORT: COUNT nodes in one process and one thread, for tests of
 * scale with the real herd. Each has its own socket, key, CURVE session, boot id and the
 * agent's own start protocol (sheep/experiment.h); what a recorder would do is answered at
 * once, and there are no logs: whoever starts a run here must call it off.
 *
 * Writes FOLDER/herd.key, herd.pub and herd.yml (ports BASE_PORT ...; node i is "nodeI"),
 * prints "ready", and serves until its standard input is closed. Then it prints what it has
 * handled. */
#include "common/buf.h"
#include "common/clock.h"
#include "common/experiment.h"
#include "common/units.h"
#include "common/wire.h"
#include "common/zap.h"
#include "sheep/experiment.h"
#include "sheep/server.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MAX_NODES = 20000,
    PORTS = 3, /* of a node, by the inventory's rule; control is the only one here */
    MAX_PORT = 65535,
    MAX_EVENTS = 256,
    TICK_MS = 20,
    PROMISE_MS = 1,
    CLOCK_BOUND_NS = 20000,
    PATH_BYTES = 4096,
};

static const struct proto_frame NOTHING = { NULL, 0 };

struct node {
    char name[INVENTORY_NAME_SIZE];
    uint16_t port;
    char public_key[KEY_TEXT_SIZE];
    zsock_t *socket;
    uint64_t boot_id;
    struct node_experiment experiment;
    char log[PROTO_NAME_SIZE];
    /* While a message is handled, and afterwards: who spoke last. */
    char peer[WIRE_ID_SIZE];
    struct proto_token token;
    const struct proto_message *message;
};

struct crowd {
    const char *folder;
    size_t n_nodes;
    uint16_t base_port;
    struct node *nodes;
    struct zap *zap;
    int epoll_fd;
    uint64_t n_messages;
    uint64_t n_refused;
    uint64_t n_unsent;
};

/* ---- words ---- */

static void answer(struct crowd *crowd, struct node *node, enum proto_verb verb,
                   const void *body)
{
    struct proto_token token = node->token;

    token.boot_id = node->boot_id;
    if (wire_tell(node->socket, node->peer, verb, &token, body, NOTHING, NULL) < 0) {
        crowd->n_unsent++;
    }
}

static void answer_welcome(struct crowd *crowd, struct node *node)
{
    struct body_welcome body = { .boot_id = node->boot_id, .has_calibration = true };

    snprintf(body.node, sizeof(body.node), "%s", node->name);
    snprintf(body.version, sizeof(body.version), "%s", BW_VERSION);
    snprintf(body.board, sizeof(body.board), "sim");
    snprintf(body.state, sizeof(body.state), "%s", node_state_name(node->experiment.state));
    answer(crowd, node, VERB_WELCOME, &body);
}

static void answer_clock(struct crowd *crowd, struct node *node, enum proto_verb verb,
                         int64_t received_ns)
{
    const struct body_clock *asked = PROTO_CONST_BODY(node->message, body_clock);
    struct body_clock body = {
        .t1_ns = asked->t1_ns,
        .t2_ns = received_ns,
        .is_locked = true,
        .claimed_bound_ns = CLOCK_BOUND_NS,
    };

    snprintf(body.source, sizeof(body.source), "sim");
    snprintf(body.state, sizeof(body.state), "%s", node_state_name(node->experiment.state));
    body.t3_ns = clock_utc_ns();
    answer(crowd, node, verb, &body);
}

static void answer_state(struct crowd *crowd, struct node *node)
{
    bool is_idle = node->experiment.state == NODE_IDLE;
    struct body_state body = {
        .experiment = is_idle ? 0 : node->experiment.experiment,
        .T_ns = node->experiment.T_ns,
        .is_started = node->experiment.is_started,
    };

    snprintf(body.node, sizeof(body.node), "%s", node->name);
    snprintf(body.state, sizeof(body.state), "%s", node_state_name(node->experiment.state));
    answer(crowd, node, VERB_STATE, &body);
}

static void do_answer(struct crowd *crowd, struct node *node, const struct node_action *action)
{
    struct body_refused refused = { 0 };
    struct body_ready ready = { .promise_ns = action->promise_ns };
    struct body_arm arm = { .T_ns = action->T_ns, .n = action->n };
    struct body_stop stop = { .sample = action->sample };
    const void *body = NULL;

    switch (action->verb) {
    case VERB_REFUSED:
        snprintf(refused.why, sizeof(refused.why), "%s", action->why);
        snprintf(refused.code, sizeof(refused.code), "%s", err_code_name(action->code));
        body = &refused;
        break;
    case VERB_READY:
        snprintf(ready.log, sizeof(ready.log), "%s", node->log);
        body = &ready;
        break;
    case VERB_ARMED:
    case VERB_GOING:
    case VERB_STOOD_DOWN:
        snprintf(arm.why, sizeof(arm.why), "%s", action->why);
        body = &arm;
        break;
    case VERB_STOPPING:
        body = &stop;
        break;
    default:
        break;
    }
    answer(crowd, node, action->verb, body);
}

/* ---- the protocol ---- */

static void feed(struct crowd *crowd, struct node *node, struct node_event *event);

static void report(struct crowd *crowd, struct node *node, enum node_event_kind kind)
{
    struct node_event event = {
        .kind = kind,
        .preparation = node->experiment.preparation,
        .promise_ns = clock_utc_ns() + PROMISE_MS * NS_PER_MS,
        .code = ERR_INPUT,
        .why = "the configuration is none",
    };

    feed(crowd, node, &event);
}

/* As the agent does: the whole configuration is parsed and checked. */
static bool is_config_good(const struct proto_message *message)
{
    struct fault_list faults = { 0 };
    struct node_config config;
    struct yaml_doc *doc =
        yaml_parse(message->payload.data, message->payload.size, "configuration", NULL);
    bool is_good = false;

    if (doc != NULL) {
        schema_decode(&node_config_schema, yaml_root(doc), &config, &faults);
        is_good = faults.count == 0;
    }
    fault_fini(&faults);
    yaml_destroy(&doc);
    return is_good;
}

static void prepare(struct crowd *crowd, struct node *node)
{
    const struct body_prepare *body = PROTO_CONST_BODY(node->message, body_prepare);
    bool is_good = is_config_good(node->message);

    snprintf(node->log, sizeof(node->log), "%s", body->log);
    report(crowd, node, is_good ? NODE_EVENT_PREPARED : NODE_EVENT_PREPARE_FAILED);
}

static void feed(struct crowd *crowd, struct node *node, struct node_event *event)
{
    struct node_actions actions = { 0 };

    event->mono_ns = clock_mono_ns();
    event->utc_ns = clock_utc_ns();
    node_experiment_step(&node->experiment, event, &actions);
    for (size_t k = 0; k < actions.count; k++) {
        switch (actions.list[k].kind) {
        case NODE_ACT_ANSWER:
        case NODE_ACT_TELL:
            do_answer(crowd, node, &actions.list[k]);
            break;
        case NODE_ACT_PREPARE:
            prepare(crowd, node);
            break;
        case NODE_ACT_START:
            report(crowd, node, NODE_EVENT_START_CONFIRMED);
            break;
        case NODE_ACT_CANCEL:
            report(crowd, node, NODE_EVENT_CANCEL_CONFIRMED);
            break;
        case NODE_ACT_STOP:
        case NODE_ACT_RECOVER:
            report(crowd, node, NODE_EVENT_ENDED);
            break;
        case NODE_ACT_RELEASE:
            break;
        }
    }
}

static bool find_event(enum proto_verb verb, enum node_event_kind *kind)
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
        { VERB_PING,    NODE_EVENT_BEAT   },
    };

    for (size_t k = 0; k < ARRAY_LEN(EVENTS); k++) {
        if (EVENTS[k].verb == verb) {
            *kind = EVENTS[k].kind;
            return true;
        }
    }
    return false;
}

static void handle_experiment(struct crowd *crowd, struct node *node, uint64_t user)
{
    const struct proto_message *message = node->message;
    struct node_event event = {
        .experiment = message->token.experiment,
        .controller = message->token.controller,
        .boot_id = message->token.boot_id,
        .user = user,
        .is_clock_good = true,
        .is_match = true,
    };

    if (!find_event(message->verb, &event.kind)) {
        return;
    }
    if (message->verb == VERB_ARM || message->verb == VERB_GO) {
        event.T_ns = PROTO_CONST_BODY(message, body_arm)->T_ns;
        event.n = PROTO_CONST_BODY(message, body_arm)->n;
    } else if (message->verb == VERB_STOP) {
        event.sample = PROTO_CONST_BODY(message, body_stop)->sample;
    } else if (message->verb == VERB_PING) {
        event.seen = node_state_of(PROTO_CONST_BODY(message, body_clock)->state);
    }
    feed(crowd, node, &event);
}

static void handle(struct crowd *crowd, struct node *node, const struct wire_message *got)
{
    struct proto_message message;
    int64_t received_ns = clock_utc_ns();

    if (proto_decode(&message, got->frames, got->n_frames, ROLE_OPERATOR, NULL) < 0) {
        crowd->n_refused++;
        return;
    }
    crowd->n_messages++;
    memcpy(node->peer, got->peer_id, sizeof(node->peer));
    node->token = message.token;
    // cppcheck-suppress autoVariables ; only while this message is handled
    node->message = &message;
    switch (message.verb) {
    case VERB_HELLO:
        answer_welcome(crowd, node);
        break;
    case VERB_CLOCK:
        answer_clock(crowd, node, VERB_CLOCKED, received_ns);
        break;
    case VERB_STATUS:
        answer_state(crowd, node);
        break;
    case VERB_PING:
        answer_clock(crowd, node, VERB_PONG, received_ns);
        handle_experiment(crowd, node, server_user_number(got->user));
        break;
    default:
        handle_experiment(crowd, node, server_user_number(got->user));
        break;
    }
    node->message = NULL;
    node->token.seq = 0; /* what is said later is not asked for */
}

/* ---- the loop ---- */

/* A socket's descriptor tells of changes only: it is read, and read again after every word of
 * ours, until nothing is there. */
static void drain(struct crowd *crowd, struct node *node)
{
    struct wire_message got;
    int result = 0;

    while ((result = wire_recv(node->socket, &got, NULL)) != 0) {
        if (result > 0) {
            handle(crowd, node, &got);
            wire_message_fini(&got);
        }
    }
}

static void look_at_time(struct crowd *crowd, struct node *node)
{
    struct node_experiment *experiment = &node->experiment;
    int64_t mono_ns = clock_mono_ns();

    if (mono_ns >= node_experiment_deadline_ns(experiment)) {
        report(crowd, node, NODE_EVENT_TIME);
        drain(crowd, node);
    }
    if (experiment->state == NODE_GOING && mono_ns >= experiment->T_mono_ns) {
        struct body_started body = { .T_ns = experiment->T_ns };

        report(crowd, node, NODE_EVENT_STARTED);
        answer(crowd, node, VERB_STARTED, &body);
        drain(crowd, node);
    }
}

static bool is_input_closed(void)
{
    char bytes[64];

    return read(STDIN_FILENO, bytes, sizeof(bytes)) <= 0;
}

static void serve(struct crowd *crowd)
{
    struct epoll_event events[MAX_EVENTS];
    int64_t tick_ns = 0;

    for (;;) {
        int n = epoll_wait(crowd->epoll_fd, events, MAX_EVENTS, TICK_MS);

        for (int k = 0; k < n; k++) {
            if (events[k].data.ptr != NULL) {
                drain(crowd, events[k].data.ptr);
            } else if (is_input_closed()) {
                return;
            }
        }
        if (clock_mono_ns() < tick_ns) {
            continue;
        }
        tick_ns = clock_mono_ns() + TICK_MS * NS_PER_MS;
        for (size_t i = 0; i < crowd->n_nodes; i++) {
            look_at_time(crowd, &crowd->nodes[i]);
        }
    }
}

/* ---- life ---- */

static int open_node(struct crowd *crowd, size_t i, struct err *err)
{
    struct node *node = &crowd->nodes[i];
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = node };
    struct key_pair key;
    char endpoint[64];

    snprintf(node->name, sizeof(node->name), "node%zu", i);
    node->port = (uint16_t)(crowd->base_port + i * PORTS);
    snprintf(endpoint, sizeof(endpoint), "tcp://127.0.0.1:%u", node->port);
    if (key_generate(&key, node->name, ROLE_SHEEP, err) < 0) {
        return -1;
    }
    memcpy(node->public_key, key.public_key, sizeof(node->public_key));
    node->socket = wire_bind(ZMQ_ROUTER, endpoint, &key, err);
    key_wipe(&key);
    if (node->socket == NULL) {
        return -1;
    }
    randombytes_buf(&node->boot_id, sizeof(node->boot_id));
    node_experiment_init(&node->experiment, node->boot_id);
    if (epoll_ctl(crowd->epoll_fd, EPOLL_CTL_ADD, zsock_fd(node->socket), &event) < 0) {
        return err_set_errno(err, "epoll");
    }
    drain(crowd, node);
    return 0;
}

static int write_inventory(const struct crowd *crowd, struct err *err)
{
    char path[PATH_BYTES];
    FILE *file = NULL;

    snprintf(path, sizeof(path), "%s/herd.yml", crowd->folder);
    file = fopen(path, "w");
    if (file == NULL) {
        return err_set_errno(err, "%s", path);
    }
    fputs("sheep:\n  hosts:\n", file);
    for (size_t i = 0; i < crowd->n_nodes; i++) {
        const struct node *node = &crowd->nodes[i];

        fprintf(file,
                "    %s: {ansible_host: 127.0.0.1, port: %u, board: sim, public_key: '%s'}\n",
                node->name, node->port, node->public_key);
    }
    return fclose(file) != 0 ? err_set_errno(err, "%s", path) : 0;
}

/* The doorkeeper comes before the doors. */
static int open_door(struct crowd *crowd, struct err *err)
{
    struct key_pair key;
    char folder[PATH_BYTES];
    char path[PATH_BYTES + 16];
    int result = -1;

    snprintf(folder, sizeof(folder), "%s/authorized", crowd->folder);
    snprintf(path, sizeof(path), "%s/herd.pub", folder);
    if (mkdir(folder, 0700) < 0 && errno != EEXIST) {
        return err_set_errno(err, "%s", folder);
    }
    if (key_generate(&key, "herd", ROLE_OPERATOR, err) == 0
        && key_save(&key, crowd->folder, "herd", true, err) == 0
        && key_save_public(&key, path, err) == 0) {
        crowd->zap = zap_start(folder, err);
        result = crowd->zap == NULL ? -1 : 0;
    }
    key_wipe(&key);
    return result;
}

static int open_crowd(struct crowd *crowd, struct err *err)
{
    struct epoll_event input = { .events = EPOLLIN, .data.ptr = NULL };

    crowd->nodes = calloc(crowd->n_nodes, sizeof(*crowd->nodes));
    crowd->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (crowd->nodes == NULL || crowd->epoll_fd < 0
        || epoll_ctl(crowd->epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &input) < 0) {
        return err_set_errno(err, "set-up (standard input must be a pipe or a terminal)");
    }
    if (wire_limits(crowd->n_nodes, err) < 0 || open_door(crowd, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < crowd->n_nodes; i++) {
        if (open_node(crowd, i, err) < 0) {
            return -1;
        }
    }
    return write_inventory(crowd, err);
}

static void close_crowd(struct crowd *crowd)
{
    for (size_t i = 0; crowd->nodes != NULL && i < crowd->n_nodes; i++) {
        zsock_destroy(&crowd->nodes[i].socket);
    }
    zap_stop(&crowd->zap);
    free(crowd->nodes);
    if (crowd->epoll_fd >= 0) {
        close(crowd->epoll_fd);
    }
}

static void print_totals(const struct crowd *crowd)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    printf("messages %llu refused %llu unsent %llu cpu_s %.2f memory_kb %ld\n",
           (unsigned long long)crowd->n_messages, (unsigned long long)crowd->n_refused,
           (unsigned long long)crowd->n_unsent,
           (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
               + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
           usage.ru_maxrss);
}

int main(int argc, char **argv)
{
    struct crowd crowd = { .epoll_fd = -1 };
    struct err err = { 0 };
    uint64_t count = 0;
    uint64_t port = 0;
    int result = 0;

    if (argc != 4 || !text_to_u64(argv[2], &count) || count == 0 || count > MAX_NODES
        || !text_to_u64(argv[3], &port) || port == 0 || port + count * PORTS > MAX_PORT) {
        fputs("usage: many_nodes FOLDER COUNT BASE_PORT\n", stderr);
        return 2;
    }
    crowd.folder = argv[1];
    crowd.n_nodes = (size_t)count;
    crowd.base_port = (uint16_t)port;
    wire_init();
    result = open_crowd(&crowd, &err);
    if (result == 0) {
        puts("ready");
        fflush(stdout);
        serve(&crowd);
        print_totals(&crowd);
    } else {
        fprintf(stderr, "many_nodes: %s\n", err.text);
    }
    close_crowd(&crowd);
    return result == 0 ? 0 : 1;
}
