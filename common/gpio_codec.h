/* SPDX-License-Identifier: MIT */
/* Edges of GPIO pins, delta-coded: the payload of RLOG_EDGES.
 *
 * Payload: i64 time of the first edge (ns of UTC), u16 pins after it, then for each further
 * edge one LEB128 number n:
 *     one pin toggled: bits 0..3 its number, bit 4 is 0, bits 5.. the ns since the edge before;
 *                      3 bytes up to 65 us, 4 up to 8.3 ms;
 *     two pins:        bits 0..3 the lower one, bit 4 is 1, bits 5..8 the higher one, bits 9..
 *                      the ns; 3 bytes up to 4 us, 4 up to 524 us, 5 up to 67 ms;
 *     anything else (no or more pins, a time that steps back): n is 16, the step is a zigzag
 *                      LEB128 of its own, and a u16 of the pins that toggled follows. */
#ifndef COMMON_GPIO_CODEC_H
#define COMMON_GPIO_CODEC_H

#include "common/err.h"

#include <stddef.h>
#include <stdint.h>

struct gpio_edge {
    int64_t time_ns; /* UTC */
    uint16_t value;  /* all pins after the edge */
};

/* What count edges take at most. */
size_t gpio_codec_bound(size_t count);

/* The size, or 0 when count is 0 or capacity below gpio_codec_bound(count). Any order of times
 * and any values come back the same. */
size_t gpio_codec_encode(const struct gpio_edge *edges, size_t count, uint8_t *out,
                         size_t capacity);

/* Decodes exactly count edges out of exactly size bytes; anything else is ERR_CORRUPT. */
MUST_CHECK int gpio_codec_decode(const uint8_t *payload, size_t size, struct gpio_edge *edges,
                                 size_t count, struct err *err);

#endif
