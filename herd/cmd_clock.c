/* SPDX-License-Identifier: MIT */
/* herd clock: what is known about the nodes' clocks, and what this network can prove. */
#include "herd/ask.h"
#include "herd/cli.h"
#include "herd/clock_judge.h"
#include "herd/clock_record.h"
#include "herd/clock_survey.h"
#include "herd/cmd.h"
#include "herd/context.h"
#include "herd/report.h"

#include "common/clock.h"
#include "common/units.h"

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
    "  -t, --timeout S  per exchange; default 2\n"
    "      --record D   measure again and again for so long (10 min, 1 h), a line per node and\n"
    "                   measurement into a file; at the end, what each clock did in that time:\n"
    "                   its range, its drift. Ctrl-C ends it early, and it concludes\n"
    "      --interval D between measurements; default 10 s\n"
    "  -o, --output F   the file of --record; default clock_UTC.csv\n\n"
    "Examples:\n"
    "  herd clock\n"
    "  herd clock -n 100 -m 50 --json\n"
    "  herd clock --record 1h -o night.csv\n\n"
    "Exit status: 1 when a clock is proven off, unlocked, or a node does not answer.\n";

enum {
    OPTION_RECORD = 256,
    OPTION_INTERVAL,
    COUNT = 16,
    INTERVAL_S = 10,
    MAX_COUNT = 100000,
    LIMIT_US = 100,
    TIMEOUT_MS = 2000,
    MIN_DURATION_MS = 10,
    MAX_DURATION_D = 30,
};

static const struct cli_option OPTIONS[] = {
    {'n',              "count",    true },
    { 'm',             "max",      true },
    { 't',             "timeout",  true },
    { OPTION_RECORD,   "record",   true },
    { OPTION_INTERVAL, "interval", true },
    { 'o',             "output",   true },
    { 0,               NULL,       false},
};

static const int64_t NS_PER_DAY = 86400 * INT64_C(1000000000);

struct request {
    uint64_t count;
    int64_t limit_ns;
    int timeout_ms;
    struct clock_record_request record; /* duration 0: once is enough */
    const char *nodes;
};

struct survey {
    const struct cmd_options *options;
    const struct request *request;
    struct context context;
    struct ask *ask;
    struct clock_survey clocks;
};

/* "" when nothing is wrong with it. */
static const char *judge(const struct survey *survey, size_t i)
{
    const struct body_clock *claim = &survey->clocks.claims[i];

    if (survey->clocks.views[i].n_exchanges == 0) {
        return "no answer";
    }
    if (clock_view_is_proven_off(&survey->clocks.views[i], &survey->clocks.median,
                                 survey->request->limit_ns)) {
        return "proven off";
    }
    if (!claim->is_locked) {
        return "not locked";
    }
    if (clock_claims_more(claim, survey->request->limit_ns)) {
        return "claims too much";
    }
    return "";
}

