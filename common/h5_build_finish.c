/* SPDX-License-Identifier: MIT */
/* The end of a file: gaps, summary, checks, the seal. */
#include "common/h5_build_parts.h"

#include "common/h5_seal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Rows that so many samples fill or begin. */
static uint64_t count_rows(const struct h5_builder *builder, uint64_t n_samples)
{
    return n_samples / builder->window + (n_samples % builder->window != 0);
}

static int finish_streams(struct h5_builder *builder, struct err *err)
{
    uint64_t n_rows = count_rows(builder, builder->end.n_samples);

    for (int i = 0; i < N_SAMPLE_STREAMS; i++) {
        if (builder->samples[i] != NULL
            && h5_samples_finish(builder->samples[i], n_rows, err) < 0) {
            return -1;
        }
    }
    return h5_time_finish(builder->time, builder->start.T_ns, n_rows, err);
}

static bool is_recorded(const struct h5_builder *builder, int stream)
{
    if (builder->manifest.config.record.overview_only) {
        return false;
    }
    switch (stream) {
    case RLOG_STREAM_VOLTAGE:
        return builder->manifest.has_voltage;
    case RLOG_STREAM_CURRENT:
        return builder->manifest.has_current;
    default:
        return builder->samples[stream] != NULL;
    }
}

/* Lists what of a hole, counted in rows, should have been recorded, and adds its samples. */
static int take_hole(struct h5_builder *builder, uint32_t stream, const struct h5_hole *hole,
                     uint64_t *n_missing, struct err *err)
{
    uint64_t first = hole->first * builder->window;
    uint64_t end = (hole->first + hole->count) * builder->window;

    first = first > builder->from ? first : builder->from;
    end = end < builder->to ? end : builder->to;
    end = end < builder->end.n_samples ? end : builder->end.n_samples;
    if (end <= first) {
        return 0;
    }
    *n_missing += end - first;
    return h5_events_add_hole(builder->events, stream, first, end - first, err);
}

/* Gaps that the log does not explain, and how many samples some stream lacks. */
static int finish_gaps(struct h5_builder *builder, uint64_t *n_missing, struct err *err)
{
    /* Rows do not tell of every sample that their means lack; the recorder does. */
    *n_missing = h5_build_has_every_sample(builder) ? 0 : builder->end.n_gap_samples;
    for (int i = 0; i < N_SAMPLE_STREAMS; i++) {
        const struct h5_hole *holes = NULL;
        uint64_t missing = 0;
        size_t count = 0;

        if (!is_recorded(builder, i)) {
            continue;
        }
        holes = h5_samples_holes(builder->samples[i], &count);
        for (size_t k = 0; k < count; k++) {
            if (take_hole(builder, (uint32_t)i, &holes[k], &missing, err) < 0) {
                return -1;
            }
        }
        *n_missing = missing > *n_missing ? missing : *n_missing;
    }
    return 0;
}

/* Not a number when there is none, or not of all samples (streams that come apart). */
static double total_energy(const struct h5_builder *builder)
{
    uint64_t n_voltage = h5_samples_received(builder->samples[RLOG_STREAM_VOLTAGE]);
    uint64_t n_current = h5_samples_received(builder->samples[RLOG_STREAM_CURRENT]);
    uint64_t n_both = n_voltage < n_current ? n_voltage : n_current;
    bool is_whole = !h5_build_has_every_sample(builder) || builder->n_energy_samples == n_both;

    return builder->n_energy_samples > 0 && is_whole ? builder->energy_J : (double)NAN;
}

/* Of another build of sheep, most likely. */
static void remark_ignored(struct h5_builder *builder)
{
    uint64_t count = h5_monitor_ignored(builder->monitor);
    char text[80];

    if (count > 0) {
        snprintf(text, sizeof(text), "%llu records of monitors fit no stream and are left out",
                 (unsigned long long)count);
        h5_build_remark(builder, text, strlen(text));
    }
}

static void fill_summary(const struct h5_builder *builder, uint64_t n_missing,
                         struct h5_summary *summary)
{
    *summary = (struct h5_summary){
        .n_samples = builder->end.n_samples,
        .n_gap_samples = n_missing,
        .n_edges = h5_events_edges(builder->events),
        .n_underruns = builder->end.n_input_underruns,
        .n_clamped = builder->end.n_clamped,
        .is_cal_default = builder->manifest.is_cal_default,
        .n_records = builder->n_records,
        .T_ns = builder->start.T_ns,
        .start_error_ns = builder->start.start_error_ns,
        .start_bound_ns = builder->start.start_bound_ns,
        .end_reason = builder->end.reason,
        .ring_fill_max_percent = builder->end.ring_fill_max_percent,
        .queue_fill_max_percent = builder->end.queue_fill_max_percent,
        .energy_Ws = total_energy(builder),
        .n_remarks = builder->n_remarks,
    };
    snprintf(summary->remarks, sizeof(summary->remarks), "%s", builder->remarks);
}

static int check_end(const struct h5_builder *builder, struct err *err)
{
    if (!builder->has_end) {
        return err_set(err, ERR_STATE, "the log is not closed");
    }
    if (!builder->has_start) {
        return err_set(err, ERR_INPUT, "the log has no START: nothing was recorded");
    }
    if (builder->end.n_records != builder->n_records) {
        return err_set(err, ERR_CORRUPT, "%llu records, the log's END says %u",
                       (unsigned long long)builder->n_records, builder->end.n_records);
    }
    return 0;
}

static int write_end(struct h5_builder *builder, const struct h5_evidence *evidence,
                     struct h5_summary *summary, struct err *err)
{
    uint64_t n_missing = 0;

    if (check_end(builder, err) < 0 || finish_streams(builder, err) < 0
        || finish_gaps(builder, &n_missing, err) < 0
        || h5_events_finish(builder->events, err) < 0
        || h5_monitor_finish(builder->monitor, err) < 0) {
        return -1;
    }
    remark_ignored(builder);
    fill_summary(builder, n_missing, summary);
    if (h5_events_edges(builder->events) != builder->end.n_edges) {
        return err_set(err, ERR_CORRUPT, "%llu edges, the log's END says %llu",
                       (unsigned long long)summary->n_edges,
                       (unsigned long long)builder->end.n_edges);
    }
    return h5_describe_end(builder->file, &builder->end, summary, evidence, err);
}

int h5_builder_finish(struct h5_builder *builder, const struct h5_evidence *evidence,
                      const char *final_path, struct h5_summary *summary, struct err *err)
{
    static const struct h5_evidence nothing;
    herr_t closed = 0;

    *summary = (struct h5_summary){ 0 };
    if (write_end(builder, evidence != NULL ? evidence : &nothing, summary, err) < 0) {
        return err_prepend(err, "%s", builder->part_path);
    }
    h5_build_close_parts(builder);
    closed = H5Fclose(builder->file);
    builder->file = -1;
    if (closed < 0) {
        return h5_fail(err, ERR_SYSTEM, "%s", builder->part_path);
    }
    return h5_seal(builder->part_path, final_path, &summary->file_bytes, err);
}
