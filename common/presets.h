/* SPDX-License-Identifier: MIT */
/* Named sources, harvesters and storages, and how a configuration inherits from them. */
#ifndef COMMON_PRESETS_H
#define COMMON_PRESETS_H

#include "common/attrs.h"
#include "common/err.h"
#include "common/yaml_doc.h"

#include <stdbool.h>
#include <stddef.h>

enum preset_kind {
    PRESET_SOURCE,
    PRESET_HARVESTER,
    PRESET_STORAGE,
    N_PRESET_KINDS
};

struct presets;

/* Reads sources.yaml, harvesters.yaml and storages.yaml of a folder; NULL: the first of
 * $BELLWETHER_PRESETS, ../../inventory/presets and ../share/bellwether/presets beside the
 * executable, and the source tree's. NULL and faults when there is none or one does not parse.
 */
struct presets *presets_load(const char *folder, struct fault_list *faults);
void presets_destroy(struct presets **presets);

/* Name i of a kind, or NULL behind the last; a loan. */
const char *presets_name(const struct presets *presets, enum preset_kind kind, size_t i);

/* Brings one layer of a configuration into the form in which layers merge deeply, in place: a
 * bare name becomes {inherit_from: NAME}, `storage: none` {is_present: false}, generation 1's
 * names become those of generation 2. doc owns the nodes. */
void presets_normalise(enum preset_kind kind, struct yaml_doc *doc, struct yaml_node *node);

/* A configuration (normalised; NULL or null: all defaults) over what it inherits from, as a map
 * that the kind's schema decodes: without inherit_from, with `name`, nested harvester and
 * storage resolved too. Unknown presets and cycles are faults; what can be resolved is. Built
 * in doc; NULL only without memory. */
struct yaml_node *presets_resolve(const struct presets *presets, enum preset_kind kind,
                                  struct yaml_doc *doc, const struct yaml_node *node,
                                  struct fault_list *faults);

#endif
