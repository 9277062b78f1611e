/* SPDX-License-Identifier: MIT */
#include "common/experiment.h"

#include "common/log.h"

#include "common/experiment_parts.h"
#include "common/shepherd_yaml.h"
#include "common/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct enum_name incomplete_names[] = {
    {"abort",     INCOMPLETE_ABORT   },
    { "continue", INCOMPLETE_CONTINUE},
    { NULL,       0                  }
};
static const struct enum_name failure_names[] = {
    {"continue",  ON_FAILURE_CONTINUE},
    { "stop_all", ON_FAILURE_STOP_ALL},
    { NULL,       0                  }
};

#define START(member_) \
    offsetof(struct experiment_head, start.member_) - offsetof(struct experiment_head, start)

static const struct field start_fields[] = {
    {.name = "align",
     .type = FIELD_DURATION_NS,
     .offset = START(align_ns),
     .unit = "s",
     .minimum = 0,
     .maximum = 86400,
     .default_text = "1 s",
     .help = "the start is a multiple of it; 0: as soon as possible" },
    { .name = "require",
     .type = FIELD_STRING,
     .offset = START(require),
     .size = sizeof(((struct experiment_head *)NULL)->start.require),
     .default_text = "all",
     .help = "all, or the node set without which nobody starts" },
    { .name = "clock_error_max",
     .type = FIELD_DURATION_NS,
     .offset = START(clock_error_max_ns),
     .unit = "us",
     .minimum = 0.001,
     .maximum = 3.6e9,
     .default_text = "100 us",
     .help = "a node whose clock is further off is refused" },
    { .name = "if_incomplete",
     .type = FIELD_ENUM,
     .offset = START(if_incomplete),
     .enums = incomplete_names,
     .default_text = "abort",
     .help = "when a node does not confirm in time" },
    { .name = NULL                       },
};
static const struct schema start_schema = {
    .name = "start",
    .fields = start_fields,
    .size = sizeof(((struct experiment_head *)NULL)->start),
};

static const struct field run_fields[] = {
    {.name = "on_failure",
     .type = FIELD_ENUM,
     .enums = failure_names,
     .default_text = "continue",
     .help = "when a node fails while others run" },
    { .name = NULL},
};
static const struct schema run_schema = {
    .name = "run",
    .fields = run_fields,
    .size = sizeof(((struct experiment_head *)NULL)->run),
};

/* Layers are merged before they are decoded. */
static void decode_later(const struct yaml_node *node, void *member, struct fault_list *faults)
{
    (void)member;
    if (node->kind != YAML_MAP) {
        fault_add(faults, node->place, "wants a map");
    }
}

static const struct field head_fields[] = {
    {.name = "name",
     .type = FIELD_STRING,
     .offset = offsetof(struct experiment_head, name),
     .size = EXPERIMENT_NAME_SIZE,
     .help = "part of every file's name" },
    { .name = "description",
     .type = FIELD_STRING,
     .offset = offsetof(struct experiment_head, description),
     .size = sizeof(((struct experiment_head *)NULL)->description),
     .default_text = "" },
    { .name = "output",
     .type = FIELD_STRING,
     .offset = offsetof(struct experiment_head, output),
     .size = PATH_SIZE,
     .default_text = "",
     .help = "folder for the results; -o wins" },
    { .name = "duration",
     .type = FIELD_DURATION_NS,
     .offset = offsetof(struct experiment_head, duration_ns),
     .unit = "s",
     .default_text = "-1 ns",
     .help =
          "absent (-1 ns): an emulation ends with its input, a harvest when it is stopped" },
    { .name = "start",
     .type = FIELD_MAP,
     .offset = offsetof(struct experiment_head, start),
     .sub = &start_schema },
    { .name = "run",
     .type = FIELD_MAP,
     .offset = offsetof(struct experiment_head, run),
     .sub = &run_schema },
    { .name = "defaults",
     .type = FIELD_CUSTOM,
     .is_optional = true,
     .decode = decode_later,
     .help = "for every node; without it only nodes named in groups and nodes take part" },
    { .name = "groups",
     .type = FIELD_CUSTOM,
     .is_optional = true,
     .decode = decode_later,
     .help = "NAME: {nodes: SET, ...}; without nodes the inventory's group of that name" },
    { .name = "nodes",
     .type = FIELD_CUSTOM,
     .is_optional = true,
     .decode = decode_later,
     .help = "NODE or SET: {...}" },
    { .name = NULL                        },
};

const struct schema experiment_head_schema = {
    .name = "experiment",
    .help = "one file: what every node does",
    .fields = head_fields,
    .size = sizeof(struct experiment_head),
};

