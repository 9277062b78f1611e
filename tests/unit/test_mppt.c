/* SPDX-License-Identifier: MIT */
/* Emulation: what perturb-and-observe gets out of recorded curves of a day, against the best
 * point of every curve. test_loop.c has the same for recording. */
#include "common/attrs.h"
#include "common/calibration.h"
#include "common/vsource_derive.h"
#include "pru/core/adc_harvester.h"
#include "pru/core/calib.h"
#include "pru/core/curve_harvester.h"
#include "pru/sim/world.h"
#include "tests/support/scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    N_PIECES = 24,
    PIECE_SAMPLES = 300000, /* shorter, and the hour between two of them rules the sums */
    FIRST_S = 1234,         /* into the hour */
};

static const double SAMPLE_S = 1e-5;

/* Curves of a cell under a sky, as a node records them. */
struct recorder {
    struct world *world;
    struct sample_io io;
    struct vsource_params params;
    struct adc_harvester harvester;
    uint64_t sample;
};

static void recorder_open(struct recorder *recorder, const char *sky, double start_s,
                          const char *harvester)
{
    struct world_config config = world_config_default();
    struct harvester_config curves;
    struct err err = { 0 };
    const char *why = NULL;

    snprintf(config.transducer.environment, sizeof(config.transducer.environment), "%s", sky);
    config.transducer.environment_start_s = start_s;
    *recorder = (struct recorder){ .world = world_create(&config, &why) };
    if (recorder->world == NULL) {
        fail_msg("%s", why);
    }
    world_io(recorder->world, &recorder->io);
    scene_harvester(scene_presets(), harvester, &curves);
    vsource_derive_defaults(&recorder->params);
    assert_int_equal(vsource_derive_harvester(&curves, NULL, &recorder->params, &err), 0);
    adc_harvester_init(&recorder->harvester, &recorder->params);
}

static struct curve_point recorder_take(struct recorder *recorder)
{
    struct sample_io *io = &recorder->io;
    struct adc_output output;
    struct adc_codes codes;

    world_advance(recorder->world, recorder->sample++);
    codes.voltage = io->adc_voltage(io->context);
    codes.current = io->adc_current(io->context);
    adc_harvester_step(&recorder->harvester, codes, &output);
    if (output.has_dac) {
        io->dac_write(io->context, SAMPLE_DAC_HARVEST, output.dac_code);
    }
    return (struct curve_point){
        calib_from_code(&recorder->params.adc_voltage, output.recorded.voltage),
        calib_from_code(&recorder->params.adc_current, output.recorded.current)
    };
}

/* An algorithm of emulation, and what it has got. */
struct user {
    const char *name;
    struct vsource_params params;
    struct curve_harvester harvester;
    double energy_Ws;
};

static void user_open(struct user *user, const char *name, const char *curves_name)
{
    struct harvester_config config;
    struct harvester_config curves;
    struct vsource_input input = { 0 };
    struct err err = { 0 };

    scene_harvester(scene_presets(), name, &config);
    scene_harvester(scene_presets(), curves_name, &curves);
    input.window_samples = curves.samples_n * (1 + curves.wait_cycles);
    input.step_uV = curves.voltage_step_mV * 1e3;
    *user = (struct user){ .name = name };
    vsource_derive_defaults(&user->params);
    if (vsource_derive_harvester(&config, &input, &user->params, &err) < 0) {
        fail_msg("%s", err.text);
    }
    curve_harvester_init(&user->harvester, &user->params);
}

static void user_take(struct user *user, struct curve_point point)
{
    struct curve_point used = curve_harvester_step(&user->harvester, point);

    user->energy_Ws += (double)used.voltage_uV * used.current_nA * 1e-15 * SAMPLE_S;
}

/* Pieces an hour apart at their true speed; the algorithms go on from one to the next. */
static void run_day(const char *sky, const char *curves, struct user *users, size_t n_users)
{
    for (int piece = 0; piece < N_PIECES; piece++) {
        struct recorder recorder;

        recorder_open(&recorder, sky, 3600.0 * piece + FIRST_S, curves);
        for (int k = 0; k < PIECE_SAMPLES; k++) {
            struct curve_point point = recorder_take(&recorder);

            for (size_t i = 0; i < n_users; i++) {
                user_take(&users[i], point);
            }
        }
        world_destroy(&recorder.world);
    }
}

