/* SPDX-License-Identifier: MIT */
/* From the keys of a case's .cfg to our configurations and parameters. */
#ifndef TESTS_SUPPORT_VECTOR_CONFIG_H
#define TESTS_SUPPORT_VECTOR_CONFIG_H

#include "common/vsource_config.h"
#include "pru/abi/vsource_params.h"
#include "tests/support/vector_file.h"

/* The case's own integers for harvester (pru_hrv.*) and calibration (cal_pru.*). */
void vector_harvester_params(const struct vector_file *file, struct vsource_params *params);
void vector_calibration_params(const struct vector_file *file, struct vsource_params *params);

/* A user's parameters under a prefix such as "user." or "BQ25504.user.", of either generation;
 * efficiency tables are read to nearest, as the reference does. */
void vector_source_config(const struct vector_file *file, const char *prefix,
                          struct source_config *source);
void vector_storage_config(const struct vector_file *file, const char *prefix,
                           struct storage_config *storage);

/* All of a source's case: its "user." configuration, and parameters in which harvester and
 * calibration are the case's own integers. */
MUST_CHECK int vector_source_params(const struct vector_file *file,
                                    struct source_config *source, struct vsource_params *params,
                                    struct err *err);

/* The largest step between two neighbours of a storage's V_OC table in uV; 0 without one. */
double vector_table_step(const struct vector_file *file, const char *prefix);

/* Column of the row last read, rounded, as integer. */
uint32_t vector_u32(const struct vector_file *file, int column);

#endif
