/* SPDX-License-Identifier: MIT */
#include "sheep/remoteproc.h"

#include "common/clock.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

enum {
    CHANGE_TIMEOUT_MS = 1000,
    LOOK_MS = 1
};

int remoteproc_find(struct remoteproc *core, const char *sysfs, const char *name,
                    struct err *err)
{
    if (sysfs_find(sysfs, "remoteproc", name, core->dir, err) < 0) {
        return err_set(err, ERR_NOT_FOUND,
                       "no core %s below %s/class/remoteproc: is pru_rproc loaded, and is the "
                       "PRU enabled in the device tree?",
                       name, sysfs);
    }
    return 0;
}

static bool is_in(const struct remoteproc *core, const char *state)
{
    char text[SYSFS_TEXT_SIZE];

    return sysfs_read(core->dir, "state", text, NULL) == 0 && strcmp(text, state) == 0;
}

static int change(const struct remoteproc *core, const char *command, const char *state,
                  struct err *err)
{
    int64_t deadline_ns = clock_mono_ns() + CHANGE_TIMEOUT_MS * NS_PER_MS;
    struct timespec pause = { .tv_nsec = LOOK_MS * NS_PER_MS };

    if (sysfs_write(core->dir, "state", command, err) < 0) {
        return -1;
    }
    while (!is_in(core, state)) {
        if (clock_mono_ns() > deadline_ns) {
            return err_set(err, ERR_HARDWARE, "%s does not become %s", core->dir, state);
        }
        nanosleep(&pause, NULL);
    }
    return 0;
}

int remoteproc_stop(const struct remoteproc *core, struct err *err)
{
    return is_in(core, "offline") ? 0 : change(core, "stop", "offline", err);
}

int remoteproc_start(const struct remoteproc *core, const char *firmware, struct err *err)
{
    if (remoteproc_stop(core, err) < 0
        || sysfs_write(core->dir, "firmware", firmware, err) < 0) {
        return -1;
    }
    if (change(core, "start", "running", err) < 0) {
        return err_prepend(err, "firmware %s (is it below /lib/firmware?)", firmware);
    }
    return 0;
}
