/* SPDX-License-Identifier: MIT */
/* Harvests of anybody's as inputs: what is decoded, and what is refused with which words. */
#include "common/h5_input.h"

#include "common/rlog.h"
#include "tests/support/h5_scratch.h"
#include "tests/support/harvest_file.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int set_up(void **state)
{
    struct h5_scratch *scratch = NULL;

    assert_int_equal(h5_scratch_set_up(state), 0);
    scratch = *state;
    h5_packer_destroy(&scratch->packer);
    h5_close(&scratch->file);
    return 0;
}

static void check(const struct h5_scratch *scratch, const struct harvest_file *recipe,
                  struct h5_input_info *info)
{
    struct err err = { 0 };

    harvest_file_write(scratch->path, recipe);
    if (h5_input_check(scratch->path, info, &err) < 0) {
        fail_msg("%s", err.text);
    }
}

static void expect_refused(const struct h5_scratch *scratch, const struct harvest_file *recipe,
                           const char *why)
{
    struct h5_input_info info;
    struct err err = { 0 };
    char wanted[300];
    char out[120];
    char digest[DIGEST_TEXT_SIZE];

    harvest_file_write(scratch->path, recipe);
    snprintf(wanted, sizeof(wanted), "input %s: %s", scratch->path, why);
    assert_int_equal(h5_input_check(scratch->path, &info, &err), -1);
    assert_string_equal(err.text, wanted);
    assert_int_equal(err.code, ERR_INPUT);
    /* decoding says the same, and leaves no file */
    snprintf(out, sizeof(out), "%s/out", scratch->folder);
    assert_int_equal(h5_input_decode(scratch->path, out, &info, digest, &err), -1);
    assert_string_equal(err.text, wanted);
    assert_int_equal(access(out, F_OK), -1);
}

static void test_names_of_datatypes(void **state)
{
    static const char *const NAMES[][2] = {
        {"ivsample",   "ivsample"},
        { "ivsamples", "ivsample"},
        { "ivtrace",   "ivsample"},
        { "isc_voc",   "isc_voc" },
        { "ivcurve",   "ivcurve" },
        { "ivcurves",  "ivcurve" },
        { "ivsurface", "ivcurve" },
    };
    struct harvest_file recipe = harvest_file_base();
    struct h5_input_info info;

    recipe.window = 50;
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
        recipe.datatype = NAMES[i][0];
        check(*state, &recipe, &info);
        assert_string_equal(info.datatype, NAMES[i][1]);
        assert_string_equal(info.hostname, "sheep3");
        assert_int_equal(info.n_samples, 100);
        assert_int_equal(info.window_samples, strcmp(info.datatype, "ivcurve") == 0 ? 50 : 0);
    }
}

static void test_what_is_no_harvest_is_refused(void **state)
{
    struct harvest_file recipe = harvest_file_base();

    recipe.mode = "emulator";
    expect_refused(*state, &recipe,
                   "mode is 'emulator': only a harvest (mode harvester) can be emulated");
    recipe.mode = NULL;
    expect_refused(*state, &recipe,
                   "mode is '': only a harvest (mode harvester) can be emulated");
    recipe = harvest_file_base();
    recipe.datatype = "surface";
    expect_refused(*state, &recipe, "datatype 'surface' is none of ivsample, ivcurve, isc_voc");
    recipe.datatype = NULL;
    expect_refused(*state, &recipe, "datatype '' is none of ivsample, ivcurve, isc_voc");
}

static void test_a_curve_needs_its_window(void **state)
{
    struct harvest_file recipe = harvest_file_base();

    recipe.datatype = "ivcurve";
    expect_refused(*state, &recipe, "an ivcurve without a window (window_samples 0)");
    recipe.window = -1;
    expect_refused(*state, &recipe, "an ivcurve without a window (window_samples 0)");
    recipe.window = INT64_C(1) << 32;
    expect_refused(*state, &recipe, "an ivcurve without a window (window_samples 4294967296)");
}

static void test_lengths_must_agree(void **state)
{
    struct harvest_file recipe = harvest_file_base();

    recipe.n_current = 99;
    expect_refused(*state, &recipe, "time, voltage and current differ in length: 100, 100, 99");
    recipe.n_current = 100;
    recipe.n_time = 101;
    expect_refused(*state, &recipe,
                   "time, voltage and current differ in length: 101, 100, 100");
    recipe.n_time = recipe.n_voltage = recipe.n_current = 0;
    expect_refused(*state, &recipe, "empty: no samples");
}

