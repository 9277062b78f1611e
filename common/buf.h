/* SPDX-License-Identifier: MIT */
/* A growing byte buffer that is always NUL-terminated, and numbers read with an end check. */
#ifndef COMMON_BUF_H
#define COMMON_BUF_H

#include "common/attrs.h"
#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero-initialise; `failed` stays set after an allocation failed, and all further appends are
 * ignored, so that a writer checks once at its end. */
struct buf {
    char *data; /* NULL or NUL-terminated */
    size_t size;
    size_t capacity;
    bool failed;
};

void buf_fini(struct buf *buf);
void buf_clear(struct buf *buf);
void buf_append(struct buf *buf, const void *data, size_t size);
void buf_text(struct buf *buf, const char *text);
void buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);

/* Reads a whole regular file of at most max_bytes; appends to buf. */
MUST_CHECK int buf_read_file(struct buf *buf, const char *path, size_t max_bytes,
                             struct err *err);

/* Writes path atomically and durably: temporary name beside it, fsync, rename, fsync of the
 * folder. */
MUST_CHECK int file_write_atomic(const char *path, const void *data, size_t size, unsigned mode,
                                 struct err *err);

/* mkdir -p. */
MUST_CHECK int dir_make(const char *path, unsigned mode, struct err *err);

/* Reads a number that fills the whole text; false when it does not or is out of range. */
bool text_to_i64(const char *text, int64_t *value);
bool text_to_u64(const char *text, uint64_t *value);
bool text_to_f64(const char *text, double *value); /* finite */

/* A name that may become part of a path: 1..max of [A-Za-z0-9._-], not starting with '.' or
 * '-'. */
bool name_is_safe(const char *name, size_t max);

#endif
