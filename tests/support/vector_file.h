/* SPDX-License-Identifier: MIT */
/* Reads a case of reference vectors: NAME.cfg (text) and NAME.csv.xz (through xz). */
#ifndef TESTS_SUPPORT_VECTOR_FILE_H
#define TESTS_SUPPORT_VECTOR_FILE_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

enum {
    VECTOR_COLUMNS_MAX = 64,
    VECTOR_NAME_SIZE = 128
};

struct vector_entry {
    char *key;
    char *value; /* the rest of the line */
};

struct vector_file {
    char name[VECTOR_NAME_SIZE];
    struct vector_entry *entries;
    size_t n_entries;
    size_t n_columns;
    char *columns[VECTOR_COLUMNS_MAX];
    double row[VECTOR_COLUMNS_MAX]; /* of the last vector_next */
    size_t n_rows;                  /* read so far */
    FILE *stream;
    pid_t child;
    char *header;
};

/* Reads the configuration only. NULL with a reason. */
struct vector_file *vector_open(const char *folder, const char *name, struct err *err);
void vector_close(struct vector_file **file);

/* NULL when the key is not there. */
const char *vector_text(const struct vector_file *file, const char *prefix, const char *key);
double vector_number(const struct vector_file *file, const char *prefix, const char *key,
                     double missing);
/* How many numbers the value has; at most count are stored. */
size_t vector_list(const struct vector_file *file, const char *prefix, const char *key,
                   double *values, size_t count);

/* Starts to read the table. */
MUST_CHECK int vector_start(struct vector_file *file, const char *folder, struct err *err);
/* 1: a row is there, 0: end, -1: the table is broken. */
MUST_CHECK int vector_next(struct vector_file *file, struct err *err);
/* Its number, or -1. */
int vector_column(const struct vector_file *file, const char *prefix, const char *name);

#endif
