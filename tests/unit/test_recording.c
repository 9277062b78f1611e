/* SPDX-License-Identifier: MIT */
/* recording over a board whose every sample is known: what is in the log, to the sample. */
#include "sheep/recording.h"

#include "common/calibration.h"
#include "common/rlog.h"
#include "tests/support/board_fake.h"
#include "tests/support/disk_fault.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    MAX_GAPS = 4096,
    TIMEOUT_S = 20
};

struct bench {
    char folder[64];
    struct fake_plan plan;
    struct recorder_request request;
    struct clock clock;
    struct board *board;
    struct recording *recording;
    struct recorder_page page;
    int event_fd;
    int64_t T_ns;
    size_t input_memory_bytes;
};

/* Everything that a log holds. */
struct content {
    uint64_t n_samples[RLOG_N_STREAMS];
    uint64_t n_overview[RLOG_N_STREAMS]; /* entries of level 0 */
    uint64_t n_wrong;
    uint64_t n_product_samples;
    unsigned n_wrong_products;
    uint64_t n_grid;
    uint64_t n_deflated;
    unsigned n_start;
    unsigned n_anchors;
    unsigned n_remarks;
    unsigned n_gaps;
    struct rlog_gap gaps[MAX_GAPS];
    struct rlog_start start;
    struct rlog_end end;
    uint64_t n_edges;
};

static int set_up(void **state)
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

static int tear_down(void **state)
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

