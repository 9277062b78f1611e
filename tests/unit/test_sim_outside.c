/* SPDX-License-Identifier: MIT */
/* What a simulated board shows to the outside: pin, serial line, truth. */
#include "sheep/sim_outside.h"

#include "common/buf.h"
#include "common/log.h"
#include "tests/support/temp_folder.h"

#include <fcntl.h>
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
    SUPPLY_CODE = 30000,
    HEADER_BYTES = 32,
    RECORD_BYTES = 32
};

struct fixture {
    char folder[TEMP_FOLDER_SIZE];
    struct sim_config config;
    struct sim_outside outside;
    struct world *world;
    struct sample_io io;
    unsigned n_warnings;
    char warning[1000];
    struct err err;
};

static void keep_warning(enum log_level level, const char *line, void *arg)
{
    struct fixture *f = arg;

    f->n_warnings += level == LOG_LEVEL_WARN;
    snprintf(f->warning, sizeof(f->warning), "%s", line);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    temp_folder_make(f->folder);
    f->config.world = world_config_default();
    f->config.world.target.boot_ms = 0.02;
    f->config.world.target.needs_power_good = false;
    sim_outside_init(&f->outside);
    log_set_sink(keep_warning, f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    sim_outside_close(&f->outside);
    world_destroy(&f->world);
    log_set_sink(NULL, NULL);
    temp_folder_remove(f->folder);
    free(f);
    return 0;
}

static void name_file(const struct fixture *f, char *path, const char *name)
{
    char whole[TEMP_PATH_SIZE];

    temp_folder_path(f->folder, name, whole);
    snprintf(path, PATH_SIZE, "%s", whole);
}

static void open_outside(struct fixture *f)
{
    if (sim_outside_open(&f->outside, &f->config, &f->err) < 0) {
        fail_msg("%s", f->err.text);
    }
}

/* Samples [first, end) of a target that is supplied. */
static void run(struct fixture *f, uint64_t first, uint64_t end)
{
    const char *why = NULL;

    if (f->world == NULL) {
        f->world = world_create(&f->config.world, &why);
        assert_non_null(f->world);
        world_begin(f->world, true, false);
        world_io(f->world, &f->io);
    }
    for (uint64_t sample = first; sample < end; sample++) {
        f->io.dac_write(f->io.context, SAMPLE_DAC_TARGET, SUPPLY_CODE);
        world_advance(f->world, sample);
        sim_outside_sample(&f->outside, f->world, sample);
    }
}

static uint8_t first_byte(const char *path)
{
    struct buf content = { 0 };
    struct err err = { 0 };
    uint8_t byte = 0;

    assert_int_equal(buf_read_file(&content, path, 1 << 20, &err), 0);
    assert_int_equal(content.size, 4096);
    byte = (uint8_t)content.data[0];
    buf_fini(&content);
    return byte;
}

static void test_the_pin_rises_with_the_start_and_falls_before_the_next(void **state)
{
    struct fixture *f = *state;

    name_file(f, f->config.pin_file, "pin");
    open_outside(f);
    assert_int_equal(first_byte(f->config.pin_file), 0);
    sim_outside_begin(&f->outside, "", false);
    sim_outside_start(&f->outside);
    assert_int_equal(first_byte(f->config.pin_file), 1);
    sim_outside_end(&f->outside);
    assert_int_equal(first_byte(f->config.pin_file), 1);
    sim_outside_begin(&f->outside, "", false);
    assert_int_equal(first_byte(f->config.pin_file), 0);
}

static void test_a_board_without_anything_outside_runs_as_well(void **state)
{
    struct fixture *f = *state;

    open_outside(f);
    assert_false(sim_outside_has_uart(&f->outside));
    sim_outside_begin(&f->outside, "", true);
    sim_outside_start(&f->outside);
    run(f, 0, 200);
    sim_outside_end(&f->outside);
    sim_outside_close(&f->outside);
    sim_outside_close(&f->outside);
    assert_int_equal(f->n_warnings, 0);
}

static int open_line(const struct fixture *f)
{
    int fd = open(f->config.uart_link, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

static void test_the_serial_line_speaks_every_millisecond(void **state)
{
    struct fixture *f = *state;
    char text[64] = "";
    int fd = -1;

    name_file(f, f->config.uart_link, "uart");
    open_outside(f);
    f->outside.has_listener = true;
    assert_true(sim_outside_has_uart(&f->outside));
    fd = open_line(f);
    run(f, 1, 100);
    assert_int_equal(read(fd, text, sizeof(text)), -1); /* said already, but not heard yet */
    run(f, 100, 101);
    assert_true(read(fd, text, sizeof(text) - 1) >= 8);
    assert_memory_equal(text, "boot 1\r\n", 8); /* raw: CR and LF as they were sent */
    close(fd);
}

static void test_nobody_listens_and_nothing_is_sent(void **state)
{
    struct fixture *f = *state;
    char text[64] = "";
    int fd = -1;

    name_file(f, f->config.uart_link, "uart");
    open_outside(f);
    fd = open_line(f);
    run(f, 1, 301);
    assert_int_equal(read(fd, text, sizeof(text)), -1);
    assert_true(world_uart(f->world, text, sizeof(text))
                >= 8); /* it is still with the target */
    close(fd);
}

static void test_a_full_line_holds_nobody_up(void **state)
{
    struct fixture *f = *state;

    name_file(f, f->config.uart_link, "uart");
    f->config.world.target.sleep_ms = 0.01;
    f->config.world.target.compute_ms = 0.01;
    f->config.world.target.send_ms = 0.01;
    open_outside(f);
    f->outside.has_listener = true;
    run(f, 0, 20000); /* 6600 cycles, each with a line of its own */
    assert_int_equal(f->outside.n_uart_failed, 0);
}

static void test_the_link_goes_with_the_board_and_replaces_an_old_one(void **state)
{
    struct fixture *f = *state;
    struct stat status;

    name_file(f, f->config.uart_link, "uart");
    assert_int_equal(symlink("/nowhere", f->config.uart_link), 0);
    open_outside(f);
    assert_int_equal(stat(f->config.uart_link, &status), 0);
    assert_true(S_ISCHR(status.st_mode));
    sim_outside_close(&f->outside);
    assert_int_equal(lstat(f->config.uart_link, &status), -1);
}

static void test_a_file_where_the_link_should_be_is_left_alone(void **state)
{
    struct fixture *f = *state;
    struct buf content = { 0 };

    name_file(f, f->config.uart_link, "notes");
    temp_folder_write(f->folder, "notes", "dear to somebody");
    assert_int_equal(sim_outside_open(&f->outside, &f->config, &f->err), -1);
    assert_int_equal(f->err.code, ERR_EXISTS);
    assert_non_null(strstr(f->err.text, "/notes is there already, and is no link"));
    sim_outside_close(&f->outside);
    assert_int_equal(buf_read_file(&content, f->config.uart_link, 1000, &f->err), 0);
    assert_string_equal(content.data, "dear to somebody");
    buf_fini(&content);
}

static void test_paths_that_lead_nowhere_are_named(void **state)
{
    struct fixture *f = *state;

    name_file(f, f->config.pin_file, "missing/pin");
    assert_int_equal(sim_outside_open(&f->outside, &f->config, &f->err), -1);
    assert_int_equal(f->err.code, ERR_NOT_FOUND);
    assert_non_null(strstr(f->err.text, "pin file "));
    assert_non_null(strstr(f->err.text, "missing/pin: No such file"));
    sim_outside_close(&f->outside);
    f->config.pin_file[0] = '\0';
    name_file(f, f->config.uart_link, "missing/uart");
    assert_int_equal(sim_outside_open(&f->outside, &f->config, &f->err), -1);
    assert_non_null(strstr(f->err.text, "missing/uart: No such file"));
}

static void test_the_truth_of_every_sample_is_written(void **state)
{
    struct fixture *f = *state;
    struct buf content = { 0 };
    char path[PATH_SIZE];
    double voltage_V = 0.0;

    f->config.truth = true;
    name_file(f, path, "run.truth");
    open_outside(f);
    sim_outside_begin(&f->outside, path, true);
    run(f, 0, 250);
    sim_outside_end(&f->outside);
    assert_int_equal(buf_read_file(&content, path, 1 << 20, &f->err), 0);
    assert_int_equal(content.size, HEADER_BYTES + 250 * RECORD_BYTES);
    assert_memory_equal(content.data, "BWTRUTH1", 8);
    assert_int_equal(content.data[12], 1); /* emulation */
    memcpy(&voltage_V, content.data + HEADER_BYTES + (size_t)249 * RECORD_BYTES,
           sizeof(voltage_V));
    assert_true(voltage_V == world_truth(f->world).voltage_V);
    assert_int_equal(f->n_warnings, 0);
    buf_fini(&content);
}

static void test_no_truth_where_none_is_wanted(void **state)
{
    struct fixture *f = *state;
    char path[PATH_SIZE];

    f->config.truth = false;
    name_file(f, path, "run.truth");
    open_outside(f);
    sim_outside_begin(&f->outside, path, true);
    run(f, 0, 10);
    sim_outside_end(&f->outside);
    assert_int_equal(access(path, F_OK), -1);
}

static void test_a_truth_that_cannot_be_written_is_told_and_stops_nothing(void **state)
{
    struct fixture *f = *state;
    char path[PATH_SIZE];

    f->config.truth = true;
    open_outside(f);
    name_file(f, path, "missing/run.truth");
    sim_outside_begin(&f->outside, path, true);
    assert_int_equal(f->n_warnings, 1);
    assert_non_null(strstr(f->warning, "missing/run.truth: No such file"));
    run(f, 0, 10);
    sim_outside_end(&f->outside);
    assert_int_equal(f->n_warnings, 1);
    sim_outside_begin(&f->outside, "/dev/full", true);
    run(f, 10, 20);
    sim_outside_end(&f->outside);
    assert_int_equal(f->n_warnings, 2);
    assert_non_null(strstr(f->warning, "incomplete"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_the_pin_rises_with_the_start_and_falls_before_the_next),
        TEST(test_a_board_without_anything_outside_runs_as_well),
        TEST(test_the_serial_line_speaks_every_millisecond),
        TEST(test_nobody_listens_and_nothing_is_sent),
        TEST(test_a_full_line_holds_nobody_up),
        TEST(test_the_link_goes_with_the_board_and_replaces_an_old_one),
        TEST(test_a_file_where_the_link_should_be_is_left_alone),
        TEST(test_paths_that_lead_nowhere_are_named),
        TEST(test_the_truth_of_every_sample_is_written),
        TEST(test_no_truth_where_none_is_wanted),
        TEST(test_a_truth_that_cannot_be_written_is_told_and_stops_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