void faults_join(struct fault_list *faults, const struct fault_list *more)
{
    for (size_t i = 0; i < more->count; i++) {
        const struct fault *fault = &more->faults[i];
        bool is_known = false;

        for (size_t k = 0; !is_known && k < faults->count; k++) {
            const struct fault *other = &faults->faults[k];

            is_known = other->place.line == fault->place.line
                       && other->place.column == fault->place.column
                       && strcmp(other->text, fault->text) == 0;
        }
        if (!is_known) {
            fault_add(faults, fault->place, "%s", fault->text);
        }
    }
    faults->failed |= more->failed;
}

static void check_head(const struct yaml_node *root, const struct experiment_head *head,
                       struct fault_list *faults)
{
    const struct yaml_node *duration = yaml_get(root, "duration");
    const struct yaml_node *name = yaml_get(root, "name");
    int64_t duration_ns = 0;

    if (duration_parse(yaml_text(duration, ""), "s", &duration_ns) == UNIT_OK
        && duration_ns <= 0) {
        fault_add(faults, duration->place, "duration: '%s' is not above zero", duration->text);
    }
    if (name != NULL && head->name[0] != '\0'
        && !name_is_safe(head->name, EXPERIMENT_NAME_SIZE - 1)) {
        fault_add(faults, name->place,
                  "name: only letters, digits, '.', '_' and '-', for it becomes part of files' "
                  "names");
    }
}

/* Which nodes take part; NULL and a fault when none does. */
static bool *choose_nodes(const struct merger *merger, const char *limit)
{
    const struct inventory *inventory = merger->inventory;
    bool *chosen = calloc(inventory->n_nodes + 1, sizeof(*chosen));
    bool is_empty = true;
    struct err err = { 0 };

    if (chosen == NULL) {
        merger->faults->failed = true;
        return NULL;
    }
    if (limit == NULL) {
        memset(chosen, true, inventory->n_nodes * sizeof(*chosen));
    } else if (nodeset_select(inventory, limit, chosen, &err) < 0) {
        fault_add(merger->faults, (struct yaml_place){ 0 }, "limit: %.380s", err.text);
        free(chosen);
        return NULL;
    }
    for (size_t i = 0; i < inventory->n_nodes; i++) {
        chosen[i] = chosen[i] && merger_means(merger, i);
        is_empty = is_empty && !chosen[i];
    }
    if (is_empty) {
        fault_add(merger->faults, merger->root->place, "no node takes part%s%s%s",
                  limit != NULL ? " within the limit '" : "", limit != NULL ? limit : "",
                  limit != NULL ? "'" : "");
    }
    return chosen;
}

/* Marks the required ones among the nodes of the experiment. */
static void mark_required(const struct merger *merger, struct experiment *experiment)
{
    const char *require = merger->head->start.require;
    const struct yaml_node *place = yaml_get(yaml_get(merger->root, "start"), "require");
    bool *chosen = calloc(merger->inventory->n_nodes + 1, sizeof(*chosen));
    bool is_all = strcmp(require, "all") == 0;
    bool is_empty = true;
    struct err err = { 0 };

    if (chosen == NULL) {
        merger->faults->failed = true;
        return;
    }
    if (!is_all && nodeset_select(merger->inventory, require, chosen, &err) < 0) {
        fault_add(merger->faults, place != NULL ? place->place : merger->root->place,
                  "require: %.380s", err.text);
        free(chosen);
        return;
    }
    for (size_t i = 0; i < experiment->n_nodes; i++) {
        struct experiment_node *node = &experiment->nodes[i];

        node->is_required = is_all || chosen[node->node - merger->inventory->nodes];
        is_empty = is_empty && !node->is_required;
    }
    if (is_empty && experiment->n_nodes > 0) {
        fault_add(merger->faults, place != NULL ? place->place : merger->root->place,
                  "require: none of '%.300s' takes part", require);
    }
    free(chosen);
}

static struct experiment *make(const struct merger *merger, const bool *chosen)
{
    const struct experiment_head *head = merger->head;
    size_t n_nodes = merger->inventory->n_nodes;
    struct experiment *experiment = calloc(1, sizeof(*experiment));

