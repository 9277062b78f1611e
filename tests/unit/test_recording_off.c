/* SPDX-License-Identifier: MIT */
/* What is off costs nothing: no byte in the log, no memory, no time of the processor. */
#include "tests/support/alloc_fault.h"
#include "tests/support/recording_bench.h"
#include "tests/support/thread_cpu.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum {
    N_SAMPLES = 500000,
    EDGES_PER_BLOCK = 200,
    N_ROUNDS = 3
};

struct setting {
    bool voltage;
    bool current;
    bool storage;
    bool gpio;
};

struct cost {
    uint64_t bytes[RLOG_N_STREAMS]; /* of records, their headers included; 0: of no stream */
    struct alloc_total set_up;
    struct alloc_total run; /* from the start to the end of the log */
    int64_t cpu_ns;         /* of all threads but the board's, from the start on */
};

static const struct setting NOTHING = { 0 };
static const struct setting VOLTAGE = { .voltage = true };
static const struct setting CURRENT = { .current = true };
static const struct setting BOTH = { .voltage = true, .current = true };
static const struct setting ALL = { true, true, true, true };

static void configure(struct bench *bench, const struct setting *setting)
{
    struct rlog_manifest *manifest = &bench->request.manifest;

    manifest->n_planned = N_SAMPLES;
    manifest->has_voltage = setting->voltage;
    manifest->has_current = setting->current;
    manifest->has_storage = setting->storage;
    manifest->gpio_mask = setting->gpio ? 3 : 0;
    bench->plan.edges_per_block = EDGES_PER_BLOCK; /* that there are, recorded or not */
}

static void weigh_log(const struct bench *bench, struct cost *cost)
{
    struct rlog_record record;
    struct err err = { 0 };
    struct rlog_reader *reader = rlog_reader_open(bench->request.log_folder, &err);

    assert_non_null(reader);
    while (rlog_reader_next(reader, &record, &err) == RLOG_NEXT_RECORD) {
        cost->bytes[record.header.stream] += sizeof(record.header) + record.header.payload_size;
    }
    rlog_reader_close(&reader);
}

static void discard(struct bench *bench)
{
    struct err err = { 0 };

    recording_destroy(&bench->recording);
    bench->board->ops->destroy(bench->board);
    bench->board = NULL;
    assert_int_equal(rlog_remove(bench->request.log_folder, &err), 0);
}

static struct alloc_total since(struct alloc_total before)
{
    struct alloc_total now = alloc_fault_total();

    return (struct alloc_total){ now.n_calls - before.n_calls, now.n_bytes - before.n_bytes };
}

/* Of some rounds the one that took the least time: others on the machine only add to it. */
static struct cost measure(struct bench *bench, const struct setting *setting, int n_rounds)
{
    struct cost least = { .cpu_ns = INT64_MAX };

    configure(bench, setting);
    for (int i = 0; i < n_rounds; i++) {
        struct cost cost = { 0 };
        struct alloc_total before = alloc_fault_total();

        bench_prepare(bench);
        cost.set_up = since(before);
        bench_start(bench);
        before = alloc_fault_total();
        int64_t begin_ns = thread_cpu_ns("bw-board");

        bench_run(bench);
        cost.cpu_ns = thread_cpu_ns("bw-board") - begin_ns;
        cost.run = since(before);
        assert_string_equal(bench->page.fault, "");
        assert_int_equal(bench->page.end.n_samples, N_SAMPLES);
        weigh_log(bench, &cost);
        discard(bench);
        if (cost.cpu_ns < least.cpu_ns) {
            least = cost;
        }
    }
    print_message("V %d I %d store %d pins %d: set-up %" PRId64 " calls, %" PRId64
                  " bytes; run %" PRId64 " calls, %.2f ms of processor per second of data\n",
                  setting->voltage, setting->current, setting->storage, setting->gpio,
                  least.set_up.n_calls, least.set_up.n_bytes, least.run.n_calls,
                  (double)least.cpu_ns / 1e6 / (N_SAMPLES / 1e5));
    return least;
}

static void test_streams_that_are_off_have_no_byte(void **state)
{
    static const uint8_t traces[] = { RLOG_STREAM_VOLTAGE, RLOG_STREAM_CURRENT,
                                      RLOG_STREAM_STORAGE_VOLTAGE, RLOG_STREAM_STORAGE_CURRENT,
                                      RLOG_STREAM_GPIO };
    const struct cost nothing = measure(*state, &NOTHING, 1);
    const struct cost voltage = measure(*state, &VOLTAGE, 1);
    const struct cost all = measure(*state, &ALL, 1);

    for (size_t i = 0; i < ARRAY_LEN(traces); i++) {
        assert_int_equal(nothing.bytes[traces[i]], 0);
        assert_true((voltage.bytes[traces[i]] != 0) == (traces[i] == RLOG_STREAM_VOLTAGE));
        assert_true(all.bytes[traces[i]] > N_SAMPLES / 100);
    }
    /* START, END and an anchor now and then */
    assert_in_range(nothing.bytes[0], 100, 10000);
}

static void test_streams_that_are_off_have_no_memory(void **state)
{
    const struct cost nothing = measure(*state, &NOTHING, 1);
    const struct cost voltage = measure(*state, &VOLTAGE, 1);
    const struct cost current = measure(*state, &CURRENT, 1);
    const struct cost both = measure(*state, &BOTH, 1);

    /* Each stream asks for the same beyond what any recording needs, wherever it is alone. */
    assert_true(voltage.set_up.n_calls > nothing.set_up.n_calls);
    assert_true(voltage.set_up.n_bytes > nothing.set_up.n_bytes + 100000);
    assert_true(voltage.set_up.n_calls == current.set_up.n_calls);
    assert_true(voltage.set_up.n_bytes == current.set_up.n_bytes);
    assert_true(both.set_up.n_calls - voltage.set_up.n_calls
                == voltage.set_up.n_calls - nothing.set_up.n_calls);
    assert_true(both.set_up.n_bytes - voltage.set_up.n_bytes
                == voltage.set_up.n_bytes - nothing.set_up.n_bytes);
}

static void test_a_run_asks_for_no_memory(void **state)
{
    const struct cost all = measure(*state, &ALL, 1);

    assert_int_equal(all.run.n_calls, 0);
}

/* A trace that is off takes neither its share nor a look at its samples. */
static void test_streams_that_are_off_have_no_time(void **state)
{
    const struct cost nothing = measure(*state, &NOTHING, N_ROUNDS);
    const struct cost voltage = measure(*state, &VOLTAGE, N_ROUNDS);
    const struct cost both = measure(*state, &BOTH, N_ROUNDS);
    const struct cost all = measure(*state, &ALL, N_ROUNDS);

    assert_true(4 * nothing.cpu_ns < voltage.cpu_ns);
    assert_true(4 * voltage.cpu_ns < 3 * both.cpu_ns);
    assert_true(4 * both.cpu_ns < 3 * all.cpu_ns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_streams_that_are_off_have_no_byte, bench_set_up,
                                        bench_tear_down),
        cmocka_unit_test_setup_teardown(test_streams_that_are_off_have_no_memory, bench_set_up,
                                        bench_tear_down),
        cmocka_unit_test_setup_teardown(test_a_run_asks_for_no_memory, bench_set_up,
                                        bench_tear_down),
        cmocka_unit_test_setup_teardown(test_streams_that_are_off_have_no_time, bench_set_up,
                                        bench_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
