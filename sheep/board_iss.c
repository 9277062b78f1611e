/* SPDX-License-Identifier: MIT */
#include "sheep/board_iss.h"

#include "common/buf.h"
#include "common/clock.h"
#include "common/log.h"
#include "pru/sim/cape.h"
#include "pru/sim/pru_soc.h"
#include "sheep/sim_base.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    HOST_LINE = 2, /* of the interrupt controller: the first that leads to the ARM */
    FIRMWARE_MAX_BYTES = 1024 * 1024,
    BOOT_CYCLES = 20000000, /* 100 ms: three tries at each ADC and more */
    BOOT_STEP_CYCLES = 20000,
    SLICE_SAMPLES = 50,   /* between two looks at rings and commands */
    NEAR_CYCLES = 400000, /* 2 ms before the start nothing is skipped any more */
    /* While it waits: so many cycles are executed, a few loops of each core, and so many are
     * skipped, less than the 2 ms in which the cores miss each other. */
    WAIT_CYCLES = 3000,
    SKIP_CYCLES = 200000,
    WAIT_US = 2000,
    STARVED_US = 100,
};

struct board_iss {
    struct sim_base base;
    /* At which the firmware's counter was 0; fixed while a thread runs. */
    uint64_t counter_cycle;
    /* the thread's, while it runs */
    struct pru_soc *soc;
    struct cape cape;
    uint64_t n_triggers; /* samples begun since ARMED */
    uint64_t trigger_cycle;
    uint32_t n_broken; /* rules of the converters, as last reported */
};

static struct board_iss *self_of(struct board *board)
{
    return (struct board_iss *)(void *)board;
}

/* ---- time ---- */

static uint64_t cycle_now(const struct board_iss *iss)
{
    return sim_base_tick_at(&iss->base, clock_mono_ns());
}

static uint64_t counter(struct board *board)
{
    const struct board_iss *iss = self_of(board);

    return cycle_now(iss) - iss->counter_cycle;
}

/* ---- the world ---- */

static enum pru_state state_of(const struct board_iss *iss)
{
    return (enum pru_state)shm_load_u32(&iss->base.board.shm.control->state);
}

static bool takes_samples(enum pru_state state)
{
    return state == PRU_STATE_ARMED || state == PRU_STATE_RUNNING;
}

/* The faults that the config asks for. */
static void misbehave(struct board_iss *iss)
{
    const struct sim_config *config = &iss->base.config;

    if (config->overwrite_at != 0 && iss->n_triggers >= config->overwrite_at) {
        shm_store_u32(&iss->base.board.shm.control->canary_middle, 0);
    }
    if (config->hang_at != 0 && iss->n_triggers >= config->hang_at) {
        pru_soc_stop(iss->soc, config->hang_core);
    }
    if (config->adc_fault_at != 0 && iss->n_triggers == config->adc_fault_at) {
        iss->cape.adc[iss->base.is_emulation ? CAPE_ADC_EMU_I : CAPE_ADC_HRV_V].defect =
            (enum ads8691_defect)config->adc_fault;
    }
    if (config->ddr_stall_at != 0 && iss->n_triggers == config->ddr_stall_at) {
        pru_soc_stall_ddr(iss->soc, iss->trigger_cycle
                                        + (uint64_t)config->ddr_stall_us * 1000 / PRU_TICK_NS);
    }
}

/* A sample begins with the mere trigger of an ADC; two of them may be triggered at once. */
static void on_converting(void *context, uint64_t cycle, bool is_bare)
{
    struct board_iss *iss = context;
    if (!is_bare || cycle == iss->trigger_cycle || !takes_samples(state_of(iss))) {
        return;
    }
    iss->trigger_cycle = cycle;
    if (iss->n_triggers == 0) {
        sim_outside_start(&iss->base.outside);
    }
    world_advance(iss->base.world, iss->n_triggers);
    sim_outside_sample(&iss->base.outside, iss->base.world, iss->n_triggers);
    iss->n_triggers++;
    misbehave(iss);
}

/* Pins 0 to 8 of the target are r31 of PRU1 on both capes; 2.5 has pins 10 to 12 behind them.
 * Power-good, pin 9, is the PRU's own. */
