/* SPDX-License-Identifier: MIT */
/* The line and the page between agent and recorder: other versions, torn pages, dead ends. */
#include "sheep/recorder_ipc.h"

#include "common/clock.h"
#include "tests/support/temp_folder.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char folder[TEMP_FOLDER_SIZE];
    int listen_fd;
    int agent_fd;
    int recorder_fd;
    struct recorder_page *page;
    const struct recorder_page *view;
    struct err err;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    temp_folder_make(f->folder);
    f->listen_fd = -1;
    f->agent_fd = -1;
    f->recorder_fd = -1;
    *state = f;
    return 0;
}

static void close_one(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    close_one(&f->agent_fd);
    close_one(&f->recorder_fd);
    close_one(&f->listen_fd);
    recorder_page_unmap(&f->view);
    recorder_page_destroy(&f->page);
    temp_folder_remove(f->folder);
    free(f);
    return 0;
}

static void connect_both(struct fixture *f)
{
    f->listen_fd = recorder_ipc_listen(f->folder, &f->err);
    assert_true(f->listen_fd >= 0);
    f->agent_fd = recorder_ipc_connect(f->folder, &f->err);
    assert_true(f->agent_fd >= 0);
    f->recorder_fd = accept4(f->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_true(f->recorder_fd >= 0);
}

/* ---- the line ---- */

static void test_requests_and_events_carry_version_and_size(void **state)
{
    static struct recorder_request request = { .kind = RECORDER_STOP, .seq = 4, .sample = 99 };
    static struct recorder_request got;
    struct fixture *f = *state;
    struct recorder_event event = { .version = RECORDER_IPC_VERSION,
                                    .kind = RECORDER_ANSWER,
                                    .seq = 4 };
    struct recorder_event heard;

    connect_both(f);
    assert_int_equal(recorder_ipc_receive(f->agent_fd, &heard, &f->err), 0); /* nothing yet */
    assert_int_equal(recorder_ipc_send(f->agent_fd, &request, &f->err), 0);
    assert_int_equal(recv(f->recorder_fd, &got, sizeof(got), 0), sizeof(got));
    assert_int_equal(got.version, RECORDER_IPC_VERSION);
    assert_int_equal(got.size, sizeof(got));
    assert_int_equal(got.sample, 99);
    memset(event.text, 'x', sizeof(event.text)); /* without an end */
    assert_int_equal(send(f->recorder_fd, &event, sizeof(event), 0), sizeof(event));
    assert_int_equal(recorder_ipc_receive(f->agent_fd, &heard, &f->err), 1);
    assert_int_equal(heard.seq, 4);
    assert_int_equal(strlen(heard.text), sizeof(heard.text) - 1);
}

static void test_rows_go_out_until_the_queue_is_full_and_never_wait(void **state)
{
    struct fixture *f = *state;
    struct recorder_row row = { .type = RLOG_TEXT, .stream = RLOG_STREAM_UART };
    struct recorder_row got;
    unsigned n_taken = 0;

    connect_both(f);
    while (recorder_ipc_send_row(f->agent_fd, &row)) {
        n_taken++;
        assert_true(n_taken < 100000);
    }
    assert_true(n_taken > 0);
    assert_int_equal(recv(f->recorder_fd, &got, sizeof(got), 0), sizeof(got));
    assert_int_equal(got.kind, RECORDER_ROW_KIND);
    assert_int_equal(got.version, RECORDER_IPC_VERSION);
}

static void expect_lost(struct fixture *f, enum err_code code, const char *text)
{
    struct recorder_event event;

    assert_int_equal(recorder_ipc_receive(f->agent_fd, &event, &f->err), -1);
    assert_int_equal(f->err.code, code);
    assert_string_equal(f->err.text, text);
}

static void test_another_version_is_refused_and_an_end_is_told(void **state)
{
    struct fixture *f = *state;
    struct recorder_event event = { .version = RECORDER_IPC_VERSION + 1,
                                    .kind = RECORDER_ANSWER };

    connect_both(f);
    assert_int_equal(send(f->recorder_fd, &event, sizeof(event), 0), sizeof(event));
    expect_lost(f, ERR_INPUT, "the recorder speaks another version");
    event.version = RECORDER_IPC_VERSION;
    assert_int_equal(send(f->recorder_fd, &event, sizeof(event) - 1, 0), sizeof(event) - 1);
    expect_lost(f, ERR_INPUT, "the recorder speaks another version");
    close_one(&f->recorder_fd);
    expect_lost(f, ERR_UNREACHABLE, "the recorder closed its socket");
}

static void test_one_recorder_listens_and_a_dead_ones_socket_makes_room(void **state)
{
    struct fixture *f = *state;
    char path[TEMP_PATH_SIZE];
    struct stat status;

    assert_int_equal(recorder_ipc_connect(f->folder, &f->err), -1);
    assert_int_equal(f->err.code, ERR_UNREACHABLE);
    connect_both(f);
    assert_int_equal(recorder_ipc_listen(f->folder, &f->err), -1);
    assert_int_equal(f->err.code, ERR_EXISTS);
    assert_non_null(strstr(f->err.text, "another recorder runs on "));
    recorder_ipc_socket_path(f->folder, path, sizeof(path));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600); /* nobody else starts a recording */
    close_one(&f->listen_fd);                      /* its file stays */
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(recorder_ipc_connect(f->folder, &f->err), -1);
    f->listen_fd = recorder_ipc_listen(f->folder, &f->err);
    assert_true(f->listen_fd >= 0);
}

