/* SPDX-License-Identifier: MIT */
/* Herd's side of the start protocol: events and time in, actions out.
 *
 * Pure: no sockets, no clock, no files. herd run and the simulator in tests/support drive the
 * very same code. GO is decided at most once per experiment, only with the ARMED of every
 * required node in hand, and only after START_ACT_JOURNAL_GO was done: the driver syncs its
 * journal before it does the actions that follow. */
#ifndef HERD_START_H
#define HERD_START_H

#include "common/err.h"
#include "common/experiment.h"
#include "common/proto.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    START_ARM_MARGIN_MS = 700,
    START_GUARD_GO_MS = 400,     /* a GO must be there by T minus this */
    START_DECISION_MS = 250,     /* herd decides at T minus this */
    START_GUARD_CANCEL_MS = 100, /* a CANCEL must be there by T minus this */
    START_GO_LEAD_MS = 100,      /* no GO is begun later than this before its guard */
    START_MAX_ARMS = 4,
    START_AGAIN_PREPARE_MS = 2000,
    START_AGAIN_ARM_MS = 100,
    START_AGAIN_GO_MS = 50,
    START_AGAIN_CANCEL_MS = 100,
    START_CANCEL_GIVE_UP_MS = 3000, /* after T, or after the first CANCEL without a T */
    START_WHY_SIZE = 240,
};

enum start_phase {
    START_PREPARING,
    START_CHOOSING, /* T is proposed; the driver says T_OK or ABORT */
    START_ARMING,
    START_GOING,     /* GO is in the journal */
    START_COMMITTED, /* T comes; what runs, runs */
    START_CANCELLING,
    START_OVER, /* cancelled: every node is settled, or given up as unknown */
};

/* What may be said about a node's start. */
enum start_word {
    START_WORD_OPEN,        /* under way */
    START_WORD_NOT_STARTED, /* proven */
    START_WORD_STARTED,     /* proven */
    START_WORD_UNKNOWN,     /* until the node is heard again */
};

enum start_event_kind {
    START_EVENT_TIME,
    START_EVENT_T_OK,
    START_EVENT_ABORT, /* of the user, or of the driver; why */
    /* words of node i */
    START_EVENT_READY,
    START_EVENT_REFUSED, /* verb: what was refused; n of an ARM */
    START_EVENT_ARMED,
    START_EVENT_GOING,
    START_EVENT_STOOD_DOWN,
    START_EVENT_CANCELLED,
    START_EVENT_STOPPING,
    START_EVENT_STARTED,
    START_EVENT_ENDED,
    START_EVENT_STATE,    /* answer to STATUS, with is_here, is_started */
    START_EVENT_REBOOTED, /* heard again with a new boot id */
    START_EVENT_GONE,     /* lost, or it never answered: before GO it takes no part */
    N_START_EVENTS,
};

struct start_event {
    enum start_event_kind kind;
    int64_t mono_ns;
    int64_t utc_ns; /* herd's */
    size_t i;
    enum proto_verb verb;
    int64_t T_ns;
    uint64_t n;
    int64_t promise_ns;
    uint64_t n_samples; /* ENDED */
    bool is_here;       /* STATE: the node still knows this experiment */
    bool is_going;      /* STATE: it is, and T has not come */
    bool is_started;    /* STATE */
    enum err_code code;
    const char *why; /* NULL: none */
};

enum start_action_kind {
    START_ACT_TELL,        /* verb, T, n to node i */
    START_ACT_ASK_STATE,   /* STATUS to node i */
    START_ACT_CHOOSE,      /* T and n are proposed; answer with T_OK or ABORT */
    START_ACT_JOURNAL_ARM, /* sync before the next action */
    START_ACT_JOURNAL_GO,
    START_ACT_JOURNAL_CANCEL,
};

struct start_action {
    enum start_action_kind kind;
    size_t i;
    enum proto_verb verb;
    int64_t T_ns;
    uint64_t n;
};

/* Plain data, for reading. */
struct start_node {
    bool is_required;
    bool is_out;   /* takes no further part; why tells */
    bool is_asked; /* a PREPARE was sent: until is_free, it may hold something for us */
    bool is_free;  /* it refused, cancelled, or has forgotten us */
    bool is_ready;
    bool is_armed; /* for the present n */
    bool is_told;  /* a GO was sent: from here on only proof counts */
    bool is_going;
    bool is_started;
    bool is_ended;
    bool is_orphan;     /* CANCEL came too late for it, or was not answered */
    bool is_called_off; /* it would have, but CANCEL came */
    bool is_rebooted;   /* since it was told */
    bool needs_later;   /* refused T as too near */
    enum start_word word;
    int64_t promise_ns;
    int64_t again_ns;
    enum err_code code;
    char why[START_WHY_SIZE];
};

/* What the exchanges of timestamps showed. */
struct start_network {
    int64_t median_offset_ns;  /* the nodes' clocks minus herd's */
    int64_t largest_offset_ns; /* absolute */
    int64_t largest_bound_ns;
    int64_t worst_trip_ns;
};

struct start_config {
    size_t n_nodes;
    int64_t align_ns;
    enum if_incomplete if_incomplete;
    int64_t prepare_timeout_ns;
    struct start_network network;
};

struct start {
    struct start_config config;
    enum start_phase phase;
    struct start_node *nodes;
    int64_t began_ns; /* monotonic; of the phase */
    int64_t T_ns;
    int64_t T_mono_ns; /* when the nodes' clocks show T, as well as herd knows */
    uint64_t n;
    bool is_go_decided;
    int64_t extra_margin_ns;
    int64_t last_ready_ns; /* monotonic */
    int64_t now_ns;
    char why[START_WHY_SIZE]; /* of a cancellation */
    enum err_code code;
    size_t culprit;               /* the node because of which; SIZE_MAX: none */
    struct start_action *actions; /* of the last step */
    size_t n_actions;
    size_t max_actions;
};

/* Storage of `start` is the caller's. `is_required` has n_nodes. ERR_MEMORY. */
MUST_CHECK int start_init(struct start *start, const struct start_config *config,
                          const bool *is_required, struct err *err);
void start_fini(struct start *start);

/* The clock of the preparation begins; the next TIME sends PREPARE to all that are not out. */
void start_begin(struct start *start, int64_t mono_ns);

/* Before start_begin: this node takes no part (clock, unreachable). */
void start_exclude(struct start *start, size_t i, enum err_code code, const char *why);

/* One step; start->actions are to be done in order. */
void start_step(struct start *start, const struct start_event *event);

/* When TIME is due at the latest; INT64_MAX: never. */
int64_t start_deadline_ns(const struct start *start);

/* Continues after a crash of herd: GO of arm n was decided and told to the nodes that `told`
 * names (NULL: to all). Phase is COMMITTED, or OVER when it was cancelled afterwards; everybody
 * told is unknown until STATE says more, and then an orphan if it was cancelled. */
void start_resume(struct start *start, int64_t T_ns, uint64_t n, const bool *told,
                  bool is_cancelled);

/* The earliest T that all can keep: promises, herd's clock, network, margin; aligned up. */
int64_t start_choose_T(const struct start *start, int64_t utc_ns);

const char *start_phase_name(enum start_phase phase);
const char *start_word_name(enum start_word word);

#endif
