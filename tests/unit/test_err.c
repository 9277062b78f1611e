/* SPDX-License-Identifier: MIT */
/* One sentence, outermost part first, whatever its length. */
#include "common/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_set_gives_code_and_text(void **state)
{
    struct err err = { 0 };

    (void)state;
    assert_int_equal(err_set(&err, ERR_INPUT, "line %d: %s", 7, "no key"), -1);
    assert_int_equal(err.code, ERR_INPUT);
    assert_string_equal(err.text, "line 7: no key");
    assert_int_equal(err_set(&err, ERR_STATE, "later"), -1);
    assert_int_equal(err.code, ERR_STATE);
    assert_string_equal(err.text, "later");
}

static void test_without_a_place_it_still_fails(void **state)
{
    (void)state;
    errno = ENOENT;
    assert_int_equal(err_set(NULL, ERR_INPUT, "x"), -1);
    assert_int_equal(err_set_errno(NULL, "x"), -1);
    assert_int_equal(err_prepend(NULL, "x"), -1);
}

static void test_errno_becomes_code_and_reason(void **state)
{
    static const struct {
        int number;
        enum err_code code;
    } CASES[] = {
        {ENOSPC,        ERR_NO_SPACE },
        { EDQUOT,       ERR_NO_SPACE },
        { ENOENT,       ERR_NOT_FOUND},
        { EEXIST,       ERR_EXISTS   },
        { ENOMEM,       ERR_MEMORY   },
        { EACCES,       ERR_DENIED   },
        { EPERM,        ERR_DENIED   },
        { EIO,          ERR_SYSTEM   },
        { ECONNREFUSED, ERR_SYSTEM   },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct err err = { 0 };
        char wanted[200];

        errno = CASES[i].number;
        assert_int_equal(err_set_errno(&err, "opening %s", "a.yaml"), -1);
        snprintf(wanted, sizeof(wanted), "opening a.yaml: %s", strerror(CASES[i].number));
        assert_string_equal(err.text, wanted);
        assert_int_equal(err.code, CASES[i].code);
    }
}

static void test_callers_put_themselves_in_front(void **state)
{
    struct err err = { 0 };

    (void)state;
    err_set(&err, ERR_CORRUPT, "chunk 3");
    assert_int_equal(err_prepend(&err, "file %s", "a.h5"), -1);
    assert_int_equal(err_prepend(&err, "sheep %d", 7), -1);
    assert_string_equal(err.text, "sheep 7: file a.h5: chunk 3");
    assert_int_equal(err.code, ERR_CORRUPT);
}

/* Of a sentence that is too long, the end is lost: never the place, never a byte behind. */
static void test_too_long_is_cut_at_the_end(void **state)
{
    struct {
        struct err err;
        char behind[64];
    } box;
    char text[3000];

    (void)state;
    memset(&box, 0x5A, sizeof(box));
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    err_set(&box.err, ERR_INPUT, "%s", text);
    assert_int_equal(strlen(box.err.text), sizeof(box.err.text) - 1);
    err_prepend(&box.err, "sheep 7");
    assert_memory_equal(box.err.text, "sheep 7: xxx", 12);
    assert_int_equal(strlen(box.err.text), sizeof(box.err.text) - 1);
    errno = EIO;
    err_set_errno(&box.err, "%s", text);
    assert_int_equal(strlen(box.err.text), sizeof(box.err.text) - 1);
    err_prepend(&box.err, "%s", text);
    assert_int_equal(strlen(box.err.text), sizeof(box.err.text) - 1);
    for (size_t i = 0; i < sizeof(box.behind); i++) {
        assert_int_equal(box.behind[i], 0x5A);
    }
}

static void test_every_code_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (unsigned i = 0; i < N_ERR_CODES; i++) {
        const char *name = err_code_name((enum err_code)i);

        assert_non_null(name);
        assert_string_not_equal(name, "unknown");
        for (unsigned k = 0; k < i; k++) {
            assert_string_not_equal(name, err_code_name((enum err_code)k));
        }
    }
    assert_string_equal(err_code_name(ERR_NO_SPACE), "no_space");
    assert_string_equal(err_code_name(ERR_INTERRUPTED), "interrupted");
    assert_string_equal(err_code_name(N_ERR_CODES), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_gives_code_and_text),
        cmocka_unit_test(test_without_a_place_it_still_fails),
        cmocka_unit_test(test_errno_becomes_code_and_reason),
        cmocka_unit_test(test_callers_put_themselves_in_front),
        cmocka_unit_test(test_too_long_is_cut_at_the_end),
        cmocka_unit_test(test_every_code_has_a_name_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
