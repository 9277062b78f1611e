/* SPDX-License-Identifier: MIT */
#include "common/rlog.h"
#include "common/rlog_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char folder[64];
    char log[128];
    struct rlog_manifest manifest;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/bw-rlog-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(fixture->log, sizeof(fixture->log), "%s/a.rlog", fixture->folder);
    schema_defaults(&node_config_schema, &fixture->manifest.config);
    snprintf(fixture->manifest.experiment_name, sizeof(fixture->manifest.experiment_name), "t");
    snprintf(fixture->manifest.node, sizeof(fixture->manifest.node), "sheep0");
    snprintf(fixture->manifest.datatype, sizeof(fixture->manifest.datatype), "ivsample");
    fixture->manifest.n_planned = UINT64_MAX;
    fixture->manifest.experiment = UINT64_MAX - 1;
    fixture->manifest.has_voltage = true;
    fixture->manifest.voltage = (struct cal_channel){ 1.953125e-05, -1e-6 };
    fixture->manifest.current = (struct cal_channel){ 2.0345052083333335e-07, 0 };
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    struct err err = { 0 };

    if (access(fixture->log, F_OK) == 0) {
        assert_int_equal(rlog_remove(fixture->log, &err), 0);
    }
    rmdir(fixture->folder);
    free(fixture);
    return 0;
}

static void append_samples(struct rlog_writer *writer, uint8_t stream, uint64_t first,
                           uint32_t count)
{
    struct rlog_record_header header = {
        .type = RLOG_SAMPLES, .stream = stream, .count = count, .first = first
    };
    uint32_t samples[1000];
    struct err err = { 0 };

    for (uint32_t i = 0; i < count; i++) {
        samples[i] = (uint32_t)first + i;
    }
    assert_int_equal(rlog_writer_append(writer, header, samples, (size_t)count * 4, &err), 0);
}

static struct rlog_writer *begin(struct fixture *fixture)
{
    struct err err = { 0 };
    struct rlog_writer *writer = rlog_writer_create(fixture->log, &fixture->manifest, &err);

    if (writer == NULL) {
        fail_msg("%s", err.text);
    }
    return writer;
}

static void test_a_log_reads_back_as_written_and_verifies(void **state)
{
    struct fixture *fixture = *state;
    struct rlog_writer *writer = begin(fixture);
    struct rlog_end end = { .n_samples = 1500, .reason = RLOG_END_COMPLETE };
    uint8_t digest[RLOG_DIGEST_BYTES];
    uint8_t again[RLOG_DIGEST_BYTES];
    struct err err = { 0 };
    struct rlog_record record = { 0 };
    struct rlog_reader *reader = rlog_reader_open(fixture->log, &err);
    uint32_t samples[RLOG_CHUNK_SAMPLES];
    uint64_t bytes = 0;

    assert_non_null(reader);
    assert_int_equal(rlog_reader_manifest(reader)->experiment, UINT64_MAX - 1);
    assert_true(rlog_reader_manifest(reader)->voltage.gain == 1.953125e-05);
    assert_int_equal(rlog_reader_next(reader, &record, &err), RLOG_NEXT_WAIT);
    append_samples(writer, RLOG_STREAM_VOLTAGE, 0, 1000);
    assert_int_equal(rlog_reader_next(reader, &record, &err), RLOG_NEXT_WAIT);
    assert_int_equal(rlog_writer_sync(writer, &err), 0);
    assert_int_equal(rlog_writer_durable(writer).offset, 40 + 24 + 4000);
    assert_int_equal(rlog_reader_next(reader, &record, &err), RLOG_NEXT_RECORD);
    assert_int_equal(rlog_record_samples(&record, samples, &err), 0);
    assert_int_equal(samples[999], 999);
    append_samples(writer, RLOG_STREAM_VOLTAGE, 1000, 500);
    assert_int_equal(rlog_writer_finish(writer, &end, digest, &err), 0);
    assert_int_equal(rlog_reader_next(reader, &record, &err), RLOG_NEXT_RECORD);
    assert_int_equal(rlog_reader_next(reader, &record, &err), RLOG_NEXT_RECORD);
    assert_int_equal(record.header.type, RLOG_END);
    assert_int_equal(rlog_reader_next(reader, &record, &err), RLOG_NEXT_END);
    rlog_reader_close(&reader);
    rlog_writer_destroy(&writer);
    assert_int_equal(rlog_verify(fixture->log, &end, again, &bytes, &err), 0);
    assert_memory_equal(digest, again, sizeof(digest));
    assert_int_equal(end.n_samples, 1500);
    assert_int_equal(end.n_records, 3);
    assert_int_equal(bytes, 40 + 24 + 4000 + 24 + 2000 + 24 + 80);
}

