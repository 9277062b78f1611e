/* SPDX-License-Identifier: MIT */
#include "tests/support/temp_folder.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

void temp_folder_make(char folder[TEMP_FOLDER_SIZE])
{
    snprintf(folder, TEMP_FOLDER_SIZE, "/tmp/bw_test_XXXXXX");
    assert_non_null(mkdtemp(folder));
}

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *ftw)
{
    (void)status;
    (void)flag;
    (void)ftw;
    return remove(path);
}

void temp_folder_remove(const char *folder)
{
    assert_int_equal(nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

void temp_folder_path(const char *folder, const char *name, char path[TEMP_PATH_SIZE])
{
    assert_true(snprintf(path, TEMP_PATH_SIZE, "%s/%s", folder, name) < TEMP_PATH_SIZE);
}

void temp_folder_write(const char *folder, const char *name, const char *text)
{
    char path[TEMP_PATH_SIZE];
    FILE *file = NULL;

    temp_folder_path(folder, name, path);
    file = fopen(path, "wbe");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}
