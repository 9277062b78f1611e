/* SPDX-License-Identifier: MIT */
#include "common/presets.h"
#include "common/vsource_config.h"

#include <float.h>
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

static struct presets *presets;

static int load_presets(void **state)
{
    struct fault_list faults = { 0 };

    (void)state;
    presets = presets_load(NULL, &faults);
    if (faults.count > 0) {
        print_message("%s\n", faults.faults[0].text);
    }
    fault_fini(&faults);
    return presets != NULL ? 0 : -1;
}

static int drop_presets(void **state)
{
    (void)state;
    presets_destroy(&presets);
    return 0;
}

static void resolve_with(const struct presets *from, enum preset_kind kind, const char *text,
                         void *out, struct fault_list *faults)
{
    static const struct schema *const schemas[] = { &source_schema, &harvester_schema,
                                                    &storage_schema };
    struct err err = { 0 };
    struct yaml_doc *doc = yaml_parse(text, strlen(text), "t.yaml", &err);
    struct yaml_node *map = NULL;

    assert_non_null(doc);
    presets_normalise(kind, doc, yaml_root(doc));
    map = presets_resolve(from, kind, doc, yaml_root(doc), faults);
    assert_non_null(map);
    schema_decode(schemas[kind], map, out, faults);
    yaml_destroy(&doc);
}

static void resolve(enum preset_kind kind, const char *text, void *out)
{
    struct fault_list faults = { 0 };

    resolve_with(presets, kind, text, out, &faults);
    if (faults.count > 0) {
        fail_msg("%s: %s", text, faults.faults[0].text);
    }
}

/* A value of a decoded struct against the reference's text, number by number. */
static bool is_equal(const struct field *field, const char *base, const char *text, size_t at)
{
    const char *member = base + field->offset;
    double wanted = strtod(text, NULL);

    switch (field->type) {
    case FIELD_BOOL:
        return *member == (wanted != 0);
    case FIELD_U32: {
        uint32_t value = 0;

        memcpy(&value, member, sizeof(value));
        return value == (uint32_t)wanted;
    }
    case FIELD_F64:
    case FIELD_F64_LIST: {
        double value = 0;

        memcpy(&value, member + at * sizeof(value), sizeof(value));
        if (strcmp(field->name, "R_leak_Ohm") == 0 && wanted > 1e300) {
            wanted = 0; /* the reference's way to say none */
        }
        return fabs(value - wanted) <= 1e-15 * fabs(wanted);
    }
    case FIELD_ENUM:
        for (const struct enum_name *name = field->enums; name->name != NULL; name++) {
            if (strcmp(name->name, text) == 0) {
                return memcmp(member, &name->value, sizeof(int)) == 0;
            }
        }
        return false;
    default:
        return false;
    }
}

static bool compare(const struct schema *schema, const void *base, const char *key,
                    const char *values)
{
    char name[80] = "";
    char rest[2000] = "";
    size_t row = 0;
    size_t at = 0;
    const struct field *field = schema->fields;
    char *save = NULL;
    const char *bracket = strchr(key, '[');

    snprintf(name, sizeof(name), "%.*s", (int)strcspn(key, "["), key);
    if (bracket != NULL) {
        row = strtoul(bracket + 1, NULL, 10);
    }
    while (field->name != NULL && strcmp(field->name, name) != 0) {
        field++;
    }
    if (field->name == NULL) {
        return false;
    }
    at = row * VSOURCE_LUT_SIZE;
    snprintf(rest, sizeof(rest), "%s", values);
    for (char *word = strtok_r(rest, " \n", &save); word != NULL;
         word = strtok_r(NULL, " \n", &save)) {
        if (!is_equal(field, base, word, at)) {
            return false;
        }
        at++;
    }
    return bracket != NULL || field->type != FIELD_F64_LIST || at == field->max_count;
}

static FILE *reference_open(void)
{
    static const char *const folders[] = { BW_SOURCE_DIR "/../shared", NULL };
    const char *given = getenv("BW_SHARED"); // NOLINT(concurrency-mt-unsafe)
    char path[1024];

    snprintf(path, sizeof(path), "%s/vectors/presets_gen2.cfg",
             given != NULL ? given : folders[0]);
    return fopen(path, "r");
}

/* Decodes the preset that a line names, once per preset. */
struct current {
    char name[100];
    struct source_config source;
    struct harvester_config harvester;
    struct storage_config storage;
};

static void current_change(struct current *current, const char *kind, const char *name)
{
    char text[200];

    if (strcmp(current->name, name) == 0) {
        return;
    }
    snprintf(current->name, sizeof(current->name), "%s", name);
    snprintf(text, sizeof(text), "{inherit_from: %s}", name + strlen(kind) + 1);
    if (strcmp(kind, "source") == 0) {
        resolve(PRESET_SOURCE, text, &current->source);
        source_config_finish(&current->source);
    } else if (strcmp(kind, "harvester") == 0) {
        resolve(PRESET_HARVESTER, text, &current->harvester);
        harvester_config_finish(&current->harvester);
    } else {
        resolve(PRESET_STORAGE, text, &current->storage);
    }
}

