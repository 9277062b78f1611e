/* SPDX-License-Identifier: MIT */
/* herd enroll: exchanges keys with nodes over SSH. */
#include "herd/cli.h"
#include "herd/cmd.h"
#include "herd/context.h"
#include "herd/each_node.h"
#include "herd/report.h"
#include "herd/ssh_options.h"

#include "common/buf.h"
#include "common/keys.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char USAGE[] =
    "Usage: herd enroll [options] [NODES]\n\n"
    "Exchanges keys with nodes over SSH: fetches each node's public key into the folder `keys`\n"
    "beside the inventory (a node without a key gets one), and puts this controller's public\n"
    "key into the node's folder `authorized`. Host keys are checked strictly: a node that ssh\n"
    "does not know is refused. Uses the SSH agent or key files, never a password.\n\n"
    "  -d, --dir DIR          keys and `authorized` on the node; default /etc/bellwether\n"
    "  -t, --timeout S        how long a node may take to connect or be silent; default 10\n"
    "  -p, --ssh-port PORT    default: as ~/.ssh/config says, or 22\n"
    "      --identity FILE    SSH key file instead of agent and usual files\n"
    "      --known-hosts FILE instead of ~/.ssh/known_hosts\n"
    "  -b, --become           use sudo -n on the node\n"
    "      --replace          accept that a node's key differs from the one known\n"
    "      --revoke           instead: remove this controller's key from the nodes\n\n"
    "Examples:\n"
    "  herd enroll                    all nodes of the inventory\n"
    "  herd enroll sheep[0-3] -b      four of them, as a user who may sudo\n"
    "  herd -k old.key enroll --revoke\n";

enum {
    OPTION_REPLACE = SSH_OPTION_END,
    OPTION_REVOKE,
    TIMEOUT_S = 10,
    ANSWER_MAX = 4096,
    COMMAND_SIZE = 2048,
};

static const struct cli_option OPTIONS[] = {
    {'d',                     "dir",         true },
    { SSH_OPTION_TIMEOUT,     "timeout",     true },
    { SSH_OPTION_PORT,        "ssh-port",    true },
    { SSH_OPTION_IDENTITY,    "identity",    true },
    { SSH_OPTION_KNOWN_HOSTS, "known-hosts", true },
    { 'b',                    "become",      false},
    { OPTION_REPLACE,         "replace",     false},
    { OPTION_REVOKE,          "revoke",      false},
    { 0,                      NULL,          false},
};

struct request {
    const char *nodes;
    const char *folder;       /* on the node; no character that a shell knows */
    struct ssh_target target; /* host and user are each node's own */
    bool become;
    bool replace;
    bool revoke;
    char keys_folder[PATH_MAX]; /* here */
};

static int take_option(const struct cmd_options *options, struct request *request, int option,
                       const char *value)
{
    switch (option) {
    case 'd':
        request->folder = value;
        break;
    case 'b':
        request->become = true;
        break;
    case OPTION_REPLACE:
        request->replace = true;
        break;
    case OPTION_REVOKE:
        request->revoke = true;
        break;
    default:
        return ssh_option_take(options, "enroll", option, value, &request->target);
    }
    return 0;
}

static int parse(const struct cmd_options *options, int argc, char **argv,
                 struct request *request)
{
    static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789/._-";
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
    if (request->folder[0] != '/' || request->folder[strspn(request->folder, PLAIN)] != '\0') {
        return cmd_misuse(options, "enroll", "'%s' is no plain absolute path", request->folder);
    }
    return cli_take_nodes(&scan, &request->nodes);
}

/* Runs a script on the node, as root with --become. It must hold no single quote. */
static int run_script(struct ssh_link *link, const struct request *request, const char *script,
                      const char *input, struct buf *output, struct err *err)
{
    char command[COMMAND_SIZE];

    if (snprintf(command, sizeof(command), "%ssh -euc '%s'", request->become ? "sudo -n " : "",
                 script)
        >= COMMAND_SIZE) {
        return err_set(err, ERR_INPUT, "%s: path too long", request->folder);
    }
    return ssh_link_run(link, command, input, output, ANSWER_MAX, err);
}

