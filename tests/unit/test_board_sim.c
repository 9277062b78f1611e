/* SPDX-License-Identifier: MIT */
/* The simulated board as the recorder sees it: through its memory and its counter. */
#include "sheep/board_sim.h"

#include "common/clock.h"
#include "common/vsource_derive.h"
#include "sheep/pru_link.h"
#include "tests/support/temp_folder.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

enum {
    MAX_SAMPLES = 20000,
    LEAD_MS = 5000, /* in virtual time nobody waits for it */
    WAIT_MS = 10000
};

struct fixture {
    char folder[TEMP_FOLDER_SIZE];
    struct sim_config config;
    struct board *board;
    struct pru_link link;
    struct vsource_params params;
    uint64_t start_tick;
    uint64_t first_tick; /* of the first block */
    uint32_t n_samples;
    uint32_t voltage[MAX_SAMPLES];
    uint32_t current[MAX_SAMPLES];
    struct err err;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct calibration calibration = calibration_default();
    struct node_config config;

    assert_non_null(f);
    temp_folder_make(f->folder);
    assert_int_equal(sim_config_load(&f->config, NULL, NULL, &f->err), 0);
    f->config.speed = SIM_FAST;
    f->config.world.transducer.kind = TRANSDUCER_CONSTANT;
    f->config.world.transducer.source_V = 3.0;
    f->config.world.transducer.source_Ohm = 1000.0;
    schema_defaults(&node_config_schema, &config);
    config.mode = MODE_HARVEST;
    config.harvester.algorithm = HARVESTER_CV;
    config.harvester.voltage_mV = 1000.0;
    config.harvester.voltage_min_mV = 0.0;
    config.harvester.voltage_max_mV = 5000.0;
    if (vsource_derive(&config, &calibration, &f->params, &f->err) < 0) {
        fail_msg("%s", f->err.text);
    }
    *state = f;
    return 0;
}

static void dismiss(struct fixture *f)
{
    if (f->board != NULL) {
        pru_link_halt(&f->link);
        f->board->ops->destroy(f->board);
        f->board = NULL;
    }
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    dismiss(f);
    temp_folder_remove(f->folder);
    free(f);
    return 0;
}

static void create(struct fixture *f)
{
    f->board = board_sim_create(&f->config, &f->err);
    if (f->board == NULL) {
        fail_msg("%s", f->err.text);
    }
    pru_link_init(&f->link, f->board);
}

static void succeed(const struct fixture *f, int result)
{
    if (result < 0) {
        fail_msg("%s", f->err.text);
    }
}

static void boot_and_configure(struct fixture *f)
{
    struct pru_link_setup setup = { .mode = PRU_MODE_HARVEST,
                                    .record_mask = 3,
                                    .params = &f->params };

    succeed(f, pru_link_boot(&f->link, PRU_MODE_HARVEST, &f->err));
    succeed(f, pru_link_configure(&f->link, &setup, &f->err));
}

static void start(struct fixture *f, int64_t lead_ms, uint64_t stop_sample)
{
    f->start_tick =
        f->board->ops->counter(f->board) + (uint64_t)(lead_ms * NS_PER_MS / PRU_TICK_NS);
    f->n_samples = 0;
    succeed(
        f, pru_link_arm(&f->link, f->start_tick, stop_sample, PRU_PERIOD_NOMINAL_Q20, &f->err));
}

/* Takes what waits in the ring; every block must follow the one before. */
static void collect(struct fixture *f)
{
    const struct pru_block *block = NULL;

    for (;;) {
        succeed(f, pru_link_block(&f->link, &block, &f->err));
        if (block == NULL) {
            return;
        }
        assert_int_equal(block->first_sample, f->n_samples);
        assert_true(f->n_samples + block->n_samples <= MAX_SAMPLES);
        if (f->n_samples == 0) {
            f->first_tick = block->first_tick;
        }
        memcpy(f->voltage + f->n_samples, block->samples[PRU_ARRAY_VOLTAGE],
               block->n_samples * sizeof(uint32_t));
        memcpy(f->current + f->n_samples, block->samples[PRU_ARRAY_CURRENT],
               block->n_samples * sizeof(uint32_t));
        f->n_samples += block->n_samples;
        pru_link_block_done(&f->link);
    }
}

static void run_to_end(struct fixture *f)
{
    for (int ms = 0; pru_link_state(&f->link) != PRU_STATE_DONE && ms < WAIT_MS; ms++) {
        collect(f);
        poll(NULL, 0, 1);
    }
    assert_int_equal(pru_link_state(&f->link), PRU_STATE_DONE);
    collect(f);
}

static void run_whole(struct fixture *f, uint64_t count)
{
    create(f);
    boot_and_configure(f);
    start(f, LEAD_MS, count);
    run_to_end(f);
}

