/* SPDX-License-Identifier: MIT */
#include "herd/report.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct table {
    size_t n_columns;
    size_t n_cells;
    size_t capacity;
    char **cells; /* headers first, row by row */
    bool *is_right;
};

struct table *table_create(const char *const *headers, size_t n_columns)
{
    struct table *table = calloc(1, sizeof(*table));

    if (table == NULL) {
        return NULL;
    }
    table->n_columns = n_columns;
    table->is_right = calloc(n_columns, sizeof(*table->is_right));
    if (table->is_right == NULL) {
        table_destroy(&table);
        return NULL;
    }
    for (size_t i = 0; i < n_columns; i++) {
        table_cell(table, "%s", headers[i]);
    }
    return table;
}

void table_destroy(struct table **table)
{
    if (*table == NULL) {
        return;
    }
    for (size_t i = 0; i < (*table)->n_cells; i++) {
        free((*table)->cells[i]);
    }
    free((*table)->cells);
    free((*table)->is_right);
    free(*table);
    *table = NULL;
}

void table_cell(struct table *table, const char *format, ...)
{
    va_list args;
    char *text = NULL;

    if (table == NULL) {
        return;
    }
    if (table->n_cells == table->capacity) {
        size_t capacity = table->capacity == 0 ? 64 : table->capacity * 2;
        char **grown = realloc(table->cells, capacity * sizeof(*grown));

        if (grown == NULL) {
            return;
        }
        table->cells = grown;
        table->capacity = capacity;
    }
    va_start(args, format);
    if (vasprintf(&text, format, args) >= 0) {
        table->cells[table->n_cells++] = text;
    }
    va_end(args);
}

void table_align_right(struct table *table, size_t column)
{
    if (table != NULL && column < table->n_columns) {
        table->is_right[column] = true;
    }
}

/* Characters, not bytes: continuation bytes of UTF-8 take no room. */
static size_t width_of(const char *text)
{
    size_t width = 0;

    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xc0) != 0x80 ? 1 : 0;
    }
    return width;
}

static size_t column_width(const struct table *table, size_t column)
{
    size_t widest = 0;

    for (size_t i = column; i < table->n_cells; i += table->n_columns) {
        size_t width = width_of(table->cells[i]);

        widest = width > widest ? width : widest;
    }
    return widest;
}

static void print_cell(const struct table *table, size_t i, size_t width, FILE *stream)
{
    size_t column = i % table->n_columns;
    int padding = (int)(width - width_of(table->cells[i]));
    bool is_last = column + 1 == table->n_columns;

    if (table->is_right[column]) {
        fprintf(stream, "%*s%s%s", padding, "", table->cells[i], is_last ? "" : "  ");
    } else {
        fprintf(stream, "%s%*s", table->cells[i], is_last ? 0 : padding + 2, "");
    }
}

void table_print(const struct table *table, FILE *stream)
{
    size_t *widths = NULL;

    if (table == NULL) {
        return;
    }
    widths = calloc(table->n_columns, sizeof(*widths));
    for (size_t i = 0; widths != NULL && i < table->n_columns; i++) {
        widths[i] = column_width(table, i);
    }
    for (size_t i = 0; widths != NULL && i < table->n_cells; i++) {
        print_cell(table, i, widths[i % table->n_columns], stream);
        if ((i + 1) % table->n_columns == 0) {
            fputc('\n', stream);
        }
    }
    free(widths);
}

/* Length of the UTF-8 character at text, 0 when it is none. */
static size_t utf8_length(const unsigned char *text)
{
    size_t length = 0;

    if (text[0] >= 0xc2 && text[0] < 0xe0) {
        length = 2;
    } else if (text[0] >= 0xe0 && text[0] < 0xf0) {
        length = 3;
    } else if (text[0] >= 0xf0 && text[0] < 0xf5) {
        length = 4;
    }
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return length;
}

static void put_string(struct buf *out, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;

    buf_text(out, "\"");
    while (*at != '\0') {
        size_t length = *at < 0x80 ? 1 : utf8_length(at);

        if (*at == '"' || *at == '\\') {
            buf_printf(out, "\\%c", *at);
        } else if (*at == '\n') {
            buf_text(out, "\\n");
        } else if (*at < 0x20 || *at == 0x7f) {
            buf_printf(out, "\\u%04x", *at);
        } else if (length == 0) {
            buf_text(out, "\\ufffd");
            length = 1;
        } else {
            buf_append(out, at, length);
        }
        at += length;
    }
    buf_text(out, "\"");
}

