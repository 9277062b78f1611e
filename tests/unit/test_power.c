/* SPDX-License-Identifier: MIT */
/* Power through logind: a busctl of our own stands in PATH. */
#include "sheep/power.h"

#include "common/buf.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/bw-power-XXXXXX";

static void path_of(const char *name, char path[128])
{
    snprintf(path, 128, "%s/%s", folder, name);
}

static void put_busctl(const char *script)
{
    char path[128];
    FILE *file = NULL;

    path_of("busctl", path);
    file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "#!/bin/sh\n%s\n", script);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0700), 0);
}

static int set_up(void **state)
{
    char path[256];

    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s:/usr/bin:/bin", folder);
    return setenv("PATH", path, 1);
}

static int tear_down(void **state)
{
    static const char *const NAMES[] = { "busctl", "said" };
    char path[128];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        path_of(NAMES[i], path);
        unlink(path);
    }
    return rmdir(folder);
}

static void expect_words(bool is_reboot, const char *method)
{
    char script[256];
    char path[128];
    char wanted[256];
    struct buf said = { 0 };
    struct err err = { 0 };

    path_of("said", path);
    snprintf(script, sizeof(script), "echo \"$@\" > %s", path);
    put_busctl(script);
    assert_int_equal(power_ask("pru", is_reboot, &err), 0);
    assert_int_equal(buf_read_file(&said, path, 1000, &err), 0);
    snprintf(wanted, sizeof(wanted),
             "--system --timeout=10 call org.freedesktop.login1 /org/freedesktop/login1 "
             "org.freedesktop.login1.Manager %s b false\n",
             method);
    assert_string_equal(said.data, wanted);
    buf_fini(&said);
}

static void test_logind_is_asked(void **state)
{
    (void)state;
    expect_words(false, "PowerOff");
    expect_words(true, "Reboot");
}

static void test_its_refusal_is_told(void **state)
{
    struct err err = { 0 };

    (void)state;
    put_busctl("echo 'Call failed: Access denied' >&2; echo more >&2; exit 1");
    assert_int_equal(power_ask("pru", false, &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
    assert_string_equal(err.text, "logind refused: Call failed: Access denied");
}

/* As the agent does: then nobody keeps a status. */
static void test_it_works_where_children_are_ignored(void **state)
{
    struct err err = { 0 };

    (void)state;
    signal(SIGCHLD, SIG_IGN);
    expect_words(true, "Reboot");
    put_busctl("echo 'Call failed: Access denied' >&2; exit 1");
    assert_int_equal(power_ask("pru", false, &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
    signal(SIGCHLD, SIG_DFL);
}

static void test_a_simulated_board_asks_nobody(void **state)
{
    char path[128];
    struct err err = { 0 };

    (void)state;
    path_of("said", path);
    unlink(path);
    put_busctl("exit 0");
    assert_int_equal(power_ask("sim", true, &err), -1);
    assert_int_equal(err.code, ERR_STATE);
    assert_non_null(strstr(err.text, "simulated board"));
}

static void test_a_machine_without_busctl_says_so(void **state)
{
    char path[128];
    struct err err = { 0 };

    (void)state;
    path_of("busctl", path);
    unlink(path);
    setenv("PATH", folder, 1);
    assert_int_equal(power_ask("pru", false, &err), -1);
    assert_non_null(strstr(err.text, "busctl"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logind_is_asked),
        cmocka_unit_test(test_its_refusal_is_told),
        cmocka_unit_test(test_it_works_where_children_are_ignored),
        cmocka_unit_test(test_a_simulated_board_asks_nobody),
        cmocka_unit_test(test_a_machine_without_busctl_says_so),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
