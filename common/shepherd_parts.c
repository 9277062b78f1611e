/* SPDX-License-Identifier: MIT */
#include "common/shepherd_parts.h"

#include "common/buf.h"
#include "common/shepherd_yaml.h"
#include "common/yaml_tree.h"

#include <string.h>

enum {
    N_PINS = 16,
    N_SHEPHERD_PINS = 18
};

bool shepherd_is_wrapped(const struct yaml_node *root)
{
    return yaml_get(root, "datatype") != NULL && yaml_get(root, "parameters") != NULL;
}

void shepherd_note(struct converter *converter, const char *key, struct yaml_place place,
                   const char *why)
{
    fault_add(converter->notes, place, "%s: '%.60s' has no effect here%s%s", converter->what,
              key, why != NULL ? ": " : "", why != NULL ? why : "");
}

/* Adds to a map; without memory the experiment fails as a whole. */
void shepherd_put(struct converter *converter, struct yaml_node *map, const char *key,
                  const struct yaml_node *value)
{
    struct err err = { 0 };

    if (map == NULL
        || yaml_map_add(converter->doc, map, key, yaml_merge(converter->doc, NULL, value, &err))
               < 0) {
        converter->faults->failed = true;
    }
}

void shepherd_put_text(struct converter *converter, struct yaml_node *map, const char *key,
                       const char *text, struct yaml_place place)
{
    if (map == NULL || yaml_map_add_text(converter->doc, map, key, text, place) < 0) {
        converter->faults->failed = true;
    }
}

/* The map under key in the layer, made when it is not there. */
struct yaml_node *shepherd_part(struct converter *converter, const char *key)
{
    struct yaml_node *map = yaml_get(converter->layer, key);

    if (map == NULL) {
        map = yaml_node_make(converter->doc, YAML_MAP, converter->layer->place);
        if (yaml_map_add(converter->doc, converter->layer, key, map) < 0) {
            converter->faults->failed = true;
        }
    }
    return map;
}

bool shepherd_is_true(const struct yaml_node *value)
{
    const char *text = yaml_text(value, "");

    return strcasecmp(text, "true") == 0 || strcasecmp(text, "yes") == 0
           || strcmp(text, "1") == 0;
}

/* Applies the rules of one model to a map; the wrapper around it is taken off. */
void shepherd_convert_map(struct converter *converter, const struct rule *rules,
                          const char *what, // NOLINT(misc-no-recursion)
                          const struct yaml_node *map)
{
    const char *outer = converter->what;

    if (shepherd_is_wrapped(map)) {
        map = yaml_get(map, "parameters");
    }
    if (map->kind != YAML_MAP) {
        fault_add(converter->faults, map->place, "%s: wants a map", what);
        return;
    }
    converter->what = what;
    for (size_t i = 0; i < map->count; i++) {
        const struct rule *rule = rules;

        while (rule->key != NULL && strcmp(rule->key, map->keys[i]) != 0) {
            rule++;
        }
        if (map->items[i]->kind == YAML_NULL) {
            continue; /* Shepherd's default, which is ours too */
        }
        if (rule->key == NULL) {
            fault_add(converter->faults, map->key_places[i], "%s: unknown key '%.60s'", what,
                      map->keys[i]);
        } else if (rule->convert == NULL) {
            shepherd_note(converter, map->keys[i], map->key_places[i], NULL);
        } else {
            rule->convert(converter, map->keys[i], map->items[i]);
        }
    }
    converter->what = outer;
}

static void to_storage_record(struct converter *converter, const char *key,
                              const struct yaml_node *value)
{
    (void)key;
    shepherd_put(converter, shepherd_part(converter, "record"), "storage", value);
}

/* discard_voltage, discard_current: the opposite of ours. */
static void to_discard(struct converter *converter, const char *key,
                       const struct yaml_node *value)
{
    shepherd_put_text(converter, shepherd_part(converter, "record"), key + strlen("discard_"),
                      shepherd_is_true(value) ? "false" : "true", value->place);
}

/* Keys that our record has too; null is Shepherd's "not set". */
static void to_record(struct converter *converter, const char *key,
                      const struct yaml_node *value)
{
    if (value->kind != YAML_NULL) {
        shepherd_put(converter, shepherd_part(converter, "record"), key, value);
    }
}

/* Keys that change nothing when they have this value, and would change much otherwise. */
static void only_default(struct converter *converter, const char *key,
                         const struct yaml_node *value)
{
    static const struct {
        const char *key;
        const char *value;
    } defaults[] = {
        {"bytesize",  "8"},
        { "stopbits", "1"},
        { "parity",   "N"},
        { "delay",    "0"}
    };

    for (size_t i = 0; i < ARRAY_LEN(defaults); i++) {
        if (strcmp(defaults[i].key, key) == 0
            && strcmp(defaults[i].value, yaml_text(value, "")) == 0) {
            return;
        }
    }
    fault_add(converter->faults, value->place,
              "%s: %.40s: %.60s is not built; only the default is", converter->what, key,
              yaml_text(value, "that"));
}

