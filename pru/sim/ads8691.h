/* SPDX-License-Identifier: MIT */
/* The ADC ADS8691 on its serial lines: 18 bits, SPI-00-S. SBAS777B.
 *
 * A rise of CONVST/CS starts a conversion of 665 ns (6.6); its result is in the frame behind,
 * upper 18 of 32 bits (7.5.3). Bits are launched on the clock's fall, valid 12 ns later, and
 * captured on its rise (6.8). A frame of 32 bits may hold a command (table 7-5); what
 * READ_HWORD asks for is the upper half of the next frame. Registers are held, of which range
 * and power act: only range 0x0B, 0 to 1.25 Vref, makes codes, all others answer 0. Shortest
 * high and low of the clock, given as 0.45 of its period, are taken of the shortest period
 * allowed. */
#ifndef PRU_SIM_ADS8691_H
#define PRU_SIM_ADS8691_H

#include "pru/sim/spi_rules.h"

enum {
    ADS8691_REGISTERS = 0x30, /* bytes */
};

/* Fault injection. */
enum ads8691_defect {
    ADS8691_SOUND,
    ADS8691_SILENT, /* its output stays low */
    ADS8691_STUCK_HIGH,
    ADS8691_SAME_CODE, /* registers answer, the conversion does not change any more */
    ADS8691_FORGETFUL, /* loses its range once, at the next frame, as after a brown-out */
};

struct ads8691 {
    struct spi_lines lines;
    /* The code of what lies at the input; called at most once a conversion, when it is first
     * needed. */
    uint32_t (*sample)(void *context);
    void *context;
    enum ads8691_defect defect;
    uint8_t registers[ADS8691_REGISTERS];
    bool is_unlocked; /* the key for power control was written */
    uint64_t converting_until;
    bool is_converted; /* code is that of the last conversion */
    uint32_t code;
    bool is_unset;    /* this frame's conversion lacks range or power */
    uint32_t command; /* bits so far */
    bool has_answer;  /* the next frame gives a register */
    uint32_t answer;
    uint32_t shift; /* what is left of the output; bit 31 is on the line */
    bool is_shift_loaded;
    bool last_bit;
    uint64_t launch_cycle;
};

void ads8691_init(struct ads8691 *adc, uint32_t (*sample)(void *context), void *context);

/* Levels of its lines from this cycle on; true: a conversion has begun. */
bool ads8691_set(struct ads8691 *adc, uint64_t cycle, bool is_selected, bool clock, bool data);

/* Its output as it is read at this cycle; only while it is selected. */
bool ads8691_output(struct ads8691 *adc, uint64_t cycle);

#endif
