/* SPDX-License-Identifier: MIT */
#include "common/calibration.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void test_default_is_nominal_and_plausible(void **state)
{
    struct calibration cal = calibration_default();
    struct err err = { 0 };

    (void)state;
    assert_true(cal.is_default);
    assert_int_equal(calibration_check(&cal, &err), 0);
    assert_true(fabs(cal.hrv_adc_V.gain - 19.53125e-6) < 1e-15);
    assert_true(fabs(cal.emu_adc_I_A.gain - 203.4505208e-9) < 1e-16);
    assert_true(fabs(cal.emu_dac_V_B.gain - 76.293945e-6) < 1e-12);
}

static void test_implausible_values_are_refused(void **state)
{
    static const struct cal_channel bad[] = {
        {0,            0          },
        { -203e-9,     0          },
        { 1e-6,        0          },
        { 50e-9,       0          },
        { (double)NAN, 0          },
        { 203e-9,      0.003      },
        { 203e-9,      (double)NAN}
    };
    struct err err = { 0 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct calibration cal = calibration_default();

        cal.emu_adc_I_B = bad[i];
        assert_int_equal(calibration_check(&cal, &err), -1);
        assert_non_null(strstr(err.text, "emulator.adc_C_B"));
    }
}

static void write_text(const char *path, const char *text)
{
    struct err err = { 0 };

    assert_int_equal(file_write_atomic(path, text, strlen(text), 0600, &err), 0);
}

static void test_file_roundtrips(void **state)
{
    char path[] = "/tmp/bw_cal_XXXXXX";
    struct calibration cal = calibration_default();
    struct calibration again;
    struct buf text = { 0 };
    struct err err = { 0 };

    (void)state;
    close(mkstemp(path));
    cal.is_default = false;
    cal.hrv_adc_I.gain *= 1.0123456789;
    cal.emu_dac_V_A.offset = -0.00123;
    schema_encode(&calibration_schema, &cal, &text, 0);
    write_text(path, text.data);
    assert_int_equal(calibration_load(&again, path, &err), 0);
    assert_true(again.hrv_adc_I.gain == cal.hrv_adc_I.gain);
    assert_true(again.emu_dac_V_A.offset == cal.emu_dac_V_A.offset);
    assert_false(again.is_default);
    buf_fini(&text);
    unlink(path);
}

static void test_bad_files_are_refused(void **state)
{
    char path[] = "/tmp/bw_cal_XXXXXX";
    struct calibration cal;
    struct err err = { 0 };

    (void)state;
    close(mkstemp(path));
    write_text(path, "harvester: {dac_V_Hrv: {gain: 1, offset: 0, gian: 2}}\n");
    assert_int_equal(calibration_load(&cal, path, &err), -1);
    assert_non_null(strstr(err.text, ":1:"));
    write_text(path, "harvester: [\n");
    assert_int_equal(calibration_load(&cal, path, &err), -1);
    unlink(path);
    assert_int_equal(calibration_load(&cal, path, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default_is_nominal_and_plausible),
        cmocka_unit_test(test_implausible_values_are_refused),
        cmocka_unit_test(test_file_roundtrips),
        cmocka_unit_test(test_bad_files_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
