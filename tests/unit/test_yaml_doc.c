/* SPDX-License-Identifier: MIT */
#include "common/yaml_doc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct yaml_doc *parse(const char *text)
{
    struct err err = { 0 };
    struct yaml_doc *doc = yaml_parse(text, strlen(text), "t.yaml", &err);

    if (doc == NULL) {
        print_message("%s\n", err.text);
    }
    assert_non_null(doc);
    return doc;
}

static void test_places_are_kept(void **state)
{
    struct yaml_doc *doc = parse("a: 1\nb:\n  - x\n  - {c: \"q\"}\n");
    const struct yaml_node *b = yaml_get(yaml_root(doc), "b");
    const struct yaml_node *c = NULL;

    (void)state;
    assert_int_equal(b->kind, YAML_LIST);
    assert_int_equal(b->count, 2);
    c = yaml_get(b->items[1], "c");
    assert_string_equal(yaml_text(c, ""), "q");
    assert_true(c->is_quoted);
    assert_false(b->items[0]->is_quoted);
    assert_int_equal(c->place.line, 4);
    assert_int_equal(c->place.column, 9);
    assert_string_equal(c->place.file, "t.yaml");
    assert_int_equal(yaml_root(doc)->key_places[1].line, 2);
    yaml_destroy(&doc);
    assert_null(doc);
}

static void test_empty_file_has_null_root(void **state)
{
    struct yaml_doc *doc = parse("# nothing\n");

    (void)state;
    assert_int_equal(yaml_root(doc)->kind, YAML_NULL);
    yaml_destroy(&doc);
}

static void test_bad_documents_are_refused(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"a: 1\na: 2\n",            "t.yaml:2:1: this key stands twice in one map: a"     },
        { "a: [1, 2\nb: 3\n",       "t.yaml:2:"                                           },
        { "a: b: c\n",              "t.yaml:1:5: mapping values"                          },
        { "a: 1\n---\nb: 2\n",      "t.yaml:2:1: a second document"                       },
        { "a: *b\n",                "t.yaml:1:4: there is no anchor b"                    },
        { "a: &x [*x]\n",           "t.yaml:1:8: an alias stands inside its own anchor: x"},
        { "? [1]\n: 2\n",           "t.yaml:1:3: a key must be a text"                    },
        { "a: !!python/object x\n", "this tag is not supported"                           },
        { "a: \"x\\0y\"\n",         "a NUL character"                                     },
        { "a: \xff\n",              "t.yaml: byte 3"                                      },
        { "<<: 5\n",                "t.yaml:1:1: << wants a map"                          },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = { 0 };

        assert_null(yaml_parse(cases[i].text, strlen(cases[i].text), "t.yaml", &err));
        assert_int_equal(err.code, ERR_INPUT);
        if (strstr(err.text, cases[i].message) == NULL) {
            fail_msg("'%s' gave '%s'", cases[i].text, err.text);
        }
    }
}

static void test_depth_is_bounded(void **state)
{
    char text[2 * YAML_MAX_DEPTH + 3] = "";
    struct err err = { 0 };
    struct yaml_doc *doc = NULL;

    (void)state;
    memset(text, '[', YAML_MAX_DEPTH + 1);
    memset(text + YAML_MAX_DEPTH + 1, ']', YAML_MAX_DEPTH + 1);
    assert_null(yaml_parse(text, (size_t)2 * YAML_MAX_DEPTH + 2, "t", &err));
    assert_non_null(strstr(err.text, "nested too deeply"));
    doc = yaml_parse(text + 1, (size_t)2 * YAML_MAX_DEPTH, "t", &err);
    assert_non_null(doc);
    yaml_destroy(&doc);
}

static void test_alias_cannot_exceed_depth(void **state)
{
    struct buf text = { 0 };
    struct err err = { 0 };

    (void)state;
    buf_text(&text, "a0: &a0 [x]\n");
    for (int i = 1; i <= YAML_MAX_DEPTH; i++) {
        buf_printf(&text, "a%d: &a%d [*a%d]\n", i, i, i - 1);
    }
    assert_null(yaml_parse(text.data, text.size, "t", &err));
    assert_non_null(strstr(err.text, "nested too deeply"));
    buf_fini(&text);
}

static void test_billion_laughs_is_refused(void **state)
{
    struct buf text = { 0 };
    struct err err = { 0 };

    (void)state;
    buf_text(&text, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 9; i++) {
        buf_printf(&text, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++) {
            buf_printf(&text, "%s*a%d", k > 0 ? "," : "", i - 1);
        }
        buf_text(&text, "]\n");
    }
    assert_null(yaml_parse(text.data, text.size, "t", &err));
    assert_non_null(strstr(err.text, "too many nodes"));
    buf_fini(&text);
}

