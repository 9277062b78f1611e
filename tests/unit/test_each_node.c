/* SPDX-License-Identifier: MIT */
/* Work for many nodes in threads: once for each that is selected. */
#include "herd/each_node.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum {
    N_NODES = 200,
    N_THREADS = 32
};

struct bench {
    struct inventory inventory;
    struct context context;
    bool selected[N_NODES];
    atomic_uint n_calls[N_NODES];
    pthread_barrier_t barrier;
};

static void select_nodes(struct bench *bench, size_t every)
{
    memset(bench, 0, sizeof(*bench));
    bench->inventory.n_nodes = N_NODES;
    bench->context.inventory = &bench->inventory;
    bench->context.selected = bench->selected;
    for (size_t i = 0; i < N_NODES; i += every) {
        bench->selected[i] = true;
        bench->context.n_selected++;
    }
}

static void count(void *arg, size_t i)
{
    atomic_fetch_add(&((struct bench *)arg)->n_calls[i], 1);
}

static void test_each_that_is_selected_once(void **state)
{
    static const size_t EVERY[] = { 1, 3, 50, N_NODES };
    static struct bench bench;

    (void)state;
    for (size_t k = 0; k < sizeof(EVERY) / sizeof(EVERY[0]); k++) {
        select_nodes(&bench, EVERY[k]);
        each_node(&bench.context, count, &bench);
        for (size_t i = 0; i < N_NODES; i++) {
            assert_int_equal(bench.n_calls[i], bench.selected[i] ? 1 : 0);
        }
    }
}

static void test_nobody_is_selected(void **state)
{
    static struct bench bench;

    (void)state;
    select_nodes(&bench, N_NODES);
    bench.selected[0] = false;
    bench.context.n_selected = 0;
    each_node(&bench.context, count, &bench);
    for (size_t i = 0; i < N_NODES; i++) {
        assert_int_equal(bench.n_calls[i], 0);
    }
}

/* Goes on only when all of the threads are here. */
static void meet(void *arg, size_t i)
{
    struct bench *bench = arg;

    atomic_fetch_add(&bench->n_calls[i], 1);
    pthread_barrier_wait(&bench->barrier);
}

static void test_nodes_do_not_wait_for_each_other(void **state)
{
    static struct bench bench;

    (void)state;
    select_nodes(&bench, 1);
    bench.inventory.n_nodes = N_THREADS;
    bench.context.n_selected = N_THREADS;
    assert_int_equal(pthread_barrier_init(&bench.barrier, NULL, N_THREADS), 0);
    each_node(&bench.context, meet, &bench);
    pthread_barrier_destroy(&bench.barrier);
    for (size_t i = 0; i < N_THREADS; i++) {
        assert_int_equal(bench.n_calls[i], 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_that_is_selected_once),
        cmocka_unit_test(test_nobody_is_selected),
        cmocka_unit_test(test_nodes_do_not_wait_for_each_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
