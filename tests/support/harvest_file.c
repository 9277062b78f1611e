/* SPDX-License-Identifier: MIT */
#include "tests/support/harvest_file.h"

#include "common/h5_util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static double ramp(uint64_t n)
{
    return (double)(n % 1000);
}

struct harvest_file harvest_file_base(void)
{
    return (struct harvest_file){ .mode = "harvester",
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

static void put_traces(hid_t file, const struct harvest_file *recipe)
{
    double *values = calloc(HARVEST_FILE_ROWS, sizeof(*values));

    assert_non_null(values);
    for (uint64_t n = 0; n < HARVEST_FILE_ROWS; n++) {
        values[n] = (double)n * (double)recipe->step_ns;
    }
    put_rows(file, "/data/time", values, recipe->n_time, 1e-9, 0, recipe->is_hollow);
    for (uint64_t n = 0; n < HARVEST_FILE_ROWS; n++) {
        values[n] = recipe->voltage(n);
    }
    put_rows(file, "/data/voltage", values, recipe->n_voltage, recipe->gain_V, recipe->offset_V,
             recipe->is_hollow);
    put_rows(file, "/data/current", values, recipe->n_current, recipe->gain_A, recipe->offset_A,
             recipe->is_hollow);
    free(values);
}

void harvest_file_write(const char *path, const struct harvest_file *recipe)
{
    struct err err = { 0 };
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
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
