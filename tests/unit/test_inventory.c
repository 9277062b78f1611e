/* SPDX-License-Identifier: MIT */
#include "common/inventory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char flock[] =
    "sheep:\n"
    "  hosts:\n"
    "    sheep0:\n"
    "    sheep1: {ansible_host: 10.0.0.1, board: sim, port: 5000}\n"
    "    sheep[2:5]:\n"
    "  vars: {ansible_user: jane, ansible_connection: ssh}\n"
    "  children:\n"
    "    roof:\n"
    "      hosts:\n"
    "        sheep0:\n"
    "        north-[08:12:2]: {capabilities: [boost, port_b], site_id: 7}\n"
    "      vars: {board: iss}\n"
    "ptp_servers:\n"
    "  hosts:\n"
    "    sheep1:\n"
    "    gateway:\n";

static struct inventory *parse(const char *text)
{
    struct fault_list faults = { 0 };
    struct inventory *inventory = inventory_parse(text, "herd.yml", &faults);

    if (inventory == NULL) {
        fail_msg("%s", faults.count > 0 ? faults.faults[0].text : "?");
    }
    fault_fini(&faults);
    return inventory;
}

static bool is_in(const struct inventory_node *node, const char *group)
{
    for (size_t i = 0; i < node->n_groups; i++) {
        if (strcmp(node->groups[i], group) == 0) {
            return true;
        }
    }
    return false;
}

static void test_ansible_form_loads(void **state)
{
    struct inventory *inventory = parse(flock);
    const struct inventory_node *node = NULL;

    (void)state;
    assert_int_equal(inventory->n_nodes, 9);
    node = inventory_get(inventory, "sheep1");
    assert_string_equal(node->host, "10.0.0.1");
    assert_string_equal(node->user, "jane");
    assert_int_equal(node->port, 5000);
    assert_string_equal(node->board, "sim");
    assert_true(is_in(node, "ptp_servers"));
    assert_true(is_in(node, "sheep"));
    assert_false(is_in(node, "roof"));
    node = inventory_get(inventory, "sheep4");
    assert_string_equal(node->host, "sheep4");
    assert_int_equal(node->port, DEFAULT_PORT);
    assert_int_equal(node->place.line, 5);
    node = inventory_get(inventory, "north-10");
    assert_string_equal(node->board, "iss");
    assert_int_equal(node->n_capabilities, 2);
    assert_string_equal(node->capabilities[1], "port_b");
    assert_non_null(inventory_get(inventory, "north-08"));
    assert_null(inventory_get(inventory, "north-09"));
    assert_null(inventory_get(inventory, "gateway"));
    assert_true(is_in(inventory_get(inventory, "sheep0"), "roof"));
    inventory_destroy(&inventory);
    assert_null(inventory);
}

static void test_all_children_form(void **state)
{
    struct inventory *inventory = parse(
        "all:\n  vars: {board: sim}\n  children:\n    sheep:\n      hosts: {\"s[a:c]\": }\n"
        "    late: {hosts: {sc: }}\n");

    (void)state;
    assert_int_equal(inventory->n_nodes, 3);
    assert_string_equal(inventory->nodes[2].name, "sc");
    assert_string_equal(inventory->nodes[2].board, "sim");
    assert_true(is_in(&inventory->nodes[2], "late"));
    inventory_destroy(&inventory);
}

static void test_faults_are_named(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"sheep: {hosts: {a: {ansible_host: h}, b: {ansible_host: H}}}",
         "nodes a and b have the same address"                                                                                },
        { "sheep: {hosts: {a: {ansible_host: h, port: 4240}, b: {ansible_host: h, port: 4242}}}",
         "same address"                                                                                                       },
        { "sheep: {hosts: {'a b': }}",                                                            "cannot be a node's name"   },
        { "sheep: {hosts: {../x: }}",                                                             "cannot be a node's name"   },
        { "sheep: {hosts: {'s[5:2]': }}",                                                         "is no range"               },
        { "sheep: {hosts: {'s[0:99999999]': }}",                                                  "is no range"               },
        { "sheep: {hosts: {a: {prot: 3}}}",                                                       "did you mean port?"        },
        { "sheep: {hosts: {a: {port: 70000}}}",                                                   "port: 70000 is above 65533"},
        { "sheep: {hosts: {a: {board: tpu}}}",                                                    "board: 'tpu'"              },
        { "sheep: {hosts: {a: {public_key: abc}}}",                                               "40 characters of Z85"      },
        { "sheep: {hosts: {a: {capabilities: x}}}",                                               "wants a list"              },
        { "sheep: {hosts: {}}",                                                                   "has no hosts"              },
        { "sheep: {hosts: [a]}",                                                                  "hosts: wants a map"        },
        { "sheep: {host: {a: }}",                                                                 "unknown key 'host'"        },
        { "goats: {hosts: {a: }}",                                                                "no group 'sheep'"          },
        { "[]",                                                                                   "an inventory is a map"     },
        { "sheep: {hosts: {a: }, children: {g: {hosts: {a: {port: 1}}}}}",                        "described twice"           },
        { "sheep: [",                                                                             "herd.yml:"                 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fault_list faults = { 0 };

        assert_null(inventory_parse(cases[i].text, "herd.yml", &faults));
        assert_true(faults.count > 0);
        if (strstr(faults.faults[0].text, cases[i].message) == NULL) {
            fail_msg("%s: %s", cases[i].text, faults.faults[0].text);
        }
        fault_fini(&faults);
    }
}

