/* SPDX-License-Identifier: MIT */
/* Channels of a recording as text: CSV with full rate and physical values, VCD for pins. */
#ifndef COMMON_H5_EXPORT_H
#define COMMON_H5_EXPORT_H

#include "common/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct h5_export {
    const char *path; /* of the recording */
    const char
        *channel;   /* samples (time, voltage, current), storage, gpio, or a group's name */
    double begin_s; /* from the first sample on */
    double end_s;   /* < 0: all */
    char separator;
    bool is_vcd; /* only gpio */
    FILE *out;
};

/* Writes to out; *n_rows lines of data. */
MUST_CHECK int h5_export(const struct h5_export *job, uint64_t *n_rows, struct err *err);
/* Inside the process, see h5_guard.h. */
MUST_CHECK int h5_export_here(const struct h5_export *job, uint64_t *n_rows, struct err *err);

#endif
