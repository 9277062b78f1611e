/* SPDX-License-Identifier: MIT */
/* The recorder: a process of its own that owns board, rings and disk, and outlives the agent.
 *
 * It serves one agent at a time over STATE/recorder.sock (see recorder_ipc.h). What has a start
 * goes on when the agent is gone; what was only prepared is cancelled then. Idle and without an
 * agent for IDLE_EXIT_S it ends. */
#ifndef SHEEP_RECORDER_H
#define SHEEP_RECORDER_H

#include "common/buf.h"
#include "common/calibration.h"
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

/* What the self-test knows of its node. */
struct selftest_node {
    const struct calibration *calibration; /* a loan */
    const char *eeprom;                    /* path; NULL or "": none */
    unsigned cape;                         /* that the EEPROM must agree with; 0: any */
    bool has_harvester;
};

/* `sheep selftest`: every element that software can check, in both modes, without a log: the
 * EEPROM; firmware and ADCs of harvester and emulator; the counter; what the harvester's DAC
 * makes of a source, as its ADC sees it; currents without load; edges, blocks and input
 * through their rings. The target gets 0.5 V for 5 ms at the end. Goes on behind what failed;
 * appends one line an element to `report`. -1 with the names of all that failed. */
MUST_CHECK int recorder_selftest(const struct recorder_options *options,
                                 const struct selftest_node *node, struct buf *report,
                                 struct err *err);

/* The same on a board that is there. */
MUST_CHECK int recorder_selftest_board(struct board *board, const struct clock *clock,
                                       const struct selftest_node *node, struct buf *report,
                                       struct err *err);

#endif
