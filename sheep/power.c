/* SPDX-License-Identifier: MIT */
#include "sheep/power.h"

#include "sheep/config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    WORDS_MAX = 256,
};

static int start_busctl(bool is_reboot, int error_fd, pid_t *pid, struct err *err)
{
    char method[16] = "PowerOff";
    /* posix_spawn does not write to them, but its type says so. */
    char words[][40] = { "busctl",
                         "--system",
                         "--timeout=10",
                         "call",
                         "org.freedesktop.login1",
                         "/org/freedesktop/login1",
                         "org.freedesktop.login1.Manager",
                         "b",
                         "false" };
    char *argv[] = { words[0], words[1], words[2], words[3], words[4], words[5],
                     words[6], method,   words[7], words[8], NULL };
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    int result = 0;

    if (is_reboot) {
        memcpy(method, "Reboot", sizeof("Reboot"));
    }
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, error_fd, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    result = posix_spawnp(pid, "busctl", &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (result != 0) {
        errno = result;
        return err_set_errno(err, "busctl");
    }
    return 0;
}

/* The first line of what busctl complains about. */
static void read_words(int fd, char words[WORDS_MAX])
{
    size_t size = 0;
    ssize_t n = 0;

    while (size < WORDS_MAX - 1 && (n = read(fd, words + size, WORDS_MAX - 1 - size)) > 0) {
        size += (size_t)n;
    }
    words[size] = '\0';
    words[strcspn(words, "\n")] = '\0';
}

int power_ask(const char *board, bool is_reboot, struct err *err)
{
    char words[WORDS_MAX] = "";
    int ends[2];
    int status = 0;
    pid_t pid = 0;

    if (sheep_board_is_simulated(board)) {
        return err_set(err, ERR_STATE,
                       "a simulated board: the machine that it runs on stays as it is");
    }
    if (pipe2(ends, O_CLOEXEC) < 0) {
        return err_set_errno(err, "pipe");
    }
    if (start_busctl(is_reboot, ends[1], &pid, err) < 0) {
        close(ends[0]);
        close(ends[1]);
        return -1;
    }
    close(ends[1]);
    read_words(ends[0], words);
    close(ends[0]);
    if (waitpid(pid, &status, 0) < 0) {
        if (errno != ECHILD) {
            return err_set_errno(err, "busctl");
        }
        /* the agent ignores SIGCHLD, and nobody keeps the status: a refusal has words */
        status = words[0] != '\0' ? W_EXITCODE(1, 0) : 0;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return err_set(err, ERR_DENIED, "logind refused: %s", words);
    }
    return 0;
}
