/* SPDX-License-Identifier: MIT */
/* Shepherd's cape 2.5: emulator only, twelve pins of the target, two power-good pins.
 *
 * As pru/fw/cape_24.h, but: no chip select of a harvester; power-good is PRU0's, P9_41 (above
 * the upper threshold) and P9_27 (above the lower one); the virtual source has one power-good
 * with hysteresis between the two, which both follow. PRU1: GPIO 0 to 11 on P8_45, P8_46,
 * P8_43, P8_44, P8_41, P8_42, P8_39, P8_40, P8_27, P8_29, P8_28, P8_30, so it has no LED. */
#ifndef PRU_FW_CAPE_25_H
#define PRU_FW_CAPE_25_H

#include <stdint.h>

enum {
    CAPE_REVISION = 25,
    CAPE_HAS_HARVESTER = 0,
    /* PRU0 */
    CAPE_SCLK = 0,
    CAPE_MOSI = 1,
    CAPE_MISO = 2,
    CAPE_CS_EMU_DAC = 3,
    CAPE_CS_EMU_ADC = 4,
    CAPE_CS_HRV_DAC = 31,     /* there is none */
    CAPE_PRU0_LED_RUN = 14,   /* on while samples are taken */
    CAPE_PRU0_LED_FAULT = 15, /* on in the fault state */
    /* all outputs that rest at 1 */
    CAPE_PRU0_IDLE = 1 << CAPE_CS_EMU_DAC | 1 << CAPE_CS_EMU_ADC,
    CAPE_PRU0_POWER_GOOD = 1 << 5 | 1 << 6,
    /* PRU1 */
    CAPE_PRU1_POWER_GOOD = 0,
    CAPE_PRU1_LED_POWER_GOOD = 0,
    CAPE_PRU1_LED_ALIVE = 0,
};

/* R31 to the pins of a GPIO event, where bit 9 is power-good: GPIO 9 to 11 are one higher. */
static inline uint32_t cape_pins(uint32_t r31)
{
    return (r31 & 0x1FFu) | ((r31 & 0xE00u) << 1);
}

/* The other way round. */
static inline uint32_t cape_r31(uint32_t pins)
{
    return (pins & 0x1FFu) | ((pins & 0x1C00u) >> 1);
}

#endif