static void compare_over(const char *sky)
{
    struct user users[3];
    struct user *po = &users[0];
    struct user *voc = &users[1];
    struct user *opt = &users[2];

    user_open(po, "mppt_po", "iv110");
    user_open(voc, "mppt_voc", "iv110");
    user_open(opt, "mppt_opt", "iv110");
    run_day(sky, "iv110", users, ARRAY_LEN(users));
    print_message("of mppt_opt's %.4g mWs: mppt_po %.2f %%, mppt_voc %.2f %%\n",
                  opt->energy_Ws * 1e3, 100 * po->energy_Ws / opt->energy_Ws,
                  100 * voc->energy_Ws / opt->energy_Ws);
    assert_true(opt->energy_Ws > 1e-3);
    assert_true(po->energy_Ws >= 0.95 * opt->energy_Ws);
    assert_true(voc->energy_Ws >= 0.85 * opt->energy_Ws);
    assert_true(voc->energy_Ws <= 1.005 * opt->energy_Ws);
    assert_true(po->energy_Ws <= 1.005 * opt->energy_Ws);
}

static void test_po_gets_95_percent_of_opt_over_the_synthetic_day(void **state)
{
    (void)state;
    compare_over(BW_SOURCE_DIR "/inventory/environments/day.csv");
}

static void test_po_gets_95_percent_of_opt_over_a_measured_day(void **state)
{
    const char *given = getenv("BW_SHARED"); // NOLINT(concurrency-mt-unsafe)
    char sky[WORLD_PATH_SIZE];

    (void)state;
    snprintf(sky, sizeof(sky), "%s/data/irradiance_2023-06-21.csv",
             given != NULL ? given : BW_SOURCE_DIR "/../shared");
    if (access(sky, R_OK) != 0) {
        print_message("note: no measured irradiance here\n");
        skip();
    }
    compare_over(sky);
}

/* The energy that a harvester gives in the half second after two passes of a sky gone dark. */
static double energy_of_dark(const char *name, uint32_t more_flags)
{
    char sky[] = "/tmp/bw_test_mppt_XXXXXX";
    int descriptor = mkstemp(sky);
    FILE *file = descriptor >= 0 ? fdopen(descriptor, "w") : NULL;
    struct recorder recorder;
    struct user user;

    assert_non_null(file);
    fputs("time_s,irradiance_W_per_m2\n0,800\n0.5,800\n0.50001,0\n", file);
    assert_int_equal(fclose(file), 0);
    recorder_open(&recorder, sky, 0, "iv110");
    user_open(&user, name, "iv110");
    user.params.harvester.flags |= more_flags;
    for (int k = 0; k < 102000; k++) {
        if (k == 52000) {
            assert_true(user.energy_Ws > 1e-4);
            user.energy_Ws = 0;
        }
        user_take(&user, recorder_take(&recorder));
    }
    world_destroy(&recorder.world);
    unlink(sky);
    return user.energy_Ws;
}

/* A set-point beyond the open circuit is never crossed again; the incumbent holds the last
 * point that was, and so goes on harvesting in the dark. */
static void test_nothing_is_harvested_in_the_dark(void **state)
{
    static const char *const names[] = { "cv20",     "cv10",    "mppt_po",
                                         "mppt_voc", "mppt_bq", "mppt_opt" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        double energy_Ws = energy_of_dark(names[i], 0);

        if (energy_Ws > 1e-9) {
            fail_msg("%s: %g Ws", names[i], energy_Ws);
        }
    }
    assert_true(energy_of_dark("cv20", VSOURCE_HARVESTER_HOLD_STALE) > 1e-3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_harvested_in_the_dark),
        cmocka_unit_test(test_po_gets_95_percent_of_opt_over_the_synthetic_day),
        cmocka_unit_test(test_po_gets_95_percent_of_opt_over_a_measured_day),
    };

    return cmocka_run_group_tests(tests, scene_load_presets, scene_drop_presets);
}
