/* SPDX-License-Identifier: MIT */
#include "herd/verdict.h"

#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct verdict_facts good(void)
{
    return (struct verdict_facts){ .took_part = true,
                                   .is_started = true,
                                   .clock_error_max_ns = 100 * NS_PER_US,
                                   .is_collected = true,
                                   .is_digest_right = true,
                                   .n_planned = 300000,
                                   .n_samples = 300000,
                                   .n_built = 300000,
                                   .start_error_ns = 40,
                                   .start_bound_ns = 30 };
}

static void expect(const struct verdict_facts *facts, enum verdict_kind kind, const char *words)
{
    struct verdict verdict;
    char text[VERDICT_TEXT_SIZE + 40];

    verdict_find(facts, &verdict);
    verdict_print(&verdict, text, sizeof(text));
    if (verdict.kind != kind || strstr(text, words) == NULL) {
        fail_msg("'%s' instead of kind %d with '%s'", text, (int)kind, words);
    }
    assert_int_equal(verdict_is_good(&verdict),
                     kind == VERDICT_VALID || kind == VERDICT_REMARKS);
}

static void test_a_whole_recording_is_valid_and_no_more_is_said(void **state)
{
    const struct verdict_facts facts = good();
    struct verdict verdict;
    char text[VERDICT_TEXT_SIZE + 40];

    (void)state;
    verdict_find(&facts, &verdict);
    verdict_print(&verdict, text, sizeof(text));
    assert_string_equal(text, "valid");
}

static void test_a_start_37_samples_late_is_invalid(void **state)
{
    struct verdict_facts facts = good();

    (void)state;
    facts.start_error_ns = 370 * NS_PER_US;
    expect(&facts, VERDICT_INVALID, "370.0 us after T");
    facts.start_error_ns = -370 * NS_PER_US;
    expect(&facts, VERDICT_INVALID, "370.0 us before T");
    facts.start_error_ns = INT64_MIN;
    expect(&facts, VERDICT_INVALID, "before T");
}

static void test_the_limit_of_the_start_error_is_the_clocks_or_100_us(void **state)
{
    struct verdict_facts facts = good();

    (void)state;
    facts.start_error_ns = 100 * NS_PER_US;
    expect(&facts, VERDICT_VALID, "valid");
    facts.start_error_ns = 100 * NS_PER_US + 1;
    expect(&facts, VERDICT_INVALID, "after T");
    facts.clock_error_max_ns = 2 * NS_PER_MS;
    expect(&facts, VERDICT_VALID, "valid");
    facts.clock_error_max_ns = NS_PER_US; /* a tight clock does not make 100 us a fault */
    facts.start_error_ns = 90 * NS_PER_US;
    expect(&facts, VERDICT_VALID, "valid");
}

static void test_each_fault_of_the_data_is_named(void **state)
{
    struct verdict_facts facts = good();

    (void)state;
    facts.n_samples = 299999;
    facts.n_built = 299999;
    expect(&facts, VERDICT_INVALID, "299999 samples instead of 300000");
    facts = good();
    facts.n_gap_samples = 1;
    expect(&facts, VERDICT_INVALID, "1 samples are missing");
    facts = good();
    facts.n_built = 299000;
    expect(&facts, VERDICT_INVALID, "299000 of 300000");
    facts = good();
    facts.is_digest_right = false;
    expect(&facts, VERDICT_INVALID, "digest");
    facts = good();
    facts.n_underruns = 7;
    expect(&facts, VERDICT_INVALID, "input was missing for 7");
    facts = good();
    facts.is_clock_proven_off = true;
    expect(&facts, VERDICT_INVALID, "clock");
    facts = good();
    facts.is_started = false;
    expect(&facts, VERDICT_INVALID, "no sample");
    facts = good();
    facts.is_orphan = true;
    expect(&facts, VERDICT_INVALID, "orphan");
}

static void test_remarks_do_not_make_it_invalid(void **state)
{
    struct verdict_facts facts = good();

    (void)state;
    facts.is_cal_default = true;
    facts.n_clamped = 3;
    facts.remarks = "the card stalled for 3 s\nuart: the device was pulled\n";
    expect(&facts, VERDICT_REMARKS, "default calibration");
    expect(&facts, VERDICT_REMARKS, "3 samples outside the efficiency table, clamped");
    expect(&facts, VERDICT_REMARKS, "the card stalled for 3 s; uart: the device was pulled");
    facts = good();
    facts.start_bound_ns = 200 * NS_PER_US;
    expect(&facts, VERDICT_REMARKS, "known only to");
    facts = good();
    facts.is_clock_stepped = true;
    expect(&facts, VERDICT_REMARKS, "stepped");
}

