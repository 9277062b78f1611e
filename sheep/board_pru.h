/* SPDX-License-Identifier: MIT */
/* The real board: both PRU cores through remoteproc, their memories through one UIO device that
 * pru/dts declares. No kernel module of ours, no /dev/mem; runs as any user that may open the
 * device and write remoteproc's attributes.
 *
 * Not run on hardware yet: tests/unit/test_board_pru.c plays the kernel and the PRU. */
#ifndef SHEEP_BOARD_PRU_H
#define SHEEP_BOARD_PRU_H

#include "common/err.h"
#include "sheep/board.h"

#include <sys/types.h>

struct board_pru_config {
    const char *sysfs; /* NULL: /sys */
    const char *dev;   /* NULL: /dev */
    off_t map_step;    /* see uio_open; 0 but for a test */
    unsigned cape;     /* revision, 24 or 25: which images are loaded */
};

/* Finds the cores and maps the memories; starts nothing. NULL with what is missing and the
 * remedy. */
struct board *board_pru_create(const struct board_pru_config *config, struct err *err);

#endif
