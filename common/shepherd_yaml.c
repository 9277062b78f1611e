/* SPDX-License-Identifier: MIT */
/* One table for each of Shepherd's models: what a key becomes, or that it means nothing here.
 */
#include "common/shepherd_yaml.h"

#include "common/experiment.h"
#include "common/shepherd_parts.h"
#include "common/units.h"
#include "common/yaml_tree.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Content of a source, harvester or storage: the parameters have our names; the bookkeeping of
 * a database has none. */
static struct yaml_node *content(struct converter *converter,
                                 const char *what, // NOLINT(misc-no-recursion)
                                 const struct yaml_node *value)
{
    static const char *const bookkeeping[] = {
        "id",    "comment",       "created",     "updated_last", "deprecated",
        "owner", "visible2group", "visible2all", "group",        "sw_ver"
    };
    const struct yaml_node *map =
        shepherd_is_wrapped(value) ? yaml_get(value, "parameters") : value;
    struct yaml_node *out = NULL;
    struct err err = { 0 };

    if (map->kind != YAML_MAP) {
        return yaml_merge(converter->doc, NULL, map, &err);
    }
    out = yaml_node_make(converter->doc, YAML_MAP, map->place);
    for (size_t i = 0; out != NULL && i < map->count; i++) {
        const char *key = map->keys[i];
        bool is_kept = strcmp(key, "description") != 0;

        for (size_t k = 0; is_kept && k < ARRAY_LEN(bookkeeping); k++) {
            is_kept = strcmp(key, bookkeeping[k]) != 0;
        }
        if (!is_kept) {
            const char *outer = converter->what;

            converter->what = what;
            shepherd_note(converter, key, map->key_places[i], NULL);
            converter->what = outer;
        } else if (strcmp(key, "harvester") == 0 || strcmp(key, "storage") == 0) {
            if (yaml_map_add(converter->doc, out, key, content(converter, key, map->items[i]))
                < 0) {
                return NULL;
            }
        } else {
            shepherd_put(converter, out, key, map->items[i]);
        }
    }
    return out;
}

static void to_source(struct converter *converter, const char *key,
                      const struct yaml_node *value)
{
    if (yaml_map_add(converter->doc, converter->layer, "source", content(converter, key, value))
        < 0) {
        converter->faults->failed = true;
    }
}

static void to_harvester(struct converter *converter, const char *key,
                         const struct yaml_node *value)
{
    if (yaml_map_add(converter->doc, converter->layer, "harvester",
                     content(converter, key, value))
        < 0) {
        converter->faults->failed = true;
    }
}

static void to_top(struct converter *converter, const char *key, const struct yaml_node *value)
{
    shepherd_put(converter, converter->experiment, key, value);
}

static void to_layer(struct converter *converter, const char *key,
                     const struct yaml_node *value)
{
    shepherd_put(converter, converter->layer, key, value);
}

/* Characters that a file's name cannot hold become '-'. */
static void to_name(struct converter *converter, const char *key, const struct yaml_node *value)
{
    char name[EXPERIMENT_NAME_SIZE];

    snprintf(name, sizeof(name), "%s", yaml_text(value, "experiment"));
    for (char *at = name; *at != '\0'; at++) {
        if (!isalnum((unsigned char)*at) && strchr("._-", *at) == NULL) {
            *at = '-';
        }
    }
    if (name[0] == '.' || name[0] == '-') {
        name[0] = '_';
    }
    shepherd_put_text(converter, converter->experiment, key, name, value->place);
}

/* Seconds, or ISO 8601's PT..S as Shepherd's newer versions write them. */
static void to_duration(struct converter *converter, const char *key,
                        const struct yaml_node *value)
{
    const char *text = yaml_text(value, "");
    char seconds[40];
    size_t size = strlen(text);

    if (strncmp(text, "PT", 2) == 0 && text[size - 1] == 'S' && size < sizeof(seconds)) {
        snprintf(seconds, sizeof(seconds), "%.*s s", (int)size - 3, text + 2);
        shepherd_put_text(converter, converter->experiment, key, seconds, value->place);
        return;
    }
    shepherd_put(converter, converter->experiment, key, value);
}

