/* SPDX-License-Identifier: MIT */
/* The digest sees every change of what the sums do not cover, and nothing else. */
#include "common/h5_digest.h"

#include "common/h5_text.h"
#include "tests/support/h5_scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    N_ROWS = 6
};

/* What a test changes before the file is digested. */
struct recipe {
    const char *text;
    int64_t number;
    const char *group;
    hid_t type;
    hsize_t n_rows;
    hsize_t most_rows;
    hsize_t chunk;
    int level;
    int fill;
    uint32_t first; /* of the rows */
    const char *message;
};

static void put_rows(const struct h5_scratch *scratch, const char *path,
                     const struct recipe *recipe)
{
    hid_t space = H5Screate_simple(1, &recipe->n_rows, &recipe->most_rows);
    hid_t plan = H5Pcreate(H5P_DATASET_CREATE);
    uint32_t rows[N_ROWS + 4] = { recipe->first, 2, 3, 4, 5, 6, 7 };
    hid_t dataset = -1;

    assert_true(H5Pset_chunk(plan, 1, &recipe->chunk) >= 0);
    assert_true(H5Pset_obj_track_times(plan, false) >= 0);
    assert_true(H5Pset_fill_value(plan, H5T_NATIVE_INT, &recipe->fill) >= 0);
    if (recipe->level > 0) {
        assert_true(H5Pset_deflate(plan, (unsigned)recipe->level) >= 0);
    }
    dataset =
        H5Dcreate2(scratch->file, path, recipe->type, space, H5P_DEFAULT, plan, H5P_DEFAULT);
    assert_true(H5Dwrite(dataset, H5T_NATIVE_UINT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, rows) >= 0);
    h5_close(&dataset);
    h5_close(&plan);
    h5_close(&space);
}

static void put_messages(const struct h5_scratch *scratch, const char *const *messages,
                         size_t count)
{
    struct err err = { 0 };
    struct h5_text *text = h5_text_create(scratch->file, "/log", true, "lines", &err);

    assert_non_null(text);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(h5_text_append(text, messages[i], strlen(messages[i]), &err), 0);
    }
    assert_int_equal(h5_text_finish(text, &err), 0);
    h5_text_destroy(&text);
    /* without a sum of its own, so that the digest covers the text */
    H5Ldelete(scratch->file, "/integrity/log", H5P_DEFAULT);
}

static void digest(const struct h5_scratch *scratch, char text[DIGEST_TEXT_SIZE])
{
    struct err err = { 0 };

    if (h5_digest(scratch->file, text, &err) < 0) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(strlen(text), DIGEST_TEXT_SIZE - 1);
    assert_int_equal(strspn(text, "0123456789abcdef"), DIGEST_TEXT_SIZE - 1);
}

/* A file of its own each time. */
static void digest_of(const struct recipe *recipe, char text[DIGEST_TEXT_SIZE])
{
    void *state = NULL;
    struct h5_scratch *scratch = NULL;
    struct err err = { 0 };

    assert_int_equal(h5_scratch_set_up(&state), 0);
    scratch = state;
    h5_scratch_group(scratch, recipe->group);
    assert_int_equal(h5_put_text(scratch->file, "node", recipe->text, &err), 0);
    assert_int_equal(h5_put_i64(scratch->file, "n", recipe->number, &err), 0);
    put_rows(scratch, "/data/a", recipe);
    put_messages(scratch, &recipe->message, 1);
    digest(scratch, text);
    assert_int_equal(h5_scratch_tear_down(&state), 0);
}

static struct recipe base_recipe(void)
{
    return (struct recipe){ .text = "sheep7",
                            .number = 5,
                            .group = "/x",
                            .type = H5T_STD_U32LE,
                            .n_rows = N_ROWS,
                            .most_rows = H5S_UNLIMITED,
                            .chunk = 4,
                            .first = 1,
                            .message = "hello" };
}

static void test_equal_files_equal_digests(void **state)
{
    struct recipe recipe = base_recipe();
    char one[DIGEST_TEXT_SIZE];
    char two[DIGEST_TEXT_SIZE];

    (void)state;
    digest_of(&recipe, one);
    digest_of(&recipe, two);
    assert_string_equal(one, two);
}

