/* SPDX-License-Identifier: MIT */
#include "pru/sim/table.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LINE_SIZE = 512,
    MAX_ROWS = 20 * 1000 * 1000
};

static int grow(struct table *table, size_t *capacity)
{
    size_t more = *capacity > 0 ? *capacity * 2 : 1024;

    for (size_t i = 0; i < TABLE_MAX_COLUMNS; i++) {
        double *column = realloc(table->columns[i], more * sizeof(double));

        if (column == NULL) {
            return -1;
        }
        table->columns[i] = column;
    }
    *capacity = more;
    return 0;
}

/* Number of values in the line, -1 when something in it is none; one more than fit when there
 * are too many. */
static int parse_row(char *line, double values[TABLE_MAX_COLUMNS])
{
    char *at = line;
    int count = 0;

    while (count < TABLE_MAX_COLUMNS) {
        char *end = NULL;

        errno = 0;
        values[count] = strtod(at, &end);
        if (end == at || errno != 0 || !isfinite(values[count])) {
            return -1;
        }
        count++;
        end += strspn(end, " \t\r\n");
        if (*end == '\0') {
            return count;
        }
        if (*end != ',' && *end != ';') {
            return -1;
        }
        at = end + 1;
    }
    return TABLE_MAX_COLUMNS + 1;
}

static int add_row(struct table *table, const double *values, size_t *capacity)
{
    if (table->n_rows == *capacity && grow(table, capacity) < 0) {
        return -1;
    }
    for (size_t i = 0; i < table->n_columns; i++) {
        table->columns[i][table->n_rows] = values[i];
    }
    table->n_rows++;
    return 0;
}

static const char *take_line(struct table *table, char *line, size_t min_columns,
                             size_t *capacity)
{
    double values[TABLE_MAX_COLUMNS] = { 0 };
    int count = parse_row(line, values);

    if (count < 0) {
        return "not a row of numbers";
    }
    if (count > TABLE_MAX_COLUMNS) {
        return "too many columns";
    }
    if ((size_t)count < min_columns) {
        return "too few columns";
    }
    if (table->n_rows == 0) {
        table->n_columns = (size_t)count;
    } else if ((size_t)count != table->n_columns) {
        return "another number of columns than before";
    } else if (values[0] <= table->columns[0][table->n_rows - 1]) {
        return "the first column does not rise";
    }
    if (table->n_rows >= MAX_ROWS || add_row(table, values, capacity) < 0) {
        return "too many rows for the memory";
    }
    return NULL;
}

int table_load(struct table *table, const char *path, size_t min_columns, char *why,
               size_t why_size)
{
    char line[LINE_SIZE];
    size_t capacity = 0;
    unsigned long number = 0;
    const char *fault = NULL;
    FILE *file = fopen(path, "re");

    memset(table, 0, sizeof(*table));
    if (file == NULL) {
        snprintf(why, why_size, "%s: %s", path,
                 strerror(errno)); // NOLINT(concurrency-mt-unsafe)
        return -1;
    }
    while (fault == NULL && fgets(line, sizeof(line), file) != NULL) {
        number++;
        if (strchr(line, '\n') == NULL && !feof(file)) {
            fault = "line too long";
        } else if (number > 1 && line[strspn(line, " \t\r\n")] != '\0') {
            fault = take_line(table, line, min_columns, &capacity);
        }
    }
    if (fault == NULL && table->n_rows == 0) {
        fault = "no rows";
    }
    fclose(file);
    if (fault != NULL) {
        snprintf(why, why_size, "%s:%lu: %s", path, number, fault);
        table_free(table);
        return -1;
    }
    return 0;
}

void table_free(struct table *table)
{
    for (size_t i = 0; i < TABLE_MAX_COLUMNS; i++) {
        free(table->columns[i]);
    }
    memset(table, 0, sizeof(*table));
}

double table_at(const struct table *table, size_t column, double x, size_t *hint)
{
    const double *xs = table->columns[0];
    const double *ys = table->columns[column];
    size_t last = table->n_rows - 1;
    size_t at = *hint < last ? *hint : 0;

    if (x <= xs[0] || last == 0) {
        return ys[0];
    }
    if (x >= xs[last]) {
        return ys[last];
    }
    if (x < xs[at]) {
        at = 0;
    }
    while (x >= xs[at + 1]) {
        at++;
    }
    *hint = at;
    return ys[at] + (ys[at + 1] - ys[at]) * (x - xs[at]) / (xs[at + 1] - xs[at]);
}
