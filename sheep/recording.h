/* SPDX-License-Identifier: MIT */
/* One recording from PREPARE to its closed log: board, input, clock, rings, log.
 *
 * The recorder's loop calls recording_step() whenever a descriptor is ready or the timeout that
 * it was told has passed; nothing in here waits for the disk or the network once running. One
 * thread. */
#ifndef SHEEP_RECORDING_H
#define SHEEP_RECORDING_H

#include "common/clock.h"
#include "common/err.h"
#include "sheep/board.h"
#include "sheep/recorder_ipc.h"

#include <stdbool.h>
#include <stdint.h>

struct recording;

struct recording_options {
    struct board *board; /* loans, all of them */
    const struct clock *clock;
    const struct recorder_request *request; /* PREPARE; copied */
    uint64_t disk_reserve_bytes;            /* stays free on the disk of the log */
    const char *state_dir; /* watched for room like the log's disk; NULL: not */
    const char *temp_dir;  /* watched too, but no reason to end; NULL: not */
    size_t input_memory_bytes;
    int event_fd; /* written by the log's thread, see log_sink_create */
};

/* PREPARE: derives parameters, boots and configures the board, makes the log, fills the input.
 * *promise_ns: the earliest T it can keep. On failure everything is undone, the log is gone. */
struct recording *recording_create(const struct recording_options *options, int64_t *promise_ns,
                                   struct err *err);

/* Halts the board and frees; a log without a START record is removed. */
void recording_destroy(struct recording **recording);

/* START: sample 0 at T. Refused when T is too near. */
MUST_CHECK int recording_start(struct recording *recording, int64_t T_ns, uint32_t arm_n,
                               struct err *err);

/* STOP: ends after samples [0, sample), or at the next one when that is past. */
MUST_CHECK int recording_stop(struct recording *recording, uint64_t sample, struct err *err);

enum recording_phase {
    RECORDING_PREPARED,
    RECORDING_STARTING,
    RECORDING_RUNNING,
    RECORDING_CLOSING,
    RECORDING_ENDED, /* log closed, or given up: see the page's fault */
};

enum recording_phase recording_phase(const struct recording *recording);

/* Does what is due; returns the phase. */
enum recording_phase recording_step(struct recording *recording);

/* Until the next step is due at the latest, and whether the board's descriptor matters. */
int recording_timeout_ms(const struct recording *recording);
bool recording_wants_board(const struct recording *recording);

/* A monitor's row; false when it was dropped: malformed, nothing runs, or no room. */
bool recording_put_row(struct recording *recording, const struct recorder_row *row);

/* Fills in everything of the page that concerns the recording. */
void recording_fill_page(struct recording *recording, struct recorder_page *page);

#endif
