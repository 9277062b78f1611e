/* SPDX-License-Identifier: MIT */
#include "sheep/worker.h"

#include <stdlib.h>

struct worker {
    zloop_t *loop;
    zactor_t *actor;
    size_t n_pending;
};

/* The thread: takes jobs from the pipe until $TERM, gives each back when it has run. */
static void serve(zsock_t *pipe, void *arg)
{
    (void)arg;
    zsock_signal(pipe, 0);
    for (;;) {
        char *word = NULL;
        struct worker_job *job = NULL;

        if (zsock_recv(pipe, "sp", &word, (void **)&job) < 0) {
            break;
        }
        if (streq(word, "$TERM")) {
            zstr_free(&word);
            break;
        }
        zstr_free(&word);
        job->run(job->arg);
        if (zsock_send(pipe, "p", job) < 0) {
            break;
        }
    }
}

static void finish(struct worker *worker, struct worker_job *job)
{
    worker->n_pending--;
    job->done(job->owner, job->arg);
    free(job);
}

static int collect(zloop_t *loop, zsock_t *pipe, void *arg)
{
    struct worker *worker = arg;
    struct worker_job *job = NULL;

    (void)loop;
    if (zsock_recv(pipe, "p", (void **)&job) == 0 && job != NULL) {
        finish(worker, job);
    }
    return 0;
}

struct worker *worker_create(zloop_t *loop, struct err *err)
{
    struct worker *worker = calloc(1, sizeof(*worker));

    if (worker == NULL) {
        err_set(err, ERR_MEMORY, "worker");
        return NULL;
    }
    worker->loop = loop;
    worker->actor = zactor_new(serve, NULL);
    if (worker->actor == NULL
        || zloop_reader(loop, zactor_sock(worker->actor), collect, worker) < 0) {
        err_set(err, ERR_SYSTEM, "no thread for slow work");
        worker_destroy(&worker);
    }
    return worker;
}

void worker_destroy(struct worker **worker_p)
{
    struct worker *worker = *worker_p;

    if (worker == NULL) {
        return;
    }
    if (worker->actor != NULL) {
        zloop_reader_end(worker->loop, zactor_sock(worker->actor));
        /* Every job has its answer, so that whoever waits for one frees what it holds. */
        while (worker->n_pending > 0) {
            struct worker_job *job = NULL;

            if (zsock_recv(zactor_sock(worker->actor), "p", (void **)&job) < 0 || job == NULL) {
                break;
            }
            finish(worker, job);
        }
        zactor_destroy(&worker->actor);
    }
    free(worker);
    *worker_p = NULL;
}

int worker_submit(struct worker *worker, const struct worker_job *job, struct err *err)
{
    struct worker_job *copy = malloc(sizeof(*copy));

    if (copy == NULL) {
        return err_set(err, ERR_MEMORY, "job");
    }
    *copy = *job;
    if (zsock_send(worker->actor, "sp", "JOB", copy) < 0) {
        free(copy);
        return err_set(err, ERR_SYSTEM, "the worker takes no job");
    }
    worker->n_pending++;
    return 0;
}
