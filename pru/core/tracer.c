/* SPDX-License-Identifier: MIT */
#include "pru/core/tracer.h"

#include "pru/core/fx.h"

static const uint32_t EVENT_MASK = PRU_GPIO_EVENT_COUNT - 1;
static const uint32_t PIN_MASK = (1u << PRU_GPIO_PIN_COUNT) - 1u;

void tracer_boot(struct tracer *tracer, const struct pru_shm *shm)
{
    tracer->control = shm->control;
    tracer->ring = shm->gpio;
    tracer->lost = 0;
    tracer_start(tracer, 0);
}

void tracer_start(struct tracer *tracer, uint32_t pins)
{
    tracer->mask = tracer->control->gpio_mask & PIN_MASK;
    tracer->watched = tracer->mask;
    tracer->pins = pins & tracer->mask;
    tracer->write_idx = shm_load_u32(&tracer->control->gpio_read_idx);
    tracer->lost = 0;
    shm_store_u32(&tracer->control->gpio_lost, 0);
    shm_store_u32(&tracer->control->gpio_write_idx, tracer->write_idx);
}

void tracer_store(struct tracer *tracer, uint32_t pins, uint64_t tick)
{
    uint32_t state = (pins & tracer->watched) | (tracer->pins & ~tracer->watched);

    tracer->pins = state;
    if (tracer->write_idx - shm_load_u32(&tracer->control->gpio_read_idx)
        >= (uint32_t)PRU_GPIO_EVENT_COUNT) {
        /* Every event holds the whole state: the next one that fits sets the reader right. */
        tracer->lost++;
        shm_store_u32(&tracer->control->gpio_lost, tracer->lost);
        return;
    }
    tracer->ring[tracer->write_idx & EVENT_MASK] = fx_raise(tick, 16) | fx_widen(state);
    tracer->write_idx++;
    shm_store_u32(&tracer->control->gpio_write_idx, tracer->write_idx);
}

void tracer_poll(struct tracer *tracer, uint32_t pins, uint64_t tick)
{
    tracer_listen(tracer);
    if (tracer_has_edge(tracer, pins)) {
        tracer_store(tracer, pins, tick);
    }
}