static void test_a_path_too_long_for_a_socket_is_named(void **state)
{
    struct fixture *f = *state;
    char folder[150];

    memset(folder, 'd', sizeof(folder) - 1);
    folder[0] = '/';
    folder[sizeof(folder) - 1] = '\0';
    assert_int_equal(recorder_ipc_connect(folder, &f->err), -1);
    assert_int_equal(f->err.code, ERR_INPUT);
    assert_non_null(strstr(f->err.text, "path of a socket is longer than 107 bytes: /ddd"));
    assert_int_equal(recorder_ipc_listen(folder, &f->err), -1);
    assert_int_equal(f->err.code, ERR_INPUT);
}

/* ---- the page ---- */

static void open_page(struct fixture *f)
{
    assert_int_equal(recorder_page_create(f->folder, &f->page, &f->err), 0);
    assert_int_equal(recorder_page_map(f->folder, &f->view, &f->err), 0);
}

static void test_the_page_shows_what_was_written_and_outlives_its_recorder(void **state)
{
    struct fixture *f = *state;
    struct recorder_page now = { .state = RECORDER_RUNNING, .n_samples = 123, .version = 77 };
    struct recorder_page copy;

    assert_int_equal(recorder_page_map(f->folder, &f->view, &f->err), -1);
    assert_int_equal(f->err.code, ERR_NOT_FOUND);
    open_page(f);
    assert_true(recorder_page_read(f->view, &copy));
    assert_int_equal(copy.state, RECORDER_IDLE);
    snprintf(now.fault, sizeof(now.fault), "broken");
    recorder_page_write(f->page, &now);
    recorder_page_destroy(&f->page);
    assert_true(recorder_page_read(f->view, &copy));
    assert_int_equal(copy.version, RECORDER_IPC_VERSION); /* the page's own */
    assert_int_equal(copy.n_samples, 123);
    assert_string_equal(copy.fault, "broken");
    assert_int_equal(recorder_page_create(f->folder, &f->page, &f->err), 0);
    assert_true(recorder_page_read(f->page, &copy));
    assert_int_equal(copy.n_samples, 123); /* kept for the next agent */
}

