/* SPDX-License-Identifier: MIT */
#include "tests/support/board_fake.h"

#include "common/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
    STEP_NS = 200000,
    STARVED_MS = 250,
    LOSSY_STEP_NS = 50000, /* a hundred times as fast as real time, and the host can follow */
    GPIO_TICK_BITS = 48
};

struct board_fake {
    struct board board;
    struct fake_plan plan;
    pthread_t thread;
    bool has_thread;
    _Atomic bool quits;
    /* the thread's */
    uint32_t seen_seq;
    uint64_t n_blocks; /* made or lost */
    uint64_t stop_sample;
    uint64_t start_tick;
    uint32_t record_mask;
    uint32_t gpio_mask;
    uint32_t inputs_read;
    int64_t starved_since_ns;
};

static struct board_fake *self_of(struct board *board)
{
    return (struct board_fake *)(void *)board;
}

uint32_t board_fake_sample(unsigned array, uint64_t n)
{
    uint32_t noise = (uint32_t)((n + array) * UINT64_C(2654435761) >> 7) & 63u;

    return (uint32_t)(n / 500 % 2000) * 64u + noise + array * 7u;
}

uint32_t board_fake_edge_tick(const struct fake_plan *plan, uint32_t e)
{
    return (uint32_t)((uint64_t)e * PRU_BLOCK_SAMPLES * PRU_SAMPLE_TICKS
                      / plan->edges_per_block)
           + 10;
}

uint16_t board_fake_edge_pins(uint64_t b, uint32_t e)
{
    static const uint16_t pins[] = { 1, 3, 2, 0 }; /* one pin at a time, as edges mostly are */

    (void)b;
    return pins[e % 4];
}

static uint64_t counter(struct board *board)
{
    struct board_fake *fake = self_of(board);
    double elapsed = (double)clock_mono_ns() * (1.0 + fake->plan.ppm * 1e-6);

    return (uint64_t)(elapsed / PRU_TICK_NS);
}

static void announce(struct board_fake *fake)
{
    uint64_t one = 1;

    (void)!write(fake->board.event_fd, &one, sizeof(one));
}

static void set_state(struct board_fake *fake, enum pru_state state)
{
    shm_store_u32(&fake->board.shm.control->state, (uint32_t)state);
    announce(fake);
}

static void obey(struct board_fake *fake)
{
    struct pru_control *control = fake->board.shm.control;
    uint32_t seq = shm_load_u32(&control->command_seq);

    if (seq == fake->seen_seq) {
        return;
    }
    fake->seen_seq = seq;
    switch ((enum pru_command)shm_load_u32(&control->command)) {
    case PRU_COMMAND_NONE:
        break;
    case PRU_COMMAND_CONFIGURE:
        fake->record_mask = shm_load_u32(&control->record_mask);
        fake->gpio_mask = shm_load_u32(&control->gpio_mask);
        fake->n_blocks = 0;
        set_state(fake, PRU_STATE_READY);
        break;
    case PRU_COMMAND_ARM:
        fake->start_tick =
            control->start_tick + (uint64_t)fake->plan.late_samples * PRU_SAMPLE_TICKS;
        fake->stop_sample = control->stop_sample;
        set_state(fake, PRU_STATE_ARMED);
        break;
    case PRU_COMMAND_DISARM:
        set_state(fake, PRU_STATE_READY);
        break;
    case PRU_COMMAND_STOP_AT:
        fake->stop_sample = control->stop_sample;
        break;
    case PRU_COMMAND_HALT:
        set_state(fake, PRU_STATE_IDLE);
        break;
    }
    shm_store_u32(&control->command_ack, seq);
}

static void put_edges(struct board_fake *fake, uint64_t first_tick)
{
    struct pru_control *control = fake->board.shm.control;
    uint32_t write_idx = shm_load_u32(&control->gpio_write_idx);

    for (uint32_t e = 0; e < fake->plan.edges_per_block && fake->gpio_mask != 0; e++) {
        uint64_t tick = first_tick + board_fake_edge_tick(&fake->plan, e);

        fake->board.shm.gpio[write_idx++ % PRU_GPIO_EVENT_COUNT] =
            tick << (64 - GPIO_TICK_BITS) | board_fake_edge_pins(fake->n_blocks, e);
    }
    shm_store_u32(&control->gpio_write_idx, write_idx);
}

