/* SPDX-License-Identifier: MIT */
/* What both simulated boards stand on: memory, doorbells, a thread, and the world around them.
 *
 * A board embeds it as its first member, so that `struct board *` leads to it. The thread owns
 * world, outside and last_state while it runs; all else is the recorder's main thread's. */
#ifndef SHEEP_SIM_BASE_H
#define SHEEP_SIM_BASE_H

#include "common/err.h"
#include "pru/sim/world.h"
#include "sheep/board.h"
#include "sheep/sim_config.h"
#include "sheep/sim_outside.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_base {
    struct board board;
    struct sim_config config;
    char truth_path[PATH_SIZE];
    bool is_port_B;
    bool is_emulation;    /* as booted */
    int64_t base_mono_ns; /* of tick 0 */
    double ticks_per_ns;
    uint8_t *memory; /* zero at first */
    size_t memory_bytes;
    int kick_fd;
    pthread_t thread;
    bool has_thread;
    _Atomic bool quits; /* the thread ends soon when it is set */
    struct world *world;
    struct sim_outside outside;
    enum pru_state last_state;
};

/* Into zeroed storage. Fills the board but for shm, which shares out `memory`. Needs fini also
 * after a failure. */
MUST_CHECK int sim_base_init(struct sim_base *base, const struct board_ops *ops,
                             const struct sim_config *config, size_t memory_bytes,
                             struct err *err);
void sim_base_fini(struct sim_base *base);

/* The last step of boot: run(base) in a thread, until halt. */
MUST_CHECK int sim_base_start(struct sim_base *base, void *(*run)(void *), struct err *err);

/* For struct board_ops. */
void sim_base_halt(struct board *board);
void sim_base_kick(struct board *board);
void sim_base_expect(struct board *board, const struct board_plan *plan);

/* ---- the thread's ---- */

/* The simulated counter at an instant; the inverse is rounded up to a whole nanosecond. */
uint64_t sim_base_tick_at(const struct sim_base *base, int64_t mono_ns);
int64_t sim_base_mono_at(const struct sim_base *base, uint64_t tick);

/* Waits for a kick, which it takes, or for so long. */
void sim_base_rest(const struct sim_base *base, int64_t ns);

/* Makes event_fd readable. */
void sim_base_announce(const struct sim_base *base);

/* A run is armed: the world at its beginning, and who looks on from outside. */
void sim_base_begin(struct sim_base *base);

#endif
