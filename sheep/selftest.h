/* SPDX-License-Identifier: MIT */
/* The report of `sheep selftest`: one line an element of node and cape, and a verdict; and what
 * is judged of measured codes. Pure but for the report. */
#ifndef SHEEP_SELFTEST_H
#define SHEEP_SELFTEST_H

#include "common/buf.h"
#include "common/calibration.h"
#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum selftest_result {
    SELFTEST_SOUND,
    SELFTEST_BAD,
    SELFTEST_OPEN, /* could not be checked, and why */
};

/* Zero but for the report, a loan. */
struct selftest {
    struct buf *report;
    unsigned counts[3]; /* by result */
    char bad[200];      /* names of what failed, ", " between them */
};

/* "ok     NAME: TEXT", with FAILED or "open" for the other results. */
void selftest_say(struct selftest *test, enum selftest_result result, const char *name,
                  const char *format, ...) PRINTF_LIKE(4, 5);

/* The last line; -1 with the names of all that failed. */
MUST_CHECK int selftest_end(struct selftest *test, struct err *err);

/* Codes of one ADC at rest. */
struct selftest_codes {
    double mean;
    double rms; /* around the mean */
    uint32_t min;
    uint32_t max;
};
struct selftest_codes selftest_codes(const uint32_t *codes, size_t count); /* count > 0 */

/* A converter that converts has noise; only at the ends of its range it may stand still. */
bool selftest_stands_still(const struct selftest_codes *codes);

/* A current that must be 0, in A. */
void selftest_zero(struct selftest *test, const char *name, const struct selftest_codes *codes,
                   const struct cal_channel *channel);

enum {
    SELFTEST_POINTS = 3
};

/* What a source did that was to be held at a voltage, in V. */
struct selftest_loop {
    double open_V; /* the source's own */
    double asked_V[SELFTEST_POINTS];
    double seen_V[SELFTEST_POINTS];
};

/* From DAC over the source to ADC; open without a source. */
void selftest_loop(struct selftest *test, const char *name, const struct selftest_loop *loop);

/* Below: no source, so that there is nothing to hold. */
bool selftest_has_source(double open_V);

#endif
