/* SPDX-License-Identifier: MIT */
#include "pru/sim/ads8691.h"

#include <string.h>

enum {
    FRAME_BITS = 32,
    REGISTER_POWER = 0x04,
    REGISTER_RANGE = 0x14,
    RANGE_UNIPOLAR = 0x0B,
    POWER_KEY = 0x69,
    POWER_DOWN = 1 << 0,
    POWER_NAP = 1 << 1,
    CYCLE_NS = 5,
    CONVERSION_NS = 665,
    ACQUISITION_NS = 335,
};

enum opcode {
    NOP = 0x00,
    READ = 0x09,
    CLEAR_HWORD = 0x18,
    READ_HWORD = 0x19,
    WRITE = 0x1A,
    SET_HWORD = 0x1B,
};

static const double OUTPUT_VALID_NS = 12; /* tD_CKDO; 9.5 behind the chip select */

static const struct spi_timing TIMING = {
    .period_ns = 15, /* 66.67 MHz */
    .high_ns = 0.45 * 15,
    .low_ns = 0.45 * 15,
    .select_setup_ns = 7.5,
    .select_hold_ns = 7.5,
    .data_setup_ns = 7.5,
    .data_hold_ns = 7.5,
    .captures_on_rise = true,
};

static void reset_registers(struct ads8691 *adc)
{
    memset(adc->registers, 0, sizeof(adc->registers));
    adc->is_unlocked = false;
}

void ads8691_init(struct ads8691 *adc, uint32_t (*sample)(void *context), void *context)
{
    memset(adc, 0, sizeof(*adc));
    spi_lines_init(&adc->lines, &TIMING);
    adc->sample = sample;
    adc->context = context;
    reset_registers(adc);
}

static bool is_ready_to_convert(const struct ads8691 *adc)
{
    return adc->registers[REGISTER_RANGE] == RANGE_UNIPOLAR
           && (adc->registers[REGISTER_POWER] & (POWER_DOWN | POWER_NAP)) == 0;
}

/* The result comes late, when somebody wants it: the input is asked once a sample then. */
static uint32_t conversion(struct ads8691 *adc)
{
    if (!is_ready_to_convert(adc)) {
        adc->is_unset = true;
        return 0;
    }
    if (!adc->is_converted && adc->defect != ADS8691_SAME_CODE) {
        adc->code = adc->sample(adc->context) & 0x3FFFFu;
    }
    adc->is_converted = true;
    return adc->code << 14;
}

static void load_shift(struct ads8691 *adc)
{
    if (!adc->is_shift_loaded) {
        adc->shift = adc->has_answer ? adc->answer : conversion(adc);
        adc->is_shift_loaded = true;
    }
}

/* Table 7-8; half words. */
static bool is_register(uint32_t address, bool is_write)
{
    static const uint32_t READ_ONLY = 1u << 0x00 / 2 | 1u << 0x20 / 2 | 1u << 0x22 / 2;
    static const uint32_t WRITABLE =
        1u << 0x02 / 2 | 1u << 0x04 / 2 | 1u << 0x08 / 2 | 1u << 0x0C / 2 | 1u << 0x10 / 2
        | 1u << 0x14 / 2 | 1u << 0x24 / 2 | 1u << 0x26 / 2 | 1u << 0x28 / 2 | 1u << 0x2A / 2;
    uint32_t allowed = is_write ? WRITABLE : WRITABLE | READ_ONLY;

    return address < ADS8691_REGISTERS && (allowed >> address / 2 & 1u) != 0;
}

static uint16_t read_half(const struct ads8691 *adc, uint32_t address)
{
    return (uint16_t)(adc->registers[address] | adc->registers[address + 1] << 8);
}

static void write_half(struct ads8691 *adc, uint32_t address, uint32_t value)
{
    if (address == REGISTER_POWER) {
        bool has_key = value >> 8 == POWER_KEY;

        if (has_key && adc->is_unlocked) {
            adc->registers[address] = (uint8_t)value;
        }
        adc->is_unlocked = has_key;
        return;
    }
    adc->registers[address] = (uint8_t)value;
    adc->registers[address + 1] = (uint8_t)(value >> 8);
}

/* Bytes 1 and 2 of 11010: the whole half word, its upper byte, its lower one. */
static uint32_t write_merged(const struct ads8691 *adc, uint32_t address, uint32_t data,
                             uint32_t part)
{
    uint32_t keep = part == 1 ? 0x00FFu : (part == 2 ? 0xFF00u : 0);

    return (read_half(adc, address) & keep) | (data & ~keep);
}

