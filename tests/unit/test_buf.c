/* SPDX-License-Identifier: MIT */
#include "common/buf.h"

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

static void test_append_keeps_text_terminated(void **state)
{
    struct buf buf = { 0 };

    (void)state;
    buf_printf(&buf, "%d-%s", 7, "x");
    buf_text(&buf, "yz");
    assert_string_equal(buf.data, "7-xyz");
    assert_int_equal(buf.size, 5);
    for (int i = 0; i < 1000; i++) {
        buf_append(&buf, "0123456789", 10);
    }
    assert_int_equal(buf.size, 10005);
    assert_int_equal(buf.data[10005], '\0');
    buf_clear(&buf);
    assert_string_equal(buf.data, "");
    buf_fini(&buf);
}

static void test_numbers_must_fill_the_text(void **state)
{
    int64_t i64 = 0;
    uint64_t u64 = 0;
    double f64 = 0;

    (void)state;
    assert_true(text_to_i64("-12", &i64));
    assert_int_equal(i64, -12);
    assert_false(text_to_i64("12x", &i64));
    assert_false(text_to_i64(" 12", &i64));
    assert_false(text_to_i64("99999999999999999999", &i64));
    assert_true(text_to_u64("0x10", &u64));
    assert_int_equal(u64, 16);
    assert_false(text_to_u64("-1", &u64));
    assert_true(text_to_f64("2.5e-3", &f64));
    assert_false(text_to_f64("nan", &f64));
    assert_false(text_to_f64("inf", &f64));
    assert_false(text_to_f64("", &f64));
}

static void test_safe_names_cannot_leave_their_folder(void **state)
{
    (void)state;
    assert_true(name_is_safe("solar-day_2026.h5", 64));
    assert_false(name_is_safe("../x", 64));
    assert_false(name_is_safe(".hidden", 64));
    assert_false(name_is_safe("a/b", 64));
    assert_false(name_is_safe("-rf", 64));
    assert_false(name_is_safe("", 64));
    assert_false(name_is_safe("abcd", 3));
}

static void test_files_are_replaced_whole(void **state)
{
    char folder[] = "/tmp/bw-buf-XXXXXX";
    char path[64];
    struct buf buf = { 0 };
    struct err err = { 0 };
    struct stat info = { 0 };

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/a/b", folder);
    assert_int_equal(dir_make(path, 0755, &err), 0);
    snprintf(path, sizeof(path), "%s/a/b/file", folder);
    assert_int_equal(file_write_atomic(path, "one", 3, 0600, &err), 0);
    assert_int_equal(file_write_atomic(path, "two!", 4, 0600, &err), 0);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(buf_read_file(&buf, path, 100, &err), 0);
    assert_string_equal(buf.data, "two!");
    assert_int_equal(buf_read_file(&buf, path, 3, &err), -1);
    assert_int_equal(buf_read_file(&buf, folder, 100, &err), -1);
    assert_int_equal(err.code, ERR_INPUT);
    assert_int_equal(buf_read_file(&buf, "/nonexistent", 100, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    buf_fini(&buf);
    unlink(path);
    *strrchr(path, '/') = '\0';
    rmdir(path);
    *strrchr(path, '/') = '\0';
    rmdir(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append_keeps_text_terminated),
        cmocka_unit_test(test_numbers_must_fill_the_text),
        cmocka_unit_test(test_safe_names_cannot_leave_their_folder),
        cmocka_unit_test(test_files_are_replaced_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
