/* SPDX-License-Identifier: MIT */
#include "sheep/sysfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int open_attribute(const char *dir, const char *attribute, int flags, struct err *err)
{
    char path[SYSFS_PATH_SIZE];
    int fd = -1;

    if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, attribute) >= sizeof(path)) {
        return err_set(err, ERR_INPUT, "path is too long: %s", dir);
    }
    fd = open(path, flags | O_CLOEXEC);
    return fd >= 0 ? fd : err_set_errno(err, "%s", path);
}

int sysfs_read(const char *dir, const char *attribute, char text[SYSFS_TEXT_SIZE],
               struct err *err)
{
    int fd = open_attribute(dir, attribute, O_RDONLY, err);
    ssize_t length = 0;

    if (fd < 0) {
        return -1;
    }
    length = read(fd, text, SYSFS_TEXT_SIZE - 1);
    if (length < 0) {
        err_set_errno(err, "%s/%s", dir, attribute);
        close(fd);
        return -1;
    }
    close(fd);
    text[length] = '\0';
    text[strcspn(text, "\r\n")] = '\0';
    return 0;
}

int sysfs_read_number(const char *dir, const char *attribute, unsigned long long *number,
                      struct err *err)
{
    char text[SYSFS_TEXT_SIZE];
    char *end = NULL;

    if (sysfs_read(dir, attribute, text, err) < 0) {
        return -1;
    }
    errno = 0;
    *number = strtoull(text, &end, 0);
    if (end == text || *end != '\0' || errno != 0 || text[0] == '-') {
        return err_set(err, ERR_INPUT, "%s/%s: '%.40s' is not a number", dir, attribute, text);
    }
    return 0;
}

int sysfs_write(const char *dir, const char *attribute, const char *text, struct err *err)
{
    int fd = open_attribute(dir, attribute, O_WRONLY | O_TRUNC, err);
    size_t size = strlen(text);
    ssize_t written = 0;

    if (fd < 0) {
        return -1;
    }
    written = write(fd, text, size);
    if (written < 0) {
        err_set_errno(err, "%s/%s: '%s'", dir, attribute, text);
    } else if ((size_t)written < size) {
        err_set(err, ERR_SYSTEM, "%s/%s takes only a part of '%s'", dir, attribute, text);
    }
    close(fd);
    return written == (ssize_t)size ? 0 : -1;
}

static bool is_named(const char *dir, const char *name)
{
    char text[SYSFS_TEXT_SIZE];

    return sysfs_read(dir, "name", text, NULL) == 0 && strcmp(text, name) == 0;
}

int sysfs_find(const char *root, const char *class_name, const char *name,
               char dir[SYSFS_PATH_SIZE], struct err *err)
{
    char class_dir[SYSFS_PATH_SIZE];
    const struct dirent *entry = NULL;
    bool is_found = false;
    DIR *entries = NULL;

    snprintf(class_dir, sizeof(class_dir), "%s/class/%s", root, class_name);
    entries = opendir(class_dir);
    while (entries != NULL && !is_found
           && (entry = readdir(entries)) != NULL) { // NOLINT(concurrency-mt-unsafe)
        int length = snprintf(dir, SYSFS_PATH_SIZE, "%s/%s", class_dir, entry->d_name);

        is_found = entry->d_name[0] != '.' && length < SYSFS_PATH_SIZE && is_named(dir, name);
    }
    if (entries != NULL) {
        closedir(entries);
    }
    return is_found ? 0 : err_set(err, ERR_NOT_FOUND, "no %s of name %s", class_name, name);
}
