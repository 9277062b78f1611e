/* SPDX-License-Identifier: MIT */
/* The recorder as a whole over the simulated board, spoken to as the agent does. */
#include "sheep/recorder.h"

#include "common/rlog.h"
#include "sheep/recorder_ipc.h"

#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    TIMEOUT_MS = 20000
};

struct bench {
    char folder[64];
    char truth[96];
    struct sim_config sim;
    struct recorder_options options;
    struct recorder_request request;
    pthread_t thread;
    bool is_running;
    int result;
    struct err err;
    int fd;
    const struct recorder_page *page;
    struct recorder_page now;
    uint32_t seq;
};

static void make_request(struct bench *bench)
{
    struct rlog_manifest *manifest = &bench->request.manifest;
    struct harvester_config *harvester = &manifest->config.harvester;

    bench->request.boot_id = 5;
    bench->request.calibration = calibration_default();
    snprintf(bench->request.log_folder, sizeof(bench->request.log_folder), "%s/run.rlog",
             bench->folder);
    snprintf(manifest->experiment_name, sizeof(manifest->experiment_name), "run");
    snprintf(manifest->node, sizeof(manifest->node), "sheep0");
    snprintf(manifest->board, sizeof(manifest->board), "sim");
    snprintf(manifest->datatype, sizeof(manifest->datatype), "ivsample");
    schema_defaults(&node_config_schema, &manifest->config);
    manifest->experiment = 99;
    manifest->mode = MODE_HARVEST;
    manifest->config.mode = MODE_HARVEST;
    manifest->n_planned = 200000;
    manifest->has_voltage = true;
    manifest->has_current = true;
    manifest->voltage = bench->request.calibration.hrv_adc_V;
    manifest->current = bench->request.calibration.hrv_adc_I;
    harvester->algorithm = HARVESTER_CV;
    harvester->voltage_mV = 1500.0;
    harvester->voltage_min_mV = 0.0;
    harvester->voltage_max_mV = 5000.0;
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    struct err err = { 0 };

    assert_non_null(bench);
    snprintf(bench->folder, sizeof(bench->folder), "/tmp/bw_recorder_XXXXXX");
    assert_non_null(mkdtemp(bench->folder));
    snprintf(bench->truth, sizeof(bench->truth), "%s/truth", bench->folder);
    assert_int_equal(mkdir(bench->truth, 0755), 0);
    if (sim_config_load(&bench->sim, NULL, NULL, &err) < 0) {
        fail_msg("%s", err.text);
    }
    bench->sim.speed = SIM_FAST;
    bench->sim.truth = false;
    bench->sim.oscillator_ppm = 35.0;
    bench->options.state_dir = bench->folder;
    bench->options.board = "sim";
    bench->options.sim = &bench->sim;
    bench->options.truth_dir = bench->truth;
    bench->options.clock = clock_system(12345678);
    bench->options.input_memory_bytes = 1u << 20;
    bench->fd = -1;
    make_request(bench);
    *state = bench;
    return 0;
}

static void *run_thread(void *arg)
{
    struct bench *bench = arg;

    bench->result = recorder_run(&bench->options, NULL, &bench->err);
    return NULL;
}

static void connect_agent(struct bench *bench)
{
    struct err err = { 0 };

    for (int i = 0; i < 1000 && bench->fd < 0; i++) {
        bench->fd = recorder_ipc_connect(bench->folder, &err);
        poll(NULL, 0, 5);
    }
    if (bench->fd < 0) {
        fail_msg("%s", err.text);
    }
    for (int i = 0; i < 1000 && bench->page == NULL; i++) {
        if (recorder_page_map(bench->folder, &bench->page, &err) < 0) {
            poll(NULL, 0, 5);
        }
    }
    assert_non_null(bench->page);
}

static void launch(struct bench *bench)
{
    assert_int_equal(pthread_create(&bench->thread, NULL, run_thread, bench), 0);
    bench->is_running = true;
    connect_agent(bench);
}

static void receive(struct bench *bench, enum recorder_event_kind kind,
                    struct recorder_event *event)
{
    struct pollfd pfd = { bench->fd, POLLIN, 0 };
    struct err err = { 0 };

    assert_int_equal(poll(&pfd, 1, TIMEOUT_MS), 1);
    if (recorder_ipc_receive(bench->fd, event, &err) != 1) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(event->kind, kind);
    assert_true(recorder_page_read(bench->page, &bench->now));
}

