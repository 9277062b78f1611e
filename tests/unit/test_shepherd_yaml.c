/* SPDX-License-Identifier: MIT */
#include "common/shepherd_yaml.h"

#include "common/experiment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct inventory *inventory;

static int set_up(void **state)
{
    struct fault_list faults = { 0 };

    (void)state;
    inventory = inventory_parse("sheep: {hosts: {\"sheep[0:3]\": {}}}\n", "herd.yml", &faults);
    return inventory != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    inventory_destroy(&inventory);
    return 0;
}

static struct experiment *parse(const char *text, const char *notes)
{
    struct fault_list faults = { 0 };
    struct experiment *experiment =
        experiment_parse(text, "my_task.yaml", inventory, NULL, &faults);
    struct buf out = { 0 };

    fault_print(&faults, &out);
    if (experiment == NULL) {
        fail_msg("%s", out.data);
    }
    fault_print(&experiment->notes, &out);
    assert_string_equal(out.data != NULL ? out.data : "", notes);
    buf_fini(&out);
    fault_fini(&faults);
    return experiment;
}

static void test_harvest_task(void **state)
{
    static const char text[] =
        "datatype: HarvestTask\n"
        "comment: from a colleague\n"
        "parameters:\n"
        "  output_path: /var/shepherd/recordings/\n"
        "  force_overwrite: true\n"
        "  output_compression: lzf\n"
        "  time_start: 2026-05-01T12:00:00\n"
        "  duration: 30\n"
        "  use_cal_default: true\n"
        "  virtual_harvester: {name: mppt_voc, inherit_from: cv20}\n"
        "  power_tracing: {discard_current: true, samplerate: 1000, delay: 2,\n"
        "    duration: 7}\n"
        "  sys_logging: {kernel: false, sys_util: false}\n"
        "  verbose: 3\n";
    struct experiment *experiment =
        parse(text, "my_task.yaml:2:1: file: 'comment' has no effect here\n"
                    "my_task.yaml:6:23: HarvestTask: 'lzf' has no effect here: gzip-1 is used\n"
                    "my_task.yaml:7:3: HarvestTask: 'time_start' has no effect here\n"
                    "my_task.yaml:14:3: HarvestTask: 'verbose' has no effect here\n");
    const struct node_config *config = &experiment->nodes[3].config;

    (void)state;
    assert_string_equal(experiment->name, "my_task");
    assert_string_equal(experiment->output, "/var/shepherd/recordings/");
    assert_int_equal(experiment->n_nodes, 4);
    assert_int_equal(config->mode, MODE_HARVEST);
    assert_int_equal(config->duration_ns, 30000000000);
    assert_int_equal(config->harvester.algorithm, HARVESTER_CV);
    assert_int_equal(config->record.exists, EXISTS_OVERWRITE);
    assert_true(config->record.voltage);
    assert_false(config->record.current);
    assert_int_equal(config->record.samplerate, RECORD_1_KHZ);
    assert_true(config->record.delay_ns == INT64_C(2000000000));
    assert_true(config->record.duration_ns == INT64_C(7000000000));
    assert_true(config->use_cal_default);
    assert_false(config->log.kernel);
    assert_int_equal(config->log.system_ns, 0);
    experiment_destroy(&experiment);
}

static void test_emulation_task(void **state)
{
    char input[] = "/tmp/bw_task_XXXXXX";
    char text[1000];
    struct experiment *experiment = NULL;
    const struct node_config *config = NULL;

    (void)state;
    close(mkstemp(input));
    snprintf(text, sizeof(text),
             "datatype: EmulationTask\nparameters:\n  input_path: %s\n"
             "  duration: PT10S\n  enable_io: true\n  pwr_port: B\n  voltage_aux: 3.3\n"
             "  virtual_source:\n    datatype: VirtualSourceConfig\n"
             "    parameters: {id: 7, inherit_from: BQ25504,\n"
             "      V_intermediate_enable_threshold_mV: 1500,\n"
             "      harvester: {inherit_from: mppt_po, owner: me}}\n"
             "  gpio_tracing: {gpios: [0, 1, 17]}\n"
             "  uart_logging: {baudrate: 9600, parity: N}\n",
             input);
    experiment = parse(
        text, "my_task.yaml:5:3: EmulationTask: 'enable_io' has no effect here\n"
              "my_task.yaml:10:18: virtual_source: 'id' has no effect here\n"
              "my_task.yaml:12:42: harvester: 'owner' has no effect here\n"
              "my_task.yaml:13:32: gpio_tracing: '17' has no effect here: pins are 0 to 15, "
              "with power-good among them\n");
    config = &experiment->nodes[0].config;
    assert_string_equal(config->input, input);
    assert_int_equal(config->duration_ns, 10000000000);
    assert_int_equal(config->target_port, PORT_B);
    assert_true(config->voltage_aux_mV == 3300);
    assert_true(config->source.V_intermediate_enable_output_threshold_mV == 1500);
    assert_int_equal(config->source.harvester.algorithm, HARVESTER_MPPT_PO);
    assert_int_equal(config->record.gpio_mask, 3);
    assert_true(config->log.uart.enable);
    assert_int_equal(config->log.uart.baudrate, 9600);
    experiment_destroy(&experiment);
    unlink(input);
}

