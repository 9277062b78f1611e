/* SPDX-License-Identifier: MIT */
/* Compares pru/core with cases of reference vectors, kind by kind. */
#ifndef TESTS_SUPPORT_VECTOR_CASES_H
#define TESTS_SUPPORT_VECTOR_CASES_H

#include "common/err.h"
#include "tests/support/vector_file.h"

#include <stdbool.h>

/* What a case showed; text says the worst deviations, or what was not compared and why. */
struct vector_result {
    bool is_passed;
    char text[600];
};

/* 0 also when the case fails; -1 when it cannot be run. The table is started already. */
typedef int (*vector_kind_fn)(struct vector_file *file, struct vector_result *result,
                              struct err *err);

MUST_CHECK int vector_run_harvester(struct vector_file *file, struct vector_result *result,
                                    struct err *err);
MUST_CHECK int vector_run_adc_harvest(struct vector_file *file, struct vector_result *result,
                                      struct err *err);
MUST_CHECK int vector_run_calibration(struct vector_file *file, struct vector_result *result,
                                      struct err *err);
MUST_CHECK int vector_run_cnv_power(struct vector_file *file, struct vector_result *result,
                                    struct err *err);
MUST_CHECK int vector_run_storage(struct vector_file *file, struct vector_result *result,
                                  struct err *err);
MUST_CHECK int vector_run_source(struct vector_file *file, struct vector_result *result,
                                 struct err *err);

#endif
