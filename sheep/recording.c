/* SPDX-License-Identifier: MIT */
#include "sheep/recording_state.h"

#include "common/log.h"
#include "common/vsource_derive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PROMISE_MS = 200,      /* readings of the clock, arming, and some room */
    START_MINIMUM_MS = 40, /* later than that before T it is not tried any more */
    STEP_RUNNING_MS = 250, /* the ring holds 5 s; bursts are cheaper than single blocks */
    STEP_EDGES_MS = 50,    /* while so many edges come that a longer burst would fill buffers */
    STEP_ENDING_MS = 10,
    STEP_CLOSING_MS = 100,
    STEP_WATCH_MS = 200,
    SILENCE_STEPS = 8,
    SILENCE_MS = 2000, /* of a board that should bring a block every 10 ms */
    FIRST_READINGS = 4
};

uint32_t recording_mask(const struct rlog_manifest *manifest)
{
    uint32_t mask = 0;

    mask |= manifest->has_voltage ? 1u << PRU_ARRAY_VOLTAGE : 0;
    mask |= manifest->has_current ? 1u << PRU_ARRAY_CURRENT : 0;
    mask |= manifest->has_storage
                ? 1u << PRU_ARRAY_STORAGE_VOLTAGE | 1u << PRU_ARRAY_STORAGE_CURRENT
                : 0;
    return mask;
}

static int configure_board(struct recording *recording, struct err *err)
{
    const struct rlog_manifest *manifest = &recording->request.manifest;
    struct pru_link_setup setup = {
        .mode = manifest->mode == MODE_HARVEST ? PRU_MODE_HARVEST : PRU_MODE_EMULATE,
        .record_mask = recording_mask(manifest),
        .gpio_mask = manifest->gpio_mask,
        .params = &recording->params,
    };

    if (vsource_derive(&manifest->config, &recording->request.calibration, &recording->params,
                       err)
        < 0) {
        return -1;
    }
    pru_link_init(&recording->link, recording->options.board);
    if (pru_link_boot(&recording->link, setup.mode, err) < 0) {
        return -1;
    }
    return pru_link_configure(&recording->link, &setup, err);
}

static int open_log(struct recording *recording, struct err *err)
{
    const struct rlog_manifest *manifest = &recording->request.manifest;
    uint32_t mask = recording_mask(manifest);
    uint64_t from = 0;
    uint64_t to = 0;
    struct log_worker_options options = {
        .memory_bytes = (size_t)manifest->config.record.memory_bytes,
        .record_mask = mask,
        .window = record_window(&manifest->config.record),
        .has_only_overview = manifest->config.record.overview_only,
        .has_edges = manifest->gpio_mask != 0,
        .is_patient = recording->options.board->is_virtual_time,
        .compression = manifest->config.record.compression,
        .event_fd = recording->options.event_fd,
    };
    struct rlog_writer *writer =
        rlog_writer_create(recording->request.log_folder, manifest, err);

    /* A log that was there before is not ours to touch; one that failed half-way is. */
    recording->owns_log = writer != NULL || err->code != ERR_EXISTS;
    if (writer == NULL) {
        return -1;
    }
    recording->worker = log_worker_create(&options, &writer, err);
    rlog_writer_destroy(&writer);
    if (recording->worker == NULL) {
        return -1;
    }
    record_range(&manifest->config.record, &from, &to);
    chunker_init(&recording->chunker, recording->worker, mask);
    chunker_set_range(&recording->chunker, from, to);
    edge_builder_init(&recording->edges, recording->worker, &recording->link,
                      manifest->gpio_mask);
    return 0;
}

static int open_input(struct recording *recording, struct err *err)
{
    if (recording->request.manifest.mode != MODE_EMULATE) {
        return 0;
    }
    if (recording->request.input_path[0] == '\0') {
        return err_set(err, ERR_INPUT, "an emulation needs an input");
    }
    recording->feeder = feeder_create(&recording->link, recording->request.input_path,
                                      recording->options.input_memory_bytes,
                                      recording->options.board->is_virtual_time, err);
    if (recording->feeder == NULL) {
        return -1;
    }
    if (recording->stop_sample > feeder_samples(recording->feeder)) {
        recording->stop_sample = feeder_samples(recording->feeder);
    }
    return 0;
}

struct recording *recording_create(const struct recording_options *options, int64_t *promise_ns,
                                   struct err *err)
{
    struct recording *recording = calloc(1, sizeof(*recording));

    if (recording == NULL) {
        err_set(err, ERR_MEMORY, "recording");
        return NULL;
    }
    recording->options = *options;
    recording->request = *options->request;
    recording->options.request = &recording->request;
    recording->stop_sample = recording->request.manifest.n_planned;
    if (recording_check_space(recording, err) < 0 || configure_board(recording, err) < 0
        || open_log(recording, err) < 0 || open_input(recording, err) < 0) {
        recording_destroy(&recording);
        return NULL;
    }
    recording_begin_space(recording);
    node_time_init(&recording->time, options->clock, options->board);
    for (int i = 0; i < FIRST_READINGS; i++) {
        node_time_read(&recording->time);
    }
    *promise_ns = clock_utc(options->clock) + PROMISE_MS * NS_PER_MS;
    return recording;
}

