/* SPDX-License-Identifier: MIT */
#include "common/h5_table.h"

#include <stdio.h>
#include <stdlib.h>

struct h5_table {
    size_t n_columns;
    struct h5_chunked *columns[H5_TABLE_COLUMNS];
};

static hid_t type_of(enum h5_cell cell)
{
    switch (cell) {
    case H5_CELL_U8:
        return H5T_STD_U8LE;
    case H5_CELL_U16:
        return H5T_STD_U16LE;
    case H5_CELL_U32:
        return H5T_STD_U32LE;
    case H5_CELL_U64:
        return H5T_STD_U64LE;
    case H5_CELL_I64:
        return H5T_STD_I64LE;
    }
    return -1;
}

static size_t bytes_of(enum h5_cell cell)
{
    static const size_t bytes[] = {
        [H5_CELL_U8] = 1,  [H5_CELL_U16] = 2, [H5_CELL_U32] = 4,
        [H5_CELL_U64] = 8, [H5_CELL_I64] = 8,
    };

    return bytes[cell];
}

struct h5_table *h5_table_create(struct h5_packer *packer, const char *group,
                                 uint32_t chunk_rows, const struct h5_column_spec *columns,
                                 size_t n_columns, struct err *err)
{
    struct h5_table *table = calloc(1, sizeof(*table));

    if (table == NULL || n_columns > H5_TABLE_COLUMNS) {
        free(table);
        err_set(err, ERR_MEMORY, "%s", group);
        return NULL;
    }
    for (size_t i = 0; i < n_columns; i++) {
        char path[128];
        struct h5_chunked_spec spec = {
            .path = path,
            .type = type_of(columns[i].cell),
            .type_bytes = bytes_of(columns[i].cell),
            .n_columns = columns[i].width,
            .chunk_rows = chunk_rows,
            .meaning = columns[i].meaning,
        };

        snprintf(path, sizeof(path), "%s/%s", group, columns[i].name);
        table->columns[i] = h5_chunked_create(packer, &spec, err);
        if (table->columns[i] == NULL) {
            h5_table_destroy(&table);
            return NULL;
        }
        table->n_columns = i + 1;
    }
    return table;
}

int h5_table_append(struct h5_table *table, const void *const *cells, size_t n_rows,
                    struct err *err)
{
    for (size_t i = 0; i < table->n_columns; i++) {
        if (h5_chunked_append(table->columns[i], cells[i], n_rows, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int h5_table_finish(struct h5_table *table, struct err *err)
{
    for (size_t i = 0; i < table->n_columns; i++) {
        if (h5_chunked_finish(table->columns[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}

void h5_table_destroy(struct h5_table **table)
{
    if (*table != NULL) {
        for (size_t i = 0; i < H5_TABLE_COLUMNS; i++) {
            h5_chunked_destroy(&(*table)->columns[i]);
        }
        free(*table);
        *table = NULL;
    }
}

hid_t h5_table_dataset(const struct h5_table *table, size_t column)
{
    return h5_chunked_dataset(table->columns[column]);
}
