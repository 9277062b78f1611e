/* SPDX-License-Identifier: MIT */
/* herd exec: a command on many nodes, over SSH; nodes that answer alike share their answer. */
#include "herd/cli.h"
#include "herd/cmd.h"
#include "herd/context.h"
#include "herd/each_node.h"
#include "herd/report.h"
#include "herd/ssh_options.h"

#include "common/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char USAGE[] =
    "Usage: herd exec [options] -- COMMAND...\n\n"
    "Runs a shell command on all nodes (or those of -l) at once, over SSH; the agents have no\n"
    "part in it. Nodes that answer alike share their answer. Host keys are checked strictly;\n"
    "the SSH agent or key files are used, never a password.\n\n"
    "  -t, --timeout S        how long a node may take to connect or be silent; default 10\n"
    "  -p, --ssh-port PORT    default: as ~/.ssh/config says, or 22\n"
    "      --identity FILE    SSH key file instead of agent and usual files\n"
    "      --known-hosts FILE instead of ~/.ssh/known_hosts\n"
    "  -b, --become           use sudo -n on the node\n\n"
    "Examples:\n"
    "  herd exec -- uname -r\n"
    "  herd exec -l sheep[0-3] -b -- 'systemctl restart sheep && sleep 1'\n\n"
    "Exit status: 1 when the command failed anywhere, 3 when no node could be reached.\n";

enum {
    TIMEOUT_S = 10,
    ANSWER_MAX = 1024 * 1024, /* of each stream of a node */
};

static const struct cli_option OPTIONS[] = {
    {SSH_OPTION_TIMEOUT,      "timeout",     true },
    { SSH_OPTION_PORT,        "ssh-port",    true },
    { SSH_OPTION_IDENTITY,    "identity",    true },
    { SSH_OPTION_KNOWN_HOSTS, "known-hosts", true },
    { 'b',                    "become",      false},
    { 0,                      NULL,          false},
};

struct request {
    struct ssh_target target; /* host and user are each node's own */
    bool become;
    struct buf command;
};

struct outcome {
    bool is_done;     /* shown, or not asked at all */
    bool is_answered; /* else err says why not */
    struct ssh_answer answer;
    struct err err;
};

struct job {
    const struct request *request;
    const struct context *context;
    struct outcome *outcomes;
    size_t shown; /* the node whose answer is being printed */
};

/* ---- the command line ---- */

static int take_option(const struct cmd_options *options, struct request *request, int option,
                       const char *value)
{
    switch (option) {
    case 'b':
        request->become = true;
        return 0;
    default:
        return ssh_option_take(options, "exec", option, value, &request->target);
    }
}

/* The words as ssh would send them; sudo gets them as one script. */
static void make_command(struct request *request, int n_words, char **words)
{
    struct buf script = { 0 };

    for (int i = 0; i < n_words; i++) {
        buf_printf(&script, "%s%s", i > 0 ? " " : "", words[i]);
    }
    if (request->become) {
        buf_text(&request->command, "sudo -n -- sh -c ");
        ssh_quote_word(script.data != NULL ? script.data : "", &request->command);
    } else {
        buf_text(&request->command, script.data != NULL ? script.data : "");
    }
    request->command.failed = request->command.failed || script.failed;
    buf_fini(&script);
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
        int status = take_option(options, request, option, value);

        if (status != 0) {
            return status;
        }
    }
    if (scan.n_operands == 0) {
        return cmd_misuse(options, "exec", "no command");
    }
    make_command(request, scan.n_operands, argv + scan.at);
    if (request->command.failed) {
        struct err err = { .code = ERR_MEMORY, .text = "command" };

        return cmd_fail(options, "exec", &err);
    }
    return 0;
}

/* ---- the nodes ---- */

static void ask_node(void *arg, size_t i)
{
    const struct job *job = arg;
    const struct inventory_node *node = &job->context->inventory->nodes[i];
    struct ssh_target target = job->request->target;
    struct outcome *outcome = &job->outcomes[i];
    struct ssh_link *link = NULL;

    target.host = node->host;
    target.user = node->user;
    link = ssh_link_open(&target, &outcome->err);
    if (link == NULL) {
        return;
    }
    outcome->is_answered = ssh_link_exec(link, job->request->command.data, NULL,
                                         &outcome->answer, ANSWER_MAX, &outcome->err)
                           == 0;
    ssh_link_close(&link);
}

/* ---- what they said ---- */

