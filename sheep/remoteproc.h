/* SPDX-License-Identifier: MIT */
/* One core of the PRU as Linux's remoteproc shows it: which firmware, running or not.
 *
 * Source: the kernel's Documentation/ABI/testing/sysfs-class-remoteproc. */
#ifndef SHEEP_REMOTEPROC_H
#define SHEEP_REMOTEPROC_H

#include "common/err.h"
#include "sheep/sysfs.h"

struct remoteproc {
    char dir[SYSFS_PATH_SIZE];
};

/* Finds the core by the name of its device, "4a334000.pru". ERR_NOT_FOUND with the remedy. */
MUST_CHECK int remoteproc_find(struct remoteproc *core, const char *sysfs, const char *name,
                               struct err *err);

/* Stops what runs, loads the firmware of that name (below /lib/firmware) and starts it. */
MUST_CHECK int remoteproc_start(const struct remoteproc *core, const char *firmware,
                                struct err *err);

/* Harmless when nothing runs. */
MUST_CHECK int remoteproc_stop(const struct remoteproc *core, struct err *err);

#endif
