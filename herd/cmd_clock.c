/* SPDX-License-Identifier: MIT */
/* herd clock: what is known about the nodes' clocks, and what this network can prove. */
#include "herd/ask.h"
#include "herd/cli.h"
#include "herd/clock_view.h"
#include "herd/cmd.h"
#include "herd/context.h"
#include "herd/report.h"

#include "common/clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char USAGE[] =
    "Usage: herd clock [options] [NODES]\n\n"
    "Shows, for every node, two different things:\n"
    "  proven   offset from the median of the nodes, by exchanges of timestamps; the bound is\n"
    "           half the shortest round trip. It catches gross faults: a dead daemon, 37 s\n"
    "           between TAI and UTC, a clock in 1970.\n"
    "  claimed  what the node's own daemon says (ptp4l, phc2sys, chrony): the only source of\n"
    "           truth below 100 us.\n\n"
    "  -n, --count N    exchanges per node; default 16\n"
    "  -m, --max US     limit to judge by, as clock_error_max; default 100\n"
    "  -t, --timeout S  per exchange; default 2\n\n"
    "Examples:\n"
    "  herd clock\n"
    "  herd clock -n 100 -m 50 --json\n\n"
    "Exit status: 1 when a clock is proven off, unlocked, or a node does not answer.\n";

enum {
    COUNT = 16,
    MAX_COUNT = 100000,
    AT_A_TIME = 4,
    LIMIT_US = 100,
    TIMEOUT_MS = 2000,
    MAX_SECONDS = 3600,
};

static const struct cli_option OPTIONS[] = {
    {'n',  "count",   true },
    { 'm', "max",     true },
    { 't', "timeout", true },
    { 0,   NULL,      false},
};

struct request {
    uint64_t count;
    int64_t limit_ns;
    int timeout_ms;
    const char *nodes;
};

struct survey {
    const struct cmd_options *options;
    const struct request *request;
    struct context context;
    struct ask *ask;
    struct clock_view *views;
    struct body_clock *claims; /* of the last answer */
    struct body_clock question;
    bool *is_mute; /* did not answer once: not asked again */
    size_t turn;   /* whose turn it is: every n_turns-th node */
    size_t n_turns;
    struct clock_median median;
    bool has_median;
};

static const void *question_body(void *arg, size_t i)
{
    struct survey *survey = arg;

    if (i % survey->n_turns != survey->turn || survey->is_mute[i]) {
        return NULL;
    }
    memset(&survey->question, 0, sizeof(survey->question));
    survey->question.t1_ns = clock_utc_ns();
    return &survey->question;
}

static bool take_times(void *arg, const struct ask_answer *answer)
{
    struct survey *survey = arg;
    const struct body_clock *clock = PROTO_CONST_BODY(answer->message, body_clock);

    if (answer->message->verb == VERB_CLOCKED) {
        survey->claims[answer->i] = *clock;
        clock_view_add(&survey->views[answer->i], clock->t1_ns, clock->t2_ns, clock->t3_ns,
                       answer->received_ns);
    }
    return true;
}

static void exchange(struct survey *survey)
{
    const struct ask_round round = { .verb = VERB_CLOCK,
                                     .body = question_body,
                                     .answer = take_times,
                                     .arg = survey,
                                     .timeout_ms = survey->request->timeout_ms };
    size_t n_nodes = survey->context.inventory->n_nodes;

    ask_hello(survey->ask, survey->request->timeout_ms, NULL, NULL);
    /* A few at a time: a thousand answers at once would wait for each other, and every bound
     * would be as wide as the crowd. */
    survey->n_turns = (n_nodes + AT_A_TIME - 1) / AT_A_TIME;
    for (survey->turn = 0; survey->turn < survey->n_turns; survey->turn++) {
        for (uint64_t i = 0; i < survey->request->count; i++) {
            ask_all(survey->ask, &round);
            for (size_t k = survey->turn; k < n_nodes; k += survey->n_turns) {
                survey->is_mute[k] = ask_state(survey->ask, k) != ASK_ANSWERED;
            }
        }
    }
    survey->has_median =
        clock_view_median(survey->views, survey->context.inventory->n_nodes, &survey->median);
}

