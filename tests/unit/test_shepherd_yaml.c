/* SPDX-License-Identifier: MIT */
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

static void test_what_would_change_the_meaning_is_refused(void **state)
{
    static const char *const cases[][2] = {
        {"datatype: ProgrammingTask\nparameters: {}\n",
         ":1:11: a 'ProgrammingTask' is no experiment"                                                                                        },
        { "datatype: HarvestTask\nparameters: {duratoin: 3}\n",
         ":2:14: HarvestTask: unknown key 'duratoin'"                                                                                         },
        { "datatype: HarvestTask\nparameters: {power_tracing: {samplerate: 5000}}\n",
         "samplerate: '5000' is none of 10, 100, 1000, 100000"                                                                                },
        { "datatype: EmulationTask\nparameters: {input_path: /etc/hostname, voltage_aux: buffer}\n",
         "'buffer' is not built yet"                                                                                                          },
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_harvest_task),
        cmocka_unit_test(test_emulation_task),
        cmocka_unit_test(test_experiment_with_targets),
        cmocka_unit_test(test_what_would_change_the_meaning_is_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
