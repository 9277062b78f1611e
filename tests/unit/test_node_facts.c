/* SPDX-License-Identifier: MIT */
/* What a node says of itself comes back whole, and nothing else is taken. */
#include "common/node_facts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void fill(struct node_facts *facts)
{
    memset(facts, 0, sizeof(*facts));
    snprintf(facts->machine, sizeof(facts->machine), "BeagleBone: \"Green\"");
    snprintf(facts->kernel, sizeof(facts->kernel), "5.10.168-ti");
    snprintf(facts->data_options, sizeof(facts->data_options), "rw,noatime");
    facts->n_processors = 1;
    facts->memory_bytes = UINT64_MAX;
    facts->has_realtime = true;
    facts->n_disks = FACTS_MAX_DISKS;
    facts->n_links = 1;
    for (size_t i = 0; i < FACTS_MAX_DISKS; i++) {
        snprintf(facts->disks[i].name, FACT_TEXT_SIZE, "mmcblk%zu", i);
        facts->disks[i].size_bytes = i << 30;
    }
    snprintf(facts->links[0].address, FACT_TEXT_SIZE, "00:11:22:33:44:55");
    facts->links[0].speed_mbit = 100;
}

static void test_facts_come_back(void **state)
{
    struct node_facts *facts = calloc(2, sizeof(*facts));
    struct buf text = { 0 };
    struct err err = { 0 };

    (void)state;
    assert_non_null(facts);
    fill(&facts[0]);
    schema_encode(&node_facts_schema, &facts[0], &text, 0);
    if (node_facts_parse(&facts[1], text.data, text.size, &err) < 0) {
        fail_msg("%s", err.text);
    }
    assert_string_equal(facts[1].machine, facts[0].machine);
    assert_string_equal(facts[1].kernel, facts[0].kernel);
    assert_string_equal(facts[1].serial, "");
    assert_string_equal(facts[1].data_options, "rw,noatime");
    assert_true(facts[1].memory_bytes == UINT64_MAX);
    assert_true(facts[1].has_realtime);
    assert_false(facts[1].has_calibration);
    assert_int_equal(facts[1].n_disks, FACTS_MAX_DISKS);
    assert_string_equal(facts[1].disks[7].name, "mmcblk7");
    assert_true(facts[1].disks[7].size_bytes == UINT64_C(7) << 30);
    assert_int_equal(facts[1].n_links, 1);
    assert_string_equal(facts[1].links[0].address, "00:11:22:33:44:55");
    assert_int_equal(facts[1].links[0].speed_mbit, 100);
    buf_fini(&text);
    free(facts);
}

static void expect(const char *text, size_t size, const char *wanted)
{
    struct node_facts *facts = calloc(1, sizeof(*facts));
    struct err err = { 0 };

    assert_non_null(facts);
    assert_int_equal(node_facts_parse(facts, text, size, &err), -1);
    if (strstr(err.text, wanted) == NULL || strstr(err.text, "inventory") == NULL) {
        fail_msg("%s", err.text);
    }
    free(facts);
}

static void test_what_is_wrong_is_named(void **state)
{
    static const char *const CASES[][2] = {
        {"colour: green\n",                                "colour"      },
        { "memory_bytes: lots\n",                          "memory_bytes"},
        { "memory_bytes: -1\n",                            "memory_bytes"},
        { "has_realtime: 7\n",                             "has_realtime"},
        { "disks: 3\n",                                    "disks"       },
        { "disks: [{name: a, weight: 3}]\n",               "weight"      },
        { "links: [{}, {}, {}, {}, {}, {}, {}, {}, {}]\n", "links"       },
        { "machine: \"a\\x07b\"\n",                        "machine"     },
        { "machine: [\n",                                  "inventory:"  },
        { "- a\n",                                         "map"         },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        expect(CASES[i][0], strlen(CASES[i][0]), CASES[i][1]);
    }
}

static void test_sizes_are_bounded(void **state)
{
    char *text = malloc(FACTS_MAX_BYTES + 1);
    struct node_facts *facts = calloc(1, sizeof(*facts));
    struct err err = { 0 };

    (void)state;
    assert_non_null(text);
    assert_non_null(facts);
    memset(text, '\n', FACTS_MAX_BYTES + 1);
    snprintf(text, 11, "machine: x");
    text[10] = '\n';
    assert_int_equal(node_facts_parse(facts, text, FACTS_MAX_BYTES, &err), 0);
    assert_string_equal(facts->machine, "x");
    expect(text, FACTS_MAX_BYTES + 1, "16385 bytes, more than 16384");
    /* a text as long as its place, and one more */
    memset(text, 'x', 200);
    snprintf(text, 10, "machine: ");
    text[9] = 'x';
    text[9 + FACT_TEXT_SIZE - 1] = '\n';
    assert_int_equal(node_facts_parse(facts, text, 9 + FACT_TEXT_SIZE, &err), 0);
    assert_int_equal(strlen(facts->machine), FACT_TEXT_SIZE - 1);
    text[9 + FACT_TEXT_SIZE - 1] = 'x';
    text[9 + FACT_TEXT_SIZE] = '\n';
    expect(text, 9 + FACT_TEXT_SIZE + 1, "machine");
    free(text);
    free(facts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts_come_back),
        cmocka_unit_test(test_what_is_wrong_is_named),
        cmocka_unit_test(test_sizes_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
