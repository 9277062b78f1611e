/* SPDX-License-Identifier: MIT */
#include "pru/core/sampler.h"

#include "common/vsource_derive.h"
#include "pru/core/timebase.h"
#include "pru/core/tracer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A board whose ADCs give the number of the sample, and that notes what is written. */
struct bench {
    struct pru_shm shm;
    struct sample_io io;
    struct sampler sampler;
    uint32_t sample;
    uint32_t dac[3];
    bool is_power_good;
    uint64_t tick;
};

static uint32_t read_voltage(void *context)
{
    return 100000 + ((const struct bench *)context)->sample % 1000;
}

static uint32_t read_current(void *context)
{
    return ((const struct bench *)context)->sample % 4096;
}

static void write_dac(void *context, enum sample_dac channel, uint32_t code)
{
    ((struct bench *)context)->dac[channel] = code;
}

static void write_power_good(void *context, bool is_good)
{
    ((struct bench *)context)->is_power_good = is_good;
}

static void command(struct bench *b, enum pru_command number)
{
    b->shm.control->command = number;
    shm_store_u32(&b->shm.control->command_seq, b->shm.control->command_seq + 1);
    assert_true(sampler_poll(&b->sampler, b->tick));
    assert_int_equal(b->shm.control->command_ack, b->shm.control->command_seq);
}

static int set_up(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));

    b->shm.control = calloc(1, sizeof(*b->shm.control));
    b->shm.input = calloc(PRU_INPUT_SAMPLES, sizeof(*b->shm.input));
    b->shm.blocks = calloc(PRU_BLOCK_COUNT, sizeof(*b->shm.blocks));
    b->shm.gpio = calloc(PRU_GPIO_EVENT_COUNT, sizeof(*b->shm.gpio));
    b->io.context = b;
    b->io.adc_voltage = read_voltage;
    b->io.adc_current = read_current;
    b->io.dac_write = write_dac;
    b->io.power_good = write_power_good;
    b->dac[SAMPLE_DAC_TARGET] = 4711;
    sampler_boot(&b->sampler, &b->shm, &b->io);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;

    free(b->shm.control);
    free(b->shm.input);
    free(b->shm.blocks);
    free(b->shm.gpio);
    free(b);
    return 0;
}

static void configure(struct bench *b, enum pru_mode mode, uint32_t mask)
{
    struct node_config config;
    struct calibration cal = calibration_default();
    struct err err;

    memset(&config, 0, sizeof(config));
    config.mode = mode == PRU_MODE_HARVEST ? MODE_HARVEST : MODE_EMULATE;
    schema_defaults(&source_schema, &config.source);
    schema_defaults(&harvester_schema, &config.harvester);
    config.harvester.algorithm = HARVESTER_CV;
    assert_int_equal(vsource_derive(&config, &cal, &b->shm.control->params, &err), 0);
    b->shm.control->mode = mode;
    b->shm.control->record_mask = mask;
    b->shm.control->period_ticks_q20 = PRU_PERIOD_NOMINAL_Q20;
    command(b, PRU_COMMAND_CONFIGURE);
    assert_int_equal(b->shm.control->error, PRU_ERROR_NONE);
    assert_int_equal(b->shm.control->state, PRU_STATE_READY);
}

static void arm(struct bench *b, uint64_t stop_sample)
{
    b->tick = 5000;
    b->shm.control->start_tick = 10000;
    b->shm.control->stop_sample = stop_sample;
    command(b, PRU_COMMAND_ARM);
    b->tick = 10000;
    b->sample = 0;
}

static uint32_t take(struct bench *b, uint32_t count)
{
    uint32_t bells = 0;

    for (uint32_t i = 0; i < count && sampler_is_active(&b->sampler); i++) {
        bells += sampler_step(&b->sampler, b->tick);
        b->tick += PRU_SAMPLE_TICKS;
        b->sample++;
    }
    return bells;
}

