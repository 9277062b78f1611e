/* SPDX-License-Identifier: MIT */
/* Messages between herd and sheep: one table of verbs, their bodies and who may send them.
 *
 * Frames: "BW1", verb, token (32 bytes), body (YAML map), then binary payloads. Pure: no
 * sockets. */
#ifndef COMMON_PROTO_H
#define COMMON_PROTO_H

#include "common/buf.h"
#include "common/err.h"
#include "common/schema.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PROTO_MAX_FRAMES = 6,
    PROTO_MAX_BODY = 64 * 1024,
    PROTO_MAX_PAYLOAD = 4 * 1024 * 1024,
    PROTO_TOKEN_BYTES = 32,
    PROTO_NAME_SIZE = 96,
    PROTO_TEXT_SIZE = 512,
};

enum proto_role {
    ROLE_OBSERVER = 1,
    ROLE_OPERATOR = 2,
    ROLE_SHEEP = 4
};

enum proto_verb {
    VERB_NONE = 0,
    /* herd to sheep, control port. Behind each: what answers it. */
    VERB_HELLO,     /* WELCOME */
    VERB_PING,      /* PONG; heartbeat, every second */
    VERB_CLOCK,     /* CLOCKED; four-timestamp exchange */
    VERB_STATUS,    /* STATE */
    VERB_PREPARE,   /* READY | REFUSED; payload 0: node_config as YAML */
    VERB_ARM,       /* ARMED | REFUSED */
    VERB_GO,        /* GOING | STOOD_DOWN */
    VERB_CANCEL,    /* CANCELLED | STOPPING */
    VERB_STOP,      /* STOPPING */
    VERB_RELEASE,   /* RELEASED | REFUSED */
    VERB_LIST,      /* LISTING; payload 0: YAML list of logs */
    VERB_REMOVE,    /* REMOVED | REFUSED */
    VERB_HAVE,      /* HAVING; is this input already here? */
    VERB_POWER,     /* POWERED | REFUSED; power off or reboot */
    VERB_INVENTORY, /* INVENTORIED; payload 0: node_facts as YAML */
    VERB_BLINK,     /* BLINKING | REFUSED */
    /* herd to sheep, bulk port */
    VERB_PUT,   /* STORED | REFUSED; payload 0: bytes of an input file at offset */
    VERB_FETCH, /* DATA ...; grants credit for bytes of a log from an offset */
    /* sheep to herd */
    VERB_WELCOME,
    VERB_PONG,
    VERB_CLOCKED,
    VERB_STATE,
    VERB_READY,
    VERB_REFUSED,
    VERB_ARMED,
    VERB_GOING,
    VERB_STOOD_DOWN,
    VERB_CANCELLED,
    VERB_STOPPING,
    VERB_RELEASED,
    VERB_LISTING,
    VERB_REMOVED,
    VERB_HAVING,
    VERB_POWERED,
    VERB_INVENTORIED,
    VERB_BLINKING,
    VERB_STORED,
    VERB_DATA, /* payload 0: bytes */
    /* sheep to the owner of the experiment, unasked and repeated until the next PING shows they
     * arrived: STARTED, ENDED */
    VERB_STARTED,
    VERB_ENDED,
    /* live port: published to whoever is let in and subscribes; lossy, nothing depends on it */
    VERB_LIVE, /* payload 0: struct live_block and its entries, one after the other */
    N_VERBS,
};

/* 32 bytes little-endian: experiment 8, controller 8, boot id 8, seq 4, zero 4. */
struct proto_token {
    uint64_t experiment; /* random; 0: none */
    uint64_t controller; /* UTC ns at which the controller took over; larger is newer */
    uint64_t boot_id;    /* of the node, random at its start; 0 in HELLO */
    uint32_t seq;        /* of the request, repeated in the answer; 0: unasked */
};

struct proto_verb_info {
    const char *name;
    unsigned roles;              /* who may send it */
    const struct schema *schema; /* of the body */
    size_t n_payloads;
};
const struct proto_verb_info *proto_verb_info(enum proto_verb verb); /* NULL: no such verb */
enum proto_verb proto_verb_of(const char *name, size_t size); /* VERB_NONE when unknown */
const char *proto_role_name(unsigned role); /* "observer", "operator", "sheep" */

