/* SPDX-License-Identifier: MIT */
/* Inheritance is a merge of YAML trees: the schema sees the result and each value's place. */
#include "common/presets.h"

#include "common/schema.h"
#include "common/yaml_tree.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    FOLDER_SIZE = 2 * PATH_MAX,
    MAX_CHAIN = 16 /* of inheritance; a cycle is found before */
};

struct presets {
    struct yaml_doc *docs[N_PRESET_KINDS];
};

static const struct {
    const char *file;
    const char *what;
    const char *otherwise; /* inherited when nothing says what to inherit; NULL: nothing */
} kinds[N_PRESET_KINDS] = {
    [PRESET_SOURCE] = {"sources.yaml",     "source",    "neutral" },
    [PRESET_HARVESTER] = { "harvesters.yaml", "harvester", "mppt_opt"},
    [PRESET_STORAGE] = { "storages.yaml",   "storage",   NULL      },
};

/* What generation 1 called otherwise. */
static const char *const renamed[][2] = {
    {"V_intermediate_enable_threshold_mV",   "V_intermediate_enable_output_threshold_mV" },
    { "V_intermediate_disable_threshold_mV", "V_intermediate_disable_output_threshold_mV"},
};

static bool has_presets(const char *folder)
{
    char path[FOLDER_SIZE + 40];

    snprintf(path, sizeof(path), "%s/%s", folder, kinds[PRESET_SOURCE].file);
    return access(path, R_OK) == 0;
}

/* The folder of the running program, or "." */
static void own_folder(char folder[PATH_MAX])
{
    ssize_t size = readlink("/proc/self/exe", folder, PATH_MAX - 1);
    char *slash = NULL;

    folder[size > 0 ? size : 0] = '\0';
    slash = strrchr(folder, '/');
    if (slash != NULL) {
        *slash = '\0';
    } else {
        snprintf(folder, PATH_MAX, ".");
    }
}

static bool find_folder(char found[FOLDER_SIZE])
{
    static const char *const beside[] = { "../../inventory/presets",
                                          "../share/bellwether/presets" };
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody calls setenv */
    const char *given = getenv("BELLWETHER_PRESETS");
    char own[PATH_MAX];

    if (given != NULL && given[0] != '\0') {
        snprintf(found, FOLDER_SIZE, "%s", given);
        return has_presets(found);
    }
    own_folder(own);
    for (size_t i = 0; i < ARRAY_LEN(beside); i++) {
        snprintf(found, FOLDER_SIZE, "%s/%s", own, beside[i]);
        if (has_presets(found)) {
            return true;
        }
    }
    snprintf(found, FOLDER_SIZE, "%s", BW_SOURCE_PRESETS);
    return has_presets(found);
}

void presets_destroy(struct presets **presets_p)
{
    struct presets *presets = *presets_p;

    if (presets == NULL) {
        return;
    }
    for (size_t i = 0; i < N_PRESET_KINDS; i++) {
        yaml_destroy(&presets->docs[i]);
    }
    free(presets);
    *presets_p = NULL;
}

static void load_kind(struct presets *presets, enum preset_kind kind, const char *folder,
                      struct fault_list *faults)
{
    char path[FOLDER_SIZE + 40];
    struct err err = { 0 };
    struct yaml_node *root = NULL;

    snprintf(path, sizeof(path), "%s/%s", folder, kinds[kind].file);
    presets->docs[kind] = yaml_load(path, &err);
    if (presets->docs[kind] == NULL) {
        fault_add(faults, (struct yaml_place){ 0 }, "presets: %.350s", err.text);
        return;
    }
    root = yaml_root(presets->docs[kind]);
    if (root->kind != YAML_MAP) {
        fault_add(faults, root->place, "wants a map of presets");
        return;
    }
    for (size_t i = 0; i < root->count; i++) {
        presets_normalise(kind, presets->docs[kind], root->items[i]);
        if (root->items[i]->kind != YAML_MAP) {
            fault_add(faults, root->items[i]->place, "%.60s: wants a map", root->keys[i]);
        }
    }
}

struct presets *presets_load(const char *folder, struct fault_list *faults)
{
    char found[FOLDER_SIZE];
    struct presets *presets = calloc(1, sizeof(*presets));
    size_t n_before = faults->count;

