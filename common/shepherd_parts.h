/* SPDX-License-Identifier: MIT */
/* The pieces of the conversion of shepherd_yaml.h; nobody else includes it. */
#ifndef COMMON_SHEPHERD_PARTS_H
#define COMMON_SHEPHERD_PARTS_H

#include "common/inventory.h"
#include "common/yaml_doc.h"

#include <stdbool.h>

struct converter {
    struct yaml_doc *doc;
    const struct inventory *inventory;
    struct fault_list *faults;
    struct fault_list *notes;
    struct yaml_node *experiment; /* what is built */
    struct yaml_node *layer;      /* defaults, or the group that is being built */
    const char *what;             /* the model that is being read */
};

typedef void (*convert_fn)(struct converter *converter, const char *key,
                           const struct yaml_node *value);

/* convert NULL: no effect here. */
struct rule {
    const char *key;
    convert_fn convert;
};

/* What is noted is left out; what is a fault fails the experiment. */
void shepherd_note(struct converter *converter, const char *key, struct yaml_place place,
                   const char *why);

/* Adds to a map that is being built; without memory the experiment fails as a whole. */
void shepherd_put(struct converter *converter, struct yaml_node *map, const char *key,
                  const struct yaml_node *value);
void shepherd_put_text(struct converter *converter, struct yaml_node *map, const char *key,
                       const char *text, struct yaml_place place);

/* The map under key in the layer, made when it is not there. */
struct yaml_node *shepherd_part(struct converter *converter, const char *key);

bool shepherd_is_true(const struct yaml_node *value);

/* Applies the rules of one model to a map; the wrapper around it is taken off. */
void shepherd_convert_map(struct converter *converter, const struct rule *rules,
                          const char *what, const struct yaml_node *map);

/* Observer features, which several models have. */
void shepherd_to_power(struct converter *converter, const char *key,
                       const struct yaml_node *value);
void shepherd_to_logging(struct converter *converter, const char *key,
                         const struct yaml_node *value);
void shepherd_to_gpio_tracing(struct converter *converter, const char *key,
                              const struct yaml_node *value);
void shepherd_to_uart(struct converter *converter, const char *key,
                      const struct yaml_node *value);
void shepherd_refuse_actuation(struct converter *converter, const char *key,
                               const struct yaml_node *value);

#endif
