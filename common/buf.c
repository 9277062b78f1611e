/* SPDX-License-Identifier: MIT */
#include "common/buf.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void buf_fini(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){ 0 };
}

void buf_clear(struct buf *buf)
{
    buf->size = 0;
    buf->failed = false;
    if (buf->data != NULL) {
        buf->data[0] = '\0';
    }
}

static bool reserve(struct buf *buf, size_t more)
{
    size_t need = buf->size + more + 1;
    size_t capacity = buf->capacity > 0 ? buf->capacity : 256;
    char *data = NULL;

    if (buf->failed || need < buf->size) {
        buf->failed = true;
        return false;
    }
    if (need <= buf->capacity) {
        return true;
    }
    while (capacity < need) {
        capacity *= 2;
    }
    data = realloc(buf->data, capacity);
    if (data == NULL) {
        buf->failed = true;
        return false;
    }
    buf->data = data;
    buf->capacity = capacity;
    return true;
}

void buf_append(struct buf *buf, const void *data, size_t size)
{
    if (!reserve(buf, size)) {
        return;
    }
    if (size > 0) {
        memcpy(buf->data + buf->size, data, size);
    }
    buf->size += size;
    buf->data[buf->size] = '\0';
}

void buf_text(struct buf *buf, const char *text)
{
    buf_append(buf, text, strlen(text));
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    int length = 0;

    va_start(args, format);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0 || !reserve(buf, (size_t)length)) {
        buf->failed = true;
        return;
    }
    va_start(args, format);
    vsnprintf(buf->data + buf->size, (size_t)length + 1, format, args);
    va_end(args);
    buf->size += (size_t)length;
}

int buf_read_file(struct buf *buf, const char *path, size_t max_bytes, struct err *err)
{
    char block[16384];
    struct stat info = { 0 };
    size_t total = 0;
    ssize_t n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) {
        return err_set_errno(err, "%s", path);
    }
    if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode)) {
        close(fd);
        return err_set(err, ERR_INPUT, "%s: not a regular file", path);
    }
    while ((n = read(fd, block, sizeof(block))) > 0) {
        total += (size_t)n;
        if (total > max_bytes) {
            close(fd);
            return err_set(err, ERR_INPUT, "%s: longer than %zu bytes", path, max_bytes);
        }
        buf_append(buf, block, (size_t)n);
    }
    if (n < 0) {
        err_set_errno(err, "%s", path);
        close(fd);
        return -1;
    }
    close(fd);
    if (buf->failed) {
        return err_set(err, ERR_MEMORY, "%s: no memory for its content", path);
    }
    return 0;
}

static int sync_folder_of(const char *path, struct err *err)
{
    char folder[PATH_MAX];
    char *slash = NULL;
    int fd = -1;
    int result = 0;

    snprintf(folder, sizeof(folder), "%s", path);
    slash = strrchr(folder, '/');
    if (slash == NULL) {
        snprintf(folder, sizeof(folder), ".");
    } else if (slash == folder) {
        folder[1] = '\0';
    } else {
        *slash = '\0';
    }
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0) {
        result = err_set_errno(err, "sync of folder %s", folder);
    }
    if (fd >= 0) {
        close(fd);
    }
    return result;
}

int file_write_atomic(const char *path, const void *data, size_t size, unsigned mode,
                      struct err *err)
{
    char temporary[PATH_MAX];
    const char *rest = data;
    int fd = -1;

    if (snprintf(temporary, sizeof(temporary), "%s.%d.tmp", path, (int)getpid())
        >= (int)sizeof(temporary)) {
        return err_set(err, ERR_INPUT, "%s: path too long", path);
    }
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode);
    if (fd < 0) {
        return err_set_errno(err, "%s", temporary);
    }
    while (size > 0) {
        ssize_t n = write(fd, rest, size);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            err_set_errno(err, "%s", temporary);
            goto fail;
        }
        rest += n;
        size -= (size_t)n;
    }
    if (fsync(fd) < 0) {
        err_set_errno(err, "%s", temporary);
        goto fail;
    }
    close(fd);
    fd = -1;
    if (rename(temporary, path) < 0) {
        err_set_errno(err, "%s", path);
        goto fail;
    }
    return sync_folder_of(path, err);
fail:
    if (fd >= 0) {
        close(fd);
    }
    unlink(temporary);
    return -1;
}

int dir_make(const char *path, unsigned mode, struct err *err)
{
    char part[PATH_MAX];
    struct stat info = { 0 };

    if (snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part) || part[0] == '\0') {
        return err_set(err, ERR_INPUT, "'%s': not a usable path", path);
    }
    for (char *at = part + 1; *at != '\0'; at++) {
        if (*at == '/') {
            *at = '\0';
            if (mkdir(part, (mode_t)mode) < 0 && errno != EEXIST) {
                return err_set_errno(err, "%s", part);
            }
            *at = '/';
        }
    }
    if (mkdir(part, (mode_t)mode) < 0 && errno != EEXIST) {
        return err_set_errno(err, "%s", part);
    }
    if (stat(part, &info) < 0 || !S_ISDIR(info.st_mode)) {
        return err_set(err, ERR_INPUT, "%s: not a folder", path);
    }
    return 0;
}

bool text_to_i64(const char *text, int64_t *value)
{
    char *end = NULL;
    long long parsed = 0;

    if (text[0] == '\0' || isspace((unsigned char)text[0])) {
        return false;
    }
    errno = 0;
    parsed = strtoll(text, &end, 10);
    if (errno != 0 || *end != '\0') {
        return false;
    }
    *value = parsed;
    return true;
}

bool text_to_u64(const char *text, uint64_t *value)
{
    char *end = NULL;
    unsigned long long parsed = 0;
    int base = strncmp(text, "0x", 2) == 0 ? 16 : 10;

    if (!isdigit((unsigned char)text[0])) {
        return false;
    }
    errno = 0;
    parsed = strtoull(text, &end, base);
    if (errno != 0 || *end != '\0') {
        return false;
    }
    *value = parsed;
    return true;
}

bool text_to_f64(const char *text, double *value)
{
    char *end = NULL;
    double parsed = 0;

    if (text[0] == '\0' || isspace((unsigned char)text[0])) {
        return false;
    }
    errno = 0;
    parsed = strtod(text, &end);
    if (*end != '\0' || !isfinite(parsed) || (errno == ERANGE && fabs(parsed) > 1)) {
        return false;
    }
    *value = parsed;
    return true;
}

bool name_is_safe(const char *name, size_t max)
{
    size_t length = strlen(name);

    if (length == 0 || length > max || name[0] == '.' || name[0] == '-') {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (!isalnum((unsigned char)name[i]) && strchr("._-", name[i]) == NULL) {
            return false;
        }
    }
    return true;
}
