/* SPDX-License-Identifier: MIT */
/* What every user of libhdf5 here needs: errors as one sentence, attributes, quiet failures. */
#ifndef COMMON_H5_UTIL_H
#define COMMON_H5_UTIL_H

#include "common/err.h"

#include <hdf5.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* libhdf5 prints nothing by itself from now on. Every entry into our HDF5 modules calls it. */
void h5_quiet(void);

/* "what: the innermost reason that libhdf5 gives"; returns -1. */
int h5_fail(struct err *err, enum err_code code, const char *format, ...) PRINTF_LIKE(3, 4);

/* Closes any identifier; harmless on a negative one. */
void h5_close(hid_t *id);

/* Writes `count` rows of memory's `type` behind the first n_rows of a list, which grows. False:
 * the library refused, and h5_fail tells why. */
bool h5_append(hid_t dataset, hid_t type, uint64_t n_rows, uint64_t count, const void *rows);

/* Scalar attributes: strings are variable-length UTF-8, as Shepherd's reader needs them. */
MUST_CHECK int h5_put_text(hid_t object, const char *name, const char *value, struct err *err);
MUST_CHECK int h5_put_f64(hid_t object, const char *name, double value, struct err *err);
MUST_CHECK int h5_put_i64(hid_t object, const char *name, int64_t value, struct err *err);

/* gain, offset, unit and description, which every numeric dataset has. */
struct h5_meaning {
    double gain;
    double offset;
    const char *unit;
    const char *description;
};
MUST_CHECK int h5_put_meaning(hid_t dataset, const struct h5_meaning *meaning, struct err *err);

/* False when there is no such attribute, or it is not of that kind. Text of any string type,
 * cut to size; numbers of any type, also arrays of one element. */
bool h5_get_text(hid_t object, const char *name, char *value, size_t size);
bool h5_get_f64(hid_t object, const char *name, double *value);
bool h5_get_i64(hid_t object, const char *name, int64_t *value);
/* The whole text, to be freed; NULL when there is none. */
char *h5_get_long_text(hid_t object, const char *name);

/* Opens an existing file to read; negative when it is missing, no file, not HDF5 or damaged.
 * bytes may be NULL. */
hid_t h5_open_file(const char *path, uint64_t *bytes, struct err *err);

bool h5_has(hid_t file, const char *path);

/* An integer of 8 to 64 bits or an IEEE float of 32 or 64, in either byte order. libhdf5
 * overruns its own buffers when it converts from other ones that a damaged file can describe.
 */
bool h5_is_plain_number(hid_t type);

/* A new group; negative on error. */
hid_t h5_make_group(hid_t parent, const char *name, struct err *err);

#endif
