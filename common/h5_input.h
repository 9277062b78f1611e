/* SPDX-License-Identifier: MIT */
/* Decodes a harvest in Shepherd's layout (ours, or the incumbent's) into an input stream. */
#ifndef COMMON_H5_INPUT_H
#define COMMON_H5_INPUT_H

#include "common/err.h"
#include "common/experiment.h"

#include <stdint.h>

struct h5_input_info {
    char datatype[16]; /* ivsample | ivcurve | isc_voc */
    uint32_t window_samples;
    uint64_t n_samples;
    double voltage_step_uV; /* of curves; from the config, else estimated; 0 for ivsample */
    char hostname[NODE_NAME_SIZE];
};

/* Looks only: path missing, not HDF5, wrong mode, ivcurve without a window, empty, truncated,
 * unequal lengths: one clear sentence. */
MUST_CHECK int h5_input_check(const char *path, struct h5_input_info *info, struct err *err);

/* Decodes into out_path (rlog_input_*): gzip, lzf or none; any gain and offset; uV and nA,
 * saturated at 0 and 2^32-1. */
MUST_CHECK int h5_input_decode(const char *path, const char *out_path,
                               struct h5_input_info *info, char digest[DIGEST_TEXT_SIZE],
                               struct err *err);

#endif