static struct recorder_event ask(struct bench *bench, enum recorder_request_kind kind)
{
    struct recorder_event event;
    struct err err = { 0 };

    bench->request.kind = (uint32_t)kind;
    bench->request.seq = ++bench->seq;
    assert_int_equal(recorder_ipc_send(bench->fd, &bench->request, &err), 0);
    receive(bench, RECORDER_ANSWER, &event);
    assert_int_equal(event.seq, bench->seq);
    return event;
}

static void demand(struct bench *bench, enum recorder_request_kind kind)
{
    struct recorder_event event = ask(bench, kind);

    if (event.code != ERR_NONE) {
        fail_msg("request %d: %s", (int)kind, event.text);
    }
    if (kind == RECORDER_PREPARE) {
        bench->request.T_ns = event.promise_ns + 100 * NS_PER_MS;
    }
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    char path[128];
    struct err err;

    if (bench->is_running) {
        if (bench->fd >= 0) {
            demand(bench, RECORDER_QUIT);
        }
        pthread_join(bench->thread, NULL);
        assert_int_equal(bench->result, 0);
    }
    recorder_page_unmap(&bench->page);
    if (bench->fd >= 0) {
        close(bench->fd);
    }
    (void)!rlog_remove(bench->request.log_folder, &err);
    recorder_ipc_page_path(bench->folder, path, sizeof(path));
    unlink(path);
    if (bench->request.input_path[0] != '\0') {
        unlink(bench->request.input_path);
    }
    snprintf(path, sizeof(path), "%s/run.truth", bench->truth);
    unlink(path);
    snprintf(path, sizeof(path), "%s/pin", bench->folder);
    unlink(path);
    assert_int_equal(rmdir(bench->truth), 0);
    assert_int_equal(rmdir(bench->folder), 0);
    free(bench);
    return 0;
}

static void run_whole(struct bench *bench)
{
    struct recorder_event event;

    demand(bench, RECORDER_PREPARE);
    assert_int_equal(bench->now.state, RECORDER_PREPARED);
    demand(bench, RECORDER_START);
    assert_int_equal(bench->now.state, RECORDER_STARTING);
    receive(bench, RECORDER_STARTED, &event);
    assert_int_equal(bench->now.is_started, 1);
    receive(bench, RECORDER_ENDED, &event);
    assert_int_equal(bench->now.is_ended, 1);
    assert_int_equal(bench->now.state, RECORDER_IDLE);
    assert_int_equal(bench->now.experiment, 99);
}

static void check_proof(const struct bench *bench, uint64_t n_samples)
{
    uint8_t digest[RLOG_DIGEST_BYTES];
    struct rlog_end end;
    uint64_t bytes = 0;
    struct err err = { 0 };

    if (rlog_verify(bench->request.log_folder, &end, digest, &bytes, &err) < 0) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(end.n_samples, n_samples);
    assert_int_equal(end.n_gap_samples, 0);
    assert_memory_equal(digest, bench->now.digest, sizeof(digest));
    assert_int_equal(bytes, bench->now.log_bytes);
    assert_int_equal(bench->now.durable.total, bytes);
    /* all but the digest, which is the writer's */
    assert_memory_equal(&end, &bench->now.end, offsetof(struct rlog_end, digest));
}

/* Mean of a stream in SI. */
static double mean_of(const struct bench *bench, enum rlog_stream stream,
                      const struct cal_channel *channel)
{
    static uint32_t samples[RLOG_CHUNK_SAMPLES];
    struct rlog_record record;
    struct err err = { 0 };
    struct rlog_reader *reader = rlog_reader_open(bench->request.log_folder, &err);
    double sum = 0.0;
    uint64_t count = 0;

    assert_non_null(reader);
    while (rlog_reader_next(reader, &record, &err) == RLOG_NEXT_RECORD) {
        if (record.header.type != RLOG_SAMPLES || record.header.stream != stream) {
            continue;
        }
        assert_int_equal(rlog_record_samples(&record, samples, &err), 0);
        for (uint32_t i = 0; i < record.header.count; i++) {
            sum += samples[i] * channel->gain + channel->offset;
        }
        count += record.header.count;
    }
    rlog_reader_close(&reader);
    assert_true(count > 0);
    return sum / (double)count;
}

