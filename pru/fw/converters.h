/* SPDX-License-Identifier: MIT */
/* ADS8691 and DAC8562: registers, start, and what a sample needs of them.
 *
 * ADS8691 (SBAS777B 7.5.2, 7.6): a frame of 32 bits is command (7 bits), address (9), data
 * (16); what a READ_HWORD asked for comes in the frame behind it. DAC8562 (SLAS719E 7.5): a
 * frame of 24 bits is command (3 bits from 19 on), address (3), data (16). */
#ifndef PRU_FW_CONVERTERS_H
#define PRU_FW_CONVERTERS_H

#include "pru/fw/spi.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    ADS8691_TRIES = 3,
    ADS8691_RANGE = 0x0B, /* 0 to 1.25 Vref: 5.12 V */
    ADS8691_CONVERSION_TICKS =
        200,                   /* 1 us from the chip select's rise; 665 ns by SBAS777B 6.6 */
    DAC8562_PAUSE_CYCLES = 16, /* chip select high between frames: 80 ns, SLAS719E 6.6 */
};

static const uint32_t ADS8691_WRITE = 0xD0000000u;
static const uint32_t ADS8691_READ = 0xC8000000u;
static const uint32_t ADS8691_POWER =
    0x00040000u; /* address; bit 0 off, bit 1 nap, key above */
static const uint32_t ADS8691_POWER_KEY = 0x6900u;
static const uint32_t ADS8691_RANGE_SELECT = 0x00140000u;

static const uint32_t DAC8562_A = 0x180000u; /* write and update one channel */
static const uint32_t DAC8562_B = 0x190000u;
static const uint32_t DAC8562_RESET = 0x280001u;
static const uint32_t DAC8562_REFERENCE = 0x380001u; /* internal 2.5 V */
static const uint32_t DAC8562_GAIN_2 = 0x020000u;    /* both channels: 5 V */
static const uint32_t DAC8562_LDAC_OFF = 0x300003u;  /* outputs change with the 24th clock */
static const uint32_t DAC8562_POWER_UP = 0x200003u;
static const uint32_t DAC8562_POWER_DOWN =
    0x200013u; /* both: 1 kOhm to ground; the mode is in bits 5:4 */

static void dac8562_write(uint32_t cs, uint32_t word)
{
    spi_write_24(cs, word);
    __delay_cycles(DAC8562_PAUSE_CYCLES);
}

static void dac8562_start(uint32_t cs)
{
    dac8562_write(cs, DAC8562_RESET);
    dac8562_write(cs, DAC8562_REFERENCE);
    dac8562_write(cs, DAC8562_GAIN_2);
    dac8562_write(cs, DAC8562_LDAC_OFF);
    dac8562_write(cs, DAC8562_POWER_UP);
}

/* Until the conversion that began at that tick is over. */
static inline void ads8691_await(uint32_t trigger_tick)
{
    hardware_rest((int32_t)(trigger_tick + ADS8691_CONVERSION_TICKS - hardware_ticks()));
}

/* A frame, and time for the conversion that its end starts. */
static uint32_t ads8691_exchange(uint32_t cs, uint32_t word)
{
    uint32_t answer = spi_exchange_32(cs, word);

    __delay_cycles(ADS8691_CONVERSION_TICKS);
    return answer;
}

/* Whether it answers with the range that it was set to. Takes 6 us. */
static bool ads8691_is_present(uint32_t cs)
{
    ads8691_exchange(cs, ADS8691_READ | ADS8691_RANGE_SELECT);
    return ads8691_exchange(cs, 0) >> 16 == ADS8691_RANGE;
}

/* Up to three times: on, range, and what it says then. False: it does not answer. */
static bool ads8691_start(uint32_t cs)
{
    for (uint32_t i = 0; i < ADS8691_TRIES; i++) {
        ads8691_exchange(cs, ADS8691_WRITE | ADS8691_POWER | ADS8691_POWER_KEY);
        ads8691_exchange(cs, ADS8691_WRITE | ADS8691_POWER | ADS8691_POWER_KEY);
        ads8691_exchange(cs, ADS8691_WRITE | ADS8691_RANGE_SELECT | ADS8691_RANGE);
        if (ads8691_is_present(cs)) {
            return true;
        }
    }
    return false;
}

#endif
