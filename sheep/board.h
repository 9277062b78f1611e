/* SPDX-License-Identifier: MIT */
/* A board: memory and a doorbell. Handshake, parameters, rings and canaries lie above it. */
#ifndef SHEEP_BOARD_H
#define SHEEP_BOARD_H

#include "common/err.h"
#include "pru/abi/pru_shm.h"

#include <stdbool.h>
#include <stdint.h>

struct board;

/* What the next recording is about; a simulated board wants to know. */
struct board_plan {
    bool is_port_B;
    bool has_uart; /* someone listens to the target's serial line: it is in time then */
    const char *truth_path; /* where the world writes what was true; "": nowhere */
};

/* What each kind of board implements. All functions are called from the recorder's main thread.
 */
struct board_ops {
    const char *name; /* "sim", "iss", "pru" */
    /* Loads and starts the firmware that `mode` needs; afterwards control->state becomes IDLE.
     */
    int (*boot)(struct board *board, enum pru_mode mode, struct err *err);
    /* Stops the firmware; the mappings stay. Harmless when not booted. */
    void (*halt)(struct board *board);
    /* Tells the PRU to look at the control block. */
    void (*kick)(struct board *board);
    /* Takes what made event_fd readable; NULL: event_fd is an eventfd, which a read empties. */
    void (*clear)(struct board *board);
    /* The free-running 64-bit counter in ticks of PRU_TICK_NS; a plain read of hardware, so the
     * caller brackets it between two readings of its clock. */
    uint64_t (*counter)(struct board *board);
    /* Before boot; NULL: it does not matter to this board. */
    void (*expect)(struct board *board, const struct board_plan *plan);
    void (*destroy)(struct board *board);
};

struct board {
    const struct board_ops *ops;
    struct pru_shm shm;   /* valid from creation to destroy */
    int event_fd;         /* readable when the PRU has something: block, state, error */
    bool is_virtual_time; /* stepped, not paced: from the start on, the counter runs as fast as
                           * samples are taken, and it waits for room and input */
};

#endif
