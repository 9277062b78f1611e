/* SPDX-License-Identifier: MIT */
/* Composes libyaml's events to a tree, with the bounds of yaml_doc.h: an alias counts as many
 * nodes as it stands for. A stack of our own replaces recursion. Merge keys (`<<: *base`) are
 * supported: the map's own keys win, then the earlier of the merged maps. */
#include "common/yaml_tree.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum {
    MAX_ANCHORS = 1000,
    MAX_ANCHOR_NAME = 128,
    MAX_MERGE_WORK = 10 * 1000 * 1000 /* comparisons of keys */
};

struct anchor {
    const char *name;
    struct yaml_node *node;
    size_t n_nodes; /* of the whole subtree, aliases expanded; 0 while it is open */
    unsigned height;
};

/* A container that is being filled. */
struct level {
    struct yaml_node *node;
    size_t capacity;
    const char *key; /* of a map, when its value is awaited */
    struct yaml_place key_place;
    size_t n_before; /* nodes counted before this one */
    unsigned height; /* of the deepest finished child */
    size_t anchor;   /* index + 1, 0: none */
};

struct composer {
    yaml_parser_t parser;
    struct yaml_doc *doc;
    const char *file;
    size_t n_nodes;
    unsigned depth;
    struct level levels[YAML_MAX_DEPTH];
    struct anchor *anchors;
    size_t n_anchors;
    struct yaml_node *root;
    struct err *err;
};

static struct yaml_place place_of(const struct composer *composer, yaml_mark_t mark)
{
    return (struct yaml_place){
        .file = composer->file,
        .line = (uint32_t)mark.line + 1,
        .column = (uint32_t)mark.column + 1,
    };
}

static int refuse(struct composer *composer, struct yaml_place place, const char *what,
                  const char *name)
{
    return err_set(composer->err, ERR_INPUT, "%s:%u:%u: %s%s%s", composer->file, place.line,
                   place.column, what, name[0] != '\0' ? " " : "", name);
}

static int refuse_memory(struct composer *composer)
{
    return err_set(composer->err, ERR_MEMORY, "%s: no memory", composer->file);
}

static int level_grow(struct composer *composer, struct level *level)
{
    size_t capacity = level->capacity == 0 ? 8 : level->capacity * 2;
    struct yaml_node *node = level->node;
    struct yaml_node **items = yaml_alloc(composer->doc, capacity * sizeof(struct yaml_node *));
    const char **keys = NULL;
    struct yaml_place *places = NULL;

    if (items == NULL) {
        return refuse_memory(composer);
    }
    if (node->count > 0) {
        memcpy(items, node->items, node->count * sizeof(struct yaml_node *));
    }
    node->items = items;
    level->capacity = capacity;
    if (node->kind != YAML_MAP) {
        return 0;
    }
    keys = yaml_alloc(composer->doc, capacity * sizeof(*keys));
    places = yaml_alloc(composer->doc, capacity * sizeof(*places));
    if (keys == NULL || places == NULL) {
        return refuse_memory(composer);
    }
    if (node->count > 0) {
        memcpy(keys, node->keys, node->count * sizeof(*keys));
        memcpy(places, node->key_places, node->count * sizeof(*places));
    }
    node->keys = keys;
    node->key_places = places;
    return 0;
}

static int level_append(struct composer *composer, struct level *level, const char *key,
                        struct yaml_place key_place, struct yaml_node *value)
{
    struct yaml_node *node = level->node;

    if (node->count == level->capacity && level_grow(composer, level) < 0) {
        return -1;
    }
    node->items[node->count] = value;
    if (node->kind == YAML_MAP) {
        node->keys[node->count] = key;
        node->key_places[node->count] = key_place;
    }
    node->count++;
    return 0;
}

/* A finished value takes its place in what contains it. */
static int value_place(struct composer *composer, struct yaml_node *value, unsigned height)
{
    struct level *level = NULL;
    const char *key = NULL;

    if (composer->depth == 0) {
        composer->root = value;
        return 0;
    }
    level = &composer->levels[composer->depth - 1];
    if (height + 1 > level->height) {
        level->height = height + 1;
    }
    key = level->key;
    level->key = NULL;
    return level_append(composer, level, key, level->key_place, value);
}

static int count_nodes(struct composer *composer, struct yaml_place place, size_t n_nodes)
{
    if (n_nodes > YAML_MAX_NODES - composer->n_nodes) {
        return refuse(composer, place, "the document has too many nodes", "");
    }
    composer->n_nodes += n_nodes;
    return 0;
}

