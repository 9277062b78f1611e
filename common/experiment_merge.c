/* SPDX-License-Identifier: MIT */
/* Layers in their order: defaults, groups as the file lists them, nodes. Presets lie below all
 * of them, for inherit_from is resolved last. */
#include "common/experiment_parts.h"
#include "common/yaml_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *field_next(const void *arg, size_t i)
{
    const struct field *fields = arg;

    return fields[i].name;
}

/* Unknown keys are named here, once for each layer, and not once for each node. */
static void check_layer_keys(const struct merger *merger, const struct yaml_node *layer,
                             bool has_nodes)
{
    for (size_t i = 0; i < layer->count; i++) {
        const char *key = layer->keys[i];
        const struct field *field = layer_schema.fields;
        const char *nearest = NULL;

        while (field->name != NULL && strcmp(field->name, key) != 0) {
            field++;
        }
        if (field->name != NULL || (has_nodes && strcmp(key, "nodes") == 0)) {
            continue;
        }
        if (strcmp(key, "duration") == 0) {
            fault_add(merger->faults, layer->key_places[i],
                      "duration belongs to the experiment, not to a node");
            continue;
        }
        nearest = name_nearest(key, field_next, layer_schema.fields);
        fault_add(merger->faults, layer->key_places[i], "unknown key '%.60s'%s%s%s", key,
                  nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "",
                  nearest != NULL ? "?" : "");
    }
}

/* `uart: false` and `uart: true` are short for its `enable`. */
static void normalise_uart(const struct merger *merger, struct yaml_node *uart)
{
    const char *text = yaml_text(uart, NULL);

    if (text != NULL) {
        yaml_become_map(uart);
        yaml_map_add_text(merger->doc, uart, "enable",
                          strcmp(text, "none") == 0 ? "false" : text, uart->place);
    }
}

static void prepare_layer(const struct merger *merger, struct yaml_node *layer, bool has_nodes)
{
    if (layer == NULL || layer->kind == YAML_NULL) {
        return;
    }
    if (layer->kind != YAML_MAP) {
        fault_add(merger->faults, layer->place, "wants a map of settings");
        return;
    }
    check_layer_keys(merger, layer, has_nodes);
    presets_normalise(PRESET_SOURCE, merger->doc, yaml_get(layer, "source"));
    presets_normalise(PRESET_HARVESTER, merger->doc, yaml_get(layer, "harvester"));
    normalise_uart(merger, yaml_get(yaml_get(layer, "log"), "uart"));
}

static const struct yaml_node *map_or_null(const struct yaml_node *node)
{
    return node != NULL && node->kind == YAML_MAP ? node : NULL;
}

/* The node set of a group: its `nodes`, or the inventory's group of the same name. */
static void prepare_group(const struct merger *merger, const struct yaml_node *groups, size_t i)
{
    struct yaml_node *group = groups->items[i];
    const struct yaml_node *set = yaml_get(group, "nodes");
    struct yaml_place place = set != NULL ? set->place : groups->key_places[i];
    bool *row = merger->in_group + i * merger->inventory->n_nodes;
    char name[2 * INVENTORY_NAME_SIZE];
    const char *text = yaml_text(set, NULL);
    struct err err = { 0 };

    prepare_layer(merger, group, true);
    if (set == NULL && strlen(groups->keys[i]) < INVENTORY_NAME_SIZE) {
        snprintf(name, sizeof(name), "@%s", groups->keys[i]);
        text = name;
    }
    if (text == NULL) {
        fault_add(merger->faults, place, "nodes: wants a node set");
    } else if (nodeset_select(merger->inventory, text, row, &err) < 0) {
        fault_add(merger->faults, place, "group %.60s: %.300s%s", groups->keys[i], err.text,
                  set == NULL ? " (and it has no 'nodes')" : "");
    }
}

