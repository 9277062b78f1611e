/* SPDX-License-Identifier: MIT */
#include "common/wire.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include <sodium.h>

/* libzmq honours it in every build, but declares it only for drafts. */
#ifndef ZMQ_ZAP_ENFORCE_DOMAIN
#    define ZMQ_ZAP_ENFORCE_DOMAIN 93
#endif

static const char ZAP_DOMAIN[] = "bellwether";

enum {
    FRAME_MAX = PROTO_MAX_PAYLOAD + 1024, /* CURVE adds its nonce and box to a payload */
    BACKLOG = 512,
    PEER_SILENT_MS = 10000,
    CONNECT_MS = 3000,
    FDS_OF_OUR_OWN = 256,
    GIVEN_ID_BYTES = 5,
    GIVEN_ID_MARK = '@',
    HEAP_MESSAGE_MAX = 1024 * 1024,
    HEAP_KEEPS = 8 * 1024 * 1024,
};

struct option {
    int name;
    int value;
};

static int set_int(zsock_t *socket, int name, int value, struct err *err)
{
    if (zmq_setsockopt(zsock_resolve(socket), name, &value, sizeof(value)) < 0) {
        return err_set(err, ERR_SYSTEM, "socket option %d: %s", name, zmq_strerror(errno));
    }
    return 0;
}

static int set_text(zsock_t *socket, int name, const char *value, struct err *err)
{
    if (zmq_setsockopt(zsock_resolve(socket), name, value, strlen(value)) < 0) {
        return err_set(err, ERR_SYSTEM, "socket option %d: %s", name, zmq_strerror(errno));
    }
    return 0;
}

static int set_common(zsock_t *socket, int type, struct err *err)
{
    static const struct option OPTIONS[] = {
        {ZMQ_LINGER,             0                    },
        { ZMQ_SNDHWM,            WIRE_QUEUE_MESSAGES  },
        { ZMQ_RCVHWM,            WIRE_QUEUE_MESSAGES  },
        { ZMQ_HANDSHAKE_IVL,     WIRE_HANDSHAKE_MS    },
        { ZMQ_HEARTBEAT_IVL,     WIRE_PROBE_MS        },
        { ZMQ_HEARTBEAT_TIMEOUT, PEER_SILENT_MS       },
        { ZMQ_HEARTBEAT_TTL,     PEER_SILENT_MS       },
        { ZMQ_RECONNECT_IVL,     WIRE_RECONNECT_MS    },
        { ZMQ_RECONNECT_IVL_MAX, WIRE_RECONNECT_MAX_MS},
        { ZMQ_CONNECT_TIMEOUT,   CONNECT_MS           },
        { ZMQ_BACKLOG,           BACKLOG              },
    };
    static const int64_t frame_max = FRAME_MAX;

    for (size_t i = 0; i < ARRAY_LEN(OPTIONS); i++) {
        if (set_int(socket, OPTIONS[i].name, OPTIONS[i].value, err) < 0) {
            return -1;
        }
    }
    if (zmq_setsockopt(zsock_resolve(socket), ZMQ_MAXMSGSIZE, &frame_max, sizeof(frame_max))
        < 0) {
        return err_set(err, ERR_SYSTEM, "ZMQ_MAXMSGSIZE: %s", zmq_strerror(errno));
    }
    return type == ZMQ_ROUTER ? set_int(socket, ZMQ_ROUTER_MANDATORY, 1, err) : 0;
}

static zsock_t *create(int type, struct err *err)
{
    zsock_t *socket = zsock_new(type);

    if (socket == NULL) {
        err_set(err, ERR_SYSTEM, "no socket: %s", zmq_strerror(errno));
        return NULL;
    }
    if (set_common(socket, type, err) < 0) {
        zsock_destroy(&socket);
        return NULL;
    }
    return socket;
}

/* An address with brackets is one of IPv6; libzmq has to be told. */
static int set_family(zsock_t *socket, const char *endpoint, struct err *err)
{
    return set_int(socket, ZMQ_IPV6, strchr(endpoint, '[') != NULL, err);
}

zsock_t *wire_bind(int type, const char *endpoint, const struct key_pair *own, struct err *err)
{
    zsock_t *socket = create(type, err);

    if (socket == NULL) {
        return NULL;
    }
    if (set_int(socket, ZMQ_CURVE_SERVER, 1, err) < 0
        || set_text(socket, ZMQ_CURVE_SECRETKEY, own->secret_key, err) < 0
        || set_text(socket, ZMQ_ZAP_DOMAIN, ZAP_DOMAIN, err) < 0
        || set_int(socket, ZMQ_ZAP_ENFORCE_DOMAIN, 1, err) < 0
        || set_family(socket, endpoint, err) < 0) {
        goto fail;
    }
    if (zsock_bind(socket, "%s", endpoint) < 0) {
        err_set(err, ERR_SYSTEM, "bind %s: %s", endpoint, zmq_strerror(errno));
        goto fail;
    }
    return socket;
fail:
    zsock_destroy(&socket);
    return NULL;
}

