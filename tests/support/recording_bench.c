/* SPDX-License-Identifier: MIT */
#include "tests/support/recording_bench.h"

#include "common/calibration.h"
#include "tests/support/disk_fault.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    TIMEOUT_S = 20,
    PIECE = 10000
};

int bench_set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    struct rlog_manifest *manifest = NULL;

    assert_non_null(bench);
    disk_fault_reset();
    snprintf(bench->folder, sizeof(bench->folder), "/tmp/bw_recording_XXXXXX");
    assert_non_null(mkdtemp(bench->folder));
    bench->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bench->clock = clock_system(0);
    bench->input_memory_bytes = 1u << 20;
    bench->timeout_s = TIMEOUT_S;
    bench->request.kind = RECORDER_PREPARE;
    bench->request.boot_id = 77;
    bench->request.calibration = calibration_default();
    snprintf(bench->request.log_folder, sizeof(bench->request.log_folder), "%s/test.rlog",
             bench->folder);
    manifest = &bench->request.manifest;
    snprintf(manifest->experiment_name, sizeof(manifest->experiment_name), "test");
    snprintf(manifest->node, sizeof(manifest->node), "sheep0");
    snprintf(manifest->board, sizeof(manifest->board), "sim");
    snprintf(manifest->datatype, sizeof(manifest->datatype), "ivsample");
    schema_defaults(&node_config_schema, &manifest->config);
    manifest->mode = MODE_HARVEST;
    manifest->config.mode = MODE_HARVEST;
    manifest->n_planned = 200000;
    manifest->has_voltage = true;
    manifest->has_current = true;
    manifest->voltage.gain = 1.0;
    manifest->current.gain = 1.0;
    manifest->config.record.compression = 1;
    manifest->config.record.sync_interval_ns = NS_PER_S;
    manifest->config.record.memory_bytes = 8u << 20;
    *state = bench;
    return 0;
}

int bench_tear_down(void **state)
{
    struct bench *bench = *state;
    struct err err;

    disk_fault_reset();
    recording_destroy(&bench->recording);
    if (bench->board != NULL) {
        bench->board->ops->destroy(bench->board);
    }
    if (access(bench->request.log_folder, F_OK) == 0) {
        assert_int_equal(rlog_remove(bench->request.log_folder, &err), 0);
    }
    if (bench->request.input_path[0] != '\0') {
        unlink(bench->request.input_path);
    }
    assert_int_equal(rmdir(bench->folder), 0);
    close(bench->event_fd);
    free(bench);
    return 0;
}

void bench_prepare(struct bench *bench)
{
    struct recording_options options = { .clock = &bench->clock,
                                         .request = &bench->request,
                                         .input_memory_bytes = bench->input_memory_bytes,
                                         .state_dir = bench->state_dir,
                                         .temp_dir = bench->temp_dir,
                                         .event_fd = bench->event_fd };
    struct err err = { 0 };
    int64_t promise_ns = 0;

    bench->board = board_fake_create(&bench->plan, &err);
    assert_non_null(bench->board);
    options.board = bench->board;
    bench->recording = recording_create(&options, &promise_ns, &err);
    if (bench->recording == NULL) {
        fail_msg("%s", err.text);
    }
    assert_in_range(promise_ns - clock_utc_ns(), 0, NS_PER_S);
    bench->T_ns = promise_ns;
}

void bench_start(struct bench *bench)
{
    struct err err = { 0 };

    if (recording_start(bench->recording, bench->T_ns, 1, &err) < 0) {
        fail_msg("%s", err.text);
    }
}

void bench_step(struct bench *bench)
{
    struct pollfd fds[2] = {
        {bench->event_fd,                                                        POLLIN, 0},
        { recording_wants_board(bench->recording) ? bench->board->event_fd : -1, POLLIN, 0}
    };
    uint64_t count = 0;

    poll(fds, 2, recording_timeout_ms(bench->recording));
    for (int i = 0; i < 2; i++) {
        if (fds[i].revents != 0) {
            (void)!read(fds[i].fd, &count, sizeof(count));
        }
    }
    recording_step(bench->recording);
    recording_fill_page(bench->recording, &bench->page);
}

void bench_run(struct bench *bench)
{
    int64_t deadline_ns = clock_mono_ns() + bench->timeout_s * NS_PER_S;

    while (recording_phase(bench->recording) != RECORDING_ENDED) {
        assert_true(clock_mono_ns() < deadline_ns);
        bench_step(bench);
    }
    assert_int_equal(bench->page.is_ended, 1);
}

static void check_samples(struct content *content, const struct rlog_record *record,
                          bool is_input)
{
    static uint32_t samples[RLOG_CHUNK_SAMPLES];
    unsigned array = record->header.stream - RLOG_STREAM_VOLTAGE;
    struct err err;

    assert_int_equal(rlog_record_samples(record, samples, &err), 0);
    for (uint32_t i = 0; i < record->header.count; i++) {
        uint64_t n = record->header.first + i;
        uint32_t wanted = is_input ? (uint32_t)(n * 3 + array) : board_fake_sample(array, n);

        content->n_wrong += samples[i] != wanted;
    }
    content->n_samples[record->header.stream] += record->header.count;
    content->n_grid += (record->header.flags & RLOG_FLAG_GRID) != 0;
    content->n_deflated += (record->header.flags & RLOG_FLAG_DEFLATED) != 0;
}

