/* SPDX-License-Identifier: MIT */
/* The processes of a farm; the second part of sim_farm.h. */
#include "herd/sim_farm.h"

#include "common/buf.h"
#include "common/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    CMDLINE_MAX = 4096,
    END_MS = 5000, /* an agent that drains a running recorder gets this long */
    POLL_MS = 10,
    MAX_LEFT_OVER = 8,
};

static bool is_program(const char *path)
{
    struct stat info = { 0 };

    return stat(path, &info) == 0 && S_ISREG(info.st_mode) && access(path, X_OK) == 0;
}

static bool find_in_path(char *path, size_t size)
{
    const char *rest = getenv("PATH"); /* NOLINT(concurrency-mt-unsafe): nobody calls setenv */

    while (rest != NULL && *rest != '\0') {
        size_t length = strcspn(rest, ":");
        int needed = snprintf(path, size, "%.*s/sheep", (int)length, rest);

        if (length > 0 && needed > 0 && (size_t)needed < size && is_program(path)) {
            return true;
        }
        rest += length + (rest[length] == ':' ? 1 : 0);
    }
    return false;
}

int farm_find_sheep(char *path, size_t size, struct err *err)
{
    static const char *const PLACES[] = { "/../sheep/sheep", "/sheep" };
    char own[PATH_MAX] = "";
    ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);

    if (length > 0 && strrchr(own, '/') != NULL) {
        *strrchr(own, '/') = '\0';
        for (size_t i = 0; i < ARRAY_LEN(PLACES); i++) {
            int needed = snprintf(path, size, "%s%s", own, PLACES[i]);

            if (needed > 0 && (size_t)needed < size && is_program(path)) {
                return 0;
            }
        }
    }
    if (find_in_path(path, size)) {
        return 0;
    }
    return err_set(err, ERR_NOT_FOUND, "no program 'sheep' beside herd or in $PATH");
}

/* True when the process runs `sheep VERB ... CONFIG`. */
static bool is_process_of(pid_t pid, const char *verb, const char *config)
{
    char path[64];
    char words[CMDLINE_MAX + 1];
    bool has_verb = false;
    bool has_config = false;
    ssize_t size = 0;
    int fd = -1;

    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    size = read(fd, words, CMDLINE_MAX);
    close(fd);
    if (size <= 0) {
        return false;
    }
    words[size] = '\0';
    for (const char *word = words; word < words + size; word += strlen(word) + 1) {
        has_verb = has_verb || strcmp(word, verb) == 0;
        has_config = has_config || strcmp(word, config) == 0;
    }
    return has_verb && has_config;
}

static int config_path(char path[PATH_MAX], const char *folder, const char *node,
                       struct err *err)
{
    char relative[PATH_MAX];

    if (farm_path(relative, sizeof(relative), folder, node, "sheep.yaml", err) < 0) {
        return -1;
    }
    if (realpath(relative, path) == NULL) {
        return err_set_errno(err, "%s", relative);
    }
    return 0;
}

pid_t farm_agent_pid(const char *folder, const char *node)
{
    char path[PATH_MAX];
    char config[PATH_MAX];
    struct buf text = { 0 };
    int64_t pid = 0;
    bool is_ours = false;

    if (farm_path(path, sizeof(path), folder, node, "sheep.pid", NULL) == 0
        && config_path(config, folder, node, NULL) == 0
        && buf_read_file(&text, path, 32, NULL) == 0 && text.data != NULL) {
        text.data[strcspn(text.data, "\n")] = '\0';
        is_ours = text_to_i64(text.data, &pid) && pid > 1 && pid <= INT_MAX
                  && is_process_of((pid_t)pid, "run", config);
    }
    buf_fini(&text);
    return is_ours ? (pid_t)pid : 0;
}

