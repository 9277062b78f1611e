/* SPDX-License-Identifier: MIT */
/* herd status: what every node does; nodes that agree share a line. */
#include "herd/ask.h"
#include "herd/cli.h"
#include "herd/cmd.h"
#include "herd/context.h"
#include "herd/live_view.h"
#include "herd/report.h"

#include "common/clock.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char USAGE[] =
    "Usage: herd status [options] [NODES]\n\n"
    "Shows what every node does. Nodes that agree share a line.\n\n"
    "  -t, --timeout S   how long a node may take to answer; default 2\n"
    "  -w, --watch       again every 2 s until Ctrl-C, a line for every node, with voltage,\n"
    "                    current and pins as the nodes publish them\n"
    "  -a, --all         a line for every node, with disk, rings and time since its start\n\n"
    "Examples:\n"
    "  herd status\n"
    "  herd status sheep[0-3] -a\n"
    "  herd status --json\n\n"
    "Exit status: 1 when a node does not answer, 3 when none does.\n";

enum {
    WATCH_MS = 2000,
    LIVE_PINS = 16,
    TIMEOUT_MS = 2000,
};

static const struct cli_option OPTIONS[] = {
    {'t',  "timeout", true },
    { 'w', "watch",   false},
    { 'a', "all",     false},
    { 0,   NULL,      false},
};

struct request {
    int timeout_ms;
    bool is_watching;
    bool is_full;
    const char *nodes;
};

/* What the nodes said; states[i] is valid where ask_state says ASK_ANSWERED. */
struct view {
    const struct cmd_options *options;
    const struct request *request;
    const struct context *context;
    struct ask *ask;
    struct body_state *states;
    struct live_view *live; /* NULL unless watching */
    int64_t *answer_ns;     /* how long each took */
};

static bool take_state(void *arg, const struct ask_answer *answer)
{
    struct view *view = arg;

    view->answer_ns[answer->i] = answer->received_ns - answer->sent_ns;
    if (answer->message->verb == VERB_STATE) {
        view->states[answer->i] = *PROTO_CONST_BODY(answer->message, body_state);
    } else if (answer->message->verb == VERB_REFUSED) {
        memset(&view->states[answer->i], 0, sizeof(view->states[answer->i]));
        snprintf(view->states[answer->i].state, PROTO_NAME_SIZE, "refused");
        snprintf(view->states[answer->i].fault, PROTO_TEXT_SIZE, "%s",
                 PROTO_CONST_BODY(answer->message, body_refused)->why);
    }
    return true;
}

static void put_live_json(struct json *json, const struct body_live *live)
{
    if (live == NULL) {
        json_null(json, "live");
        return;
    }
    json_open(json, "live", '{');
    json_i64(json, "utc_ns", live->utc_ns);
    json_u64(json, "n_samples", live->n_samples);
    if (live->has_voltage) {
        json_f64(json, "voltage_V", live->voltage_V);
    }
    if (live->has_current) {
        json_f64(json, "current_A", live->current_A);
    }
    if (live->has_gpio) {
        json_u64(json, "gpio", live->gpio);
        json_u64(json, "n_edges", live->n_edges);
    }
    json_close(json, '}');
}