static void test_size_is_bounded(void **state)
{
    size_t size = YAML_MAX_BYTES + 1;
    char *text = malloc(size);
    struct err err = { 0 };

    (void)state;
    assert_non_null(text);
    memset(text, '#', size);
    assert_null(yaml_parse(text, size, "t", &err));
    assert_non_null(strstr(err.text, "longer than"));
    free(text);
}

static void test_merge_key_fills_what_is_missing(void **state)
{
    struct yaml_doc *doc =
        parse("base: &b {x: 1, y: 2}\nmore: &m {y: 5, z: 3}\nmap: {<<: [*b, *m], x: 9}\n");
    const struct yaml_node *map = yaml_get(yaml_root(doc), "map");

    (void)state;
    assert_int_equal(map->count, 3);
    assert_string_equal(yaml_text(yaml_get(map, "x"), ""), "9");
    assert_string_equal(yaml_text(yaml_get(map, "y"), ""), "2");
    assert_string_equal(yaml_text(yaml_get(map, "z"), ""), "3");
    yaml_destroy(&doc);
}

static void test_merge_is_deep_and_keeps_places(void **state)
{
    struct err err = { 0 };
    struct yaml_doc *base = parse("a: {x: 1, y: [1, 2]}\nb: 1\n");
    struct yaml_doc *over = parse("\n\na: {y: [3], z: 4}\nc: {d: 1}\n");
    struct yaml_doc *doc = yaml_create();
    struct yaml_node *root = yaml_merge(doc, yaml_root(base), yaml_root(over), &err);
    const struct yaml_node *a = NULL;

    (void)state;
    yaml_destroy(&base);
    yaml_destroy(&over);
    a = yaml_get(root, "a");
    assert_int_equal(a->count, 3);
    assert_int_equal(yaml_get(a, "x")->place.line, 1);
    assert_int_equal(yaml_get(a, "y")->place.line, 3);
    assert_int_equal(yaml_get(a, "y")->count, 1);
    assert_string_equal(yaml_get(a, "z")->place.file, "t.yaml");
    assert_string_equal(yaml_text(yaml_get(yaml_get(root, "c"), "d"), ""), "1");
    assert_int_equal(root->count, 3);
    yaml_destroy(&doc);
}

static void test_emit_parses_back(void **state)
{
    static const char text[] =
        "plain: a b\nquoted: \"12\"\nnumber: -1.5e-3\nempty: \"\"\nnil: null\n"
        "\"odd: key\": \"line\\nbreak \\\"q\\\" \\\\ \\x07\"\nlist: [1, \"two\", {a: 1}]\n"
        "deep:\n  - - 1\n    - [2, 3]\n  - {}\n  - []\nutf: \"\xC2\xB5m \xF0\x9F\x90\x91\"\n";
    struct yaml_doc *doc = parse(text);
    struct yaml_doc *again = NULL;
    struct buf first = { 0 };
    struct buf second = { 0 };

    (void)state;
    yaml_emit(yaml_root(doc), 0, &first);
    again = parse(first.data);
    yaml_emit(yaml_root(again), 0, &second);
    assert_string_equal(first.data, second.data);
    assert_string_equal(yaml_text(yaml_get(yaml_root(again), "odd: key"), ""),
                        "line\nbreak \"q\" \\ \x07");
    assert_true(yaml_get(yaml_root(again), "quoted")->is_quoted);
    assert_false(yaml_get(yaml_root(again), "number")->is_quoted);
    assert_int_equal(yaml_get(yaml_root(again), "nil")->kind, YAML_NULL);
    assert_int_equal(yaml_get(yaml_root(again), "empty")->kind, YAML_SCALAR);
    assert_int_equal(yaml_get(yaml_root(again), "list")->count, 3);
    buf_fini(&first);
    buf_fini(&second);
    yaml_destroy(&doc);
    yaml_destroy(&again);
}

/* Escapes make keys longer, and a simple key has at most 1024 characters. */
static void test_a_key_survives_that_escapes_make_long(void **state)
{
    enum {
        N_TABS = 200,
        N_PLAIN = 1100
    };
    char tabs[N_TABS + 2] = "a";
    char plain[N_PLAIN + 1] = "";
    struct yaml_doc *doc = NULL;
    struct yaml_doc *again = NULL;
    const struct yaml_node *inner = NULL;
    struct buf out = { 0 };
    struct buf text = { 0 };

    (void)state;
    memset(tabs + 1, '\t', N_TABS - 1);
    tabs[N_TABS] = 'z';
    memset(plain, 'x', N_PLAIN);
    buf_printf(&text, "out:\n  \"%s\": {b: [1, {c: d}], e: f}\n  ? %s\n  : g\n", tabs, plain);
    doc = parse(text.data);
    yaml_emit(yaml_root(doc), 0, &out);
    again = parse(out.data);
    inner = yaml_get(yaml_root(again), "out");
    assert_non_null(yaml_get(inner, tabs));
    assert_string_equal(yaml_text(yaml_get(yaml_get(inner, tabs), "e"), ""), "f");
    assert_int_equal(yaml_get(yaml_get(inner, tabs), "b")->count, 2);
    assert_string_equal(yaml_text(yaml_get(inner, plain), ""), "g");
    buf_fini(&out);
    buf_fini(&text);
    yaml_destroy(&doc);
    yaml_destroy(&again);
}

