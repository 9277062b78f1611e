/* SPDX-License-Identifier: MIT */
#include "common/schema.h"
#include "common/units.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum {
    INDENT_STEP = 2
};

/* The members are read with memcpy: the tables promise the type, not the compiler. */
#define READ_MEMBER(type, name) \
    type name;                  \
    memcpy(&(name), member, sizeof(name))

static void encode_enum(const struct field *field, const char *member, struct buf *out)
{
    READ_MEMBER(int, value);
    for (const struct enum_name *name = field->enums; name->name != NULL; name++) {
        if (name->value == value) {
            yaml_emit_scalar(name->name, out);
            return;
        }
    }
    buf_text(out, "null"); /* never decoded: a zeroed struct of a required enum */
}

static void encode_f64_list(const struct field *field, const char *member, struct buf *out)
{
    bool is_uniform = true;
    double first = 0;
    double value = 0;

    memcpy(&first, member, sizeof(first));
    for (size_t i = 0; i < field->max_count; i++) {
        memcpy(&value, member + i * sizeof(value), sizeof(value));
        is_uniform &= !(value < first || value > first) && signbit(value) == signbit(first);
    }
    if (is_uniform && field->max_count > 1) {
        number_format(first, out);
        return;
    }
    buf_text(out, "[");
    for (size_t i = 0; i < field->max_count; i++) {
        memcpy(&value, member + i * sizeof(value), sizeof(value));
        buf_text(out, i > 0 ? ", " : "");
        number_format(value, out);
    }
    buf_text(out, "]");
}

static void encode_list(const struct field *field, const char *base,
                        struct buf *out, // NOLINT(misc-no-recursion)
                        unsigned indent)
{
    size_t count = 0;

    memcpy(&count, base + field->count_offset, sizeof(count));
    if (count == 0) {
        buf_text(out, " []\n");
        return;
    }
    buf_text(out, "\n");
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "%*s-\n", (int)indent + INDENT_STEP, "");
        schema_encode(field->sub, base + field->offset + i * field->sub->size, out,
                      indent + 2 * INDENT_STEP);
    }
}

static void encode_scalar(const struct field *field, const char *member, struct buf *out)
{
    switch (field->type) {
    case FIELD_BOOL: {
        READ_MEMBER(bool, value);
        buf_text(out, value ? "true" : "false");
        break;
    }
    case FIELD_U32: {
        READ_MEMBER(uint32_t, value);
        buf_printf(out, "%" PRIu32, value);
        break;
    }
    case FIELD_U64: {
        READ_MEMBER(uint64_t, value);
        buf_printf(out, "%" PRIu64, value);
        break;
    }
    case FIELD_I64: {
        READ_MEMBER(int64_t, value);
        buf_printf(out, "%" PRId64, value);
        break;
    }
    case FIELD_F64: {
        READ_MEMBER(double, value);
        number_format(value, out);
        break;
    }
    case FIELD_DURATION_NS: {
        READ_MEMBER(int64_t, value);
        if (value == -1 && field->open_text != NULL) {
            yaml_emit_scalar(field->open_text, out);
        } else {
            duration_format(value, out);
        }
        break;
    }
    case FIELD_BYTES: {
        READ_MEMBER(uint64_t, value);
        bytes_format(value, out);
        break;
    }
    case FIELD_ENUM:
        encode_enum(field, member, out);
        break;
    case FIELD_STRING:
        yaml_emit_scalar(member, out);
        break;
    case FIELD_F64_LIST:
        encode_f64_list(field, member, out);
        break;
    case FIELD_MAP:
    case FIELD_LIST:
    case FIELD_CUSTOM:
        break; /* of more than one line; schema_encode has them */
    }
}

void schema_encode(const struct schema *schema, const void *in,
                   struct buf *out, // NOLINT(misc-no-recursion)
                   unsigned indent)
{
    for (const struct field *field = schema->fields; field->name != NULL; field++) {
        const char *member = (const char *)in + field->offset;

        buf_printf(out, "%*s%s:", (int)indent, "", field->name);
        if (field->type == FIELD_MAP) {
            buf_text(out, "\n");
            schema_encode(field->sub, member, out, indent + INDENT_STEP);
        } else if (field->type == FIELD_LIST) {
            encode_list(field, in, out, indent);
        } else if (field->type == FIELD_CUSTOM) {
            field->encode(member, out, indent);
        } else {
            buf_text(out, " ");
            encode_scalar(field, member, out);
            buf_text(out, "\n");
        }
    }
}
