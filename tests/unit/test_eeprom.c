/* SPDX-License-Identifier: MIT */
#include "common/eeprom.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct eeprom sample(void)
{
    struct eeprom eeprom = {
        .revision = "A2",
        .board_name = "BeagleBone SHEPHERD2 Cape",
        .version = "24B0",
        .manufacturer = "NES TU DRESDEN",
        .part_number = "BB-SHPRD",
        .serial = "123456789012",
        .cal_date = "2026-05-01",
        .calibration = calibration_default(),
    };

    eeprom.calibration.is_default = false;
    eeprom.calibration.hrv_adc_I.gain *= 1.01;
    eeprom.calibration.emu_dac_V_B.offset = -0.002;
    return eeprom;
}

static void test_image_roundtrips(void **state)
{
    uint8_t image[EEPROM_IMAGE_SIZE];
    struct eeprom eeprom = sample();
    struct eeprom again;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(eeprom_encode(&eeprom, image, &err), 0);
    assert_int_equal(eeprom_decode(image, sizeof(image), &again, &err), 0);
    assert_true(again.has_trailer);
    assert_string_equal(again.board_name, eeprom.board_name);
    assert_string_equal(again.serial, eeprom.serial);
    assert_string_equal(again.version, "24B0");
    assert_true(again.calibration.hrv_adc_I.gain == eeprom.calibration.hrv_adc_I.gain);
    assert_true(again.calibration.emu_dac_V_B.offset == -0.002);
}

/* The layout by hand: one gain at the place that Shepherd's reader takes it from. */
static void test_layout_is_shepherds(void **state)
{
    static const uint8_t half[8] = { 0x3F, 0xE0, 0, 0, 0, 0, 0, 0 }; /* 0.5, big-endian */
    uint8_t image[EEPROM_IMAGE_SIZE];
    struct eeprom eeprom = sample();
    struct err err = { 0 };

    (void)state;
    assert_int_equal(eeprom_encode(&eeprom, image, &err), 0);
    assert_memory_equal(image,
                        "\xAA\x55\x33\xEE"
                        "A2BeagleBone",
                        16);
    assert_memory_equal(image + 76, "123456789012", 12);
    eeprom.calibration.emu_dac_V_A.gain = 0.5;
    assert_int_equal(eeprom_encode(&eeprom, image, &err), -1);
    assert_memory_equal(image + 576, half, sizeof(half));
    assert_int_equal(err.code, ERR_INPUT);
}

static void test_every_flipped_bit_is_found(void **state)
{
    uint8_t image[EEPROM_IMAGE_SIZE];
    struct eeprom eeprom = sample();
    struct eeprom again;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(eeprom_encode(&eeprom, image, &err), 0);
    for (size_t bit = 0; bit < (size_t)(EEPROM_IMAGE_SIZE - 4) * 8; bit++) {
        int status = 0;

        image[bit / 8] ^= (uint8_t)(1u << bit % 8);
        status = eeprom_decode(image, sizeof(image), &again, &err);
        /* A broken magic of the trailer makes it an image without one, which may be taken. */
        if (bit / 8 < EEPROM_TRAILER_OFFSET || bit / 8 >= EEPROM_TRAILER_OFFSET + 4) {
            assert_int_equal(status, -1);
        } else {
            assert_false(again.has_trailer);
        }
        image[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void test_foreign_and_erased_images(void **state)
{
    uint8_t image[EEPROM_IMAGE_SIZE];
    struct eeprom eeprom = sample();
    struct eeprom again;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(eeprom_encode(&eeprom, image, &err), 0);
    assert_int_equal(eeprom_decode(image, EEPROM_TRAILER_OFFSET, &again, &err), 0);
    assert_false(again.has_trailer);
    assert_int_equal(eeprom_decode(image, EEPROM_TRAILER_OFFSET - 1, &again, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    memset(image + EEPROM_CAL_OFFSET, 0xFF, 128);
    memset(image + EEPROM_TRAILER_OFFSET, 0xFF, 16);
    assert_int_equal(eeprom_decode(image, sizeof(image), &again, &err), -1);
    assert_int_equal(err.code, ERR_INPUT);
    memset(image, 0xFF, sizeof(image));
    assert_int_equal(eeprom_decode(image, sizeof(image), &again, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void test_file_is_written_and_read(void **state)
{
    char path[] = "/tmp/bw_eeprom_XXXXXX";
    struct eeprom eeprom = sample();
    struct eeprom again;
    struct err err = { 0 };

    (void)state;
    close(mkstemp(path));
    assert_int_equal(eeprom_read(path, &again, &err), -1);
    assert_int_equal(eeprom_write(path, &eeprom, &err), 0);
    assert_int_equal(eeprom_read(path, &again, &err), 0);
    assert_string_equal(again.cal_date, "2026-05-01");
    unlink(path);
    assert_int_equal(eeprom_read(path, &again, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_image_roundtrips),
        cmocka_unit_test(test_layout_is_shepherds),
        cmocka_unit_test(test_every_flipped_bit_is_found),
        cmocka_unit_test(test_foreign_and_erased_images),
        cmocka_unit_test(test_file_is_written_and_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