void recording_destroy(struct recording **recording_p)
{
    struct recording *recording = *recording_p;
    struct err err;

    if (recording == NULL) {
        return;
    }
    if (recording->link.board != NULL) {
        pru_link_halt(&recording->link);
    }
    feeder_destroy(&recording->feeder);
    log_worker_destroy(&recording->worker);
    if (recording->owns_log && recording->phase < RECORDING_RUNNING
        && access(recording->request.log_folder, F_OK) == 0
        && rlog_remove(recording->request.log_folder, &err) < 0) {
        log_warn("recorder: %s", err.text);
    }
    free(recording);
    *recording_p = NULL;
}

int recording_start(struct recording *recording, int64_t T_ns, uint32_t arm_n, struct err *err)
{
    int64_t now_ns = clock_mono(recording->options.clock);

    if (recording->phase != RECORDING_PREPARED) {
        return err_set(err, ERR_STATE, "the recording has its start already");
    }
    recording_read_clock(recording);
    node_time_set_start(&recording->time, T_ns);
    if (recording->time.T_mono_ns - now_ns < START_MINIMUM_MS * NS_PER_MS) {
        return err_set(err, ERR_TIMEOUT, "T is only %lld ms away",
                       (long long)((recording->time.T_mono_ns - now_ns) / NS_PER_MS));
    }
    recording->arm_n = arm_n;
    recording->edges.T_ns = T_ns;
    recording->phase = RECORDING_STARTING;
    return 0;
}

int recording_stop(struct recording *recording, uint64_t sample, struct err *err)
{
    if (recording->phase != RECORDING_STARTING && recording->phase != RECORDING_RUNNING) {
        return err_set(err, ERR_STATE, "nothing runs");
    }
    if (sample >= recording->stop_sample) {
        return 0; /* ends before by itself */
    }
    recording->reason = RLOG_END_STOPPED;
    /* The start stands. What comes too late for arming is said again once the PRU runs. */
    if (recording->phase == RECORDING_STARTING && (recording->is_armed || sample == 0)) {
        recording->has_pending_stop = true;
        recording->pending_stop = sample;
        return 0;
    }
    recording->stop_sample = sample;
    if (recording->phase == RECORDING_STARTING) {
        return 0;
    }
    return pru_link_stop_at(&recording->link, sample, err);
}

void recording_fail(struct recording *recording, const char *text)
{
    if (recording->fault[0] == '\0') {
        snprintf(recording->fault, sizeof(recording->fault), "%s", text);
        recording_remark(recording, "%s", text);
    }
    if (recording->phase < RECORDING_CLOSING) {
        recording->reason = RLOG_END_FAULT;
        pru_link_halt(&recording->link);
        recording_close_data(recording);
    }
}

static void watch_log(struct recording *recording)
{
    struct log_sink_status status;

    log_worker_status(recording->worker, &status);
    recording->durable = status.durable;
    recording->queue_fill_max_percent = status.fill_max_percent;
    if (status.is_failed && recording->phase == RECORDING_RUNNING) {
        recording_fail(recording, status.err.text);
        recording->reason =
            status.err.code == ERR_NO_SPACE ? RLOG_END_NO_SPACE : RLOG_END_FAULT;
    }
}

/* What was fed after the file broke is zeros; no sample is to be silently wrong. */
static void watch_input(struct recording *recording)
{
    struct feeder_status status;

    if (recording->feeder == NULL) {
        return;
    }
    feeder_status(recording->feeder, &status);
    if (status.is_failed) {
        recording_fail(recording, status.err.text);
    }
}

/* Time alone does not tell: this process may have been stopped, and the board with it. */
static bool is_silent(struct recording *recording)
{
    int64_t silence_ns = clock_mono(recording->options.clock) - recording->last_block_mono_ns;

    recording->n_silent_steps++;
    return silence_ns > SILENCE_MS * NS_PER_MS && recording->n_silent_steps > SILENCE_STEPS;
}

static void step_running(struct recording *recording)
{
    enum pru_state state = pru_link_state(&recording->link);
    struct err err;

    if (pru_link_check(&recording->link, &err) < 0) {
        recording_drain(recording);
        recording_fail(recording, err.text);
        return;
    }
    recording_drain(recording);
    if (recording->phase != RECORDING_RUNNING) {
        return;
    }
    if (is_silent(recording)) {
        recording_fail(recording, "the board takes no samples any more");
        return;
    }
    if (state == PRU_STATE_DONE && pru_link_blocks_waiting(&recording->link) == 0) {
        recording_close_data(recording);
        return;
    }
    recording_keep_time(recording);
    watch_log(recording);
    watch_input(recording);
    recording_watch_space(recording);
}