static void test_segments_follow_each_other(void **state)
{
    enum {
        BYTES = 7 * 1024 * 1024,
        RECORDS = 20
    };
    struct fixture *fixture = *state;
    struct rlog_writer *writer = begin(fixture);
    struct rlog_record_header header = { .type = RLOG_TEXT, .stream = RLOG_STREAM_UART };
    struct rlog_end end = { 0 };
    struct rlog_record record = { 0 };
    struct rlog_reader *reader = NULL;
    char *payload = calloc(1, BYTES);
    uint8_t digest[RLOG_DIGEST_BYTES];
    uint8_t again[RLOG_DIGEST_BYTES];
    struct err err = { 0 };
    uint64_t bytes = 0;
    int count = 0;

    assert_non_null(payload);
    for (int i = 0; i < RECORDS; i++) {
        header.first = (uint64_t)i;
        payload[0] = (char)i;
        assert_int_equal(rlog_writer_append(writer, header, payload, BYTES, &err), 0);
        assert_int_equal(rlog_writer_sync(writer, &err), 0);
    }
    assert_int_equal(rlog_writer_finish(writer, &end, digest, &err), 0);
    rlog_writer_destroy(&writer);
    reader = rlog_reader_open(fixture->log, &err);
    assert_non_null(reader);
    while (rlog_reader_next(reader, &record, &err) == RLOG_NEXT_RECORD
           && record.header.type == RLOG_TEXT) {
        assert_int_equal(record.header.first, count);
        count++;
    }
    assert_int_equal(count, RECORDS);
    assert_int_equal(record.segment, 2);
    rlog_reader_close(&reader);
    assert_int_equal(rlog_verify(fixture->log, &end, again, &bytes, &err), 0);
    assert_memory_equal(digest, again, sizeof(digest));
    free(payload);
}

/* Two streams, one record of each every 500 samples, cut at every byte of the last 1200. */
static void test_a_torn_tail_costs_the_tail_and_no_more(void **state)
{
    struct fixture *fixture = *state;
    char path[256];
    struct stat info = { 0 };
    struct rlog_writer *writer = begin(fixture);
    struct err err = { 0 };

    for (uint64_t first = 0; first < 400; first += 100) {
        append_samples(writer, RLOG_STREAM_VOLTAGE, first, 100);
        append_samples(writer, RLOG_STREAM_CURRENT, first, 100);
    }
    assert_int_equal(rlog_writer_sync(writer, &err), 0);
    rlog_writer_destroy(&writer);
    rlog_segment_path(fixture->log, 0, path, sizeof(path));
    assert_int_equal(stat(path, &info), 0);
    for (off_t size = info.st_size; size >= 40; size -= 7) {
        struct rlog_recovery recovery = { 0 };
        struct rlog_end end = { 0 };
        uint8_t digest[RLOG_DIGEST_BYTES];
        uint64_t bytes = 0;
        uint64_t whole = (uint64_t)(size - 40) / 424;
        char garbage[3] = { 1, 2, 3 };
        FILE *file = NULL;

        /* rebuild the log and cut it */
        assert_int_equal(rlog_remove(fixture->log, &err), 0);
        writer = begin(fixture);
        for (uint64_t first = 0; first < 400; first += 100) {
            append_samples(writer, RLOG_STREAM_VOLTAGE, first, 100);
            append_samples(writer, RLOG_STREAM_CURRENT, first, 100);
        }
        assert_int_equal(rlog_writer_sync(writer, &err), 0);
        rlog_writer_destroy(&writer);
        assert_int_equal(truncate(path, size), 0);
        if (size % 2 == 0) {
            file = fopen(path, "ab");
            assert_non_null(file);
            fwrite(garbage, 1, sizeof(garbage), file);
            fclose(file);
        }
        assert_int_equal(rlog_recover(fixture->log, &recovery, &err), 0);
        assert_false(recovery.was_closed);
        assert_int_equal(recovery.end.reason, RLOG_END_INTERRUPTED);
        assert_int_equal(recovery.end.n_samples, (whole + 1) / 2 * 100);
        if (rlog_verify(fixture->log, &end, digest, &bytes, &err) < 0) {
            fail_msg("%s", err.text);
        }
        assert_memory_equal(digest, recovery.digest, sizeof(digest));
        assert_int_equal(bytes, recovery.bytes);
        assert_int_equal(rlog_recover(fixture->log, &recovery, &err), 0);
        assert_true(recovery.was_closed);
    }
}

