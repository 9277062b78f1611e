/* SPDX-License-Identifier: MIT */
#include "common/experiment.h"
#include "common/storage_build.h"

#include <math.h>
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
static char folder[] = "/tmp/bw_exp_XXXXXX";

static void touch(const char *name)
{
    char path[200];
    struct err err = { 0 };

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    assert_int_equal(file_write_atomic(path, "x", 1, 0600, &err), 0);
}

static int set_up(void **state)
{
    struct fault_list faults = { 0 };

    (void)state;
    inventory = inventory_parse("sheep:\n  hosts:\n    sheep[0:3]:\n  children:\n"
                                "    roof: {hosts: {sheep3: }}\n",
                                "herd.yml", &faults);
    if (inventory == NULL || mkdtemp(folder) == NULL) {
        return -1;
    }
    touch("day.h5");
    for (int i = 0; i < 4; i++) {
        char name[40];

        snprintf(name, sizeof(name), "rec_sheep%d.h5", i);
        touch(name);
    }
    return 0;
}

static int tear_down(void **state)
{
    char command[100];

    (void)state;
    inventory_destroy(&inventory);
    snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command); // NOLINT(cert-env33-c,concurrency-mt-unsafe)
}

static struct experiment *parse_in(const char *text, const char *limit,
                                   struct fault_list *faults)
{
    char file[200];

    snprintf(file, sizeof(file), "%s/e.yaml", folder);
    return experiment_parse(text, file, inventory, limit, faults);
}

static struct experiment *parse(const char *text)
{
    struct fault_list faults = { 0 };
    struct experiment *experiment = parse_in(text, NULL, &faults);
    struct buf out = { 0 };

    if (experiment == NULL) {
        fault_print(&faults, &out);
        fail_msg("%s", out.data);
    }
    fault_fini(&faults);
    return experiment;
}

static const char solar_day[] =
    "name: solar-day\n"
    "duration: 30 s\n"
    "start: {align: 1 s, require: \"sheep[0-2]\", clock_error_max: 100 us, if_incomplete: abort}\n"
    "run: {on_failure: continue}\n"
    "defaults:\n"
    "  mode: emulate\n"
    "  target_port: 2\n"
    "  input: day.h5\n"
    "  source: {inherit_from: BQ25570s, C_intermediate_uF: 47}\n"
    "  record: {voltage: true, current: true, gpio: [0, 3], sync_interval: 1 s, compression: gzip-1}\n"
    "  log: {system: 1 s, kernel: true, time: true, uart: {baudrate: 9600}}\n"
    "groups:\n"
    "  roofs: {nodes: \"sheep[0-1]\", source: {inherit_from: BQ25504}}\n"
    "  roof: {record: {gpio: none}}\n"
    "nodes:\n"
    "  sheep1: {source: {C_intermediate_uF: 100}, log: {uart: false}}\n";

static void test_layers_win_in_order(void **state)
{
    struct experiment *experiment = parse(solar_day);
    const struct node_config *config = NULL;
    char path[200];

    (void)state;
    snprintf(path, sizeof(path), "%s/day.h5", folder);
    assert_string_equal(experiment->name, "solar-day");
    assert_int_equal(experiment->n_nodes, 4);
    assert_int_equal(experiment->align_ns, 1000000000);
    assert_int_equal(experiment->clock_error_max_ns, 100000);
    assert_true(experiment->nodes[2].is_required);
    assert_false(experiment->nodes[3].is_required);
    config = &experiment->nodes[0].config;
    assert_int_equal(config->mode, MODE_EMULATE);
    assert_int_equal(config->target_port, PORT_B);
    assert_string_equal(config->input, path);
    assert_string_equal(config->source.name, "BQ25504");
    assert_false(config->source.enable_buck);
    assert_true(config->source.C_intermediate_uF == 47);
    assert_string_equal(config->source.storage.name, "capacitor");
    assert_int_equal(config->record.gpio_mask, 9);
    assert_int_equal(config->record.compression, 1);
    assert_true(config->log.uart.enable);
    assert_int_equal(config->log.uart.baudrate, 9600);
    assert_int_equal(node_config_samples(config), 3000000);
    config = &experiment->nodes[1].config;
    assert_true(config->source.C_intermediate_uF == 100);
    assert_false(config->log.uart.enable);
    config = &experiment->nodes[2].config;
    assert_string_equal(config->source.name, "BQ25570s");
    assert_true(config->source.enable_buck);
    assert_true(config->source.interpolate_LUT);
    config = &experiment->nodes[3].config;
    assert_int_equal(config->record.gpio_mask, 0);
    experiment_destroy(&experiment);
    assert_null(experiment);
}

