/* SPDX-License-Identifier: MIT */
#include "herd/ssh_options.h"

#include "tests/support/caught.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const struct cmd_options OPTIONS;

static void test_each_goes_into_the_target(void **state)
{
    struct ssh_target target = { 0 };

    (void)state;
    assert_int_equal(ssh_option_take(&OPTIONS, "exec", SSH_OPTION_TIMEOUT, "2.5", &target), 0);
    assert_int_equal(ssh_option_take(&OPTIONS, "exec", SSH_OPTION_PORT, "65535", &target), 0);
    assert_int_equal(ssh_option_take(&OPTIONS, "exec", SSH_OPTION_IDENTITY, "key", &target), 0);
    assert_int_equal(
        ssh_option_take(&OPTIONS, "exec", SSH_OPTION_KNOWN_HOSTS, "hosts", &target), 0);
    assert_int_equal(target.timeout_s, 2);
    assert_int_equal(target.port, 65535);
    assert_string_equal(target.identity, "key");
    assert_string_equal(target.known_hosts, "hosts");
}

static void expect_refused(int option, const char *value, const char *words)
{
    struct ssh_target target = { 0 };
    struct caught caught;
    char *text = NULL;
    int status = 0;

    caught_begin(&caught, STDERR_FILENO);
    status = ssh_option_take(&OPTIONS, "deploy", option, value, &target);
    text = caught_end(&caught);
    assert_int_equal(status, EXIT_USAGE);
    assert_non_null(strstr(text, words));
    assert_int_equal(target.timeout_s, 0);
    assert_int_equal(target.port, 0);
    free(text);
}

static void test_wrong_values_are_named_and_change_nothing(void **state)
{
    (void)state;
    expect_refused(SSH_OPTION_TIMEOUT, "0.9",
                   "timeout '0.9' is not a number of seconds (>= 1)");
    expect_refused(SSH_OPTION_TIMEOUT, "nan", "'nan'");
    expect_refused(SSH_OPTION_TIMEOUT, "86401", "'86401'");
    expect_refused(SSH_OPTION_PORT, "0", "'0' is no port");
    expect_refused(SSH_OPTION_PORT, "65536", "deploy");
    expect_refused(SSH_OPTION_END, "x", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_goes_into_the_target),
        cmocka_unit_test(test_wrong_values_are_named_and_change_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
