/* SPDX-License-Identifier: MIT */
/* The thread for slow work: order, threads, and what is still queued at the end. */
#include "sheep/worker.h"

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    N_JOBS = 50
};

struct fixture {
    zloop_t *loop;
    struct worker *worker;
    sem_t gate;
    pthread_t reactor;
    unsigned order[N_JOBS];
    unsigned n_done;
    bool is_wrong_thread;
};

struct work {
    struct fixture *f;
    unsigned number;
    bool has_run;
    bool ends_loop;
    bool waits;
};

static void run(void *arg)
{
    struct work *work = arg;

    if (work->waits) {
        while (sem_wait(&work->f->gate) < 0) {}
    }
    work->f->is_wrong_thread |= pthread_equal(pthread_self(), work->f->reactor) != 0;
    work->has_run = true;
}

static void done(void *owner, void *arg)
{
    struct fixture *f = owner;
    struct work *work = arg;

    assert_ptr_equal(work->f, f);
    assert_true(work->has_run);
    assert_true(pthread_equal(pthread_self(), f->reactor));
    f->order[f->n_done++] = work->number;
    if (work->ends_loop) {
        zsys_interrupted = 1;
    }
    free(work);
}

static struct work *submit(struct fixture *f, unsigned number)
{
    struct work *work = calloc(1, sizeof(*work));
    struct worker_job job = { .run = run, .done = done, .owner = f, .arg = work };
    struct err err = { 0 };

    assert_non_null(work);
    work->f = f;
    work->number = number;
    work->ends_loop = number == N_JOBS - 1;
    work->waits = number == 0;
    assert_int_equal(worker_submit(f->worker, &job, &err), 0);
    return work;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct err err = { 0 };

    assert_non_null(f);
    zsys_handler_set(NULL);
    f->reactor = pthread_self();
    assert_int_equal(sem_init(&f->gate, 0, 0), 0);
    f->loop = zloop_new();
    assert_non_null(f->loop);
    f->worker = worker_create(f->loop, &err);
    assert_non_null(f->worker);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    sem_post(&f->gate);
    worker_destroy(&f->worker);
    assert_null(f->worker);
    zloop_destroy(&f->loop);
    sem_destroy(&f->gate);
    zsys_interrupted = 0;
    free(f);
    return 0;
}

static void test_jobs_run_elsewhere_and_are_done_here_in_their_order(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < N_JOBS; i++) {
        submit(f, i);
    }
    assert_int_equal(f->n_done, 0); /* the reactor was not held up by the first, which waits */
    sem_post(&f->gate);
    zloop_start(f->loop);
    assert_int_equal(f->n_done, N_JOBS);
    for (unsigned i = 0; i < N_JOBS; i++) {
        assert_int_equal(f->order[i], i);
    }
    assert_false(f->is_wrong_thread);
}

static void test_destroy_waits_for_all_that_was_submitted(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 10; i++) {
        submit(f, i);
    }
    sem_post(&f->gate);
    worker_destroy(&f->worker);
    assert_null(f->worker);
    assert_int_equal(f->n_done, 10);
    assert_int_equal(f->order[9], 9);
    worker_destroy(&f->worker); /* harmless */
}

static void test_a_worker_without_work_ends(void **state)
{
    struct fixture *f = *state;

    worker_destroy(&f->worker);
    assert_null(f->worker);
    assert_int_equal(f->n_done, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_jobs_run_elsewhere_and_are_done_here_in_their_order),
        TEST(test_destroy_waits_for_all_that_was_submitted),
        TEST(test_a_worker_without_work_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
