/* SPDX-License-Identifier: MIT */
#include "pru/core/sampler_state.h"

#include "pru/core/calib.h"

void sampler_set_outputs(struct sampler *s, bool is_good, bool is_muted)
{
    uint32_t outputs =
        (is_good ? PRU_OUTPUT_POWER_GOOD : 0u) | (is_muted ? PRU_OUTPUT_GPIO_MUTED : 0u);

    if (outputs != s->outputs) {
        s->outputs = outputs;
        shm_store_u32(&s->control->outputs, outputs);
        sample_io_power_good(s->io, is_good);
    }
}

void sampler_switch_off(struct sampler *s)
{
    sample_io_dac_write(s->io, SAMPLE_DAC_TARGET, 0);
    sample_io_dac_write(s->io, SAMPLE_DAC_AUX, 0);
    sample_io_dac_write(s->io, SAMPLE_DAC_HARVEST, CALIB_DAC_MAX); /* source open */
    sampler_set_outputs(s, false, false);
}

void sampler_set_state(struct sampler *s, enum pru_state state)
{
    s->state = state;
    shm_store_u32(&s->control->state, (uint32_t)state);
}

void sampler_set_error(struct sampler *s, enum pru_error error, uint32_t detail)
{
    shm_store_u32(&s->control->error_detail, detail);
    shm_store_u32(&s->control->error, (uint32_t)error);
}

void sampler_fail(struct sampler *sampler, enum pru_error error, uint32_t detail)
{
    sampler_switch_off(sampler);
    sampler_set_error(sampler, error, detail);
    sampler_set_state(sampler, PRU_STATE_FAULT);
}

void sampler_clear_tally(struct sampler *s)
{
    s->tally.underruns = 0;
    s->tally.first_underrun = 0;
    s->tally.clamped = 0;
    s->tally.flags = 0;
}

bool sampler_close_block(struct sampler *s)
{
    struct pru_block *block = s->block;

    if (block != NULL) {
        block->n_samples = s->block_fill;
        block->underruns = s->tally.underruns;
        block->first_underrun = s->tally.first_underrun;
        block->clamped = s->tally.clamped;
        block->flags = s->tally.flags;
        block->canary = PRU_CANARY;
        s->block_write_idx++;
        shm_store_u32(&s->control->block_write_idx, s->block_write_idx);
    }
    s->block = NULL;
    s->block_fill = 0;
    sampler_clear_tally(s);
    return block != NULL;
}
