/* SPDX-License-Identifier: MIT */
/* The recorder and its self-test as sheep.yaml asks for them. */
#include "sheep/recorder_main.h"

#include "sheep/recorder_ipc.h"
#include "tests/support/temp_folder.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    WAIT_MS = 10000
};

struct fixture {
    char folder[TEMP_FOLDER_SIZE];
    char state_dir[TEMP_PATH_SIZE];
    struct recorder_request request;
    struct sheep_config config;
    bool has_config;
    struct buf report;
    struct err err;
    pthread_t thread;
    int result;
    volatile sig_atomic_t stop_signal;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    temp_folder_make(f->folder);
    temp_folder_path(f->folder, "data/state", f->state_dir);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    if (f->has_config) {
        sheep_config_fini(&f->config);
    }
    buf_fini(&f->report);
    temp_folder_remove(f->folder);
    free(f);
    return 0;
}

static void configure(struct fixture *f, const char *text)
{
    char path[TEMP_PATH_SIZE];

    temp_folder_write(f->folder, "sheep.yaml", text);
    temp_folder_path(f->folder, "sheep.yaml", path);
    if (sheep_config_load(&f->config, path, &f->err) < 0) {
        fail_msg("%s", f->err.text);
    }
    f->has_config = true;
}

static bool is_there(const struct fixture *f, const char *name)
{
    char path[TEMP_PATH_SIZE];
    struct stat status;

    temp_folder_path(f->folder, name, path);
    return stat(path, &status) == 0;
}

static void test_selftest_reports_every_step(void **state)
{
    struct fixture *f = *state;

    configure(f, "name: sheep0\n"
                 "sim: { oscillator_ppm: 40, speed: fast }\n");
    if (recorder_selftest_main(&f->config, &f->report, &f->err) < 0) {
        fail_msg("%s", f->err.text);
    }
    assert_non_null(strstr(f->report.data, "open   eeprom: sheep.yaml names none\n"));
    assert_non_null(strstr(f->report.data, "ok     harvester loop: "));
    assert_non_null(strstr(f->report.data, "10 sound, 0 failed, 2 not checked\n"));
    assert_true(is_there(f, "data/recordings"));
    assert_false(is_there(f, "data/state/uart")); /* it goes with the board */
}

static void test_selftest_compares_the_eeprom_with_the_cape(void **state)
{
    struct fixture *f = *state;

    configure(f, "name: sheep0\n"
                 "eeprom: nothing.bin\n"
                 "sim: { speed: fast }\n");
    assert_int_equal(recorder_selftest_main(&f->config, &f->report, &f->err), -1);
    assert_int_equal(f->err.code, ERR_HARDWARE);
    assert_string_equal(f->err.text, "1 failed: eeprom");
    assert_non_null(strstr(f->report.data, "nothing.bin"));
}

static void test_a_world_with_faults_is_refused_with_their_place(void **state)
{
    struct fixture *f = *state;

    configure(f, "name: sheep0\n"
                 "sim:\n"
                 "    speed: slow\n");
    assert_int_equal(recorder_main(&f->config, NULL, &f->err), -1);
    assert_int_equal(f->err.code, ERR_INPUT);
    assert_non_null(strstr(f->err.text, "sheep.yaml:3:12: "));
    assert_int_equal(recorder_selftest_main(&f->config, &f->report, &f->err), -1);
    assert_non_null(strstr(f->err.text, "sheep.yaml:3:12: "));
}

static void test_a_board_that_is_not_built_is_refused_by_name(void **state)
{
    struct fixture *f = *state;

    configure(f, "name: sheep0\n"
                 "board: abacus\n");
    assert_int_equal(recorder_selftest_main(&f->config, &f->report, &f->err), -1);
    assert_non_null(strstr(f->err.text, "abacus"));
    assert_false(is_there(f, "data/truth")); /* only a simulated board has one */
}

static void test_data_that_cannot_be_made_is_refused(void **state)
{
    struct fixture *f = *state;

    configure(f, "name: sheep0\n"
                 "data: sheep.yaml/data\n");
    assert_int_equal(recorder_main(&f->config, NULL, &f->err), -1);
    assert_non_null(strstr(f->err.text, "sheep.yaml/data"));
}

static void *serve(void *arg)
{
    struct fixture *f = arg;

    f->result = recorder_main(&f->config, &f->stop_signal, &f->err);
    return NULL;
}

static int connect_agent(const struct fixture *f)
{
    struct err err;
    int fd = -1;

    for (int ms = 0; fd < 0 && ms < WAIT_MS; ms++) {
        fd = recorder_ipc_connect(f->state_dir, &err);
        poll(NULL, 0, 1);
    }
    assert_true(fd >= 0);
    return fd;
}

static struct recorder_event ask(struct fixture *f, int fd, enum recorder_request_kind kind)
{
    struct pollfd pfd = { .fd = fd, .events = POLLIN };
    struct recorder_event event;
    struct err err = { 0 };

    f->request.kind = (uint32_t)kind;
    f->request.seq++;
    assert_int_equal(recorder_ipc_send(fd, &f->request, &err), 0);
    assert_int_equal(poll(&pfd, 1, WAIT_MS), 1);
    assert_int_equal(recorder_ipc_receive(fd, &event, &err), 1);
    assert_int_equal(event.kind, RECORDER_ANSWER);
    assert_int_equal(event.seq, f->request.seq);
    return event;
}

