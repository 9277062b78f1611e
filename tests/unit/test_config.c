/* SPDX-License-Identifier: MIT */
/* sheep.yaml: what it leaves out, what it may not say, where its paths lead. */
#include "sheep/config.h"

#include "tests/support/temp_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

struct fixture {
    char folder[TEMP_FOLDER_SIZE];
    char path[TEMP_PATH_SIZE];
    struct sheep_config config;
    struct err err;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    temp_folder_make(f->folder);
    temp_folder_path(f->folder, "sheep.yaml", f->path);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    sheep_config_fini(&f->config);
    temp_folder_remove(f->folder);
    free(f);
    return 0;
}

static void load(struct fixture *f, const char *text)
{
    temp_folder_write(f->folder, "sheep.yaml", text);
    sheep_config_fini(&f->config);
    if (sheep_config_load(&f->config, f->path, &f->err) < 0) {
        fail_msg("%s", f->err.text);
    }
}

static void expect_refusal(struct fixture *f, const char *text, const char *wanted)
{
    temp_folder_write(f->folder, "sheep.yaml", text);
    assert_int_equal(sheep_config_load(&f->config, f->path, &f->err), -1);
    assert_int_equal(f->err.code, ERR_INPUT);
    if (strstr(f->err.text, wanted) == NULL) {
        fail_msg("'%s' lacks '%s'", f->err.text, wanted);
    }
    assert_null(f->config.doc);
}

static void expect_path(const struct fixture *f, const char *path, const char *name)
{
    char wanted[TEMP_PATH_SIZE];

    temp_folder_path(f->folder, name, wanted);
    assert_string_equal(path, wanted);
}

static void test_a_name_is_enough(void **state)
{
    struct fixture *f = *state;

    load(f, "name: sheep7\n");
    assert_string_equal(f->config.name, "sheep7");
    assert_string_equal(f->config.address, "*");
    assert_int_equal(f->config.port, 4240);
    assert_string_equal(f->config.board, "sim");
    assert_int_equal(f->config.disk_reserve, 64 << 20);
    assert_int_equal(f->config.retention, RETENTION_RELEASE);
    assert_int_equal(f->config.clock.source, CLOCK_AUTO);
    assert_false(f->config.clock.locked);
    assert_null(f->config.sim);
    assert_false(f->config.has_calibration);
    assert_true(f->config.calibration.hrv_adc_V.gain == calibration_default().hrv_adc_V.gain);
    assert_string_equal(f->config.path, f->path);
    expect_path(f, f->config.data, "data");
    expect_path(f, f->config.secret_key, "sheep.key");
    expect_path(f, f->config.authorized, "authorized");
    assert_string_equal(f->config.calibration_path, "");
}

static void test_what_is_said_counts(void **state)
{
    struct fixture *f = *state;

    load(f, "name: s\ndata: /srv/bw\nsecret_key: keys/s.key\naddress: 10.0.0.7\nport: 65533\n"
            "disk_reserve: 1 GiB\nretention: keep\n"
            "clock: { source: sim, locked: true, claimed_bound_us: 0.5 }\n"
            "sim: { anything: goes }\n");
    assert_string_equal(f->config.data, "/srv/bw");
    expect_path(f, f->config.secret_key, "keys/s.key");
    assert_string_equal(f->config.address, "10.0.0.7");
    assert_int_equal(f->config.port, 65533);
    assert_int_equal(f->config.disk_reserve, 1 << 30);
    assert_int_equal(f->config.retention, RETENTION_KEEP);
    assert_int_equal(f->config.clock.source, CLOCK_SIM);
    assert_true(f->config.clock.locked);
    assert_true(f->config.clock.claimed_bound_us == 0.5);
    assert_non_null(f->config.sim); /* sim_config.h has its schema */
    assert_string_equal(yaml_text(yaml_get(f->config.sim, "anything"), ""), "goes");
    sheep_config_fini(&f->config);
    assert_null(f->config.sim);
    assert_null(f->config.doc);
}

