/* SPDX-License-Identifier: MIT */
#include "pru/core/sampler.h"

#include "pru/core/calib.h"
#include "pru/core/fx.h"

enum {
    BLOCK_MASK = PRU_BLOCK_COUNT - 1,
    INPUT_MASK = PRU_INPUT_SAMPLES - 1,
};

static bool is_harvesting(const struct sampler *s)
{
    return SAMPLER_MODE == PRU_MODE_HARVEST
           || (SAMPLER_MODE == PRU_MODE_NONE && s->mode == PRU_MODE_HARVEST);
}

static bool is_possible(uint32_t mode)
{
    return SAMPLER_MODE == PRU_MODE_NONE ? mode == PRU_MODE_HARVEST || mode == PRU_MODE_EMULATE
                                         : mode == SAMPLER_MODE;
}

static void set_outputs(struct sampler *s, bool is_good, bool is_muted)
{
    uint32_t outputs =
        (is_good ? PRU_OUTPUT_POWER_GOOD : 0u) | (is_muted ? PRU_OUTPUT_GPIO_MUTED : 0u);

    if (outputs != s->outputs) {
        s->outputs = outputs;
        shm_store_u32(&s->control->outputs, outputs);
        sample_io_power_good(s->io, is_good);
    }
}

static void switch_off(struct sampler *s)
{
    sample_io_dac_write(s->io, SAMPLE_DAC_TARGET, 0);
    sample_io_dac_write(s->io, SAMPLE_DAC_AUX, 0);
    sample_io_dac_write(s->io, SAMPLE_DAC_HARVEST, CALIB_DAC_MAX); /* source open */
    set_outputs(s, false, false);
}

static void set_state(struct sampler *s, enum pru_state state)
{
    s->state = state;
    shm_store_u32(&s->control->state, (uint32_t)state);
}

static void set_error(struct sampler *s, enum pru_error error, uint32_t detail)
{
    shm_store_u32(&s->control->error_detail, detail);
    shm_store_u32(&s->control->error, (uint32_t)error);
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
    sampler->record_mask = 0;
    sampler->block = NULL;
    sampler->block_fill = 0;
    sampler->block_write_idx = control->block_write_idx;
    sampler->input_read_idx = control->input_read_idx;
    if (SAMPLER_MODE == PRU_MODE_NONE) {
        utilisation_boot(&sampler->utilisation, control);
    }
    sampler->outputs = 0;
    sampler->sample = 0;
    control->canary_head = PRU_CANARY;
    control->canary_middle = PRU_CANARY;
    shm_store_u32(&control->outputs, 0);
    switch_off(sampler);
    set_error(sampler, PRU_ERROR_NONE, 0);
    set_state(sampler, PRU_STATE_IDLE);
    shm_store_u32(&control->abi_version, PRU_ABI_VERSION);
}

static void reset_run(struct sampler *s)
{
    struct pru_control *control = s->control;

    s->sample = 0;
    s->block = NULL;
    s->block_fill = 0;
    if (SAMPLER_MODE == PRU_MODE_NONE) {
        utilisation_start(&s->utilisation);
    }
    shm_store_u32(&control->samples_done, 0);
    shm_store_u32(&control->inputs_done, 0);
    shm_store_u32(&control->blocks_lost, 0);
    shm_store_u32(&control->input_underruns, 0);
    shm_store_u32(&control->clamped, 0);
    if (is_harvesting(s)) {
        adc_harvester_init(&s->harvester, &s->params);
    } else {
        vsource_init(&s->source, &s->params);
    }
}

static enum pru_error configure(struct sampler *s)
{
    const struct pru_control *control = s->control;

    if (s->state != PRU_STATE_IDLE && s->state != PRU_STATE_DONE
        && s->state != PRU_STATE_READY) {
        return PRU_ERROR_COMMAND;
    }
    if (!is_possible(control->mode) || control->params.version != VSOURCE_PARAMS_VERSION
        || control->params.size != sizeof(s->params)
        || control->record_mask >= 1u << PRU_BLOCK_ARRAYS) {
        return PRU_ERROR_PARAMS;
    }
    s->mode = control->mode;
    s->record_mask = control->record_mask;
    shm_read(&s->params, &control->params, sizeof(s->params));
    reset_run(s);
    set_state(s, PRU_STATE_READY);
    return PRU_ERROR_NONE;
}

static enum pru_error arm(struct sampler *s, uint64_t now_tick)
{
    if (s->state != PRU_STATE_READY && s->state != PRU_STATE_ARMED) {
        return PRU_ERROR_COMMAND;
    }
    if (!fx_is_less_u64(now_tick, s->control->start_tick)) {
        set_state(s, PRU_STATE_READY);
        return PRU_ERROR_START_MISSED;
    }
    if (fx_is_zero_u64(s->control->stop_sample)) {
        return PRU_ERROR_PARAMS;
    }
    s->start_tick = s->control->start_tick;
    s->stop_sample = s->control->stop_sample;
    set_state(s, PRU_STATE_ARMED);
    return PRU_ERROR_NONE;
}

