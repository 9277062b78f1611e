/* SPDX-License-Identifier: MIT */
#include "common/keys.h"

#include "common/buf.h"
#include "common/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/test_keys.XXXXXX";
static unsigned n_warnings;

static void count_line(enum log_level level, const char *line, void *arg)
{
    (void)line;
    (void)arg;
    n_warnings += level == LOG_LEVEL_WARN ? 1 : 0;
}

static const char *path_of(const char *name)
{
    static char paths[4][128];
    static unsigned turn;
    char *path = paths[turn++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static void write_text(const char *name, const char *text, mode_t mode)
{
    struct err err = { 0 };

    assert_int_equal(file_write_atomic(path_of(name), text, strlen(text), mode, &err), 0);
    assert_int_equal(chmod(path_of(name), mode), 0);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/test_keys.XXXXXX");
    n_warnings = 0;
    log_set_sink(count_line, NULL);
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    log_set_sink(NULL, NULL);
    snprintf(command, sizeof(command), "rm -r '%s'", folder);
    return system(command);
}

static void test_a_pair_comes_back_as_it_was_saved(void **state)
{
    struct key_pair pair;
    struct key_pair again;
    struct stat info;
    struct err err = { 0 };

    (void)state;
    for (unsigned i = 0; i < 50; i++) { /* Z85 has YAML's special characters */
        assert_int_equal(key_generate(&pair, "sheep0", ROLE_SHEEP, &err), 0);
        assert_true(key_text_is_valid(pair.public_key));
        assert_int_equal(key_save(&pair, folder, "sheep0", true, &err), 0);
        assert_int_equal(key_load(&again, path_of("sheep0.key"), &err), 0);
        assert_memory_equal(&pair, &again, sizeof(pair));
        assert_int_equal(key_load_public(&again, path_of("sheep0.pub"), &err), 0);
        assert_string_equal(again.public_key, pair.public_key);
        assert_string_equal(again.secret_key, "");
    }
    assert_int_equal(stat(path_of("sheep0.key"), &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    assert_int_equal(key_save(&pair, folder, "sheep0", false, &err), -1);
    assert_int_equal(err.code, ERR_EXISTS);
    key_wipe(&again);
    assert_string_equal(again.public_key, "");
    assert_int_equal(key_generate(&pair, "../evil", ROLE_SHEEP, &err), -1);
}

static void test_two_pairs_differ(void **state)
{
    struct key_pair one;
    struct key_pair two;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(key_generate(&one, "a", ROLE_OPERATOR, &err), 0);
    assert_int_equal(key_generate(&two, "a", ROLE_OPERATOR, &err), 0);
    assert_string_not_equal(one.public_key, two.public_key);
    assert_string_not_equal(one.secret_key, two.secret_key);
}

static void test_a_secret_that_others_may_read_is_refused(void **state)
{
    static const mode_t WIDE[] = { 0640, 0604, 0620, 0602, 0644, 0777, 0610, 0601 };
    struct key_pair pair;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(key_generate(&pair, "me", ROLE_OPERATOR, &err), 0);
    assert_int_equal(key_save(&pair, folder, "me", false, &err), 0);
    for (size_t i = 0; i < sizeof(WIDE) / sizeof(WIDE[0]); i++) {
        assert_int_equal(chmod(path_of("me.key"), WIDE[i]), 0);
        assert_int_equal(key_load(&pair, path_of("me.key"), &err), -1);
        assert_int_equal(err.code, ERR_DENIED);
        assert_non_null(strstr(err.text, "chmod 0600"));
        assert_string_equal(pair.secret_key, "");
    }
    assert_int_equal(chmod(path_of("me.key"), 0400), 0);
    assert_int_equal(key_load(&pair, path_of("me.key"), &err), 0);
    assert_int_equal(chmod(path_of("me.pub"), 0664), 0);
    assert_int_equal(key_load_public(&pair, path_of("me.pub"), &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
}

#define Z85_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void test_files_that_are_no_keys_are_refused(void **state)
{
    static const struct {
        const char *text;
        const char *says;
    } CASES[] = {
        {"",                                                                                   "name"      },
        { "name: [",                                                                           ":"         },
        { "name: a\nrole: operator\n",                                                         "public_key"},
        { "name: a\nrole: king\npublic_key: " Z85_A "\n",                                      "king"      },
        { "name: ../a\nrole: operator\npublic_key: " Z85_A "\n",                               "name"      },
        { "name: a\nrole: operator\npublic_key: short\n",                                      "public_key"},
        { "name: a\nrole: operator\npublic_key: " Z85_A "a\n",                                 "public_key"},
        { "name: a\nrole: operator\npublic_key: '" Z85_A "'\nextra: 1\n",                      "extra"     },
        { "name: a\nrole: operator\npublic_key: '~aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'\n",
         "public_key"                                                                                      },
        { "name: a\nrole: operator\npublic_key: " Z85_A "\n",                                  "secret_key"},
        { "name: a\nrole: operator\npublic_key: " Z85_A "\nsecret_key: " Z85_A "\n",
         "no pair"                                                                                         },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct key_pair pair;
        struct err err = { 0 };

        write_text("x.key", CASES[i].text, 0600);
        assert_int_equal(key_load(&pair, path_of("x.key"), &err), -1);
        if (strstr(err.text, CASES[i].says) == NULL
            || strstr(err.text, path_of("x.key")) == NULL) {
            fail_msg("case %zu: '%s' does not say '%s'", i, err.text, CASES[i].says);
        }
    }
}

static void test_odd_files_are_refused(void **state)
{
    struct key_pair pair;
    struct err err = { 0 };
    static char long_text[5000];

    (void)state;
    memset(long_text, '#', sizeof(long_text) - 1);
    write_text("long.pub", long_text, 0644);
    assert_int_equal(key_load_public(&pair, path_of("long.pub"), &err), -1);
    assert_int_equal(key_load_public(&pair, folder, &err), -1);
    assert_int_equal(key_load_public(&pair, path_of("none.pub"), &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_int_equal(mkfifo(path_of("pipe.pub"), 0644), 0);
    assert_int_equal(key_load_public(&pair, path_of("pipe.pub"), &err), -1);
    assert_int_equal(key_generate(&pair, "a", ROLE_OPERATOR, &err), 0);
    assert_int_equal(key_save(&pair, folder, "a", false, &err), 0);
    assert_int_equal(rename(path_of("a.key"), path_of("a.pub")), 0);
    assert_int_equal(key_load_public(&pair, path_of("a.pub"), &err), -1);
    assert_non_null(strstr(err.text, "secret"));
    assert_int_equal(key_save(&pair, path_of("nowhere"), "a", false, &err), -1);
}

static struct key_pair add_key(const char *file, const char *name, enum proto_role role)
{
    struct key_pair pair;
    struct err err = { 0 };

    assert_int_equal(key_generate(&pair, name, role, &err), 0);
    assert_int_equal(key_save_public(&pair, path_of(file), &err), 0);
    return pair;
}

static void test_a_removed_file_is_a_revoked_key(void **state)
{
    struct key_pair ann = add_key("ann.pub", "ann", ROLE_OPERATOR);
    struct key_pair bob = add_key("bob.pub", "bob", ROLE_OBSERVER);
    struct key_pair eve;
    struct err err = { 0 };
    struct keyring *ring = keyring_open(folder, &err);

    (void)state;
    assert_non_null(ring);
    assert_int_equal(keyring_count(ring), 2);
    assert_int_equal(keyring_find(ring, ann.public_key)->role, ROLE_OPERATOR);
    assert_int_equal(keyring_find(ring, bob.public_key)->role, ROLE_OBSERVER);
    eve = add_key("eve.pub", "eve", ROLE_OBSERVER);
    assert_null(keyring_find(ring, eve.public_key));
    unlink(path_of("ann.pub"));
    assert_int_equal(keyring_refresh(ring, &err), 0);
    assert_null(keyring_find(ring, ann.public_key));
    assert_non_null(keyring_find(ring, bob.public_key));
    assert_non_null(keyring_find(ring, eve.public_key));
    /* A role that changes in place. */
    bob.role = ROLE_OPERATOR;
    assert_int_equal(key_save_public(&bob, path_of("bob.pub"), &err), 0);
    assert_int_equal(keyring_refresh(ring, &err), 0);
    assert_int_equal(keyring_find(ring, bob.public_key)->role, ROLE_OPERATOR);
    keyring_close(&ring);
    assert_null(ring);
    keyring_close(&ring);
}

static void test_a_wrong_file_grants_nothing_and_disturbs_nobody(void **state)
{
    struct key_pair ann = add_key("ann.pub", "ann", ROLE_OPERATOR);
    struct key_pair cow = add_key("cow.pub", "cow", ROLE_SHEEP);
    struct key_pair wide = add_key("wide.pub", "wide", ROLE_OPERATOR);
    struct key_pair linked = add_key("linked.txt", "linked", ROLE_OPERATOR);
    struct err err = { 0 };
    struct keyring *ring = NULL;

    (void)state;
    write_text("broken.pub", "name: [", 0644);
    assert_int_equal(chmod(path_of("wide.pub"), 0666), 0);
    assert_int_equal(symlink(path_of("linked.txt"), path_of("linked.pub")), 0);
    ring = keyring_open(folder, &err);
    assert_non_null(ring);
    assert_int_equal(keyring_count(ring), 1);
    assert_non_null(keyring_find(ring, ann.public_key));
    assert_null(keyring_find(ring, cow.public_key));
    assert_null(keyring_find(ring, wide.public_key));
    assert_null(keyring_find(ring, linked.public_key));
    assert_int_equal(n_warnings, 4);
    /* Said once, not at every look. */
    assert_int_equal(keyring_refresh(ring, &err), 0);
    assert_int_equal(n_warnings, 4);
    keyring_close(&ring);
}

static void test_a_key_with_two_roles_has_the_lesser(void **state)
{
    struct key_pair ann = add_key("ann.pub", "ann", ROLE_OPERATOR);
    struct err err = { 0 };
    struct keyring *ring = NULL;

    (void)state;
    ann.role = ROLE_OBSERVER;
    assert_int_equal(key_save_public(&ann, path_of("copy.pub"), &err), 0);
    ring = keyring_open(folder, &err);
    assert_int_equal(keyring_count(ring), 1);
    assert_int_equal(keyring_find(ring, ann.public_key)->role, ROLE_OBSERVER);
    keyring_close(&ring);
}

static void test_a_folder_that_cannot_be_trusted_lets_nobody_in(void **state)
{
    struct key_pair ann = add_key("ann.pub", "ann", ROLE_OPERATOR);
    struct err err = { 0 };
    struct keyring *ring = keyring_open(folder, &err);

    (void)state;
    assert_int_equal(chmod(folder, 0777), 0);
    assert_int_equal(keyring_refresh(ring, &err), -1);
    assert_int_equal(err.code, ERR_DENIED);
    assert_null(keyring_find(ring, ann.public_key));
    assert_int_equal(chmod(folder, 0755), 0);
    assert_int_equal(keyring_refresh(ring, &err), 0);
    assert_non_null(keyring_find(ring, ann.public_key));
    keyring_close(&ring);
    assert_null(keyring_open(path_of("nowhere"), &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_pair_comes_back_as_it_was_saved, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_two_pairs_differ, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_secret_that_others_may_read_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_files_that_are_no_keys_are_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_odd_files_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_removed_file_is_a_revoked_key, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_wrong_file_grants_nothing_and_disturbs_nobody,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_key_with_two_roles_has_the_lesser, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_folder_that_cannot_be_trusted_lets_nobody_in,
                                        set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
