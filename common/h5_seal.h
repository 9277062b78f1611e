/* SPDX-License-Identifier: MIT */
/* The last steps of a recording's file: its digest, then durably into its place. */
#ifndef COMMON_H5_SEAL_H
#define COMMON_H5_SEAL_H

#include "common/err.h"

#include <stdint.h>

/* The file is closed. Writes /integrity's digest, fsync, renames part_path to final_path, fsync
 * of the folder. */
MUST_CHECK int h5_seal(const char *part_path, const char *final_path, uint64_t *file_bytes,
                       struct err *err);

#endif
