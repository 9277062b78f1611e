/* SPDX-License-Identifier: MIT */
/* Records of samples into chunks: whole ones as they are, others put together; what is missing
 * is 0 and a hole. */
#include "common/h5_samples.h"

#include "tests/support/h5_scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    CHUNK = RLOG_CHUNK_SAMPLES,
    MAX_PACKED = 5 * CHUNK
};

static const char *const PATH = "/data/a";

static uint32_t value_of(uint64_t n)
{
    return (uint32_t)(n * 7919 % 262144 + 1);
}

static struct h5_samples *create(const struct h5_scratch *scratch)
{
    struct h5_chunked_spec spec = {
        .path = PATH,
        .type = H5T_STD_U32LE,
        .type_bytes = 4,
        .chunk_rows = CHUNK,
        .meaning = {1, 0, "V", "of a test"}
    };
    struct err err = { 0 };
    struct h5_chunked *chunked = h5_chunked_create(scratch->packer, &spec, &err);
    struct h5_samples *samples = h5_samples_create(&chunked, &err);

    assert_non_null(samples);
    assert_null(chunked);
    return samples;
}

static int add_record(struct h5_samples *samples, uint64_t first, uint32_t count,
                      bool is_deflated, struct err *err)
{
    static uint32_t values[CHUNK];
    static uint32_t room[CHUNK];
    static uint8_t packed[MAX_PACKED];
    struct rlog_record record = {
        .header = {.type = RLOG_SAMPLES,
                   .stream = RLOG_STREAM_VOLTAGE,
                   .count = count,
                   .first = first,
                   .payload_size = count * 4},
        .payload = (const uint8_t *)values
    };

    for (uint32_t i = 0; i < count; i++) {
        values[i] = value_of(first + i);
    }
    if (is_deflated) {
        struct rlog_deflate *deflate = rlog_deflate_create(1, err);

        record.header.flags = RLOG_FLAG_DEFLATED;
        record.payload = packed;
        record.header.payload_size =
            (uint32_t)rlog_deflate_u32(deflate, values, count, room, packed, sizeof(packed));
        rlog_deflate_destroy(&deflate);
        assert_int_not_equal(record.header.payload_size, 0);
    }
    return h5_samples_add(samples, &record, err);
}

static void add(struct h5_samples *samples, uint64_t first, uint32_t count, bool is_deflated)
{
    struct err err = { 0 };

    if (add_record(samples, first, count, is_deflated, &err) < 0) {
        fail_msg("%s", err.text);
    }
}

static void finish(struct h5_samples *samples, uint64_t n_samples)
{
    struct err err = { 0 };

    if (h5_samples_finish(samples, n_samples, &err) < 0) {
        fail_msg("%s", err.text);
    }
}

/* Everything is there but what `holes` say. */
static void check_file(const struct h5_scratch *scratch, uint64_t n_samples,
                       const struct h5_hole *holes, size_t n_holes)
{
    uint32_t *found = calloc(n_samples + 1, sizeof(*found));

    assert_non_null(found);
    h5_scratch_read(scratch, PATH, H5T_NATIVE_UINT32, found, n_samples, 0);
    for (size_t i = 0; i < n_holes; i++) {
        for (uint64_t n = holes[i].first; n < holes[i].first + holes[i].count; n++) {
            assert_int_equal(found[n], 0);
            found[n] = value_of(n);
        }
    }
    for (uint64_t n = 0; n < n_samples; n++) {
        if (found[n] != value_of(n)) {
            fail_msg("sample %llu is %u", (unsigned long long)n, found[n]);
        }
    }
    free(found);
    h5_scratch_check_sums(scratch, PATH, CHUNK, (n_samples + CHUNK - 1) / CHUNK);
}

static void expect_holes(const struct h5_samples *samples, const struct h5_hole *holes,
                         size_t n_holes)
{
    size_t count = 0;
    const struct h5_hole *found = h5_samples_holes(samples, &count);

    assert_int_equal(count, n_holes);
    for (size_t i = 0; i < n_holes; i++) {
        assert_int_equal(found[i].first, holes[i].first);
        assert_int_equal(found[i].count, holes[i].count);
    }
}

static void test_whole_records_go_in_as_they_are(void **state)
{
    struct h5_scratch *scratch = *state;
    struct h5_samples *samples = create(scratch);
    uint32_t mask = 99;
    static uint8_t stored[MAX_PACKED];

    add(samples, 0, CHUNK, true);
    add(samples, CHUNK, CHUNK, false);
    assert_int_equal(h5_samples_next(samples), 2 * CHUNK);
    finish(samples, 20000);
    expect_holes(samples, NULL, 0);
    h5_samples_destroy(&samples);
    assert_null(samples);
    check_file(scratch, 20000, NULL, 0);
    assert_true(h5_scratch_chunk(scratch, PATH, 0, &mask, stored, sizeof(stored)) < 40000);
    assert_int_equal(mask, 0);
    assert_int_equal(h5_scratch_chunk(scratch, PATH, CHUNK, &mask, stored, sizeof(stored)),
                     4 * CHUNK);
    assert_int_equal(mask, 3);
}

