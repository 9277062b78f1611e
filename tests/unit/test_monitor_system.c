/* SPDX-License-Identifier: MIT */
/* The system monitor against a tree that stands in for /proc and /sys. */
#include "sheep/monitor_system.h"

#include "sheep/process_watch.h"
#include "tests/support/fake_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    AGENT = 101,
    RECORDER = 202
};

static struct monitor_system *create(struct fake_tree *tree)
{
    struct monitor_system_options options = {
        .root = tree->root, .agent = AGENT, .recorder = RECORDER, .out = &tree->out
    };
    struct err err = { 0 };
    struct monitor_system *system = monitor_system_create(&options, &err);

    assert_non_null(system);
    return system;
}

static void write_process(const struct fake_tree *tree, int pid, const char *command,
                          unsigned ticks, unsigned start)
{
    char path[64];
    char text[256];

    snprintf(path, sizeof(path), "proc/%d/stat", pid);
    snprintf(text, sizeof(text),
             "%d (%s) S 1 1 1 0 -1 4194560 1 0 0 0 %u %u 0 0 20 0 3 0 %u 1000000 250 "
             "18446744073709551615 1 1 0 0\n",
             pid, command, ticks / 2, ticks - ticks / 2, start);
    fake_tree_write(tree, path, text);
}

static void expect_line(const char *text, const char *line)
{
    char whole[256];

    snprintf(whole, sizeof(whole), "%s\n", line);
    if (strstr(text, whole) == NULL) {
        fail_msg("no '%s' in:\n%s", line, text);
    }
}

static void expect_none(const char *text, const char *part)
{
    if (strstr(text, part) != NULL) {
        fail_msg("'%s' in:\n%s", part, text);
    }
}

static void write_board(const struct fake_tree *tree)
{
    fake_tree_write(tree, "sys/class/thermal/thermal_zone0/type", "cpu-thermal\n");
    fake_tree_write(tree, "sys/class/thermal/thermal_zone0/temp", "48312\n");
    fake_tree_write(tree, "sys/class/thermal/thermal_zone1/type", "cpu-thermal\n");
    fake_tree_write(tree, "sys/class/thermal/thermal_zone1/temp", "-1500\n");
    fake_tree_write(tree, "sys/class/thermal/cooling_device0/type", "cpufreq-cpu0\n");
    fake_tree_write(tree, "sys/class/thermal/cooling_device0/cur_state", "2\n");
    fake_tree_write(tree, "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq",
                    "800000\n");
    fake_tree_write(tree, "sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq",
                    "1000000\n");
    fake_tree_write(tree, "sys/block/sda/device/ioerr_cnt", "0x1f\n");
    fake_tree_write(tree, "sys/fs/ext4/mmcblk0p1/errors_count", "3\n");
    fake_tree_write(tree, "sys/kernel/debug/mmc0/err_stats",
                    "# Command Timeout Occurred:\t 2\n# Command CRC Errors Occurred:\t 40\n"
                    "# Data Timeout Occurred:\t 0\n");
}

static void test_what_a_board_tells_is_recorded(void **state)
{
    struct fake_tree *tree = *state;
    struct monitor_system *system = NULL;

    write_board(tree);
    system = create(tree);
    monitor_system_sample(system);
    expect_line(tree->values, "0 temperature.cpu-thermal/degC 48.312");
    expect_line(tree->values, "0 temperature.cpu-thermal:2/degC -1.5");
    expect_line(tree->values, "0 cooling.cpufreq-cpu0/n 2");
    expect_line(tree->values, "0 frequency.policy0/Hz 800000000");
    expect_line(tree->values, "0 frequency_limit.policy0/Hz 1e+09");
    expect_line(tree->values, "0 disk_errors.sda/n 31");
    expect_line(tree->values, "0 disk_errors.mmcblk0p1/n 3");
    expect_line(tree->values, "0 disk_errors.mmc0/n 42");
    expect_none(tree->said, "does not tell");
    fake_tree_write(tree, "sys/class/thermal/thermal_zone0/temp", "50000\n");
    fake_tree_step_ms(1000);
    fake_tree_forget(tree);
    monitor_system_sample(system);
    expect_line(tree->values, "1000 temperature.cpu-thermal/degC 50");
    monitor_system_destroy(&system);
    assert_null(system);
}

static void test_what_is_missing_is_said_once(void **state)
{
    struct fake_tree *tree = *state;
    struct monitor_system *system = create(tree);

    for (int i = 0; i < 3; i++) {
        monitor_system_sample(system);
    }
    assert_string_equal(tree->said,
                        "system: this machine does not tell: temperature, cooling, frequency, "
                        "frequency_limit, disk_errors\n"
                        "system: no /proc/stat here\n"
                        "system: no /proc/meminfo here\n"
                        "system: no /proc/diskstats here\n"
                        "system: no /proc/net/dev here\n");
    expect_line(tree->values, "0 row 0 0 0 0 0 0 0 0 0");
    monitor_system_destroy(&system);
}