static void test_boot_switches_off_and_says_the_version(void **state)
{
    struct bench *b = *state;

    assert_int_equal(b->shm.control->abi_version, PRU_ABI_VERSION);
    assert_int_equal(b->shm.control->state, PRU_STATE_IDLE);
    assert_int_equal(b->shm.control->canary_head, PRU_CANARY);
    assert_int_equal(b->shm.control->canary_middle, PRU_CANARY);
    assert_int_equal(b->dac[SAMPLE_DAC_TARGET], 0);
    assert_false(sampler_poll(&b->sampler, 0));
    assert_false(sampler_poll(&b->sampler, 0));
    assert_int_equal(b->shm.control->alive, 2);
}

static void test_harvest_fills_blocks_on_the_grid_and_ends_at_the_sample(void **state)
{
    struct bench *b = *state;

    configure(b, PRU_MODE_HARVEST, 3);
    arm(b, 2345);
    assert_int_equal(b->shm.control->state, PRU_STATE_ARMED);
    (void)take(b, 5000);
    assert_int_equal(b->sample, 2345);
    assert_int_equal(b->shm.control->state, PRU_STATE_DONE);
    assert_int_equal(b->shm.control->samples_done, 2345);
    assert_true(b->shm.control->started_tick == 10000);
    assert_int_equal(b->shm.control->block_write_idx, 3);
    for (uint32_t i = 0; i < 3; i++) {
        const struct pru_block *block = &b->shm.blocks[i];
        uint32_t count = i < 2 ? 1000 : 345;

        assert_true(block->first_sample == 1000ull * i);
        assert_true(block->first_tick == 10000 + 2000ull * 1000 * i);
        assert_int_equal(block->n_samples, count);
        assert_int_equal(block->record_mask, 3);
        assert_int_equal(block->canary, PRU_CANARY);
        for (uint32_t k = 0; k < count; k++) {
            assert_int_equal(block->samples[PRU_ARRAY_VOLTAGE][k], 100000 + k);
            assert_int_equal(block->samples[PRU_ARRAY_CURRENT][k], (1000 * i + k) % 4096);
        }
    }
}

static void test_commands_out_of_place_are_refused(void **state)
{
    struct bench *b = *state;

    command(b, PRU_COMMAND_ARM);
    assert_int_equal(b->shm.control->error, PRU_ERROR_COMMAND);
    assert_int_equal(b->shm.control->state, PRU_STATE_IDLE);
    configure(b, PRU_MODE_HARVEST, 3);
    command(b, PRU_COMMAND_DISARM);
    assert_int_equal(b->shm.control->error, PRU_ERROR_COMMAND);
    arm(b, 100);
    command(b, PRU_COMMAND_CONFIGURE);
    assert_int_equal(b->shm.control->error, PRU_ERROR_COMMAND);
    assert_int_equal(b->shm.control->state, PRU_STATE_ARMED);
    command(b, PRU_COMMAND_DISARM);
    assert_int_equal(b->shm.control->error, PRU_ERROR_NONE);
    assert_int_equal(b->shm.control->state, PRU_STATE_READY);
    b->tick = 10000;
    command(b, PRU_COMMAND_ARM);
    assert_int_equal(b->shm.control->error, PRU_ERROR_START_MISSED);
    assert_int_equal(b->shm.control->state, PRU_STATE_READY);
    command(b, (enum pru_command)99);
    assert_int_equal(b->shm.control->error, PRU_ERROR_COMMAND);
}

static void test_parameters_of_another_version_are_refused(void **state)
{
    struct bench *b = *state;

    configure(b, PRU_MODE_EMULATE, 15);
    b->shm.control->params.version++;
    command(b, PRU_COMMAND_CONFIGURE);
    assert_int_equal(b->shm.control->error, PRU_ERROR_PARAMS);
    b->shm.control->params.version--;
    b->shm.control->record_mask = 16;
    command(b, PRU_COMMAND_CONFIGURE);
    assert_int_equal(b->shm.control->error, PRU_ERROR_PARAMS);
    b->shm.control->record_mask = 15;
    b->shm.control->mode = 7;
    command(b, PRU_COMMAND_CONFIGURE);
    assert_int_equal(b->shm.control->error, PRU_ERROR_PARAMS);
}

