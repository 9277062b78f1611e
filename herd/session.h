/* SPDX-License-Identifier: MIT */
/* One node as herd hears it: who it is, whether it lives, when to greet it, and when to connect
 * anew. Pure: time and messages in, what is due out. */
#ifndef HERD_SESSION_H
#define HERD_SESSION_H

#include "common/proto.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SESSION_BEAT_MS = 1000,
    SESSION_SILENT_MS = 3000,
    SESSION_LOST_MS = 10000,
    SESSION_HELLO_MS = 250,       /* between greetings that are not answered, at first */
    SESSION_HELLO_MAX_MS = 2000,  /* it doubles up to this */
    SESSION_RECONNECT_MAX_S = 60, /* so does the time between two connections */
};

enum session_link {
    SESSION_CONNECTING, /* never heard */
    SESSION_UP,
    SESSION_SILENT,
    SESSION_LOST,
};

/* Plain data, zeroed by init. */
struct session {
    enum session_link link;
    bool is_welcome;  /* this connection has been greeted and answered */
    uint64_t boot_id; /* 0: never heard */
    int64_t heard_ns; /* monotonic, as all times here */
    int64_t hello_ns; /* when to greet again */
    int64_t beat_ns;  /* when to send the next heartbeat */
    int64_t reconnect_ns;
    uint32_t hello_wait_ms;
    uint32_t lost_wait_ms;
    struct body_welcome welcome; /* what the node said last */
};

/* `spread` (any number, for instance the node's index) keeps a thousand nodes from being
 * greeted and pinged in the same millisecond. */
void session_init(struct session *session, int64_t mono_ns, uint32_t spread);

/* What is due; bits. */
enum {
    SESSION_DO_HELLO = 1,
    SESSION_DO_BEAT = 2,
    SESSION_DO_RECONNECT = 4,
    SESSION_IS_CHANGED = 8, /* link is another one now */
};
unsigned session_tick(struct session *session, int64_t mono_ns);

/* For gap_ns up to mono_ns nobody listened: that is no silence of the node's. */
void session_forgive(struct session *session, int64_t mono_ns, int64_t gap_ns);

/* What a message means for the session. A message from another boot than the one that was
 * welcomed changes nothing else: it makes a greeting due at once. */
enum session_news {
    SESSION_NEWS_NONE,    /* an ordinary message of this boot */
    SESSION_NEWS_IGNORE,  /* of another boot, or before WELCOME */
    SESSION_NEWS_WELCOME, /* first, or again after a new connection: the same boot */
    SESSION_NEWS_REBOOT,  /* WELCOME from a new boot */
};
enum session_news session_hear(struct session *session, int64_t mono_ns,
                               const struct proto_message *message);

const char *session_link_name(enum session_link link);

#endif