static void test_a_sensor_that_fails_is_said_once_and_left_out(void **state)
{
    struct fake_tree *tree = *state;
    struct monitor_system *system = NULL;

    write_board(tree);
    system = create(tree);
    fake_tree_write(tree, "sys/class/thermal/thermal_zone0/temp", "hot\n");
    fake_tree_write(tree, "sys/block/sda/device/ioerr_cnt", "");
    monitor_system_sample(system);
    monitor_system_sample(system);
    expect_line(tree->said, "system: temperature.cpu-thermal: cannot be read");
    expect_line(tree->said, "system: disk_errors.sda: cannot be read");
    assert_null(strstr(strstr(tree->said, "cpu-thermal: c") + 1, "cpu-thermal: c"));
    expect_none(tree->values, "temperature.cpu-thermal/");
    expect_line(tree->values, "0 disk_errors.mmcblk0p1/n 3");
    fake_tree_write(tree, "sys/class/thermal/thermal_zone0/temp", "1000\n");
    monitor_system_sample(system); /* works again */
    expect_line(tree->values, "0 temperature.cpu-thermal/degC 1");
    monitor_system_destroy(&system);
}

static void test_the_tables_become_a_row(void **state)
{
    struct fake_tree *tree = *state;
    struct monitor_system *system = create(tree);

    fake_tree_write(tree, "proc/stat", "cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 1 1 1\n");
    fake_tree_write(tree, "proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 250 kB\n");
    fake_tree_write(tree, "proc/diskstats", " 179 0 mmcblk0 1 0 2 0 3 0 4 0 0 0 0\n");
    fake_tree_write(tree, "proc/net/dev", " eth0: 9 0 0 0 0 0 0 0 7 0 0 0 0 0 0 0\n");
    monitor_system_sample(system);
    fake_tree_write(tree, "proc/stat", "cpu  130 0 120 850 0 0 0 0 0 0\ncpu0 1 1 1\n");
    fake_tree_step_ms(500);
    monitor_system_sample(system);
    assert_string_equal(tree->values, "0 row 0 25 75 1 3 1024 2048 7 9\n"
                                      "500 row 50 25 75 1 3 1024 2048 7 9\n");
    monitor_system_destroy(&system);
}

/* A tick is 1/100 s, sysconf(_SC_CLK_TCK). */
static void test_agent_and_recorder_are_watched_always(void **state)
{
    struct fake_tree *tree = *state;
    struct monitor_system *system = NULL;
    char rss[64];

    write_process(tree, AGENT, "sheep", 1000, 5);
    write_process(tree, RECORDER, "sheep", 2000, 6);
    system = create(tree);
    monitor_system_sample(system);
    expect_none(tree->values, "cpu.");
    snprintf(rss, sizeof(rss), "0 rss.agent/byte %ld", 250 * sysconf(_SC_PAGESIZE));
    expect_line(tree->values, rss);
    write_process(tree, AGENT, "sheep", 1005, 5);
    write_process(tree, RECORDER, "sheep", 2150, 6);
    fake_tree_step_ms(1000);
    monitor_system_sample(system);
    expect_line(tree->values, "1000 cpu.agent/percent 5");
    expect_line(tree->values, "1000 cpu.recorder/percent 150");
    fake_tree_step_ms(1000);
    fake_tree_forget(tree);
    write_process(tree, RECORDER, "sheep", 2160, 7); /* another one of that number */
    monitor_system_sample(system);
    expect_line(tree->values, "2000 cpu.agent/percent 0");
    expect_none(tree->values, "cpu.recorder");
    monitor_system_destroy(&system);
}

/* When one of those that were looked at ends, another one takes its place: what that one took
 * since it began is no news. */
static void test_more_processes_than_there_is_room_for(void **state)
{
    enum {
        FIRST = 1000,
        GONE = 100,
        COUNT = PROCESS_SEEN_MAX + GONE
    };
    struct fake_tree *tree = *state;
    struct monitor_system *system = NULL;

    for (int i = 0; i < COUNT; i++) {
        write_process(tree, FIRST + i, "old", 100000, 1);
    }
    system = create(tree);
    monitor_system_sample(system);
    for (int i = 0; i < GONE; i++) {
        char path[32];

        snprintf(path, sizeof(path), "proc/%d/stat", FIRST + i * (COUNT / GONE));
        fake_tree_remove(tree, path);
    }
    fake_tree_step_ms(10000);
    monitor_system_sample(system);
    expect_none(tree->values, "process.old");
    monitor_system_destroy(&system);
}