/* The constructors of the reference, by keys of a storage. */
static void test_storages_are_built(void **state)
{
    const struct {
        const char *yaml;
        struct storage_config expected;
    } cases[] = {
        {"{build: capacitor, C_uF: 47, V_rated_mV: 6.3 V, R_leak_Ohm: 2e6}",
         storage_build_capacitor(47,                                 6.3, 0, 2e6) },
        { "{build: supercapacitor, C_uF: 25 F, V_rated_mV: 3000, R_series_Ohm: 0.017, R_leak_Ohm: 54545}",
         storage_build_capacitor(25e6,                                                   3, 0.017, 54545) },
        { "{build: lipo, capacity_mAh: 12}", storage_build_lipo(12)                              },
        { "{build: lead_acid, capacity_mAh: 1200, SoC_init: 0.3}",
         storage_build_lead_acid(1200)                                            },
 /* a preset's numbers give way */
        { "{inherit_from: LPM1254, build: lipo, capacity_mAh: 40}",                                                               storage_build_lipo(40)},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct storage_config *expected = &cases[i].expected;
        const struct storage_config *storage = NULL;
        struct experiment *experiment = NULL;
        char text[300];

        snprintf(text, sizeof(text),
                 "name: x\ndefaults: {mode: emulate, input: day.h5, source: {storage: %s}}\n",
                 cases[i].yaml);
        experiment = parse(text);
        storage = &experiment->nodes[0].config.source.storage;
        assert_true(storage->is_present);
        assert_true(fabs(storage->q_As - expected->q_As) < 1e-9 * expected->q_As);
        assert_true(fabs(storage->R_leak_Ohm - expected->R_leak_Ohm) < 1e-6);
        for (int k = 0; k < 6; k++) {
            assert_true(fabs(storage->p_VOC[k] - expected->p_VOC[k]) < 1e-9);
            assert_true(fabs(storage->p_Rs[k] - expected->p_Rs[k]) < 1e-9);
        }
        experiment_destroy(&experiment);
    }
}

static void test_later_groups_win(void **state)
{
    struct experiment *experiment =
        parse("name: a\ndefaults: {mode: harvest, harvester: cv10}\ngroups:\n"
              "  z: {nodes: \"sheep[0-2]\", harvester: cv20, record: {gpio: [1]}}\n"
              "  a: {nodes: \"sheep[1-3]\", harvester: cv33}\n"
              "nodes: {sheep2: {harvester: {voltage_mV: 2.9 V}}}\n");

    (void)state;
    assert_true(experiment->nodes[0].config.harvester.voltage_mV == 2000);
    assert_true(experiment->nodes[1].config.harvester.voltage_mV == 3300);
    assert_int_equal(experiment->nodes[1].config.record.gpio_mask, 2);
    assert_true(experiment->nodes[2].config.harvester.voltage_mV == 2900);
    assert_string_equal(experiment->nodes[2].config.harvester.name, "cv33");
    assert_int_equal(experiment->nodes[3].config.record.gpio_mask, 0xFFFF);
    experiment_destroy(&experiment);
}

