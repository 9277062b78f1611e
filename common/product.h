/* SPDX-License-Identifier: MIT */
/* The energy of samples, summed where they are at hand: see struct rlog_product. */
#ifndef COMMON_PRODUCT_H
#define COMMON_PRODUCT_H

#include "common/calibration.h"
#include "common/rlog_format.h"

#include <stddef.h>
#include <stdint.h>

/* Exact for up to 2^32 samples, whatever their codes. */
struct rlog_product product_sum(const uint32_t *voltage, const uint32_t *current, size_t count);

/* Sum of V * I over the count samples, in watts. */
double product_power(const struct rlog_product *product, uint64_t count,
                     const struct cal_channel *voltage, const struct cal_channel *current);

#endif
