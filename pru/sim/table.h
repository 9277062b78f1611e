/* SPDX-License-Identifier: MIT */
/* Columns of numbers from a CSV file, and linear interpolation in them. */
#ifndef PRU_SIM_TABLE_H
#define PRU_SIM_TABLE_H

#include <stddef.h>

enum {
    TABLE_MAX_COLUMNS = 4
};

struct table {
    size_t n_rows;
    size_t n_columns;
    double *columns[TABLE_MAX_COLUMNS];
};

/* Reads PATH: one header line, then rows of at least min_columns numbers; the first column must
 * rise strictly. -1 and why ("path:line: what is wrong") in text. */
int table_load(struct table *table, const char *path, size_t min_columns, char *why,
               size_t why_size);
void table_free(struct table *table);

/* Column at x of the first one, linear between rows, constant beyond the ends. *hint speeds up
 * a sequence of rising x; start it with 0. */
double table_at(const struct table *table, size_t column, double x, size_t *hint);

#endif