static void fill(struct board_fake *fake, struct pru_block *block, uint32_t count)
{
    uint64_t first = fake->n_blocks * PRU_BLOCK_SAMPLES;

    memset(block, 0, offsetof(struct pru_block, samples));
    block->first_sample = first;
    block->first_tick = fake->start_tick + first * PRU_SAMPLE_TICKS;
    block->n_samples = count;
    block->record_mask = fake->record_mask;
    block->flags = fake->plan.flag_from != 0 && fake->n_blocks >= fake->plan.flag_from
                       ? fake->plan.flags
                       : 0;
    block->period_ticks_q20 = PRU_PERIOD_NOMINAL_Q20;
    for (unsigned array = 0; array < PRU_BLOCK_ARRAYS; array++) {
        for (uint32_t i = 0; i < count && (fake->record_mask >> array & 1) != 0; i++) {
            block->samples[array][i] = board_fake_sample(array, first + i);
        }
    }
    put_edges(fake, block->first_tick);
    shm_store_u32(&block->canary,
                  fake->n_blocks == fake->plan.break_block && fake->n_blocks != 0 ? 0xBADu
                                                                                  : PRU_CANARY);
}

/* Takes what the input ring has, up to `count`; the block says what was missing. */
static void take_inputs(struct board_fake *fake, struct pru_block *block, uint32_t count)
{
    struct pru_control *control = fake->board.shm.control;
    uint32_t waiting = shm_load_u32(&control->input_write_idx) - fake->inputs_read;
    uint32_t taken = waiting < count ? waiting : count;

    for (uint32_t i = 0; i < taken; i++) {
        const struct pru_input *input =
            &fake->board.shm.input[(fake->inputs_read + i) % PRU_INPUT_SAMPLES];

        block->samples[PRU_ARRAY_VOLTAGE][i] = input->voltage_uV;
        block->samples[PRU_ARRAY_CURRENT][i] = input->current_nA;
    }
    if (taken < count) {
        block->underruns = count - taken;
        block->first_underrun = taken;
        shm_store_u32(&control->input_underruns, control->input_underruns + block->underruns);
    }
    fake->inputs_read += taken;
    shm_store_u32(&control->input_read_idx, fake->inputs_read);
}

static bool has_input(const struct board_fake *fake, uint32_t count)
{
    const struct pru_control *control = fake->board.shm.control;

    return shm_load_u32(&control->mode) != PRU_MODE_EMULATE
           || shm_load_u32(&control->input_end) != 0
           || shm_load_u32(&control->input_write_idx) - fake->inputs_read >= count;
}

/* A starved board waits for input; one that is paced only as long as its host may be to blame.
 */
static bool is_spared(struct board_fake *fake, uint32_t count)
{
    if (has_input(fake, count)) {
        fake->starved_since_ns = 0;
        return false;
    }
    if (fake->starved_since_ns == 0) {
        fake->starved_since_ns = clock_mono_ns();
    }
    return !fake->plan.is_paced
           || clock_mono_ns() - fake->starved_since_ns < STARVED_MS * NS_PER_MS;
}

/* One block, lost, broken or whole. False when it must wait for the host. */
static bool make_block(struct board_fake *fake)
{
    struct pru_control *control = fake->board.shm.control;
    const struct fake_plan *plan = &fake->plan;
    uint32_t write_idx = shm_load_u32(&control->block_write_idx);
    uint64_t first = fake->n_blocks * PRU_BLOCK_SAMPLES;
    uint64_t left = fake->stop_sample - first;
    uint32_t count = left < PRU_BLOCK_SAMPLES ? (uint32_t)left : PRU_BLOCK_SAMPLES;
    struct pru_block *block = &fake->board.shm.blocks[write_idx % PRU_BLOCK_COUNT];

    bool is_full = write_idx - shm_load_u32(&control->block_read_idx) >= PRU_BLOCK_COUNT;

    if ((is_full && !plan->is_lossy) || is_spared(fake, count)) {
        return false;
    }
    if (plan->fault_at != 0 && fake->n_blocks == plan->fault_at) {
        shm_store_u32(&control->error, PRU_ERROR_ADC);
        set_state(fake, PRU_STATE_FAULT);
        return false;
    }
    if (plan->break_memory_at != 0 && fake->n_blocks == plan->break_memory_at) {
        shm_store_u32(&control->canary_middle, 0);
    }
    if (is_full
        || (fake->n_blocks >= plan->lose_at
            && fake->n_blocks < plan->lose_at + plan->lose_blocks)) {
        shm_store_u32(&control->blocks_lost, control->blocks_lost + 1);
    } else {
        fill(fake, block, count);
        if (shm_load_u32(&control->mode) == PRU_MODE_EMULATE) {
            take_inputs(fake, block, count);
        }
        shm_store_u32(&control->block_write_idx, write_idx + 1);
    }
    shm_store_u32(&control->samples_done, (uint32_t)(first + count));
    fake->n_blocks++;
    announce(fake);
    return true;
}

