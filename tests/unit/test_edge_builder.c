/* SPDX-License-Identifier: MIT */
/* Edges of the ring, placed by the block they fall into, read back from a log. */
#include "sheep/edge_builder.h"

#include "tests/support/board_memory.h"
#include "tests/support/log_bench.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    BLOCK_TICKS = PRU_BLOCK_SAMPLES * PRU_SAMPLE_TICKS,
    BLOCK_NS = 10000000,
    MAX_EDGES = 40000,
    N_BUFFERS = 16 /* of the worker's */
};

static const int64_t T_NS = INT64_C(1800000000) * 1000000000;
static const uint64_t START_TICK = 77000000;

struct fixture {
    struct log_bench bench;
    struct log_worker *worker;
    struct board_memory *memory;
    struct pru_link link;
    struct edge_builder builder;
    struct gpio_edge edges[MAX_EDGES]; /* all that the log holds */
    size_t n_edges;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct log_worker_options options = { .memory_bytes = 1u << 20, .has_edges = true };
    struct rlog_writer *writer = NULL;
    struct err err = { 0 };

    assert_non_null(f);
    log_bench_init(&f->bench);
    options.event_fd = f->bench.event_fd;
    writer = log_bench_writer(&f->bench);
    f->worker = log_worker_create(&options, &writer, &err);
    assert_non_null(f->worker);
    f->memory = board_memory_create();
    pru_link_init(&f->link, &f->memory->board);
    f->link.gpio_tick = START_TICK - PRU_SAMPLE_TICKS; /* as ARM leaves it */
    edge_builder_init(&f->builder, f->worker, &f->link, 0xFFFF);
    f->builder.T_ns = T_NS;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    log_worker_destroy(&f->worker);
    board_memory_destroy(&f->memory);
    log_bench_fini(&f->bench);
    free(f);
    return 0;
}

/* An edge so many ticks after the trigger of sample 0. */
static void edge(struct fixture *f, uint64_t ticks, uint16_t pins)
{
    board_memory_edge(f->memory, START_TICK + ticks, pins);
}

static struct pru_block block_number(uint64_t b)
{
    struct pru_block block;

    board_memory_fill(&block, b * PRU_BLOCK_SAMPLES, START_TICK + b * BLOCK_TICKS,
                      PRU_BLOCK_SAMPLES);
    return block;
}

static void take(struct fixture *f, uint64_t b)
{
    struct pru_block block = block_number(b);

    edge_builder_block(&f->builder, &block);
}

static void finish(struct fixture *f)
{
    const struct log_record *record = NULL;
    struct err err = { 0 };

    edge_builder_flush(&f->builder);
    log_bench_finish(&f->bench, &f->worker, NULL);
    for (size_t n = 0;
         (record = log_bench_find(&f->bench, RLOG_EDGES, RLOG_STREAM_GPIO, n)) != NULL; n++) {
        assert_true(f->n_edges + record->header.count <= MAX_EDGES);
        assert_int_equal(gpio_codec_decode(record->payload, record->size, f->edges + f->n_edges,
                                           record->header.count, &err),
                         0);
        f->n_edges += record->header.count;
    }
    assert_int_equal(f->builder.n_edges, f->n_edges);
}

static void expect(const struct fixture *f, size_t i, int64_t ns, uint16_t pins)
{
    assert_true(i < f->n_edges);
    assert_true(llabs(f->edges[i].time_ns - T_NS - ns) <= 2);
    assert_int_equal(f->edges[i].value, pins);
}

static void test_an_edge_lies_where_its_tick_is_in_the_block(void **state)
{
    struct fixture *f = *state;

    edge(f, 0, 1);
    edge(f, 1, 3);
    edge(f, PRU_SAMPLE_TICKS, 2);
    edge(f, BLOCK_TICKS - 1, 0);
    edge(f, BLOCK_TICKS, 1);
    take(f, 0);
    assert_int_equal(pru_link_edges_waiting(&f->link), 1); /* its block has not come */
    take(f, 1);
    finish(f);
    assert_int_equal(f->n_edges, 5);
    expect(f, 0, 0, 1);
    expect(f, 1, 5, 3);
    expect(f, 2, 10000, 2);
    expect(f, 3, BLOCK_NS - 5, 0);
    expect(f, 4, BLOCK_NS, 1);
}

/* A sample lasts 10 us of UTC whatever the counter's rate: the period says how many ticks. */
static void test_the_period_in_force_is_the_measure(void **state)
{
    static const uint32_t PERIODS[] = { 2000u * 1048366, 2000u * 1048576, 2000u * 1048786 };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(PERIODS); i++) {
        struct pru_block block = block_number(i);
        uint64_t ticks = (uint64_t)PRU_BLOCK_SAMPLES / 2 * PERIODS[i] >> 20;

        block.period_ticks_q20 = PERIODS[i];
        edge(f, i * BLOCK_TICKS + ticks, (uint16_t)(i + 1));
        edge_builder_block(&f->builder, &block);
    }
    finish(f);
    assert_int_equal(f->n_edges, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_true(llabs(f->edges[i].time_ns - T_NS - (int64_t)i * BLOCK_NS - BLOCK_NS / 2)
                    <= 7); /* a tick, and 2 ns */
    }
}