/* Every short text of hostile characters survives, alone and inside a flow list. */
static void test_scalars_survive(void **state)
{
    static const char alphabet[] = "a1 :#-,[]{}\"'\\\n\t\r!&*?|>%@`~.=<\x01\x7f_";
    size_t n = sizeof(alphabet) - 1;

    (void)state;
    for (size_t i = 0; i < n * n * n; i++) {
        char text[4] = { alphabet[i % n], alphabet[i / n % n], alphabet[i / n / n], '\0' };
        struct buf out = { 0 };
        struct yaml_doc *doc = NULL;

        text[i % 5 == 0 ? 1 : i % 7 == 0 ? 2 : 3] = '\0';
        buf_text(&out, "k: [");
        yaml_emit_scalar(text, &out);
        buf_text(&out, ", ");
        yaml_emit_scalar(text, &out);
        buf_text(&out, "]\n");
        doc = parse(out.data);
        assert_string_equal(yaml_text(yaml_get(yaml_root(doc), "k")->items[1], "?"), text);
        yaml_destroy(&doc);
        buf_fini(&out);
    }
}

static void test_typed_texts_are_quoted(void **state)
{
    static const char *const texts[] = {
        "",   "null", "true", "No", "12", "1.5e3", "0x10",
        "-5", ".5",   "1:30", "~",  "-",  "y",     "2023-06-21"
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct buf out = { 0 };

        yaml_emit_scalar(texts[i], &out);
        assert_int_equal(out.data[0], '"');
        buf_fini(&out);
    }
}

static void test_broken_utf8_is_escaped(void **state)
{
    struct buf out = { 0 };
    struct yaml_doc *doc = NULL;

    (void)state;
    yaml_emit_scalar("a\xff\xc0\x80z\xed\xa0\x80", &out);
    doc = parse(out.data);
    assert_non_null(yaml_text(yaml_root(doc), NULL));
    yaml_destroy(&doc);
    buf_fini(&out);
}

static void test_faults_are_sorted_and_counted(void **state)
{
    struct fault_list faults = { 0 };
    struct buf out = { 0 };
    struct err err = { 0 };

    (void)state;
    assert_int_equal(fault_check(&faults, &err), 0);
    fault_add(&faults, (struct yaml_place){ "b.yaml", 2, 1 }, "second %d", 2);
    fault_add(&faults, (struct yaml_place){ "a.yaml", 9, 3 }, "first");
    fault_add(&faults, (struct yaml_place){ "b.yaml", 10, 1 }, "third");
    fault_print(&faults, &out);
    assert_string_equal(out.data,
                        "a.yaml:9:3: first\nb.yaml:2:1: second 2\nb.yaml:10:1: third\n");
    assert_int_equal(fault_check(&faults, &err), -1);
    assert_string_equal(err.text, "a.yaml:9:3: first (and 2 more)");
    for (int i = 0; i < 5000; i++) {
        fault_add(&faults, (struct yaml_place){ 0 }, "many");
    }
    assert_int_equal(faults.count, 1000);
    buf_fini(&out);
    fault_fini(&faults);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places_are_kept),
        cmocka_unit_test(test_empty_file_has_null_root),
        cmocka_unit_test(test_bad_documents_are_refused),
        cmocka_unit_test(test_depth_is_bounded),
        cmocka_unit_test(test_alias_cannot_exceed_depth),
        cmocka_unit_test(test_billion_laughs_is_refused),
        cmocka_unit_test(test_size_is_bounded),
        cmocka_unit_test(test_merge_key_fills_what_is_missing),
        cmocka_unit_test(test_merge_is_deep_and_keeps_places),
        cmocka_unit_test(test_emit_parses_back),
        cmocka_unit_test(test_a_key_survives_that_escapes_make_long),
        cmocka_unit_test(test_scalars_survive),
        cmocka_unit_test(test_typed_texts_are_quoted),
        cmocka_unit_test(test_broken_utf8_is_escaped),
        cmocka_unit_test(test_faults_are_sorted_and_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