static void test_a_page_that_was_being_written_at_death_is_not_believed(void **state)
{
    struct fixture *f = *state;
    struct recorder_page now = { .n_samples = 5 };
    struct recorder_page copy;
    int64_t begin_ns = 0;

    open_page(f);
    recorder_page_write(f->page, &now);
    f->page->lock++;
    begin_ns = clock_mono_ns();
    assert_false(recorder_page_read(f->view, &copy));
    assert_true(clock_mono_ns() - begin_ns < NS_PER_S / 2); /* the agent has a loop to serve */
    recorder_page_destroy(&f->page);
    assert_int_equal(recorder_page_create(f->folder, &f->page, &f->err), 0);
    assert_true(recorder_page_read(f->view, &copy));
    assert_int_equal(copy.n_samples, 0); /* it begins anew */
}

static void test_a_page_of_another_version_or_size_is_not_read(void **state)
{
    struct fixture *f = *state;
    struct recorder_page copy;
    char path[TEMP_PATH_SIZE];

    open_page(f);
    f->page->version = RECORDER_IPC_VERSION + 1;
    assert_false(recorder_page_read(f->view, &copy));
    recorder_page_unmap(&f->view);
    recorder_page_destroy(&f->page);
    recorder_ipc_page_path(f->folder, path, sizeof(path));
    assert_int_equal(truncate(path, 100), 0);
    assert_int_equal(recorder_page_map(f->folder, &f->view, &f->err), -1);
    assert_int_equal(f->err.code, ERR_INPUT);
    assert_non_null(strstr(f->err.text, "size of another version"));
    assert_int_equal(recorder_page_create(f->folder, &f->page, &f->err), 0);
    assert_int_equal(recorder_page_map(f->folder, &f->view, &f->err), 0);
    assert_true(recorder_page_read(f->view, &copy));
}

struct writer {
    struct recorder_page *page;
    _Atomic bool quits;
};

static void *write_on(void *arg)
{
    static const struct timespec rest = { 0, 20000 };
    struct writer *writer = arg;

    for (uint64_t i = 0; !atomic_load(&writer->quits); i++) {
        struct recorder_page now = {
            .experiment = i, .n_samples = i, .log_bytes = i, .clock_residual_ns = (int64_t)i
        };

        recorder_page_write(writer->page, &now);
        if (i % 8 == 0) {
            nanosleep(&rest, NULL);
        }
    }
    return NULL;
}

static void test_a_copy_is_never_half_of_two_writes(void **state)
{
    struct fixture *f = *state;
    struct writer writer;
    pthread_t thread;
    unsigned n_changes = 0;
    uint64_t last = 0;
    int64_t end_ns = clock_mono_ns() + 200 * NS_PER_MS;

    open_page(f);
    writer.page = f->page;
    atomic_init(&writer.quits, false);
    assert_int_equal(pthread_create(&thread, NULL, write_on, &writer), 0);
    while (clock_mono_ns() < end_ns) {
        struct recorder_page copy;

        if (recorder_page_read(f->view, &copy)) {
            n_changes += copy.experiment != last;
            last = copy.experiment;
            assert_true(copy.n_samples == last && copy.log_bytes == last
                        && copy.clock_residual_ns == (int64_t)last);
        }
    }
    atomic_store(&writer.quits, true);
    pthread_join(thread, NULL);
    assert_true(n_changes > 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_requests_and_events_carry_version_and_size),
        TEST(test_rows_go_out_until_the_queue_is_full_and_never_wait),
        TEST(test_another_version_is_refused_and_an_end_is_told),
        TEST(test_one_recorder_listens_and_a_dead_ones_socket_makes_room),
        TEST(test_a_path_too_long_for_a_socket_is_named),
        TEST(test_the_page_shows_what_was_written_and_outlives_its_recorder),
        TEST(test_a_page_that_was_being_written_at_death_is_not_believed),
        TEST(test_a_page_of_another_version_or_size_is_not_read),
        TEST(test_a_copy_is_never_half_of_two_writes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
