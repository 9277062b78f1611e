/* SPDX-License-Identifier: MIT */
/* HDF5 from a recording log, also while the log grows. Layout: common/h5_layout.md. Not linked
 * into sheep. */
#ifndef COMMON_H5_BUILD_H
#define COMMON_H5_BUILD_H

#include "common/err.h"
#include "common/rlog.h"

#include <stdbool.h>
#include <stdint.h>

/* What herd knows beside the log, written as attributes; may be all zero. */
struct h5_evidence {
    int64_t clock_offset_ns; /* node minus median of the nodes, by four-timestamp exchanges */
    int64_t clock_bound_ns;  /* of that difference: the node's own and the median's */
    char clock_source[32];
    bool has_clock;
    char verdict[400];
    char manifest[PATH_SIZE]; /* name of the experiment's manifest */
};

struct h5_summary {
    uint64_t n_samples;
    uint64_t n_gap_samples;
    uint64_t n_edges;
    uint64_t n_underruns; /* of what was built, not of what is verified */
    uint64_t n_clamped;
    bool is_cal_default;
    uint64_t n_records;
    int64_t T_ns;
    int64_t start_error_ns;
    int64_t start_bound_ns;
    uint32_t end_reason;
    uint32_t ring_fill_max_percent; /* high-water marks, see struct rlog_end */
    uint32_t queue_fill_max_percent;
    double energy_Ws; /* sum of V * I * 10 us over what is there */
    uint64_t file_bytes;
    uint64_t n_remarks;
    char remarks[2000]; /* one a line */
};

struct h5_builder;

/* Creates `part_path` (truncating: a .part is always rebuilt) for the log in `log_folder`. */
struct h5_builder *h5_builder_create(const char *log_folder, const char *part_path,
                                     struct err *err);

/* Takes in every whole record that the log now holds; returns 1 when END was seen, else 0, -1.
 */
MUST_CHECK int h5_builder_advance(struct h5_builder *builder, struct err *err);

/* Writes the closing parts and /integrity, closes, fsync, renames to final_path, fsync the
 * folder. */
MUST_CHECK int h5_builder_finish(struct h5_builder *builder, const struct h5_evidence *evidence,
                                 const char *final_path, struct h5_summary *summary,
                                 struct err *err);
void h5_builder_destroy(struct h5_builder **builder);

/* Proves a finished file: structure, chunks against /integrity, attributes against the digest.
 */
MUST_CHECK int h5_verify(const char *path, struct h5_summary *summary, struct err *err);

#endif
