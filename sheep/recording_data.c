/* SPDX-License-Identifier: MIT */
#include "sheep/recording_state.h"

#include "common/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    FILL_REMARK_PERCENT = 75
};

void recording_remark(struct recording *recording, const char *format, ...)
{
    char text[LOG_WORKER_INLINE];
    struct rlog_record_header header = { .type = RLOG_REMARK,
                                         .first =
                                             (uint64_t)clock_utc(recording->options.clock) };
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    log_warn("recorder: %s", text);
    if (!log_worker_put(recording->worker, &header, text, strlen(text))) {
        log_warn("recorder: no room for this remark in the log");
    }
}

static bool is_monitor_row(const struct recorder_row *row)
{
    static const uint32_t HAS_TEXT = 1u << RLOG_STREAM_UART | 1u << RLOG_STREAM_KERNEL
                                     | 1u << RLOG_STREAM_SHEEP | 1u << RLOG_STREAM_NTP
                                     | 1u << RLOG_STREAM_SYSTEM | 1u << RLOG_STREAM_IIO;
    static const uint32_t HAS_ROWS = 1u << RLOG_STREAM_SYS_UTIL | 1u << RLOG_STREAM_PTP
                                     | 1u << RLOG_STREAM_PHC2SYS | 1u << RLOG_STREAM_SYSTEM
                                     | 1u << RLOG_STREAM_IIO;
    uint32_t stream = row->stream < RLOG_N_STREAMS ? 1u << row->stream : 0;

    return row->size <= RECORDER_ROW_BYTES
           && ((row->type == RLOG_TEXT && (stream & HAS_TEXT) != 0)
               || (row->type == RLOG_ROW && (stream & HAS_ROWS) != 0
                   && row->size == row->count * sizeof(int64_t)));
}

bool recording_put_row(struct recording *recording, const struct recorder_row *row)
{
    struct rlog_record_header header = { .type = row->type,
                                         .stream = row->stream,
                                         .count = row->count,
                                         .first = (uint64_t)row->utc_ns };

    if (!is_monitor_row(row) || recording->phase != RECORDING_RUNNING) {
        return false;
    }
    if (row->n_lost != 0) {
        log_worker_lose_rows(recording->worker, &header, row->n_lost);
    }
    return log_worker_put_row(recording->worker, &header, row->payload, row->size);
}

static void put_util(struct recording *recording)
{
    struct rlog_record_header header = { .type = RLOG_UTIL, .stream = RLOG_STREAM_PRU_UTIL };

    if (recording->n_util_rows != 0) {
        header.count = recording->n_util_rows;
        header.first = (uint64_t)recording->util_rows[0].utc_ns;
        log_worker_put_row(recording->worker, &header, recording->util_rows,
                           recording->n_util_rows * sizeof(recording->util_rows[0]));
    }
    recording->n_util_rows = 0;
}

static void drain_util(struct recording *recording)
{
    struct pru_util util;

    while (pru_link_util(&recording->link, &util)) {
        struct rlog_util *row = &recording->util_rows[recording->n_util_rows++];

        row->utc_ns = node_time_utc_at(&recording->time, util.first_tick);
        row->pru0_max_ns = util.pru0_max_ticks * PRU_TICK_NS;
        row->pru0_mean_ns =
            util.pru0_count == 0 ? 0 : util.pru0_sum_ticks / util.pru0_count * PRU_TICK_NS;
        row->pru1_max_ns = util.pru1_max_ticks * PRU_TICK_NS;
        row->reserved = 0;
        if (recording->n_util_rows == RECORDING_UTIL_ROWS) {
            put_util(recording);
        }
    }
}

/* At a boundary of the grid, so that everything taken before the sync is in the log. */
static void sync_when_due(struct recording *recording)
{
    int64_t now_ns = clock_mono(recording->options.clock);

    if (now_ns < recording->next_sync_mono_ns) {
        return;
    }
    recording->next_sync_mono_ns =
        now_ns + recording->request.manifest.config.record.sync_interval_ns;
    edge_builder_flush(&recording->edges);
    log_worker_sync(recording->worker);
}

/* Number of samples taken, also those not in a block yet. */
static uint64_t samples_taken(const struct recording *recording)
{
    uint64_t seen = recording->chunker.next_sample;
    uint32_t low = shm_load_u32(&recording->link.control->samples_done);

    return seen + (uint32_t)(low - (uint32_t)seen);
}

/* The ring was full for one of two reasons: we had no room before the disk, or came too late.
 */
static enum rlog_gap_cause gap_cause(const struct recording *recording)
{
    if (recording->chunker.next_sample <= recording->overrun_until) {
        return RLOG_GAP_RING;
    }
    return recording->chunker.next_sample <= recording->blocked_until ? RLOG_GAP_QUEUE
                                                                      : RLOG_GAP_RING;
}

/* What was lost since the last look, and not because there was no room before the disk, was
 * lost because the look came late; the burst that follows may find no room, but too late. */
static void watch_overrun(struct recording *recording)
{
    uint32_t lost = shm_load_u32(&recording->link.control->blocks_lost);

    if (lost != recording->blocks_lost && !recording->was_blocked) {
        recording->overrun_until = samples_taken(recording);
    }
    recording->blocks_lost = lost;
}

