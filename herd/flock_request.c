/* SPDX-License-Identifier: MIT */
/* Requests of a flock: who waits for which answer, until when. */
#include "herd/flock_parts.h"

#include <stdlib.h>
#include <string.h>

/* Shared by the requests of one flock_request_all. */
struct gather {
    size_t n_open;
    flock_answer_fn answer;
    void *arg;
    void (*done)(void *arg);
};

void flock_finish_pending(size_t i, struct pending *pending,
                          const struct flock_message *message)
{
    if (pending->answer != NULL) {
        pending->answer(pending->arg, i, message);
    }
    free(pending->body);
    free(pending);
}

/* Unlinks before it calls: an answer may make new requests. */
void flock_fail_pending(struct link *link, size_t i,
                        bool (*is_over)(const struct pending *pending, int64_t arg),
                        int64_t arg)
{
    struct pending *over = NULL;
    struct pending **place = &link->pending;

    while (*place != NULL) {
        struct pending *pending = *place;

        if (is_over == NULL || is_over(pending, arg)) {
            *place = pending->next;
            pending->next = over;
            over = pending;
        } else {
            place = &pending->next;
        }
    }
    while (over != NULL) {
        struct pending *next = over->next;

        flock_finish_pending(i, over, NULL);
        over = next;
    }
}

bool flock_is_late(const struct pending *pending, int64_t mono_ns)
{
    return mono_ns >= pending->deadline_ns;
}

bool flock_is_of_other_boot(const struct pending *pending, int64_t boot_id)
{
    return pending->boot_id != 0 && pending->boot_id != (uint64_t)boot_id;
}

int flock_request(struct herd_flock *flock, size_t i, const struct flock_request *request,
                  struct err *err)
{
    struct link *link = &flock->links[i];
    size_t size = proto_verb_info(request->verb)->schema->size;
    struct pending *pending = calloc(1, sizeof(*pending));
    int64_t mono_ns = clock_mono_ns();

    if (pending == NULL || (pending->body = calloc(1, size)) == NULL) {
        free(pending);
        return err_set(err, ERR_MEMORY, "a request");
    }
    if (request->body != NULL) {
        memcpy(pending->body, request->body, size);
    }
    pending->verb = request->verb;
    pending->seq = ++link->seq;
    pending->deadline_ns = mono_ns + request->timeout_ms * NS_PER_MS;
    pending->again_every_ns = request->again_ms * NS_PER_MS;
    pending->answer = request->answer;
    pending->arg = request->arg;
    pending->next = link->pending;
    link->pending = pending;
    if (link->session.is_welcome) {
        pending->boot_id = link->session.boot_id;
        (void)flock_send_seq(flock, i, pending->verb, pending->body, pending->seq);
        pending->again_ns = mono_ns + pending->again_every_ns;
    }
    return 0;
}

static void gather_answer(void *arg, size_t i, const struct flock_message *message)
{
    struct gather *gather = arg;

    if (gather->answer != NULL) {
        gather->answer(gather->arg, i, message);
    }
    if (--gather->n_open == 0) {
        if (gather->done != NULL) {
            gather->done(gather->arg);
        }
        free(gather);
    }
}

int flock_request_all(struct herd_flock *flock, const struct flock_request *request,
                      const bool *wanted, void (*done)(void *arg), struct err *err)
{
    struct gather *gather = calloc(1, sizeof(*gather));
    struct flock_request each = *request;

    if (gather == NULL) {
        return err_set(err, ERR_MEMORY, "a request to all");
    }
    gather->n_open = 1; /* held by this function until all are on their way */
    gather->answer = request->answer;
    gather->arg = request->arg;
    gather->done = done;
    each.answer = gather_answer;
    each.arg = gather;
    for (size_t i = 0; i < flock->config.n_nodes; i++) {
        if (wanted != NULL && !wanted[i]) {
            continue;
        }
        gather->n_open++;
        if (flock_request(flock, i, &each, err) < 0) {
            gather->n_open--;
            if (gather->answer != NULL) {
                gather->answer(gather->arg, i, NULL);
            }
        }
    }
    if (--gather->n_open == 0) {
        if (done != NULL) {
            done(gather->arg);
        }
        free(gather);
    }
    return 0; // NOLINT(clang-analyzer-unix.Malloc): the last answer frees it
}

/* A request waits for WELCOME; afterwards it is repeated with its number. */
void flock_repeat_pending(struct herd_flock *flock, size_t i, int64_t mono_ns)
{
    struct link *link = &flock->links[i];

    if (!link->session.is_welcome) {
        return;
    }
    for (struct pending *pending = link->pending; pending != NULL; pending = pending->next) {
        if (mono_ns >= pending->again_ns) {
            pending->boot_id = link->session.boot_id;
            pending->again_ns = mono_ns + pending->again_every_ns;
            (void)flock_send_seq(flock, i, pending->verb, pending->body, pending->seq);
        }
    }
}

struct pending *flock_take_pending(struct link *link, uint32_t seq)
{
    struct pending **place = &link->pending;

    while (*place != NULL) {
        struct pending *pending = *place;

        if (pending->seq == seq) {
            *place = pending->next;
            return pending;
        }
        place = &pending->next;
    }
    return NULL;
}
