/* SPDX-License-Identifier: MIT */
/* HDF5 in child processes: this program is the child too, a right one or one of several wrong
 * ones. */
#include "herd/builder.h"

#include "tests/support/caught.h"

#include "common/clock.h"
#include "common/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    N_NODES = 5,
    MAX_ANSWERS = 32,
    LIMIT_MS = 20000,
    TICK_MS = 5,
    CHILD_STATUS = 7
};

/* What the child is; read by it. */
static const char *const WORKER = "BW_TEST_WORKER";

struct bench {
    char folder[64];
    zloop_t *loop;
    struct builder *builder;
    struct rlog_writer *writers[N_NODES];
    struct builder_answer answers[MAX_ANSWERS];
    size_t n_answers;
    size_t n_wanted;
    int64_t deadline_ns;
};

static void hush(enum log_level level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    (void)arg;
}

static void path_of(const struct bench *bench, size_t i, const char *ending,
                    char path[PATH_SIZE])
{
    snprintf(path, PATH_SIZE, "%s/n%zu%s", bench->folder, i, ending);
}

/* ---- logs ---- */

static void put(struct rlog_writer *writer, struct rlog_record_header header,
                const void *payload, size_t size)
{
    struct err err = { 0 };

    assert_int_equal(rlog_writer_append(writer, header, payload, size, &err), 0);
}

static void begin_log(struct bench *bench, size_t i)
{
    struct rlog_manifest *manifest = calloc(1, sizeof(*manifest));
    struct rlog_start start = { .T_ns = INT64_C(1800000000000000000) };
    struct err err = { 0 };
    char path[PATH_SIZE];

    assert_non_null(manifest);
    schema_defaults(&node_config_schema, &manifest->config);
    snprintf(manifest->experiment_name, sizeof(manifest->experiment_name), "t");
    snprintf(manifest->node, sizeof(manifest->node), "n%zu", i);
    snprintf(manifest->datatype, sizeof(manifest->datatype), "ivsample");
    manifest->n_planned = UINT64_MAX;
    manifest->has_voltage = true;
    manifest->has_current = true;
    manifest->voltage.gain = 1e-6;
    manifest->current.gain = 1e-9;
    path_of(bench, i, ".rlog", path);
    bench->writers[i] = rlog_writer_create(path, manifest, &err);
    assert_non_null(bench->writers[i]);
    put(bench->writers[i], (struct rlog_record_header){ .type = RLOG_START, .count = 1 },
        &start, sizeof(start));
    free(manifest);
}

static void put_samples(struct bench *bench, size_t i, uint64_t first, uint32_t count)
{
    uint32_t samples[1000] = { 0 };
    struct err err = { 0 };

    for (unsigned stream = RLOG_STREAM_VOLTAGE; stream <= RLOG_STREAM_CURRENT; stream++) {
        put(bench->writers[i],
            (struct rlog_record_header){ .type = RLOG_SAMPLES,
                                         .stream = (uint8_t)stream,
                                         .count = count,
                                         .first = first },
            samples, count * sizeof(*samples));
    }
    assert_int_equal(rlog_writer_sync(bench->writers[i], &err), 0);
}

static void end_log(struct bench *bench, size_t i, uint64_t n_samples)
{
    struct rlog_end end = { .n_samples = n_samples };
    uint8_t digest[RLOG_DIGEST_BYTES];
    struct err err = { 0 };

    assert_int_equal(rlog_writer_finish(bench->writers[i], &end, digest, &err), 0);
}

/* ---- the parent's side ---- */

static void take_answer(void *arg, const struct builder_answer *answer)
{
    struct bench *bench = arg;

    assert_in_range(bench->n_answers, 0, MAX_ANSWERS - 1);
    bench->answers[bench->n_answers++] = *answer;
}

static int on_tick(zloop_t *loop, int timer_id, void *arg)
{
    struct bench *bench = arg;

    (void)loop;
    (void)timer_id;
    return bench->n_answers >= bench->n_wanted || clock_mono_ns() > bench->deadline_ns ? -1 : 0;
}

