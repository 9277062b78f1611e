/* SPDX-License-Identifier: MIT */
/* Edges of the target's pins into the ring of GPIO events.
 *
 * Belongs to one thread (PRU1's loop, or the simulated board). */
#ifndef PRU_CORE_TRACER_H
#define PRU_CORE_TRACER_H

#include "pru/abi/pru_shm.h"

#include <stdbool.h>
#include <stdint.h>

struct tracer {
    struct pru_control *control;
    pru_gpio_event *ring;
    uint32_t mask;
    uint32_t watched; /* mask, or of it what a mute leaves */
    uint32_t pins;    /* as last recorded, masked */
    uint32_t write_idx;
    uint32_t lost;
};

void tracer_boot(struct tracer *tracer, const struct pru_shm *shm);

/* When the sampler is configured or armed anew: empties the ring, takes the mask from control
 * and the state of the pins as the one that edges are counted from. */
void tracer_start(struct tracer *tracer, uint32_t pins);

/* Takes over what control->outputs says of the mute. */
static inline void tracer_listen(struct tracer *tracer)
{
    bool is_muted = (shm_load_u32(&tracer->control->outputs) & PRU_OUTPUT_GPIO_MUTED) != 0;

    tracer->watched = is_muted ? tracer->mask & (1u << PRU_GPIO_POWER_GOOD_BIT) : tracer->mask;
}

/* Whether there is something to store. */
static inline bool tracer_has_edge(const struct tracer *tracer, uint32_t pins)
{
    return ((pins ^ tracer->pins) & tracer->watched) != 0;
}

/* Stores it. */
void tracer_store(struct tracer *tracer, uint32_t pins, uint64_t tick);

/* All three. Looks at the pins (bit 9: power-good as the sampler drives it) and stores one
 * event if a masked one has changed. While control->outputs has PRU_OUTPUT_GPIO_MUTED, only
 * power-good is watched; what the other pins did meanwhile shows as one edge when the mute
 * ends. A full ring loses the event, and it is counted in control->gpio_lost. */
void tracer_poll(struct tracer *tracer, uint32_t pins, uint64_t tick);

#endif
