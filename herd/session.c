/* SPDX-License-Identifier: MIT */
#include "herd/session.h"

#include "common/clock.h"

#include <string.h>

void session_init(struct session *session, int64_t mono_ns, uint32_t spread)
{
    memset(session, 0, sizeof(*session));
    session->heard_ns = mono_ns;
    session->hello_ns = mono_ns;
    session->beat_ns = mono_ns + (int64_t)(spread % SESSION_BEAT_MS) * NS_PER_MS;
    session->hello_wait_ms = SESSION_HELLO_MS;
    session->lost_wait_ms = SESSION_LOST_MS;
}

static unsigned set_link(struct session *session, enum session_link link)
{
    if (session->link == link) {
        return 0;
    }
    session->link = link;
    return SESSION_IS_CHANGED;
}

static uint32_t doubled(uint32_t wait_ms, uint32_t maximum_ms)
{
    return wait_ms > maximum_ms / 2 ? maximum_ms : wait_ms * 2;
}

static unsigned tick_link(struct session *session, int64_t mono_ns)
{
    int64_t silence_ns = mono_ns - session->heard_ns;

    if (silence_ns < SESSION_SILENT_MS * NS_PER_MS) {
        return 0;
    }
    if (silence_ns < SESSION_LOST_MS * NS_PER_MS) {
        return session->link == SESSION_UP ? set_link(session, SESSION_SILENT) : 0;
    }
    if (session->reconnect_ns != 0 && mono_ns < session->reconnect_ns) {
        return 0;
    }
    session->reconnect_ns = mono_ns + session->lost_wait_ms * NS_PER_MS;
    session->lost_wait_ms = doubled(session->lost_wait_ms, SESSION_RECONNECT_MAX_S * 1000);
    session->is_welcome = false;
    session->hello_ns = mono_ns;
    session->hello_wait_ms = SESSION_HELLO_MS;
    return SESSION_DO_RECONNECT | set_link(session, SESSION_LOST);
}

unsigned session_tick(struct session *session, int64_t mono_ns)
{
    unsigned due = tick_link(session, mono_ns);

    if (!session->is_welcome && mono_ns >= session->hello_ns) {
        session->hello_ns = mono_ns + session->hello_wait_ms * NS_PER_MS;
        session->hello_wait_ms = doubled(session->hello_wait_ms, SESSION_HELLO_MAX_MS);
        due |= SESSION_DO_HELLO;
    }
    if (session->is_welcome && mono_ns >= session->beat_ns) {
        session->beat_ns += SESSION_BEAT_MS * NS_PER_MS;
        if (session->beat_ns <= mono_ns) {
            session->beat_ns = mono_ns + SESSION_BEAT_MS * NS_PER_MS;
        }
        due |= SESSION_DO_BEAT;
    }
    return due;
}

void session_forgive(struct session *session, int64_t mono_ns, int64_t gap_ns)
{
    session->heard_ns += gap_ns;
    if (session->heard_ns > mono_ns) {
        session->heard_ns = mono_ns;
    }
    if (session->reconnect_ns != 0) {
        session->reconnect_ns += gap_ns;
    }
}

static enum session_news hear_welcome(struct session *session, const struct body_welcome *body)
{
    enum session_news news = session->boot_id != 0 && session->boot_id != body->boot_id
                                 ? SESSION_NEWS_REBOOT
                                 : SESSION_NEWS_WELCOME;

    session->welcome = *body;
    session->boot_id = body->boot_id;
    session->is_welcome = true;
    return news;
}

enum session_news session_hear(struct session *session, int64_t mono_ns,
                               const struct proto_message *message)
{
    bool is_welcome = message->verb == VERB_WELCOME;

    if (!is_welcome && (!session->is_welcome || message->token.boot_id != session->boot_id)) {
        session->is_welcome = false;
        session->hello_ns = mono_ns;
        return SESSION_NEWS_IGNORE;
    }
    session->heard_ns = mono_ns;
    session->reconnect_ns = 0;
    session->lost_wait_ms = SESSION_LOST_MS;
    session->hello_wait_ms = SESSION_HELLO_MS;
    session->link = SESSION_UP;
    if (is_welcome) {
        return hear_welcome(session, PROTO_CONST_BODY(message, body_welcome));
    }
    return SESSION_NEWS_NONE;
}

const char *session_link_name(enum session_link link)
{
    switch (link) {
    case SESSION_CONNECTING:
        return "connecting";
    case SESSION_UP:
        return "up";
    case SESSION_SILENT:
        return "silent";
    case SESSION_LOST:
        return "lost";
    }
    return "?";
}