zsock_t *wire_client(int type, const struct key_pair *own, const char *own_id, struct err *err)
{
    zsock_t *socket = create(type, err);

    if (socket == NULL) {
        return NULL;
    }
    /* Handover is for our own names of nodes, when a connection is made anew. A server has
     * none: nobody takes over there what is meant for somebody else. */
    if (set_text(socket, ZMQ_CURVE_PUBLICKEY, own->public_key, err) < 0
        || set_text(socket, ZMQ_CURVE_SECRETKEY, own->secret_key, err) < 0
        || (type == ZMQ_ROUTER && set_int(socket, ZMQ_ROUTER_HANDOVER, 1, err) < 0)
        || (own_id != NULL && set_text(socket, ZMQ_ROUTING_ID, own_id, err) < 0)) {
        zsock_destroy(&socket);
        return NULL;
    }
    return socket;
}

int wire_connect(zsock_t *socket, const char *endpoint, const char *server_key,
                 const char *peer_id, struct err *err)
{
    if (!key_text_is_valid(server_key)) {
        return err_set(err, ERR_INPUT,
                       "%s: its public key is not known; herd enroll fetches it", endpoint);
    }
    if (set_text(socket, ZMQ_CURVE_SERVERKEY, server_key, err) < 0
        || (peer_id != NULL && set_text(socket, ZMQ_CONNECT_ROUTING_ID, peer_id, err) < 0)
        || set_family(socket, endpoint, err) < 0) {
        return -1;
    }
    if (zsock_connect(socket, "%s", endpoint) < 0) {
        return err_set(err, ERR_INPUT, "connect %s: %s", endpoint, zmq_strerror(errno));
    }
    return 0;
}

int wire_disconnect(zsock_t *socket, const char *endpoint, struct err *err)
{
    if ((zsock_events(socket) & ZMQ_POLLIN) != 0) {
        return err_set(err, ERR_STATE, "%s: messages wait to be read", endpoint);
    }
    (void)zsock_disconnect(socket, "%s", endpoint);
    return 0;
}

/* The id that a ROUTER gives to a connection without one is a zero byte and a number; our text
 * for it is '@' and the number. */
static void print_given_id(const unsigned char bytes[GIVEN_ID_BYTES], char text[WIRE_ID_SIZE])
{
    snprintf(text, WIRE_ID_SIZE, "%c%02x%02x%02x%02x", GIVEN_ID_MARK, bytes[1], bytes[2],
             bytes[3], bytes[4]);
}

static bool read_given_id(const char *text, unsigned char bytes[GIVEN_ID_BYTES])
{
    size_t n = 0;

    bytes[0] = 0;
    return text[0] == GIVEN_ID_MARK
           && sodium_hex2bin(bytes + 1, GIVEN_ID_BYTES - 1, text + 1, strlen(text + 1), NULL,
                             &n, NULL)
                  == 0
           && n == GIVEN_ID_BYTES - 1;
}

static int explain_send(const char *peer_id, struct err *err)
{
    switch (errno) {
    case EHOSTUNREACH:
        return err_set(err, ERR_UNREACHABLE, "%s is not connected", peer_id);
    case EAGAIN:
        return err_set(err, ERR_STATE, "the queue to %s is full", peer_id);
    default:
        return err_set(err, ERR_SYSTEM, "send to %s: %s", peer_id, zmq_strerror(errno));
    }
}

int wire_send(zsock_t *socket, const char *peer_id, const struct proto_encoded *encoded,
              struct err *err)
{
    void *handle = zsock_resolve(socket);
    unsigned char given[GIVEN_ID_BYTES];
    bool is_given = read_given_id(peer_id, given);

    /* A ROUTER decides at the first part whether the message can go; the others then follow. */
    if (zmq_send(handle, is_given ? (const void *)given : peer_id,
                 is_given ? sizeof(given) : strlen(peer_id), ZMQ_SNDMORE | ZMQ_DONTWAIT)
        < 0) {
        return explain_send(peer_id, err);
    }
    for (size_t i = 0; i < encoded->n_frames; i++) {
        int more = i + 1 < encoded->n_frames ? ZMQ_SNDMORE : 0;

        if (zmq_send(handle, encoded->frames[i].data, encoded->frames[i].size,
                     more | ZMQ_DONTWAIT)
            < 0) {
            return explain_send(peer_id, err);
        }
    }
    return 0;
}

void wire_publish(zsock_t *socket, const struct proto_encoded *encoded)
{
    void *handle = zsock_resolve(socket);

    for (size_t i = 0; i < encoded->n_frames; i++) {
        int more = i + 1 < encoded->n_frames ? ZMQ_SNDMORE : 0;

        /* A publisher never blocks, and drops whole messages. */
        if (zmq_send(handle, encoded->frames[i].data, encoded->frames[i].size,
                     more | ZMQ_DONTWAIT)
            < 0) {
            return;
        }
    }
}

int wire_tell(zsock_t *socket, const char *peer_id, enum proto_verb verb,
              const struct proto_token *token, const void *body, struct proto_frame payload,
              struct err *err)
{
    struct proto_encoded encoded;
    int result = 0;

