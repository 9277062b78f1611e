/* SPDX-License-Identifier: MIT */
/* The inside of a subsystem, shared by pru_soc.c, pru_bus.c and pru_control.c. */
#ifndef PRU_SIM_PRU_SOC_STATE_H
#define PRU_SIM_PRU_SOC_STATE_H

#include "pru/abi/pru_map.h"
#include "pru/sim/iep.h"
#include "pru/sim/intc.h"
#include "pru/sim/pru_soc.h"
#include "pru/sim/rng.h"

enum {
    PRU_CFG_WORDS = 32,
    PRU_SYSCFG_RESET = 0x1A,
};

/* A memory behind the L3 interconnect. */
struct pru_window {
    uint32_t base;
    uint32_t size;
    uint8_t *bytes;
    uint32_t best; /* cycles of a read of 4 bytes */
    uint32_t worst;
    uint64_t stalled_until;
    uint64_t written_until; /* when the posted writes will have drained */
};

enum {
    PRU_WINDOW_OCMC,
    PRU_WINDOW_DDR,
    PRU_WINDOWS,
};

/* A core's control registers beside what is in the core. */
struct pru_control_regs {
    uint32_t reset_pc;
    bool is_counting;
    uint64_t counted; /* cycles before `counting_from` */
    uint64_t counting_from;
    uint64_t stalls_from;
    uint32_t blocks[4]; /* CTBIR0, CTBIR1, CTPPR0, CTPPR1 */
};

struct pru_soc {
    struct pru_cpu cpu[PRU_CORES];
    struct pru_control_regs control[PRU_CORES];
    struct pru_ports ports;
    struct pru_pins pins;
    struct pru_scratch scratch;
    struct iep iep;
    struct intc intc;
    uint32_t cfg[PRU_CFG_WORDS];
    struct pru_window windows[PRU_WINDOWS];
    enum pru_latency latency;
    struct rng rng;
    uint8_t *ram[PRU_CORES];
    uint8_t *shared;
    bool owns_shared;
    bool owns_window[PRU_WINDOWS];
    uint64_t cycle;
    uint32_t wake_lines;
    bool is_fault_told[PRU_CORES];
};

/* Ports of a core. */
unsigned pru_bus_read(void *context, struct pru_cpu *cpu, uint32_t address, void *bytes,
                      unsigned length);
unsigned pru_bus_write(void *context, struct pru_cpu *cpu, uint32_t address, const void *bytes,
                       unsigned length);

/* One word without a cost; false: nothing there. View: whose local map. */
bool pru_bus_peek(struct pru_soc *soc, unsigned view, uint64_t now, uint32_t address,
                  uint32_t *value);
bool pru_bus_poke(struct pru_soc *soc, unsigned view, uint64_t now, uint32_t address,
                  uint32_t value);

/* Registers of a core at offset 0..0x7FF from its block: control, and from 0x400 on debug. */
void pru_control_reset(struct pru_soc *soc, unsigned core);
uint32_t pru_control_read(struct pru_soc *soc, unsigned core, uint64_t now, uint32_t offset);
void pru_control_write(struct pru_soc *soc, unsigned core, uint64_t now, uint32_t offset,
                       uint32_t value);

/* Lets the timer's events reach the interrupt controller, and a host line end the run. */
void pru_soc_sync(struct pru_soc *soc, uint64_t now);

#endif
