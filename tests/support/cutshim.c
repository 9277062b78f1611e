/* SPDX-License-Identifier: MIT */
/* LD_PRELOAD: notes every change of files below CUT_ROOT, in order, in the file CUT_JOURNAL, so
 * that a test can ask what a cut of power at any moment would have left on the disk.
 *
 * An entry is a line "KIND OFFSET SIZE PATH" (rename: two paths behind each other, each with
 * its length in OFFSET and SIZE), followed for W by SIZE bytes. Kinds: C created, W written, S
 * synced (file or folder), T truncated, R renamed, U removed, M folder made. */
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

int open(const char *path, int flags, ...);
int open64(const char *path, int flags, ...);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int journal_fd = -1;

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static ssize_t really_write(int fd, const void *data, size_t size)
{
    ssize_t (*real)(int, const void *, size_t) = NULL;
    void *symbol = next("write");

    memcpy(&real, &symbol, sizeof(real));
    return real(fd, data, size);
}

static int really_open(const char *path, int flags, unsigned mode)
{
    int (*real)(const char *, int, ...) = NULL;
    void *symbol = next("open");

    memcpy(&real, &symbol, sizeof(real));
    return real(path, flags, mode);
}

static bool is_watched(const char *path)
{
    const char *root = getenv("CUT_ROOT"); // NOLINT(concurrency-mt-unsafe): nobody sets it

    return root != NULL && strncmp(path, root, strlen(root)) == 0;
}

static void note(char kind, unsigned long long offset, size_t size, const char *path,
                 const void *data)
{
    const char *name = getenv("CUT_JOURNAL"); // NOLINT(concurrency-mt-unsafe): as above
    char line[PATH_MAX + 64];
    int length = 0;

    if (name == NULL) {
        return;
    }
    pthread_mutex_lock(&lock);
    if (journal_fd < 0) {
        journal_fd = really_open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    }
    length = snprintf(line, sizeof(line), "%c %llu %zu %s\n", kind, offset, size, path);
    (void)!really_write(journal_fd, line, (size_t)length);
    if (data != NULL) {
        (void)!really_write(journal_fd, data, size);
    }
    pthread_mutex_unlock(&lock);
}

static bool path_of(int fd, char path[PATH_MAX])
{
    char link[40];
    ssize_t n = 0;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, PATH_MAX - 1);
    if (n < 0) {
        return false;
    }
    path[n] = '\0';
    return is_watched(path);
}

static void full_path(const char *path, char full[PATH_MAX])
{
    char folder[PATH_MAX] = "";

    if (path[0] == '/' || getcwd(folder, sizeof(folder)) == NULL) {
        snprintf(full, PATH_MAX, "%s", path);
    } else {
        snprintf(full, PATH_MAX, "%.2000s/%.2000s", folder, path);
    }
}

static int open_noting(const char *path, int flags, unsigned mode)
{
    char full[PATH_MAX];
    bool is_new = false;
    int fd = -1;

    full_path(path, full);
    is_new = (flags & O_CREAT) != 0 && is_watched(full) && access(full, F_OK) != 0;
    fd = really_open(path, flags, mode);
    if (fd >= 0 && is_new) {
        note('C', 0, 0, full, NULL);
    } else if (fd >= 0 && (flags & O_TRUNC) != 0 && is_watched(full)) {
        note('T', 0, 0, full, NULL);
    }
    return fd;
}

int open(const char *path, int flags, ...)
{
    va_list args;
    unsigned mode = 0;

    va_start(args, flags);
    mode = (flags & O_CREAT) != 0 ? va_arg(args, unsigned) : 0;
    va_end(args);
    return open_noting(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list args;
    unsigned mode = 0;

    va_start(args, flags);
    mode = (flags & O_CREAT) != 0 ? va_arg(args, unsigned) : 0;
    va_end(args);
    return open_noting(path, flags, mode);
}

ssize_t write(int fd, const void *data, size_t size)
{
    char path[PATH_MAX];
    struct stat info;
    bool is_noted = fd > 2 && fd != journal_fd && path_of(fd, path);
    off_t offset = 0;
    ssize_t n = 0;

    if (is_noted) {
        offset = (fcntl(fd, F_GETFL) & O_APPEND) != 0 && fstat(fd, &info) == 0
                     ? info.st_size
                     : lseek(fd, 0, SEEK_CUR);
    }
    n = really_write(fd, data, size);
    if (is_noted && n > 0) {
        note('W', (unsigned long long)offset, (size_t)n, path, data);
    }
    return n;
}

static int sync_noting(const char *name, int fd)
{
    int (*real)(int) = NULL;
    void *symbol = next(name);
    char path[PATH_MAX];
    int result = 0;

    memcpy(&real, &symbol, sizeof(real));
    result = real(fd);
    if (result == 0 && path_of(fd, path)) {
        note('S', 0, 0, path, NULL);
    }
    return result;
}

int fsync(int fd)
{
    return sync_noting("fsync", fd);
}

int fdatasync(int fd)
{
    return sync_noting("fdatasync", fd);
}

int ftruncate(int fd, off_t length)
{
    int (*real)(int, off_t) = NULL;
    void *symbol = next("ftruncate");
    char path[PATH_MAX];
    int result = 0;

    memcpy(&real, &symbol, sizeof(real));
    result = real(fd, length);
    if (result == 0 && path_of(fd, path)) {
        note('T', (unsigned long long)length, 0, path, NULL);
    }
    return result;
}

int rename(const char *from, const char *to)
{
    int (*real)(const char *, const char *) = NULL;
    void *symbol = next("rename");
    char full_from[PATH_MAX];
    char full_to[PATH_MAX];
    char both[2 * PATH_MAX];
    int result = 0;

    memcpy(&real, &symbol, sizeof(real));
    result = real(from, to);
    full_path(from, full_from);
    full_path(to, full_to);
    if (result == 0 && is_watched(full_to)) {
        snprintf(both, sizeof(both), "%.4000s%.4000s", full_from, full_to);
        note('R', strlen(full_from), strlen(full_to), both, NULL);
    }
    return result;
}

int unlink(const char *path)
{
    int (*real)(const char *) = NULL;
    void *symbol = next("unlink");
    char full[PATH_MAX];
    int result = 0;

    memcpy(&real, &symbol, sizeof(real));
    result = real(path);
    full_path(path, full);
    if (result == 0 && is_watched(full)) {
        note('U', 0, 0, full, NULL);
    }
    return result;
}

int mkdir(const char *path, mode_t mode)
{
    int (*real)(const char *, mode_t) = NULL;
    void *symbol = next("mkdir");
    char full[PATH_MAX];
    int result = 0;

    memcpy(&real, &symbol, sizeof(real));
    result = real(path, mode);
    full_path(path, full);
    if (result == 0 && is_watched(full)) {
        note('M', 0, 0, full, NULL);
    }
    return result;
}