static void test_pieces_are_put_together(void **state)
{
    struct h5_scratch *scratch = *state;

    for (int is_deflated = 0; is_deflated < 2; is_deflated++) {
        struct h5_samples *samples = create(scratch);
        uint32_t count = 1;
        uint64_t at = 0;

        /* 1, 4, 7 .. then whole chunks that lie across two */
        while (at < 25000) {
            add(samples, at, count, is_deflated && count > 100);
            at += count;
            count += 3;
        }
        for (unsigned i = 0; i < 2; i++) {
            add(samples, at, CHUNK, is_deflated);
            add(samples, at + CHUNK, 1, false);
            at += CHUNK + 1;
        }
        finish(samples, at);
        assert_int_equal(h5_samples_received(samples), at);
        h5_samples_destroy(&samples);
        check_file(scratch, at, NULL, 0);
        H5Ldelete(scratch->file, PATH, H5P_DEFAULT);
        H5Ldelete(scratch->file, "/integrity/data.a", H5P_DEFAULT);
    }
}

static void test_without_filters_all_is_plain(void **state)
{
    struct h5_scratch *scratch = *state;
    struct h5_samples *samples = NULL;
    static uint8_t stored[MAX_PACKED];
    uint32_t mask = 0;

    h5_scratch_plain(scratch);
    samples = create(scratch);
    add(samples, 0, CHUNK, true);
    add(samples, CHUNK, CHUNK, false);
    finish(samples, 20000);
    h5_samples_destroy(&samples);
    check_file(scratch, 20000, NULL, 0);
    assert_int_equal(h5_scratch_chunk(scratch, PATH, 0, &mask, stored, sizeof(stored)),
                     4 * CHUNK);
}

/* Holes at the begin, inside a chunk, over whole chunks and at the end. */
static void test_what_is_missing_is_a_hole(void **state)
{
    static const struct h5_hole HOLES[] = {
        {0,      5    },
        { 105,   10   },
        { 8000,  42000},
        { 60000, 1    },
        { 70000, 25000},
    };
    struct h5_scratch *scratch = *state;
    struct h5_samples *samples = create(scratch);
    static uint8_t stored[MAX_PACKED];
    uint32_t mask = 0;

    add(samples, 5, 100, false);
    add(samples, 115, 7885, false);
    add(samples, 50000, CHUNK, true);
    add(samples, 60001, 9999, true);
    assert_int_equal(h5_samples_next(samples), 70000);
    finish(samples, 95000);
    expect_holes(samples, HOLES, ARRAY_LEN(HOLES));
    assert_int_equal(h5_samples_received(samples), 100 + 7885 + 10000 + 9999);
    h5_samples_destroy(&samples);
    check_file(scratch, 95000, HOLES, ARRAY_LEN(HOLES));
    for (uint64_t number = 0; number < 10; number++) {
        bool is_there = number == 0 || number == 5 || number == 6;
        size_t size =
            h5_scratch_chunk(scratch, PATH, number * CHUNK, &mask, stored, sizeof(stored));

        assert_int_equal(size > 0, is_there);
    }
}

static void test_many_holes(void **state)
{
    struct h5_scratch *scratch = *state;
    struct h5_samples *samples = create(scratch);
    struct h5_hole holes[100];

    for (uint64_t i = 0; i < ARRAY_LEN(holes); i++) {
        holes[i] = (struct h5_hole){ i * 150, 50 };
        add(samples, i * 150 + 50, 100, false);
    }
    finish(samples, 15000);
    expect_holes(samples, holes, ARRAY_LEN(holes));
    h5_samples_destroy(&samples);
    check_file(scratch, 15000, holes, ARRAY_LEN(holes));
}

static void test_the_extent_is_exact(void **state)
{
    static const uint64_t EXTENTS[] = { 100, 9999, 10000, 10001, 123456 };
    struct h5_scratch *scratch = *state;

    for (size_t i = 0; i < ARRAY_LEN(EXTENTS); i++) {
        struct h5_samples *samples = create(scratch);

        add(samples, 0, 100, false);
        finish(samples, EXTENTS[i]);
        h5_samples_destroy(&samples);
        assert_int_equal(h5_scratch_rows(scratch, PATH), EXTENTS[i]);
        H5Ldelete(scratch->file, PATH, H5P_DEFAULT);
        H5Ldelete(scratch->file, "/integrity/data.a", H5P_DEFAULT);
    }
}

