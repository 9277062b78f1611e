/* SPDX-License-Identifier: MIT */
#include "sheep/experiment_step.h"

#include "common/clock.h"

#include <stdio.h>

typedef void (*handler_fn)(struct node_step *step);

/* ---- handlers ---- */

static void answer_ready(struct node_step *step)
{
    node_step_answer(step, VERB_READY)->promise_ns = step->node->promise_ns;
}

static void answer_stopping(struct node_step *step, uint64_t sample)
{
    node_step_answer(step, VERB_STOPPING)->sample = sample;
}

static void ignore(struct node_step *step)
{
    (void)step;
}

static void refuse_now(struct node_step *step)
{
    char why[NODE_WHY_SIZE];

    snprintf(why, sizeof(why), "the node is %s", node_state_name(step->node->state));
    node_step_refuse(step, ERR_STATE, why);
}

static void start_preparing(struct node_step *step)
{
    struct node_experiment *node = step->node;
    const struct node_event *event = step->event;

    if (node->experiment == event->experiment
        && (node->is_started || node->state == NODE_DONE)) {
        return; /* a late copy; it ran, so nothing may sound like "not started" */
    }
    if (node->experiment == event->experiment && node->is_over) {
        node_step_answer(step, VERB_CANCELLED); /* nobody prepares what was cancelled */
        return;
    }
    node->experiment = event->experiment;
    node->controller = event->controller;
    node->user = event->user;
    node->n = 0;
    node->n_down = 0;
    node->T_ns = 0;
    node->is_over = false;
    node->n_samples = 0;
    node->is_started = false;
    node->is_ended_known = false;
    node->preparation++;
    node->heard_mono_ns = event->mono_ns;
    node->lease_mono_ns = event->mono_ns + NODE_LEASE_MS * NS_PER_MS;
    node->state = NODE_PREPARING;
    node_step_act(step, NODE_ACT_PREPARE);
}

/* The recorder answers in its own time; a preparation that was given up meanwhile is no longer
 * of interest. */
static void prepared(struct node_step *step)
{
    if (step->event->preparation == step->node->preparation) {
        step->node->promise_ns = step->event->promise_ns;
        step->node->state = NODE_PREPARED;
        answer_ready(step);
    }
}

static void prepare_failed(struct node_step *step)
{
    if (step->event->preparation == step->node->preparation) {
        node_step_refuse(step, step->event->code, step->event->why);
        node_step_go_idle(step);
    }
}

static void prepare_lost(struct node_step *step)
{
    node_step_refuse(step, ERR_HARDWARE, step->event->why);
    node_step_go_idle(step);
}

/* Silence for an older arm: the newer one holds. */
static void arm_again(struct node_step *step)
{
    if (step->event->n == step->node->n && step->event->T_ns == step->node->T_ns) {
        node_step_answer(step, VERB_ARMED);
    }
}

static void arm(struct node_step *step)
{
    struct node_experiment *node = step->node;
    const struct node_event *event = step->event;
    int64_t ahead_ns = 0;

    if (event->n <= node->n_down) {
        node_step_stand_down(step, NODE_ACT_ANSWER, event->n, "that arm is over");
        return;
    }
    if (node->state == NODE_ARMED && event->n <= node->n) {
        arm_again(step);
        return;
    }
    if (!event->is_clock_good) {
        node_step_refuse(step, ERR_STATE,
                         event->why != NULL ? event->why : "the clock is not good enough");
        return;
    }
    if (__builtin_sub_overflow(event->T_ns, event->utc_ns, &ahead_ns)
        || ahead_ns > NODE_HORIZON_S * NS_PER_S) {
        node_step_refuse(step, ERR_INPUT, "T is too far away");
        return;
    }
    if (event->T_ns < node->promise_ns || ahead_ns <= NODE_GO_GUARD_MS * NS_PER_MS) {
        node_step_refuse(step, ERR_TIMEOUT, "T is too near");
        return;
    }
    node->state = NODE_ARMED;
    node->n = event->n;
    node->T_ns = event->T_ns;
    node->T_mono_ns = event->mono_ns + ahead_ns;
    node->armed_offset_ns = event->utc_ns - event->mono_ns;
    node_step_answer(step, VERB_ARMED);
}