static void test_stop_later_and_stop_in_the_past(void **state)
{
    struct bench *b = *state;

    configure(b, PRU_MODE_HARVEST, 1);
    arm(b, PRU_NO_STOP);
    (void)take(b, 1500);
    b->shm.control->stop_sample = 1700;
    command(b, PRU_COMMAND_STOP_AT);
    (void)take(b, 5000);
    assert_int_equal(b->shm.control->samples_done, 1700);
    assert_int_equal(b->shm.control->state, PRU_STATE_DONE);
    configure(b, PRU_MODE_HARVEST, 1);
    arm(b, PRU_NO_STOP);
    (void)take(b, 1500);
    b->shm.control->stop_sample = 10;
    command(b, PRU_COMMAND_STOP_AT);
    (void)take(b, 5000);
    assert_int_equal(b->shm.control->samples_done, 1500);
    assert_int_equal(b->shm.control->state, PRU_STATE_DONE);
    assert_int_equal(b->shm.blocks[b->shm.control->block_write_idx - 1].n_samples, 500);
}

static void test_a_full_ring_loses_whole_blocks_and_counts_them(void **state)
{
    struct bench *b = *state;

    configure(b, PRU_MODE_HARVEST, 3);
    arm(b, PRU_NO_STOP);
    assert_true(sampler_has_room(&b->sampler));
    (void)take(b, PRU_BLOCK_COUNT * 1000);
    assert_false(sampler_has_room(&b->sampler));
    (void)take(b, 500);
    /* room in the middle of a lost span: the span stays lost */
    b->shm.control->block_read_idx = 1;
    (void)take(b, 1500);
    assert_int_equal(b->shm.control->blocks_lost, 1);
    assert_int_equal(b->shm.control->block_write_idx, PRU_BLOCK_COUNT + 1);
    assert_true(b->shm.blocks[0].first_sample == (PRU_BLOCK_COUNT + 1) * 1000ull);
    assert_int_equal(b->shm.control->samples_done, PRU_BLOCK_COUNT * 1000 + 2000);
}

static void feed(struct bench *b, uint32_t count, uint32_t voltage_uV)
{
    uint32_t idx = b->shm.control->input_write_idx;

    for (uint32_t i = 0; i < count; i++, idx++) {
        b->shm.input[idx % PRU_INPUT_SAMPLES].voltage_uV = voltage_uV + i;
        b->shm.input[idx % PRU_INPUT_SAMPLES].current_nA = 1000000;
    }
    shm_store_u32(&b->shm.control->input_write_idx, idx);
}

