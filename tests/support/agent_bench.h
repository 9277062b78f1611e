/* SPDX-License-Identifier: MIT */
/* An agent in a thread of the test, over a node of its own, and the words of an experiment. */
#ifndef TESTS_SUPPORT_AGENT_BENCH_H
#define TESTS_SUPPORT_AGENT_BENCH_H

#include "tests/support/node_bench.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct agent_bench {
    struct node_bench node;
    struct node_client client; /* of ann */
    struct body_prepare prepare;
    struct node_config wanted; /* a harvest of 1000 samples; sent with PREPARE */
    int64_t promise_ns;
    bool is_running;
    pthread_t thread;
    volatile sig_atomic_t stop_signal;
    int result; /* of agent_run */
    struct err err;
};

/* Node, agent, and ann, who has said HELLO. */
void agent_bench_init(struct agent_bench *bench, const char *sim);
/* Ends all of it, the recorder too. */
void agent_bench_fini(struct agent_bench *bench);

/* HELLO, heard: the client's token has the boot id of the agent from now on. */
void agent_bench_greet(struct node_client *client, bool take_over);

/* Ends the agent, and starts another one on the same node; agent_run must have succeeded. */
void agent_bench_stop(struct agent_bench *bench);
void agent_bench_start(struct agent_bench *bench);

/* agent_run in this thread, until *stop_signal; a port that the agent before has not quite left
 * is waited for. */
int agent_bench_run(const struct agent_bench *bench, const volatile sig_atomic_t *stop_signal,
                    struct err *err);

/* PREPARE by `client`, repeated while the recorder is only just coming up; its answer. */
enum proto_verb agent_bench_prepare(struct agent_bench *bench, struct node_client *client);

/* PREPARE, ARM and GO by ann, with T soon after the promise; all must succeed. */
void agent_bench_launch(struct agent_bench *bench);

/* Hears on the control port until this verb comes; fails when it does not. */
void agent_bench_await(struct agent_bench *bench, enum proto_verb verb);

/* The answer must be REFUSED, with this code and with this in its text. */
void agent_bench_expect_refused(const struct node_client *client, enum proto_verb heard,
                                const char *code, const char *text);

#endif