void proto_token_encode(const struct proto_token *token, uint8_t bytes[PROTO_TOKEN_BYTES]);
MUST_CHECK int proto_token_decode(struct proto_token *token, const void *data, size_t size,
                                  struct err *err);

struct proto_frame {
    const void *data;
    size_t size;
};

/* A decoded message. body points to storage inside; payload is a loan from the frames. */
struct proto_message {
    enum proto_verb verb;
    struct proto_token token;
    struct proto_frame payload;
    union {
        uint64_t align;
        char bytes[4096];
    } body; /* cast by PROTO_BODY or PROTO_CONST_BODY */
};
#define PROTO_BODY(message, type) ((struct type *)(void *)(message)->body.bytes)
#define PROTO_CONST_BODY(message, type) \
    ((const struct type *)(const void *)(message)->body.bytes)

/* Checks everything: version, verb, role, sizes, number of frames, body by schema. `role` is
 * the sender's, from its key. On failure, verb and token are what could be read before the
 * fault (zero otherwise), so that a refusal can be answered. ERR_DENIED: not this role's to
 * send. */
MUST_CHECK int proto_decode(struct proto_message *message, const struct proto_frame *frames,
                            size_t n_frames, unsigned role, struct err *err);

/* Fills frames[0..3] from buffers owned by `encoded`; a payload is frame 4 and stays a loan.
 * body NULL: all zero. Texts become one line of valid UTF-8. `encoded` must not move while its
 * frames are used; on failure it needs no fini. */
struct proto_encoded {
    struct proto_frame frames[PROTO_MAX_FRAMES];
    size_t n_frames;
    uint8_t token[PROTO_TOKEN_BYTES];
    struct buf body;
};
MUST_CHECK int proto_encode(struct proto_encoded *encoded, enum proto_verb verb,
                            const struct proto_token *token, const void *body,
                            struct proto_frame payload, struct err *err);
void proto_encoded_fini(struct proto_encoded *encoded);

/* Bodies. Times are ns; UTC unless the name says mono. */
struct body_empty {
    char unused;
};
struct body_hello {
    char name[PROTO_NAME_SIZE]; /* of the controller, for "in use by" */
    char version[PROTO_NAME_SIZE];
    bool take_over;
};
struct body_welcome {
    char node[PROTO_NAME_SIZE];
    char version[PROTO_NAME_SIZE];
    char board[PROTO_NAME_SIZE];
    uint64_t boot_id;
    char state[PROTO_NAME_SIZE];
    uint64_t experiment; /* 0 when idle */
    char experiment_name[PROTO_NAME_SIZE];
    char owner[PROTO_NAME_SIZE];
    uint64_t disk_free_bytes;
    bool has_calibration;
};
struct body_clock { /* PING and CLOCK: t1; PONG and CLOCKED: t1..t3 */
    int64_t t1_ns;
    int64_t t2_ns;
    int64_t t3_ns;
    char source[PROTO_NAME_SIZE]; /* "ptp4l", "chrony", "none", "sim" */
    bool is_locked;
    int64_t claimed_offset_ns;
    int64_t claimed_bound_ns;
    /* PONG carries the progress too */
    char state[PROTO_NAME_SIZE];
    uint64_t experiment;
    uint64_t n_samples; /* taken so far */
    uint64_t log_bytes; /* durable */
    uint64_t log_bytes_max;
};
struct body_state {
    char node[PROTO_NAME_SIZE];
    char state[PROTO_NAME_SIZE];
    char experiment_name[PROTO_NAME_SIZE];
    char log[PROTO_NAME_SIZE];
    uint64_t experiment;
    char owner[PROTO_NAME_SIZE];
    int64_t T_ns;
    uint64_t n_samples;
    uint64_t n_planned;     /* 2^64-1: open end */
    uint64_t ring_fill_max; /* high-water marks, percent */
    uint64_t queue_fill_max;
    uint64_t disk_free_bytes;
    int64_t uptime_ns;
    char fault[PROTO_TEXT_SIZE];
    /* also what STARTED and ENDED said, for a controller that attaches late */
    bool is_started;
    int64_t start_error_ns;
    int64_t start_bound_ns;
    bool is_ended;
    uint64_t reason;
};
/* LIVE, twice a second while anybody listens. A third party connects a SUB with CURVE to the
 * third port (4242), subscribes to "BW1" and gets the frames of every message: "BW1", "LIVE",
 * token, this body as YAML, payload. What is about samples and pins is as new as the last sync
 * of the log (record.sync_interval), and empty while nothing is recorded. */
