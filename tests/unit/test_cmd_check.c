/* SPDX-License-Identifier: MIT */
/* herd check, run in this process with its output caught in files. */
#include "common/buf.h"
#include "herd/cmd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/bw_check_XXXXXX";
static char inventory[60];
static struct buf out;
static struct buf err_out;

static void write_text(const char *path, const char *text)
{
    struct err err = { 0 };

    assert_int_equal(file_write_atomic(path, text, strlen(text), 0600, &err), 0);
}

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(inventory, sizeof(inventory), "%s/herd.yml", folder);
    write_text(inventory, "sheep: {hosts: {\"sheep[0:3]\": {}}}\n");
    return 0;
}

static int tear_down(void **state)
{
    char command[100];

    (void)state;
    buf_fini(&out);
    buf_fini(&err_out);
    snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command); // NOLINT(cert-env33-c,concurrency-mt-unsafe)
}

/* Sends one of the standard streams into a file; returns what it was. */
static int divert(FILE *stream, const char *path)
{
    int before = dup(fileno(stream));
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fflush(stream);
    assert_true(dup2(fileno(file), fileno(stream)) >= 0);
    fclose(file);
    return before;
}

static void restore(FILE *stream, int before, const char *path, struct buf *text)
{
    struct err err = { 0 };

    fflush(stream);
    assert_true(dup2(before, fileno(stream)) >= 0);
    close(before);
    buf_clear(text);
    buf_text(text, "");
    assert_int_equal(buf_read_file(text, path, 1 << 20, &err), 0);
}

static int check(const char *text, bool is_json, const char *option)
{
    struct cmd_options options = { .inventory = inventory, .is_json = is_json };
    char file[60];
    char out_path[60];
    char err_path[60];
    char command[] = "check";
    char flag[20] = "";
    char *argv[] = { command, file, NULL };
    int status = 0;
    int before_out = 0;
    int before_err = 0;

    snprintf(file, sizeof(file), "%s/e.yaml", folder);
    snprintf(out_path, sizeof(out_path), "%s/out", folder);
    snprintf(err_path, sizeof(err_path), "%s/err", folder);
    write_text(file, text);
    if (option != NULL) {
        snprintf(flag, sizeof(flag), "%s", option);
        argv[1] = flag;
    }
    before_out = divert(stdout, out_path);
    before_err = divert(stderr, err_path);
    status = cmd_check.run(&options, 2, argv);
    restore(stdout, before_out, out_path, &out);
    restore(stderr, before_err, err_path, &err_out);
    return status;
}

static const char good[] = "name: good\nduration: 1 s\ndefaults: {mode: harvest}\n"
                           "nodes: {sheep2: {harvester: cv20}}\n";
static const char bad[] = "name: bad\nduration: 0 s\ndefaults: {mode: harvestt, speed: 3}\n";

static void test_good_file_is_printed_folded(void **state)
{
    (void)state;
    assert_int_equal(check(good, false, NULL), EXIT_ALL_VALID);
    assert_non_null(strstr(out.data, "\n  \"sheep[0-1,3]\":\n    mode: harvest\n"));
    assert_non_null(strstr(out.data, "\n  sheep2:\n"));
    assert_non_null(strstr(out.data, " duration: to the end\n"));
    assert_null(strstr(out.data, "-1 ns"));
    assert_string_equal(err_out.data, "");
}

static void test_json_has_the_same(void **state)
{
    (void)state;
    assert_int_equal(check(good, true, NULL), EXIT_ALL_VALID);
    assert_int_equal(out.data[0], '{');
    assert_non_null(strstr(out.data, "sheep[0-1,3]"));
    assert_non_null(strstr(out.data, "\"rising\""));
    assert_int_equal(check(bad, true, NULL), EXIT_USAGE);
    assert_non_null(strstr(err_out.data, "\"line\""));
    assert_string_equal(out.data, "");
}

static void test_all_faults_go_to_stderr(void **state)
{
    (void)state;
    assert_int_equal(check(bad, false, NULL), EXIT_USAGE);
    assert_non_null(strstr(err_out.data, "e.yaml:2:11: duration"));
    assert_non_null(strstr(err_out.data, "e.yaml:3:18: mode"));
    assert_non_null(strstr(err_out.data, "e.yaml:3:28: unknown key 'speed'"));
    assert_string_equal(out.data, "");
}

static void test_shepherds_file_is_read_with_notes(void **state)
{
    static const char task[] = "datatype: HarvestTask\nparameters: {verbose: 3, duration: 2}\n";

    (void)state;
    assert_int_equal(check(task, false, NULL), EXIT_ALL_VALID);
    assert_non_null(strstr(err_out.data, "e.yaml:2:14: note: HarvestTask: 'verbose'"));
    assert_non_null(strstr(out.data, "duration: 2 s"));
    assert_int_equal(check(task, true, NULL), EXIT_ALL_VALID);
    assert_non_null(strstr(err_out.data, "\"note\""));
}

static void test_schema_names_every_parameter(void **state)
{
    static const char *const words[] = { "V_intermediate_max_mV",
                                         "cutout_cycles",
                                         "R_leak_Ohm",
                                         "if_incomplete",
                                         "sync_interval",
                                         "adc_C_Hrv",
                                         "BQ25570s",
                                         "mppt_bq_solar",
                                         "LEOCH" };

    (void)state;
    assert_int_equal(check(good, false, "--schema"), EXIT_ALL_VALID);
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strstr(out.data, words[i]) == NULL) {
            fail_msg("no %s", words[i]);
        }
    }
    assert_int_equal(check(good, true, "-s"), EXIT_ALL_VALID);
    assert_int_equal(out.data[0], '{');
}

static void test_wrong_use_is_told(void **state)
{
    (void)state;
    assert_int_equal(check(good, false, "--nonsense"), EXIT_USAGE);
    assert_int_equal(check(good, false, "/nonexistent.yaml"), EXIT_USAGE);
    assert_non_null(strstr(err_out.data, "/nonexistent.yaml"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_file_is_printed_folded),
        cmocka_unit_test(test_json_has_the_same),
        cmocka_unit_test(test_all_faults_go_to_stderr),
        cmocka_unit_test(test_shepherds_file_is_read_with_notes),
        cmocka_unit_test(test_schema_names_every_parameter),
        cmocka_unit_test(test_wrong_use_is_told),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