/* 10 us is what a node plays; within 5 %, a clock that was adjusted meanwhile. */
static void test_the_rate_must_be_right(void **state)
{
    struct harvest_file recipe = harvest_file_base();
    struct h5_input_info info;

    recipe.step_ns = 10499;
    check(*state, &recipe, &info);
    recipe.step_ns = 9501;
    check(*state, &recipe, &info);
    recipe.step_ns = 10500;
    expect_refused(*state, &recipe, "one sample every 10.5 us on average, 10 us are needed");
    recipe.step_ns = 1000000;
    expect_refused(*state, &recipe, "one sample every 1000 us on average, 10 us are needed");
    recipe.step_ns = 0;
    expect_refused(*state, &recipe, "one sample every 0 us on average, 10 us are needed");
    /* one sample has no rate */
    recipe.n_time = recipe.n_voltage = recipe.n_current = 1;
    check(*state, &recipe, &info);
    assert_int_equal(info.n_samples, 1);
}

static void test_without_data_behind_it_an_extent_is_refused(void **state)
{
    struct harvest_file recipe = harvest_file_base();

    recipe.is_not_recorded = true;
    expect_refused(*state, &recipe, "the voltage was not recorded");
    recipe = harvest_file_base();
    recipe.is_hollow = true;
    recipe.n_time = recipe.n_voltage = recipe.n_current = UINT64_C(1000000000000);
    expect_refused(*state, &recipe,
                   "the voltage has an extent of 1000000000000 samples, but only 0 bytes");
}

static void test_a_trace_without_gain_is_refused(void **state)
{
    struct h5_scratch *scratch = *state;
    struct harvest_file recipe = harvest_file_base();
    struct h5_input_info info;
    struct err err = { 0 };

    recipe.gain_A = 0;
    harvest_file_write(scratch->path, &recipe);
    assert_int_equal(h5_input_check(scratch->path, &info, &err), -1);
    assert_non_null(strstr(err.text, "/data/current"));
    assert_non_null(strstr(err.text, "gain"));
}

