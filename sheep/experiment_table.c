/* SPDX-License-Identifier: MIT */
#include "sheep/experiment_step.h"

#include "common/clock.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

typedef void (*handler_fn)(struct node_step *step);

/* ---- actions ---- */

struct node_action *node_step_act(struct node_step *step, enum node_action_kind kind)
{
    struct node_action *action = NULL;

    assert(step->actions->count < NODE_MAX_ACTIONS);
    action = &step->actions->list[step->actions->count++];
    memset(action, 0, sizeof(*action));
    action->kind = kind;
    action->T_ns = step->node->T_ns;
    action->n = step->node->n;
    action->preparation = step->node->preparation;
    return action;
}

static struct node_action *answer(struct node_step *step, enum proto_verb verb)
{
    struct node_action *action = node_step_act(step, NODE_ACT_ANSWER);

    action->verb = verb;
    return action;
}

static struct node_action *tell(struct node_step *step, enum proto_verb verb)
{
    struct node_action *action = node_step_act(step, NODE_ACT_TELL);

    action->verb = verb;
    return action;
}

static void explain(struct node_action *action, const char *why)
{
    snprintf(action->why, sizeof(action->why), "%s", why == NULL ? "" : why);
}

void node_step_refuse(struct node_step *step, enum err_code code, const char *why)
{
    struct node_action *action = answer(step, VERB_REFUSED);

    action->code = code;
    explain(action, why);
}

static void answer_ready(struct node_step *step)
{
    answer(step, VERB_READY)->promise_ns = step->node->promise_ns;
}

static void answer_stopping(struct node_step *step, uint64_t sample)
{
    answer(step, VERB_STOPPING)->sample = sample;
}

/* ---- pieces of answers ---- */

void node_step_go_idle(struct node_step *step)
{
    struct node_experiment *node = step->node;

    node->state = NODE_IDLE;
    node->lease_mono_ns = 0;
    if (node->n > node->n_down) {
        node->n_down = node->n;
    }
}

/* Arm n, and with it all before, is over for good. */
static void stand_down(struct node_step *step, enum node_action_kind kind, uint64_t n,
                       const char *why)
{
    struct node_experiment *node = step->node;
    struct node_action *action = node_step_act(step, kind);

    action->verb = VERB_STOOD_DOWN;
    action->n = n;
    if (step->event->kind == NODE_EVENT_GO || step->event->kind == NODE_EVENT_ARM) {
        action->T_ns = step->event->T_ns;
    }
    explain(action, why);
    if (n > node->n_down) {
        node->n_down = n;
    }
}

static bool is_before(const struct node_step *step, int64_t guard_ms)
{
    return step->event->mono_ns < step->node->T_mono_ns - guard_ms * NS_PER_MS;
}

/* UTC is compared with what it was when T was put on the monotonic clock. */
static bool has_clock_stepped(const struct node_step *step)
{
    int64_t offset = step->event->utc_ns - step->event->mono_ns;
    int64_t stepped = offset - step->node->armed_offset_ns;

    return stepped > START_CLOCK_STEP_MS * NS_PER_MS
           || stepped < -START_CLOCK_STEP_MS * NS_PER_MS;
}

/* ---- handlers ---- */

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
    if (node->experiment != event->experiment) {
        node->n_down = 0;
        node->controller = 0;
    }
    node->experiment = event->experiment;
    node->controller = event->controller;
    node->user = event->user;
    node->n = 0;
    node->T_ns = 0;
    node->n_samples = 0;
    node->is_started = false;
    node->is_ended_known = false;
    node->preparation++;
    node->heard_mono_ns = event->mono_ns;
    node->lease_mono_ns = event->mono_ns + START_LEASE_MS * NS_PER_MS;
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
        answer(step, VERB_ARMED);
    }
}

static void arm(struct node_step *step)
{
    struct node_experiment *node = step->node;
    const struct node_event *event = step->event;
    int64_t ahead_ns = 0;
    bool is_again = node->state == NODE_ARMED && event->n == node->n;

    if (is_again && event->T_ns == node->T_ns) {
        answer(step, VERB_ARMED);
        return;
    }
    if (event->n == 0 || event->n <= node->n_down
        || (node->state == NODE_ARMED && event->n <= node->n)) {
        node_step_refuse(step, ERR_STATE, "that arm is over");
        return;
    }
    if (!event->is_clock_good) {
        node_step_refuse(step, ERR_STATE,
                         event->why != NULL ? event->why : "the clock is not good enough");
        return;
    }
    if (__builtin_sub_overflow(event->T_ns, event->utc_ns, &ahead_ns)
        || ahead_ns > START_HORIZON_S * NS_PER_S) {
        node_step_refuse(step, ERR_INPUT, "T is too far away");
        return;
    }
    if (event->T_ns < node->promise_ns || ahead_ns <= START_GO_GUARD_MS * NS_PER_MS) {
        node_step_refuse(step, ERR_TIMEOUT, "T is too near");
        return;
    }
    node->state = NODE_ARMED;
    node->n = event->n;
    node->T_ns = event->T_ns;
    node->T_mono_ns = event->mono_ns + ahead_ns;
    node->armed_offset_ns = event->utc_ns - event->mono_ns;
    answer(step, VERB_ARMED);
}

