/* SPDX-License-Identifier: MIT */
#include "herd/each_node.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    MAX_THREADS = 32,
};

struct job {
    const struct context *context;
    void (*work)(void *arg, size_t i);
    void *arg;
    atomic_size_t next;
};

static void *take_turns(void *arg)
{
    struct job *job = arg;
    size_t i = 0;

    while ((i = atomic_fetch_add(&job->next, 1)) < job->context->inventory->n_nodes) {
        if (job->context->selected[i]) {
            job->work(job->arg, i);
        }
    }
    return NULL;
}

void each_node(const struct context *context, void (*work)(void *arg, size_t i), void *arg)
{
    struct job job = { .context = context, .work = work, .arg = arg };
    size_t n_wanted = context->n_selected < MAX_THREADS ? context->n_selected : MAX_THREADS;
    pthread_t threads[MAX_THREADS];
    size_t n = 0;

    while (n < n_wanted && pthread_create(&threads[n], NULL, take_turns, &job) == 0) {
        n++;
    }
    if (n == 0) {
        take_turns(&job);
    }
    for (size_t t = 0; t < n; t++) {
        pthread_join(threads[t], NULL);
    }
}
