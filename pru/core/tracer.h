/* SPDX-License-Identifier: MIT */
/* Edges of the target's pins into the ring of GPIO events.
 *
 * Belongs to one thread (PRU1's loop, or the simulated board). */
#ifndef PRU_CORE_TRACER_H
#define PRU_CORE_TRACER_H

#include "pru/abi/pru_shm.h"

#include <stdint.h>

struct tracer {
    struct pru_control *control;
    pru_gpio_event *ring;
    uint32_t mask;
    uint32_t pins; /* as last recorded, masked */
    uint32_t write_idx;
    uint32_t lost;
};

void tracer_boot(struct tracer *tracer, const struct pru_shm *shm);

/* When the sampler is configured or armed anew: empties the ring, takes the mask from control
 * and the state of the pins as the one that edges are counted from. */
void tracer_start(struct tracer *tracer, uint32_t pins);

/* Looks at the pins (bit 9: power-good as the sampler drives it) and stores one event if a
 * masked one has changed. While control->outputs has PRU_OUTPUT_GPIO_MUTED, only power-good is
 * watched; what the other pins did meanwhile shows as one edge when the mute ends. A full ring
 * loses the event, and it is counted in control->gpio_lost. */
void tracer_poll(struct tracer *tracer, uint32_t pins, uint64_t tick);

#endif