static void test_a_run_takes_exactly_its_samples(void **state)
{
    struct fixture *f = *state;
    double voltage_V = 0.0;
    double current_A = 0.0;

    run_whole(f, 12345);
    assert_true(f->board->is_virtual_time);
    assert_string_equal(f->board->ops->name, "sim");
    assert_int_equal(f->n_samples, 12345);
    assert_true(f->first_tick == f->start_tick);
    for (uint32_t i = 2345; i < f->n_samples; i++) {
        voltage_V += f->voltage[i] * 5.12 / 262144 / 10000;
        current_A += f->current[i] / 4915200.0 / 10000;
    }
    assert_in_range((int)(voltage_V * 1e3), 990, 1010);  /* held by the harvester */
    assert_in_range((int)(current_A * 1e6), 1970, 2030); /* 2 V over 1 kOhm */
}

static void test_a_fast_board_keeps_to_its_limit(void **state)
{
    enum {
        LIMIT = 5,
        COUNT = MAX_SAMPLES
    };
    struct fixture *f = *state;
    int64_t begin_ns = 0;

    f->config.fast_limit = LIMIT;
    create(f);
    boot_and_configure(f);
    begin_ns = clock_mono_ns();
    start(f, LEAD_MS, COUNT);
    run_to_end(f);
    assert_int_equal(f->n_samples, COUNT);
    /* 0.2 s of data; the last piece that is taken at once is one of 1 000 samples */
    assert_true(clock_mono_ns() - begin_ns >= (int64_t)(COUNT - 1000) * 10000 / LIMIT);
}

static void test_the_seed_decides_every_sample(void **state)
{
    static uint32_t first[MAX_SAMPLES];
    struct fixture *f = *state;

    run_whole(f, 3000);
    memcpy(first, f->voltage, sizeof(first));
    /* The same board again, then another one of the same seed, then one of another. */
    boot_and_configure(f);
    start(f, LEAD_MS, 3000);
    run_to_end(f);
    assert_memory_equal(f->voltage, first, 3000 * sizeof(first[0]));
    dismiss(f);
    run_whole(f, 3000);
    assert_memory_equal(f->voltage, first, 3000 * sizeof(first[0]));
    dismiss(f);
    f->config.world.seed++;
    run_whole(f, 3000);
    assert_memory_not_equal(f->voltage, first, 3000 * sizeof(first[0]));
}

static void test_the_truth_is_written_where_it_is_expected(void **state)
{
    struct fixture *f = *state;
    struct board_plan plan = { .truth_path = NULL };
    char path[TEMP_PATH_SIZE];
    struct stat status;

    temp_folder_path(f->folder, "run.truth", path);
    plan.truth_path = path;
    create(f);
    f->board->ops->expect(f->board, &plan);
    boot_and_configure(f);
    start(f, LEAD_MS, 1500);
    run_to_end(f);
    pru_link_halt(&f->link);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, 32 + 1500 * 32);
}

static void test_in_real_time_no_sample_comes_before_its_instant(void **state)
{
    struct fixture *f = *state;
    uint64_t now = 0;

    f->config.speed = SIM_REAL;
    create(f);
    assert_false(f->board->is_virtual_time);
    boot_and_configure(f);
    start(f, 30, 3000);
    poll(NULL, 0, 10);
    assert_int_equal(pru_link_state(&f->link), PRU_STATE_ARMED);
    run_to_end(f);
    now = f->board->ops->counter(f->board);
    assert_int_equal(f->n_samples, 3000);
    assert_true(f->first_tick >= f->start_tick);
    assert_true(now >= f->start_tick + UINT64_C(2999) * PRU_SAMPLE_TICKS);
}

static void test_disarmed_it_takes_none(void **state)
{
    struct fixture *f = *state;

    f->config.speed = SIM_REAL;
    create(f);
    boot_and_configure(f);
    start(f, 60, 1000);
    succeed(f, pru_link_disarm(&f->link, &f->err));
    poll(NULL, 0, 80);
    assert_int_equal(pru_link_state(&f->link), PRU_STATE_READY);
    collect(f);
    assert_int_equal(f->n_samples, 0);
}

/* ns of the host's clock and ticks of the counter, read together to 10 us. */
static void read_both(const struct fixture *f, int64_t *mono_ns, uint64_t *tick)
{
    int64_t after_ns = 0;

    do {
        *mono_ns = clock_mono_ns();
        *tick = f->board->ops->counter(f->board);
        after_ns = clock_mono_ns();
    } while (after_ns - *mono_ns > 10 * NS_PER_US);
}

static void test_the_counter_has_the_error_of_its_crystal(void **state)
{
    static const double PPMS[] = { 200.0, -200.0 };

    for (size_t i = 0; i < ARRAY_LEN(PPMS); i++) {
        struct fixture *f = *state;
        int64_t before_ns = 0;
        int64_t after_ns = 0;
        uint64_t before = 0;
        uint64_t after = 0;
        double ppm = 0.0;

        f->config.oscillator_ppm = PPMS[i];
        create(f);
        read_both(f, &before_ns, &before);
        poll(NULL, 0, 150);
        read_both(f, &after_ns, &after);
        ppm = ((double)(after - before) * PRU_TICK_NS / (double)(after_ns - before_ns) - 1.0)
              * 1e6;
        assert_in_range((int)(ppm - PPMS[i] + 1000.0), 920, 1080);
        dismiss(f);
    }
}

