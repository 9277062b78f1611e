/* SPDX-License-Identifier: MIT */
/* herd deploy: the agent's program goes to the nodes, over SSH. */
#include "herd/ask.h"
#include "herd/cli.h"
#include "herd/cmd.h"
#include "herd/context.h"
#include "herd/each_node.h"
#include "herd/report.h"
#include "herd/sim_farm.h"
#include "herd/ssh_options.h"
#include "herd/words.h"

#include "common/buf.h"

#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char USAGE[] =
    "Usage: herd deploy [options] [FILE]\n\n"
    "Brings the agent's program to all nodes (or those of -l) over SSH: copies it, compares its\n"
    "SHA-256 there, lets it say its version there, and only then puts it in the place of the old\n"
    "one, in one step. Then the agent is started anew; a recorder that runs is not touched. A node\n"
    "in use is left as it is. FILE is a sheep built for the nodes' processor; default: the one\n"
    "that belongs to this herd.\n\n"
    "  -d, --dir DIR          where it goes, as DIR/sheep; default /usr/local/bin\n"
    "      --restart COMMAND  how the agent is started anew; default 'systemctl restart sheep'\n"
    "      --no-restart       leave the agent that runs; the new one comes with its next start\n"
    "  -t, --timeout S        how long a node may take to connect or be silent; default 30\n"
    "  -p, --ssh-port PORT    default: as ~/.ssh/config says, or 22\n"
    "      --identity FILE    SSH key file instead of agent and usual files\n"
    "      --known-hosts FILE instead of ~/.ssh/known_hosts\n"
    "  -b, --become           use sudo -n on the node\n\n"
    "Examples:\n"
    "  herd deploy -b build-armhf/sheep/sheep\n"
    "  herd deploy -l sheep7 --no-restart -d /opt/bellwether build-armhf/sheep/sheep\n\n"
    "Exit status: 1 when a node was left or failed, 3 when no node could be reached.\n";

enum {
    OPTION_RESTART = SSH_OPTION_END,
    OPTION_NO_RESTART,
    TIMEOUT_S = 30,
    ASK_MS = 2000,
    MAX_PROGRAM = 64 * 1024 * 1024,
    ANSWER_MAX = 64 * 1024,
};

static const struct cli_option OPTIONS[] = {
    {'d',                     "dir",         true },
    { OPTION_RESTART,         "restart",     true },
    { OPTION_NO_RESTART,      "no-restart",  false},
    { SSH_OPTION_TIMEOUT,     "timeout",     true },
    { SSH_OPTION_PORT,        "ssh-port",    true },
    { SSH_OPTION_IDENTITY,    "identity",    true },
    { SSH_OPTION_KNOWN_HOSTS, "known-hosts", true },
    { 'b',                    "become",      false},
    { 0,                      NULL,          false},
};

struct request {
    struct ssh_target target; /* host and user are each node's own */
    const char *folder;
    const char *restart; /* "": no */
    const char *file;    /* NULL: ours */
    bool become;
};

enum outcome {
    OUTCOME_UNREACHED,
    OUTCOME_LEFT,
    OUTCOME_FAILED,
    OUTCOME_DONE,
};

struct view {
    const struct cmd_options *options;
    const struct request *request;
    struct context context;
    char *program; /* base64 */
    struct buf script;
    enum outcome *outcomes;
    struct words words;
};

/* ---- the program ---- */

static int load_program(struct view *view, struct err *err)
{
    char path[PATH_MAX] = "";
    unsigned char digest[crypto_hash_sha256_BYTES];
    char hex[2 * crypto_hash_sha256_BYTES + 1];
    struct buf program = { 0 };
    size_t size = 0;

    if (view->request->file != NULL) {
        snprintf(path, sizeof(path), "%s", view->request->file);
    } else if (farm_find_sheep(path, sizeof(path), err) < 0) {
        return -1;
    }
    if (buf_read_file(&program, path, MAX_PROGRAM, err) < 0) {
        return -1;
    }
    if (program.size < 4
        || memcmp(program.data,
                  "\x7f"
                  "ELF",
                  4)
               != 0) {
        buf_fini(&program);
        return err_set(err, ERR_INPUT, "%s: this is no program (ELF)", path);
    }
    crypto_hash_sha256(digest, (const unsigned char *)program.data, program.size);
    sodium_bin2hex(hex, sizeof(hex), digest, sizeof(digest));
    size = sodium_base64_encoded_len(program.size, sodium_base64_VARIANT_ORIGINAL);
    view->program = malloc(size);
    if (view->program != NULL) {
        sodium_bin2base64(view->program, size, (const unsigned char *)program.data,
                          program.size, sodium_base64_VARIANT_ORIGINAL);
    }
    buf_fini(&program);
    /* The new one stands beside the old one until it has shown that it is whole and runs here.
     */
    buf_printf(&view->script,
               "set -e; umask 022; mkdir -p %s; cd %s; new=.sheep.new.$$; "
               "trap 'rm -f \"$new\"' EXIT; base64 -d > \"$new\"; "
               "echo \"%s  $new\" | sha256sum -c - > /dev/null; chmod 755 \"$new\"; "
               "\"./$new\" --version; sync; mv -f \"$new\" sheep; trap - EXIT%s%s",
               view->request->folder, view->request->folder, hex,
               view->request->restart[0] != '\0' ? "; " : "", view->request->restart);
    return view->program == NULL || view->script.failed ? err_set(err, ERR_MEMORY, "%s", path)
                                                        : 0;
}