    if (proto_encode(&encoded, verb, token, body, payload, err) < 0) {
        return -1;
    }
    result = wire_send(socket, peer_id, &encoded, err);
    proto_encoded_fini(&encoded);
    return result;
}

static int take_peer_id(struct wire_message *message, zmq_msg_t *part, struct err *err)
{
    const char *bytes = zmq_msg_data(part);
    size_t size = zmq_msg_size(part);

    if (size == GIVEN_ID_BYTES && bytes[0] == '\0') {
        print_given_id((const unsigned char *)bytes, message->peer_id);
        return 0;
    }
    if (size == 0 || size >= sizeof(message->peer_id) || bytes[0] == GIVEN_ID_MARK) {
        return err_set(err, ERR_INPUT, "a routing id of %zu bytes", size);
    }
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] <= ' ' || bytes[i] > '~') {
            return err_set(err, ERR_INPUT, "a routing id that is no text");
        }
    }
    memcpy(message->peer_id, bytes, size);
    message->peer_id[size] = '\0';
    return 0;
}

static void take_part(struct wire_message *message, zmq_msg_t *part)
{
    size_t i = message->n_parts++;

    if (message->user[0] == '\0') {
        const char *user = zmq_msg_gets(part, "User-Id");

        snprintf(message->user, sizeof(message->user), "%s", user != NULL ? user : "");
        errno = 0;
    }
    zmq_msg_init(&message->parts[i]);
    zmq_msg_move(&message->parts[i], part);
    message->frames[i] = (struct proto_frame){ zmq_msg_data(&message->parts[i]),
                                               zmq_msg_size(&message->parts[i]) };
    message->n_frames = message->n_parts;
}

/* All parts are read even when the message is refused: the next one starts behind them. */
static int recv_rest(void *handle, struct wire_message *message, struct err *err)
{
    size_t n_parts = 0;
    bool has_more = true;
    zmq_msg_t part;

    zmq_msg_init(&part);
    while (has_more) {
        if (zmq_msg_recv(&part, handle, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&part);
            return err_set(err, ERR_INPUT, "a torn message");
        }
        n_parts++;
        has_more = zmq_msg_more(&part) != 0;
        if (message->n_parts < PROTO_MAX_FRAMES) {
            take_part(message, &part);
        }
    }
    zmq_msg_close(&part);
    if (n_parts > PROTO_MAX_FRAMES) {
        return err_set(err, ERR_INPUT, "a message of %zu frames", n_parts);
    }
    return 0;
}

int wire_recv(zsock_t *socket, struct wire_message *message, struct err *err)
{
    void *handle = zsock_resolve(socket);
    int result = 0;
    zmq_msg_t part;

    memset(message, 0, sizeof(*message));
    zmq_msg_init(&part);
    if (zmq_msg_recv(&part, handle, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(&part);
        return 0;
    }
    result = take_peer_id(message, &part, err);
    if (zmq_msg_more(&part) && recv_rest(handle, message, result < 0 ? NULL : err) < 0) {
        result = -1;
    }
    zmq_msg_close(&part);
    if (result < 0) {
        wire_message_fini(message);
        return -1;
    }
    return 1;
}

int wire_recv_plain(zsock_t *socket, struct wire_message *message, struct err *err)
{
    void *handle = zsock_resolve(socket);
    zmq_pollitem_t item = { .socket = handle, .events = ZMQ_POLLIN };

    memset(message, 0, sizeof(*message));
    if (zmq_poll(&item, 1, 0) <= 0) {
        return 0;
    }
    if (recv_rest(handle, message, err) < 0) {
        wire_message_fini(message);
        return -1;
    }
    return 1;
}

void wire_message_fini(struct wire_message *message)
{
    for (size_t i = 0; i < message->n_parts; i++) {
        zmq_msg_close(&message->parts[i]);
    }
    memset(message, 0, sizeof(*message));
}

void wire_init(void)
{
    /* A piece of a log is a message of its own: taken from the system and given back each time,
     * its pages are cleared each time, a fifth of what sending costs. There is no other thread
     * yet. NOLINTBEGIN(concurrency-mt-unsafe) */
    (void)mallopt(M_MMAP_THRESHOLD, HEAP_MESSAGE_MAX);
    (void)mallopt(M_TRIM_THRESHOLD, HEAP_KEEPS);
    /* NOLINTEND(concurrency-mt-unsafe) */
    zsys_handler_set(NULL);
    zsys_set_max_sockets(0);
}

int wire_limits(size_t n_peers, struct err *err)
{
    struct rlimit limit = { 0 };
    rlim_t wanted = (rlim_t)n_peers * 3 + FDS_OF_OUR_OWN;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
        return err_set_errno(err, "RLIMIT_NOFILE");
    }
    if (limit.rlim_cur < wanted) {
        if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < wanted) {
            return err_set(err, ERR_NO_SPACE,
                           "%zu nodes need %llu open files, the limit is %llu (ulimit -n)",
                           n_peers, (unsigned long long)wanted,
                           (unsigned long long)limit.rlim_max);
        }
        limit.rlim_cur = wanted;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0) {
            return err_set_errno(err, "RLIMIT_NOFILE");
        }
    }
    return 0;
}
