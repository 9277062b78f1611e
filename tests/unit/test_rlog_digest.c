/* SPDX-License-Identifier: MIT */
/* The digest of a log: what it is over, in whatever pieces the bytes come, and what it finds.
 */
#include "common/rlog_digest.h"

#include "common/rlog.h"
#include "common/rlog_file.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    N_RECORDS = 6,
    N_SEGMENTS = 2,
    SEGMENT_BYTES = 1024,
    PAYLOAD = 41, /* of the first record; each further one has a byte more */
};

/* A segment, and where its records begin. */
struct segment {
    uint8_t bytes[SEGMENT_BYTES];
    size_t size;
    size_t starts[N_RECORDS + 1];
};

static struct segment sound[N_SEGMENTS];
static uint8_t sound_digest[RLOG_DIGEST_BYTES];

static void append(struct segment *segment, const void *data, size_t size)
{
    assert_true(segment->size + size <= SEGMENT_BYTES);
    memcpy(segment->bytes + segment->size, data, size);
    segment->size += size;
}

static void make_segment(struct segment *segment, uint32_t number)
{
    static const uint8_t id[16] = "of the test";
    struct rlog_segment_header segment_header = rlog_make_segment_header(number, id);

    memset(segment, 0, sizeof(*segment));
    append(segment, &segment_header, sizeof(segment_header));
    for (uint32_t i = 0; i < N_RECORDS; i++) {
        struct rlog_record_header header = { .type = RLOG_TEXT, .stream = RLOG_STREAM_UART };
        uint8_t payload[PAYLOAD + N_RECORDS + 8] = { 0 };

        memset(payload, (int)(i + 1 + 16 * number), PAYLOAD + i);
        rlog_seal_record(&header, payload, PAYLOAD + i);
        memset(payload + PAYLOAD + i, 0, 8); /* padding */
        segment->starts[i] = segment->size;
        append(segment, &header, sizeof(header));
        append(segment, payload, rlog_padded(PAYLOAD + i));
    }
    segment->starts[N_RECORDS] = segment->size;
}

/* Bytes in pieces of `piece`. */
static void digest_of(const struct segment *segments, size_t piece,
                      uint8_t out[RLOG_DIGEST_BYTES])
{
    struct rlog_digest *digest = rlog_digest_create();

    assert_non_null(digest);
    for (size_t i = 0; i < N_SEGMENTS; i++) {
        if (i > 0) {
            rlog_digest_next_segment(digest);
        }
        for (size_t at = 0; at < segments[i].size; at += piece) {
            size_t left = segments[i].size - at;

            rlog_digest_update(digest, segments[i].bytes + at, left < piece ? left : piece);
        }
    }
    rlog_digest_get(digest, out);
    rlog_digest_destroy(&digest);
}

static int set_up(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < N_SEGMENTS; i++) {
        make_segment(&sound[i], i);
    }
    digest_of(sound, SEGMENT_BYTES, sound_digest);
    return 0;
}

static void expect_found(const struct segment *segments, const char *what, size_t at)
{
    uint8_t found[RLOG_DIGEST_BYTES];

    digest_of(segments, SEGMENT_BYTES, found);
    if (memcmp(found, sound_digest, sizeof(found)) == 0) {
        fail_msg("%s %zu: not found", what, at);
    }
}

static void test_it_is_blake2b_over_the_headers(void **state)
{
    _Alignas(64) crypto_generichash_state headers;
    uint8_t expected[RLOG_DIGEST_BYTES];

    (void)state;
    crypto_generichash_init(&headers, NULL, 0, sizeof(expected));
    for (size_t i = 0; i < N_SEGMENTS; i++) {
        crypto_generichash_update(&headers, sound[i].bytes, sizeof(struct rlog_segment_header));
        for (size_t k = 0; k < N_RECORDS; k++) {
            crypto_generichash_update(&headers, sound[i].bytes + sound[i].starts[k],
                                      sizeof(struct rlog_record_header));
        }
    }
    crypto_generichash_final(&headers, expected, sizeof(expected));
    assert_memory_equal(expected, sound_digest, sizeof(expected));
}

static void test_pieces_of_any_size_give_the_same(void **state)
{
    uint8_t found[RLOG_DIGEST_BYTES];

    (void)state;
    for (size_t piece = 1; piece < 200; piece++) {
        digest_of(sound, piece, found);
        assert_memory_equal(found, sound_digest, sizeof(found));
    }
}

