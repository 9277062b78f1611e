/* SPDX-License-Identifier: MIT */
/* The map `sim:`: what it leaves out, what it may not say, and where its paths lead. */
#include "sheep/sim_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char FILE_NAME[] = "/etc/bw/sheep.yaml";

static int load_from(struct sim_config *config, const char *text, const char *file,
                     struct err *err)
{
    struct yaml_doc *doc = yaml_parse(text, strlen(text), file, err);
    int result = 0;

    assert_non_null(doc);
    result = sim_config_load(config, yaml_root(doc), file, err);
    yaml_destroy(&doc);
    return result;
}

static void load(struct sim_config *config, const char *text)
{
    struct err err = { 0 };

    if (load_from(config, text, FILE_NAME, &err) < 0) {
        fail_msg("%s", err.text);
    }
}

static void expect_refusal(const char *text, const char *wanted)
{
    struct sim_config config;
    struct err err = { 0 };

    assert_int_equal(load_from(&config, text, FILE_NAME, &err), -1);
    assert_int_equal(err.code, ERR_INPUT);
    if (strstr(err.text, wanted) == NULL) {
        fail_msg("'%s' lacks '%s'", err.text, wanted);
    }
}

static void test_without_a_map_the_world_is_the_default_one(void **state)
{
    struct world_config world = world_config_default();
    struct sim_config config;
    struct err err = { 0 };

    (void)state;
    memset(&config, 0xA5, sizeof(config));
    assert_int_equal(sim_config_load(&config, NULL, NULL, &err), 0);
    assert_int_equal(config.speed, SIM_REAL);
    assert_true(config.truth);
    assert_int_equal(config.stall_ms, 6000);
    assert_int_equal(config.hang_at, 0);
    assert_int_equal(config.late_samples, 0);
    assert_true(config.oscillator_ppm == 0.0);
    assert_string_equal(config.pin_file, "");
    assert_int_equal(config.world.seed, world.seed);
    assert_true(config.world.noise_lsb_rms == world.noise_lsb_rms);
    assert_int_equal(config.world.transducer.kind, world.transducer.kind);
    assert_true(config.world.transducer.Voc_V == world.transducer.Voc_V);
    assert_int_equal(config.world.transducer.n_cells, world.transducer.n_cells);
    assert_int_equal(config.world.target.kind, world.target.kind);
    assert_true(config.world.target.sleep_uA == world.target.sleep_uA);
    assert_true(config.world.hrv_adc_I.gain_error == world.hrv_adc_I.gain_error);
}

static void test_what_the_map_says_wins_and_the_rest_stays(void **state)
{
    struct world_config world = world_config_default();
    struct sim_config config;

    (void)state;
    load(&config,
         "seed: 18446744073709551615\n"
         "oscillator_ppm: -50\n"
         "speed: fast\n"
         "truth: false\n"
         "late_samples: 37\n"
         "hang_at: 4000000000000\n"
         "noise_lsb_rms: 0\n"
         "emu_adc_I_B: { gain_error: 0.01 }\n"
         "transducer: { kind: constant, source_V: 2.5 }\n"
         "target: { kind: resistor, resistance_Ohm: 1000, needs_power_good: false }\n");
    assert_true(config.world.seed == UINT64_MAX);
    assert_true(config.oscillator_ppm == -50.0);
    assert_int_equal(config.speed, SIM_FAST);
    assert_false(config.truth);
    assert_int_equal(config.late_samples, 37);
    assert_true(config.hang_at == UINT64_C(4000000000000));
    assert_true(config.world.noise_lsb_rms == 0.0);
    assert_true(config.world.emu_adc_I_B.gain_error == 0.01);
    assert_true(config.world.emu_adc_I_B.offset == world.emu_adc_I_B.offset);
    assert_true(config.world.emu_adc_I_A.gain_error == world.emu_adc_I_A.gain_error);
    assert_int_equal(config.world.transducer.kind, TRANSDUCER_CONSTANT);
    assert_true(config.world.transducer.source_V == 2.5);
    assert_true(config.world.transducer.source_Ohm == world.transducer.source_Ohm);
    assert_int_equal(config.world.target.kind, TARGET_RESISTOR);
    assert_false(config.world.target.needs_power_good);
    assert_true(config.world.target.V_on_V == world.target.V_on_V);
}

