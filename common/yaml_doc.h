/* SPDX-License-Identifier: MIT */
/* A YAML document as a tree that remembers where every value came from. The only user of
 * libyaml. */
#ifndef COMMON_YAML_DOC_H
#define COMMON_YAML_DOC_H

#include "common/attrs.h"
#include "common/buf.h"
#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    YAML_MAX_DEPTH = 24,
    YAML_MAX_NODES = 100000, /* after aliases are expanded: no billion laughs */
    YAML_MAX_BYTES = 4 * 1024 * 1024,
};

enum yaml_kind {
    YAML_NULL,
    YAML_SCALAR,
    YAML_LIST,
    YAML_MAP
};

/* file is a loan from the document; line and column count from 1; 0 where a default or the
 * program set the value. */
struct yaml_place {
    const char *file;
    uint32_t line;
    uint32_t column;
};

/* Nodes belong to the document that parsed or made them. Duplicate keys of a map are refused.
 */
struct yaml_node {
    enum yaml_kind kind;
    bool is_quoted; /* a scalar that can only be a string */
    struct yaml_place place;
    const char *text;              /* YAML_SCALAR */
    size_t count;                  /* of LIST and MAP */
    struct yaml_node **items;      /* values */
    const char **keys;             /* MAP only */
    struct yaml_place *key_places; /* MAP only */
};

struct yaml_doc;

/* One document; more than one, or none (an empty file gives a null root), see the .c. file_name
 * is used in messages. NULL and err ("file:line:column: ...") when it does not parse or breaks
 * a bound. */
struct yaml_doc *yaml_parse(const char *text, size_t size, const char *file_name,
                            struct err *err);
struct yaml_doc *yaml_load(const char *path, struct err *err);
void yaml_destroy(struct yaml_doc **doc);
struct yaml_node *yaml_root(const struct yaml_doc *doc); /* loan until destroy */

/* NULL when node is NULL, no map, or has no such key. */
struct yaml_node *yaml_get(const struct yaml_node *map, const char *key);
const char *yaml_text(const struct yaml_node *scalar, const char *otherwise);

/* Deep merge: `over` wins; maps merge key by key, everything else is replaced. The result is a
 * new tree in `doc` that keeps each value's own place; base and over may come from other
 * documents that outlive doc (their strings are copied, places' file names too). Either may be
 * NULL. */
struct yaml_node *yaml_merge(struct yaml_doc *doc, const struct yaml_node *base,
                             const struct yaml_node *over, struct err *err);

/* An empty document to build in. */
struct yaml_doc *yaml_create(void);

/* Writes a tree as block YAML, strings quoted where needed; parses back to the same tree. */
void yaml_emit(const struct yaml_node *node, unsigned indent, struct buf *out);

/* Appends text as a YAML scalar, quoted when it must be (also for one-line emitters). */
void yaml_emit_scalar(const char *text, struct buf *out);

/* Faults: every one that a file has, each with its place. */
struct fault_list {
    struct fault *faults;
    size_t count;
    bool failed; /* no memory to note one */
};
struct fault {
    struct yaml_place place; /* file name copied */
    char text[400];
};
void fault_add(struct fault_list *list, struct yaml_place place, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* One "file:line:column: text" a line, sorted by place. */
void fault_print(const struct fault_list *list, struct buf *out);
/* -1 and err (first fault, and how many more) when the list is not empty. */
int fault_check(const struct fault_list *list, struct err *err);
void fault_fini(struct fault_list *list);

#endif
