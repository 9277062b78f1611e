/* SPDX-License-Identifier: MIT */
/* A recording over a board whose every sample is known, for tests: prepared, run, and its log
 * read back to the sample. */
#ifndef TESTS_SUPPORT_RECORDING_BENCH_H
#define TESTS_SUPPORT_RECORDING_BENCH_H

#include "common/rlog.h"
#include "sheep/recording.h"
#include "tests/support/board_fake.h"

#include <stddef.h>
#include <stdint.h>

enum {
    BENCH_MAX_GAPS = 4096
};

struct bench {
    char folder[64];
    struct fake_plan plan;
    struct recorder_request request;
    struct clock clock;
    struct board *board;
    struct recording *recording;
    struct recorder_page page;
    int event_fd;
    int64_t T_ns;
    size_t input_memory_bytes;
    const char *state_dir; /* watched for room; NULL: not */
    const char *temp_dir;
    int64_t timeout_s;
};

/* Everything that a log holds. */
struct content {
    uint64_t n_samples[RLOG_N_STREAMS];
    uint64_t n_overview[RLOG_N_STREAMS]; /* entries of level 0 */
    uint64_t n_wrong;
    uint64_t n_product_samples;
    unsigned n_wrong_products;
    uint64_t n_grid;
    uint64_t n_deflated;
    unsigned n_start;
    unsigned n_anchors;
    unsigned n_remarks;
    unsigned n_gaps;
    struct rlog_gap gaps[BENCH_MAX_GAPS];
    struct rlog_start start;
    struct rlog_end end;
    uint64_t n_edges;
    uint64_t n_edge_bytes;
};

/* Two seconds of harvest, V and I at gzip-1, in a folder of its own. For cmocka. */
int bench_set_up(void **state);
int bench_tear_down(void **state);

/* Makes the board of bench->plan and the recording of bench->request; T is as soon as can be.
 */
void bench_prepare(struct bench *bench);
void bench_start(struct bench *bench);
void bench_step(struct bench *bench);

/* Steps until the recording has ended. */
void bench_run(struct bench *bench);

/* Reads the whole log, and fails when it does not end. */
void bench_read_log(const struct bench *bench, struct content *content);
void bench_verify_log(const struct bench *bench, uint64_t n_samples);

/* An input of so many samples, voltage 3 n and current 3 n + 1, and an emulation of it. */
void bench_make_input(struct bench *bench, uint32_t count);

#endif
