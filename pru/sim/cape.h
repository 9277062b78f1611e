/* SPDX-License-Identifier: MIT */
/* A Shepherd cape on the pins of both cores: three ADCs and two DACs on one bus of PRU0,
 * power-good and the target's pins on PRU1; behind them a world (struct sample_io). */
#ifndef PRU_SIM_CAPE_H
#define PRU_SIM_CAPE_H

#include "pru/core/sample_io.h"
#include "pru/sim/ads8691.h"
#include "pru/sim/dac8562.h"
#include "pru/sim/pru_soc.h"

enum cape_adc {
    CAPE_ADC_HRV_V,
    CAPE_ADC_HRV_I,
    CAPE_ADC_EMU_I,
    CAPE_ADCS,
};

enum cape_dac {
    CAPE_DAC_HRV,
    CAPE_DAC_EMU,
    CAPE_DACS,
};

enum {
    CAPE_NO_PIN = 32, /* the cape lacks the part */
};

/* Bits of r30 and r31 of PRU0. */
struct cape_pins {
    unsigned clock;
    unsigned data;   /* to the converters */
    unsigned answer; /* from them */
    unsigned adc[CAPE_ADCS];
    unsigned dac[CAPE_DACS];
    uint32_t power_good; /* mask, of core */
    unsigned power_good_core;
};

/* Revisions 2.4 and 2.5; reference section 6.3 and the pads of pru/dts. */
struct cape_pins cape_pins_24(void);
struct cape_pins cape_pins_25(void);

struct cape_world {
    void *context;
    /* A conversion begins; the world is asked for its code later, but before the next one.
     * is_bare: without a clock before it, so it was a mere trigger. */
    void (*converting)(void *context, uint64_t cycle, bool is_bare);
    uint32_t (*pins)(void *context, uint64_t cycle); /* r31 of PRU1, bits 0..29 */
    struct sample_io io;
};

struct cape {
    struct cape_pins pins;
    struct cape_world world;
    struct ads8691 adc[CAPE_ADCS];
    struct dac8562 dac[CAPE_DACS];
    uint32_t r30; /* of PRU0 */
    bool is_power_good;
    uint32_t n_shared; /* bits clocked into two converters at once */
    uint64_t first_shared_cycle;
};

/* Converters as after power-up. The world is copied; functions of it may be NULL. */
void cape_init(struct cape *cape, const struct cape_pins *pins, const struct cape_world *world);

/* What to hang on the subsystem; the context is the cape. */
struct pru_pins cape_soc_pins(struct cape *cape);

/* Broken rules of all converters. */
uint32_t cape_broken(const struct cape *cape);

/* One line: "emulator ADC: clock too fast (3, first at 12345 ns); ..."; "" without any. */
void cape_explain(const struct cape *cape, char *text, size_t size);

#endif
