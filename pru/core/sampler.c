/* SPDX-License-Identifier: MIT */
#include "pru/core/calib.h"
#include "pru/core/fx.h"
#include "pru/core/sampler_state.h"

enum {
    BLOCK_MASK = PRU_BLOCK_COUNT - 1,
};

static bool is_harvesting(const struct sampler *s)
{
    uint32_t only = SAMPLER_MODE; /* an image leaves the other branch out */

    return (only != PRU_MODE_NONE ? only : s->mode) == PRU_MODE_HARVEST;
}

bool sampler_has_room(const struct sampler *sampler)
{
    return sampler->block != NULL || sampler->block_fill != 0
           || sampler->block_write_idx - shm_load_u32(&sampler->control->block_read_idx)
                  < (uint32_t)PRU_BLOCK_COUNT;
}

/* At the first sample of a span of 1000: takes the next block of the ring, or loses the span.
 */
static void open_block(struct sampler *s, uint64_t tick)
{
    struct pru_block *block = NULL;

    if (s->block_write_idx - shm_load_u32(&s->control->block_read_idx)
        >= (uint32_t)PRU_BLOCK_COUNT) {
        s->block = NULL;
        shm_store_u32(&s->control->blocks_lost, s->control->blocks_lost + 1);
        return;
    }
    block = &s->blocks[s->block_write_idx & BLOCK_MASK];
    block->canary = 0;
    block->first_sample = s->sample;
    block->first_tick = tick;
    block->record_mask = s->record_mask;
    block->period_ticks_q20 = shm_load_u32(&s->control->period_ticks_q20);
    s->block = block;
}

static bool close_block(struct sampler *s)
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

static void store_array(struct sampler *s, enum pru_array array, uint32_t value)
{
    if (s->block != NULL && (s->record_mask & (1u << array)) != 0) {
        s->block->samples[array][s->block_fill] = value;
    }
}

static void harvest(struct sampler *s)
{
    struct adc_codes codes = {
        .voltage = sample_io_adc_voltage(s->io),
        .current = sample_io_adc_current(s->io),
    };
    struct adc_output output;

    adc_harvester_step(&s->harvester, codes, &output);
    if (output.has_dac) {
        sample_io_dac_write(s->io, SAMPLE_DAC_HARVEST, output.dac_code);
    }
    if (codes.voltage >= CALIB_ADC_MAX || codes.current >= CALIB_ADC_MAX) {
        s->tally.flags |= PRU_BLOCK_SATURATED;
    }
    store_array(s, PRU_ARRAY_VOLTAGE, output.recorded.voltage);
    store_array(s, PRU_ARRAY_CURRENT, output.recorded.current);
}

static void count_clamped(struct sampler *s)
{
    shm_store_u32(&s->control->clamped, s->control->clamped + 1);
    s->tally.clamped++;
}

static void emulate(struct sampler *s)
{
    uint32_t current_code = 0;
    struct vsource_output output;

    sampler_ask_input(s);
    current_code = sample_io_adc_current(s->io);
    vsource_convert(&s->source, sampler_await_input(s), current_code, &output);
    sample_io_dac_write(s->io, SAMPLE_DAC_TARGET, output.target_code);
    if (s->params.converter.aux_mode != VSOURCE_AUX_OFF) {
        sample_io_dac_write(s->io, SAMPLE_DAC_AUX, output.aux_code);
    }
    sampler_set_outputs(s, output.is_power_good, output.is_gpio_muted);
    if (output.is_clamped) {
        count_clamped(s);
    }
    if (output.is_starting) {
        s->tally.flags |= PRU_BLOCK_STARTING;
    }
    if (output.is_saturated) {
        s->tally.flags |= PRU_BLOCK_SATURATED;
    }
    store_array(s, PRU_ARRAY_VOLTAGE, output.target_code);
    store_array(s, PRU_ARRAY_CURRENT, current_code);
    store_array(s, PRU_ARRAY_STORAGE_VOLTAGE, output.V_mid_uV);
    store_array(s, PRU_ARRAY_STORAGE_CURRENT, output.I_mid_offset_nA);
}

static void finish_run(struct sampler *s)
{
    (void)close_block(s);
    sampler_switch_off(s);
    sampler_set_state(s, PRU_STATE_DONE);
}

static bool finish_sample(struct sampler *s)
{
    bool is_news = false;

    s->block_fill++;
    s->sample++;
    shm_store_u32(&s->control->samples_done, (uint32_t)s->sample);
    if (s->block_fill == PRU_BLOCK_SAMPLES) {
        is_news = close_block(s);
    }
    if (sampler_is_over(s)) {
        finish_run(s);
        return true;
    }
    return is_news;
}

bool sampler_step(struct sampler *sampler, uint64_t tick)
{
    bool is_first = sampler->state == PRU_STATE_ARMED;

    if (sampler_is_over(sampler)) {
        /* a stop at a sample that is already behind us: now, with none taken */
        finish_run(sampler);
        return true;
    }
    if (sampler->block_fill == 0) {
        open_block(sampler, tick);
    }
    if (is_first) {
        sampler->control->started_tick = tick;
        sampler_set_state(sampler, PRU_STATE_RUNNING);
    }
    if (is_harvesting(sampler)) {
        harvest(sampler);
    } else {
        emulate(sampler);
    }
    return finish_sample(sampler) || is_first;
}
