/* SPDX-License-Identifier: MIT */
/* A dataset of texts (variable-length strings), which grows at its end.
 *
 * Texts have no chunks of their own in the file, so /integrity holds one CRC-32C over all of
 * them: of each text its length (u32) and its bytes. */
#ifndef COMMON_H5_TEXT_H
#define COMMON_H5_TEXT_H

#include "common/err.h"
#include "common/h5_util.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct h5_text;

/* utf8: else the strings are marked as bytes (ASCII), as a serial line gives them. */
struct h5_text *h5_text_create(hid_t file, const char *path, bool is_utf8,
                               const char *description, struct err *err);
/* Copied; a NUL inside cannot be stored and is left out. */
MUST_CHECK int h5_text_append(struct h5_text *text, const void *bytes, size_t size,
                              struct err *err);
/* Writes the rest and the sum. */
MUST_CHECK int h5_text_finish(struct h5_text *text, struct err *err);
void h5_text_destroy(struct h5_text **text);

/* The sum over a dataset in an open file; -1 when it cannot be read. */
MUST_CHECK int h5_text_sum(hid_t file, const char *path, uint32_t *sum, struct err *err);

#endif
