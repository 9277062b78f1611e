/* SPDX-License-Identifier: MIT */
/* A recording over a disk that stalls or fails. */
#include "tests/support/alloc_fault.h"
#include "tests/support/disk_fault.h"
#include "tests/support/recording_bench.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Most of a second without a disk, with data that does not compress. */
static void test_stalled_disk_loses_nothing(void **state)
{
    struct bench *bench = *state;
    struct content content;

    bench->plan.is_paced = true;
    bench->request.manifest.n_planned = 120000;
    bench->request.manifest.config.record.sync_interval_ns = 100 * NS_PER_MS;
    bench->request.manifest.config.record.compression = 0;
    bench_prepare(bench);
    bench_start(bench);
    while (bench->page.n_samples < 20000) {
        bench_step(bench);
    }
    disk_fault_stall_sync(800);
    bench_run(bench);
    assert_string_equal(bench->page.fault, "");
    assert_true(bench->page.queue_fill_max_percent > 3);
    bench_read_log(bench, &content);
    assert_int_equal(content.n_samples[RLOG_STREAM_VOLTAGE], 120000);
    assert_int_equal(content.n_wrong, 0);
    assert_int_equal(content.n_gaps, 0);
}

/* A disk that stands still for longer than memory lasts, under a board that does not wait.
 * Returns how many gaps have that cause. */
static unsigned run_out_of_memory(struct bench *bench)
{
    struct content content;
    uint64_t n_missing = 0;
    unsigned n_queue = 0;

    bench->plan.is_lossy = true;
    bench->request.manifest.n_planned = 4000000;
    bench->request.manifest.config.record.compression = 0;
    bench->request.manifest.config.record.memory_bytes = 1u << 20;
    bench_prepare(bench);
    disk_fault_stall_sync(300);
    bench_start(bench);
    bench_run(bench);
    assert_string_equal(bench->page.fault, "");
    bench_read_log(bench, &content);
    for (unsigned i = 0; i < content.n_gaps; i++) {
        n_missing += content.gaps[i].n_samples;
        n_queue += content.gaps[i].cause == RLOG_GAP_QUEUE;
    }
    assert_int_equal(n_missing, content.end.n_gap_samples);
    assert_int_equal(content.n_samples[RLOG_STREAM_VOLTAGE] + n_missing, 4000000);
    assert_int_equal(content.end.n_samples, 4000000);
    assert_int_equal(content.n_wrong, 0);
    assert_in_range(bench->page.queue_fill_max_percent, 70, 100);
    assert_in_range(bench->page.ring_fill_max_percent, 90, 100);
    /* the verdict has them from END */
    assert_in_range(content.end.queue_fill_max_percent, 70, bench->page.queue_fill_max_percent);
    assert_int_equal(content.end.ring_fill_max_percent, bench->page.ring_fill_max_percent);
    assert_in_range(content.n_remarks, 1, 2); /* of the ring, and likely of the queue */
    return n_queue;
}

/* On a busy host the recorder may be late before memory is full, and a gap that began so is the
 * ring's as a whole; not every time, though. */
static void test_what_does_not_fit_in_memory_is_a_gap_with_its_cause(void **state)
{
    unsigned n_queue = run_out_of_memory(*state);

    for (int again = 0; again < 5 && n_queue == 0; again++) {
        bench_tear_down(state);
        bench_set_up(state);
        n_queue = run_out_of_memory(*state);
    }
    assert_true(n_queue > 0);
}

static void step_to(struct bench *bench, uint64_t sample)
{
    while (bench->page.n_samples < sample) {
        bench_step(bench);
        assert_string_equal(bench->page.fault, "");
    }
}

/* Sample of the first loss of each kind that memory before the disk is the cause of. */
struct losses {
    uint64_t row;
    uint64_t edge;
    uint64_t sample;
};

static void note_loss(struct losses *first, const struct rlog_gap *gap)
{
    uint64_t *place = &first->sample;

    if (gap->stream == RLOG_STREAM_SYS_UTIL) {
        place = &first->row;
    } else if (gap->stream == RLOG_STREAM_GPIO) {
        place = &first->edge;
    }
    if (gap->cause == RLOG_GAP_QUEUE && gap->first_sample < *place) {
        *place = gap->first_sample;
    }
}

static void put_row(struct bench *bench)
{
    struct recorder_row row = {
        .type = RLOG_ROW, .stream = RLOG_STREAM_SYS_UTIL, .count = 1, .size = sizeof(int64_t)
    };

    row.utc_ns = bench->T_ns + (int64_t)bench->page.n_samples * 10000;
    (void)recording_put_row(bench->recording, &row);
}

/* All kinds of data by the clock, over a disk that stands still for longer than memory and the
 * board's ring, 5 s, last together. */