static bool check_line(struct current *current, const char *kind, const char *key,
                       const char *values)
{
    if (strcmp(kind, "harvester") == 0) {
        return compare(&harvester_schema, &current->harvester, key, values);
    }
    if (strcmp(kind, "storage") == 0) {
        return compare(&storage_schema, &current->storage, key, values);
    }
    if (strncmp(key, "harvester.", 10) == 0) {
        return compare(&harvester_schema, &current->source.harvester, key + 10, values);
    }
    if (strncmp(key, "storage.", 8) == 0) {
        return current->source.storage.is_present
               && compare(&storage_schema, &current->source.storage, key + 8, values);
    }
    if (strcmp(key, "storage") == 0) {
        return !current->source.storage.is_present;
    }
    if (strcmp(key, "harvester_name") == 0) {
        return strncmp(current->source.harvester.name, values,
                       strlen(current->source.harvester.name))
               == 0;
    }
    if (strcmp(key, "storage_name") == 0) {
        return !current->source.storage.is_present
               || strncmp(current->source.storage.name, values,
                          strlen(current->source.storage.name))
                      == 0;
    }
    return compare(&source_schema, &current->source, key, values);
}

static void test_presets_equal_the_reference(void **state)
{
    static struct current current;
    FILE *file = reference_open();
    char line[4096];
    size_t n_lines = 0;
    size_t n_presets = 0;

    (void)state;
    if (file == NULL) {
        print_message("skipped: the reference's presets are not here\n");
        skip();
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        char *user = strstr(line, ".user.");
        char *values = strchr(line, ' ');
        char kind[20] = "";

        if (user == NULL || values == NULL || user > values) {
            continue;
        }
        *user = '\0';
        *values = '\0';
        snprintf(kind, sizeof(kind), "%.*s", (int)strcspn(line, "."), line);
        n_presets += strcmp(current.name, line) != 0;
        current_change(&current, kind, line);
        if (!check_line(&current, kind, user + 6, values + 1)) {
            fail_msg("%s %s: reference has %s", line, user + 6, values + 1);
        }
        n_lines++;
    }
    fclose(file);
    print_message("%zu values of %zu presets\n", n_lines, n_presets);
    assert_true(n_presets >= 75);
}

static void test_every_preset_decodes(void **state)
{
    size_t n = 0;

    (void)state;
    for (int kind = 0; kind < N_PRESET_KINDS; kind++) {
        for (size_t i = 0; presets_name(presets, (enum preset_kind)kind, i) != NULL; i++) {
            struct source_config out;
            char text[200];

            snprintf(text, sizeof(text), "inherit_from: \"%s\"\n",
                     presets_name(presets, (enum preset_kind)kind, i));
            resolve((enum preset_kind)kind, text, &out);
            n++;
        }
    }
    assert_true(n >= 75);
}

static void test_own_values_win(void **state)
{
    struct source_config source;

    (void)state;
    resolve(PRESET_SOURCE,
            "{inherit_from: BQ25570s, V_output_mV: 3.3 V, storage: {SoC_init: 0.5}, "
            "harvester: cv20, V_intermediate_enable_threshold_mV: 2900}",
            &source);
    assert_string_equal(source.name, "BQ25570s");
    assert_true(source.V_output_mV == 3300);
    assert_true(source.V_buck_drop_mV == 200);
    assert_true(source.storage.SoC_init == 0.5);
    assert_true(source.storage.is_present);
    assert_string_equal(source.storage.name, "Capacitor_100uF_6.3V");
    assert_string_equal(source.harvester.name, "cv20");
    assert_int_equal(source.harvester.algorithm, HARVESTER_CV);
    assert_true(source.harvester.interval_ms == 100);
    assert_true(source.V_intermediate_enable_output_threshold_mV == 2900);
}

static void test_storage_can_be_taken_away_and_given(void **state)
{
    struct source_config source;

    (void)state;
    resolve(PRESET_SOURCE, "{inherit_from: BQ25504, storage: none}", &source);
    assert_false(source.storage.is_present);
    resolve(PRESET_SOURCE, "{storage: {q_As: 1e-4, p_VOC: [0, 0, 0, 5, 0, 0]}}", &source);
    assert_true(source.storage.is_present);
    resolve(PRESET_SOURCE, "{storage: Maxwell_BCAP0025_P300_X11}", &source);
    assert_true(source.storage.q_As == 75);
    resolve(PRESET_SOURCE, "", &source);
    assert_false(source.storage.is_present);
    assert_string_equal(source.name, "neutral");
    assert_string_equal(source.harvester.name, "mppt_opt");
}

