/* SPDX-License-Identifier: MIT */
#include "common/yaml_doc.h"

#include "common/yaml_tree.h"

#include <stdlib.h>
#include <string.h>

enum {
    BLOCK_SIZE = 16 * 1024,
    ALIGNMENT = 16,
    MAX_FILES = 4096
};

struct yaml_block {
    struct yaml_block *next;
    size_t used;
    size_t size;
    max_align_t data[];
};

static struct yaml_block *block_add(struct yaml_doc *doc, size_t size)
{
    size_t capacity = size > BLOCK_SIZE ? size : BLOCK_SIZE;
    struct yaml_block *block = calloc(1, sizeof(*block) + capacity);

    if (block == NULL) {
        return NULL;
    }
    block->size = capacity;
    /* A large request gets a block of its own behind the one that still has room. */
    if (doc->blocks != NULL && size > BLOCK_SIZE / 2) {
        block->next = doc->blocks->next;
        doc->blocks->next = block;
    } else {
        block->next = doc->blocks;
        doc->blocks = block;
    }
    return block;
}

void *yaml_alloc(struct yaml_doc *doc, size_t size)
{
    struct yaml_block *block = doc->blocks;
    char *memory = NULL;

    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (block == NULL || block->size - block->used < size) {
        block = block_add(doc, size);
        if (block == NULL) {
            return NULL;
        }
    }
    memory = (char *)block->data + block->used;
    block->used += size;
    return memory;
}

char *yaml_copy(struct yaml_doc *doc, const char *text, size_t size)
{
    char *copy = yaml_alloc(doc, size + 1);

    if (copy != NULL && size > 0) {
        memcpy(copy, text, size);
    }
    return copy;
}

const char *yaml_file(struct yaml_doc *doc, const char *file)
{
    char *copy = NULL;

    if (file == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < doc->n_files; i++) {
        if (doc->files[i] == file || strcmp(doc->files[i], file) == 0) {
            return doc->files[i];
        }
    }
    copy = yaml_copy(doc, file, strlen(file));
    if (copy != NULL && doc->n_files < MAX_FILES) {
        const char **files = yaml_alloc(doc, (doc->n_files + 1) * sizeof(*files));

        if (files != NULL) {
            if (doc->n_files > 0) {
                memcpy(files, doc->files, doc->n_files * sizeof(*files));
            }
            files[doc->n_files] = copy;
            doc->files = files;
            doc->n_files++;
        }
    }
    return copy;
}

struct yaml_node *yaml_node_make(struct yaml_doc *doc, enum yaml_kind kind,
                                 struct yaml_place place)
{
    struct yaml_node *node = yaml_alloc(doc, sizeof(*node));

    if (node != NULL) {
        node->kind = kind;
        node->place = place;
        node->place.file = yaml_file(doc, place.file);
    }
    return node;
}

bool yaml_is_null_text(const char *text)
{
    return text[0] == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0
           || strcmp(text, "Null") == 0 || strcmp(text, "NULL") == 0;
}

struct yaml_doc *yaml_create(void)
{
    return calloc(1, sizeof(struct yaml_doc));
}

void yaml_destroy(struct yaml_doc **doc_p)
{
    struct yaml_doc *doc = *doc_p;

    if (doc == NULL) {
        return;
    }
    while (doc->blocks != NULL) {
        struct yaml_block *next = doc->blocks->next;

        free(doc->blocks);
        doc->blocks = next;
    }
    free(doc);
    *doc_p = NULL;
}

struct yaml_node *yaml_root(const struct yaml_doc *doc)
{
    return doc->root;
}

struct yaml_node *yaml_get(const struct yaml_node *map, const char *key)
{
    if (map == NULL || map->kind != YAML_MAP) {
        return NULL;
    }
    for (size_t i = 0; i < map->count; i++) {
        if (strcmp(map->keys[i], key) == 0) {
            return map->items[i];
        }
    }
    return NULL;
}

const char *yaml_text(const struct yaml_node *scalar, const char *otherwise)
{
    return scalar != NULL && scalar->kind == YAML_SCALAR ? scalar->text : otherwise;
}

struct yaml_node *yaml_container_make(struct yaml_doc *doc, enum yaml_kind kind,
                                      struct yaml_place place, size_t capacity)
{
    struct yaml_node *node = yaml_node_make(doc, kind, place);

    if (node == NULL) {
        return NULL;
    }
    node->items = yaml_alloc(doc, capacity * sizeof(struct yaml_node *));
    if (kind == YAML_MAP) {
        node->keys = yaml_alloc(doc, capacity * sizeof(*node->keys));
        node->key_places = yaml_alloc(doc, capacity * sizeof(*node->key_places));
        if (node->keys == NULL || node->key_places == NULL) {
            return NULL;
        }
    }
    return node->items != NULL ? node : NULL;
}

int yaml_map_add(struct yaml_doc *doc, struct yaml_node *map, const char *key,
                 struct yaml_node *value)
{
    size_t count = map->count;
    struct yaml_node *grown = NULL;
    char *copy = yaml_copy(doc, key, strlen(key));

