/* SPDX-License-Identifier: MIT */
/* Who answers at an address, and how long it takes.
 *
 * Cycles of a read of 4 bytes: memories, interrupt controller, configuration 3, control 4
 * (SPRACE8 table 1); IEP 12 (reference measurement of the incumbent; no table has it); windows
 * by their latency. Each further word adds 1. A write takes 1 + words and is posted; one to the
 * outside waits only when WRITE_BACKLOG cycles of earlier ones have not drained. */
#include "pru/sim/pru_soc_state.h"

#include <string.h>

enum {
    CONTROL_STRIDE = 0x2000, /* from core 0's registers to core 1's */
    IEP_SIZE = 0x1000,
    LOCAL_SIZE = 0x80000,

    READ_MEMORY = 3,
    READ_CONTROL = 4,
    READ_IEP = 12,
    READ_GLOBAL = 38, /* out through L3 and in again: SPRACE8 table 2, as other slaves */

    WRITE_WORD = 8,     /* cycles that the interconnect needs for a word, saturated */
    WRITE_BACKLOG = 64, /* of those, before the core waits */
};

static const uint32_t GLOBAL_BASE = 0x4A300000u;

static unsigned words_touched(uint32_t address, unsigned length)
{
    return ((address & 3u) + length + 3u) / 4u;
}

/* Words whole and in order, since another thread may look at the same memory. */
static void copy_out(uint8_t *to, const uint8_t *from, unsigned length)
{
    while (length > 0) {
        if (((uintptr_t)from & 3u) == 0 && length >= 4) {
            uint32_t word =
                __atomic_load_n((const uint32_t *)(const void *)from, __ATOMIC_ACQUIRE);

            memcpy(to, &word, sizeof(word));
            from += 4;
            to += 4;
            length -= 4;
        } else {
            *to++ = __atomic_load_n(from++, __ATOMIC_ACQUIRE);
            length--;
        }
    }
}

static void copy_in(uint8_t *to, const uint8_t *from, unsigned length)
{
    while (length > 0) {
        if (((uintptr_t)to & 3u) == 0 && length >= 4) {
            uint32_t word;

            memcpy(&word, from, sizeof(word));
            __atomic_store_n((uint32_t *)(void *)to, word, __ATOMIC_RELEASE);
            from += 4;
            to += 4;
            length -= 4;
        } else {
            __atomic_store_n(to++, *from++, __ATOMIC_RELEASE);
            length--;
        }
    }
}

static bool lies_in(uint32_t address, unsigned length, uint32_t base, uint32_t size)
{
    return address >= base && address - base < size && length <= size - (address - base);
}

/* A data memory inside the subsystem, seen by core `view`; NULL: none. */
static uint8_t *local_memory(struct pru_soc *soc, unsigned view, uint32_t address,
                             unsigned length)
{
    if (lies_in(address, length, 0, PRU_RAM_BYTES)) {
        return soc->ram[view] + address;
    }
    if (lies_in(address, length, PRU_RAM_BYTES, PRU_RAM_BYTES)) {
        return soc->ram[1 - view] + (address - PRU_RAM_BYTES);
    }
    if (lies_in(address, length, PRU_MAP_SHARED, PRU_MAP_SHARED_BYTES)) {
        return soc->shared + (address - PRU_MAP_SHARED);
    }
    return NULL;
}

static struct pru_window *window_at(struct pru_soc *soc, uint32_t address, unsigned length)
{
    for (unsigned i = 0; i < PRU_WINDOWS; i++) {
        struct pru_window *window = &soc->windows[i];

        if (lies_in(address, length, window->base, window->size)) {
            return window;
        }
    }
    return NULL;
}

/* Cycles of a read of one register; 0: there is none. */
static unsigned register_latency(uint32_t address)
{
    if (lies_in(address, 1, PRU_MAP_INTC, 0x2000) || lies_in(address, 1, PRU_MAP_CFG, 0x100)) {
        return READ_MEMORY;
    }
    if (lies_in(address, 1, PRU_MAP_PRU0_CTRL, 2 * CONTROL_STRIDE)) {
        return READ_CONTROL;
    }
    return lies_in(address, 1, PRU_MAP_IEP, IEP_SIZE) ? READ_IEP : 0;
}

