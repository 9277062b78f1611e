/* SPDX-License-Identifier: MIT */
#include "common/zap.h"

#include "common/clock.h"
#include "common/keys.h"
#include "common/log.h"

#include <czmq.h>
#include <stdlib.h>
#include <string.h>

static const char ENDPOINT[] = "inproc://zeromq.zap.01";

enum {
    CHECK_TIMEOUT_MS = 1000,
    REFRESH_MS = 100,    /* handshakes of known keys read the folder no oftener */
    REFRESH_MISS_MS = 5, /* those of unknown ones, which may have just been authorized */
    CURVE_KEY_BYTES = 32,
    LOG_BURST = 5,
    LOG_INTERVAL_MS = 10000,
};

struct zap {
    zactor_t *actor;
};

/* What the thread is given at its start, and says back through its pipe: valid until the actor
 * has signalled. */
struct zap_start {
    const char *folder;
    struct err *err;
};

/* Touched by the handler's thread only. */
struct handler {
    zsock_t *pipe;
    zsock_t *door;
    struct keyring *ring;
    int64_t refreshed_ns;
    struct zap_stats stats;
    struct log_limit limit;
};

/* RFC 27: version, request id, domain, address, identity, mechanism, credentials. */
struct request {
    char *version;
    char *id;
    char *domain;
    char *address;
    zframe_t *credentials;
    bool is_curve;
};

static bool request_recv(struct request *request, zsock_t *door)
{
    zmsg_t *message = zmsg_recv(door);
    zframe_t *identity = NULL;
    char *mechanism = NULL;

    if (message == NULL) {
        return false;
    }
    request->version = zmsg_popstr(message);
    request->id = zmsg_popstr(message);
    request->domain = zmsg_popstr(message);
    request->address = zmsg_popstr(message);
    identity = zmsg_pop(message);
    mechanism = zmsg_popstr(message);
    request->is_curve = mechanism != NULL && streq(mechanism, "CURVE");
    request->credentials = zmsg_pop(message);
    zframe_destroy(&identity);
    zstr_free(&mechanism);
    zmsg_destroy(&message);
    return true;
}

static void request_fini(struct request *request)
{
    zstr_free(&request->version);
    zstr_free(&request->id);
    zstr_free(&request->domain);
    zstr_free(&request->address);
    zframe_destroy(&request->credentials);
}

static void refresh(struct handler *handler, int max_age_ms)
{
    struct err err = { 0 };
    int64_t now_ns = clock_mono_ns();

    if (now_ns - handler->refreshed_ns < max_age_ms * NS_PER_MS) {
        return;
    }
    handler->refreshed_ns = now_ns;
    if (keyring_refresh(handler->ring, &err) < 0
        && log_limit_pass(&handler->limit, now_ns, LOG_BURST, LOG_INTERVAL_MS)) {
        log_error("nobody is let in: %s", err.text);
    }
}

/* The key's text when it may come in, else NULL. */
static const char *judge(struct handler *handler, const struct request *request,
                         char text[KEY_TEXT_SIZE])
{
    if (!request->is_curve || request->credentials == NULL
        || zframe_size(request->credentials) != CURVE_KEY_BYTES) {
        return NULL;
    }
    if (zmq_z85_encode(text, zframe_data(request->credentials), CURVE_KEY_BYTES) == NULL) {
        return NULL;
    }
    refresh(handler, REFRESH_MS);
    if (keyring_find(handler->ring, text) == NULL) {
        refresh(handler, REFRESH_MISS_MS);
    }
    return keyring_find(handler->ring, text) != NULL ? text : NULL;
}

static void count(struct handler *handler, const struct request *request, bool is_allowed,
                  const char *key)
{
    if (is_allowed) {
        handler->stats.n_accepted++;
        return;
    }
    handler->stats.n_refused++;
    if (log_limit_pass(&handler->limit, clock_mono_ns(), LOG_BURST, LOG_INTERVAL_MS)) {
        log_warn("refused a connection from %s, key '%s' is not authorized (%u more like it)",
                 request->address != NULL ? request->address : "?", key,
                 handler->limit.suppressed);
        handler->limit.suppressed = 0;
    }
}

