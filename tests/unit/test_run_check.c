/* SPDX-License-Identifier: MIT */
/* Before anybody is asked: the folder of results, its room, and the names in it. */
#include "herd/run_state.h"

#include "tests/support/caught.h"

#include "common/buf.h"

#include <fcntl.h>
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

enum {
    N_NODES = 2
};

struct bench {
    char folder[64];
    struct node_config configs[N_NODES];
    struct experiment experiment;
    struct run_request request;
    struct run run;
};

static int set_up(void **state)
{
    static const char *const NAMES[] = { "sheep0", "sheep1" };
    struct bench *bench = calloc(1, sizeof(*bench));
    struct run *run = NULL;
    struct err err = { 0 };

    assert_non_null(bench);
    run = &bench->run;
    caught_make_folder("check", bench->folder, sizeof(bench->folder));
    bench->request.experiment = &bench->experiment;
    bench->request.output = bench->folder;
    run->request = &bench->request;
    assert_int_equal(run_alloc(run, N_NODES, &err), 0);
    snprintf(run->name, sizeof(run->name), "trial");
    snprintf(run->id, sizeof(run->id), "trial_1");
    snprintf(run->output, sizeof(run->output), "%s", bench->folder);
    run->start.T_ns = INT64_C(1800000000123456789);
    for (size_t i = 0; i < N_NODES; i++) {
        schema_defaults(&node_config_schema, &bench->configs[i]);
        bench->configs[i].duration_ns = INT64_C(1000000000);
        run->nodes[i].config = &bench->configs[i];
        run->names[i] = NAMES[i];
    }
    run->journal = journal_create(bench->folder, run->id, "", &err);
    assert_non_null(run->journal);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;

    journal_close(&bench->run.journal);
    caught_remove_folder(bench->folder);
    free(bench->run.nodes);
    free(bench->run.members);
    free(bench->run.names);
    free(bench->run.required);
    free(bench);
    return 0;
}

static void path_of(const struct bench *bench, const char *name, char path[PATH_SIZE])
{
    snprintf(path, PATH_SIZE, "%s/%s", bench->folder, name);
}

static void test_a_folder_is_made_and_left_clean(void **state)
{
    struct bench *bench = *state;
    char chosen[PATH_SIZE];
    char wanted[PATH_SIZE];
    struct err err = { 0 };

    path_of(bench, "new/../new/deep", chosen);
    path_of(bench, "new", wanted);
    assert_int_equal(mkdir(wanted, 0755), 0);
    bench->request.output = chosen;
    assert_int_equal(run_check_output(&bench->run, &err), 0);
    path_of(bench, "new/deep", wanted);
    assert_string_equal(bench->run.output, wanted);
    path_of(bench, "new/deep/.bellwether/trial_1", wanted);
    assert_string_equal(bench->run.copies, wanted);
    /* the trial file is gone, and no copy was begun */
    path_of(bench, "new/deep", wanted);
    assert_int_equal(rmdir(wanted), 0);
}

/* The command line rules over the experiment, and that over this folder. */
static void test_who_chooses_the_folder(void **state)
{
    struct bench *bench = *state;
    char *here = getcwd(NULL, 0);
    char wanted[PATH_SIZE];
    struct err err = { 0 };

    assert_non_null(here);
    assert_int_equal(chdir(bench->folder), 0);
    snprintf(bench->experiment.output, sizeof(bench->experiment.output), "of-experiment");
    bench->request.output = "of-command";
    assert_int_equal(run_check_output(&bench->run, &err), 0);
    path_of(bench, "of-command", wanted);
    assert_string_equal(bench->run.output, wanted);
    bench->request.output = NULL;
    assert_int_equal(run_check_output(&bench->run, &err), 0);
    path_of(bench, "of-experiment", wanted);
    assert_string_equal(bench->run.output, wanted);
    bench->experiment.output[0] = '\0';
    assert_int_equal(run_check_output(&bench->run, &err), 0);
    assert_string_equal(bench->run.output, bench->folder);
    assert_int_equal(chdir(here), 0);
    free(here);
}

static void expect_refused(struct bench *bench, const char *text)
{
    struct err err = { 0 };

    assert_int_equal(run_check_output(&bench->run, &err), -1);
    assert_int_equal(err.code, ERR_INPUT);
    if (strstr(err.text, text) == NULL) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(strncmp(err.text, "output folder", 13), 0);
}