static void put_json(const struct view *view, size_t i)
{
    const struct body_state *state = &view->states[i];
    const struct body_welcome *welcome = ask_welcome(view->ask, i);
    bool is_there = ask_state(view->ask, i) == ASK_ANSWERED;
    struct buf line = { 0 };
    struct json json = { .out = &line };

    json_open(&json, NULL, '{');
    json_text(&json, "node", view->context->inventory->nodes[i].name);
    json_text(&json, "state", is_there ? state->state : "silent");
    if (is_there && welcome != NULL) {
        json_text(&json, "version", welcome->version);
        json_text(&json, "board", welcome->board);
        json_bool(&json, "has_calibration", welcome->has_calibration);
        json_text(&json, "experiment", state->experiment_name);
        json_text(&json, "owner", state->owner);
        json_text(&json, "log", state->log);
        json_i64(&json, "T_ns", state->T_ns);
        json_u64(&json, "n_samples", state->n_samples);
        json_u64(&json, "n_planned", state->n_planned);
        json_u64(&json, "ring_fill_max_percent", state->ring_fill_max);
        json_u64(&json, "queue_fill_max_percent", state->queue_fill_max);
        json_u64(&json, "disk_free_bytes", state->disk_free_bytes);
        json_i64(&json, "uptime_ns", state->uptime_ns);
        json_i64(&json, "answer_ns", view->answer_ns[i]);
        json_text(&json, "fault", state->fault);
        if (state->is_started) {
            json_i64(&json, "start_error_ns", state->start_error_ns);
            json_i64(&json, "start_bound_ns", state->start_bound_ns);
        }
    }
    if (view->live != NULL) {
        put_live_json(&json, live_view_of(view->live, i));
    }
    json_close(&json, '}');
    json_line(&json, stdout);
    buf_fini(&line);
}

static void progress_text(const struct body_state *state, char *text, size_t size)
{
    if (state->n_samples == 0 && !state->is_started) {
        text[0] = '\0';
    } else if (state->n_planned == 0 || state->n_planned == UINT64_MAX) {
        snprintf(text, size, "%llu samples", (unsigned long long)state->n_samples);
    } else {
        snprintf(text, size, "%.0f %%",
                 100.0 * (double)state->n_samples / (double)state->n_planned);
    }
}

/* What makes two nodes share a line. */
struct face {
    char state[PROTO_NAME_SIZE];
    char experiment[PROTO_NAME_SIZE];
    char owner[PROTO_NAME_SIZE];
    char progress[48];
    char version[PROTO_NAME_SIZE];
    char board[PROTO_NAME_SIZE];
    char fault[PROTO_TEXT_SIZE];
};

static void face_of(const struct view *view, size_t i, struct face *face)
{
    const struct body_welcome *welcome = ask_welcome(view->ask, i);
    const struct body_state *state = &view->states[i];

    memset(face, 0, sizeof(*face));
    if (ask_state(view->ask, i) != ASK_ANSWERED || welcome == NULL) {
        snprintf(face->state, sizeof(face->state), "silent");
        snprintf(face->fault, sizeof(face->fault),
                 "no answer: down, unreachable, or our key is not authorized there");
        return;
    }
    snprintf(face->state, sizeof(face->state), "%s", state->state);
    snprintf(face->experiment, sizeof(face->experiment), "%s", state->experiment_name);
    snprintf(face->owner, sizeof(face->owner), "%s", state->owner);
    progress_text(state, face->progress, sizeof(face->progress));
    snprintf(face->version, sizeof(face->version), "%s", welcome->version);
    snprintf(face->board, sizeof(face->board), "%.80s%s", welcome->board,
             welcome->has_calibration ? "" : ", uncalibrated");
    snprintf(face->fault, sizeof(face->fault), "%s", state->fault);
}

struct faces {
    struct face *faces;
    bool *is_done; /* has its row, or is not meant */
    size_t shown;  /* the node whose row is being made */
};

/* Nodes with the same face share a row. */
static bool joins(void *arg, size_t i)
{
    struct faces *all = arg;

    if (all->is_done[i]
        || memcmp(&all->faces[i], &all->faces[all->shown], sizeof(*all->faces)) != 0) {
        return false;
    }
    all->is_done[i] = true;
    return true;
}

static void put_row(struct table *table, const char *nodes, const struct face *face)
{
    table_cell(table, "%s", nodes);
    table_cell(table, "%s", face->state);
    table_cell(table, "%s", face->experiment);
    table_cell(table, "%s", face->progress);
    table_cell(table, "%s", face->owner);
    table_cell(table, "%s", face->board);
    table_cell(table, "%s", face->version);
    table_cell(table, "%s", face->fault);
}