/* The key of a map is awaited: fills it and says so. */
static bool is_key_awaited(const struct composer *composer)
{
    return composer->depth > 0 && composer->levels[composer->depth - 1].node->kind == YAML_MAP
           && composer->levels[composer->depth - 1].key == NULL;
}

static int anchor_add(struct composer *composer, const yaml_char_t *name,
                      struct yaml_place place, struct anchor anchor, size_t *index)
{
    const char *text = (const char *)name;

    *index = 0;
    if (name == NULL) {
        return 0;
    }
    if (composer->n_anchors == MAX_ANCHORS || strlen(text) > MAX_ANCHOR_NAME) {
        return refuse(composer, place, "too many anchors, or one with too long a name", "");
    }
    if (composer->anchors == NULL) {
        composer->anchors = yaml_alloc(composer->doc, MAX_ANCHORS * sizeof(*composer->anchors));
    }
    anchor.name = yaml_copy(composer->doc, text, strlen(text));
    if (composer->anchors == NULL || anchor.name == NULL) {
        return refuse_memory(composer);
    }
    composer->anchors[composer->n_anchors] = anchor;
    composer->n_anchors++;
    *index = composer->n_anchors;
    return 0;
}

/* Tags other than YAML's own would mean types that we do not have. */
static int tag_check(struct composer *composer, const yaml_char_t *tag, struct yaml_place place,
                     bool *is_string)
{
    static const char prefix[] = "tag:yaml.org,2002:";
    static const char *const known[] = { "str", "int", "float", "bool", "null", "map", "seq" };
    const char *text = (const char *)tag;

    *is_string = false;
    if (text == NULL || strcmp(text, "!") == 0) {
        return 0;
    }
    for (size_t i = 0; strncmp(text, prefix, sizeof(prefix) - 1) == 0 && i < ARRAY_LEN(known);
         i++) {
        if (strcmp(text + sizeof(prefix) - 1, known[i]) == 0) {
            *is_string = i == 0;
            return 0;
        }
    }
    return refuse(composer, place, "this tag is not supported:", text);
}

static int on_scalar(struct composer *composer, const yaml_event_t *event)
{
    struct yaml_place place = place_of(composer, event->start_mark);
    size_t size = event->data.scalar.length;
    const char *raw = (const char *)event->data.scalar.value;
    bool is_string = false;
    size_t anchor = 0;
    struct yaml_node *node = NULL;
    char *text = NULL;

    if (memchr(raw, '\0', size) != NULL) {
        return refuse(composer, place, "a NUL character inside a text", "");
    }
    if (tag_check(composer, event->data.scalar.tag, place, &is_string) < 0
        || count_nodes(composer, place, 1) < 0) {
        return -1;
    }
    text = yaml_copy(composer->doc, raw, size);
    if (text == NULL) {
        return refuse_memory(composer);
    }
    if (is_key_awaited(composer) && event->data.scalar.anchor == NULL) {
        composer->levels[composer->depth - 1].key = text;
        composer->levels[composer->depth - 1].key_place = place;
        return 0;
    }
    if (is_key_awaited(composer)) {
        return refuse(composer, place, "an anchor on a key is not supported:", text);
    }
    is_string |= event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    node = yaml_node_make(
        composer->doc, !is_string && yaml_is_null_text(text) ? YAML_NULL : YAML_SCALAR, place);
    if (node == NULL) {
        return refuse_memory(composer);
    }
    node->text = node->kind == YAML_SCALAR ? text : NULL;
    node->is_quoted = is_string;
    if (anchor_add(composer, event->data.scalar.anchor, place,
                   (struct anchor){ .node = node, .n_nodes = 1 }, &anchor)
        < 0) {
        return -1;
    }
    return value_place(composer, node, 0);
}

