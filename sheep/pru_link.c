/* SPDX-License-Identifier: MIT */
#include "sheep/pru_link.h"

#include "common/attrs.h"
#include "common/clock.h"

#include <poll.h>
#include <string.h>
#include <time.h>

enum {
    BOOT_TIMEOUT_MS = 2000,
    COMMAND_TIMEOUT_MS = 500,
    GPIO_TICK_BITS = 48
};

static const char *error_text(uint32_t error)
{
    switch ((enum pru_error)error) {
    case PRU_ERROR_NONE:
        return "no error given";
    case PRU_ERROR_ABI_VERSION:
        return "the firmware speaks another version of the shared memory";
    case PRU_ERROR_COMMAND:
        return "command not possible in this state";
    case PRU_ERROR_PARAMS:
        return "a parameter that the firmware cannot run";
    case PRU_ERROR_CANARY:
        return "shared memory was overwritten";
    case PRU_ERROR_START_MISSED:
        return "the start was already past when it was armed";
    case PRU_ERROR_ADC:
        return "a converter does not answer";
    case PRU_ERROR_WATCHDOG:
        return "the other core is silent";
    }
    return "unknown error";
}

static const char *command_text(enum pru_command command)
{
    switch (command) {
    case PRU_COMMAND_NONE:
        return "none";
    case PRU_COMMAND_CONFIGURE:
        return "configure";
    case PRU_COMMAND_ARM:
        return "arm";
    case PRU_COMMAND_DISARM:
        return "disarm";
    case PRU_COMMAND_STOP_AT:
        return "stop at";
    case PRU_COMMAND_HALT:
        return "halt";
    }
    return "?";
}

void pru_link_init(struct pru_link *link, struct board *board)
{
    memset(link, 0, sizeof(*link));
    link->board = board;
    link->shm = &board->shm;
    link->control = board->shm.control;
}

enum pru_state pru_link_state(const struct pru_link *link)
{
    return (enum pru_state)shm_load_u32(&link->control->state);
}

/* Which one, where the detail says it. */
static const char *adc_text(uint32_t error, uint32_t detail)
{
    static const char *const NAMES[] = {
        [PRU_ADC_EMULATOR_CURRENT] = ", the emulator's current ADC",
        [PRU_ADC_HARVESTER_VOLTAGE] = ", the harvester's voltage ADC",
        [PRU_ADC_HARVESTER_CURRENT] = ", the harvester's current ADC",
    };

    return error == PRU_ERROR_ADC && detail < ARRAY_LEN(NAMES) && NAMES[detail] != NULL
               ? NAMES[detail]
               : "";
}

static int fault(const struct pru_link *link, struct err *err)
{
    uint32_t error = shm_load_u32(&link->control->error);
    uint32_t detail = shm_load_u32(&link->control->error_detail);

    return err_set(err, ERR_HARDWARE, "PRU: %s (error %u, detail 0x%x%s)", error_text(error),
                   error, detail, adc_text(error, detail));
}

int pru_link_check(const struct pru_link *link, struct err *err)
{
    const struct pru_control *control = link->control;

    if (shm_load_u32(&control->canary_head) != PRU_CANARY
        || shm_load_u32(&control->canary_middle) != PRU_CANARY) {
        return err_set(err, ERR_HARDWARE, "PRU: a canary of the shared memory is overwritten");
    }
    if (pru_link_state(link) == PRU_STATE_FAULT) {
        return fault(link, err);
    }
    return 0;
}

/* A millisecond's rest; the event descriptor ends it early and stays readable for the loop. */
static void rest(const struct pru_link *link)
{
    struct pollfd pfd = { .fd = link->board->event_fd, .events = POLLIN };
    struct timespec pause = { 0, 200000 };

    if (poll(&pfd, 1, 1) > 0) {
        nanosleep(&pause, NULL);
    }
}

int pru_link_boot(struct pru_link *link, enum pru_mode mode, struct err *err)
{
    int64_t deadline_ns = 0;

    link->board->ops->halt(link->board);
    memset(link->control, 0, sizeof(*link->control));
    link->gpio_tick = 0;
    if (link->board->ops->boot(link->board, mode, err) < 0) {
        return err_prepend(err, "board %s", link->board->ops->name);
    }
    link->is_booted = true;
    deadline_ns = clock_mono_ns() + BOOT_TIMEOUT_MS * NS_PER_MS;
    while (shm_load_u32(&link->control->abi_version) == 0
           || pru_link_state(link) != PRU_STATE_IDLE) {
        if (pru_link_state(link) == PRU_STATE_FAULT) {
            return fault(link, err);
        }
        if (clock_mono_ns() > deadline_ns) {
            return err_set(err, ERR_HARDWARE,
                           "board %s: the PRU did not come up within %d ms (state 0x%x)",
                           link->board->ops->name, BOOT_TIMEOUT_MS,
                           (unsigned)pru_link_state(link));
        }
        rest(link);
    }
    if (shm_load_u32(&link->control->abi_version) != PRU_ABI_VERSION) {
        return err_set(err, ERR_HARDWARE, "firmware has version %u of the interface, not %d",
                       shm_load_u32(&link->control->abi_version), PRU_ABI_VERSION);
    }
    return pru_link_check(link, err);
}

