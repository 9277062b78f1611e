/* SPDX-License-Identifier: MIT */
#include "common/schema.h"

#include <float.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum colour {
    RED = 3,
    GREEN = 7
};

struct part {
    uint32_t id;
    char label[8];
};

struct thing {
    bool is_on;
    uint32_t small;
    uint64_t big;
    int64_t wide;
    double volts_mV;
    int64_t wait_ns;
    uint64_t size_bytes;
    enum colour colour;
    char name[16];
    struct part part;
    double table[6];
    struct part parts[3];
    size_t n_parts;
    uint32_t mask;
};

static void decode_mask(const struct yaml_node *node, void *member, struct fault_list *faults)
{
    uint32_t mask = strcmp(yaml_text(node, ""), "all") == 0 ? UINT32_MAX : 0;

    if (node->kind != YAML_SCALAR) {
        fault_add(faults, node->place, "mask: wants all or none");
    }
    memcpy(member, &mask, sizeof(mask));
}

static void encode_mask(const void *member, struct buf *out, unsigned indent)
{
    uint32_t mask = 0;

    (void)indent;
    memcpy(&mask, member, sizeof(mask));
    buf_text(out, mask != 0 ? " all\n" : " none\n");
}

static const struct enum_name colours[] = {
    {"red",      RED  },
    { "green",   GREEN},
    { "verdant", GREEN},
    { NULL,      0    }
};

static const struct field part_fields[] = {
    {.name = "id",
     .type = FIELD_U32,
     .offset = offsetof(struct part, id),
     .default_text = "4" },
    { .name = "label",
     .type = FIELD_STRING,
     .offset = offsetof(struct part, label),
     .size = sizeof(((struct part *)NULL)->label),
     .default_text = "" },
    { .name = NULL           },
};
static const struct schema part_schema = { "part", NULL, part_fields, sizeof(struct part) };

static const struct field thing_fields[] = {
    {.name = "is_on",
     .type = FIELD_BOOL,
     .offset = offsetof(struct thing, is_on),
     .default_text = "true" },
    { .name = "small",
     .type = FIELD_U32,
     .offset = offsetof(struct thing, small),
     .minimum = 1,
     .maximum = 100,
     .default_text = "8" },
    { .name = "big",
     .type = FIELD_U64,
     .offset = offsetof(struct thing, big),
     .default_text = "0" },
    { .name = "wide",
     .type = FIELD_I64,
     .offset = offsetof(struct thing, wide),
     .default_text = "-1" },
    { .name = "volts_mV",
     .type = FIELD_F64,
     .offset = offsetof(struct thing, volts_mV),
     .unit = "mV",
     .maximum = 5000,
     .default_text = "2400",
     .help =
          "what comes out of the buck converter, a text that is long enough to be broken at "
          "a blank when it is printed" },
    { .name = "wait",
     .type = FIELD_DURATION_NS,
     .offset = offsetof(struct thing, wait_ns),
     .unit = "ms",
     .default_text = "1 s" },
    { .name = "size",
     .type = FIELD_BYTES,
     .offset = offsetof(struct thing, size_bytes),
     .default_text = "64 MiB" },
    { .name = "colour",
     .type = FIELD_ENUM,
     .offset = offsetof(struct thing, colour),
     .enums = colours },
    { .name = "name",
     .type = FIELD_STRING,
     .offset = offsetof(struct thing, name),
     .size = sizeof(((struct thing *)NULL)->name),
     .default_text = "x" },
    { .name = "part",
     .type = FIELD_MAP,
     .offset = offsetof(struct thing, part),
     .sub = &part_schema },
    { .name = "table",
     .type = FIELD_F64_LIST,
     .offset = offsetof(struct thing, table),
     .max_count = 6,
     .default_text = "[[1, 2, 3], [4, 5, 6.5]]" },
    { .name = "parts",
     .type = FIELD_LIST,
     .offset = offsetof(struct thing, parts),
     .sub = &part_schema,
     .max_count = 3,
     .count_offset = offsetof(struct thing, n_parts),
     .is_optional = true },
    { .name = "mask",
     .type = FIELD_CUSTOM,
     .offset = offsetof(struct thing, mask),
     .default_text = "none",
     .decode = decode_mask,
     .encode = encode_mask },
    { .name = NULL            },
};
static const struct schema thing_schema = { "thing", "a thing", thing_fields,
                                            sizeof(struct thing) };

static void decode_text(const char *text, struct thing *thing, struct fault_list *faults)
{
    struct err err = { 0 };
    struct yaml_doc *doc = yaml_parse(text, strlen(text), "t.yaml", &err);

    assert_non_null(doc);
    schema_decode(&thing_schema, yaml_root(doc), thing, faults);
    yaml_destroy(&doc);
}