static void test_nothing_at_all(void **state)
{
    static const struct h5_hole ALL[] = {
        {0, 50000}
    };
    struct h5_scratch *scratch = *state;
    struct h5_samples *samples = create(scratch);

    finish(samples, 50000);
    expect_holes(samples, ALL, 1);
    h5_samples_destroy(&samples);
    check_file(scratch, 50000, ALL, 1);
}

static void test_samples_never_go_back(void **state)
{
    struct h5_scratch *scratch = *state;
    struct h5_samples *samples = create(scratch);
    struct err err = { 0 };

    add(samples, 0, 100, false);
    assert_int_equal(add_record(samples, 99, 5, false, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_string_equal(err.text, "samples from 99 on behind sample 100");
    assert_int_equal(h5_samples_finish(samples, 99, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_string_equal(err.text, "99 samples although sample 99 was recorded");
    /* 115 days on: a broken header, not a recording */
    assert_int_equal(add_record(samples, UINT64_C(1000000000001), 5, false, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_int_equal(add_record(samples, UINT64_MAX - 2, 5, false, &err), -1);
    finish(samples, 100);
    h5_samples_destroy(&samples);
    check_file(scratch, 100, NULL, 0);
}

/* A whole chunk goes in unseen only if its size is one that it can have. */
static void test_whole_records_of_an_odd_size_are_refused(void **state)
{
    static const struct {
        uint16_t flags;
        uint32_t size;
    } CASES[] = {
        {0,                   39996},
        { 0,                  40004},
        { RLOG_FLAG_DEFLATED, 40000},
        { RLOG_FLAG_DEFLATED, 90000},
    };
    struct h5_scratch *scratch = *state;
    struct h5_samples *samples = create(scratch);
    uint8_t *zeros = calloc(1, 100000);

    assert_non_null(zeros);
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct rlog_record record = {
            .header = {.type = RLOG_SAMPLES,
                       .flags = CASES[i].flags,
                       .count = CHUNK,
                       .payload_size = CASES[i].size},
            .payload = zeros
        };
        struct err err = { 0 };

        assert_int_equal(h5_samples_add(samples, &record, &err), -1);
        assert_int_equal(err.code, ERR_CORRUPT);
    }
    assert_int_equal(h5_samples_received(samples), 0);
    h5_samples_destroy(&samples);
    assert_int_equal(h5_scratch_rows(scratch, PATH), 0);
    free(zeros);
}

static void test_broken_records_are_refused(void **state)
{
    struct h5_scratch *scratch = *state;
    struct h5_samples *samples = create(scratch);
    uint8_t junk[400] = { 0x78, 0x01 };
    struct rlog_record record = {
        .header = {.type = RLOG_SAMPLES, .count = 100},
        .payload = junk,
        .segment = 3,
        .offset = 40
    };
    struct err err = { 0 };

    record.header.payload_size = 396;
    assert_int_equal(h5_samples_add(samples, &record, &err), -1);
    assert_string_equal(err.text, "segment 3, byte 40: 396 bytes are not 100 samples");
    record.header.payload_size = 400;
    record.header.flags = RLOG_FLAG_DEFLATED;
    assert_int_equal(h5_samples_add(samples, &record, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
    record.header.flags = 0;
    record.header.count = CHUNK + 1;
    record.header.payload_size = 4 * (CHUNK + 1);
    assert_int_equal(h5_samples_add(samples, &record, &err), -1);
    record.header.count = 0;
    record.header.payload_size = 0;
    assert_int_equal(h5_samples_add(samples, &record, &err), -1);
    assert_string_equal(err.text, "segment 3, byte 40: not a record of samples");
    assert_int_equal(h5_samples_next(samples), 0);
    h5_samples_destroy(&samples);
    h5_samples_destroy(&samples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_H5_SCRATCH(test_whole_records_go_in_as_they_are),
        WITH_H5_SCRATCH(test_pieces_are_put_together),
        WITH_H5_SCRATCH(test_without_filters_all_is_plain),
        WITH_H5_SCRATCH(test_what_is_missing_is_a_hole),
        WITH_H5_SCRATCH(test_many_holes),
        WITH_H5_SCRATCH(test_the_extent_is_exact),
        WITH_H5_SCRATCH(test_nothing_at_all),
        WITH_H5_SCRATCH(test_samples_never_go_back),
        WITH_H5_SCRATCH(test_whole_records_of_an_odd_size_are_refused),
        WITH_H5_SCRATCH(test_broken_records_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