static void test_every_change_shows(void **state)
{
    struct recipe recipes[13];
    char texts[ARRAY_LEN(recipes)][DIGEST_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(recipes); i++) {
        recipes[i] = base_recipe();
    }
    recipes[1].text = "sheep8";
    recipes[2].number = 6;
    recipes[3].group = "/y";
    recipes[4].type = H5T_STD_U32BE; /* the same numbers */
    recipes[5].n_rows = N_ROWS + 1;
    recipes[6].chunk = 5;
    recipes[7].level = 1;
    recipes[8].fill = 9;
    recipes[9].first = 8;
    recipes[10].message = "hellO";
    recipes[11].level = 2; /* a filter's parameter */
    recipes[12].most_rows = 100;
    for (size_t i = 0; i < ARRAY_LEN(recipes); i++) {
        digest_of(&recipes[i], texts[i]);
        for (size_t k = 0; k < i; k++) {
            if (strcmp(texts[i], texts[k]) == 0) {
                fail_msg("change %zu looks like %zu", i, k);
            }
        }
    }
}

/* A byte that moves from one text to the next. */
static void test_borders_show(void **state)
{
    struct h5_scratch *scratch = *state;
    static const char *const PAIRS[][2] = {
        {"ab",   "c" },
        { "a",   "bc"},
        { "abc", ""  },
    };
    char texts[ARRAY_LEN(PAIRS)][DIGEST_TEXT_SIZE];

    for (size_t i = 0; i < ARRAY_LEN(PAIRS); i++) {
        put_messages(scratch, PAIRS[i], 2);
        digest(scratch, texts[i]);
        H5Ldelete(scratch->file, "/log", H5P_DEFAULT);
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(texts[i], texts[k]);
        }
    }
}

/* The order in which attributes and groups were made is none of its business. */
static void test_order_of_making_does_not_matter(void **state)
{
    struct h5_scratch *scratch = *state;
    char texts[2][DIGEST_TEXT_SIZE] = { "", "" };
    struct err err = { 0 };

    for (int i = 0; i < 2; i++) {
        const char *first = i == 0 ? "a" : "b";
        const char *second = i == 0 ? "b" : "a";

        h5_scratch_group(scratch, first);
        h5_scratch_group(scratch, second);
        assert_int_equal(h5_put_i64(scratch->file, first, 1, &err), 0);
        assert_int_equal(h5_put_i64(scratch->file, second, 1, &err), 0);
        digest(scratch, texts[i]);
        H5Ldelete(scratch->file, "a", H5P_DEFAULT);
        H5Ldelete(scratch->file, "b", H5P_DEFAULT);
        H5Adelete(scratch->file, "a");
        H5Adelete(scratch->file, "b");
    }
    assert_string_equal(texts[0], texts[1]);
}

static void put_digest_attribute(const struct h5_scratch *scratch, const char *path,
                                 const char *name)
{
    hid_t group = H5Gopen2(scratch->file, path, H5P_DEFAULT);
    struct err err = { 0 };

    assert_int_equal(h5_put_text(group, name, "0123", &err), 0);
    h5_close(&group);
}

static void test_only_its_own_attribute_is_left_out(void **state)
{
    struct h5_scratch *scratch = *state;
    char before[DIGEST_TEXT_SIZE];
    char after[DIGEST_TEXT_SIZE];

    digest(scratch, before);
    put_digest_attribute(scratch, "/integrity", "digest");
    digest(scratch, after);
    assert_string_equal(before, after);
    put_digest_attribute(scratch, "/data", "digest");
    digest(scratch, after);
    assert_string_not_equal(before, after);
    digest(scratch, before);
    put_digest_attribute(scratch, "/integrity", "digest2");
    digest(scratch, after);
    assert_string_not_equal(before, after);
}

/* Rows with sums in /integrity are left to these; the sums themselves are not. */
static void test_content_with_sums_is_left_to_them(void **state)
{
    struct h5_scratch *scratch = *state;
    struct recipe recipe = base_recipe();
    char texts[3][DIGEST_TEXT_SIZE];

    put_rows(scratch, "/integrity/data.a", &recipe);
    for (uint32_t i = 0; i < 2; i++) {
        recipe.first = i;
        put_rows(scratch, "/data/a", &recipe);
        digest(scratch, texts[i]);
        H5Ldelete(scratch->file, "/data/a", H5P_DEFAULT);
    }
    assert_string_equal(texts[0], texts[1]);
    put_rows(scratch, "/data/a", &recipe);
    H5Ldelete(scratch->file, "/integrity/data.a", H5P_DEFAULT);
    recipe.first = 77;
    put_rows(scratch, "/integrity/data.a", &recipe);
    digest(scratch, texts[2]);
    assert_string_not_equal(texts[2], texts[1]);
}