void merger_prepare(struct merger *merger)
{
    const struct yaml_node *groups = map_or_null(yaml_get(merger->root, "groups"));
    const struct yaml_node *nodes = map_or_null(yaml_get(merger->root, "nodes"));
    size_t n_nodes = merger->inventory->n_nodes;

    merger->n_groups = groups != NULL ? groups->count : 0;
    merger->n_entries = nodes != NULL ? nodes->count : 0;
    merger->in_group = calloc(merger->n_groups * n_nodes + 1, sizeof(*merger->in_group));
    merger->in_nodes = calloc(merger->n_entries * n_nodes + 1, sizeof(*merger->in_nodes));
    if (merger->in_group == NULL || merger->in_nodes == NULL) {
        merger->faults->failed = true;
        merger->n_groups = 0;
        merger->n_entries = 0;
        return;
    }
    if (map_or_null(yaml_get(merger->root, "defaults")) != NULL) {
        prepare_layer(merger, yaml_get(merger->root, "defaults"), false);
    }
    for (size_t i = 0; i < merger->n_groups; i++) {
        prepare_group(merger, groups, i);
    }
    for (size_t i = 0; i < merger->n_entries; i++) {
        struct err err = { 0 };

        prepare_layer(merger, nodes->items[i], false);
        if (nodeset_select(merger->inventory, nodes->keys[i], merger->in_nodes + i * n_nodes,
                           &err)
            < 0) {
            fault_add(merger->faults, nodes->key_places[i], "nodes: %.380s", err.text);
        }
    }
}

void merger_fini(struct merger *merger)
{
    free(merger->in_group);
    free(merger->in_nodes);
    merger->in_group = NULL;
    merger->in_nodes = NULL;
}

bool merger_means(const struct merger *merger, size_t node_idx)
{
    size_t n_nodes = merger->inventory->n_nodes;

    if (yaml_get(merger->root, "defaults") != NULL) {
        return true;
    }
    for (size_t i = 0; i < merger->n_groups; i++) {
        if (merger->in_group[i * n_nodes + node_idx]) {
            return true;
        }
    }
    for (size_t i = 0; i < merger->n_entries; i++) {
        if (merger->in_nodes[i * n_nodes + node_idx]) {
            return true;
        }
    }
    return false;
}

/* All layers of a node in one tree; NULL without memory. */
static struct yaml_node *merge_layers(const struct merger *merger, struct yaml_doc *doc,
                                      size_t node_idx)
{
    const struct yaml_node *groups = yaml_get(merger->root, "groups");
    const struct yaml_node *nodes = yaml_get(merger->root, "nodes");
    size_t n_nodes = merger->inventory->n_nodes;
    struct yaml_node *tree = yaml_node_make(doc, YAML_MAP, merger->root->place);
    struct err err = { 0 };

    tree = yaml_merge(doc, tree, map_or_null(yaml_get(merger->root, "defaults")), &err);
    for (size_t i = 0; tree != NULL && i < merger->n_groups; i++) {
        if (merger->in_group[i * n_nodes + node_idx]) {
            tree = yaml_merge(doc, tree, map_or_null(groups->items[i]), &err);
        }
    }
    for (size_t i = 0; tree != NULL && i < merger->n_entries; i++) {
        if (merger->in_nodes[i * n_nodes + node_idx]) {
            tree = yaml_merge(doc, tree, map_or_null(nodes->items[i]), &err);
        }
    }
    return tree;
}

/* Keeps what layer_schema knows (others have their fault already), with presets resolved. */
static struct yaml_node *resolve_tree(const struct merger *merger, struct yaml_doc *doc,
                                      const struct yaml_node *tree, struct node_draft *draft,
                                      struct fault_list *faults)
{
    struct yaml_node *out = yaml_node_make(doc, YAML_MAP, tree->place);
    size_t n_before = 0;

