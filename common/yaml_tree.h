/* SPDX-License-Identifier: MIT */
/* How a YAML document keeps its memory; for the files of yaml_doc.h alone. */
#ifndef COMMON_YAML_TREE_H
#define COMMON_YAML_TREE_H

#include "common/yaml_doc.h"

#include <stddef.h>

struct yaml_block;

/* Everything lives in blocks that go together with the document. */
struct yaml_doc {
    struct yaml_block *blocks;
    struct yaml_node *root;
    const char **files; /* names that places of this document refer to */
    size_t n_files;
};

/* Zeroed memory that lasts as long as the document; NULL when there is none. */
void *yaml_alloc(struct yaml_doc *doc, size_t size);
char *yaml_copy(struct yaml_doc *doc, const char *text, size_t size);

/* The document's own copy of a file's name; NULL stays NULL. */
const char *yaml_file(struct yaml_doc *doc, const char *file);

struct yaml_node *yaml_node_make(struct yaml_doc *doc, enum yaml_kind kind,
                                 struct yaml_place place);

/* An empty list or map with room for `capacity` entries; NULL without memory. */
struct yaml_node *yaml_container_make(struct yaml_doc *doc, enum yaml_kind kind,
                                      struct yaml_place place, size_t capacity);

/* Adds an entry behind the others, whatever room there was; the key is copied, and its place is
 * the value's. -1 without memory, or when value is NULL; the map is then as it was. */
int yaml_map_add(struct yaml_doc *doc, struct yaml_node *map, const char *key,
                 struct yaml_node *value);
int yaml_map_add_text(struct yaml_doc *doc, struct yaml_node *map, const char *key,
                      const char *text, struct yaml_place place);
void yaml_map_remove(struct yaml_node *map, const char *key);

/* A node becomes an empty map in its place. */
void yaml_become_map(struct yaml_node *node);

/* Plain scalars that mean nothing: "", "~", "null". */
bool yaml_is_null_text(const char *text);

#endif
