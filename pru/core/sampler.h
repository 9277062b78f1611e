/* SPDX-License-Identifier: MIT */
/* The sampler: commands, one step per sample, blocks, input ring, states of pru/abi/pru_shm.h.
 *
 * PRU0's part on the board; the simulated board and the firmware's main call it like this:
 *
 *     sampler_boot(&sampler, &shm, &io);
 *     for (;;) {
 *         sampler_poll(&sampler, now_tick);           between any two samples
 *         if (sampler_state(&sampler) == PRU_STATE_ARMED and it was not before) {
 *             timebase_start(&timebase, sampler.start_tick);
 *         }
 *         if (sampler_is_active(&sampler) && now_tick >= timebase.next_tick) {
 *             sampler_step(&sampler, now_tick);       one sample
 *             timebase_advance(&timebase, shm.control->period_ticks_q20);
 *         }
 *     }
 *
 * So the time base (PRU1, pru/core/timebase.h) alone decides when a sample is due. A board in
 * virtual time asks sampler_has_room and sampler_has_input first, and waits. All calls come
 * from one thread. What a function returns true for is worth a doorbell to the host. */
#ifndef PRU_CORE_SAMPLER_H
#define PRU_CORE_SAMPLER_H

#include "pru/abi/pru_shm.h"
#include "pru/core/adc_harvester.h"
#include "pru/core/fx.h"
#include "pru/core/sample_io.h"
#include "pru/core/utilisation.h"
#include "pru/core/vsource.h"

#include <stdbool.h>
#include <stdint.h>

/* Where the sampler runs on two cores, PRU0 takes the samples (sampler.c) and PRU1 the commands
 * (sampler_control.c), never both at a time: PRU1 looks for commands only while no sample is
 * under way. It also takes the sample's input (sampler_input.c), while PRU0 waits for its
 * instant. An image that takes samples has room for one mode, and is built with SAMPLER_MODE as
 * that enum pru_mode. */
#ifndef SAMPLER_MODE
#    define SAMPLER_MODE PRU_MODE_NONE
#endif

/* Of the block that is being filled. Kept here and stored with its last sample: a counter in
 * DDR would have to be read there. */
struct sampler_tally {
    uint32_t underruns;
    uint32_t first_underrun;
    uint32_t clamped;
    uint32_t flags;
};

/* Storage belongs to the caller; fields are read-only outside sampler.c. */
struct sampler {
    struct pru_control *control;
    struct pru_input *input;
    struct pru_block *blocks;
    const struct sample_io *io;
    enum pru_state state;
    uint32_t command_seq;
    uint32_t mode;
    uint32_t only_mode; /* PRU_MODE_NONE: both are possible */
    uint32_t record_mask;
    uint64_t start_tick;
    uint64_t stop_sample;
    uint64_t sample;         /* number of the next sample */
    struct pru_block *block; /* being filled; NULL while blocks are lost */
    uint32_t block_fill;     /* samples of the block's span that are behind us */
    uint32_t *next;          /* where the next sample's first value goes, in that block */
    uint32_t stored_mask;    /* record_mask; 0 while blocks are lost */
    struct sampler_tally tally;
    uint32_t block_write_idx;
    uint32_t input_read_idx;
    uint32_t lacks_input; /* 1: the ring had none for the next sample, or for this one */
    uint32_t outputs;
    struct utilisation utilisation; /* a firmware image leaves it to the other core */
    _Alignas(8) struct adc_harvester harvester; /* harvest */
    _Alignas(8) struct vsource source;          /* emulate */
    _Alignas(8) struct vsource_params
        params; /* last: a core reaches what is near with shorter code */
};

/* Canaries, version, IDLE; the target's supply off. shm and io must outlive the sampler. */
void sampler_boot(struct sampler *sampler, const struct pru_shm *shm,
                  const struct sample_io *io);

/* Looks for a command and executes it; counts control->alive; checks the canaries. True when
 * state, error or command_ack changed. */
bool sampler_poll(struct sampler *sampler, uint64_t now_tick);

/* Its two halves, of which the first may be called while the other core takes a sample: whether
 * there is a command, or a canary broken; and what follows. */
bool sampler_is_called(struct sampler *sampler);
bool sampler_obey(struct sampler *sampler, uint64_t now_tick);

static inline enum pru_state sampler_state(const struct sampler *sampler)
{
    return sampler->state;
}

/* ARMED or RUNNING: samples are due at the time base's ticks. */
static inline bool sampler_is_active(const struct sampler *sampler)
{
    return sampler->state == PRU_STATE_ARMED || sampler->state == PRU_STATE_RUNNING;
}

/* Takes one sample that was triggered at `tick`: reads the converters, calculates, writes them,
 * stores it. The first one starts the run (RUNNING, started_tick). True when a block was handed
 * over or the state changed. Only while sampler_is_active and not sampler_is_over. */
bool sampler_take(struct sampler *sampler, uint64_t tick);

/* Whether the samples up to stop_sample have been taken. */
static inline bool sampler_is_over(const struct sampler *sampler)
{
    return !fx_is_less_u64(sampler->sample, sampler->stop_sample);
}

/* Ends a run that is over: hands the block over, switches the target off, becomes DONE. */
void sampler_finish(struct sampler *sampler);

/* Both: one sample, unless the run is over already, and the end behind the last one. */
static inline bool sampler_step(struct sampler *sampler, uint64_t tick)
{
    bool is_news = !sampler_is_over(sampler) && sampler_take(sampler, tick);

    if (sampler_is_over(sampler)) {
        sampler_finish(sampler);
        is_news = true;
    }
    return is_news;
}

/* Marks the block that is being filled. */
static inline void sampler_flag(struct sampler *sampler, enum pru_block_flag flag)
{
    sampler->tally.flags |= (uint32_t)flag;
}

/* Target off, source open, FAULT and why; nothing but HALT leads out of it. */
void sampler_fail(struct sampler *sampler, enum pru_error error, uint32_t detail);

/* How long the last sample took; after 10 000 of them the ring of utilisation gets an entry.
 * other_ticks: the other core's longest loop since the last call. */
void sampler_account(struct sampler *sampler, uint64_t tick, uint32_t ticks,
                     uint32_t other_ticks);

/* Emulation: takes the next sample of input and has the harvester choose where to operate,
 * once for each sample. */
void sampler_take_input(struct sampler *sampler);

#ifdef SAMPLE_IO_DIRECT
/* In a firmware image the other core does that on its own, for the next sample as soon as this
 * one's input is released. */
static inline void sampler_ask_input(struct sampler *sampler)
{
    (void)sampler;
}

void sampler_await_input(struct sampler *sampler);
void sampler_release_input(struct sampler *sampler);
#else
static inline void sampler_ask_input(struct sampler *sampler)
{
    sampler_take_input(sampler);
}

static inline void sampler_await_input(struct sampler *sampler)
{
    (void)sampler;
}

static inline void sampler_release_input(struct sampler *sampler)
{
    (void)sampler;
}
#endif

/* For a board that may wait: false while the next sample would fall into a lost block, or would
 * be an underrun. */
bool sampler_has_room(const struct sampler *sampler);
bool sampler_has_input(const struct sampler *sampler);

#endif
