/* SPDX-License-Identifier: MIT */
/* The queue before the disk: order, memory, syncs, failures, read back from the log. */
#include "sheep/log_sink.h"

#include "tests/support/disk_fault.h"
#include "tests/support/log_bench.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    MEMORY_BYTES = 4 << 20,
    STALL_MS = 30
};

struct fixture {
    struct log_bench bench;
    struct log_sink *sink;
    struct log_sink_status status;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct rlog_writer *writer = NULL;
    struct err err = { 0 };

    assert_non_null(f);
    disk_fault_reset();
    log_bench_init(&f->bench);
    writer = log_bench_writer(&f->bench);
    f->sink = log_sink_create(&writer, MEMORY_BYTES, f->bench.event_fd, &err);
    assert_non_null(f->sink);
    assert_null(writer);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    disk_fault_reset();
    log_sink_destroy(&f->sink);
    log_bench_fini(&f->bench);
    free(f);
    return 0;
}

static uint8_t byte_at(uint64_t number, size_t i)
{
    return (uint8_t)(number * 31 + i * 7 + i / 256);
}

/* A record whose payload follows from its number; false when there is no room. */
static bool put(struct fixture *f, uint64_t number, size_t size)
{
    struct rlog_record_header header = { .type = RLOG_TEXT,
                                         .stream = RLOG_STREAM_UART,
                                         .first = number };
    uint8_t *place = log_sink_reserve(f->sink, size);

    if (place == NULL) {
        return false;
    }
    assert_int_equal((uintptr_t)place % 8, 0);
    for (size_t i = 0; i < size; i++) {
        place[i] = byte_at(number, i);
    }
    log_sink_commit(f->sink, &header, size);
    return true;
}

static void put_patiently(struct fixture *f, uint64_t number, size_t size)
{
    for (int i = 0; !put(f, number, size); i++) {
        assert_true(i < 10000);
        poll(NULL, 0, 1);
    }
}

static void await(struct fixture *f, bool finished)
{
    do {
        log_bench_wait(&f->bench);
        log_sink_status(f->sink, &f->status);
    } while (finished && !f->status.is_finished);
}

static void finish(struct fixture *f)
{
    struct rlog_end end = { .n_samples = 12 };

    log_sink_finish(f->sink, &end);
    await(f, true);
}

static void expect_record(const struct fixture *f, size_t n, uint64_t number, size_t size)
{
    const struct log_record *record = log_bench_find(&f->bench, RLOG_TEXT, RLOG_STREAM_UART, n);
    size_t n_wrong = 0;

    assert_non_null(record);
    assert_int_equal(record->header.first, number);
    assert_int_equal(record->size, size);
    for (size_t i = 0; i < size; i++) {
        n_wrong += record->payload[i] != byte_at(number, i);
    }
    assert_int_equal(n_wrong, 0);
}

static void test_records_of_every_size_come_in_their_order(void **state)
{
    static const size_t SIZES[] = { 0, 1, 7, 8, 9, 511, 65536, 700000, 3, 700000, 0, 65537 };
    struct fixture *f = *state;
    struct rlog_end end;
    uint8_t digest[RLOG_DIGEST_BYTES];
    uint64_t bytes = 0;
    struct err err = { 0 };

    for (size_t i = 0; i < 3 * ARRAY_LEN(SIZES); i++) {
        put_patiently(f, i, SIZES[i % ARRAY_LEN(SIZES)]);
    }
    finish(f);
    assert_false(f->status.is_failed);
    log_bench_read(&f->bench, true);
    assert_int_equal(f->bench.n_records, 3 * ARRAY_LEN(SIZES) + 1);
    for (size_t i = 0; i < 3 * ARRAY_LEN(SIZES); i++) {
        expect_record(f, i, i, SIZES[i % ARRAY_LEN(SIZES)]);
    }
    assert_int_equal(rlog_verify(f->bench.log, &end, digest, &bytes, &err), 0);
    assert_int_equal(end.n_samples, 12);
    assert_memory_equal(digest, f->status.digest, sizeof(digest));
    assert_int_equal(f->status.durable.total, bytes);
}

