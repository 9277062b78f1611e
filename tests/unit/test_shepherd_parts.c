/* SPDX-License-Identifier: MIT */
/* The observer features that several of Shepherd's models have: what each becomes, what is
 * noted, what is a fault. */
#include "common/shepherd_parts.h"

#include "common/yaml_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A converter with nothing built yet, and the document that is read. */
struct bench {
    struct converter converter;
    struct yaml_doc *source;
    struct fault_list faults;
    struct fault_list notes;
};

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    struct yaml_place place = { 0 };

    assert_non_null(bench);
    bench->converter.doc = yaml_create();
    assert_non_null(bench->converter.doc);
    bench->converter.faults = &bench->faults;
    bench->converter.notes = &bench->notes;
    bench->converter.experiment = yaml_node_make(bench->converter.doc, YAML_MAP, place);
    bench->converter.layer = yaml_node_make(bench->converter.doc, YAML_MAP, place);
    bench->converter.what = "Task";
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;

    yaml_destroy(&bench->source);
    yaml_destroy(&bench->converter.doc);
    fault_fini(&bench->faults);
    fault_fini(&bench->notes);
    free(bench);
    return 0;
}

static const struct yaml_node *read(struct bench *bench, const char *text)
{
    struct err err = { 0 };

    yaml_destroy(&bench->source);
    bench->source = yaml_parse(text, strlen(text), "a.yaml", &err);
    if (bench->source == NULL) {
        fail_msg("%s", err.text);
    }
    return yaml_root(bench->source);
}

static void expect_layer(const struct bench *bench, const char *wanted)
{
    struct buf out = { 0 };

    yaml_emit(bench->converter.layer, 0, &out);
    assert_string_equal(out.data, wanted);
    buf_fini(&out);
}

static void expect_list(const struct fault_list *list, const char *wanted)
{
    struct buf out = { 0 };

    fault_print(list, &out);
    assert_string_equal(out.data != NULL ? out.data : "", wanted);
    assert_false(list->failed);
    buf_fini(&out);
}

typedef void (*feature_fn)(struct converter *converter, const char *key,
                           const struct yaml_node *value);

/* What one feature's map becomes, with its notes and its faults. */
static void expect(feature_fn feature, const char *key, const char *text, const char *layer,
                   const char *notes, const char *faults)
{
    void *state = NULL;
    struct bench *bench = NULL;

    set_up(&state);
    bench = state;
    feature(&bench->converter, key, read(bench, text));
    expect_layer(bench, layer);
    expect_list(&bench->notes, notes);
    expect_list(&bench->faults, faults);
    assert_string_equal(bench->converter.what, "Task");
    tear_down(&state);
}

static void test_power(void **state)
{
    (void)state;
    expect(shepherd_to_power, "power_tracing",
           "intermediate_voltage: true\ndelay: 2\nduration: null\nsamplerate: 1000\n"
           "discard_voltage: false\ndiscard_current: true\nonly_power: false\n",
           "record:\n  storage: true\n  delay: 2\n  samplerate: 1000\n  voltage: true\n"
           "  current: false\n",
           "", "");
    expect(shepherd_to_power, "power_tracing", "{only_power: yes, datatype: x}\n", "{}\n", "",
           "a.yaml:1:14: power_tracing: only_power is not built\n"
           "a.yaml:1:19: power_tracing: unknown key 'datatype'\n");
}

static void test_logging(void **state)
{
    (void)state;
    expect(shepherd_to_logging, "sys_logging",
           "kernel: true\ntime_sync: false\nptp: true\nsheep: true\nsys_util: true\n",
           "log:\n  kernel: true\n  time: false\n  sheep: true\n  system: 1 s\n",
           "a.yaml:3:1: sys_logging: 'ptp' has no effect here\n", "");
    expect(shepherd_to_logging, "sys_logging", "sys_util: 0\n", "log:\n  system: 0 s\n", "",
           "");
}

static void test_gpio(void **state)
{
    (void)state;
    expect(shepherd_to_gpio_tracing, "gpio_tracing", "gpios: [0, 15, 16, 17, 18]\n",
           "record:\n  gpio: [0, 15, 18]\n",
           "a.yaml:1:16: gpio_tracing: '16' has no effect here: pins are 0 to 15, with "
           "power-good among them\n"
           "a.yaml:1:20: gpio_tracing: '17' has no effect here: pins are 0 to 15, with "
           "power-good among them\n",
           "");
    expect(shepherd_to_gpio_tracing, "gpio_tracing", "gpios: all\n", "record:\n  gpio: all\n",
           "", "");
    expect(shepherd_to_gpio_tracing, "gpio_tracing",
           "mask: 7\ndelay: 0\nduration: 3\nuart_decode: false\nuart_pin: 2\n", "{}\n",
           "a.yaml:1:1: gpio_tracing: 'mask' has no effect here\n"
           "a.yaml:3:1: gpio_tracing: 'duration' has no effect here\n"
           "a.yaml:5:1: gpio_tracing: 'uart_pin' has no effect here\n",
           "");
    expect(shepherd_to_gpio_tracing, "gpio_tracing", "delay: 5\nuart_decode: true\n", "{}\n",
           "",
           "a.yaml:1:8: gpio_tracing: delay: 5 is not built; only the default is\n"
           "a.yaml:2:14: gpio_tracing: uart_decode is not built\n");
}