    if (presets == NULL) {
        faults->failed = true;
        return NULL;
    }
    if (folder == NULL && !find_folder(found)) {
        fault_add(faults, (struct yaml_place){ 0 },
                  "no presets found (%s has no sources.yaml); set BELLWETHER_PRESETS to the "
                  "folder inventory/presets",
                  found);
    }
    for (int kind = 0; faults->count == n_before && kind < N_PRESET_KINDS; kind++) {
        load_kind(presets, (enum preset_kind)kind, folder != NULL ? folder : found, faults);
    }
    if (faults->count != n_before) {
        presets_destroy(&presets);
    }
    return presets;
}

const char *presets_name(const struct presets *presets, enum preset_kind kind, size_t i)
{
    const struct yaml_node *root = yaml_root(presets->docs[kind]);

    return i < root->count ? root->keys[i] : NULL;
}

/* Blanks and underscores are the same in a name. */
static bool is_same_name(const char *left, const char *right)
{
    size_t i = 0;

    while (left[i] != '\0'
           && (left[i] == right[i]
               || (strchr(" _", left[i]) != NULL && right[i] != '\0'
                   && strchr(" _", right[i]) != NULL))) {
        i++;
    }
    return left[i] == right[i];
}

static const struct yaml_node *find_preset(const struct presets *presets, enum preset_kind kind,
                                           const char *name)
{
    const struct yaml_node *root = yaml_root(presets->docs[kind]);

    for (size_t i = 0; i < root->count; i++) {
        if (is_same_name(root->keys[i], name)) {
            return root->items[i];
        }
    }
    return NULL;
}

static void rename_keys(struct yaml_node *map)
{
    for (size_t i = 0; i < map->count; i++) {
        for (size_t k = 0; k < ARRAY_LEN(renamed); k++) {
            if (strcmp(map->keys[i], renamed[k][0]) == 0
                && yaml_get(map, renamed[k][1]) == NULL) {
                map->keys[i] = renamed[k][1];
            }
        }
    }
}

void presets_normalise(enum preset_kind kind, struct yaml_doc *doc,
                       struct yaml_node *node) // NOLINT(misc-no-recursion)
{
    bool is_storage = kind == PRESET_STORAGE;
    const char *text = NULL;

    if (node == NULL) {
        return;
    }
    text = yaml_text(node, "none");
    if (is_storage && (node->kind == YAML_NULL || strcmp(text, "none") == 0)) {
        if (node->kind == YAML_NULL || node->kind == YAML_SCALAR) {
            yaml_become_map(node);
            yaml_map_add_text(doc, node, "is_present", "false", node->place);
        }
    } else if (node->kind == YAML_SCALAR) {
        yaml_become_map(node);
        yaml_map_add_text(doc, node, "inherit_from", text, node->place);
    }
    if (node->kind != YAML_MAP) {
        return; /* a list: the schema will say so */
    }
    if (is_storage && yaml_get(node, "is_present") == NULL
        && (yaml_get(node, "inherit_from") != NULL || yaml_get(node, "q_As") != NULL
            || yaml_get(node, "build") != NULL)) {
        yaml_map_add_text(doc, node, "is_present", "true", node->place);
    }
    if (kind == PRESET_SOURCE) {
        rename_keys(node);
        presets_normalise(PRESET_HARVESTER, doc, yaml_get(node, "harvester"));
        presets_normalise(PRESET_STORAGE, doc, yaml_get(node, "storage"));
    }
}

struct candidates {
    const struct presets *presets;
    enum preset_kind kind;
};

static const char *candidate_next(const void *arg, size_t i)
{
    const struct candidates *candidates = arg;

    return presets_name(candidates->presets, candidates->kind, i);
}

static void fault_unknown(const struct candidates *candidates, const char *name,
                          struct yaml_place place, struct fault_list *faults)
{
    const char *nearest = name_nearest(name, candidate_next, candidates);

    fault_add(faults, place, "there is no preset of a %s called '%.60s'%s%s%s",
              kinds[candidates->kind].what, name, nearest != NULL ? "; did you mean " : "",
              nearest != NULL ? nearest : "", nearest != NULL ? "?" : "");
}

/* Names the whole circle: "a -> b -> a". */
static void fault_cycle(const char *const *chain, size_t count, const char *name,
                        struct yaml_place place, struct fault_list *faults)
{
    char text[200] = "";

    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(text);

