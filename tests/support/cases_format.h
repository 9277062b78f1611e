/* SPDX-License-Identifier: MIT */
/* What cases_make hands to cases_run: each case its header, its parameters, then its rows. */
#ifndef TESTS_SUPPORT_CASES_FORMAT_H
#define TESTS_SUPPORT_CASES_FORMAT_H

#include <stdint.h>

enum case_kind {
    CASE_SOURCE,
    CASE_HARVESTER,
    CASE_RECORDER,
};

struct case_header {
    uint32_t kind;
    uint32_t n_rows;
};

/* Input of a sample: voltage and current (a recorder: codes), and the code of the target's ADC.
 */
struct case_row {
    uint32_t voltage;
    uint32_t current;
    uint32_t target_code;
};

#endif