static void expect_refused(const struct h5_scratch *scratch, const char *why)
{
    char text[DIGEST_TEXT_SIZE];
    struct err err = { 0 };

    assert_int_equal(h5_digest(scratch->file, text, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
    if (strncmp(err.text, why, strlen(why)) != 0) {
        fail_msg("%s", err.text);
    }
}

/* A link leads out of what was proven, to another file even. */
static void test_links_are_refused(void **state)
{
    struct h5_scratch *scratch = *state;

    H5Lcreate_soft("/data", scratch->file, "/soft", H5P_DEFAULT, H5P_DEFAULT);
    expect_refused(scratch, "/soft: a link cannot be read");
    H5Ldelete(scratch->file, "/soft", H5P_DEFAULT);
    H5Lcreate_external("/etc/passwd", "/", scratch->file, "/data/out", H5P_DEFAULT,
                       H5P_DEFAULT);
    expect_refused(scratch, "/data/out: a link cannot be read");
}

static void test_circles_end(void **state)
{
    struct h5_scratch *scratch = *state;

    H5Lcreate_hard(scratch->file, "/data", scratch->file, "/data/again", H5P_DEFAULT,
                   H5P_DEFAULT);
    expect_refused(scratch, "/data/again/again/");
}

static void put_attribute(const struct h5_scratch *scratch, hid_t type, unsigned n_dims)
{
    hsize_t dims[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };
    hid_t space = H5Screate_simple((int)n_dims, dims, NULL);
    uint8_t value[64] = { 0 };
    hid_t attribute = H5Acreate2(scratch->file, "odd", type, space, H5P_DEFAULT, H5P_DEFAULT);

    assert_true(H5Awrite(attribute, type, value) >= 0);
    h5_close(&attribute);
    h5_close(&space);
}

static void test_what_it_does_not_know_is_refused(void **state)
{
    struct h5_scratch *scratch = *state;
    hid_t pair = H5Tcreate(H5T_COMPOUND, 8);
    hid_t named = H5Tcopy(H5T_STD_U32LE);

    H5Tinsert(pair, "a", 0, H5T_NATIVE_INT);
    put_attribute(scratch, pair, 1);
    expect_refused(scratch, "/: content cannot be read");
    H5Adelete(scratch->file, "odd");
    put_attribute(scratch, H5T_NATIVE_INT, 5);
    expect_refused(scratch, "/: extent cannot be read");
    H5Adelete(scratch->file, "odd");
    H5Tcommit2(scratch->file, "/named", named, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    h5_close(&named);
    h5_close(&pair);
    expect_refused(scratch, "/named: an object of this kind cannot be read");
}

/* An extent is only a number: nobody allocates for it. */
static void test_an_extent_beyond_reason_is_refused(void **state)
{
    struct h5_scratch *scratch = *state;
    struct recipe recipe = base_recipe();
    static const hsize_t ROWS[] = { 80000000, UINT64_C(1) << 60 };
    hid_t dataset = -1;

    put_rows(scratch, "/data/a", &recipe);
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        dataset = H5Dopen2(scratch->file, "/data/a", H5P_DEFAULT);
        assert_true(H5Dset_extent(dataset, &ROWS[i]) >= 0);
        h5_close(&dataset);
        expect_refused(scratch, "/data/a: content cannot be read");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_files_equal_digests),
        cmocka_unit_test(test_every_change_shows),
        WITH_H5_SCRATCH(test_borders_show),
        WITH_H5_SCRATCH(test_order_of_making_does_not_matter),
        WITH_H5_SCRATCH(test_only_its_own_attribute_is_left_out),
        WITH_H5_SCRATCH(test_content_with_sums_is_left_to_them),
        WITH_H5_SCRATCH(test_links_are_refused),
        WITH_H5_SCRATCH(test_circles_end),
        WITH_H5_SCRATCH(test_what_it_does_not_know_is_refused),
        WITH_H5_SCRATCH(test_an_extent_beyond_reason_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