static void test_monitors_go_first_then_edges_and_samples_last(void **state)
{
    static const uint64_t N_SAMPLES = 1280000;
    struct bench *bench = *state;
    struct losses first = { UINT64_MAX, UINT64_MAX, UINT64_MAX };
    struct content content;

    bench->plan.is_paced = true;
    bench->plan.is_lossy = true;
    bench->plan.edges_per_block = 1000;
    bench->timeout_s = 60;
    bench->request.manifest.gpio_mask = 3;
    bench->request.manifest.n_planned = N_SAMPLES;
    bench->request.manifest.config.record.compression = 0;
    bench->request.manifest.config.record.memory_bytes = 2u << 20;
    bench_prepare(bench);
    bench_start(bench);
    step_to(bench, 20000);
    disk_fault_stall_write(11500);
    while (recording_phase(bench->recording) < RECORDING_CLOSING) {
        bench_step(bench);
        put_row(bench);
    }
    bench_run(bench);
    assert_string_equal(bench->page.fault, "");
    bench_read_log(bench, &content);
    for (unsigned i = 0; i < content.n_gaps; i++) {
        note_loss(&first, &content.gaps[i]);
    }
    print_message("first lost: row %llu, edge %llu, sample %llu\n",
                  (unsigned long long)first.row, (unsigned long long)first.edge,
                  (unsigned long long)first.sample);
    assert_true(first.row < first.edge);
    assert_true(first.edge < first.sample);
    assert_true(first.sample < N_SAMPLES);
    assert_int_equal(content.n_wrong, 0);
    assert_int_equal(content.n_samples[RLOG_STREAM_VOLTAGE] + content.end.n_gap_samples,
                     N_SAMPLES);
}

/* Write or sync number nth of a run fails, and all after it; what was written before is still a
 * log that can be proved, and the recorder says what happened. False when it ended before. */
static bool check_failure_at(struct bench *bench, int64_t nth, int error)
{
    struct recording_options options = { .clock = &bench->clock,
                                         .request = &bench->request,
                                         .board = bench->board,
                                         .event_fd = bench->event_fd };
    struct err err = { 0 };
    struct rlog_end end;
    uint8_t digest[RLOG_DIGEST_BYTES];
    uint64_t bytes = 0;

    disk_fault_reset();
    disk_fault_fail_from(nth, error);
    bench->recording = recording_create(&options, &bench->T_ns, &err);
    if (bench->recording == NULL) {
        assert_int_equal(access(bench->request.log_folder, F_OK), -1);
        assert_int_equal(err.code, error == ENOSPC ? ERR_NO_SPACE : ERR_SYSTEM);
        return true;
    }
    bench->T_ns = clock_utc_ns() + 60 * NS_PER_MS;
    bench_start(bench);
    while (recording_phase(bench->recording) < RECORDING_CLOSING) {
        bench_step(bench);
    }
    bench_run(bench);
    bool has_failed = disk_fault_count() > nth;

    assert_int_equal(bench->page.fault[0] != '\0', has_failed);
    if (has_failed) {
        assert_non_null(
            strstr(bench->page.fault, strerror(error))); // NOLINT(concurrency-mt-unsafe)
    }
    recording_destroy(&bench->recording);
    disk_fault_reset();
    struct rlog_recovery recovery;

    assert_int_equal(rlog_recover(bench->request.log_folder, &recovery, &err), 0);
    assert_int_equal(rlog_verify(bench->request.log_folder, &end, digest, &bytes, &err), 0);
    assert_int_equal(rlog_remove(bench->request.log_folder, &err), 0);
    return has_failed;
}

static void test_every_failing_write_is_survived(void **state)
{
    static const int errors[] = { ENOSPC, EIO, EROFS };
    struct bench *bench = *state;
    struct err err = { 0 };

    bench->request.manifest.n_planned = 300000;
    bench->request.manifest.config.record.compression = 0;
    bench->request.manifest.config.record.sync_interval_ns = 10 * NS_PER_MS;
    bench->board = board_fake_create(&bench->plan, &err);
    assert_non_null(bench->board);
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        int64_t nth = 0;

        /* Until a run is over before its turn to fail comes. */
        while (check_failure_at(bench, nth, errors[i])) {
            nth++;
        }
        assert_in_range(nth, 8, 100);
    }
}

/* Allocation number nth of the set-up fails: it says so and leaves nothing behind. False when
 * there are not so many. */
static bool check_allocation(struct bench *bench, int64_t nth)
{
    struct recording_options options = { .clock = &bench->clock,
                                         .request = &bench->request,
                                         .board = bench->board,
                                         .input_memory_bytes = 1u << 20,
                                         .event_fd = bench->event_fd };
    struct recording *recording = NULL;
    struct err err = { 0 };
    int64_t promise_ns = 0;
    int64_t n_calls = 0;

    alloc_fault_fail_at(nth);
    recording = recording_create(&options, &promise_ns, &err);
    n_calls = alloc_fault_stop();
    if (n_calls <= nth) {
        assert_non_null(recording);
        recording_destroy(&recording);
        return false;
    }
    if (recording != NULL) {
        fail_msg("allocation %d failed and nobody minded", (int)nth);
    }
    assert_true(err.text[0] != '\0');
    assert_int_equal(access(bench->request.log_folder, F_OK), -1);
    return true;
}