static uint32_t target_inputs(void *context, uint64_t cycle)
{
    const struct board_iss *iss = context;
    uint32_t pins = world_pins(iss->base.world);

    (void)cycle;
    return (pins & 0x1FFu) | (iss->base.config.cape == 25 ? pins >> 1 & 0xE00u : 0);
}

static void report_cape(struct board_iss *iss)
{
    uint32_t n_broken = cape_broken(&iss->cape);
    char text[1000];

    if (n_broken != iss->n_broken) {
        iss->n_broken = n_broken;
        cape_explain(&iss->cape, text, sizeof(text));
        log_error("iss: the firmware breaks rules of the converters: %s", text);
    }
}

static void note_state(struct board_iss *iss)
{
    enum pru_state state = state_of(iss);

    if (state == iss->base.last_state) {
        return;
    }
    if (state == PRU_STATE_READY) {
        sim_base_begin(&iss->base);
        iss->n_triggers = 0;
    }
    if (state == PRU_STATE_DONE || state == PRU_STATE_FAULT || state == PRU_STATE_IDLE) {
        sim_outside_end(&iss->base.outside);
        report_cape(iss);
    }
    iss->base.last_state = state;
}

/* ---- execution ---- */

static void ring(struct board_iss *iss)
{
    pru_soc_write(iss->soc, PRU_MAP_INTC + 0x24, PRU_EVENT_TO_HOST); /* SICR: taken */
    sim_base_announce(&iss->base);
}

/* Up to the cycle, whatever happens on the way. */
static void execute(struct board_iss *iss, uint64_t until)
{
    enum pru_stop stop;

    do {
        stop = pru_soc_run(iss->soc, until, 1u << HOST_LINE);
        if (stop == PRU_STOP_EVENT) {
            ring(iss);
        } else if (stop == PRU_STOP_FAULT) {
            char text[200];

            pru_soc_explain(iss->soc, text, sizeof(text));
            log_error("iss: %s", text);
        }
        note_state(iss);
    } while (stop == PRU_STOP_EVENT || stop == PRU_STOP_FAULT);
}

/* Virtual time waits for the host: while the next samples would be lost, or lack input. */
static bool can_go_on(const struct board_iss *iss)
{
    const struct pru_control *control = iss->base.board.shm.control;
    uint32_t blocks =
        shm_load_u32(&control->block_write_idx) - shm_load_u32(&control->block_read_idx);
    uint32_t edges =
        shm_load_u32(&control->gpio_write_idx) - shm_load_u32(&control->gpio_read_idx);
    uint32_t inputs =
        shm_load_u32(&control->input_write_idx) - shm_load_u32(&control->input_read_idx);

    if (!takes_samples(state_of(iss)) || iss->base.config.impatient) {
        return true;
    }
    return blocks + 2 < PRU_BLOCK_COUNT && edges < PRU_GPIO_EVENT_COUNT / 2
           && (!iss->base.is_emulation || inputs > 2 * SLICE_SAMPLES
               || shm_load_u32(&control->input_end) != 0);
}

/* A command is being executed: it may keep a core longer than what is executed between two
 * skips. */
static bool is_busy(const struct board_iss *iss)
{
    const struct pru_control *control = iss->base.board.shm.control;

    return shm_load_u32(&control->command_seq) != shm_load_u32(&control->command_ack);
}

/* Cycles until nothing may be skipped; 0: a run is under way or about to begin. */
static uint64_t cycles_to_skip(const struct board_iss *iss)
{
    enum pru_state state = state_of(iss);
    uint64_t tick = pru_soc_cycle(iss->soc) - iss->counter_cycle;
    uint64_t start_tick = iss->base.board.shm.control->start_tick;

    if (state == PRU_STATE_RUNNING || is_busy(iss)) {
        return 0;
    }
    if (state != PRU_STATE_ARMED) {
        return SKIP_CYCLES;
    }
    if (tick + NEAR_CYCLES >= start_tick) {
        return 0;
    }
    return start_tick - NEAR_CYCLES - tick < SKIP_CYCLES ? start_tick - NEAR_CYCLES - tick
                                                         : SKIP_CYCLES;
}