static void to_output(struct converter *converter, const char *key,
                      const struct yaml_node *value)
{
    const char *text = yaml_text(value, "");
    size_t size = strlen(text);

    if (size > 3 && strcmp(text + size - 3, ".h5") == 0) {
        shepherd_note(converter, key, value->place,
                      "files are named after experiment, start and node; give a folder");
    } else {
        shepherd_put(converter, converter->experiment, "output", value);
    }
}

static void to_exists(struct converter *converter, const char *key,
                      const struct yaml_node *value)
{
    (void)key;
    shepherd_put_text(converter, shepherd_part(converter, "record"), "exists",
                      shepherd_is_true(value) ? "overwrite" : "number", value->place);
}

static void to_compression(struct converter *converter, const char *key,
                           const struct yaml_node *value)
{
    const char *text = yaml_text(value, "");

    if (strcmp(text, "lzf") == 0) {
        shepherd_note(converter, "lzf", value->place, "gzip-1 is used");
        text = "1";
    }
    if (strcmp(text, "1") != 0 && strcmp(text, "default") != 0) {
        fault_add(converter->faults, value->place, "%s: '%.40s' is none of 1, lzf, null", key,
                  text);
    }
}

static void to_input(struct converter *converter, const char *key,
                     const struct yaml_node *value)
{
    (void)key;
    shepherd_put(converter, converter->layer, "input", value);
}

static void to_port(struct converter *converter, const char *key, const struct yaml_node *value)
{
    (void)key;
    shepherd_put(converter, converter->layer, "target_port", value);
}

/* Volt, or a voltage to follow: "main" is the target's supply, "buffer" the storage. */
static void to_aux(struct converter *converter, const char *key, const struct yaml_node *value)
{
    const char *word = yaml_text(value, "");
    double volt = 0;
    struct buf text = { 0 };

    if (strcmp(word, "main") == 0 || strcmp(word, "buffer") == 0) {
        shepherd_put_text(converter, converter->layer, "aux_source",
                          word[0] == 'm' ? "mirror" : "storage", value->place);
        return;
    }
    if (!text_to_f64(word, &volt)) {
        fault_add(converter->faults, value->place,
                  "%s: '%.40s' is neither a number of volts nor main or buffer", key, word);
        return;
    }
    number_format(volt * 1000, &text);
    shepherd_put_text(converter, converter->layer, "voltage_aux_mV", text.data, value->place);
    buf_fini(&text);
}

static const struct rule harvest_rules[] = {
    {"output_path",         to_output          },
    { "force_overwrite",    to_exists          },
    { "output_compression", to_compression     },
    { "time_start",         NULL               },
    { "duration",           to_duration        },
    { "use_cal_default",    to_layer           },
    { "virtual_harvester",  to_harvester       },
    { "power_tracing",      shepherd_to_power  },
    { "sys_logging",        shepherd_to_logging},
    { "abort_on_error",     NULL               },
    { "verbose",            NULL               },
    { NULL,                 NULL               },
};

static const struct rule emulation_rules[] = {
    {"input_path",          to_input                 },
    { "output_path",        to_output                },
    { "force_overwrite",    to_exists                },
    { "output_compression", to_compression           },
    { "time_start",         NULL                     },
    { "duration",           to_duration              },
    { "use_cal_default",    to_layer                 },
    { "enable_io",          NULL                     },
    { "io_port",            NULL                     },
    { "pwr_port",           to_port                  },
    { "voltage_aux",        to_aux                   },
    { "virtual_source",     to_source                },
    { "power_tracing",      shepherd_to_power        },
    { "gpio_tracing",       shepherd_to_gpio_tracing },
    { "uart_logging",       shepherd_to_uart         },
    { "gpio_actuation",     shepherd_refuse_actuation},
    { "sys_logging",        shepherd_to_logging      },
    { "abort_on_error",     NULL                     },
    { "verbose",            NULL                     },
    { NULL,                 NULL                     },
};