/* Runs the loop until so many answers have come in all. */
static void wait_for(struct bench *bench, size_t n_answers)
{
    int timer = zloop_timer(bench->loop, TICK_MS, 0, on_tick, bench);

    bench->n_wanted = n_answers;
    bench->deadline_ns = clock_mono_ns() + LIMIT_MS * NS_PER_MS;
    zloop_start(bench->loop);
    zloop_timer_end(bench->loop, timer);
    assert_int_equal(bench->n_answers, n_answers);
}

/* Some turns of the loop in which nothing is to come. */
static void expect_no_more(struct bench *bench)
{
    int timer = zloop_timer(bench->loop, TICK_MS, 0, on_tick, bench);

    bench->n_wanted = SIZE_MAX;
    bench->deadline_ns = clock_mono_ns() + 100 * NS_PER_MS;
    builder_tick(bench->builder);
    zloop_start(bench->loop);
    zloop_timer_end(bench->loop, timer);
}

static void open_builder(struct bench *bench, const char *worker, size_t n_workers)
{
    struct builder_config config = { .loop = bench->loop,
                                     .n_nodes = N_NODES,
                                     .n_workers = n_workers,
                                     .on_answer = take_answer,
                                     .arg = bench };
    struct err err = { 0 };

    setenv(WORKER, worker, 1);
    bench->builder = builder_open(&config, &err);
    if (bench->builder == NULL) {
        fail_msg("%s", err.text);
    }
    for (size_t i = 0; i < N_NODES; i++) {
        char log[PATH_SIZE];
        char part[PATH_SIZE];

        path_of(bench, i, ".rlog", log);
        path_of(bench, i, ".h5.part", part);
        builder_set(bench->builder, i, log, part);
    }
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));

    assert_non_null(bench);
    log_set_sink(hush, NULL);
    caught_make_folder("builder", bench->folder, sizeof(bench->folder));
    bench->loop = zloop_new();
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;

    builder_close(&bench->builder);
    for (size_t i = 0; i < N_NODES; i++) {
        rlog_writer_destroy(&bench->writers[i]);
    }
    zloop_destroy(&bench->loop);
    caught_remove_folder(bench->folder);
    log_set_sink(NULL, NULL);
    free(bench);
    return 0;
}

static void finish(struct bench *bench, size_t i)
{
    const struct h5_evidence evidence = { .verdict = "valid" };
    char path[PATH_SIZE];

    path_of(bench, i, ".h5", path);
    builder_finish(bench->builder, i, &evidence, path);
}

static bool exists(const struct bench *bench, size_t i, const char *ending)
{
    char path[PATH_SIZE];

    path_of(bench, i, ending, path);
    return access(path, F_OK) == 0;
}

static void expect_answer(const struct bench *bench, size_t n, size_t i, unsigned work,
                          const char *error)
{
    const struct builder_answer *answer = &bench->answers[n];

    assert_int_equal(answer->i, i);
    assert_int_equal(answer->work, work);
    assert_int_equal(answer->result, error != NULL ? -1 : 0);
    if (error != NULL && strstr(answer->err.text, error) == NULL) {
        fail_msg("%s", answer->err.text);
    }
}

static void test_a_file_grows_and_is_finished(void **state)
{
    struct bench *bench = *state;

    open_builder(bench, "right", 1);
    begin_log(bench, 0);
    put_samples(bench, 0, 0, 1000);
    builder_advance(bench->builder, 0);
    wait_for(bench, 1);
    expect_answer(bench, 0, 0, BUILDER_ADVANCE, NULL);
    assert_int_equal(bench->answers[0].is_end, 0);
    assert_true(exists(bench, 0, ".h5.part"));
    put_samples(bench, 0, 1000, 500);
    end_log(bench, 0, 1500);
    builder_advance(bench->builder, 0);
    wait_for(bench, 2);
    assert_int_equal(bench->answers[1].is_end, 1);
    finish(bench, 0);
    wait_for(bench, 3);
    expect_answer(bench, 2, 0, BUILDER_FINISH, NULL);
    assert_int_equal(bench->answers[2].summary.n_samples, 1500);
    assert_true(exists(bench, 0, ".h5"));
    assert_false(exists(bench, 0, ".h5.part"));
    expect_no_more(bench);
}

