/* SPDX-License-Identifier: MIT */
/* What the files that make up a recording share; nobody else includes this. */
#ifndef SHEEP_RECORDING_STATE_H
#define SHEEP_RECORDING_STATE_H

#include "pru/abi/vsource_params.h"
#include "sheep/chunker.h"
#include "sheep/edge_builder.h"
#include "sheep/feeder.h"
#include "sheep/log_worker.h"
#include "sheep/node_time.h"
#include "sheep/pru_link.h"
#include "sheep/recording.h"
#include "sheep/space_watch.h"

enum {
    RECORDING_UTIL_ROWS = 10 /* one record a second */
};

/* Blocks that the firmware has marked. */
struct recording_flaw {
    uint64_t n_blocks;
    uint64_t first_sample; /* of the first of them */
};

struct recording {
    struct recording_options options; /* request points at the copy below */
    struct recorder_request request;
    struct vsource_params params;
    struct pru_link link;
    struct node_time time;
    struct feeder *feeder;
    struct log_worker *worker;
    struct chunker chunker;
    struct edge_builder edges;
    enum recording_phase phase;
    uint64_t stop_sample; /* planned, PRU_NO_STOP: none */
    uint32_t arm_n;
    bool owns_log;
    bool is_armed;
    bool has_start;
    int64_t start_error_ns;
    uint32_t start_bound_ns;
    /* running */
    uint64_t last_tick; /* of the last block: its first sample */
    uint64_t last_sample;
    uint32_t n_silent_steps;    /* without a block */
    int64_t last_block_mono_ns; /* when one was taken or waited for room */
    uint32_t period_ticks_q20;
    bool is_out_of_space;
    bool was_blocked;       /* no room before the disk since the last block */
    bool has_many_edges;    /* that the last look found waiting */
    uint64_t blocked_until; /* samples taken when that was so */
    uint32_t blocks_lost;   /* by the ring, as last seen ... */
    uint64_t overrun_until; /* ... and samples taken when it had lost some without that */
    uint64_t pending_stop;
    bool has_pending_stop; /* STOP came between arming and the start */
    uint32_t ring_fill_max_percent;
    int64_t next_read_mono_ns;
    uint64_t next_anchor_sample;
    uint64_t n_clamped;
    struct recording_flaw late; /* samples triggered more than 1 us after their time */
    struct recording_flaw adc;  /* a converter was silent and was started again */
    int64_t next_sync_mono_ns;
    int64_t next_space_mono_ns;
    struct space_watch space;
    struct rlog_util util_rows[RECORDING_UTIL_ROWS];
    uint32_t n_util_rows;
    int64_t residual_ns;
    /* closing */
    enum rlog_end_reason reason;
    struct rlog_end end;
    uint64_t log_bytes;
    uint8_t digest[RLOG_DIGEST_BYTES];
    struct rlog_position durable;
    uint32_t queue_fill_max_percent;
    char fault[512];
};

/* recording_clock.c: before and at the start, steering, anchors. */
void recording_read_clock(struct recording *recording);
void recording_approach_start(struct recording *recording);
int recording_start_timeout_ms(const struct recording *recording);
void recording_keep_time(struct recording *recording);
void recording_anchor(struct recording *recording, const struct pru_block *block);

/* recording_data.c: rings to log. */
void recording_drain(struct recording *recording);
void recording_close_data(struct recording *recording);
void recording_remark(struct recording *recording, const char *format, ...) PRINTF_LIKE(2, 3);

/* recording_space.c: before the start, and while it runs. */
MUST_CHECK int recording_check_space(const struct recording *recording, struct err *err);
void recording_begin_space(struct recording *recording); /* what is watched from then on */
void recording_watch_space(struct recording *recording);

/* recording.c: streams of samples that are recorded, bits of enum pru_array. */
uint32_t recording_mask(const struct rlog_manifest *manifest);

/* recording.c: ends what runs because of a fault; the first text stays. */
void recording_fail(struct recording *recording, const char *text);

#endif
