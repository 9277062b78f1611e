/* SPDX-License-Identifier: MIT */
/* Control and debug registers of a core: SPRUH73 4.5.1 and 4.5.2. */
#include "pru/sim/pru_soc_state.h"

enum control_offset {
    CONTROL = 0x00,
    STATUS = 0x04,
    WAKEUP_EN = 0x08,
    CYCLE = 0x0C,
    STALL = 0x10,
    CTBIR0 = 0x20,
    CTPPR1 = 0x2C,
    DEBUG = 0x400, /* r0..r31, then the constants */
    DEBUG_CONSTANTS = 0x480,
    DEBUG_END = 0x500,
};

enum control_bit {
    SOFT_RST_N = 1 << 0,
    ENABLE = 1 << 1,
    SLEEPING = 1 << 2,
    COUNTER_ENABLE = 1 << 3,
    RUNSTATE = 1 << 15,
};

/* SPRUH73 table 4-10; 24 to 31 are made of the block registers. */
static const uint32_t CONSTANTS[24] = {
    0x00020000, 0x48040000, 0x4802A000, 0x00030000, 0x00026000, 0x48060000,
    0x48030000, 0x00028000, 0x46000000, 0x4A100000, 0x48318000, 0x48022000,
    0x48024000, 0x48310000, 0x481CC000, 0x481D0000, 0x481A0000, 0x4819C000,
    0x48300000, 0x48302000, 0x48304000, 0x00032400, 0x480C8000, 0x480CA000,
};

static void set_constants(struct pru_soc *soc, unsigned core)
{
    const uint32_t *blocks = soc->control[core].blocks;
    uint32_t *constants = soc->cpu[core].constants;

    for (unsigned i = 0; i < 24; i++) {
        constants[i] = CONSTANTS[i];
    }
    constants[24] = (blocks[0] & 0xFFu) << 8;
    constants[25] = 0x2000u | (blocks[0] >> 16 & 0xFFu) << 8;
    constants[26] = 0x2E000u | (blocks[1] & 0xFFu) << 8;
    constants[27] = 0x32000u | (blocks[1] >> 16 & 0xFFu) << 8;
    constants[28] = (blocks[2] & 0xFFFFu) << 8;
    constants[29] = 0x49000000u | (blocks[2] >> 16) << 8;
    constants[30] = 0x40000000u | (blocks[3] & 0xFFFFu) << 8;
    constants[31] = 0x80000000u | (blocks[3] >> 16) << 8;
}

void pru_control_reset(struct pru_soc *soc, unsigned core)
{
    soc->control[core] = (struct pru_control_regs){ .reset_pc = 0 };
    soc->cpu[core].wakeup_mask = 0;
    set_constants(soc, core);
    pru_cpu_reset(&soc->cpu[core], 0);
}

static uint32_t counted(const struct pru_soc *soc, unsigned core, uint64_t now)
{
    const struct pru_control_regs *control = &soc->control[core];
    uint64_t cycles = control->counted;

    if (control->is_counting && now > control->counting_from) {
        cycles += now - control->counting_from;
    }
    return cycles > UINT32_MAX ? UINT32_MAX : (uint32_t)cycles; /* it stops there */
}

static void set_counting(struct pru_soc *soc, unsigned core, uint64_t now, bool is_counting)
{
    struct pru_control_regs *control = &soc->control[core];

    control->counted = counted(soc, core, now);
    control->counting_from = now;
    control->is_counting = is_counting;
}

static uint32_t read_control(const struct pru_soc *soc, unsigned core)
{
    const struct pru_cpu *cpu = &soc->cpu[core];

    return SOFT_RST_N | (cpu->is_running ? ENABLE | RUNSTATE : 0u)
           | (cpu->is_asleep ? (uint32_t)SLEEPING : 0)
           | (soc->control[core].is_counting ? (uint32_t)COUNTER_ENABLE : 0)
           | soc->control[core].reset_pc << 16;
}

uint32_t pru_control_read(struct pru_soc *soc, unsigned core, uint64_t now, uint32_t offset)
{
    const struct pru_cpu *cpu = &soc->cpu[core];

    if (offset >= DEBUG && offset < DEBUG_CONSTANTS) {
        return cpu->reg.word[(offset - DEBUG) / 4];
    }
    if (offset >= DEBUG_CONSTANTS && offset < DEBUG_END) {
        return cpu->constants[(offset - DEBUG_CONSTANTS) / 4];
    }
    if (offset >= CTBIR0 && offset <= CTPPR1) {
        return soc->control[core].blocks[(offset - CTBIR0) / 4];
    }
    switch (offset) {
    case CONTROL:
        return read_control(soc, core);
    case STATUS:
        return cpu->pc;
    case WAKEUP_EN:
        return cpu->wakeup_mask;
    case CYCLE:
        return counted(soc, core, now);
    case STALL:
        return (uint32_t)(cpu->n_stalls - soc->control[core].stalls_from);
    default:
        return 0;
    }
}

static void write_control(struct pru_soc *soc, unsigned core, uint64_t now, uint32_t value)
{
    struct pru_cpu *cpu = &soc->cpu[core];

    soc->control[core].reset_pc = value >> 16;
    if ((value & SOFT_RST_N) == 0) {
        pru_cpu_reset(cpu, value >> 16);
        return;
    }
    set_counting(soc, core, now, (value & COUNTER_ENABLE) != 0);
    if (cpu->is_asleep && (value & SLEEPING) == 0) {
        cpu->is_woken = true;
    }
    if ((value & ENABLE) == 0) {
        cpu->is_running = false;
    } else if (!cpu->is_running && cpu->fault == PRU_FAULT_NONE) {
        cpu->is_running = true;
        cpu->cycle = cpu->cycle > now ? cpu->cycle : now;
    }
}

void pru_control_write(struct pru_soc *soc, unsigned core, uint64_t now, uint32_t offset,
                       uint32_t value)
{
    struct pru_cpu *cpu = &soc->cpu[core];

    if (offset >= CTBIR0 && offset <= CTPPR1) {
        soc->control[core].blocks[(offset - CTBIR0) / 4] = value;
        set_constants(soc, core);
        return;
    }
    if (offset >= DEBUG && offset < DEBUG_CONSTANTS && !cpu->is_running) {
        cpu->reg.word[(offset - DEBUG) / 4] = value;
        return;
    }
    switch (offset) {
    case CONTROL:
        write_control(soc, core, now, value);
        break;
    case WAKEUP_EN:
        cpu->wakeup_mask = value;
        break;
    case CYCLE: /* any write clears both */
        soc->control[core].counted = 0;
        soc->control[core].counting_from = now;
        soc->control[core].stalls_from = cpu->n_stalls;
        break;
    default:
        break;
    }
}