static void test_defaults_are_taken(void **state)
{
    struct thing thing;
    struct fault_list faults = { 0 };

    (void)state;
    decode_text("colour: verdant\n", &thing, &faults);
    assert_int_equal(faults.count, 0);
    assert_true(thing.is_on);
    assert_int_equal(thing.small, 8);
    assert_int_equal(thing.wide, -1);
    assert_int_equal(thing.wait_ns, 1000000000);
    assert_int_equal(thing.size_bytes, 64 << 20);
    assert_int_equal(thing.colour, GREEN);
    assert_string_equal(thing.name, "x");
    assert_int_equal(thing.part.id, 4);
    assert_true(thing.table[5] == 6.5);
    assert_int_equal(thing.n_parts, 0);
}

static void test_units_are_understood(void **state)
{
    struct thing thing;
    struct fault_list faults = { 0 };

    (void)state;
    decode_text("{colour: red, volts_mV: 2.2 V, wait: 1.5, size: 10 kB, small: 1e2, big: 0x10, "
                "mask: all, is_on: off, table: 0.25}",
                &thing, &faults);
    assert_int_equal(faults.count, 0);
    assert_true(thing.volts_mV == 2200.0);
    assert_int_equal(thing.wait_ns, 1500000);
    assert_int_equal(thing.size_bytes, 10000);
    assert_int_equal(thing.small, 100);
    assert_int_equal(thing.big, 16);
    assert_int_equal(thing.mask, UINT32_MAX);
    assert_false(thing.is_on);
    assert_true(thing.table[0] == 0.25 && thing.table[5] == 0.25);
}

static void roundtrip(const struct thing *thing)
{
    struct buf text = { 0 };
    struct thing again;
    struct fault_list faults = { 0 };

    schema_encode(&thing_schema, thing, &text, 0);
    decode_text(text.data, &again, &faults);
    if (faults.count > 0) {
        fail_msg("%s in\n%s", faults.faults[0].text, text.data);
    }
    assert_memory_equal(thing, &again, sizeof(again));
    buf_fini(&text);
}

static void test_extremes_roundtrip_exactly(void **state)
{
    static const int64_t walls[] = { 0,
                                     1,
                                     -1,
                                     INT64_MAX,
                                     INT64_MIN,
                                     9007199254740993,
                                     60000000000,
                                     86400000000000,
                                     -3600000000000 };
    static const uint64_t sizes[] = { 0, 1, UINT64_MAX, 1ULL << 63, 1024, 9007199254740993ULL };
    static const double numbers[] = { 0, 0.1, 1.0 / 3, 4999.999999999999, 5e-324, DBL_MIN };
    struct thing thing;

    (void)state;
    schema_defaults(&thing_schema, &thing);
    thing.colour = RED;
    for (size_t i = 0; i < ARRAY_LEN(walls); i++) {
        thing.wide = walls[i];
        thing.wait_ns = walls[i];
        thing.big = sizes[i % ARRAY_LEN(sizes)];
        thing.size_bytes = sizes[i % ARRAY_LEN(sizes)];
        thing.volts_mV = numbers[i % ARRAY_LEN(numbers)];
        thing.table[i % 6] = -DBL_MAX;
        roundtrip(&thing);
    }
}

static void test_odd_texts_and_lists_roundtrip(void **state)
{
    static const char *const texts[] = { "",  "a: b", "- x", "null",    "12",
                                         "#", "\"",   "{}",  "\xC2\xB5" };
    struct thing thing;

    (void)state;
    schema_defaults(&thing_schema, &thing);
    thing.colour = GREEN;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        memset(thing.name, 0, sizeof(thing.name));
        memcpy(thing.name, texts[i], strlen(texts[i]));
        thing.n_parts = i % 4;
        for (size_t k = 0; k < 3; k++) {
            thing.parts[k] = (struct part){ 0 };
            if (k < thing.n_parts) {
                thing.parts[k] = (struct part){ .id = 5, .label = "p: q" };
            }
        }
        roundtrip(&thing);
    }
}

