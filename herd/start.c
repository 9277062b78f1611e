/* SPDX-License-Identifier: MIT */
#include "herd/start.h"

#include "common/clock.h"
#include "herd/start_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ACTIONS_PER_NODE = 4,
    ACTIONS_BESIDE = 8,
    TICK_MS = 10,
};

int start_init(struct start *start, const struct start_config *config, const bool *is_required,
               struct err *err)
{
    memset(start, 0, sizeof(*start));
    start->config = *config;
    start->culprit = SIZE_MAX;
    start->max_actions = config->n_nodes * ACTIONS_PER_NODE + ACTIONS_BESIDE;
    start->nodes = calloc(config->n_nodes + 1, sizeof(*start->nodes));
    start->actions = calloc(start->max_actions, sizeof(*start->actions));
    if (start->nodes == NULL || start->actions == NULL) {
        start_fini(start);
        return err_set(err, ERR_MEMORY, "the start of %zu nodes", config->n_nodes);
    }
    for (size_t i = 0; i < config->n_nodes; i++) {
        start->nodes[i].is_required = is_required[i];
    }
    return 0;
}

void start_fini(struct start *start)
{
    free(start->nodes);
    free(start->actions);
    memset(start, 0, sizeof(*start));
}

void start_exclude(struct start *start, size_t i, enum err_code code, const char *why)
{
    start_leave(&start->nodes[i], code, why);
}

/* ---- events ---- */

static void on_refused(struct start *start, struct start_node *node,
                       const struct start_event *event)
{
    if (event->verb == VERB_PREPARE) {
        node->is_free = true;
        if (start->phase == START_PREPARING) {
            start_leave(node, event->code, event->why);
        }
    } else if (event->verb == VERB_ARM && start->phase == START_ARMING
               && event->n == start->n) {
        if (event->code == ERR_TIMEOUT) {
            node->needs_later = true;
        } else {
            start_leave(node, event->code, event->why);
        }
    } else if (event->verb == VERB_CANCEL || event->verb == VERB_GO) {
        /* It says only that the node has nothing of ours now; why, its state tells. */
        start_act(start, START_ACT_ASK_STATE, event->i, VERB_STATUS);
    }
}

static void on_state(struct start_node *node, const struct start_event *event)
{
    if (event->is_here && event->is_started) {
        start_prove_started(node);
    } else if (event->is_here && event->is_going) {
        node->is_going = true;
    } else if (!event->is_here && node->is_told) {
        /* What ran, a node never forgets: neither over a reboot. */
        start_prove_not_started(node, ERR_STATE, "the node has no record of a start");
    }
    node->is_free = node->is_free || !event->is_here;
}

static void on_rebooted(struct start *start, struct start_node *node, size_t i)
{
    node->is_armed = false;
    node->is_free = !node->is_told; /* a boot forgets what did not run */
    if (node->is_told) {
        node->is_rebooted = true;
        node->is_going = false;
        if (!node->is_started && node->word != START_WORD_NOT_STARTED) {
            node->word = START_WORD_UNKNOWN; /* what was proven stays so */
        }
        start_act(start, START_ACT_ASK_STATE, i, VERB_STATUS);
    } else if (node->is_ready) {
        start_leave(node, ERR_STATE, "the node was restarted during the preparation");
    }
}

static void on_cancelled(struct start *start, struct start_node *node)
{
    /* Unasked, it is the end of a lease, or the loss of what was prepared. */
    node->is_free = true;
    node->is_called_off = start->phase == START_CANCELLING && !node->is_out;
    start_prove_not_started(
        node, ERR_STATE, start->phase == START_CANCELLING ? "cancelled" : "the node cancelled");
}

