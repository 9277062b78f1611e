/* SPDX-License-Identifier: MIT */
/* What PREPARE is checked against, and what the recorder is then asked for. */
#include "sheep/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct fixture {
    char folder[64];
    struct sheep_config config;
    struct store store;
    struct input_store inputs;
    struct clock_claim claim;
    struct plan_context context;
    struct body_prepare body;
    struct node_config wanted;
    struct plan plan;
    struct err err;
};

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *ftw)
{
    (void)status;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    snprintf(f->folder, sizeof(f->folder), "/tmp/bw-plan-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->config.data, sizeof(f->config.data), "%s", f->folder);
    snprintf(f->config.name, sizeof(f->config.name), "sheep7");
    snprintf(f->config.board, sizeof(f->config.board), "sim");
    f->config.has_calibration = true;
    f->config.calibration = calibration_default();
    f->claim.is_locked = true;
    assert_int_equal(store_open(&f->store, &f->config, &f->err), 0);
    assert_int_equal(input_store_open(&f->inputs, &f->config, &f->err), 0);
    f->context = (struct plan_context){ .config = &f->config,
                                        .store = &f->store,
                                        .inputs = &f->inputs,
                                        .claim = &f->claim,
                                        .experiment = 42,
                                        .boot_id = 7 };
    snprintf(f->body.experiment_name, sizeof(f->body.experiment_name), "day");
    snprintf(f->body.log, sizeof(f->body.log), "day_x");
    schema_defaults(&node_config_schema, &f->wanted);
    f->wanted.mode = MODE_HARVEST;
    f->wanted.duration_ns = 2 * NS_PER_S;
    f->wanted.record.voltage = true;
    f->wanted.record.current = true;
    f->wanted.harvester.algorithm = HARVESTER_CV;
    f->wanted.harvester.voltage_mV = 2000;
    f->wanted.harvester.voltage_max_mV = 5000;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    nftw(f->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

static int make_from(struct fixture *f, const char *text, size_t size)
{
    memset(&f->err, 0, sizeof(f->err));
    return plan_make(&f->plan, &f->context, &f->body, (struct proto_frame){ text, size },
                     &f->err);
}

static int make(struct fixture *f)
{
    struct buf text = { 0 };
    int result = 0;

    schema_encode(&node_config_schema, &f->wanted, &text, 0);
    result = make_from(f, text.data, text.size);
    buf_fini(&text);
    return result;
}

static void assert_refused(struct fixture *f, const char *word)
{
    assert_int_equal(make(f), -1);
    if (strstr(f->err.text, word) == NULL) {
        fail_msg("'%s' does not say '%s'", f->err.text, word);
    }
}

static void test_a_good_one_becomes_a_request(void **state)
{
    struct fixture *f = *state;
    const struct rlog_manifest *manifest = &f->plan.request.manifest;

    assert_int_equal(make(f), 0);
    assert_string_equal(f->plan.log, "day_x");
    assert_int_equal(manifest->n_planned, 200000);
    assert_int_equal(manifest->experiment, 42);
    assert_string_equal(manifest->node, "sheep7");
    assert_string_equal(manifest->datatype, "ivsample");
    assert_true(manifest->voltage.gain == f->config.calibration.hrv_adc_V.gain);
    assert_false(manifest->is_cal_default);
    assert_int_equal(f->plan.request.boot_id, 7);
    assert_non_null(strstr(f->plan.request.log_folder, "recordings/day_x.rlog"));
    assert_int_equal(plan_bytes(manifest) / 1000, 1600 + (manifest->gpio_mask != 0 ? 8 : 0));
}

static void test_a_curve_has_a_window(void **state)
{
    struct fixture *f = *state;

    f->wanted.harvester.algorithm = HARVESTER_IVCURVE;
    f->wanted.harvester.samples_n = 100;
    f->wanted.harvester.wait_cycles = 1;
    f->wanted.harvester.voltage_step_mV = 50;
    f->wanted.harvester.voltage_min_mV = 0;
    assert_int_equal(make(f), 0);
    assert_string_equal(f->plan.request.manifest.datatype, "ivcurve");
    assert_int_equal(f->plan.request.manifest.window_samples, 200);
}

static void test_the_clock_must_be_good_unless_any_will_do(void **state)
{
    struct fixture *f = *state;

    f->claim.is_locked = false;
    assert_refused(f, "clock");
    f->wanted.clock_source = CLOCK_SOURCE_ANY;
    assert_int_equal(make(f), 0);
}

static void test_calibration_is_needed_unless_nominal_will_do(void **state)
{
    struct fixture *f = *state;

    f->config.has_calibration = false;
    assert_refused(f, "calibration");
    err_set(&f->config.no_calibration, ERR_NOT_FOUND, "EEPROM: erased");
    assert_refused(f, "EEPROM: erased");
    f->wanted.use_cal_default = true;
    assert_int_equal(make(f), 0);
    assert_true(f->plan.request.manifest.is_cal_default);
}

static void test_there_must_be_room(void **state)
{
    struct fixture *f = *state;

    f->store.reserve_bytes = store_free_bytes(&f->store) - 1000;
    assert_refused(f, "disk");
    assert_int_equal(f->err.code, ERR_NO_SPACE);
    f->store.reserve_bytes = 0;
    f->wanted.duration_ns = INT64_MAX / 2;
    assert_refused(f, "disk");
}

static void test_an_emulation_needs_its_input(void **state)
{
    struct fixture *f = *state;

    f->wanted.mode = MODE_EMULATE;
    assert_refused(f, "empty");
    f->wanted.input_samples = 100;
    assert_refused(f, "input");
    memset(f->wanted.input_digest, 'a', sizeof(f->wanted.input_digest) - 1);
    assert_refused(f, "not on this node");
}

static void test_names_and_configs_are_checked(void **state)
{
    struct fixture *f = *state;
    static const char UNKNOWN[] = "mode: harvest\nfoo: 1\n";
    static char large[300 * 1024];

    snprintf(f->body.log, sizeof(f->body.log), "../day");
    assert_refused(f, "not a name");
    snprintf(f->body.log, sizeof(f->body.log), "day_x");
    assert_int_equal(make_from(f, UNKNOWN, sizeof(UNKNOWN) - 1), -1);
    assert_non_null(strstr(f->err.text, "foo"));
    assert_int_equal(make_from(f, NULL, 0), -1);
    memset(large, ' ', sizeof(large));
    assert_int_equal(make_from(f, large, sizeof(large)), -1);
    f->wanted.harvester.voltage_mV = 1e9;
    assert_int_equal(make(f), -1);
    f->wanted.harvester.voltage_mV = 2000;
    f->wanted.duration_ns = 0;
    assert_int_equal(make(f), -1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_good_one_becomes_a_request),
        TEST(test_a_curve_has_a_window),
        TEST(test_the_clock_must_be_good_unless_any_will_do),
        TEST(test_calibration_is_needed_unless_nominal_will_do),
        TEST(test_there_must_be_room),
        TEST(test_an_emulation_needs_its_input),
        TEST(test_names_and_configs_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
