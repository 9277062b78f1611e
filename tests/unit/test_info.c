/* SPDX-License-Identifier: MIT */
/* `sheep info`: what stands in a node's folders, as text and as JSON. */
#include "sheep/info.h"

#include "common/keys.h"
#include "sheep/node_journal.h"
#include "sheep/recorder_ipc.h"
#include "tests/support/temp_folder.h"

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

struct fixture {
    char folder[TEMP_FOLDER_SIZE];
    struct sheep_config config;
    struct key_pair key;
    char state_dir[PATH_SIZE];
    struct buf text;
    struct err err;
};

static void authorize(struct fixture *f, const char *name)
{
    struct key_pair pair;
    char path[TEMP_PATH_SIZE];
    char file[80];

    assert_int_equal(key_generate(&pair, name, ROLE_OPERATOR, &f->err), 0);
    snprintf(file, sizeof(file), "authorized/%s.pub", name);
    temp_folder_path(f->folder, file, path);
    assert_int_equal(key_save_public(&pair, path, &f->err), 0);
    key_wipe(&pair);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    temp_folder_make(f->folder);
    snprintf(f->config.name, sizeof(f->config.name), "sheep0");
    snprintf(f->config.address, sizeof(f->config.address), "127.0.0.1");
    snprintf(f->config.board, sizeof(f->config.board), "sim");
    snprintf(f->config.data, sizeof(f->config.data), "%s/data", f->folder);
    snprintf(f->config.authorized, sizeof(f->config.authorized), "%s/authorized", f->folder);
    snprintf(f->config.secret_key, sizeof(f->config.secret_key), "%s/sheep.key", f->folder);
    f->config.port = 4240;
    f->config.disk_reserve = 64000000;
    assert_int_equal(sheep_config_make_folders(&f->config, &f->err), 0);
    assert_int_equal(sheep_config_folder(&f->config, "state", f->state_dir, &f->err), 0);
    assert_int_equal(mkdir(f->config.authorized, 0755), 0);
    assert_int_equal(key_generate(&f->key, "sheep0", ROLE_SHEEP, &f->err), 0);
    assert_int_equal(key_save(&f->key, f->folder, "sheep", false, &f->err), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    buf_fini(&f->text);
    temp_folder_remove(f->folder);
    free(f);
    return 0;
}

static void write_info(struct fixture *f, bool is_json)
{
    buf_clear(&f->text);
    if (info_write(&f->config, is_json, &f->text, &f->err) < 0) {
        fail_msg("%s", f->err.text);
    }
}

static void expect(const struct fixture *f, const char *wanted)
{
    if (strstr(f->text.data, wanted) == NULL) {
        fail_msg("'%s' is not in:\n%s", wanted, f->text.data);
    }
}

static void add_log(struct fixture *f, const char *name, size_t bytes)
{
    char folder[TEMP_PATH_SIZE];
    char path[TEMP_PATH_SIZE + 32];
    char part[80];

    snprintf(part, sizeof(part), "data/recordings/%s.rlog", name);
    temp_folder_path(f->folder, part, folder);
    assert_int_equal(mkdir(folder, 0755), 0);
    snprintf(path, sizeof(path), "%s/000000.seg", folder);
    temp_folder_write(folder, "000000.seg", "");
    assert_int_equal(truncate(path, (off_t)bytes), 0);
}

static void test_a_fresh_node_says_what_it_is(void **state)
{
    struct fixture *f = *state;
    char key_line[80];

    write_info(f, false);
    snprintf(key_line, sizeof(key_line), "public key:   %s\n", f->key.public_key);
    expect(f, "name:         sheep0\n");
    expect(f, "version:      " BW_VERSION "\n");
    expect(f, "board:        sim, no calibration\n");
    expect(f, "listens at:   127.0.0.1, ports 4240 to 4241\n");
    expect(f, key_line);
    expect(f, "authorized:   0 keys in ");
    expect(f, "recordings:   0, 0.0 MB in ");
    expect(f, " MB free, 64.0 MB in reserve\n");
    expect(f, "recorder:     not running\n");
    assert_null(strstr(f->text.data, "experiment:"));
    assert_null(strstr(f->text.data, f->key.secret_key));
}

static void test_keys_logs_and_calibration_are_counted(void **state)
{
    struct fixture *f = *state;

    authorize(f, "ann");
    authorize(f, "bob");
    add_log(f, "one", 1500000);
    add_log(f, "two", 2000000);
    f->config.has_calibration = true;
    write_info(f, false);
    expect(f, "authorized:   2 keys in ");
    expect(f, "recordings:   2, 3.5 MB in ");
    expect(f, "board:        sim, calibrated\n");
    write_info(f, true);
    expect(f, "\"n_authorized\":2,\"n_logs\":2,\"log_bytes\":3500000,");
    expect(f, "\"has_calibration\":true,");
}

static void test_json_is_one_line_with_all_fields(void **state)
{
    struct fixture *f = *state;

    write_info(f, true);
    assert_int_equal(f->text.data[0], '{');
    assert_string_equal(f->text.data + f->text.size - 2, "}\n");
    expect(f, "{\"name\":\"sheep0\",\"version\":\"" BW_VERSION "\",\"board\":\"sim\",");
    expect(f, "\"recorder\":\"not running\",\"experiment\":\"\",\"port\":4240,");
    expect(f, "\"disk_reserve_bytes\":64000000}");
    assert_null(strstr(f->text.data, f->key.secret_key));
}

static void test_names_of_people_do_not_break_json(void **state)
{
    struct fixture *f = *state;

    snprintf(f->config.address, sizeof(f->config.address),
             "a\"b\\c\nd\x01"
             "e");
    write_info(f, true);
    expect(f, "\"address\":\"a\\\"b\\\\cde\",");
}

static void test_the_experiment_that_is_here_is_named(void **state)
{
    struct fixture *f = *state;
    struct node_journal journal = { .experiment = 7 };

    snprintf(journal.experiment_name, sizeof(journal.experiment_name), "winter");
    snprintf(journal.owner, sizeof(journal.owner), "ann");
    snprintf(journal.log, sizeof(journal.log), "winter_3");
    assert_int_equal(node_journal_save(&journal, f->state_dir, &f->err), 0);
    write_info(f, false);
    expect(f, "experiment:   winter of ann\n");
    write_info(f, true);
    expect(f, "\"experiment\":\"winter\",");
}

static void test_a_page_counts_only_while_its_recorder_lives(void **state)
{
    struct fixture *f = *state;
    struct recorder_page now = { .state = RECORDER_RUNNING };
    struct recorder_page *page = NULL;

    assert_int_equal(recorder_page_create(f->state_dir, &page, &f->err), 0);
    now.pid = (int32_t)getpid();
    recorder_page_write(page, &now);
    write_info(f, false);
    expect(f, "recorder:     running\n");
    now.pid = INT32_MAX; /* beyond every kernel's pid_max */
    recorder_page_write(page, &now);
    write_info(f, false);
    expect(f, "recorder:     not running\n");
    now.pid = (int32_t)getpid();
    now.state = 77; /* of another build */
    recorder_page_write(page, &now);
    write_info(f, false);
    expect(f, "recorder:     not running\n");
    recorder_page_destroy(&page);
}

static void test_what_is_missing_is_said(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(unlink(f->config.secret_key), 0);
    assert_int_equal(info_write(&f->config, false, &f->text, &f->err), -1);
    assert_int_equal(f->err.code, ERR_NOT_FOUND);
    assert_non_null(strstr(f->err.text, f->config.secret_key));
    assert_int_equal(key_save(&f->key, f->folder, "sheep", true, &f->err), 0);
    assert_int_equal(rmdir(f->config.authorized), 0);
    assert_int_equal(info_write(&f->config, false, &f->text, &f->err), -1);
    assert_non_null(strstr(f->err.text, f->config.authorized));
}

static void test_a_key_that_others_can_read_is_refused(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(chmod(f->config.secret_key, 0644), 0);
    assert_int_equal(info_write(&f->config, false, &f->text, &f->err), -1);
    assert_int_equal(f->err.code, ERR_DENIED);
    assert_non_null(strstr(f->err.text, "chmod"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_fresh_node_says_what_it_is),
        TEST(test_keys_logs_and_calibration_are_counted),
        TEST(test_json_is_one_line_with_all_fields),
        TEST(test_names_of_people_do_not_break_json),
        TEST(test_the_experiment_that_is_here_is_named),
        TEST(test_a_page_counts_only_while_its_recorder_lives),
        TEST(test_what_is_missing_is_said),
        TEST(test_a_key_that_others_can_read_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
