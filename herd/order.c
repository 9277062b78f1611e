/* SPDX-License-Identifier: MIT */
#include "herd/order.h"

#include "herd/ask.h"
#include "herd/cli.h"
#include "herd/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HELLO_MS = 2000,
    WORD_SIZE = 256,
};

struct view {
    const struct order *order;
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
    return view->order->body;
}

static bool take_answer(void *arg, const struct ask_answer *answer)
{
    struct view *view = arg;

    if (answer->message->verb == view->order->done_verb) {
        view->is_done[answer->i] = true;
        snprintf(view->words[answer->i], WORD_SIZE, "%s", view->order->done_word);
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
    const struct ask_round round = { .verb = view->order->verb,
                                     .body = body_of,
                                     .answer = take_answer,
                                     .arg = view,
                                     .timeout_ms = view->order->timeout_ms };
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

static int find_out(const struct cmd_options *options, struct view *view)
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
    status = view->ask == NULL ? cmd_fail(options, view->order->command, &err)
                               : ask_them(options, view);
    ask_close(&view->ask);
    free(view->words);
    free(view->is_done);
    free(view->is_shown);
    return status;
}

int order_give(const struct cmd_options *options, const struct context *context,
               const struct order *order)
{
    struct view view = { .order = order, .context = context };

    return find_out(options, &view);
}

int order_take_nodes(struct cli_scan *scan, bool is_all, const char **nodes)
{
    if (scan->n_operands > 1 || (scan->n_operands == 1) == is_all) {
        return cmd_misuse(scan->global, scan->argv[0], "either one set of nodes, or --all");
    }
    *nodes = scan->n_operands == 1 ? scan->argv[scan->at] : NULL;
    return 0;
}
