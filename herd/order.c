/* SPDX-License-Identifier: MIT */
#include "herd/order.h"

#include "herd/ask.h"
#include "herd/cli.h"
#include "herd/report.h"
#include "herd/words.h"

#include <stdio.h>

enum {
    HELLO_MS = 2000
};

struct view {
    const struct order *order;
    const struct context *context;
    struct ask *ask;
    struct words words; /* what each node answered; good: it agreed */
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
        view->words.is_good[answer->i] = true;
        snprintf(view->words.texts[answer->i], WORDS_SIZE, "%s", view->order->done_word);
    } else if (answer->message->verb == VERB_REFUSED) {
        snprintf(view->words.texts[answer->i], WORDS_SIZE, "refused: %.240s",
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
    json_bool(&json, "done", view->words.is_good[i]);
    json_text(&json, "text", view->words.texts[i]);
    json_close(&json, '}');
    json_line(&json, stdout);
    buf_fini(&line);
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
        snprintf(view->words.texts[i], WORDS_SIZE, "no answer");
    }
    ask_hello(view->ask, HELLO_MS, NULL, NULL);
    n_answered = ask_all(view->ask, &round);
    for (size_t i = 0; i < n_nodes; i++) {
        n_done += view->words.is_good[i] ? 1 : 0;
        if (view->context->selected[i] && options->is_json) {
            put_json(view, i);
        }
    }
    if (!options->is_json) {
        words_print(&view->words);
    }
    if (n_answered == 0) {
        return EXIT_NOBODY;
    }
    return n_done == view->context->n_selected ? EXIT_ALL_VALID : EXIT_NODE_FAILED;
}

int order_give(const struct cmd_options *options, const struct context *context,
               const struct order *order)
{
    struct view view = { .order = order, .context = context };
    struct err err = { 0 };
    int status = 0;

    if (words_init(&view.words, context, &err) == 0) {
        view.ask = ask_open(context->inventory, context->selected, &context->key, &err);
    }
    status =
        view.ask == NULL ? cmd_fail(options, order->command, &err) : ask_them(options, &view);
    ask_close(&view.ask);
    words_fini(&view.words);
    return status;
}

int order_take_nodes(struct cli_scan *scan, bool is_all, const char **nodes)
{
    if (scan->n_operands > 1 || (scan->n_operands == 1) == is_all) {
        return cmd_misuse(scan->global, scan->argv[0],
                          "either one set of nodes (a,b or sheep[0-3]), or --all");
    }
    *nodes = scan->n_operands == 1 ? scan->argv[scan->at] : NULL;
    return 0;
}
