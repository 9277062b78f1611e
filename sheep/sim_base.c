/* SPDX-License-Identifier: MIT */
#include "sheep/sim_base.h"

#include "common/clock.h"

#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static struct sim_base *base_of(struct board *board)
{
    return (struct sim_base *)(void *)board;
}

static void ring(int event_fd)
{
    uint64_t one = 1;

    (void)!write(event_fd, &one, sizeof(one));
}

static bool map_memory(struct sim_base *base, size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED) {
        return false;
    }
    base->memory = memory;
    base->memory_bytes = bytes;
    return true;
}

int sim_base_init(struct sim_base *base, const struct board_ops *ops,
                  const struct sim_config *config, size_t memory_bytes, struct err *err)
{
    const char *why = NULL;

    base->config = *config;
    base->board.ops = ops;
    base->base_mono_ns = clock_mono_ns() - NS_PER_S;
    base->ticks_per_ns = (1.0 + config->oscillator_ppm * 1e-6) / PRU_TICK_NS;
    base->board.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    base->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    sim_outside_init(&base->outside);
    if (base->board.event_fd < 0 || base->kick_fd < 0 || !map_memory(base, memory_bytes)) {
        return err_set_errno(err, "board %s: memory and events", ops->name);
    }
    base->world = world_create(&config->world, &why);
    if (base->world == NULL) {
        return err_set(err, ERR_INPUT, "simulated world: %s", why);
    }
    return sim_outside_open(&base->outside, config, err);
}

void sim_base_fini(struct sim_base *base)
{
    sim_base_halt(&base->board);
    sim_outside_close(&base->outside);
    world_destroy(&base->world);
    if (base->memory != NULL) {
        munmap(base->memory, base->memory_bytes);
        base->memory = NULL;
    }
    if (base->kick_fd >= 0) {
        close(base->kick_fd);
    }
    if (base->board.event_fd >= 0) {
        close(base->board.event_fd);
    }
}

int sim_base_start(struct sim_base *base, void *(*run)(void *), struct err *err)
{
    atomic_store(&base->quits, false);
    base->has_thread = pthread_create(&base->thread, NULL, run, base) == 0;
    return base->has_thread ? 0 : err_set(err, ERR_SYSTEM, "thread of the simulated board");
}

void sim_base_halt(struct board *board)
{
    struct sim_base *base = base_of(board);

    if (base->has_thread) {
        atomic_store(&base->quits, true);
        sim_base_kick(board);
        pthread_join(base->thread, NULL);
        base->has_thread = false;
        shm_store_u32(&board->shm.control->state, PRU_STATE_UNKNOWN);
    }
}

void sim_base_kick(struct board *board)
{
    ring(base_of(board)->kick_fd);
}

void sim_base_expect(struct board *board, const struct board_plan *plan)
{
    struct sim_base *base = base_of(board);

    sim_base_halt(board);
    base->is_port_B = plan->is_port_B;
    base->outside.has_listener = plan->has_uart;
    snprintf(base->truth_path, sizeof(base->truth_path), "%s", plan->truth_path);
}

uint64_t sim_base_tick_at(const struct sim_base *base, int64_t mono_ns)
{
    return (uint64_t)((double)(mono_ns - base->base_mono_ns) * base->ticks_per_ns);
}

int64_t sim_base_mono_at(const struct sim_base *base, uint64_t tick)
{
    return base->base_mono_ns + (int64_t)ceil((double)tick / base->ticks_per_ns);
}

void sim_base_rest(const struct sim_base *base, int64_t ns)
{
    struct pollfd pfd = { .fd = base->kick_fd, .events = POLLIN };
    struct timespec timeout = { ns / NS_PER_S, ns % NS_PER_S };
    uint64_t count = 0;

    if (ns > 0 && ppoll(&pfd, 1, &timeout, NULL) > 0) {
        (void)!read(base->kick_fd, &count, sizeof(count));
    }
}

void sim_base_announce(const struct sim_base *base)
{
    ring(base->board.event_fd);
}

void sim_base_begin(struct sim_base *base)
{
    world_begin(base->world, base->is_emulation, base->is_port_B);
    sim_outside_begin(&base->outside, base->truth_path, base->is_emulation);
}
