/* SPDX-License-Identifier: MIT */
/* Registers of a PRU and of its subsystem. Addresses: pru/abi/pru_map.h. */
#ifndef PRU_FW_HARDWARE_H
#define PRU_FW_HARDWARE_H

#include "pru/abi/pru_map.h"

#include <stdint.h>

/* Pins: outputs, and inputs (reading) or events (writing). The compiler knows these two and
 * keeps every access to them, whatever its warning says of register variables in general. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wvolatile-register-var"
register volatile uint32_t hardware_r30 __asm__("r30");
register volatile uint32_t hardware_r31 __asm__("r31");
#pragma GCC diagnostic pop

static inline volatile uint32_t *hardware_register(uint32_t base, uint32_t offset)
{
    return (volatile uint32_t *)(base + offset);
}

/* The IEP's counter, 5 ns a tick; twelve cycles to read. Entry 26 of the constants table is the
 * IEP's address: nothing has to be loaded first. */
static inline uint32_t hardware_ticks(void)
{
    uint32_t ticks = 0;

    __asm__ volatile("lbco %0, 26, %1, 4" : "=r"(ticks) : "i"(PRU_IEP_COUNT));
    return ticks;
}

/* Waits for so many cycles, even ones; a few at least. */
static inline void hardware_rest(int32_t cycles)
{
    if (cycles > 1) {
        __asm__ volatile("lsr %0, %0, 1\n1:\n\tsub %0, %0, 1\n\tqbne 1b, %0, 0" : "+r"(cycles));
    }
}

/* One tick a cycle, from 0 on; writing ones clears it. */
static inline void hardware_start_counter(void)
{
    *hardware_register(PRU_MAP_IEP, PRU_IEP_GLOBAL_CFG) = 0x10;
    *hardware_register(PRU_MAP_IEP, PRU_IEP_COUNT) = 0xFFFFFFFFu;
    *hardware_register(PRU_MAP_IEP, PRU_IEP_GLOBAL_CFG) = 0x11;
}

/* For a core that must tell time even when the other one, which keeps it, never came up. */
static inline void hardware_need_counter(void)
{
    if ((*hardware_register(PRU_MAP_IEP, PRU_IEP_GLOBAL_CFG) & 1u) == 0) {
        *hardware_register(PRU_MAP_IEP, PRU_IEP_GLOBAL_CFG) = 0x11;
    }
}

/* Rings the host's doorbell. */
static inline void hardware_announce(void)
{
    hardware_r31 = (uint32_t)PRU_R31_EVENT | (uint32_t)(PRU_EVENT_TO_HOST - 16);
}

/* Lets the core reach OCMC and DDR. */
static inline void hardware_open_bus(void)
{
    *hardware_register(PRU_MAP_CFG, PRU_CFG_SYSCFG) &= ~(uint32_t)PRU_CFG_SYSCFG_STANDBY_INIT;
}

#endif
