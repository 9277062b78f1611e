/* SPDX-License-Identifier: MIT */
/* A device's memories and interrupt in user space: Linux's UIO.
 *
 * Source: the kernel's Documentation/driver-api/uio-howto.rst: map k of /dev/uioN is mapped at
 * offset k pages; a read of 4 bytes takes an interrupt, a write of 4 bytes (1) lets the next
 * one through. */
#ifndef SHEEP_UIO_H
#define SHEEP_UIO_H

#include "common/err.h"
#include "sheep/sysfs.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    UIO_MAPS = 5 /* as many as the kernel allows */
};

struct uio {
    int fd; /* readable after an interrupt; -1: not open */
    char dir[SYSFS_PATH_SIZE];
    off_t map_step; /* between the maps in the file: a page */
    struct {
        uint8_t *memory;
        size_t size;
    } maps[UIO_MAPS];
};

/* Opens the device of that name below SYSFS/class/uio and DEV. map_step 0: a page. */
MUST_CHECK int uio_open(struct uio *uio, const char *sysfs, const char *dev, const char *name,
                        off_t map_step, struct err *err);

/* Maps memory k, at least `size` bytes; a loan until uio_close. ERR_HARDWARE when it is
 * smaller.
 */
MUST_CHECK int uio_map(struct uio *uio, unsigned k, size_t size, uint8_t **memory,
                       struct err *err);

/* Takes the interrupts that came, and lets the next one through. */
void uio_clear(const struct uio *uio);

/* Harmless twice, and after a failed uio_open. */
void uio_close(struct uio *uio);

#endif
