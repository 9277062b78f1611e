/* SPDX-License-Identifier: MIT */
/* Commands over SSH: who is trusted, who is let in, and what a command may say. */
#include "herd/ssh.h"

#include "tests/support/caught.h"
#include "tests/support/ssh_server.h"

#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct ssh_server server;

static int set_up(void **state)
{
    (void)state;
    memset(&server, 0, sizeof(server));
    ssh_server_start(&server);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ssh_server_stop(&server);
    return 0;
}

static struct ssh_target target(void)
{
    return (struct ssh_target){ .host = "127.0.0.1",
                                .user = "shepherd",
                                .port = server.port,
                                .known_hosts = server.known_hosts,
                                .identity = server.identity,
                                .timeout_s = 10 };
}

static struct ssh_link *open_link(long timeout_s)
{
    struct ssh_target to = target();
    struct err err = { 0 };
    struct ssh_link *link = NULL;

    to.timeout_s = timeout_s;
    link = ssh_link_open(&to, &err);
    if (link == NULL) {
        fail_msg("%s", err.text);
    }
    return link;
}

static void expect_refused(const struct ssh_target *to, enum err_code code, const char *why)
{
    struct err err = { 0 };

    assert_null(ssh_link_open(to, &err));
    assert_int_equal(err.code, code);
    if (strstr(err.text, why) == NULL) {
        fail_msg("%s", err.text);
    }
}

static void test_input_goes_in_and_comes_out(void **state)
{
    struct ssh_link *link = open_link(10);
    struct buf out = { 0 };
    struct err err = { 0 };
    char *input = calloc(1, 60001);

    (void)state;
    assert_non_null(input);
    memset(input, 'y', 60000);
    buf_text(&out, "before ");
    if (ssh_link_run(link, "echo", "hello", &out, 100, &err) < 0) {
        fail_msg("%s", err.text);
    }
    assert_string_equal(out.data, "before hello");
    /* again over the same connection; without input; with much of it */
    buf_clear(&out);
    assert_int_equal(ssh_link_run(link, "echo", NULL, &out, 100, &err), 0);
    assert_int_equal(out.size, 0);
    assert_int_equal(ssh_link_run(link, "echo", input, &out, 60000, &err), 0);
    assert_string_equal(out.data, input);
    buf_fini(&out);
    free(input);
    ssh_link_close(&link);
    ssh_link_close(&link);
}

static void test_a_status_is_an_answer_or_a_failure(void **state)
{
    struct ssh_link *link = open_link(10);
    struct ssh_answer answer = { 0 };
    struct buf out = { 0 };
    struct err err = { 0 };

    (void)state;
    assert_int_equal(ssh_link_exec(link, "fail", NULL, &answer, 100, &err), 0);
    assert_int_equal(answer.status, 3);
    assert_string_equal(answer.out.data, "out");
    assert_string_equal(answer.err.data, "first line\nsecond line\n");
    ssh_answer_fini(&answer);
    assert_int_equal(ssh_link_run(link, "fail", NULL, &out, 100, &err), -1);
    assert_int_equal(err.code, ERR_STATE);
    assert_string_equal(err.text, "a command failed with status 3: first line");
    assert_int_equal(out.size, 0);
    ssh_link_close(&link);
}

static void test_a_command_that_a_signal_ended(void **state)
{
    struct ssh_link *link = open_link(10);
    struct ssh_answer answer = { 0 };
    struct err err = { 0 };

    (void)state;
    assert_int_equal(ssh_link_exec(link, "signal", NULL, &answer, 100, &err), 0);
    assert_int_equal(answer.status, -1);
    ssh_answer_fini(&answer);
    ssh_link_close(&link);
}

static void test_words_that_come_in_pieces_are_whole(void **state)
{
    struct ssh_link *link = open_link(10);
    struct buf out = { 0 };
    struct err err = { 0 };

    (void)state;
    assert_int_equal(ssh_link_run(link, "pieces", NULL, &out, 13, &err), 0);
    assert_string_equal(out.data, "one two three");
    buf_fini(&out);
    ssh_link_close(&link);
}