/* Nothing is armed: whichever arm it was, it is over. */
static void go_unarmed(struct node_step *step)
{
    node_step_stand_down(step, NODE_ACT_ANSWER, step->event->n, "not armed");
}

static void go_idle_again(struct node_step *step)
{
    if (step->node->is_started && step->event->n == step->node->n) {
        node_step_answer(step, VERB_GOING);
    } else {
        go_unarmed(step);
    }
}

/* Why a GO for the newest arm does not hold; NULL: it does. */
static const char *find_fault_of_go(const struct node_step *step)
{
    if (step->event->n != step->node->n || step->event->T_ns != step->node->T_ns) {
        return "GO does not match what was armed";
    }
    if (!node_step_is_before(step, NODE_GO_GUARD_MS)) {
        return "GO came too late";
    }
    return node_step_has_clock_stepped(step) ? "the clock stepped after ARM" : NULL;
}

static void go(struct node_step *step)
{
    const char *why = find_fault_of_go(step);

    if (step->event->n < step->node->n) {
        /* A late copy for an arm that a newer one has replaced; the newer one holds. */
        node_step_stand_down(step, NODE_ACT_ANSWER, step->event->n, "armed anew");
    } else if (why != NULL) {
        node_step_stand_down(step, NODE_ACT_ANSWER, step->event->n, why);
        step->node->state = NODE_PREPARED;
    } else {
        step->node->state = NODE_STARTING;
        node_step_act(step, NODE_ACT_START);
    }
}

/* Something is agreed: older arms are over, everything else is answered with the truth. */
static void go_again(struct node_step *step)
{
    if (step->event->n < step->node->n) {
        node_step_stand_down(step, NODE_ACT_ANSWER, step->event->n, "armed anew");
    } else {
        node_step_answer(step, VERB_GOING);
    }
}

/* As go_again, while "going" is not settled: its answer comes then. */
static void go_unsettled(struct node_step *step)
{
    if (step->event->n < step->node->n) {
        node_step_stand_down(step, NODE_ACT_ANSWER, step->event->n, "armed anew");
    }
}

/* Ended without a sample: it was going, but "going" is no longer the word. */
static void go_done(struct node_step *step)
{
    if (step->node->is_started) {
        go_again(step);
    } else {
        go_unsettled(step);
    }
}

static void cancel(struct node_step *step)
{
    node_step_act(step, NODE_ACT_CANCEL);
    node_step_answer(step, VERB_CANCELLED);
    node_step_go_idle(step);
}

static void cancel_idle(struct node_step *step)
{
    if (step->node->is_started) {
        answer_stopping(step, step->node->n_samples);
    } else {
        node_step_answer(step, VERB_CANCELLED);
    }
}

static void stop(struct node_step *step)
{
    uint64_t sample = step->event->kind == NODE_EVENT_STOP ? step->event->sample : UINT64_MAX;

    step->node->stop_sample = sample;
    node_step_act(step, NODE_ACT_STOP)->sample = sample;
    answer_stopping(step, sample == UINT64_MAX ? step->event->n_samples : sample);
}

static void cancel_going(struct node_step *step)
{
    if (node_step_is_before(step, NODE_CANCEL_GUARD_MS)) {
        /* "Cancelled" is said only when the recorder has given up T. */
        step->node->state = NODE_CANCELLING;
        node_step_act(step, NODE_ACT_CANCEL);
    } else {
        stop(step);
    }
}

static void cancel_confirmed(struct node_step *step)
{
    node_step_answer(step, VERB_CANCELLED);
    node_step_go_idle(step);
}

