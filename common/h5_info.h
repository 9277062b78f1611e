/* SPDX-License-Identifier: MIT */
/* What a recording amounts to, of ours or of the incumbent's: for people, from the data itself.
 */
#ifndef COMMON_H5_INFO_H
#define COMMON_H5_INFO_H

#include "common/h5_build.h"

#include <stdbool.h>
#include <stdint.h>

/* Of one trace, in its unit; samples that are missing do not count. */
struct h5_range {
    bool is_recorded;
    double minimum;
    double mean;
    double maximum;
};

struct h5_info {
    struct h5_summary summary; /* n_samples and energy are counted here, not taken over */
    bool is_ours;              /* has /sync and /integrity */
    char mode[16];
    char datatype[16];
    char hostname[NODE_NAME_SIZE];
    char experiment[EXPERIMENT_NAME_SIZE];
    char software[64];
    char calibration[16];
    char verdict[400];
    char compression[16];
    uint32_t window_samples;
    uint32_t samplerate_Hz; /* of the rows; below 100 000 each is a mean */
    int64_t first_ns;
    int64_t last_ns;
    uint64_t n_gaps;
    struct h5_range voltage;
    struct h5_range current;
    bool has_clock;
    int64_t clock_offset_ns;
    int64_t clock_bound_ns;
    bool has_power_good;
    uint32_t power_good_bit;
    double on_time_s; /* power-good high, between first and last sample */
    uint64_t n_turn_ons;
};

MUST_CHECK int h5_info(const char *path, struct h5_info *info, struct err *err);
/* Inside the process, see h5_guard.h. */
MUST_CHECK int h5_info_here(const char *path, struct h5_info *info, struct err *err);

#endif