/* Writes a file on the node whole or not at all. */
static int put_file(struct ssh_link *link, const struct request *request, const char *name,
                    const char *mask, const struct buf *content, struct err *err)
{
    char script[COMMAND_SIZE];
    struct buf nothing = { 0 };
    int result = 0;

    if (content->failed) {
        return err_set(err, ERR_MEMORY, "%s", name);
    }
    snprintf(script, sizeof(script),
             "umask %s; mkdir -p %s/authorized; chmod 755 %s/authorized; "
             "cat > %s/%s.new; mv %s/%s.new %s/%s",
             mask, request->folder, request->folder, request->folder, name, request->folder,
             name, request->folder, name);
    result = run_script(link, request, script, content->data, &nothing, err);
    buf_fini(&nothing);
    return result;
}

/* A node without a key: made here, the secret sent through SSH and forgotten. */
static int give_key(struct ssh_link *link, const struct request *request, const char *node,
                    struct key_pair *pair, struct err *err)
{
    struct buf secret = { 0 };
    struct buf public = { 0 };
    int result = -1;

    if (key_generate(pair, node, ROLE_SHEEP, err) == 0) {
        key_write(pair, true, &secret);
        key_write(pair, false, &public);
        result = put_file(link, request, "sheep.key", "077", &secret, err);
    }
    if (result == 0) {
        result = put_file(link, request, "sheep.pub", "022", &public, err);
    }
    key_wipe_text(&secret);
    buf_fini(&public);
    return result;
}

static int fetch_key(struct ssh_link *link, const struct request *request, const char *node,
                     struct key_pair *pair, struct err *err)
{
    char script[COMMAND_SIZE];
    struct buf answer = { 0 };
    int result = -1;

    snprintf(script, sizeof(script), "if [ -e %s/sheep.pub ]; then cat %s/sheep.pub; fi",
             request->folder, request->folder);
    if (run_script(link, request, script, NULL, &answer, err) == 0) {
        result = answer.size == 0 ? give_key(link, request, node, pair, err)
                                  : key_parse(pair, answer.data, answer.size, "sheep.pub", err);
    }
    buf_fini(&answer);
    return result;
}

/* Pins the key here, unless another one is pinned already. */
static int pin_key(const struct request *request, const char *node,
                   const struct inventory_node *known, const struct key_pair *pair,
                   struct err *err)
{
    char path[PATH_MAX];

    if (known->public_key[0] != '\0' && strcmp(known->public_key, pair->public_key) != 0
        && !request->replace) {
        return err_set(err, ERR_DENIED,
                       "its key is not the one that is known here; if that is right, use "
                       "--replace");
    }
    if (snprintf(path, sizeof(path), "%s/%s.pub", request->keys_folder, node) >= PATH_MAX) {
        return err_set(err, ERR_INPUT, "%s: path too long", request->keys_folder);
    }
    if (dir_make(request->keys_folder, 0755, err) < 0) {
        return -1;
    }
    return key_save_public(pair, path, err);
}

static int grant(struct ssh_link *link, const struct request *request,
                 const struct key_pair *controller, struct err *err)
{
    char name[sizeof("authorized/.pub") + KEY_NAME_SIZE];
    struct buf public = { 0 };
    int result = 0;

    snprintf(name, sizeof(name), "authorized/%s.pub", controller->name);
    key_write(controller, false, &public);
    result = put_file(link, request, name, "022", &public, err);
    buf_fini(&public);
    return result;
}

static int revoke_key(struct ssh_link *link, const struct request *request,
                      const struct key_pair *controller, struct err *err)
{
    char script[COMMAND_SIZE];
    struct buf nothing = { 0 };
    int result = 0;

    snprintf(script, sizeof(script), "rm -f %s/authorized/%s.pub", request->folder,
             controller->name);
    result = run_script(link, request, script, NULL, &nothing, err);
    buf_fini(&nothing);
    return result;
}

