/* SPDX-License-Identifier: MIT */
#include "sheep/board_sim.h"

#include "common/clock.h"
#include "common/log.h"
#include "pru/core/sampler.h"
#include "pru/core/timebase.h"
#include "pru/core/tracer.h"
#include "sheep/sim_base.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum {
    IDLE_MS = 50,          /* the PRU's `alive` counts at least every 100 ms */
    ARMED_POLL_MS = 5,     /* how soon a command is seen while armed */
    SPIN_US = 150,         /* a sleeping thread may wake that much late */
    APPROACH_US = 2000,    /* from here on nothing but the start counts */
    UART_SAMPLES = 100,    /* the serial line is served every millisecond */
    BURST_SAMPLES = 20000, /* between two looks at the commands */
    FAST_SAMPLES = PRU_BLOCK_SAMPLES,
    FAST_PAUSE_US = 50,
    STARVED_MS = 250,
    START_PRIORITY = 1
};

struct board_sim {
    struct sim_base base;
    bool has_stalled; /* the caller's: since boot */
    /* the thread's, while it runs */
    struct sample_io io;
    struct sampler sampler;
    struct timebase timebase;
    struct tracer tracer;
    uint32_t mean_ticks;
    int64_t starved_since_ns; /* due, but without input; 0: not so */
    int64_t armed_ns;         /* from when on the limit of a fast board counts */
};

static struct board_sim *self_of(struct board *board)
{
    return (struct board_sim *)(void *)board;
}

/* ---- time ---- */

static uint64_t tick_now(const struct board_sim *sim)
{
    return sim_base_tick_at(&sim->base, clock_mono_ns());
}

/* The fault of a recorder that comes too late: it is the one that asks for the counter. */
static void stall(struct board_sim *sim)
{
    struct timespec pause = { sim->base.config.stall_ms / 1000,
                              (long)(sim->base.config.stall_ms % 1000) * 1000000L };

    if (sim->base.config.stall_at == 0 || sim->has_stalled
        || shm_load_u32(&sim->base.board.shm.control->state) != PRU_STATE_RUNNING
        || shm_load_u32(&sim->base.board.shm.control->samples_done)
               < sim->base.config.stall_at) {
        return;
    }
    sim->has_stalled = true;
    log_warn("sim: the recorder is held up for %u ms", sim->base.config.stall_ms);
    nanosleep(&pause, NULL);
}

static uint64_t counter(struct board *board)
{
    struct board_sim *sim = self_of(board);

    stall(sim);
    return tick_now(sim);
}

/* Until a command is rung in, or until mono_ns. */
static void rest_until(const struct board_sim *sim, int64_t mono_ns)
{
    sim_base_rest(&sim->base, mono_ns - clock_mono_ns());
}

static void set_priority(bool is_high)
{
    struct sched_param param = { .sched_priority = is_high ? START_PRIORITY : 0 };

    /* Where it is not allowed the start is as good as the host's scheduler. */
    (void)pthread_setschedparam(pthread_self(), is_high ? SCHED_FIFO : SCHED_OTHER, &param);
}

/* Sleeps most of the way and spins the rest: returns the tick it became. */
static uint64_t wait_for_start(const struct board_sim *sim, uint64_t tick)
{
    int64_t wake_ns = sim_base_mono_at(&sim->base, tick) - SPIN_US * NS_PER_US;
    struct timespec wake = { wake_ns / NS_PER_S, wake_ns % NS_PER_S };
    uint64_t now = 0;

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wake, NULL) == EINTR) {}
    do {
        now = tick_now(sim);
    } while (now < tick);
    return now;
}

/* ---- samples ---- */

static void take_sample(struct board_sim *sim, uint64_t tick)
{
    uint64_t sample = sim->sampler.sample;
    bool is_news = false;

    world_advance(sim->base.world, sample);
    is_news = sampler_step(&sim->sampler, tick);
    tracer_poll(&sim->tracer, world_pins(sim->base.world), tick);
    timebase_advance(&sim->timebase,
                     shm_load_u32(&sim->base.board.shm.control->period_ticks_q20));
    sim_outside_sample(&sim->base.outside, sim->base.world, sample);
    if (is_news) {
        sim_base_announce(&sim->base);
    }
}

/* The faults that the config asks for; true while the board hangs. */
static bool misbehave(struct board_sim *sim)
{
    const struct sim_config *config = &sim->base.config;

    if (config->overwrite_at != 0 && sim->sampler.sample >= config->overwrite_at) {
        shm_store_u32(&sim->base.board.shm.control->canary_middle, 0);
    }
    return config->hang_at != 0 && sim->sampler.sample >= config->hang_at;
}

