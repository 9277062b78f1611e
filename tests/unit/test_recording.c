/* SPDX-License-Identifier: MIT */
/* recording over a board whose every sample is known: what is in the log, to the sample. */
#include "sheep/recording.h"

#include "tests/support/disk_fault.h"
#include "tests/support/recording_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void test_harvest_has_every_sample(void **state)
{
    struct bench *bench = *state;
    struct content content;

    bench_prepare(bench);
    bench_start(bench);
    bench_run(bench);
    assert_string_equal(bench->page.fault, "");
    bench_read_log(bench, &content);
    assert_int_equal(content.n_samples[RLOG_STREAM_VOLTAGE], 200000);
    assert_int_equal(content.n_samples[RLOG_STREAM_CURRENT], 200000);
    assert_int_equal(content.n_product_samples, 200000);
    assert_int_equal(content.n_wrong_products, 0);
    assert_int_equal(content.n_wrong, 0);
    assert_int_equal(content.n_grid, 40);
    assert_int_equal(content.n_deflated, 40);
    assert_int_equal(content.n_gaps, 0);
    assert_int_equal(content.n_start, 1);
    assert_true(content.start.T_ns == bench->T_ns);
    assert_int_equal(content.start.boot_id, 77);
    assert_int_equal(content.start.arm_n, 1);
    assert_in_range(content.n_anchors, 2, 3);
    assert_int_equal(content.end.n_samples, 200000);
    assert_int_equal(content.end.reason, RLOG_END_COMPLETE);
    /* all but the digest, which is the writer's */
    assert_memory_equal(&content.end, &bench->page.end, offsetof(struct rlog_end, digest));
}

static void test_odd_end_and_raw_storage_streams(void **state)
{
    struct bench *bench = *state;
    struct content content;

    bench->request.manifest.n_planned = 123457;
    bench->request.manifest.has_storage = true;
    bench->request.manifest.has_current = false;
    bench->request.manifest.config.record.compression = 0;
    bench_prepare(bench);
    bench_start(bench);
    bench_run(bench);
    bench_read_log(bench, &content);
    assert_int_equal(content.n_samples[RLOG_STREAM_VOLTAGE], 123457);
    assert_int_equal(content.n_samples[RLOG_STREAM_CURRENT], 0);
    assert_int_equal(content.n_product_samples, 0);
    assert_int_equal(content.n_samples[RLOG_STREAM_STORAGE_VOLTAGE], 123457);
    assert_int_equal(content.n_samples[RLOG_STREAM_STORAGE_CURRENT], 123457);
    assert_int_equal(content.n_wrong, 0);
    assert_int_equal(content.n_grid, 36);
    assert_int_equal(content.n_deflated, 0);
    assert_int_equal(content.end.n_samples, 123457);
}

static void test_lost_blocks_become_a_gap(void **state)
{
    struct bench *bench = *state;
    struct content content;

    bench->plan.lose_at = 15;
    bench->plan.lose_blocks = 13;
    bench_prepare(bench);
    bench_start(bench);
    bench_run(bench);
    bench_read_log(bench, &content);
    assert_int_equal(content.n_gaps, 1);
    assert_int_equal(content.gaps[0].first_sample, 15000);
    assert_int_equal(content.gaps[0].n_samples, 13000);
    assert_int_equal(content.gaps[0].cause, RLOG_GAP_RING);
    assert_int_equal(content.gaps[0].stream, 0);
    assert_int_equal(content.n_samples[RLOG_STREAM_VOLTAGE], 200000 - 13000);
    assert_int_equal(content.n_wrong, 0);
    assert_int_equal(content.end.n_samples, 200000);
    assert_int_equal(content.end.n_gap_samples, 13000);
}

static void test_blocks_lost_at_the_end_are_not_forgotten(void **state)
{
    struct bench *bench = *state;
    struct content content;

    bench->plan.lose_at = 197;
    bench->plan.lose_blocks = 3;
    bench_prepare(bench);
    bench_start(bench);
    bench_run(bench);
    bench_read_log(bench, &content);
    assert_int_equal(content.n_gaps, 1);
    assert_int_equal(content.gaps[0].first_sample, 197000);
    assert_int_equal(content.gaps[0].n_samples, 3000);
    assert_int_equal(content.end.n_samples, 200000);
}

static void test_flaws_that_the_firmware_marks_are_remarked(void **state)
{
    struct bench *bench = *state;
    struct content content;

    bench->plan.flag_from = 190;
    bench->plan.flags = PRU_BLOCK_LATE | PRU_BLOCK_ADC;
    bench_prepare(bench);
    bench_start(bench);
    bench_run(bench);
    bench_read_log(bench, &content);
    assert_int_equal(content.n_remarks, 2);
    assert_int_equal(content.n_wrong, 0);
}

