/* SPDX-License-Identifier: MIT */
#include "pru/sim/pru_soc.h"

#include "pru/sim/pru_elf.h"
#include "pru/sim/pru_soc_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    STROBE_VECTOR = 0xF, /* of r31, SPRUH73 4.4.1.2.2.2 */
};

void pru_soc_sync(struct pru_soc *soc, uint64_t now)
{
    iep_advance(&soc->iep, now);
    if (soc->iep.cmp_status != 0) {
        intc_raise(&soc->intc, INTC_EVENT_IEP);
    }
    if (soc->wake_lines != 0 && (intc_lines(&soc->intc) & soc->wake_lines) != 0) {
        soc->cpu[0].limit = 0;
        soc->cpu[1].limit = 0;
    }
}

static uint32_t port_input(void *context, const struct pru_cpu *cpu)
{
    struct pru_soc *soc = context;
    uint32_t pins = 0;

    pru_soc_sync(soc, cpu->cycle);
    if (soc->pins.input != NULL) {
        pins = soc->pins.input(soc->pins.context, cpu->index, cpu->cycle) & 0x3FFFFFFFu;
    }
    return pins | intc_lines(&soc->intc) << 30;
}

static void port_output(void *context, const struct pru_cpu *cpu, uint64_t cycle)
{
    struct pru_soc *soc = context;

    if (soc->pins.output != NULL) {
        soc->pins.output(soc->pins.context, cpu->index, cycle, cpu->reg.word[30]);
    }
}

static void port_strobe(void *context, const struct pru_cpu *cpu, uint32_t r31)
{
    struct pru_soc *soc = context;

    if ((r31 & PRU_R31_EVENT) != 0) {
        intc_raise(&soc->intc, INTC_EVENT_STROBE + (r31 & STROBE_VECTOR));
        pru_soc_sync(soc, cpu->cycle);
    }
}

static bool provide_memory(uint8_t **memory, bool *owns, void *given, size_t size)
{
    *owns = given == NULL;
    *memory = given != NULL ? given : calloc(1, size);
    return *memory != NULL;
}

static bool create_core(struct pru_soc *soc, unsigned core, uint32_t n_words)
{
    struct pru_cpu *cpu = &soc->cpu[core];

    soc->ram[core] = calloc(1, PRU_RAM_BYTES);
    cpu->program = calloc(n_words, sizeof(*cpu->program));
    cpu->n_words = n_words;
    cpu->ram = soc->ram[core];
    cpu->scratch = &soc->scratch;
    cpu->peer = &soc->cpu[1 - core];
    cpu->ports = &soc->ports;
    cpu->index = core;
    if (soc->ram[core] == NULL || cpu->program == NULL) {
        return false;
    }
    pru_soc_load_words(soc, core, NULL, 0);
    return true;
}

static bool create_windows(struct pru_soc *soc, const struct pru_soc_config *config)
{
    struct pru_window *ocmc = &soc->windows[PRU_WINDOW_OCMC];
    struct pru_window *ddr = &soc->windows[PRU_WINDOW_DDR];

    *ocmc = (struct pru_window){
        .base = PRU_MAP_OCMC, .size = PRU_MAP_OCMC_BYTES, .best = 27, .worst = 108
    };
    *ddr = (struct pru_window){ .base = config->ddr_base != 0 ? config->ddr_base : PRU_MAP_DDR,
                                .size = config->ddr_bytes,
                                .best = 36,
                                .worst = 1080 };
    return provide_memory(&ocmc->bytes, &soc->owns_window[PRU_WINDOW_OCMC], config->ocmc,
                          PRU_MAP_OCMC_BYTES)
           && provide_memory(&ddr->bytes, &soc->owns_window[PRU_WINDOW_DDR], config->ddr,
                             config->ddr_bytes + 4);
}

struct pru_soc *pru_soc_create(const struct pru_soc_config *config)
{
    struct pru_soc *soc = calloc(1, sizeof(*soc));
    uint32_t n_words =
        config->program_words != 0 ? config->program_words : (uint32_t)PRU_PROGRAM_WORDS;

    if (soc == NULL) {
        return NULL;
    }
    soc->ports = (struct pru_ports){ .context = soc,
                                     .read = pru_bus_read,
                                     .write = pru_bus_write,
                                     .input = port_input,
                                     .output = port_output,
                                     .strobe = port_strobe };
    soc->pins = config->pins;
    soc->latency = config->latency;
    rng_seed(&soc->rng, config->seed);
    if (!provide_memory(&soc->shared, &soc->owns_shared, config->shared, PRU_MAP_SHARED_BYTES)
        || !create_windows(soc, config) || !create_core(soc, 0, n_words)
        || !create_core(soc, 1, n_words)) {
        pru_soc_destroy(&soc);
        return NULL;
    }
    pru_soc_reset(soc);
    return soc;
}