/* A board in virtual time may be beyond ARMED before anybody looks. */
static bool has_obeyed(const struct pru_link *link, enum pru_state wanted)
{
    enum pru_state state = pru_link_state(link);

    return shm_load_u32(&link->control->error) == PRU_ERROR_NONE
           && (state == wanted
               || (wanted == PRU_STATE_ARMED
                   && (state == PRU_STATE_RUNNING || state == PRU_STATE_DONE)));
}

/* The fields that a command takes are written before; the store of command_seq publishes them.
 */
static int run_command(struct pru_link *link, enum pru_command command, enum pru_state wanted,
                       struct err *err)
{
    struct pru_control *control = link->control;
    uint32_t seq = shm_load_u32(&control->command_seq) + 1;
    int64_t deadline_ns = clock_mono_ns() + COMMAND_TIMEOUT_MS * NS_PER_MS;

    shm_store_u32(&control->command, (uint32_t)command);
    shm_store_u32(&control->command_seq, seq);
    link->board->ops->kick(link->board);
    while (shm_load_u32(&control->command_ack) != seq) {
        if (clock_mono_ns() > deadline_ns) {
            return err_set(err, ERR_HARDWARE, "PRU: no answer to '%s' within %d ms",
                           command_text(command), COMMAND_TIMEOUT_MS);
        }
        rest(link);
    }
    if (wanted != PRU_STATE_UNKNOWN && !has_obeyed(link, wanted)) {
        fault(link, err);
        return err_prepend(err, "command '%s'", command_text(command));
    }
    return 0;
}

int pru_link_configure(struct pru_link *link, const struct pru_link_setup *setup,
                       struct err *err)
{
    struct pru_control *control = link->control;

    shm_store_u32(&control->mode, (uint32_t)setup->mode);
    shm_store_u32(&control->record_mask, setup->record_mask);
    shm_store_u32(&control->gpio_mask, setup->gpio_mask);
    shm_store_u32(&control->period_ticks_q20, PRU_PERIOD_NOMINAL_Q20);
    shm_store_u32(&control->block_read_idx, shm_load_u32(&control->block_write_idx));
    shm_store_u32(&control->gpio_read_idx, shm_load_u32(&control->gpio_write_idx));
    shm_store_u32(&control->util_read_idx, shm_load_u32(&control->util_write_idx));
    shm_store_u32(&control->input_write_idx, shm_load_u32(&control->input_read_idx));
    shm_store_u32(&control->input_end, 0);
    memcpy(&control->params, setup->params, sizeof(control->params));
    return run_command(link, PRU_COMMAND_CONFIGURE, PRU_STATE_READY, err);
}

int pru_link_arm(struct pru_link *link, uint64_t start_tick, uint64_t stop_sample,
                 uint32_t period_ticks_q20, struct err *err)
{
    shm_store_u32(&link->control->period_ticks_q20, period_ticks_q20);
    link->control->start_tick = start_tick;
    link->control->stop_sample = stop_sample;
    link->gpio_tick = start_tick - PRU_SAMPLE_TICKS;
    return run_command(link, PRU_COMMAND_ARM, PRU_STATE_ARMED, err);
}

int pru_link_disarm(struct pru_link *link, struct err *err)
{
    return run_command(link, PRU_COMMAND_DISARM, PRU_STATE_READY, err);
}

int pru_link_stop_at(struct pru_link *link, uint64_t stop_sample, struct err *err)
{
    link->control->stop_sample = stop_sample;
    return run_command(link, PRU_COMMAND_STOP_AT, PRU_STATE_UNKNOWN, err);
}

void pru_link_halt(struct pru_link *link)
{
    struct err ignored;

    /* A core that is beyond talking to is stopped by the board all the same. */
    if (link->is_booted) {
        (void)run_command(link, PRU_COMMAND_HALT, PRU_STATE_UNKNOWN, &ignored);
    }
    link->is_booted = false;
    link->board->ops->halt(link->board);
}

