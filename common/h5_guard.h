/* SPDX-License-Identifier: MIT */
/* Runs what reads a file of unknown origin in a child process: libhdf5 may crash on a hostile
 * one, and then only the child is gone. */
#ifndef COMMON_H5_GUARD_H
#define COMMON_H5_GUARD_H

#include "common/err.h"

#include <stddef.h>

/* Fills *result (plain data, no pointers) and returns 0, or -1 with err. */
typedef int (*h5_guard_fn)(const void *arg, void *result, struct err *err);

/* Calls fn(arg, result) in a child and brings back what it returned. The child's death is
 * ERR_CORRUPT; one that uses far more time than a file of this size needs is ended. */
MUST_CHECK int h5_guard(const char *path, h5_guard_fn fn, const void *arg, void *result,
                        size_t result_size, struct err *err);

#endif