static void put_json(const char *name, const struct outcome *outcome)
{
    struct buf line = { 0 };
    struct json json = { .out = &line };

    json_open(&json, NULL, '{');
    json_text(&json, "node", name);
    if (outcome->is_answered) {
        json_i64(&json, "status", outcome->answer.status);
        json_text(&json, "out",
                  outcome->answer.out.data != NULL ? outcome->answer.out.data : "");
        json_text(&json, "err",
                  outcome->answer.err.data != NULL ? outcome->answer.err.data : "");
    } else {
        json_text(&json, "error", err_code_name(outcome->err.code));
        json_text(&json, "text", outcome->err.text);
    }
    json_close(&json, '}');
    json_line(&json, stdout);
    buf_fini(&line);
}

static bool is_same_text(const struct buf *a, const struct buf *b)
{
    return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

static bool is_alike(const struct outcome *a, const struct outcome *b)
{
    if (a->is_answered != b->is_answered) {
        return false;
    }
    if (!a->is_answered) {
        return strcmp(a->err.text, b->err.text) == 0;
    }
    return a->answer.status == b->answer.status && is_same_text(&a->answer.out, &b->answer.out)
           && is_same_text(&a->answer.err, &b->answer.err);
}

static void put_stream(const struct buf *text, FILE *stream)
{
    if (text->size > 0) {
        fwrite(text->data, 1, text->size, stream);
        if (text->data[text->size - 1] != '\n') {
            fputc('\n', stream);
        }
    }
    fflush(stream);
}

static void put_outcome(const char *names, size_t n_names, const struct outcome *outcome)
{
    if (!outcome->is_answered) {
        fprintf(stderr, "--- %s (%zu): %s\n", names, n_names, outcome->err.text);
        return;
    }
    printf("--- %s (%zu)", names, n_names);
    if (outcome->answer.status != 0) {
        printf(": status %d", outcome->answer.status);
    }
    printf("\n");
    put_stream(&outcome->answer.out, stdout);
    put_stream(&outcome->answer.err, stderr);
}

static bool joins(void *arg, size_t i)
{
    struct job *job = arg;

    if (job->outcomes[i].is_done || !is_alike(&job->outcomes[i], &job->outcomes[job->shown])) {
        return false;
    }
    job->outcomes[i].is_done = true;
    return true;
}

/* Node i, and all that answered as it did. */
static void put_alike(struct job *job, size_t i)
{
    struct buf set = { 0 };
    size_t count = 0;

    job->shown = i;
    count = context_fold(job->context, joins, job, &set);
    put_outcome(set.data != NULL ? set.data : "", count, &job->outcomes[i]);
    buf_fini(&set);
}

static int show(const struct cmd_options *options, struct job *job)
{
    const struct inventory *inventory = job->context->inventory;
    size_t n_reached = 0;
    size_t n_good = 0;

    for (size_t i = 0; i < inventory->n_nodes; i++) {
        const struct outcome *outcome = &job->outcomes[i];

        if (!job->context->selected[i]) {
            continue;
        }
        n_reached += outcome->is_answered || outcome->err.code != ERR_UNREACHABLE ? 1 : 0;
        n_good += outcome->is_answered && outcome->answer.status == 0 ? 1 : 0;
        if (options->is_json) {
            put_json(inventory->nodes[i].name, outcome);
        } else if (!outcome->is_done) {
            put_alike(job, i);
        }
    }
    if (n_reached == 0) {
        return EXIT_NOBODY;
    }
    return n_good == job->context->n_selected ? EXIT_ALL_VALID : EXIT_NODE_FAILED;
}

static int exec_all(const struct cmd_options *options, const struct request *request,
                    const struct context *context)
{
    struct job job = { .request = request, .context = context };
    struct err err = { .code = ERR_MEMORY, .text = "answers" };
    int status = 0;

    job.outcomes = calloc(context->inventory->n_nodes + 1, sizeof(*job.outcomes));
    if (job.outcomes == NULL) {
        return cmd_fail(options, "exec", &err);
    }
    for (size_t i = 0; i < context->inventory->n_nodes; i++) {
        job.outcomes[i].is_done = !context->selected[i];
    }
    each_node(context, ask_node, &job);
    status = show(options, &job);
    for (size_t i = 0; i < context->inventory->n_nodes; i++) {
        ssh_answer_fini(&job.outcomes[i].answer);
    }
    free(job.outcomes);
    return status;
}

static int run(const struct cmd_options *options, int argc, char **argv)
{
    struct request request = { .target = { .timeout_s = TIMEOUT_S } };
    struct context context;
    int status = parse(options, argc, argv, &request);

    if (status == 0) {
        status = context_open(&context, options, "exec", NULL, false);
    }
    if (status == 0) {
        status = exec_all(options, &request, &context);
        context_close(&context);
    }
    buf_fini(&request.command);
    return status;
}

const struct cmd cmd_exec = {
    .name = "exec",
    .summary = "run a command on nodes over SSH",
    .usage = USAGE,
    .run = run,
};