static void check_every_allocation(struct bench *bench)
{
    struct err err = { 0 };
    int64_t nth = 0;

    bench->board = board_fake_create(&bench->plan, &err);
    assert_non_null(bench->board);
    while (check_allocation(bench, nth)) {
        nth++;
    }
    print_message("%d allocations\n", (int)nth);
    assert_in_range(nth, 20, 1000);
    bench->board->ops->destroy(bench->board);
    bench->board = NULL;
}

static void test_every_failing_allocation_of_the_set_up_is_told(void **state)
{
    struct bench *bench = *state;

    bench->request.manifest.has_storage = true;
    bench->request.manifest.gpio_mask = 0x3FF;
    bench->request.manifest.config.record.samplerate = RECORD_1_KHZ;
    check_every_allocation(bench);
    bench_make_input(bench, 50000);
    check_every_allocation(bench);
}

/* What the nightly run does in full: 60 s. */
static int64_t stall_ms(int64_t short_ms)
{
    const char *wish = getenv("BW_STALL_S"); // NOLINT(concurrency-mt-unsafe): one thread

    return wish != NULL ? strtol(wish, NULL, 10) * 1000 : short_ms;
}

/* The disk stands still three times in a run of ten such times, with noise on V and I and
 * 100 000 edges a second. */
static void test_three_stalls_of_the_disk_lose_nothing(void **state)
{
    struct bench *bench = *state;
    struct content content;
    int64_t ms = stall_ms(700);
    uint64_t stall_samples = (uint64_t)ms * 100;
    uint64_t n_samples = 10 * stall_samples;

    bench->plan.is_paced = true;
    bench->plan.edges_per_block = 1000;
    bench->timeout_s = 11 * ms / 1000 + 20;
    bench->request.manifest.gpio_mask = 3;
    bench->request.manifest.n_planned = n_samples;
    bench->request.manifest.config.record.memory_bytes = ms < 4000 ? 4u << 20 : 64u << 20;
    bench_prepare(bench);
    bench_start(bench);
    step_to(bench, stall_samples);
    disk_fault_stall_sync(ms);
    step_to(bench, 4 * stall_samples);
    disk_fault_stall_write(ms);
    step_to(bench, 7 * stall_samples);
    disk_fault_stall_sync(ms);
    bench_run(bench);
    assert_string_equal(bench->page.fault, "");
    print_message("queue %u %%, ring %u %% full at most\n", bench->page.queue_fill_max_percent,
                  bench->page.ring_fill_max_percent);
    assert_true(bench->page.queue_fill_max_percent > 3);
    bench_read_log(bench, &content);
    assert_int_equal(content.n_samples[RLOG_STREAM_VOLTAGE], n_samples);
    assert_int_equal(content.n_samples[RLOG_STREAM_CURRENT], n_samples);
    assert_int_equal(content.n_edges, n_samples);
    assert_int_equal(content.n_wrong, 0);
    assert_int_equal(content.n_gaps, 0);
    assert_int_equal(content.end.n_samples, n_samples);
}

/* The same for what is read: the read-ahead lasts as long as the stall, and a second more. */
static void test_three_stalls_of_the_input_lose_nothing(void **state)
{
    struct bench *bench = *state;
    struct content content;
    int64_t ms = stall_ms(500);
    uint64_t stall_samples = (uint64_t)ms * 100;
    uint64_t n_samples = 10 * stall_samples;

    bench_make_input(bench, (uint32_t)n_samples);
    bench->input_memory_bytes = (stall_samples + 100000) * sizeof(struct pru_input);
    bench->plan.is_paced = true;
    bench->timeout_s = 11 * ms / 1000 + 20;
    bench_prepare(bench);
    bench_start(bench);
    for (uint64_t k = 0; k < 3; k++) {
        step_to(bench, (3 * k + 1) * stall_samples);
        disk_fault_stall_read(ms);
    }
    bench_run(bench);
    bench_read_log(bench, &content);
    assert_int_equal(content.end.n_samples, n_samples);
    assert_int_equal(content.n_samples[RLOG_STREAM_VOLTAGE], n_samples);
    assert_int_equal(content.n_wrong, 0);
    assert_int_equal(content.end.n_input_underruns, 0);
}

#define RECORDING_TEST(name) \
    cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RECORDING_TEST(test_stalled_disk_loses_nothing),
        RECORDING_TEST(test_what_does_not_fit_in_memory_is_a_gap_with_its_cause),
        RECORDING_TEST(test_monitors_go_first_then_edges_and_samples_last),
        RECORDING_TEST(test_every_failing_write_is_survived),
        RECORDING_TEST(test_every_failing_allocation_of_the_set_up_is_told),
        RECORDING_TEST(test_three_stalls_of_the_disk_lose_nothing),
        RECORDING_TEST(test_three_stalls_of_the_input_lose_nothing),
    };

    return cmocka_run_group_tests_name("recording_disk", tests, NULL, NULL);
}