static void test_others_are_named_when_they_take_much(void **state)
{
    struct fake_tree *tree = *state;
    struct monitor_system *system = NULL;

    write_process(tree, 7, "kworker/0:1", 100, 1);
    write_process(tree, 8, "ptp4l) x (y", 100, 1);
    write_process(tree, 9, "idle", 100, 1);
    write_process(tree, AGENT, "sheep", 0, 5);
    system = create(tree);
    monitor_system_sample(system);
    write_process(tree, 7, "kworker/0:1", 600, 1);
    write_process(tree, 8, "ptp4l) x (y", 110, 1);
    write_process(tree, 9, "idle", 109, 1); /* 0.9 % of a core */
    write_process(tree, 10, "gcc", 50, 900);
    write_process(tree, 11, "gcc", 30, 910);
    write_process(tree, AGENT, "sheep", 1000, 5);
    fake_tree_step_ms(9000);
    monitor_system_sample(system); /* not yet */
    expect_none(tree->values, "kworker");
    fake_tree_step_ms(1000);
    monitor_system_sample(system);
    expect_line(tree->values, "10000 process.kworker-0:1/percent 50");
    expect_line(tree->values, "10000 process.ptp4l--x--y/percent 1");
    expect_line(tree->values, "10000 process.gcc/percent 8");
    expect_none(tree->values, "process.idle");
    expect_none(tree->values, "process.sheep");
    fake_tree_forget(tree);
    write_process(tree, 7, "kworker/0:1", 700, 1);
    fake_tree_step_ms(10000);
    monitor_system_sample(system);
    expect_line(tree->values, "20000 process.kworker-0:1/percent 10");
    expect_none(tree->values, "gcc");
    monitor_system_destroy(&system);
}

static void test_only_the_busiest_are_named(void **state)
{
    struct fake_tree *tree = *state;
    struct monitor_system *system = create(tree);

    monitor_system_sample(system);
    for (unsigned i = 1; i <= PROCESS_TOP + 3; i++) {
        char command[16];

        snprintf(command, sizeof(command), "busy%u", i);
        write_process(tree, (int)i, command, 100 * i, 1);
    }
    fake_tree_step_ms(10000);
    monitor_system_sample(system);
    for (unsigned i = 1; i <= PROCESS_TOP + 3; i++) {
        char line[64];

        snprintf(line, sizeof(line), "10000 process.busy%u/percent %u", i, 10 * i);
        if (i > 3) {
            expect_line(tree->values, line);
        } else {
            expect_none(tree->values, line);
        }
    }
    monitor_system_destroy(&system);
}

/* Names come and go on a long run; there is room for so many. */
static void test_names_that_find_no_room_are_said_once(void **state)
{
    struct fake_tree *tree = *state;
    struct monitor_system *system = create(tree);

    monitor_system_sample(system);
    fake_tree_forget(tree);
    for (unsigned i = 1; i <= 100; i++) {
        char command[16];

        snprintf(command, sizeof(command), "name%u", i);
        write_process(tree, 50, command, 1000, i);
        fake_tree_step_ms(10000);
        monitor_system_sample(system);
    }
    expect_line(tree->values, "600000 process.name60/percent 100");
    expect_none(tree->values, "process.name61");
    assert_string_equal(tree->said,
                        "system: process.name60: the last channel for which there is room\n");
    monitor_system_destroy(&system);
}

static void test_many_sensors_need_several_rows(void **state)
{
    struct fake_tree *tree = *state;
    struct monitor_system *system = NULL;

    for (int i = 0; i < 50; i++) {
        char path[64];
        char text[16];

        snprintf(path, sizeof(path), "sys/class/thermal/thermal_zone%d/type", i);
        snprintf(text, sizeof(text), "zone%d", i);
        fake_tree_write(tree, path, text);
        snprintf(path, sizeof(path), "sys/class/thermal/thermal_zone%d/temp", i);
        snprintf(text, sizeof(text), "%d\n", 1000 * i);
        fake_tree_write(tree, path, text);
    }
    system = create(tree);
    fake_tree_forget(tree);
    monitor_system_sample(system);
    for (int i = 0; i < 50; i++) {
        char line[64];

        snprintf(line, sizeof(line), "0 temperature.zone%d/degC %d", i, i);
        expect_line(tree->values, line);
    }
    monitor_system_destroy(&system);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_tree_set_up, fake_tree_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_what_a_board_tells_is_recorded),
        TEST(test_what_is_missing_is_said_once),
        TEST(test_a_sensor_that_fails_is_said_once_and_left_out),
        TEST(test_the_tables_become_a_row),
        TEST(test_agent_and_recorder_are_watched_always),
        TEST(test_more_processes_than_there_is_room_for),
        TEST(test_others_are_named_when_they_take_much),
        TEST(test_only_the_busiest_are_named),
        TEST(test_names_that_find_no_room_are_said_once),
        TEST(test_many_sensors_need_several_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
