/* SPDX-License-Identifier: MIT */
/* Attributes of the kernel's devices: short texts in files below a root, /sys or a test's. */
#ifndef SHEEP_SYSFS_H
#define SHEEP_SYSFS_H

#include "common/err.h"

#include <limits.h>
#include <stddef.h>

enum {
    SYSFS_PATH_SIZE = 512,
    SYSFS_TEXT_SIZE = 256
};

/* Reads DIR/ATTRIBUTE without the line's end. ERR_NOT_FOUND, or what the system said. */
MUST_CHECK int sysfs_read(const char *dir, const char *attribute, char text[SYSFS_TEXT_SIZE],
                          struct err *err);

/* The same as a number (decimal, or hexadecimal with 0x). ERR_INPUT when it is none. */
MUST_CHECK int sysfs_read_number(const char *dir, const char *attribute,
                                 unsigned long long *number, struct err *err);

/* Writes a text in one piece, as attributes want it. */
MUST_CHECK int sysfs_write(const char *dir, const char *attribute, const char *text,
                           struct err *err);

/* The folder below ROOT/CLASS of the device whose attribute `name` reads so. ERR_NOT_FOUND. */
MUST_CHECK int sysfs_find(const char *root, const char *class_name, const char *name,
                          char dir[SYSFS_PATH_SIZE], struct err *err);

#endif