/* "" when nothing is wrong with it. */
static const char *judge(const struct survey *survey, size_t i)
{
    const struct body_clock *claim = &survey->claims[i];

    if (survey->views[i].n_exchanges == 0) {
        return "no answer";
    }
    if (clock_view_is_proven_off(&survey->views[i], &survey->median,
                                 survey->request->limit_ns)) {
        return "proven off";
    }
    if (!claim->is_locked) {
        return "not locked";
    }
    if (llabs(claim->claimed_offset_ns) > survey->request->limit_ns
        || claim->claimed_bound_ns > survey->request->limit_ns) {
        return "claims too much";
    }
    return "";
}

static void put_json(const struct survey *survey, size_t i)
{
    const struct clock_view *view = &survey->views[i];
    const struct body_clock *claim = &survey->claims[i];
    struct buf line = { 0 };
    struct json json = { .out = &line };

    json_open(&json, NULL, '{');
    json_text(&json, "node", survey->context.inventory->nodes[i].name);
    json_u64(&json, "exchanges", view->n_exchanges);
    if (view->n_exchanges > 0) {
        json_i64(&json, "offset_ns", view->offset_ns);
        json_i64(&json, "offset_to_median_ns", view->offset_ns - survey->median.offset_ns);
        json_i64(&json, "bound_ns", view->bound_ns);
        json_text(&json, "source", claim->source);
        json_bool(&json, "is_locked", claim->is_locked);
        json_i64(&json, "claimed_offset_ns", claim->claimed_offset_ns);
        json_i64(&json, "claimed_bound_ns", claim->claimed_bound_ns);
    }
    json_text(&json, "fault", judge(survey, i));
    json_close(&json, '}');
    json_line(&json, stdout);
    buf_fini(&line);
}

static void put_row(const struct survey *survey, struct table *table, size_t i)
{
    const struct clock_view *view = &survey->views[i];
    const struct body_clock *claim = &survey->claims[i];
    char text[HUMAN_TEXT_SIZE];

    table_cell(table, "%s", survey->context.inventory->nodes[i].name);
    if (view->n_exchanges == 0) {
        for (int k = 0; k < 6; k++) {
            table_cell(table, "-");
        }
    } else {
        table_cell(table, "%s", human_ns(view->offset_ns - survey->median.offset_ns, text));
        table_cell(table, "+-%s", human_ns(view->bound_ns, text));
        table_cell(table, "%s", claim->source);
        table_cell(table, "%s", claim->is_locked ? "yes" : "no");
        table_cell(table, "%s", human_ns(claim->claimed_offset_ns, text));
        table_cell(table, "+-%s", human_ns(claim->claimed_bound_ns, text));
    }
    table_cell(table, "%s", judge(survey, i));
}

/* The limit below which no node's error would be noticed from here. */
static void put_conclusion(const struct survey *survey)
{
    int64_t worst_ns = 0;
    char proven[HUMAN_TEXT_SIZE];
    char limit[HUMAN_TEXT_SIZE];
    char median[HUMAN_TEXT_SIZE];

    for (size_t i = 0; i < survey->context.inventory->n_nodes; i++) {
        const struct clock_view *view = &survey->views[i];

        worst_ns =
            view->n_exchanges > 0 && view->bound_ns > worst_ns ? view->bound_ns : worst_ns;
    }
    if (!survey->has_median) {
        return;
    }
    printf("The median of the nodes is %s from this machine's clock. This network can prove a "
           "clock off\nby more than %s; clock_error_max (%s here) below that rests on what the "
           "daemons claim.\n",
           human_ns(survey->median.offset_ns, median),
           human_ns(worst_ns + survey->median.bound_ns + survey->request->limit_ns, proven),
           human_ns(survey->request->limit_ns, limit));
}

