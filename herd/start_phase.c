/* SPDX-License-Identifier: MIT */
#include "herd/start_parts.h"

#include "common/clock.h"

#include <assert.h>
#include <stdio.h>

enum {
    TRIPS = 3, /* of the worst round trip, in T */
    AGAIN_US_PER_NODE = 300,
    GO_ROOM = 3, /* times what ARM took */
};

/* ---- actions ---- */

void start_act(struct start *start, enum start_action_kind kind, size_t i, enum proto_verb verb)
{
    assert(start->n_actions < start->max_actions);
    start->actions[start->n_actions++] = (struct start_action){
        .kind = kind, .i = i, .verb = verb, .T_ns = start->T_ns, .n = start->n
    };
}

/* The more nodes, the longer their answers take: what is repeated too early only adds to it. */
static void tell(struct start *start, size_t i, enum proto_verb verb, int64_t again_ms)
{
    start->nodes[i].again_ns = start->now_ns + again_ms * NS_PER_MS
                               + (int64_t)start->config.n_nodes * AGAIN_US_PER_NODE * NS_PER_US;
    start_act(start, START_ACT_TELL, i, verb);
}

void start_enter(struct start *start, enum start_phase phase)
{
    start->phase = phase;
    start->began_ns = start->now_ns;
}

/* ---- what is known of a node ---- */

void start_explain(struct start_node *node, enum err_code code, const char *why)
{
    node->code = code;
    snprintf(node->why, sizeof(node->why), "%s", why != NULL ? why : "no reason given");
}

/* Without a GO nothing starts: that proof needs no word of the node. */
void start_leave(struct start_node *node, enum err_code code, const char *why)
{
    if (!node->is_out) {
        node->is_out = true;
        start_explain(node, code, why);
    }
    if (!node->is_told) {
        node->word = START_WORD_NOT_STARTED;
    }
}

void start_prove_not_started(struct start_node *node, enum err_code code, const char *why)
{
    if (node->is_started) {
        return; /* the stronger proof came first */
    }
    node->is_out = true;
    node->is_going = false;
    node->word = START_WORD_NOT_STARTED;
    start_explain(node, code, why);
}

void start_prove_started(struct start_node *node)
{
    node->is_started = true;
    node->is_going = true;
    node->word = START_WORD_STARTED;
}

/* ---- T ---- */

static int64_t align_up(int64_t value, int64_t step)
{
    int64_t rest = step > 0 ? value % step : 0;

    return rest > 0 ? value + (step - rest) : value;
}

int64_t start_choose_T(const struct start *start, int64_t utc_ns)
{
    const struct start_network *network = &start->config.network;
    int64_t T_ns = utc_ns + network->largest_offset_ns + network->largest_bound_ns
                   + TRIPS * network->worst_trip_ns + START_ARM_MARGIN_MS * NS_PER_MS
                   + start->extra_margin_ns;

    for (size_t i = 0; i < start->config.n_nodes; i++) {
        const struct start_node *node = &start->nodes[i];

        if (!node->is_out && node->promise_ns > T_ns) {
            T_ns = node->promise_ns;
        }
    }
    return align_up(T_ns, start->config.align_ns);
}

static void choose(struct start *start, int64_t utc_ns)
{
    start->n++;
    start->T_ns = start_choose_T(start, utc_ns);
    start->T_mono_ns =
        start->now_ns + (start->T_ns - (utc_ns + start->config.network.median_offset_ns));
    for (size_t i = 0; i < start->config.n_nodes; i++) {
        start->nodes[i].is_armed = false;
        start->nodes[i].needs_later = false;
    }
    start_enter(start, START_CHOOSING);
    start_act(start, START_ACT_CHOOSE, 0, VERB_NONE);
}

static bool is_past(const struct start *start, int64_t before_T_ms)
{
    return start->now_ns >= start->T_mono_ns - before_T_ms * NS_PER_MS;
}

/* ---- cancelling ---- */

/* It may still hold a board, a log or an input for us. */
static bool is_cancel_open(const struct start_node *node)
{
    return node->is_asked && !node->is_free && !node->is_orphan && !node->is_ended;
}

void start_cancel(struct start *start, enum err_code code, const char *why)
{
    start->code = code;
    snprintf(start->why, sizeof(start->why), "%s", why);
    start_enter(start, START_CANCELLING);
    start_act(start, START_ACT_JOURNAL_CANCEL, 0, VERB_NONE);
    for (size_t i = 0; i < start->config.n_nodes; i++) {
        struct start_node *node = &start->nodes[i];

        if (is_cancel_open(node)) {
            tell(start, i, VERB_CANCEL, START_AGAIN_CANCEL_MS);
        }
        if (!node->is_told) {
            node->word = START_WORD_NOT_STARTED;
        }
    }
}

