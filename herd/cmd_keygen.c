/* SPDX-License-Identifier: MIT */
/* herd keygen: makes a key pair for a controller or a node. */
#include "herd/cli.h"
#include "herd/cmd.h"
#include "herd/report.h"

#include "common/buf.h"
#include "common/keys.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char USAGE[] =
    "Usage: herd keygen [options] [STEM]\n\n"
    "Makes a key pair: STEM.key (secret, mode 0600) and STEM.pub. STEM may have a folder in\n"
    "front; default: herd. Nothing that exists is replaced.\n\n"
    "  -n, --name NAME   the owner's name, shown to others; default: user@host, or the\n"
    "                    file's name for a sheep\n"
    "  -r, --role ROLE   operator (runs and stops; default), observer (looks), sheep (a node)\n\n"
    "Examples:\n"
    "  herd keygen                          herd.key and herd.pub here\n"
    "  herd keygen -r observer -n ann ann   a key for someone who looks\n"
    "  herd keygen -r sheep keys/sheep0     a node's\n\n"
    "To let a controller in, copy its .pub into the folder `authorized` of every node.\n"
    "A node's public_key goes into the inventory. Remove the file to revoke the key.\n";

static const struct cli_option OPTIONS[] = {
    {'n',  "name", true },
    { 'r', "role", true },
    { 0,   NULL,   false},
};

struct request {
    const char *name;
    enum proto_role role;
    char folder[PATH_MAX];
    char stem[KEY_NAME_SIZE];
};

static bool parse_role(const char *text, enum proto_role *role)
{
    static const enum proto_role ROLES[] = { ROLE_OPERATOR, ROLE_OBSERVER, ROLE_SHEEP };

    for (size_t i = 0; i < ARRAY_LEN(ROLES); i++) {
        if (strcmp(text, proto_role_name(ROLES[i])) == 0) {
            *role = ROLES[i];
            return true;
        }
    }
    return false;
}

static int split_stem(struct request *request, const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    const char *stem = slash != NULL ? slash + 1 : path;
    int length = snprintf(request->folder, PATH_MAX, "%.*s",
                          slash != NULL ? (int)(slash - path) : 1, slash != NULL ? path : ".");

    if (slash == path) {
        length = snprintf(request->folder, PATH_MAX, "/");
    }
    if (length >= PATH_MAX || !name_is_safe(stem, KEY_NAME_SIZE - 1)) {
        return err_set(err, ERR_USAGE, "'%s': no usable name for a file", path);
    }
    snprintf(request->stem, sizeof(request->stem), "%s", stem);
    return 0;
}

/* user@host, with what a name cannot hold replaced. */
static void default_name(const struct request *request, char name[KEY_NAME_SIZE])
{
    char user[LOGIN_NAME_MAX + 1] = "user";
    char host[HOST_NAME_MAX + 1] = "host";

    if (request->role == ROLE_SHEEP) {
        snprintf(name, KEY_NAME_SIZE, "%s", request->stem);
        return;
    }
    if (getlogin_r(user, sizeof(user)) != 0) {
        snprintf(user, sizeof(user), "uid%u", getuid());
    }
    gethostname(host, sizeof(host) - 1);
    snprintf(name, KEY_NAME_SIZE, "%.30s.%.30s", user, host);
    for (char *at = name; *at != '\0'; at++) {
        char one[2] = { *at, '\0' };

        if (!name_is_safe(one, 1) && (at == name || (*at != '.' && *at != '-'))) {
            *at = '_';
        }
    }
}

static void report(const struct cmd_options *options, const struct request *request,
                   const struct key_pair *pair)
{
    struct buf line = { 0 };
    struct json json = { .out = &line };

    if (!options->is_json) {
        printf("%s/%s.key and .pub: %s key of %s\npublic_key: '%s'\n", request->folder,
               request->stem, proto_role_name((unsigned)pair->role), pair->name,
               pair->public_key);
        return;
    }
    json_open(&json, NULL, '{');
    json_text(&json, "name", pair->name);
    json_text(&json, "role", proto_role_name((unsigned)pair->role));
    json_text(&json, "public_key", pair->public_key);
    json_close(&json, '}');
    json_line(&json, stdout);
    buf_fini(&line);
}

static int make_key(const struct cmd_options *options, const struct request *request)
{
    struct key_pair pair;
    char name[KEY_NAME_SIZE];
    struct err err = { 0 };

    if (request->name != NULL) {
        snprintf(name, sizeof(name), "%s", request->name);
    } else {
        default_name(request, name);
    }
    if (dir_make(request->folder, 0700, &err) < 0
        || key_generate(&pair, name, request->role, &err) < 0) {
        return cmd_fail(options, "keygen", &err);
    }
    if (key_save(&pair, request->folder, request->stem, false, &err) < 0) {
        key_wipe(&pair);
        return cmd_fail(options, "keygen", &err);
    }
    report(options, request, &pair);
    key_wipe(&pair);
    return EXIT_ALL_VALID;
}

static int run(const struct cmd_options *options, int argc, char **argv)
{
    struct cli_scan scan = {
        .global = options, .options = OPTIONS, .argc = argc, .argv = argv
    };
    struct request request = { .role = ROLE_OPERATOR };
    const char *value = NULL;
    struct err err = { 0 };
    int option = 0;

    while ((option = cli_next(&scan, &value)) != 0) {
        if (option == '?') {
            return EXIT_USAGE;
        }
        if (option == 'n') {
            request.name = value;
        } else if (!parse_role(value, &request.role)) {
            return cmd_misuse(options, "keygen", "role '%s' is not operator, observer or sheep",
                              value);
        }
    }
    if (scan.n_operands > 1) {
        return cmd_misuse(options, "keygen", "one name, not %d", scan.n_operands);
    }
    if (split_stem(&request, scan.n_operands == 1 ? argv[scan.at] : "herd", &err) < 0) {
        return cmd_fail(options, "keygen", &err);
    }
    return make_key(options, &request);
}

const struct cmd cmd_keygen = {
    .name = "keygen",
    .summary = "make a key pair for a controller or a node",
    .usage = USAGE,
    .run = run,
};