static void prepare(struct bench *bench)
{
    struct recording_options options = { .clock = &bench->clock,
                                         .request = &bench->request,
                                         .input_memory_bytes = bench->input_memory_bytes,
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

static void start(struct bench *bench)
{
    struct err err = { 0 };

    if (recording_start(bench->recording, bench->T_ns, 1, &err) < 0) {
        fail_msg("%s", err.text);
    }
}

static void step_once(struct bench *bench)
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

static void run_to_end(struct bench *bench)
{
    int64_t deadline_ns = clock_mono_ns() + TIMEOUT_S * NS_PER_S;

    while (recording_phase(bench->recording) != RECORDING_ENDED) {
        assert_true(clock_mono_ns() < deadline_ns);
        step_once(bench);
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
        break;
    case RLOG_GAP:
        assert_true(content->n_gaps < MAX_GAPS);
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

static void read_log(const struct bench *bench, struct content *content)
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

static void test_harvest_has_every_sample(void **state)
{
    struct bench *bench = *state;
    struct content content;

    prepare(bench);
    start(bench);
    run_to_end(bench);
    assert_string_equal(bench->page.fault, "");
    read_log(bench, &content);
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
    assert_memory_equal(&content.end, &bench->page.end, sizeof(content.end));
}

static void test_odd_end_and_raw_storage_streams(void **state)
{
    struct bench *bench = *state;
    struct content content;

    bench->request.manifest.n_planned = 123457;
    bench->request.manifest.has_storage = true;
    bench->request.manifest.has_current = false;
    bench->request.manifest.config.record.compression = 0;
    prepare(bench);
    start(bench);
    run_to_end(bench);
    read_log(bench, &content);
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

/* The mean of the window that row `row` of an array stands for, half up; without the samples
 * [skip, skip_end). */
static uint32_t mean_of(unsigned array, uint64_t first, uint64_t end, uint64_t skip,
                        uint64_t skip_end)
{
    uint64_t sum = 0;
    uint64_t count = 0;

    for (uint64_t n = first; n < end; n++) {
        if (n < skip || n >= skip_end) {
            sum += board_fake_sample(array, n);
            count++;
        }
    }
    return count == 0 ? 0 : (uint32_t)((2 * sum + count) / (2 * count));
}

/* Every row that the log holds against the mean; returns how many there are of a stream. */
static uint64_t check_rows(const struct bench *bench, unsigned array, uint32_t window,
                           uint64_t n_samples, uint64_t skip, uint64_t skip_end)
{
    static uint32_t rows[RLOG_CHUNK_SAMPLES];
    struct rlog_record record;
    struct err err = { 0 };
    struct rlog_reader *reader = rlog_reader_open(bench->request.log_folder, &err);
    uint64_t n_rows = 0;

    assert_non_null(reader);
    while (rlog_reader_next(reader, &record, &err) == RLOG_NEXT_RECORD) {
        if (record.header.type != RLOG_SAMPLES
            || record.header.stream != RLOG_STREAM_VOLTAGE + array) {
            continue;
        }
        assert_int_equal(rlog_record_samples(&record, rows, &err), 0);
        for (uint32_t i = 0; i < record.header.count; i++) {
            uint64_t first = (record.header.first + i) * window;
            uint64_t end = first + window < n_samples ? first + window : n_samples;

            assert_int_equal(rows[i], mean_of(array, first, end, skip, skip_end));
            n_rows++;
        }
    }
    rlog_reader_close(&reader);
    return n_rows;
}

static void verify_log(const struct bench *bench, uint64_t n_samples)
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

static void check_rate(struct bench *bench, enum record_rate rate)
{
    struct rlog_manifest *manifest = &bench->request.manifest;
    uint32_t window = RECORD_100_KHZ / (uint32_t)rate;
    uint64_t n_samples = 1234567;

    manifest->config.record.samplerate = rate;
    manifest->n_planned = n_samples;
    prepare(bench);
    start(bench);
    run_to_end(bench);
    assert_string_equal(bench->page.fault, "");
    assert_int_equal(bench->page.end.n_samples, n_samples); /* samples, not rows */
    for (unsigned array = 0; array < 2; array++) {
        assert_int_equal(check_rows(bench, array, window, n_samples, 0, 0),
                         (n_samples + window - 1) / window);
    }
    verify_log(bench, n_samples);
}

static void test_rows_at_1_kHz_are_means(void **state)
{
    check_rate(*state, RECORD_1_KHZ);
}

static void test_rows_at_100_Hz_are_means(void **state)
{
    check_rate(*state, RECORD_100_HZ);
}

static void test_rows_at_10_Hz_are_means(void **state)
{
    check_rate(*state, RECORD_10_HZ);
}

static void test_rows_around_lost_blocks_are_means_of_the_rest(void **state)
{
    struct bench *bench = *state;
    struct content content;

    bench->request.manifest.config.record.samplerate = RECORD_10_HZ;
    bench->plan.lose_at =
        13; /* 13 000 to 42 000: row 1 lacks its end, 2 and 3 all, 4 a fifth */
    bench->plan.lose_blocks = 29;
    prepare(bench);
    start(bench);
    run_to_end(bench);
    assert_int_equal(check_rows(bench, 0, 10000, 200000, 13000, 42000), 18);
    assert_int_equal(check_rows(bench, 1, 10000, 200000, 13000, 42000), 18);
    memset(&content, 0, sizeof(content));
    read_log(bench, &content);
    assert_int_equal(content.n_gaps, 1);
    assert_int_equal(content.gaps[0].first_sample, 13000);
    assert_int_equal(content.gaps[0].n_samples, 29000);
    assert_int_equal(content.end.n_gap_samples, 29000);
}

static void test_a_delayed_and_limited_trace_has_just_its_samples(void **state)
{
    struct bench *bench = *state;
    struct content content;

    bench->request.manifest.config.record.delay_ns = INT64_C(12345) * 10000;
    bench->request.manifest.config.record.duration_ns = INT64_C(100001) * 10000;
    prepare(bench);
    start(bench);
    run_to_end(bench);
    read_log(bench, &content);
    assert_int_equal(content.n_samples[RLOG_STREAM_VOLTAGE], 100001);
    assert_int_equal(content.n_samples[RLOG_STREAM_CURRENT], 100001);
    assert_int_equal(content.n_wrong, 0);
    assert_int_equal(content.n_gaps, 0);
    assert_int_equal(content.end.n_samples, 200000);
    assert_int_equal(content.end.n_gap_samples, 0);
    verify_log(bench, 200000);
}

static void test_an_overview_alone_holds_no_sample(void **state)
{
    struct bench *bench = *state;
    struct content content;

    bench->request.manifest.config.record.overview_only = true;
    bench->request.manifest.n_planned = 123457;
    prepare(bench);
    start(bench);
    run_to_end(bench);
    read_log(bench, &content);
    assert_int_equal(content.n_samples[RLOG_STREAM_VOLTAGE], 0);
    assert_int_equal(content.n_samples[RLOG_STREAM_CURRENT], 0);
    assert_int_equal(content.n_overview[RLOG_STREAM_VOLTAGE], 123457 / 64 + 1);
    assert_int_equal(content.n_overview[RLOG_STREAM_CURRENT], 123457 / 64 + 1);
    assert_int_equal(content.end.n_samples, 123457);
    verify_log(bench, 123457);
}

static void test_lost_blocks_become_a_gap(void **state)
{
    struct bench *bench = *state;
    struct content content;

    bench->plan.lose_at = 15;
    bench->plan.lose_blocks = 13;
    prepare(bench);
    start(bench);
    run_to_end(bench);
    read_log(bench, &content);
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
    prepare(bench);
    start(bench);
    run_to_end(bench);
    read_log(bench, &content);
    assert_int_equal(content.n_gaps, 1);
    assert_int_equal(content.gaps[0].first_sample, 197000);
    assert_int_equal(content.gaps[0].n_samples, 3000);
    assert_int_equal(content.end.n_samples, 200000);
}

static void test_broken_block_ends_the_run_as_a_fault(void **state)
{
    struct bench *bench = *state;
    struct content content;

    bench->plan.break_block = 42;
    prepare(bench);
    start(bench);
    run_to_end(bench);
    assert_non_null(strstr(bench->page.fault, "overwritten"));
    read_log(bench, &content);
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
    prepare(bench);
    start(bench);
    run_to_end(bench);
    assert_non_null(strstr(bench->page.fault, "canary"));
    read_log(bench, &content);
    assert_int_equal(content.end.reason, RLOG_END_FAULT);
    assert_int_equal(content.n_wrong, 0);
}

static void test_fault_of_the_pru_keeps_what_was_taken(void **state)
{
    struct bench *bench = *state;
    struct content content;

    bench->plan.fault_at = 55;
    prepare(bench);
    start(bench);
    run_to_end(bench);
    assert_non_null(strstr(bench->page.fault, "converter"));
    read_log(bench, &content);
    assert_int_equal(content.end.reason, RLOG_END_FAULT);
    assert_int_equal(content.n_samples[RLOG_STREAM_CURRENT], 55000);
    assert_int_equal(content.end.n_samples, 55000);
}

static void test_cancel_leaves_nothing(void **state)
{
    struct bench *bench = *state;

    prepare(bench);
    step_once(bench);
    recording_destroy(&bench->recording);
    assert_int_equal(access(bench->request.log_folder, F_OK), -1);
    bench->board->ops->destroy(bench->board);
    bench->board = NULL;
    prepare(bench);
    bench->T_ns = clock_utc_ns() + 60 * NS_PER_S;
    start(bench);
    step_once(bench);
    recording_destroy(&bench->recording);
    assert_int_equal(access(bench->request.log_folder, F_OK), -1);
}

static void test_late_and_repeated_starts_are_refused(void **state)
{
    struct bench *bench = *state;
    struct err err = { 0 };

    prepare(bench);
    assert_int_equal(recording_start(bench->recording, clock_utc_ns() + 1000, 1, &err), -1);
    assert_int_equal(err.code, ERR_TIMEOUT);
    start(bench);
    assert_int_equal(recording_start(bench->recording, bench->T_ns, 1, &err), -1);
    assert_int_equal(err.code, ERR_STATE);
}

static void make_input(struct bench *bench, uint32_t count)
{
    uint32_t *voltage = calloc(count, sizeof(uint32_t));
    uint32_t *current = calloc(count, sizeof(uint32_t));
    char digest[DIGEST_TEXT_SIZE];
    uint64_t n_samples = 0;
    struct err err = { 0 };

    snprintf(bench->request.input_path, sizeof(bench->request.input_path), "%s/input",
             bench->folder);
    struct rlog_input_writer *writer = rlog_input_create(bench->request.input_path, &err);

    assert_non_null(writer);
    for (uint32_t i = 0; i < count; i++) {
        voltage[i] = i * 3;
        current[i] = i * 3 + 1;
    }
    assert_int_equal(rlog_input_append(writer, voltage, current, count, &err), 0);
    assert_int_equal(rlog_input_finish(&writer, digest, &n_samples, &err), 0);
    free(voltage);
    free(current);
    bench->request.manifest.mode = MODE_EMULATE;
    bench->request.manifest.config.mode = MODE_EMULATE;
    bench->request.manifest.n_planned = UINT64_MAX; /* until the input ends */
}

static void test_emulation_gets_its_input_in_order(void **state)
{
    struct bench *bench = *state;
    struct content content;

    make_input(bench, 150000);
    prepare(bench);
    start(bench);
    run_to_end(bench);
    assert_string_equal(bench->page.fault, "");
    read_log(bench, &content);
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

    make_input(bench, 110000);
    bench->input_memory_bytes = 60000 * sizeof(struct pru_input);
    bench->plan.is_paced = true;
    prepare(bench);
    start(bench);
    disk_fault_stall_read(500);
    run_to_end(bench);
    read_log(bench, &content);
    assert_int_equal(content.end.n_samples, 110000);
    assert_int_equal(content.n_wrong, 0);
    assert_int_equal(content.end.n_input_underruns, 0);
}

static void test_longer_stall_of_the_input_is_counted_and_marked(void **state)
{
    struct bench *bench = *state;
    struct content content;
    uint64_t n_marked = 0;

    make_input(bench, 90000);
    bench->input_memory_bytes = 1;
    bench->plan.is_paced = true;
    prepare(bench);
    start(bench);
    disk_fault_stall_read(800);
    run_to_end(bench);
    read_log(bench, &content);
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

    make_input(bench, 200000);
    bench->input_memory_bytes = 1;
    bench->plan.is_paced = true;
    prepare(bench);
    start(bench);
    disk_fault_fail_read();
    run_to_end(bench);
    assert_non_null(strstr(bench->page.fault, "broken"));
    read_log(bench, &content);
    assert_int_equal(content.end.reason, RLOG_END_FAULT);
    assert_true(content.end.n_samples < 100000);
}

/* The clock decides: half a second, and the start measured. */
static void run_paced(struct bench *bench, struct content *content)
{
    bench->plan.is_paced = true;
    bench->plan.ppm = 40.0;
    bench->request.manifest.n_planned = 50000;
    prepare(bench);
    bench->T_ns = clock_utc_ns() + 300 * NS_PER_MS;
    start(bench);
    run_to_end(bench);
    read_log(bench, content);
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
    prepare(bench);
    start(bench);
    while (bench->page.n_samples < 10000) {
        step_once(bench);
    }
    assert_int_equal(recording_stop(bench->recording, 43210, &err), 0);
    run_to_end(bench);
    read_log(bench, &content);
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
    prepare(bench);
    start(bench);
    run_to_end(bench);
    read_log(bench, &content);
    assert_int_equal(content.n_edges, 50 * 1000);
    assert_int_equal(content.end.n_edges, 50 * 1000);
}

/* Most of a second without a disk, with data that does not compress. */
static void test_stalled_disk_loses_nothing(void **state)
{
    struct bench *bench = *state;
    struct content content;

    bench->plan.is_paced = true;
    bench->request.manifest.n_planned = 120000;
    bench->request.manifest.config.record.sync_interval_ns = 100 * NS_PER_MS;
    bench->request.manifest.config.record.compression = 0;
    prepare(bench);
    start(bench);
    while (bench->page.n_samples < 20000) {
        step_once(bench);
    }
    disk_fault_stall_sync(800);
    run_to_end(bench);
    assert_string_equal(bench->page.fault, "");
    assert_true(bench->page.queue_fill_max_percent > 3);
    read_log(bench, &content);
    assert_int_equal(content.n_samples[RLOG_STREAM_VOLTAGE], 120000);
    assert_int_equal(content.n_wrong, 0);
    assert_int_equal(content.n_gaps, 0);
}

/* A disk that stands still for longer than memory lasts, under a board that does not wait. */
static void test_what_does_not_fit_in_memory_is_a_gap_with_its_cause(void **state)
{
    struct bench *bench = *state;
    struct content content;
    uint64_t n_missing = 0;
    unsigned n_queue = 0;

    bench->plan.is_lossy = true;
    bench->request.manifest.n_planned = 4000000;
    bench->request.manifest.config.record.compression = 0;
    bench->request.manifest.config.record.memory_bytes = 1u << 20;
    prepare(bench);
    disk_fault_stall_sync(300);
    start(bench);
    run_to_end(bench);
    assert_string_equal(bench->page.fault, "");
    read_log(bench, &content);
    for (unsigned i = 0; i < content.n_gaps; i++) {
        n_missing += content.gaps[i].n_samples;
        n_queue += content.gaps[i].cause == RLOG_GAP_QUEUE;
    }
    assert_true(n_queue > 0);
    assert_int_equal(n_missing, content.end.n_gap_samples);
    assert_int_equal(content.n_samples[RLOG_STREAM_VOLTAGE] + n_missing, 4000000);
    assert_int_equal(content.end.n_samples, 4000000);
    assert_int_equal(content.n_wrong, 0);
    assert_in_range(bench->page.queue_fill_max_percent, 70, 100);
    assert_in_range(bench->page.ring_fill_max_percent, 90, 100);
    assert_in_range(content.n_remarks, 1, 2); /* of the ring, and likely of the queue */
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
    start(bench);
    while (recording_phase(bench->recording) < RECORDING_CLOSING) {
        step_once(bench);
    }
    run_to_end(bench);
    bool has_failed = disk_fault_count() > nth;

    assert_int_equal(bench->page.fault[0] != '\0', has_failed);
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
    struct bench *bench = *state;
    struct err err = { 0 };
    int64_t nth = 0;

    bench->request.manifest.n_planned = 300000;
    bench->request.manifest.config.record.compression = 0;
    bench->request.manifest.config.record.sync_interval_ns = 10 * NS_PER_MS;
    bench->board = board_fake_create(&bench->plan, &err);
    assert_non_null(bench->board);
    /* Until a run is over before its turn to fail comes. */
    while (check_failure_at(bench, nth, nth % 2 == 0 ? ENOSPC : EIO)) {
        nth++;
    }
    assert_in_range(nth, 8, 100);
}

#define RECORDING_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RECORDING_TEST(test_harvest_has_every_sample),
        RECORDING_TEST(test_odd_end_and_raw_storage_streams),
        RECORDING_TEST(test_rows_at_1_kHz_are_means),
        RECORDING_TEST(test_rows_at_100_Hz_are_means),
        RECORDING_TEST(test_rows_at_10_Hz_are_means),
        RECORDING_TEST(test_rows_around_lost_blocks_are_means_of_the_rest),
        RECORDING_TEST(test_a_delayed_and_limited_trace_has_just_its_samples),
        RECORDING_TEST(test_an_overview_alone_holds_no_sample),
        RECORDING_TEST(test_lost_blocks_become_a_gap),
        RECORDING_TEST(test_blocks_lost_at_the_end_are_not_forgotten),
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
        RECORDING_TEST(test_stalled_disk_loses_nothing),
        RECORDING_TEST(test_what_does_not_fit_in_memory_is_a_gap_with_its_cause),
        RECORDING_TEST(test_every_failing_write_is_survived),
        RECORDING_TEST(test_edges_are_counted_and_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