static void test_faults_are_named_with_their_place(void **state)
{
    struct fixture *f = *state;

    expect_refusal(f, "name: s\nprot: 1\n", "sheep.yaml:2:1: ");
    expect_refusal(f, "name: s\nprot: 1\n", "did you mean port?");
    expect_refusal(f, "port: 4240\n", "name");
    expect_refusal(f, "name: ../s\n", "'../s' cannot name a node");
    expect_refusal(f, "name: s\nport: 65534\n", "port");
    expect_refusal(f, "name: s\nport: 0\n", "port");
    expect_refusal(f, "name: s\nretention: maybe\n", "retention");
    expect_refusal(f, "name: s\nsim: fast\n", "sim: not a map");
    expect_refusal(f, "name: s\nsim: [1]\n", "sim: not a map");
    expect_refusal(f, "name: s\nclock: { claimed_bound_us: -1 }\n", "claimed_bound_us");
    expect_refusal(f, "name: s\nclock: { source: ptpd }\n", "ptpd");
    expect_refusal(f, "name: [\n", "sheep.yaml:");
    expect_refusal(f, "name: s\nport: x\nretention: y\nboart: z\n", "2 more");
}

static void test_files_that_are_not_there_are_named(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(sheep_config_load(&f->config, "/nowhere/sheep.yaml", &f->err), -1);
    assert_int_equal(f->err.code, ERR_NOT_FOUND);
    assert_non_null(strstr(f->err.text, "/nowhere/sheep.yaml"));
    temp_folder_write(f->folder, "sheep.yaml", "name: s\ncalibration: cal.yaml\n");
    assert_int_equal(sheep_config_load(&f->config, f->path, &f->err), -1);
    assert_int_equal(f->err.code, ERR_NOT_FOUND);
    assert_non_null(strstr(f->err.text, "cal.yaml"));
    assert_null(f->config.doc);
}

static void test_a_path_that_becomes_too_long_is_refused(void **state)
{
    struct fixture *f = *state;
    char text[PATH_SIZE + 64] = "name: s\ndata: ";
    char folder[PATH_SIZE];
    size_t length = strlen(text);

    memset(text + length, 'd', PATH_SIZE - 8);
    text[length + PATH_SIZE - 8] = '\0';
    expect_refusal(f, text, "path is too long: ddd");
    load(f, "name: s\ndata: /d\n");
    memset(f->config.data, 'd', PATH_SIZE - 4);
    f->config.data[PATH_SIZE - 4] = '\0';
    assert_int_equal(sheep_config_folder(&f->config, "recordings", folder, &f->err), -1);
    assert_int_equal(f->err.code, ERR_INPUT);
    assert_int_equal(sheep_config_folder(&f->config, "x", folder, &f->err), 0);
}

static bool is_there(const struct fixture *f, const char *name)
{
    char path[TEMP_PATH_SIZE];
    struct stat status;

    temp_folder_path(f->folder, name, path);
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static void test_folders_are_made_and_truth_only_where_there_is_one(void **state)
{
    struct fixture *f = *state;

    load(f, "name: s\ndata: one\nboard: pru\n");
    assert_int_equal(sheep_config_make_folders(&f->config, &f->err), 0);
    assert_true(is_there(f, "one/recordings"));
    assert_true(is_there(f, "one/inputs"));
    assert_true(is_there(f, "one/state"));
    assert_false(is_there(f, "one/truth"));
    load(f, "name: s\ndata: two\n");
    assert_int_equal(sheep_config_make_folders(&f->config, &f->err), 0);
    assert_int_equal(sheep_config_make_folders(&f->config, &f->err), 0);
    assert_true(is_there(f, "two/truth"));
    load(f, "name: s\ndata: sheep.yaml/data\n");
    assert_int_equal(sheep_config_make_folders(&f->config, &f->err), -1);
    assert_non_null(strstr(f->err.text, "sheep.yaml/data"));
}

static void test_boards_that_are_simulated(void **state)
{
    (void)state;
    assert_true(sheep_board_is_simulated("sim"));
    assert_true(sheep_board_is_simulated("iss"));
    assert_false(sheep_board_is_simulated("pru"));
    assert_false(sheep_board_is_simulated(""));
}

static void test_the_clock_has_the_error_that_is_simulated(void **state)
{
    struct fixture *f = *state;
    struct clock clock;

    load(f, "name: s\nclock: { offset_us: -2500000.5 }\n");
    clock = sheep_config_clock(&f->config);
    assert_int_equal(clock.utc_offset_ns, INT64_C(-2500000500));
    assert_true(clock_utc(&clock) < clock_utc_ns() - 2 * NS_PER_S);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_name_is_enough),
        TEST(test_what_is_said_counts),
        TEST(test_faults_are_named_with_their_place),
        TEST(test_files_that_are_not_there_are_named),
        TEST(test_a_path_that_becomes_too_long_is_refused),
        TEST(test_folders_are_made_and_truth_only_where_there_is_one),
        cmocka_unit_test(test_boards_that_are_simulated),
        TEST(test_the_clock_has_the_error_that_is_simulated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
