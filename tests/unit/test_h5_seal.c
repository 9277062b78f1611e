/* SPDX-License-Identifier: MIT */
/* A file takes its name only with its digest in it. */
#include "common/h5_seal.h"

#include "common/h5_digest.h"
#include "tests/support/h5_scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void close_file(struct h5_scratch *scratch)
{
    h5_packer_destroy(&scratch->packer);
    h5_close(&scratch->file);
}

static void expect_sealed(const char *path, uint64_t file_bytes)
{
    struct err err = { 0 };
    uint64_t bytes = 0;
    hid_t file = h5_open_file(path, &bytes, &err);
    hid_t integrity = H5Gopen2(file, "/integrity", H5P_DEFAULT);
    char wanted[DIGEST_TEXT_SIZE];
    char found[DIGEST_TEXT_SIZE] = "";

    assert_int_equal(bytes, file_bytes);
    assert_int_equal(h5_digest(file, wanted, &err), 0);
    assert_true(h5_get_text(integrity, "digest", found, sizeof(found)));
    assert_string_equal(found, wanted);
    assert_true(h5_get_text(integrity, "description", found, sizeof(found)));
    h5_close(&integrity);
    h5_close(&file);
}

static void test_the_name_comes_with_the_digest(void **state)
{
    struct h5_scratch *scratch = *state;
    char final[100];
    uint64_t bytes = 0;
    struct err err = { 0 };

    snprintf(final, sizeof(final), "%s/b.h5", scratch->folder);
    close_file(scratch);
    assert_int_equal(h5_seal(scratch->path, final, &bytes, &err), 0);
    assert_int_equal(access(scratch->path, F_OK), -1);
    expect_sealed(final, bytes);
}

static void test_a_file_of_that_name_is_replaced(void **state)
{
    struct h5_scratch *scratch = *state;
    char final[100];
    FILE *old = NULL;
    uint64_t bytes = 0;
    struct err err = { 0 };

    snprintf(final, sizeof(final), "%s/b.h5", scratch->folder);
    old = fopen(final, "w");
    assert_non_null(old);
    fputs("old", old);
    fclose(old);
    close_file(scratch);
    assert_int_equal(h5_seal(scratch->path, final, &bytes, &err), 0);
    expect_sealed(final, bytes);
}

/* A name without a folder is one of this folder. */
static void test_a_bare_name(void **state)
{
    struct h5_scratch *scratch = *state;
    char *here = getcwd(NULL, 0);
    uint64_t bytes = 0;
    struct err err = { 0 };

    assert_non_null(here);
    close_file(scratch);
    assert_int_equal(chdir(scratch->folder), 0);
    assert_int_equal(h5_seal("a.h5", "c.h5", &bytes, &err), 0);
    expect_sealed("c.h5", bytes);
    assert_int_equal(chdir(here), 0);
    free(here);
}

static void test_without_integrity_it_stays_a_part(void **state)
{
    struct h5_scratch *scratch = *state;
    char final[100];
    uint64_t bytes = 0;
    struct err err = { 0 };

    snprintf(final, sizeof(final), "%s/b.h5", scratch->folder);
    H5Ldelete(scratch->file, "/integrity", H5P_DEFAULT);
    close_file(scratch);
    assert_int_equal(h5_seal(scratch->path, final, &bytes, &err), -1);
    assert_int_equal(strncmp(err.text, scratch->path, strlen(scratch->path)), 0);
    assert_int_equal(access(final, F_OK), -1);
    assert_int_equal(access(scratch->path, F_OK), 0);
}

/* What cannot be digested cannot be verified later. */
static void test_what_has_no_digest_stays_a_part(void **state)
{
    struct h5_scratch *scratch = *state;
    char final[100];
    uint64_t bytes = 0;
    struct err err = { 0 };

    snprintf(final, sizeof(final), "%s/b.h5", scratch->folder);
    H5Lcreate_soft("/data", scratch->file, "/soft", H5P_DEFAULT, H5P_DEFAULT);
    close_file(scratch);
    assert_int_equal(h5_seal(scratch->path, final, &bytes, &err), -1);
    assert_int_equal(strncmp(err.text, "/soft: a link", 13), 0);
    assert_int_equal(access(final, F_OK), -1);
}

static void test_errors_name_the_place(void **state)
{
    struct h5_scratch *scratch = *state;
    char final[120];
    uint64_t bytes = 0;
    struct err err = { 0 };

    snprintf(final, sizeof(final), "%s/none/b.h5", scratch->folder);
    close_file(scratch);
    assert_int_equal(h5_seal(scratch->path, final, &bytes, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_int_equal(strncmp(err.text, final, strlen(final)), 0);
    assert_int_equal(access(scratch->path, F_OK), 0);
    assert_int_equal(h5_seal("/nowhere/a.h5", final, &bytes, &err), -1);
    assert_int_equal(strncmp(err.text, "/nowhere/a.h5: ", 15), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_H5_SCRATCH(test_the_name_comes_with_the_digest),
        WITH_H5_SCRATCH(test_a_file_of_that_name_is_replaced),
        WITH_H5_SCRATCH(test_a_bare_name),
        WITH_H5_SCRATCH(test_without_integrity_it_stays_a_part),
        WITH_H5_SCRATCH(test_what_has_no_digest_stays_a_part),
        WITH_H5_SCRATCH(test_errors_name_the_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
