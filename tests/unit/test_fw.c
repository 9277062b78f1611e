/* SPDX-License-Identifier: MIT */
/* The firmware's own images, executed instruction by instruction: the same integers as on the
 * host, samples on time, converters treated as their data sheets say, and every fault named. */
#include "common/presets.h"
#include "common/vsource_derive.h"
#include "pru/core/sampler.h"
#include "tests/support/fw_bench.h"
#include "tests/support/scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    N_SAMPLES = 1100, /* more than a block */
    N_INPUT = 4000,
    ALL_ARRAYS = 15,
    STALL_CYCLES = 4000, /* 20 us */
};

static struct fw_bench bench;
static const char *folder;
static struct presets *presets;

/* Never 1000 equal ones in a row: an ADC that lives. */
static uint32_t live_code(uint64_t reading, bool is_voltage)
{
    uint32_t hash = (uint32_t)(reading / 50) * 2654435761u;

    return ((hash >> 18) & 0xFFFu) + (uint32_t)(reading & 3u) + (is_voltage ? 100000u : 0);
}

static int open_bench(void **state)
{
    (void)state;
    memset(&bench, 0, sizeof(bench));
    bench.adc_code = live_code;
    return 0;
}

static int close_bench(void **state)
{
    (void)state;
    fw_bench_close(&bench);
    return 0;
}

static void boot_at(enum pru_mode mode, enum pru_latency latency)
{
    if (folder == NULL) {
        print_message("skipped: no PRU compiler, so no firmware\n");
        skip();
    }
    if (fw_bench_boot(&bench, folder, mode, latency) < 0) {
        fail_msg("%s", bench.why);
    }
}

static void boot(enum pru_mode mode)
{
    boot_at(mode, PRU_LATENCY_BEST);
}

static void run_to(enum pru_state state, uint32_t ms)
{
    for (uint32_t i = 0; i < ms * 10 && bench.shm.control->state != (uint32_t)state; i++) {
        fw_bench_run(&bench, FW_MS / 10);
    }
    assert_int_equal(bench.shm.control->state, state);
}

static void assert_rules_kept(void)
{
    char text[1024];

    cape_explain(&bench.cape, text, sizeof(text));
    assert_string_equal(text, "");
}

static void fill_input(const struct vsource_params *params)
{
    uint32_t seed = 7;
    uint32_t window = params->harvester.window_samples;
    struct curve_point point = { 3000000, 1000000 };

    for (uint32_t k = 0; k < N_INPUT; k++) {
        if (window > 1) {
            uint32_t V_uV = 5000000u - 5507u * (k % window % 907u);

            point.voltage_uV = V_uV;
            point.current_nA = V_uV < 4000000u ? (4000000u - V_uV) * 2 + k % 977u : 0;
        } else if (k % 70 == 0) {
            point.voltage_uV = scene_random(&seed) % 5000000u;
            point.current_nA = scene_random(&seed) >> (8 + scene_random(&seed) % 16u);
        }
        bench.shm.input[k].voltage_uV = point.voltage_uV;
        bench.shm.input[k].current_nA = point.current_nA;
    }
    bench.shm.control->input_write_idx = N_INPUT;
}

static struct vsource_params source_params(const char *name, enum scene_environment around)
{
    struct vsource_input input = scene_input(around);
    struct source_config source;
    struct vsource_params params;
    struct err err = { .code = ERR_NONE };

    scene_source(presets, name, &source);
    vsource_derive_defaults(&params);
    assert_int_equal(vsource_derive_source(&source, &input, &params, &err), 0);
    return params;
}

static struct vsource_params harvester_params(const char *name)
{
    struct harvester_config harvester;
    struct vsource_params params;
    struct err err = { .code = ERR_NONE };

    scene_harvester(presets, name, &harvester);
    vsource_derive_defaults(&params);
    assert_int_equal(vsource_derive_harvester(&harvester, NULL, &params, &err), 0);
    return params;
}

/* ---- the same on the host ---- */

