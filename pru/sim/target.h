/* SPDX-License-Identifier: MIT */
/* A target: what it draws, shows on its pins and says on its UART depends on its state. */
#ifndef PRU_SIM_TARGET_H
#define PRU_SIM_TARGET_H

#include "pru/sim/table.h"
#include "pru/sim/world.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum target_state {
    TARGET_OFF,
    TARGET_BOOT,
    TARGET_SLEEP,
    TARGET_COMPUTE,
    TARGET_SEND
};

enum {
    TARGET_UART_SIZE = 4096
};

struct target {
    const struct world_target *model; /* a loan */
    const struct table *trace;        /* replay; a loan */
    enum target_state state;
    uint32_t left_n; /* samples until the state ends */
    uint64_t trace_idx;
    uint32_t n_boots;
    uint32_t n_cycles;
    bool is_toggled;
    char uart[TARGET_UART_SIZE];
    size_t uart_fill;
};

void target_init(struct target *target, const struct world_target *model,
                 const struct table *trace);

/* One sample under this supply; the current it draws in A. */
double target_step(struct target *target, double supply_V, bool is_power_good);

uint16_t target_pins(const struct target *target);

#endif