static void test_limit_and_participation(void **state)
{
    struct fault_list faults = { 0 };
    struct experiment *experiment =
        parse_in("name: a\ndefaults: {mode: harvest}\n", "sheep[1,3]", &faults);

    (void)state;
    assert_int_equal(experiment->n_nodes, 2);
    assert_string_equal(experiment->nodes[1].node->name, "sheep3");
    assert_int_equal(experiment->nodes[0].config.duration_ns, -1);
    assert_true(node_config_samples(&experiment->nodes[0].config) == UINT64_MAX);
    assert_int_equal(experiment->nodes[0].config.source.harvester.algorithm,
                     HARVESTER_MPPT_OPT);
    experiment_destroy(&experiment);

    experiment = parse("name: a\nnodes: {sheep2: {mode: harvest, harvester: cv20}}\n");
    assert_int_equal(experiment->n_nodes, 1);
    assert_true(experiment->nodes[0].config.harvester.voltage_mV == 2000);
    experiment_destroy(&experiment);

    assert_null(parse_in("name: a\ndefaults: {mode: harvest}\n", "goat", &faults));
    assert_null(parse_in("name: a\nnodes: {sheep2: {mode: harvest}}\n", "sheep0", &faults));
    assert_int_equal(faults.count, 2);
    fault_fini(&faults);
}

static void test_config_roundtrips_exactly(void **state)
{
    struct experiment *experiment = parse(solar_day);

    (void)state;
    for (size_t i = 0; i < experiment->n_nodes; i++) {
        struct node_config *config = &experiment->nodes[i].config;
        struct node_config again;
        struct fault_list faults = { 0 };
        struct buf text = { 0 };
        struct err err = { 0 };
        struct yaml_doc *doc = NULL;

        memset(config->input_digest, 'a', 64);
        config->input_samples = UINT64_MAX - 1;
        config->input_window = 909;
        config->input_step_uV = 5506.6079295154182;
        schema_encode(&node_config_schema, config, &text, 2);
        doc = yaml_parse(text.data, text.size, "t", &err);
        assert_non_null(doc);
        schema_decode(&node_config_schema, yaml_root(doc), &again, &faults);
        if (faults.count > 0) {
            fail_msg("%s", faults.faults[0].text);
        }
        assert_memory_equal(config, &again, sizeof(again));
        yaml_destroy(&doc);
        buf_fini(&text);
    }
    experiment_destroy(&experiment);
}

/* What `herd check` prints is an experiment that means the same. */
static void check_print(const char *text, const char *expected_set, size_t n_classes)
{
    struct experiment *experiment = parse(text);
    struct experiment *again = NULL;
    struct buf out = { 0 };
    struct buf second = { 0 };
    size_t n_modes = 0;

    experiment_print(experiment, &out);
    if (strstr(out.data, expected_set) == NULL) {
        fail_msg("no %s in\n%s", expected_set, out.data);
    }
    for (const char *at = strstr(out.data, "\n    mode:"); at != NULL;
         at = strstr(at + 1, "\n    mode:")) {
        n_modes++;
    }
    assert_int_equal(n_modes, n_classes);
    again = parse(out.data);
    assert_int_equal(again->n_nodes, experiment->n_nodes);
    for (size_t i = 0; i < experiment->n_nodes; i++) {
        assert_memory_equal(&experiment->nodes[i].config, &again->nodes[i].config,
                            sizeof(struct node_config));
        assert_int_equal(experiment->nodes[i].is_required, again->nodes[i].is_required);
    }
    experiment_print(again, &second);
    assert_string_equal(out.data, second.data);
    buf_fini(&out);
    buf_fini(&second);
    experiment_destroy(&experiment);
    experiment_destroy(&again);
}

static void test_print_means_the_same(void **state)
{
    (void)state;
    check_print(solar_day, "\n  sheep2:\n", 4);
    check_print("name: x\ndefaults: {mode: harvest}\nnodes: {sheep1: {harvester: cv20}}\n",
                "\n  \"sheep[0,2-3]\":\n", 2);
    check_print(
        "name: x\nduration: 1 min\ndefaults: {mode: emulate, input: \"rec_{node}.h5\"}\n",
        "rec_{node}.h5", 1);
}

static void test_node_in_input_is_replaced(void **state)
{
    struct experiment *experiment =
        parse("name: x\ndefaults: {mode: emulate, input: \"rec_{node}.h5\"}\n");
    char path[200];

    (void)state;
    snprintf(path, sizeof(path), "%s/rec_sheep2.h5", folder);
    assert_string_equal(experiment->nodes[2].config.input, path);
    experiment_destroy(&experiment);
}