/* More nodes than children, all asked at once. */
static void test_all_nodes_are_served(void **state)
{
    struct bench *bench = *state;
    unsigned seen[N_NODES] = { 0 };

    open_builder(bench, "right", 2);
    for (size_t i = 0; i < N_NODES; i++) {
        begin_log(bench, i);
        put_samples(bench, i, 0, 10 * ((uint32_t)i + 1));
        end_log(bench, i, 10 * (i + 1));
        finish(bench, i);
    }
    wait_for(bench, N_NODES);
    for (size_t n = 0; n < N_NODES; n++) {
        size_t i = bench->answers[n].i;

        seen[i]++;
        expect_answer(bench, n, i, BUILDER_FINISH, NULL);
        assert_int_equal(bench->answers[n].summary.n_samples, 10 * (i + 1));
        assert_true(exists(bench, i, ".h5"));
    }
    for (size_t i = 0; i < N_NODES; i++) {
        assert_int_equal(seen[i], 1);
    }
}

/* What is asked of a busy child is done once, afterwards, and FINISH takes in an ADVANCE. */
static void test_repeated_wishes_are_one(void **state)
{
    struct bench *bench = *state;

    open_builder(bench, "right", 1);
    begin_log(bench, 3);
    put_samples(bench, 3, 0, 10);
    for (int k = 0; k < 6; k++) {
        builder_advance(bench->builder, 3);
    }
    wait_for(bench, 2);
    expect_no_more(bench);
    assert_int_equal(bench->n_answers, 2);
    builder_advance(bench->builder, 3);
    builder_advance(bench->builder, 3);
    end_log(bench, 3, 10);
    finish(bench, 3);
    wait_for(bench, 4);
    expect_answer(bench, 2, 3, BUILDER_ADVANCE, NULL);
    expect_answer(bench, 3, 3, BUILDER_FINISH, NULL);
    expect_no_more(bench);
    assert_int_equal(bench->n_answers, 4);
}

static void test_a_log_that_is_not_right_fails_alone(void **state)
{
    struct bench *bench = *state;

    open_builder(bench, "right", 1);
    begin_log(bench, 0);
    put_samples(bench, 0, 0, 10);
    finish(bench, 0);
    wait_for(bench, 1);
    expect_answer(bench, 0, 0, BUILDER_FINISH, "the log has no end");
    assert_false(exists(bench, 0, ".h5"));
    builder_advance(bench->builder, 1);
    wait_for(bench, 2);
    expect_answer(bench, 1, 1, BUILDER_ADVANCE, "n1.rlog");
    /* the same child goes on, also with the log that had no end */
    end_log(bench, 0, 10);
    finish(bench, 0);
    wait_for(bench, 3);
    expect_answer(bench, 2, 0, BUILDER_FINISH, NULL);
    assert_true(exists(bench, 0, ".h5"));
}

/* Each node whose work was with the child fails once; later work fails at once. */
static void test_a_child_that_dies_fails_its_nodes(void **state)
{
    struct bench *bench = *state;

    open_builder(bench, "dies", 1);
    builder_advance(bench->builder, 0);
    finish(bench, 2);
    wait_for(bench, 2);
    expect_answer(bench, 0, 0, BUILDER_FINISH, "the process that writes HDF5 ended (status 7)");
    expect_answer(bench, 1, 2, BUILDER_FINISH, "the process that writes HDF5 ended (status 7)");
    expect_no_more(bench);
    assert_int_equal(bench->n_answers, 2);
    finish(bench, 1);
    assert_int_equal(bench->n_answers, 3);
    expect_answer(bench, 2, 1, BUILDER_FINISH, "the process that writes HDF5 has ended");
}

static void test_the_other_child_goes_on(void **state)
{
    struct bench *bench = *state;

    open_builder(bench, "dies for 0", 2);
    begin_log(bench, 1);
    end_log(bench, 1, 0);
    builder_advance(bench->builder, 0);
    wait_for(bench, 1);
    expect_answer(bench, 0, 0, BUILDER_FINISH, "(status 7)");
    finish(bench, 1);
    wait_for(bench, 2);
    expect_answer(bench, 1, 1, BUILDER_FINISH, NULL);
}

/* An answer of another version, for a node that is not there, or half of one: the child is
 * ended, and nobody waits for it. */
