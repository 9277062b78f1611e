/* SPDX-License-Identifier: MIT */
/* Decoding: one function per field type, all with the signature decode_fn. */
#include "common/schema.h"

#include "common/units.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    MAX_NAME = 64, /* longer names have no nearest one */
    MAX_LIST_TEXT = 200
};

struct target {
    const struct field *field;
    char *member; /* inside the struct */
    char *base;   /* the struct */
    struct fault_list *faults;
};

typedef void (*decode_fn)(const struct target *target, const struct yaml_node *node);

static const char *kind_name(const struct yaml_node *node)
{
    switch (node->kind) {
    case YAML_NULL:
        return "nothing";
    case YAML_LIST:
        return "a list";
    case YAML_MAP:
        return "a map";
    case YAML_SCALAR:
        return node->is_quoted ? "a text" : "a value";
    }
    return "nothing";
}

static void fault_type(const struct target *target, const struct yaml_node *node,
                       const char *wanted)
{
    if (node->kind == YAML_SCALAR) {
        fault_add(target->faults, node->place, "%s: wants %s, not '%.*s'", target->field->name,
                  wanted, MAX_LIST_TEXT, node->text);
    } else {
        fault_add(target->faults, node->place, "%s: wants %s, not %s", target->field->name,
                  wanted, kind_name(node));
    }
}

static const char *unit_or_empty(const struct field *field)
{
    return field->unit != NULL ? field->unit : "";
}

static bool has_range(const struct field *field)
{
    return field->minimum != 0 || field->maximum != 0;
}

/* A fault when value (in the field's unit) is outside; shown as text. */
static bool range_check(const struct target *target, const struct yaml_node *node, double value)
{
    const struct field *field = target->field;
    const char *space = field->unit != NULL ? " " : "";

    if (!has_range(field) || (value >= field->minimum && value <= field->maximum)) {
        return true;
    }
    if (value < field->minimum) {
        fault_add(target->faults, node->place, "%s: %s is below %.10g%s%s", field->name,
                  node->text, field->minimum, space, unit_or_empty(field));
    } else {
        fault_add(target->faults, node->place, "%s: %s is above %.10g%s%s", field->name,
                  node->text, field->maximum, space, unit_or_empty(field));
    }
    return false;
}

static void fault_unit(const struct target *target, const struct yaml_node *node,
                       enum unit_result result, const char *what)
{
    switch (result) {
    case UNIT_OK:
        break;
    case UNIT_NOT_A_NUMBER:
        fault_type(target, node, what);
        break;
    case UNIT_UNKNOWN:
        fault_add(target->faults, node->place,
                  "%s: '%.*s' has a unit that does not fit; wants %s", target->field->name,
                  MAX_LIST_TEXT, node->text, what);
        break;
    case UNIT_OUT_OF_RANGE:
        fault_add(target->faults, node->place, "%s: %.*s is out of range", target->field->name,
                  MAX_LIST_TEXT, node->text);
        break;
    }
}

static bool is_plain(const struct yaml_node *node)
{
    return node->kind == YAML_SCALAR && !node->is_quoted;
}

static void decode_bool(const struct target *target, const struct yaml_node *node)
{
    static const char *const words[2][8] = {
        {"false", "False", "FALSE", "no",  "No",  "off", "Off", "0"},
        { "true", "True",  "TRUE",  "yes", "Yes", "on",  "On",  "1"},
    };

    for (size_t value = 0; is_plain(node) && value < 2; value++) {
        for (size_t i = 0; i < ARRAY_LEN(words[value]); i++) {
            if (strcmp(node->text, words[value][i]) == 0) {
                bool is_true = value == 1;

                memcpy(target->member, &is_true, sizeof(is_true));
                return;
            }
        }
    }
    fault_type(target, node, "true or false");
}

/* Whole numbers; "1e6" is one too. */
static bool integer_signed(const struct target *target, const struct yaml_node *node,
                           int64_t *value)
{
    double real = 0;

    if (is_plain(node) && text_to_i64(node->text, value)) {
        return range_check(target, node, (double)*value);
    }
    if (is_plain(node) && text_to_f64(node->text, &real) && rint(real) == real
        && fabs(real) < 0x1p53) {
        *value = (int64_t)real;
        return range_check(target, node, real);
    }
    fault_type(target, node, "a whole number");
    return false;
}

