/* SPDX-License-Identifier: MIT */
/* What the node keeps: logs, inputs and the journal. */
#include "common/buf.h"
#include "common/rlog.h"
#include "sheep/config.h"
#include "sheep/input_store.h"
#include "sheep/node_journal.h"
#include "sheep/space.h"
#include "sheep/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char folder[64];
    struct sheep_config config;
    struct store store;
    struct input_store inputs;
    struct err err;
};

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *ftw)
{
    (void)status;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_true(sodium_init() >= 0);
    snprintf(f->folder, sizeof(f->folder), "/tmp/bw-store-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->config.data, sizeof(f->config.data), "%s/data", f->folder);
    snprintf(f->config.board, sizeof(f->config.board), "sim");
    assert_int_equal(sheep_config_make_folders(&f->config, &f->err), 0);
    assert_int_equal(store_open(&f->store, &f->config, &f->err), 0);
    assert_int_equal(input_store_open(&f->inputs, &f->config, &f->err), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    nftw(f->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

static void make_log(struct fixture *f, const char *name)
{
    struct rlog_manifest manifest = { .node = "sheep0", .experiment = 5 };
    char path[PATH_SIZE];
    struct rlog_writer *writer = NULL;

    assert_int_equal(store_log_path(&f->store, name, path, &f->err), 0);
    writer = rlog_writer_create(path, &manifest, &f->err);
    assert_non_null(writer);
    rlog_writer_destroy(&writer);
}

static void test_a_taken_name_is_numbered_refused_or_overwritten(void **state)
{
    static const enum record_exists EVERY[] = { EXISTS_NUMBER, EXISTS_REFUSE,
                                                EXISTS_OVERWRITE };
    struct fixture *f = *state;
    char name[PROTO_NAME_SIZE];

    assert_int_equal(store_choose(&f->store, "run", EXISTS_REFUSE, name, &f->err), 0);
    assert_string_equal(name, "run");
    for (int i = 0; i < 2; i++) {
        make_log(f, name);
        assert_int_equal(store_choose(&f->store, "run", EXISTS_REFUSE, name, &f->err), -1);
        assert_int_equal(f->err.code, ERR_EXISTS);
        assert_int_equal(store_choose(&f->store, "run", EXISTS_NUMBER, name, &f->err), 0);
        assert_string_equal(name, i == 0 ? "run_1" : "run_2");
    }
    /* What the recorder is about to remove takes no name, and is not removed twice. */
    snprintf(f->store.leaving, sizeof(f->store.leaving), "run");
    for (size_t i = 0; i < ARRAY_LEN(EVERY); i++) {
        assert_int_equal(store_choose(&f->store, "run", EVERY[i], name, &f->err), 0);
        assert_string_equal(name, "run");
        assert_true(store_has(&f->store, "run"));
    }
    f->store.leaving[0] = '\0';
    for (int i = 0; i < 2; i++) {
        assert_int_equal(store_choose(&f->store, "run", EXISTS_OVERWRITE, name, &f->err), 0);
        assert_string_equal(name, "run");
        assert_false(store_has(&f->store, "run"));
        make_log(f, "run");
    }
    assert_true(store_has(&f->store, "run_1"));
}

static void count(void *arg, const char *log)
{
    (void)log;
    (*(unsigned *)arg)++;
}

static void make_log_in(struct fixture *f, const char *name, enum record_where where)
{
    struct rlog_manifest manifest = { .node = "sheep0", .experiment = 5 };
    char path[PATH_SIZE];
    struct rlog_writer *writer = NULL;

    assert_int_equal(store_new_path(&f->store, name, where, path, &f->err), 0);
    writer = rlog_writer_create(path, &manifest, &f->err);
    assert_non_null(writer);
    rlog_writer_destroy(&writer);
}

static void test_a_log_in_memory_is_found_listed_and_not_kept(void **state)
{
    struct fixture *f = *state;
    char name[PROTO_NAME_SIZE];
    char path[PATH_SIZE];
    unsigned n_logs = 0;

    f->config.retention = RETENTION_KEEP;
    snprintf(f->config.memory, sizeof(f->config.memory), "%s", f->folder);
    assert_int_equal(store_open(&f->store, &f->config, &f->err), 0);
    make_log_in(f, "card", WHERE_DISK);
    make_log_in(f, "run", WHERE_RAM);
    assert_true(store_has(&f->store, "run"));
    assert_true(store_is_in_memory(&f->store, "run"));
    assert_false(store_is_in_memory(&f->store, "card"));
    assert_int_equal(store_log_path(&f->store, "run", path, &f->err), 0);
    assert_memory_equal(path, f->store.memory, strlen(f->store.memory));
    assert_null(strstr(path, "recordings"));
    assert_true(store_keeps(&f->store, "card"));
    assert_false(store_keeps(&f->store, "run"));
    assert_int_equal(store_each(&f->store, count, &n_logs, &f->err), 0);
    assert_int_equal(n_logs, 2);
    assert_int_equal(store_choose(&f->store, "run", EXISTS_NUMBER, name, &f->err), 0);
    assert_string_equal(name, "run_1");
    assert_int_equal(store_remove(&f->store, "run", &f->err), 0);
    assert_false(store_has(&f->store, "run"));
}

static void test_without_memory_of_its_own_a_node_refuses(void **state)
{
    struct fixture *f = *state;
    char path[PATH_SIZE];
    char target[PATH_SIZE];

    assert_int_equal(store_new_path(&f->store, "run", WHERE_RAM, path, &f->err), -1);
    assert_non_null(strstr(f->err.text, "sheep.yaml"));
    snprintf(f->config.memory, sizeof(f->config.memory), "%s", f->folder);
    assert_int_equal(store_open(&f->store, &f->config, &f->err), 0);
    snprintf(target, sizeof(target), "%s/data", f->folder);
    assert_int_equal(symlink(target, f->store.memory), 0); /* somebody's trap */
    assert_int_equal(store_new_path(&f->store, "run", WHERE_RAM, path, &f->err), -1);
    assert_int_equal(store_check_space(&f->store, WHERE_RAM, 1, &f->err), -1);
    assert_int_equal(unlink(f->store.memory), 0);
    assert_int_equal(store_check_space(&f->store, WHERE_RAM, 1, &f->err), 0);
    assert_int_equal(store_check_space(&f->store, WHERE_RAM, UINT64_C(1) << 50, &f->err), -1);
    assert_int_equal(f->err.code, ERR_NO_SPACE);
    assert_memory_equal(f->err.text, "memory:", 7);
}

static void test_available_memory_is_read(void **state)
{
    (void)state;
    assert_int_equal(
        space_parse_available("MemTotal: 500 kB\nMemAvailable:     1234 kB\nX: 1 kB\n"),
        1234 * 1024);
    assert_int_equal(space_parse_available("MemTotal: 500 kB\n"), 0);
    assert_int_equal(space_needed(false, UINT64_C(1) << 40), UINT64_C(1) << 40);
    assert_int_equal(space_needed(true, UINT64_C(1) << 40), 3 * 67108864);
    assert_int_equal(space_needed(true, 1000), 1000);
}

static void test_names_do_not_leave_the_folder(void **state)
{
    static const char *const NAMES[] = {
        "../x", "a/b", "", ".", "..", "-x", ".hidden", "a\nb"
    };
    struct fixture *f = *state;
    char path[PATH_SIZE];
    char name[PROTO_NAME_SIZE];
    char target[PATH_SIZE];

    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
        assert_int_equal(store_log_path(&f->store, NAMES[i], path, &f->err), -1);
        assert_int_equal(store_remove(&f->store, NAMES[i], &f->err), -1);
        assert_int_equal(store_choose(&f->store, NAMES[i], EXISTS_NUMBER, name, &f->err), -1);
    }
    /* A link is neither followed nor overwritten. */
    snprintf(target, sizeof(target), "%s/elsewhere", f->folder);
    assert_int_equal(mkdir(target, 0755), 0);
    assert_int_equal(store_log_path(&f->store, "link", path, &f->err), 0);
    assert_int_equal(symlink(target, path), 0);
    assert_false(store_has(&f->store, "link"));
    assert_int_equal(store_remove(&f->store, "link", &f->err), -1);
    assert_int_equal(store_choose(&f->store, "link", EXISTS_OVERWRITE, name, &f->err), -1);
    assert_int_equal(access(target, F_OK), 0);
}

static void test_the_list_tells_what_is_known(void **state)
{
    struct fixture *f = *state;
    struct store_entry entry = { .n_samples = 1000, .log_bytes = 77, .experiment = 5 };
    struct buf list = { 0 };
    struct yaml_doc *doc = NULL;

    assert_int_equal(store_list(&f->store, "", &list, &f->err), 0);
    assert_string_equal(list.data, "[]\n");
    buf_clear(&list);
    make_log(f, "a");
    make_log(f, "b");
    make_log(f, "c");
    snprintf(entry.digest, sizeof(entry.digest), "abcd");
    assert_int_equal(store_note(&f->store, "b", &entry, &f->err), 0);
    assert_int_equal(store_list(&f->store, "c", &list, &f->err), 0);
    doc = yaml_parse(list.data, list.size, "list", &f->err);
    assert_non_null(doc);
    assert_int_equal(yaml_root(doc)->count, 3);
    assert_string_equal(yaml_text(yaml_get(yaml_root(doc)->items[0], "state"), ""),
                        "unfinished");
    assert_string_equal(yaml_text(yaml_get(yaml_root(doc)->items[1], "state"), ""), "closed");
    assert_string_equal(yaml_text(yaml_get(yaml_root(doc)->items[1], "digest"), ""), "abcd");
    assert_string_equal(yaml_text(yaml_get(yaml_root(doc)->items[1], "samples"), ""), "1000");
    assert_string_equal(yaml_text(yaml_get(yaml_root(doc)->items[2], "state"), ""),
                        "recording");
    yaml_destroy(&doc);
    buf_fini(&list);
    assert_int_equal(store_remove(&f->store, "b", &f->err), 0);
    assert_int_equal(store_find(&f->store, "b", &entry, &f->err), -1);
    assert_int_equal(store_remove(&f->store, "b", &f->err), -1);
    assert_int_equal(f->err.code, ERR_NOT_FOUND);
}

static void test_space_counts_the_reserve(void **state)
{
    struct fixture *f = *state;
    uint64_t free_bytes = store_free_bytes(&f->store);

    assert_true(free_bytes > 0);
    assert_int_equal(store_check_space(&f->store, WHERE_DISK, 1000, &f->err), 0);
    assert_int_equal(store_check_space(&f->store, WHERE_DISK, free_bytes * 2, &f->err), -1);
    assert_int_equal(f->err.code, ERR_NO_SPACE);
    assert_non_null(strstr(f->err.text, "disk"));
    assert_int_equal(store_check_space(&f->store, WHERE_DISK, UINT64_MAX, &f->err), -1);
    f->store.reserve_bytes = UINT64_MAX;
    assert_int_equal(store_check_space(&f->store, WHERE_DISK, 1000, &f->err), -1);
}

/* ---- inputs ---- */

static void digest_of(const void *data, size_t size, char text[DIGEST_TEXT_SIZE])
{
    unsigned char hash[32];

    crypto_generichash(hash, sizeof(hash), data, size, NULL, 0);
    sodium_bin2hex(text, DIGEST_TEXT_SIZE, hash, sizeof(hash));
}

static void test_an_input_arrives_in_pieces_and_counts_when_verified(void **state)
{
    struct fixture *f = *state;
    char data[1000];
    char digest[DIGEST_TEXT_SIZE];
    char path[PATH_SIZE];
    uint64_t n_bytes = 0;
    bool is_whole = false;
    struct input_piece piece = { .digest = digest, .size = sizeof(data), .n_bytes = 400 };

    memset(data, 'x', sizeof(data));
    digest_of(data, sizeof(data), digest);
    piece.data = data;
    assert_int_equal(input_store_put(&f->inputs, &piece, &n_bytes, &f->err), 0);
    assert_int_equal(n_bytes, 400);
    /* A piece with a hole before it, and one behind the end. */
    piece.offset = 500;
    assert_int_equal(input_store_put(&f->inputs, &piece, &n_bytes, &f->err), -1);
    assert_int_equal(f->err.code, ERR_STATE);
    piece.offset = 700;
    assert_int_equal(input_store_put(&f->inputs, &piece, &n_bytes, &f->err), -1);
    piece.offset = UINT64_MAX - 10;
    assert_int_equal(input_store_put(&f->inputs, &piece, &n_bytes, &f->err), -1);
    /* Overlap counts once. */
    piece.offset = 300;
    assert_int_equal(input_store_put(&f->inputs, &piece, &n_bytes, &f->err), 0);
    assert_int_equal(n_bytes, 700);
    assert_int_equal(input_store_have(&f->inputs, digest, &n_bytes, &is_whole, &f->err), 0);
    assert_int_equal(n_bytes, 700);
    assert_false(is_whole);
    assert_int_equal(input_store_path(&f->inputs, digest, path, &f->err), -1);
    piece.offset = 700;
    piece.n_bytes = 300;
    assert_int_equal(input_store_put(&f->inputs, &piece, &n_bytes, &f->err), 0);
    assert_int_equal(input_store_verify(&f->inputs, digest, &f->err), 0);
    assert_int_equal(input_store_path(&f->inputs, digest, path, &f->err), 0);
    assert_int_equal(input_store_have(&f->inputs, digest, &n_bytes, &is_whole, &f->err), 0);
    assert_true(is_whole);
    assert_int_equal(n_bytes, 1000);
}

static void test_an_input_with_another_content_is_removed(void **state)
{
    struct fixture *f = *state;
    char data[100] = "other";
    char digest[DIGEST_TEXT_SIZE];
    uint64_t n_bytes = 0;
    bool is_whole = false;
    struct input_piece piece = { digest, sizeof(data), 0, data, sizeof(data) };

    digest_of("expected", 8, digest);
    assert_int_equal(input_store_put(&f->inputs, &piece, &n_bytes, &f->err), 0);
    assert_int_equal(input_store_verify(&f->inputs, digest, &f->err), -1);
    assert_int_equal(f->err.code, ERR_CORRUPT);
    assert_int_equal(input_store_have(&f->inputs, digest, &n_bytes, &is_whole, &f->err), 0);
    assert_int_equal(n_bytes, 0);
    piece.digest = "../../etc/passwd";
    assert_int_equal(input_store_put(&f->inputs, &piece, &n_bytes, &f->err), -1);
}

/* ---- journal, config ---- */

static void test_the_journal_comes_back(void **state)
{
    struct fixture *f = *state;
    struct node_journal journal = {
        .experiment = UINT64_MAX - 1,
        .controller = 1234567890123456789u,
        .experiment_name = "solar: day",
        .owner = "herd \"one\"",
        .user = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7",
        .log = "solar_1",
        .n_planned = 1000,
        .is_going = true,
        .T_ns = INT64_C(1800000000000000000),
        .arm_n = 3,
    };
    struct node_journal back;

    assert_int_equal(node_journal_load(&back, f->folder, &f->err), 0);
    assert_int_equal(back.experiment, 0);
    assert_int_equal(node_journal_save(&journal, f->folder, &f->err), 0);
    assert_int_equal(node_journal_load(&back, f->folder, &f->err), 0);
    assert_memory_equal(&back, &journal, sizeof(journal));
    snprintf(journal.log, sizeof(journal.log), "../x");
    assert_int_equal(node_journal_save(&journal, f->folder, &f->err), 0);
    assert_int_equal(node_journal_load(&back, f->folder, &f->err), -1);
    assert_int_equal(back.experiment, 0);
}

struct names {
    char list[4][PROTO_NAME_SIZE];
    size_t count;
};

static void keep_name(void *arg, const char *log)
{
    struct names *names = arg;

    assert_true(names->count < 4);
    snprintf(names->list[names->count++], PROTO_NAME_SIZE, "%s", log);
}

static bool has_name(const struct names *names, const char *log)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->list[i], log) == 0) {
            return true;
        }
    }
    return false;
}

