/* SPDX-License-Identifier: MIT */
/* The reader of harvests inside the process, for tests and fuzzers; others use h5_input.h,
 * which survives what libhdf5 does not. */
#ifndef COMMON_H5_INPUT_PARTS_H
#define COMMON_H5_INPUT_PARTS_H

#include "common/h5_input.h"

MUST_CHECK int h5_input_check_here(const char *path, struct h5_input_info *info,
                                   struct err *err);
MUST_CHECK int h5_input_decode_here(const char *path, const char *out_path,
                                    struct h5_input_info *info, char digest[DIGEST_TEXT_SIZE],
                                    struct err *err);

#endif
