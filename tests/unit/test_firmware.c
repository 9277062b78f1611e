/* SPDX-License-Identifier: MIT */
/* The firmware's binaries in the PRU simulator beside the simulated board: the same world, the
 * same parameters, the same integers for every sample; no rule of a converter broken. Skipped
 * with a word where there is no PRU compiler. */
#include "common/clock.h"
#include "common/presets.h"
#include "common/vsource_derive.h"
#include "sheep/board_iss.h"
#include "sheep/board_sim.h"
#include "sheep/pru_link.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    N_SAMPLES = 2500,
    LEAD_MS = 300, /* a busy host takes some of it before the command is there */
    WAIT_MS = 60000,
};

struct trace {
    uint32_t n_samples;
    uint32_t voltage[N_SAMPLES];
    uint32_t current[N_SAMPLES];
    uint32_t store_voltage[N_SAMPLES];
    uint32_t store_current[N_SAMPLES];
    uint32_t flags;
    uint32_t underruns;
    uint32_t late_ticks; /* of sample 0 */
};

struct scene {
    enum pru_mode mode;
    struct node_config config;
    struct sim_config sim;
};

static struct trace ours;
static struct trace theirs;
static struct err error;

static void succeed(int result)
{
    if (result < 0) {
        fail_msg("%s", error.text);
    }
}

/* That of the build, or $BW_FIRMWARE_DIR: tests/firmware_mutants.py has others. */
static const char *firmware_folder(void)
{
    const char *folder = getenv("BW_FIRMWARE_DIR");

    return folder != NULL ? folder : BW_FIRMWARE_DIR;
}

static bool has_firmware(void)
{
    char path[PATH_SIZE];

    snprintf(path, sizeof(path), "%s/pru1-24.elf", firmware_folder());
    if (access(path, R_OK) == 0) {
        return true;
    }
    print_message("no firmware in %s: pru/toolchain.sh builds its compiler\n",
                  firmware_folder());
    return false;
}

/* A sawtooth of voltage and current: what an input file could hold. */
static void feed(struct pru_link *link, uint32_t *n_fed)
{
    uint32_t room = pru_link_input_room(link);

    while (room > 0 && *n_fed < N_SAMPLES + 100) {
        struct pru_input input = { .voltage_uV = 1500000 + *n_fed % 1000 * 1000,
                                   .current_nA = 20000000 - *n_fed % 700 * 20000 };

        pru_link_input_put(link, &input, 1);
        (*n_fed)++;
        room--;
    }
}

static void collect(struct pru_link *link, struct trace *trace)
{
    const struct pru_block *block = NULL;

    for (;;) {
        uint32_t at = trace->n_samples;
        size_t n_bytes = 0;

        succeed(pru_link_check(link, &error));
        succeed(pru_link_block(link, &block, &error));
        if (block == NULL) {
            return;
        }
        n_bytes = (size_t)block->n_samples * sizeof(uint32_t);
        assert_int_equal(block->first_sample, at);
        assert_true(at + block->n_samples <= N_SAMPLES);
        memcpy(trace->voltage + at, block->samples[0], n_bytes);
        memcpy(trace->current + at, block->samples[1], n_bytes);
        memcpy(trace->store_voltage + at, block->samples[2], n_bytes);
        memcpy(trace->store_current + at, block->samples[3], n_bytes);
        trace->n_samples += block->n_samples;
        trace->flags |= block->flags;
        trace->underruns += block->underruns;
        pru_link_block_done(link);
    }
}

