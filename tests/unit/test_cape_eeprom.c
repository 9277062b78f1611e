/* SPDX-License-Identifier: MIT */
/* The cape's EEPROM: from a file of calibration into the image and back, and as a node's
 * calibration. */
#include "sheep/cape_eeprom.h"

#include "common/eeprom.h"
#include "sheep/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char folder[40];
    char image[80];
    char calibration[80];
    struct calibration cal;
    struct err err;
};

static void put(const char *path, const char *text)
{
    struct err err = { 0 };

    assert_int_equal(file_write_atomic(path, text, strlen(text), 0644, &err), 0);
}

static void put_calibration(struct fixture *f)
{
    struct buf text = { 0 };

    schema_encode(&calibration_schema, &f->cal, &text, 0);
    put(f->calibration, text.data);
    buf_fini(&text);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (f == NULL) {
        return -1;
    }
    snprintf(f->folder, sizeof(f->folder), "/tmp/bw_cape_XXXXXX");
    if (mkdtemp(f->folder) == NULL) {
        free(f);
        return -1;
    }
    snprintf(f->image, sizeof(f->image), "%s/eeprom", f->folder);
    snprintf(f->calibration, sizeof(f->calibration), "%s/cal.yaml", f->folder);
    f->cal = calibration_default();
    f->cal.is_default = false;
    f->cal.emu_adc_I_B.gain *= 1.0123456789012345;
    f->cal.hrv_adc_V.offset = -0.001;
    put_calibration(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char command[80];

    snprintf(command, sizeof(command), "rm -r %s", f->folder);
    (void)!system(command); // NOLINT(cert-env33-c,concurrency-mt-unsafe)
    free(f);
    return 0;
}

static void test_a_file_goes_in_and_comes_back(void **state)
{
    static const struct cape_labels labels = { .serial = "4711", .version = "25A0" };
    struct fixture *f = *state;
    struct buf text = { 0 };
    struct calibration again;

    assert_int_equal(cape_eeprom_write(f->image, f->calibration, &labels, &f->err), 0);
    assert_int_equal(cape_eeprom_read(f->image, &text, &f->err), 0);
    assert_non_null(strstr(text.data, "version 25A0"));
    assert_non_null(strstr(text.data, "serial 4711"));
    assert_non_null(strstr(text.data, "checksum right"));
    put(f->calibration, text.data);
    assert_int_equal(calibration_load(&again, f->calibration, &f->err), 0);
    assert_memory_equal(&again.hrv_dac_V, &f->cal.hrv_dac_V, 8 * sizeof(struct cal_channel));
    buf_fini(&text);
}

static void test_labels_stay_when_the_calibration_is_renewed(void **state)
{
    static const struct cape_labels labels = { .serial = "4711", .version = NULL };
    static const struct cape_labels none = { NULL, NULL };
    struct fixture *f = *state;
    struct eeprom eeprom;

    assert_int_equal(cape_eeprom_write(f->image, f->calibration, &labels, &f->err), 0);
    f->cal.emu_dac_V_A.offset = 0.002;
    put_calibration(f);
    assert_int_equal(cape_eeprom_write(f->image, f->calibration, &none, &f->err), 0);
    assert_int_equal(eeprom_read(f->image, &eeprom, &f->err), 0);
    assert_string_equal(eeprom.serial, "4711");
    assert_string_equal(eeprom.version, "24B0");
    assert_true(eeprom.calibration.emu_dac_V_A.offset == 0.002);
}

static void test_what_is_no_calibration_is_refused(void **state)
{
    static const struct cape_labels labels = { .serial = "thirteen letters", .version = NULL };
    static const struct cape_labels none = { NULL, NULL };
    struct fixture *f = *state;

    assert_int_equal(cape_eeprom_write(f->image, f->calibration, &labels, &f->err), -1);
    assert_non_null(strstr(f->err.text, "serial"));
    f->cal.is_default = true;
    put_calibration(f);
    assert_int_equal(cape_eeprom_write(f->image, f->calibration, &none, &f->err), -1);
    assert_non_null(strstr(f->err.text, "nominal values"));
    f->cal.is_default = false;
    f->cal.hrv_adc_I.gain = 1;
    put_calibration(f);
    assert_int_equal(cape_eeprom_write(f->image, f->calibration, &none, &f->err), -1);
    assert_non_null(strstr(f->err.text, "adc_C_Hrv"));
    assert_int_equal(access(f->image, F_OK), -1);
}

static void load_node(struct fixture *f, const char *text, struct sheep_config *config)
{
    char path[80];

    snprintf(path, sizeof(path), "%s/sheep.yaml", f->folder);
    put(path, text);
    assert_int_equal(sheep_config_load(config, path, &f->err), 0);
}

static void test_a_node_takes_it_unless_it_is_damaged(void **state)
{
    static const struct cape_labels none = { NULL, NULL };
    struct fixture *f = *state;
    struct sheep_config config;
    FILE *image = NULL;

    assert_int_equal(cape_eeprom_write(f->image, f->calibration, &none, &f->err), 0);
    load_node(f, "name: a\neeprom: eeprom\n", &config);
    assert_true(config.has_calibration);
    assert_true(config.calibration.emu_adc_I_B.gain == f->cal.emu_adc_I_B.gain);
    sheep_config_fini(&config);

    image = fopen(f->image, "r+");
    assert_non_null(image);
    fseek(image, EEPROM_CAL_OFFSET + 7, SEEK_SET);
    putc(0x55, image);
    fclose(image);
    load_node(f, "name: a\neeprom: eeprom\n", &config);
    assert_false(config.has_calibration);
    assert_true(config.calibration.is_default);
    assert_non_null(strstr(config.no_calibration.text, "CRC-32C"));
    sheep_config_fini(&config);

    /* the file wins */
    load_node(f, "name: a\neeprom: eeprom\ncalibration: cal.yaml\n", &config);
    assert_true(config.has_calibration);
    sheep_config_fini(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_file_goes_in_and_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_labels_stay_when_the_calibration_is_renewed,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_no_calibration_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_node_takes_it_unless_it_is_damaged, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
