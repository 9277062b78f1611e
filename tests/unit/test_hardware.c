/* SPDX-License-Identifier: MIT */
/* Facts and lights of a machine that is a folder. */
#include "sheep/blink.h"
#include "sheep/hardware.h"

#include "common/buf.h"

#include <limits.h>
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

static char root[64];

static void put(const char *path, const char *text)
{
    char full[PATH_MAX];
    char folder[PATH_MAX];
    struct err err = { 0 };
    FILE *file = NULL;

    snprintf(full, sizeof(full), "%s%s", root, path);
    snprintf(folder, sizeof(folder), "%s", full);
    *strrchr(folder, '/') = '\0';
    assert_int_equal(dir_make(folder, 0755, &err), 0);
    file = fopen(full, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void expect(const char *path, const char *text)
{
    char full[PATH_MAX];
    struct buf content = { 0 };
    struct err err = { 0 };

    snprintf(full, sizeof(full), "%s%s", root, path);
    assert_int_equal(buf_read_file(&content, full, 1000, &err), 0);
    assert_string_equal(content.data, text);
    buf_fini(&content);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(root, sizeof(root), "/tmp/bw-hardware-XXXXXX");
    return mkdtemp(root) == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    char command[100];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", root);
    return system(command); /* NOLINT(cert-env33-c,concurrency-mt-unsafe): a folder of ours */
}

static void test_a_board_is_described(void **state)
{
    static const char SERIAL[] = "2216BBBK0042";
    struct sheep_config config = { .board = "pru", .data = "/", .has_calibration = true };
    struct node_facts facts;

    (void)state;
    put("/proc/device-tree/model", "TI AM335x BeagleBone Black");
    put("/proc/device-tree/serial-number", SERIAL);
    put("/sys/class/dmi/id/product_name", "not this one");
    put("/etc/os-release",
        "NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n");
    put("/proc/meminfo", "MemTotal:         495232 kB\nMemFree: 1 kB\n");
    put("/proc/uptime", "1234.56 77.0\n");
    put("/proc/mounts", "/dev/mmcblk0p1 / ext4 rw,noatime 0 0\nproc /proc proc rw 0 0\n"
                        "tmpfs /elsewhere tmpfs rw 0 0\n");
    put("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "ondemand\n");
    put("/sys/block/mmcblk0/device/name", "SC16G\n");
    put("/sys/block/mmcblk0/device/serial", "0x1b2c3d4e\n");
    put("/sys/block/mmcblk0/size", "31116288\n");
    put("/sys/block/sda/device/model", "Fast  Disk\t\x01 7   \n");
    put("/sys/block/sda/size", "2000\n");
    put("/sys/block/loop0/size", "8\n");
    put("/sys/class/net/eth0/address", "aa:bb:cc:dd:ee:ff\n");
    put("/sys/class/net/eth0/speed", "100\n");
    put("/sys/class/net/wlan0/speed", "-1\n");
    put("/sys/class/net/lo/address", "00:00:00:00:00:00\n");

    hardware_read(&facts, &config, root);
    assert_string_equal(facts.machine, "TI AM335x BeagleBone Black");
    assert_string_equal(facts.serial, SERIAL);
    assert_string_equal(facts.system, "Debian GNU/Linux 12 (bookworm)");
    assert_int_equal(facts.memory_bytes, 495232 * 1024);
    assert_int_equal(facts.uptime_s, 1234);
    assert_string_equal(facts.governor, "ondemand");
    assert_string_equal(facts.data_filesystem, "ext4");
    assert_string_equal(facts.data_options, "rw,noatime");
    assert_true(facts.has_calibration);
    assert_int_equal(facts.n_disks, 2);
    assert_string_equal(facts.disks[0].model, "SC16G");
    assert_string_equal(facts.disks[0].serial, "0x1b2c3d4e");
    assert_int_equal(facts.disks[0].size_bytes, INT64_C(31116288) * 512);
    assert_string_equal(facts.disks[1].model, "Fast  Disk?? 7"); /* nothing unprintable */
    assert_string_equal(facts.disks[1].serial, "");
    assert_int_equal(facts.n_links, 2);
    assert_string_equal(facts.links[0].address, "aa:bb:cc:dd:ee:ff");
    assert_int_equal(facts.links[0].speed_mbit, 100);
    assert_int_equal(facts.links[1].speed_mbit, 0);
}

static void test_what_is_read_survives_the_wire(void **state)
{
    struct sheep_config config = { .board = "sim", .data = "/" };
    struct node_facts facts;
    struct node_facts copy;
    struct buf text = { 0 };
    struct err err = { 0 };

    (void)state;
    hardware_read(&facts, &config, root); /* as the test before left it */
    schema_encode(&node_facts_schema, &facts, &text, 0);
    assert_int_equal(node_facts_parse(&copy, text.data, text.size, &err), 0);
    assert_memory_equal(&copy, &facts, sizeof(facts));
    buf_fini(&text);
}

static void test_a_machine_that_says_nothing_is_empty(void **state)
{
    struct sheep_config config = { .board = "sim", .data = "/nowhere/at/all" };
    struct node_facts facts;

    (void)state;
    hardware_read(&facts, &config, "/nowhere");
    assert_string_equal(facts.machine, "");
    assert_int_equal(facts.n_disks + facts.n_links, 0);
    assert_int_equal(facts.data_free_bytes, 0);
}

static void test_hostile_facts_are_refused(void **state)
{
    static const char *const BAD[] = {
        "machine: [1, 2]\n",
        "unknown_key: 1\n",
        "memory_bytes: -5\n",
        "disks: {name: x}\n",
        "disks: [{size_bytes: many}]\n",
        "machine: \"two\\nlines\"\n",
        "machine: \"never ends",
    };
    char nine[2000] = "links:\n";
    char big[FACTS_MAX_BYTES + 2];
    struct node_facts facts;
    struct err err = { 0 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        assert_int_equal(node_facts_parse(&facts, BAD[i], strlen(BAD[i]), &err), -1);
    }
    for (int i = 0; i <= FACTS_MAX_LINKS; i++) {
        strncat(nine, "  - {name: x}\n", sizeof(nine) - strlen(nine) - 1);
    }
    assert_int_equal(node_facts_parse(&facts, nine, strlen(nine), &err), -1);
    memset(big, ' ', sizeof(big));
    assert_int_equal(node_facts_parse(&facts, big, sizeof(big), &err), -1);
    assert_int_equal(node_facts_parse(&facts, NULL, 0, &err), 0);
}

static void test_lights_blink_and_are_given_back(void **state)
{
    struct blink blink = { 0 };
    struct err err = { 0 };

    (void)state;
    assert_int_equal(blink_start(&blink, root, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    put("/sys/class/leds/beaglebone:green:usr0/trigger", "none timer [heartbeat] mmc0\n");
    put("/sys/class/leds/beaglebone:green:usr1/trigger", "[none] timer mmc0\n");
    put("/sys/class/leds/input3::capslock/trigger", "[kbd] none\n");
    put("/sys/class/leds/beaglebone:green:usr0/delay_on", "");
    put("/sys/class/leds/beaglebone:green:usr0/delay_off", "");
    put("/sys/class/leds/beaglebone:green:usr1/delay_on", "");
    put("/sys/class/leds/beaglebone:green:usr1/delay_off", "");
    assert_int_equal(blink_start(&blink, root, &err), 0);
    expect("/sys/class/leds/beaglebone:green:usr0/trigger", "timer");
    expect("/sys/class/leds/beaglebone:green:usr1/delay_on", "120");
    expect("/sys/class/leds/input3::capslock/trigger", "[kbd] none\n");
    assert_int_equal(blink_start(&blink, root, &err), 0); /* what was before is not forgotten */
    blink_stop(&blink, root);
    expect("/sys/class/leds/beaglebone:green:usr0/trigger", "heartbeat");
    expect("/sys/class/leds/beaglebone:green:usr1/trigger", "none");
    blink_stop(&blink, root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_board_is_described),
        cmocka_unit_test(test_what_is_read_survives_the_wire),
        cmocka_unit_test(test_a_machine_that_says_nothing_is_empty),
        cmocka_unit_test(test_hostile_facts_are_refused),
        cmocka_unit_test(test_lights_blink_and_are_given_back),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