static void cancel_failed(struct node_step *step)
{
    step->node->state = NODE_GOING;
    node_step_act(step, NODE_ACT_STOP)->sample = UINT64_MAX;
    answer_stopping(step, step->event->n_samples);
}

/* The start came before the recorder heard of the cancel. */
static void cancel_failed_running(struct node_step *step)
{
    node_step_act(step, NODE_ACT_STOP)->sample = UINT64_MAX;
    answer_stopping(step, step->event->n_samples);
}

static void stop_done(struct node_step *step)
{
    answer_stopping(step, step->node->n_samples);
}

static void start_confirmed(struct node_step *step)
{
    step->node->state = NODE_GOING;
    node_step_answer(step, VERB_GOING);
}

static void start_failed(struct node_step *step)
{
    node_step_stand_down(step, NODE_ACT_ANSWER, step->node->n,
                         step->event->why != NULL ? step->event->why
                                                  : "the recorder cannot start");
    step->node->state = NODE_PREPARED;
}

static void started(struct node_step *step)
{
    struct node_experiment *node = step->node;

    if (node->state == NODE_STARTING) {
        node_step_answer(step, VERB_GOING);
    }
    node->state = NODE_RUNNING;
    node->is_started = true;
    node_step_tell(step, VERB_STARTED);
}

static void ended(struct node_step *step)
{
    struct node_experiment *node = step->node;

    node->state = NODE_DONE;
    node->n_samples = step->event->n_samples;
    node->is_started = node->is_started || node->n_samples > 0;
    node_step_tell(step, VERB_ENDED);
}

/* The recorder gave up what it had only prepared. */
static void lost_prepared(struct node_step *step)
{
    if (step->node->state == NODE_ARMED) {
        node_step_stand_down(step, NODE_ACT_TELL, step->node->n,
                             step->event->why != NULL ? step->event->why
                                                      : "the recorder ended");
    }
    node_step_tell(step, VERB_CANCELLED);
    node_step_go_idle(step);
}

static void lost_going(struct node_step *step)
{
    step->node->state = NODE_RECOVERING;
    node_step_act(step, NODE_ACT_RECOVER);
}

static void release(struct node_step *step)
{
    if (!step->event->is_match) {
        node_step_refuse(step, ERR_CORRUPT, "the digest is not that of this log");
        return;
    }
    node_step_act(step, NODE_ACT_RELEASE);
    node_step_answer(step, VERB_RELEASED);
    node_step_go_idle(step);
}

static void release_idle(struct node_step *step)
{
    if (step->node->is_started) {
        node_step_answer(step, VERB_RELEASED);
    } else {
        node_step_refuse(step, ERR_NOT_FOUND, "nothing was recorded");
    }
}

/* The heartbeat does not say what its sender knows of a start that did not take place. */
static void beat_prepared(struct node_step *step)
{
    if (step->node->n_down > 0) {
        node_step_stand_down(step, NODE_ACT_TELL, step->node->n_down, "stood down before");
    }
}

/* What the owner's heartbeat does not show yet is told again. */
static void beat_running(struct node_step *step)
{
    if (step->event->seen != NODE_RUNNING && step->event->seen != NODE_DONE) {
        node_step_tell(step, VERB_STARTED);
    }
}

static void beat_done(struct node_step *step)
{
    if (step->event->seen == NODE_DONE) {
        step->node->is_ended_known = true;
        return;
    }
    if (step->event->seen != NODE_RUNNING && step->node->is_started) {
        node_step_tell(step, VERB_STARTED);
    }
    node_step_tell(step, VERB_ENDED);
}

static void time_prepared(struct node_step *step)
{
    struct node_experiment *node = step->node;

    if (step->event->mono_ns >= node->lease_mono_ns) {
        node_step_act(step, NODE_ACT_CANCEL);
        node_step_tell(step, VERB_CANCELLED);
        node_step_go_idle(step);
    } else if (node->state == NODE_ARMED && !node_step_is_before(step, NODE_GO_GUARD_MS)) {
        node_step_stand_down(step, NODE_ACT_TELL, node->n, "no GO in time");
        node->state = NODE_PREPARED;
    }
}

