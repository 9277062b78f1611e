/* SPDX-License-Identifier: MIT */
/* The node's side of the start protocol: events and time in, actions out.
 *
 * Pure: no sockets, no clock, no files, no allocation; the agent and the simulator in
 * tests/support run the very same code. Every pair of state and event has an answer; some
 * answers are silence, where any word could be taken for evidence that it is not.
 *
 * A message counts only with this boot's id, with the experiment that is here, and from a
 * controller that is not older than the one that owns it. What it answers goes to the sender of
 * the message; what it tells goes to the owner. */
#ifndef SHEEP_EXPERIMENT_H
#define SHEEP_EXPERIMENT_H

#include "common/err.h"
#include "common/proto.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    NODE_GO_GUARD_MS = 400,     /* a GO must be there by T minus this */
    NODE_CANCEL_GUARD_MS = 100, /* a CANCEL by T minus this */
    NODE_LEASE_MS = 30000,      /* without a word of the owner, before GO */
    NODE_LOST_MS = 10000,       /* an owner this silent does not hold a finished node */
    NODE_HORIZON_S = 24 * 3600, /* no T is farther away */
    NODE_CLOCK_STEP_MS = 10,    /* UTC against the monotonic clock, between ARM and GO */
    NODE_WHY_SIZE = 160,
    NODE_MAX_ACTIONS = 4,
};

enum node_state {
    NODE_IDLE,
    NODE_PREPARING, /* the recorder prepares */
    NODE_PREPARED,
    NODE_ARMED,
    NODE_STARTING, /* GO was there in time; journal and recorder are being told */
    NODE_GOING,    /* the recorder has T */
    NODE_CANCELLING,
    NODE_RUNNING,
    NODE_RECOVERING, /* the recorder is gone; its log is being closed */
    NODE_DONE,
    N_NODE_STATES,
};

enum node_event_kind {
    /* messages of a controller */
    NODE_EVENT_PREPARE,
    NODE_EVENT_ARM,
    NODE_EVENT_GO,
    NODE_EVENT_CANCEL,
    NODE_EVENT_STOP,
    NODE_EVENT_RELEASE,
    NODE_EVENT_BEAT, /* PING with the owner's token */
    NODE_EVENT_TAKE_OVER,
    N_NODE_MESSAGES,
    /* what the node's own parts report */
    NODE_EVENT_PREPARED = N_NODE_MESSAGES,
    NODE_EVENT_PREPARE_FAILED,
    NODE_EVENT_START_CONFIRMED,
    NODE_EVENT_START_FAILED,
    NODE_EVENT_CANCEL_CONFIRMED,
    NODE_EVENT_CANCEL_FAILED, /* it runs already */
    NODE_EVENT_STARTED,
    NODE_EVENT_ENDED, /* the log is closed, by the recorder or by recovery */
    NODE_EVENT_RECORDER_LOST,
    NODE_EVENT_TIME,
    N_NODE_EVENTS,
};

struct node_event {
    enum node_event_kind kind;
    int64_t mono_ns;
    int64_t utc_ns; /* the node's clock, right or wrong */
    /* of messages */
    uint64_t experiment;
    uint64_t controller;
    uint64_t boot_id;
    uint64_t user; /* who the sender's key says it is */
    bool takes_over;
    int64_t T_ns;
    uint64_t n;
    uint64_t sample;      /* STOP; 2^64-1: as soon as possible */
    bool is_clock_good;   /* ARM */
    bool is_match;        /* RELEASE: the digest is that of the log */
    enum node_state seen; /* BEAT: what the owner thinks of this node */
    uint64_t preparation; /* which PREPARE the recorder answers */
    int64_t promise_ns;   /* PREPARED */
    uint64_t n_samples;   /* STARTED, ENDED, STOP, CANCEL: taken so far */
    enum err_code code;   /* of a failure */
    const char *why;      /* of a failure; NULL: none */
};

enum node_action_kind {
    NODE_ACT_ANSWER,  /* verb to the sender of this message, or of the pending one */
    NODE_ACT_TELL,    /* verb to the owner, unasked */
    NODE_ACT_PREPARE, /* answered by PREPARED or PREPARE_FAILED with `preparation` */
    NODE_ACT_START,   /* journal first, then the recorder; START_CONFIRMED or START_FAILED */
    NODE_ACT_CANCEL,  /* recorder; if in CANCELLING, CANCEL_CONFIRMED or CANCEL_FAILED */
    NODE_ACT_STOP,    /* recorder, at `sample` */
    NODE_ACT_RECOVER, /* the log that the lost recorder left; answered by ENDED */
    NODE_ACT_RELEASE, /* the log, by retention */
};

struct node_action {
    enum node_action_kind kind;
    enum proto_verb verb;
    int64_t T_ns;
    uint64_t n;
    uint64_t sample;
    int64_t promise_ns;
    uint64_t preparation;
    enum err_code code;
    char why[NODE_WHY_SIZE];
};

struct node_actions {
    struct node_action list[NODE_MAX_ACTIONS];
    size_t count;
};

/* Plain data; the agent reads it and journals what it needs. Zeroed by init. */
struct node_experiment {
    enum node_state state;
    uint64_t boot_id;
    /* What is here; in IDLE, what was here last, so that repeats get the same answer. */
    uint64_t experiment;
    uint64_t controller;
    uint64_t user;
    uint64_t preparation;
    int64_t promise_ns;
    int64_t lease_mono_ns; /* end of it */
    int64_t heard_mono_ns;
    int64_t T_ns;
    int64_t T_mono_ns;
    int64_t armed_offset_ns; /* UTC minus monotonic, when ARM came */
    uint64_t n;
    uint64_t n_down; /* arms up to this one are over for good; 0: none */
    uint64_t n_samples;
    uint64_t stop_sample;
    bool is_started;     /* sample 0 was taken */
    bool is_over;        /* IDLE: cancelled, refused or released; not prepared again */
    bool is_ended_known; /* the owner's heartbeat showed DONE */
};

void node_experiment_init(struct node_experiment *node, uint64_t boot_id);

/* After a start of the agent that finds something of `experiment` under way or finished: state
 * is GOING, RUNNING, RECOVERING or DONE. The owner stays who it was. */
struct node_restore {
    enum node_state state;
    uint64_t experiment;
    uint64_t controller;
    uint64_t user;
    int64_t T_ns;
    uint64_t n;
    uint64_t n_samples;
    bool is_started;
    int64_t mono_ns;
    int64_t utc_ns;
};
void node_experiment_restore(struct node_experiment *node, const struct node_restore *from);

/* One step. Actions are to be done in their order. */
void node_experiment_step(struct node_experiment *node, const struct node_event *event,
                          struct node_actions *actions);

/* When TIME is due next; INT64_MAX: not at all. */
int64_t node_experiment_deadline_ns(const struct node_experiment *node);

/* The word for PONG, STATE and WELCOME: idle, prepared, armed, going, running, done. */
const char *node_state_name(enum node_state state);
/* What a heartbeat's word means; IDLE when it is none of them. */
enum node_state node_state_of(const char *name);

/* True while the node is not free for another experiment. */
bool node_experiment_is_busy(const struct node_experiment *node, int64_t mono_ns);

#endif