static void run_once(struct board_fake *fake)
{
    struct pru_control *control = fake->board.shm.control;
    uint64_t first = fake->n_blocks * PRU_BLOCK_SAMPLES;

    switch ((enum pru_state)shm_load_u32(&control->state)) {
    case PRU_STATE_ARMED:
        if (fake->plan.is_paced && counter(&fake->board) < fake->start_tick) {
            return;
        }
        control->started_tick = fake->start_tick;
        set_state(fake, PRU_STATE_RUNNING);
        return;
    case PRU_STATE_RUNNING:
        if (first >= fake->stop_sample) {
            set_state(fake, PRU_STATE_DONE);
        } else if ((fake->plan.hang_at == 0 || fake->n_blocks < fake->plan.hang_at)
                   && (!fake->plan.is_paced
                       || counter(&fake->board)
                              >= fake->start_tick
                                     + (first + PRU_BLOCK_SAMPLES) * PRU_SAMPLE_TICKS)) {
            make_block(fake);
        }
        return;
    case PRU_STATE_UNKNOWN:
    case PRU_STATE_IDLE:
    case PRU_STATE_READY:
    case PRU_STATE_DONE:
    case PRU_STATE_FAULT:
        return;
    }
}

static void *run_thread(void *arg)
{
    static const struct timespec pause = { 0, STEP_NS };
    static const struct timespec lossy_pause = { 0, LOSSY_STEP_NS };
    struct board_fake *fake = arg;

    pthread_setname_np(pthread_self(), "bw-board");
    while (!atomic_load(&fake->quits)) {
        uint64_t before = fake->n_blocks;

        obey(fake);
        run_once(fake);
        if (fake->n_blocks == before) {
            nanosleep(&pause, NULL);
        } else if (fake->plan.is_lossy) {
            nanosleep(&lossy_pause, NULL);
        }
    }
    return NULL;
}

static void halt(struct board *board)
{
    struct board_fake *fake = self_of(board);

    if (fake->has_thread) {
        atomic_store(&fake->quits, true);
        pthread_join(fake->thread, NULL);
        fake->has_thread = false;
    }
}

static int boot(struct board *board, enum pru_mode mode, struct err *err)
{
    struct board_fake *fake = self_of(board);
    struct pru_control *control = board->shm.control;

    (void)mode;
    fake->seen_seq = shm_load_u32(&control->command_seq);
    fake->inputs_read = 0;
    control->canary_head = PRU_CANARY;
    control->canary_middle = PRU_CANARY;
    shm_store_u32(&control->state, PRU_STATE_IDLE);
    shm_store_u32(&control->abi_version, PRU_ABI_VERSION);
    atomic_store(&fake->quits, false);
    fake->has_thread = pthread_create(&fake->thread, NULL, run_thread, fake) == 0;
    return fake->has_thread ? 0 : err_set(err, ERR_SYSTEM, "thread of the fake board");
}

static void kick(struct board *board)
{
    (void)board;
}

static void destroy(struct board *board)
{
    struct board_fake *fake = self_of(board);

    halt(board);
    free(board->shm.control);
    free(board->shm.input);
    free(board->shm.blocks);
    free(board->shm.gpio);
    if (board->event_fd >= 0) {
        close(board->event_fd);
    }
    free(fake);
}

struct board *board_fake_create(const struct fake_plan *plan, struct err *err)
{
    static const struct board_ops ops = { .name = "fake",
                                          .boot = boot,
                                          .halt = halt,
                                          .kick = kick,
                                          .counter = counter,
                                          .destroy = destroy };
    struct board_fake *fake = calloc(1, sizeof(*fake));

    if (fake == NULL) {
        err_set(err, ERR_MEMORY, "fake board");
        return NULL;
    }
    fake->plan = *plan;
    fake->board.ops = &ops;
    fake->board.is_virtual_time = !plan->is_paced;
    fake->board.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    fake->board.shm.control = calloc(1, PRU_CONTROL_BYTES);
    fake->board.shm.input = calloc(PRU_INPUT_SAMPLES, sizeof(struct pru_input));
    fake->board.shm.blocks = calloc(PRU_BLOCK_COUNT, sizeof(struct pru_block));
    fake->board.shm.gpio = calloc(PRU_GPIO_EVENT_COUNT, sizeof(pru_gpio_event));
    if (fake->board.event_fd < 0 || fake->board.shm.control == NULL
        || fake->board.shm.input == NULL || fake->board.shm.blocks == NULL
        || fake->board.shm.gpio == NULL) {
        destroy(&fake->board);
        err_set(err, ERR_MEMORY, "memory of the fake board");
        return NULL;
    }
    return &fake->board;
}