static uint32_t read_register(struct pru_soc *soc, uint64_t now, uint32_t address)
{
    pru_soc_sync(soc, now);
    if (address >= PRU_MAP_IEP) {
        return iep_read(&soc->iep, address - PRU_MAP_IEP);
    }
    if (address >= PRU_MAP_CFG) {
        uint32_t index = (address - PRU_MAP_CFG) / 4;

        return index < PRU_CFG_WORDS ? soc->cfg[index] : 0;
    }
    if (address >= PRU_MAP_PRU0_CTRL) {
        return pru_control_read(soc, (address - PRU_MAP_PRU0_CTRL) / CONTROL_STRIDE, now,
                                address & 0x1FFFu);
    }
    return intc_read(&soc->intc, address - PRU_MAP_INTC);
}

static void write_register(struct pru_soc *soc, uint64_t now, uint32_t address, uint32_t value)
{
    pru_soc_sync(soc, now);
    if (address >= PRU_MAP_IEP) {
        iep_write(&soc->iep, address - PRU_MAP_IEP, value);
    } else if (address >= PRU_MAP_CFG) {
        uint32_t index = (address - PRU_MAP_CFG) / 4;

        soc->cfg[index < PRU_CFG_WORDS ? index : 0] = value;
    } else if (address >= PRU_MAP_PRU0_CTRL) {
        pru_control_write(soc, (address - PRU_MAP_PRU0_CTRL) / CONTROL_STRIDE, now,
                          address & 0x1FFFu, value);
    } else {
        intc_write(&soc->intc, address - PRU_MAP_INTC, value);
    }
    pru_soc_sync(soc, now);
}

/* Registers are words: a byte is cut out of one. */
static unsigned read_registers(struct pru_soc *soc, uint64_t now, uint32_t address,
                               uint8_t *bytes, unsigned length)
{
    unsigned cycles = register_latency(address);
    unsigned done = 0;

    while (cycles != 0 && done < length) {
        uint32_t at = address + done;
        uint32_t word = read_register(soc, now, at & ~3u);
        unsigned n = 4 - (at & 3u);

        n = n < length - done ? n : length - done;
        memcpy(bytes + done, (const uint8_t *)&word + (at & 3u), n);
        done += n;
    }
    return cycles == 0 ? 0 : cycles + words_touched(address, length) - 1;
}

/* A byte written is a word with zeros elsewhere where a 1 acts, and with what stands there in
 * memory-like registers. */
static uint32_t merge(struct pru_soc *soc, uint64_t now, uint32_t address, uint32_t value,
                      uint32_t mask)
{
    bool acts = address < PRU_MAP_PRU0_CTRL || (address & ~0xFu) == PRU_MAP_IEP + 0x40;

    if (mask == UINT32_MAX || acts) {
        return value & mask;
    }
    return (read_register(soc, now, address) & ~mask) | (value & mask);
}

static bool write_registers(struct pru_soc *soc, uint64_t now, uint32_t address,
                            const uint8_t *bytes, unsigned length)
{
    unsigned done = 0;

    if (register_latency(address) == 0) {
        return false;
    }
    while (done < length) {
        uint32_t at = address + done;
        unsigned n = 4 - (at & 3u);
        uint32_t value = 0;
        uint32_t mask = 0;

        n = n < length - done ? n : length - done;
        memcpy((uint8_t *)&value + (at & 3u), bytes + done, n);
        memset((uint8_t *)&mask + (at & 3u), 0xFF, n);
        write_register(soc, now, at & ~3u, merge(soc, now, at & ~3u, value, mask));
        done += n;
    }
    return true;
}

/* The global addresses of the subsystem are those of core 0's map. */
static bool is_global(uint32_t address)
{
    return lies_in(address, 1, GLOBAL_BASE, LOCAL_SIZE);
}

static uint32_t window_latency(struct pru_soc *soc, const struct pru_window *window)
{
    if (soc->latency == PRU_LATENCY_BEST) {
        return window->best;
    }
    if (soc->latency == PRU_LATENCY_WORST) {
        return window->worst;
    }
    if (rng_below(&soc->rng, 64) == 0) {
        return window->best + rng_below(&soc->rng, window->worst - window->best + 1);
    }
    return window->best + rng_below(&soc->rng, 8);
}

static unsigned wait_until(uint64_t now, uint64_t until)
{
    return until > now ? (unsigned)(until - now) : 0;
}

/* A read stays behind the posted writes of before. */
static unsigned read_window(struct pru_soc *soc, struct pru_window *window, uint64_t now,
                            unsigned words)
{
    unsigned stall = wait_until(now, window->stalled_until);

    return stall + window_latency(soc, window) + words - 1;
}