static void give_up(struct start *start)
{
    for (size_t i = 0; i < start->config.n_nodes; i++) {
        struct start_node *node = &start->nodes[i];

        if (node->word == START_WORD_OPEN) {
            node->word = START_WORD_UNKNOWN;
            start_explain(node, ERR_TIMEOUT, "CANCEL was not answered");
        }
        /* it may start all the same: whoever hears of it again stops it */
        node->is_orphan =
            node->is_orphan || (node->is_told && node->word != START_WORD_NOT_STARTED);
    }
    start_enter(start, START_OVER);
}

static void go_on_cancelling(struct start *start)
{
    int64_t from_ns = start->is_go_decided && start->T_mono_ns > start->began_ns
                          ? start->T_mono_ns
                          : start->began_ns;
    bool is_open = false;

    for (size_t i = 0; i < start->config.n_nodes; i++) {
        if (!is_cancel_open(&start->nodes[i])) {
            continue;
        }
        is_open = true;
        if (start->now_ns >= start->nodes[i].again_ns) {
            tell(start, i, VERB_CANCEL, START_AGAIN_CANCEL_MS);
        }
    }
    if (!is_open || start->now_ns >= from_ns + START_CANCEL_GIVE_UP_MS * NS_PER_MS) {
        give_up(start);
    }
}

/* A required node that is out ends the start; true when it did. */
static bool has_required_loss(struct start *start)
{
    char why[START_WHY_SIZE + 32];

    for (size_t i = 0; i < start->config.n_nodes; i++) {
        const struct start_node *node = &start->nodes[i];

        if (node->is_required && node->is_out) {
            snprintf(why, sizeof(why), "a required node takes no part: %s", node->why);
            start->culprit = i;
            start_cancel(start, node->code, why);
            return true;
        }
    }
    return false;
}

/* ---- phases ---- */

static void prepare(struct start *start)
{
    bool is_late = start->now_ns >= start->began_ns + start->config.prepare_timeout_ns;
    size_t n_in = 0;

    for (size_t i = 0; i < start->config.n_nodes; i++) {
        struct start_node *node = &start->nodes[i];

        if (node->is_out) {
            continue;
        }
        if (!node->is_ready && is_late) {
            start_leave(node, ERR_TIMEOUT, "no answer to PREPARE");
            continue;
        }
        n_in++;
    }
    if (has_required_loss(start)) {
        return;
    }
    if (n_in == 0) {
        start_cancel(start, ERR_STATE, "no node is ready");
        return;
    }
    for (size_t i = 0; i < start->config.n_nodes; i++) {
        struct start_node *node = &start->nodes[i];

        if (!node->is_out && !node->is_ready && start->now_ns >= node->again_ns) {
            node->is_asked = true;
            node->is_free = false; /* whatever an earlier boot of it had forgotten */
            tell(start, i, VERB_PREPARE, START_AGAIN_PREPARE_MS);
        }
    }
}

static bool is_all_ready(const struct start *start)
{
    for (size_t i = 0; i < start->config.n_nodes; i++) {
        if (!start->nodes[i].is_out && !start->nodes[i].is_ready) {
            return false;
        }
    }
    return true;
}

static void decide_go(struct start *start)
{
    start->is_go_decided = true;
    start_enter(start, START_GOING);
    for (size_t i = 0; i < start->config.n_nodes; i++) {
        if (!start->nodes[i].is_out && !start->nodes[i].is_armed) {
            start_leave(&start->nodes[i], ERR_TIMEOUT, "not armed in time");
            start->nodes[i].again_ns = start->now_ns; /* CANCEL frees it, behind the GOs */
        }
    }
    start_act(start, START_ACT_JOURNAL_GO, 0, VERB_NONE);
    for (size_t i = 0; i < start->config.n_nodes; i++) {
        if (!start->nodes[i].is_out) {
            start->nodes[i].is_told = true;
            tell(start, i, VERB_GO, START_AGAIN_GO_MS);
        }
    }
}

/* Counts who is in: armed, not armed, and required but not armed. */
struct census {
    size_t n_in;
    size_t n_armed;
    size_t n_missing; /* required, in, not armed */
    bool needs_later;
};

static struct census count(const struct start *start)
{
    struct census census = { 0 };

    for (size_t i = 0; i < start->config.n_nodes; i++) {
        const struct start_node *node = &start->nodes[i];

        if (node->is_out) {
            continue;
        }
        census.n_in++;
        census.n_armed += node->is_armed ? 1 : 0;
        census.n_missing += node->is_required && !node->is_armed ? 1 : 0;
        census.needs_later = census.needs_later || node->needs_later;
    }
    return census;
}

static void arm_later(struct start *start, int64_t utc_ns)
{
    if (start->n >= START_MAX_ARMS) {
        start_cancel(start, ERR_TIMEOUT, "not all required nodes could be armed in time");
        return;
    }
    start->extra_margin_ns = start->extra_margin_ns * 2 + START_ARM_MARGIN_MS * NS_PER_MS;
    choose(start, utc_ns);
}

/* GO will take about as long as ARM took; a start that would miss its guard for that is not
 * begun while there is a later T to try. */