/* The firmware looks for commands a few times, then time jumps towards the host's. */
static void wait_with_firmware(struct board_iss *iss)
{
    uint64_t now;
    uint64_t host;
    uint64_t skip;

    execute(iss, pru_soc_cycle(iss->soc) + WAIT_CYCLES);
    now = pru_soc_cycle(iss->soc);
    host = cycle_now(iss);
    skip = cycles_to_skip(iss);
    if (host <= now) {
        sim_base_rest(&iss->base, WAIT_US * NS_PER_US);
    } else {
        pru_soc_skip(iss->soc, host - now < skip ? host - now : skip);
    }
}

static void *run_thread(void *arg)
{
    struct board_iss *iss = arg;

    pthread_setname_np(pthread_self(), "bw-board");
    while (!atomic_load(&iss->base.quits)) {
        if (cycles_to_skip(iss) != 0) {
            wait_with_firmware(iss);
        } else if (can_go_on(iss)) {
            execute(iss, pru_soc_cycle(iss->soc) + (uint64_t)SLICE_SAMPLES * PRU_SAMPLE_TICKS);
        } else {
            sim_base_rest(&iss->base, STARVED_US * NS_PER_US);
        }
    }
    sim_outside_end(&iss->base.outside);
    report_cape(iss);
    return NULL;
}

/* ---- the board ---- */

/* NAME-CAPE.elf */
static int load_image(struct board_iss *iss, unsigned core, const char *name, struct err *err)
{
    char path[PATH_SIZE + 32];
    struct buf image = { 0 };
    char why[160];
    int result = 0;

    snprintf(path, sizeof(path), "%s/%s-%u.elf", iss->base.config.firmware, name,
             iss->base.config.cape);
    if (buf_read_file(&image, path, FIRMWARE_MAX_BYTES, err) < 0) {
        return err_prepend(err, "firmware (sim: firmware: names its folder)");
    }
    if (pru_soc_load(iss->soc, core, image.data, image.size, why, sizeof(why)) < 0) {
        result = err_set(err, ERR_INPUT, "firmware %s %s", path, why);
    }
    buf_fini(&image);
    return result;
}

/* What Linux sets up on a board: the doorbell's event, its channel, its host line. */
static void connect_doorbell(struct board_iss *iss)
{
    const uint32_t event = PRU_EVENT_TO_HOST;

    pru_soc_write(iss->soc, PRU_MAP_INTC + 0x400 + event / 4 * 4, HOST_LINE << event % 4 * 8);
    pru_soc_write(iss->soc, PRU_MAP_INTC + 0x800, HOST_LINE << HOST_LINE * 8);
    pru_soc_write(iss->soc, PRU_MAP_INTC + 0x28, event);
    pru_soc_write(iss->soc, PRU_MAP_INTC + 0x34, HOST_LINE);
    pru_soc_write(iss->soc, PRU_MAP_INTC + 0x10, 1);
}

/* Up to IDLE or FAULT; then it is known when the counter was 0. */
static int come_up(struct board_iss *iss, struct err *err)
{
    uint64_t end = pru_soc_cycle(iss->soc) + BOOT_CYCLES;
    char text[200];

    pru_soc_start(iss->soc, 1);
    pru_soc_start(iss->soc, 0);
    while (state_of(iss) == PRU_STATE_UNKNOWN && pru_soc_cycle(iss->soc) < end) {
        execute(iss, pru_soc_cycle(iss->soc) + BOOT_STEP_CYCLES);
    }
    pru_soc_explain(iss->soc, text, sizeof(text));
    if (state_of(iss) == PRU_STATE_UNKNOWN) {
        return err_set(err, ERR_HARDWARE, "the firmware does not come up%s%s",
                       text[0] != '\0' ? ": " : "", text);
    }
    if ((pru_soc_read(iss->soc, PRU_MAP_IEP + PRU_IEP_GLOBAL_CFG) & 1u) == 0) {
        return err_set(err, ERR_HARDWARE, "the firmware does not start its counter");
    }
    iss->counter_cycle =
        pru_soc_cycle(iss->soc) - pru_soc_read(iss->soc, PRU_MAP_IEP + PRU_IEP_COUNT);
    return 0;
}

