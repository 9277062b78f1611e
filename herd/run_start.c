/* SPDX-License-Identifier: MIT */
/* The start protocol's effects: what herd/start.h decides is journalled, sent and shown here;
 * and what nodes say becomes its events. */
#include "herd/run_state.h"

#include "common/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    STATE_TIMEOUT_MS = 3000,
    STATE_AGAIN_MS = 500,
};

static const struct proto_frame NOTHING = { NULL, 0 };

/* ---- actions ---- */

static void tell_prepare(struct run *run, size_t i)
{
    struct run_node *node = &run->nodes[i];
    struct body_prepare body = { 0 };

    snprintf(body.experiment_name, sizeof(body.experiment_name), "%s", run->name);
    snprintf(body.log, sizeof(body.log), "%s", node->log);
    node->seq_prepare =
        flock_tell(run->flock, i, VERB_PREPARE, &body,
                   (struct proto_frame){ node->config_text.data, node->config_text.size });
}

static void tell(struct run *run, const struct start_action *action)
{
    struct run_node *node = &run->nodes[action->i];
    const struct body_arm body = { .T_ns = action->T_ns, .n = action->n };

    switch (action->verb) {
    case VERB_PREPARE:
        tell_prepare(run, action->i);
        break;
    case VERB_ARM:
        node->seq_arm = flock_tell(run->flock, action->i, VERB_ARM, &body, NOTHING);
        break;
    case VERB_GO:
        node->seq_go = flock_tell(run->flock, action->i, VERB_GO, &body, NOTHING);
        break;
    case VERB_CANCEL:
        node->seq_cancel = flock_tell(run->flock, action->i, VERB_CANCEL, NULL, NOTHING);
        break;
    default:
        break;
    }
}

static int note_arm(struct run *run, enum journal_kind kind)
{
    struct journal_entry entry = { .kind = kind, .T_ns = run->start.T_ns, .n = run->start.n };

    snprintf(entry.text, sizeof(entry.text), "%s",
             kind == JOURNAL_CANCEL ? run->start.why : "");
    return run_note(run, &entry, true);
}

/* Who is not told must be in the journal before GO is, or attach would ask about them. */
static int note_go(struct run *run)
{
    for (size_t i = 0; i < run->n_nodes; i++) {
        struct journal_entry entry = { .kind = JOURNAL_OUT };

        if (!run->start.nodes[i].is_out) {
            continue;
        }
        snprintf(entry.node, sizeof(entry.node), "%s", run->names[i]);
        snprintf(entry.text, sizeof(entry.text), "%s", run->start.nodes[i].why);
        if (run_note(run, &entry, false) < 0) {
            return -1;
        }
    }
    return note_arm(run, JOURNAL_GO);
}

/* False: the journal failed, and nothing further may be done. */
static bool act(struct run *run, const struct start_action *action, bool *must_choose)
{
    switch (action->kind) {
    case START_ACT_TELL:
        tell(run, action);
        return true;
    case START_ACT_ASK_STATE:
        run_ask_state(run, action->i);
        return true;
    case START_ACT_CHOOSE:
        *must_choose = true;
        return true;
    case START_ACT_JOURNAL_ARM:
        return note_arm(run, JOURNAL_ARM) == 0;
    case START_ACT_JOURNAL_GO:
        return note_go(run) == 0;
    case START_ACT_JOURNAL_CANCEL:
        (void)note_arm(run, JOURNAL_CANCEL);
        return true; /* an unwritten CANCEL is one all the same */
    }
    return true;
}

/* The protocol knows nodes by number only. */
static void name_culprit(struct run *run)
{
    char why[START_WHY_SIZE];

    if (run->start.culprit < run->n_nodes) {
        snprintf(why, sizeof(why), "%.63s, which is required: %.160s",
                 run->names[run->start.culprit], run->start.nodes[run->start.culprit].why);
        memcpy(run->start.why, why, sizeof(why));
    }
}

static void show_phase(struct run *run, enum start_phase before)
{
    char text[CLOCK_TEXT_SIZE];

    if (run->start.phase == before) {
        return;
    }
    clock_format_utc(run->start.T_ns, text);
    switch (run->start.phase) {
    case START_ARMING:
        progress_event(run->progress, PROGRESS_ALL, "arming", "all are ready, T is %s", text);
        break;
    case START_GOING:
        progress_event(run->progress, PROGRESS_ALL, "go", "all are armed, GO");
        break;
    case START_COMMITTED:
        progress_event(run->progress, PROGRESS_ALL, "committed", "the start is agreed for %s",
                       text);
        break;
    case START_CANCELLING:
        name_culprit(run);
        progress_warn(run->progress, PROGRESS_ALL, "cancelling", "nobody starts: %s",
                      run->start.why);
        break;
    case START_PREPARING:
    case START_CHOOSING:
    case START_OVER:
        break;
    }
}

