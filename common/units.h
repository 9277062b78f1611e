/* SPDX-License-Identifier: MIT */
/* Quantities as people write them: "30 s", "1.5 ms", "64 MiB", "2.4 V". */
#ifndef COMMON_UNITS_H
#define COMMON_UNITS_H

#include "common/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum unit_result {
    UNIT_OK,
    UNIT_NOT_A_NUMBER,
    UNIT_UNKNOWN, /* no such unit, or one of another quantity */
    UNIT_OUT_OF_RANGE
};

/* A duration in ns; a bare number is in bare_unit (ns, us, ms, s, min, h, d; NULL: s). Whole
 * numbers are exact over the full range; others are rounded to the nearest ns. */
enum unit_result duration_parse(const char *text, const char *bare_unit, int64_t *ns);

/* The shortest exact text: "30 s", "100 us", "1234567 ns". */
void duration_format(int64_t ns, struct buf *out);

/* How many ns one bare_unit has; 0 when it is none. */
int64_t duration_unit_ns(const char *unit);

/* Bytes: B, kB, MB, GB, TB, KiB, MiB, GiB, TiB. */
enum unit_result bytes_parse(const char *text, uint64_t *bytes);
void bytes_format(uint64_t bytes, struct buf *out);

/* A number in `unit` (for instance "mV"; NULL: pure number). The text may carry a unit of the
 * same quantity with another prefix: "2.4 V" is 2400 mV. */
enum unit_result quantity_parse(const char *text, const char *unit, double *value);

/* The shortest text that reads back as the same number. */
void number_format(double value, struct buf *out);

#endif
