/* SPDX-License-Identifier: MIT */
#include "herd/supply.h"

#include "common/clock.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PIECE_BYTES = 512 * 1024,
    WINDOW = 4,             /* pieces under way to one node */
    AGAIN_MS = 3000,        /* without an answer, the piece is sent again */
    GIVE_UP_MS = 60 * 1000, /* nothing moved */
    HAVE_TIMEOUT_MS = 10 * 1000,
    HAVE_AGAIN_MS = 1000,
};

struct parcel {
    bool is_wanted;
    bool is_sending; /* HAVING has come */
    bool is_done;
    const struct input_stream *stream;
    uint64_t n_stored; /* as the node says */
    uint64_t n_sent;
    int64_t moved_ns; /* monotonic: n_stored grew */
    int64_t sent_ns;
    char failure[PROTO_TEXT_SIZE];
};

struct supply {
    struct herd_flock *flock;
    const struct inputs *inputs;
    size_t n_nodes;
    struct parcel *parcels;
    uint8_t *piece;
};

struct supply *supply_open(struct herd_flock *flock, const struct inputs *inputs,
                           size_t n_nodes, struct err *err)
{
    struct supply *supply = calloc(1, sizeof(*supply));

    if (supply == NULL
        || (supply->parcels = calloc(n_nodes + 1, sizeof(*supply->parcels))) == NULL
        || (supply->piece = malloc(PIECE_BYTES)) == NULL) {
        supply_close(&supply);
        err_set(err, ERR_MEMORY, "the distribution of inputs");
        return NULL;
    }
    supply->flock = flock;
    supply->inputs = inputs;
    supply->n_nodes = n_nodes;
    return supply;
}

void supply_close(struct supply **supply)
{
    if (*supply == NULL) {
        return;
    }
    free((*supply)->parcels);
    free((*supply)->piece);
    free(*supply);
    *supply = NULL;
}

static void fail(struct parcel *parcel, const char *why)
{
    parcel->is_done = true;
    snprintf(parcel->failure, sizeof(parcel->failure), "input: %.480s", why);
}

