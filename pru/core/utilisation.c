/* SPDX-License-Identifier: MIT */
#include "pru/core/utilisation.h"

enum {
    RING_MASK = PRU_UTIL_COUNT - 1,
    WINDOW_SAMPLES = 10000,
};

void utilisation_boot(struct utilisation *utilisation, struct pru_control *control)
{
    utilisation->control = control;
    utilisation->write_idx = control->util_write_idx;
    utilisation_start(utilisation);
}

void utilisation_start(struct utilisation *utilisation)
{
    struct pru_util *window = &utilisation->window;

    window->first_tick = 0;
    window->pru0_max_ticks = 0;
    window->pru0_sum_ticks = 0;
    window->pru0_count = 0;
    window->pru1_max_ticks = 0;
    window->reserved[0] = 0;
    window->reserved[1] = 0;
}

static void hand_over(struct utilisation *u)
{
    struct pru_control *control = u->control;

    if (u->write_idx - shm_load_u32(&control->util_read_idx) < PRU_UTIL_COUNT) {
        struct pru_util *entry = &control->util[u->write_idx & RING_MASK];

        entry->first_tick = u->window.first_tick;
        entry->pru0_max_ticks = u->window.pru0_max_ticks;
        entry->pru0_sum_ticks = u->window.pru0_sum_ticks;
        entry->pru0_count = u->window.pru0_count;
        entry->pru1_max_ticks = u->window.pru1_max_ticks;
        u->write_idx++;
        shm_store_u32(&control->util_write_idx, u->write_idx);
    }
    utilisation_start(u);
}

void utilisation_add(struct utilisation *utilisation, uint64_t tick, uint32_t ticks,
                     uint32_t other_ticks)
{
    struct pru_util *window = &utilisation->window;

    if (window->pru0_count == 0) {
        window->first_tick = tick;
    }
    window->pru0_count++;
    window->pru0_sum_ticks += ticks;
    if (ticks > window->pru0_max_ticks) {
        window->pru0_max_ticks = ticks;
    }
    if (other_ticks > window->pru1_max_ticks) {
        window->pru1_max_ticks = other_ticks;
    }
    if (window->pru0_count == WINDOW_SAMPLES) {
        hand_over(utilisation);
    }
}