static int enroll_node(const struct request *request, const struct context *context,
                       const struct inventory_node *node, struct err *err)
{
    struct ssh_target target = request->target;
    struct ssh_link *link = NULL;
    struct key_pair pair = { .role = ROLE_SHEEP };
    int result = -1;

    target.host = node->host;
    target.user = node->user;
    link = ssh_link_open(&target, err);
    if (link == NULL) {
        return -1;
    }
    if (request->revoke) {
        result = revoke_key(link, request, &context->key, err);
    } else if (fetch_key(link, request, node->name, &pair, err) == 0
               && pin_key(request, node->name, node, &pair, err) == 0) {
        result = grant(link, request, &context->key, err);
    }
    key_wipe(&pair);
    ssh_link_close(&link);
    return result;
}

static void report(const struct cmd_options *options, const char *node, const char *word,
                   const struct err *err)
{
    struct buf line = { 0 };
    struct json json = { .out = &line };

    if (options->is_json) {
        json_open(&json, NULL, '{');
        json_text(&json, "node", node);
        json_text(&json, "result", err == NULL ? word : err_code_name(err->code));
        if (err != NULL) {
            json_text(&json, "text", err->text);
        }
        json_close(&json, '}');
        json_line(&json, stdout);
        buf_fini(&line);
    } else if (err != NULL) {
        fprintf(stderr, "herd enroll: %s: %s\n", node, err->text);
    } else if (!options->is_quiet) {
        printf("%s: %s\n", node, word);
    }
}

struct enrollment {
    const struct request *request;
    const struct context *context;
    struct err *errs; /* what kept each node from it; ERR_NONE: nothing */
};

static void enroll_one(void *arg, size_t i)
{
    struct enrollment *enrollment = arg;

    (void)enroll_node(enrollment->request, enrollment->context,
                      &enrollment->context->inventory->nodes[i], &enrollment->errs[i]);
}

static int show(const struct cmd_options *options, const struct enrollment *enrollment)
{
    const struct context *context = enrollment->context;
    size_t n_reached = 0;
    size_t n_failed = 0;

    for (size_t i = 0; i < context->inventory->n_nodes; i++) {
        const struct err *err = &enrollment->errs[i];

        if (context->selected[i]) {
            n_failed += err->code != ERR_NONE ? 1 : 0;
            n_reached += err->code != ERR_UNREACHABLE ? 1 : 0;
            report(options, context->inventory->nodes[i].name,
                   enrollment->request->revoke ? "revoked" : "enrolled",
                   err->code != ERR_NONE ? err : NULL);
        }
    }
    if (n_reached == 0) {
        return EXIT_NOBODY;
    }
    return n_failed == 0 ? EXIT_ALL_VALID : EXIT_NODE_FAILED;
}

static int enroll_all(const struct cmd_options *options, const struct request *request,
                      const struct context *context)
{
    struct enrollment enrollment = { .request = request, .context = context };
    struct err err = { .code = ERR_MEMORY, .text = "answers" };
    int status = 0;

    enrollment.errs = calloc(context->inventory->n_nodes + 1, sizeof(*enrollment.errs));
    if (enrollment.errs == NULL) {
        return cmd_fail(options, "enroll", &err);
    }
    each_node(context, enroll_one, &enrollment);
    status = show(options, &enrollment);
    free(enrollment.errs);
    return status;
}

static int run(const struct cmd_options *options, int argc, char **argv)
{
    struct request request = { .folder = "/etc/bellwether",
                               .target = { .timeout_s = TIMEOUT_S } };
    struct context context;
    struct err err = { 0 };
    int status = parse(options, argc, argv, &request);

    if (status != 0) {
        return status;
    }
    status = context_open(&context, options, "enroll", request.nodes, true);
    if (status != 0) {
        return status;
    }
    if (context_keys_folder(context.inventory, request.keys_folder, &err) < 0) {
        status = cmd_fail(options, "enroll", &err);
    } else {
        status = enroll_all(options, &request, &context);
    }
    context_close(&context);
    return status;
}

const struct cmd cmd_enroll = {
    .name = "enroll",
    .summary = "exchange keys with nodes over SSH",
    .usage = USAGE,
    .run = run,
};
