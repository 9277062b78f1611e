/* SPDX-License-Identifier: MIT */
/* Industrial I/O devices as the kernel shows them, in a tree of the test's own. */
#include "sheep/monitor_iio.h"

#include "tests/support/fake_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DEVICE0 "sys/bus/iio/devices/iio:device0/"
#define DEVICE1 "sys/bus/iio/devices/iio:device1/"

static struct monitor_iio *create(struct fake_tree *tree)
{
    struct err err = { 0 };
    struct monitor_iio *iio = monitor_iio_create(tree->root, &tree->out, &err);

    if (iio == NULL) {
        fail_msg("%s", err.text);
    }
    return iio;
}

static void expect_line(const char *text, const char *line)
{
    char whole[256];

    snprintf(whole, sizeof(whole), "%s\n", line);
    if (strstr(text, whole) == NULL) {
        fail_msg("no '%s' in:\n%s", line, text);
    }
}

static void test_raw_values_get_their_scale_and_offset(void **state)
{
    struct fake_tree *tree = *state;
    struct monitor_iio *iio = NULL;

    fake_tree_write(tree, DEVICE0 "name", "adc0\n");
    fake_tree_write(tree, DEVICE0 "in_voltage0_raw", "4095\n");
    fake_tree_write(tree, DEVICE0 "in_voltage0_scale", "0.5\n");
    fake_tree_write(tree, DEVICE0 "in_voltage1_raw", "1000\n");
    fake_tree_write(tree, DEVICE0 "in_voltage_scale", "0.439453125\n"); /* of all the others */
    fake_tree_write(tree, DEVICE0 "in_voltage2-voltage3_raw", "-1000\n");
    fake_tree_write(tree, DEVICE0 "in_voltage-voltage_scale", "0.25\n");
    fake_tree_write(tree, DEVICE0 "in_temp_raw", "3100\n");
    fake_tree_write(tree, DEVICE0 "in_temp_scale", "10\n");
    fake_tree_write(tree, DEVICE0 "in_temp_offset", "-600\n");
    fake_tree_write(tree, DEVICE1 "name", "imu (x)\n");
    fake_tree_write(tree, DEVICE1 "in_accel_x_raw", "-256\n");
    fake_tree_write(tree, DEVICE1 "in_accel_scale", "0.0383072\n");
    fake_tree_write(tree, DEVICE1 "in_pressure_input", "101.325\n");
    fake_tree_write(tree, DEVICE1 "in_index0_raw", "17\n"); /* no scale, no unit */
    iio = create(tree);
    monitor_iio_sample(iio);
    expect_line(tree->values, "0 adc0.voltage0/V 2.0475");
    expect_line(tree->values, "0 adc0.voltage1/V 0.439453125");
    expect_line(tree->values, "0 adc0.voltage2-voltage3/V -0.25");
    expect_line(tree->values, "0 adc0.temp/degC 25"); /* (3100 - 600) * 10 m degC */
    expect_line(tree->values, "0 imu--x-.accel_x/m/s^2 -9.8066432");
    expect_line(tree->values, "0 imu--x-.pressure/Pa 101325");
    expect_line(tree->values, "0 imu--x-.index0/n 17");
    assert_string_equal(tree->said, "");
    fake_tree_write(tree, DEVICE0 "in_voltage0_raw", "0\n");
    fake_tree_step_ms(100);
    monitor_iio_sample(iio);
    expect_line(tree->values, "100 adc0.voltage0/V 0");
    monitor_iio_destroy(&iio);
    assert_null(iio);
}

static void test_a_converter_without_a_scale_counts(void **state)
{
    struct fake_tree *tree = *state;
    struct monitor_iio *iio = NULL;

    fake_tree_write(tree, DEVICE0 "in_voltage0_raw", "4095\n");
    fake_tree_write(tree, DEVICE0 "in_temp_raw", "7\n");
    fake_tree_write(tree, DEVICE0 "in_temp_scale", "nan\n");
    iio = create(tree);
    monitor_iio_sample(iio);
    expect_line(tree->values, "0 iio:device0.voltage0/n 4095");
    expect_line(tree->values, "0 iio:device0.temp/n 7");
    monitor_iio_destroy(&iio);
}

static void test_two_devices_of_one_name_stay_apart(void **state)
{
    struct fake_tree *tree = *state;
    struct monitor_iio *iio = NULL;

    fake_tree_write(tree, DEVICE0 "name", "adc\n");
    fake_tree_write(tree, DEVICE0 "in_voltage0_raw", "1\n");
    fake_tree_write(tree, DEVICE0 "in_voltage0_input", "9\n"); /* the raw one is enough */
    fake_tree_write(tree, DEVICE1 "name", "adc\n");
    fake_tree_write(tree, DEVICE1 "in_voltage0_raw", "2\n");
    iio = create(tree);
    monitor_iio_sample(iio);
    assert_string_equal(tree->values, "0 adc.voltage0/n 1\n0 adc.voltage0:2/n 2\n");
    monitor_iio_destroy(&iio);
}

/* Every look at the clock takes 2 ms, as a slow conversion would. */
static void test_each_value_is_stamped_in_the_middle_of_its_reading(void **state)
{
    struct fake_tree *tree = *state;
    struct monitor_iio *iio = NULL;

    fake_tree_write(tree, DEVICE0 "name", "adc\n");
    fake_tree_write(tree, DEVICE0 "in_voltage0_raw", "1\n");
    fake_tree_write(tree, DEVICE0 "in_voltage1_raw", "2\n");
    iio = create(tree);
    fake_tree_slow_ns(2000000);
    monitor_iio_sample(iio);
    assert_string_equal(tree->values, "3 adc.voltage0/n 1\n7 adc.voltage1/n 2\n");
    monitor_iio_destroy(&iio);
}

static void test_a_node_without_sensors_says_so(void **state)
{
    struct fake_tree *tree = *state;
    struct err err = { 0 };

    assert_null(monitor_iio_create(tree->root, &tree->out, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_string_equal(err.text, "no sensor in /sys/bus/iio/devices");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_tree_set_up, fake_tree_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_raw_values_get_their_scale_and_offset),
        TEST(test_a_converter_without_a_scale_counts),
        TEST(test_two_devices_of_one_name_stay_apart),
        TEST(test_each_value_is_stamped_in_the_middle_of_its_reading),
        TEST(test_a_node_without_sensors_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
