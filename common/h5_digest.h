/* SPDX-License-Identifier: MIT */
/* The digest of everything in a recording that /integrity's sums do not cover: which objects
 * there are, their types, extents, filters and attributes, and the sums themselves.
 *
 * BLAKE2b-256 as hexadecimal text, in the attribute `digest` of /integrity, which it leaves
 * out. */
#ifndef COMMON_H5_DIGEST_H
#define COMMON_H5_DIGEST_H

#include "common/h5_util.h"
#include "common/rlog.h"

MUST_CHECK int h5_digest(hid_t file, char text[DIGEST_TEXT_SIZE], struct err *err);

#endif