static void decode_u64(const struct target *target, const struct yaml_node *node)
{
    uint64_t value = 0;
    int64_t small = 0;

    if (is_plain(node) && text_to_u64(node->text, &value)) {
        if (!range_check(target, node, (double)value)) {
            return;
        }
    } else if (integer_signed(target, node, &small)) {
        if (small < 0) {
            fault_add(target->faults, node->place, "%s: %s is below 0", target->field->name,
                      node->text);
            return;
        }
        value = (uint64_t)small;
    } else {
        return;
    }
    memcpy(target->member, &value, sizeof(value));
}

static void decode_i64(const struct target *target, const struct yaml_node *node)
{
    int64_t value = 0;

    if (integer_signed(target, node, &value)) {
        memcpy(target->member, &value, sizeof(value));
    }
}

static void decode_u32(const struct target *target, const struct yaml_node *node)
{
    int64_t value = 0;
    uint64_t hexadecimal = 0;
    uint32_t narrow = 0;

    if (is_plain(node) && text_to_u64(node->text, &hexadecimal) && hexadecimal <= UINT32_MAX) {
        value = (int64_t)hexadecimal;
        if (!range_check(target, node, (double)value)) {
            return;
        }
    } else if (!integer_signed(target, node, &value)) {
        return;
    }
    if (value < 0 || value > (int64_t)UINT32_MAX) {
        fault_add(target->faults, node->place, "%s: %s is outside 0 to %" PRIu32,
                  target->field->name, node->text, UINT32_MAX);
        return;
    }
    narrow = (uint32_t)value;
    memcpy(target->member, &narrow, sizeof(narrow));
}

static bool number_of(const struct target *target, const struct yaml_node *node, double *value)
{
    const char *unit = target->field->unit;
    char what[80];
    enum unit_result result = UNIT_NOT_A_NUMBER;

    if (node->kind == YAML_SCALAR && (!node->is_quoted || unit != NULL)) {
        result = quantity_parse(node->text, unit, value);
    }
    if (result != UNIT_OK) {
        snprintf(what, sizeof(what), "a number%s%s", unit != NULL ? " in " : "",
                 unit_or_empty(target->field));
        fault_unit(target, node, result, what);
        return false;
    }
    return range_check(target, node, *value);
}

static void decode_f64(const struct target *target, const struct yaml_node *node)
{
    double value = 0;

    if (number_of(target, node, &value)) {
        memcpy(target->member, &value, sizeof(value));
    }
}

static void decode_duration(const struct target *target, const struct yaml_node *node)
{
    const char *bare = target->field->unit != NULL ? target->field->unit : "s";
    enum unit_result result = UNIT_NOT_A_NUMBER;
    int64_t value = 0;

    if (node->kind == YAML_SCALAR) {
        const char *open_text = target->field->open_text;

        if (open_text != NULL && strcmp(node->text, open_text) == 0) {
            value = -1;
            memcpy(target->member, &value, sizeof(value));
            return;
        }
        result = duration_parse(node->text, bare, &value);
    }
    if (result != UNIT_OK) {
        fault_unit(target, node, result, "a duration such as 30 s or 1.5 ms");
        return;
    }
    if (range_check(target, node, (double)value / (double)duration_unit_ns(bare))) {
        memcpy(target->member, &value, sizeof(value));
    }
}

static void decode_bytes(const struct target *target, const struct yaml_node *node)
{
    enum unit_result result = UNIT_NOT_A_NUMBER;
    uint64_t value = 0;

    if (node->kind == YAML_SCALAR) {
        result = bytes_parse(node->text, &value);
    }
    if (result != UNIT_OK) {
        fault_unit(target, node, result, "a size such as 64 MiB");
        return;
    }
    if (range_check(target, node, (double)value)) {
        memcpy(target->member, &value, sizeof(value));
    }
}

static const char *enum_next(const void *arg, size_t i)
{
    const struct enum_name *names = arg;

    return names[i].name;
}

static void decode_enum(const struct target *target, const struct yaml_node *node)
{
    const struct enum_name *names = target->field->enums;
    const char *nearest = NULL;
    char choices[MAX_LIST_TEXT] = "";

    for (size_t i = 0; node->kind == YAML_SCALAR && names[i].name != NULL; i++) {
        if (strcmp(names[i].name, node->text) == 0) {
            memcpy(target->member, &names[i].value, sizeof(names[i].value));
            return;
        }
    }
    for (size_t i = 0; names[i].name != NULL; i++) {
        size_t used = strlen(choices);

        snprintf(choices + used, sizeof(choices) - used, "%s%s", i > 0 ? ", " : "",
                 names[i].name);
    }
    if (node->kind != YAML_SCALAR) {
        fault_add(target->faults, node->place, "%s: wants one of %s, not %s",
                  target->field->name, choices, kind_name(node));
        return;
    }
    nearest = name_nearest(node->text, enum_next, names);
    fault_add(target->faults, node->place, "%s: '%.60s' is none of %s%s%s%s",
              target->field->name, node->text, choices,
              nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "",
              nearest != NULL ? "?" : "");
}