static int spawn_agent(const char *sheep, const char *config, const char *log, pid_t *pid)
{
    char *const words[] = { (char[]){ "sheep" }, (char[]){ "run" }, (char[]){ "-c" },
                            strdup(config), NULL };
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none;
    int fault = 0;

    sigemptyset(&none);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_APPEND,
                                     0644);
    posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
    posix_spawnattr_init(&attributes);
    /* A session of its own: Ctrl-C is herd's to pass on, in order. */
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&attributes, &none);
    fault = words[3] != NULL ? posix_spawn(pid, sheep, &files, &attributes, words, environ)
                             : ENOMEM;
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    free(words[3]);
    return fault;
}

int farm_start_node(const char *sheep, const char *folder, const char *node, pid_t *pid,
                    struct err *err)
{
    char config[PATH_MAX];
    char log[PATH_MAX];
    char pid_path[PATH_MAX];
    char text[32];
    int fault = 0;

    if (config_path(config, folder, node, err) < 0
        || farm_path(log, sizeof(log), folder, node, "sheep.log", err) < 0
        || farm_path(pid_path, sizeof(pid_path), folder, node, "sheep.pid", err) < 0) {
        return -1;
    }
    fault = spawn_agent(sheep, config, log, pid);
    if (fault != 0) {
        errno = fault;
        return err_set_errno(err, "start %s", sheep);
    }
    snprintf(text, sizeof(text), "%d\n", (int)*pid);
    return file_write_atomic(pid_path, text, strlen(text), 0644, err);
}

/* The recorder is a process of its own that outlives an agent; it is found by its command
 * line. */
static pid_t find_recorder(const char *config)
{
    DIR *dir = opendir("/proc");
    const struct dirent *entry = NULL;
    pid_t found = 0;

    /* A stream of our own: safe in glibc. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while (dir != NULL && found == 0 && (entry = readdir(dir)) != NULL) {
        int64_t pid = 0;

        if (text_to_i64(entry->d_name, &pid) && pid > 1
            && is_process_of((pid_t)pid, "recorder", config)) {
            found = (pid_t)pid;
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return found;
}

static bool has_ended(pid_t pid, const char *verb, const char *config)
{
    /* Ours may be a zombie: reap it. */
    if (waitpid(pid, NULL, WNOHANG) == pid) {
        return true;
    }
    return !is_process_of(pid, verb, config);
}

static void wait_end(pid_t pid, const char *verb, const char *config)
{
    const struct timespec pause = { 0, POLL_MS * 1000000L };
    int64_t deadline_ns = clock_mono_ns() + END_MS * NS_PER_MS;

    while (!has_ended(pid, verb, config)) {
        if (clock_mono_ns() > deadline_ns) {
            kill(pid, SIGKILL);
        }
        nanosleep(&pause, NULL);
    }
}

/* Asks one process of each node, all before one is waited for; returns how many there were. */
static unsigned stop_round(const struct inventory *inventory, const char *folder,
                           const char *verb, pid_t *pids)
{
    char config[PATH_MAX];
    unsigned count = 0;

    for (size_t i = 0; i < inventory->n_nodes; i++) {
        const char *node = inventory->nodes[i].name;

        pids[i] = 0;
        if (config_path(config, folder, node, NULL) == 0) {
            pids[i] =
                strcmp(verb, "run") == 0 ? farm_agent_pid(folder, node) : find_recorder(config);
        }
        if (pids[i] != 0) {
            kill(pids[i], SIGTERM);
            count++;
        }
    }
    for (size_t i = 0; i < inventory->n_nodes; i++) {
        if (pids[i] != 0 && config_path(config, folder, inventory->nodes[i].name, NULL) == 0) {
            wait_end(pids[i], verb, config);
        }
    }
    return count;
}

unsigned farm_stop(const struct inventory *inventory, const char *folder)
{
    pid_t *pids = calloc(inventory->n_nodes + 1, sizeof(*pids));
    unsigned n_agents = 0;

    if (pids == NULL) {
        return 0;
    }
    /* Agents first, for they start recorders; of those, one may be left over from before. */
    n_agents = stop_round(inventory, folder, "run", pids);
    for (int i = 0; i < MAX_LEFT_OVER && stop_round(inventory, folder, "recorder", pids) > 0;
         i++) {}
    free(pids);
    return n_agents;
}