static void on_word(struct start *start, const struct start_event *event)
{
    struct start_node *node = &start->nodes[event->i];
    bool is_this_arm = event->n == start->n && event->T_ns == start->T_ns;

    switch (event->kind) {
    case START_EVENT_READY:
        if (start->phase == START_PREPARING && !node->is_out) {
            node->is_ready = true;
            node->promise_ns = event->promise_ns;
        }
        break;
    case START_EVENT_REFUSED:
        on_refused(start, node, event);
        break;
    case START_EVENT_ARMED:
        node->is_armed =
            node->is_armed || (is_this_arm && !node->is_out && start->phase == START_ARMING);
        break;
    case START_EVENT_GOING:
        node->is_going = node->is_going
                         || (is_this_arm && node->is_told && !node->is_free
                             && node->word != START_WORD_NOT_STARTED);
        if (node->is_going && node->word == START_WORD_UNKNOWN) {
            node->word = START_WORD_OPEN;
        }
        break;
    case START_EVENT_STOOD_DOWN:
        if (event->n == start->n && node->is_told) {
            start_prove_not_started(node, ERR_TIMEOUT, event->why);
        } else if (event->n == start->n && start->phase == START_ARMING) {
            node->is_armed = false; /* its guard passed before a GO */
            node->needs_later = true;
        }
        break;
    case START_EVENT_CANCELLED:
        on_cancelled(start, node);
        break;
    case START_EVENT_STOPPING:
        if (start->phase == START_CANCELLING) {
            node->is_orphan = true;
            node->word = node->is_started ? START_WORD_STARTED : START_WORD_UNKNOWN;
            start_explain(node, ERR_STATE, "CANCEL came too late: stopped as an orphan");
        }
        break;
    case START_EVENT_STARTED:
        start_prove_started(node);
        break;
    case START_EVENT_ENDED:
        node->is_ended = true;
        if (event->n_samples > 0) {
            start_prove_started(node);
        }
        break;
    case START_EVENT_STATE:
        on_state(node, event);
        break;
    case START_EVENT_REBOOTED:
        on_rebooted(start, node, event->i);
        break;
    case START_EVENT_GONE:
        if (!node->is_told) {
            start_leave(node, ERR_UNREACHABLE, event->why);
        }
        break;
    case START_EVENT_TIME:
    case START_EVENT_T_OK:
    case START_EVENT_ABORT:
    case N_START_EVENTS:
        break;
    }
}

void start_step(struct start *start, const struct start_event *event)
{
    start->n_actions = 0;
    start->now_ns = event->mono_ns;
    if (event->kind == START_EVENT_ABORT) {
        if (start->phase < START_COMMITTED) {
            start_cancel(start, event->code, event->why != NULL ? event->why : "interrupted");
        }
    } else if (event->kind == START_EVENT_T_OK) {
        if (start->phase == START_CHOOSING) {
            start_arm_all(start);
        }
    } else if (event->kind != START_EVENT_TIME && event->i < start->config.n_nodes) {
        on_word(start, event);
    }
    start_advance(start, event->utc_ns);
}

void start_begin(struct start *start, int64_t mono_ns)
{
    start->now_ns = mono_ns;
    start_enter(start, START_PREPARING);
}

void start_resume(struct start *start, int64_t T_ns, uint64_t n, const bool *told,
                  bool is_cancelled)
{
    start->phase = is_cancelled ? START_OVER : START_COMMITTED;
    start->T_ns = T_ns;
    start->n = n;
    start->is_go_decided = true;
    for (size_t i = 0; i < start->config.n_nodes; i++) {
        struct start_node *node = &start->nodes[i];

        node->is_told = told == NULL || told[i];
        node->is_out = !node->is_told;
        node->is_orphan = node->is_told && is_cancelled;
        node->word = node->is_told ? START_WORD_UNKNOWN : START_WORD_NOT_STARTED;
    }
}

int64_t start_deadline_ns(const struct start *start)
{
    return start->phase == START_COMMITTED || start->phase == START_OVER
                   || start->phase == START_CHOOSING
               ? INT64_MAX
               : start->now_ns + TICK_MS * NS_PER_MS;
}

const char *start_phase_name(enum start_phase phase)
{
    static const char *const NAMES[] = {
        [START_PREPARING] = "preparing", [START_CHOOSING] = "choosing T",
        [START_ARMING] = "arming",       [START_GOING] = "going",
        [START_COMMITTED] = "committed", [START_CANCELLING] = "cancelling",
        [START_OVER] = "cancelled",
    };

    return NAMES[phase];
}

const char *start_word_name(enum start_word word)
{
    static const char *const NAMES[] = {
        [START_WORD_OPEN] = "open",
        [START_WORD_NOT_STARTED] = "not started",
        [START_WORD_STARTED] = "started",
        [START_WORD_UNKNOWN] = "unknown",
    };

    return NAMES[word];
}