static void answer(struct handler *handler)
{
    struct request request = { 0 };
    char text[KEY_TEXT_SIZE] = "";
    const char *key = NULL;

    if (!request_recv(&request, handler->door)) {
        return;
    }
    key = judge(handler, &request, text);
    count(handler, &request, key != NULL, text);
    /* "1.0", id, status, text, user id, no metadata. */
    zsock_send(handler->door, "ssssss", "1.0", request.id != NULL ? request.id : "",
               key != NULL ? "200" : "400", key != NULL ? "OK" : "not authorized",
               key != NULL ? key : "", "");
    request_fini(&request);
}

/* Returns false at $TERM. */
static bool obey(struct handler *handler)
{
    char *command = zstr_recv(handler->pipe);
    bool goes_on = command != NULL && !streq(command, "$TERM");

    if (goes_on && streq(command, "STATS")) {
        handler->stats.n_keys = keyring_count(handler->ring);
        zsock_send(handler->pipe, "888", handler->stats.n_accepted, handler->stats.n_refused,
                   handler->stats.n_keys);
    }
    zstr_free(&command);
    return goes_on;
}

static int open_door(struct handler *handler, const struct zap_start *start)
{
    handler->ring = keyring_open(start->folder, start->err);
    if (handler->ring == NULL) {
        return -1;
    }
    handler->door = zsock_new(ZMQ_REP);
    if (handler->door == NULL || zsock_bind(handler->door, "%s", ENDPOINT) < 0) {
        return err_set_errno(start->err, "no doorkeeper at %s", ENDPOINT);
    }
    handler->refreshed_ns = clock_mono_ns();
    return 0;
}

static void handler_run(zsock_t *pipe, void *arg)
{
    struct handler handler = { .pipe = pipe };
    zpoller_t *poller = NULL;
    bool goes_on = open_door(&handler, arg) == 0;

    /* After this the creator's `start` is gone. */
    zsock_signal(pipe, goes_on ? 0 : 1);
    if (goes_on) {
        poller = zpoller_new(pipe, handler.door, NULL);
        goes_on = poller != NULL;
    }
    while (goes_on) {
        void *which = zpoller_wait(poller, -1);

        if (which == handler.door) {
            answer(&handler);
        } else if (which == pipe) {
            goes_on = obey(&handler);
        } else {
            goes_on = !zpoller_terminated(poller);
        }
    }
    zpoller_destroy(&poller);
    if (handler.door != NULL) {
        /* libzmq closes sockets later; the next handler wants the name now. */
        (void)zsock_unbind(handler.door, "%s", ENDPOINT);
    }
    zsock_destroy(&handler.door);
    keyring_close(&handler.ring);
}

struct zap *zap_start(const char *folder, struct err *err)
{
    struct zap *zap = calloc(1, sizeof(*zap));
    struct err reason = { 0 };
    struct zap_start start = { .folder = folder, .err = &reason };

    if (zap == NULL) {
        err_set(err, ERR_MEMORY, "doorkeeper");
        return NULL;
    }
    zap->actor = zactor_new(handler_run, &start);
    if (zap->actor == NULL || reason.code != ERR_NONE) {
        err_set(err, reason.code != ERR_NONE ? reason.code : ERR_SYSTEM, "%s",
                reason.code != ERR_NONE ? reason.text : "no thread for the doorkeeper");
        zap_stop(&zap);
        return NULL;
    }
    return zap;
}

void zap_stop(struct zap **zap)
{
    if (*zap == NULL) {
        return;
    }
    zactor_destroy(&(*zap)->actor);
    free(*zap);
    *zap = NULL;
}

int zap_check(struct zap *zap, struct zap_stats *stats, struct err *err)
{
    memset(stats, 0, sizeof(*stats));
    zsock_set_rcvtimeo(zactor_sock(zap->actor), CHECK_TIMEOUT_MS);
    zsock_set_sndtimeo(zactor_sock(zap->actor), CHECK_TIMEOUT_MS);
    if (zstr_send(zap->actor, "STATS") < 0
        || zsock_recv(zap->actor, "888", &stats->n_accepted, &stats->n_refused, &stats->n_keys)
               < 0) {
        return err_set(err, ERR_TIMEOUT, "the doorkeeper does not answer");
    }
    return 0;
}
