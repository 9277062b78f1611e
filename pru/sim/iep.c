/* SPDX-License-Identifier: MIT */
#include "pru/sim/iep.h"

#include <stdbool.h>

enum iep_offset {
    GLOBAL_CFG = 0x00,
    GLOBAL_STATUS = 0x04,
    COMPEN = 0x08,
    COUNT = 0x0C,
    CMP_CFG = 0x40,
    CMP_STATUS = 0x44,
    CMP0 = 0x48,
    CMP_END = CMP0 + 4 * IEP_COMPARES,
};

void iep_reset(struct iep *iep, uint64_t cycle)
{
    *iep = (struct iep){ .cycle = cycle, .global_cfg = 0x550 };
}

static uint32_t increment(const struct iep *iep)
{
    return iep->compensate > 0 ? iep->global_cfg >> 8 & 0xFFFu : iep->global_cfg >> 4 & 0xFu;
}

static bool resets_at_cmp0(const struct iep *iep)
{
    return (iep->cmp_cfg & 3u) == 3u;
}

static bool has_passed(uint32_t value, uint64_t before, uint64_t after)
{
    return (value > before && value <= after) || (uint64_t)value + (1ull << 32) <= after;
}

/* Cycles of one kind: same increment, no reset before the last of them. */
static void advance_evenly(struct iep *iep, uint64_t n)
{
    uint64_t before = iep->count;
    uint64_t after = before + n * increment(iep);

    for (unsigned i = 0; i < IEP_COMPARES; i++) {
        if ((iep->cmp_cfg >> (1 + i) & 1u) != 0 && has_passed(iep->cmp[i], before, after)) {
            iep->cmp_status |= 1u << i;
            iep->must_reset |= i == 0 ? iep->cmp_cfg & 1u : 0;
        }
    }
    iep->status |= after >> 32 != 0 ? 1u : 0;
    iep->count = (uint32_t)after;
    iep->compensate -= iep->compensate > 0 ? (uint32_t)n : 0;
    iep->cycle += n;
}

/* How many cycles until CMP0 strikes, at least 1. */
static uint64_t cycles_to_cmp0(const struct iep *iep)
{
    uint32_t step = increment(iep);
    uint64_t distance;

    if (step == 0) {
        return UINT64_MAX;
    }
    distance = iep->cmp[0] > iep->count ? iep->cmp[0] - iep->count
                                        : (uint64_t)iep->cmp[0] + (1ull << 32) - iep->count;
    return (distance + step - 1) / step;
}

void iep_advance(struct iep *iep, uint64_t cycle)
{
    if ((iep->global_cfg & 1u) == 0 && cycle > iep->cycle) {
        iep->cycle = cycle;
    }
    while (iep->cycle < cycle) {
        uint64_t n = cycle - iep->cycle;

        if (iep->must_reset != 0) {
            iep->must_reset = 0;
            iep->count = 0;
            iep->cycle++;
            continue;
        }
        if (iep->compensate > 0 && n > iep->compensate) {
            n = iep->compensate;
        }
        if (n > UINT32_MAX / 0x1000u) {
            n = UINT32_MAX / 0x1000u; /* at most one overflow in a stretch */
        }
        if (resets_at_cmp0(iep) && n > cycles_to_cmp0(iep)) {
            n = cycles_to_cmp0(iep);
        }
        advance_evenly(iep, n);
    }
}

uint32_t iep_read(const struct iep *iep, uint32_t offset)
{
    if (offset >= CMP0 && offset < CMP_END) {
        return iep->cmp[(offset - CMP0) / 4];
    }
    switch (offset) {
    case GLOBAL_CFG:
        return iep->global_cfg;
    case GLOBAL_STATUS:
        return iep->status;
    case COMPEN:
        return iep->compensate;
    case COUNT:
        return iep->count;
    case CMP_CFG:
        return iep->cmp_cfg;
    case CMP_STATUS:
        return iep->cmp_status;
    default:
        return 0;
    }
}

void iep_write(struct iep *iep, uint32_t offset, uint32_t value)
{
    if (offset >= CMP0 && offset < CMP_END) {
        iep->cmp[(offset - CMP0) / 4] = value;
        return;
    }
    switch (offset) {
    case GLOBAL_CFG:
        iep->global_cfg = value & 0xFFFF1u;
        break;
    case GLOBAL_STATUS:
        iep->status &= ~value;
        break;
    case COMPEN:
        iep->compensate = value & 0x7FFFFFu;
        break;
    case COUNT:
        iep->count = value;
        break;
    case CMP_CFG:
        iep->cmp_cfg = value & 0x1FFu;
        break;
    case CMP_STATUS:
        iep->cmp_status &= ~value;
        break;
    default:
        break;
    }
}
