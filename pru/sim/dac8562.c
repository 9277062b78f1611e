/* SPDX-License-Identifier: MIT */
#include "pru/sim/dac8562.h"

#include <string.h>

enum {
    FRAME_BITS = 24,
    ADDRESS_GAIN = 2,
    ADDRESS_BOTH = 7,
};

enum command {
    WRITE = 0,
    UPDATE = 1,
    WRITE_UPDATE_ALL = 2,
    WRITE_UPDATE = 3,
    POWER = 4,
    RESET = 5,
    LDAC = 6,
    REFERENCE = 7,
};

static const struct spi_timing TIMING = {
    .period_ns = 20,
    .high_ns = 8,
    .low_ns = 8,
    .select_setup_ns = 13,
    .select_hold_ns = 10,
    .select_pause_ns = 80,
    .quiet_ns = 10,
    .data_setup_ns = 6,
    .data_hold_ns = 5,
    .captures_on_rise = false,
};

void dac8562_init(struct dac8562 *dac,
                  void (*changed)(void *context, unsigned channel, uint32_t code),
                  void *context)
{
    memset(dac, 0, sizeof(*dac));
    spi_lines_init(&dac->lines, &TIMING);
    dac->changed = changed;
    dac->context = context;
}

static bool is_complete(const struct dac8562 *dac, unsigned channel)
{
    return dac->has_reference && dac->has_gain_2[channel] && !dac->is_down[channel];
}

static void announce(struct dac8562 *dac, unsigned channel)
{
    dac->changed(dac->context, channel, is_complete(dac, channel) ? dac->output[channel] : 0);
}

static void update(struct dac8562 *dac, unsigned channel, uint64_t cycle)
{
    dac->output[channel] = dac->input[channel];
    if (!is_complete(dac, channel) && dac->output[channel] != 0) {
        spi_break(&dac->lines.account, SPI_SETTINGS, cycle);
    }
    announce(dac, channel);
}

/* Bit n: channel n. */
static uint32_t addressed(uint32_t address)
{
    if (address < DAC8562_CHANNELS) {
        return 1u << address;
    }
    return address == ADDRESS_BOTH ? 3u : 0;
}

static void write_values(struct dac8562 *dac, enum command command, uint32_t channels,
                         uint32_t data, uint64_t cycle)
{
    for (unsigned i = 0; i < DAC8562_CHANNELS; i++) {
        bool is_meant = (channels >> i & 1u) != 0;

        if (is_meant && command != UPDATE) {
            dac->input[i] = data;
        }
    }
    for (unsigned i = 0; i < DAC8562_CHANNELS; i++) {
        bool is_meant = (channels >> i & 1u) != 0;

        if (command == WRITE_UPDATE_ALL || (is_meant && command != WRITE)) {
            update(dac, i, cycle);
        }
    }
}

/* Bits 5:4 are the mode, 0 is up; 1:0 the channels. */
static void set_power(struct dac8562 *dac, uint32_t data)
{
    for (unsigned i = 0; i < DAC8562_CHANNELS; i++) {
        if ((data >> i & 1u) != 0) {
            dac->is_down[i] = (data >> 4 & 3u) != 0;
            announce(dac, i);
        }
    }
}

/* Gain 2 is a 0. */
static void set_gain(struct dac8562 *dac, uint32_t data)
{
    for (unsigned i = 0; i < DAC8562_CHANNELS; i++) {
        dac->has_gain_2[i] = (data >> i & 1u) == 0;
        announce(dac, i);
    }
}

static void reset(struct dac8562 *dac, uint32_t data)
{
    memset(dac->input, 0, sizeof(dac->input));
    memset(dac->output, 0, sizeof(dac->output));
    if ((data & 1u) != 0) {
        memset(dac->is_down, 0, sizeof(dac->is_down));
        memset(dac->has_gain_2, 0, sizeof(dac->has_gain_2));
        dac->has_reference = false;
    }
    announce(dac, 0);
    announce(dac, 1);
}

/* With the internal reference comes gain 2, without it gain 1. */
static void set_reference(struct dac8562 *dac, uint32_t data)
{
    dac->has_reference = (data & 1u) != 0;
    set_gain(dac, dac->has_reference ? 0 : 3);
}

/* Bits that mean nothing should be 0: in a frame that is not they mean a mistake. */
static bool is_known(uint32_t word)
{
    uint32_t address = word >> 16 & 7u;

    if (word >> 22 != 0) {
        return false;
    }
    switch ((enum command)(word >> 19 & 7u)) {
    case WRITE:
        return addressed(address) != 0 || (address == ADDRESS_GAIN && (word & 0xFFFCu) == 0);
    case UPDATE:
        return addressed(address) != 0 && (word & 0xFFFFu) == 0;
    case WRITE_UPDATE_ALL:
    case WRITE_UPDATE:
        return addressed(address) != 0;
    case POWER:
        return address == 0 && (word & 0xFFCCu) == 0 && (word & 3u) != 0;
    case LDAC:
        return address == 0 && (word & 0xFFFCu) == 0;
    case RESET:
    case REFERENCE:
        return address == 0 && (word & 0xFFFEu) == 0;
    }
    return false;
}

static void execute(struct dac8562 *dac, uint32_t word, uint64_t cycle)
{
    enum command command = (enum command)(word >> 19 & 7u);
    uint32_t address = word >> 16 & 7u;
    uint32_t data = word & 0xFFFFu;

    if (!is_known(word)) {
        spi_break(&dac->lines.account, SPI_COMMAND, cycle);
    }
    switch (command) {
    case WRITE:
    case UPDATE:
    case WRITE_UPDATE_ALL:
    case WRITE_UPDATE:
        if (command == WRITE && address == ADDRESS_GAIN) {
            set_gain(dac, data);
        } else {
            write_values(dac, command, addressed(address), data, cycle);
        }
        break;
    case POWER:
        set_power(dac, data);
        break;
    case RESET:
        reset(dac, data);
        break;
    case LDAC:
        break;
    case REFERENCE:
        set_reference(dac, data);
        break;
    }
}

void dac8562_set(struct dac8562 *dac, uint64_t cycle, bool is_selected, bool clock, bool data)
{
    unsigned events = spi_lines_set(&dac->lines, cycle, is_selected, clock, data);

    if ((events & SPI_SELECTED) != 0) {
        dac->word = 0;
    }
    if ((events & SPI_CAPTURED) != 0) {
        if (dac->lines.n_clocks <= FRAME_BITS) {
            dac->word = dac->word << 1 | (dac->lines.data ? 1u : 0);
        }
        if (dac->lines.n_clocks == FRAME_BITS) {
            execute(dac, dac->word, cycle);
        }
    }
    if ((events & SPI_RELEASED) != 0 && dac->lines.n_clocks != FRAME_BITS) {
        spi_break(&dac->lines.account, SPI_FRAME_LENGTH, cycle);
    }
}
