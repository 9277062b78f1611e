/* SPDX-License-Identifier: MIT */
/* What commands print: aligned tables for people, JSON for machines. */
#ifndef HERD_REPORT_H
#define HERD_REPORT_H

#include "common/attrs.h"
#include "common/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A table: cells are copied; columns grow with their cells; the last is not padded. */
struct table;
struct table *table_create(const char *const *headers, size_t n_columns);
void table_destroy(struct table **table);
/* Cells fill rows from the left; the n_columns-th closes the row. */
void table_cell(struct table *table, const char *format, ...) PRINTF_LIKE(2, 3);
/* The column's cells stand at its right side (numbers). */
void table_align_right(struct table *table, size_t column);
void table_print(const struct table *table, FILE *stream);

/* JSON into a buffer on one line. key NULL in a list and at the top. Commas are set by it. */
struct json {
    struct buf *out;
    unsigned depth;
    bool has_item[16];
};
void json_open(struct json *json, const char *key, char bracket);      /* '{' or '[' */
void json_close(struct json *json, char bracket);                      /* '}' or ']' */
void json_text(struct json *json, const char *key, const char *value); /* NULL: null */
void json_i64(struct json *json, const char *key, int64_t value);
void json_u64(struct json *json, const char *key, uint64_t value);
void json_f64(struct json *json, const char *key, double value); /* not finite: null */
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);

/* Prints the buffer and a newline at once, flushes, and clears it: one line, one event. */
void json_line(struct json *json, FILE *stream);

/* "12.3 MB", "-4.5 us", "1 h 02 min" for people. Return text. */
enum {
    HUMAN_TEXT_SIZE = 32
};
const char *human_bytes(uint64_t bytes, char text[HUMAN_TEXT_SIZE]);
const char *human_ns(int64_t ns, char text[HUMAN_TEXT_SIZE]);
const char *human_span(int64_t ns, char text[HUMAN_TEXT_SIZE]);

#endif