/* ---- the faults that a config may ask for ---- */

static void test_a_late_board_starts_late(void **state)
{
    struct fixture *f = *state;

    f->config.late_samples = 37;
    run_whole(f, 1000);
    assert_true(f->first_tick == f->start_tick + UINT64_C(37) * PRU_SAMPLE_TICKS);
    assert_int_equal(f->n_samples, 1000);
}

static void test_a_hanging_board_takes_no_more(void **state)
{
    struct fixture *f = *state;

    f->config.hang_at = 2500;
    create(f);
    boot_and_configure(f);
    start(f, LEAD_MS, 10000);
    for (int ms = 0; f->n_samples < 2000 && ms < WAIT_MS; ms++) {
        collect(f);
        poll(NULL, 0, 1);
    }
    poll(NULL, 0, 50);
    collect(f);
    assert_int_equal(f->n_samples, 2000);
    assert_int_equal(pru_link_state(&f->link), PRU_STATE_RUNNING);
    assert_int_equal(pru_link_check(&f->link, &f->err), 0); /* it does not say so */
}

/* Seen by whoever looks first: the host at its canaries, or the firmware while it is armed. */
static void test_overwritten_memory_is_seen(void **state)
{
    struct fixture *f = *state;
    int result = 0;

    f->config.overwrite_at = 1;
    create(f);
    boot_and_configure(f);
    assert_int_equal(pru_link_check(&f->link, &f->err), 0);
    result = pru_link_arm(&f->link, f->board->ops->counter(f->board) + 1000000000, 10000,
                          PRU_PERIOD_NOMINAL_Q20, &f->err);
    for (int ms = 0; result == 0 && ms < WAIT_MS; ms++) {
        result = pru_link_check(&f->link, &f->err);
        poll(NULL, 0, 1);
    }
    assert_int_equal(result, -1);
    assert_non_null(strstr(f->err.text, "overwritten"));
}

static int64_t time_counter(const struct fixture *f)
{
    int64_t begin_ns = clock_mono_ns();

    f->board->ops->counter(f->board);
    return clock_mono_ns() - begin_ns;
}

static void test_a_stall_holds_the_recorder_up_once(void **state)
{
    struct fixture *f = *state;

    f->config.stall_at = 1000;
    f->config.stall_ms = 150;
    f->config.hang_at = 3000;
    create(f);
    boot_and_configure(f);
    assert_true(time_counter(f) < 100 * NS_PER_MS);
    start(f, LEAD_MS, 10000);
    for (int ms = 0; f->n_samples < 2000 && ms < WAIT_MS; ms++) {
        collect(f);
        poll(NULL, 0, 1);
    }
    assert_true(time_counter(f) >= 150 * NS_PER_MS);
    assert_true(time_counter(f) < 100 * NS_PER_MS);
}

/* ---- what cannot be built ---- */

static void test_an_impossible_world_is_refused_by_name(void **state)
{
    struct fixture *f = *state;

    f->config.world.transducer.kind = TRANSDUCER_REPLAY;
    snprintf(f->config.world.transducer.curve, sizeof(f->config.world.transducer.curve),
             "%s/no-such-curve.csv", f->folder);
    assert_null(board_sim_create(&f->config, &f->err));
    assert_int_equal(f->err.code, ERR_INPUT);
    assert_non_null(strstr(f->err.text, "simulated world: "));
    assert_non_null(strstr(f->err.text, "no-such-curve.csv"));
}

static void test_an_impossible_outside_is_refused_by_name(void **state)
{
    struct fixture *f = *state;

    snprintf(f->config.pin_file, sizeof(f->config.pin_file), "%s/missing/pin", f->folder);
    assert_null(board_sim_create(&f->config, &f->err));
    assert_non_null(strstr(f->err.text, "missing/pin"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_run_takes_exactly_its_samples),
        TEST(test_a_fast_board_keeps_to_its_limit),
        TEST(test_the_seed_decides_every_sample),
        TEST(test_the_truth_is_written_where_it_is_expected),
        TEST(test_in_real_time_no_sample_comes_before_its_instant),
        TEST(test_disarmed_it_takes_none),
        TEST(test_the_counter_has_the_error_of_its_crystal),
        TEST(test_a_late_board_starts_late),
        TEST(test_a_hanging_board_takes_no_more),
        TEST(test_overwritten_memory_is_seen),
        TEST(test_a_stall_holds_the_recorder_up_once),
        TEST(test_an_impossible_world_is_refused_by_name),
        TEST(test_an_impossible_outside_is_refused_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
