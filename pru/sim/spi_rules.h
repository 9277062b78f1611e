/* SPDX-License-Identifier: MIT */
/* The rules that a converter's data sheet sets for its serial lines, and the account of those
 * that were broken.
 *
 * Time is in cycles of 5 ns, in which pins change. A converter tells its rules in ns; a pin
 * that changes in the cycle that samples it has not been set up. */
#ifndef PRU_SIM_SPI_RULES_H
#define PRU_SIM_SPI_RULES_H

#include <stdbool.h>
#include <stdint.h>

enum spi_rule {
    SPI_CLOCK_PERIOD, /* between two edges that capture */
    SPI_CLOCK_HIGH,   /* shortest */
    SPI_CLOCK_LOW,
    SPI_CLOCK_REST, /* level of the clock when the chip select falls, or an edge just before */
    SPI_SELECT_SETUP,  /* chip select's fall to the first edge that captures */
    SPI_SELECT_HOLD,   /* last edge that captures to the chip select's rise */
    SPI_SELECT_PAUSE,  /* high between two frames */
    SPI_SELECT_SHARED, /* bits clocked into two converters at once */
    SPI_DATA_SETUP,
    SPI_DATA_HOLD,
    SPI_DATA_EARLY,   /* the output was read while it changed */
    SPI_FRAME_LENGTH, /* clocks of a frame that says something */
    SPI_COMMAND,      /* no such command, or reserved bits set */
    SPI_CONVERSION,   /* a frame began before the conversion was over */
    SPI_ACQUISITION,  /* a conversion began too soon after the last */
    SPI_SETTINGS,     /* a value moved before range, reference, gain or power were set */
    SPI_RULE_COUNT,
};

/* What it is in words: "chip select fell too late before the clock". */
const char *spi_rule_name(enum spi_rule rule);

/* How often each was broken, and when first. */
struct spi_account {
    uint64_t first_cycle[SPI_RULE_COUNT];
    uint32_t n[SPI_RULE_COUNT];
    uint32_t n_total;
};

void spi_break(struct spi_account *account, enum spi_rule rule, uint64_t cycle);

/* The least times in ns; 0: no rule. */
struct spi_timing {
    double period_ns;
    double high_ns;
    double low_ns;
    double select_setup_ns;
    double select_hold_ns;
    double select_pause_ns;
    double quiet_ns; /* last edge of the kind that captures to the chip select's fall */
    double data_setup_ns;
    double data_hold_ns;
    bool captures_on_rise; /* or on the clock's fall */
};

/* One converter's view of the lines. Times are those of the last change. */
struct spi_lines {
    const struct spi_timing *timing;
    struct spi_account account;
    bool is_selected;
    bool clock;
    bool data; /* to the converter */
    uint64_t select_cycle;
    uint64_t rise_cycle;
    uint64_t fall_cycle;
    uint64_t capture_cycle;
    uint64_t data_cycle;
    uint32_t n_clocks; /* captures within the frame */
};

enum spi_event {
    SPI_NOTHING = 0,
    SPI_SELECTED = 1 << 0,
    SPI_CAPTURED = 1 << 1, /* lines->data is the bit */
    SPI_LAUNCHED = 1 << 2, /* the other edge, while selected */
    SPI_RELEASED = 1 << 3,
};

void spi_lines_init(struct spi_lines *lines, const struct spi_timing *timing);

/* The lines' levels from this cycle on; returns bits of enum spi_event. */
unsigned spi_lines_set(struct spi_lines *lines, uint64_t cycle, bool is_selected, bool clock,
                       bool data);

#endif
