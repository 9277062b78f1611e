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

/* One value of a sample, if it is recorded: s->next and s->stored_mask, which the caller has at
 * hand. */
static inline void store(uint32_t *next, uint32_t mask, enum pru_array array, uint32_t value)
{
    if ((mask & (1u << array)) != 0) {
        next[(size_t)array * PRU_BLOCK_SAMPLES] = value;
    }
}

/* Behind a sample that was stored at `next`; hands the block over when it was its last. True
 * then, and behind the first sample. */
static inline bool count_sample(struct sampler *s, uint32_t *next)
{
    uint32_t fill = s->block_fill + 1;
    uint64_t sample = s->sample + 1;

    s->next = next + 1;
    s->block_fill = fill;
    s->sample = sample;
    shm_store_u32(&s->control->samples_done, fx_low(sample));
    if (fill == PRU_BLOCK_SAMPLES) {
        return sampler_close_block(s);
    }
    return fx_low(sample) == 1 && fx_high(sample) == 0;
}

static bool harvest(struct sampler *s)
{
    uint32_t *next = s->next;
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
    store(next, s->stored_mask, PRU_ARRAY_VOLTAGE, output.recorded.voltage);
    store(next, s->stored_mask, PRU_ARRAY_CURRENT, output.recorded.current);
    return count_sample(s, next);
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
static inline __attribute__((always_inline)) void await_input(struct sampler *s)
{
    sampler_await_input(s);
    if (s->lacks_input != 0) {
        count_underrun(s);
    }
}

/* The code of the target's current. What is known by now is calculated while the ADC converts.
 */
static inline uint32_t read_current(struct sampler *s, struct store_flow *flow)
{
    bool is_ahead = vsource_is_ahead(&s->source);
    uint32_t code = 0;

    sampler_ask_input(s);
    vsource_prepare(&s->source, flow);
    if (is_ahead) {
        await_input(s);
        vsource_accept(&s->source, flow);
        if (vsource_is_clamped(&s->source)) { /* only a boost stage clamps */
            count_clamped(s);
        }
        sampler_release_input(s);
    }
    code = sample_io_adc_current(s->io);
    if (!is_ahead) {
        await_input(s);
    }
    return code;
}

static bool emulate(struct sampler *s)
{
    struct store_flow flow;
    struct vsource_output output;
    uint32_t code = read_current(s, &flow);
    uint32_t flags = 0;
    uint32_t *next = NULL;
    uint32_t mask = 0;

    vsource_convert(&s->source, &flow, code, &output);
    sample_io_dac_write(s->io, SAMPLE_DAC_TARGET, output.target_code);
    if (output.has_aux) {
        sample_io_dac_write(s->io, SAMPLE_DAC_AUX, output.aux_code);
    }
    sampler_set_outputs(s, output.is_power_good, output.is_gpio_muted);
    flags = (output.is_starting ? PRU_BLOCK_STARTING : 0u)
            | (output.is_saturated ? PRU_BLOCK_SATURATED : 0u);
    if (flags != 0) {
        s->tally.flags |= flags;
    }
    next = s->next;
    mask = s->stored_mask;
    store(next, mask, PRU_ARRAY_VOLTAGE, output.target_code);
    store(next, mask, PRU_ARRAY_CURRENT, code);
    store(next, mask, PRU_ARRAY_STORAGE_VOLTAGE, output.V_mid_uV);
    store(next, mask, PRU_ARRAY_STORAGE_CURRENT, output.I_mid_offset_nA);
    return count_sample(s, next);
}

bool sampler_take(struct sampler *sampler, uint64_t tick)
{
    if (sampler->block_fill == 0) {
        open_block(sampler, tick);
    }
    if (sampler->state == PRU_STATE_ARMED) {
        sampler->control->started_tick = tick;
        sampler_set_state(sampler, PRU_STATE_RUNNING);
    }
    return is_harvesting(sampler) ? harvest(sampler) : emulate(sampler);
}