static void test_experiment_with_targets(void **state)
{
    char input[] = "/tmp/bw_task_XXXXXX";
    char text[1000];
    struct experiment *experiment = NULL;

    (void)state;
    close(mkstemp(input));
    snprintf(text, sizeof(text),
             "datatype: Experiment\nparameters:\n  name: \"my trial: 1\"\n  duration: 5\n"
             "  sys_logging: {sheep: false}\n"
             "  target_configs:\n"
             "    - target_IDs: [0, 2]\n"
             "      energy_env: {data_path: %s}\n"
             "      virtual_source: {inherit_from: dio_cap}\n"
             "      firmware1: {name: demo}\n"
             "    - target_IDs: [3]\n"
             "      energy_env: {data_path: %s, owner: x}\n",
             input, input);
    experiment =
        parse(text, "my_task.yaml:10:7: target_configs: 'firmware1' has no effect here\n"
                    "my_task.yaml:12:52: target_configs: 'owner' has no effect here\n");
    assert_string_equal(experiment->name, "my-trial--1");
    assert_int_equal(experiment->n_nodes, 3);
    assert_string_equal(experiment->nodes[1].node->name, "sheep2");
    assert_string_equal(experiment->nodes[1].config.source.name, "dio_cap");
    assert_string_equal(experiment->nodes[2].config.source.name, "neutral");
    assert_false(experiment->nodes[2].config.log.sheep);
    experiment_destroy(&experiment);
    unlink(input);
}

static void test_the_other_port_follows(void **state)
{
    static const struct {
        const char *word;
        enum aux_source source;
        double aux_mV;
    } cases[] = {
        {"main",    AUX_MIRROR,  0   },
        { "buffer", AUX_STORAGE, 0   },
        { "1.8",    AUX_FIXED,   1800},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[200];
        struct experiment *experiment = NULL;

        snprintf(text, sizeof(text),
                 "datatype: EmulationTask\nparameters: {input_path: /etc/hostname, "
                 "voltage_aux: %s}\n",
                 cases[i].word);
        experiment = parse(text, "");
        assert_int_equal(experiment->nodes[0].config.aux_source, cases[i].source);
        assert_true(experiment->nodes[0].config.voltage_aux_mV == cases[i].aux_mV);
        experiment_destroy(&experiment);
    }
}

static void test_what_would_change_the_meaning_is_refused(void **state)
{
    static const char *const cases[][2] = {
        {"datatype: ProgrammingTask\nparameters: {}\n",
         ":1:11: a 'ProgrammingTask' is no experiment"                                                                                        },
        { "datatype: HarvestTask\nparameters: {duratoin: 3}\n",
         ":2:14: HarvestTask: unknown key 'duratoin'"                                                                                         },
        { "datatype: HarvestTask\nparameters: {power_tracing: {samplerate: 5000}}\n",
         "samplerate: '5000' is none of 10, 100, 1000, 100000"                                                                                },
        { "datatype: EmulationTask\nparameters: {input_path: /etc/hostname, voltage_aux: bufer}\n",
         "'bufer' is neither a number of volts nor main or buffer"                                                                            },
        { "datatype: EmulationTask\nparameters: {input_path: /etc/hostname, gpio_actuation: {events: []}}\n",
         "gpio_actuation: not built"                                                                                                          },
        { "datatype: Experiment\nparameters: {name: a, target_configs: [{target_IDs: [9], energy_env: "
          "{data_path: /etc/hostname}}, {target_IDs: [0], energy_env: {data_path: /etc/hostname}}]}\n",
         "no node's name ends with '9'"                                                                                                       },
        { "datatype: Experiment\nparameters: {name: a, target_configs: [{target_IDs: [1], energy_env: "
          "{name: sun}}]}\n",                                                                           "energy_env: wants data_path"},
        { "datatype: HarvestTask\nparameters: {output_compression: 9}\n",
         "is none of 1, lzf, null"                                                                                                            },
        { "datatype: HarvestTask\nparameters: [1]\n",                                                            "HarvestTask: wants a map"   },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fault_list faults = { 0 };
        struct buf out = { 0 };

        assert_null(experiment_parse(cases[i][0], "t.yaml", inventory, NULL, &faults));
        fault_print(&faults, &out);
        if (strstr(out.data, cases[i][1]) == NULL) {
            fail_msg("%s\ngave\n%s", cases[i][0], out.data);
        }
        buf_fini(&out);
        fault_fini(&faults);
    }
}