static void test_broken_block_ends_the_run_as_a_fault(void **state)
{
    struct bench *bench = *state;
    struct content content;

    bench->plan.break_block = 42;
    bench_prepare(bench);
    bench_start(bench);
    bench_run(bench);
    assert_non_null(strstr(bench->page.fault, "overwritten"));
    bench_read_log(bench, &content);
    assert_int_equal(content.end.reason, RLOG_END_FAULT);
    assert_int_equal(content.n_samples[RLOG_STREAM_VOLTAGE], 42000);
    assert_int_equal(content.n_wrong, 0);
    assert_int_equal(content.n_remarks, 1);
}

static void test_broken_memory_and_faults_end_the_run(void **state)
{
    struct bench *bench = *state;
    struct content content;

    bench->plan.break_memory_at = 30;
    bench_prepare(bench);
    bench_start(bench);
    bench_run(bench);
    assert_non_null(strstr(bench->page.fault, "canary"));
    bench_read_log(bench, &content);
    assert_int_equal(content.end.reason, RLOG_END_FAULT);
    assert_int_equal(content.n_wrong, 0);
}

static void test_fault_of_the_pru_keeps_what_was_taken(void **state)
{
    struct bench *bench = *state;
    struct content content;

    bench->plan.fault_at = 55;
    bench_prepare(bench);
    bench_start(bench);
    bench_run(bench);
    assert_non_null(strstr(bench->page.fault, "converter"));
    bench_read_log(bench, &content);
    assert_int_equal(content.end.reason, RLOG_END_FAULT);
    assert_int_equal(content.n_samples[RLOG_STREAM_CURRENT], 55000);
    assert_int_equal(content.end.n_samples, 55000);
}

static void test_cancel_leaves_nothing(void **state)
{
    struct bench *bench = *state;

    bench_prepare(bench);
    bench_step(bench);
    recording_destroy(&bench->recording);
    assert_int_equal(access(bench->request.log_folder, F_OK), -1);
    bench->board->ops->destroy(bench->board);
    bench->board = NULL;
    bench_prepare(bench);
    bench->T_ns = clock_utc_ns() + 60 * NS_PER_S;
    bench_start(bench);
    bench_step(bench);
    recording_destroy(&bench->recording);
    assert_int_equal(access(bench->request.log_folder, F_OK), -1);
}

static void test_late_and_repeated_starts_are_refused(void **state)
{
    struct bench *bench = *state;
    struct err err = { 0 };

    bench_prepare(bench);
    assert_int_equal(recording_start(bench->recording, clock_utc_ns() + 1000, 1, &err), -1);
    assert_int_equal(err.code, ERR_TIMEOUT);
    bench_start(bench);
    assert_int_equal(recording_start(bench->recording, bench->T_ns, 1, &err), -1);
    assert_int_equal(err.code, ERR_STATE);
}

static void test_emulation_gets_its_input_in_order(void **state)
{
    struct bench *bench = *state;
    struct content content;

    bench_make_input(bench, 150000);
    bench_prepare(bench);
    bench_start(bench);
    bench_run(bench);
    assert_string_equal(bench->page.fault, "");
    bench_read_log(bench, &content);
    assert_int_equal(content.end.n_samples, 150000);
    assert_int_equal(content.n_samples[RLOG_STREAM_VOLTAGE], 150000);
    assert_int_equal(content.n_wrong, 0);
    assert_int_equal(content.n_gaps, 0);
    assert_int_equal(content.end.n_input_underruns, 0);
}

static void test_stalled_input_is_ridden_out(void **state)
{
    struct bench *bench = *state;
    struct content content;

    bench_make_input(bench, 110000);
    bench->input_memory_bytes = 60000 * sizeof(struct pru_input);
    bench->plan.is_paced = true;
    bench_prepare(bench);
    bench_start(bench);
    disk_fault_stall_read(500);
    bench_run(bench);
    bench_read_log(bench, &content);
    assert_int_equal(content.end.n_samples, 110000);
    assert_int_equal(content.n_wrong, 0);
    assert_int_equal(content.end.n_input_underruns, 0);
}

static void test_longer_stall_of_the_input_is_counted_and_marked(void **state)
{
    struct bench *bench = *state;
    struct content content;
    uint64_t n_marked = 0;

    bench_make_input(bench, 90000);
    bench->input_memory_bytes = 1;
    bench->plan.is_paced = true;
    bench_prepare(bench);
    bench_start(bench);
    disk_fault_stall_read(800);
    bench_run(bench);
    bench_read_log(bench, &content);
    for (unsigned i = 0; i < content.n_gaps; i++) {
        assert_int_equal(content.gaps[i].cause, RLOG_GAP_UNDERRUN);
        n_marked += content.gaps[i].n_samples;
    }
    assert_in_range(n_marked, 5000, 85000);
    assert_int_equal(content.end.n_input_underruns, n_marked);
    assert_int_equal(content.end.n_gap_samples, 0);
    assert_int_equal(content.end.n_samples, 90000);
}

static void test_broken_input_ends_the_run(void **state)
{
    struct bench *bench = *state;
    struct content content;

    bench_make_input(bench, 200000);
    bench->input_memory_bytes = 1;
    bench->plan.is_paced = true;
    bench_prepare(bench);
    bench_start(bench);
    disk_fault_fail_read();
    bench_run(bench);
    assert_non_null(strstr(bench->page.fault, "broken"));
    bench_read_log(bench, &content);
    assert_int_equal(content.end.reason, RLOG_END_FAULT);
    assert_true(content.end.n_samples < 100000);
}

