/* SPDX-License-Identifier: MIT */
#include "pru/sim/spi_rules.h"

#include <string.h>

static const double CYCLE_NS = 5;

const char *spi_rule_name(enum spi_rule rule)
{
    static const char *const NAMES[SPI_RULE_COUNT] = {
        [SPI_CLOCK_PERIOD] = "clock too fast",
        [SPI_CLOCK_HIGH] = "clock high too short",
        [SPI_CLOCK_LOW] = "clock low too short",
        [SPI_CLOCK_REST] = "clock not at rest when selected",
        [SPI_SELECT_SETUP] = "chip select too late before the clock",
        [SPI_SELECT_HOLD] = "chip select released too early",
        [SPI_SELECT_PAUSE] = "chip select high too short",
        [SPI_SELECT_SHARED] = "two converters selected at once",
        [SPI_DATA_SETUP] = "data too late before the clock",
        [SPI_DATA_HOLD] = "data changed too early after the clock",
        [SPI_DATA_EARLY] = "output read while it changed",
        [SPI_FRAME_LENGTH] = "wrong number of clocks in a frame",
        [SPI_COMMAND] = "no such command",
        [SPI_CONVERSION] = "frame before the conversion was over",
        [SPI_ACQUISITION] = "conversion too soon after the last",
        [SPI_SETTINGS] = "value before range, reference, gain or power were set",
    };

    return NAMES[rule];
}

void spi_break(struct spi_account *account, enum spi_rule rule, uint64_t cycle)
{
    if (account->n[rule] == 0) {
        account->first_cycle[rule] = cycle;
    }
    account->n[rule]++;
    account->n_total++;
}

void spi_lines_init(struct spi_lines *lines, const struct spi_timing *timing)
{
    memset(lines, 0, sizeof(*lines));
    lines->timing = timing;
}

static void check(struct spi_lines *lines, enum spi_rule rule, uint64_t from, uint64_t cycle,
                  double least_ns)
{
    if ((double)(cycle - from) * CYCLE_NS < least_ns) {
        spi_break(&lines->account, rule, cycle);
    }
}

static unsigned set_select(struct spi_lines *lines, uint64_t cycle, bool is_selected)
{
    const struct spi_timing *timing = lines->timing;

    if (is_selected == lines->is_selected) {
        return SPI_NOTHING;
    }
    lines->is_selected = is_selected;
    if (is_selected) {
        check(lines, SPI_SELECT_PAUSE, lines->select_cycle, cycle, timing->select_pause_ns);
        check(lines, SPI_CLOCK_REST,
              timing->captures_on_rise ? lines->rise_cycle : lines->fall_cycle, cycle,
              timing->quiet_ns);
        lines->n_clocks = 0;
    } else if (lines->n_clocks > 0) {
        check(lines, SPI_SELECT_HOLD, lines->capture_cycle, cycle, timing->select_hold_ns);
    }
    lines->select_cycle = cycle;
    return is_selected ? SPI_SELECTED : SPI_RELEASED;
}

static void capture(struct spi_lines *lines, uint64_t cycle)
{
    const struct spi_timing *timing = lines->timing;

    if (lines->n_clocks == 0) {
        check(lines, SPI_SELECT_SETUP, lines->select_cycle, cycle, timing->select_setup_ns);
    } else {
        check(lines, SPI_CLOCK_PERIOD, lines->capture_cycle, cycle, timing->period_ns);
    }
    check(lines, SPI_DATA_SETUP, lines->data_cycle, cycle, timing->data_setup_ns);
    lines->capture_cycle = cycle;
    lines->n_clocks++;
}

static unsigned set_clock(struct spi_lines *lines, uint64_t cycle, bool clock)
{
    const struct spi_timing *timing = lines->timing;

    if (clock == lines->clock) {
        return SPI_NOTHING;
    }
    lines->clock = clock;
    if (lines->is_selected && clock) {
        check(lines, SPI_CLOCK_LOW, lines->fall_cycle, cycle, timing->low_ns);
    } else if (lines->is_selected) {
        check(lines, SPI_CLOCK_HIGH, lines->rise_cycle, cycle, timing->high_ns);
    }
    *(clock ? &lines->rise_cycle : &lines->fall_cycle) = cycle;
    if (!lines->is_selected) {
        return SPI_NOTHING;
    }
    if (clock != timing->captures_on_rise) {
        return SPI_LAUNCHED;
    }
    capture(lines, cycle);
    return SPI_CAPTURED;
}

static void set_data(struct spi_lines *lines, uint64_t cycle, bool data)
{
    if (data == lines->data) {
        return;
    }
    lines->data = data;
    lines->data_cycle = cycle;
    if (lines->is_selected && lines->n_clocks > 0) {
        check(lines, SPI_DATA_HOLD, lines->capture_cycle, cycle, lines->timing->data_hold_ns);
    }
}

unsigned spi_lines_set(struct spi_lines *lines, uint64_t cycle, bool is_selected, bool clock,
                       bool data)
{
    unsigned events;

    set_data(lines, cycle, data);
    events = set_select(lines, cycle, is_selected);
    return events | set_clock(lines, cycle, clock);
}