static void run(struct board *board, const struct scene *scene, struct trace *trace)
{
    struct calibration calibration = calibration_default();
    struct pru_link_setup setup = { .mode = scene->mode,
                                    .record_mask = scene->mode == PRU_MODE_EMULATE ? 0xF : 3 };
    struct vsource_params params;
    struct pru_link link;
    uint32_t n_fed = 0;
    uint64_t start_tick;

    memset(trace, 0, sizeof(*trace));
    succeed(vsource_derive(&scene->config, &calibration, &params, &error));
    setup.params = &params;
    pru_link_init(&link, board);
    succeed(pru_link_boot(&link, scene->mode, &error));
    succeed(pru_link_configure(&link, &setup, &error));
    if (scene->mode == PRU_MODE_EMULATE) {
        feed(&link, &n_fed);
    }
    start_tick = board->ops->counter(board) + (uint64_t)LEAD_MS * 1000000 / PRU_TICK_NS;
    succeed(pru_link_arm(&link, start_tick, N_SAMPLES, PRU_PERIOD_NOMINAL_Q20, &error));
    for (int ms = 0; pru_link_state(&link) != PRU_STATE_DONE && ms < WAIT_MS; ms++) {
        if (scene->mode == PRU_MODE_EMULATE) {
            feed(&link, &n_fed);
        }
        collect(&link, trace);
        poll(NULL, 0, 1);
    }
    collect(&link, trace);
    assert_int_equal(pru_link_state(&link), PRU_STATE_DONE);
    assert_int_equal(trace->n_samples, N_SAMPLES);
    trace->late_ticks = (uint32_t)(board->shm.control->started_tick - start_tick);
    pru_link_halt(&link);
}

static void expect_equal(const char *what, const uint32_t *one, const uint32_t *two)
{
    for (size_t i = 0; i < N_SAMPLES; i++) {
        if (one[i] != two[i]) {
            fail_msg("%s: sample %zu is %u, on the simulated board %u", what, i, one[i],
                     two[i]);
        }
    }
}

static void compare(struct scene *scene)
{
    struct board *board;
    char rules[1000];

    scene->sim.speed = SIM_FAST;
    snprintf(scene->sim.firmware, sizeof(scene->sim.firmware), "%s", firmware_folder());
    board = board_sim_create(&scene->sim, &error);
    assert_non_null(board);
    run(board, scene, &theirs);
    board->ops->destroy(board);
    board = board_iss_create(&scene->sim, &error);
    assert_non_null(board);
    run(board, scene, &ours);
    if (board_iss_broken_rules(board, rules, sizeof(rules)) != 0) {
        fail_msg("%s", rules);
    }
    board->ops->destroy(board);
    expect_equal("voltage", ours.voltage, theirs.voltage);
    expect_equal("current", ours.current, theirs.current);
    if (scene->mode == PRU_MODE_EMULATE) {
        expect_equal("storage voltage", ours.store_voltage, theirs.store_voltage);
        expect_equal("storage current", ours.store_current, theirs.store_current);
    }
    assert_int_equal(ours.underruns, 0);
    /* how long a sample takes is another test's affair */
    assert_int_equal(ours.flags & ~(uint32_t)PRU_BLOCK_LATE, theirs.flags);
    print_message("sample 0: %u ticks after its instant\n", ours.late_ticks);
    assert_true(ours.late_ticks < 400);
}

static void prepare(struct scene *scene, enum pru_mode mode)
{
    memset(scene, 0, sizeof(*scene));
    scene->mode = mode;
    succeed(sim_config_load(&scene->sim, NULL, NULL, &error));
    schema_defaults(&node_config_schema, &scene->config);
    scene->config.mode = mode == PRU_MODE_EMULATE ? MODE_EMULATE : MODE_HARVEST;
}

static void test_harvest_is_the_simulated_boards(void **state)
{
    struct scene scene;

    (void)state;
    if (!has_firmware()) {
        skip();
    }
    prepare(&scene, PRU_MODE_HARVEST);
    scene.config.harvester.algorithm = HARVESTER_CV;
    scene.config.harvester.voltage_mV = 1000.0;
    scene.config.harvester.voltage_min_mV = 0.0;
    scene.config.harvester.voltage_max_mV = 5000.0;
    compare(&scene);
}

static void test_emulation_is_the_simulated_boards(void **state)
{
    struct scene scene;

    (void)state;
    if (!has_firmware()) {
        skip();
    }
    prepare(&scene, PRU_MODE_EMULATE);
    compare(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_harvest_is_the_simulated_boards),
        cmocka_unit_test(test_emulation_is_the_simulated_boards),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