static void test_a_folder_that_cannot_be_is_refused(void **state)
{
    struct bench *bench = *state;
    char chosen[PATH_SIZE];

    path_of(bench, "file", chosen);
    caught_write_text(chosen, "x");
    bench->request.output = chosen;
    expect_refused(bench, chosen);
    bench->request.output = "/proc/self/results";
    expect_refused(bench, "/proc/self/results");
    /* there, but nothing can be written: procfs, whoever asks */
    bench->request.output = "/proc/self";
    expect_refused(bench, "/proc/");
}

/* Up to 300 bytes, so that the paths of its files are whole. */
static void test_a_path_that_is_too_long_is_refused(void **state)
{
    struct bench *bench = *state;
    char chosen[PATH_SIZE];
    struct err err = { 0 };

    for (size_t length = 299; length <= 302; length++) {
        size_t used = strlen(bench->folder);

        memcpy(chosen, bench->folder, used);
        memset(chosen + used, 'd', sizeof(chosen) - used);
        chosen[used] = '/';
        chosen[used + 200] = '/';
        chosen[length] = '\0';
        bench->request.output = chosen;
        if (length > 300) {
            expect_refused(bench, "longer than 300 bytes");
            continue;
        }
        assert_int_equal(run_check_output(&bench->run, &err), 0);
        assert_string_equal(bench->run.output, chosen);
        assert_int_equal(run_take_name(&bench->run, 0, &err), 0);
        assert_memory_equal(bench->run.nodes[0].final_path, chosen, length);
        assert_int_equal(access(bench->run.nodes[0].final_path, F_OK), 0);
        bench->run.nodes[0].final_path[0] = '\0';
    }
}

/* 4 bytes a sample of each stream; centuries of them are more than any disk has. */
static void test_room_is_counted_in_what_is_stored(void **state)
{
    static const int64_t YEARS_NS = INT64_C(9000000000000000000); /* 285 */
    struct bench *bench = *state;
    struct record_config *record = &bench->configs[1].record;
    struct err err = { 0 };

    assert_int_equal(run_check_output(&bench->run, &err), 0);
    bench->configs[1].duration_ns = YEARS_NS;
    expect_refused(bench, " MB free, the recordings may need 7200000");
    /* the store's two streams, of an emulation only */
    record->storage = true;
    expect_refused(bench, "may need 7200000");
    bench->configs[1].mode = MODE_EMULATE;
    expect_refused(bench, "may need 14400000");
    record->storage = false;
    record->current = false;
    expect_refused(bench, "may need 3600000");
    /* nothing but pins */
    record->voltage = false;
    assert_int_equal(run_check_output(&bench->run, &err), 0);
    /* an hour of it, the rest is not stored */
    record->voltage = true;
    record->duration_ns = 1000000000;
    assert_int_equal(run_check_output(&bench->run, &err), 0);
    /* an open end needs what it needs */
    record->duration_ns = -1;
    bench->configs[1].duration_ns = -1;
    assert_int_equal(run_check_output(&bench->run, &err), 0);
}

static void test_slow_rows_need_little_room(void **state)
{
    struct bench *bench = *state;
    struct err err = { 0 };

    /* 100 days: 6.9 TB of samples; their overview and ten means a second are a sixteenth */
    bench->configs[0].duration_ns = INT64_C(8640000000000000);
    expect_refused(bench, "may need 6912000");
    bench->configs[0].record.samplerate = RECORD_10_HZ;
    if (run_check_output(&bench->run, &err) < 0) {
        /* too much for this disk, but with the right number */
        assert_non_null(strstr(err.text, "may need 432"));
    }
}

static void test_names_say_what_when_and_who(void **state)
{
    struct bench *bench = *state;
    char stem[RUN_STEM_SIZE];

    run_stem(&bench->run, MODE_HARVEST, stem);
    assert_string_equal(stem, "hrv_trial_2027-01-15T08-00-00Z");
    run_stem(&bench->run, MODE_EMULATE, stem);
    assert_string_equal(stem, "emu_trial_2027-01-15T08-00-00Z");
}

