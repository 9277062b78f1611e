/* SPDX-License-Identifier: MIT */
/* recorder_cost FOLDER SECONDS [NAME]: what a recording costs the node, without its simulated
 * board.
 *
 * Records the simulated board in real time, once per setting (or NAME's alone, for a profiler
 * that watches the threads whose names are not bw-board), and prints "NAME MS" with the
 * milliseconds of processor time that a second of data took in all threads but the board's. The
 * samples of the first setting are left in FOLDER/samples.u32 (V, I, V, I, ...), for others to
 * write the same. */
#include "common/calibration.h"
#include "common/rlog.h"
#include "sheep/board_sim.h"
#include "sheep/monitor.h"
#include "sheep/recording.h"
#include "tests/support/thread_cpu.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

struct setting {
    const char *name;
    uint32_t compression;
    bool has_samples;
    bool has_monitors;
};

static const struct setting SETTINGS[] = {
    {"none",             0, true,  false},
    { "gzip-1",          1, true,  false},
    { "gzip-6",          6, true,  false},
    { "traces-off",      1, false, false},
    { "gzip-1+monitors", 1, true,  true },
};

static void die(const char *text)
{
    fprintf(stderr, "%s\n", text);
    exit(1);
}

static struct recorder_request *make_request(const char *folder, unsigned seconds,
                                             const struct setting *setting)
{
    struct recorder_request *request = calloc(1, sizeof(*request));
    struct rlog_manifest *manifest = NULL;

    if (request == NULL) {
        die("no memory");
    }
    manifest = &request->manifest;
    request->calibration = calibration_default();
    snprintf(request->log_folder, sizeof(request->log_folder), "%s/%s.rlog", folder,
             setting->name);
    schema_defaults(&node_config_schema, &manifest->config);
    manifest->n_planned = (uint64_t)seconds * PRU_SAMPLE_RATE_HZ;
    manifest->has_voltage = setting->has_samples;
    manifest->has_current = setting->has_samples;
    manifest->mode = MODE_HARVEST;
    manifest->config.mode = MODE_HARVEST;
    manifest->config.harvester.algorithm = HARVESTER_CV;
    manifest->config.harvester.voltage_mV = 1500.0;
    manifest->config.harvester.voltage_max_mV = 5000.0;
    manifest->config.record.compression = setting->compression;
    manifest->config.record.sync_interval_ns = NS_PER_S;
    return request;
}

/* Rows come from the monitors' thread, where a recorder takes them from its socket. */
struct gate {
    pthread_mutex_t mutex;
    struct recording *recording;
};

static bool post_row(void *arg, struct recorder_row *row)
{
    struct gate *gate = arg;
    bool is_taken = false;

    pthread_mutex_lock(&gate->mutex);
    is_taken = recording_put_row(gate->recording, row);
    pthread_mutex_unlock(&gate->mutex);
    return is_taken;
}

static void serve(struct gate *gate, struct board *board, int event_fd)
{
    struct pollfd fds[2] = {
        {event_fd,                                                       POLLIN, 0},
        { recording_wants_board(gate->recording) ? board->event_fd : -1, POLLIN, 0},
    };
    uint64_t count = 0;

    poll(fds, 2, recording_timeout_ms(gate->recording));
    for (int i = 0; i < 2; i++) {
        if (fds[i].revents != 0) {
            (void)!read(fds[i].fd, &count, sizeof(count));
        }
    }
    pthread_mutex_lock(&gate->mutex);
    recording_step(gate->recording);
    pthread_mutex_unlock(&gate->mutex);
}