static void decode_string(const struct target *target, const struct yaml_node *node)
{
    size_t size = 0;

    if (node->kind != YAML_SCALAR) {
        fault_type(target, node, "a text");
        return;
    }
    size = strlen(node->text);
    if (size >= target->field->size) {
        fault_add(target->faults, node->place, "%s: longer than %zu characters",
                  target->field->name, target->field->size - 1);
        return;
    }
    for (size_t i = 0; i < size; i++) {
        if (iscntrl((unsigned char)node->text[i])) {
            fault_add(target->faults, node->place, "%s: a control character in the text",
                      target->field->name);
            return;
        }
    }
    memcpy(target->member, node->text, size + 1);
}

static void decode_map(const struct target *target, const struct yaml_node *node)
{
    schema_decode(target->field->sub, node, target->member, target->faults);
}

/* Appends every number below node; lists may be nested. False after a fault. */
static bool flatten(const struct target *target, const struct yaml_node *node,
                    double *values, // NOLINT(misc-no-recursion)
                    size_t *count)
{
    if (node->kind == YAML_LIST) {
        for (size_t i = 0; i < node->count; i++) {
            if (!flatten(target, node->items[i], values, count)) {
                return false;
            }
        }
        return true;
    }
    if (*count == target->field->max_count) {
        (*count)++; /* too many; the caller says so */
        return false;
    }
    if (!number_of(target, node, &values[*count])) {
        return false;
    }
    (*count)++;
    return true;
}

static void decode_f64_list(const struct target *target, const struct yaml_node *node)
{
    enum {
        MAX_NUMBERS = 1024
    };
    double values[MAX_NUMBERS];
    size_t wanted = target->field->max_count;
    size_t count = 0;
    bool is_good = false;

    if (wanted > MAX_NUMBERS) {
        return; /* our own table is wrong; the unit test of each table decodes its defaults */
    }
    is_good = flatten(target, node, values, &count);
    if (is_good && node->kind == YAML_SCALAR) {
        for (; count < wanted; count++) {
            values[count] = values[0]; /* one number stands for all */
        }
    }
    if (count != wanted && (is_good || count > wanted)) {
        fault_add(target->faults, node->place, "%s: wants %zu numbers, not %s%zu",
                  target->field->name, wanted, count > wanted ? "more than " : "",
                  count > wanted ? wanted : count);
        return;
    }
    if (is_good) {
        memcpy(target->member, values, wanted * sizeof(values[0]));
    }
}