/* The clock decides: half a second, and the start measured. */
static void run_paced(struct bench *bench, struct content *content)
{
    bench->plan.is_paced = true;
    bench->plan.ppm = 40.0;
    bench->request.manifest.n_planned = 50000;
    bench_prepare(bench);
    bench->T_ns = clock_utc_ns() + 300 * NS_PER_MS;
    bench_start(bench);
    bench_run(bench);
    bench_read_log(bench, content);
}

static void test_paced_start_is_measured(void **state)
{
    struct content content;

    run_paced(*state, &content);
    assert_int_equal(content.end.n_samples, 50000);
    assert_int_equal(content.n_wrong, 0);
    assert_true(content.start.start_error_ns < 20000 && content.start.start_error_ns > -20000);
    assert_true(content.start.start_bound_ns < 20000);
}

static void test_late_board_shows_its_lateness(void **state)
{
    struct bench *bench = *state;
    struct content content;

    bench->plan.late_samples = 37;
    run_paced(bench, &content);
    assert_in_range(content.start.start_error_ns, 350000, 390000);
}

static void test_stop_is_exact(void **state)
{
    struct bench *bench = *state;
    struct content content;
    struct err err = { 0 };

    bench->plan.is_paced = true;
    bench->request.manifest.n_planned = UINT64_MAX;
    bench_prepare(bench);
    bench_start(bench);
    while (bench->page.n_samples < 10000) {
        bench_step(bench);
    }
    assert_int_equal(recording_stop(bench->recording, 43210, &err), 0);
    bench_run(bench);
    bench_read_log(bench, &content);
    assert_int_equal(content.end.n_samples, 43210);
    assert_int_equal(content.n_samples[RLOG_STREAM_VOLTAGE], 43210);
    assert_int_equal(content.end.reason, RLOG_END_STOPPED);
    assert_int_equal(content.n_wrong, 0);
}

static void test_edges_are_counted_and_kept(void **state)
{
    struct bench *bench = *state;
    struct content content;

    bench->plan.edges_per_block = 1000;
    bench->request.manifest.gpio_mask = 3;
    bench->request.manifest.n_planned = 50000;
    bench_prepare(bench);
    bench_start(bench);
    bench_run(bench);
    bench_read_log(bench, &content);
    assert_int_equal(content.n_edges, 50 * 1000);
    assert_int_equal(content.end.n_edges, 50 * 1000);
}

/* By the clock, beside V and I. */
static void test_a_million_edges_a_second_reach_the_log(void **state)
{
    struct bench *bench = *state;
    struct content content;

    bench->plan.is_paced = true;
    bench->plan.edges_per_block = 10000;
    bench->request.manifest.gpio_mask = 3;
    bench_prepare(bench);
    bench_start(bench);
    bench_run(bench);
    assert_string_equal(bench->page.fault, "");
    bench_read_log(bench, &content);
    print_message("%.2f bytes an edge, ring %u %% full at most\n",
                  (double)content.n_edge_bytes / (double)content.n_edges,
                  bench->page.ring_fill_max_percent);
    assert_int_equal(content.n_edges, 2000000);
    assert_int_equal(content.end.n_edges, 2000000);
    assert_int_equal(content.n_gaps, 0);
    assert_int_equal(content.n_wrong, 0);
    assert_true(content.n_edge_bytes <= 4 * content.n_edges);
}

#define RECORDING_TEST(name) \
    cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RECORDING_TEST(test_harvest_has_every_sample),
        RECORDING_TEST(test_odd_end_and_raw_storage_streams),
        RECORDING_TEST(test_lost_blocks_become_a_gap),
        RECORDING_TEST(test_blocks_lost_at_the_end_are_not_forgotten),
        RECORDING_TEST(test_flaws_that_the_firmware_marks_are_remarked),
        RECORDING_TEST(test_broken_block_ends_the_run_as_a_fault),
        RECORDING_TEST(test_broken_memory_and_faults_end_the_run),
        RECORDING_TEST(test_fault_of_the_pru_keeps_what_was_taken),
        RECORDING_TEST(test_cancel_leaves_nothing),
        RECORDING_TEST(test_late_and_repeated_starts_are_refused),
        RECORDING_TEST(test_emulation_gets_its_input_in_order),
        RECORDING_TEST(test_stalled_input_is_ridden_out),
        RECORDING_TEST(test_longer_stall_of_the_input_is_counted_and_marked),
        RECORDING_TEST(test_broken_input_ends_the_run),
        RECORDING_TEST(test_paced_start_is_measured),
        RECORDING_TEST(test_late_board_shows_its_lateness),
        RECORDING_TEST(test_stop_is_exact),
        RECORDING_TEST(test_edges_are_counted_and_kept),
        RECORDING_TEST(test_a_million_edges_a_second_reach_the_log),
    };

    return cmocka_run_group_tests_name("recording", tests, NULL, NULL);
}
