/* SPDX-License-Identifier: MIT */
/* `sheep selftest` over the simulated board, the firmware's binaries and a played kernel: sound
 * as a whole, and with each element broken in turn, which is named, and it alone. */
#include "sheep/selftest.h"

#include "common/eeprom.h"
#include "sheep/recorder.h"
#include "tests/support/firmware_run.h"
#include "tests/support/kernel_fake.h"
#include "tests/support/temp_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char folder[TEMP_FOLDER_SIZE];
    char image[TEMP_PATH_SIZE];
    struct sim_config sim;
    struct recorder_options options;
    struct calibration calibration;
    struct selftest_node node;
    struct buf report;
    struct err err;
};

static int set_up(void **state)
{
    static struct firmware_scene scene;
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    temp_folder_make(f->folder);
    temp_folder_path(f->folder, "eeprom.bin", f->image);
    firmware_prepare(&scene, PRU_MODE_HARVEST, 0);
    f->sim = scene.sim;
    f->options.state_dir = f->folder;
    f->options.board = "sim";
    f->options.sim = &f->sim;
    f->options.clock = clock_system(0);
    f->calibration = calibration_default();
    f->node.calibration = &f->calibration;
    f->node.has_harvester = true;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    buf_fini(&f->report);
    temp_folder_remove(f->folder);
    free(f);
    return 0;
}

static int check(struct fixture *f)
{
    buf_clear(&f->report);
    return recorder_selftest(&f->options, &f->node, &f->report, &f->err);
}

static void expect_sound(struct fixture *f)
{
    if (check(f) < 0) {
        fail_msg("%s\n%s", f->err.text, f->report.data);
    }
    assert_non_null(strstr(f->report.data, " 0 failed, "));
}

/* "N failed: names", and a line of the report. */
static void expect_named(struct fixture *f, const char *names, const char *line)
{
    assert_int_equal(check(f), -1);
    assert_int_equal(f->err.code, ERR_HARDWARE);
    assert_string_equal(f->err.text, names);
    if (strstr(f->report.data, line) == NULL) {
        fail_msg("no '%s' in\n%s", line, f->report.data);
    }
}

static void write_image(struct fixture *f, const char *version)
{
    struct eeprom eeprom = { .revision = "A2", .serial = "42" };

    snprintf(eeprom.version, sizeof(eeprom.version), "%s", version);
    eeprom.calibration = f->calibration;
    if (eeprom_write(f->image, &eeprom, &f->err) < 0) {
        fail_msg("%s", f->err.text);
    }
    f->node.eeprom = f->image;
}

static void test_all_is_sound_and_each_element_has_a_line(void **state)
{
    static const char *const LINES[] = {
        "ok     eeprom: cape 24B0, serial 42",
        "ok     harvester firmware: board sim is up",
        "ok     clock: the counter runs ",
        "ok     samples: 3000 taken",
        "ok     harvester loop: the source is held within ",
        "ok     harvester zero: ",
        "ok     emulator firmware: ",
        "ok     emulator zero: ",
        "open   emulator DAC: ",
        "ok     pins: power-good rose once",
        "ok     input ring: all 3000 samples",
        "ok     rings: whole",
        "11 sound, 0 failed, 1 not checked\n",
    };
    struct fixture *f = *state;

    write_image(f, "24B0");
    f->node.cape = 24;
    expect_sound(f);
    for (size_t i = 0; i < ARRAY_LEN(LINES); i++) {
        if (strstr(f->report.data, LINES[i]) == NULL) {
            fail_msg("no '%s' in\n%s", LINES[i], f->report.data);
        }
    }
}

static void test_a_wrong_eeprom_is_named(void **state)
{
    struct fixture *f = *state;
    FILE *file = NULL;

    write_image(f, "25A0");
    f->node.cape = 24;
    expect_named(f, "1 failed: eeprom", "of version 25A0, the node is configured for 24");
    file = fopen(f->image, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, 520, SEEK_SET), 0);
    assert_int_equal(fputc(0x55, file), 0x55);
    assert_int_equal(fclose(file), 0);
    expect_named(f, "1 failed: eeprom", "FAILED eeprom: ");
    assert_int_equal(unlink(f->image), 0);
    expect_named(f, "1 failed: eeprom", "eeprom.bin");
}

static void test_a_wrong_clock_is_named(void **state)
{
    struct fixture *f = *state;

    f->sim.oscillator_ppm = 5000.0;
    expect_named(f, "1 failed: clock", "FAILED clock: the counter is off by 4999 ppm");
}

static void test_a_DAC_that_is_off_is_named(void **state)
{
    struct fixture *f = *state;

    f->sim.world.hrv_dac_V.gain_error = -0.2;
    expect_named(f, "1 failed: harvester loop", "V seen, 1.950 V asked for");
}

static void test_a_voltage_ADC_that_is_off_is_named(void **state)
{
    struct fixture *f = *state;

    f->sim.world.hrv_adc_V.offset = 0.3;
    expect_named(f, "1 failed: harvester loop", "V seen, ");
}

static void test_without_a_source_the_loop_is_open(void **state)
{
    struct fixture *f = *state;

    f->sim.world.transducer.kind = TRANSDUCER_CONSTANT;
    f->sim.world.transducer.source_V = 0.01;
    expect_sound(f);
    assert_non_null(
        strstr(f->report.data, "open   harvester loop: no source at the harvester"));
}

static void test_an_offset_without_load_is_named(void **state)
{
    struct fixture *f = *state;

    f->sim.world.hrv_adc_I.offset = -1e-3;
    expect_named(f, "1 failed: harvester zero", "uA without load, more than 200");
    f->sim.world.hrv_adc_I.offset = 0;
    f->sim.world.emu_adc_I_A.offset = -1e-3;
    expect_named(f, "1 failed: emulator zero", "uA without load, more than 200");
    f->calibration.emu_adc_I_A.offset -= 1e-3; /* calibrated, it is none */
    expect_sound(f);
}

