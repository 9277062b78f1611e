/* SPDX-License-Identifier: MIT */
#include "common/h5_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CPU_S = 10,               /* of any file, so that none keeps us for ever ... */
    CPU_BYTES_PER_S = 500000, /* ... and more for a large one */
};

static bool write_all(int fd, const void *data, size_t size)
{
    const char *at = data;

    while (size > 0) {
        ssize_t n = write(fd, at, size);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        at += n;
        size -= (size_t)n;
    }
    return true;
}

static bool read_all(int fd, void *data, size_t size)
{
    char *at = data;

    while (size > 0) {
        ssize_t n = read(fd, at, size);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        at += n;
        size -= (size_t)n;
    }
    return true;
}

static void limit_time(const char *path)
{
    struct stat info = { 0 };
    rlim_t seconds = CPU_S;
    struct rlimit none = { 0, 0 };

    if (stat(path, &info) == 0) {
        seconds += (rlim_t)(info.st_size / CPU_BYTES_PER_S);
    }
    struct rlimit limit = { seconds, seconds + 1 };

    setrlimit(RLIMIT_CPU, &limit);
    setrlimit(RLIMIT_CORE, &none);
}

/* Whoever catches crashes of the parent must not do so here, with the parent's state; and what
 * a dying child has to say is nothing for the user. */
static void die_simply(void)
{
    static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGXCPU };
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    if (null >= 0) {
        dup2(null, STDERR_FILENO);
        close(null);
    }
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        signal(signals[i], SIG_DFL);
    }
}

static void run_child(int fd, const char *path, h5_guard_fn fn, const void *arg, void *result,
                      size_t result_size)
{
    struct err err = { 0 };
    int32_t status = 0;
    bool is_sent = false;

    die_simply();
    limit_time(path);
    status = fn(arg, result, &err);
    is_sent = write_all(fd, &status, sizeof(status)) && write_all(fd, &err, sizeof(err))
              && write_all(fd, result, result_size);
    _exit(is_sent ? 0 : 1);
}

static int wait_for(pid_t pid)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    return status;
}

int h5_guard(const char *path, h5_guard_fn fn, const void *arg, void *result,
             size_t result_size, struct err *err)
{
    int ends[2];
    struct err said = { 0 };
    int32_t status = -1;
    bool is_answered = false;
    pid_t pid = -1;

    if (pipe(ends) < 0) {
        return err_set_errno(err, "%s", path);
    }
    pid = fork();
    if (pid < 0) {
        close(ends[0]);
        close(ends[1]);
        return err_set_errno(err, "%s", path);
    }
    if (pid == 0) {
        close(ends[0]);
        run_child(ends[1], path, fn, arg, result, result_size);
    }
    close(ends[1]);
    is_answered = read_all(ends[0], &status, sizeof(status))
                  && read_all(ends[0], &said, sizeof(said))
                  && read_all(ends[0], result, result_size);
    close(ends[0]);
    int death = wait_for(pid);

    if (!is_answered) {
        return err_set(err, ERR_CORRUPT, "%s: broken so badly that libhdf5 %s (signal %d)",
                       path,
                       WIFSIGNALED(death) && WTERMSIG(death) == SIGXCPU ? "never ends"
                                                                        : "does not survive it",
                       WIFSIGNALED(death) ? WTERMSIG(death) : 0);
    }
    if (status < 0 && err != NULL) {
        *err = said;
    }
    return status;
}
