/* SPDX-License-Identifier: MIT */
/* The firmware's binaries in the PRU simulator beside the simulated board: the same world, the
 * same parameters, the same integers for every sample; no rule of a converter broken. Skipped
 * with a word where there is no PRU compiler. */
#include "sheep/board_sim.h"
#include "tests/support/firmware_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum {
    N_SAMPLES = 2500,
};

static struct firmware_trace ours;
static struct firmware_trace theirs;

static void expect_equal(const char *what, const uint32_t *one, const uint32_t *two)
{
    for (size_t i = 0; i < N_SAMPLES; i++) {
        if (one[i] != two[i]) {
            fail_msg("%s: sample %zu is %u, on the simulated board %u", what, i, one[i],
                     two[i]);
        }
    }
}

static void compare(struct firmware_scene *scene)
{
    struct err err;
    struct board *board = board_sim_create(&scene->sim, &err);
    char rules[1000];

    assert_non_null(board);
    firmware_run(board, scene, &theirs);
    board->ops->destroy(board);
    firmware_run_iss(scene, &ours, rules, sizeof(rules));
    assert_string_equal(ours.fault, "");
    assert_string_equal(rules, "");
    assert_int_equal(ours.n_samples, N_SAMPLES);
    assert_int_equal(theirs.n_samples, N_SAMPLES);
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

static void test_harvest_is_the_simulated_boards(void **state)
{
    struct firmware_scene scene;

    (void)state;
    if (!firmware_is_there()) {
        skip();
    }
    firmware_prepare(&scene, PRU_MODE_HARVEST, N_SAMPLES);
    scene.config.harvester.algorithm = HARVESTER_CV;
    scene.config.harvester.voltage_mV = 1000.0;
    scene.config.harvester.voltage_min_mV = 0.0;
    scene.config.harvester.voltage_max_mV = 5000.0;
    compare(&scene);
}

static void test_emulation_is_the_simulated_boards(void **state)
{
    struct firmware_scene scene;

    (void)state;
    if (!firmware_is_there()) {
        skip();
    }
    firmware_prepare(&scene, PRU_MODE_EMULATE, N_SAMPLES);
    compare(&scene);
}

/* Other pins, power-good on PRU0, no harvester. */
static void test_cape_25_emulates_the_same(void **state)
{
    struct firmware_scene scene;

    (void)state;
    if (!firmware_is_there()) {
        skip();
    }
    firmware_prepare(&scene, PRU_MODE_EMULATE, N_SAMPLES);
    scene.sim.cape = 25;
    compare(&scene);
}

/* Reads from OCMC and DDR may take as long as they like: the samples stay what they are. */
static void test_memory_latency_changes_no_sample(void **state)
{
    struct firmware_scene scene;

    (void)state;
    if (!firmware_is_there()) {
        skip();
    }
    firmware_prepare(&scene, PRU_MODE_EMULATE, N_SAMPLES);
    scene.sim.memory_latency = SIM_LATENCY_WORST;
    compare(&scene);
    scene.sim.memory_latency = SIM_LATENCY_RANDOM;
    compare(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_harvest_is_the_simulated_boards),
        cmocka_unit_test(test_emulation_is_the_simulated_boards),
        cmocka_unit_test(test_cape_25_emulates_the_same),
        cmocka_unit_test(test_memory_latency_changes_no_sample),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