static void test_a_fault_pushes_remarks_aside(void **state)
{
    struct verdict_facts facts = good();
    struct verdict verdict;

    (void)state;
    facts.is_cal_default = true;
    facts.start_bound_ns = 200 * NS_PER_US;
    facts.n_gap_samples = 5;
    facts.is_digest_right = false;
    verdict_find(&facts, &verdict);
    assert_int_equal(verdict.kind, VERDICT_INVALID);
    assert_null(strstr(verdict.text, "default calibration"));
    assert_non_null(strstr(verdict.text, "digest"));
    assert_non_null(strstr(verdict.text, "5 samples are missing"));
}

static void test_how_it_ended_decides(void **state)
{
    struct verdict_facts facts = good();

    (void)state;
    facts.n_samples = 100000;
    facts.n_built = 100000;
    facts.end_reason = RLOG_END_STOPPED;
    expect(&facts, VERDICT_INVALID, "stopped alone after 100000");
    facts.is_stop_agreed = true;
    expect(&facts, VERDICT_REMARKS, "stopped after 100000 samples");
    facts.is_stop_agreed = false;
    facts.end_reason = RLOG_END_NO_SPACE;
    expect(&facts, VERDICT_INVALID, "disk");
    facts.end_reason = RLOG_END_INTERRUPTED;
    facts.end_text = "signal 9";
    expect(&facts, VERDICT_INVALID, "recorder was interrupted after 100000 samples: signal 9");
    facts.end_reason = RLOG_END_FAULT;
    expect(&facts, VERDICT_INVALID, "board failed");
}

static void test_an_open_end_has_no_wrong_count(void **state)
{
    struct verdict_facts facts = good();

    (void)state;
    facts.n_planned = UINT64_MAX;
    expect(&facts, VERDICT_VALID, "valid");
}

static void test_who_took_no_part_is_not_called_invalid(void **state)
{
    struct verdict_facts facts = { .why = "the disk is full" };

    (void)state;
    expect(&facts, VERDICT_NOT_STARTED, "not started: the disk is full");
    facts.is_refusal = true;
    expect(&facts, VERDICT_REFUSED, "refused: the disk is full");
    facts.took_part = true;
    facts.is_not_started = true;
    expect(&facts, VERDICT_INVALID, "it did not start: the disk is full");
}

static void test_what_is_not_here_is_unknown_or_failed(void **state)
{
    struct verdict_facts facts = { .took_part = true, .is_started = true };

    (void)state;
    expect(&facts, VERDICT_UNKNOWN, "not heard");
    facts.collect_failure = "no HDF5: disk full";
    expect(&facts, VERDICT_INVALID, "no HDF5: disk full");
}

static void test_long_remarks_stay_within_the_text(void **state)
{
    char remarks[3 * VERDICT_TEXT_SIZE];
    struct verdict_facts facts = good();
    struct verdict verdict;

    (void)state;
    memset(remarks, 'x', sizeof(remarks) - 1);
    remarks[sizeof(remarks) - 1] = '\0';
    remarks[10] = '\n';
    remarks[VERDICT_TEXT_SIZE + 10] = '\n';
    facts.remarks = remarks;
    verdict_find(&facts, &verdict);
    assert_int_equal(verdict.kind, VERDICT_REMARKS);
    assert_true(strlen(verdict.text) < VERDICT_TEXT_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_whole_recording_is_valid_and_no_more_is_said),
        cmocka_unit_test(test_a_start_37_samples_late_is_invalid),
        cmocka_unit_test(test_the_limit_of_the_start_error_is_the_clocks_or_100_us),
        cmocka_unit_test(test_each_fault_of_the_data_is_named),
        cmocka_unit_test(test_remarks_do_not_make_it_invalid),
        cmocka_unit_test(test_a_fault_pushes_remarks_aside),
        cmocka_unit_test(test_how_it_ended_decides),
        cmocka_unit_test(test_an_open_end_has_no_wrong_count),
        cmocka_unit_test(test_who_took_no_part_is_not_called_invalid),
        cmocka_unit_test(test_what_is_not_here_is_unknown_or_failed),
        cmocka_unit_test(test_long_remarks_stay_within_the_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
