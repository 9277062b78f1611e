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
    struct pru_block *block = &s->blocks[s->block_write_idx & BLOCK_MASK];

    s->next = (uint32_t *)(void *)((uint8_t *)block + offsetof(struct pru_block, samples));
    if (s->block_write_idx - shm_load_u32(&s->control->block_read_idx)
        >= (uint32_t)PRU_BLOCK_COUNT) {
        s->block = NULL;
        s->stored_mask = 0;
        shm_store_u32(&s->control->blocks_lost, s->control->blocks_lost + 1);
        return;
    }
    block->canary = 0;
    block->first_sample = s->sample;
    block->first_tick = tick;
    block->record_mask = s->record_mask;
    block->period_ticks_q20 = shm_load_u32(&s->control->period_ticks_q20);
    s->block = block;
    s->stored_mask = s->record_mask;
}

/* One value of a sample, if it is recorded. */
static inline void store(const struct sampler *s, enum pru_array array, uint32_t value)
{
    if ((s->stored_mask & (1u << array)) != 0) {
        s->next[(size_t)array * PRU_BLOCK_SAMPLES] = value;
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
    store(s, PRU_ARRAY_VOLTAGE, output.recorded.voltage);
    store(s, PRU_ARRAY_CURRENT, output.recorded.current);
}

static void count_clamped(struct sampler *s)
{
    shm_store_u32(&s->control->clamped, s->control->clamped + 1);
    s->tally.clamped++;
}

static void count_underrun(struct sampler *s)
{
    shm_store_u32(&s->control->input_underruns, s->control->input_underruns + 1);
    if (s->tally.underruns == 0) {
        s->tally.first_underrun = s->block_fill;
    }
    s->tally.underruns++;
}

/* Once the harvester has chosen where to operate. */
static void accept_input(struct sampler *s, struct store_flow *flow)
{
    sampler_await_input(s);
    vsource_accept(&s->source, flow);
    if (vsource_is_clamped(&s->source)) {
        count_clamped(s);
    }
    if (s->lacks_input != 0) {
        count_underrun(s);
    }
    sampler_release_input(s);
}

static void emulate(struct sampler *s)
{
    bool is_ahead = vsource_is_ahead(&s->source);
    uint32_t current_code = 0;
    struct store_flow flow;
    struct vsource_output output;

    sampler_ask_input(s);
    vsource_prepare(&s->source, &flow); /* while the ADC converts */
    if (is_ahead) {
        accept_input(s, &flow);
    }
    current_code = sample_io_adc_current(s->io);
    if (!is_ahead) {
        accept_input(s, &flow);
    }
    vsource_convert(&s->source, &flow, current_code, &output);
    sample_io_dac_write(s->io, SAMPLE_DAC_TARGET, output.target_code);
    if (s->params.converter.aux_mode != VSOURCE_AUX_OFF) {
        sample_io_dac_write(s->io, SAMPLE_DAC_AUX, output.aux_code);
    }
    sampler_set_outputs(s, output.is_power_good, output.is_gpio_muted);
    if (output.is_starting) {
        s->tally.flags |= PRU_BLOCK_STARTING;
    }
    if (output.is_saturated) {
        s->tally.flags |= PRU_BLOCK_SATURATED;
    }
    store(s, PRU_ARRAY_VOLTAGE, output.target_code);
    store(s, PRU_ARRAY_CURRENT, current_code);
    store(s, PRU_ARRAY_STORAGE_VOLTAGE, output.V_mid_uV);
    store(s, PRU_ARRAY_STORAGE_CURRENT, output.I_mid_offset_nA);
}

/* Behind a sample; hands the block over when it was its last. */
static bool count_sample(struct sampler *s)
{
    s->next++;
    s->block_fill++;
    s->sample++;
    shm_store_u32(&s->control->samples_done, fx_low(s->sample));
    return s->block_fill == PRU_BLOCK_SAMPLES && sampler_close_block(s);
}

bool sampler_take(struct sampler *sampler, uint64_t tick)
{
    bool is_first = sampler->state == PRU_STATE_ARMED;

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
    return count_sample(sampler) || is_first;
}
