/* SPDX-License-Identifier: MIT */
/* Catches what code under test prints, and gives a test a folder of its own. */
#ifndef TESTS_SUPPORT_CAUGHT_H
#define TESTS_SUPPORT_CAUGHT_H

#include <stddef.h>

/* What a file descriptor gets between begin and end. */
struct caught {
    int fd;     /* 1 or 2 */
    int before; /* where it went */
    int file;   /* where it goes now */
};
void caught_begin(struct caught *caught, int fd);
/* The text, to be freed. */
char *caught_end(struct caught *caught);

/* "/tmp/bw-NAME-XXXXXX", made; removed with all that is in it. */
void caught_make_folder(const char *name, char *folder, size_t size);
void caught_remove_folder(const char *folder);

/* A file with this text. */
void caught_write_text(const char *path, const char *text);
/* Its text, to be freed; fails the test without it. */
char *caught_read_text(const char *path);

#endif
