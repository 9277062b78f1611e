/* SPDX-License-Identifier: MIT */
/* What a node needs to live in a test: a folder with sheep.yaml, keys and free ports, a
 * recorder, and somebody who talks to it. All functions fail the calling test when they cannot
 * do their work. */
#ifndef TESTS_SUPPORT_NODE_BENCH_H
#define TESTS_SUPPORT_NODE_BENCH_H

#include "common/keys.h"
#include "common/proto.h"
#include "common/wire.h"
#include "sheep/config.h"
#include "sheep/server.h"
#include "tests/support/temp_folder.h"

#include <czmq.h>

#include <stdbool.h>
#include <stdint.h>

enum {
    NODE_BENCH_WAIT_MS = 10000 /* what must come; never waited for in full */
};

struct node_bench {
    char folder[TEMP_FOLDER_SIZE];
    char config_path[TEMP_PATH_SIZE];
    char state_dir[TEMP_PATH_SIZE];
    struct sheep_config config;
    struct key_pair node;
    struct key_pair ann; /* authorized operators */
    struct key_pair bob;
    struct key_pair olga; /* authorized observer */
};

/* `sim`: what stands in the map `sim:`, as flow YAML without braces. */
void node_bench_init(struct node_bench *bench, const char *sim);
void node_bench_fini(struct node_bench *bench);

/* The program that a recorder_link starts as `recorder -c CONFIG` is the test itself. True when
 * it is that one: it was the recorder, and main returns *status. */
bool node_bench_is_recorder(int argc, char **argv, int *status);

/* Kills the recorders of this node, also one that is only just starting; before fini. */
void node_bench_end_recorders(const struct node_bench *bench);

/* Runs the loop until is_done, at most NODE_BENCH_WAIT_MS; returns what is_done says then. */
bool node_bench_run(zloop_t *loop, bool (*is_done)(void *arg), void *arg);

/* ---- a controller ---- */

struct node_client {
    zsock_t *sockets[N_SERVER_PORTS];
    struct proto_token token;     /* of the next request; its seq counts up */
    struct proto_message message; /* heard last; its payload is a loan until the next */
    struct buf payload;
};

/* `id`: routing id, one per client. */
void node_client_open(struct node_client *client, const struct node_bench *bench,
                      const struct key_pair *key, const char *id);
void node_client_close(struct node_client *client);

/* Sends; waits for the connection if need be. */
void node_client_tell(struct node_client *client, enum server_port port, enum proto_verb verb,
                      const void *body, struct proto_frame payload);

/* What comes next; VERB_NONE when nothing does within the time. */
enum proto_verb node_client_hear(struct node_client *client, enum server_port port,
                                 int timeout_ms);

/* Tells, and hears the answer; what is said unasked meanwhile is passed over. */
enum proto_verb node_client_ask(struct node_client *client, enum server_port port,
                                enum proto_verb verb, const void *body,
                                struct proto_frame payload);

#endif