void pru_link_set_period(struct pru_link *link, uint32_t period_ticks_q20)
{
    shm_store_u32(&link->control->period_ticks_q20, period_ticks_q20);
}

uint32_t pru_link_blocks_waiting(const struct pru_link *link)
{
    return shm_load_u32(&link->control->block_write_idx)
           - shm_load_u32(&link->control->block_read_idx);
}

/* Also what no firmware writes, but a stray store does: all of these are divided by or added up
 * later. */
static bool is_whole(const struct pru_block *block)
{
    return shm_load_u32(&block->canary) == PRU_CANARY && block->n_samples != 0
           && block->n_samples <= PRU_BLOCK_SAMPLES && block->period_ticks_q20 != 0
           && block->first_underrun <= block->n_samples
           && block->underruns <= block->n_samples - block->first_underrun;
}

int pru_link_block(struct pru_link *link, const struct pru_block **block, struct err *err)
{
    uint32_t read_idx = link->control->block_read_idx;
    const struct pru_block *next = &link->shm->blocks[read_idx % PRU_BLOCK_COUNT];

    *block = NULL;
    if (shm_load_u32(&link->control->block_write_idx) == read_idx) {
        return 0;
    }
    if (!is_whole(next)) {
        return err_set(err, ERR_HARDWARE, "PRU: block %u of the ring is overwritten", read_idx);
    }
    *block = next;
    return 0;
}

void pru_link_block_done(struct pru_link *link)
{
    shm_store_u32(&link->control->block_read_idx, link->control->block_read_idx + 1);
}

uint32_t pru_link_edges_waiting(const struct pru_link *link)
{
    return shm_load_u32(&link->control->gpio_write_idx)
           - shm_load_u32(&link->control->gpio_read_idx);
}

uint32_t pru_link_edges_lost(const struct pru_link *link)
{
    return shm_load_u32(&link->control->gpio_lost);
}

/* Events come in order, and two of them are never half of 2^48 ticks (8 days) apart as long as
 * gpio_tick is kept near the present, which every call with a finite end_tick does. */
static uint64_t unwrap(uint64_t near, uint64_t low)
{
    uint64_t mask = (UINT64_C(1) << GPIO_TICK_BITS) - 1;
    uint64_t tick = (near & ~mask) | low;

    if (tick + (mask >> 1) < near) {
        tick += mask + 1;
    } else if (tick > near + (mask >> 1) && tick > mask) {
        tick -= mask + 1;
    }
    return tick;
}

size_t pru_link_edges(struct pru_link *link, uint64_t end_tick, struct pru_link_edge *edges,
                      size_t max)
{
    uint32_t read_idx = link->control->gpio_read_idx;
    uint32_t waiting = shm_load_u32(&link->control->gpio_write_idx) - read_idx;
    size_t count = 0;

    while (count < max && count < waiting) {
        pru_gpio_event event =
            link->shm->gpio[(read_idx + (uint32_t)count) % PRU_GPIO_EVENT_COUNT];
        uint64_t tick = unwrap(link->gpio_tick, event >> 16);

        if (tick >= end_tick) {
            break;
        }
        edges[count].tick = tick;
        edges[count].pins = (uint16_t)event;
        link->gpio_tick = tick;
        count++;
    }
    if (count < max && end_tick != UINT64_MAX && link->gpio_tick < end_tick) {
        link->gpio_tick = end_tick;
    }
    shm_store_u32(&link->control->gpio_read_idx, read_idx + (uint32_t)count);
    return count;
}

bool pru_link_util(struct pru_link *link, struct pru_util *util)
{
    uint32_t read_idx = link->control->util_read_idx;

    if (shm_load_u32(&link->control->util_write_idx) == read_idx) {
        return false;
    }
    *util = link->control->util[read_idx % PRU_UTIL_COUNT];
    shm_store_u32(&link->control->util_read_idx, read_idx + 1);
    return true;
}

uint32_t pru_link_input_room(const struct pru_link *link)
{
    return PRU_INPUT_SAMPLES
           - (shm_load_u32(&link->control->input_write_idx)
              - shm_load_u32(&link->control->input_read_idx));
}

void pru_link_input_put(struct pru_link *link, const struct pru_input *inputs, uint32_t count)
{
    uint32_t write_idx = shm_load_u32(&link->control->input_write_idx);

    for (uint32_t i = 0; i < count; i++) {
        link->shm->input[(write_idx + i) % PRU_INPUT_SAMPLES] = inputs[i];
    }
    shm_store_u32(&link->control->input_write_idx, write_idx + count);
}

void pru_link_input_end(struct pru_link *link)
{
    shm_store_u32(&link->control->input_end, 1);
}