static void test_masked_pins_make_no_edges(void **state)
{
    struct fixture *f = *state;

    f->builder.mask = 0x0003;
    edge(f, 10, 0x8001);
    edge(f, 20, 0x0001); /* only bit 15 changes */
    edge(f, 30, 0x0005); /* only bit 2 */
    edge(f, 40, 0x0006);
    take(f, 0);
    finish(f);
    assert_int_equal(f->n_edges, 2);
    expect(f, 0, 50, 1);
    expect(f, 1, 200, 2);
}

static void test_the_first_state_is_an_edge_even_if_all_pins_are_low(void **state)
{
    struct fixture *f = *state;

    edge(f, 10, 0);
    edge(f, 20, 0);
    take(f, 0);
    finish(f);
    assert_int_equal(f->n_edges, 1);
    expect(f, 0, 50, 0);
}

static void test_without_pins_to_record_nothing_is_touched(void **state)
{
    struct fixture *f = *state;

    f->builder.mask = 0;
    f->memory->board.shm.control->gpio_lost = 4;
    edge(f, 10, 1);
    take(f, 0);
    assert_int_equal(pru_link_edges_waiting(&f->link), 1);
    finish(f);
    assert_int_equal(f->n_edges, 0);
    assert_int_equal(log_bench_count(&f->bench, RLOG_GAP, RLOG_STREAM_NONE), 0);
}

static void test_lost_edges_are_a_gap_of_their_stream_since_the_last_look(void **state)
{
    struct fixture *f = *state;
    struct rlog_gap gap;

    take(f, 0);
    f->memory->board.shm.control->gpio_lost = 3;
    take(f, 1);
    take(f, 2);
    f->memory->board.shm.control->gpio_lost = 4;
    take(f, 4); /* block 3 was lost */
    finish(f);
    assert_int_equal(log_bench_count(&f->bench, RLOG_GAP, RLOG_STREAM_NONE), 2);
    gap = log_bench_gap(&f->bench, 0);
    assert_int_equal(gap.first_sample, 1000);
    assert_int_equal(gap.n_samples, 1000);
    assert_int_equal(gap.cause, RLOG_GAP_RING);
    assert_int_equal(gap.stream, RLOG_STREAM_GPIO);
    gap = log_bench_gap(&f->bench, 1);
    assert_int_equal(gap.first_sample, 3000);
    assert_int_equal(gap.n_samples, 2000);
}

static void test_more_edges_than_a_buffer_holds_all_arrive(void **state)
{
    enum {
        COUNT = 2 * LOG_WORKER_EDGES + 100
    };
    struct fixture *f = *state;

    for (uint64_t i = 0; i < COUNT; i++) {
        edge(f, i * 100, (uint16_t)(i % 2 + 1));
    }
    take(f, 0);
    finish(f);
    assert_int_equal(f->n_edges, COUNT);
    assert_int_equal(log_bench_count(&f->bench, RLOG_EDGES, RLOG_STREAM_GPIO), 3);
    for (size_t i = 0; i < COUNT; i++) {
        expect(f, i, (int64_t)i * 500, (uint16_t)(i % 2 + 1));
    }
}

static void test_without_a_buffer_edges_wait_in_the_ring(void **state)
{
    struct fixture *f = *state;
    struct gpio_edge *held[N_BUFFERS];

    for (size_t i = 0; i < N_BUFFERS; i++) {
        held[i] = log_worker_edges(f->worker);
        assert_non_null(held[i]);
    }
    assert_null(log_worker_edges(f->worker));
    edge(f, 100, 1);
    take(f, 0);
    assert_int_equal(pru_link_edges_waiting(&f->link), 1);
    held[0][0] = (struct gpio_edge){ .time_ns = T_NS - 1000, .value = 0 };
    log_worker_put_edges(f->worker, held[0], 1, 0, 1);
    for (int i = 0; pru_link_edges_waiting(&f->link) != 0 && i < 10000; i++) {
        poll(NULL, 0, 1);
        take(f, 1); /* the same block again, until a buffer came back */
    }
    f->builder.n_edges++; /* the one of this test */
    finish(f);
    assert_int_equal(f->n_edges, 2);
    expect(f, 1, 500, 1); /* though it lies in the block before */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_an_edge_lies_where_its_tick_is_in_the_block),
        TEST(test_the_period_in_force_is_the_measure),
        TEST(test_masked_pins_make_no_edges),
        TEST(test_the_first_state_is_an_edge_even_if_all_pins_are_low),
        TEST(test_without_pins_to_record_nothing_is_touched),
        TEST(test_lost_edges_are_a_gap_of_their_stream_since_the_last_look),
        TEST(test_more_edges_than_a_buffer_holds_all_arrive),
        TEST(test_without_a_buffer_edges_wait_in_the_ring),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
