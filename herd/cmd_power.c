/* SPDX-License-Identifier: MIT */
/* herd poweroff and herd reboot: nodes are asked; each asks its own logind. */
#include "herd/ask.h"
#include "herd/cli.h"
#include "herd/cmd.h"
#include "herd/context.h"
#include "herd/report.h"

#include <stdio.h>
#include <stdlib.h>
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
    HELLO_MS = 2000,
    TIMEOUT_MS = 15000, /* logind has 10 s */
    MAX_SECONDS = 3600,
    WORD_SIZE = 256,
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

struct view {
    const struct request *request;
    const struct context *context;
    struct ask *ask;
    char (*words)[WORD_SIZE]; /* what each node answered */
    bool *is_done;            /* it agreed */
    bool *is_shown;
};

static const void *body_of(void *arg, size_t i)
{
    const struct view *view = arg;

    (void)i;
    return &view->request->body;
}

static bool take_answer(void *arg, const struct ask_answer *answer)
{
    struct view *view = arg;

    if (answer->message->verb == VERB_POWERED) {
        view->is_done[answer->i] = true;
        snprintf(view->words[answer->i], WORD_SIZE, "%s",
                 view->request->body.is_reboot ? "reboots" : "powers off");
    } else if (answer->message->verb == VERB_REFUSED) {
        snprintf(view->words[answer->i], WORD_SIZE, "refused: %.240s",
                 PROTO_CONST_BODY(answer->message, body_refused)->why);
    }
    return true;
}

static void put_json(const struct view *view, size_t i)
{
    struct buf line = { 0 };
    struct json json = { .out = &line };

    json_open(&json, NULL, '{');
    json_text(&json, "node", view->context->inventory->nodes[i].name);
    json_bool(&json, "done", view->is_done[i]);
    json_text(&json, "text", view->words[i]);
    json_close(&json, '}');
    json_line(&json, stdout);
    buf_fini(&line);
}

/* Nodes with the same words share a line. */
static void fold(const struct view *view, size_t i)
{
    const struct inventory *inventory = view->context->inventory;
    const char **names = calloc(inventory->n_nodes, sizeof(*names));
    struct buf set = { 0 };
    size_t count = 0;

    for (size_t k = i; names != NULL && k < inventory->n_nodes; k++) {
        if (view->context->selected[k] && !view->is_shown[k]
            && strcmp(view->words[i], view->words[k]) == 0) {
            view->is_shown[k] = true;
            names[count++] = inventory->nodes[k].name;
        }
    }
    nodeset_fold(names, count, &set);
    fprintf(view->is_done[i] ? stdout : stderr, "%s (%zu): %s\n",
            set.data != NULL ? set.data : "", count, view->words[i]);
    buf_fini(&set);
    free((void *)names);
}

static int ask_them(const struct cmd_options *options, struct view *view)
{
    const struct ask_round round = { .verb = VERB_POWER,
                                     .body = body_of,
                                     .answer = take_answer,
                                     .arg = view,
                                     .timeout_ms = view->request->timeout_ms };
    size_t n_nodes = view->context->inventory->n_nodes;
    size_t n_answered = 0;
    size_t n_done = 0;

    for (size_t i = 0; i < n_nodes; i++) {
        snprintf(view->words[i], WORD_SIZE, "no answer");
    }
    ask_hello(view->ask, HELLO_MS, NULL, NULL);
    n_answered = ask_all(view->ask, &round);
    for (size_t i = 0; i < n_nodes; i++) {
        n_done += view->is_done[i] ? 1 : 0;
        if (view->context->selected[i] && options->is_json) {
            put_json(view, i);
        } else if (view->context->selected[i] && !view->is_shown[i]) {
            fold(view, i);
        }
    }
    if (n_answered == 0) {
        return EXIT_NOBODY;
    }
    return n_done == view->context->n_selected ? EXIT_ALL_VALID : EXIT_NODE_FAILED;
}

static int find_out(const struct cmd_options *options, const char *name, struct view *view)
{
    size_t n_nodes = view->context->inventory->n_nodes;
    struct err err = { .code = ERR_MEMORY, .text = "answers" };
    int status = 0;

    view->words = calloc(n_nodes + 1, sizeof(*view->words));
    view->is_done = calloc(n_nodes + 1, sizeof(*view->is_done));
    view->is_shown = calloc(n_nodes + 1, sizeof(*view->is_shown));
    if (view->words != NULL && view->is_done != NULL && view->is_shown != NULL) {
        view->ask = ask_open(view->context->inventory, view->context->selected,
                             &view->context->key, &err);
    }
    status = view->ask == NULL ? cmd_fail(options, name, &err) : ask_them(options, view);
    ask_close(&view->ask);
    free(view->words);
    free(view->is_done);
    free(view->is_shown);
    return status;
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
        double seconds = 0;

        if (option == 'a') {
            request->is_all = true;
        } else if (option == '?') {
            return EXIT_USAGE;
        } else if (!text_to_f64(value, &seconds) || seconds <= 0 || seconds > MAX_SECONDS) {
            return cmd_misuse(options, argv[0], "timeout '%s' is not a number of seconds",
                              value);
        } else {
            request->timeout_ms = (int)(seconds * 1000);
        }
    }
    /* A forgotten operand must not mean everybody. */
    if (scan.n_operands > 1 || (scan.n_operands == 1) == request->is_all) {
        return cmd_misuse(options, argv[0], "either one set of nodes, or --all");
    }
    request->nodes = scan.n_operands == 1 ? argv[scan.at] : NULL;
    return 0;
}

static int run(const struct cmd_options *options, int argc, char **argv)
{
    struct request request = { .timeout_ms = TIMEOUT_MS };
    struct context context;
    struct view view = { .request = &request, .context = &context };
    int status = parse(options, argc, argv, &request);

    request.body.is_reboot = strcmp(argv[0], "reboot") == 0;
    if (status == 0) {
        status = context_open(&context, options, argv[0], request.nodes, true);
    }
    if (status == 0) {
        status = find_out(options, argv[0], &view);
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