struct host {
    struct pru_shm shm;
    struct sample_io io;
    struct sampler sampler;
    uint64_t n_current;
    uint64_t n_voltage;
    uint32_t dac[3];
};

static uint32_t host_voltage(void *context)
{
    return live_code(((struct host *)context)->n_voltage++, true);
}

static uint32_t host_current(void *context)
{
    return live_code(((struct host *)context)->n_current++, false);
}

static void host_dac(void *context, enum sample_dac channel, uint32_t code)
{
    ((struct host *)context)->dac[channel] = code;
}

static void host_good(void *context, bool is_good)
{
    (void)context;
    (void)is_good;
}

static void host_command(struct host *host, enum pru_command command)
{
    host->shm.control->command = command;
    host->shm.control->command_seq++;
    assert_true(sampler_poll(&host->sampler, 0));
    assert_int_equal(host->shm.control->error, PRU_ERROR_NONE);
}

/* Everything that the firmware was given, but its results, goes to the host's sampler. */
static struct host *run_host(const struct vsource_params *params, uint64_t n_samples)
{
    struct host *host = calloc(1, sizeof(*host));
    struct pru_control *control = calloc(1, sizeof(*control));

    assert_non_null(host);
    assert_non_null(control);
    host->shm.control = control;
    host->shm.input = bench.shm.input;
    host->shm.blocks = calloc(PRU_BLOCK_COUNT, sizeof(*host->shm.blocks));
    host->io = (struct sample_io){ host, host_voltage, host_current, host_dac, host_good };
    sampler_boot(&host->sampler, &host->shm, &host->io);
    control->params = *params;
    control->mode = bench.mode;
    control->record_mask = ALL_ARRAYS;
    control->input_write_idx = bench.shm.control->input_write_idx;
    host_command(host, PRU_COMMAND_CONFIGURE);
    control->start_tick = 1;
    control->stop_sample = n_samples;
    host_command(host, PRU_COMMAND_ARM);
    for (uint64_t k = 0; sampler_is_active(&host->sampler); k++) {
        (void)sampler_step(&host->sampler, 1 + k * PRU_SAMPLE_TICKS);
    }
    return host;
}

static void destroy_host(struct host *host)
{
    free(host->shm.blocks);
    free(host->shm.control);
    free(host);
}

static void assert_same_as_host(const struct vsource_params *params, const char *name)
{
    struct host *host = run_host(params, N_SAMPLES);

    assert_int_equal(bench.shm.control->block_write_idx, host->shm.control->block_write_idx);
    for (uint32_t k = 0; k < N_SAMPLES; k++) {
        const struct pru_block *mine = &bench.shm.blocks[k / PRU_BLOCK_SAMPLES];
        const struct pru_block *other = &host->shm.blocks[k / PRU_BLOCK_SAMPLES];

        for (uint32_t array = 0; array < PRU_BLOCK_ARRAYS; array++) {
            uint32_t value = mine->samples[array][k % PRU_BLOCK_SAMPLES];
            uint32_t expected = other->samples[array][k % PRU_BLOCK_SAMPLES];

            if (value != expected) {
                fail_msg("%s: sample %u, array %u: firmware %u, host %u", name, k, array, value,
                         expected);
            }
        }
        assert_int_equal(mine->n_samples, other->n_samples);
        assert_int_equal(mine->underruns, other->underruns);
        assert_int_equal(mine->first_underrun, other->first_underrun);
        assert_int_equal(mine->clamped, other->clamped);
        assert_int_equal(mine->canary, PRU_CANARY);
    }
    if (bench.mode == PRU_MODE_HARVEST) {
        assert_int_equal(bench.dac[SAMPLE_DAC_HARVEST], host->dac[SAMPLE_DAC_HARVEST]);
    } else {
        assert_int_equal(bench.dac[SAMPLE_DAC_TARGET], host->dac[SAMPLE_DAC_TARGET]);
        assert_int_equal(bench.dac[SAMPLE_DAC_AUX], host->dac[SAMPLE_DAC_AUX]);
    }
    assert_int_equal(bench.shm.control->inputs_done, host->shm.control->inputs_done);
    destroy_host(host);
}