static int on_alias(struct composer *composer, const yaml_event_t *event)
{
    struct yaml_place place = place_of(composer, event->start_mark);
    const char *name = (const char *)event->data.alias.anchor;
    const struct anchor *found = NULL;

    for (size_t i = 0; i < composer->n_anchors; i++) {
        if (strcmp(composer->anchors[i].name, name) == 0) {
            found = &composer->anchors[i]; /* the last one of that name counts */
        }
    }
    if (found == NULL) {
        return refuse(composer, place, "there is no anchor", name);
    }
    if (found->n_nodes == 0) {
        return refuse(composer, place, "an alias stands inside its own anchor:", name);
    }
    if (is_key_awaited(composer)) {
        return refuse(composer, place, "an alias cannot be a key:", name);
    }
    if (composer->depth + found->height > YAML_MAX_DEPTH) {
        return refuse(composer, place, "nested too deeply", "");
    }
    if (count_nodes(composer, place, found->n_nodes) < 0) {
        return -1;
    }
    return value_place(composer, found->node, found->height);
}

static int on_start(struct composer *composer, const yaml_event_t *event, enum yaml_kind kind)
{
    struct yaml_place place = place_of(composer, event->start_mark);
    const yaml_char_t *anchor =
        kind == YAML_MAP ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
    const yaml_char_t *tag =
        kind == YAML_MAP ? event->data.mapping_start.tag : event->data.sequence_start.tag;
    struct level level = { .n_before = composer->n_nodes };
    bool is_string = false;

    if (is_key_awaited(composer)) {
        return refuse(composer, place, "a key must be a text", "");
    }
    if (composer->depth == YAML_MAX_DEPTH) {
        return refuse(composer, place, "nested too deeply", "");
    }
    if (tag_check(composer, tag, place, &is_string) < 0
        || count_nodes(composer, place, 1) < 0) {
        return -1;
    }
    level.node = yaml_node_make(composer->doc, kind, place);
    if (level.node == NULL) {
        return refuse_memory(composer);
    }
    if (anchor_add(composer, anchor, place, (struct anchor){ .node = level.node },
                   &level.anchor)
        < 0) {
        return -1;
    }
    composer->levels[composer->depth] = level;
    composer->depth++;
    return 0;
}

struct key_rank {
    const char *key;
    size_t idx;
};

static int compare_ranks(const void *left, const void *right)
{
    const struct key_rank *a = left;
    const struct key_rank *b = right;
    int order = strcmp(a->key, b->key);

    return order != 0 ? order : (a->idx > b->idx) - (a->idx < b->idx);
}

/* Sorted, because a hostile map may have as many keys as a document has nodes. */
static int refuse_duplicates(struct composer *composer, const struct yaml_node *map)
{
    struct key_rank *ranks = NULL;
    int status = 0;

    if (map->count < 2) {
        return 0;
    }
    ranks = calloc(map->count, sizeof(*ranks));
    if (ranks == NULL) {
        return refuse_memory(composer);
    }
    for (size_t i = 0; i < map->count; i++) {
        ranks[i] = (struct key_rank){ .key = map->keys[i], .idx = i };
    }
    qsort(ranks, map->count, sizeof(*ranks), compare_ranks);
    for (size_t i = 1; i < map->count && status == 0; i++) {
        if (strcmp(ranks[i - 1].key, ranks[i].key) == 0) {
            status = refuse(composer, map->key_places[ranks[i].idx],
                            "this key stands twice in one map:", ranks[i].key);
        }
    }
    free(ranks);
    return status;
}

static int merge_in(struct composer *composer, struct level *level,
                    const struct yaml_node *source, struct yaml_place place)
{
    if (source->kind != YAML_MAP) {
        return refuse(composer, place, "<< wants a map, or a list of maps", "");
    }
    if (source->count * level->node->count > MAX_MERGE_WORK) {
        return refuse(composer, place, "<< merges too many keys", "");
    }
    for (size_t i = 0; i < source->count; i++) {
        if (yaml_get(level->node, source->keys[i]) == NULL
            && level_append(composer, level, source->keys[i], source->key_places[i],
                            source->items[i])
                   < 0) {
            return -1;
        }
    }
    return 0;
}

/* Replaces `<<` by what it names. */
static int merge_key(struct composer *composer, struct level *level)
{
    struct yaml_node *map = level->node;
    const struct yaml_node *source = yaml_get(map, "<<");
    struct yaml_place place = { 0 };
    size_t at = 0;

    if (source == NULL) {
        return 0;
    }
    while (map->items[at] != source) {
        at++;
    }
    place = map->key_places[at];
    for (size_t i = at; i + 1 < map->count; i++) {
        map->items[i] = map->items[i + 1];
        map->keys[i] = map->keys[i + 1];
        map->key_places[i] = map->key_places[i + 1];
    }
    map->count--;
    if (source->kind != YAML_LIST) {
        return merge_in(composer, level, source, place);
    }
    for (size_t i = 0; i < source->count; i++) {
        if (merge_in(composer, level, source->items[i], place) < 0) {
            return -1;
        }
    }
    return 0;
}

