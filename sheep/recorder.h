/* SPDX-License-Identifier: MIT */
/* The recorder: a process of its own that owns board, rings and disk, and outlives the agent.
 *
 * It serves one agent at a time over STATE/recorder.sock (see recorder_ipc.h). What has a start
 * goes on when the agent is gone; what was only prepared is cancelled then. Idle and without an
 * agent for IDLE_EXIT_S it ends. */
#ifndef SHEEP_RECORDER_H
#define SHEEP_RECORDER_H

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "sheep/board.h"
#include "sheep/sim_config.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RECORDER_IDLE_EXIT_S = 20
};

struct recorder_options {
    const char *state_dir; /* exists; holds socket and page */
    const char *board;     /* "sim", "iss", "pru" */
    unsigned cape;         /* revision of the real one: 24 or 25 */
    const struct sim_config *sim;
    const char *truth_dir; /* sim: NAME.truth of every recording is written there; NULL: none */
    struct clock clock;    /* the node's, with its simulated error */
    uint64_t disk_reserve_bytes;
    size_t input_memory_bytes; /* 0: as the experiment says */
};

/* Serves until QUIT, until idle for too long, or until *stop_signal (may be NULL) is set: then
 * a recording that runs is stopped at its next sample and closed first. -1 when it could not
 * start. */
MUST_CHECK int recorder_run(const struct recorder_options *options,
                            const volatile sig_atomic_t *stop_signal, struct err *err);

/* A board as the options name it. ERR_INPUT with the kinds that there are for any other. */
struct board *recorder_board_create(const struct recorder_options *options, struct err *err);

/* `sheep selftest`: boots the board, sees its counter advance against the clock, and records a
 * thousand samples through the rings, without a log. Appends one line a step to `report`. */
MUST_CHECK int recorder_selftest(const struct recorder_options *options, struct buf *report,
                                 struct err *err);

#endif