static void test_generation_1_capacitor(void **state)
{
    struct source_config source;
    struct source_config once;

    (void)state;
    resolve(PRESET_SOURCE,
            "{inherit_from: BQ25504, C_intermediate_uF: 47, V_intermediate_init_mV: 3000}",
            &source);
    source_config_finish(&source);
    assert_true(source.storage.is_present);
    assert_true(fabs(source.storage.q_As - 47e-6 * 6.3) < 1e-12);
    assert_true(fabs(storage_curve(source.storage.p_VOC, source.storage.SoC_init) - 3.0)
                < 1e-9);
    once = source;
    source_config_finish(&source);
    assert_memory_equal(&once, &source, sizeof(source));

    /* Without an initial voltage the preset's stays: 0.66 of 6.3 V. */
    resolve(PRESET_SOURCE, "{inherit_from: BQ25504, C_intermediate_uF: 10}", &source);
    source_config_finish(&source);
    assert_true(fabs(source.storage.SoC_init - 0.66) < 1e-9);

    resolve(PRESET_SOURCE, "{inherit_from: BQ25504, V_intermediate_init_mV: 2000}", &source);
    source_config_finish(&source);
    assert_true(fabs(source.storage.SoC_init * 6.3 - 2.0) < 1e-9);
    assert_string_equal(source.storage.name, "Capacitor_100uF_6.3V");
}

static void expect_fault(const struct presets *from, const char *text, const char *message)
{
    struct source_config source;
    struct fault_list faults = { 0 };

    resolve_with(from, PRESET_SOURCE, text, &source, &faults);
    assert_int_equal(faults.count, 1);
    if (strstr(faults.faults[0].text, message) == NULL) {
        fail_msg("%s: %s", text, faults.faults[0].text);
    }
    fault_fini(&faults);
}

static void test_unknown_presets_are_named(void **state)
{
    (void)state;
    expect_fault(presets, "inherit_from: BQ2557s\n", "'BQ2557s'; did you mean BQ25570?");
    expect_fault(presets, "harvester: mppt_optt\n",
                 "harvester called 'mppt_optt'; did you mean mppt_opt?");
    expect_fault(presets, "storage: brick\n", "storage called 'brick'");
    expect_fault(presets, "inherit_from: [a]\n", "wants the name of a preset");
    expect_fault(presets, "{inherit_from: neutral, V_outptu_mV: 3}",
                 "did you mean V_output_mV?");
}

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[200];
    FILE *file = NULL;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void remove_files(const char *folder)
{
    static const char *const names[] = { "sources.yaml", "harvesters.yaml", "storages.yaml" };
    char path[200];

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

static void test_cycles_are_named(void **state)
{
    char folder[] = "/tmp/bw_presets_XXXXXX";
    struct fault_list faults = { 0 };
    struct presets *own = NULL;

    (void)state;
    assert_non_null(mkdtemp(folder));
    write_file(folder, "sources.yaml",
               "a: {inherit_from: b}\nb: {inherit_from: c}\nc: {inherit_from: a}\n"
               "neutral: {V_output_mV: 1}\n");
    write_file(folder, "harvesters.yaml", "mppt_opt: {algorithm: mppt_opt}\n");
    write_file(folder, "storages.yaml", "{}\n");
    own = presets_load(folder, &faults);
    assert_non_null(own);
    expect_fault(own, "inherit_from: b\n", "in a circle: b -> c -> a -> b");
    presets_destroy(&own);

    write_file(folder, "storages.yaml", "a: [\n");
    assert_null(presets_load(folder, &faults));
    assert_int_equal(faults.count, 1);
    fault_fini(&faults);
    assert_null(presets_load("/nonexistent", &faults));
    assert_true(faults.count > 0);
    fault_fini(&faults);
    remove_files(folder);
}

static void test_config_roundtrips(void **state)
{
    static const char *const names[] = { "BQ25570s", "neutral", "dio_res_cap" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct source_config source;
        struct source_config again;
        struct fault_list faults = { 0 };
        struct buf text = { 0 };
        struct err err = { 0 };
        struct yaml_doc *doc = NULL;

        resolve(PRESET_SOURCE, names[i], &source);
        source_config_finish(&source);
        schema_encode(&source_schema, &source, &text, 0);
        doc = yaml_parse(text.data, text.size, "t", &err);
        assert_non_null(doc);
        schema_decode(&source_schema, yaml_root(doc), &again, &faults);
        assert_int_equal(faults.count, 0);
        assert_memory_equal(&source, &again, sizeof(source));
        yaml_destroy(&doc);
        buf_fini(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_preset_decodes),
        cmocka_unit_test(test_presets_equal_the_reference),
        cmocka_unit_test(test_own_values_win),
        cmocka_unit_test(test_storage_can_be_taken_away_and_given),
        cmocka_unit_test(test_generation_1_capacitor),
        cmocka_unit_test(test_unknown_presets_are_named),
        cmocka_unit_test(test_cycles_are_named),
        cmocka_unit_test(test_config_roundtrips),
    };

    return cmocka_run_group_tests(tests, load_presets, drop_presets);
}