static bool has_room_for_go(const struct start *start)
{
    int64_t took_ns = start->now_ns - start->began_ns;

    return start->n >= START_MAX_ARMS
           || start->now_ns + GO_ROOM * took_ns
                  <= start->T_mono_ns - START_GUARD_GO_MS * NS_PER_MS;
}

/* All, with room for GO; or, when it gets late, all that are required. */
static bool may_go(const struct start *start, const struct census *census, bool is_late)
{
    if (is_late) {
        return census->n_missing == 0 && census->n_armed > 0
               && !is_past(start, START_GUARD_GO_MS);
    }
    return census->n_armed == census->n_in && has_room_for_go(start);
}

static void arm(struct start *start, int64_t utc_ns)
{
    bool is_late = is_past(start, START_GUARD_GO_MS + START_GO_LEAD_MS);
    struct census census;

    if (has_required_loss(start)) {
        return;
    }
    census = count(start);
    if (census.n_in == 0) {
        start_cancel(start, ERR_STATE, "no node is armed");
    } else if (may_go(start, &census, is_late)) {
        decide_go(start);
    } else if (is_late || census.needs_later || census.n_armed == census.n_in) {
        arm_later(start, utc_ns);
    } else {
        for (size_t i = 0; i < start->config.n_nodes; i++) {
            struct start_node *node = &start->nodes[i];

            if (!node->is_out && !node->is_armed && start->now_ns >= node->again_ns) {
                tell(start, i, VERB_ARM, START_AGAIN_ARM_MS);
            }
        }
    }
}

void start_arm_all(struct start *start)
{
    start_enter(start, START_ARMING);
    start_act(start, START_ACT_JOURNAL_ARM, 0, VERB_NONE);
    for (size_t i = 0; i < start->config.n_nodes; i++) {
        if (!start->nodes[i].is_out) {
            tell(start, i, VERB_ARM, START_AGAIN_ARM_MS);
        }
    }
}

/* What GO has brought so far. */
static void gather_going(struct start *start)
{
    bool may_repeat = !is_past(start, START_GUARD_GO_MS);
    size_t n_open = 0;
    size_t n_lost = 0; /* required, and not going for certain */

    for (size_t i = 0; i < start->config.n_nodes; i++) {
        struct start_node *node = &start->nodes[i];

        if (!node->is_told || node->is_going) {
            continue;
        }
        if (node->word == START_WORD_NOT_STARTED || node->is_rebooted) {
            n_lost += node->is_required ? 1 : 0;
            continue;
        }
        n_open++;
        if (may_repeat && start->now_ns >= node->again_ns) {
            tell(start, i, VERB_GO, START_AGAIN_GO_MS);
        }
    }
    if (n_lost > 0 && start->config.if_incomplete == INCOMPLETE_ABORT) {
        start_cancel(start, ERR_STATE, "a required node does not go");
    } else if (n_open == 0) {
        start_enter(start, START_COMMITTED);
    }
}

static void decide(struct start *start)
{
    bool is_complete = true;

    for (size_t i = 0; i < start->config.n_nodes; i++) {
        const struct start_node *node = &start->nodes[i];

        is_complete = is_complete && (!node->is_required || node->is_going);
    }
    if (!is_complete && start->config.if_incomplete == INCOMPLETE_ABORT) {
        start_cancel(start, ERR_TIMEOUT, "a required node did not confirm GO in time");
        return;
    }
    for (size_t i = 0; i < start->config.n_nodes; i++) {
        struct start_node *node = &start->nodes[i];

        if (node->is_told && !node->is_going && node->word == START_WORD_OPEN) {
            node->word = START_WORD_UNKNOWN;
            start_explain(node, ERR_TIMEOUT, "GO was not confirmed");
        }
    }
    start_enter(start, START_COMMITTED);
}

/* Who takes no part any more need not hold its board until the lease runs out. */
static void free_outs(struct start *start)
{
    for (size_t i = 0; i < start->config.n_nodes; i++) {
        struct start_node *node = &start->nodes[i];

        if (node->is_out && is_cancel_open(node) && start->now_ns >= node->again_ns) {
            tell(start, i, VERB_CANCEL, START_AGAIN_CANCEL_MS);
        }
    }
}

void start_advance(struct start *start, int64_t utc_ns)
{
    switch (start->phase) {
    case START_PREPARING:
        prepare(start);
        if (start->phase == START_PREPARING && is_all_ready(start)) {
            start->last_ready_ns = start->now_ns;
            choose(start, utc_ns);
        }
        break;
    case START_ARMING:
        arm(start, utc_ns);
        break;
    case START_GOING:
        if (is_past(start, START_DECISION_MS)) {
            decide(start);
        } else {
            gather_going(start);
        }
        if (start->phase != START_CANCELLING) {
            free_outs(start);
        }
        break;
    case START_CANCELLING:
        go_on_cancelling(start);
        break;
    case START_CHOOSING:
    case START_COMMITTED:
    case START_OVER:
        break;
    }
}
