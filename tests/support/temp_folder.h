/* SPDX-License-Identifier: MIT */
/* A folder for one test, and its end. */
#ifndef TESTS_SUPPORT_TEMP_FOLDER_H
#define TESTS_SUPPORT_TEMP_FOLDER_H

enum {
    TEMP_FOLDER_SIZE = 64,
    TEMP_PATH_SIZE = 512
};

/* Makes an empty folder; the calling test fails when it cannot. */
void temp_folder_make(char folder[TEMP_FOLDER_SIZE]);

/* Removes it with all that is in it. */
void temp_folder_remove(const char *folder);

/* FOLDER/NAME. */
void temp_folder_path(const char *folder, const char *name, char path[TEMP_PATH_SIZE]);

/* Writes FOLDER/NAME with this text. */
void temp_folder_write(const char *folder, const char *name, const char *text);

#endif