static void print_folded(const struct view *view)
{
    static const char *const HEADERS[] = { "nodes", "state", "experiment", "done",
                                           "owner", "board", "version",    "remark" };
    size_t n_nodes = view->context->inventory->n_nodes;
    struct faces all = { calloc(n_nodes, sizeof(*all.faces)),
                         calloc(n_nodes, sizeof(*all.is_done)), 0 };
    struct table *table = table_create(HEADERS, ARRAY_LEN(HEADERS));

    if (all.faces != NULL && all.is_done != NULL) {
        for (size_t i = 0; i < n_nodes; i++) {
            face_of(view, i, &all.faces[i]);
            all.is_done[i] = !view->context->selected[i];
        }
        for (size_t i = 0; i < n_nodes; i++) {
            struct buf names = { 0 };

            if (!all.is_done[i]) {
                all.shown = i;
                context_fold(view->context, joins, &all, &names);
                put_row(table, names.data != NULL ? names.data : "", &all.faces[i]);
            }
            buf_fini(&names);
        }
        table_print(table, stdout);
    }
    table_destroy(&table);
    free(all.is_done);
    free(all.faces);
}

static void put_full_row(const struct view *view, struct table *table, size_t i)
{
    const struct body_state *state = &view->states[i];
    char text[HUMAN_TEXT_SIZE];
    struct face face;

    face_of(view, i, &face);
    table_cell(table, "%s", view->context->inventory->nodes[i].name);
    table_cell(table, "%s", face.state);
    table_cell(table, "%s", face.experiment);
    table_cell(table, "%s", face.progress);
    if (strcmp(face.state, "silent") == 0) {
        table_cell(table, "-");
        table_cell(table, "-");
        table_cell(table, "-");
        table_cell(table, "-");
    } else {
        table_cell(table, "%s", human_bytes(state->disk_free_bytes, text));
        table_cell(table, "%llu %%", (unsigned long long)state->ring_fill_max);
        table_cell(table, "%llu %%", (unsigned long long)state->queue_fill_max);
        table_cell(table, "%s", human_span(state->uptime_ns, text));
    }
    table_cell(table, "%s", face.fault);
}

static void print_full(const struct view *view)
{
    static const char *const HEADERS[] = { "node",      "state",     "experiment",
                                           "done",      "disk free", "ring max",
                                           "queue max", "up",        "remark" };
    struct table *table = table_create(HEADERS, ARRAY_LEN(HEADERS));

    table_align_right(table, 4);
    table_align_right(table, 5);
    table_align_right(table, 6);
    for (size_t i = 0; i < view->context->inventory->n_nodes; i++) {
        if (view->context->selected[i]) {
            put_full_row(view, table, i);
        }
    }
    table_print(table, stdout);
    table_destroy(&table);
}

/* Pins as bits, the highest first. */
static void pins_text(uint64_t pins, char text[32])
{
    for (int bit = 0; bit < LIVE_PINS; bit++) {
        text[bit] = (pins >> (LIVE_PINS - 1 - bit) & 1) != 0 ? '1' : '0';
    }
    text[LIVE_PINS] = '\0';
}

static void put_live_row(const struct view *view, struct table *table, size_t i)
{
    const struct body_live *live = live_view_of(view->live, i);
    char pins[32] = "";
    struct face face;

    face_of(view, i, &face);
    table_cell(table, "%s", view->context->inventory->nodes[i].name);
    table_cell(table, "%s", face.state);
    table_cell(table, "%s", face.experiment);
    table_cell(table, "%s", face.progress);
    if (live != NULL && live->has_voltage) {
        table_cell(table, "%.3f V", live->voltage_V);
    } else {
        table_cell(table, "-");
    }
    if (live != NULL && live->has_current) {
        table_cell(table, "%.3f mA", live->current_A * 1e3);
    } else {
        table_cell(table, "-");
    }
    if (live != NULL && live->has_gpio) {
        pins_text(live->gpio, pins);
    }
    table_cell(table, "%s", pins[0] != '\0' ? pins : "-");
    table_cell(table, "%s", face.fault);
}

