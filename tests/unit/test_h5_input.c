/* SPDX-License-Identifier: MIT */
/* Harvests of anybody's as inputs: what is decoded, and what is refused with which words. */
#include "common/h5_input.h"

#include "common/rlog.h"
#include "tests/support/h5_scratch.h"

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

enum {
    MAX_ROWS = 30000
};

/* A file to be made; base() is one that is right. */
struct recipe {
    const char *mode;     /* NULL: none */
    const char *hostname; /* NULL: none */
    const char *datatype;
    int64_t window; /* -1: none */
    const char *root_config;
    const char *data_config;
    uint64_t n_time;
    uint64_t n_voltage;
    uint64_t n_current;
    uint64_t step_ns;
    double gain_V; /* 0: none */
    double offset_V;
    double gain_A;
    double offset_A;
    bool is_not_recorded; /* the voltage */
    bool is_hollow;       /* extents without data */
    double (*voltage)(uint64_t n);
};

static double ramp(uint64_t n)
{
    return (double)(n % 1000);
}

static struct recipe base(void)
{
    return (struct recipe){ .mode = "harvester",
                            .hostname = "sheep3",
                            .datatype = "ivsample",
                            .window = 0,
                            .n_time = 100,
                            .n_voltage = 100,
                            .n_current = 100,
                            .step_ns = 10000,
                            .gain_V = 1e-6,
                            .gain_A = 1e-9,
                            .voltage = ramp };
}

static void put_text(hid_t object, const char *name, const char *value)
{
    struct err err = { 0 };

    if (value != NULL) {
        assert_int_equal(h5_put_text(object, name, value, &err), 0);
    }
}

static hid_t make_plan(void)
{
    hsize_t chunk = 10000;
    hid_t plan = H5Pcreate(H5P_DATASET_CREATE);

    assert_true(H5Pset_chunk(plan, 1, &chunk) >= 0 && H5Pset_deflate(plan, 1) >= 0);
    return plan;
}

/* Rows of any double, stored as u64 or i64; gain 0: without meaning. */
static void put_rows(hid_t file, const char *path, const double *values, uint64_t count,
                     double gain, double offset, bool is_hollow)
{
    hsize_t extent = count;
    hsize_t unlimited = H5S_UNLIMITED;
    hid_t space = H5Screate_simple(1, &extent, &unlimited);
    hid_t plan = make_plan();
    hid_t dataset =
        H5Dcreate2(file, path, H5T_STD_I64LE, space, H5P_DEFAULT, plan, H5P_DEFAULT);
    struct err err = { 0 };

    assert_true(dataset >= 0);
    if (!is_hollow) {
        assert_true(H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values)
                    >= 0);
    }
    if (gain != 0) {
        assert_int_equal(h5_put_f64(dataset, "gain", gain, &err), 0);
        assert_int_equal(h5_put_f64(dataset, "offset", offset, &err), 0);
    }
    h5_close(&dataset);
    h5_close(&plan);
    h5_close(&space);
}

static void put_traces(hid_t file, const struct recipe *recipe)
{
    double *values = calloc(MAX_ROWS, sizeof(*values));

    assert_non_null(values);
    for (uint64_t n = 0; n < MAX_ROWS; n++) {
        values[n] = (double)n * (double)recipe->step_ns;
    }
    put_rows(file, "/data/time", values, recipe->n_time, 1e-9, 0, recipe->is_hollow);
    for (uint64_t n = 0; n < MAX_ROWS; n++) {
        values[n] = recipe->voltage(n);
    }
    put_rows(file, "/data/voltage", values, recipe->n_voltage, recipe->gain_V, recipe->offset_V,
             recipe->is_hollow);
    put_rows(file, "/data/current", values, recipe->n_current, recipe->gain_A, recipe->offset_A,
             recipe->is_hollow);
    free(values);
}