static int on_end(struct composer *composer)
{
    struct level level = { 0 };

    composer->depth--;
    level = composer->levels[composer->depth];
    if (level.node->kind == YAML_MAP
        && (refuse_duplicates(composer, level.node) < 0 || merge_key(composer, &level) < 0)) {
        return -1;
    }
    if (level.anchor > 0) {
        composer->anchors[level.anchor - 1].n_nodes = composer->n_nodes - level.n_before;
        composer->anchors[level.anchor - 1].height = level.height + 1;
    }
    return value_place(composer, level.node, level.height);
}

static int on_event(struct composer *composer, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return on_scalar(composer, event);
    case YAML_ALIAS_EVENT:
        return on_alias(composer, event);
    case YAML_SEQUENCE_START_EVENT:
        return on_start(composer, event, YAML_LIST);
    case YAML_MAPPING_START_EVENT:
        return on_start(composer, event, YAML_MAP);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return on_end(composer);
    case YAML_DOCUMENT_START_EVENT:
        return composer->root == NULL ? 0
                                      : refuse(composer, place_of(composer, event->start_mark),
                                               "a second document in one file", "");
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return 0;
    }
    return 0;
}

static int refuse_syntax(struct composer *composer)
{
    const yaml_parser_t *parser = &composer->parser;
    const char *problem = parser->problem != NULL ? parser->problem : "not YAML";

    if (parser->error == YAML_MEMORY_ERROR) {
        return refuse_memory(composer);
    }
    if (parser->error == YAML_READER_ERROR) {
        return err_set(composer->err, ERR_INPUT, "%s: byte %zu: %s", composer->file,
                       parser->problem_offset, problem);
    }
    if (parser->context != NULL) {
        return err_set(composer->err, ERR_INPUT, "%s:%zu:%zu: %s (%s, line %zu)",
                       composer->file, parser->problem_mark.line + 1,
                       parser->problem_mark.column + 1, problem, parser->context,
                       parser->context_mark.line + 1);
    }
    return refuse(composer, place_of(composer, parser->problem_mark), problem, "");
}

static int compose(struct composer *composer)
{
    bool is_done = false;

    while (!is_done) {
        yaml_event_t event;
        int status = 0;

        if (yaml_parser_parse(&composer->parser, &event) == 0) {
            return refuse_syntax(composer);
        }
        status = on_event(composer, &event);
        is_done = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
        if (status < 0) {
            return -1;
        }
    }
    if (composer->root == NULL) {
        composer->root = yaml_node_make(composer->doc, YAML_NULL,
                                        (struct yaml_place){ composer->file, 1, 1 });
    }
    composer->doc->root = composer->root;
    return composer->root != NULL ? 0 : refuse_memory(composer);
}

struct yaml_doc *yaml_parse(const char *text, size_t size, const char *file_name,
                            struct err *err)
{
    struct composer composer = { .err = err, .file = file_name, .doc = yaml_create() };
    int status = -1;

    if (composer.doc == NULL) {
        err_set(err, ERR_MEMORY, "%s: no memory", file_name);
        return NULL;
    }
    if (size > YAML_MAX_BYTES) {
        err_set(err, ERR_INPUT, "%s: longer than %d bytes", file_name, (int)YAML_MAX_BYTES);
    } else if (yaml_parser_initialize(&composer.parser) == 0) {
        refuse_memory(&composer);
    } else {
        composer.file = yaml_file(composer.doc, file_name);
        yaml_parser_set_input_string(&composer.parser, (const unsigned char *)text, size);
        yaml_parser_set_encoding(&composer.parser, YAML_UTF8_ENCODING);
        status = composer.file != NULL ? compose(&composer) : -1;
        yaml_parser_delete(&composer.parser);
    }
    if (status < 0) {
        yaml_destroy(&composer.doc);
    }
    return composer.doc;
}

struct yaml_doc *yaml_load(const char *path, struct err *err)
{
    struct buf text = { 0 };
    struct yaml_doc *doc = NULL;

    if (buf_read_file(&text, path, YAML_MAX_BYTES, err) == 0) {
        doc = yaml_parse(text.data != NULL ? text.data : "", text.size, path, err);
    }
    buf_fini(&text);
    return doc;
}