static void to_environment(struct converter *converter, const char *key,
                           const struct yaml_node *value)
{
    const struct yaml_node *map =
        shepherd_is_wrapped(value) ? yaml_get(value, "parameters") : value;
    const struct yaml_node *path = yaml_get(map, "data_path");

    if (path == NULL) {
        fault_add(
            converter->faults, value->place,
            "%s: wants data_path; an environment by its name is known to Shepherd's server "
            "only",
            key);
        return;
    }
    shepherd_put(converter, converter->layer, "input", path);
    for (size_t i = 0; i < map->count; i++) {
        if (map->items[i] != path && map->items[i]->kind != YAML_NULL) {
            shepherd_note(converter, map->keys[i], map->key_places[i], NULL);
        }
    }
}

/* The number that a node's name ends with; -1: none. */
static int64_t number_of(const char *name)
{
    size_t size = strlen(name);
    int64_t number = -1;

    while (size > 0 && isdigit((unsigned char)name[size - 1])) {
        size--;
    }
    return text_to_i64(name + size, &number) ? number : -1;
}

static const char *node_of_target(const struct converter *converter, int64_t target)
{
    for (size_t i = 0; i < converter->inventory->n_nodes; i++) {
        if (number_of(converter->inventory->nodes[i].name) == target) {
            return converter->inventory->nodes[i].name;
        }
    }
    return NULL;
}

static void to_targets(struct converter *converter, const char *key,
                       const struct yaml_node *value)
{
    struct buf set = { 0 };

    if (value->kind != YAML_LIST || value->count == 0) {
        fault_add(converter->faults, value->place, "%s: wants a list of numbers", key);
        return;
    }
    for (size_t i = 0; i < value->count; i++) {
        int64_t target = -1;
        const char *node = NULL;

        if (text_to_i64(yaml_text(value->items[i], ""), &target) && target >= 0) {
            node = node_of_target(converter, target);
        }
        if (node == NULL) {
            fault_add(converter->faults, value->items[i]->place,
                      "%s: no node's name ends with '%.20s'", key,
                      yaml_text(value->items[i], "that"));
            continue;
        }
        buf_printf(&set, "%s%s", set.size > 0 ? "," : "", node);
    }
    if (set.size > 0) {
        shepherd_put_text(converter, converter->layer, "nodes", set.data, value->place);
    }
    buf_fini(&set);
}

static const struct rule target_rules[] = {
    {"target_IDs",      to_targets               },
    { "custom_IDs",     NULL                     },
    { "energy_env",     to_environment           },
    { "virtual_source", to_source                },
    { "target_delays",  NULL                     },
    { "firmware1",      NULL                     },
    { "firmware2",      NULL                     },
    { "power_tracing",  shepherd_to_power        },
    { "gpio_tracing",   shepherd_to_gpio_tracing },
    { "gpio_actuation", shepherd_refuse_actuation},
    { "uart_logging",   shepherd_to_uart         },
    { NULL,             NULL                     },
};

static void to_groups(struct converter *converter, const char *key, // NOLINT(misc-no-recursion)
                      const struct yaml_node *value)
{
    struct yaml_node *groups = yaml_node_make(converter->doc, YAML_MAP, value->place);
    struct yaml_node *defaults = converter->layer;

    if (value->kind != YAML_LIST || groups == NULL) {
        fault_add(converter->faults, value->place, "%s: wants a list", key);
        return;
    }
    for (size_t i = 0; i < value->count; i++) {
        char name[40];
        struct yaml_node *group =
            yaml_node_make(converter->doc, YAML_MAP, value->items[i]->place);

        snprintf(name, sizeof(name), "target_config_%zu", i);
        if (group == NULL || yaml_map_add(converter->doc, groups, name, group) < 0) {
            converter->faults->failed = true;
            return;
        }
        converter->layer = group;
        shepherd_put_text(converter, group, "mode", "emulate", value->items[i]->place);
        shepherd_convert_map(converter, target_rules, "target_configs", value->items[i]);
    }
    converter->layer = defaults;
    if (yaml_map_add(converter->doc, converter->experiment, "groups", groups) < 0) {
        converter->faults->failed = true;
    }
}