static void put_key(struct json *json, const char *key)
{
    if (json->has_item[json->depth]) {
        buf_text(json->out, ", ");
    }
    json->has_item[json->depth] = true;
    if (key != NULL) {
        put_string(json->out, key);
        buf_text(json->out, ": ");
    }
}

void json_open(struct json *json, const char *key, char bracket)
{
    put_key(json, key);
    buf_append(json->out, &bracket, 1);
    if (json->depth + 1 < ARRAY_LEN(json->has_item)) {
        json->depth++;
    }
    json->has_item[json->depth] = false;
}

void json_close(struct json *json, char bracket)
{
    buf_append(json->out, &bracket, 1);
    if (json->depth > 0) {
        json->depth--;
    }
}

void json_text(struct json *json, const char *key, const char *value)
{
    put_key(json, key);
    if (value == NULL) {
        buf_text(json->out, "null");
    } else {
        put_string(json->out, value);
    }
}

void json_i64(struct json *json, const char *key, int64_t value)
{
    put_key(json, key);
    buf_printf(json->out, "%lld", (long long)value);
}

void json_u64(struct json *json, const char *key, uint64_t value)
{
    put_key(json, key);
    buf_printf(json->out, "%llu", (unsigned long long)value);
}

void json_f64(struct json *json, const char *key, double value)
{
    put_key(json, key);
    if (isfinite(value)) {
        buf_printf(json->out, "%.17g", value);
    } else {
        buf_text(json->out, "null");
    }
}

void json_bool(struct json *json, const char *key, bool value)
{
    put_key(json, key);
    buf_text(json->out, value ? "true" : "false");
}

void json_null(struct json *json, const char *key)
{
    json_text(json, key, NULL);
}

void json_line(struct json *json, FILE *stream)
{
    buf_text(json->out, "\n");
    if (!json->out->failed) {
        fwrite(json->out->data, 1, json->out->size, stream);
        fflush(stream);
    }
    buf_clear(json->out);
    json->depth = 0;
    json->has_item[0] = false;
}

const char *human_bytes(uint64_t bytes, char text[HUMAN_TEXT_SIZE])
{
    static const char *const UNITS[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= 999.5 && unit + 1 < ARRAY_LEN(UNITS)) {
        value /= 1000.0;
        unit++;
    }
    snprintf(text, HUMAN_TEXT_SIZE, value < 9.95 && unit > 0 ? "%.1f %s" : "%.0f %s", value,
             UNITS[unit]);
    return text;
}

const char *human_ns(int64_t ns, char text[HUMAN_TEXT_SIZE])
{
    static const char *const UNITS[] = { "ns", "us", "ms", "s" };
    double value = (double)ns;
    size_t unit = 0;

    while (fabs(value) >= 999.5 && unit + 1 < ARRAY_LEN(UNITS)) {
        value /= 1000.0;
        unit++;
    }
    snprintf(text, HUMAN_TEXT_SIZE, fabs(value) < 99.95 && unit > 0 ? "%.1f %s" : "%.0f %s",
             value, UNITS[unit]);
    return text;
}

const char *human_span(int64_t ns, char text[HUMAN_TEXT_SIZE])
{
    long long seconds = ns / 1000000000;

    if (seconds < 60) {
        snprintf(text, HUMAN_TEXT_SIZE, "%.1f s", (double)ns / 1e9);
    } else if (seconds < 3600) {
        snprintf(text, HUMAN_TEXT_SIZE, "%lld min %02lld s", seconds / 60, seconds % 60);
    } else if (seconds < 86400) {
        snprintf(text, HUMAN_TEXT_SIZE, "%lld h %02lld min", seconds / 3600, seconds / 60 % 60);
    } else {
        snprintf(text, HUMAN_TEXT_SIZE, "%lld d %02lld h", seconds / 86400,
                 seconds / 3600 % 24);
    }
    return text;
}