static void put_json(const struct survey *survey, size_t i)
{
    const struct clock_view *view = &survey->clocks.views[i];
    const struct body_clock *claim = &survey->clocks.claims[i];
    struct buf line = { 0 };
    struct json json = { .out = &line };

    json_open(&json, NULL, '{');
    json_text(&json, "node", survey->context.inventory->nodes[i].name);
    json_u64(&json, "exchanges", view->n_exchanges);
    if (view->n_exchanges > 0) {
        json_i64(&json, "offset_ns", view->offset_ns);
        json_i64(&json, "offset_to_median_ns",
                 view->offset_ns - survey->clocks.median.offset_ns);
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
    const struct clock_view *view = &survey->clocks.views[i];
    const struct body_clock *claim = &survey->clocks.claims[i];
    char text[HUMAN_TEXT_SIZE];

    table_cell(table, "%s", survey->context.inventory->nodes[i].name);
    if (view->n_exchanges == 0) {
        for (int k = 0; k < 6; k++) {
            table_cell(table, "-");
        }
    } else {
        table_cell(table, "%s",
                   human_ns(view->offset_ns - survey->clocks.median.offset_ns, text));
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
        const struct clock_view *view = &survey->clocks.views[i];

        worst_ns =
            view->n_exchanges > 0 && view->bound_ns > worst_ns ? view->bound_ns : worst_ns;
    }
    if (!survey->clocks.has_median) {
        return;
    }
    printf(
        "The median of the nodes is %s from this machine's clock. This network can prove a "
        "clock off\nby more than %s; clock_error_max (%s here) below that rests on what the "
        "daemons claim.\n",
        human_ns(survey->clocks.median.offset_ns, median),
        human_ns(worst_ns + survey->clocks.median.bound_ns + survey->request->limit_ns, proven),
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
    return survey->clocks.has_median ? status : EXIT_NOBODY;
}

static int run_once(struct survey *survey)
{
    clock_survey_run(&survey->clocks, survey->ask, survey->request->count,
                     survey->request->timeout_ms);
    return conclude(survey);
}

static int run_survey(struct survey *survey)
{
    const struct request *request = survey->request;
    struct err err = { 0 };
    int status = 0;

    survey->ask = ask_open(survey->context.inventory, survey->context.selected,
                           &survey->context.key, &err);
    if (survey->ask == NULL
        || clock_survey_init(&survey->clocks, survey->context.inventory->n_nodes, &err) < 0) {
        status = cmd_fail(survey->options, "clock", &err);
    } else if (request->record.duration_ns > 0) {
        status = clock_record(survey->options, &survey->context, survey->ask, &survey->clocks,
                              &request->record);
    } else {
        status = run_once(survey);
    }
    ask_close(&survey->ask);
    clock_survey_fini(&survey->clocks);
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

/* 0 or an exit status. */
static int take_duration(const struct cmd_options *options, const char *text, int64_t *ns)
{
    if (duration_parse(text, "s", ns) != UNIT_OK || *ns < MIN_DURATION_MS * NS_PER_MS
        || *ns > MAX_DURATION_D * NS_PER_DAY) {
        return cmd_misuse(options, "clock", "'%s' is no duration from %d ms to %d d", text,
                          (int)MIN_DURATION_MS, (int)MAX_DURATION_D);
    }
    return 0;
}

static int take_option(const struct cli_scan *scan, struct request *request, int option,
                       const char *text)
{
    const struct cmd_options *options = scan->global;
    double value = 0;

    if (option == '?') {
        return EXIT_USAGE;
    }
    if (option == 't') {
        return cli_take_timeout(scan, text, &request->timeout_ms);
    }
    if (option == OPTION_RECORD) {
        return take_duration(options, text, &request->record.duration_ns);
    }
    if (option == OPTION_INTERVAL) {
        return take_duration(options, text, &request->record.interval_ns);
    }
    if (option == 'o') {
        request->record.output = text;
        return 0;
    }
    value = take_positive(options, text, option == 'n' ? MAX_COUNT : 1e12);
    if (value <= 0) {
        return EXIT_USAGE;
    }
    if (option == 'n') {
        request->count = (uint64_t)ceil(value);
    } else {
        request->limit_ns = (int64_t)(value * 1000);
    }
    return 0;
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
        int status = take_option(&scan, request, option, text);

        if (status != 0) {
            return status;
        }
    }
    if (request->record.duration_ns == 0 && request->record.output != NULL) {
        return cmd_misuse(options, "clock", "-o belongs to --record");
    }
    request->record.count = request->count;
    request->record.timeout_ms = request->timeout_ms;
    return cli_take_nodes(&scan, &request->nodes);
}

static int run(const struct cmd_options *options, int argc, char **argv)
{
    struct request request = { .count = COUNT,
                               .limit_ns = LIMIT_US * NS_PER_US,
                               .timeout_ms = TIMEOUT_MS,
                               .record.interval_ns = INTERVAL_S * NS_PER_S };
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
