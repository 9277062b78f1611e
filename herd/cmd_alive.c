/* SPDX-License-Identifier: MIT */
/* herd alive: who answers. */
#include "herd/ask.h"
#include "herd/cli.h"
#include "herd/cmd.h"
#include "herd/context.h"
#include "herd/report.h"

#include <stdio.h>

static const char USAGE[] =
    "Usage: herd alive [options] [NODES]\n\n"
    "Tells which nodes answer. Waits until all have or the time is over.\n\n"
    "  -t, --timeout S   default 2\n\n"
    "Examples:\n"
    "  herd alive && herd run solar.yaml\n"
    "  herd alive -q -t 60     wait up to a minute until all are there\n\n"
    "Exit status: 1 when a node does not answer, 3 when none does.\n";

enum {
    TIMEOUT_MS = 2000
};

static const struct cli_option OPTIONS[] = {
    {'t', "timeout", true },
    { 0,  NULL,      false},
};

static void put_json(const struct context *context, const struct ask *ask)
{
    struct buf line = { 0 };
    struct json json = { .out = &line };

    for (size_t i = 0; i < context->inventory->n_nodes; i++) {
        if (context->selected[i]) {
            json_open(&json, NULL, '{');
            json_text(&json, "node", context->inventory->nodes[i].name);
            json_bool(&json, "alive", ask_state(ask, i) == ASK_ANSWERED);
            json_close(&json, '}');
            json_line(&json, stdout);
        }
    }
    buf_fini(&line);
}

static bool is_alive(void *arg, size_t i)
{
    return ask_state(arg, i) == ASK_ANSWERED;
}

static bool is_silent(void *arg, size_t i)
{
    return ask_state(arg, i) == ASK_SILENT;
}

static void put_set(const struct context *context, struct ask *ask, const char *word,
                    bool (*is_one)(void *arg, size_t i))
{
    struct buf set = { 0 };
    size_t count = context_fold(context, is_one, ask, &set);

    if (count > 0) {
        printf("%s: %s (%zu)\n", word, set.data != NULL ? set.data : "", count);
    }
    buf_fini(&set);
}

static int find_out(const struct cmd_options *options, const struct context *context,
                    int timeout_ms)
{
    struct err err = { 0 };
    struct ask *ask = ask_open(context->inventory, context->selected, &context->key, &err);
    size_t n_alive = 0;

    if (ask == NULL) {
        return cmd_fail(options, "alive", &err);
    }
    n_alive = ask_hello(ask, timeout_ms, NULL, NULL);
    if (options->is_json) {
        put_json(context, ask);
    } else if (!options->is_quiet) {
        put_set(context, ask, "alive", is_alive);
        put_set(context, ask, "silent", is_silent);
    }
    ask_close(&ask);
    if (n_alive == 0) {
        if (!options->is_json && !options->is_quiet) {
            fprintf(stderr,
                    "herd alive: nobody answers: down, unreachable, or %s (%s) is not "
                    "authorized there\n",
                    context->key.name, context->key_path);
        }
        return EXIT_NOBODY;
    }
    return n_alive == context->n_selected ? EXIT_ALL_VALID : EXIT_NODE_FAILED;
}

static int run(const struct cmd_options *options, int argc, char **argv)
{
    struct cli_scan scan = {
        .global = options, .options = OPTIONS, .argc = argc, .argv = argv
    };
    struct context context;
    const char *value = NULL;
    const char *nodes = NULL;
    int timeout_ms = TIMEOUT_MS;
    int option = 0;
    int status = 0;

    while ((option = cli_next(&scan, &value)) != 0) {
        if (option == '?' || cli_take_timeout(&scan, value, &timeout_ms) != 0) {
            return EXIT_USAGE;
        }
    }
    status = cli_take_nodes(&scan, &nodes);
    if (status == 0) {
        status = context_open(&context, options, "alive", nodes, true);
    }
    if (status == 0) {
        status = find_out(options, &context, timeout_ms);
        context_close(&context);
    }
    return status;
}

const struct cmd cmd_alive = {
    .name = "alive",
    .summary = "which nodes answer",
    .usage = USAGE,
    .run = run,
};