static void expect(const char *text, const char *const *messages, size_t n_messages)
{
    struct fault_list faults = { 0 };
    struct buf out = { 0 };
    size_t n_lines = 0;

    assert_null(parse_in(text, NULL, &faults));
    fault_print(&faults, &out);
    if (out.data == NULL) {
        fail();
        return;
    }
    for (const char *at = out.data; at != NULL && *at != '\0'; at = strchr(at, '\n') + 1) {
        n_lines++;
    }
    for (size_t i = 0; i < n_messages; i++) {
        if (strstr(out.data, messages[i]) == NULL) {
            fail_msg("no '%s' in\n%s", messages[i], out.data);
        }
    }
    if (n_lines != n_messages) {
        fail_msg("%zu faults expected, found\n%s", n_messages, out.data);
    }
    buf_fini(&out);
    fault_fini(&faults);
}

static void test_ten_faults_and_their_places(void **state)
{
    static const char text[] =
        "name: ten faults\n"                                   /* 1 */
        "duration: 0 s\n"                                      /* 2 */
        "start: {align: 1 V, require: \"goat[1-2]\"}\n"        /* 3: two */
        "defaults:\n"                                          /* 4 */
        "  mode: emulate\n"                                    /* 5 */
        "  input: nothing.h5\n"                                /* 6 */
        "  source: {inherit_from: BQ25570z, V_outptu_mV: 3}\n" /* 7: two */
        "  record: {gpio: [0, 99], compression: zip}\n"        /* 8: two */
        "groups:\n"                                            /* 9 */
        "  north: {nodes: \"sheep[7-9]\"}\n"                   /* 10 */
        "nodes:\n"                                             /* 11 */
        "  sheep1: {log: {system: soon}, target_prot: A}\n"    /* 12: two */
        "  goat1: {mode: harvest}\n";                          /* 13 */
    static const char *const messages[] = {
        "e.yaml:1:7: name: only letters",
        "e.yaml:2:11: duration: '0 s' is not above zero",
        "e.yaml:3:16: align: '1 V' has a unit",
        "e.yaml:3:30: require: node set 'goat[1-2]': there is no node 'goat1'",
        "e.yaml:6:10: input: ",
        "e.yaml:7:26: there is no preset of a source called 'BQ25570z'; did you mean BQ25570?",
        "e.yaml:7:36: source: unknown key 'V_outptu_mV'; did you mean V_output_mV?",
        "e.yaml:8:22: gpio: a pin is a number from 0 to 15",
        "e.yaml:8:40: compression: wants none or gzip-1 to gzip-9, not 'zip'",
        "e.yaml:10:18: group north: node set 'sheep[7-9]': there is no node 'sheep7'",
        "e.yaml:12:26: system: wants a duration such as 30 s or 1.5 ms, not 'soon'",
        "e.yaml:12:33: unknown key 'target_prot'; did you mean target_port?",
        "e.yaml:13:3: nodes: node set 'goat1': there is no node 'goat1'",
    };

    (void)state;
    expect(text, messages, ARRAY_LEN(messages));
}

