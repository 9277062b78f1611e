/* SPDX-License-Identifier: MIT */
#include "sheep/board_sim.h"

#include "common/clock.h"
#include "common/log.h"
#include "pru/core/sampler.h"
#include "pru/core/timebase.h"
#include "pru/core/tracer.h"
#include "pru/sim/world.h"
#include "sheep/sim_outside.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

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
    struct board board;
    struct sim_config config;
    char truth_path[PATH_SIZE];
    bool is_port_B;
    int64_t base_mono_ns;
    double ticks_per_ns;
    uint8_t *memory;
    size_t memory_bytes;
    int kick_fd;
    pthread_t thread;
    bool has_thread;
    _Atomic bool quits;
    bool is_emulation;
    bool has_stalled; /* the caller's: since boot */
    /* the thread's, while it runs */
    struct world *world;
    struct sample_io io;
    struct sampler sampler;
    struct timebase timebase;
    struct tracer tracer;
    struct sim_outside outside;
    enum pru_state last_state;
    uint32_t mean_ticks;
    int64_t starved_since_ns; /* due, but without input; 0: not so */
};

static struct board_sim *self_of(struct board *board)
{
    return (struct board_sim *)(void *)board;
}

/* ---- time ---- */

static uint64_t tick_at(const struct board_sim *sim, int64_t mono_ns)
{
    return (uint64_t)((double)(mono_ns - sim->base_mono_ns) * sim->ticks_per_ns);
}

static int64_t mono_at(const struct board_sim *sim, uint64_t tick)
{
    return sim->base_mono_ns + (int64_t)ceil((double)tick / sim->ticks_per_ns);
}

static uint64_t tick_now(const struct board_sim *sim)
{
    return tick_at(sim, clock_mono_ns());
}

/* The fault of a recorder that comes too late: it is the one that asks for the counter. */
static void stall(struct board_sim *sim)
{
    struct timespec pause = { sim->config.stall_ms / 1000,
                              (long)(sim->config.stall_ms % 1000) * 1000000L };

    if (sim->config.stall_at == 0 || sim->has_stalled
        || shm_load_u32(&sim->board.shm.control->state) != PRU_STATE_RUNNING
        || shm_load_u32(&sim->board.shm.control->samples_done) < sim->config.stall_at) {
        return;
    }
    sim->has_stalled = true;
    log_warn("sim: the recorder is held up for %u ms", sim->config.stall_ms);
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
    struct pollfd pfd = { .fd = sim->kick_fd, .events = POLLIN };
    int64_t left_ns = mono_ns - clock_mono_ns();
    struct timespec timeout = { left_ns / NS_PER_S, left_ns % NS_PER_S };
    uint64_t count = 0;

    if (left_ns > 0 && ppoll(&pfd, 1, &timeout, NULL) > 0) {
        (void)!read(sim->kick_fd, &count, sizeof(count));
    }
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
    int64_t wake_ns = mono_at(sim, tick) - SPIN_US * NS_PER_US;
    struct timespec wake = { wake_ns / NS_PER_S, wake_ns % NS_PER_S };
    uint64_t now = 0;

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wake, NULL) == EINTR) {}
    do {
        now = tick_now(sim);
    } while (now < tick);
    return now;
}

/* ---- samples ---- */

static void announce(const struct board_sim *sim)
{
    uint64_t one = 1;

    (void)!write(sim->board.event_fd, &one, sizeof(one));
}

static void take_sample(struct board_sim *sim, uint64_t tick)
{
    uint64_t sample = sim->sampler.sample;
    bool is_news = false;

    world_advance(sim->world, sample);
    is_news = sampler_step(&sim->sampler, tick);
    tracer_poll(&sim->tracer, world_pins(sim->world), tick);
    timebase_advance(&sim->timebase, shm_load_u32(&sim->board.shm.control->period_ticks_q20));
    sim_outside_sample(&sim->outside, sim->world, sample);
    if (is_news) {
        announce(sim);
    }
}

