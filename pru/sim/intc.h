/* SPDX-License-Identifier: MIT */
/* The PRU's interrupt controller: 64 system events, 10 channels, 10 host lines.
 *
 * SPRUH73 4.4.2 and 4.5.3 (registers). Host lines 0 and 1 are bits 30 and 31 of both cores'
 * r31, 2 to 9 go to the ARM. There are no priorities here beyond "the lowest event first", no
 * nesting; all events are active high, level and edge are the same. */
#ifndef PRU_SIM_INTC_H
#define PRU_SIM_INTC_H

#include <stdint.h>

enum {
    INTC_EVENTS = 64,
    INTC_CHANNELS = 10,
    INTC_HOSTS = 10,
    INTC_EVENT_IEP = 7,     /* pr1_iep_tim_cap_cmp_pend */
    INTC_EVENT_STROBE = 16, /* to 31: r31 strobes 0 to 15 */
};

struct intc {
    uint64_t raw;     /* events that have happened */
    uint64_t enabled; /* events that count */
    uint32_t is_on;   /* GER */
    uint32_t hosts_enabled;
    uint8_t channel_of[INTC_EVENTS];
    uint8_t host_of[INTC_CHANNELS + 2]; /* registers hold four each */
};

void intc_reset(struct intc *intc);

/* An event happens. */
void intc_raise(struct intc *intc, unsigned event);

/* Bit n: host line n is up. */
uint32_t intc_lines(const struct intc *intc);

/* Registers at byte offset 0..0x1FFF; unknown ones read 0. */
uint32_t intc_read(const struct intc *intc, uint32_t offset);
void intc_write(struct intc *intc, uint32_t offset, uint32_t value);

#endif