static void start(const struct vsource_params *params, uint64_t n_samples)
{
    if (fw_bench_start(&bench, params, ALL_ARRAYS, n_samples) < 0) {
        fail_msg("%s", bench.why);
    }
}

/* ---- tests ---- */

static void test_boot_starts_the_converters_by_the_book(void **state)
{
    (void)state;
    boot(PRU_MODE_EMULATE);
    assert_int_equal(bench.shm.control->state, PRU_STATE_IDLE);
    assert_int_equal(bench.shm.control->error, PRU_ERROR_NONE);
    assert_int_equal(bench.shm.control->abi_version, PRU_ABI_VERSION);
    assert_int_equal(bench.dac[SAMPLE_DAC_TARGET], 0);
    assert_rules_kept();
    fw_bench_close(&bench);
    (void)open_bench(NULL);
    boot(PRU_MODE_HARVEST);
    assert_int_equal(bench.shm.control->state, PRU_STATE_IDLE);
    fw_bench_run(&bench, FW_MS / 10);                        /* PRU0 writes what PRU1 orders */
    assert_int_equal(bench.dac[SAMPLE_DAC_HARVEST], 0xFFFF); /* the source is open */
    assert_rules_kept();
}

static void test_harvest_gives_the_same_integers_as_the_host(void **state)
{
    static const char *const NAMES[] = { "cv20", "ivcurve", "mppt_voc", "mppt_po", "isc_voc" };

    (void)state;
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        struct vsource_params params = harvester_params(NAMES[i]);

        boot(PRU_MODE_HARVEST);
        start(&params, N_SAMPLES);
        run_to(PRU_STATE_DONE, 30);
        assert_same_as_host(&params, NAMES[i]);
        assert_int_equal(bench.shm.blocks[0].flags & PRU_BLOCK_LATE, 0);
        assert_rules_kept();
        fw_bench_close(&bench);
        (void)open_bench(NULL);
    }
}

static void test_emulation_gives_the_same_integers_as_the_host(void **state)
{
    static const char *const NAMES[] = { "direct", "dio_cap", "BQ25504s", "BQ25570s" };

    (void)state;
    for (size_t i = 0; i < 2 * sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        const char *name = NAMES[i / 2];
        struct vsource_params params =
            source_params(name, i % 2 == 0 ? SCENE_SUN : SCENE_BLOCKS);

        boot(PRU_MODE_EMULATE);
        fill_input(&params);
        start(&params, N_SAMPLES);
        run_to(PRU_STATE_DONE, 60);
        assert_same_as_host(&params, name);
        assert_rules_kept();
        fw_bench_close(&bench);
        (void)open_bench(NULL);
    }
}

/* Every conversion begins at its tick, also while the period is steered. */
/* That nothing was late, for a run of so many ADCs at 2000.75 ticks a sample. */
static void assert_on_time(uint32_t n_adcs, uint32_t n_samples)
{
    int64_t earliest = 0;
    int64_t latest = 0;

    assert_int_equal(bench.n_triggers, n_adcs * n_samples);
    for (uint32_t n = 0; n < n_samples; n++) {
        uint64_t trigger = bench.triggers[(size_t)n * n_adcs];
        int64_t late = (int64_t)(trigger - bench.triggers[0]) - (int64_t)((double)n * 2000.75);

        assert_int_equal(trigger, bench.triggers[n * n_adcs + n_adcs - 1]);
        earliest = late < earliest ? late : earliest;
        latest = late > latest ? late : latest;
    }
    print_message("figure: samples begin within %lld and %lld ticks of 5 ns\n",
                  (long long)earliest, (long long)latest);
    assert_in_range(latest - earliest, 0, 6);
    for (uint32_t i = 0; i < bench.shm.control->block_write_idx; i++) {
        assert_int_equal(bench.shm.blocks[i].flags & PRU_BLOCK_LATE, 0);
    }
}