static void test_a_child_that_speaks_nonsense_is_ended(void **state)
{
    static const char *const WORKERS[] = { "other version", "no such node", "half" };

    for (size_t k = 0; k < ARRAY_LEN(WORKERS); k++) {
        struct bench *bench = *state;

        open_builder(bench, WORKERS[k], 1);
        builder_advance(bench->builder, 4);
        wait_for(bench, 1);
        expect_answer(bench, 0, 4, BUILDER_FINISH,
                      "the process that writes HDF5 ended (signal 9)");
        tear_down(state);
        set_up(state);
    }
}

/* The child's side alone: jobs of the right size until the socket ends. */
static void test_the_childs_side(void **state)
{
    struct bench *bench = *state;
    struct builder_job *job = calloc(1, sizeof(*job));
    struct builder_answer *answer = calloc(1, sizeof(*answer));
    int pair[2] = { -1, -1 };

    assert_non_null(job);
    assert_non_null(answer);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    begin_log(bench, 0);
    end_log(bench, 0, 0);
    job->version = 5;
    job->i = 40;
    path_of(bench, 0, ".rlog", job->log_folder);
    path_of(bench, 0, ".h5.part", job->part_path);
    path_of(bench, 0, ".h5", job->final_path);
    for (unsigned work = BUILDER_ADVANCE; work <= BUILDER_FINISH; work++) {
        job->work = work;
        assert_int_equal(send(pair[0], job, sizeof(*job), 0), sizeof(*job));
    }
    assert_int_equal(send(pair[0], job, 10, 0), 10);
    assert_int_equal(builder_work(pair[1]), 0);
    for (unsigned work = BUILDER_ADVANCE; work <= BUILDER_FINISH; work++) {
        assert_int_equal(recv(pair[0], answer, sizeof(*answer), 0), sizeof(*answer));
        assert_int_equal(answer->version, 5);
        assert_int_equal(answer->i, 40);
        assert_int_equal(answer->work, work);
        assert_int_equal(answer->result, 0);
        assert_int_equal(answer->is_end, 1);
    }
    assert_true(exists(bench, 0, ".h5"));
    close(pair[0]);
    close(pair[1]);
    free(job);
    free(answer);
}

/* ---- children of all kinds ---- */

static void answer_wrongly(const char *kind, const struct builder_job *job)
{
    struct builder_answer answer = { .version = job->version, .work = job->work, .i = job->i };
    size_t size = sizeof(answer);

    if (strcmp(kind, "other version") == 0) {
        answer.version++;
    } else if (strcmp(kind, "no such node") == 0) {
        answer.i = N_NODES;
    } else {
        size /= 2;
    }
    (void)send(BUILDER_WORK_FD, &answer, size, 0);
    alarm(30); /* should the parent be gone */
    pause();   /* alive, and silent */
}

static int be_worker(void)
{
    const char *chosen = getenv(WORKER);
    const char *kind = chosen != NULL ? chosen : "right";
    static struct builder_job job;

    if (strcmp(kind, "right") == 0) {
        return builder_work(BUILDER_WORK_FD);
    }
    if (strcmp(kind, "dies for 0") == 0) {
        /* looks at the first job only */
        ssize_t n = recv(BUILDER_WORK_FD, &job, sizeof(job), MSG_PEEK);

        return n > 0 && job.i == 0 ? CHILD_STATUS : builder_work(BUILDER_WORK_FD);
    }
    if (recv(BUILDER_WORK_FD, &job, sizeof(job), MSG_PEEK) > 0 && strcmp(kind, "dies") != 0) {
        answer_wrongly(kind, &job);
    }
    return CHILD_STATUS;
}

#define WITH_BENCH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_a_file_grows_and_is_finished),
        WITH_BENCH(test_all_nodes_are_served),
        WITH_BENCH(test_repeated_wishes_are_one),
        WITH_BENCH(test_a_log_that_is_not_right_fails_alone),
        WITH_BENCH(test_a_child_that_dies_fails_its_nodes),
        WITH_BENCH(test_the_other_child_goes_on),
        WITH_BENCH(test_a_child_that_speaks_nonsense_is_ended),
        WITH_BENCH(test_the_childs_side),
    };

    if (argc == 2 && strcmp(argv[1], "build-worker") == 0) {
        return be_worker();
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
