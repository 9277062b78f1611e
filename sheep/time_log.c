/* SPDX-License-Identifier: MIT */
#include "sheep/time_log.h"

#include "common/experiment.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    LINE_BYTES = 1024,
    READS_AT_ONCE = 16,
    TICKS_BETWEEN_TRIES = 10,
};

struct time_log {
    char path[PATH_SIZE]; /* "": the journal */
    time_log_fn take;
    void *arg;
    int fd; /* of the file, or the end of journalctl's pipe */
    ino_t inode;
    pid_t child;
    unsigned n_ticks;
    bool is_overlong; /* the rest of this line is skipped */
    char line[LINE_BYTES];
    size_t length;
};

static bool is_journal(const struct time_log *log)
{
    return log->path[0] == '\0';
}

/* ---- where it comes from ---- */

static void open_file(struct time_log *log, int whence)
{
    struct stat status;

    log->fd = open(log->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (log->fd < 0) {
        return;
    }
    if (fstat(log->fd, &status) < 0 || !S_ISREG(status.st_mode)
        || lseek(log->fd, 0, whence) < 0) {
        close(log->fd);
        log->fd = -1;
        return;
    }
    log->inode = status.st_ino;
}

static void start_journalctl(struct time_log *log)
{
    char words[][16] = { "journalctl", "-q", "-f", "-n0", "-o", "cat", "-t", "phc2sys" };
    char *argv[sizeof(words) / sizeof(words[0]) + 1] = { NULL };
    posix_spawn_file_actions_t actions;
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0) {
        return;
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        argv[i] = words[i];
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (posix_spawnp(&log->child, argv[0], &actions, NULL, argv, environ) != 0
        || fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) {
        close(ends[0]);
    } else {
        log->fd = ends[0];
    }
    close(ends[1]);
    posix_spawn_file_actions_destroy(&actions);
}

static void let_go(struct time_log *log)
{
    if (log->fd >= 0) {
        close(log->fd);
        log->fd = -1;
    }
    if (log->child > 0) {
        kill(log->child, SIGTERM);
        while (waitpid(log->child, NULL, 0) < 0 && errno == EINTR) {}
        log->child = 0;
    }
    log->length = 0;
}

struct time_log *time_log_create(const char *where, time_log_fn take, void *arg)
{
    struct time_log *log = calloc(1, sizeof(*log));

    if (log == NULL) {
        return NULL;
    }
    log->take = take;
    log->arg = arg;
    log->fd = -1;
    if (strcmp(where, "journal") != 0) {
        snprintf(log->path, sizeof(log->path), "%s", where);
        open_file(log, SEEK_END);
    }
    return log;
}

void time_log_destroy(struct time_log **log)
{
    if (*log == NULL) {
        return;
    }
    let_go(*log);
    free(*log);
    *log = NULL;
}

/* ---- lines ---- */

static void take_byte(struct time_log *log, char byte)
{
    if (byte == '\n') {
        log->line[log->length] = '\0';
        if (!log->is_overlong) {
            log->take(log->arg, log->line);
        }
        log->length = 0;
        log->is_overlong = false;
    } else if (log->length + 1 < LINE_BYTES) {
        log->line[log->length++] = byte;
    } else {
        log->is_overlong = true;
    }
}

/* False at the end of what comes. */
static bool read_on(struct time_log *log)
{
    char bytes[LINE_BYTES];

    for (int i = 0; i < READS_AT_ONCE; i++) {
        ssize_t size = read(log->fd, bytes, sizeof(bytes));

        if (size <= 0) {
            return size < 0 && (errno == EAGAIN || errno == EINTR);
        }
        for (ssize_t k = 0; k < size; k++) {
            take_byte(log, bytes[k]);
        }
    }
    return true;
}

/* A log that was rotated is another file under the same name. */
static bool is_replaced(const struct time_log *log)
{
    struct stat status;

    return stat(log->path, &status) == 0
           && (status.st_ino != log->inode || status.st_size < lseek(log->fd, 0, SEEK_CUR));
}

void time_log_tick(struct time_log *log)
{
    if (log->fd < 0 && is_journal(log) && log->n_ticks % TICKS_BETWEEN_TRIES == 0) {
        start_journalctl(log);
    } else if (log->fd < 0 && !is_journal(log)) {
        open_file(log, SEEK_SET); /* it came after us: all of it is new */
    }
    if (log->fd >= 0 && !is_journal(log)) {
        (void)read_on(log);
        if (is_replaced(log)) {
            let_go(log);
            open_file(log, SEEK_SET);
        }
    }
    log->n_ticks++;
}

int time_log_fd(const struct time_log *log)
{
    return is_journal(log) ? log->fd : -1;
}

void time_log_ready(struct time_log *log)
{
    if (!read_on(log)) {
        let_go(log); /* journalctl has ended */
    }
}
