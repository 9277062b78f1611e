/* SPDX-License-Identifier: MIT */
/* The agent's end of the line to the recorder, with real recorders: processes of this very
 * program. */
#include "sheep/recorder_link.h"

#include "common/clock.h"
#include "sheep/recorder.h"
#include "tests/support/node_bench.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct node_bench bench;
    zloop_t *loop;
    struct recorder_link *link;
    struct recorder_link_options options;
    unsigned n_up;
    unsigned n_again; /* of those */
    unsigned n_events;
    unsigned n_lost;
    struct recorder_event event; /* the last one */
    char why[256];
    /* what is waited for */
    unsigned n_up_wanted;
    unsigned n_events_wanted;
    unsigned n_lost_wanted;
    int32_t old_pid;
    struct err err;
};

static void on_up(void *arg, bool is_again)
{
    struct fixture *f = arg;

    f->n_up++;
    f->n_again += is_again;
}

static void on_event(void *arg, const struct recorder_event *event)
{
    struct fixture *f = arg;

    f->n_events++;
    f->event = *event;
}

static void on_lost(void *arg, const char *why)
{
    struct fixture *f = arg;

    f->n_lost++;
    snprintf(f->why, sizeof(f->why), "%s", why);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    node_bench_init(&f->bench, "speed: fast, truth: false");
    f->loop = zloop_new();
    f->options = (struct recorder_link_options){ .loop = f->loop,
                                                 .state_dir = f->bench.state_dir,
                                                 .config_path = f->bench.config_path,
                                                 .arg = f,
                                                 .on_up = on_up,
                                                 .on_event = on_event,
                                                 .on_lost = on_lost };
    *state = f;
    return 0;
}

static void create(struct fixture *f)
{
    f->link = recorder_link_create(&f->options, &f->err);
    assert_non_null(f->link);
}

static bool has_come(void *arg)
{
    const struct fixture *f = arg;

    return f->n_up >= f->n_up_wanted && f->n_events >= f->n_events_wanted
           && f->n_lost >= f->n_lost_wanted;
}

static void await(struct fixture *f, unsigned n_up, unsigned n_events, unsigned n_lost)
{
    f->n_up_wanted = n_up;
    f->n_events_wanted = n_events;
    f->n_lost_wanted = n_lost;
    assert_true(node_bench_run(f->loop, has_come, f));
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    recorder_link_destroy(&f->link);
    assert_null(f->link);
    node_bench_end_recorders(&f->bench);
    zloop_destroy(&f->loop);
    node_bench_fini(&f->bench);
    free(f);
    return 0;
}

static bool has_another(void *arg)
{
    const struct fixture *f = arg;
    struct recorder_page page;

    return recorder_link_is_up(f->link) && recorder_link_page(f->link, &page)
           && page.pid != f->old_pid;
}

/* A recorder listens a moment before its page is there. */
static void bring_up(struct fixture *f)
{
    create(f);
    assert_true(node_bench_run(f->loop, has_another, f));
}

static void test_a_recorder_is_started_when_none_is_there(void **state)
{
    struct fixture *f = *state;
    struct recorder_page page;

    create(f);
    assert_false(recorder_link_is_up(f->link));
    assert_int_equal(recorder_link_dup(f->link), -1);
    assert_true(node_bench_run(f->loop, has_another, f));
    assert_int_equal(f->n_up, 1);
    assert_int_equal(f->n_again, 0);
    assert_true(recorder_link_page(f->link, &page));
    assert_int_equal(page.state, RECORDER_IDLE);
    assert_int_not_equal(page.pid, getpid());
    assert_int_equal(getsid(page.pid), page.pid); /* a signal to our terminal is not its own */
}

static void test_answers_have_the_number_of_their_request(void **state)
{
    struct fixture *f = *state;
    struct recorder_request request = { .kind = RECORDER_CANCEL };
    uint32_t seq[2] = { 0, 0 };

    bring_up(f);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(recorder_link_send(f->link, &request, &seq[i], &f->err), 0);
        await(f, 1, i + 1, 0);
        assert_int_equal(f->event.kind, RECORDER_ANSWER);
        assert_int_equal(f->event.seq, seq[i]);
    }
    assert_int_not_equal(seq[0], seq[1]);
}

static void test_without_a_recorder_nothing_is_sent(void **state)
{
    struct fixture *f = *state;
    struct recorder_request request = { .kind = RECORDER_CANCEL };

    create(f);
    assert_int_equal(recorder_link_send(f->link, &request, NULL, &f->err), -1);
    assert_int_equal(f->err.code, ERR_UNREACHABLE);
    assert_string_equal(f->err.text, "no recorder is there");
    await(f, 1, 0, 0); /* so that tear_down meets it */
}