/* A log that could not be written to its end is closed as far as the disk allows. */
static void salvage(struct recording *recording)
{
    struct rlog_recovery recovery;
    struct err err;

    log_worker_destroy(&recording->worker);
    if (rlog_recover(recording->request.log_folder, &recovery, &err) < 0) {
        log_error("recorder: %s", err.text);
        return;
    }
    recording->end = recovery.end;
    recording->log_bytes = recovery.bytes;
    memcpy(recording->digest, recovery.digest, sizeof(recording->digest));
    recording->durable.total = recovery.bytes;
}

static void step_closing(struct recording *recording)
{
    struct log_sink_status status;

    log_worker_status(recording->worker, &status);
    if (!status.is_finished) {
        return;
    }
    recording->queue_fill_max_percent = status.fill_max_percent;
    recording->durable = status.durable;
    if (status.is_failed) {
        snprintf(recording->fault, sizeof(recording->fault), "%.*s",
                 (int)sizeof(recording->fault) - 1, status.err.text);
        salvage(recording);
    } else {
        log_worker_end(recording->worker, &recording->end);
        recording->log_bytes = status.durable.total;
        memcpy(recording->digest, status.digest, sizeof(recording->digest));
    }
    recording->phase = RECORDING_ENDED;
}

enum recording_phase recording_phase(const struct recording *recording)
{
    return recording->phase;
}

enum recording_phase recording_step(struct recording *recording)
{
    switch (recording->phase) {
    case RECORDING_PREPARED: {
        int64_t now_ns = clock_mono(recording->options.clock);

        if (now_ns >= recording->next_read_mono_ns) {
            recording_read_clock(recording);
            recording->next_read_mono_ns = now_ns + STEP_WATCH_MS * NS_PER_MS;
        }
        break;
    }
    case RECORDING_STARTING:
        recording_approach_start(recording);
        break;
    case RECORDING_RUNNING:
        step_running(recording);
        break;
    case RECORDING_CLOSING:
        step_closing(recording);
        break;
    case RECORDING_ENDED:
        break;
    }
    return recording->phase;
}

/* Near the end looks come closer and closer: the result is waited for. */
static int running_timeout_ms(const struct recording *recording)
{
    uint64_t next = recording->chunker.next_sample;
    uint64_t left = recording->stop_sample > next ? recording->stop_sample - next : 0;
    uint64_t half_ms = left / 2 / (PRU_SAMPLE_RATE_HZ / 1000);
    int step_ms = recording->has_many_edges ? STEP_EDGES_MS : STEP_RUNNING_MS;

    if (half_ms >= (uint64_t)step_ms) {
        return step_ms;
    }
    return half_ms < STEP_ENDING_MS ? STEP_ENDING_MS : (int)half_ms;
}

int recording_timeout_ms(const struct recording *recording)
{
    switch (recording->phase) {
    case RECORDING_PREPARED:
        return STEP_WATCH_MS;
    case RECORDING_STARTING:
        return recording_start_timeout_ms(recording);
    case RECORDING_RUNNING:
        if (recording->was_blocked) {
            return 1;
        }
        return running_timeout_ms(recording);
    case RECORDING_CLOSING:
        return STEP_CLOSING_MS;
    case RECORDING_ENDED:
        return 0;
    }
    return 0;
}

bool recording_wants_board(const struct recording *recording)
{
    return (recording->phase == RECORDING_STARTING && recording->is_armed)
           || (recording->phase == RECORDING_RUNNING && !recording->was_blocked
               && recording->options.board->is_virtual_time);
}

void recording_fill_page(struct recording *recording, struct recorder_page *page)
{
    page->experiment = recording->request.manifest.experiment;
    snprintf(page->log_folder, sizeof(page->log_folder), "%s", recording->request.log_folder);
    page->T_ns = recording->phase == RECORDING_PREPARED ? 0 : recording->time.T_ns;
    page->n_samples = recording->chunker.next_sample;
    page->durable = recording->durable;
    page->is_started = recording->has_start;
    page->start_error_ns = recording->start_error_ns;
    page->start_bound_ns = recording->start_bound_ns;
    page->is_ended = recording->phase == RECORDING_ENDED;
    page->end = recording->end;
    page->log_bytes =
        recording->phase == RECORDING_ENDED ? recording->log_bytes : recording->durable.total;
    memcpy(page->digest, recording->digest, sizeof(page->digest));
    page->ring_fill_max_percent = recording->ring_fill_max_percent;
    page->queue_fill_max_percent = recording->queue_fill_max_percent;
    page->clock_residual_ns = recording->residual_ns;
    snprintf(page->fault, sizeof(page->fault), "%s", recording->fault);
}