static void test_harvest_is_whole_and_plausible(void **state)
{
    struct bench *bench = *state;

    launch(bench);
    run_whole(bench);
    assert_string_equal(bench->now.fault, "");
    check_proof(bench, 200000);
    /* CV holds the source at 1.5 V; the cell of the default world gives some mA there. */
    assert_true(
        fabs(mean_of(bench, RLOG_STREAM_VOLTAGE, &bench->request.manifest.voltage) - 1.5)
        < 0.01);
    assert_true(mean_of(bench, RLOG_STREAM_CURRENT, &bench->request.manifest.current) > 1e-5);
}

static void test_a_second_run_follows_the_first(void **state)
{
    struct bench *bench = *state;
    struct err err;

    bench->request.manifest.n_planned = 54321;
    launch(bench);
    run_whole(bench);
    check_proof(bench, 54321);
    assert_int_equal(ask(bench, RECORDER_PREPARE).code, ERR_EXISTS); /* the name is taken */
    assert_int_equal(rlog_remove(bench->request.log_folder, &err), 0);
    run_whole(bench);
    check_proof(bench, 54321);
}

static void test_requests_out_of_turn_are_refused(void **state)
{
    struct bench *bench = *state;

    launch(bench);
    assert_int_equal(ask(bench, RECORDER_START).code, ERR_STATE);
    assert_int_equal(ask(bench, RECORDER_STOP).code, ERR_STATE);
    assert_int_equal(ask(bench, RECORDER_CANCEL).code, ERR_NONE);
    assert_int_equal(ask(bench, (enum recorder_request_kind)77).code, ERR_INPUT);
    demand(bench, RECORDER_PREPARE);
    assert_int_equal(ask(bench, RECORDER_PREPARE).code, ERR_STATE);
    assert_int_equal(ask(bench, RECORDER_QUIT).code, ERR_STATE);
    bench->request.T_ns = 1000;
    assert_int_equal(ask(bench, RECORDER_START).code, ERR_TIMEOUT);
    demand(bench, RECORDER_CANCEL);
    assert_int_equal(bench->now.state, RECORDER_IDLE);
    assert_int_equal(access(bench->request.log_folder, F_OK), -1);
}

static void test_agent_may_die_after_the_start(void **state)
{
    struct bench *bench = *state;
    struct recorder_event event;

    bench->sim.speed = SIM_REAL;
    bench->request.manifest.n_planned = 60000;
    launch(bench);
    demand(bench, RECORDER_PREPARE);
    demand(bench, RECORDER_START);
    close(bench->fd);
    bench->fd = -1;
    connect_agent(bench);
    receive(bench, RECORDER_STARTED, &event);
    receive(bench, RECORDER_ENDED, &event);
    check_proof(bench, 60000);
}

static void test_agent_that_dies_before_the_start_takes_it_along(void **state)
{
    struct bench *bench = *state;

    launch(bench);
    demand(bench, RECORDER_PREPARE);
    close(bench->fd);
    bench->fd = -1;
    connect_agent(bench);
    assert_int_equal(ask(bench, RECORDER_START).code, ERR_STATE);
    assert_int_equal(access(bench->request.log_folder, F_OK), -1);
}

/* Also with answers that it cannot take any more; without QUIT the recorder would stay. */
static void test_what_a_dead_agent_asked_for_is_done(void **state)
{
    static const enum recorder_request_kind KINDS[] = { RECORDER_PREPARE, RECORDER_CANCEL,
                                                        RECORDER_QUIT };
    struct bench *bench = *state;
    struct err err = { 0 };
    int64_t begin_ns = clock_mono_ns();

    launch(bench);
    for (size_t i = 0; i < ARRAY_LEN(KINDS); i++) {
        bench->request.kind = (uint32_t)KINDS[i];
        bench->request.seq = ++bench->seq;
        assert_int_equal(recorder_ipc_send(bench->fd, &bench->request, &err), 0);
    }
    close(bench->fd);
    bench->fd = -1;
    assert_int_equal(pthread_join(bench->thread, NULL), 0);
    bench->is_running = false;
    assert_int_equal(bench->result, 0);
    assert_true(clock_mono_ns() - begin_ns < RECORDER_IDLE_EXIT_S / 2 * NS_PER_S);
    assert_int_equal(access(bench->request.log_folder, F_OK), -1);
}

static void test_real_time_start_and_drift(void **state)
{
    struct bench *bench = *state;

    bench->sim.speed = SIM_REAL;
    bench->request.manifest.n_planned = 150000;
    launch(bench);
    run_whole(bench);
    check_proof(bench, 150000);
    print_message("start error %lld ns, bound %u ns, residual %lld ns\n",
                  (long long)bench->now.start_error_ns, bench->now.start_bound_ns,
                  (long long)bench->now.clock_residual_ns);
    assert_true(llabs(bench->now.start_error_ns) < 5 * NS_PER_MS);
    assert_true(llabs(bench->now.clock_residual_ns) < llabs(bench->now.start_error_ns) + 20000);
}

