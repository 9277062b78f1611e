/* SPDX-License-Identifier: MIT */
#include "herd/context.h"

#include "common/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/test_context.XXXXXX";
static char start_folder[PATH_MAX];

static const char *path_of(const char *name)
{
    static char paths[4][128];
    static unsigned turn;
    char *path = paths[turn++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static void write_text(const char *name, const char *text)
{
    struct err err = { 0 };

    assert_int_equal(file_write_atomic(path_of(name), text, strlen(text), 0644, &err), 0);
}

static void make_key(const char *place, const char *name, enum proto_role role)
{
    struct key_pair pair;
    struct err err = { 0 };

    assert_int_equal(dir_make(path_of(place), 0755, &err), 0);
    assert_int_equal(key_generate(&pair, name, role, &err), 0);
    assert_int_equal(key_save(&pair, path_of(place), "herd", true, &err), 0);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/test_context.XXXXXX");
    assert_non_null(getcwd(start_folder, sizeof(start_folder)));
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    setenv("HOME", path_of("home"), 1);
    unsetenv("BELLWETHER_KEY");
    unsetenv("BELLWETHER_STATE");
    unsetenv("XDG_CONFIG_HOME");
    unsetenv("XDG_STATE_HOME");
    write_text("herd.yml", "sheep:\n"
                           "  hosts:\n"
                           "    sheep[0:3]: {}\n");
    return 0;
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    assert_int_equal(chdir(start_folder), 0);
    snprintf(command, sizeof(command), "rm -r '%s'", folder);
    return system(command);
}

static const char *open_name(const struct cmd_options *options)
{
    static char name[KEY_NAME_SIZE];
    struct context context;

    if (context_open(&context, options, "test", NULL, true) != 0) {
        return NULL;
    }
    snprintf(name, sizeof(name), "%s", context.key.name);
    context_close(&context);
    return name;
}

static void test_a_key_is_found_in_order(void **state)
{
    struct cmd_options options = { 0 };

    (void)state;
    assert_null(open_name(&options));
    make_key("home/.config/bellwether", "home", ROLE_OPERATOR);
    assert_string_equal(open_name(&options), "home");
    make_key("xdg/bellwether", "xdg", ROLE_OPERATOR);
    setenv("XDG_CONFIG_HOME", path_of("xdg"), 1);
    assert_string_equal(open_name(&options), "xdg");
    make_key(".", "beside", ROLE_OPERATOR);
    assert_string_equal(open_name(&options), "beside");
    make_key("env", "env", ROLE_OBSERVER);
    setenv("BELLWETHER_KEY", path_of("env/herd.key"), 1);
    assert_string_equal(open_name(&options), "env");
    make_key("given", "given", ROLE_OPERATOR);
    options.key = path_of("given/herd.key");
    assert_string_equal(open_name(&options), "given");
    options.key = path_of("nothing.key");
    assert_null(open_name(&options));
}

static void test_the_key_of_a_sheep_is_none_of_ours(void **state)
{
    struct cmd_options options = { 0 };

    (void)state;
    make_key(".", "sheep0", ROLE_SHEEP);
    assert_null(open_name(&options));
}

static void test_the_key_lies_beside_an_inventory_elsewhere(void **state)
{
    struct cmd_options options = { 0 };

    (void)state;
    make_key("far", "far", ROLE_OPERATOR);
    write_text("far/other.yml", "sheep: {hosts: {a: {}}}\n");
    options.inventory = path_of("far/other.yml");
    assert_string_equal(open_name(&options), "far");
}

static void test_limit_and_operand_both_narrow(void **state)
{
    static const struct {
        const char *limit;
        const char *nodes;
        const char *selected; /* as 0 and 1; NULL: refused */
    } CASES[] = {
        {NULL,          NULL,         "1111"},
        { "sheep[0-1]", NULL,         "1100"},
        { NULL,         "sheep[1-2]", "0110"},
        { "sheep[0-1]", "sheep[1-2]", "0100"},
        { "sheep0",     "sheep1",     NULL  },
        { "sheep9",     NULL,         NULL  },
        { NULL,         "sheep[",     NULL  },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct cmd_options options = { .limit = CASES[i].limit };
        struct context context;
        int status = context_open(&context, &options, "test", CASES[i].nodes, false);

        if (CASES[i].selected == NULL) {
            assert_int_equal(status, EXIT_USAGE);
            continue;
        }
        assert_int_equal(status, 0);
        assert_int_equal(context.inventory->n_nodes, 4);
        for (size_t k = 0; k < 4; k++) {
            assert_int_equal(context.selected[k], CASES[i].selected[k] == '1');
        }
        context_close(&context);
        context_close(&context);
    }
}

static void test_a_faulty_inventory_is_refused(void **state)
{
    struct cmd_options options = { 0 };
    struct context context;

    (void)state;
    write_text("herd.yml", "sheep: [\n");
    assert_int_equal(context_open(&context, &options, "test", NULL, false), EXIT_USAGE);
    options.inventory = path_of("none.yml");
    assert_int_equal(context_open(&context, &options, "test", NULL, false), EXIT_USAGE);
}

static void test_state_is_kept_where_the_user_says(void **state)
{
    char path[PATH_MAX];
    struct stat info;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(context_state_folder(path, &err), 0);
    assert_string_equal(path, path_of("home/.local/state/bellwether"));
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    setenv("XDG_STATE_HOME", path_of("xdg"), 1);
    assert_int_equal(context_state_folder(path, &err), 0);
    assert_string_equal(path, path_of("xdg/bellwether"));
    setenv("BELLWETHER_STATE", path_of("here"), 1);
    assert_int_equal(context_state_folder(path, &err), 0);
    assert_string_equal(path, path_of("here"));
    write_text("file", "");
    setenv("BELLWETHER_STATE", path_of("file/below"), 1);
    assert_int_equal(context_state_folder(path, &err), -1);
    unsetenv("BELLWETHER_STATE");
    unsetenv("XDG_STATE_HOME");
    unsetenv("HOME");
    assert_int_equal(context_state_folder(path, &err), -1);
}

#define CONTEXT_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTEXT_TEST(test_a_key_is_found_in_order),
        CONTEXT_TEST(test_the_key_of_a_sheep_is_none_of_ours),
        CONTEXT_TEST(test_the_key_lies_beside_an_inventory_elsewhere),
        CONTEXT_TEST(test_limit_and_operand_both_narrow),
        CONTEXT_TEST(test_a_faulty_inventory_is_refused),
        CONTEXT_TEST(test_state_is_kept_where_the_user_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