static void test_a_writer_and_a_look_between_give_the_same(void **state)
{
    struct rlog_digest *digest = rlog_digest_create();
    uint8_t found[RLOG_DIGEST_BYTES];

    (void)state;
    assert_non_null(digest);
    rlog_digest_update(digest, "of another log", 14);
    rlog_digest_reset(digest);
    for (size_t i = 0; i < N_SEGMENTS; i++) {
        if (i > 0) {
            rlog_digest_next_segment(digest);
        }
        rlog_digest_update(digest, sound[i].bytes, sizeof(struct rlog_segment_header));
        for (size_t k = 0; k < N_RECORDS; k++) {
            struct rlog_record_header header;

            memcpy(&header, sound[i].bytes + sound[i].starts[k], sizeof(header));
            rlog_digest_record(digest, &header);
            rlog_digest_get(digest, found);
            assert_int_equal(memcmp(found, sound_digest, sizeof(found)) == 0,
                             i == N_SEGMENTS - 1 && k == N_RECORDS - 1);
        }
    }
    rlog_digest_destroy(&digest);
}

static void test_a_flipped_bit_is_found_wherever_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_SEGMENTS; i++) {
        for (size_t at = 0; at < 8 * sound[i].size; at++) {
            sound[i].bytes[at / 8] ^= (uint8_t)(1 << at % 8);
            expect_found(sound, "bit", at);
            sound[i].bytes[at / 8] ^= (uint8_t)(1 << at % 8);
        }
    }
}

static void test_a_log_cut_anywhere_is_another(void **state)
{
    static struct segment cut[N_SEGMENTS];

    (void)state;
    for (size_t i = 0; i < N_SEGMENTS; i++) {
        memcpy(cut, sound, sizeof(cut));
        for (cut[i].size = 0; cut[i].size < sound[i].size; cut[i].size++) {
            expect_found(cut, "cut at", cut[i].size);
        }
    }
}

/* Segment 0 with its records in the order that `order` says, n of them. */
static void reorder(struct segment *out, const size_t *order, size_t n)
{
    memset(out, 0, sizeof(*out));
    append(out, sound[0].bytes, sizeof(struct rlog_segment_header));
    for (size_t i = 0; i < n; i++) {
        size_t start = sound[0].starts[order[i]];

        append(out, sound[0].bytes + start, sound[0].starts[order[i] + 1] - start);
    }
}

static void test_a_record_dropped_replayed_or_swapped_is_found(void **state)
{
    static struct segment other[N_SEGMENTS];
    uint8_t found[RLOG_DIGEST_BYTES];

    (void)state;
    other[1] = sound[1];
    for (size_t i = 0; i < N_RECORDS; i++) {
        size_t order[N_RECORDS + 1] = { 0, 1, 2, 3, 4, 5, i };

        reorder(&other[0], order, N_RECORDS);
        digest_of(other, SEGMENT_BYTES, found);
        assert_memory_equal(found, sound_digest, sizeof(found)); /* nothing changed yet */
        reorder(&other[0], order, N_RECORDS + 1);
        expect_found(other, "replayed", i);
        memmove(order + i, order + i + 1, (N_RECORDS - 1 - i) * sizeof(order[0]));
        reorder(&other[0], order, N_RECORDS - 1);
        expect_found(other, "dropped", i);
    }
    for (size_t i = 1; i < N_RECORDS; i++) {
        size_t order[N_RECORDS] = { 0, 1, 2, 3, 4, 5 };

        order[i] = i - 1;
        order[i - 1] = i;
        reorder(&other[0], order, N_RECORDS);
        expect_found(other, "swapped", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_it_is_blake2b_over_the_headers, set_up),
        cmocka_unit_test_setup(test_pieces_of_any_size_give_the_same, set_up),
        cmocka_unit_test_setup(test_a_writer_and_a_look_between_give_the_same, set_up),
        cmocka_unit_test_setup(test_a_flipped_bit_is_found_wherever_it_is, set_up),
        cmocka_unit_test_setup(test_a_log_cut_anywhere_is_another, set_up),
        cmocka_unit_test_setup(test_a_record_dropped_replayed_or_swapped_is_found, set_up),
    };

    return cmocka_run_group_tests_name("rlog_digest", tests, NULL, NULL);
}