static void power_cape(struct board_iss *iss)
{
    struct cape_pins pins = iss->base.config.cape == 25 ? cape_pins_25() : cape_pins_24();
    struct cape_world world = { .context = iss,
                                .converting = on_converting,
                                .pins = target_inputs };

    world_io(iss->base.world, &world.io);
    cape_init(&iss->cape, &pins, &world);
    iss->n_broken = 0;
}

static int boot(struct board *board, enum pru_mode mode, struct err *err)
{
    struct board_iss *iss = self_of(board);
    uint64_t now;

    sim_base_halt(board);
    iss->base.is_emulation = mode == PRU_MODE_EMULATE;
    iss->base.last_state = PRU_STATE_UNKNOWN;
    power_cape(iss);
    pru_soc_reset(iss->soc);
    connect_doorbell(iss);
    if (load_image(iss, 0, iss->base.is_emulation ? "pru0-emulate" : "pru0-harvest", err) < 0
        || load_image(iss, 1, "pru1", err) < 0) {
        return -1;
    }
    now = cycle_now(iss);
    if (now > pru_soc_cycle(iss->soc)) {
        pru_soc_skip(iss->soc, now - pru_soc_cycle(iss->soc));
    }
    if (come_up(iss, err) < 0) {
        return -1;
    }
    return sim_base_start(&iss->base, run_thread, err);
}

static void destroy(struct board *board)
{
    struct board_iss *iss = self_of(board);

    sim_base_halt(board);
    pru_soc_destroy(&iss->soc);
    sim_base_fini(&iss->base);
    free(iss);
}

enum {
    DDR_BYTES = PRU_MAP_DDR_BLOCKS_BYTES + PRU_MAP_DDR_GPIO_BYTES
};

/* The rings as they lie in DDR, then OCMC and shared RAM; lent to the subsystem. */
static int make_soc(struct board_iss *iss, struct err *err)
{
    struct pru_shm *shm = &iss->base.board.shm;
    uint8_t *memory = iss->base.memory;
    const struct pru_soc_config config = {
        .latency = (enum pru_latency)iss->base.config.memory_latency,
        .seed = iss->base.config.world.seed,
        .ddr_bytes = DDR_BYTES,
        .ddr = memory,
        .ocmc = memory + DDR_BYTES,
        .shared = memory + DDR_BYTES + PRU_MAP_OCMC_BYTES,
        .pins = cape_soc_pins(&iss->cape),
    };

    shm->blocks = (struct pru_block *)(void *)memory;
    shm->gpio = (pru_gpio_event *)(void *)(memory + PRU_MAP_DDR_BLOCKS_BYTES);
    shm->input = (struct pru_input *)(void *)(memory + DDR_BYTES);
    shm->control = (struct pru_control *)(void *)(memory + DDR_BYTES + PRU_MAP_OCMC_BYTES);
    iss->soc = pru_soc_create(&config);
    return iss->soc != NULL ? 0 : err_set(err, ERR_MEMORY, "PRU simulator");
}

struct board *board_iss_create(const struct sim_config *config, struct err *err)
{
    static const struct board_ops ops = { .name = "iss",
                                          .boot = boot,
                                          .halt = sim_base_halt,
                                          .kick = sim_base_kick,
                                          .counter = counter,
                                          .expect = sim_base_expect,
                                          .destroy = destroy };
    struct board_iss *iss = calloc(1, sizeof(*iss));

    if (iss == NULL) {
        err_set(err, ERR_MEMORY, "PRU simulator");
        return NULL;
    }
    iss->base.board.is_virtual_time = true;
    if (sim_base_init(&iss->base, &ops, config,
                      DDR_BYTES + PRU_MAP_OCMC_BYTES + PRU_MAP_SHARED_BYTES, err)
            < 0
        || make_soc(iss, err) < 0) {
        destroy(&iss->base.board);
        return NULL;
    }
    return &iss->base.board;
}

uint32_t board_iss_broken_rules(const struct board *board, char *text, size_t size)
{
    const struct board_iss *iss = (const struct board_iss *)(const void *)board;

    cape_explain(&iss->cape, text, size);
    return cape_broken(&iss->cape);
}
