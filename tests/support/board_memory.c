/* SPDX-License-Identifier: MIT */
#include "tests/support/board_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    GPIO_TICK_SHIFT = 16,
    ARRAY_STEP = 1000000
};

static struct board_memory *self_of(struct board *board)
{
    return (struct board_memory *)(void *)board;
}

static int boot(struct board *board, enum pru_mode mode, struct err *err)
{
    struct board_memory *memory = self_of(board);
    struct pru_control *control = board->shm.control;

    memory->n_boots++;
    memory->mode = mode;
    if (memory->fails_to_boot) {
        return err_set(err, ERR_HARDWARE, "no firmware");
    }
    control->canary_head = PRU_CANARY;
    control->canary_middle = PRU_CANARY;
    control->error = memory->error;
    control->error_detail = 0x2A;
    shm_store_u32(&control->state, (uint32_t)memory->state_after_boot);
    shm_store_u32(&control->abi_version, memory->abi_version);
    return 0;
}

static void halt(struct board *board)
{
    self_of(board)->n_halts++;
}

static enum pru_state state_wanted(enum pru_command command, enum pru_state now)
{
    switch (command) {
    case PRU_COMMAND_CONFIGURE:
    case PRU_COMMAND_DISARM:
        return PRU_STATE_READY;
    case PRU_COMMAND_ARM:
        return PRU_STATE_ARMED;
    case PRU_COMMAND_HALT:
        return PRU_STATE_IDLE;
    case PRU_COMMAND_NONE:
    case PRU_COMMAND_STOP_AT:
        break;
    }
    return now;
}

static void kick(struct board *board)
{
    struct board_memory *memory = self_of(board);
    struct pru_control *control = board->shm.control;
    enum pru_state state = memory->state_after_command;

    memory->n_kicks++;
    memory->command = (enum pru_command)control->command;
    if (memory->is_deaf) {
        return;
    }
    if (state == PRU_STATE_UNKNOWN) {
        state = state_wanted(memory->command, (enum pru_state)control->state);
    }
    control->error = memory->error;
    control->error_detail = 0x2A;
    shm_store_u32(&control->state, (uint32_t)state);
    shm_store_u32(&control->command_ack, control->command_seq);
}

static uint64_t counter(struct board *board)
{
    (void)board;
    return 0;
}

static void destroy(struct board *board)
{
    struct board_memory *memory = self_of(board);

    board_memory_destroy(&memory);
}

struct board_memory *board_memory_create(void)
{
    static const struct board_ops ops = { .name = "memory",
                                          .boot = boot,
                                          .halt = halt,
                                          .kick = kick,
                                          .counter = counter,
                                          .destroy = destroy };
    struct board_memory *memory = calloc(1, sizeof(*memory));
    struct pru_shm *shm = NULL;

    assert_non_null(memory);
    shm = &memory->board.shm;
    memory->abi_version = PRU_ABI_VERSION;
    memory->state_after_boot = PRU_STATE_IDLE;
    memory->board.ops = &ops;
    memory->board.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    shm->control = calloc(1, PRU_CONTROL_BYTES);
    shm->input = calloc(PRU_INPUT_SAMPLES, sizeof(struct pru_input));
    shm->blocks = calloc(PRU_BLOCK_COUNT, sizeof(struct pru_block));
    shm->gpio = calloc(PRU_GPIO_EVENT_COUNT, sizeof(pru_gpio_event));
    assert_non_null(shm->control);
    assert_non_null(shm->input);
    assert_non_null(shm->blocks);
    assert_non_null(shm->gpio);
    return memory;
}

void board_memory_destroy(struct board_memory **memory_p)
{
    struct board_memory *memory = *memory_p;

    if (memory == NULL) {
        return;
    }
    free(memory->board.shm.control);
    free(memory->board.shm.input);
    free(memory->board.shm.blocks);
    free(memory->board.shm.gpio);
    close(memory->board.event_fd);
    free(memory);
    *memory_p = NULL;
}

void board_memory_edge(struct board_memory *memory, uint64_t tick, uint16_t pins)
{
    struct pru_shm *shm = &memory->board.shm;
    uint32_t write_idx = shm->control->gpio_write_idx;

    shm->gpio[write_idx % PRU_GPIO_EVENT_COUNT] = tick << GPIO_TICK_SHIFT | pins;
    shm_store_u32(&shm->control->gpio_write_idx, write_idx + 1);
}

uint32_t board_memory_sample(unsigned array, uint64_t sample)
{
    return (uint32_t)(sample + (uint64_t)array * ARRAY_STEP);
}

void board_memory_fill(struct pru_block *block, uint64_t first_sample, uint64_t first_tick,
                       uint32_t n_samples)
{
    memset(block, 0, sizeof(*block));
    block->first_sample = first_sample;
    block->first_tick = first_tick;
    block->n_samples = n_samples;
    block->period_ticks_q20 = PRU_PERIOD_NOMINAL_Q20;
    for (unsigned array = 0; array < PRU_BLOCK_ARRAYS; array++) {
        for (uint32_t i = 0; i < n_samples; i++) {
            block->samples[array][i] = board_memory_sample(array, first_sample + i);
        }
    }
    shm_store_u32(&block->canary, PRU_CANARY);
}

void board_memory_block(struct board_memory *memory, uint64_t first_sample, uint64_t first_tick,
                        uint32_t n_samples)
{
    struct pru_shm *shm = &memory->board.shm;
    uint32_t write_idx = shm->control->block_write_idx;

    board_memory_fill(&shm->blocks[write_idx % PRU_BLOCK_COUNT], first_sample, first_tick,
                      n_samples);
    shm_store_u32(&shm->control->block_write_idx, write_idx + 1);
}