static void test_single_faults(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"[1]",                                                                                                              ":1:1: an experiment is a map"                                              },
        { "name: x\n",                                                                                                       ":1:1: no node takes part"                                                  },
        { "name: x\ndefaults: {}\n",                                                                                         "mode is missing"                                                           },
        { "defaults: {mode: harvest}\n",                                                                                     ":1:1: name is missing"                                                     },
        { "name: [\n",                                                                                                       "e.yaml:"                                                                   },
        { "name: x\nduration: -3 s\ndefaults: {mode: harvest}\n",                                                            ":2:11: duration: '-3 s'"                                                   },
        { "name: x\nduration: [1]\ndefaults: {mode: harvest}\n",
         ":2:11: duration: wants a duration"                                                                                                                                                             },
        { "name: x\ndefaults: {mode: harvest, duration: 3 s}\n",
         ":2:27: duration belongs to the experiment"                                                                                                                                                     },
        { "name: x\ndefaults: {mode: emulate}\n",                                                                            ":2:18: an emulation needs an input"                                        },
        { "name: x\ndefaults: {mode: harvest, input: day.h5}\n",
         ":2:34: input: a harvest has none"                                                                                                                                                              },
        { "name: x\ndefaults: {mode: emulate, input: .}\n",                                                                  ":2:34: input: "                                                            },
        { "name: x\ndefaults: {mode: harvest, harvester: neutral}\n",
         ":2:38: harvester: neutral cannot record"                                                                                                                                                       },
        { "name: x\ndefaults: {mode: emulate, input: day.h5, source: {harvester: iv110}}\n",
         ":2:62: source: the harvester ivcurve can only record"                                                                                                                                          },
        { "name: x\ndefaults: {mode: harvest, harvester: {inherit_from: cv20, voltage_mV: 99999}}\n",
         ":2:71: voltage_mV: 99999 is above 5000 mV"                                                                                                                                                     },
        { "name: x\ndefaults: {mode: harvest, harvester: {inherit_from: cv20, voltage_max_mV: 1500}}\n",
         ":2:75: harvester: voltage_mV of 2000 is not between"                                                                                                                                           },
        { "name: x\ndefaults: {mode: emulate, input: day.h5, source: {inherit_from: BQ25504, "
          "V_intermediate_disable_output_threshold_mV: 2 V}}\n",                                                    ":2:118: source: V_intermediate_enable_output_threshold_mV of 1000 is below"},
        { "name: x\ndefaults: {mode: emulate, input: day.h5, source: {inherit_from: BQ25504, "
          "V_pwr_good_enable_threshold_mV: 2000}}\n",                                                               ": source: V_pwr_good_enable_threshold_mV of 2000 is below"                 },
        { "name: x\ndefaults: {mode: emulate, input: day.h5, source: {inherit_from: BQ25504, storage: none}}\n",
         ":2:83: source: enable_boost needs a storage"                                                                                                                                                   },
        { "name: x\ndefaults: {mode: emulate, input: day.h5, source: {storage: {p_VOC: [0,0,0,0,0,0], q_As: 1}}}\n",
         "p_VOC gives a full storage 0 V"                                                                                                                                                                },
        { "name: x\ndefaults: {mode: emulate, input: day.h5, source: {storage: {build: lipo, C_uF: 10}}}\n",
         ":2:68: storage: build needs capacity_mAh"                                                                                                                                                      },
        { "name: x\ndefaults: {mode: emulate, input: day.h5, source: {storage: {build: capacitor, C_uF: 1}}}\n",
         ":2:68: storage: build needs C_uF and V_rated_mV"                                                                                                                                               },
        { "name: x\ndefaults: {mode: emulate, input: day.h5, source: {storage: {build: lipo, capacity_mAh: 1, q_As: 1}}}\n",
         "storage: q_As follows from build"                                                                                                                                                              },
        { "name: x\ndefaults: {mode: emulate, input: day.h5, record: {storage: true}}\n",
         ":2:60: record: there is no storage"                                                                                                                                                            },
        { "name: x\ndefaults: {mode: harvest, harvester: iv110, record: {samplerate: 1000}}\n",
         ":2:66: record: a samplerate of 1000 would average the steps of a curve"                                                                                                                        },
        { "name: x\ndefaults: {mode: harvest, record: {samplerate: 10, overview_only: true}}\n",
         "record: overview_only stores no samples"                                                                                                                                                       },
        { "name: x\ndefaults: {mode: harvest, record: {samplerate: 5000}}\n",
         "samplerate: '5000' is none of 10, 100, 1000, 100000"                                                                                                                                           },
        { "name: x\ndefaults: {mode: emulate, input: day.h5, input_memory: 5 kB}\n",
         ":2:56: input_memory: 5 kB is below 1048576 B"                                                                                                                                                  },
        { "name: x\ndefaults: {mode: harvest, record: {duration: 0 s}}\n",
         "record: a duration of 0 records nothing"                                                                                                                                                       },
        { "name: x\nduration: 3 s\ndefaults: {mode: harvest, record: {delay: 3 s}}\n",
         "record: a delay of 3 s is not shorter than the experiment of 3 s"                                                                                                                              },
        { "name: x\ndefaults: {mode: harvest, record: {storage: true}}\n",
         "record: a harvest has no storage"                                                                                                                                                              },
        { "name: x\ndefaults: {mode: emulate, input: day.h5, source: {inherit_from: BQ25504, "
          "V_intermediate_init_mV: 9000}}\n",                                                                       "V_intermediate_init_mV of 9000 is above"                                   },
        { "name: x\ndefaults: {mode: harvest}\ngroups: {attic: {target_port: B}}\n",
         ":3:10: group attic: node set '@attic': there is no group 'attic' (and it has no 'nodes')"                                                                                                      },
        { "name: x\nstart: {require: sheep0}\nnodes: {sheep1: {mode: harvest}}\n",
         ":2:18: require: none of 'sheep0' takes part"                                                                                                                                                   },
        { "name: x\ndefaults: {mode: harvest}\nduratoin: 2 s\n",
         ":3:1: experiment: unknown key 'duratoin'; did you mean duration?"                                                                                                                              },
        { "name: x\ndefaults: {mode: harvest, record: {gpio: some}}\n",
         "gpio: wants all, none"                                                                                                                                                                         },
        { "name: x\ndefaults: {mode: harvest}\nname: y\n",                                                                   ":3:1: this key stands twice"                                               },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        expect(cases[i].text, &cases[i].message, 1);
    }
}