static void test_samples_begin_on_time(void **state)
{
    struct vsource_params params = { 0 };

    (void)state;
    boot(PRU_MODE_HARVEST);
    params = harvester_params("cv20");
    bench.period_ticks_q20 = PRU_PERIOD_NOMINAL_Q20 + (3u << 18); /* 2000.75 */
    start(&params, 1000);
    run_to(PRU_STATE_DONE, 30);
    assert_on_time(2, 1000);
}

/* The longest samples, over the end of a block, with every access at its worst. */
static void test_emulated_samples_begin_on_time(void **state)
{
    static const char *const SOURCES[] = { "direct", "diode+resistor+capacitor", "BQ25504s",
                                           "BQ25570s" };

    (void)state;
    for (size_t i = 0; i < sizeof(SOURCES) / sizeof(SOURCES[0]); i++) {
        struct vsource_params params = source_params(SOURCES[i], SCENE_SUN);

        open_bench(NULL);
        boot_at(PRU_MODE_EMULATE, PRU_LATENCY_WORST);
        fill_input(&params);
        bench.period_ticks_q20 = PRU_PERIOD_NOMINAL_Q20 + (3u << 18);
        start(&params, N_SAMPLES);
        run_to(PRU_STATE_DONE, 30);
        assert_on_time(1, N_SAMPLES);
        if (i + 1 < sizeof(SOURCES) / sizeof(SOURCES[0])) {
            close_bench(NULL);
        }
    }
}

static void test_silent_adc_is_named_at_boot(void **state)
{
    struct vsource_params params = { 0 };

    (void)state;
    boot(PRU_MODE_EMULATE);
    fw_bench_close(&bench);
    (void)open_bench(NULL);
    bench.defect = ADS8691_SILENT;
    boot(PRU_MODE_EMULATE);
    assert_int_equal(bench.shm.control->state, PRU_STATE_FAULT);
    assert_int_equal(bench.shm.control->error, PRU_ERROR_ADC);
    assert_int_equal(bench.shm.control->error_detail, PRU_ADC_EMULATOR_CURRENT);
    params = source_params("direct", SCENE_BLOCKS);
    assert_int_equal(fw_bench_start(&bench, &params, 1, 10), -1);
}

static void test_adc_that_falls_silent_is_named(void **state)
{
    struct vsource_params params = { 0 };

    (void)state;
    boot(PRU_MODE_EMULATE);
    params = source_params("direct", SCENE_BLOCKS);
    fill_input(&params);
    start(&params, 100000);
    fw_bench_run(&bench, 5 * FW_MS);
    assert_int_equal(bench.shm.control->state, PRU_STATE_RUNNING);
    bench.cape.adc[CAPE_ADC_EMU_I].defect = ADS8691_SILENT;
    run_to(PRU_STATE_FAULT, 60);
    assert_int_equal(bench.shm.control->error, PRU_ERROR_ADC);
    assert_int_equal(bench.shm.control->error_detail, PRU_ADC_EMULATOR_CURRENT);
    fw_bench_run(&bench, FW_MS);
    assert_int_equal(bench.dac[SAMPLE_DAC_TARGET], 0);
}

/* It is started again, and its block says so. */
static void test_adc_that_forgets_its_range_is_started_again(void **state)
{
    struct vsource_params params = { 0 };
    bool is_marked = false;

    (void)state;
    boot(PRU_MODE_EMULATE);
    params = source_params("direct", SCENE_BLOCKS);
    fill_input(&params);
    start(&params, 4000);
    fw_bench_run(&bench, 5 * FW_MS);
    bench.cape.adc[CAPE_ADC_EMU_I].defect = ADS8691_FORGETFUL;
    run_to(PRU_STATE_DONE, 80);
    assert_int_equal(bench.shm.control->error, PRU_ERROR_NONE);
    for (uint32_t i = 0; i < bench.shm.control->block_write_idx; i++) {
        is_marked |= (bench.shm.blocks[i].flags & PRU_BLOCK_ADC) != 0;
    }
    assert_true(is_marked);
    assert_int_not_equal(bench.shm.blocks[3].samples[PRU_ARRAY_CURRENT][900], 0);
}

