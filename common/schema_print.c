/* SPDX-License-Identifier: MIT */
#include "common/schema.h"

#include <string.h>

enum {
    INDENT_STEP = 2,
    HELP_WIDTH = 88
};

static const char *type_name(enum field_type type)
{
    switch (type) {
    case FIELD_BOOL:
        return "true or false";
    case FIELD_U32:
    case FIELD_U64:
    case FIELD_I64:
        return "whole number";
    case FIELD_F64:
        return "number";
    case FIELD_DURATION_NS:
        return "duration";
    case FIELD_BYTES:
        return "size";
    case FIELD_ENUM:
        return "one of";
    case FIELD_STRING:
        return "text";
    case FIELD_MAP:
        return "map";
    case FIELD_F64_LIST:
        return "numbers";
    case FIELD_LIST:
        return "list of";
    case FIELD_CUSTOM:
        return "value";
    }
    return "";
}

static void print_type(const struct field *field, struct buf *out)
{
    if (field->type == FIELD_F64_LIST) {
        buf_printf(out, "%zu ", field->max_count);
    }
    buf_text(out, type_name(field->type));
    for (const struct enum_name *name = field->enums;
         field->type == FIELD_ENUM && name->name != NULL; name++) {
        buf_printf(out, "%s %s", name == field->enums ? "" : " |", name->name);
    }
    if (field->unit != NULL) {
        buf_printf(out, " in %s", field->unit);
    }
    if (field->minimum != 0 || field->maximum != 0) {
        buf_printf(out, ", %.10g to %.10g", field->minimum, field->maximum);
    }
    if (field->default_text != NULL) {
        buf_text(out, ", default ");
        buf_text(out, field->default_text[0] != '\0' ? field->default_text : "\"\"");
    } else if (field->type != FIELD_MAP) {
        buf_text(out, field->is_optional ? ", optional" : ", required");
    }
}

/* Breaks at blanks. */
static void print_help(const char *help, struct buf *out, unsigned indent)
{
    size_t width = HELP_WIDTH > indent + 20 ? HELP_WIDTH - indent : 20;

    while (help[0] != '\0') {
        size_t size = strlen(help);

        if (size > width) {
            size = width;
            while (size > 1 && help[size] != ' ') {
                size--;
            }
            size = size == 1 ? strcspn(help, " ") : size;
        }
        buf_printf(out, "%*s%.*s\n", (int)indent, "", (int)size, help);
        help += size;
        help += strspn(help, " ");
    }
}

static void print_fields(const struct schema *schema, struct buf *out,
                         unsigned indent) // NOLINT(misc-no-recursion)
{
    for (const struct field *field = schema->fields; field->name != NULL; field++) {
        buf_printf(out, "%*s%s: ", (int)indent, "", field->name);
        print_type(field, out);
        buf_text(out, "\n");
        if (field->help != NULL) {
            print_help(field->help, out, indent + 2 * INDENT_STEP);
        }
        if (field->sub != NULL) {
            print_fields(field->sub, out, indent + INDENT_STEP);
        }
    }
}

void schema_print(const struct schema *schema, struct buf *out)
{
    buf_printf(out, "%s\n", schema->name);
    if (schema->help != NULL) {
        print_help(schema->help, out, INDENT_STEP);
    }
    print_fields(schema, out, INDENT_STEP);
}