/* ---- nodes in use ---- */

static bool take_state(void *arg, const struct ask_answer *answer)
{
    struct view *view = arg;
    const struct body_state *state = PROTO_CONST_BODY(answer->message, body_state);

    if (answer->message->verb == VERB_STATE && strcmp(state->state, "idle") != 0
        && strcmp(state->state, "done") != 0) {
        view->outcomes[answer->i] = OUTCOME_LEFT;
        snprintf(view->words.texts[answer->i], WORDS_SIZE,
                 "left as it is: in use by %.80s for experiment %.80s", state->owner,
                 state->experiment_name);
    }
    return true;
}

/* Whose agent answers and is busy is left alone. A node without a key or an agent yet is why
 * one deploys. */
static int find_busy(struct view *view, struct err *err)
{
    const struct ask_round round = { .verb = VERB_STATUS,
                                     .body = ask_no_body,
                                     .answer = take_state,
                                     .arg = view,
                                     .timeout_ms = ASK_MS };
    const struct inventory *inventory = view->context.inventory;
    bool *is_asked = calloc(inventory->n_nodes + 1, sizeof(*is_asked));
    struct ask *ask = NULL;
    bool is_anybody = false;

    if (is_asked == NULL) {
        return err_set(err, ERR_MEMORY, "%zu nodes", inventory->n_nodes);
    }
    for (size_t i = 0; i < inventory->n_nodes; i++) {
        is_asked[i] = view->context.selected[i] && inventory->nodes[i].public_key[0] != '\0';
        is_anybody = is_anybody || is_asked[i];
    }
    if (is_anybody) {
        ask = ask_open(inventory, is_asked, &view->context.key, err);
        if (ask == NULL) {
            free(is_asked);
            return -1;
        }
        ask_hello(ask, ASK_MS, NULL, NULL);
        ask_all(ask, &round);
    }
    ask_close(&ask);
    free(is_asked);
    return 0;
}

/* ---- one node ---- */

static void note_answer(struct view *view, size_t i, const struct ssh_answer *answer)
{
    const char *said = answer->status == 0 ? answer->out.data : answer->err.data;
    int length = said != NULL ? (int)strcspn(said, "\n") : 0;

    if (answer->status == 0) {
        view->outcomes[i] = OUTCOME_DONE;
        view->words.is_good[i] = true;
        snprintf(view->words.texts[i], WORDS_SIZE, "has %.*s%s", length,
                 said != NULL ? said : "",
                 view->request->restart[0] != '\0' ? ", started anew" : "");
    } else {
        view->outcomes[i] = OUTCOME_FAILED;
        snprintf(view->words.texts[i], WORDS_SIZE, "failed (status %d): %.*s", answer->status,
                 length, said != NULL ? said : "");
    }
}

static void deploy_one(void *arg, size_t i)
{
    struct view *view = arg;
    const struct inventory_node *node = &view->context.inventory->nodes[i];
    struct ssh_target target = view->request->target;
    struct ssh_answer answer = { 0 };
    struct ssh_link *link = NULL;
    struct err err = { 0 };

    if (view->outcomes[i] == OUTCOME_LEFT) {
        return;
    }
    target.host = node->host;
    target.user = node->user;
    link = ssh_link_open(&target, &err);
    if (link != NULL
        && ssh_link_exec(link, view->script.data, view->program, &answer, ANSWER_MAX, &err)
               == 0) {
        note_answer(view, i, &answer);
    } else {
        view->outcomes[i] = err.code == ERR_UNREACHABLE ? OUTCOME_UNREACHED : OUTCOME_FAILED;
        snprintf(view->words.texts[i], WORDS_SIZE, "%.250s", err.text);
    }
    ssh_answer_fini(&answer);
    ssh_link_close(&link);
}