static void test_a_sync_makes_what_was_committed_durable(void **state)
{
    struct fixture *f = *state;
    uint64_t before = 0;

    put(f, 1, 1000);
    log_sink_sync(f->sink);
    await(f, false);
    before = f->status.durable.total;
    assert_true(before > 1000);
    assert_false(f->status.is_finished);
    log_bench_read(&f->bench, false);
    expect_record(f, 0, 1, 1000);
    put(f, 2, 2000);
    log_sink_sync(f->sink);
    await(f, false);
    assert_int_equal(f->status.durable.total, before + 24 + 2000);
    log_bench_read(&f->bench, false);
    expect_record(f, 1, 2, 2000);
}

static void test_no_room_for_more_than_a_slab(void **state)
{
    struct fixture *f = *state;

    assert_null(log_sink_reserve(f->sink, 1 << 20));
    assert_null(log_sink_reserve(f->sink, (1 << 20) - 24));
    assert_non_null(log_sink_reserve(f->sink, (1 << 20) - 64));
    finish(f);
    log_bench_read(&f->bench, true);
    assert_int_equal(f->bench.n_records, 1); /* what was reserved was not committed */
}

static void test_a_stalled_disk_fills_the_memory_and_loses_nothing(void **state)
{
    struct fixture *f = *state;
    uint64_t n = 0;

    disk_fault_hold_sync();
    log_sink_sync(f->sink);
    assert_true(disk_fault_await_held());
    poll(NULL, 0, STALL_MS);
    while (put(f, n, 100000)) {
        n++;
    }
    assert_in_range(n, 35, 41);
    assert_in_range(log_sink_fill_percent(f->sink), 88, 100);
    disk_fault_release_sync();
    for (; n < 60; n++) {
        put_patiently(f, n, 100000);
    }
    finish(f);
    assert_int_equal(f->status.fill_percent, 0);
    assert_in_range(f->status.fill_max_percent, 88, 100);
    assert_true(f->status.sync_max_ns >= STALL_MS * INT64_C(1000000));
    log_bench_read(&f->bench, true);
    assert_int_equal(f->bench.n_records, 61);
    for (uint64_t i = 0; i < 60; i++) {
        expect_record(f, i, i, 100000);
    }
}

static void test_a_failed_write_is_told_and_the_producer_goes_on(void **state)
{
    struct fixture *f = *state;

    put(f, 0, 5000);
    log_sink_sync(f->sink);
    await(f, false);
    disk_fault_fail_from(disk_fault_count(), EIO);
    for (uint64_t n = 1; n < 50; n++) {
        put_patiently(f, n, 200000); /* twice the memory: taken off, and discarded */
    }
    finish(f);
    assert_true(f->status.is_failed);
    assert_true(f->status.is_finished);
    assert_int_equal(f->status.err.code, ERR_SYSTEM);
    assert_non_null(strstr(f->status.err.text, strerror(EIO)));
    disk_fault_reset();
    log_bench_read(&f->bench, false);
    expect_record(f, 0, 0, 5000);
    assert_null(log_bench_find(&f->bench, RLOG_END, RLOG_STREAM_NONE, 0));
}

static void test_a_full_disk_has_a_code_of_its_own(void **state)
{
    struct fixture *f = *state;

    put(f, 0, 5000);
    disk_fault_fail_from(0, ENOSPC);
    log_sink_sync(f->sink);
    await(f, false);
    assert_true(f->status.is_failed);
    assert_int_equal(f->status.err.code, ERR_NO_SPACE);
}

static void test_memory_that_no_machine_has_is_refused(void **state)
{
    struct fixture *f = *state;
    struct log_sink *sink = NULL;
    struct rlog_writer *writer = NULL;
    struct err err = { 0 };

    sink = log_sink_create(&writer, (size_t)1 << 60, f->bench.event_fd, &err);
    assert_null(sink);
    assert_int_equal(err.code, ERR_MEMORY);
    assert_non_null(strstr(err.text, "1152921504606846976 bytes before the disk"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_records_of_every_size_come_in_their_order),
        TEST(test_a_sync_makes_what_was_committed_durable),
        TEST(test_no_room_for_more_than_a_slab),
        TEST(test_a_stalled_disk_fills_the_memory_and_loses_nothing),
        TEST(test_a_failed_write_is_told_and_the_producer_goes_on),
        TEST(test_a_full_disk_has_a_code_of_its_own),
        TEST(test_memory_that_no_machine_has_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
