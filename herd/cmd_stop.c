/* SPDX-License-Identifier: MIT */
/* herd stop: ends what runs, at one sample for all nodes of an experiment. */
#include "herd/cli.h"
#include "herd/cmd.h"
#include "herd/context.h"
#include "herd/flock.h"
#include "herd/journal.h"
#include "herd/report.h"

#include "common/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char USAGE[] =
    "Usage: herd stop [options] [NODES]\n\n"
    "Stops the experiments that run on the nodes: all nodes of an experiment after the same\n"
    "sample. What was prepared and has not started is cancelled. The herd that runs the\n"
    "experiment on this machine goes on and collects what was recorded; one on another machine\n"
    "loses command of it. Another user's experiment is not touched unless --take-over says so.\n\n"
    "      --take-over        another user's too\n\n"
    "Examples:\n"
    "  herd stop\n"
    "  herd stop 'sheep[0-3]'\n";

enum {
    OPTION_TAKE_OVER = 256,
    HELLO_MS = 2000,
    TIMEOUT_MS = 3000,
    AGAIN_MS = 300,
    MARGIN_MS = 600,
    SAMPLE_NS = 10000,
    GRAIN = 1000,
};

static const struct cli_option OPTIONS[] = {
    {OPTION_TAKE_OVER, "take-over", false},
    { 0,               NULL,        false},
};

struct target {
    const struct inventory_node *node;
    bool has_state;
    bool is_done;
    struct body_state state;
    char outcome[PROTO_TEXT_SIZE];
    bool is_stopped;
    bool is_refused;
};

struct stopper {
    const struct cmd_options *options;
    struct context context;
    struct herd_flock *flock;
    const struct inventory_node **members;
    struct target *targets;
    bool *wanted;
    size_t n;
    bool take_over;
    /* of the experiment that is dealt with */
    uint64_t experiment;
    uint64_t controller;
    uint64_t sample;
};

/* ---- rounds ---- */

static void round_done(void *arg)
{
    struct stopper *stopper = arg;

    flock_pause(stopper->flock);
}

static int ask_everybody(struct stopper *stopper, struct flock_request *request,
                         struct err *err)
{
    request->again_ms = AGAIN_MS;
    request->arg = stopper;
    if (flock_request_all(stopper->flock, request, stopper->wanted, round_done, err) < 0) {
        return -1;
    }
    return flock_run(stopper->flock) < 0 ? err_set(err, ERR_SYSTEM, "the reactor broke") : 0;
}

static void on_state(void *arg, size_t i, const struct flock_message *message)
{
    struct stopper *stopper = arg;

    if (message != NULL && message->message->verb == VERB_STATE) {
        stopper->targets[i].state = *PROTO_CONST_BODY(message->message, body_state);
        stopper->targets[i].has_state = true;
    }
}

static void on_answer(void *arg, size_t i, const struct flock_message *message)
{
    struct stopper *stopper = arg;
    struct target *target = &stopper->targets[i];

    if (message == NULL) {
        snprintf(target->outcome, sizeof(target->outcome), "no answer");
        target->is_refused = true;
    } else if (message->message->verb == VERB_STOPPING) {
        snprintf(target->outcome, sizeof(target->outcome), "%.90s stops after sample %" PRIu64,
                 target->state.experiment_name,
                 PROTO_CONST_BODY(message->message, body_stop)->sample);
        target->is_stopped = true;
    } else if (message->message->verb == VERB_CANCELLED) {
        snprintf(target->outcome, sizeof(target->outcome), "%.90s is cancelled",
                 target->state.experiment_name);
        target->is_stopped = true;
    } else if (message->message->verb == VERB_REFUSED) {
        snprintf(target->outcome, sizeof(target->outcome), "%s",
                 PROTO_CONST_BODY(message->message, body_refused)->why);
        target->is_refused = true;
    }
}

/* ---- one experiment ---- */

/* The token under which this machine runs the experiment, so that its herd keeps command. */
static int take_token(void *arg, const struct journal_entry *entry, struct err *err)
{
    struct stopper *stopper = arg;

    (void)err;
    if (entry->kind == JOURNAL_BEGIN && entry->experiment == stopper->experiment) {
        stopper->controller = entry->controller;
    }
    return 0;
}

static void look_into_run(void *arg, const char *id)
{
    struct stopper *stopper = arg;
    char folder[PATH_MAX];

    if (context_state_folder(folder, NULL) == 0
        && journal_replay(folder, id, take_token, stopper, NULL) < 0) {
        return; /* another's, or gone: the token stays new */
    }
}

static bool is_under_way(const struct target *target)
{
    return target->has_state && target->state.experiment != 0
           && strcmp(target->state.state, "done") != 0
           && strcmp(target->state.state, "idle") != 0;
}

static bool can_cancel(const struct target *target)
{
    return strcmp(target->state.state, "prepared") == 0
           || strcmp(target->state.state, "armed") == 0
           || strcmp(target->state.state, "preparing") == 0;
}

static int stop_members(struct stopper *stopper, bool is_cancel, struct err *err)
{
    const struct body_stop body = { .sample = stopper->sample };
    struct flock_request request = { .verb = is_cancel ? VERB_CANCEL : VERB_STOP,
                                     .body = is_cancel ? NULL : &body,
                                     .timeout_ms = TIMEOUT_MS,
                                     .answer = on_answer };
    bool is_any = false;

    for (size_t i = 0; i < stopper->n; i++) {
        const struct target *target = &stopper->targets[i];

        stopper->wanted[i] = is_under_way(target)
                             && target->state.experiment == stopper->experiment
                             && can_cancel(target) == is_cancel;
        is_any = is_any || stopper->wanted[i];
    }
    return is_any ? ask_everybody(stopper, &request, err) : 0;
}

