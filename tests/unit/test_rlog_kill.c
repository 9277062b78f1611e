/* SPDX-License-Identifier: MIT */
/* A writer that is killed at any instant leaves a log that recovery closes, with everything
 * that was synced. BW_KILLS=1000 makes a thorough run of it. */
#include "common/rlog.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    COUNT = 500,
    DEFAULT_KILLS = 40,
    LONGEST_US = 60000
};

/* Seen by both processes. */
struct shared {
    uint64_t synced_samples; /* behind a completed sync */
    uint64_t synced_bytes;
};

struct bench {
    char folder[64];
    char log[128];
    struct rlog_manifest manifest;
    struct shared *shared;
};

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));

    assert_non_null(bench);
    snprintf(bench->folder, sizeof(bench->folder), "/tmp/bw-kill-XXXXXX");
    assert_non_null(mkdtemp(bench->folder));
    snprintf(bench->log, sizeof(bench->log), "%s/a.rlog", bench->folder);
    schema_defaults(&node_config_schema, &bench->manifest.config);
    snprintf(bench->manifest.node, sizeof(bench->manifest.node), "sheep0");
    bench->shared = mmap(NULL, sizeof(*bench->shared), PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(bench->shared != MAP_FAILED);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;

    munmap(bench->shared, sizeof(*bench->shared));
    assert_int_equal(rmdir(bench->folder), 0);
    free(bench);
    return 0;
}

/* Writes for ever: records of rising samples, a sync after every few. */
static void write_for_ever(struct bench *bench)
{
    static uint32_t samples[COUNT];
    struct rlog_writer *writer = rlog_writer_create(bench->log, &bench->manifest, NULL);
    uint64_t first = 0;

    while (writer != NULL) {
        struct rlog_record_header header = {
            .type = RLOG_SAMPLES, .stream = RLOG_STREAM_VOLTAGE, .count = COUNT, .first = first
        };

        for (uint32_t i = 0; i < COUNT; i++) {
            samples[i] = (uint32_t)first + i;
        }
        if (rlog_writer_append(writer, header, samples, sizeof(samples), NULL) < 0) {
            break;
        }
        first += COUNT;
        if (first % (7L * COUNT) == 0) {
            if (rlog_writer_sync(writer, NULL) < 0) {
                break;
            }
            __atomic_store_n(&bench->shared->synced_bytes, rlog_writer_durable(writer).total,
                             __ATOMIC_SEQ_CST);
            __atomic_store_n(&bench->shared->synced_samples, first, __ATOMIC_SEQ_CST);
        }
    }
    _exit(1);
}

static void pause_us(unsigned us)
{
    struct timespec pause = { us / 1000000, (long)(us % 1000000) * 1000 };

    nanosleep(&pause, NULL);
}

static void check_samples(const struct bench *bench, uint64_t n_samples)
{
    static uint32_t samples[RLOG_CHUNK_SAMPLES];
    struct err err = { 0 };
    struct rlog_reader *reader = rlog_reader_open(bench->log, &err);
    struct rlog_record record;
    uint64_t next = 0;

    assert_non_null(reader);
    while (rlog_reader_next(reader, &record, &err) == RLOG_NEXT_RECORD) {
        if (record.header.type != RLOG_SAMPLES) {
            continue;
        }
        assert_int_equal(record.header.first, next);
        assert_int_equal(rlog_record_samples(&record, samples, &err), 0);
        assert_int_equal(samples[COUNT - 1], (uint32_t)next + COUNT - 1);
        next += COUNT;
    }
    assert_int_equal(next, n_samples);
    rlog_reader_close(&reader);
}

/* True when the log had begun at all. */
static bool kill_once(struct bench *bench, unsigned after_us)
{
    struct rlog_recovery recovery;
    struct rlog_end end;
    uint8_t digest[RLOG_DIGEST_BYTES];
    uint64_t bytes = 0;
    struct err err = { 0 };
    int status = 0;
    pid_t pid = -1;

    memset(bench->shared, 0, sizeof(*bench->shared));
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        write_for_ever(bench);
    }
    pause_us(after_us);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    if (rlog_recover(bench->log, &recovery, &err) < 0) {
        /* killed before the log was made: nothing was promised */
        assert_int_equal(bench->shared->synced_samples, 0);
        (void)!rlog_remove(bench->log, &err);
        return false;
    }
    assert_true(recovery.end.n_samples >= bench->shared->synced_samples);
    assert_true(recovery.bytes >= bench->shared->synced_bytes);
    assert_int_equal(recovery.end.reason, RLOG_END_INTERRUPTED);
    if (rlog_verify(bench->log, &end, digest, &bytes, &err) < 0) {
        fail_msg("%s", err.text);
    }
    assert_memory_equal(digest, recovery.digest, sizeof(digest));
    check_samples(bench, recovery.end.n_samples);
    assert_int_equal(rlog_remove(bench->log, &err), 0);
    return true;
}

static void test_a_kill_at_any_instant_costs_no_synced_sample(void **state)
{
    const char *wish = getenv("BW_KILLS"); // NOLINT(concurrency-mt-unsafe): one thread
    long n_kills = wish != NULL ? strtol(wish, NULL, 10) : DEFAULT_KILLS;
    uint64_t random = 11;
    long n_begun = 0;
    long n_tries = 0;

    /* On a busy machine some are killed before their log is made: they do not count. */
    while (n_begun < n_kills && n_tries < 10 * n_kills) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        n_begun += kill_once(*state, 500 + (unsigned)(random >> 33) % LONGEST_US);
        n_tries++;
    }
    print_message("%ld of %ld logs had begun\n", n_begun, n_tries);
    assert_int_equal(n_begun, n_kills);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_kill_at_any_instant_costs_no_synced_sample,
                                        set_up, tear_down),
    };

    return cmocka_run_group_tests_name("rlog_kill", tests, NULL, NULL);
}
