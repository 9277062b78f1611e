/* SPDX-License-Identifier: MIT */
/* herd blink: which of the boxes on the shelf is it? */
#include "herd/cli.h"
#include "herd/cmd.h"
#include "herd/context.h"
#include "herd/order.h"

#include "common/units.h"

static const char USAGE[] =
    "Usage: herd blink [options] NODES\n\n"
    "Lets the user lights of nodes blink, so that you find them on their shelf. A node in use\n"
    "blinks too; its recording does not notice.\n\n"
    "  -a, --all         all nodes of the inventory (or of -l), instead of NODES\n"
    "  -d, --duration D  for so long; default 30 s, at most 1 h; 0 ends it\n"
    "  -t, --timeout S   how long a node may take to answer; default 5\n\n"
    "Examples:\n"
    "  herd blink sheep7\n"
    "  herd blink -d '5 min' @roof\n"
    "  herd blink -d 0 --all\n\n"
    "Exit status: 1 when a node refused or does not answer, 3 when none answers.\n";

enum {
    DURATION_S = 30,
    TIMEOUT_MS = 5000,
};

static const struct cli_option OPTIONS[] = {
    {'a',  "all",      false},
    { 'd', "duration", true },
    { 't', "timeout",  true },
    { 0,   NULL,       false},
};

struct request {
    struct body_blink body;
    const char *nodes;
    bool is_all;
    int timeout_ms;
};

static int parse(struct cli_scan *scan, struct request *request)
{
    const char *value = NULL;
    int option = 0;

    while ((option = cli_next(scan, &value)) != 0) {
        if (option == '?') {
            return EXIT_USAGE;
        }
        if (option == 'a') {
            request->is_all = true;
        } else if (option == 'd') {
            if (duration_parse(value, "s", &request->body.duration_ns) != UNIT_OK
                || request->body.duration_ns < 0) {
                return cmd_misuse(scan->global, "blink", "duration '%s' is none, as '30 s' is",
                                  value);
            }
        } else if (cli_take_timeout(scan, value, &request->timeout_ms) != 0) {
            return EXIT_USAGE;
        }
    }
    return order_take_nodes(scan, request->is_all, &request->nodes);
}

static int run(const struct cmd_options *options, int argc, char **argv)
{
    struct cli_scan scan = {
        .global = options, .options = OPTIONS, .argc = argc, .argv = argv
    };
    struct request request = { .body = { DURATION_S * INT64_C(1000000000) },
                               .timeout_ms = TIMEOUT_MS };
    struct order order = { .command = "blink",
                           .verb = VERB_BLINK,
                           .done_verb = VERB_BLINKING,
                           .body = &request.body };
    struct context context;
    int status = parse(&scan, &request);

    if (status == 0) {
        status = context_open(&context, options, "blink", request.nodes, true);
    }
    if (status == 0) {
        order.done_word = request.body.duration_ns > 0 ? "blinks" : "blinks no more";
        order.timeout_ms = request.timeout_ms;
        status = order_give(options, &context, &order);
        context_close(&context);
    }
    return status;
}

const struct cmd cmd_blink = {
    .name = "blink",
    .summary = "let the lights of nodes blink",
    .usage = USAGE,
    .run = run,
};
