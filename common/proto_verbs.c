/* SPDX-License-Identifier: MIT */
/* The table of verbs, and the schema of every body. */
#include "common/proto.h"

#include <string.h>

#define MEMBER_SIZE(type, member) sizeof(((struct type *)0)->member)

/* Bodies are written whole, and a key that is not needed may be absent: it is then zero. */
#define FIELD(type_, kind_, member_, optional_)                                       \
    {                                                                                 \
        .name = #member_, .type = (kind_), .offset = offsetof(struct type_, member_), \
        .size = MEMBER_SIZE(type_, member_), .is_optional = (optional_)               \
    }
#define NEED(type, kind, member) FIELD(type, FIELD_##kind, member, false)
#define MAY(type, kind, member)  FIELD(type, FIELD_##kind, member, true)
#define END          \
    {                \
        .name = NULL \
    }
#define SCHEMA(type_, help_)                                                          \
    static const struct schema type_##_schema = { .name = #type_,                     \
                                                  .help = (help_),                    \
                                                  .fields = type_##_fields,           \
                                                  .size = sizeof(struct type_) };     \
    _Static_assert(sizeof(struct type_) <= sizeof(((struct proto_message *)0)->body), \
                   "a body that a message cannot hold")

static const struct field body_empty_fields[] = { END };
SCHEMA(body_empty, "nothing");

static const struct field body_hello_fields[] = {
    NEED(body_hello, STRING, name),
    NEED(body_hello, STRING, version),
    MAY(body_hello, BOOL, take_over),
    END,
};
SCHEMA(body_hello, "who commands, and with which program");

static const struct field body_welcome_fields[] = {
    NEED(body_welcome, STRING, node),
    NEED(body_welcome, STRING, version),
    NEED(body_welcome, STRING, board),
    NEED(body_welcome, U64, boot_id),
    NEED(body_welcome, STRING, state),
    MAY(body_welcome, U64, experiment),
    MAY(body_welcome, STRING, experiment_name),
    MAY(body_welcome, STRING, owner),
    MAY(body_welcome, U64, disk_free_bytes),
    MAY(body_welcome, BOOL, has_calibration),
    END,
};
SCHEMA(body_welcome, "who the node is and what it does");

static const struct field body_clock_fields[] = {
    NEED(body_clock, I64, t1_ns),
    MAY(body_clock, I64, t2_ns),
    MAY(body_clock, I64, t3_ns),
    MAY(body_clock, STRING, source),
    MAY(body_clock, BOOL, is_locked),
    MAY(body_clock, I64, claimed_offset_ns),
    MAY(body_clock, I64, claimed_bound_ns),
    MAY(body_clock, STRING, state),
    MAY(body_clock, U64, experiment),
    MAY(body_clock, U64, n_samples),
    MAY(body_clock, U64, log_bytes),
    MAY(body_clock, U64, log_bytes_max),
    END,
};
SCHEMA(body_clock, "timestamps, the claim of the node's clock, progress");

static const struct field body_state_fields[] = {
    NEED(body_state, STRING, node),
    NEED(body_state, STRING, state),
    MAY(body_state, STRING, experiment_name),
    MAY(body_state, STRING, log),
    MAY(body_state, U64, experiment),
    MAY(body_state, STRING, owner),
    MAY(body_state, I64, T_ns),
    MAY(body_state, U64, n_samples),
    MAY(body_state, U64, n_planned),
    MAY(body_state, U64, ring_fill_max),
    MAY(body_state, U64, queue_fill_max),
    MAY(body_state, U64, disk_free_bytes),
    MAY(body_state, I64, uptime_ns),
    MAY(body_state, STRING, fault),
    MAY(body_state, BOOL, is_started),
    MAY(body_state, I64, start_error_ns),
    MAY(body_state, I64, start_bound_ns),
    MAY(body_state, BOOL, is_ended),
    MAY(body_state, U64, reason),
    END,
};
SCHEMA(body_state, "everything about the node's experiment");

static const struct field body_live_fields[] = {
    NEED(body_live, STRING, node),
    NEED(body_live, STRING, state),
    MAY(body_live, STRING, experiment_name),
    MAY(body_live, U64, experiment),
    MAY(body_live, I64, utc_ns),
    MAY(body_live, I64, T_ns),
    MAY(body_live, U64, n_samples),
    MAY(body_live, U64, n_planned),
    MAY(body_live, U64, ring_fill_max),
    MAY(body_live, U64, queue_fill_max),
    MAY(body_live, U64, disk_free_bytes),
    MAY(body_live, STRING, fault),
    MAY(body_live, BOOL, has_gpio),
    MAY(body_live, U64, gpio),
    MAY(body_live, I64, gpio_ns),
    MAY(body_live, U64, n_edges),
    MAY(body_live, F64, voltage_gain),
    MAY(body_live, F64, voltage_offset),
    MAY(body_live, F64, current_gain),
    MAY(body_live, F64, current_offset),
    MAY(body_live, BOOL, has_voltage),
    MAY(body_live, BOOL, has_current),
    MAY(body_live, F64, voltage_V),
    MAY(body_live, F64, current_A),
    END,
};
SCHEMA(body_live, "what the node does and measures now");