/* ---- what comes out ---- */

static void put_json(const struct view *view, size_t i)
{
    static const char *const NAMES[] = { "unreachable", "left", "failed", "deployed" };
    struct buf line = { 0 };
    struct json json = { .out = &line };

    json_open(&json, NULL, '{');
    json_text(&json, "node", view->context.inventory->nodes[i].name);
    json_text(&json, "result", NAMES[view->outcomes[i]]);
    json_text(&json, "text", view->words.texts[i]);
    json_close(&json, '}');
    json_line(&json, stdout);
    buf_fini(&line);
}

static int show(struct view *view)
{
    size_t n_reached = 0;
    size_t n_done = 0;

    for (size_t i = 0; i < view->context.inventory->n_nodes; i++) {
        if (!view->context.selected[i]) {
            continue;
        }
        n_reached += view->outcomes[i] != OUTCOME_UNREACHED ? 1 : 0;
        n_done += view->outcomes[i] == OUTCOME_DONE ? 1 : 0;
        if (view->options->is_json) {
            put_json(view, i);
        }
    }
    if (!view->options->is_json) {
        words_print(&view->words);
    }
    if (n_reached == 0) {
        return EXIT_NOBODY;
    }
    return n_done == view->context.n_selected ? EXIT_ALL_VALID : EXIT_NODE_FAILED;
}

static int deploy(struct view *view)
{
    size_t n_nodes = view->context.inventory->n_nodes;
    struct err err = { .code = ERR_MEMORY, .text = "answers" };
    int status = 0;

    view->outcomes = calloc(n_nodes + 1, sizeof(*view->outcomes));
    if (view->outcomes == NULL || words_init(&view->words, &view->context, &err) < 0
        || load_program(view, &err) < 0 || find_busy(view, &err) < 0) {
        status = cmd_fail(view->options, "deploy", &err);
    } else {
        if (view->request->become) {
            struct buf command = { 0 };

            buf_text(&command, "sudo -n -- sh -c ");
            ssh_quote_word(view->script.data, &command);
            buf_fini(&view->script);
            view->script = command;
        }
        each_node(&view->context, deploy_one, view);
        status = show(view);
    }
    buf_fini(&view->script);
    free(view->program);
    free(view->outcomes);
    words_fini(&view->words);
    return status;
}

/* ---- the command ---- */

static int take_option(const struct cmd_options *options, struct request *request, int option,
                       const char *value)
{
    switch (option) {
    case 'd':
        request->folder = value;
        return 0;
    case OPTION_RESTART:
        request->restart = value;
        return 0;
    case OPTION_NO_RESTART:
        request->restart = "";
        return 0;
    case 'b':
        request->become = true;
        return 0;
    default:
        return ssh_option_take(options, "deploy", option, value, &request->target);
    }
}

static int parse(struct cli_scan *scan, struct request *request)
{
    static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "/._-";
    const char *value = NULL;
    int option = 0;

    while ((option = cli_next(scan, &value)) != 0) {
        int status = take_option(scan->global, request, option, value);

        if (status != 0) {
            return status;
        }
    }
    if (request->folder[0] != '/' || request->folder[strspn(request->folder, PLAIN)] != '\0') {
        return cmd_misuse(scan->global, "deploy", "'%s' is no plain absolute path",
                          request->folder);
    }
    if (scan->n_operands > 1) {
        return cmd_misuse(scan->global, "deploy", "one file, not %d", scan->n_operands);
    }
    request->file = scan->n_operands == 1 ? scan->argv[scan->at] : NULL;
    return 0;
}

static int run(const struct cmd_options *options, int argc, char **argv)
{
    struct cli_scan scan = {
        .global = options, .options = OPTIONS, .argc = argc, .argv = argv
    };
    struct request request = { .target = { .timeout_s = TIMEOUT_S },
                               .folder = "/usr/local/bin",
                               .restart = "systemctl restart sheep" };
    struct view view = { .options = options, .request = &request };
    int status = parse(&scan, &request);

    if (status == 0) {
        status = context_open(&view.context, options, "deploy", NULL, true);
    }
    if (status == 0) {
        status = deploy(&view);
        context_close(&view.context);
    }
    return status;
}

const struct cmd cmd_deploy = {
    .name = "deploy",
    .summary = "bring the agent's program to nodes over SSH",
    .usage = USAGE,
    .run = run,
};