/* Nothing is armed: whichever arm it was, it is over. */
static void go_unarmed(struct node_step *step)
{
    stand_down(step, NODE_ACT_ANSWER, step->event->n, "not armed");
}

static void go_idle_again(struct node_step *step)
{
    if (step->node->is_started && step->event->n == step->node->n) {
        answer(step, VERB_GOING);
    } else {
        go_unarmed(step);
    }
}

static void go(struct node_step *step)
{
    struct node_experiment *node = step->node;
    const struct node_event *event = step->event;

    if (event->n < node->n) {
        /* A late copy for an arm that a newer one has replaced; the newer one holds. */
        stand_down(step, NODE_ACT_ANSWER, event->n, "armed anew");
        return;
    }
    if (event->n == node->n && event->T_ns == node->T_ns && is_before(step, START_GO_GUARD_MS)
        && !has_clock_stepped(step)) {
        node->state = NODE_STARTING;
        node_step_act(step, NODE_ACT_START);
        return;
    }
    if (event->n != node->n || event->T_ns != node->T_ns) {
        stand_down(step, NODE_ACT_ANSWER, event->n, "GO does not match what was armed");
    } else if (has_clock_stepped(step)) {
        stand_down(step, NODE_ACT_ANSWER, event->n, "the clock stepped after ARM");
    } else {
        stand_down(step, NODE_ACT_ANSWER, event->n, "GO came too late");
    }
    node->state = NODE_PREPARED;
}

/* Something is agreed: older arms are over, everything else is answered with the truth. */
static void go_again(struct node_step *step)
{
    if (step->event->n < step->node->n) {
        stand_down(step, NODE_ACT_ANSWER, step->event->n, "armed anew");
    } else {
        answer(step, VERB_GOING);
    }
}

/* As go_again, while "going" is not settled: its answer comes then. */
static void go_unsettled(struct node_step *step)
{
    if (step->event->n < step->node->n) {
        stand_down(step, NODE_ACT_ANSWER, step->event->n, "armed anew");
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
    answer(step, VERB_CANCELLED);
    node_step_go_idle(step);
}

static void cancel_idle(struct node_step *step)
{
    if (step->node->is_started) {
        answer_stopping(step, step->node->n_samples);
    } else {
        answer(step, VERB_CANCELLED);
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
    if (is_before(step, START_CANCEL_GUARD_MS)) {
        /* "Cancelled" is said only when the recorder has given up T. */
        step->node->state = NODE_CANCELLING;
        node_step_act(step, NODE_ACT_CANCEL);
    } else {
        stop(step);
    }
}

static void cancel_confirmed(struct node_step *step)
{
    answer(step, VERB_CANCELLED);
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
    answer(step, VERB_GOING);
}

static void start_failed(struct node_step *step)
{
    stand_down(step, NODE_ACT_ANSWER, step->node->n,
               step->event->why != NULL ? step->event->why : "the recorder cannot start");
    step->node->state = NODE_PREPARED;
}

static void started(struct node_step *step)
{
    struct node_experiment *node = step->node;

    if (node->state == NODE_STARTING) {
        answer(step, VERB_GOING);
    }
    node->state = NODE_RUNNING;
    node->is_started = true;
    tell(step, VERB_STARTED);
}

static void ended(struct node_step *step)
{
    struct node_experiment *node = step->node;

    node->state = NODE_DONE;
    node->n_samples = step->event->n_samples;
    node->is_started = node->is_started || node->n_samples > 0;
    tell(step, VERB_ENDED);
}

/* The recorder gave up what it had only prepared. */
static void lost_prepared(struct node_step *step)
{
    if (step->node->state == NODE_ARMED) {
        stand_down(step, NODE_ACT_TELL, step->node->n,
                   step->event->why != NULL ? step->event->why : "the recorder ended");
    }
    tell(step, VERB_CANCELLED);
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
    answer(step, VERB_RELEASED);
    node_step_go_idle(step);
}

static void release_idle(struct node_step *step)
{
    if (step->node->is_started) {
        answer(step, VERB_RELEASED);
    } else {
        node_step_refuse(step, ERR_NOT_FOUND, "nothing was recorded");
    }
}

/* What the owner's heartbeat does not show yet is told again. */
static void beat_running(struct node_step *step)
{
    if (step->event->seen != NODE_RUNNING && step->event->seen != NODE_DONE) {
        tell(step, VERB_STARTED);
    }
}

static void beat_done(struct node_step *step)
{
    if (step->event->seen == NODE_DONE) {
        step->node->is_ended_known = true;
        return;
    }
    if (step->event->seen != NODE_RUNNING && step->node->is_started) {
        tell(step, VERB_STARTED);
    }
    tell(step, VERB_ENDED);
}

static void time_prepared(struct node_step *step)
{
    struct node_experiment *node = step->node;

    if (step->event->mono_ns >= node->lease_mono_ns) {
        node_step_act(step, NODE_ACT_CANCEL);
        tell(step, VERB_CANCELLED);
        node_step_go_idle(step);
    } else if (node->state == NODE_ARMED && !is_before(step, START_GO_GUARD_MS)) {
        stand_down(step, NODE_ACT_TELL, node->n, "no GO in time");
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
        [NODE_EVENT_BEAT] = ignore,
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