static void test_a_wrapper_has_both_keys(void **state)
{
    static const struct {
        const char *text;
        bool is_wrapped;
    } CASES[] = {
        {"datatype: x\nparameters: {}\n",          true },
        { "parameters: 1\ndatatype: 2\nmore: 3\n", true },
        { "datatype: x\n",                         false},
        { "parameters: {}\n",                      false},
        { "[datatype, parameters]\n",              false},
        { "",                                      false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct err err = { 0 };
        struct yaml_doc *doc = yaml_parse(CASES[i].text, strlen(CASES[i].text), "a.yaml", &err);

        assert_non_null(doc);
        assert_int_equal(shepherd_is_wrapped(yaml_root(doc)), CASES[i].is_wrapped);
        yaml_destroy(&doc);
    }
    assert_false(shepherd_is_wrapped(NULL));
}

/* The experiment that text of file_name becomes, as YAML. */
static void expect_experiment(const char *file_name, const char *text, const char *wanted)
{
    struct fault_list faults = { 0 };
    struct fault_list notes = { 0 };
    struct err err = { 0 };
    struct yaml_doc *doc = yaml_parse(text, strlen(text), file_name, &err);
    struct buf out = { 0 };
    struct yaml_node *experiment = NULL;

    assert_non_null(doc);
    experiment = shepherd_convert(doc, yaml_root(doc), file_name, inventory, &faults, &notes);
    assert_non_null(experiment);
    assert_int_equal(faults.count, 0);
    yaml_emit(experiment, 0, &out);
    assert_string_equal(out.data, wanted);
    buf_fini(&out);
    fault_fini(&faults);
    fault_fini(&notes);
    yaml_destroy(&doc);
}

static void test_a_name_that_a_path_can_hold(void **state)
{
    static const char *const CASES[][2] = {
        {"/home/me/my task.v2.yaml",                                                     "my-task"   },
        { "trial.yaml",                                                                  "trial"     },
        { "/tmp/.hidden",                                                                "experiment"},
        { "/tmp/",                                                                       "experiment"},
        { "-x.yaml",                                                                     "_x"        },
        { "\xC3\xA4.yaml",                                                               "_-"        },
        { "0123456789012345678901234567890123456789012345678901234567890123456789.yaml",
         "012345678901234567890123456789012345678901234567890123456789012"                           },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        char wanted[200];

        snprintf(wanted, sizeof(wanted), "name: %s\ndefaults:\n  mode: harvest\n", CASES[i][1]);
        expect_experiment(CASES[i][0], "datatype: HarvestTask\nparameters: {}\n", wanted);
    }
}

static void test_durations_of_old_and_new_versions(void **state)
{
    static const char *const CASES[][2] = {
        {"30",      "30"   },
        { "PT30S",  "30 s" },
        { "PT1.5S", "1.5 s"},
        { "PT1M",   "PT1M" },
        { "PT",     "PT"   },
        { "2 h",    "2 h"  },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        char text[200];
        char wanted[200];

        snprintf(text, sizeof(text), "datatype: HarvestTask\nparameters:\n  duration: %s\n",
                 CASES[i][0]);
        snprintf(wanted, sizeof(wanted), "duration: %s\nname: a\ndefaults:\n  mode: harvest\n",
                 CASES[i][1]);
        expect_experiment("a.yaml", text, wanted);
    }
}

static void test_outputs_ports_and_volts(void **state)
{
    (void)state;
    expect_experiment("a.yaml",
                      "datatype: EmulationTask\nparameters:\n  output_path: out/x.h5\n"
                      "  force_overwrite: false\n  pwr_port: B\n  voltage_aux: 2.5\n"
                      "  input_path: in.h5\n  abort_on_error: null\n",
                      "name: a\ndefaults:\n  mode: emulate\n  record:\n    exists: number\n"
                      "  target_port: B\n  voltage_aux_mV: 2500\n  input: in.h5\n");
    expect_experiment("a.yaml", "datatype: HarvestTask\nparameters:\n  output_path: .h5\n",
                      "output: \".h5\"\nname: a\ndefaults:\n  mode: harvest\n");
}

/* Targets are numbers that names end with, so sheep10 is not target 0. */
static void test_targets_are_whole_numbers(void **state)
{
    struct fault_list faults = { 0 };
    struct inventory *other = inventory_parse(
        "sheep: {hosts: {sheep10: {}, sheep007: {}, gate: {}}}\n", "herd.yml", &faults);
    struct inventory *outer = inventory;

    (void)state;
    assert_non_null(other);
    inventory = other;
    expect_experiment("a.yaml",
                      "datatype: Experiment\nparameters:\n  target_configs:\n"
                      "    - {target_IDs: [7, 10], energy_env: {data_path: a.h5}}\n",
                      "groups:\n  target_config_0:\n    mode: emulate\n"
                      "    nodes: \"sheep007,sheep10\"\n    input: a.h5\nname: a\n");
    inventory = outer;
    inventory_destroy(&other);
    fault_fini(&faults);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_harvest_task),
        cmocka_unit_test(test_emulation_task),
        cmocka_unit_test(test_experiment_with_targets),
        cmocka_unit_test(test_the_other_port_follows),
        cmocka_unit_test(test_what_would_change_the_meaning_is_refused),
        cmocka_unit_test(test_a_wrapper_has_both_keys),
        cmocka_unit_test(test_a_name_that_a_path_can_hold),
        cmocka_unit_test(test_durations_of_old_and_new_versions),
        cmocka_unit_test(test_outputs_ports_and_volts),
        cmocka_unit_test(test_targets_are_whole_numbers),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
