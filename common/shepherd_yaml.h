/* SPDX-License-Identifier: MIT */
/* Shepherd's own YAML (wrapper with datatype and parameters; HarvestTask, EmulationTask,
 * Experiment) as an experiment of ours. */
#ifndef COMMON_SHEPHERD_YAML_H
#define COMMON_SHEPHERD_YAML_H

#include "common/inventory.h"
#include "common/yaml_doc.h"

#include <stdbool.h>

/* Whether root is a map with `datatype` and `parameters`. */
bool shepherd_is_wrapped(const struct yaml_node *root);

/* Builds the experiment in doc, values with the places they had. Each key that has no effect
 * here gets a note; what would change the experiment's meaning if it were left out is a fault.
 * A target ID is the number that a node's name ends with. NULL when it cannot be told what is
 * meant. */
struct yaml_node *shepherd_convert(struct yaml_doc *doc, const struct yaml_node *root,
                                   const char *file_name, const struct inventory *inventory,
                                   struct fault_list *faults, struct fault_list *notes);

#endif