static unsigned write_window(struct pru_window *window, uint64_t now, unsigned words)
{
    uint64_t from = window->written_until > now ? window->written_until : now;
    unsigned backlog;

    if (from < window->stalled_until) {
        from = window->stalled_until;
    }
    backlog = wait_until(now + WRITE_BACKLOG, from);
    window->written_until = from + (uint64_t)words * WRITE_WORD;
    return 1 + words + backlog;
}

static bool is_standby(const struct pru_soc *soc)
{
    return (soc->cfg[PRU_CFG_SYSCFG / 4] & PRU_CFG_SYSCFG_STANDBY_INIT) != 0;
}

unsigned pru_bus_read(void *context, struct pru_cpu *cpu, uint32_t address, void *bytes,
                      unsigned length)
{
    struct pru_soc *soc = context;
    unsigned words = words_touched(address, length);
    const uint8_t *memory = local_memory(soc, cpu->index, address, length);
    struct pru_window *window;
    unsigned cycles;

    if (memory != NULL) {
        copy_out(bytes, memory, length);
        return READ_MEMORY - 1 + words;
    }
    if (address >= LOCAL_SIZE && is_standby(soc)) {
        return pru_cpu_fail(cpu, PRU_FAULT_STANDBY, address);
    }
    window = window_at(soc, address, length);
    if (window != NULL) {
        copy_out(bytes, window->bytes + (address - window->base), length);
        return read_window(soc, window, cpu->cycle, words);
    }
    if (is_global(address)) {
        memory = local_memory(soc, 0, address - GLOBAL_BASE, length);
        if (memory != NULL) {
            copy_out(bytes, memory, length);
            return READ_GLOBAL + words - 1;
        }
        cycles = read_registers(soc, cpu->cycle, address - GLOBAL_BASE, bytes, length);
        return cycles == 0 ? pru_cpu_fail(cpu, PRU_FAULT_ADDRESS, address)
                           : READ_GLOBAL + words - 1;
    }
    cycles = read_registers(soc, cpu->cycle, address, bytes, length);
    return cycles == 0 ? pru_cpu_fail(cpu, PRU_FAULT_ADDRESS, address) : cycles;
}

unsigned pru_bus_write(void *context, struct pru_cpu *cpu, uint32_t address, const void *bytes,
                       unsigned length)
{
    struct pru_soc *soc = context;
    unsigned words = words_touched(address, length);
    uint8_t *memory = local_memory(soc, cpu->index, address, length);
    struct pru_window *window;
    uint32_t local = address;

    if (memory == NULL && address >= LOCAL_SIZE && is_standby(soc)) {
        return pru_cpu_fail(cpu, PRU_FAULT_STANDBY, address);
    }
    window = window_at(soc, address, length);
    if (memory == NULL && window != NULL) {
        copy_in(window->bytes + (address - window->base), bytes, length);
        return write_window(window, cpu->cycle, words);
    }
    if (memory == NULL && is_global(address)) {
        local = address - GLOBAL_BASE;
        memory = local_memory(soc, 0, local, length);
    }
    if (memory != NULL) {
        copy_in(memory, bytes, length);
        return 1 + words;
    }
    if (!write_registers(soc, cpu->cycle, local, bytes, length)) {
        return pru_cpu_fail(cpu, PRU_FAULT_ADDRESS, address);
    }
    return 1 + words;
}

bool pru_bus_peek(struct pru_soc *soc, unsigned view, uint64_t now, uint32_t address,
                  uint32_t *value)
{
    uint32_t local = is_global(address) ? address - GLOBAL_BASE : address;
    const uint8_t *memory = local_memory(soc, view, local, 4);
    const struct pru_window *window = window_at(soc, address, 4);

    if (memory == NULL && window != NULL) {
        memory = window->bytes + (address - window->base);
    }
    if (memory != NULL) {
        copy_out((uint8_t *)value, memory, 4);
        return true;
    }
    return read_registers(soc, now, local, (uint8_t *)value, 4) != 0;
}

bool pru_bus_poke(struct pru_soc *soc, unsigned view, uint64_t now, uint32_t address,
                  uint32_t value)
{
    uint32_t local = is_global(address) ? address - GLOBAL_BASE : address;
    uint8_t *memory = local_memory(soc, view, local, 4);
    const struct pru_window *window = window_at(soc, address, 4);

    if (memory == NULL && window != NULL) {
        memory = window->bytes + (address - window->base);
    }
    if (memory != NULL) {
        copy_in(memory, (const uint8_t *)&value, 4);
        return true;
    }
    return write_registers(soc, now, local, (const uint8_t *)&value, 4);
}
