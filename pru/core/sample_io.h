/* SPDX-License-Identifier: MIT */
/* How a sample reaches the converters: SPI on the board, a simulated world on a host. */
#ifndef PRU_CORE_SAMPLE_IO_H
#define PRU_CORE_SAMPLE_IO_H

#include <stdbool.h>
#include <stdint.h>

enum sample_dac {
    SAMPLE_DAC_HARVEST = 0, /* voltage that the harvester holds its source at; 16 bit */
    SAMPLE_DAC_TARGET = 1,  /* supply of the target port in use; 16 bit */
    SAMPLE_DAC_AUX = 2,     /* supply of the other port; 16 bit */
};

/* All functions are called from the sampler's thread, at most once per sample each, except
 * dac_write (once per channel). Codes are clamped to the converter's width by the caller. */
struct sample_io {
    void *context;
    uint32_t (*adc_voltage)(void *context); /* 18 bit; harvest only */
    uint32_t (*adc_current)(void *context); /* 18 bit; harvester's or the target port's */
    void (*dac_write)(void *context, enum sample_dac channel, uint32_t code);
    void (*power_good)(void *context, bool is_good);
};

#ifdef SAMPLE_IO_DIRECT
/* A firmware image has one set of converters: the linker finds it. */
uint32_t sample_io_adc_voltage(const struct sample_io *io);
uint32_t sample_io_adc_current(const struct sample_io *io);
void sample_io_dac_write(const struct sample_io *io, enum sample_dac channel, uint32_t code);
void sample_io_power_good(const struct sample_io *io, bool is_good);
#else
static inline uint32_t sample_io_adc_voltage(const struct sample_io *io)
{
    return io->adc_voltage(io->context);
}

static inline uint32_t sample_io_adc_current(const struct sample_io *io)
{
    return io->adc_current(io->context);
}

static inline void sample_io_dac_write(const struct sample_io *io, enum sample_dac channel,
                                       uint32_t code)
{
    io->dac_write(io->context, channel, code);
}

static inline void sample_io_power_good(const struct sample_io *io, bool is_good)
{
    io->power_good(io->context, is_good);
}
#endif

#endif