static void decode_list(const struct target *target, const struct yaml_node *node)
{
    const struct field *field = target->field;
    size_t count = node->kind == YAML_LIST ? node->count : 0;

    if (node->kind != YAML_LIST) {
        fault_type(target, node, "a list");
        return;
    }
    if (count > field->max_count) {
        fault_add(target->faults, node->place, "%s: more than %zu entries", field->name,
                  field->max_count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        schema_decode(field->sub, node->items[i], target->member + i * field->sub->size,
                      target->faults);
    }
    memcpy(target->base + field->count_offset, &count, sizeof(count));
}

static void decode_custom(const struct target *target, const struct yaml_node *node)
{
    target->field->decode(node, target->member, target->faults);
}

static const decode_fn decoders[] = {
    [FIELD_BOOL] = decode_bool,         [FIELD_U32] = decode_u32,
    [FIELD_U64] = decode_u64,           [FIELD_I64] = decode_i64,
    [FIELD_F64] = decode_f64,           [FIELD_DURATION_NS] = decode_duration,
    [FIELD_BYTES] = decode_bytes,       [FIELD_ENUM] = decode_enum,
    [FIELD_STRING] = decode_string,     [FIELD_MAP] = decode_map,
    [FIELD_F64_LIST] = decode_f64_list, [FIELD_LIST] = decode_list,
    [FIELD_CUSTOM] = decode_custom,
};

/* Defaults of our own tables are small and right; scalars need no parser. */
static void decode_default(const struct target *target)
{
    const char *text = target->field->default_text;
    struct yaml_node scalar = { .kind = YAML_SCALAR, .text = text };
    struct yaml_doc *doc = NULL;
    struct err err = { 0 };

    if (text[0] != '[' && text[0] != '{') {
        decoders[target->field->type](target, &scalar);
        return;
    }
    doc = yaml_parse(text, strlen(text), target->field->name, &err);
    if (doc == NULL) {
        fault_add(target->faults, (struct yaml_place){ 0 }, "%s: default: %.300s",
                  target->field->name, err.text);
        return;
    }
    decoders[target->field->type](target, yaml_root(doc));
    yaml_destroy(&doc);
}

static void decode_absent(const struct target *target, struct yaml_place place)
{
    const struct field *field = target->field;

    if (field->default_text != NULL) {
        decode_default(target);
    } else if (field->type == FIELD_MAP && !field->is_optional) {
        schema_decode(field->sub, &(struct yaml_node){ .kind = YAML_NULL, .place = place },
                      target->member, target->faults);
    } else if (!field->is_optional) {
        fault_add(target->faults, place, "%s is missing", field->name);
    }
}

static const char *field_next(const void *arg, size_t i)
{
    const struct field *fields = arg;

    return fields[i].name;
}

static void check_keys(const struct schema *schema, const struct yaml_node *map,
                       struct fault_list *faults)
{
    for (size_t i = 0; i < map->count; i++) {
        const struct field *field = schema->fields;
        const char *nearest = NULL;

        while (field->name != NULL && strcmp(field->name, map->keys[i]) != 0) {
            field++;
        }
        if (field->name != NULL) {
            continue;
        }
        nearest = name_nearest(map->keys[i], field_next, schema->fields);
        fault_add(faults, map->key_places[i], "%s: unknown key '%.60s'%s%s%s", schema->name,
                  map->keys[i], nearest != NULL ? "; did you mean " : "",
                  nearest != NULL ? nearest : "", nearest != NULL ? "?" : "");
    }
}

void schema_decode(const struct schema *schema, const struct yaml_node *node,
                   void *out, // NOLINT(misc-no-recursion)
                   struct fault_list *faults)
{
    struct yaml_place place = node != NULL ? node->place : (struct yaml_place){ 0 };

    memset(out, 0, schema->size);
    if (node != NULL && node->kind != YAML_NULL && node->kind != YAML_MAP) {
        fault_add(faults, place, "%s: wants a map, not %s", schema->name, kind_name(node));
        return;
    }
    if (node != NULL && node->kind == YAML_MAP) {
        check_keys(schema, node, faults);
    }
    for (const struct field *field = schema->fields; field->name != NULL; field++) {
        const struct yaml_node *value = yaml_get(node, field->name);
        struct target target = {
            .field = field,
            .member = (char *)out + field->offset,
            .base = out,
            .faults = faults,
        };

        if (value == NULL || value->kind == YAML_NULL) {
            decode_absent(&target, value != NULL ? value->place : place);
        } else {
            decoders[field->type](&target, value);
        }
    }
}

void schema_defaults(const struct schema *schema, void *out)
{
    struct fault_list faults = { 0 };

    schema_decode(schema, NULL, out, &faults);
    fault_fini(&faults); /* required members stay zero */
}

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;

    return least < c ? least : c;
}

/* Edit distance by rows; upper and lower case are the same here. */
static size_t edit_distance(const char *left, const char *right)
{
    size_t n = strlen(right);
    size_t row[MAX_NAME + 1];

    for (size_t k = 0; k <= n; k++) {
        row[k] = k;
    }
    for (size_t i = 0; left[i] != '\0'; i++) {
        size_t diagonal = row[0];

        row[0] = i + 1;
        for (size_t k = 0; k < n; k++) {
            int is_same = tolower((unsigned char)left[i]) == tolower((unsigned char)right[k]);
            size_t next = smallest(row[k + 1] + 1, row[k] + 1, diagonal + (is_same ? 0 : 1));

            diagonal = row[k + 1];
            row[k + 1] = next;
        }
    }
    return row[n];
}

const char *name_nearest(const char *name, const char *(*next)(const void *arg, size_t i),
                         const void *arg)
{
    size_t size = strlen(name);
    size_t best = 1 + size / 3;
    const char *nearest = NULL;

    for (size_t i = 0; size <= MAX_NAME && next(arg, i) != NULL; i++) {
        const char *candidate = next(arg, i);
        size_t distance = 0;

        if (strlen(candidate) > MAX_NAME) {
            continue;
        }
        distance = edit_distance(name, candidate);
        if (distance <= best && distance < strlen(candidate)
            && (nearest == NULL || distance < best)) {
            best = distance;
            nearest = candidate;
        }
    }
    return nearest;
}