static int stop_experiment(struct stopper *stopper, size_t first, struct err *err)
{
    const struct body_state *state = &stopper->targets[first].state;
    char folder[PATH_MAX];
    int64_t ahead = (clock_utc_ns() + MARGIN_MS * NS_PER_MS - state->T_ns) / SAMPLE_NS;

    stopper->experiment = state->experiment;
    stopper->controller = (uint64_t)clock_utc_ns();
    stopper->sample = ahead < GRAIN ? GRAIN : (uint64_t)(ahead / GRAIN + 1) * GRAIN;
    if (context_state_folder(folder, err) < 0
        || journal_each_open(folder, look_into_run, stopper, err) < 0) {
        return -1;
    }
    flock_set_token(stopper->flock, stopper->experiment, stopper->controller);
    for (size_t i = first; i < stopper->n; i++) {
        stopper->targets[i].is_done =
            stopper->targets[i].is_done
            || stopper->targets[i].state.experiment == stopper->experiment;
    }
    return stop_members(stopper, true, err) < 0 ? -1 : stop_members(stopper, false, err);
}

/* ---- the whole ---- */

static int stop_all(struct stopper *stopper, struct err *err)
{
    struct flock_request request = { .verb = VERB_STATUS,
                                     .timeout_ms = HELLO_MS,
                                     .answer = on_state };

    for (size_t i = 0; i < stopper->n; i++) {
        stopper->wanted[i] = true;
    }
    if (ask_everybody(stopper, &request, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < stopper->n; i++) {
        if (is_under_way(&stopper->targets[i]) && !stopper->targets[i].is_done
            && stop_experiment(stopper, i, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static void print_target(const struct stopper *stopper, const struct target *target)
{
    const char *text = target->outcome[0] != '\0' ? target->outcome
                       : target->has_state        ? "nothing runs"
                                                  : "no answer";

    if (stopper->options->is_json) {
        struct buf line = { 0 };
        struct json json = { .out = &line };

        json_open(&json, NULL, '{');
        json_text(&json, "node", target->node->name);
        json_bool(&json, "is_stopped", target->is_stopped);
        json_text(&json, "text", text);
        json_close(&json, '}');
        json_line(&json, stdout);
        buf_fini(&line);
    } else if (!stopper->options->is_quiet) {
        printf("%s: %s\n", target->node->name, text);
    }
}

static int conclude(const struct stopper *stopper)
{
    size_t n_heard = 0;
    bool is_good = true;

    for (size_t i = 0; i < stopper->n; i++) {
        const struct target *target = &stopper->targets[i];

        print_target(stopper, target);
        n_heard += target->has_state ? 1 : 0;
        is_good = is_good && target->has_state && !target->is_refused;
    }
    fflush(stdout);
    return n_heard == 0 ? EXIT_NOBODY : is_good ? EXIT_ALL_VALID : EXIT_NODE_FAILED;
}

static int open_all(struct stopper *stopper, struct err *err)
{
    const struct inventory *inventory = stopper->context.inventory;
    struct flock_config config = { .key = &stopper->context.key,
                                   .name = stopper->context.key.name,
                                   .controller = (uint64_t)clock_utc_ns(),
                                   .take_over = stopper->take_over,
                                   .arg = stopper };

    // NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers is meant
    stopper->members = calloc(inventory->n_nodes + 1, sizeof(void *));
    stopper->targets = calloc(inventory->n_nodes + 1, sizeof(*stopper->targets));
    stopper->wanted = calloc(inventory->n_nodes + 1, sizeof(*stopper->wanted));
    if (stopper->members == NULL || stopper->targets == NULL || stopper->wanted == NULL) {
        return err_set(err, ERR_MEMORY, "%zu nodes", inventory->n_nodes);
    }
    for (size_t i = 0; i < inventory->n_nodes; i++) {
        if (stopper->context.selected[i]) {
            stopper->targets[stopper->n].node = &inventory->nodes[i];
            stopper->members[stopper->n++] = &inventory->nodes[i];
        }
    }
    config.nodes = stopper->members;
    config.n_nodes = stopper->n;
    stopper->flock = flock_open(&config, err);
    return stopper->flock == NULL ? -1 : 0;
}

static int run(const struct cmd_options *options, int argc, char **argv)
{
    struct cli_scan scan = {
        .global = options, .options = OPTIONS, .argc = argc, .argv = argv
    };
    struct stopper stopper = { .options = options };
    struct err err = { 0 };
    const char *value = NULL;
    const char *nodes = NULL;
    int option = 0;
    int status = 0;

    while ((option = cli_next(&scan, &value)) != 0) {
        if (option == '?') {
            return EXIT_USAGE;
        }
        stopper.take_over = true;
    }
    status = cli_take_nodes(&scan, &nodes);
    if (status == 0) {
        status = context_open(&stopper.context, options, "stop", nodes, true);
    }
    if (status != 0) {
        return status;
    }
    if (open_all(&stopper, &err) < 0 || stop_all(&stopper, &err) < 0) {
        status = cmd_fail(options, "stop", &err);
    } else {
        status = conclude(&stopper);
    }
    flock_close(&stopper.flock);
    free(stopper.members);
    free(stopper.targets);
    free(stopper.wanted);
    context_close(&stopper.context);
    return status;
}

const struct cmd cmd_stop = {
    .name = "stop",
    .summary = "stop what runs, at one sample for all",
    .usage = USAGE,
    .run = run,
};