        snprintf(text + used, sizeof(text) - used, "%.40s -> ", chain[i]);
    }
    fault_add(faults, place, "presets inherit from each other in a circle: %s%.40s", text,
              name);
}

/* The layers of one chain of inheritance, the most derived first. */
struct chain {
    const struct yaml_node *layers[MAX_CHAIN + 1];
    const char *names[MAX_CHAIN];
    size_t count;
};

static void follow(const struct candidates *candidates, const struct yaml_node *node,
                   struct chain *chain, struct fault_list *faults)
{
    chain->layers[0] = node;
    while (true) {
        const struct yaml_node *parent = yaml_get(chain->layers[chain->count], "inherit_from");
        const char *name = yaml_text(parent, NULL);
        struct yaml_place place = parent != NULL ? parent->place : (struct yaml_place){ 0 };
        const struct yaml_node *preset = NULL;

        if (parent != NULL && name == NULL) {
            fault_add(faults, place, "inherit_from: wants the name of a preset");
        }
        if (name == NULL && chain->count == 0 && parent == NULL
            && yaml_get(node, "algorithm") == NULL) {
            name = kinds[candidates->kind].otherwise;
        }
        if (name == NULL) {
            return;
        }
        for (size_t i = 0; i < chain->count; i++) {
            if (is_same_name(chain->names[i], name)) {
                fault_cycle(chain->names, chain->count, name, place, faults);
                return;
            }
        }
        preset = find_preset(candidates->presets, candidates->kind, name);
        if (preset == NULL) {
            fault_unknown(candidates, name, place, faults);
            return;
        }
        if (chain->count == MAX_CHAIN) {
            fault_add(faults, place, "presets inherit through more than %d others",
                      (int)MAX_CHAIN);
            return;
        }
        chain->names[chain->count] = name;
        chain->count++;
        chain->layers[chain->count] = preset;
    }
}

static struct yaml_node *resolve_nested(const struct presets *presets,
                                        enum preset_kind kind, // NOLINT(misc-no-recursion)
                                        struct yaml_doc *doc, struct yaml_node *map,
                                        struct fault_list *faults)
{
    const char *key = kinds[kind].what;
    struct yaml_node *child = presets_resolve(presets, kind, doc, yaml_get(map, key), faults);

    if (child != NULL) {
        yaml_map_remove(map, key);
        yaml_map_add(doc, map, key, child);
    }
    return child;
}

struct yaml_node *presets_resolve(const struct presets *presets,
                                  enum preset_kind kind, // NOLINT(misc-no-recursion)
                                  struct yaml_doc *doc, const struct yaml_node *node,
                                  struct fault_list *faults)
{
    struct candidates candidates = { .presets = presets, .kind = kind };
    struct chain chain = { .count = 0 };
    struct yaml_node *map = NULL;
    struct err err = { 0 };

    if (node != NULL && node->kind != YAML_MAP && node->kind != YAML_NULL) {
        return yaml_merge(doc, NULL, node, &err); /* the schema will say what is wrong */
    }
    if (node == NULL || node->kind == YAML_NULL) {
        struct yaml_node *empty = yaml_node_make(
            doc, YAML_MAP, node != NULL ? node->place : (struct yaml_place){ 0 });

        if (empty == NULL) {
            return NULL;
        }
        node = empty;
    }
    follow(&candidates, node, &chain, faults);
    map = yaml_merge(doc, NULL, chain.layers[chain.count], &err);
    for (size_t i = chain.count; i > 0 && map != NULL; i--) {
        map = yaml_merge(doc, map, chain.layers[i - 1], &err);
    }
    if (map == NULL) {
        return NULL;
    }
    yaml_map_remove(map, "inherit_from");
    yaml_map_remove(map, "description");
    if (chain.count > 0 && yaml_get(node, "name") == NULL) {
        yaml_map_remove(map, "name");
        yaml_map_add_text(doc, map, "name", chain.names[0], node->place);
    }
    if (kind == PRESET_SOURCE
        && (resolve_nested(presets, PRESET_HARVESTER, doc, map, faults) == NULL
            || resolve_nested(presets, PRESET_STORAGE, doc, map, faults) == NULL)) {
        return NULL;
    }
    return map;
}
