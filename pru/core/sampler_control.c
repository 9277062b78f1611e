/* SPDX-License-Identifier: MIT */
#include "pru/core/fx.h"
#include "pru/core/sampler_state.h"

static bool is_possible(const struct sampler *s, uint32_t mode)
{
    return (mode == PRU_MODE_HARVEST || mode == PRU_MODE_EMULATE)
           && (s->only_mode == PRU_MODE_NONE || mode == s->only_mode);
}

void sampler_boot(struct sampler *sampler, const struct pru_shm *shm,
                  const struct sample_io *io)
{
    struct pru_control *control = shm->control;

    sampler->control = control;
    sampler->input = shm->input;
    sampler->blocks = shm->blocks;
    sampler->io = io;
    sampler->command_seq = control->command_seq;
    sampler->mode = PRU_MODE_NONE;
    sampler->only_mode = PRU_MODE_NONE;
    sampler->record_mask = 0;
    sampler->block = NULL;
    sampler->block_fill = 0;
    sampler->block_write_idx = control->block_write_idx;
    sampler->input_read_idx = control->input_read_idx;
    utilisation_boot(&sampler->utilisation, control);
    sampler->outputs = 0;
    sampler->sample = 0;
    control->canary_head = PRU_CANARY;
    control->canary_middle = PRU_CANARY;
    shm_store_u32(&control->outputs, 0);
    sampler_switch_off(sampler);
    sampler_set_error(sampler, PRU_ERROR_NONE, 0);
    sampler_set_state(sampler, PRU_STATE_IDLE);
    shm_store_u32(&control->abi_version, PRU_ABI_VERSION);
}

static void reset_run(struct sampler *s)
{
    struct pru_control *control = s->control;

    s->sample = 0;
    s->block = NULL;
    s->block_fill = 0;
    sampler_clear_tally(s);
    utilisation_start(&s->utilisation);
    shm_store_u32(&control->samples_done, 0);
    shm_store_u32(&control->inputs_done, 0);
    shm_store_u32(&control->blocks_lost, 0);
    shm_store_u32(&control->input_underruns, 0);
    shm_store_u32(&control->clamped, 0);
    if (s->mode == PRU_MODE_HARVEST) {
        adc_harvester_init(&s->harvester, &s->params);
    } else {
        vsource_init(&s->source, &s->params);
    }
}

static enum pru_error __attribute__((noinline)) configure(struct sampler *s)
{
    const struct pru_control *control = s->control;

    if (s->state != PRU_STATE_IDLE && s->state != PRU_STATE_DONE
        && s->state != PRU_STATE_READY) {
        return PRU_ERROR_COMMAND;
    }
    if (!is_possible(s, control->mode) || control->params.version != VSOURCE_PARAMS_VERSION
        || control->params.size != sizeof(s->params)
        || control->record_mask >= 1u << PRU_BLOCK_ARRAYS) {
        return PRU_ERROR_PARAMS;
    }
    s->mode = control->mode;
    s->record_mask = control->record_mask;
    shm_read(&s->params, &control->params, sizeof(s->params));
    reset_run(s);
    sampler_set_state(s, PRU_STATE_READY);
    return PRU_ERROR_NONE;
}

static enum pru_error arm(struct sampler *s, uint64_t now_tick)
{
    if (s->state != PRU_STATE_READY && s->state != PRU_STATE_ARMED) {
        return PRU_ERROR_COMMAND;
    }
    if (!fx_is_less_u64(now_tick, s->control->start_tick)) {
        sampler_set_state(s, PRU_STATE_READY);
        return PRU_ERROR_START_MISSED;
    }
    if (fx_is_zero_u64(s->control->stop_sample)) {
        return PRU_ERROR_PARAMS;
    }
    s->start_tick = s->control->start_tick;
    s->stop_sample = s->control->stop_sample;
    sampler_set_state(s, PRU_STATE_ARMED);
    return PRU_ERROR_NONE;
}

static enum pru_error disarm(struct sampler *s)
{
    if (s->state != PRU_STATE_ARMED) {
        return PRU_ERROR_COMMAND;
    }
    sampler_set_state(s, PRU_STATE_READY);
    return PRU_ERROR_NONE;
}

static enum pru_error stop_at(struct sampler *s)
{
    if (s->state != PRU_STATE_RUNNING) {
        return PRU_ERROR_COMMAND;
    }
    s->stop_sample = s->control->stop_sample;
    return PRU_ERROR_NONE;
}

static enum pru_error halt(struct sampler *s)
{
    sampler_switch_off(s);
    s->block = NULL;
    s->mode = PRU_MODE_NONE;
    sampler_set_state(s, PRU_STATE_IDLE);
    return PRU_ERROR_NONE;
}

static enum pru_error execute(struct sampler *s, uint32_t command, uint64_t now_tick)
{
    switch (command) {
    case PRU_COMMAND_CONFIGURE:
        return configure(s);
    case PRU_COMMAND_ARM:
        return arm(s, now_tick);
    case PRU_COMMAND_DISARM:
        return disarm(s);
    case PRU_COMMAND_STOP_AT:
        return stop_at(s);
    case PRU_COMMAND_HALT:
        return halt(s);
    default:
        return PRU_ERROR_COMMAND;
    }
}

static bool is_overwritten(const struct sampler *s)
{
    return s->state != PRU_STATE_FAULT
           && (s->control->canary_head != PRU_CANARY
               || s->control->canary_middle != PRU_CANARY);
}

bool sampler_is_called(struct sampler *sampler)
{
    struct pru_control *control = sampler->control;

    shm_store_u32(&control->alive, control->alive + 1);
    return shm_load_u32(&control->command_seq) != sampler->command_seq
           || is_overwritten(sampler);
}

bool sampler_obey(struct sampler *sampler, uint64_t now_tick)
{
    struct pru_control *control = sampler->control;
    uint32_t seq = shm_load_u32(&control->command_seq);
    enum pru_error error = PRU_ERROR_NONE;

    if (is_overwritten(sampler)) {
        sampler_fail(sampler, PRU_ERROR_CANARY, 0);
        return true;
    }
    if (seq == sampler->command_seq) {
        return false;
    }
    sampler->command_seq = seq;
    error = execute(sampler, control->command, now_tick);
    sampler_set_error(sampler, error, error == PRU_ERROR_NONE ? 0 : control->command);
    shm_store_u32(&control->command_ack, seq);
    return true;
}

bool sampler_poll(struct sampler *sampler, uint64_t now_tick)
{
    return sampler_is_called(sampler) && sampler_obey(sampler, now_tick);
}

void sampler_finish(struct sampler *sampler)
{
    (void)sampler_close_block(sampler);
    sampler_switch_off(sampler);
    sampler_set_state(sampler, PRU_STATE_DONE);
}

void sampler_account(struct sampler *sampler, uint64_t tick, uint32_t ticks,
                     uint32_t other_ticks)
{
    utilisation_add(&sampler->utilisation, tick, ticks, other_ticks);
}
