/* SPDX-License-Identifier: MIT */
#include "herd/retrieve_parts.h"

#include <stdlib.h>
#include <string.h>

/* The node's next recording that may go. */
static size_t next_release(const struct retrieval *retrieval, size_t node)
{
    for (size_t i = 0; i < retrieval->n_jobs; i++) {
        const struct parcel *parcel = &retrieval->parcels[i];

        if (retrieval->jobs[i].node == node && parcel->is_built && !parcel->is_released
            && strcmp(parcel->entry->state, "closed") == 0
            && retrieval->jobs[i].err.code == ERR_NONE) {
            return i;
        }
    }
    return retrieval->n_jobs;
}

static const void *release_body(void *arg, size_t node)
{
    static struct body_log body;
    const struct retrieval *retrieval = arg;
    size_t i = next_release(retrieval, node);

    if (i == retrieval->n_jobs) {
        return NULL;
    }
    memset(&body, 0, sizeof(body));
    memcpy(body.log, retrieval->jobs[i].log, sizeof(body.log));
    memcpy(body.digest, retrieval->jobs[i].digest, sizeof(body.digest));
    return &body;
}

static uint64_t release_experiment(void *arg, size_t node)
{
    const struct retrieval *retrieval = arg;
    size_t i = next_release(retrieval, node);

    return i < retrieval->n_jobs ? retrieval->parcels[i].entry->experiment : 0;
}

static bool release_answer(void *arg, const struct ask_answer *answer)
{
    struct retrieval *retrieval = arg;
    size_t i = next_release(retrieval, answer->i);

    if (i == retrieval->n_jobs) {
        return true;
    }
    retrieval->parcels[i].is_released = true;
    if (answer->message->verb != VERB_RELEASED) {
        err_set(&retrieval->jobs[i].err, ERR_STATE, "built, but the node does not release: %s",
                answer->message->verb == VERB_REFUSED
                    ? PROTO_CONST_BODY(answer->message, body_refused)->why
                    : "it answered otherwise");
    }
    return true;
}

/* The connections are as old as the transfer was long, and may have seen worse. False when
 * nobody is there to be told. */
static bool greet_anew(struct retrieval *retrieval)
{
    size_t n_nodes = retrieval->context.inventory->n_nodes;
    struct err ignored = { 0 };

    ask_close(&retrieval->ask);
    retrieval->is_releasing = calloc(n_nodes + 1, sizeof(*retrieval->is_releasing));
    for (size_t i = 0; retrieval->is_releasing != NULL && i < n_nodes; i++) {
        retrieval->is_releasing[i] = next_release(retrieval, i) < retrieval->n_jobs;
    }
    if (retrieval->is_releasing != NULL) {
        retrieval->ask = ask_open(retrieval->context.inventory, retrieval->is_releasing,
                                  &retrieval->context.key, &ignored);
    }
    return retrieval->ask != NULL
           && ask_hello(retrieval->ask, RETRIEVE_TIMEOUT_MS, NULL, NULL) > 0;
}

/* Nobody must think that a node has let go of what it still holds. */
static void note_unanswered(struct retrieval *retrieval)
{
    for (size_t i = 0; i < retrieval->n_jobs; i++) {
        const struct parcel *parcel = &retrieval->parcels[i];

        if (parcel->is_built && !parcel->is_released
            && strcmp(parcel->entry->state, "closed") == 0
            && retrieval->jobs[i].err.code == ERR_NONE) {
            err_set(&retrieval->jobs[i].err, ERR_STATE,
                    "built, but the node does not answer: it holds its copy still");
        }
    }
}

void retrieve_release(struct retrieval *retrieval)
{
    const struct ask_round round = { .verb = VERB_RELEASE,
                                     .body = release_body,
                                     .answer = release_answer,
                                     .experiment = release_experiment,
                                     .arg = retrieval,
                                     .timeout_ms = RETRIEVE_TIMEOUT_MS };
    size_t n_rounds = retrieval->n_jobs;

    if (!greet_anew(retrieval)) {
        n_rounds = 0;
    }
    /* Each round releases one recording per node. */
    while (n_rounds-- > 0 && ask_all(retrieval->ask, &round) > 0) {}
    note_unanswered(retrieval);
}
