/* SPDX-License-Identifier: MIT */
#include "sheep/live.h"

#include "common/keys.h"
#include "common/log.h"
#include "common/wire.h"
#include "sheep/log_tail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TRIES_BEFORE_WORD = 10
};

struct live {
    const struct sheep_config *config;
    struct key_pair key;
    uint64_t boot_id;
    zsock_t *socket; /* XPUB: it tells who subscribes */
    unsigned n_topics;
    unsigned n_tries;       /* to open the port again */
    char folder[PATH_SIZE]; /* of the tail */
    struct log_tail *tail;
    uint8_t payload[LOG_TAIL_STREAMS
                    * (sizeof(struct live_block)
                       + LOG_TAIL_ENTRIES * sizeof(struct rlog_overview))];
};

static int open_socket(struct live *live, struct err *err)
{
    char endpoint[sizeof(live->config->address) + 32];

    snprintf(endpoint, sizeof(endpoint), "tcp://%s:%u", live->config->address,
             live->config->port + LIVE_PORT);
    live->n_topics = 0;
    live->socket = wire_bind(ZMQ_XPUB, endpoint, &live->key, err);
    return live->socket == NULL ? -1 : 0;
}

struct live *live_open(const struct sheep_config *config, uint64_t boot_id, struct err *err)
{
    struct live *live = calloc(1, sizeof(*live));

    if (live == NULL) {
        err_set(err, ERR_MEMORY, "live view");
        return NULL;
    }
    live->config = config;
    live->boot_id = boot_id;
    if (key_load(&live->key, config->secret_key, err) < 0 || open_socket(live, err) < 0) {
        live_close(&live);
    }
    return live;
}

void live_close(struct live **live_p)
{
    struct live *live = *live_p;

    if (live == NULL) {
        return;
    }
    log_tail_close(&live->tail);
    zsock_destroy(&live->socket);
    key_wipe(&live->key);
    free(live);
    *live_p = NULL;
}

/* libzmq lets go of the port a moment later. */
void live_end_all(struct live *live)
{
    zsock_destroy(&live->socket);
    live->n_tries = 0;
}

static void open_again(struct live *live)
{
    struct err err = { 0 };

    live->n_tries++;
    if (open_socket(live, &err) < 0 && live->n_tries == TRIES_BEFORE_WORD) {
        log_warn("no live view: %s", err.text);
    }
}

/* XPUB tells the first subscriber of a topic (1) and the end of its last one (0). */
bool live_is_heard(struct live *live)
{
    struct wire_message message;
    struct err err;
    int result = 0;

    if (live->socket == NULL) {
        open_again(live);
    }
    while (live->socket != NULL
           && (result = wire_recv_plain(live->socket, &message, &err)) != 0) {
        const uint8_t *bytes = result > 0 ? message.frames[0].data : NULL;

        if (result < 0) {
            continue;
        }
        if (message.frames[0].size > 0 && bytes[0] == 1) {
            live->n_topics++;
        } else if (message.frames[0].size > 0 && bytes[0] == 0 && live->n_topics > 0) {
            live->n_topics--;
        }
        wire_message_fini(&message);
    }
    if (live->n_topics == 0) {
        log_tail_close(&live->tail);
    }
    return live->n_topics > 0;
}

/* ---- what is recorded ---- */

static void follow(struct live *live, const char *folder, const struct rlog_position *durable)
{
    struct err err = { 0 };

    if (live->tail != NULL && (folder == NULL || strcmp(folder, live->folder) != 0)) {
        log_tail_close(&live->tail);
    }
    if (live->tail == NULL && folder != NULL && durable->total > 0) {
        snprintf(live->folder, sizeof(live->folder), "%s", folder);
        live->tail = log_tail_open(folder, durable, &err);
        if (live->tail == NULL) {
            log_debug("live view: %s", err.text);
        }
    }
}

static size_t put_stream(struct live *live, size_t at, unsigned i,
                         const struct log_tail_stream *stream)
{
    const struct live_block block = { .stream = RLOG_STREAM_VOLTAGE + i,
                                      .count = stream->count,
                                      .first = stream->first,
                                      .window = LOG_TAIL_WINDOW };
    size_t size = stream->count * sizeof(stream->entries[0]);

    if (stream->count == 0) {
        return at;
    }
    memcpy(live->payload + at, &block, sizeof(block));
    memcpy(live->payload + at + sizeof(block), stream->entries, size);
    return at + sizeof(block) + size;
}

static double newest(const struct log_tail_stream *stream, const struct cal_channel *channel)
{
    return stream->entries[stream->count - 1].mean * channel->gain + channel->offset;
}

static size_t take_news(struct live *live, struct body_live *body,
                        const struct log_tail_news *news)
{
    const struct rlog_manifest *manifest = log_tail_manifest(live->tail);
    const struct log_tail_stream *voltage = &news->streams[0];
    const struct log_tail_stream *current = &news->streams[1];
    size_t size = 0;

    body->n_planned = manifest->n_planned;
    body->has_gpio = news->has_gpio;
    body->gpio = news->gpio;
    body->gpio_ns = news->gpio_ns;
    body->n_edges = news->n_edges;
    body->voltage_gain = manifest->voltage.gain;
    body->voltage_offset = manifest->voltage.offset;
    body->current_gain = manifest->current.gain;
    body->current_offset = manifest->current.offset;
    body->has_voltage = voltage->count > 0;
    body->has_current = current->count > 0;
    body->voltage_V = body->has_voltage ? newest(voltage, &manifest->voltage) : 0;
    body->current_A = body->has_current ? newest(current, &manifest->current) : 0;
    for (unsigned i = 0; i < LOG_TAIL_STREAMS; i++) {
        size = put_stream(live, size, i, &news->streams[i]);
    }
    return size;
}

void live_say(struct live *live, struct body_live *body, const char *folder,
              const struct rlog_position *durable)
{
    const struct log_tail_news *news = NULL;
    struct proto_token token = { .experiment = body->experiment, .boot_id = live->boot_id };
    struct proto_encoded encoded;
    struct err err = { 0 };
    size_t size = 0;

    if (live->socket == NULL) {
        return;
    }
    follow(live, folder, durable);
    if (live->tail != NULL) {
        if (log_tail_read(live->tail, durable, &news, &err) < 0) {
            log_debug("live view: %s", err.text);
            log_tail_close(&live->tail);
        } else {
            size = take_news(live, body, news);
        }
    }
    if (proto_encode(&encoded, VERB_LIVE, &token, body,
                     (struct proto_frame){ live->payload, size }, &err)
        < 0) {
        log_debug("live view: %s", err.text);
        return;
    }
    wire_publish(live->socket, &encoded);
    proto_encoded_fini(&encoded);
}