/* With neutral settings what goes in comes out, to the code. */
static void test_emulation_passes_input_through_and_counts_underruns(void **state)
{
    struct bench *b = *state;
    const struct pru_block *block = &b->shm.blocks[0];
    struct vsource_channel dac;

    configure(b, PRU_MODE_EMULATE, 15);
    dac = b->shm.control->params.dac_target;
    arm(b, 1000);
    feed(b, 300, 2000000);
    (void)take(b, 350); /* 50 are missing */
    assert_false(sampler_has_input(&b->sampler));
    feed(b, 400, 3000000);
    (void)take(b, 400);
    shm_store_u32(&b->shm.control->input_end, 1);
    assert_true(sampler_has_input(&b->sampler));
    (void)take(b, 1000); /* the end is no underrun */
    assert_int_equal(b->shm.control->state, PRU_STATE_DONE);
    assert_int_equal(b->shm.control->input_underruns, 50);
    assert_int_equal(b->shm.control->inputs_done, 700);
    assert_int_equal(block->underruns, 50);
    assert_int_equal(block->first_underrun, 300);
    for (uint32_t k = 0; k < 1000; k++) {
        uint32_t expected_uV = k < 300 ? 2000000 + k : 0;

        expected_uV = k >= 350 && k < 750 ? 3000000 + k - 350 : expected_uV;
        assert_int_equal(block->samples[PRU_ARRAY_STORAGE_VOLTAGE][k], expected_uV);
        assert_int_equal(block->samples[PRU_ARRAY_VOLTAGE][k],
                         expected_uV == 0 ? 0 : calib_to_code(&dac, expected_uV));
        assert_int_equal(block->samples[PRU_ARRAY_CURRENT][k], k);
        assert_int_equal(block->samples[PRU_ARRAY_STORAGE_CURRENT][k], 1u << 31);
    }
    assert_int_equal(b->dac[SAMPLE_DAC_TARGET], 0);
}

static void test_power_good_and_muting_reach_the_other_core(void **state)
{
    struct bench *b = *state;

    configure(b, PRU_MODE_EMULATE, 1);
    arm(b, PRU_NO_STOP);
    feed(b, 1, 3000000);
    feed(b, 1, 1300000);
    (void)take(b, 1);
    assert_true(b->is_power_good);
    assert_int_equal(b->shm.control->outputs, PRU_OUTPUT_POWER_GOOD);
    (void)take(b, 1);
    assert_false(b->is_power_good);
    assert_int_equal(b->shm.control->outputs, PRU_OUTPUT_GPIO_MUTED);
    command(b, PRU_COMMAND_HALT);
    assert_int_equal(b->shm.control->state, PRU_STATE_IDLE);
    assert_int_equal(b->shm.control->outputs, 0);
}

static void test_a_broken_canary_stops_everything(void **state)
{
    struct bench *b = *state;

    configure(b, PRU_MODE_HARVEST, 3);
    arm(b, PRU_NO_STOP);
    (void)take(b, 10);
    b->shm.control->canary_middle = 0;
    assert_true(sampler_poll(&b->sampler, b->tick));
    assert_int_equal(b->shm.control->state, PRU_STATE_FAULT);
    assert_int_equal(b->shm.control->error, PRU_ERROR_CANARY);
    assert_false(sampler_is_active(&b->sampler));
}

static void test_two_runs_after_another_are_independent(void **state)
{
    struct bench *b = *state;

    configure(b, PRU_MODE_EMULATE, 3);
    arm(b, 1500);
    (void)take(b, 1500);
    assert_int_equal(b->shm.control->input_underruns, 1500);
    b->shm.control->block_read_idx = b->shm.control->block_write_idx;
    configure(b, PRU_MODE_HARVEST, 3);
    assert_int_equal(b->shm.control->input_underruns, 0);
    assert_int_equal(b->shm.control->samples_done, 0);
    arm(b, 1000);
    (void)take(b, 1000);
    assert_int_equal(b->shm.control->block_write_idx, 3);
    assert_true(b->shm.blocks[2].first_sample == 0);
}

static void test_utilisation_is_summed_over_10000_samples(void **state)
{
    struct bench *b = *state;
    const struct pru_util *util = &b->shm.control->util[0];

    configure(b, PRU_MODE_HARVEST, 3);
    for (uint32_t i = 0; i < 10000; i++) {
        sampler_account(&b->sampler, 77 + i, i == 5000 ? 1900 : 1000, i == 7 ? 40 : 30);
    }
    assert_int_equal(b->shm.control->util_write_idx, 1);
    assert_true(util->first_tick == 77);
    assert_int_equal(util->pru0_max_ticks, 1900);
    assert_int_equal(util->pru0_sum_ticks, 10000900);
    assert_int_equal(util->pru0_count, 10000);
    assert_int_equal(util->pru1_max_ticks, 40);
}

