/* SPDX-License-Identifier: MIT */
#include "herd/context.h"

#include "herd/cli.h"

#include "common/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *env_or_null(const char *name)
{
    const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe): nobody calls setenv */

    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* The folder that $XDG_... names, or its place below the home folder. */
static bool xdg_path(char path[PATH_MAX], const char *variable, const char *below_home,
                     const char *name)
{
    const char *base = env_or_null(variable);
    const char *home = env_or_null("HOME");
    int length = -1;

    if (base != NULL) {
        length = snprintf(path, PATH_MAX, "%s/bellwether%s", base, name);
    } else if (home != NULL) {
        length = snprintf(path, PATH_MAX, "%s/%s/bellwether%s", home, below_home, name);
    }
    return length > 0 && length < PATH_MAX;
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

int context_find_key(const struct cmd_options *options, const char *inventory_path,
                     char path[PATH_MAX], struct err *err)
{
    const char *given = options->key != NULL ? options->key : env_or_null("BELLWETHER_KEY");
    const char *slash = strrchr(inventory_path, '/');
    char beside[PATH_MAX];

    if (given != NULL) {
        if (snprintf(path, PATH_MAX, "%s", given) >= PATH_MAX) {
            return err_set(err, ERR_INPUT, "key: path too long");
        }
        return 0;
    }
    if (snprintf(beside, PATH_MAX, "%.*sherd.key",
                 slash != NULL ? (int)(slash - inventory_path + 1) : 0, inventory_path)
            < PATH_MAX
        && is_there(beside)) {
        memcpy(path, beside, PATH_MAX);
        return 0;
    }
    if (xdg_path(path, "XDG_CONFIG_HOME", ".config", "/herd.key") && is_there(path)) {
        return 0;
    }
    return err_set(err, ERR_NOT_FOUND,
                   "no key of this controller: not given by -k or $BELLWETHER_KEY, no %s, no "
                   "bellwether/herd.key in the configuration folder; herd keygen makes one",
                   beside);
}

int context_state_folder(char path[PATH_MAX], struct err *err)
{
    const char *given = env_or_null("BELLWETHER_STATE");

    if (given != NULL) {
        if (snprintf(path, PATH_MAX, "%s", given) >= PATH_MAX) {
            return err_set(err, ERR_INPUT, "$BELLWETHER_STATE: path too long");
        }
    } else if (!xdg_path(path, "XDG_STATE_HOME", ".local/state", "")) {
        return err_set(err, ERR_INPUT, "no $BELLWETHER_STATE, $XDG_STATE_HOME or $HOME");
    }
    return dir_make(path, 0700, err);
}

int context_keys_folder(const struct inventory *inventory, char path[PATH_MAX], struct err *err)
{
    const char *slash = strrchr(inventory->path, '/');

    if (snprintf(path, PATH_MAX, "%.*skeys",
                 slash != NULL ? (int)(slash - inventory->path + 1) : 0, inventory->path)
        >= PATH_MAX) {
        return err_set(err, ERR_INPUT, "%s: path too long", inventory->path);
    }
    return 0;
}

static int adopt_keys(struct inventory *inventory, struct err *err)
{
    char folder[PATH_MAX];
    char path[PATH_MAX];

    if (context_keys_folder(inventory, folder, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < inventory->n_nodes; i++) {
        struct inventory_node *node = &inventory->nodes[i];
        struct key_pair pair;

        if (node->public_key[0] != '\0'
            || snprintf(path, sizeof(path), "%s/%s.pub", folder, node->name) >= PATH_MAX
            || !is_there(path)) {
            continue;
        }
        if (key_load_public(&pair, path, err) < 0) {
            return -1;
        }
        memcpy(node->public_key, pair.public_key, sizeof(node->public_key));
    }
    return 0;
}

static int load_inventory(struct context *context, const struct cmd_options *options,
                          const char *command)
{
    struct fault_list faults = { 0 };
    struct err err = { 0 };
    char *path = inventory_find(options->inventory, &err);
    int status = 0;

    if (path == NULL) {
        return cmd_fail(options, command, &err);
    }
    context->inventory = inventory_load(path, &faults);
    free(path);
    if (context->inventory == NULL) {
        status = cmd_fail_faults(options, command, &faults);
    } else if (adopt_keys(context->inventory, &err) < 0) {
        status = cmd_fail(options, command, &err);
    }
    fault_fini(&faults);
    return status;
}

/* Only what all given sets name; NULL names everybody. */
static int narrow(struct context *context, const char *set, struct err *err)
{
    bool *part = NULL;
    size_t n_nodes = context->inventory->n_nodes;

    if (set == NULL) {
        return 0;
    }
    part = calloc(n_nodes > 0 ? n_nodes : 1, sizeof(*part));
    if (part == NULL) {
        return err_set(err, ERR_MEMORY, "node set");
    }
    if (nodeset_select(context->inventory, set, part, err) < 0) {
        free(part);
        return -1;
    }
    for (size_t i = 0; i < n_nodes; i++) {
        context->selected[i] = context->selected[i] && part[i];
    }
    free(part);
    return 0;
}

static int select_nodes(struct context *context, const char *limit, const char *nodes,
                        struct err *err)
{
    size_t n_nodes = context->inventory->n_nodes;

    context->selected = calloc(n_nodes > 0 ? n_nodes : 1, sizeof(*context->selected));
    if (context->selected == NULL) {
        return err_set(err, ERR_MEMORY, "node set");
    }
    memset(context->selected, true, n_nodes * sizeof(*context->selected));
    if (narrow(context, limit, err) < 0 || narrow(context, nodes, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < n_nodes; i++) {
        context->n_selected += context->selected[i] ? 1 : 0;
    }
    if (context->n_selected == 0) {
        return limit != NULL && nodes != NULL
                   ? err_set(err, ERR_INPUT, "--limit %.200s and '%.200s' share no node", limit,
                             nodes)
                   : err_set(err, ERR_INPUT, "the inventory has no nodes");
    }
    return 0;
}

static int load_key(struct context *context, const struct cmd_options *options, struct err *err)
{
    if (context_find_key(options, context->inventory->path, context->key_path, err) < 0
        || key_load(&context->key, context->key_path, err) < 0) {
        return -1;
    }
    if (context->key.role == ROLE_SHEEP) {
        return err_set(err, ERR_INPUT, "%s: the key of a sheep, not of a controller",
                       context->key_path);
    }
    return 0;
}

int context_open(struct context *context, const struct cmd_options *options,
                 const char *command, const char *nodes, bool needs_key)
{
    struct err err = { 0 };
    int status = 0;

    memset(context, 0, sizeof(*context));
    status = load_inventory(context, options, command);
    if (status != 0) {
        context_close(context);
        return status;
    }
    if (select_nodes(context, options->limit, nodes, &err) < 0
        || (needs_key && load_key(context, options, &err) < 0)) {
        context_close(context);
        return cmd_fail(options, command, &err);
    }
    return 0;
}

void context_close(struct context *context)
{
    inventory_destroy(&context->inventory);
    free(context->selected);
    key_wipe(&context->key);
    memset(context, 0, sizeof(*context));
}

size_t context_fold(const struct context *context, bool (*is_one)(void *arg, size_t i),
                    void *arg, struct buf *set)
{
    const struct inventory *inventory = context->inventory;
    const char **names = calloc(inventory->n_nodes + 1, sizeof(*names));
    size_t count = 0;

    for (size_t i = 0; names != NULL && i < inventory->n_nodes; i++) {
        if (is_one(arg, i)) {
            names[count++] = inventory->nodes[i].name;
        }
    }
    nodeset_fold(names, count, set);
    free((void *)names);
    return count;
}