static const struct field body_prepare_fields[] = {
    NEED(body_prepare, STRING, experiment_name),
    NEED(body_prepare, STRING, log),
    MAY(body_prepare, BOOL, overwrite),
    END,
};
SCHEMA(body_prepare, "the experiment and its log; the payload configures the node");

static const struct field body_ready_fields[] = {
    NEED(body_ready, I64, promise_ns),
    NEED(body_ready, STRING, log),
    END,
};
SCHEMA(body_ready, "the earliest start that the node can keep");

static const struct field body_refused_fields[] = {
    NEED(body_refused, STRING, why),
    MAY(body_refused, STRING, code),
    END,
};
SCHEMA(body_refused, "why not");

static const struct field body_arm_fields[] = {
    NEED(body_arm, I64, T_ns),
    NEED(body_arm, U64, n),
    MAY(body_arm, STRING, why),
    END,
};
SCHEMA(body_arm, "the instant of the first sample, and the number of the arm");

static const struct field body_stop_fields[] = { NEED(body_stop, U64, sample), END };
SCHEMA(body_stop, "the number of samples to stop after");

static const struct field body_started_fields[] = {
    NEED(body_started, I64, T_ns),
    NEED(body_started, I64, start_error_ns),
    NEED(body_started, I64, start_bound_ns),
    END,
};
SCHEMA(body_started, "the measured start");

static const struct field body_ended_fields[] = {
    NEED(body_ended, U64, n_samples),
    NEED(body_ended, U64, n_gap_samples),
    NEED(body_ended, U64, reason),
    NEED(body_ended, U64, log_bytes),
    NEED(body_ended, STRING, digest),
    MAY(body_ended, STRING, text),
    END,
};
SCHEMA(body_ended, "the closing totals of a log");

static const struct field body_log_fields[] = {
    NEED(body_log, STRING, log),
    MAY(body_log, STRING, digest),
    END,
};
SCHEMA(body_log, "a log, and the digest it must have");

static const struct field body_have_fields[] = {
    NEED(body_have, STRING, digest),
    MAY(body_have, U64, size),
    MAY(body_have, U64, offset),
    END,
};
SCHEMA(body_have, "an input stream and how much of it is there");

static const struct field body_power_fields[] = {
    MAY(body_power, BOOL, is_reboot),
    END,
};
SCHEMA(body_power, "off, or off and on again");

static const struct field body_blink_fields[] = { NEED(body_blink, I64, duration_ns), END };
SCHEMA(body_blink, "how long the node's lights blink");

static const struct field body_fetch_fields[] = {
    NEED(body_fetch, STRING, log),
    MAY(body_fetch, U64, segment),
    MAY(body_fetch, U64, offset),
    MAY(body_fetch, U64, credit_bytes),
    MAY(body_fetch, BOOL, manifest),
    MAY(body_fetch, BOOL, is_kept),
    END,
};
SCHEMA(body_fetch, "where to go on reading a log, and how far");

static const struct field body_data_fields[] = {
    NEED(body_data, STRING, log),
    NEED(body_data, U64, segment),
    NEED(body_data, U64, offset),
    MAY(body_data, BOOL, is_segment_end),
    MAY(body_data, BOOL, is_log_end),
    MAY(body_data, BOOL, is_manifest),
    END,
};
SCHEMA(body_data, "where the payload belongs");

enum {
    ANYONE = ROLE_OBSERVER | ROLE_OPERATOR
};