/* A host that left all its threads waiting for a while would make this one take more samples at
 * once than the input ring holds, before its feeder had a chance: no fault of the feeder's.
 * What is late for longer is one. */
static bool is_spared(struct board_sim *sim)
{
    int64_t now_ns = 0;

    if (sampler_has_input(&sim->sampler)) {
        sim->starved_since_ns = 0;
        return false;
    }
    now_ns = clock_mono_ns();
    if (sim->starved_since_ns == 0) {
        sim->starved_since_ns = now_ns;
    }
    return now_ns - sim->starved_since_ns < STARVED_MS * NS_PER_MS;
}

/* Samples that are due at `now`, or all that there is room and input for. */
static void run_samples(struct board_sim *sim, uint64_t now, bool is_fast)
{
    int64_t begin_ns = clock_mono_ns();
    uint32_t limit = is_fast ? FAST_SAMPLES : BURST_SAMPLES;
    uint32_t count = 0;

    while (count < limit && sampler_is_active(&sim->sampler) && !misbehave(sim)) {
        if (is_fast ? !sampler_has_room(&sim->sampler) || !sampler_has_input(&sim->sampler)
                    : sim->timebase.next_tick > now || is_spared(sim)) {
            break;
        }
        uint64_t tick = sim->timebase.next_tick;

        take_sample(sim, tick);
        sampler_account(&sim->sampler, tick, sim->mean_ticks, 0);
        count++;
    }
    if (count != 0) {
        sim->mean_ticks =
            (uint32_t)((clock_mono_ns() - begin_ns) / PRU_TICK_NS / (int64_t)count);
    }
}

static void start_paced(struct board_sim *sim)
{
    int64_t start_ns = sim_base_mono_at(&sim->base, sim->timebase.next_tick);
    int64_t now_ns = clock_mono_ns();

    if (start_ns - now_ns > APPROACH_US * NS_PER_US) {
        int64_t look_ns = now_ns + ARMED_POLL_MS * NS_PER_MS;
        int64_t near_ns = start_ns - APPROACH_US * NS_PER_US + NS_PER_US;

        rest_until(sim, look_ns < near_ns ? look_ns : near_ns);
        return;
    }
    uint64_t tick = wait_for_start(sim, sim->timebase.next_tick);

    /* The instant is taken. Other boards of this host wait for the same one: they go first,
     * and the arithmetic of all comes behind. */
    sim_outside_start(&sim->base.outside);
    sched_yield();
    set_priority(false);
    timebase_start(&sim->timebase, tick);
    take_sample(sim, tick);
}

/* When the block that is being filled will be complete, or the serial line wants its turn. */
static int64_t next_due_ns(const struct board_sim *sim)
{
    uint64_t step = sim_outside_has_uart(&sim->base.outside) ? UART_SAMPLES : PRU_BLOCK_SAMPLES;
    uint64_t left = step - sim->sampler.sample % step;
    uint64_t to_stop = sim->sampler.stop_sample - sim->sampler.sample;

    left = left < to_stop ? left : to_stop;
    return sim_base_mono_at(&sim->base,
                            sim->timebase.next_tick + (left - 1) * PRU_SAMPLE_TICKS);
}

static void run_paced(struct board_sim *sim)
{
    if (sampler_state(&sim->sampler) == PRU_STATE_ARMED) {
        start_paced(sim);
        return;
    }
    run_samples(sim, tick_now(sim), false);
    if (sim->starved_since_ns != 0) {
        rest_until(sim, clock_mono_ns() + NS_PER_MS);
    } else if (sampler_is_active(&sim->sampler)) {
        rest_until(sim, misbehave(sim) ? clock_mono_ns() + NS_PER_S : next_due_ns(sim));
    }
}

/* Fast, but no faster than the config allows. */
static bool is_too_early(const struct board_sim *sim)
{
    double elapsed_ticks = (double)(clock_mono_ns() - sim->armed_ns) / PRU_TICK_NS;

    return sim->base.config.fast_limit > 0
           && (double)sim->sampler.sample * PRU_SAMPLE_TICKS
                  > elapsed_ticks * sim->base.config.fast_limit;
}

static void run_fast(struct board_sim *sim)
{
    uint64_t before = sim->sampler.sample;

    if (is_too_early(sim)) {
        rest_until(sim, clock_mono_ns() + NS_PER_MS);
        return;
    }
    run_samples(sim, 0, true);
    if (sim->sampler.sample == before) {
        rest_until(sim, clock_mono_ns() + FAST_PAUSE_US * NS_PER_US);
    }
}

