/* SPDX-License-Identifier: MIT */
/* herd alive: who answers. */
#include "herd/ask.h"
#include "herd/cli.h"
#include "herd/cmd.h"
#include "herd/context.h"
#include "herd/report.h"

#include <stdio.h>
#include <stdlib.h>

static const char USAGE[] =
    "Usage: herd alive [options] [NODES]\n\n"
    "Tells which nodes answer. Waits until all have or the time is over.\n\n"
    "  -t, --timeout S   default 2\n\n"
    "Examples:\n"
    "  herd alive && herd run solar.yaml\n"
    "  herd alive -q -t 60     wait up to a minute until all are there\n\n"
    "Exit status: 1 when a node does not answer, 3 when none does.\n";

enum {
    TIMEOUT_MS = 2000,
    MAX_SECONDS = 86400,
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

static void put_set(const struct context *context, const struct ask *ask, enum ask_state state,
                    const char *word)
{
    const char **names = calloc(context->inventory->n_nodes, sizeof(*names));
    struct buf set = { 0 };
    size_t count = 0;

    for (size_t i = 0; names != NULL && i < context->inventory->n_nodes; i++) {
        if (ask_state(ask, i) == state) {
            names[count++] = context->inventory->nodes[i].name;
        }
    }
    if (count > 0) {
        nodeset_fold(names, count, &set);
        printf("%s: %s (%zu)\n", word, set.data != NULL ? set.data : "", count);
    }
    buf_fini(&set);
    free(names);
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
        put_set(context, ask, ASK_ANSWERED, "alive");
        put_set(context, ask, ASK_SILENT, "silent");
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
    int timeout_ms = TIMEOUT_MS;
    int option = 0;
    int status = 0;

    while ((option = cli_next(&scan, &value)) != 0) {
        double seconds = 0;

        if (option == '?') {
            return EXIT_USAGE;
        }
        if (!text_to_f64(value, &seconds) || seconds <= 0 || seconds > MAX_SECONDS) {
            return cmd_misuse(options, "alive", "timeout '%s' is not a number of seconds",
                              value);
        }
        timeout_ms = (int)(seconds * 1000);
    }
    if (scan.n_operands > 1) {
        return cmd_misuse(options, "alive", "one set of nodes, not %d", scan.n_operands);
    }
    status = context_open(&context, options, "alive",
                          scan.n_operands == 1 ? argv[scan.at] : NULL, true);
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
