/* SPDX-License-Identifier: MIT */
#include "tests/support/caught.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    DEPTH = 16
};

void caught_begin(struct caught *caught, int fd)
{
    fflush(NULL);
    caught->fd = fd;
    caught->before = dup(fd);
    caught->file = memfd_create("caught", MFD_CLOEXEC);
    assert_true(caught->before >= 0 && caught->file >= 0);
    assert_int_equal(dup2(caught->file, fd), fd);
}

static char *read_all(int fd)
{
    off_t size = lseek(fd, 0, SEEK_END);
    char *text = calloc(1, (size_t)size + 1);

    assert_true(size >= 0);
    assert_non_null(text);
    assert_int_equal(pread(fd, text, (size_t)size, 0), size);
    return text;
}

char *caught_end(struct caught *caught)
{
    char *text = NULL;

    fflush(NULL);
    assert_int_equal(dup2(caught->before, caught->fd), caught->fd);
    close(caught->before);
    text = read_all(caught->file);
    close(caught->file);
    return text;
}

void caught_make_folder(const char *name, char *folder, size_t size)
{
    snprintf(folder, size, "/tmp/bw-%s-XXXXXX", name);
    assert_non_null(mkdtemp(folder));
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *ftw)
{
    (void)info;
    (void)kind;
    (void)ftw;
    return remove(path);
}

void caught_remove_folder(const char *folder)
{
    assert_int_equal(nftw(folder, remove_one, DEPTH, FTW_DEPTH | FTW_PHYS), 0);
}

void caught_write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

char *caught_read_text(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;

    if (file == NULL) {
        fail_msg("no file %s", path);
    }
    text = read_all(fileno(file));
    fclose(file);
    return text;
}
