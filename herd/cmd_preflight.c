/* SPDX-License-Identifier: MIT */
/* herd preflight: would an experiment go well on these nodes? */
#include "herd/ask.h"
#include "herd/cli.h"
#include "herd/clock_survey.h"
#include "herd/cmd.h"
#include "herd/context.h"
#include "herd/facts.h"
#include "herd/preflight.h"
#include "herd/report.h"

#include "common/clock.h"
#include "common/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char USAGE[] =
    "Usage: herd preflight [options] [NODES]\n\n"
    "Looks at everything that would spoil an experiment before it is begun: who answers and is\n"
    "free, versions, calibration, clocks (what daemons claim and what exchanges prove), room and\n"
    "mount of the recordings' disk, real-time priority, the processor's governor. Nodes with the\n"
    "same finding share a line.\n\n"
    "      --free SIZE   room that is wanted on every node; default 1 GB\n"
    "  -m, --max US      limit for clocks, as clock_error_max; default 100\n"
    "  -t, --timeout S   how long a node may take to answer; default 5\n\n"
    "Examples:\n"
    "  herd preflight && herd run solar.yaml\n"
    "  herd preflight --free 8GB sheep[0-3]\n\n"
    "Exit status: 1 when there is a fault (warnings are none), 3 when nobody answers.\n";

enum {
    OPTION_FREE = 256,
    TIMEOUT_MS = 5000,
    EXCHANGES = 8,
    LIMIT_US = 100,
};

static const uint64_t FREE_BYTES = 1000000000;
static const double MAX_LIMIT_US = 1e12;

static const struct cli_option OPTIONS[] = {
    {OPTION_FREE, "free",    true },
    { 'm',        "max",     true },
    { 't',        "timeout", true },
    { 0,          NULL,      false},
};

struct request {
    uint64_t free_bytes;
    int64_t limit_ns;
    int timeout_ms;
    const char *nodes;
};

struct view {
    const struct cmd_options *options;
    const struct request *request;
    struct context context;
    struct ask *ask;
    struct body_state *states;
    bool *has_state;
    struct facts facts;
    struct clock_survey clocks;
    struct preflight *results;
};

static bool take_state(void *arg, const struct ask_answer *answer)
{
    struct view *view = arg;

    if (answer->message->verb == VERB_STATE) {
        view->states[answer->i] = *PROTO_CONST_BODY(answer->message, body_state);
        view->has_state[answer->i] = true;
    }
    return true;
}

static void ask_everything(struct view *view)
{
    const struct ask_round round = { .verb = VERB_STATUS,
                                     .body = ask_no_body,
                                     .answer = take_state,
                                     .arg = view,
                                     .timeout_ms = view->request->timeout_ms };

    facts_ask(&view->facts, view->ask, view->context.inventory->n_nodes,
              view->request->timeout_ms);
    ask_all(view->ask, &round);
    clock_survey_run(&view->clocks, view->ask, EXCHANGES, view->request->timeout_ms);
}

static void judge(struct view *view, size_t i)
{
    const struct clock_view *clock = &view->clocks.views[i];
    struct preflight_facts facts = {
        .is_answered = view->has_state[i] && view->facts.faults[i][0] == '\0'
                       && ask_welcome(view->ask, i) != NULL && clock->n_exchanges > 0,
        .welcome = ask_welcome(view->ask, i),
        .state = &view->states[i],
        .clock = &view->clocks.claims[i],
        .machine = &view->facts.nodes[i],
        .offset_ns = clock->offset_ns - view->clocks.median.offset_ns,
        .bound_ns = clock->bound_ns + view->clocks.median.bound_ns,
        .has_offset = view->clocks.has_median,
        .version = BW_VERSION,
        .min_free_bytes = view->request->free_bytes,
        .clock_error_max_ns = view->request->limit_ns,
    };

    preflight_judge(&view->results[i], &facts);
}

/* ---- what comes out ---- */

static void put_json(const struct view *view, size_t i)
{
    const struct preflight *result = &view->results[i];
    struct buf line = { 0 };
    struct json json = { .out = &line };

    json_open(&json, NULL, '{');
    json_text(&json, "node", view->context.inventory->nodes[i].name);
    json_bool(&json, "fit", result->n_faults == 0);
    json_open(&json, "findings", '[');
    for (size_t k = 0; k < result->n_findings; k++) {
        json_open(&json, NULL, '{');
        json_bool(&json, "is_fault", result->findings[k].is_fault);
        json_text(&json, "text", result->findings[k].text);
        json_close(&json, '}');
    }
    json_close(&json, ']');
    json_close(&json, '}');
    json_line(&json, stdout);
    buf_fini(&line);
}

static bool has_finding(const struct preflight *result, const struct preflight_finding *wanted)
{
    for (size_t k = 0; k < result->n_findings; k++) {
        if (strcmp(result->findings[k].text, wanted->text) == 0) {
            return true;
        }
    }
    return false;
}

struct selection {
    const struct view *view;
    const struct preflight_finding *finding; /* NULL: those without any */
};

static bool is_meant(void *arg, size_t i)
{
    const struct selection *selection = arg;
    const struct preflight *result = &selection->view->results[i];

    return selection->view->context.selected[i]
           && (selection->finding != NULL ? has_finding(result, selection->finding)
                                          : result->n_findings == 0);
}