static void flip_bit(const char *path, long byte)
{
    FILE *file = fopen(path, "r+b");
    int value = 0;

    assert_non_null(file);
    fseek(file, byte, SEEK_SET);
    value = fgetc(file);
    fseek(file, byte, SEEK_SET);
    fputc(value ^ 1, file);
    fclose(file);
}

/* Its records are of use to somebody who mends the header by hand, so they must stay. */
static void test_a_log_with_a_spoilt_first_header_is_not_cut(void **state)
{
    struct fixture *fixture = *state;
    struct rlog_writer *writer = begin(fixture);
    struct rlog_recovery recovery;
    struct rlog_record record;
    struct rlog_reader *reader = NULL;
    struct stat before = { 0 };
    struct stat after = { 0 };
    char path[256];
    struct err err = { 0 };

    append_samples(writer, RLOG_STREAM_VOLTAGE, 0, 100);
    assert_int_equal(rlog_writer_sync(writer, &err), 0);
    rlog_writer_destroy(&writer);
    rlog_segment_path(fixture->log, 0, path, sizeof(path));
    flip_bit(path, 0);
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(rlog_recover(fixture->log, &recovery, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(after.st_size, before.st_size);
    reader = rlog_reader_open(fixture->log, &err);
    assert_non_null(reader);
    assert_int_equal(rlog_reader_next(reader, &record, &err), RLOG_NEXT_ERROR);
    flip_bit(path, 0); /* whoever reads on sees it mended */
    assert_int_equal(rlog_reader_next(reader, &record, &err), RLOG_NEXT_RECORD);
    rlog_reader_close(&reader);
    assert_int_equal(rlog_recover(fixture->log, &recovery, &err), 0);
    assert_int_equal(recovery.end.n_samples, 100);
}

/* Rows at 10 Hz: what was lost counts in samples. */
static void test_recovery_counts_samples_of_rows(void **state)
{
    struct fixture *fixture = *state;
    struct rlog_recovery recovery = { 0 };
    struct rlog_end end = { 0 };
    uint8_t digest[RLOG_DIGEST_BYTES];
    struct err err = { 0 };
    uint64_t bytes = 0;

    fixture->manifest.config.record.samplerate = RECORD_10_HZ;
    fixture->manifest.n_planned = 45000;
    struct rlog_writer *writer = begin(fixture);

    append_samples(writer, RLOG_STREAM_VOLTAGE, 0, 5); /* the last of half a window */
    append_samples(writer, RLOG_STREAM_CURRENT, 0, 3);
    assert_int_equal(rlog_writer_sync(writer, &err), 0);
    rlog_writer_destroy(&writer);
    assert_int_equal(rlog_recover(fixture->log, &recovery, &err), 0);
    assert_int_equal(recovery.end.n_samples, 45000);
    assert_int_equal(recovery.end.n_gap_samples, 15000);
    assert_int_equal(rlog_verify(fixture->log, &end, digest, &bytes, &err), 0);
}

/* Edges and rows of monitors that were dropped leave every sample where it is. */
static void test_recovery_counts_gaps_of_samples_alone(void **state)
{
    static const struct rlog_gap GAPS[] = {
        {0,  10, RLOG_GAP_QUEUE, RLOG_STREAM_GPIO},
        { 0, 20, RLOG_GAP_QUEUE, RLOG_STREAM_PTP },
        { 5, 7,  RLOG_GAP_RING,  0               },
    };
    struct fixture *fixture = *state;
    struct rlog_recovery recovery = { 0 };
    struct err err = { 0 };
    struct rlog_writer *writer = begin(fixture);

    append_samples(writer, RLOG_STREAM_VOLTAGE, 0, 100);
    append_samples(writer, RLOG_STREAM_CURRENT, 0, 100);
    for (size_t i = 0; i < ARRAY_LEN(GAPS); i++) {
        struct rlog_record_header header = { .type = RLOG_GAP, .count = 1 };

        assert_int_equal(rlog_writer_append(writer, header, &GAPS[i], sizeof(GAPS[i]), &err),
                         0);
    }
    assert_int_equal(rlog_writer_sync(writer, &err), 0);
    rlog_writer_destroy(&writer);
    assert_int_equal(rlog_recover(fixture->log, &recovery, &err), 0);
    assert_int_equal(recovery.end.n_samples, 100);
    assert_int_equal(recovery.end.n_gap_samples, 7);
}

/* Without samples the overview tells how far it came. */
static void test_recovery_of_an_overview(void **state)
{
    struct fixture *fixture = *state;
    struct rlog_record_header header = {
        .type = RLOG_OVERVIEW, .stream = RLOG_STREAM_VOLTAGE, .count = 7, .first = 640
    };
    struct rlog_overview entries[7] = { { 0 } };
    struct rlog_recovery recovery = { 0 };
    struct rlog_end end = { 0 };
    uint8_t digest[RLOG_DIGEST_BYTES];
    struct err err = { 0 };
    uint64_t bytes = 0;

    fixture->manifest.config.record.overview_only = true;
    struct rlog_writer *writer = begin(fixture);

    assert_int_equal(rlog_writer_append(writer, header, entries, sizeof(entries), &err), 0);
    assert_int_equal(rlog_writer_sync(writer, &err), 0);
    rlog_writer_destroy(&writer);
    assert_int_equal(rlog_recover(fixture->log, &recovery, &err), 0);
    assert_int_equal(recovery.end.n_samples, 640 + 7 * 64);
    assert_int_equal(recovery.end.n_gap_samples, 0);
    assert_int_equal(rlog_verify(fixture->log, &end, digest, &bytes, &err), 0);
}

static void test_one_flipped_bit_is_found_wherever_it_is(void **state)
{
    struct fixture *fixture = *state;
    struct rlog_writer *writer = begin(fixture);
    struct rlog_end end = { .n_samples = 60 };
    uint8_t digest[RLOG_DIGEST_BYTES];
    uint8_t again[RLOG_DIGEST_BYTES];
    char path[256];
    struct err err = { 0 };
    struct stat info = { 0 };
    uint64_t bytes = 0;

    append_samples(writer, RLOG_STREAM_VOLTAGE, 0, 60);
    assert_int_equal(rlog_writer_finish(writer, &end, digest, &err), 0);
    rlog_writer_destroy(&writer);
    rlog_segment_path(fixture->log, 0, path, sizeof(path));
    assert_int_equal(stat(path, &info), 0);
    for (long at = 0; at < info.st_size * 8; at++) {
        FILE *file = fopen(path, "r+b");
        int byte = 0;
        int result = 0;

        assert_non_null(file);
        fseek(file, at / 8, SEEK_SET);
        byte = fgetc(file);
        fseek(file, at / 8, SEEK_SET);
        fputc(byte ^ 1 << at % 8, file);
        fflush(file);
        result = rlog_verify(fixture->log, &end, again, &bytes, &err);
        if (result == 0) {
            fail_msg("bit %ld", at);
        }
        fseek(file, at / 8, SEEK_SET);
        fputc(byte, file);
        fclose(file);
    }
    assert_int_equal(rlog_verify(fixture->log, &end, again, &bytes, &err), 0);
}

/* Every count is as END says, each record is whole: the digest in END is what finds it. */
static void test_a_record_in_place_of_another_is_found(void **state)
{
    enum {
        RECORD = 24 + 400
    };
    struct fixture *fixture = *state;
    struct rlog_writer *writer = begin(fixture);
    struct rlog_end end = { .n_samples = 100 };
    uint8_t digest[RLOG_DIGEST_BYTES];
    uint8_t records[2 * RECORD];
    uint8_t swapped[2 * RECORD];
    char path[256];
    struct err err = { 0 };
    uint64_t bytes = 0;

    append_samples(writer, RLOG_STREAM_VOLTAGE, 0, 100);
    append_samples(writer, RLOG_STREAM_CURRENT, 0, 100);
    assert_int_equal(rlog_writer_finish(writer, &end, digest, &err), 0);
    rlog_writer_destroy(&writer);
    rlog_segment_path(fixture->log, 0, path, sizeof(path));
    FILE *file = fopen(path, "r+b");

    assert_non_null(file);
    assert_int_equal(pread(fileno(file), records, sizeof(records), 40), sizeof(records));
    memcpy(swapped, records + RECORD, RECORD);
    memcpy(swapped + RECORD, records, RECORD);
    assert_int_equal(pwrite(fileno(file), swapped, sizeof(swapped), 40), sizeof(swapped));
    assert_int_equal(rlog_verify(fixture->log, &end, digest, &bytes, &err), -1);
    assert_non_null(strstr(err.text, "records are not those"));
    memcpy(swapped + RECORD, records + RECORD, RECORD); /* current twice, voltage gone */
    assert_int_equal(pwrite(fileno(file), swapped, sizeof(swapped), 40), sizeof(swapped));
    assert_int_equal(rlog_verify(fixture->log, &end, digest, &bytes, &err), -1);
    assert_int_equal(pwrite(fileno(file), records, sizeof(records), 40), sizeof(records));
    assert_int_equal(rlog_verify(fixture->log, &end, digest, &bytes, &err), 0);
    fclose(file);
}

static void test_deflate_is_undone_by_inflate(void **state)
{
    struct err err = { 0 };
    struct rlog_deflate *deflate = rlog_deflate_create(1, &err);
    size_t count = RLOG_CHUNK_SAMPLES;
    uint32_t *samples = calloc(3 * count, sizeof(uint32_t));
    size_t capacity = rlog_deflate_bound(RLOG_CHUNK_SAMPLES);
    uint8_t *out = malloc(capacity);
    size_t size = 0;

    (void)state;
    assert_non_null(deflate);
    assert_non_null(samples);
    assert_non_null(out);
    for (uint32_t i = 0; i < RLOG_CHUNK_SAMPLES; i++) {
        samples[i] = 100000 + i * i % 257;
    }
    size = rlog_deflate_u32(deflate, samples, count, samples + count, out, capacity);
    assert_in_range(size, 1, count * 2);
    assert_int_equal(rlog_inflate_u32(out, size, samples + 2 * count, count, &err), 0);
    assert_memory_equal(samples, samples + 2 * count, count * 4);
    assert_int_equal(rlog_inflate_u32(out, size - 1, samples, count, &err), -1);
    assert_int_equal(rlog_inflate_u32(out, size, samples, count - 1, &err), -1);
    rlog_deflate_destroy(&deflate);
    free(samples);
    free(out);
}

static void test_input_streams_keep_samples_and_have_one_digest(void **state)
{
    struct fixture *fixture = *state;
    char digests[2][DIGEST_TEXT_SIZE];
    char path[128];
    struct err err = { 0 };
    uint64_t n = 0;
    uint64_t at = 0;
    long got = 0;
    struct rlog_input_reader *reader = NULL;
    uint32_t voltage[777];
    uint32_t current[777];

    snprintf(path, sizeof(path), "%s/x.inp", fixture->folder);
    for (uint32_t pass = 0; pass < 2; pass++) {
        struct rlog_input_writer *writer = rlog_input_create(path, &err);
        uint32_t step = pass == 0 ? 777 : 311;

        assert_non_null(writer);
        for (uint32_t i = 0; i < 25000; i += step) {
            uint32_t count = i + step > 25000 ? 25000 - i : step;

            for (uint32_t k = 0; k < count; k++) {
                voltage[k] = i + k;
                current[k] = 3 * (i + k);
            }
            assert_int_equal(rlog_input_append(writer, voltage, current, count, &err), 0);
        }
        assert_int_equal(rlog_input_finish(&writer, digests[pass], &n, &err), 0);
        assert_int_equal(n, 25000);
    }
    assert_string_equal(digests[0], digests[1]);
    reader = rlog_input_open(path, &err);
    assert_non_null(reader);
    assert_int_equal(rlog_input_samples(reader), 25000);
    while ((got = rlog_input_read(reader, voltage, current, 777, &err)) > 0) {
        for (long k = 0; k < got; k++) {
            assert_int_equal(voltage[k], at);
            assert_int_equal(current[k], 3 * at);
            at++;
        }
    }
    assert_int_equal(got, 0);
    assert_int_equal(at, 25000);
    rlog_input_close(&reader);
    assert_int_equal(truncate(path, 100), 0);
    assert_null(rlog_input_open(path, &err));
    assert_int_equal(err.code, ERR_CORRUPT);
    unlink(path);
}

static void test_remove_refuses_what_is_not_a_log(void **state)
{
    struct fixture *fixture = *state;
    struct rlog_writer *writer = begin(fixture);
    char path[160];
    struct err err = { 0 };
    FILE *file = NULL;

    rlog_writer_destroy(&writer);
    snprintf(path, sizeof(path), "%s/notes.txt", fixture->log);
    file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(rlog_remove(fixture->log, &err), -1);
    assert_non_null(strstr(err.text, "notes.txt"));
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_record_in_place_of_another_is_found, set_up,
                                        tear_down),
        cmocka_unit_test(test_deflate_is_undone_by_inflate),
        cmocka_unit_test_setup_teardown(test_a_log_reads_back_as_written_and_verifies, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_segments_follow_each_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_torn_tail_costs_the_tail_and_no_more, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_log_with_a_spoilt_first_header_is_not_cut,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_recovery_counts_samples_of_rows, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_recovery_counts_gaps_of_samples_alone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_recovery_of_an_overview, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_flipped_bit_is_found_wherever_it_is, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_input_streams_keep_samples_and_have_one_digest,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_remove_refuses_what_is_not_a_log, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