static void print_live(const struct view *view)
{
    static const char *const HEADERS[] = { "node",    "state",   "experiment", "done",
                                           "voltage", "current", "pins",       "remark" };
    struct table *table = table_create(HEADERS, ARRAY_LEN(HEADERS));

    table_align_right(table, 4);
    table_align_right(table, 5);
    for (size_t i = 0; i < view->context->inventory->n_nodes; i++) {
        if (view->context->selected[i]) {
            put_live_row(view, table, i);
        }
    }
    table_print(table, stdout);
    table_destroy(&table);
}

static int show(struct view *view)
{
    const struct ask_round round = { .verb = VERB_STATUS,
                                     .body = ask_no_body,
                                     .answer = take_state,
                                     .arg = view,
                                     .timeout_ms = view->request->timeout_ms };
    size_t n_answered = 0;

    ask_hello(view->ask, view->request->timeout_ms, NULL, NULL);
    n_answered = ask_all(view->ask, &round);
    if (view->options->is_json) {
        for (size_t i = 0; i < view->context->inventory->n_nodes; i++) {
            if (view->context->selected[i]) {
                put_json(view, i);
            }
        }
    } else if (view->request->is_full) {
        print_full(view);
    } else if (view->live != NULL) {
        print_live(view);
    } else {
        print_folded(view);
    }
    fflush(stdout);
    if (n_answered == 0) {
        return EXIT_NOBODY;
    }
    return n_answered == view->context->n_selected ? EXIT_ALL_VALID : EXIT_NODE_FAILED;
}

static int parse(const struct cmd_options *options, int argc, char **argv,
                 struct request *request)
{
    struct cli_scan scan = {
        .global = options, .options = OPTIONS, .argc = argc, .argv = argv
    };
    const char *value = NULL;
    int option = 0;

    while ((option = cli_next(&scan, &value)) != 0) {
        if (option == 'w') {
            request->is_watching = true;
        } else if (option == 'a') {
            request->is_full = true;
        } else if (option == '?' || cli_take_timeout(&scan, value, &request->timeout_ms) != 0) {
            return EXIT_USAGE;
        }
    }
    return cli_take_nodes(&scan, &request->nodes);
}

static volatile sig_atomic_t is_interrupted;

static void note_signal(int number)
{
    (void)number;
    is_interrupted = 1;
}

/* Ctrl-C ends the watching in order, also where the shell had it ignored. */
static int watch(struct view *view)
{
    struct sigaction action = { .sa_handler = note_signal };

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    while (is_interrupted == 0) {
        live_view_listen(view->live, WATCH_MS);
        if (is_interrupted == 0) {
            fputs(view->options->is_json ? "" : "\033[H\033[2J", stdout);
            (void)show(view);
        }
    }
    return EXIT_INTERRUPTED;
}

static int run_view(struct view *view)
{
    struct err err = { 0 };
    int status = 0;

    view->states = calloc(view->context->inventory->n_nodes, sizeof(*view->states));
    view->answer_ns = calloc(view->context->inventory->n_nodes, sizeof(*view->answer_ns));
    view->ask =
        ask_open(view->context->inventory, view->context->selected, &view->context->key, &err);
    if (view->request->is_watching) {
        view->live = live_view_open(view->context->inventory, view->context->selected,
                                    &view->context->key, &err);
    }
    if (view->ask == NULL || view->states == NULL || view->answer_ns == NULL
        || (view->request->is_watching && view->live == NULL)) {
        status = cmd_fail(view->options, "status", &err);
    } else {
        status = show(view);
        if (view->request->is_watching) {
            status = watch(view);
        }
    }
    live_view_close(&view->live);
    ask_close(&view->ask);
    free(view->states);
    free(view->answer_ns);
    return status;
}

static int run(const struct cmd_options *options, int argc, char **argv)
{
    struct request request = { .timeout_ms = TIMEOUT_MS };
    struct context context;
    struct view view = { .options = options, .request = &request, .context = &context };
    int status = parse(options, argc, argv, &request);

    if (status == 0) {
        status = context_open(&context, options, "status", request.nodes, true);
    }
    if (status == 0) {
        status = run_view(&view);
        context_close(&context);
    }
    return status;
}

const struct cmd cmd_status = {
    .name = "status",
    .summary = "what every node does",
    .usage = USAGE,
    .run = run,
};