    if (value == NULL || copy == NULL) {
        return -1;
    }
    grown = yaml_container_make(doc, YAML_MAP, map->place, count + 1);
    if (grown == NULL) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        grown->items[i] = map->items[i];
        grown->keys[i] = map->keys[i];
        grown->key_places[i] = map->key_places[i];
    }
    grown->items[count] = value;
    grown->keys[count] = copy;
    grown->key_places[count] = value->place;
    map->items = grown->items;
    map->keys = grown->keys;
    map->key_places = grown->key_places;
    map->count = count + 1;
    return 0;
}

int yaml_map_add_text(struct yaml_doc *doc, struct yaml_node *map, const char *key,
                      const char *text, struct yaml_place place)
{
    struct yaml_node *value = yaml_node_make(doc, YAML_SCALAR, place);

    if (value == NULL) {
        return -1;
    }
    value->text = yaml_copy(doc, text, strlen(text));
    return value->text != NULL ? yaml_map_add(doc, map, key, value) : -1;
}

void yaml_map_remove(struct yaml_node *map, const char *key)
{
    size_t kept = 0;

    for (size_t i = 0; i < map->count; i++) {
        if (strcmp(map->keys[i], key) != 0) {
            map->items[kept] = map->items[i];
            map->keys[kept] = map->keys[i];
            map->key_places[kept] = map->key_places[i];
            kept++;
        }
    }
    map->count = kept;
}

void yaml_become_map(struct yaml_node *node)
{
    *node = (struct yaml_node){ .kind = YAML_MAP, .place = node->place };
}

/* A tree cannot be deeper than YAML_MAX_DEPTH, so that the recursion is bounded. */
static struct yaml_node *node_clone(struct yaml_doc *doc,
                                    const struct yaml_node *from) // NOLINT(misc-no-recursion)
{
    struct yaml_node *to = NULL;

    if (from->kind == YAML_NULL || from->kind == YAML_SCALAR) {
        to = yaml_node_make(doc, from->kind, from->place);
        if (to != NULL && from->kind == YAML_SCALAR) {
            to->is_quoted = from->is_quoted;
            to->text = yaml_copy(doc, from->text, strlen(from->text));
        }
        return to != NULL && from->kind == YAML_SCALAR && to->text == NULL ? NULL : to;
    }
    to = yaml_container_make(doc, from->kind, from->place, from->count);
    for (size_t i = 0; to != NULL && i < from->count; i++) {
        to->items[i] = node_clone(doc, from->items[i]);
        if (to->items[i] == NULL) {
            return NULL;
        }
        if (from->kind == YAML_MAP) {
            to->keys[i] = yaml_copy(doc, from->keys[i], strlen(from->keys[i]));
            to->key_places[i] = from->key_places[i];
            to->key_places[i].file = yaml_file(doc, from->key_places[i].file);
            if (to->keys[i] == NULL) {
                return NULL;
            }
        }
        to->count = i + 1;
    }
    return to;
}

static int entry_add(struct yaml_doc *doc, struct yaml_node *map, const char *key,
                     struct yaml_place place, struct yaml_node *value)
{
    char *copy = yaml_copy(doc, key, strlen(key));

    if (copy == NULL || value == NULL) {
        return -1;
    }
    map->keys[map->count] = copy;
    map->key_places[map->count] = place;
    map->key_places[map->count].file = yaml_file(doc, place.file);
    map->items[map->count] = value;
    map->count++;
    return 0;
}

static struct yaml_node *merge_nodes(struct yaml_doc *doc,
                                     const struct yaml_node *base, // NOLINT(misc-no-recursion)
                                     const struct yaml_node *over)
{
    struct yaml_node *map = NULL;

    if (base == NULL && over == NULL) {
        return yaml_node_make(doc, YAML_NULL, (struct yaml_place){ 0 });
    }
    if (base == NULL || over == NULL) {
        return node_clone(doc, base == NULL ? over : base);
    }
    if (base->kind != YAML_MAP || over->kind != YAML_MAP) {
        return node_clone(doc, over);
    }
    map = yaml_container_make(doc, YAML_MAP, over->place, base->count + over->count);
    for (size_t i = 0; map != NULL && i < base->count; i++) {
        const struct yaml_node *winner = yaml_get(over, base->keys[i]);
        struct yaml_place place = base->key_places[i];

        for (size_t k = 0; winner != NULL && k < over->count; k++) {
            place = over->items[k] == winner ? over->key_places[k] : place;
        }
        if (entry_add(doc, map, base->keys[i], place, merge_nodes(doc, base->items[i], winner))
            < 0) {
            return NULL;
        }
    }
    for (size_t i = 0; map != NULL && i < over->count; i++) {
        if (yaml_get(base, over->keys[i]) == NULL
            && entry_add(doc, map, over->keys[i], over->key_places[i],
                         node_clone(doc, over->items[i]))
                   < 0) {
            return NULL;
        }
    }
    return map;
}

struct yaml_node *yaml_merge(struct yaml_doc *doc, const struct yaml_node *base,
                             const struct yaml_node *over, struct err *err)
{
    struct yaml_node *node = merge_nodes(doc, base, over);

    if (node == NULL) {
        err_set(err, ERR_MEMORY, "no memory to merge YAML");
    }
    return node;
}
