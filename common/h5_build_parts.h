/* SPDX-License-Identifier: MIT */
/* Inside of a builder: what h5_build.c (records as they come) and h5_build_finish.c (the end)
 * share. */
#ifndef COMMON_H5_BUILD_PARTS_H
#define COMMON_H5_BUILD_PARTS_H

#include "common/h5_build.h"
#include "common/h5_describe.h"
#include "common/h5_events.h"
#include "common/h5_monitor.h"
#include "common/h5_samples.h"
#include "common/h5_time.h"

enum {
    N_SAMPLE_STREAMS = RLOG_STREAM_STORAGE_CURRENT + 1
};

struct h5_builder {
    char part_path[PATH_SIZE];
    struct rlog_reader *reader;
    struct rlog_manifest manifest;
    hid_t file;
    struct h5_packer *packer;
    struct h5_time *time;
    struct h5_samples *samples[N_SAMPLE_STREAMS];
    struct h5_stream_info streams[RLOG_N_STREAMS];
    struct h5_monitor *monitor;
    struct h5_events *events;
    bool has_start;
    struct rlog_start start;
    bool has_end;
    struct rlog_end end;
    uint32_t window; /* samples of one row */
    uint64_t from;   /* only samples [from, to) are recorded */
    uint64_t to;
    uint64_t n_seen; /* rows that anything so far reaches to */
    uint64_t n_records;
    struct rlog_record_header product_of; /* records of samples that a product waits for */
    struct rlog_product product;
    uint64_t n_unwritten; /* bytes since the disk was last asked to begin */
    double energy_J;
    uint64_t n_energy_samples;
    uint64_t n_remarks;
    char remarks[2000];
};

static inline bool h5_build_has_every_sample(const struct h5_builder *builder)
{
    return builder->window == 1 && !builder->manifest.config.record.overview_only;
}

/* A line that the verdict repeats. */
void h5_build_remark(struct h5_builder *builder, const char *text, size_t size);

/* All but the file and its name, so that finish can go on with the closed file. */
void h5_build_close_parts(struct h5_builder *builder);

#endif
