/* SPDX-License-Identifier: MIT */
/* A group of datasets of equal length whose rows grow together, as Shepherd's side channels
 * are. */
#ifndef COMMON_H5_TABLE_H
#define COMMON_H5_TABLE_H

#include "common/h5_chunked.h"

#include <stddef.h>
#include <stdint.h>

enum h5_cell {
    H5_CELL_U8,
    H5_CELL_U16,
    H5_CELL_U32,
    H5_CELL_U64,
    H5_CELL_I64,
};

struct h5_column_spec {
    const char *name;
    enum h5_cell cell;
    unsigned width; /* cells a row, 0: one dimension */
    struct h5_meaning meaning;
};

enum {
    H5_TABLE_COLUMNS = 8
};

/* "time" of everything that is no sample: ns of UTC. */
#define H5_TIME_COLUMN(text)       \
    {                              \
        "time", H5_CELL_U64, 0,    \
        {                          \
            1e-9, 0.0, "s", (text) \
        }                          \
    }

struct h5_table;
/* The group exists. `columns` are copied as far as needed. */
struct h5_table *h5_table_create(struct h5_packer *packer, const char *group,
                                 uint32_t chunk_rows, const struct h5_column_spec *columns,
                                 size_t n_columns, struct err *err);
/* cells[i]: n_rows rows of column i, in the machine's own format. */
MUST_CHECK int h5_table_append(struct h5_table *table, const void *const *cells, size_t n_rows,
                               struct err *err);
MUST_CHECK int h5_table_finish(struct h5_table *table, struct err *err);
void h5_table_destroy(struct h5_table **table);
hid_t h5_table_dataset(const struct h5_table *table, size_t column); /* a loan */

#endif
