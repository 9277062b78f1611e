/* SPDX-License-Identifier: MIT */
#include "common/product.h"

struct rlog_product product_sum(const uint32_t *voltage, const uint32_t *current, size_t count)
{
    struct rlog_product sum = { 0 };

    for (size_t i = 0; i < count; i++) {
        uint64_t product = (uint64_t)voltage[i] * current[i];

        sum.voltage += voltage[i];
        sum.current += current[i];
        sum.low += (uint32_t)product;
        sum.high += product >> 32;
    }
    return sum;
}

/* (v * gain_v + offset_v) * (i * gain_i + offset_i), multiplied out. */
double product_power(const struct rlog_product *product, uint64_t count,
                     const struct cal_channel *voltage, const struct cal_channel *current)
{
    double both = (double)product->low + 0x1p32 * (double)product->high;

    return both * voltage->gain * current->gain
           + (double)product->voltage * voltage->gain * current->offset
           + (double)product->current * current->gain * voltage->offset
           + (double)count * voltage->offset * current->offset;
}