static const struct rule experiment_rules[] = {
    {"id",              NULL               },
    { "name",           to_name            },
    { "description",    to_top             },
    { "comment",        NULL               },
    { "created",        NULL               },
    { "owner_id",       NULL               },
    { "email_results",  NULL               },
    { "sys_logging",    shepherd_to_logging},
    { "time_start",     NULL               },
    { "duration",       to_duration        },
    { "target_configs", to_groups          },
    { "lib_ver",        NULL               },
    { NULL,             NULL               },
};

/* The file's name without folder and ending names an experiment that has no name of its own. */
static void name_after_file(struct converter *converter, const char *file_name,
                            struct yaml_place place)
{
    const char *slash = strrchr(file_name, '/');
    char stem[EXPERIMENT_NAME_SIZE];
    struct yaml_node text = { .kind = YAML_SCALAR, .place = place, .text = stem };

    snprintf(stem, sizeof(stem), "%s", slash != NULL ? slash + 1 : file_name);
    stem[strcspn(stem, ".")] = '\0';
    if (stem[0] == '\0') {
        snprintf(stem, sizeof(stem), "experiment");
    }
    to_name(converter, "name", &text);
}

static void convert_task(struct converter *converter, const struct rule *rules,
                         const char *mode, const struct yaml_node *root)
{
    const struct yaml_node *datatype = yaml_get(root, "datatype");

    if (mode != NULL) {
        shepherd_put_text(converter, converter->layer, "mode", mode, datatype->place);
    }
    shepherd_convert_map(converter, rules, datatype->text, yaml_get(root, "parameters"));
}

struct yaml_node *shepherd_convert(struct yaml_doc *doc, const struct yaml_node *root,
                                   const char *file_name, const struct inventory *inventory,
                                   struct fault_list *faults, struct fault_list *notes)
{
    const struct yaml_node *datatype = yaml_get(root, "datatype");
    const char *type = yaml_text(datatype, "");
    struct converter converter = {
        .doc = doc, .inventory = inventory, .faults = faults, .notes = notes, .what = "file"
    };

    converter.experiment = yaml_node_make(doc, YAML_MAP, root->place);
    converter.layer = yaml_node_make(doc, YAML_MAP, root->place);
    if (converter.experiment == NULL || converter.layer == NULL) {
        faults->failed = true;
        return NULL;
    }
    for (size_t i = 0; i < root->count; i++) {
        if (strcmp(root->keys[i], "datatype") != 0 && strcmp(root->keys[i], "parameters") != 0
            && root->items[i]->kind != YAML_NULL) {
            shepherd_note(&converter, root->keys[i], root->key_places[i], NULL);
        }
    }
    if (strcmp(type, "HarvestTask") == 0) {
        convert_task(&converter, harvest_rules, "harvest", root);
    } else if (strcmp(type, "EmulationTask") == 0) {
        convert_task(&converter, emulation_rules, "emulate", root);
    } else if (strcmp(type, "Experiment") == 0) {
        convert_task(&converter, experiment_rules, NULL, root);
    } else {
        fault_add(faults, datatype->place,
                  "a '%.60s' is no experiment; HarvestTask, EmulationTask and Experiment are",
                  type);
        return NULL;
    }
    if (yaml_get(converter.experiment, "name") == NULL) {
        name_after_file(&converter, file_name, datatype->place);
    }
    /* Groups alone say who takes part; what all share goes into each of them. */
    if (yaml_get(converter.experiment, "groups") == NULL) {
        shepherd_put(&converter, converter.experiment, "defaults", converter.layer);
    } else {
        const struct yaml_node *groups = yaml_get(converter.experiment, "groups");

        for (size_t i = 0; i < groups->count; i++) {
            struct err err = { 0 };

            groups->items[i] = yaml_merge(doc, converter.layer, groups->items[i], &err);
            if (groups->items[i] == NULL) {
                faults->failed = true;
                return NULL;
            }
        }
    }
    return converter.experiment;
}