static void test_search_order(void **state)
{
    char folder[] = "/tmp/bw_inv_XXXXXX";
    char *before = getcwd(NULL, 0);
    char path[100];
    struct err err = { 0 };
    char *found = NULL;

    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    setenv("HOME", folder, 1);                    // NOLINT(concurrency-mt-unsafe)
    setenv("XDG_CONFIG_HOME", "/nonexistent", 1); // NOLINT(concurrency-mt-unsafe)
    assert_null(inventory_find(NULL, &err));
    assert_non_null(strstr(err.text, "./herd.yml, ./inventory/herd.yml, /tmp/bw_inv_"));
    assert_null(inventory_find("missing.yml", &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    snprintf(path, sizeof(path), "%s/herd.yml", folder);
    assert_int_equal(file_write_atomic(path, flock, strlen(flock), 0600, &err), 0);
    found = inventory_find(NULL, &err);
    assert_string_equal(found, "./herd.yml");
    free(found);
    unlink(path);
    assert_int_equal(chdir(before), 0);
    rmdir(folder);
    free(before);
}

static void test_sets_select(void **state)
{
    static const struct {
        const char *text;
        const char *folded;
    } cases[] = {
        {"sheep0",                          "sheep0"                     },
        { "sheep[0-2,5]",                   "sheep[0-2,5]"               },
        { "sheep[0-2], sheep5",             "sheep[0-2,5]"               },
        { "@roof",                          "sheep0,north-[08,10,12]"    },
        { "all",                            "sheep[0-5],north-[08,10,12]"},
        { "@sheep - sheep[1-5]",            "sheep0,north-[08,10,12]"    },
        { "@roof & sheep*",                 "sheep0"                     },
        { "@roof&sheep[0-5]",               "sheep0"                     },
        { "north-[08,10]",                  "north-[08,10]"              },
        { "sheep? - @ptp_servers,north-12", "sheep[0,2-5],north-12"      },
        { "sheep[ 1 , 3-4 ]",               "sheep[1,3-4]"               },
    };
    struct inventory *inventory = parse(flock);
    bool selected[16];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = { 0 };
        const char *names[16];
        size_t n = 0;
        struct buf out = { 0 };

        if (nodeset_select(inventory, cases[i].text, selected, &err) < 0) {
            fail_msg("%s", err.text);
        }
        for (size_t k = 0; k < inventory->n_nodes; k++) {
            if (selected[k]) {
                names[n] = inventory->nodes[k].name;
                n++;
            }
        }
        nodeset_fold(names, n, &out);
        assert_string_equal(out.data, cases[i].folded);
        buf_fini(&out);
    }
    inventory_destroy(&inventory);
}

static void test_bad_sets_are_refused(void **state)
{
    static const char *const cases[][2] = {
        {"shep1",                 "there is no node 'shep1'; did you mean sheep"},
        { "sheep[0-9]",           "there is no node 'sheep6'"                   },
        { "@attic",               "there is no group 'attic'"                   },
        { "sheep0 - sheep0",      "names nobody"                                },
        { "",                     "a name is missing"                           },
        { "sheep0,",              "a name is missing"                           },
        { "sheep[",               "']' is missing"                              },
        { "sheep[x]",             "a bad range"                                 },
        { "sheep[3-1]",           "a bad range"                                 },
        { "sheep[0-99999999999]", "a bad range"                                 },
        { "sheep[1;2]",           "a bad range"                                 },
        { "sheep0 sheep1",        "one of , & - is missing"                     },
        { "sheep0|sheep1",        "one of , & - is missing"                     },
        { "goat*",                "there is no node 'goat*'"                    },
    };
    struct inventory *inventory = parse(flock);
    bool selected[16];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = { 0 };

        assert_int_equal(nodeset_select(inventory, cases[i][0], selected, &err), -1);
        if (strstr(err.text, cases[i][1]) == NULL) {
            fail_msg("%s: %s", cases[i][0], err.text);
        }
    }
    inventory_destroy(&inventory);
}

static void test_fold(void **state)
{
    const char *const names[] = { "s1", "s2", "s3", "x", "s7", "t09", "t10", "t11", "12" };
    struct buf out = { 0 };

    (void)state;
    nodeset_fold(names, ARRAY_LEN(names), &out);
    assert_string_equal(out.data, "s[1-3,7],x,t[09-11],12");
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ansible_form_loads),
        cmocka_unit_test(test_all_children_form),
        cmocka_unit_test(test_faults_are_named),
        cmocka_unit_test(test_search_order),
        cmocka_unit_test(test_sets_select),
        cmocka_unit_test(test_bad_sets_are_refused),
        cmocka_unit_test(test_fold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