static void test_late_board_shows_370_us(void **state)
{
    struct bench *bench = *state;

    bench->sim.speed = SIM_REAL;
    bench->sim.late_samples = 37;
    bench->request.manifest.n_planned = 1234;
    launch(bench);
    run_whole(bench);
    check_proof(bench, 1234);
    assert_in_range(bench->now.start_error_ns, 369000, 369000 + 5 * NS_PER_MS);
}

static void test_lost_memory_ends_the_run_with_a_reason(void **state)
{
    struct bench *bench = *state;
    struct recorder_event event;

    bench->sim.overwrite_at = 33000;
    launch(bench);
    demand(bench, RECORDER_PREPARE);
    demand(bench, RECORDER_START);
    receive(bench, RECORDER_STARTED, &event);
    receive(bench, RECORDER_ENDED, &event);
    assert_int_equal(event.code, ERR_HARDWARE);
    assert_true(bench->now.fault[0] != '\0');
    assert_int_equal(bench->now.end.reason, RLOG_END_FAULT);
}

static void test_hanging_board_is_noticed(void **state)
{
    struct bench *bench = *state;
    struct recorder_event event;

    bench->sim.speed = SIM_REAL;
    bench->sim.hang_at = 20000;
    launch(bench);
    demand(bench, RECORDER_PREPARE);
    demand(bench, RECORDER_START);
    receive(bench, RECORDER_STARTED, &event);
    receive(bench, RECORDER_ENDED, &event);
    assert_non_null(strstr(bench->now.fault, "no samples"));
    assert_int_equal(bench->now.end.n_samples, 20000);
    assert_int_equal(bench->now.end.reason, RLOG_END_FAULT);
}

static void test_pin_rises_with_sample_0(void **state)
{
    struct bench *bench = *state;
    char byte = 9;
    struct recorder_event event;

    snprintf(bench->sim.pin_file, sizeof(bench->sim.pin_file), "%s/pin", bench->folder);
    bench->sim.speed = SIM_REAL;
    bench->request.manifest.n_planned = 1000;
    launch(bench);
    FILE *file = fopen(bench->sim.pin_file, "rb");

    assert_non_null(file);
    demand(bench, RECORDER_PREPARE);
    demand(bench, RECORDER_START);
    assert_int_equal(fread(&byte, 1, 1, file), 1);
    assert_int_equal(byte, 0);
    receive(bench, RECORDER_STARTED, &event);
    rewind(file);
    assert_int_equal(fread(&byte, 1, 1, file), 1);
    assert_int_equal(byte, 1);
    receive(bench, RECORDER_ENDED, &event);
    fclose(file);
}

static void make_input(struct bench *bench, uint32_t count)
{
    uint32_t voltage[1000];
    uint32_t current[1000];
    char digest[DIGEST_TEXT_SIZE];
    uint64_t n_samples = 0;
    struct err err = { 0 };
    struct rlog_input_writer *writer = NULL;

    snprintf(bench->request.input_path, sizeof(bench->request.input_path), "%s/input",
             bench->folder);
    writer = rlog_input_create(bench->request.input_path, &err);
    assert_non_null(writer);
    for (uint32_t i = 0; i < 1000; i++) {
        voltage[i] = 3000000 + i * 500;
        current[i] = 20000000;
    }
    for (uint32_t done = 0; done < count; done += 1000) {
        assert_int_equal(rlog_input_append(writer, voltage, current, 1000, &err), 0);
    }
    assert_int_equal(rlog_input_finish(&writer, digest, &n_samples, &err), 0);
    assert_int_equal(n_samples, count);
}

static void make_emulation(struct bench *bench)
{
    struct rlog_manifest *manifest = &bench->request.manifest;

    manifest->mode = MODE_EMULATE;
    manifest->config.mode = MODE_EMULATE;
    manifest->n_planned = UINT64_MAX;
    manifest->gpio_mask = 0xFFFF;
    manifest->voltage = bench->request.calibration.emu_dac_V_A;
    manifest->current = bench->request.calibration.emu_adc_I_A;
    schema_defaults(&source_schema, &manifest->config.source); /* a direct connection */
}