static void test_broken_canary_is_a_fault(void **state)
{
    struct vsource_params params = { 0 };

    (void)state;
    boot(PRU_MODE_EMULATE);
    params = source_params("direct", SCENE_BLOCKS);
    fill_input(&params);
    start(&params, 100000);
    fw_bench_run(&bench, 5 * FW_MS);
    bench.shm.control->canary_middle = 0;
    run_to(PRU_STATE_FAULT, 2);
    assert_int_equal(bench.shm.control->error, PRU_ERROR_CANARY);
    fw_bench_run(&bench, FW_MS);
    assert_int_equal(bench.dac[SAMPLE_DAC_TARGET], 0);
}

static void test_a_core_that_hangs_is_named_by_the_other(void **state)
{
    struct vsource_params params = { 0 };

    (void)state;
    for (unsigned core = 0; core < 2; core++) {
        boot(PRU_MODE_EMULATE);
        params = source_params("direct", SCENE_BLOCKS);
        fill_input(&params);
        start(&params, 100000);
        fw_bench_run(&bench, 5 * FW_MS);
        pru_soc_stop(bench.soc, core);
        run_to(PRU_STATE_FAULT, 5);
        assert_int_equal(bench.shm.control->error, PRU_ERROR_WATCHDOG);
        assert_int_equal(bench.shm.control->error_detail, core);
        fw_bench_run(&bench, FW_MS);
        if (core == 1) { /* the core that drives the supply still lives */
            assert_int_equal(bench.dac[SAMPLE_DAC_TARGET], 0);
        }
        fw_bench_close(&bench);
        (void)open_bench(NULL);
    }
}

static void test_an_image_refuses_the_other_mode(void **state)
{
    struct vsource_params params = { 0 };

    (void)state;
    boot(PRU_MODE_HARVEST);
    params = source_params("direct", SCENE_BLOCKS);
    bench.mode = PRU_MODE_EMULATE;
    assert_int_equal(fw_bench_start(&bench, &params, 1, 10), -1);
    assert_int_equal(bench.shm.control->error, PRU_ERROR_PARAMS);
}

static void test_missing_input_is_counted_as_on_the_host(void **state)
{
    struct vsource_params params = { 0 };

    (void)state;
    boot(PRU_MODE_EMULATE);
    params = source_params("direct", SCENE_BLOCKS);
    fill_input(&params);
    bench.shm.control->input_write_idx = 700;
    start(&params, N_SAMPLES);
    run_to(PRU_STATE_DONE, 30);
    assert_int_equal(bench.shm.control->input_underruns, N_SAMPLES - 700);
    assert_same_as_host(&params, "direct");
}

static void test_full_ring_loses_blocks_and_counts_them(void **state)
{
    struct vsource_params params = { 0 };

    (void)state;
    boot(PRU_MODE_HARVEST);
    params = harvester_params("cv20");
    bench.shm.control->block_read_idx = 1u - PRU_BLOCK_COUNT; /* room for one */
    start(&params, 2500);
    run_to(PRU_STATE_DONE, 40);
    assert_int_equal(bench.shm.control->block_write_idx, 1);
    assert_int_equal(bench.shm.control->blocks_lost, 2);
    assert_int_equal(bench.shm.control->samples_done, 2500);
}

/* Stores wait, so samples begin late, and their block says so; their values are right. */
static void test_stalled_ddr_is_marked_and_changes_no_sample(void **state)
{
    struct vsource_params params = { 0 };

    (void)state;
    boot(PRU_MODE_HARVEST);
    params = harvester_params("cv20");
    start(&params, N_SAMPLES);
    fw_bench_run(&bench, 5 * FW_MS);
    pru_soc_stall_ddr(bench.soc, pru_soc_cycle(bench.soc) + STALL_CYCLES);
    run_to(PRU_STATE_DONE, 40);
    assert_int_equal(bench.shm.blocks[0].flags & PRU_BLOCK_LATE, PRU_BLOCK_LATE);
    assert_int_equal(bench.shm.blocks[1].flags & PRU_BLOCK_LATE, 0);
    assert_same_as_host(&params, "cv20");
}

