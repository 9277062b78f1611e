/* SPDX-License-Identifier: MIT */
/* Shepherd's cape 2.4: harvester and emulator, nine pins of the target.
 *
 * Bits are those of R30 and R31 of the core that is named; the header's pin and its pad are in
 * pru/dts. PRU0: SCLK P9_31, MOSI P9_29, MISO P9_30; chip selects P9_28, P9_42, P9_27, P9_41,
 * P9_25; LEDs P8_12, P8_11. PRU1: target P8_45, P8_46, P8_43, P8_44, P8_41, P8_42, P8_39 (GPIO
 * 0 to 6), P8_40 (UART RX), P8_27 (UART TX); power-good P8_29; LEDs P8_28, P8_30. */
#ifndef PRU_FW_CAPE_24_H
#define PRU_FW_CAPE_24_H

#include <stdint.h>

enum {
    CAPE_REVISION = 24,
    CAPE_HAS_HARVESTER = 1,
    /* PRU0 */
    CAPE_SCLK = 0,
    CAPE_MOSI = 1,
    CAPE_MISO = 2,
    CAPE_CS_EMU_DAC = 3,
    CAPE_CS_EMU_ADC = 4,
    CAPE_CS_HRV_DAC = 5,
    CAPE_CS_HRV_ADC_V = 6,
    CAPE_CS_HRV_ADC_I = 7,
    CAPE_PRU0_LED_RUN = 14,   /* on while samples are taken */
    CAPE_PRU0_LED_FAULT = 15, /* on in the fault state */
    /* all outputs that rest at 1 */
    CAPE_PRU0_IDLE = 1 << CAPE_CS_EMU_DAC | 1 << CAPE_CS_EMU_ADC | 1 << CAPE_CS_HRV_DAC
                     | 1 << CAPE_CS_HRV_ADC_V | 1 << CAPE_CS_HRV_ADC_I,
    CAPE_PRU0_POWER_GOOD = 0, /* mask: PRU1 drives it */
    /* PRU1 */
    CAPE_PRU1_POWER_GOOD = 1 << 9,
    CAPE_PRU1_LED_POWER_GOOD = 1 << 10,
    CAPE_PRU1_LED_ALIVE = 1 << 11, /* toggles every 84 ms */
};

/* R31 to the pins of a GPIO event, where bit 9 is power-good. */
static inline uint32_t cape_pins(uint32_t r31)
{
    return r31 & 0x1FFu;
}

/* The other way round. */
static inline uint32_t cape_r31(uint32_t pins)
{
    return pins & 0x1FFu;
}

#endif