static void expect_name(struct bench *bench, size_t i, const char *wanted)
{
    char path[PATH_SIZE];
    struct err err = { 0 };

    if (run_take_name(&bench->run, i, &err) < 0) {
        fail_msg("%s", err.text);
    }
    path_of(bench, wanted, path);
    assert_string_equal(bench->run.nodes[i].final_path, path);
}

static int note_name(void *arg, const struct journal_entry *entry, struct err *err)
{
    (void)err;
    if (entry->kind == JOURNAL_NAME) {
        *(struct journal_entry *)arg = *entry;
    }
    return 0;
}

static void test_a_taken_name_gets_a_number(void **state)
{
    struct bench *bench = *state;
    struct journal_entry entry = { 0 };
    struct err err = { 0 };

    expect_name(bench, 0, "hrv_trial_2027-01-15T08-00-00Z_sheep0.h5");
    /* it is held by an empty file, and taken once */
    assert_int_equal(access(bench->run.nodes[0].final_path, F_OK), 0);
    expect_name(bench, 0, "hrv_trial_2027-01-15T08-00-00Z_sheep0.h5");
    for (unsigned number = 1; number <= 2; number++) {
        char wanted[80];

        bench->run.nodes[0].final_path[0] = '\0';
        snprintf(wanted, sizeof(wanted), "hrv_trial_2027-01-15T08-00-00Z_%u_sheep0.h5", number);
        expect_name(bench, 0, wanted);
    }
    bench->run.nodes[1].mode = MODE_EMULATE;
    expect_name(bench, 1, "emu_trial_2027-01-15T08-00-00Z_sheep1.h5");
    /* a later herd knows it by the journal */
    assert_int_equal(journal_replay(bench->folder, bench->run.id, note_name, &entry, &err), 0);
    assert_string_equal(entry.node, "sheep1");
    assert_string_equal(entry.path, bench->run.nodes[1].final_path);
}

static void test_overwriting_keeps_the_old_until_the_new_is_whole(void **state)
{
    struct bench *bench = *state;
    char path[PATH_SIZE];
    char *text = NULL;

    path_of(bench, "hrv_trial_2027-01-15T08-00-00Z_sheep0.h5", path);
    caught_write_text(path, "old");
    bench->run.nodes[0].exists = EXISTS_OVERWRITE;
    expect_name(bench, 0, "hrv_trial_2027-01-15T08-00-00Z_sheep0.h5");
    text = caught_read_text(path);
    assert_string_equal(text, "old");
    free(text);
}

static void test_refusing_names_the_file(void **state)
{
    struct bench *bench = *state;
    char path[PATH_SIZE];
    char wanted[PATH_SIZE + 80];
    struct err err = { 0 };

    bench->run.nodes[1].exists = EXISTS_REFUSE;
    assert_int_equal(run_check_names(&bench->run, &err), 0);
    /* of a node that counts on, it is no matter */
    path_of(bench, "hrv_trial_2027-01-15T08-00-00Z_sheep0.h5", path);
    caught_write_text(path, "old");
    assert_int_equal(run_check_names(&bench->run, &err), 0);
    path_of(bench, "hrv_trial_2027-01-15T08-00-00Z_sheep1.h5", path);
    caught_write_text(path, "old");
    assert_int_equal(run_check_names(&bench->run, &err), -1);
    assert_int_equal(err.code, ERR_EXISTS);
    snprintf(wanted, sizeof(wanted), "%s exists, and record.exists says refuse", path);
    assert_string_equal(err.text, wanted);
    /* taken meanwhile */
    assert_int_equal(run_take_name(&bench->run, 1, &err), -1);
    assert_int_equal(err.code, ERR_EXISTS);
    assert_string_equal(bench->run.nodes[1].final_path, "");
}

#define WITH_BENCH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_a_folder_is_made_and_left_clean),
        WITH_BENCH(test_who_chooses_the_folder),
        WITH_BENCH(test_a_folder_that_cannot_be_is_refused),
        WITH_BENCH(test_a_path_that_is_too_long_is_refused),
        WITH_BENCH(test_room_is_counted_in_what_is_stored),
        WITH_BENCH(test_slow_rows_need_little_room),
        WITH_BENCH(test_names_say_what_when_and_who),
        WITH_BENCH(test_a_taken_name_gets_a_number),
        WITH_BENCH(test_overwriting_keeps_the_old_until_the_new_is_whole),
        WITH_BENCH(test_refusing_names_the_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