    if (experiment == NULL) {
        return NULL;
    }
    experiment->nodes = calloc(n_nodes + 1, sizeof(*experiment->nodes));
    if (experiment->nodes == NULL) {
        experiment_destroy(&experiment);
        return NULL;
    }
    memcpy(experiment->name, head->name, sizeof(experiment->name));
    memcpy(experiment->description, head->description, sizeof(experiment->description));
    memcpy(experiment->output, head->output, sizeof(experiment->output));
    experiment->align_ns = head->start.align_ns;
    experiment->clock_error_max_ns = head->start.clock_error_max_ns;
    experiment->if_incomplete = head->start.if_incomplete;
    experiment->on_failure = head->run.on_failure;
    for (size_t i = 0; i < n_nodes; i++) {
        struct node_draft draft = { .node = &merger->inventory->nodes[i] };

        if (!chosen[i]) {
            continue;
        }
        merger_build(merger, i, &draft);
        experiment->nodes[experiment->n_nodes].node = draft.node;
        experiment->nodes[experiment->n_nodes].config = draft.config;
        experiment->n_nodes++;
    }
    return experiment;
}

/* It floods: what is recorded of it beside samples is what finds room. */
static void note_debug(const struct merger *merger, const struct experiment *experiment,
                       struct fault_list *notes)
{
    size_t n_nodes = 0;

    for (size_t i = 0; i < experiment->n_nodes; i++) {
        const struct log_config *log = &experiment->nodes[i].config.log;

        n_nodes += log->sheep && log->sheep_level == LOG_LEVEL_DEBUG;
    }
    if (n_nodes > 0) {
        fault_add(notes, merger->root->place,
                  "log: sheep_level debug on %zu node%s: for finding faults; lines are dropped "
                  "where there is no room for them, samples never",
                  n_nodes, n_nodes == 1 ? "" : "s");
    }
}

static struct experiment *build(struct yaml_doc *doc, const char *file_name,
                                const struct inventory *inventory, const char *limit,
                                struct fault_list *faults)
{
    struct experiment_head head;
    struct fault_list head_faults = { 0 };
    struct fault_list notes = { 0 };
    struct experiment *experiment = NULL;
    bool *chosen = NULL;
    size_t n_before = faults->count;
    struct merger merger = { .doc = doc,
                             .root = yaml_root(doc),
                             .file = file_name,
                             .head = &head,
                             .inventory = inventory,
                             .faults = faults };

    if (shepherd_is_wrapped(merger.root)) {
        merger.root = shepherd_convert(doc, merger.root, file_name, inventory, faults, &notes);
        if (merger.root == NULL) {
            fault_fini(&notes);
            return NULL;
        }
    }
    if (merger.root->kind != YAML_MAP) {
        fault_add(faults, merger.root->place, "an experiment is a map with a name");
        return NULL;
    }
    schema_decode(&experiment_head_schema, merger.root, &head, &head_faults);
    check_head(merger.root, &head, &head_faults);
    faults_join(faults, &head_faults);
    fault_fini(&head_faults);
    struct presets *presets = presets_load(NULL, faults);
    merger.presets = presets;
    if (presets != NULL) {
        merger_prepare(&merger);
        chosen = choose_nodes(&merger, limit);
    }
    if (chosen != NULL) {
        experiment = make(&merger, chosen);
        faults->failed |= experiment == NULL;
    }
    if (experiment != NULL) {
        mark_required(&merger, experiment);
        note_debug(&merger, experiment, &notes);
    }
    free(chosen);
    merger_fini(&merger);
    presets_destroy(&presets);
    if (faults->count != n_before || faults->failed) {
        experiment_destroy(&experiment);
    }
    if (experiment != NULL) {
        experiment->notes = notes;
    } else {
        fault_fini(&notes);
    }
    return experiment;
}

struct experiment *experiment_parse(const char *text, const char *file_name,
                                    const struct inventory *inventory, const char *limit,
                                    struct fault_list *faults)
{
    struct err err = { 0 };
    struct yaml_doc *doc = yaml_parse(text, strlen(text), file_name, &err);
    struct experiment *experiment = NULL;

    if (doc == NULL) {
        fault_add(faults, (struct yaml_place){ 0 }, "%.390s", err.text);
        return NULL;
    }
    experiment = build(doc, file_name, inventory, limit, faults);
    yaml_destroy(&doc);
    return experiment;
}

struct experiment *experiment_load(const char *path, const struct inventory *inventory,
                                   const char *limit, struct fault_list *faults)
{
    struct err err = { 0 };
    struct yaml_doc *doc = yaml_load(path, &err);
    struct experiment *experiment = NULL;

    if (doc == NULL) {
        fault_add(faults, (struct yaml_place){ 0 }, "%.390s", err.text);
        return NULL;
    }
    experiment = build(doc, path, inventory, limit, faults);
    yaml_destroy(&doc);
    return experiment;
}

void experiment_destroy(struct experiment **experiment_p)
{
    struct experiment *experiment = *experiment_p;

    if (experiment == NULL) {
        return;
    }
    free(experiment->nodes);
    fault_fini(&experiment->notes);
    free(experiment);
    *experiment_p = NULL;
}
