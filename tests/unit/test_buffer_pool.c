/* SPDX-License-Identifier: MIT */
/* Buffers between two threads: each is with one of them at a time, in their order. */
#include "sheep/buffer_pool.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum {
    N_BUFFERS = 5,
    N_ROUNDS = 20000
};

static void test_buffers_come_back_in_the_order_they_were_given(void **state)
{
    int buffers[3];
    struct buffer_pool pool;

    (void)state;
    assert_true(buffer_pool_init(&pool, 3));
    assert_int_equal(buffer_pool_count(&pool), 0);
    assert_null(buffer_pool_take(&pool));
    for (int round = 0; round < 10; round++) { /* across the end of its memory */
        buffer_pool_give(&pool, &buffers[0]);
        buffer_pool_give(&pool, &buffers[1]);
        assert_int_equal(buffer_pool_count(&pool), 2);
        assert_ptr_equal(buffer_pool_take(&pool), &buffers[0]);
        assert_ptr_equal(buffer_pool_take(&pool), &buffers[1]);
        assert_null(buffer_pool_take(&pool));
    }
    for (int i = 0; i < 3; i++) {
        buffer_pool_give(&pool, &buffers[i]);
    }
    assert_int_equal(buffer_pool_count(&pool), 3);
    assert_ptr_equal(buffer_pool_take(&pool), &buffers[0]);
    buffer_pool_fini(&pool);
}

static void test_a_pool_for_none_has_none(void **state)
{
    struct buffer_pool pool;

    (void)state;
    assert_true(buffer_pool_init(&pool, 0));
    assert_int_equal(buffer_pool_count(&pool), 0);
    assert_null(buffer_pool_take(&pool));
    buffer_pool_fini(&pool);
}

/* One thread fills what it takes, the other reads it and gives it back. */
struct ring {
    struct buffer_pool empty;
    struct buffer_pool full;
    uint64_t buffers[N_BUFFERS];
};

static void *fill(void *arg)
{
    struct ring *ring = arg;

    for (uint64_t i = 0; i < N_ROUNDS;) {
        uint64_t *buffer = buffer_pool_take(&ring->empty);

        if (buffer == NULL) {
            sched_yield();
            continue;
        }
        *buffer = i++;
        buffer_pool_give(&ring->full, buffer);
    }
    return NULL;
}

static void test_what_was_written_is_there_for_the_other_thread(void **state)
{
    struct ring ring;
    pthread_t thread;

    (void)state;
    assert_true(buffer_pool_init(&ring.empty, N_BUFFERS));
    assert_true(buffer_pool_init(&ring.full, N_BUFFERS));
    for (int i = 0; i < N_BUFFERS; i++) {
        buffer_pool_give(&ring.empty, &ring.buffers[i]);
    }
    assert_int_equal(pthread_create(&thread, NULL, fill, &ring), 0);
    for (uint64_t i = 0; i < N_ROUNDS;) {
        uint64_t *buffer = buffer_pool_take(&ring.full);

        if (buffer == NULL) {
            sched_yield();
            continue;
        }
        assert_true(*buffer == i);
        i++;
        *buffer = UINT64_MAX;
        buffer_pool_give(&ring.empty, buffer);
    }
    pthread_join(thread, NULL);
    assert_int_equal(buffer_pool_count(&ring.empty), N_BUFFERS);
    buffer_pool_fini(&ring.empty);
    buffer_pool_fini(&ring.full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buffers_come_back_in_the_order_they_were_given),
        cmocka_unit_test(test_a_pool_for_none_has_none),
        cmocka_unit_test(test_what_was_written_is_there_for_the_other_thread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