static void note_flaw(struct recording_flaw *flaw, const struct pru_block *block,
                      enum pru_block_flag flag)
{
    if ((block->flags & (uint32_t)flag) == 0) {
        return;
    }
    if (flaw->n_blocks == 0) {
        flaw->first_sample = block->first_sample;
    }
    flaw->n_blocks++;
}

static void take_block(struct recording *recording, const struct pru_block *block)
{
    bool is_boundary = chunker_block(&recording->chunker, block, gap_cause(recording));

    recording->was_blocked = false;
    recording->last_block_mono_ns = clock_mono(recording->options.clock);
    recording->n_silent_steps = 0;
    recording->last_tick = block->first_tick;
    recording->last_sample = block->first_sample;
    recording->n_clamped += block->clamped;
    note_flaw(&recording->late, block, PRU_BLOCK_LATE);
    note_flaw(&recording->adc, block, PRU_BLOCK_ADC);
    edge_builder_block(&recording->edges, block);
    recording_anchor(recording, block);
    if (is_boundary) {
        sync_when_due(recording);
    }
}

void recording_drain(struct recording *recording)
{
    uint32_t waiting = pru_link_blocks_waiting(&recording->link);
    uint32_t percent = waiting * 100 / PRU_BLOCK_COUNT;
    struct err err;

    watch_overrun(recording);
    recording->has_many_edges = pru_link_edges_waiting(&recording->link) > LOG_WORKER_EDGES;
    if (percent > recording->ring_fill_max_percent) {
        recording->ring_fill_max_percent = percent;
    }
    while (log_worker_has_room(recording->worker)) {
        const struct pru_block *block = NULL;

        if (pru_link_block(&recording->link, &block, &err) < 0) {
            recording_fail(recording, err.text);
            return;
        }
        if (block == NULL) {
            drain_util(recording);
            return;
        }
        take_block(recording, block);
        pru_link_block_done(&recording->link);
    }
    recording->was_blocked = true;
    recording->last_block_mono_ns = clock_mono(recording->options.clock);
    recording->n_silent_steps = 0;
    recording->blocked_until = samples_taken(recording);
}

/* What the firmware has marked is not silently wrong. */
static void remark_flaws(struct recording *recording)
{
    if (recording->late.n_blocks != 0) {
        recording_remark(
            recording,
            "samples came more than 1 us late in %llu blocks of 1000, the first from "
            "sample %llu on: the firmware does not keep up",
            (unsigned long long)recording->late.n_blocks,
            (unsigned long long)recording->late.first_sample);
    }
    if (recording->adc.n_blocks != 0) {
        recording_remark(recording,
                         "an ADC was silent and was started again in %llu blocks of 1000, the "
                         "first from sample %llu on: up to 2000 samples before are not its",
                         (unsigned long long)recording->adc.n_blocks,
                         (unsigned long long)recording->adc.first_sample);
    }
}

static uint8_t percent_byte(uint32_t percent)
{
    return percent > 100 ? 100 : (uint8_t)percent;
}

/* A run that came near to losing something is to be known, though it lost nothing. */
static void remark_fills(struct recording *recording)
{
    struct log_sink_status status;

    log_worker_status(recording->worker, &status);
    recording->queue_fill_max_percent = status.fill_max_percent;
    if (status.fill_max_percent >= FILL_REMARK_PERCENT) {
        recording_remark(recording,
                         "storage was slow: record.memory was %u %% full at its most",
                         status.fill_max_percent);
    }
    /* A board that waits for room keeps its ring full. */
    if (recording->ring_fill_max_percent >= FILL_REMARK_PERCENT
        && !recording->options.board->is_virtual_time) {
        recording_remark(recording,
                         "the recorder was slow: the board's ring was %u %% full at its most",
                         recording->ring_fill_max_percent);
    }
}

void recording_close_data(struct recording *recording)
{
    struct chunker *chunker = &recording->chunker;
    uint64_t taken = samples_taken(recording);
    struct rlog_end end = { 0 };

    /* Blocks lost at the very end show only in the count; anything wild is a fault's leftover.
     */
    if (taken - chunker->next_sample <= UINT64_C(2) * PRU_BLOCK_COUNT * PRU_BLOCK_SAMPLES) {
        chunker_gap(chunker, taken, gap_cause(recording));
    }
    chunker_flush(chunker);
    edge_builder_flush(&recording->edges);
    drain_util(recording);
    put_util(recording);
    remark_fills(recording);
    remark_flaws(recording);
    end.n_samples = chunker->next_sample;
    end.n_gap_samples = chunker->n_gap_samples;
    end.n_edges = recording->edges.n_edges;
    end.n_input_underruns = chunker->n_underruns;
    end.n_clamped = recording->n_clamped;
    end.reason = (uint16_t)recording->reason;
    end.ring_fill_max_percent = percent_byte(recording->ring_fill_max_percent);
    end.queue_fill_max_percent = percent_byte(recording->queue_fill_max_percent);
    recording->end = end;
    log_worker_finish(recording->worker, &end);
    recording->phase = RECORDING_CLOSING;
}
