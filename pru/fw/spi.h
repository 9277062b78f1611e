/* SPDX-License-Identifier: MIT */
/* The serial lines to the converters, clocked by hand: three instructions' worth of assembler
 * around each bit, so that the timing is the same whatever the compiler does.
 *
 * One cycle is 5 ns. ADS8691 (SBAS777B 6.8, SPI-00-S): clock rests low, data change on its fall
 * and are captured on its rise; 45 ns a bit (22 MHz, as the incumbent: faster ones were found
 * unreliable on this cape). DAC8562 (SLAS719E 6.6): captures on the fall; 30 ns a bit. */
#ifndef PRU_FW_SPI_H
#define PRU_FW_SPI_H

#include "pru/fw/cape.h"
#include "pru/fw/hardware.h"

#include <stdint.h>

/* All chip selects high, clock and data low. */
static inline void spi_init(void)
{
    hardware_r30 = CAPE_PRU0_IDLE;
}

/* Reads the upper 18 bits of an ADS8691's frame. cs: bit of R30. The rise of the chip select
 * at the end starts a conversion, as every such rise does. 176 cycles. */
static inline uint32_t spi_read_18(uint32_t cs)
{
    uint32_t value = 0;
    uint32_t bit;

    __asm__ volatile("clr r30, r30, %[cs]\n\t"
                     "nop\n\t"
                     "nop\n\t"
                     "loop 1f, 18\n\t"
                     "clr r30, r30, %[sclk]\n\t" /* the next bit comes; the first is there */
                     "nop\n\t"
                     "nop\n\t"
                     "lsl %[value], %[value], 1\n\t"
                     "set r30, r30, %[sclk]\n\t"
                     "nop\n\t"
                     "lsr %[bit], r31, %[miso]\n\t"
                     "and %[bit], %[bit], 1\n\t"
                     "or %[value], %[value], %[bit]\n"
                     "1:\n\t"
                     "clr r30, r30, %[sclk]\n\t"
                     "nop\n\t"
                     "nop\n\t"
                     "set r30, r30, %[cs]"
                     : [value] "+r"(value), [bit] "=&r"(bit)
                     : [cs] "r"(cs), [sclk] "i"(CAPE_SCLK), [miso] "i"(CAPE_MISO));
    return value;
}

/* A whole frame of an ADS8691: 32 bits out, 32 bits in. About 400 cycles. */
static uint32_t __attribute__((noinline)) spi_exchange_32(uint32_t cs, uint32_t word)
{
    uint32_t bit;

    __asm__ volatile(
        "clr r30, r30, %[cs]\n\t"
        "nop\n\t"
        "loop 1f, 32\n\t"
        "clr r30, r30, %[sclk]\n\t"
        "clr %[bit], r30, %[mosi]\n\t"
        "qbbc 2f, %[word], 31\n\t"
        "set %[bit], %[bit], %[mosi]\n"
        "2:\n\t"
        "mov r30, %[bit]\n\t"
        "nop\n\t"
        "nop\n\t"
        "lsl %[word], %[word], 1\n\t"
        "set r30, r30, %[sclk]\n\t"
        "nop\n\t"
        "lsr %[bit], r31, %[miso]\n\t"
        "and %[bit], %[bit], 1\n\t"
        "or %[word], %[word], %[bit]\n"
        "1:\n\t"
        "clr r30, r30, %[sclk]\n\t"
        "clr r30, r30, %[mosi]\n\t"
        "nop\n\t"
        "set r30, r30, %[cs]"
        : [word] "+r"(word), [bit] "=&r"(bit)
        : [cs] "r"(cs), [sclk] "i"(CAPE_SCLK), [mosi] "i"(CAPE_MOSI), [miso] "i"(CAPE_MISO));
    return word;
}

/* 24 bits to a DAC8562. 155 cycles. */
static void __attribute__((noinline)) spi_write_24(uint32_t cs, uint32_t word)
{
    uint32_t base; /* chip select low, clock high, data low */
    uint32_t bit;

    __asm__ volatile("set r30, r30, %[sclk]\n\t"
                     "lsl %[word], %[word], 8\n\t"
                     "nop\n\t"
                     "clr %[base], r30, %[cs]\n\t"
                     "mov r30, %[base]\n\t"
                     "nop\n\t"
                     "loop 1f, 24\n\t"
                     "lsr %[bit], %[word], 31\n\t"
                     "lsl %[bit], %[bit], %[mosi]\n\t"
                     "or r30, %[base], %[bit]\n\t" /* data change with the clock's rise */
                     "lsl %[word], %[word], 1\n\t"
                     "nop\n\t"
                     "clr r30, r30, %[sclk]\n" /* captured here */
                     "1:\n\t"
                     "nop\n\t"
                     "nop\n\t"
                     "clr r30, r30, %[mosi]\n\t"
                     "set r30, r30, %[cs]"
                     : [word] "+r"(word), [bit] "=&r"(bit), [base] "=&r"(base)
                     : [cs] "r"(cs), [sclk] "i"(CAPE_SCLK), [mosi] "i"(CAPE_MOSI));
}

#endif