void pru_soc_destroy(struct pru_soc **soc_p)
{
    struct pru_soc *soc = *soc_p;

    *soc_p = NULL;
    if (soc == NULL) {
        return;
    }
    for (unsigned i = 0; i < PRU_CORES; i++) {
        free(soc->ram[i]);
        free(soc->cpu[i].program);
    }
    for (unsigned i = 0; i < PRU_WINDOWS; i++) {
        if (soc->owns_window[i]) {
            free(soc->windows[i].bytes);
        }
    }
    if (soc->owns_shared) {
        free(soc->shared);
    }
    free(soc);
}

void pru_soc_reset(struct pru_soc *soc)
{
    iep_reset(&soc->iep, soc->cycle);
    intc_reset(&soc->intc);
    memset(soc->cfg, 0, sizeof(soc->cfg));
    memset(&soc->scratch, 0, sizeof(soc->scratch));
    soc->cfg[PRU_CFG_SYSCFG / 4] = PRU_SYSCFG_RESET;
    for (unsigned i = 0; i < PRU_CORES; i++) {
        pru_control_reset(soc, i);
    }
}

void pru_soc_load_words(struct pru_soc *soc, unsigned core, const uint32_t *words, size_t n)
{
    struct pru_cpu *cpu = &soc->cpu[core];

    for (uint32_t i = 0; i < cpu->n_words; i++) {
        cpu->program[i] = i < n ? pru_decode(words[i], i) : pru_decode_empty();
    }
    pru_cpu_reset(cpu, 0);
}

static void decode_loaded(struct pru_cpu *cpu, const uint8_t *bytes, const uint8_t *map)
{
    for (uint32_t i = 0; i < cpu->n_words; i++) {
        uint32_t word;

        memcpy(&word, bytes + (size_t)i * 4, sizeof(word));
        cpu->program[i] = map[i] != 0 ? pru_decode(word, i) : pru_decode_empty();
    }
}

int pru_soc_load(struct pru_soc *soc, unsigned core, const void *elf, size_t elf_bytes,
                 char *why, size_t size)
{
    struct pru_cpu *cpu = &soc->cpu[core];
    size_t program_bytes = (size_t)cpu->n_words * 4;
    uint8_t *program = calloc(1, program_bytes + cpu->n_words);
    struct pru_elf_target target = { .program = program,
                                     .program_bytes = program_bytes,
                                     .program_map = program + program_bytes,
                                     .data = soc->ram[core],
                                     .data_bytes = PRU_RAM_BYTES };
    uint32_t entry = 0;
    int result = -1;

    if (program == NULL) {
        (void)snprintf(why, size, "no memory");
        return -1;
    }
    if (pru_elf_load(elf, elf_bytes, &target, &entry, why, size) == 0) {
        decode_loaded(cpu, program, target.program_map);
        pru_cpu_reset(cpu, entry);
        result = 0;
    }
    free(program);
    return result;
}

void pru_soc_start(struct pru_soc *soc, unsigned core)
{
    struct pru_cpu *cpu = &soc->cpu[core];

    if (cpu->fault == PRU_FAULT_NONE) {
        cpu->is_running = true;
        cpu->cycle = cpu->cycle > soc->cycle ? cpu->cycle : soc->cycle;
    }
}

void pru_soc_stop(struct pru_soc *soc, unsigned core)
{
    soc->cpu[core].is_running = false;
}

static bool is_due(const struct pru_cpu *cpu, uint64_t until)
{
    return cpu->is_running && cpu->cycle < until;
}

/* A fault that the caller has not been told of. */
static bool has_news_of_fault(struct pru_soc *soc)
{
    bool has_news = false;

    for (unsigned i = 0; i < PRU_CORES; i++) {
        bool has_fault = soc->cpu[i].fault != PRU_FAULT_NONE;

        has_news = has_news || (has_fault && !soc->is_fault_told[i]);
        soc->is_fault_told[i] = has_fault;
    }
    return has_news;
}

static bool is_woken(struct pru_soc *soc, uint64_t now)
{
    pru_soc_sync(soc, now);
    return (intc_lines(&soc->intc) & soc->wake_lines) != 0;
}

