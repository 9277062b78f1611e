/* SPDX-License-Identifier: MIT */
#include "sheep/recording_state.h"

#include "common/log.h"

#include <stdlib.h>

enum {
    ARM_LEAD_MS = 120, /* between the last reading of the clock and T; a busy host takes some */
    READ_EARLY_MS = 50,
    READ_RUNNING_MS = 250,
    READ_SLACK_MS = 20, /* a look that comes a little early is as good */
    START_TIMEOUT_MS = 1000,
    ANCHOR_SAMPLES = PRU_SAMPLE_RATE_HZ, /* a second */
    NS_PER_SAMPLE = 10000
};

void recording_read_clock(struct recording *recording)
{
    int64_t step_ns = node_time_read(&recording->time);

    if (step_ns != 0 && recording->phase >= RECORDING_STARTING) {
        recording_remark(recording, "the clock stepped by %lld us during the run; T was held",
                         (long long)(step_ns / NS_PER_US));
    }
}

/* A board in virtual time may start and even end, one way or the other, before we look. */
static bool has_run(const struct recording *recording)
{
    enum pru_state state = pru_link_state(&recording->link);

    return state == PRU_STATE_RUNNING || state == PRU_STATE_DONE
           || (state == PRU_STATE_FAULT
               && shm_load_u32(&recording->link.control->samples_done) != 0);
}

static void arm(struct recording *recording)
{
    struct err err;
    uint64_t tick = 0;

    recording_read_clock(recording);
    tick = node_time_start_tick(&recording->time);
    recording->period_ticks_q20 = node_time_steer(&recording->time, 0, 0);
    if (pru_link_arm(&recording->link, tick, recording->stop_sample,
                     recording->period_ticks_q20, &err)
        < 0) {
        if (!has_run(recording)) {
            recording_fail(recording, err.text);
            return;
        }
    }
    recording->is_armed = true;
}

static void note_start(struct recording *recording)
{
    struct pru_control *control = recording->link.control;
    uint64_t tick = control->started_tick;
    struct rlog_record_header header = { .type = RLOG_START, .count = 1 };
    int64_t now_ns = clock_mono(recording->options.clock);
    struct err err;

    if (!recording->options.board->is_virtual_time) {
        recording_read_clock(recording);
    }
    recording->start_error_ns = node_time_residual_ns(&recording->time, tick, 0);
    recording->start_bound_ns = clock_map_bound_ns(&recording->time.map, tick);
    recording->has_start = true;
    recording->phase = RECORDING_RUNNING;
    recording->last_tick = tick;
    recording->last_block_mono_ns = now_ns;
    recording->next_read_mono_ns = now_ns + READ_RUNNING_MS * NS_PER_MS;
    recording->next_sync_mono_ns = now_ns; /* the start record is worth a sync of its own */
    recording->next_space_mono_ns = now_ns;
    struct rlog_start start = {
        .T_ns = recording->time.T_ns,
        .start_error_ns = recording->start_error_ns,
        .start_bound_ns = recording->start_bound_ns,
        .arm_n = recording->arm_n,
        .boot_id = recording->request.boot_id,
        .first_tick = tick,
    };

    if (!log_worker_put(recording->worker, &header, &start, sizeof(start))) {
        recording_fail(recording, "no room for the start record");
    }
    log_worker_sync(recording->worker);
    if (recording->has_pending_stop
        && pru_link_stop_at(&recording->link, recording->pending_stop, &err) < 0) {
        recording_fail(recording, err.text);
    }
    log_info("recorder: sample 0 was %lld ns after T, known within %u ns, counter %+.2f ppm",
             (long long)recording->start_error_ns, recording->start_bound_ns,
             clock_map_rate_ppm(&recording->time.map));
}

void recording_approach_start(struct recording *recording)
{
    int64_t now_ns = clock_mono(recording->options.clock);
    int64_t left_ns = recording->time.T_mono_ns - now_ns;

    if (!recording->is_armed) {
        if (left_ns <= ARM_LEAD_MS * NS_PER_MS) {
            arm(recording);
        } else if (now_ns >= recording->next_read_mono_ns) {
            recording_read_clock(recording);
            recording->next_read_mono_ns = now_ns + READ_EARLY_MS * NS_PER_MS;
        }
        return;
    }
    if (has_run(recording)) {
        note_start(recording);
    } else if (pru_link_state(&recording->link) == PRU_STATE_FAULT) {
        struct err err = { 0 };

        (void)!pru_link_check(&recording->link, &err);
        recording_fail(recording, err.text);
    } else if (-left_ns > START_TIMEOUT_MS * NS_PER_MS) {
        recording_fail(recording, "the PRU did not start at T");
    }
}

int recording_start_timeout_ms(const struct recording *recording)
{
    int64_t left_ns = recording->time.T_mono_ns - clock_mono(recording->options.clock);
    int64_t left_ms = left_ns / NS_PER_MS - (recording->is_armed ? 0 : ARM_LEAD_MS);

    /* Armed, the board's descriptor tells of the start; the rest is for when it does not. */
    if (recording->is_armed) {
        return READ_RUNNING_MS;
    }
    return left_ms < 0 ? 0 : left_ms > READ_EARLY_MS ? READ_EARLY_MS : (int)left_ms;
}

void recording_keep_time(struct recording *recording)
{
    int64_t now_ns = clock_mono(recording->options.clock);

    if (recording->options.board->is_virtual_time || now_ns < recording->next_read_mono_ns) {
        return;
    }
    recording_read_clock(recording);
    recording->residual_ns =
        node_time_residual_ns(&recording->time, recording->last_tick, recording->last_sample);
    recording->period_ticks_q20 =
        node_time_steer(&recording->time, recording->residual_ns, READ_RUNNING_MS);
    pru_link_set_period(&recording->link, recording->period_ticks_q20);
    recording->next_read_mono_ns = now_ns + (READ_RUNNING_MS - READ_SLACK_MS) * NS_PER_MS;
}

void recording_anchor(struct recording *recording, const struct pru_block *block)
{
    struct rlog_record_header header = { .type = RLOG_ANCHOR, .count = 1 };
    struct rlog_anchor anchor = {
        .sample = block->first_sample,
        .utc_ns = node_time_utc_at(&recording->time, block->first_tick),
        .bound_ns = clock_map_bound_ns(&recording->time.map, block->first_tick),
        .period_ticks_q20 = block->period_ticks_q20,
    };

    if (block->first_sample < recording->next_anchor_sample) {
        return;
    }
    anchor.residual_ns =
        anchor.utc_ns - recording->time.T_ns - (int64_t)(block->first_sample * NS_PER_SAMPLE);
    header.first = anchor.sample;
    if (log_worker_put(recording->worker, &header, &anchor, sizeof(anchor))) {
        recording->next_anchor_sample = block->first_sample + ANCHOR_SAMPLES;
    }
}