static double record(const char *folder, unsigned seconds, const struct setting *setting)
{
    struct recorder_request *request = make_request(folder, seconds, setting);
    struct log_config log = { .system_ns = NS_PER_S, .kernel = true, .sheep = true };
    struct clock clock = clock_system(0);
    struct recording_options options = { .clock = &clock,
                                         .request = request,
                                         .event_fd = eventfd(0, EFD_NONBLOCK) };
    struct sim_config sim;
    struct err err = { 0 };
    struct recording *recording = NULL;
    struct monitors *monitors = NULL;
    struct gate gate = { .mutex = PTHREAD_MUTEX_INITIALIZER };
    int64_t T_ns = 0;
    int64_t before_ns = 0;
    double cost_ms = 0.0;

    if (sim_config_load(&sim, NULL, NULL, &err) < 0) {
        die(err.text);
    }
    sim.truth = false;
    options.board = board_sim_create(&sim, &err);
    recording = options.board == NULL ? NULL : recording_create(&options, &T_ns, &err);
    if (recording == NULL || recording_start(recording, T_ns, 1, &err) < 0) {
        die(err.text);
    }
    gate.recording = recording;
    while (recording_phase(recording) < RECORDING_RUNNING) {
        serve(&gate, options.board, options.event_fd);
    }
    struct monitors_options monitors_options = {
        .log = &log, .clock = clock, .post = post_row, .arg = &gate
    };

    before_ns = thread_cpu_ns("bw-board");
    if (setting->has_monitors) {
        monitors = monitors_create(&monitors_options, &err);
    }
    while (recording_phase(recording) < RECORDING_CLOSING) {
        serve(&gate, options.board, options.event_fd);
    }
    cost_ms = (double)(thread_cpu_ns("bw-board") - before_ns) / 1e6 / seconds;
    monitors_destroy(&monitors);
    while (recording_phase(recording) != RECORDING_ENDED) {
        serve(&gate, options.board, options.event_fd);
    }
    recording_destroy(&recording);
    options.board->ops->destroy(options.board);
    close(options.event_fd);
    free(request);
    return cost_ms;
}

/* V and I of the log, one after the other, as others shall write them. */
static void leave_samples(const char *folder, const char *log_folder, unsigned seconds)
{
    size_t n_samples = (size_t)seconds * PRU_SAMPLE_RATE_HZ;
    uint32_t *both = calloc(2 * n_samples, sizeof(uint32_t));
    static uint32_t chunk[RLOG_CHUNK_SAMPLES];
    struct rlog_record record;
    struct err err = { 0 };
    struct rlog_reader *reader = rlog_reader_open(log_folder, &err);
    char path[300];
    FILE *file = NULL;

    if (both == NULL || reader == NULL) {
        die("no log");
    }
    while (rlog_reader_next(reader, &record, &err) == RLOG_NEXT_RECORD) {
        size_t lane = record.header.stream == RLOG_STREAM_CURRENT ? 1 : 0;

        if (record.header.type != RLOG_SAMPLES
            || rlog_record_samples(&record, chunk, &err) < 0) {
            continue;
        }
        for (size_t i = 0; i < record.header.count; i++) {
            both[2 * (record.header.first + i) + lane] = chunk[i];
        }
    }
    rlog_reader_close(&reader);
    snprintf(path, sizeof(path), "%s/samples.u32", folder);
    file = fopen(path, "wb");
    if (file == NULL || fwrite(both, sizeof(uint32_t), 2 * n_samples, file) != 2 * n_samples
        || fclose(file) != 0) {
        die("samples.u32");
    }
    free(both);
}

int main(int argc, char **argv)
{
    long seconds = argc == 3 || argc == 4 ? strtol(argv[2], NULL, 10) : 0;

    if (seconds < 1 || seconds > 3600) {
        die("usage: recorder_cost FOLDER SECONDS [NAME]");
    }
    for (size_t i = 0; i < ARRAY_LEN(SETTINGS); i++) {
        char log_folder[300];
        struct err err;

        if (argc == 4 && strcmp(argv[3], SETTINGS[i].name) != 0) {
            continue;
        }
        printf("%s %.2f\n", SETTINGS[i].name, record(argv[1], (unsigned)seconds, &SETTINGS[i]));
        fflush(stdout);
        snprintf(log_folder, sizeof(log_folder), "%s/%s.rlog", argv[1], SETTINGS[i].name);
        if (i == 0) {
            leave_samples(argv[1], log_folder, (unsigned)seconds);
        }
        if (rlog_remove(log_folder, &err) < 0) {
            die(err.text);
        }
    }
    return 0;
}