/* ---- the table ---- */

/* Messages. `ignore` where an answer is under way already, or where silence is the only word
 * that nobody can take for "not started". */
static const handler_fn MESSAGES[N_NODE_STATES][N_NODE_MESSAGES] = {
    [NODE_IDLE] = {
        [NODE_EVENT_PREPARE] = start_preparing,
        [NODE_EVENT_ARM] = refuse_now,
        [NODE_EVENT_GO] = go_idle_again,
        [NODE_EVENT_CANCEL] = cancel_idle,
        [NODE_EVENT_STOP] = refuse_now,
        [NODE_EVENT_RELEASE] = release_idle,
        [NODE_EVENT_BEAT] = ignore,
        [NODE_EVENT_TAKE_OVER] = ignore,
    },
    [NODE_PREPARING] = {
        [NODE_EVENT_PREPARE] = ignore,
        [NODE_EVENT_ARM] = refuse_now,
        [NODE_EVENT_GO] = go_unarmed,
        [NODE_EVENT_CANCEL] = cancel,
        [NODE_EVENT_STOP] = refuse_now,
        [NODE_EVENT_RELEASE] = refuse_now,
        [NODE_EVENT_BEAT] = ignore,
        [NODE_EVENT_TAKE_OVER] = ignore,
    },
    [NODE_PREPARED] = {
        [NODE_EVENT_PREPARE] = answer_ready,
        [NODE_EVENT_ARM] = arm,
        [NODE_EVENT_GO] = go_unarmed,
        [NODE_EVENT_CANCEL] = cancel,
        [NODE_EVENT_STOP] = refuse_now,
        [NODE_EVENT_RELEASE] = refuse_now,
        [NODE_EVENT_BEAT] = beat_prepared,
        [NODE_EVENT_TAKE_OVER] = ignore,
    },
    [NODE_ARMED] = {
        [NODE_EVENT_PREPARE] = answer_ready,
        [NODE_EVENT_ARM] = arm,
        [NODE_EVENT_GO] = go,
        [NODE_EVENT_CANCEL] = cancel,
        [NODE_EVENT_STOP] = refuse_now,
        [NODE_EVENT_RELEASE] = refuse_now,
        [NODE_EVENT_BEAT] = ignore,
        [NODE_EVENT_TAKE_OVER] = ignore,
    },
    [NODE_STARTING] = {
        [NODE_EVENT_PREPARE] = ignore,
        [NODE_EVENT_ARM] = arm_again,
        [NODE_EVENT_GO] = go_unsettled,
        [NODE_EVENT_CANCEL] = cancel_going,
        [NODE_EVENT_STOP] = stop,
        [NODE_EVENT_RELEASE] = refuse_now,
        [NODE_EVENT_BEAT] = ignore,
        [NODE_EVENT_TAKE_OVER] = ignore,
    },
    [NODE_GOING] = {
        [NODE_EVENT_PREPARE] = ignore,
        [NODE_EVENT_ARM] = arm_again,
        [NODE_EVENT_GO] = go_again,
        [NODE_EVENT_CANCEL] = cancel_going,
        [NODE_EVENT_STOP] = stop,
        [NODE_EVENT_RELEASE] = refuse_now,
        [NODE_EVENT_BEAT] = ignore,
        [NODE_EVENT_TAKE_OVER] = ignore,
    },
    [NODE_CANCELLING] = {
        [NODE_EVENT_PREPARE] = ignore,
        [NODE_EVENT_ARM] = ignore,
        [NODE_EVENT_GO] = go_unsettled,
        [NODE_EVENT_CANCEL] = ignore,
        [NODE_EVENT_STOP] = ignore,
        [NODE_EVENT_RELEASE] = refuse_now,
        [NODE_EVENT_BEAT] = ignore,
        [NODE_EVENT_TAKE_OVER] = ignore,
    },
    [NODE_RUNNING] = {
        [NODE_EVENT_PREPARE] = ignore,
        [NODE_EVENT_ARM] = arm_again,
        [NODE_EVENT_GO] = go_again,
        [NODE_EVENT_CANCEL] = stop,
        [NODE_EVENT_STOP] = stop,
        [NODE_EVENT_RELEASE] = refuse_now,
        [NODE_EVENT_BEAT] = beat_running,
        [NODE_EVENT_TAKE_OVER] = ignore,
    },
    [NODE_RECOVERING] = {
        [NODE_EVENT_PREPARE] = ignore,
        [NODE_EVENT_ARM] = arm_again,
        [NODE_EVENT_GO] = go_unsettled,
        [NODE_EVENT_CANCEL] = stop_done,
        [NODE_EVENT_STOP] = stop_done,
        [NODE_EVENT_RELEASE] = refuse_now,
        [NODE_EVENT_BEAT] = ignore,
        [NODE_EVENT_TAKE_OVER] = ignore,
    },
    [NODE_DONE] = {
        [NODE_EVENT_PREPARE] = start_preparing,
        [NODE_EVENT_ARM] = arm_again,
        [NODE_EVENT_GO] = go_done,
        [NODE_EVENT_CANCEL] = stop_done,
        [NODE_EVENT_STOP] = stop_done,
        [NODE_EVENT_RELEASE] = release,
        [NODE_EVENT_BEAT] = beat_done,
        [NODE_EVENT_TAKE_OVER] = ignore,
    },
};