static void execute(struct ads8691 *adc, uint32_t word, uint64_t cycle)
{
    uint32_t opcode = word >> 27;
    uint32_t part = word >> 25 & 3u;
    uint32_t address = (word >> 16 & 0x1FFu) & ~1u;
    uint32_t data = word & 0xFFFFu;

    if (word == NOP) {
        return;
    }
    if (!is_register(address, opcode != READ && opcode != READ_HWORD)
        || (opcode == WRITE && part == 3)) {
        spi_break(&adc->lines.account, SPI_COMMAND, cycle);
        return;
    }
    switch (opcode) {
    case READ:
        adc->has_answer = true;
        adc->answer = (uint32_t)adc->registers[word >> 16 & 0x1FFu] << 24;
        break;
    case READ_HWORD:
        adc->has_answer = true;
        adc->answer = (uint32_t)read_half(adc, address) << 16;
        break;
    case WRITE:
        write_half(adc, address, write_merged(adc, address, data, part));
        break;
    case CLEAR_HWORD:
        write_half(adc, address, read_half(adc, address) & ~data);
        break;
    case SET_HWORD:
        write_half(adc, address, read_half(adc, address) | data);
        break;
    default:
        spi_break(&adc->lines.account, SPI_COMMAND, cycle);
        break;
    }
}

static void begin_frame(struct ads8691 *adc, uint64_t cycle)
{
    if (cycle < adc->converting_until) {
        spi_break(&adc->lines.account, SPI_CONVERSION, cycle);
    }
    if (adc->lines.clock) {
        spi_break(&adc->lines.account, SPI_CLOCK_REST, cycle);
    }
    if (adc->defect == ADS8691_FORGETFUL) {
        adc->defect = ADS8691_SOUND;
        reset_registers(adc);
    }
    adc->command = 0;
    adc->is_unset = false;
    adc->is_shift_loaded = false;
    adc->launch_cycle = cycle;
}

/* A frame without clocks is a mere trigger and leaves the answer for the next one. */
static void end_frame(struct ads8691 *adc, uint64_t cycle)
{
    uint32_t n_clocks = adc->lines.n_clocks;

    if (n_clocks > 0) {
        adc->has_answer = false;
    }
    if (adc->is_unset && adc->command == 0) { /* nobody looks at the answer to a command */
        spi_break(&adc->lines.account, SPI_SETTINGS, cycle);
    }
    if (n_clocks == FRAME_BITS) {
        execute(adc, adc->command, cycle);
    } else if (n_clocks > FRAME_BITS || adc->command != 0) {
        spi_break(&adc->lines.account, SPI_FRAME_LENGTH, cycle);
    }
    if (adc->converting_until != 0
        && cycle < adc->converting_until + ACQUISITION_NS / CYCLE_NS) {
        spi_break(&adc->lines.account, SPI_ACQUISITION, cycle);
    }
    adc->converting_until = cycle + CONVERSION_NS / CYCLE_NS;
    adc->is_converted = false;
}

static bool line_bit(const struct ads8691 *adc)
{
    if (adc->defect == ADS8691_SILENT) {
        return false;
    }
    return adc->defect == ADS8691_STUCK_HIGH || adc->shift >> 31 != 0;
}

bool ads8691_set(struct ads8691 *adc, uint64_t cycle, bool is_selected, bool clock, bool data)
{
    unsigned events = spi_lines_set(&adc->lines, cycle, is_selected, clock, data);

    if ((events & SPI_SELECTED) != 0) {
        begin_frame(adc, cycle);
    }
    if ((events & SPI_CAPTURED) != 0) {
        load_shift(adc);
        adc->command = adc->command << 1 | (adc->lines.data ? 1u : 0);
    }
    if ((events & SPI_LAUNCHED) != 0 && adc->lines.n_clocks > 0) {
        adc->last_bit = line_bit(adc);
        adc->shift <<= 1;
        adc->launch_cycle = cycle;
    }
    if ((events & SPI_RELEASED) != 0) {
        end_frame(adc, cycle);
        return true;
    }
    return false;
}

bool ads8691_output(struct ads8691 *adc, uint64_t cycle)
{
    bool bit;

    load_shift(adc);
    bit = line_bit(adc);
    if ((double)(cycle - adc->launch_cycle) * CYCLE_NS < OUTPUT_VALID_NS
        && (adc->lines.n_clocks == 0 || bit != adc->last_bit)) {
        spi_break(&adc->lines.account, SPI_DATA_EARLY, cycle);
        return adc->last_bit;
    }
    return bit;
}
