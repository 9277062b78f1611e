/* SPDX-License-Identifier: MIT */
/* herd attach: continues a run whose herd is gone. */
#include "herd/cli.h"
#include "herd/cmd.h"
#include "herd/context.h"
#include "herd/journal.h"
#include "herd/run.h"

#include <stdio.h>

static const char USAGE[] =
    "Usage: herd attach [options] [ID]\n\n"
    "Continues a run whose herd was detached, killed or cut off: replays its journal, finds out\n"
    "what became of every node, collects what was recorded, and ends with the verdicts. Without\n"
    "an ID it is the newest run that is not complete.\n\n"
    "      --list             print the runs that are not complete\n"
    "      --rate SIZE        at most so much a second of recordings from each node\n"
    "      --total-rate SIZE  and from all together; what is left comes after the end\n"
    "      --take-over        take nodes over from another controller\n\n"
    "Examples:\n"
    "  herd attach\n"
    "  herd attach solar-day_2026-06-21T10-00-00Z\n";

enum {
    OPTION_TAKE_OVER = 256,
    OPTION_LIST,
    OPTION_RATE,
    OPTION_TOTAL_RATE,
};

static const struct cli_option OPTIONS[] = {
    {OPTION_TAKE_OVER,   "take-over",  false},
    { OPTION_LIST,       "list",       false},
    { OPTION_RATE,       "rate",       true },
    { OPTION_TOTAL_RATE, "total-rate", true },
    { 0,                 NULL,         false},
};

static void print_id(void *arg, const char *id)
{
    (void)arg;
    puts(id);
}

static int list(const struct cmd_options *options)
{
    char folder[PATH_MAX];
    struct err err = { 0 };

    if (context_state_folder(folder, &err) < 0
        || journal_each_open(folder, print_id, NULL, &err) < 0) {
        return cmd_fail(options, "attach", &err);
    }
    return EXIT_ALL_VALID;
}

static int run(const struct cmd_options *options, int argc, char **argv)
{
    struct cli_scan scan = {
        .global = options, .options = OPTIONS, .argc = argc, .argv = argv
    };
    struct context context;
    struct run_request request = { .options = options,
                                   .command = "attach",
                                   .context = &context };
    const char *value = NULL;
    bool is_list = false;
    int option = 0;
    int status = 0;

    while ((option = cli_next(&scan, &value)) != 0) {
        if (option == '?') {
            return EXIT_USAGE;
        }
        if ((option == OPTION_RATE
             && cli_take_rate(options, "attach", value, &request.rate) != 0)
            || (option == OPTION_TOTAL_RATE
                && cli_take_rate(options, "attach", value, &request.total_rate) != 0)) {
            return EXIT_USAGE;
        }
        is_list = is_list || option == OPTION_LIST;
        request.take_over = request.take_over || option == OPTION_TAKE_OVER;
    }
    if (scan.n_operands > 1) {
        return cmd_misuse(options, "attach", "one ID, not %d", scan.n_operands);
    }
    if (is_list) {
        return list(options);
    }
    status = context_open(&context, options, "attach", NULL, true);
    if (status != 0) {
        return status;
    }
    request.id = scan.n_operands == 1 ? argv[scan.at] : NULL;
    status = run_execute(&request);
    context_close(&context);
    return status;
}

const struct cmd cmd_attach = {
    .name = "attach",
    .summary = "continue a run whose herd is gone",
    .usage = USAGE,
    .run = run,
};
