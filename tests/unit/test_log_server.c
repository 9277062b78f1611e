/* SPDX-License-Identifier: MIT */
/* Following a log: credit, durable bytes only, ends, several readers. */
#include "common/buf.h"
#include "sheep/log_give_back.h"
#include "sheep/log_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    SEGMENT_0 = 700000,
    SEGMENT_1 = 300000,
    CREDIT = 8388608
};

struct reader {
    uint64_t segment;
    uint64_t offset;
    uint64_t n_bytes;
    size_t n_messages;
    bool is_end;
    bool has_gap;
    bool is_wrong;
};

struct fixture {
    char folder[64];
    struct sheep_config config;
    struct store store;
    struct log_server *server;
    bool is_live;
    char live_log[8];
    bool is_full; /* the socket's queue */
    struct rlog_position durable;
    struct reader readers[2];
    size_t n_manifests;
    size_t n_echoes;
    struct err err;
};

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *ftw)
{
    (void)status;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static bool is_live(void *arg, const char *log, struct rlog_position *durable)
{
    struct fixture *f = arg;

    *durable = f->durable;
    return f->is_live && strcmp(log, f->live_log) == 0;
}

/* Every byte of the log says where it is. */
static unsigned char byte_at(uint64_t segment, uint64_t offset)
{
    return (unsigned char)(offset * 7 + offset / 251 + segment * 13);
}

static void check_bytes(struct reader *reader, const struct body_data *body,
                        struct proto_frame payload)
{
    const unsigned char *bytes = payload.data;

    for (size_t i = 0; i < payload.size; i++) {
        reader->is_wrong |= bytes[i] != byte_at(body->segment, body->offset + i);
    }
}

static int take(void *arg, const char *peer_id, const struct proto_token *token,
                const struct body_data *body, struct proto_frame payload, struct err *err)
{
    struct fixture *f = arg;
    struct reader *reader = &f->readers[peer_id[0] - '0'];

    (void)token;
    if (f->is_full) {
        return err_set(err, ERR_STATE, "full");
    }
    if (body->is_manifest) {
        f->n_manifests++;
        return 0;
    }
    if (payload.size == 0 && !body->is_segment_end) {
        f->n_echoes++;
        return 0;
    }
    reader->has_gap |= body->segment != reader->segment || body->offset != reader->offset;
    check_bytes(reader, body, payload);
    reader->n_messages++;
    reader->n_bytes += payload.size;
    reader->segment = body->segment;
    reader->offset = body->offset + payload.size;
    if (body->is_segment_end && !body->is_log_end) {
        reader->segment++;
        reader->offset = 0;
    }
    reader->is_end = body->is_log_end;
    return 0;
}

static void write_segment(const struct fixture *f, const char *log, uint32_t number,
                          size_t size)
{
    char path[PATH_SIZE];
    char folder[PATH_SIZE];
    FILE *file = NULL;

    assert_int_equal(store_log_path(&f->store, log, folder, NULL), 0);
    rlog_segment_path(folder, number, path, sizeof(path));
    file = fopen(path, "wb");
    assert_non_null(file);
    for (size_t i = 0; i < size; i++) {
        fputc(byte_at(number, i), file);
    }
    fclose(file);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct log_server_options options = { .is_live = is_live, .send = take };
    char folder[PATH_SIZE];
    char path[PATH_SIZE + 32];

    assert_non_null(f);
    snprintf(f->folder, sizeof(f->folder), "/tmp/bw-logs-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->config.data, sizeof(f->config.data), "%s", f->folder);
    snprintf(f->config.memory, sizeof(f->config.memory), "/dev/shm");
    assert_int_equal(store_open(&f->store, &f->config, &f->err), 0);
    options.store = &f->store;
    options.arg = f;
    f->server = log_server_create(&options, &f->err);
    assert_non_null(f->server);
    assert_int_equal(store_log_path(&f->store, "run", folder, &f->err), 0);
    assert_int_equal(mkdir(folder, 0755), 0);
    snprintf(path, sizeof(path), "%s/manifest.yaml", folder);
    assert_int_equal(file_write_atomic(path, "node: x\n", 8, 0644, &f->err), 0);
    snprintf(f->live_log, sizeof(f->live_log), "run");
    write_segment(f, "run", 0, SEGMENT_0);
    write_segment(f, "run", 1, SEGMENT_1);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    log_server_destroy(&f->server);
    nftw(f->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

static void fetch_log(struct fixture *f, const char *log, const char *peer,
                      struct rlog_position from, uint64_t credit)
{
    struct proto_token token = { .seq = 1 };
    struct body_fetch body = { .segment = from.segment,
                               .offset = from.offset,
                               .credit_bytes = credit };

    snprintf(body.log, sizeof(body.log), "%s", log);
    assert_int_equal(log_server_fetch(f->server, peer, &token, &body, &f->err), 0);
}

static void fetch(struct fixture *f, const char *peer, uint32_t segment, uint64_t offset,
                  uint64_t credit)
{
    fetch_log(f, "run", peer, (struct rlog_position){ .segment = segment, .offset = offset },
              credit);
}

static void pump(struct fixture *f)
{
    while (log_server_pump(f->server, 3) > 0) {}
}

static void test_a_closed_log_comes_whole_and_says_its_end(void **state)
{
    struct fixture *f = *state;

    fetch(f, "0", 0, 0, CREDIT);
    pump(f);
    assert_int_equal(f->readers[0].n_bytes, SEGMENT_0 + SEGMENT_1);
    assert_true(f->readers[0].is_end);
    assert_false(f->readers[0].has_gap);
    assert_false(f->readers[0].is_wrong);
    assert_int_equal(log_server_pump(f->server, 10), 0);
}

static void test_no_more_than_the_credit_is_sent(void **state)
{
    struct fixture *f = *state;
    struct reader *reader = &f->readers[0];

    fetch(f, "0", 0, 0, 300000);
    pump(f);
    assert_int_equal(reader->n_bytes, 300000);
    /* Half of it has arrived when the next credit is given: nothing is sent twice. */
    fetch(f, "0", 0, 150000, 300000);
    pump(f);
    assert_int_equal(reader->n_bytes, 450000);
    fetch(f, "0", 0, 400000, 500000);
    pump(f);
    assert_int_equal(reader->n_bytes, 900000);
    assert_int_equal(reader->segment, 1);
    fetch(f, "0", 1, 100000, 500000);
    pump(f);
    assert_true(reader->is_end);
    assert_false(reader->has_gap);
    assert_false(reader->is_wrong);
}

static void test_the_same_place_asked_for_again_is_sent_again(void **state)
{
    struct fixture *f = *state;
    struct reader *reader = &f->readers[0];

    fetch(f, "0", 0, 0, 300000);
    pump(f);
    fetch(f, "0", 0, 100000, 100000);
    reader->offset = 100000; /* the rest was lost with the connection */
    fetch(f, "0", 0, 100000, CREDIT);
    pump(f);
    assert_true(reader->is_end);
    assert_false(reader->has_gap);
    assert_int_equal(reader->n_bytes, 300000 + SEGMENT_0 + SEGMENT_1 - 100000);
    /* And the end again, for who missed it. */
    reader->is_end = false;
    fetch(f, "0", 1, SEGMENT_1, 1000);
    pump(f);
    assert_true(reader->is_end);
}

static void test_of_a_growing_log_only_durable_bytes_are_served(void **state)
{
    struct fixture *f = *state;
    struct reader *reader = &f->readers[0];

    f->is_live = true;
    f->durable = (struct rlog_position){ 0, 1000, 1000 };
    fetch(f, "0", 0, 0, CREDIT);
    pump(f);
    assert_int_equal(reader->n_bytes, 1000);
    f->durable.offset = 5000;
    pump(f);
    assert_int_equal(reader->n_bytes, 5000);
    f->durable = (struct rlog_position){ 1, 40, SEGMENT_0 + 40 };
    pump(f);
    assert_int_equal(reader->n_bytes, SEGMENT_0 + 40);
    assert_false(reader->is_end);
    f->is_live = false;
    pump(f);
    assert_true(reader->is_end);
    assert_false(reader->has_gap);
    assert_false(reader->is_wrong);
}

static void test_readers_take_turns(void **state)
{
    struct fixture *f = *state;

    fetch(f, "0", 0, 0, CREDIT);
    fetch(f, "1", 0, 0, CREDIT);
    assert_int_equal(log_server_pump(f->server, 4), 4);
    assert_int_equal(f->readers[0].n_messages, 2);
    assert_int_equal(f->readers[1].n_messages, 2);
}

static void test_a_log_that_grows_goes_before_an_old_one(void **state)
{
    struct fixture *f = *state;
    char folder[PATH_SIZE];

    assert_int_equal(store_log_path(&f->store, "old", folder, &f->err), 0);
    assert_int_equal(mkdir(folder, 0755), 0);
    write_segment(f, "old", 0, SEGMENT_0);
    f->is_live = true;
    f->durable = (struct rlog_position){ .offset = SEGMENT_0 / 2 };
    fetch_log(f, "old", "1", (struct rlog_position){ .segment = 0 }, CREDIT);
    assert_int_equal(log_server_pump(f->server, 1), 1);
    fetch(f, "0", 0, 0, CREDIT);
    while (f->readers[0].n_bytes < SEGMENT_0 / 2) {
        assert_int_equal(log_server_pump(f->server, 1), 1);
        assert_int_equal(f->readers[1].n_messages, 1);
    }
    pump(f);
    assert_true(f->readers[1].is_end);
    assert_false(f->readers[1].has_gap || f->readers[1].is_wrong);
}

static void test_a_full_queue_waits_and_loses_nothing(void **state)
{
    struct fixture *f = *state;

    f->is_full = true;
    fetch(f, "0", 0, 0, CREDIT);
    assert_int_equal(log_server_pump(f->server, 4), 0);
    f->is_full = false;
    pump(f);
    assert_true(f->readers[0].is_end);
    assert_false(f->readers[0].has_gap);
}

static void test_a_question_is_echoed_and_changes_nothing(void **state)
{
    struct fixture *f = *state;

    fetch(f, "0", 0, 0, CREDIT);
    assert_int_equal(log_server_pump(f->server, 1), 1);
    fetch(f, "0", 0, 0, 0);
    assert_int_equal(f->n_echoes, 1);
    pump(f);
    assert_true(f->readers[0].is_end);
    assert_false(f->readers[0].has_gap); /* it went on where it was */
    f->is_full = true;
    fetch(f, "0", 0, 0, 0);
    assert_int_equal(f->n_echoes, 1);
}

/* A log that is about to be removed is served no more, at no reader. */
static void test_a_forgotten_log_sends_nothing_more(void **state)
{
    struct fixture *f = *state;

    fetch(f, "0", 0, 0, CREDIT);
    fetch(f, "1", 0, 0, CREDIT);
    assert_int_equal(log_server_pump(f->server, 2), 2);
    log_server_forget(f->server, "other");
    assert_int_equal(log_server_pump(f->server, 2), 2);
    log_server_forget(f->server, "run");
    assert_int_equal(log_server_pump(f->server, 10), 0);
    assert_false(f->readers[0].is_end);
    assert_false(f->readers[1].is_end);
}

static void test_what_is_not_there_is_refused(void **state)
{
    struct fixture *f = *state;
    struct proto_token token = { .seq = 1 };
    struct body_fetch body = { .log = "other", .credit_bytes = 1000 };

    assert_int_equal(log_server_fetch(f->server, "0", &token, &body, &f->err), -1);
    assert_int_equal(f->err.code, ERR_NOT_FOUND);
    snprintf(body.log, sizeof(body.log), "../run");
    assert_int_equal(log_server_fetch(f->server, "0", &token, &body, &f->err), -1);
    snprintf(body.log, sizeof(body.log), "run");
    body.offset = UINT64_MAX;
    assert_int_equal(log_server_fetch(f->server, "0", &token, &body, &f->err), -1);
    body.offset = 0;
    body.segment = 12;
    assert_int_equal(log_server_fetch(f->server, "0", &token, &body, &f->err), 0);
    pump(f);
    assert_int_equal(f->readers[0].n_messages, 0);
    body.manifest = true;
    assert_int_equal(log_server_fetch(f->server, "0", &token, &body, &f->err), 0);
    assert_int_equal(f->n_manifests, 1);
}

/* ---- a log in memory ---- */

static void make_memory_log(struct fixture *f)
{
    char folder[PATH_SIZE];

    assert_int_equal(store_new_path(&f->store, "ram", WHERE_RAM, folder, &f->err), 0);
    assert_int_equal(mkdir(folder, 0755), 0);
    for (uint32_t i = 0; i < 3; i++) {
        write_segment(f, "ram", i, SEGMENT_0);
    }
    snprintf(f->live_log, sizeof(f->live_log), "ram");
    f->is_live = true;
    f->durable = (struct rlog_position){ 2, 1000, 2 * SEGMENT_0 + 1000 };
}

static int teardown_memory(void **state)
{
    struct fixture *f = *state;

    nftw(f->store.memory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return teardown(state);
}

/* What the segment takes of the memory; its size stays. */
static int64_t memory_of(const struct fixture *f, const char *log, uint32_t segment)
{
    char folder[PATH_SIZE];
    char path[PATH_SIZE + 32];
    struct stat status;

    assert_int_equal(store_log_path(&f->store, log, folder, NULL), 0);
    rlog_segment_path(folder, segment, path, sizeof(path));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, SEGMENT_0);
    assert_int_equal(log_is_given_back(folder, segment), status.st_blocks == 0);
    return (int64_t)status.st_blocks * 512;
}

static int fetch_kept(struct fixture *f, const char *log, const char *peer, uint64_t segment,
                      bool is_kept)
{
    struct proto_token token = { .seq = 1 };
    struct body_fetch body = { .segment = segment, .credit_bytes = CREDIT, .is_kept = is_kept };

    snprintf(body.log, sizeof(body.log), "%s", log);
    return log_server_fetch(f->server, peer, &token, &body, &f->err);
}

static void test_memory_is_given_back_segment_by_segment(void **state)
{
    struct fixture *f = *state;

    make_memory_log(f);
    assert_int_equal(fetch_kept(f, "ram", "0", 0, true), 0);
    pump(f);
    assert_int_equal(f->readers[0].n_bytes, 2 * SEGMENT_0 + 1000); /* sent is not kept */
    assert_true(memory_of(f, "ram", 0) > 0);
    assert_int_equal(fetch_kept(f, "ram", "0", 1, true), 0);
    assert_int_equal(memory_of(f, "ram", 0), 0);
    assert_true(memory_of(f, "ram", 1) > 0);
    assert_int_equal(fetch_kept(f, "ram", "0", 2, true), 0);
    assert_int_equal(memory_of(f, "ram", 1), 0);
    assert_true(memory_of(f, "ram", 2) > 0);
    /* What was given back cannot be had, and nobody gets zeros for it. */
    assert_int_equal(fetch_kept(f, "ram", "1", 1, false), -1);
    assert_non_null(strstr(f->err.text, "given back"));
    pump(f);
    assert_int_equal(f->readers[1].n_bytes, 0);
    assert_false(f->readers[0].is_wrong);
}

static void test_a_reader_of_what_is_given_back_gets_no_zeros(void **state)
{
    struct fixture *f = *state;

    make_memory_log(f);
    assert_int_equal(fetch_kept(f, "ram", "1", 0, false), 0);
    assert_int_equal(log_server_pump(f->server, 1), 1);
    assert_int_equal(fetch_kept(f, "ram", "0", 1, true), 0);
    f->readers[0].segment = 1;
    pump(f);
    assert_int_equal(f->readers[1].n_messages, 1);
    assert_false(f->readers[1].is_wrong);
    assert_false(f->readers[0].has_gap || f->readers[0].is_wrong);
}

static void test_nothing_else_is_given_back(void **state)
{
    struct fixture *f = *state;

    make_memory_log(f);
    assert_int_equal(fetch_kept(f, "ram", "0", 2, false), 0); /* an observer's */
    assert_int_equal(fetch_kept(f, "ram", "1", 3, true), 0);  /* beyond what there is */
    assert_true(memory_of(f, "ram", 0) > 0 && memory_of(f, "ram", 1) > 0);
    f->is_live = false; /* closed: it goes as a whole, with RELEASE */
    assert_int_equal(fetch_kept(f, "ram", "1", 2, true), 0);
    assert_true(memory_of(f, "ram", 0) > 0 && memory_of(f, "ram", 1) > 0);
    f->is_live = true; /* on a disk */
    snprintf(f->live_log, sizeof(f->live_log), "run");
    assert_int_equal(fetch_kept(f, "run", "0", 1, true), 0);
    assert_true(memory_of(f, "run", 0) > 0);
}

int main(void)
{
#define TEST(name)        cmocka_unit_test_setup_teardown(name, setup, teardown)
#define MEMORY_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown_memory)
    const struct CMUnitTest tests[] = {
        TEST(test_a_closed_log_comes_whole_and_says_its_end),
        TEST(test_no_more_than_the_credit_is_sent),
        TEST(test_the_same_place_asked_for_again_is_sent_again),
        TEST(test_of_a_growing_log_only_durable_bytes_are_served),
        TEST(test_readers_take_turns),
        TEST(test_a_log_that_grows_goes_before_an_old_one),
        TEST(test_a_full_queue_waits_and_loses_nothing),
        TEST(test_a_question_is_echoed_and_changes_nothing),
        TEST(test_a_forgotten_log_sends_nothing_more),
        TEST(test_what_is_not_there_is_refused),
        MEMORY_TEST(test_memory_is_given_back_segment_by_segment),
        MEMORY_TEST(test_a_reader_of_what_is_given_back_gets_no_zeros),
        MEMORY_TEST(test_nothing_else_is_given_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