/* Writes the file and leaves it closed. */
static void make(const struct h5_scratch *scratch, const struct recipe *recipe)
{
    struct err err = { 0 };
    hid_t file = H5Fcreate(scratch->path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t data = h5_make_group(file, "/data", &err);

    put_text(file, "mode", recipe->mode);
    put_text(file, "hostname", recipe->hostname);
    put_text(file, "config", recipe->root_config);
    put_text(data, "datatype", recipe->datatype);
    put_text(data, "config", recipe->data_config);
    if (recipe->window >= 0) {
        assert_int_equal(h5_put_i64(data, "window_samples", recipe->window, &err), 0);
    }
    put_traces(file, recipe);
    if (recipe->is_not_recorded) {
        hid_t voltage = H5Dopen2(file, "/data/voltage", H5P_DEFAULT);

        assert_int_equal(h5_put_i64(voltage, "recorded", 0, &err), 0);
        h5_close(&voltage);
    }
    h5_close(&data);
    h5_close(&file);
}

static int set_up(void **state)
{
    struct h5_scratch *scratch = NULL;

    assert_int_equal(h5_scratch_set_up(state), 0);
    scratch = *state;
    h5_packer_destroy(&scratch->packer);
    h5_close(&scratch->file);
    return 0;
}

static void check(const struct h5_scratch *scratch, const struct recipe *recipe,
                  struct h5_input_info *info)
{
    struct err err = { 0 };

    make(scratch, recipe);
    if (h5_input_check(scratch->path, info, &err) < 0) {
        fail_msg("%s", err.text);
    }
}

static void expect_refused(const struct h5_scratch *scratch, const struct recipe *recipe,
                           const char *why)
{
    struct h5_input_info info;
    struct err err = { 0 };
    char wanted[300];
    char out[120];
    char digest[DIGEST_TEXT_SIZE];

    make(scratch, recipe);
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
    struct recipe recipe = base();
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
    struct recipe recipe = base();

    recipe.mode = "emulator";
    expect_refused(*state, &recipe,
                   "mode is 'emulator': only a harvest (mode harvester) can be emulated");
    recipe.mode = NULL;
    expect_refused(*state, &recipe,
                   "mode is '': only a harvest (mode harvester) can be emulated");
    recipe = base();
    recipe.datatype = "surface";
    expect_refused(*state, &recipe, "datatype 'surface' is none of ivsample, ivcurve, isc_voc");
    recipe.datatype = NULL;
    expect_refused(*state, &recipe, "datatype '' is none of ivsample, ivcurve, isc_voc");
}

static void test_a_curve_needs_its_window(void **state)
{
    struct recipe recipe = base();

    recipe.datatype = "ivcurve";
    expect_refused(*state, &recipe, "an ivcurve without a window (window_samples 0)");
    recipe.window = -1;
    expect_refused(*state, &recipe, "an ivcurve without a window (window_samples 0)");
    recipe.window = INT64_C(1) << 32;
    expect_refused(*state, &recipe, "an ivcurve without a window (window_samples 4294967296)");
}

static void test_lengths_must_agree(void **state)
{
    struct recipe recipe = base();

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
    struct recipe recipe = base();
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
    struct recipe recipe = base();

    recipe.is_not_recorded = true;
    expect_refused(*state, &recipe, "the voltage was not recorded");
    recipe = base();
    recipe.is_hollow = true;
    recipe.n_time = recipe.n_voltage = recipe.n_current = UINT64_C(1000000000000);
    expect_refused(*state, &recipe,
                   "the voltage has an extent of 1000000000000 samples, but only 0 bytes");
}

static void test_a_trace_without_gain_is_refused(void **state)
{
    struct h5_scratch *scratch = *state;
    struct recipe recipe = base();
    struct h5_input_info info;
    struct err err = { 0 };

    recipe.gain_A = 0;
    make(scratch, &recipe);
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
        struct recipe recipe = base();

        make(scratch, &recipe);
    }
    fd = open(scratch->path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(ftruncate(fd, 700), 0);
    close(fd);
    assert_int_equal(h5_input_decode(scratch->path, "/nowhere/x", &info, digest, &err), -1);
    assert_int_equal(err.code, ERR_INPUT);
    assert_int_equal(strncmp(err.text, "input: ", 7), 0);
}

/* Decodes, and reads the stream back. */
static uint64_t decode(const struct h5_scratch *scratch, const struct recipe *recipe,
                       uint32_t *voltage_uV, uint32_t *current_nA)
{
    char out[120];
    char digest[DIGEST_TEXT_SIZE];
    struct h5_input_info info;
    struct err err = { 0 };
    struct rlog_input_reader *reader = NULL;
    uint64_t n = 0;
    long count = 0;

    make(scratch, recipe);
    snprintf(out, sizeof(out), "%s/out", scratch->folder);
    if (h5_input_decode(scratch->path, out, &info, digest, &err) < 0) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(strlen(digest), DIGEST_TEXT_SIZE - 1);
    reader = rlog_input_open(out, &err);
    assert_non_null(reader);
    assert_int_equal(rlog_input_samples(reader), info.n_samples);
    do {
        count = rlog_input_read(reader, voltage_uV + n, current_nA + n, MAX_ROWS - n, &err);
        n += count > 0 ? (uint64_t)count : 0;
    } while (count > 0);
    assert_int_equal(count, 0);
    rlog_input_close(&reader);
    return n;
}

static void test_gain_and_offset_are_applied(void **state)
{
    static uint32_t voltage_uV[MAX_ROWS];
    static uint32_t current_nA[MAX_ROWS];
    struct recipe recipe = base();

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
    static uint32_t voltage_uV[MAX_ROWS];
    static uint32_t current_nA[MAX_ROWS];
    static const uint32_t WANTED[] = { 0,           0,           0,          4294967294u,
                                       4294967295u, 4294967295u, 4294967295u };
    struct recipe recipe = base();

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
    struct recipe recipe = base();
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
