/* SPDX-License-Identifier: MIT */
/* What the files of vsource_derive.h share; nobody else includes it. */
#ifndef COMMON_VSOURCE_DERIVE_PARTS_H
#define COMMON_VSOURCE_DERIVE_PARTS_H

#include "common/err.h"
#include "common/vsource_config.h"
#include "pru/abi/vsource_params.h"

#include <stddef.h>
#include <stdint.h>

static const double VSOURCE_SAMPLE_S = 10e-6;
static const double VSOURCE_SAMPLES_PER_MS = 100;
/* Charge of 1 nA during one sample, in As. */
static const double VSOURCE_UNIT_As = 1e-9 * 10e-6;
static const double VSOURCE_V_STORE_MAX = 16.777215; /* uV n8 in 32 bits */

/* Rounds to nearest; name is for the message. */
MUST_CHECK int vsource_derive_u32(double value, const char *name, uint32_t *result,
                                  struct err *err);

/* One number of a table of conversions: result = value x factor, rounded. */
struct vsource_conversion {
    const char *name;
    double value;
    double factor;
    uint32_t *result;
};

MUST_CHECK int vsource_derive_numbers(const struct vsource_conversion *conversions,
                                      size_t count, struct err *err);

/* source is finished and has a storage. */
MUST_CHECK int vsource_derive_store(const struct source_config *source,
                                    struct vsource_store *params, struct err *err);

#endif
