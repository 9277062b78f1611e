/* SPDX-License-Identifier: MIT */
/* Where the firmware finds its memories and registers: the AM335x as a PRU sees it. The
 * firmware, the PRU simulator and the device tree (pru/dts) agree here.
 *
 * Sources: AM335x TRM (SPRUH73Q) 4.3.1 local memory map, 4.4.1.2 constants table, 4.5.1 PRU
 * control, 4.5.6 IEP; 2.1 memory map for OCMC and DDR. */
#ifndef PRU_ABI_PRU_MAP_H
#define PRU_ABI_PRU_MAP_H

#include <stdint.h>

/* Local to the PRU subsystem. Both cores see the whole of it; at 0 each sees its own RAM. */
static const uint32_t PRU_MAP_RAM_OWN = 0x00000000u;   /* 8 KiB: stack, variables, tables */
static const uint32_t PRU_MAP_RAM_OTHER = 0x00002000u; /* 8 KiB of the other core */
static const uint32_t PRU_MAP_SHARED = 0x00010000u;    /* 12 KiB: struct pru_control first */
static const uint32_t PRU_MAP_INTC = 0x00020000u;
static const uint32_t PRU_MAP_PRU0_CTRL = 0x00022000u;
static const uint32_t PRU_MAP_PRU1_CTRL = 0x00024000u;
static const uint32_t PRU_MAP_CFG = 0x00026000u;
static const uint32_t PRU_MAP_IEP = 0x0002E000u;

/* Outside: OCMC is quick, DDR is for stores alone. */
static const uint32_t PRU_MAP_OCMC = 0x40300000u; /* 64 KiB: the input ring fills it */
static const uint32_t PRU_MAP_DDR = 0x9C000000u;  /* reserved-memory of pru/dts */

enum {
    PRU_MAP_RAM_BYTES = 8192,
    PRU_MAP_PROGRAM_BYTES = 8192,
    PRU_MAP_SHARED_BYTES = 12288,
    PRU_MAP_OCMC_BYTES = 65536,
    PRU_MAP_DDR_BLOCKS_BYTES = 8388608, /* block ring, then the GPIO ring */
    PRU_MAP_DDR_GPIO_BYTES = 16777216,
    /* What the cores share with each other lies behind struct pru_control in the shared RAM. */
    PRU_MAP_PRIVATE_OFFSET = 6912,
    /* IEP, TRM 4.5.6 */
    PRU_IEP_GLOBAL_CFG = 0x00, /* bit 0 enable, 7:4 increment, 19:8 while compensating */
    PRU_IEP_GLOBAL_STATUS = 0x04,
    PRU_IEP_COMPEN = 0x08,
    PRU_IEP_COUNT = 0x0C,
    PRU_IEP_CMP_CFG = 0x40,
    PRU_IEP_CMP_STATUS = 0x44,
    /* PRU control, TRM 4.5.1 */
    PRU_CTRL_CONTROL = 0x00,
    PRU_CTRL_STATUS = 0x04, /* program counter */
    PRU_CTRL_CYCLE = 0x0C,
    PRU_CTRL_STALL = 0x10,
    PRU_CTRL_COUNTER_ENABLE = 1 << 3, /* of CONTROL */
    /* CFG, TRM 4.5.3 */
    PRU_CFG_SYSCFG = 0x04, /* bit 4, STANDBY_INIT, closes the way to OCMC and DDR */
    PRU_CFG_SYSCFG_STANDBY_INIT = 1 << 4,
    /* Written to R31: raises a system event, TRM 4.4.2.2. */
    PRU_R31_EVENT = 1 << 5,
    PRU_EVENT_TO_HOST = 16, /* system event that rings the host's doorbell */
};

#endif