    for (const struct field *field = layer_schema.fields; field->name != NULL; field++) {
        struct yaml_node *value = yaml_get(tree, field->name);

        n_before = faults->count;
        if (field->sub == &source_schema) {
            value = presets_resolve(merger->presets, PRESET_SOURCE, doc, value, faults);
            draft->is_source_sound = faults->count == n_before;
        } else if (field->sub == &harvester_schema) {
            value = presets_resolve(merger->presets, PRESET_HARVESTER, doc, value, faults);
            draft->is_harvester_sound = faults->count == n_before;
        }
        if (out == NULL || (value != NULL && yaml_map_add(doc, out, field->name, value) < 0)) {
            return NULL;
        }
    }
    return out;
}

/* Replaces {node}, and puts the experiment's folder in front of a relative path. */
static void expand_input(const struct merger *merger, const struct yaml_node *tree,
                         struct node_draft *draft, struct fault_list *faults)
{
    const struct yaml_node *input = yaml_get(tree, "input");
    const char *slash = strrchr(merger->file, '/');
    const char *at = yaml_text(input, "");
    struct buf path = { 0 };

    if (at[0] == '\0') {
        return;
    }
    if (at[0] != '/' && slash != NULL) {
        buf_printf(&path, "%.*s", (int)(slash - merger->file) + 1, merger->file);
    }
    for (const char *next = strstr(at, "{node}"); next != NULL; next = strstr(at, "{node}")) {
        buf_printf(&path, "%.*s%s", (int)(next - at), at, draft->node->name);
        at = next + strlen("{node}");
    }
    buf_text(&path, at);
    if (path.failed || path.size >= PATH_SIZE) {
        fault_add(faults, input->place, "input: a path longer than %d characters",
                  PATH_SIZE - 1);
    } else {
        snprintf(draft->config.input, sizeof(draft->config.input), "%s", path.data);
    }
    buf_fini(&path);
}

/* Whether one part of the tree decodes; scratch has room for the part's struct. */
static bool is_sound(const struct node_draft *draft, const char *key, void *scratch)
{
    const struct field *field = layer_schema.fields;
    struct fault_list faults = { 0 };
    bool is_good = false;

    while (strcmp(field->name, key) != 0) {
        field++;
    }
    schema_decode(field->sub, yaml_get(draft->tree, key), scratch, &faults);
    is_good = faults.count == 0;
    fault_fini(&faults);
    return is_good;
}

static void note_soundness(struct node_draft *draft)
{
    struct node_config scratch;
    const char *mode = yaml_text(yaml_get(draft->tree, "mode"), "");

    draft->is_mode_sound = strcmp(mode, "harvest") == 0 || strcmp(mode, "emulate") == 0;
    draft->is_source_sound &= is_sound(draft, "source", &scratch.source);
    draft->is_harvester_sound &= is_sound(draft, "harvester", &scratch.harvester);
    draft->is_record_sound = is_sound(draft, "record", &scratch.record);
}

void merger_build(const struct merger *merger, size_t node_idx, struct node_draft *draft)
{
    struct yaml_doc *doc = yaml_create();
    struct yaml_node *tree = doc != NULL ? merge_layers(merger, doc, node_idx) : NULL;
    struct fault_list faults = { 0 };

    draft->tree = tree != NULL ? resolve_tree(merger, doc, tree, draft, &faults) : NULL;
    if (draft->tree == NULL) {
        merger->faults->failed = true;
        yaml_destroy(&doc);
        return;
    }
    schema_decode(&layer_schema, draft->tree, &draft->config, &faults);
    draft->config.duration_ns = merger->head->duration_ns;
    expand_input(merger, draft->tree, draft, &faults);
    note_soundness(draft);
    if (draft->is_source_sound) {
        source_config_finish(&draft->config.source);
    }
    if (draft->is_harvester_sound) {
        harvester_config_finish(&draft->config.harvester);
    }
    draft_check(merger, draft, &faults);
    /* What the mode does not use shall not make nodes differ. */
    if (draft->config.mode == MODE_HARVEST) {
        schema_defaults(&source_schema, &draft->config.source);
    } else {
        schema_defaults(&harvester_schema, &draft->config.harvester);
    }
    faults_join(merger->faults, &faults);
    fault_fini(&faults);
    draft->tree = NULL;
    yaml_destroy(&doc);
}
