/* SPDX-License-Identifier: MIT */
/* What nearly every command starts with: the inventory, the nodes meant, this controller's key.
 */
#ifndef HERD_CONTEXT_H
#define HERD_CONTEXT_H

#include "herd/cmd.h"

#include "common/buf.h"
#include "common/inventory.h"
#include "common/keys.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct context {
    struct inventory *inventory;
    bool *selected; /* inventory->n_nodes, by --limit and the command's own set */
    size_t n_selected;
    struct key_pair key; /* all zero when it was not asked for */
    char key_path[PATH_MAX];
};

/* The folder `keys` beside the inventory. A node without public_key in the inventory has the
 * one of keys/NAME.pub, where `herd enroll` puts it. */
MUST_CHECK int context_keys_folder(const struct inventory *inventory, char path[PATH_MAX],
                                   struct err *err);

/* Finds and loads; prints what is wrong. 0 or an exit status; `context` needs no close after
 * that. `nodes`: a further node set (an operand of the command) or NULL. */
MUST_CHECK int context_open(struct context *context, const struct cmd_options *options,
                            const char *command, const char *nodes, bool needs_key);
void context_close(struct context *context);

/* The nodes of the inventory that is_one(arg, i) says yes to, each asked once and in order,
 * appended to `set` as "sheep[0-3,7]". Returns how many there are. */
size_t context_fold(const struct context *context, bool (*is_one)(void *arg, size_t i),
                    void *arg, struct buf *set);

/* The same parts, for commands that need one of them; err says what is wrong. */
MUST_CHECK int context_find_key(const struct cmd_options *options, const char *inventory_path,
                                char path[PATH_MAX], struct err *err);

/* Where herd keeps its state: $BELLWETHER_STATE, else $XDG_STATE_HOME/bellwether, else
 * ~/.local/state/bellwether. The folder is made (mode 0700). */
MUST_CHECK int context_state_folder(char path[PATH_MAX], struct err *err);

#endif
