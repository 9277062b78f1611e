/* SPDX-License-Identifier: MIT */
/* The DAC DAC8562 on its serial lines: two channels of 16 bits. SLAS719.
 *
 * A frame is 24 bits, captured on the clock's fall: two that do not matter, command (3),
 * address (3), data (16) (8.5, tables 8 to 13). It acts at the 24th fall; released before, it
 * does nothing (8.5.1). Least times are those of 7.6: cycle 20 ns, high and low 8, SYNC before
 * the fall 13, after it 10, high 80, data 6 before and 5 after. SYNC may rest at either level
 * of the clock. LDAC and CLR are not wired. */
#ifndef PRU_SIM_DAC8562_H
#define PRU_SIM_DAC8562_H

#include "pru/sim/spi_rules.h"

enum {
    DAC8562_CHANNELS = 2, /* A, B */
};

struct dac8562 {
    struct spi_lines lines;
    /* A channel makes another voltage: code at gain 2 and the internal reference, 0 when it is
     * off. */
    void (*changed)(void *context, unsigned channel, uint32_t code);
    void *context;
    uint32_t word; /* bits so far */
    uint32_t input[DAC8562_CHANNELS];
    uint32_t output[DAC8562_CHANNELS];
    bool is_down[DAC8562_CHANNELS];
    bool has_gain_2[DAC8562_CHANNELS];
    bool has_reference; /* the internal one */
};

void dac8562_init(struct dac8562 *dac,
                  void (*changed)(void *context, unsigned channel, uint32_t code),
                  void *context);

/* Levels of its lines from this cycle on. */
void dac8562_set(struct dac8562 *dac, uint64_t cycle, bool is_selected, bool clock, bool data);

#endif
