/* SPDX-License-Identifier: MIT */
/* The nodes that exist: Shepherd's Ansible form, plus our optional keys. */
#ifndef COMMON_INVENTORY_H
#define COMMON_INVENTORY_H

#include "common/err.h"
#include "common/yaml_doc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    INVENTORY_NAME_SIZE = 64,
    INVENTORY_HOST_SIZE = 256,
    PUBLIC_KEY_SIZE = 41,
    DEFAULT_PORT = 4240
};

struct inventory_node {
    char name[INVENTORY_NAME_SIZE];
    char host[INVENTORY_HOST_SIZE];   /* ansible_host, or the name */
    char user[INVENTORY_NAME_SIZE];   /* ansible_user */
    uint16_t port;                    /* control; bulk = port + 1, live = port + 2 */
    char public_key[PUBLIC_KEY_SIZE]; /* Z85, 40 characters, or "" */
    char board[16];                   /* sim | iss | pru */
    size_t n_groups;
    char (*groups)[INVENTORY_NAME_SIZE];
    size_t n_capabilities;
    char (*capabilities)[INVENTORY_NAME_SIZE];
    struct yaml_place place;
};

struct inventory {
    char path[512]; /* where it was found; relative key paths start in its folder */
    size_t n_nodes;
    struct inventory_node *nodes; /* in the file's order */
};

/* NULL and all faults. Two nodes with one address are a fault. */
struct inventory *inventory_load(const char *path, struct fault_list *faults);
struct inventory *inventory_parse(const char *text, const char *file_name,
                                  struct fault_list *faults);
void inventory_destroy(struct inventory **inventory);

/* The search order of the manual; NULL and err that lists the places tried. Returns a new
 * string. */
char *inventory_find(const char *given, struct err *err);

const struct inventory_node *inventory_get(const struct inventory *inventory, const char *name);

/* Node sets: names, sheep[0-9,12], @group, union ",", difference "-", intersection "&" (set
 * operators stand between blanks or are unambiguous; grammar in the .c). Fills
 * selected[n_nodes]. A set that names nobody, or a name that does not exist, is an error. */
MUST_CHECK int nodeset_select(const struct inventory *inventory, const char *text,
                              bool *selected, struct err *err);

/* Folds names to a short set: "sheep[0-3,7]". */
void nodeset_fold(const char *const *names, size_t n_names, struct buf *out);

#endif