/* The faults that the config asks for; true while the board hangs. */
static bool misbehave(struct board_sim *sim)
{
    const struct sim_config *config = &sim->config;

    if (config->overwrite_at != 0 && sim->sampler.sample >= config->overwrite_at) {
        shm_store_u32(&sim->board.shm.control->canary_middle, 0);
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
    int64_t start_ns = mono_at(sim, sim->timebase.next_tick);
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
    sim_outside_start(&sim->outside);
    sched_yield();
    set_priority(false);
    timebase_start(&sim->timebase, tick);
    take_sample(sim, tick);
}

/* When the block that is being filled will be complete, or the serial line wants its turn. */
static int64_t next_due_ns(const struct board_sim *sim)
{
    uint64_t step = sim_outside_has_uart(&sim->outside) ? UART_SAMPLES : PRU_BLOCK_SAMPLES;
    uint64_t left = step - sim->sampler.sample % step;
    uint64_t to_stop = sim->sampler.stop_sample - sim->sampler.sample;

    left = left < to_stop ? left : to_stop;
    return mono_at(sim, sim->timebase.next_tick + (left - 1) * PRU_SAMPLE_TICKS);
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

static void run_fast(struct board_sim *sim)
{
    uint64_t before = sim->sampler.sample;

    run_samples(sim, 0, true);
    if (sim->sampler.sample == before) {
        rest_until(sim, clock_mono_ns() + FAST_PAUSE_US * NS_PER_US);
    }
}

static void note_state(struct board_sim *sim)
{
    enum pru_state state = sampler_state(&sim->sampler);

    if (state == sim->last_state) {
        return;
    }
    if (state == PRU_STATE_READY) {
        world_begin(sim->world, sim->is_emulation, sim->is_port_B);
        sim_outside_begin(&sim->outside, sim->truth_path, sim->is_emulation);
        tracer_start(&sim->tracer, world_pins(sim->world));
    }
    /* With priority while it still sleeps: without it, it might not even wake in time. */
    set_priority(state == PRU_STATE_ARMED && sim->config.speed == SIM_REAL);
    if (state == PRU_STATE_ARMED) {
        timebase_start(&sim->timebase,
                       sim->sampler.start_tick
                           + (uint64_t)sim->config.late_samples * PRU_SAMPLE_TICKS);
    }
    if (state == PRU_STATE_DONE || state == PRU_STATE_FAULT || state == PRU_STATE_IDLE) {
        sim_outside_end(&sim->outside);
    }
    sim->last_state = state;
}

static void *run_thread(void *arg)
{
    struct board_sim *sim = arg;

    pthread_setname_np(pthread_self(), "bw-board");
    while (!atomic_load(&sim->quits)) {
        if (sampler_poll(&sim->sampler, tick_now(sim))) {
            note_state(sim);
            announce(sim);
        }
        if (!sampler_is_active(&sim->sampler)) {
            note_state(sim);
            rest_until(sim, clock_mono_ns() + IDLE_MS * NS_PER_MS);
        } else if (sim->config.speed == SIM_FAST) {
            run_fast(sim);
        } else {
            run_paced(sim);
        }
    }
    sim_outside_end(&sim->outside);
    return NULL;
}

/* ---- the board ---- */

static void kick(struct board *board)
{
    uint64_t one = 1;

    (void)!write(self_of(board)->kick_fd, &one, sizeof(one));
}

static void halt(struct board *board)
{
    struct board_sim *sim = self_of(board);

    if (sim->has_thread) {
        atomic_store(&sim->quits, true);
        kick(board);
        pthread_join(sim->thread, NULL);
        sim->has_thread = false;
        shm_store_u32(&board->shm.control->state, PRU_STATE_UNKNOWN);
    }
}

static int boot(struct board *board, enum pru_mode mode, struct err *err)
{
    struct board_sim *sim = self_of(board);

    halt(board);
    sim->is_emulation = mode == PRU_MODE_EMULATE;
    sim->last_state = PRU_STATE_UNKNOWN;
    sim->mean_ticks = 0;
    sim->starved_since_ns = 0;
    sim->has_stalled = false;
    world_io(sim->world, &sim->io);
    sampler_boot(&sim->sampler, &board->shm, &sim->io);
    tracer_boot(&sim->tracer, &board->shm);
    atomic_store(&sim->quits, false);
    sim->has_thread = pthread_create(&sim->thread, NULL, run_thread, sim) == 0;
    return sim->has_thread ? 0 : err_set(err, ERR_SYSTEM, "thread of the simulated board");
}

static void expect(struct board *board, const struct board_plan *plan)
{
    struct board_sim *sim = self_of(board);

    halt(board);
    sim->is_port_B = plan->is_port_B;
    sim->outside.has_listener = plan->has_uart;
    snprintf(sim->truth_path, sizeof(sim->truth_path), "%s", plan->truth_path);
}

static void destroy(struct board *board)
{
    struct board_sim *sim = self_of(board);

    halt(board);
    sim_outside_close(&sim->outside);
    world_destroy(&sim->world);
    if (sim->memory != NULL) {
        munmap(sim->memory, sim->memory_bytes);
    }
    if (sim->kick_fd >= 0) {
        close(sim->kick_fd);
    }
    if (board->event_fd >= 0) {
        close(board->event_fd);
    }
    free(sim);
}

/* Blocks first: everything else is smaller and keeps its alignment behind them. */
static bool map_memory(struct board_sim *sim)
{
    size_t blocks = PRU_BLOCK_COUNT * sizeof(struct pru_block);
    size_t gpio = PRU_GPIO_EVENT_COUNT * sizeof(pru_gpio_event);
    size_t input = PRU_INPUT_SAMPLES * sizeof(struct pru_input);

    sim->memory_bytes = blocks + gpio + input + PRU_CONTROL_BYTES;
    sim->memory = mmap(NULL, sim->memory_bytes, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (sim->memory == MAP_FAILED) {
        sim->memory = NULL;
        return false;
    }
    sim->board.shm.blocks = (struct pru_block *)(void *)sim->memory;
    sim->board.shm.gpio = (pru_gpio_event *)(void *)(sim->memory + blocks);
    sim->board.shm.input = (struct pru_input *)(void *)(sim->memory + blocks + gpio);
    sim->board.shm.control =
        (struct pru_control *)(void *)(sim->memory + blocks + gpio + input);
    return true;
}

struct board *board_sim_create(const struct sim_config *config, struct err *err)
{
    static const struct board_ops ops = { .name = "sim",
                                          .boot = boot,
                                          .halt = halt,
                                          .kick = kick,
                                          .counter = counter,
                                          .expect = expect,
                                          .destroy = destroy };
    struct board_sim *sim = calloc(1, sizeof(*sim));
    const char *why = NULL;

    if (sim == NULL) {
        err_set(err, ERR_MEMORY, "simulated board");
        return NULL;
    }
    sim->config = *config;
    sim->board.ops = &ops;
    sim->board.is_virtual_time = config->speed == SIM_FAST;
    sim->base_mono_ns = clock_mono_ns() - NS_PER_S;
    sim->ticks_per_ns = (1.0 + config->oscillator_ppm * 1e-6) / PRU_TICK_NS;
    sim->board.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    sim->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    sim_outside_init(&sim->outside);
    if (sim->board.event_fd < 0 || sim->kick_fd < 0 || !map_memory(sim)) {
        err_set_errno(err, "simulated board");
        goto fail;
    }
    sim->world = world_create(&config->world, &why);
    if (sim->world == NULL) {
        err_set(err, ERR_INPUT, "simulated world: %s", why);
        goto fail;
    }
    if (sim_outside_open(&sim->outside, config, err) < 0) {
        goto fail;
    }
    return &sim->board;
fail:
    destroy(&sim->board);
    return NULL;
}