struct body_live {
    char node[PROTO_NAME_SIZE];
    char state[PROTO_NAME_SIZE];
    char experiment_name[PROTO_NAME_SIZE];
    uint64_t experiment;
    int64_t utc_ns; /* of this message, the node's clock */
    int64_t T_ns;
    uint64_t n_samples;
    uint64_t n_planned;
    uint64_t ring_fill_max; /* percent */
    uint64_t queue_fill_max;
    uint64_t disk_free_bytes;
    char fault[PROTO_TEXT_SIZE];
    bool has_gpio;
    uint64_t gpio;       /* pins, bit 0 is the first, at gpio_ns */
    int64_t gpio_ns;     /* UTC of the last edge */
    uint64_t n_edges;    /* of them since somebody listens */
    double voltage_gain; /* V = code * gain + offset, A the same */
    double voltage_offset;
    double current_gain;
    double current_offset;
    bool has_voltage; /* there is news: the newest mean, for who does not read the payload */
    bool has_current;
    double voltage_V;
    double current_A;
};

/* Little-endian, without gaps. Behind each: count times three u32 codes, minimum, maximum, mean
 * of `window` samples each; the first begins at sample `first`. */
struct live_block {
    uint32_t stream; /* enum rlog_stream: 1 voltage, 2 current, 3 and 4 of the storage */
    uint32_t count;
    uint64_t first;
    uint64_t window;
};

struct body_prepare {
    char experiment_name[PROTO_NAME_SIZE];
    char log[PROTO_NAME_SIZE]; /* name of the log, without .rlog */
    bool overwrite;
};
struct body_ready {
    int64_t promise_ns;        /* earliest T that the node can keep */
    char log[PROTO_NAME_SIZE]; /* the name it really took */
};
struct body_refused {
    char why[PROTO_TEXT_SIZE];
    char code[PROTO_NAME_SIZE]; /* err_code_name */
};
struct body_arm { /* ARM, ARMED, GO, GOING, STOOD_DOWN */
    int64_t T_ns;
    uint64_t n;
    char why[PROTO_TEXT_SIZE];
};
struct body_stop {   /* STOP, STOPPING; CANCELLED uses body_empty */
    uint64_t sample; /* stops after samples [0, sample); 2^64-1 in STOP: as soon as possible */
};
struct body_started {
    int64_t T_ns;
    int64_t start_error_ns;
    int64_t start_bound_ns;
};
struct body_ended {
    uint64_t n_samples;
    uint64_t n_gap_samples;
    uint64_t reason;    /* enum rlog_end_reason */
    uint64_t log_bytes; /* of all segments */
    char digest[65];    /* of the log */
    char text[PROTO_TEXT_SIZE];
};
struct body_log { /* RELEASE, RELEASED, REMOVE, REMOVED */
    char log[PROTO_NAME_SIZE];
    char digest[65]; /* RELEASE: must match */
};
struct body_have { /* HAVE, HAVING, PUT, STORED */
    char digest[65];
    uint64_t size;
    uint64_t offset; /* HAVING, STORED: bytes that are safely here */
};
struct body_power { /* POWER, POWERED */
    bool is_reboot;
};
struct body_blink {      /* BLINK, BLINKING */
    int64_t duration_ns; /* 0: stop blinking */
};
struct body_fetch {
    char log[PROTO_NAME_SIZE];
    uint64_t segment;
    uint64_t offset;       /* in the segment */
    uint64_t credit_bytes; /* may be sent before the next FETCH; 0 is a question: DATA of this
                            * place without bytes comes, behind all that was sent before */
    bool manifest;         /* instead: the manifest, whole, in one DATA */
    bool is_kept; /* segments in front of this one are durable at the sender, whose run it
                   * is: a node that records in memory may let them go */
};
struct body_data {
    char log[PROTO_NAME_SIZE];
    uint64_t segment;
    uint64_t offset;
    bool is_segment_end; /* this segment is complete with these bytes */
    bool is_log_end;     /* and it was the last one of a closed log */
    bool is_manifest;
};

#endif