/* false is Shepherd's default of these; true would mean something that is not built. */
static void only_false(struct converter *converter, const char *key,
                       const struct yaml_node *value)
{
    if (shepherd_is_true(value)) {
        fault_add(converter->faults, value->place, "%s: %.40s is not built", converter->what,
                  key);
    }
}

static const struct rule power_rules[] = {
    {"intermediate_voltage", to_storage_record},
    { "delay",               to_record        },
    { "duration",            to_record        },
    { "only_power",          only_false       },
    { "samplerate",          to_record        },
    { "discard_voltage",     to_discard       },
    { "discard_current",     to_discard       },
    { NULL,                  NULL             },
};

void shepherd_to_power(struct converter *converter,
                       const char *key, // NOLINT(misc-no-recursion)
                       const struct yaml_node *value)
{
    shepherd_convert_map(converter, power_rules, key, value);
}

static void to_log(struct converter *converter, const char *key, const struct yaml_node *value)
{
    bool is_system = strcmp(key, "sys_util") == 0;

    if (is_system) {
        shepherd_put_text(converter, shepherd_part(converter, "log"), "system",
                          shepherd_is_true(value) ? "1 s" : "0 s", value->place);
    } else {
        shepherd_put(converter, shepherd_part(converter, "log"),
                     strcmp(key, "time_sync") == 0 ? "time" : key, value);
    }
}

static const struct rule logging_rules[] = {
    {"kernel",     to_log},
    { "time_sync", to_log},
    { "ptp",       NULL  },
    { "sheep",     to_log},
    { "sys_util",  to_log},
    { NULL,        NULL  },
};

void shepherd_to_logging(struct converter *converter,
                         const char *key, // NOLINT(misc-no-recursion)
                         const struct yaml_node *value)
{
    shepherd_convert_map(converter, logging_rules, key, value);
}

/* Shepherd counts 18 pins, of which the last two are power-good signals; a board has fewer. */
static void to_gpio(struct converter *converter, const char *key, const struct yaml_node *value)
{
    struct yaml_node *pins =
        yaml_container_make(converter->doc, YAML_LIST, value->place, value->count);

    if (value->kind != YAML_LIST || pins == NULL) {
        shepherd_put(converter, shepherd_part(converter, "record"), "gpio", value);
        return;
    }
    for (size_t i = 0; i < value->count; i++) {
        int64_t pin = 0;

        if (text_to_i64(yaml_text(value->items[i], ""), &pin) && pin >= N_PINS
            && pin < N_SHEPHERD_PINS) {
            shepherd_note(converter, value->items[i]->text, value->items[i]->place,
                          "pins are 0 to 15, with power-good among them");
        } else {
            pins->items[pins->count] = value->items[i];
            pins->count++;
        }
    }
    (void)key;
    shepherd_put(converter, shepherd_part(converter, "record"), "gpio", pins);
}

static const struct rule gpio_rules[] = {
    {"gpios",          to_gpio     },
    { "mask",          NULL        },
    { "delay",         only_default},
    { "duration",      NULL        },
    { "uart_decode",   only_false  },
    { "uart_pin",      NULL        },
    { "uart_baudrate", NULL        },
    { NULL,            NULL        },
};

void shepherd_to_gpio_tracing(struct converter *converter,
                              const char *key, // NOLINT(misc-no-recursion)
                              const struct yaml_node *value)
{
    shepherd_convert_map(converter, gpio_rules, key, value);
}

static void to_baudrate(struct converter *converter, const char *key,
                        const struct yaml_node *value)
{
    shepherd_put(converter, yaml_get(shepherd_part(converter, "log"), "uart"), key, value);
}

static const struct rule uart_rules[] = {
    {"baudrate",  to_baudrate },
    { "bytesize", only_default},
    { "stopbits", only_default},
    { "parity",   only_default},
    { NULL,       NULL        },
};

void shepherd_to_uart(struct converter *converter, const char *key, // NOLINT(misc-no-recursion)
                      const struct yaml_node *value)
{
    struct yaml_node *uart = yaml_node_make(converter->doc, YAML_MAP, value->place);

    if (yaml_map_add(converter->doc, shepherd_part(converter, "log"), "uart", uart) < 0) {
        converter->faults->failed = true;
        return;
    }
    shepherd_put_text(converter, uart, "enable", "true", value->place);
    shepherd_convert_map(converter, uart_rules, key, value);
}

void shepherd_refuse_actuation(struct converter *converter, const char *key,
                               const struct yaml_node *value)
{
    fault_add(converter->faults, value->place, "%s: not built (nor is it in Shepherd)", key);
}