#define OWN(event) [NODE_EVENT_##event - N_NODE_MESSAGES]

/* What the node's own parts report. A pair that is not listed has nothing to do: the matter was
 * settled before the report came, or the timer is not this state's. */
static const handler_fn REPORTS[N_NODE_STATES][N_NODE_EVENTS - N_NODE_MESSAGES] = {
    [NODE_PREPARING] = {
        OWN(PREPARED) = prepared,
        OWN(PREPARE_FAILED) = prepare_failed,
        OWN(RECORDER_LOST) = prepare_lost,
        OWN(TIME) = time_prepared,
    },
    [NODE_PREPARED] = {
        OWN(ENDED) = lost_prepared,
        OWN(RECORDER_LOST) = lost_prepared,
        OWN(TIME) = time_prepared,
    },
    [NODE_ARMED] = {
        OWN(ENDED) = lost_prepared,
        OWN(RECORDER_LOST) = lost_prepared,
        OWN(TIME) = time_prepared,
    },
    [NODE_STARTING] = {
        OWN(START_CONFIRMED) = start_confirmed,
        OWN(START_FAILED) = start_failed,
        OWN(STARTED) = started,
        OWN(ENDED) = ended,
        OWN(RECORDER_LOST) = lost_going,
    },
    [NODE_GOING] = {
        OWN(STARTED) = started,
        OWN(ENDED) = ended,
        OWN(RECORDER_LOST) = lost_going,
    },
    [NODE_CANCELLING] = {
        OWN(CANCEL_CONFIRMED) = cancel_confirmed,
        OWN(CANCEL_FAILED) = cancel_failed,
        OWN(STARTED) = started,
        OWN(ENDED) = ended,
        OWN(RECORDER_LOST) = lost_going,
    },
    [NODE_RUNNING] = {
        OWN(CANCEL_FAILED) = cancel_failed_running,
        OWN(ENDED) = ended,
        OWN(RECORDER_LOST) = lost_going,
    },
    [NODE_RECOVERING] = {
        OWN(ENDED) = ended,
    },
};

void node_step_handle(struct node_step *step)
{
    enum node_event_kind kind = step->event->kind;
    handler_fn handler = (int)kind < N_NODE_MESSAGES
                             ? MESSAGES[step->node->state][kind]
                             : REPORTS[step->node->state][kind - N_NODE_MESSAGES];

    if (handler != NULL) {
        handler(step);
    }
}
