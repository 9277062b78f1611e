/* SPDX-License-Identifier: MIT */
/* What the files of experiment.h share; nobody else includes it. */
#ifndef COMMON_EXPERIMENT_PARTS_H
#define COMMON_EXPERIMENT_PARTS_H

#include "common/experiment.h"
#include "common/presets.h"

/* Layers: node_config_schema without what herd sets itself. */
extern const struct schema layer_schema;

/* The keys of the file outside the layers. */
struct experiment_head {
    char name[EXPERIMENT_NAME_SIZE];
    char description[400];
    char output[PATH_SIZE];
    int64_t duration_ns; /* -1: absent */
    struct {
        int64_t align_ns;
        char require[400]; /* "all" or a node set */
        int64_t clock_error_max_ns;
        enum if_incomplete if_incomplete;
    } start;
    struct {
        enum on_failure on_failure;
    } run;
};
extern const struct schema experiment_head_schema;

/* One node while its configuration is put together. */
struct node_draft {
    const struct inventory_node *node;
    struct yaml_node *tree; /* merged and resolved: every value with its place */
    struct node_config config;
    /* Parts that decoded without a fault, so that checks may trust them. */
    bool is_mode_sound;
    bool is_source_sound;
    bool is_harvester_sound;
    bool is_record_sound;
};

/* Puts layers, presets and schema together for one node. `file` is the experiment's. */
struct merger {
    const struct presets *presets;
    struct yaml_doc *doc; /* the experiment's own; normalised in place */
    struct yaml_node *root;
    const char *file;
    const struct experiment_head *head;
    const struct inventory *inventory;
    bool *in_group; /* n_groups rows of n_nodes */
    size_t n_groups;
    bool *in_nodes; /* a row of n_nodes per entry of `nodes` */
    size_t n_entries;
    struct fault_list *faults;
};

/* Checks keys and node sets of all layers, and fills the rows. */
void merger_prepare(struct merger *merger);
void merger_fini(struct merger *merger);

/* Whether a file without `defaults` means this node. */
bool merger_means(const struct merger *merger, size_t node_idx);

/* Merges, resolves, decodes; faults that a former node had already are not repeated. */
void merger_build(const struct merger *merger, size_t node_idx, struct node_draft *draft);

/* What fits together and what does not, for one node. */
void draft_check(const struct merger *merger, const struct node_draft *draft,
                 struct fault_list *faults);

/* Adds what `more` has and `faults` has not. */
void faults_join(struct fault_list *faults, const struct fault_list *more);

#endif
