/* SPDX-License-Identifier: MIT */
/* How busy the cores are: a record in the ring of control->util for every 10 000 samples.
 *
 * Belongs to one thread: PRU1's loop on the board, the sampler's elsewhere. */
#ifndef PRU_CORE_UTILISATION_H
#define PRU_CORE_UTILISATION_H

#include "pru/abi/pru_shm.h"

#include <stdint.h>

/* Storage belongs to the caller. */
struct utilisation {
    struct pru_control *control;
    uint32_t write_idx;
    struct pru_util window;
};

/* Goes on where the ring's index stands. */
void utilisation_boot(struct utilisation *utilisation, struct pru_control *control);

/* Forgets the window under way. */
void utilisation_start(struct utilisation *utilisation);

/* A sample triggered at `tick` took `ticks`; other_ticks: the other core's longest loop since
 * the last call. A full ring loses the window. */
void utilisation_add(struct utilisation *utilisation, uint64_t tick, uint32_t ticks,
                     uint32_t other_ticks);

#endif