static void test_emulation_replays_its_input(void **state)
{
    struct bench *bench = *state;

    make_input(bench, 170000);
    make_emulation(bench);
    bench->sim.world.target.kind = TARGET_RESISTOR;
    bench->sim.world.target.resistance_Ohm = 1000.0;
    launch(bench);
    run_whole(bench);
    assert_string_equal(bench->now.fault, "");
    check_proof(bench, 170000);
    assert_int_equal(bench->now.end.n_input_underruns, 0);
    double voltage = mean_of(bench, RLOG_STREAM_VOLTAGE, &bench->request.manifest.voltage);
    double current = mean_of(bench, RLOG_STREAM_CURRENT, &bench->request.manifest.current);

    assert_true(fabs(voltage - 3.24975) < 0.001);
    assert_true(fabs(current * 1000.0 / voltage - 1.0) < 0.001);
}

static void test_missing_input_refuses_the_preparation(void **state)
{
    struct bench *bench = *state;
    struct recorder_event event;

    make_emulation(bench);
    launch(bench);
    event = ask(bench, RECORDER_PREPARE);
    assert_int_equal(event.code, ERR_INPUT);
    snprintf(bench->request.input_path, sizeof(bench->request.input_path), "%s/none",
             bench->folder);
    event = ask(bench, RECORDER_PREPARE);
    assert_int_equal(event.code, ERR_NOT_FOUND);
    assert_int_equal(access(bench->request.log_folder, F_OK), -1);
}

static void test_full_disk_refuses_the_preparation(void **state)
{
    struct bench *bench = *state;

    bench->options.disk_reserve_bytes = UINT64_C(1) << 60;
    launch(bench);
    assert_int_equal(ask(bench, RECORDER_PREPARE).code, ERR_NO_SPACE);
}

static void test_rows_of_monitors_reach_the_log(void **state)
{
    struct bench *bench = *state;
    struct recorder_row row = { .type = RLOG_TEXT, .stream = RLOG_STREAM_UART, .size = 5 };
    struct recorder_row bad = { .type = RLOG_SAMPLES, .stream = RLOG_STREAM_VOLTAGE };
    struct recorder_event event;
    struct rlog_record record;
    struct err err = { 0 };
    unsigned n_texts = 0;

    memcpy(row.payload, "hello", 5);
    bench->sim.speed = SIM_REAL;
    bench->request.manifest.n_planned = 20000;
    launch(bench);
    demand(bench, RECORDER_PREPARE);
    demand(bench, RECORDER_START);
    receive(bench, RECORDER_STARTED, &event);
    row.utc_ns = clock_utc_ns();
    assert_true(recorder_ipc_send_row(bench->fd, &row));
    assert_true(recorder_ipc_send_row(bench->fd, &bad));
    receive(bench, RECORDER_ENDED, &event);
    check_proof(bench, 20000);
    struct rlog_reader *reader = rlog_reader_open(bench->request.log_folder, &err);

    assert_non_null(reader);
    while (rlog_reader_next(reader, &record, &err) == RLOG_NEXT_RECORD) {
        if (record.header.type == RLOG_TEXT) {
            n_texts++;
            assert_int_equal(record.header.payload_size, 5);
            assert_memory_equal(record.payload, "hello", 5);
            assert_true(record.header.first == (uint64_t)row.utc_ns);
        }
    }
    rlog_reader_close(&reader);
    assert_int_equal(n_texts, 1);
}

#define RECORDER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RECORDER_TEST(test_harvest_is_whole_and_plausible),
        RECORDER_TEST(test_a_second_run_follows_the_first),
        RECORDER_TEST(test_requests_out_of_turn_are_refused),
        RECORDER_TEST(test_agent_may_die_after_the_start),
        RECORDER_TEST(test_agent_that_dies_before_the_start_takes_it_along),
        RECORDER_TEST(test_what_a_dead_agent_asked_for_is_done),
        RECORDER_TEST(test_real_time_start_and_drift),
        RECORDER_TEST(test_late_board_shows_370_us),
        RECORDER_TEST(test_lost_memory_ends_the_run_with_a_reason),
        RECORDER_TEST(test_hanging_board_is_noticed),
        RECORDER_TEST(test_pin_rises_with_sample_0),
        RECORDER_TEST(test_emulation_replays_its_input),
        RECORDER_TEST(test_missing_input_refuses_the_preparation),
        RECORDER_TEST(test_full_disk_refuses_the_preparation),
        RECORDER_TEST(test_rows_of_monitors_reach_the_log),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