static const struct proto_verb_info VERBS[N_VERBS] = {
    [VERB_HELLO] = {"HELLO",        ANYONE,        &body_hello_schema,   0},
    [VERB_PING] = { "PING",        ANYONE,        &body_clock_schema,   0},
    [VERB_CLOCK] = { "CLOCK",       ANYONE,        &body_clock_schema,   0},
    [VERB_STATUS] = { "STATUS",      ANYONE,        &body_empty_schema,   0},
    [VERB_PREPARE] = { "PREPARE",     ROLE_OPERATOR, &body_prepare_schema, 1},
    [VERB_ARM] = { "ARM",         ROLE_OPERATOR, &body_arm_schema,     0},
    [VERB_GO] = { "GO",          ROLE_OPERATOR, &body_arm_schema,     0},
    [VERB_CANCEL] = { "CANCEL",      ROLE_OPERATOR, &body_empty_schema,   0},
    [VERB_STOP] = { "STOP",        ROLE_OPERATOR, &body_stop_schema,    0},
    [VERB_RELEASE] = { "RELEASE",     ROLE_OPERATOR, &body_log_schema,     0},
    [VERB_LIST] = { "LIST",        ANYONE,        &body_empty_schema,   0},
    [VERB_REMOVE] = { "REMOVE",      ROLE_OPERATOR, &body_log_schema,     0},
    [VERB_HAVE] = { "HAVE",        ROLE_OPERATOR, &body_have_schema,    0},
    [VERB_POWER] = { "POWER",       ROLE_OPERATOR, &body_power_schema,   0},
    [VERB_INVENTORY] = { "INVENTORY",   ANYONE,        &body_empty_schema,   0},
    [VERB_BLINK] = { "BLINK",       ROLE_OPERATOR, &body_blink_schema,   0},
    [VERB_PUT] = { "PUT",         ROLE_OPERATOR, &body_have_schema,    1},
    [VERB_FETCH] = { "FETCH",       ANYONE,        &body_fetch_schema,   0},
    [VERB_WELCOME] = { "WELCOME",     ROLE_SHEEP,    &body_welcome_schema, 0},
    [VERB_PONG] = { "PONG",        ROLE_SHEEP,    &body_clock_schema,   0},
    [VERB_CLOCKED] = { "CLOCKED",     ROLE_SHEEP,    &body_clock_schema,   0},
    [VERB_STATE] = { "STATE",       ROLE_SHEEP,    &body_state_schema,   0},
    [VERB_READY] = { "READY",       ROLE_SHEEP,    &body_ready_schema,   0},
    [VERB_REFUSED] = { "REFUSED",     ROLE_SHEEP,    &body_refused_schema, 0},
    [VERB_ARMED] = { "ARMED",       ROLE_SHEEP,    &body_arm_schema,     0},
    [VERB_GOING] = { "GOING",       ROLE_SHEEP,    &body_arm_schema,     0},
    [VERB_STOOD_DOWN] = { "STOOD_DOWN",  ROLE_SHEEP,    &body_arm_schema,     0},
    [VERB_CANCELLED] = { "CANCELLED",   ROLE_SHEEP,    &body_empty_schema,   0},
    [VERB_STOPPING] = { "STOPPING",    ROLE_SHEEP,    &body_stop_schema,    0},
    [VERB_RELEASED] = { "RELEASED",    ROLE_SHEEP,    &body_log_schema,     0},
    [VERB_LISTING] = { "LISTING",     ROLE_SHEEP,    &body_empty_schema,   1},
    [VERB_REMOVED] = { "REMOVED",     ROLE_SHEEP,    &body_log_schema,     0},
    [VERB_HAVING] = { "HAVING",      ROLE_SHEEP,    &body_have_schema,    0},
    [VERB_POWERED] = { "POWERED",     ROLE_SHEEP,    &body_power_schema,   0},
    [VERB_INVENTORIED] = { "INVENTORIED", ROLE_SHEEP,    &body_empty_schema,   1},
    [VERB_BLINKING] = { "BLINKING",    ROLE_SHEEP,    &body_blink_schema,   0},
    [VERB_STORED] = { "STORED",      ROLE_SHEEP,    &body_have_schema,    0},
    [VERB_DATA] = { "DATA",        ROLE_SHEEP,    &body_data_schema,    1},
    [VERB_STARTED] = { "STARTED",     ROLE_SHEEP,    &body_started_schema, 0},
    [VERB_ENDED] = { "ENDED",       ROLE_SHEEP,    &body_ended_schema,   0},
    [VERB_LIVE] = { "LIVE",        ROLE_SHEEP,    &body_live_schema,    1},
};

const struct proto_verb_info *proto_verb_info(enum proto_verb verb)
{
    if ((int)verb <= VERB_NONE || (int)verb >= N_VERBS) {
        return NULL;
    }
    return &VERBS[verb];
}

enum proto_verb proto_verb_of(const char *name, size_t size)
{
    for (int i = VERB_NONE + 1; i < N_VERBS; i++) {
        if (strlen(VERBS[i].name) == size && memcmp(VERBS[i].name, name, size) == 0) {
            return (enum proto_verb)i;
        }
    }
    return VERB_NONE;
}

const char *proto_role_name(unsigned role)
{
    switch (role) {
    case ROLE_OBSERVER:
        return "observer";
    case ROLE_OPERATOR:
        return "operator";
    case ROLE_SHEEP:
        return "sheep";
    default:
        return "a stranger";
    }
}