static void test_every_log_is_visited_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    struct names names = { .count = 0 };
    char path[PATH_SIZE + 32];
    char folder[PATH_SIZE];

    assert_int_equal(store_each(&f->store, keep_name, &names, &f->err), 0);
    assert_int_equal(names.count, 0);
    make_log(f, "one");
    make_log(f, "two");
    snprintf(path, sizeof(path), "%s/data/recordings/notes", f->folder);
    assert_int_equal(mkdir(path, 0755), 0);
    snprintf(path, sizeof(path), "%s/data/recordings/.rlog", f->folder);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(store_each(&f->store, keep_name, &names, &f->err), 0);
    assert_int_equal(names.count, 2);
    assert_true(has_name(&names, "one"));
    assert_true(has_name(&names, "two"));
    assert_int_equal(store_log_path(&f->store, "one", folder, &f->err), 0);
    uint64_t before = store_log_bytes(&f->store, "one");

    rlog_segment_path(folder, 1, path, sizeof(path));
    assert_int_equal(file_write_atomic(path, "12345", 5, 0644, &f->err), 0);
    assert_int_equal(store_log_bytes(&f->store, "one"), before + 5);
    assert_int_equal(store_log_bytes(&f->store, "none"), 0);
}

static void test_a_log_is_found_by_its_experiment(void **state)
{
    struct fixture *f = *state;
    struct store_entry entry = { .experiment = 77, .n_samples = 5 };
    struct store_entry found;
    char log[PROTO_NAME_SIZE];

    make_log(f, "one");
    make_log(f, "two"); /* not closed: nothing is known of it */
    assert_int_equal(store_find_experiment(&f->store, 77, log, &found, &f->err), -1);
    assert_int_equal(f->err.code, ERR_NOT_FOUND);
    snprintf(entry.digest, sizeof(entry.digest), "%064d", 7);
    assert_int_equal(store_note(&f->store, "one", &entry, &f->err), 0);
    assert_int_equal(store_find_experiment(&f->store, 77, log, &found, &f->err), 0);
    assert_string_equal(log, "one");
    assert_int_equal(found.n_samples, 5);
    assert_int_equal(store_find_experiment(&f->store, 78, log, &found, &f->err), -1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_taken_name_is_numbered_refused_or_overwritten),
        TEST(test_a_log_in_memory_is_found_listed_and_not_kept),
        TEST(test_without_memory_of_its_own_a_node_refuses),
        TEST(test_available_memory_is_read),
        TEST(test_names_do_not_leave_the_folder),
        TEST(test_the_list_tells_what_is_known),
        TEST(test_space_counts_the_reserve),
        TEST(test_an_input_arrives_in_pieces_and_counts_when_verified),
        TEST(test_an_input_with_another_content_is_removed),
        TEST(test_the_journal_comes_back),
        TEST(test_every_log_is_visited_and_nothing_else),
        TEST(test_a_log_is_found_by_its_experiment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