/* Eighteen faults in one text, each named with its place. */
static void test_all_faults_are_reported(void **state)
{
    static const char text[] = "is_on: maybe\n"   /* 1 */
                               "small: 101\n"     /* 2 */
                               "big: -5\n"        /* 3 */
                               "wide: 1.5\n"      /* 4 */
                               "volts_mV: 3 s\n"  /* 5 */
                               "wait: soon\n"     /* 6 */
                               "size: 5 parsec\n" /* 7 */
                               "colour: gren\n"   /* 8 */
                               "name: a_name_that_is_too_long\n"
                               "part: {id: [1], lable: x}\n"
                               "table: [1, 2]\n"
                               "parts: [{}, {}, {id: q}, {}]\n"
                               "mask: [1]\n"
                               "volt_mV: 7\n";
    static const char expected[] =
        "t.yaml:1:8: is_on: wants true or false, not 'maybe'\n"
        "t.yaml:2:8: small: 101 is above 100\n"
        "t.yaml:3:6: big: -5 is below 0\n"
        "t.yaml:4:7: wide: wants a whole number, not '1.5'\n"
        "t.yaml:5:11: volts_mV: '3 s' has a unit that does not fit; wants a number in mV\n"
        "t.yaml:6:7: wait: wants a duration such as 30 s or 1.5 ms, not 'soon'\n"
        "t.yaml:7:7: size: '5 parsec' has a unit that does not fit; wants a size such as 64 MiB\n"
        "t.yaml:8:9: colour: 'gren' is none of red, green, verdant; did you mean green?\n"
        "t.yaml:9:7: name: longer than 15 characters\n"
        "t.yaml:10:12: id: wants a whole number, not a list\n"
        "t.yaml:10:17: part: unknown key 'lable'; did you mean label?\n"
        "t.yaml:11:8: table: wants 6 numbers, not 2\n"
        "t.yaml:12:8: parts: more than 3 entries\n"
        "t.yaml:13:7: mask: wants all or none\n"
        "t.yaml:14:1: thing: unknown key 'volt_mV'; did you mean volts_mV?\n";
    struct thing thing;
    struct fault_list faults = { 0 };
    struct buf out = { 0 };

    (void)state;
    decode_text(text, &thing, &faults);
    fault_print(&faults, &out);
    assert_string_equal(out.data, expected);
    buf_fini(&out);
    fault_fini(&faults);
}

static void test_missing_and_wrong_kind(void **state)
{
    struct thing thing;
    struct fault_list faults = { 0 };

    (void)state;
    decode_text("small: 3\n", &thing, &faults);
    assert_int_equal(faults.count, 1);
    assert_string_equal(faults.faults[0].text, "colour is missing");
    fault_fini(&faults);
    decode_text("[1]\n", &thing, &faults);
    assert_int_equal(faults.count, 1);
    assert_string_equal(faults.faults[0].text, "thing: wants a map, not a list");
    fault_fini(&faults);
    decode_text("{colour: red, table: [1,2,3,4,5,6,7], small: \"5\", wait: 300 d, wide: 1e300}",
                &thing, &faults);
    assert_int_equal(faults.count, 3);
    fault_fini(&faults);
    decode_text("{colour: red, wait: 1e9 d, size: 99999999999 TiB, name: \"a\\tb\"}", &thing,
                &faults);
    assert_int_equal(faults.count, 3);
    fault_fini(&faults);
}

static void test_reference_names_everything(void **state)
{
    struct buf out = { 0 };

    (void)state;
    schema_print(&thing_schema, &out);
    for (const struct field *field = thing_fields; field->name != NULL; field++) {
        assert_non_null(strstr(out.data, field->name));
    }
    assert_non_null(strstr(out.data, "one of red | green | verdant"));
    assert_non_null(strstr(out.data, "number in mV, 0 to 5000, default 2400\n"));
    buf_fini(&out);
}

static const char *word_next(const void *arg, size_t i)
{
    static const char *const words[] = { "voltage", "current", "gpio", "C_intermediate_uF",
                                         NULL };

    (void)arg;
    return words[i];
}

static void test_nearest_name(void **state)
{
    (void)state;
    assert_string_equal(name_nearest("volatge", word_next, NULL), "voltage");
    assert_string_equal(name_nearest("c_intermediat_uf", word_next, NULL), "C_intermediate_uF");
    assert_string_equal(name_nearest("GPIO", word_next, NULL), "gpio");
    assert_null(name_nearest("zebra", word_next, NULL));
    assert_null(name_nearest("", word_next, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_are_taken),
        cmocka_unit_test(test_units_are_understood),
        cmocka_unit_test(test_extremes_roundtrip_exactly),
        cmocka_unit_test(test_odd_texts_and_lists_roundtrip),
        cmocka_unit_test(test_all_faults_are_reported),
        cmocka_unit_test(test_missing_and_wrong_kind),
        cmocka_unit_test(test_reference_names_everything),
        cmocka_unit_test(test_nearest_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