static void test_paths_lead_from_the_folder_of_the_file(void **state)
{
    struct sim_config config;
    struct err err = { 0 };
    const char text[] = "pin_file: run/pin\n"
                        "uart_link: /run/uart\n"
                        "transducer: { environment: ../sky.csv, curve: iv.csv }\n"
                        "target: { trace: t.csv }\n";

    (void)state;
    load(&config, text);
    assert_string_equal(config.pin_file, "/etc/bw/run/pin");
    assert_string_equal(config.uart_link, "/run/uart");
    assert_string_equal(config.world.transducer.environment, "/etc/bw/../sky.csv");
    assert_string_equal(config.world.transducer.curve, "/etc/bw/iv.csv");
    assert_string_equal(config.world.target.trace, "/etc/bw/t.csv");
    /* A file that is named without a folder leaves them as they are. */
    assert_int_equal(load_from(&config, text, "sheep.yaml", &err), 0);
    assert_string_equal(config.pin_file, "run/pin");
    assert_int_equal(load_from(&config, text, "/sheep.yaml", &err), 0);
    assert_string_equal(config.pin_file, "/run/pin");
}

static void test_a_path_that_becomes_too_long_is_refused(void **state)
{
    char folder[PATH_SIZE];
    struct sim_config config;
    struct err err = { 0 };

    (void)state;
    memset(folder, 'd', sizeof(folder) - 1);
    folder[0] = '/';
    snprintf(folder + 480, sizeof(folder) - 480, "/sheep.yaml");
    assert_int_equal(
        load_from(&config, "pin_file: a-name-of-31-characters-is-long\n", folder, &err), -1);
    assert_int_equal(err.code, ERR_INPUT);
    assert_non_null(strstr(err.text, "path is too long: a-name-of-31-characters-is-long"));
    assert_int_equal(load_from(&config, "pin_file: short\n", folder, &err), 0);
}

static void test_faults_are_named_with_their_place(void **state)
{
    (void)state;
    expect_refusal("seed: 1\nsped: fast\n", "/etc/bw/sheep.yaml:2:1: ");
    expect_refusal("speedd: fast\n", "did you mean speed?");
    expect_refusal("speed: slow\n", "speed");
    expect_refusal("oscillator_ppm: 200.1\n", "oscillator_ppm");
    expect_refusal("oscillator_ppm: -200.1\n", "oscillator_ppm");
    expect_refusal("oscillator_ppm: nan\n", "oscillator_ppm");
    expect_refusal("late_samples: -1\n", "late_samples");
    expect_refusal("stall_ms: 600001\n", "stall_ms");
    expect_refusal("transducer: { Voc_V: 0 }\n", "Voc_V");
    expect_refusal("target: solar\n", "target");
    expect_refusal("- a list\n", "/etc/bw/sheep.yaml:1:1: ");
    expect_refusal("hrv_adc_V: { gain_error: 0.6 }\n", "gain_error");
}

static void test_all_faults_are_counted_at_once(void **state)
{
    (void)state;
    expect_refusal("speed: slow\noscillator_ppm: 999\ntarget: { boot_ms: -1 }\n", "2 more");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_a_map_the_world_is_the_default_one),
        cmocka_unit_test(test_what_the_map_says_wins_and_the_rest_stays),
        cmocka_unit_test(test_paths_lead_from_the_folder_of_the_file),
        cmocka_unit_test(test_a_path_that_becomes_too_long_is_refused),
        cmocka_unit_test(test_faults_are_named_with_their_place),
        cmocka_unit_test(test_all_faults_are_counted_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
