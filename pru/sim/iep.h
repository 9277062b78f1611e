/* SPDX-License-Identifier: MIT */
/* The industrial Ethernet peripheral's timer: count, increment, compensation, eight compares.
 *
 * SPRUH73 4.4.3 and 4.5.4 (registers). It runs at the cores' 200 MHz. Not there: capture,
 * watchdog, digital I/O. The registers are worked out only when somebody looks. A compare
 * strikes when the count reaches or passes its value. With CMP0_RST_CNT_EN the count is 0 one
 * clock after CMP0 struck, so that a period takes CMP0 / increment + 1 clocks. */
#ifndef PRU_SIM_IEP_H
#define PRU_SIM_IEP_H

#include <stdint.h>

enum {
    IEP_COMPARES = 8,
};

struct iep {
    uint64_t cycle;      /* up to which the rest is worked out */
    uint32_t global_cfg; /* bit 0 enable, 7:4 increment, 19:8 increment while compensating */
    uint32_t status;     /* bit 0: the count has overflowed */
    uint32_t compensate; /* cycles left */
    uint32_t count;
    uint32_t cmp_cfg; /* bit 0: CMP0 resets the count; 8:1 enables */
    uint32_t cmp_status;
    uint32_t cmp[IEP_COMPARES];
    uint32_t must_reset; /* CMP0 has struck: the count is 0 at the next clock */
};

/* As after reset, at this cycle. */
void iep_reset(struct iep *iep, uint64_t cycle);

/* Lets time pass; an earlier cycle than the last changes nothing. */
void iep_advance(struct iep *iep, uint64_t cycle);

/* Register at byte offset; call iep_advance before. Unknown ones read 0. */
uint32_t iep_read(const struct iep *iep, uint32_t offset);
void iep_write(struct iep *iep, uint32_t offset, uint32_t value);

#endif