static enum pru_error disarm(struct sampler *s)
{
    if (s->state != PRU_STATE_ARMED) {
        return PRU_ERROR_COMMAND;
    }
    set_state(s, PRU_STATE_READY);
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
    switch_off(s);
    s->block = NULL;
    s->mode = PRU_MODE_NONE;
    set_state(s, PRU_STATE_IDLE);
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

void sampler_fail(struct sampler *sampler, enum pru_error error, uint32_t detail)
{
    switch_off(sampler);
    set_error(sampler, error, detail);
    set_state(sampler, PRU_STATE_FAULT);
}

static bool check_canaries(struct sampler *s)
{
    if (s->state == PRU_STATE_FAULT
        || (s->control->canary_head == PRU_CANARY && s->control->canary_middle == PRU_CANARY)) {
        return false;
    }
    sampler_fail(s, PRU_ERROR_CANARY, 0);
    return true;
}

bool sampler_poll(struct sampler *sampler, uint64_t now_tick)
{
    struct pru_control *control = sampler->control;
    uint32_t seq = shm_load_u32(&control->command_seq);
    enum pru_error error = PRU_ERROR_NONE;

    shm_store_u32(&control->alive, control->alive + 1);
    if (check_canaries(sampler)) {
        return true;
    }
    if (seq == sampler->command_seq) {
        return false;
    }
    sampler->command_seq = seq;
    error = execute(sampler, control->command, now_tick);
    set_error(sampler, error, error == PRU_ERROR_NONE ? 0 : control->command);
    shm_store_u32(&control->command_ack, seq);
    return true;
}

bool sampler_has_room(const struct sampler *sampler)
{
    return sampler->block != NULL || sampler->block_fill != 0
           || sampler->block_write_idx - shm_load_u32(&sampler->control->block_read_idx)
                  < (uint32_t)PRU_BLOCK_COUNT;
}

bool sampler_has_input(const struct sampler *sampler)
{
    return sampler->mode != PRU_MODE_EMULATE
           || shm_load_u32(&sampler->control->input_write_idx) != sampler->input_read_idx
           || shm_load_u32(&sampler->control->input_end) != 0;
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
    s->tally.underruns = 0;
    s->tally.first_underrun = 0;
    s->tally.clamped = 0;
    s->tally.flags = 0;
}

static bool close_block(struct sampler *s)
{
    struct pru_block *block = s->block;
    uint32_t n_samples = s->block_fill;

    s->block = NULL;
    s->block_fill = 0;
    if (block == NULL) {
        return false;
    }
    block->n_samples = n_samples;
    block->underruns = s->tally.underruns;
    block->first_underrun = s->tally.first_underrun;
    block->clamped = s->tally.clamped;
    block->flags = s->tally.flags;
    block->canary = PRU_CANARY;
    s->block_write_idx++;
    shm_store_u32(&s->control->block_write_idx, s->block_write_idx);
    return true;
}

static void store_array(struct sampler *s, enum pru_array array, uint32_t value)
{
    if (s->block != NULL && (s->record_mask & (1u << array)) != 0) {
        s->block->samples[array][s->block_fill] = value;
    }
}

static void count_underrun(struct sampler *s)
{
    shm_store_u32(&s->control->input_underruns, s->control->input_underruns + 1);
    if (s->tally.underruns == 0) {
        s->tally.first_underrun = s->block_fill;
    }
    s->tally.underruns++;
}

/* The next sample of input. Without one: nothing is harvested, and unless the input has ended,
 * it is counted. */
static struct curve_point take_input(struct sampler *s)
{
    struct curve_point point = { 0, 0 };
    const struct pru_input *input = &s->input[s->input_read_idx & INPUT_MASK];

    if (shm_load_u32(&s->control->input_write_idx) == s->input_read_idx) {
        /* The host stores input_end behind the last index: look at the index once more. */
        if (shm_load_u32(&s->control->input_end) == 0) {
            count_underrun(s);
            return point;
        }
        if (shm_load_u32(&s->control->input_write_idx) == s->input_read_idx) {
            return point;
        }
    }
    point.voltage_uV = input->voltage_uV;
    point.current_nA = input->current_nA;
    s->input_read_idx++;
    shm_store_u32(&s->control->input_read_idx, s->input_read_idx);
    shm_store_u32(&s->control->inputs_done, s->control->inputs_done + 1);
    return point;
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
    struct curve_point point = vsource_harvest(&s->source, take_input(s));
    uint32_t current_code = sample_io_adc_current(s->io); /* it has converted meanwhile */
    struct vsource_output output;

    vsource_convert(&s->source, point, current_code, &output);
    sample_io_dac_write(s->io, SAMPLE_DAC_TARGET, output.target_code);
    if (s->params.converter.aux_mode != VSOURCE_AUX_OFF) {
        sample_io_dac_write(s->io, SAMPLE_DAC_AUX, output.aux_code);
    }
    set_outputs(s, output.is_power_good, output.is_gpio_muted);
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

static bool is_over(const struct sampler *s)
{
    return !fx_is_less_u64(s->sample, s->stop_sample);
}

static void finish_run(struct sampler *s)
{
    (void)close_block(s);
    switch_off(s);
    set_state(s, PRU_STATE_DONE);
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
    if (is_over(s)) {
        finish_run(s);
        return true;
    }
    return is_news;
}

bool sampler_step(struct sampler *sampler, uint64_t tick)
{
    bool is_first = sampler->state == PRU_STATE_ARMED;

    if (is_over(sampler)) {
        /* a stop at a sample that is already behind us: now, with none taken */
        finish_run(sampler);
        return true;
    }
    if (sampler->block_fill == 0) {
        open_block(sampler, tick);
    }
    if (is_first) {
        sampler->control->started_tick = tick;
        set_state(sampler, PRU_STATE_RUNNING);
    }
    if (is_harvesting(sampler)) {
        harvest(sampler);
    } else {
        emulate(sampler);
    }
    return finish_sample(sampler) || is_first;
}

void sampler_account(struct sampler *sampler, uint64_t tick, uint32_t ticks,
                     uint32_t other_ticks)
{
    utilisation_add(&sampler->utilisation, tick, ticks, other_ticks);
}