/* Each stream up to the bound and no byte more. */
static void test_what_a_command_says_is_bounded(void **state)
{
    struct ssh_link *link = open_link(10);
    struct ssh_answer answer = { 0 };
    struct err err = { 0 };

    (void)state;
    assert_int_equal(ssh_link_exec(link, "much", NULL, &answer, 100000, &err), 0);
    assert_int_equal(answer.out.size, 100000);
    assert_int_equal(answer.err.size, 100000);
    ssh_answer_fini(&answer);
    ssh_link_close(&link);
    link = open_link(10);
    memset(&answer, 0, sizeof(answer));
    assert_int_equal(ssh_link_exec(link, "much", NULL, &answer, 99999, &err), -1);
    assert_int_equal(err.code, ERR_INPUT);
    assert_string_equal(err.text, "it says more than 99999 bytes");
    assert_true(answer.out.size <= 99999 && answer.err.size <= 99999);
    ssh_answer_fini(&answer);
    ssh_link_close(&link);
}

static void test_a_command_without_end_is_given_up(void **state)
{
    struct ssh_link *link = open_link(1);
    struct buf out = { 0 };
    struct err err = { 0 };
    int64_t begin_ns = clock_mono_ns();

    (void)state;
    assert_int_equal(ssh_link_run(link, "never", NULL, &out, 100, &err), -1);
    assert_int_equal(err.code, ERR_TIMEOUT);
    assert_string_equal(err.text, "a command did not end in time");
    assert_in_range(clock_mono_ns() - begin_ns, 900 * NS_PER_MS, 20 * NS_PER_S);
    ssh_link_close(&link);
}

static void test_only_a_known_host_is_trusted(void **state)
{
    struct ssh_target to = target();
    char *before = NULL;
    char *after = NULL;

    (void)state;
    ssh_server_forget(&server, SSH_SERVER_CHANGED);
    before = caught_read_text(server.known_hosts);
    expect_refused(&to, ERR_DENIED, "its host key has CHANGED (now SHA256:");
    ssh_server_forget(&server, SSH_SERVER_UNKNOWN);
    expect_refused(&to, ERR_DENIED, "its host key is not known (SHA256:");
    /* nothing is ever added */
    after = caught_read_text(server.known_hosts);
    assert_string_equal(after, "");
    free(before);
    free(after);
    ssh_server_forget(&server, SSH_SERVER_OTHER_TYPE);
    expect_refused(&to, ERR_DENIED, "host key");
    to.known_hosts = "/nowhere/known_hosts";
    expect_refused(&to, ERR_DENIED, "not known");
}

static void test_only_a_key_lets_in(void **state)
{
    struct ssh_target to = target();

    (void)state;
    to.identity = server.stranger;
    expect_refused(&to, ERR_DENIED, "user 'shepherd' is not let in with a key");
    to.identity = "/nowhere/id";
    expect_refused(&to, ERR_DENIED, "user 'shepherd' is not let in with a key");
}

static void test_nobody_is_there(void **state)
{
    struct ssh_target to = target();
    struct ssh_server gone = { 0 };

    (void)state;
    ssh_server_start(&gone);
    ssh_server_stop(&gone);
    to.port = gone.port;
    expect_refused(&to, ERR_UNREACHABLE, "SSH: ");
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(test_input_goes_in_and_comes_out),
        WITH_SERVER(test_a_status_is_an_answer_or_a_failure),
        WITH_SERVER(test_a_command_that_a_signal_ended),
        WITH_SERVER(test_words_that_come_in_pieces_are_whole),
        WITH_SERVER(test_what_a_command_says_is_bounded),
        WITH_SERVER(test_a_command_without_end_is_given_up),
        WITH_SERVER(test_only_a_known_host_is_trusted),
        WITH_SERVER(test_only_a_key_lets_in),
        WITH_SERVER(test_nobody_is_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