static void test_uart(void **state)
{
    (void)state;
    expect(shepherd_to_uart, "uart_logging",
           "baudrate: 9600\nbytesize: 8\nstopbits: 1\nparity: N\n",
           "log:\n  uart:\n    enable: true\n    baudrate: 9600\n", "", "");
    expect(shepherd_to_uart, "uart_logging",
           "bytesize: 7\nstopbits: 2\nparity: E\nbaudrate: null\n",
           "log:\n  uart:\n    enable: true\n", "",
           "a.yaml:1:11: uart_logging: bytesize: 7 is not built; only the default is\n"
           "a.yaml:2:11: uart_logging: stopbits: 2 is not built; only the default is\n"
           "a.yaml:3:9: uart_logging: parity: E is not built; only the default is\n");
    expect(shepherd_to_uart, "uart_logging", "parity: [N]\n",
           "log:\n  uart:\n    enable: true\n", "",
           "a.yaml:1:9: uart_logging: parity: that is not built; only the default is\n");
}

static void test_actuation(void **state)
{
    (void)state;
    expect(shepherd_refuse_actuation, "gpio_actuation", "events: []\n", "{}\n", "",
           "a.yaml:1:1: gpio_actuation: not built (nor is it in Shepherd)\n");
}

static void test_wrappers_come_off(void **state)
{
    (void)state;
    expect(shepherd_to_power, "power_tracing",
           "datatype: PowerTracing\nparameters: {samplerate: 10}\n",
           "record:\n  samplerate: 10\n", "", "");
    expect(shepherd_to_power, "power_tracing", "datatype: PowerTracing\nparameters: [1]\n",
           "{}\n", "", "a.yaml:2:13: power_tracing: wants a map\n");
    expect(shepherd_to_power, "power_tracing", "all\n", "{}\n", "",
           "a.yaml:1:1: power_tracing: wants a map\n");
    expect(shepherd_to_logging, "sys_logging", "[1, 2]\n", "{}\n", "",
           "a.yaml:1:1: sys_logging: wants a map\n");
}

/* A key of anybody's is quoted only so far. */
static void test_long_keys_are_cut(void **state)
{
    (void)state;
    expect(shepherd_to_power, "power_tracing",
           "0123456789012345678901234567890123456789012345678901234567890123456789: 1\n",
           "{}\n", "",
           "a.yaml:1:1: power_tracing: unknown key "
           "'012345678901234567890123456789012345678901234567890123456789'\n");
}

static void test_truth_as_pydantic_has_it(void **state)
{
    static const struct {
        const char *text;
        bool is_true;
    } CASES[] = {
        {"true",   true },
        { "TRUE",  true },
        { "Yes",   true },
        { "1",     true },
        { "false", false},
        { "no",    false},
        { "0",     false},
        { "2",     false},
        { "''",    false},
        { "[]",    false},
        { "{}",    false},
        { "null",  false},
    };
    struct bench *bench = *state;

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        assert_int_equal(shepherd_is_true(read(bench, CASES[i].text)), CASES[i].is_true);
    }
    assert_false(shepherd_is_true(NULL));
}

static void test_a_part_is_made_once(void **state)
{
    struct bench *bench = *state;
    struct yaml_node *part = shepherd_part(&bench->converter, "record");
    struct yaml_place place = { 0 };

    assert_non_null(part);
    assert_ptr_equal(shepherd_part(&bench->converter, "record"), part);
    shepherd_put_text(&bench->converter, part, "gpio", "all", place);
    shepherd_put(&bench->converter, part, "list", read(bench, "[1, {a: b}]"));
    yaml_destroy(&bench->source);
    /* a copy: the source is gone */
    expect_layer(bench, "record:\n  gpio: all\n  list:\n    - 1\n    -\n      a: b\n");
}

static void test_without_a_map_the_experiment_fails(void **state)
{
    struct bench *bench = *state;
    struct yaml_place place = { 0 };

    shepherd_put_text(&bench->converter, NULL, "a", "b", place);
    assert_true(bench->faults.failed);
    bench->faults.failed = false;
    shepherd_put(&bench->converter, NULL, "a", read(bench, "1"));
    assert_true(bench->faults.failed);
}

static void test_notes_say_why(void **state)
{
    struct bench *bench = *state;
    struct yaml_place place = { "a.yaml", 7, 3 };

    shepherd_note(&bench->converter, "key", place, NULL);
    shepherd_note(&bench->converter, "other", place, "for a reason");
    expect_list(&bench->notes, "a.yaml:7:3: Task: 'key' has no effect here\n"
                               "a.yaml:7:3: Task: 'other' has no effect here: for a reason\n");
    expect_list(&bench->faults, "");
}

#define WITH_BENCH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_power),
        cmocka_unit_test(test_logging),
        cmocka_unit_test(test_gpio),
        cmocka_unit_test(test_uart),
        cmocka_unit_test(test_actuation),
        cmocka_unit_test(test_wrappers_come_off),
        cmocka_unit_test(test_long_keys_are_cut),
        WITH_BENCH(test_truth_as_pydantic_has_it),
        WITH_BENCH(test_a_part_is_made_once),
        WITH_BENCH(test_without_a_map_the_experiment_fails),
        WITH_BENCH(test_notes_say_why),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
