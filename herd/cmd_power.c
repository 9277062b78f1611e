/* SPDX-License-Identifier: MIT */
/* herd poweroff and herd reboot: nodes are asked; each asks its own logind. */
#include "herd/cli.h"
#include "herd/cmd.h"
#include "herd/context.h"
#include "herd/order.h"

#include <string.h>

static const char USAGE_OFF[] =
    "Usage: herd poweroff [options] NODES\n\n"
    "Powers nodes off, through the logind of each. A node in use refuses: herd stop first.\n"
    "Somebody has to go there to switch them on again.\n\n"
    "  -a, --all         all nodes of the inventory (or of -l), instead of NODES\n"
    "  -t, --timeout S   how long a node may take to answer; default 15\n\n"
    "Examples:\n"
    "  herd poweroff sheep[0-3]\n"
    "  herd poweroff --all --json\n\n"
    "Exit status: 1 when a node refused or does not answer, 3 when none answers.\n";

static const char USAGE_REBOOT[] =
    "Usage: herd reboot [options] NODES\n\n"
    "Reboots nodes, through the logind of each. A node in use refuses: herd stop first.\n\n"
    "  -a, --all         all nodes of the inventory (or of -l), instead of NODES\n"
    "  -t, --timeout S   how long a node may take to answer; default 15\n\n"
    "Examples:\n"
    "  herd reboot sheep2\n"
    "  herd reboot --all && sleep 60 && herd alive -t 120\n\n"
    "Exit status: 1 when a node refused or does not answer, 3 when none answers.\n";

enum {
    TIMEOUT_MS = 15000, /* logind has 10 s */
};

static const struct cli_option OPTIONS[] = {
    {'a',  "all",     false},
    { 't', "timeout", true },
    { 0,   NULL,      false},
};

struct request {
    struct body_power body;
    const char *nodes;
    bool is_all;
    int timeout_ms;
};

static int parse(const struct cmd_options *options, int argc, char **argv,
                 struct request *request)
{
    struct cli_scan scan = {
        .global = options, .options = OPTIONS, .argc = argc, .argv = argv
    };
    const char *value = NULL;
    int option = 0;

    while ((option = cli_next(&scan, &value)) != 0) {
        if (option == 'a') {
            request->is_all = true;
        } else if (option == '?' || cli_take_timeout(&scan, value, &request->timeout_ms) != 0) {
            return EXIT_USAGE;
        }
    }
    return order_take_nodes(&scan, request->is_all, &request->nodes);
}

static int run(const struct cmd_options *options, int argc, char **argv)
{
    struct request request = { .timeout_ms = TIMEOUT_MS };
    struct context context;
    struct order order = {
        .command = argv[0], .verb = VERB_POWER, .done_verb = VERB_POWERED, .body = &request.body
    };
    int status = parse(options, argc, argv, &request);

    request.body.is_reboot = strcmp(argv[0], "reboot") == 0;
    if (status == 0) {
        status = context_open(&context, options, argv[0], request.nodes, true);
    }
    if (status == 0) {
        order.done_word = request.body.is_reboot ? "reboots" : "powers off";
        order.timeout_ms = request.timeout_ms;
        status = order_give(options, &context, &order);
        context_close(&context);
    }
    return status;
}

const struct cmd cmd_poweroff = {
    .name = "poweroff",
    .summary = "power nodes off",
    .usage = USAGE_OFF,
    .run = run,
};

const struct cmd cmd_reboot = {
    .name = "reboot",
    .summary = "reboot nodes",
    .usage = USAGE_REBOOT,
    .run = run,
};
