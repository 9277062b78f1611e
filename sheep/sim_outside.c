/* SPDX-License-Identifier: MIT */
#include "sheep/sim_outside.h"

#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

enum {
    PIN_BYTES = 4096,
    UART_SAMPLES = 100, /* a millisecond */
    UART_BYTES = 256
};

void sim_outside_init(struct sim_outside *outside)
{
    memset(outside, 0, sizeof(*outside));
    outside->uart_fd = -1;
}

static int open_pin(struct sim_outside *outside, const char *path, struct err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    void *memory = MAP_FAILED;

    if (fd >= 0 && ftruncate(fd, PIN_BYTES) == 0) {
        memory = mmap(NULL, PIN_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    if (memory == MAP_FAILED) {
        err_set_errno(err, "pin file %s", path);
    } else {
        outside->pin = memory;
        *outside->pin = 0;
    }
    if (fd >= 0) {
        close(fd);
    }
    return memory == MAP_FAILED ? -1 : 0;
}

/* Raw at both ends, or the line discipline would echo the target's words back to it. */
static int make_raw(int master)
{
    struct termios settings;

    if (tcgetattr(master, &settings) < 0) {
        return -1;
    }
    cfmakeraw(&settings);
    return tcsetattr(master, TCSANOW, &settings);
}

/* A link that an earlier board left makes room; what else stands there is somebody's. */
static int make_link(const char *path, const char *link, struct err *err)
{
    struct stat status;

    if (lstat(link, &status) == 0 && !S_ISLNK(status.st_mode)) {
        return err_set(err, ERR_EXISTS, "uart_link: %s is there already, and is no link", link);
    }
    (void)unlink(link);
    if (symlink(path, link) < 0) {
        return err_set_errno(err, "uart_link: %s", link);
    }
    return 0;
}

static int open_uart(struct sim_outside *outside, const char *link, struct err *err)
{
    char path[128];

    outside->uart_fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (outside->uart_fd < 0 || grantpt(outside->uart_fd) < 0 || unlockpt(outside->uart_fd) < 0
        || ptsname_r(outside->uart_fd, path, sizeof(path)) != 0
        || make_raw(outside->uart_fd) < 0) {
        return err_set_errno(err, "serial line of the simulated target");
    }
    if (make_link(path, link, err) < 0) {
        return -1;
    }
    snprintf(outside->uart_link, sizeof(outside->uart_link), "%s", link);
    return 0;
}

int sim_outside_open(struct sim_outside *outside, const struct sim_config *config,
                     struct err *err)
{
    outside->has_truth = config->truth;
    if (config->pin_file[0] != '\0' && open_pin(outside, config->pin_file, err) < 0) {
        return -1;
    }
    if (config->uart_link[0] != '\0' && open_uart(outside, config->uart_link, err) < 0) {
        return -1;
    }
    return 0;
}

void sim_outside_close(struct sim_outside *outside)
{
    sim_outside_end(outside);
    if (outside->pin != NULL) {
        munmap(outside->pin, PIN_BYTES);
        outside->pin = NULL;
    }
    if (outside->uart_fd >= 0) {
        close(outside->uart_fd);
        outside->uart_fd = -1;
        (void)unlink(outside->uart_link);
    }
}

void sim_outside_begin(struct sim_outside *outside, const char *truth_path, bool is_emulation)
{
    sim_outside_end(outside);
    if (outside->pin != NULL) {
        __atomic_store_n(outside->pin, 0, __ATOMIC_RELEASE);
    }
    if (outside->has_truth && truth_path[0] != '\0') {
        outside->truth = truth_create(truth_path, is_emulation);
        if (outside->truth == NULL) {
            struct err err;

            err_set_errno(&err, "truth of the simulated world: %s", truth_path);
            log_warn("%s", err.text);
        }
    }
}

void sim_outside_sample(struct sim_outside *outside, struct world *world, uint64_t sample)
{
    if (outside->truth != NULL) {
        struct world_truth truth = world_truth(world);

        truth_append(outside->truth, &truth);
    }
    if (sim_outside_has_uart(outside) && sample % UART_SAMPLES == 0) {
        char bytes[UART_BYTES];
        size_t size = world_uart(world, bytes, sizeof(bytes));

        /* A line that nobody listens to is full at some time; the target does not care. */
        if (size != 0 && write(outside->uart_fd, bytes, size) < 0 && errno != EAGAIN) {
            outside->n_uart_failed++;
        }
    }
}

void sim_outside_end(struct sim_outside *outside)
{
    if (outside->truth != NULL && truth_close(&outside->truth) < 0) {
        log_warn("the truth of the simulated world is incomplete: a write failed");
    }
}