static void print_all(const struct survey *survey)
{
    static const char *const HEADERS[] = { "node",   "offset",  "proven", "source",
                                           "locked", "claimed", "bound",  "fault" };
    struct table *table = table_create(HEADERS, ARRAY_LEN(HEADERS));

    table_align_right(table, 1);
    table_align_right(table, 2);
    table_align_right(table, 5);
    table_align_right(table, 6);
    for (size_t i = 0; i < survey->context.inventory->n_nodes; i++) {
        if (survey->context.selected[i]) {
            put_row(survey, table, i);
        }
    }
    table_print(table, stdout);
    table_destroy(&table);
    put_conclusion(survey);
}

static int conclude(const struct survey *survey)
{
    int status = EXIT_ALL_VALID;

    for (size_t i = 0; i < survey->context.inventory->n_nodes; i++) {
        if (!survey->context.selected[i]) {
            continue;
        }
        if (survey->options->is_json) {
            put_json(survey, i);
        }
        if (judge(survey, i)[0] != '\0') {
            status = EXIT_NODE_FAILED;
        }
    }
    if (!survey->options->is_json) {
        print_all(survey);
    }
    fflush(stdout);
    return survey->has_median ? status : EXIT_NOBODY;
}

static int run_survey(struct survey *survey)
{
    size_t n_nodes = survey->context.inventory->n_nodes;
    struct err err = { 0 };
    int status = 0;

    survey->views = calloc(n_nodes + 1, sizeof(*survey->views));
    survey->claims = calloc(n_nodes + 1, sizeof(*survey->claims));
    survey->is_mute = calloc(n_nodes + 1, sizeof(*survey->is_mute));
    survey->ask = ask_open(survey->context.inventory, survey->context.selected,
                           &survey->context.key, &err);
    if (survey->ask == NULL || survey->views == NULL || survey->claims == NULL
        || survey->is_mute == NULL) {
        status = cmd_fail(survey->options, "clock", &err);
    } else {
        exchange(survey);
        status = conclude(survey);
    }
    ask_close(&survey->ask);
    free(survey->views);
    free(survey->claims);
    free(survey->is_mute);
    return status;
}

/* A positive number of the option's unit; 0: it is not. */
static double take_positive(const struct cmd_options *options, const char *text, double maximum)
{
    double value = 0;

    if (!text_to_f64(text, &value) || value <= 0 || value > maximum) {
        cmd_misuse(options, "clock", "'%s' is not a number up to %g", text, maximum);
        return 0;
    }
    return value;
}

static int parse(const struct cmd_options *options, int argc, char **argv,
                 struct request *request)
{
    struct cli_scan scan = {
        .global = options, .options = OPTIONS, .argc = argc, .argv = argv
    };
    const char *text = NULL;
    int option = 0;

    while ((option = cli_next(&scan, &text)) != 0) {
        double value = option == '?' ? 0
                                     : take_positive(options, text,
                                                     option == 'n'   ? MAX_COUNT
                                                     : option == 'm' ? 1e12
                                                                     : MAX_SECONDS);

        if (value <= 0) {
            return EXIT_USAGE;
        }
        if (option == 'n') {
            request->count = (uint64_t)ceil(value);
        } else if (option == 'm') {
            request->limit_ns = (int64_t)(value * 1000);
        } else {
            request->timeout_ms = (int)(value * 1000);
        }
    }
    if (scan.n_operands > 1) {
        return cmd_misuse(options, "clock", "one set of nodes, not %d", scan.n_operands);
    }
    request->nodes = scan.n_operands == 1 ? argv[scan.at] : NULL;
    return 0;
}

static int run(const struct cmd_options *options, int argc, char **argv)
{
    struct request request = { .count = COUNT,
                               .limit_ns = LIMIT_US * NS_PER_US,
                               .timeout_ms = TIMEOUT_MS };
    struct survey survey = { .options = options, .request = &request };
    int status = parse(options, argc, argv, &request);

    if (status == 0) {
        status = context_open(&survey.context, options, "clock", request.nodes, true);
    }
    if (status == 0) {
        status = run_survey(&survey);
        context_close(&survey.context);
    }
    return status;
}

const struct cmd cmd_clock = {
    .name = "clock",
    .summary = "offsets and bounds of the nodes' clocks",
    .usage = USAGE,
    .run = run,
};
