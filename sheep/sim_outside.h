/* SPDX-License-Identifier: MIT */
/* What a simulated board shows to the outside: a pin for observers, a serial line, the truth.
 *
 * Belongs to the board's thread between begin and end. */
#ifndef SHEEP_SIM_OUTSIDE_H
#define SHEEP_SIM_OUTSIDE_H

#include "common/err.h"
#include "pru/sim/truth.h"
#include "pru/sim/world.h"
#include "sheep/sim_config.h"

#include <stdbool.h>
#include <stdint.h>

struct sim_outside {
    uint8_t *pin; /* a mapped file of one page; NULL: none */
    int uart_fd;  /* master of a pty; -1: none */
    char uart_link[PATH_SIZE];
    struct truth_file *truth;
    bool has_listener; /* to the serial line */
    bool has_truth;
    uint64_t n_uart_failed;
};

void sim_outside_init(struct sim_outside *outside);

/* Pin and serial line, as the config names them. ERR_EXISTS: what stands where the link should
 * is no link. After a failure close cleans up. */
MUST_CHECK int sim_outside_open(struct sim_outside *outside, const struct sim_config *config,
                                struct err *err);
void sim_outside_close(struct sim_outside *outside);

/* Before a run: pin low, a new truth file ("" for none). */
void sim_outside_begin(struct sim_outside *outside, const char *truth_path, bool is_emulation);

/* Sample 0 is taken now: the pin rises. Costs nothing but a store. */
static inline void sim_outside_start(struct sim_outside *outside)
{
    if (outside->pin != NULL) {
        __atomic_store_n(outside->pin, 1, __ATOMIC_RELEASE);
    }
}

/* After each sample: the truth of it, and every millisecond what the target sent. */
void sim_outside_sample(struct sim_outside *outside, struct world *world, uint64_t sample);

/* After a run. Says so in the log when the truth is incomplete. */
void sim_outside_end(struct sim_outside *outside);

static inline bool sim_outside_has_uart(const struct sim_outside *outside)
{
    return outside->uart_fd >= 0 && outside->has_listener;
}

#endif