static void test_a_canary_that_is_gone_is_named(void **state)
{
    struct fixture *f = *state;

    f->sim.overwrite_at = 1;
    expect_named(f, "2 failed: harvester samples, emulator samples", "overwritten");
}

static void test_a_board_that_hangs_is_named(void **state)
{
    struct fixture *f = *state;

    f->sim.hang_at = 2500;
    f->node.has_harvester = false;
    expect_named(f, "1 failed: emulator samples", "no block of samples within");
}

static void test_a_board_that_is_none_is_refused(void **state)
{
    struct fixture *f = *state;

    f->options.board = "kim";
    assert_int_equal(check(f), -1);
    assert_non_null(strstr(f->err.text, "there are 'sim', 'iss' and 'pru'"));
}

/* ---- the firmware's binaries ---- */

static void execute_firmware(struct fixture *f)
{
    if (!firmware_is_there()) {
        skip();
    }
    f->options.board = "iss";
}

static void test_firmware_and_converters_are_sound(void **state)
{
    struct fixture *f = *state;

    execute_firmware(f);
    expect_sound(f);
    assert_non_null(strstr(f->report.data, "the ADCs answer with their range"));
}

static void test_a_silent_ADC_is_named(void **state)
{
    struct fixture *f = *state;

    execute_firmware(f);
    f->sim.adc_fault = SIM_ADC_SILENT;
    f->sim.adc_fault_at = 1;
    assert_int_equal(check(f), -1);
    assert_non_null(strstr(f->report.data, "the harvester's voltage ADC"));
}

static void test_a_conversion_that_stands_still_is_named(void **state)
{
    struct fixture *f = *state;

    execute_firmware(f);
    f->sim.adc_fault = SIM_ADC_SAME_CODE;
    f->sim.adc_fault_at = 10;
    expect_named(f, "2 failed: harvester loop, emulator zero", "its code does not change");
}

static void test_a_missing_image_is_named(void **state)
{
    struct fixture *f = *state;

    execute_firmware(f);
    snprintf(f->sim.firmware, sizeof(f->sim.firmware), "%s", f->folder);
    expect_named(f, "2 failed: harvester firmware, emulator firmware",
                 "pru0-harvest-24.elf: No such file");
}

/* ---- the real board ---- */

/* Its counter jumps with a thread of the host: that line is another's subject. */
static void check_real(struct fixture *f, bool is_blind)
{
    const struct kernel_fake_config kernel_config = { .is_blind = is_blind };
    struct kernel_fake *kernel = kernel_fake_create(&kernel_config);
    struct board_pru_config config = *kernel_fake_board(kernel);
    struct board *board = NULL;

    config.cape = 24;
    board = board_pru_create(&config, &f->err);
    assert_non_null(board);
    buf_clear(&f->report);
    (void)!recorder_selftest_board(board, &f->options.clock, &f->node, &f->report, &f->err);
    board->ops->destroy(board);
    kernel_fake_destroy(&kernel);
}

static void test_pins_that_nobody_watches_are_named(void **state)
{
    static const char *const SOUND[] = {
        "harvester firmware", "harvester loop", "harvester zero", "emulator firmware",
        "emulator zero",      "input ring",     "rings"
    };
    struct fixture *f = *state;

    check_real(f, false);
    assert_non_null(strstr(f->report.data, "ok     pins: "));
    for (size_t i = 0; i < ARRAY_LEN(SOUND); i++) {
        char line[40];

        snprintf(line, sizeof(line), "ok     %s: ", SOUND[i]);
        if (strstr(f->report.data, line) == NULL) {
            fail_msg("no '%s' in\n%s", line, f->report.data);
        }
    }
    check_real(f, true);
    assert_non_null(strstr(f->report.data, "FAILED pins: power-good rose 0 times"));
}

/* ---- what is judged ---- */

static void test_only_at_its_ends_a_converter_may_stand_still(void **state)
{
    const uint32_t low[] = { 0, 0 };
    const uint32_t high[] = { 262143, 262143 };
    const uint32_t still[] = { 7, 7 };
    const uint32_t noisy[] = { 7, 9 };
    struct selftest_codes codes = selftest_codes(noisy, 2);

    (void)state;
    assert_true(codes.mean == 8.0 && codes.rms == 1.0 && codes.min == 7 && codes.max == 9);
    assert_false(selftest_stands_still(&codes));
    codes = selftest_codes(low, 2);
    assert_false(selftest_stands_still(&codes));
    codes = selftest_codes(high, 2);
    assert_false(selftest_stands_still(&codes));
    codes = selftest_codes(still, 2);
    assert_true(selftest_stands_still(&codes));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_all_is_sound_and_each_element_has_a_line),
        TEST(test_a_wrong_eeprom_is_named),
        TEST(test_a_wrong_clock_is_named),
        TEST(test_a_DAC_that_is_off_is_named),
        TEST(test_a_voltage_ADC_that_is_off_is_named),
        TEST(test_without_a_source_the_loop_is_open),
        TEST(test_an_offset_without_load_is_named),
        TEST(test_a_canary_that_is_gone_is_named),
        TEST(test_a_board_that_hangs_is_named),
        TEST(test_a_board_that_is_none_is_refused),
        TEST(test_firmware_and_converters_are_sound),
        TEST(test_a_silent_ADC_is_named),
        TEST(test_a_conversion_that_stands_still_is_named),
        TEST(test_a_missing_image_is_named),
        TEST(test_pins_that_nobody_watches_are_named),
        TEST(test_only_at_its_ends_a_converter_may_stand_still),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
