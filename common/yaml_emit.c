/* SPDX-License-Identifier: MIT */
/* Writes a tree as block YAML. What is quoted is quoted with double quotes, and everything that
 * is not plainly printable becomes an escape, so that a hostile text cannot leave its scalar.
 */
#include "common/yaml_tree.h"

#include <ctype.h>
#include <string.h>

enum {
    FLOW_WIDTH = 76, /* lists of scalars up to here stay on one line */
    INDENT_STEP = 2,
    SIMPLE_KEY_MAX = 1000 /* YAML 1.2, 7.4: 1024 characters until the colon */
};

/* Only characters that mean nothing to YAML, in block and in flow context. */
static bool is_plain_safe(const char *text)
{
    size_t size = strlen(text);
    bool is_number =
        size > 1 && (text[0] == '-' || text[0] == '.') && isdigit((unsigned char)text[1]);

    if (yaml_is_null_text(text) || text[0] == ' ' || text[size - 1] == ' '
        || (!is_number && strchr("-?%@.=<>", text[0]) != NULL)) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if (!isalnum((unsigned char)text[i]) && strchr("_./+-%@=()<> ;^$~", text[i]) == NULL) {
            return false;
        }
    }
    return true;
}

/* A text that a YAML reader would take for a number, a truth value or a date. */
static bool is_typed_text(const char *text)
{
    static const char *const words[] = { "true", "false", "yes", "no",  "on",
                                         "off",  "y",     "n",   "inf", "nan" };

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcasecmp(text, words[i]) == 0) {
            return true;
        }
    }
    return (isdigit((unsigned char)text[0]) || strchr("+-.", text[0]) != NULL)
           && strspn(text, "0123456789+-.:_eExXabcdfABCDFTZ") == strlen(text);
}

/* The length of the well-formed UTF-8 sequence at text, and its code point; 0 when broken. */
static size_t utf8_next(const unsigned char *text, uint32_t *code)
{
    size_t size = text[0] < 0x80 ? 1 : text[0] < 0xE0 ? 2 : text[0] < 0xF0 ? 3 : 4;
    static const uint32_t first_of_size[] = { 0, 0, 0x80, 0x800, 0x10000 };

    *code = size == 1 ? text[0] : text[0] & (0x7Fu >> size);
    if (size > 1 && (text[0] < 0xC2 || text[0] > 0xF4)) {
        return 0;
    }
    for (size_t i = 1; i < size; i++) {
        if ((text[i] & 0xC0) != 0x80) {
            return 0;
        }
        *code = *code << 6 | (text[i] & 0x3Fu);
    }
    if (*code < first_of_size[size] || *code > 0x10FFFF
        || (*code >= 0xD800 && *code < 0xE000)) {
        return 0;
    }
    return size;
}

static bool is_printable(uint32_t code)
{
    return code >= 0x20 && code != 0x7F && (code < 0x80 || code > 0xA0) && code != 0x2028
           && code != 0x2029 && code != 0xFEFF && (code & 0xFFFE) != 0xFFFE;
}

static void emit_quoted(const char *text, struct buf *out)
{
    const unsigned char *at = (const unsigned char *)text;

    buf_text(out, "\"");
    while (*at != '\0') {
        uint32_t code = 0;
        size_t size = utf8_next(at, &code);

        if (size == 0) {
            buf_printf(out, "\\x%02X", *at);
            size = 1;
        } else if (code == '"' || code == '\\') {
            buf_printf(out, "\\%c", (int)code);
        } else if (code == '\n') {
            buf_text(out, "\\n");
        } else if (is_printable(code)) {
            buf_append(out, at, size);
        } else {
            buf_printf(out, code > 0xFFFF ? "\\U%08X" : "\\u%04X", code);
        }
        at += size;
    }
    buf_text(out, "\"");
}

void yaml_emit_scalar(const char *text, struct buf *out)
{
    if (is_plain_safe(text) && !is_typed_text(text)) {
        buf_text(out, text);
    } else {
        emit_quoted(text, out);
    }
}

static void emit_leaf(const struct yaml_node *node, struct buf *out)
{
    if (node->kind == YAML_NULL) {
        buf_text(out, "null");
    } else if (node->kind == YAML_LIST) {
        buf_text(out, "[]");
    } else if (node->kind == YAML_MAP) {
        buf_text(out, "{}");
    } else if (!node->is_quoted && is_plain_safe(node->text)) {
        buf_text(out, node->text);
    } else {
        emit_quoted(node->text, out);
    }
}

static bool is_leaf(const struct yaml_node *node)
{
    return node->kind == YAML_NULL || node->kind == YAML_SCALAR || node->count == 0;
}

static bool is_flow_list(const struct yaml_node *node)
{
    size_t width = 0;

    if (node->kind != YAML_LIST) {
        return false;
    }
    for (size_t i = 0; i < node->count; i++) {
        if (!is_leaf(node->items[i])) {
            return false;
        }
        width += 2 + strlen(yaml_text(node->items[i], "null"));
    }
    return width <= FLOW_WIDTH;
}

static void emit_flow(const struct yaml_node *list, struct buf *out)
{
    buf_text(out, "[");
    for (size_t i = 0; i < list->count; i++) {
        buf_text(out, i > 0 ? ", " : "");
        emit_leaf(list->items[i], out);
    }
    buf_text(out, "]");
}

/* What stands behind "key:" or "-", with its line end. */
static void emit_value(const struct yaml_node *node, unsigned indent,
                       struct buf *out) // NOLINT(misc-no-recursion)
{
    if (is_leaf(node)) {
        buf_text(out, " ");
        emit_leaf(node, out);
        buf_text(out, "\n");
    } else if (is_flow_list(node)) {
        buf_text(out, " ");
        emit_flow(node, out);
        buf_text(out, "\n");
    } else {
        buf_text(out, "\n");
        yaml_emit(node, indent + INDENT_STEP, out);
    }
}

/* With its colon; a long one, as escapes may make it, stands for itself behind a "?". */
static void emit_key(const char *key, unsigned indent, struct buf *out)
{
    struct buf text = { 0 };

    yaml_emit_scalar(key, &text);
    if (text.size <= SIMPLE_KEY_MAX) {
        buf_text(out, text.data != NULL ? text.data : "");
    } else {
        buf_printf(out, "? %s\n%*s", text.data, (int)indent, "");
    }
    buf_text(out, ":");
    out->failed = out->failed || text.failed;
    buf_fini(&text);
}

void yaml_emit(const struct yaml_node *node, unsigned indent,
               struct buf *out) // NOLINT(misc-no-recursion)
{
    if (node == NULL || is_leaf(node)) {
        buf_printf(out, "%*s", (int)indent, "");
        if (node != NULL) {
            emit_leaf(node, out);
        } else {
            buf_text(out, "null");
        }
        buf_text(out, "\n");
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        buf_printf(out, "%*s", (int)indent, "");
        if (node->kind == YAML_MAP) {
            emit_key(node->keys[i], indent, out);
        } else {
            buf_text(out, "-");
        }
        emit_value(node->items[i], indent, out);
    }
}