static void note_state(struct board_sim *sim)
{
    enum pru_state state = sampler_state(&sim->sampler);

    if (state == sim->base.last_state) {
        return;
    }
    if (state == PRU_STATE_READY) {
        sim_base_begin(&sim->base);
        tracer_start(&sim->tracer, world_pins(sim->base.world));
    }
    /* With priority while it still sleeps: without it, it might not even wake in time. */
    set_priority(state == PRU_STATE_ARMED && sim->base.config.speed == SIM_REAL);
    if (state == PRU_STATE_ARMED) {
        sim->armed_ns = clock_mono_ns();
        timebase_start(&sim->timebase,
                       sim->sampler.start_tick
                           + (uint64_t)sim->base.config.late_samples * PRU_SAMPLE_TICKS);
    }
    if (state == PRU_STATE_DONE || state == PRU_STATE_FAULT || state == PRU_STATE_IDLE) {
        sim_outside_end(&sim->base.outside);
    }
    sim->base.last_state = state;
}

static void *run_thread(void *arg)
{
    struct board_sim *sim = arg;

    pthread_setname_np(pthread_self(), "bw-board");
    while (!atomic_load(&sim->base.quits)) {
        if (sampler_poll(&sim->sampler, tick_now(sim))) {
            note_state(sim);
            sim_base_announce(&sim->base);
        }
        if (!sampler_is_active(&sim->sampler)) {
            note_state(sim);
            rest_until(sim, clock_mono_ns() + IDLE_MS * NS_PER_MS);
        } else if (sim->base.config.speed == SIM_FAST) {
            run_fast(sim);
        } else {
            run_paced(sim);
        }
    }
    sim_outside_end(&sim->base.outside);
    return NULL;
}

/* ---- the board ---- */

static int boot(struct board *board, enum pru_mode mode, struct err *err)
{
    struct board_sim *sim = self_of(board);

    sim_base_halt(board);
    sim->base.is_emulation = mode == PRU_MODE_EMULATE;
    sim->base.last_state = PRU_STATE_UNKNOWN;
    sim->mean_ticks = 0;
    sim->starved_since_ns = 0;
    sim->has_stalled = false;
    world_io(sim->base.world, &sim->io);
    sampler_boot(&sim->sampler, &board->shm, &sim->io);
    tracer_boot(&sim->tracer, &board->shm);
    return sim_base_start(&sim->base, run_thread, err);
}

static void destroy(struct board *board)
{
    struct board_sim *sim = self_of(board);

    sim_base_fini(&sim->base);
    free(sim);
}

enum {
    BLOCKS_BYTES = PRU_BLOCK_COUNT * sizeof(struct pru_block),
    GPIO_BYTES = PRU_GPIO_EVENT_COUNT * sizeof(pru_gpio_event),
    INPUT_BYTES = PRU_INPUT_SAMPLES * sizeof(struct pru_input)
};

/* Blocks first: everything else is smaller and keeps its alignment behind them. */
static void share_memory(struct board_sim *sim)
{
    uint8_t *at = sim->base.memory;

    sim->base.board.shm.blocks = (struct pru_block *)(void *)at;
    at += BLOCKS_BYTES;
    sim->base.board.shm.gpio = (pru_gpio_event *)(void *)at;
    at += GPIO_BYTES;
    sim->base.board.shm.input = (struct pru_input *)(void *)at;
    at += INPUT_BYTES;
    sim->base.board.shm.control = (struct pru_control *)(void *)at;
}

struct board *board_sim_create(const struct sim_config *config, struct err *err)
{
    static const struct board_ops ops = { .name = "sim",
                                          .boot = boot,
                                          .halt = sim_base_halt,
                                          .kick = sim_base_kick,
                                          .counter = counter,
                                          .expect = sim_base_expect,
                                          .destroy = destroy };
    struct board_sim *sim = calloc(1, sizeof(*sim));

    if (sim == NULL) {
        err_set(err, ERR_MEMORY, "simulated board");
        return NULL;
    }
    sim->base.board.is_virtual_time = config->speed == SIM_FAST;
    if (sim_base_init(&sim->base, &ops, config,
                      BLOCKS_BYTES + GPIO_BYTES + INPUT_BYTES + PRU_CONTROL_BYTES, err)
        < 0) {
        destroy(&sim->base.board);
        return NULL;
    }
    share_memory(sim);
    return &sim->base.board;
}