static void ask_for_a_harvest(struct fixture *f)
{
    struct rlog_manifest *manifest = &f->request.manifest;

    f->request.calibration = calibration_default();
    temp_folder_path(f->folder, "data/recordings/run.rlog", f->request.log_folder);
    snprintf(manifest->experiment_name, sizeof(manifest->experiment_name), "run");
    snprintf(manifest->node, sizeof(manifest->node), "sheep0");
    snprintf(manifest->board, sizeof(manifest->board), "sim");
    snprintf(manifest->datatype, sizeof(manifest->datatype), "ivsample");
    schema_defaults(&node_config_schema, &manifest->config);
    manifest->mode = MODE_HARVEST;
    manifest->config.mode = MODE_HARVEST;
    manifest->config.harvester.algorithm = HARVESTER_CV;
    manifest->config.harvester.voltage_mV = 1000.0;
    manifest->config.harvester.voltage_min_mV = 0.0;
    manifest->config.harvester.voltage_max_mV = 5000.0;
    manifest->n_planned = 1000;
    manifest->voltage = f->request.calibration.hrv_adc_V;
    manifest->current = f->request.calibration.hrv_adc_I;
}

static void test_clock_truth_and_serial_line_are_those_of_the_config(void **state)
{
    struct fixture *f = *state;
    struct recorder_event event;
    int fd = -1;

    configure(f, "name: sheep0\n"
                 "clock: { offset_us: 3600000000 }\n");
    ask_for_a_harvest(f);
    assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
    fd = connect_agent(f);
    event = ask(f, fd, RECORDER_PREPARE);
    if (event.code != ERR_NONE) {
        fail_msg("%s", event.text);
    }
    assert_true(event.promise_ns - clock_utc_ns() > 3590 * NS_PER_S); /* an hour ahead */
    assert_true(is_there(f, "data/state/uart"));
    assert_int_equal(ask(f, fd, RECORDER_CANCEL).code, ERR_NONE);
    assert_true(is_there(f, "data/truth/run.truth"));
    assert_int_equal(ask(f, fd, RECORDER_QUIT).code, ERR_NONE);
    assert_int_equal(pthread_join(f->thread, NULL), 0);
    assert_false(is_there(f, "data/state/uart"));
    close(fd);
}

static void test_the_reserve_of_the_disk_is_kept(void **state)
{
    struct fixture *f = *state;
    struct recorder_event event;
    int fd = -1;

    configure(f, "name: sheep0\n"
                 "disk_reserve: 1000000 TiB\n");
    ask_for_a_harvest(f);
    assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
    fd = connect_agent(f);
    event = ask(f, fd, RECORDER_PREPARE);
    assert_int_equal(event.code, ERR_NO_SPACE);
    assert_int_equal(ask(f, fd, RECORDER_QUIT).code, ERR_NONE);
    assert_int_equal(pthread_join(f->thread, NULL), 0);
    close(fd);
}

static void test_the_recorder_serves_in_the_state_folder_until_QUIT(void **state)
{
    struct fixture *f = *state;
    const struct recorder_page *page = NULL;
    struct recorder_page copy;
    struct err err = { 0 };
    int fd = -1;

    configure(f, "name: sheep0\n");
    assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
    fd = connect_agent(f);
    assert_int_equal(recorder_page_map(f->state_dir, &page, &err), 0);
    assert_true(recorder_page_read(page, &copy));
    assert_int_equal(copy.state, RECORDER_IDLE);
    assert_int_equal(copy.pid, getpid());
    assert_int_equal(ask(f, fd, RECORDER_QUIT).code, ERR_NONE);
    assert_int_equal(pthread_join(f->thread, NULL), 0);
    assert_int_equal(f->result, 0);
    recorder_page_unmap(&page);
    close(fd);
}

static void test_a_signal_ends_the_recorder(void **state)
{
    struct fixture *f = *state;
    int fd = -1;

    configure(f, "name: sheep0\n");
    assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
    fd = connect_agent(f);
    f->stop_signal = 1;
    assert_int_equal(pthread_join(f->thread, NULL), 0);
    assert_int_equal(f->result, 0);
    close(fd);
}

static void test_one_recorder_a_state_folder(void **state)
{
    struct fixture *f = *state;
    struct err err = { 0 };
    int fd = -1;

    configure(f, "name: sheep0\n");
    assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
    fd = connect_agent(f);
    assert_int_equal(recorder_main(&f->config, NULL, &err), -1);
    assert_int_equal(err.code, ERR_EXISTS);
    assert_non_null(strstr(err.text, "another recorder runs on "));
    f->stop_signal = 1;
    assert_int_equal(pthread_join(f->thread, NULL), 0);
    close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_selftest_reports_every_step),
        TEST(test_selftest_compares_the_eeprom_with_the_cape),
        TEST(test_a_world_with_faults_is_refused_with_their_place),
        TEST(test_a_board_that_is_not_built_is_refused_by_name),
        TEST(test_data_that_cannot_be_made_is_refused),
        TEST(test_clock_truth_and_serial_line_are_those_of_the_config),
        TEST(test_the_reserve_of_the_disk_is_kept),
        TEST(test_the_recorder_serves_in_the_state_folder_until_QUIT),
        TEST(test_a_signal_ends_the_recorder),
        TEST(test_one_recorder_a_state_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