/* One turn: the core that is behind, core 0 first, until it is no longer. */
static void run_behind(struct pru_cpu *one, struct pru_cpu *two, uint64_t until)
{
    if (is_due(one, until) && (!is_due(two, until) || one->cycle <= two->cycle)) {
        pru_cpu_run(one, is_due(two, until) ? two->cycle + 1 : until);
    } else {
        pru_cpu_run(two, is_due(one, until) ? one->cycle : until);
    }
}

static uint64_t reached(const struct pru_soc *soc, uint64_t until)
{
    uint64_t cycle = until;

    for (unsigned i = 0; i < PRU_CORES; i++) {
        if (is_due(&soc->cpu[i], until) && soc->cpu[i].cycle < cycle) {
            cycle = soc->cpu[i].cycle;
        }
    }
    return cycle > soc->cycle ? cycle : soc->cycle;
}

enum pru_stop pru_soc_run(struct pru_soc *soc, uint64_t until, uint32_t wake_lines)
{
    struct pru_cpu *one = &soc->cpu[0];
    struct pru_cpu *two = &soc->cpu[1];

    soc->wake_lines = wake_lines;
    one->limit = 0;
    two->limit = 0;
    while (!has_news_of_fault(soc)) {
        if (wake_lines != 0 && one->limit == 0 && two->limit == 0
            && is_woken(soc, soc->cycle)) {
            soc->cycle = reached(soc, until);
            return PRU_STOP_EVENT;
        }
        if (!is_due(one, until) && !is_due(two, until)) {
            soc->cycle = reached(soc, until);
            return one->is_running || two->is_running ? PRU_STOP_TIME : PRU_STOP_IDLE;
        }
        run_behind(one, two, until);
    }
    soc->cycle = reached(soc, until);
    return PRU_STOP_FAULT;
}

void pru_soc_skip(struct pru_soc *soc, uint64_t cycles)
{
    soc->cycle += cycles;
    for (unsigned i = 0; i < PRU_CORES; i++) {
        soc->cpu[i].cycle += cycles;
    }
}

uint64_t pru_soc_cycle(const struct pru_soc *soc)
{
    return soc->cycle;
}

void pru_soc_explain(const struct pru_soc *soc, char *text, size_t size)
{
    size_t length;

    pru_cpu_explain(&soc->cpu[0], text, size);
    length = strlen(text);
    if (length + 2 < size && soc->cpu[1].fault != PRU_FAULT_NONE) {
        (void)snprintf(text + length, size - length, "%s", length > 0 ? "; " : "");
        length = strlen(text);
        pru_cpu_explain(&soc->cpu[1], text + length, size - length);
    }
}

uint32_t pru_soc_read(struct pru_soc *soc, uint32_t address)
{
    uint32_t value = 0;

    return pru_bus_peek(soc, 0, soc->cycle, address, &value) ? value : 0;
}

void pru_soc_write(struct pru_soc *soc, uint32_t address, uint32_t value)
{
    (void)pru_bus_poke(soc, 0, soc->cycle, address, value);
}

void pru_soc_raise(struct pru_soc *soc, unsigned event)
{
    intc_raise(&soc->intc, event);
}

uint32_t pru_soc_lines(struct pru_soc *soc)
{
    pru_soc_sync(soc, soc->cycle);
    return intc_lines(&soc->intc);
}

void *pru_soc_memory(struct pru_soc *soc, enum pru_memory memory, size_t *size)
{
    switch (memory) {
    case PRU_MEMORY_RAM0:
    case PRU_MEMORY_RAM1:
        *size = PRU_RAM_BYTES;
        return soc->ram[memory == PRU_MEMORY_RAM0 ? 0 : 1];
    case PRU_MEMORY_SHARED:
        *size = PRU_MAP_SHARED_BYTES;
        return soc->shared;
    case PRU_MEMORY_OCMC:
        *size = PRU_MAP_OCMC_BYTES;
        return soc->windows[PRU_WINDOW_OCMC].bytes;
    case PRU_MEMORY_DDR:
        *size = soc->windows[PRU_WINDOW_DDR].size;
        return soc->windows[PRU_WINDOW_DDR].bytes;
    }
    return NULL;
}

const struct pru_cpu *pru_soc_cpu(const struct pru_soc *soc, unsigned core)
{
    return &soc->cpu[core];
}

void pru_soc_stall_ddr(struct pru_soc *soc, uint64_t until)
{
    soc->windows[PRU_WINDOW_DDR].stalled_until = until;
}
