/* SPDX-License-Identifier: MIT */
/* A thread for what would make the reactor wait: hashing, recovery, removal, syncing. */
#ifndef SHEEP_WORKER_H
#define SHEEP_WORKER_H

#include "common/err.h"

#include <czmq.h>

/* run() is called in the worker's thread and may touch nothing but *arg; done() afterwards in
 * the reactor's, where it also frees arg. Jobs run one after another, in their order. */
struct worker_job {
    void (*run)(void *arg);
    void (*done)(void *owner, void *arg);
    void *owner;
    void *arg;
};

struct worker;

/* Registers itself with the loop; both belong to one thread. */
struct worker *worker_create(zloop_t *loop, struct err *err);

/* Waits until all jobs are done. */
void worker_destroy(struct worker **worker);

MUST_CHECK int worker_submit(struct worker *worker, const struct worker_job *job,
                             struct err *err);

#endif