/* False: the queue is full, or the file cannot be read (then the parcel has failed). */
static bool send_piece(struct supply *supply, size_t i)
{
    struct parcel *parcel = &supply->parcels[i];
    struct body_have body = { .size = parcel->stream->size_bytes, .offset = parcel->n_sent };
    uint64_t left = parcel->stream->size_bytes - parcel->n_sent;
    size_t size = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
    int fd = open(parcel->stream->path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : pread(fd, supply->piece, size, (off_t)parcel->n_sent);

    if (fd >= 0) {
        close(fd);
    }
    if (n != (ssize_t)size) {
        fail(parcel, "the decoded stream cannot be read here");
        return false;
    }
    memcpy(body.digest, parcel->stream->digest, sizeof(body.digest));
    if (flock_tell_bulk(supply->flock, i, VERB_PUT, &body,
                        (struct proto_frame){ supply->piece, size })
        == 0) {
        return false;
    }
    parcel->n_sent += size;
    parcel->sent_ns = clock_mono_ns();
    return true;
}

static void push(struct supply *supply, size_t i)
{
    struct parcel *parcel = &supply->parcels[i];

    while (parcel->is_sending && !parcel->is_done && parcel->n_sent < parcel->stream->size_bytes
           && parcel->n_sent < parcel->n_stored + (uint64_t)WINDOW * PIECE_BYTES) {
        if (!send_piece(supply, i)) {
            return;
        }
    }
}

static void note_stored(struct supply *supply, size_t i, uint64_t n_stored)
{
    struct parcel *parcel = &supply->parcels[i];

    if (n_stored > parcel->n_stored) {
        parcel->moved_ns = clock_mono_ns();
    }
    parcel->n_stored = n_stored;
    if (parcel->n_sent < n_stored) {
        parcel->n_sent = n_stored;
    }
    if (n_stored >= parcel->stream->size_bytes) {
        parcel->is_done = true;
    } else {
        push(supply, i);
    }
}

static void on_having(void *arg, size_t i, const struct flock_message *message)
{
    struct supply *supply = arg;
    struct parcel *parcel = &supply->parcels[i];

    if (message == NULL) {
        fail(parcel, "no answer to HAVE");
    } else if (message->message->verb == VERB_HAVING) {
        parcel->is_sending = true;
        parcel->moved_ns = clock_mono_ns();
        note_stored(supply, i, PROTO_CONST_BODY(message->message, body_have)->offset);
    } else if (message->message->verb == VERB_REFUSED) {
        fail(parcel, PROTO_CONST_BODY(message->message, body_refused)->why);
    }
}

int supply_want(struct supply *supply, size_t i, const char *digest, struct err *err)
{
    struct parcel *parcel = &supply->parcels[i];
    struct body_have body = { 0 };
    struct flock_request request = { .verb = VERB_HAVE,
                                     .body = &body,
                                     .timeout_ms = HAVE_TIMEOUT_MS,
                                     .again_ms = HAVE_AGAIN_MS,
                                     .answer = on_having,
                                     .arg = supply };

    parcel->stream = inputs_find(supply->inputs, digest);
    if (parcel->stream == NULL) {
        return err_set(err, ERR_NOT_FOUND, "no stream %s", digest);
    }
    parcel->is_wanted = true;
    snprintf(body.digest, sizeof(body.digest), "%s", digest);
    body.size = parcel->stream->size_bytes;
    return flock_request(supply->flock, i, &request, err);
}

void supply_take(struct supply *supply, size_t i, const struct flock_message *message)
{
    struct parcel *parcel = &supply->parcels[i];
    const struct proto_message *got = message->message;

    if (!parcel->is_wanted || parcel->is_done || !parcel->is_sending) {
        return;
    }
    if (got->verb == VERB_REFUSED) {
        /* A piece before this one was lost with its connection: the timer goes back to it. */
        if (strcmp(PROTO_CONST_BODY(got, body_refused)->code, err_code_name(ERR_STATE)) != 0) {
            fail(parcel, PROTO_CONST_BODY(got, body_refused)->why);
        }
    } else if (got->verb == VERB_STORED
               && strcmp(PROTO_CONST_BODY(got, body_have)->digest, parcel->stream->digest)
                      == 0) {
        note_stored(supply, i, PROTO_CONST_BODY(got, body_have)->offset);
    }
}

void supply_tick(struct supply *supply)
{
    int64_t mono_ns = clock_mono_ns();

    for (size_t i = 0; i < supply->n_nodes; i++) {
        struct parcel *parcel = &supply->parcels[i];

        if (!parcel->is_sending || parcel->is_done) {
            continue;
        }
        if (mono_ns > parcel->moved_ns + GIVE_UP_MS * NS_PER_MS) {
            fail(parcel, "the node takes no more of it");
        } else if (mono_ns > parcel->moved_ns + AGAIN_MS * NS_PER_MS
                   && mono_ns > parcel->sent_ns + AGAIN_MS * NS_PER_MS) {
            parcel->n_sent = parcel->n_stored;
        }
        push(supply, i);
    }
}

bool supply_is_done(const struct supply *supply)
{
    for (size_t i = 0; i < supply->n_nodes; i++) {
        if (supply->parcels[i].is_wanted && !supply->parcels[i].is_done) {
            return false;
        }
    }
    return true;
}

const char *supply_failure(const struct supply *supply, size_t i)
{
    const struct parcel *parcel = &supply->parcels[i];

    return parcel->is_wanted && !parcel->is_done ? "input: not all of it arrived in time"
                                                 : parcel->failure;
}

void supply_progress(const struct supply *supply, size_t i, uint64_t *n_there,
                     uint64_t *n_wanted)
{
    const struct parcel *parcel = &supply->parcels[i];

    *n_there = parcel->n_stored;
    *n_wanted = parcel->stream != NULL ? parcel->stream->size_bytes : 0;
}