/* The block with samples that could not begin on time says so, the others do not; none is lost.
 */
static void test_late_samples_are_marked(void **state)
{
    struct vsource_params params = { 0 };

    (void)state;
    boot(PRU_MODE_HARVEST);
    params = harvester_params("cv20");
    start(&params, 3000);
    fw_bench_run(&bench, 15 * FW_MS);
    assert_int_equal(bench.shm.control->block_write_idx, 1);
    pru_soc_stop(bench.soc, 0);
    fw_bench_run(&bench, STALL_CYCLES);
    pru_soc_start(bench.soc, 0);
    run_to(PRU_STATE_DONE, 40);
    assert_int_equal(bench.shm.blocks[0].flags & PRU_BLOCK_LATE, 0);
    assert_int_equal(bench.shm.blocks[1].flags & PRU_BLOCK_LATE, PRU_BLOCK_LATE);
    assert_int_equal(bench.shm.blocks[2].flags & PRU_BLOCK_LATE, 0);
    assert_int_equal(bench.shm.control->samples_done, 3000);
}

static void test_halt_while_running_switches_off(void **state)
{
    struct vsource_params params = { 0 };

    (void)state;
    boot(PRU_MODE_EMULATE);
    params = source_params("direct", SCENE_BLOCKS);
    fill_input(&params);
    start(&params, 100000);
    fw_bench_run(&bench, 5 * FW_MS);
    assert_int_equal(fw_bench_command(&bench, PRU_COMMAND_HALT), PRU_ERROR_NONE);
    fw_bench_run(&bench, FW_MS);
    assert_int_equal(bench.shm.control->state, PRU_STATE_IDLE);
    assert_int_equal(bench.dac[SAMPLE_DAC_TARGET], 0);
    start(&params, 10); /* and begins anew */
    run_to(PRU_STATE_DONE, 5);
    assert_int_equal(bench.shm.control->samples_done, 10);
}

int main(void)
{
#define FW_TEST(name) cmocka_unit_test_setup_teardown(name, open_bench, close_bench)
    const struct CMUnitTest tests[] = {
        FW_TEST(test_boot_starts_the_converters_by_the_book),
        FW_TEST(test_harvest_gives_the_same_integers_as_the_host),
        FW_TEST(test_emulation_gives_the_same_integers_as_the_host),
        FW_TEST(test_samples_begin_on_time),
        FW_TEST(test_emulated_samples_begin_on_time),
        FW_TEST(test_silent_adc_is_named_at_boot),
        FW_TEST(test_adc_that_falls_silent_is_named),
        FW_TEST(test_adc_that_forgets_its_range_is_started_again),
        FW_TEST(test_broken_canary_is_a_fault),
        FW_TEST(test_a_core_that_hangs_is_named_by_the_other),
        FW_TEST(test_an_image_refuses_the_other_mode),
        FW_TEST(test_missing_input_is_counted_as_on_the_host),
        FW_TEST(test_full_ring_loses_blocks_and_counts_them),
        FW_TEST(test_stalled_ddr_is_marked_and_changes_no_sample),
        FW_TEST(test_late_samples_are_marked),
        FW_TEST(test_halt_while_running_switches_off),
    };
    struct fault_list faults = { 0 };
    int failed = 0;

    folder = fw_bench_has_images(BW_PRU_IMAGES) ? BW_PRU_IMAGES : NULL;
    presets = presets_load(NULL, &faults);
    if (presets == NULL) {
        return 1;
    }
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    presets_destroy(&presets);
    fault_fini(&faults);
    return failed;
}