/* Kills the recorder and waits until that is noticed. While it dies, its listening socket may
 * still answer: then the line is up again for a moment. */
static void kill_recorder(struct fixture *f)
{
    struct recorder_page page;

    assert_true(recorder_link_page(f->link, &page));
    f->old_pid = page.pid;
    assert_int_equal(kill(page.pid, SIGKILL), 0);
    await(f, 0, 0, f->n_lost + 1);
}

static void test_a_dead_recorder_is_missed_and_followed_by_another(void **state)
{
    struct fixture *f = *state;
    struct recorder_page page;

    bring_up(f);
    kill_recorder(f);
    assert_non_null(strstr(f->why, "recorder"));
    assert_false(recorder_link_is_up(f->link));
    assert_int_equal(recorder_link_dup(f->link), -1);
    assert_true(recorder_link_page(f->link, &page)); /* its last word */
    assert_int_equal(page.pid, f->old_pid);
    assert_true(node_bench_run(f->loop, has_another, f));
    assert_true(f->n_up - f->n_again >= 2);
}

static void test_a_running_recorder_is_met_at_once_and_left_running(void **state)
{
    struct fixture *f = *state;
    struct recorder_page page;
    int32_t pid = 0;

    bring_up(f);
    assert_true(recorder_link_page(f->link, &page));
    pid = page.pid;
    recorder_link_destroy(&f->link);
    assert_null(f->link);
    create(f);
    assert_int_equal(f->n_up, 2); /* before create returned */
    assert_true(recorder_link_page(f->link, &page));
    assert_int_equal(page.pid, pid);
    assert_int_equal(f->n_lost, 0);
}

/* The recorder lets the agent go that it has when another one knocks. */
static void test_a_broken_line_is_no_dead_recorder(void **state)
{
    struct fixture *f = *state;
    int fd = -1;

    bring_up(f);
    fd = recorder_ipc_connect(f->bench.state_dir, &f->err);
    assert_true(fd >= 0);
    await(f, 2, 0, 0);
    assert_int_equal(f->n_again, 1);
    assert_int_equal(f->n_lost, 0);
    assert_true(recorder_link_is_up(f->link));
    close(fd);
}

static void test_the_line_has_descriptors_for_others(void **state)
{
    struct fixture *f = *state;
    struct recorder_row row = { .type = RLOG_TEXT, .stream = RLOG_STREAM_UART, .size = 1 };
    int fd = -1;

    bring_up(f);
    fd = recorder_link_dup(f->link);
    assert_true(fd >= 0);
    assert_true(recorder_ipc_send_row(fd, &row));
    kill_recorder(f);
    assert_false(recorder_ipc_send_row(fd, &row)); /* harmless */
    close(fd);
    assert_true(node_bench_run(f->loop, has_another, f));
}

static void test_the_last_word_of_an_earlier_recorder_is_there_before_a_new_one(void **state)
{
    struct fixture *f = *state;
    struct recorder_page now = { .experiment = 4711, .is_ended = 1, .n_samples = 99 };
    struct recorder_page *old = NULL;
    struct recorder_page page;

    assert_int_equal(recorder_page_create(f->bench.state_dir, &old, &f->err), 0);
    recorder_page_write(old, &now);
    recorder_page_destroy(&old);
    create(f);
    assert_false(recorder_link_is_up(f->link));
    assert_true(recorder_link_page(f->link, &page));
    assert_int_equal(page.experiment, 4711);
    assert_int_equal(page.n_samples, 99);
    await(f, 1, 0, 0);
    assert_true(recorder_link_page(f->link, &page));
    assert_int_equal(page.experiment, 4711);
}

static void test_without_any_page_there_is_none(void **state)
{
    struct fixture *f = *state;
    struct recorder_page page;

    create(f);
    assert_false(recorder_link_page(f->link, &page));
    await(f, 1, 0, 0);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_recorder_is_started_when_none_is_there),
        TEST(test_answers_have_the_number_of_their_request),
        TEST(test_without_a_recorder_nothing_is_sent),
        TEST(test_a_dead_recorder_is_missed_and_followed_by_another),
        TEST(test_a_running_recorder_is_met_at_once_and_left_running),
        TEST(test_a_broken_line_is_no_dead_recorder),
        TEST(test_the_line_has_descriptors_for_others),
        TEST(test_the_last_word_of_an_earlier_recorder_is_there_before_a_new_one),
        TEST(test_without_any_page_there_is_none),
    };
    int status = 0;

    if (node_bench_is_recorder(argc, argv, &status)) {
        return status;
    }
    wire_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
