/* SPDX-License-Identifier: MIT */
/* Half an hour of noisy V and I, 100 000 edges a second and all monitors through the recorder,
 * as fast as it goes: every sample and stamp is right, and neither memory nor descriptors grow.
 * Segments are removed as they are proved. BW_SOAK_S=86400 makes a day of it. */
#include "common/gpio_codec.h"
#include "sheep/monitor.h"
#include "tests/support/recording_bench.h"

#include <dirent.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    MAX_POINTS = 400,
    EDGES_PER_BLOCK = 1000,
    BLOCK_NS = 10000000,
    STAMP_TOLERANCE_NS = 20,
    SYSTEM_INTERVAL_NS = 20 * 1000 * 1000 /* as time is compressed, too */
};

/* Memory of sanitizers grows by itself, and they take their time. */
#ifdef __SANITIZE_ADDRESS__
static const bool IS_SANITIZED = true;
static const long DEFAULT_S = 60;
#else
static const bool IS_SANITIZED = false;
static const long DEFAULT_S = 1800;
#endif

struct soak {
    struct bench *bench;
    pthread_mutex_t mutex; /* rows come from the monitors' thread */
    struct rlog_reader *reader;
    uint32_t segment; /* that is read; earlier ones are gone */
    uint64_t next[RLOG_N_STREAMS];
    uint64_t n_edges;
    uint64_t n_rows;
    uint64_t next_anchor;
    bool has_end;
    struct rlog_end end;
    unsigned n_points;
    double seconds[MAX_POINTS]; /* of data, ... */
    double bytes[MAX_POINTS];   /* ... and what was resident then */
    unsigned n_descriptors;
};

static void check_samples(struct soak *soak, const struct rlog_record *record)
{
    static uint32_t samples[RLOG_CHUNK_SAMPLES];
    unsigned array = record->header.stream - RLOG_STREAM_VOLTAGE;
    struct err err;

    assert_int_equal(record->header.first, soak->next[record->header.stream]);
    assert_int_equal(rlog_record_samples(record, samples, &err), 0);
    for (uint32_t i = 0; i < record->header.count; i++) {
        if (samples[i] != board_fake_sample(array, record->header.first + i)) {
            fail_msg("sample %llu of array %u", (unsigned long long)(record->header.first + i),
                     array);
        }
    }
    soak->next[record->header.stream] += record->header.count;
}

static void check_edges(struct soak *soak, const struct rlog_record *record)
{
    static struct gpio_edge edges[65536];
    const struct fake_plan *plan = &soak->bench->plan;
    struct err err;

    assert_in_range(record->header.count, 1, 65536);
    assert_int_equal(gpio_codec_decode(record->payload, record->header.payload_size, edges,
                                       record->header.count, &err),
                     0);
    for (uint32_t i = 0; i < record->header.count; i++) {
        uint64_t block = soak->n_edges / EDGES_PER_BLOCK;
        uint32_t e = (uint32_t)(soak->n_edges % EDGES_PER_BLOCK);
        int64_t wanted_ns = soak->bench->T_ns + (int64_t)block * BLOCK_NS
                            + (int64_t)board_fake_edge_tick(plan, e) * PRU_TICK_NS;

        if (llabs(edges[i].time_ns - wanted_ns) > STAMP_TOLERANCE_NS
            || edges[i].value != board_fake_edge_pins(block, e)) {
            fail_msg("edge %llu is %lld ns off", (unsigned long long)soak->n_edges,
                     (long long)(edges[i].time_ns - wanted_ns));
        }
        soak->n_edges++;
    }
}

static void take_record(struct soak *soak, const struct rlog_record *record)
{
    switch ((enum rlog_type)record->header.type) {
    case RLOG_SAMPLES:
        check_samples(soak, record);
        break;
    case RLOG_EDGES:
        check_edges(soak, record);
        break;
    case RLOG_ANCHOR:
        assert_true(record->header.first >= soak->next_anchor);
        soak->next_anchor = record->header.first + PRU_SAMPLE_RATE_HZ;
        break;
    case RLOG_GAP:
        fail_msg("a gap at sample %llu", (unsigned long long)record->header.first);
        break;
    case RLOG_END:
        memcpy(&soak->end, record->payload, sizeof(soak->end));
        soak->has_end = true;
        break;
    case RLOG_TEXT:
    case RLOG_ROW:
        soak->n_rows++;
        break;
    case RLOG_START:
    case RLOG_OVERVIEW:
    case RLOG_UTIL:
    case RLOG_REMARK:
    case RLOG_PRODUCT:
        break;
    }
}

/* Proves what the log has got since, and removes the segments behind. */
static void follow(struct soak *soak)
{
    struct rlog_record record;
    struct err err = { 0 };
    enum rlog_next next = RLOG_NEXT_WAIT;

    while ((next = rlog_reader_next(soak->reader, &record, &err)) == RLOG_NEXT_RECORD) {
        for (; soak->segment < record.segment; soak->segment++) {
            char path[PATH_SIZE + 32];

            rlog_segment_path(soak->bench->request.log_folder, soak->segment, path,
                              sizeof(path));
            assert_int_equal(unlink(path), 0);
        }
        take_record(soak, &record);
    }
    if (next == RLOG_NEXT_ERROR) {
        fail_msg("%s", err.text);
    }
}