static void test_what_is_no_file_is_refused(void **state)
{
    struct h5_scratch *scratch = *state;
    struct h5_input_info info;
    struct err err = { 0 };
    char digest[DIGEST_TEXT_SIZE];
    int fd = -1;

    assert_int_equal(h5_input_check("/nowhere/a.h5", &info, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_string_equal(err.text, "input: /nowhere/a.h5: No such file or directory");
    assert_int_equal(h5_input_check(scratch->folder, &info, &err), -1);
    assert_int_equal(err.code, ERR_INPUT);
    assert_non_null(strstr(err.text, ": not a file"));
    /* cut in the middle of its metadata */
    {
        struct harvest_file recipe = harvest_file_base();

        harvest_file_write(scratch->path, &recipe);
    }
    fd = open(scratch->path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(ftruncate(fd, 700), 0);
    close(fd);
    assert_int_equal(h5_input_decode(scratch->path, "/nowhere/x", &info, digest, &err), -1);
    assert_int_equal(err.code, ERR_INPUT);
    assert_int_equal(strncmp(err.text, "input: ", 7), 0);
}

/* Decodes, and reads the stream back. */
static uint64_t decode(const struct h5_scratch *scratch, const struct harvest_file *recipe,
                       uint32_t *voltage_uV, uint32_t *current_nA)
{
    char out[120];
    char digest[DIGEST_TEXT_SIZE];
    struct h5_input_info info;
    struct err err = { 0 };
    struct rlog_input_reader *reader = NULL;
    uint64_t n = 0;
    long count = 0;

    harvest_file_write(scratch->path, recipe);
    snprintf(out, sizeof(out), "%s/out", scratch->folder);
    if (h5_input_decode(scratch->path, out, &info, digest, &err) < 0) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(strlen(digest), DIGEST_TEXT_SIZE - 1);
    reader = rlog_input_open(out, &err);
    assert_non_null(reader);
    assert_int_equal(rlog_input_samples(reader), info.n_samples);
    do {
        count = rlog_input_read(reader, voltage_uV + n, current_nA + n, HARVEST_FILE_ROWS - n,
                                &err);
        n += count > 0 ? (uint64_t)count : 0;
    } while (count > 0);
    assert_int_equal(count, 0);
    rlog_input_close(&reader);
    return n;
}

static void test_gain_and_offset_are_applied(void **state)
{
    static uint32_t voltage_uV[HARVEST_FILE_ROWS];
    static uint32_t current_nA[HARVEST_FILE_ROWS];
    struct harvest_file recipe = harvest_file_base();

    recipe.n_time = recipe.n_voltage = recipe.n_current = 25001;
    recipe.gain_V = 1.25e-6;
    recipe.offset_V = 3e-6;
    recipe.gain_A = -1e-9;
    recipe.offset_A = 2e-6;
    assert_int_equal(decode(*state, &recipe, voltage_uV, current_nA), 25001);
    for (uint64_t n = 0; n < 25001; n++) {
        /* to the nearest, halves to even */
        double uV = (double)(n % 1000) * 1.25 + 3;

        assert_in_range(voltage_uV[n], (uint64_t)(uV - 0.5 + 1e-6), (uint64_t)(uV + 0.5));
        assert_int_equal(current_nA[n], 2000 - n % 1000);
    }
}

static double extremes(uint64_t n)
{
    static const double VALUES[] = { -1e18,        -1,           0,   4294967294.0,
                                     4294967295.0, 4294967296.0, 1e18 };

    return VALUES[n % ARRAY_LEN(VALUES)];
}

static void test_values_saturate(void **state)
{
    static uint32_t voltage_uV[HARVEST_FILE_ROWS];
    static uint32_t current_nA[HARVEST_FILE_ROWS];
    static const uint32_t WANTED[] = { 0,           0,           0,          4294967294u,
                                       4294967295u, 4294967295u, 4294967295u };
    struct harvest_file recipe = harvest_file_base();

    recipe.voltage = extremes;
    assert_int_equal(decode(*state, &recipe, voltage_uV, current_nA), 100);
    for (uint64_t n = 0; n < 100; n++) {
        assert_int_equal(voltage_uV[n], WANTED[n % ARRAY_LEN(WANTED)]);
        assert_int_equal(current_nA[n], WANTED[n % ARRAY_LEN(WANTED)]);
    }
}

/* Steps of 3 codes of 5 uV, here and there two at once. */
static double stairs(uint64_t n)
{
    return (double)(n / 4 * 3 % 300);
}

static void test_the_step_of_curves(void **state)
{
    static const struct {
        const char *root_config;
        const char *data_config;
        double step_uV;
    } CASES[] = {
        {NULL,                                               NULL,                                                      15  },
        { NULL,                                              "virtual_harvester: {voltage_step_mV: 2.5}\n",             2500},
        { "virtual_harvester: {voltage_step_mV: 2}\n",       NULL,                                                      2000},
        { "virtual_harvester: {voltage_step_mV: 2}\n",       "harvester: {voltage_step_mV: 4}\n",
         4000                                                                                                               },
        { NULL,                                              "parameters: {virtual_harvester: {voltage_step_mV: 7}}\n", 7000},
        { "parameters: {harvester: {voltage_step_mV: 8}}\n", NULL,                                                      8000},
        { NULL,                                              "virtual_harvester: {voltage_step_mV: -3}\n",              15  },
        { NULL,                                              "virtual_harvester: {voltage_step_mV: many}\n",            15  },
        { NULL,                                              "virtual_harvester: [",                                    15  },
    };
    struct harvest_file recipe = harvest_file_base();
    struct h5_input_info info;

    recipe.voltage = stairs;
    recipe.gain_V = -5e-6;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        double error = 0;

        recipe.datatype = "ivcurve";
        recipe.window = 50;
        recipe.root_config = CASES[i].root_config;
        recipe.data_config = CASES[i].data_config;
        check(*state, &recipe, &info);
        error = info.voltage_step_uV - CASES[i].step_uV;
        if (error > 1e-9 || error < -1e-9) {
            fail_msg("case %zu: %g uV", i, info.voltage_step_uV);
        }
        recipe.datatype = "ivsample";
        check(*state, &recipe, &info);
        assert_true(info.voltage_step_uV == 0);
    }
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, h5_scratch_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(test_names_of_datatypes),
        WITH_FOLDER(test_what_is_no_harvest_is_refused),
        WITH_FOLDER(test_a_curve_needs_its_window),
        WITH_FOLDER(test_lengths_must_agree),
        WITH_FOLDER(test_the_rate_must_be_right),
        WITH_FOLDER(test_without_data_behind_it_an_extent_is_refused),
        WITH_FOLDER(test_a_trace_without_gain_is_refused),
        WITH_FOLDER(test_what_is_no_file_is_refused),
        WITH_FOLDER(test_gain_and_offset_are_applied),
        WITH_FOLDER(test_values_saturate),
        WITH_FOLDER(test_the_step_of_curves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