/* Names of results are known only now: T is part of them. */
static void answer_choice(struct run *run)
{
    struct start_event event = { .kind = START_EVENT_T_OK };
    struct err err = { 0 };

    if (run_check_names(run, &err) < 0) {
        event.kind = START_EVENT_ABORT;
        event.code = err.code;
        event.why = err.text;
    }
    run_feed(run, &event);
}

void run_feed(struct run *run, struct start_event *event)
{
    enum start_phase before = run->start.phase;
    bool must_choose = false;

    event->mono_ns = clock_mono_ns();
    event->utc_ns = clock_utc_ns();
    start_step(&run->start, event);
    show_phase(run, before);
    for (size_t k = 0; k < run->start.n_actions; k++) {
        if (!act(run, &run->start.actions[k], &must_choose)) {
            struct start_event abort = { .kind = START_EVENT_ABORT,
                                         .code = ERR_SYSTEM,
                                         .why = "the journal cannot be written" };

            run_feed(run, &abort);
            return;
        }
    }
    if (must_choose) {
        answer_choice(run);
    }
}

/* ---- words of nodes ---- */

static void on_state(void *arg, size_t i, const struct flock_message *message)
{
    struct run *run = arg;
    struct start_event event = { .kind = START_EVENT_STATE, .i = i };
    const struct body_state *body = NULL;

    if (message == NULL || message->message->verb != VERB_STATE || !run->has_start) {
        return;
    }
    body = PROTO_CONST_BODY(message->message, body_state);
    event.is_here = body->experiment == run->experiment;
    event.is_started = event.is_here && body->is_started;
    event.is_going = event.is_here && strcmp(body->state, "going") == 0;
    run_feed(run, &event);
}

void run_ask_state(struct run *run, size_t i)
{
    const struct flock_request request = { .verb = VERB_STATUS,
                                           .timeout_ms = STATE_TIMEOUT_MS,
                                           .again_ms = STATE_AGAIN_MS,
                                           .answer = on_state,
                                           .arg = run };
    struct err err = { 0 };

    if (flock_request(run->flock, i, &request, &err) < 0) {
        log_warn("%s: %s", run->names[i], err.text);
    }
}

static enum err_code code_of(const char *name)
{
    for (int code = 0; code < N_ERR_CODES; code++) {
        if (strcmp(err_code_name((enum err_code)code), name) == 0) {
            return (enum err_code)code;
        }
    }
    return ERR_STATE;
}

static enum proto_verb verb_of(const struct run_node *node, uint32_t seq)
{
    return seq == 0                   ? VERB_NONE
           : seq == node->seq_prepare ? VERB_PREPARE
           : seq == node->seq_arm     ? VERB_ARM
           : seq == node->seq_go      ? VERB_GO
           : seq == node->seq_cancel  ? VERB_CANCEL
                                      : VERB_NONE;
}

static void take_ready(struct run *run, size_t i, const struct body_ready *body)
{
    struct journal_entry entry = { .kind = JOURNAL_READY };
    struct run_node *node = &run->nodes[i];

    if (run->start.nodes[i].is_ready || !name_is_safe(body->log, sizeof(body->log) - 1)) {
        return;
    }
    snprintf(node->log, sizeof(node->log), "%s", body->log);
    snprintf(entry.node, sizeof(entry.node), "%s", run->names[i]);
    snprintf(entry.log, sizeof(entry.log), "%s", node->log);
    entry.boot_id = flock_session(run->flock, i)->boot_id;
    (void)run_note(run, &entry, false);
}

static void take_started(struct run *run, size_t i, const struct body_started *body)
{
    struct run_node *node = &run->nodes[i];

    if (!node->is_started) {
        node->started = *body;
        node->is_started = true;
        progress_event(run->progress, i, "started", "started, %.1f us (+-%.1f us) from T",
                       (double)body->start_error_ns / 1000,
                       (double)body->start_bound_ns / 1000);
    }
}