static bool post_row(void *arg, struct recorder_row *row)
{
    struct soak *soak = arg;
    bool is_taken = false;

    pthread_mutex_lock(&soak->mutex);
    is_taken = recording_put_row(soak->bench->recording, row);
    pthread_mutex_unlock(&soak->mutex);
    return is_taken;
}

static unsigned count_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    unsigned count = 0;

    assert_non_null(folder);
    while (readdir(folder) != NULL) { // NOLINT(concurrency-mt-unsafe): a stream of our own
        count++;
    }
    closedir(folder);
    return count;
}

static double resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    char line[128] = "";
    char *at = NULL;

    assert_non_null(file);
    assert_non_null(fgets(line, sizeof(line), file));
    fclose(file);
    strtol(line, &at, 10);
    return (double)strtol(at, NULL, 10) * (double)sysconf(_SC_PAGESIZE);
}

/* Growth over the whole run that a line through the points gives, as a part of the mean. */
static double growth(const struct soak *soak)
{
    double n = soak->n_points;
    double mean_x = 0;
    double mean_y = 0;
    double xy = 0;
    double xx = 0;

    for (unsigned i = 0; i < soak->n_points; i++) {
        mean_x += soak->seconds[i] / n;
        mean_y += soak->bytes[i] / n;
    }
    for (unsigned i = 0; i < soak->n_points; i++) {
        xy += (soak->seconds[i] - mean_x) * (soak->bytes[i] - mean_y);
        xx += (soak->seconds[i] - mean_x) * (soak->seconds[i] - mean_x);
    }
    return xy / xx * (soak->seconds[soak->n_points - 1] - soak->seconds[0]) / mean_y;
}

static void run(struct soak *soak, uint64_t n_samples)
{
    struct bench *bench = soak->bench;
    uint64_t next_point = n_samples / 5; /* rings and buffers have been touched by then */

    while (recording_phase(bench->recording) != RECORDING_ENDED) {
        pthread_mutex_lock(&soak->mutex);
        bench_step(bench);
        pthread_mutex_unlock(&soak->mutex);
        follow(soak);
        if (bench->page.n_samples >= next_point && soak->n_points < MAX_POINTS) {
            soak->seconds[soak->n_points] = (double)bench->page.n_samples / PRU_SAMPLE_RATE_HZ;
            soak->bytes[soak->n_points++] = resident_bytes();
            next_point += n_samples / 100;
            if (soak->n_points == 1) {
                soak->n_descriptors = count_descriptors();
            }
        }
    }
    follow(soak);
}

static void test_a_long_run_loses_nothing_and_does_not_grow(void **state)
{
    struct bench *bench = *state;
    struct soak soak = { .bench = bench, .mutex = PTHREAD_MUTEX_INITIALIZER };
    const char *wish = getenv("BW_SOAK_S"); // NOLINT(concurrency-mt-unsafe): no thread yet
    uint64_t n_samples =
        (uint64_t)(wish != NULL ? strtol(wish, NULL, 10) : DEFAULT_S) * PRU_SAMPLE_RATE_HZ;
    struct log_config log = { .system_ns = SYSTEM_INTERVAL_NS, .kernel = true, .sheep = true };
    struct monitors_options options = {
        .log = &log, .clock = bench->clock, .post = post_row, .arg = &soak
    };
    struct err err = { 0 };

    bench->plan.edges_per_block = EDGES_PER_BLOCK;
    bench->request.manifest.gpio_mask = 3;
    /* An end that is known would ask for a disk that holds the whole of it. */
    bench->request.manifest.n_planned = UINT64_MAX;
    /* As the recorder does over a real board: what is resident is all that there is. */
    if (!IS_SANITIZED && mlockall(MCL_CURRENT | MCL_FUTURE) < 0) {
        print_message("memory is not locked: pages that are touched late count as growth\n");
    }
    bench_prepare(bench);
    bench_start(bench);
    assert_int_equal(recording_stop(bench->recording, n_samples, &err), 0);
    soak.reader = rlog_reader_open(bench->request.log_folder, &err);
    assert_non_null(soak.reader);
    struct monitors *monitors = monitors_create(&options, &err);

    assert_non_null(monitors);
    run(&soak, n_samples);
    unsigned n_descriptors = count_descriptors();

    monitors_destroy(&monitors);
    rlog_reader_close(&soak.reader);
    assert_string_equal(bench->page.fault, "");
    assert_true(soak.has_end);
    assert_int_equal(soak.end.n_samples, n_samples);
    assert_int_equal(soak.next[RLOG_STREAM_VOLTAGE], n_samples);
    assert_int_equal(soak.next[RLOG_STREAM_CURRENT], n_samples);
    assert_int_equal(soak.n_edges, n_samples);
    assert_true(soak.n_rows > 10);
    print_message("%.0f s of data, %llu rows of monitors, %.1f MB resident, %+.3f %% over the "
                  "run, %u descriptors\n",
                  (double)n_samples / PRU_SAMPLE_RATE_HZ, (unsigned long long)soak.n_rows,
                  soak.bytes[soak.n_points - 1] / 1e6, 100 * growth(&soak), n_descriptors);
    assert_int_equal(n_descriptors, soak.n_descriptors);
    munlockall();
    assert_true(soak.n_points >= 50);
    assert_true(IS_SANITIZED || fabs(growth(&soak)) < 0.01);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_long_run_loses_nothing_and_does_not_grow,
                                        bench_set_up, bench_tear_down),
    };

    return cmocka_run_group_tests_name("soak", tests, NULL, NULL);
}
