/* SPDX-License-Identifier: MIT */
/* The AM335x's PRU subsystem as firmware sees it: two cores, their memories, the registers
 * around them, and windows to OCMC and DDR; in virtual time, 5 ns a cycle.
 *
 * The core that is behind executes next, so that the cores see each other's writes and pins in
 * the order of their cycles. Nothing happens between runs: who wants real time paces the runs.
 * One thread runs a subsystem; another one may look at and write its memories meanwhile as it
 * would a board's: aligned 32-bit words are read and written whole and in order.
 *
 * Address maps: SPRUH73 table 4-8 (local) and 4-9 (global, from 0x4A300000). */
#ifndef PRU_SIM_PRU_SOC_H
#define PRU_SIM_PRU_SOC_H

#include "pru/abi/pru_map.h"
#include "pru/sim/pru_cpu.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PRU_CORES = 2,
};

/* What a read outside of the subsystem takes; inside, latencies do not vary. */
enum pru_latency {
    PRU_LATENCY_BEST,   /* SPRACE8 table 2, an idle interconnect: OCMC 27, DDR 36 cycles */
    PRU_LATENCY_WORST,  /* OCMC 108 (twice what the incumbent measured), DDR 1080 (5.4 us) */
    PRU_LATENCY_RANDOM, /* mostly best plus 0..7, one in 64 anywhere up to the worst; seeded */
};

/* What hangs on the cores' pins. Called from the running thread, of one core in the order of
 * cycles. An output changes when its instruction ends, an input is read when its instruction
 * begins. */
struct pru_pins {
    void *context;
    /* Core `core` drives r30 from `cycle` on. */
    void (*output)(void *context, unsigned core, uint64_t cycle, uint32_t r30);
    /* Bits 0..29 of core's r31 at `cycle`. */
    uint32_t (*input)(void *context, unsigned core, uint64_t cycle);
};

struct pru_soc_config {
    enum pru_latency latency;
    uint64_t seed;
    uint32_t program_words; /* of each core; 0: PRU_PROGRAM_WORDS */
    uint32_t ddr_base;      /* 0: PRU_MAP_DDR */
    uint32_t ddr_bytes;     /* 0: no DDR */
    /* Memory that the caller owns, so that others can map it; NULL: allocated. */
    void *ddr;
    void *ocmc;
    void *shared;
    struct pru_pins pins; /* functions may be NULL */
};

struct pru_soc;

/* NULL without memory. Cores are in reset, memories zero. */
struct pru_soc *pru_soc_create(const struct pru_soc_config *config);
void pru_soc_destroy(struct pru_soc **soc);

/* As a reset of the subsystem: registers, cores; memories and time stay. */
void pru_soc_reset(struct pru_soc *soc);

/* Program and data memory of one core from an ELF file for the PRU; the core is reset to its
 * entry. -1 and a reason of at most `size` bytes otherwise. */
int pru_soc_load(struct pru_soc *soc, unsigned core, const void *elf, size_t elf_bytes,
                 char *why, size_t size);

/* Program memory alone, for tests; the core is reset to address 0. */
void pru_soc_load_words(struct pru_soc *soc, unsigned core, const uint32_t *words, size_t n);

/* CTRL.ENABLE. */
void pru_soc_start(struct pru_soc *soc, unsigned core);
void pru_soc_stop(struct pru_soc *soc, unsigned core);

enum pru_stop {
    PRU_STOP_TIME,  /* `until` reached */
    PRU_STOP_EVENT, /* a host line of the mask is up */
    PRU_STOP_FAULT, /* a core did what no core can; pru_soc_explain says what. Told once: the
                     * other core goes on in the next run */
    PRU_STOP_IDLE,  /* `until` reached with no core running */
};

/* Runs until cycle `until`. Host lines in `wake_lines` (2..9 lead to the ARM) end the run as
 * soon as one is up, also at once. */
enum pru_stop pru_soc_run(struct pru_soc *soc, uint64_t until, uint32_t wake_lines);

/* Time passes without the cores, as if their clocks rested: the timer goes on. For a host that
 * cannot execute as fast as time passes and knows that the firmware only waits. */
void pru_soc_skip(struct pru_soc *soc, uint64_t cycles);

/* Cycles since creation. */
uint64_t pru_soc_cycle(const struct pru_soc *soc);

/* A line for each core with a fault. */
void pru_soc_explain(const struct pru_soc *soc, char *text, size_t size);

/* What the ARM sees. Addresses as in the local map of core 0, or global ones. 0 for what does
 * not exist. */
uint32_t pru_soc_read(struct pru_soc *soc, uint32_t address);
void pru_soc_write(struct pru_soc *soc, uint32_t address, uint32_t value);

/* A system event of the interrupt controller, as another device would raise it. */
void pru_soc_raise(struct pru_soc *soc, unsigned event);
uint32_t pru_soc_lines(struct pru_soc *soc);

/* Memories, for host code that maps them; valid until destroy. */
enum pru_memory {
    PRU_MEMORY_RAM0,
    PRU_MEMORY_RAM1,
    PRU_MEMORY_SHARED,
    PRU_MEMORY_OCMC,
    PRU_MEMORY_DDR,
};
void *pru_soc_memory(struct pru_soc *soc, enum pru_memory memory, size_t *size);

/* For inspection; a loan until destroy. */
const struct pru_cpu *pru_soc_cpu(const struct pru_soc *soc, unsigned core);

/* Fault injection: no read from DDR is answered before this cycle, and writes queue up. */
void pru_soc_stall_ddr(struct pru_soc *soc, uint64_t until);

#endif