static void take_ended(struct run *run, size_t i, const struct body_ended *body)
{
    struct run_node *node = &run->nodes[i];

    if (!node->is_ended) {
        node->ended = *body;
        node->is_ended = true;
        node->n_samples = body->n_samples;
        node->log_bytes = body->log_bytes;
        progress_event(run->progress, i, "ended", "%" PRIu64 " samples are recorded",
                       body->n_samples);
        if (body->reason == RLOG_END_STOPPED && run->stop_sample == 0) {
            run->stop_sample = body->n_samples; /* herd stop, elsewhere: one sample for all */
        }
        if (run->on_failure == ON_FAILURE_STOP_ALL && body->reason != RLOG_END_COMPLETE
            && body->reason != RLOG_END_STOPPED) {
            run_stop_all(run, "a node failed, and run.on_failure says stop_all");
        }
    }
}

static bool take_refused(struct run *run, size_t i, const struct proto_message *message,
                         struct start_event *event)
{
    const struct body_refused *body = PROTO_CONST_BODY(message, body_refused);

    event->kind = START_EVENT_REFUSED;
    event->verb = verb_of(&run->nodes[i], message->token.seq);
    event->n = run->start.n;
    event->code = code_of(body->code);
    event->why = body->why;
    if (event->verb == VERB_PREPARE || event->verb == VERB_ARM) {
        progress_warn(run->progress, i, "refused", "%s", body->why);
    }
    return event->verb != VERB_NONE;
}

/* False: not a word of the start protocol. */
static bool make_event(struct run *run, size_t i, const struct proto_message *message,
                       struct start_event *event)
{
    static const struct {
        enum proto_verb verb;
        enum start_event_kind kind;
    } ARMS[] = {
        {VERB_ARMED,       START_EVENT_ARMED     },
        { VERB_GOING,      START_EVENT_GOING     },
        { VERB_STOOD_DOWN, START_EVENT_STOOD_DOWN},
    };

    for (size_t k = 0; k < ARRAY_LEN(ARMS); k++) {
        if (message->verb == ARMS[k].verb) {
            const struct body_arm *body = PROTO_CONST_BODY(message, body_arm);

            event->kind = ARMS[k].kind;
            event->T_ns = body->T_ns;
            event->n = body->n;
            event->why = body->why;
            return true;
        }
    }
    switch (message->verb) {
    case VERB_READY:
        take_ready(run, i, PROTO_CONST_BODY(message, body_ready));
        event->kind = START_EVENT_READY;
        event->promise_ns = PROTO_CONST_BODY(message, body_ready)->promise_ns;
        return true;
    case VERB_REFUSED:
        return take_refused(run, i, message, event);
    case VERB_CANCELLED:
        event->kind = START_EVENT_CANCELLED;
        return true;
    case VERB_STOPPING:
        event->kind = START_EVENT_STOPPING;
        return true;
    case VERB_STARTED:
        take_started(run, i, PROTO_CONST_BODY(message, body_started));
        event->kind = START_EVENT_STARTED;
        return true;
    case VERB_ENDED:
        take_ended(run, i, PROTO_CONST_BODY(message, body_ended));
        event->kind = START_EVENT_ENDED;
        event->n_samples = PROTO_CONST_BODY(message, body_ended)->n_samples;
        return true;
    default:
        return false;
    }
}

void run_start_message(struct run *run, size_t i, const struct proto_message *message)
{
    struct start_event event = { .i = i };

    if (message->token.experiment == run->experiment && make_event(run, i, message, &event)) {
        run_feed(run, &event);
    }
}

/* ---- the phase ---- */

static bool is_start_over(struct run *run)
{
    return run->start.phase == START_COMMITTED || run->start.phase == START_OVER;
}

static bool has_orphan(const struct run *run)
{
    for (size_t i = 0; i < run->n_nodes; i++) {
        if (run->start.nodes[i].is_orphan) {
            return true;
        }
    }
    return false;
}

static size_t count_asked(const struct run *run)
{
    size_t n = 0;

    for (size_t i = 0; i < run->n_nodes; i++) {
        n += run->start.nodes[i].is_out ? 0 : 1;
    }
    return n;
}

int run_start(struct run *run)
{
    run->has_start = true;
    progress_event(run->progress, PROGRESS_ALL, "preparing", "%zu nodes prepare",
                   count_asked(run));
    start_begin(&run->start, clock_mono_ns());
    {
        struct start_event event = { .kind = START_EVENT_TIME };

        run_feed(run, &event);
    }
    (void)run_wait(run, is_start_over, -1);
    if (run->err.code != ERR_NONE || run->is_detached) {
        return -1;
    }
    if (run->start.phase == START_COMMITTED || has_orphan(run)) {
        run_follow(run);
    }
    if (run->start.phase == START_COMMITTED && run->n_interrupts > 0) {
        run_stop_all(run, "interrupted by the user"); /* it came in between */
    }
    return 0;
}
