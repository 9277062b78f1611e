/* SPDX-License-Identifier: MIT */
/* Every row has its stamp, as libhdf5 reads it back. */
#include "common/h5_time.h"

#include "common/rlog_format.h"
#include "tests/support/h5_scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const int64_t T_NS = 1800000000123450000;

static void check_stamps(const struct h5_scratch *scratch, uint64_t n_rows, uint64_t step_ns)
{
    uint64_t *stamps = calloc(n_rows + 1, sizeof(*stamps));

    assert_non_null(stamps);
    h5_scratch_read(scratch, "/data/time", H5T_NATIVE_UINT64, stamps, n_rows, 0);
    for (uint64_t n = 0; n < n_rows; n++) {
        if (stamps[n] != (uint64_t)T_NS + n * step_ns) {
            fail_msg("row %llu", (unsigned long long)n);
        }
    }
    free(stamps);
}

static struct h5_time *create(struct h5_scratch *scratch, uint32_t window)
{
    struct err err = { 0 };
    struct h5_time *time = h5_time_create(scratch->packer, window, &err);

    if (time == NULL) {
        fail_msg("%s", err.text);
    }
    return time;
}

static void finish(struct h5_time *time, uint64_t n_rows)
{
    struct err err = { 0 };

    assert_int_equal(h5_time_finish(time, T_NS, n_rows, &err), 0);
    h5_time_destroy(&time);
    assert_null(time);
}

static void test_stamps_of_each_window_and_packing(void **state)
{
    static const struct {
        uint32_t window;
        uint64_t n_rows;
    } CASES[] = {
        {1,      34321},
        { 1,     30000},
        { 1,     1    },
        { 100,   12345},
        { 10000, 20001},
    };
    struct h5_scratch *scratch = *state;

    for (int is_plain = 0; is_plain < 2; is_plain++) {
        for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
            uint64_t n_rows = CASES[i].n_rows;

            finish(create(scratch, CASES[i].window), n_rows);
            check_stamps(scratch, n_rows, CASES[i].window * UINT64_C(10000));
            h5_scratch_check_sums(scratch, "/data/time", RLOG_CHUNK_SAMPLES,
                                  (n_rows + RLOG_CHUNK_SAMPLES - 1) / RLOG_CHUNK_SAMPLES);
            H5Ldelete(scratch->file, "/data/time", H5P_DEFAULT);
            H5Ldelete(scratch->file, "/integrity/data.time", H5P_DEFAULT);
        }
        h5_scratch_plain(scratch);
    }
}

static void test_advance_writes_whole_chunks_once(void **state)
{
    struct h5_scratch *scratch = *state;
    struct h5_time *time = create(scratch, 1);
    struct err err = { 0 };

    assert_int_equal(h5_time_advance(time, T_NS, 9999, &err), 0);
    assert_int_equal(h5_scratch_rows(scratch, "/data/time"), 0);
    assert_int_equal(h5_time_advance(time, T_NS, 10000, &err), 0);
    assert_int_equal(h5_scratch_rows(scratch, "/data/time"), 10000);
    assert_int_equal(h5_time_advance(time, T_NS, 10000, &err), 0);
    assert_int_equal(h5_time_advance(time, T_NS, 45000, &err), 0);
    assert_int_equal(h5_scratch_rows(scratch, "/data/time"), 40000);
    finish(time, 45001);
    check_stamps(scratch, 45001, 10000);
}

/* So that a reader who looks at the whole last chunk finds nothing that goes backwards. */
static void test_padding_goes_on_counting(void **state)
{
    struct h5_scratch *scratch = *state;
    struct h5_time *time = create(scratch, 1);
    hsize_t whole = 20000;
    hid_t dataset = -1;

    finish(time, 10001);
    dataset = H5Dopen2(scratch->file, "/data/time", H5P_DEFAULT);
    assert_true(H5Dset_extent(dataset, &whole) >= 0);
    h5_close(&dataset);
    check_stamps(scratch, 20000, 10000);
}

static void test_no_rows_no_chunk(void **state)
{
    struct h5_scratch *scratch = *state;

    finish(create(scratch, 1), 0);
    assert_int_equal(h5_scratch_rows(scratch, "/data/time"), 0);
    assert_int_equal(h5_scratch_rows(scratch, "/integrity/data.time"), 0);
}

static void test_meaning_is_seconds(void **state)
{
    struct h5_scratch *scratch = *state;
    struct h5_time *time = create(scratch, 1);

    h5_scratch_expect_number(scratch, "/data/time", "gain", 1e-9);
    h5_scratch_expect_number(scratch, "/data/time", "offset", 0);
    h5_scratch_expect_text(scratch, "/data/time", "unit", "s");
    h5_time_destroy(&time);
    h5_time_destroy(&time);
}

static void test_a_second_one_is_refused(void **state)
{
    struct h5_scratch *scratch = *state;
    struct h5_time *time = create(scratch, 1);
    struct err err = { 0 };

    assert_null(h5_time_create(scratch->packer, 1, &err));
    assert_int_equal(strncmp(err.text, "/data/time: ", 12), 0);
    h5_time_destroy(&time);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_H5_SCRATCH(test_stamps_of_each_window_and_packing),
        WITH_H5_SCRATCH(test_advance_writes_whole_chunks_once),
        WITH_H5_SCRATCH(test_padding_goes_on_counting),
        WITH_H5_SCRATCH(test_no_rows_no_chunk),
        WITH_H5_SCRATCH(test_meaning_is_seconds),
        WITH_H5_SCRATCH(test_a_second_one_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