/* The nodes that share a finding, as one set. */
static void put_set(const struct view *view, const char *head,
                    const struct preflight_finding *finding, const char *text)
{
    struct selection selection = { view, finding };
    struct buf set = { 0 };
    size_t count = context_fold(&view->context, is_meant, &selection, &set);

    if (count > 0) {
        printf("%-7s  %s (%zu): %s\n", head, set.data != NULL ? set.data : "", count, text);
    }
    buf_fini(&set);
}

/* A node before this one had it: it was printed then. */
static bool is_printed(const struct view *view, size_t i,
                       const struct preflight_finding *finding)
{
    for (size_t k = 0; k < i; k++) {
        if (view->context.selected[k] && has_finding(&view->results[k], finding)) {
            return true;
        }
    }
    return false;
}

static void print_kind(const struct view *view, bool is_fault)
{
    for (size_t i = 0; i < view->context.inventory->n_nodes; i++) {
        for (size_t k = 0; view->context.selected[i] && k < view->results[i].n_findings; k++) {
            const struct preflight_finding *finding = &view->results[i].findings[k];

            if (finding->is_fault == is_fault && !is_printed(view, i, finding)) {
                put_set(view, is_fault ? "fault" : "warning", finding, finding->text);
            }
        }
    }
}

static int show(struct view *view)
{
    size_t n_answered = 0;
    size_t n_fit = 0;

    for (size_t i = 0; i < view->context.inventory->n_nodes; i++) {
        if (!view->context.selected[i]) {
            continue;
        }
        judge(view, i);
        n_answered += view->has_state[i] ? 1 : 0;
        n_fit += view->results[i].n_faults == 0 ? 1 : 0;
        if (view->options->is_json) {
            put_json(view, i);
        }
    }
    if (!view->options->is_json) {
        print_kind(view, true);
        print_kind(view, false);
        put_set(view, "fit", NULL, "nothing to find fault with");
    }
    if (n_answered == 0) {
        return EXIT_NOBODY;
    }
    return n_fit == view->context.n_selected ? EXIT_ALL_VALID : EXIT_NODE_FAILED;
}

static int look(struct view *view)
{
    size_t n_nodes = view->context.inventory->n_nodes;
    struct err err = { .code = ERR_MEMORY, .text = "answers" };
    int status = 0;

    view->states = calloc(n_nodes + 1, sizeof(*view->states));
    view->has_state = calloc(n_nodes + 1, sizeof(*view->has_state));
    view->results = calloc(n_nodes + 1, sizeof(*view->results));
    if (view->states != NULL && view->has_state != NULL && view->results != NULL
        && clock_survey_init(&view->clocks, n_nodes, &err) == 0) {
        view->ask =
            ask_open(view->context.inventory, view->context.selected, &view->context.key, &err);
    }
    if (view->ask == NULL) {
        status = cmd_fail(view->options, "preflight", &err);
    } else {
        ask_everything(view);
        status = show(view);
    }
    ask_close(&view->ask);
    clock_survey_fini(&view->clocks);
    facts_fini(&view->facts);
    free(view->states);
    free(view->has_state);
    free(view->results);
    return status;
}

/* ---- the command ---- */

static int take_option(const struct cli_scan *scan, struct request *request, int option,
                       const char *value)
{
    double limit_us = 0;

    if (option == '?') {
        return EXIT_USAGE;
    }
    if (option == OPTION_FREE) {
        return bytes_parse(value, &request->free_bytes) == UNIT_OK
                   ? 0
                   : cmd_misuse(scan->global, "preflight", "'%s' is no size, as 8GB is", value);
    }
    if (option == 't') {
        return cli_take_timeout(scan, value, &request->timeout_ms);
    }
    if (!text_to_f64(value, &limit_us) || limit_us <= 0 || limit_us > MAX_LIMIT_US) {
        return cmd_misuse(scan->global, "preflight",
                          "limit '%s' is not a number of microseconds", value);
    }
    request->limit_ns = (int64_t)(limit_us * 1000);
    return 0;
}

static int parse(struct cli_scan *scan, struct request *request)
{
    const char *value = NULL;
    int option = 0;

    while ((option = cli_next(scan, &value)) != 0) {
        int status = take_option(scan, request, option, value);

        if (status != 0) {
            return status;
        }
    }
    return cli_take_nodes(scan, &request->nodes);
}

static int run(const struct cmd_options *options, int argc, char **argv)
{
    struct cli_scan scan = {
        .global = options, .options = OPTIONS, .argc = argc, .argv = argv
    };
    struct request request = { .free_bytes = FREE_BYTES,
                               .limit_ns = LIMIT_US * NS_PER_US,
                               .timeout_ms = TIMEOUT_MS };
    struct view view = { .options = options, .request = &request };
    int status = parse(&scan, &request);

    if (status == 0) {
        status = context_open(&view.context, options, "preflight", request.nodes, true);
    }
    if (status == 0) {
        status = look(&view);
        context_close(&view.context);
    }
    return status;
}

const struct cmd cmd_preflight = {
    .name = "preflight",
    .summary = "find out what would spoil an experiment",
    .usage = USAGE,
    .run = run,
};