/* The sums are those of the samples, one by one. */
static void check_product(struct content *content, const struct rlog_record *record,
                          bool is_input)
{
    struct rlog_product product = { 0 };
    uint64_t wanted = 0; /* codes of this board are small enough */
    uint64_t sums[2] = { 0 };

    assert_int_equal(record->header.payload_size, sizeof(product));
    memcpy(&product, record->payload, sizeof(product));
    for (uint64_t n = record->header.first; n < record->header.first + record->header.count;
         n++) {
        uint64_t codes[2] = { 0 };

        for (unsigned array = 0; array < 2; array++) {
            codes[array] = is_input ? (uint32_t)(n * 3 + array) : board_fake_sample(array, n);
            sums[array] += codes[array];
        }
        wanted += codes[0] * codes[1];
    }
    content->n_wrong_products += product.voltage != sums[0] || product.current != sums[1]
                                 || product.low + (product.high << 32) != wanted;
    content->n_product_samples += record->header.count;
}

static void take_record(struct content *content, const struct rlog_record *record,
                        bool is_input)
{
    switch ((enum rlog_type)record->header.type) {
    case RLOG_START:
        content->n_start++;
        memcpy(&content->start, record->payload, sizeof(content->start));
        break;
    case RLOG_END:
        memcpy(&content->end, record->payload, sizeof(content->end));
        break;
    case RLOG_SAMPLES:
        check_samples(content, record, is_input);
        break;
    case RLOG_EDGES:
        content->n_edges += record->header.count;
        content->n_edge_bytes += sizeof(record->header) + record->header.payload_size;
        break;
    case RLOG_GAP:
        assert_true(content->n_gaps < BENCH_MAX_GAPS);
        memcpy(&content->gaps[content->n_gaps++], record->payload, sizeof(struct rlog_gap));
        break;
    case RLOG_ANCHOR:
        content->n_anchors++;
        break;
    case RLOG_REMARK:
        content->n_remarks++;
        break;
    case RLOG_OVERVIEW:
        if (record->header.flags >> 8 == 0) {
            content->n_overview[record->header.stream] += record->header.count;
        }
        break;
    case RLOG_PRODUCT:
        check_product(content, record, is_input);
        break;
    case RLOG_UTIL:
    case RLOG_TEXT:
    case RLOG_ROW:
        break;
    }
}

void bench_read_log(const struct bench *bench, struct content *content)
{
    struct rlog_record record;
    struct err err = { 0 };
    struct rlog_reader *reader = rlog_reader_open(bench->request.log_folder, &err);
    enum rlog_next next = RLOG_NEXT_WAIT;

    memset(content, 0, sizeof(*content));
    if (reader == NULL) {
        fail_msg("%s", err.text);
    }
    while ((next = rlog_reader_next(reader, &record, &err)) == RLOG_NEXT_RECORD) {
        take_record(content, &record, bench->request.input_path[0] != '\0');
    }
    if (next != RLOG_NEXT_END) {
        fail_msg("log does not end: %s", err.text);
    }
    rlog_reader_close(&reader);
}

void bench_verify_log(const struct bench *bench, uint64_t n_samples)
{
    uint8_t digest[RLOG_DIGEST_BYTES];
    struct rlog_end last;
    struct err err = { 0 };
    uint64_t bytes = 0;

    if (rlog_verify(bench->request.log_folder, &last, digest, &bytes, &err) < 0) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(last.n_samples, n_samples);
}

void bench_make_input(struct bench *bench, uint32_t count)
{
    static uint32_t voltage[PIECE];
    static uint32_t current[PIECE];
    char digest[DIGEST_TEXT_SIZE];
    uint64_t n_samples = 0;
    struct err err = { 0 };

    snprintf(bench->request.input_path, sizeof(bench->request.input_path), "%s/input",
             bench->folder);
    struct rlog_input_writer *writer = rlog_input_create(bench->request.input_path, &err);

    assert_non_null(writer);
    for (uint32_t at = 0; at < count; at += PIECE) {
        uint32_t size = count - at < PIECE ? count - at : PIECE;

        for (uint32_t i = 0; i < size; i++) {
            voltage[i] = (at + i) * 3;
            current[i] = (at + i) * 3 + 1;
        }
        assert_int_equal(rlog_input_append(writer, voltage, current, size, &err), 0);
    }
    assert_int_equal(rlog_input_finish(&writer, digest, &n_samples, &err), 0);
    bench->request.manifest.mode = MODE_EMULATE;
    bench->request.manifest.config.mode = MODE_EMULATE;
    bench->request.manifest.n_planned = UINT64_MAX; /* until the input ends */
}