static void test_timebase_loses_no_fraction(void **state)
{
    static const uint32_t periods[] = { 2000u << 20, (2000u << 20) + 1, (2000u << 20) - 12345,
                                        (2000u << 20) + 419430 };

    (void)state;
    for (size_t i = 0; i < sizeof(periods) / sizeof(periods[0]); i++) {
        struct timebase timebase;

        timebase_start(&timebase, 1000);
        for (uint64_t n = 0; n < 300000; n++) {
            assert_true(timebase.next_tick == 1000 + ((n * periods[i]) >> 20));
            timebase_advance(&timebase, periods[i]);
        }
    }
}

static void test_tracer_stores_edges_of_masked_pins(void **state)
{
    struct bench *b = *state;
    struct tracer tracer;

    b->shm.control->gpio_mask = 0x20Fu;
    tracer_boot(&tracer, &b->shm);
    tracer_start(&tracer, 0x1);
    tracer_poll(&tracer, 0x1, 10);
    tracer_poll(&tracer, 0xF1, 20); /* not masked */
    assert_int_equal(b->shm.control->gpio_write_idx, 0);
    tracer_poll(&tracer, 0xF3, 0x1234567890ABull);
    assert_int_equal(b->shm.control->gpio_write_idx, 1);
    assert_true(b->shm.gpio[0] == ((0x1234567890ABull << 16) | 0x3));
    b->shm.control->outputs = PRU_OUTPUT_GPIO_MUTED;
    tracer_poll(&tracer, 0x4, 30);
    assert_int_equal(b->shm.control->gpio_write_idx, 1);
    tracer_poll(&tracer, 0x204, 40); /* power-good is told all the same */
    assert_true(b->shm.gpio[1] == ((40ull << 16) | 0x203));
    b->shm.control->outputs = 0;
    tracer_poll(&tracer, 0x204, 50);
    assert_true(b->shm.gpio[2] == ((50ull << 16) | 0x204));
}

static void test_tracer_counts_what_a_full_ring_loses(void **state)
{
    struct bench *b = *state;
    struct tracer tracer;

    b->shm.control->gpio_mask = 1;
    tracer_boot(&tracer, &b->shm);
    for (uint32_t i = 0; i < PRU_GPIO_EVENT_COUNT + 3u; i++) {
        tracer_poll(&tracer, (i + 1) & 1u, i);
    }
    assert_int_equal(b->shm.control->gpio_write_idx, PRU_GPIO_EVENT_COUNT);
    assert_int_equal(b->shm.control->gpio_lost, 3);
    b->shm.control->gpio_read_idx = 1;
    tracer_poll(&tracer, 0, 99);
    assert_int_equal(b->shm.control->gpio_lost, 3);
    assert_true(b->shm.gpio[0] == 99ull << 16);
}

#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(test_boot_switches_off_and_says_the_version),
        BENCH_TEST(test_harvest_fills_blocks_on_the_grid_and_ends_at_the_sample),
        BENCH_TEST(test_commands_out_of_place_are_refused),
        BENCH_TEST(test_parameters_of_another_version_are_refused),
        BENCH_TEST(test_stop_later_and_stop_in_the_past),
        BENCH_TEST(test_a_full_ring_loses_whole_blocks_and_counts_them),
        BENCH_TEST(test_emulation_passes_input_through_and_counts_underruns),
        BENCH_TEST(test_power_good_and_muting_reach_the_other_core),
        BENCH_TEST(test_a_broken_canary_stops_everything),
        BENCH_TEST(test_two_runs_after_another_are_independent),
        BENCH_TEST(test_utilisation_is_summed_over_10000_samples),
        cmocka_unit_test(test_timebase_loses_no_fraction),
        BENCH_TEST(test_tracer_stores_edges_of_masked_pins),
        BENCH_TEST(test_tracer_counts_what_a_full_ring_loses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