static void test_layers_must_be_maps(void **state)
{
    static const char *const defaults[] = { ":1:1: mode is missing", ":2:11: wants a map" };
    static const char *const nodes[] = { ":1:1: mode is missing",
                                         ":2:17: wants a map of settings" };

    (void)state;
    expect("name: x\ndefaults: 5\n", defaults, 2);
    expect("name: x\nnodes: {sheep0: 5}\n", nodes, 2);
}

static void test_samples_are_exact(void **state)
{
    struct node_config config = { .mode = MODE_HARVEST };

    (void)state;
    config.duration_ns = 180000000000;
    assert_int_equal(node_config_samples(&config), 18000000);
    config.duration_ns = 10000;
    assert_int_equal(node_config_samples(&config), 1);
    config.duration_ns = 14999;
    assert_int_equal(node_config_samples(&config), 1);
    config.duration_ns = 15000;
    assert_int_equal(node_config_samples(&config), 2);
    config.duration_ns = INT64_MAX;
    assert_true(node_config_samples(&config) == 922337203685478ULL);
    config =
        (struct node_config){ .mode = MODE_EMULATE, .duration_ns = -1, .input_samples = 77 };
    assert_int_equal(node_config_samples(&config), 77);
}

/* Every example is sound, but for recordings that only its user has. */
static void test_examples_are_sound(void **state)
{
    static const char *const names[] = { "harvest-solar", "emulate-solar", "solar-day",
                                         "quickstart-harvest", "quickstart-emulate" };
    struct fault_list faults = { 0 };
    struct inventory *flock =
        inventory_load(BW_SOURCE_DIR "/inventory/example-herd.yml", &faults);

    (void)state;
    assert_non_null(flock);
    assert_int_equal(flock->n_nodes, 10);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[500];
        struct experiment *experiment = NULL;

        snprintf(path, sizeof(path), "%s/inventory/experiments/%s.yaml", BW_SOURCE_DIR,
                 names[i]);
        experiment = experiment_load(path, flock, NULL, &faults);
        for (size_t k = 0; k < faults.count; k++) {
            if (strncmp(faults.faults[k].text, "input: ", 7) != 0) {
                fail_msg("%s: %s", names[i], faults.faults[k].text);
            }
        }
        assert_true(experiment != NULL || faults.count > 0);
        experiment_destroy(&experiment);
        fault_fini(&faults);
    }
    inventory_destroy(&flock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layers_win_in_order),
        cmocka_unit_test(test_storages_are_built),
        cmocka_unit_test(test_later_groups_win),
        cmocka_unit_test(test_limit_and_participation),
        cmocka_unit_test(test_config_roundtrips_exactly),
        cmocka_unit_test(test_print_means_the_same),
        cmocka_unit_test(test_node_in_input_is_replaced),
        cmocka_unit_test(test_ten_faults_and_their_places),
        cmocka_unit_test(test_single_faults),
        cmocka_unit_test(test_layers_must_be_maps),
        cmocka_unit_test(test_examples_are_sound),
        cmocka_unit_test(test_samples_are_exact),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
