/* SPDX-License-Identifier: MIT */
#include "herd/sim_farm.h"

#include "herd/cmd.h"

#include "common/buf.h"
#include "common/calibration.h"
#include "common/keys.h"
#include "common/yaml_doc.h"

#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/test_sim_farm.XXXXXX";

static const char *path_of(const char *name)
{
    static char paths[4][256];
    static unsigned turn;
    char *path = paths[turn++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/test_sim_farm.XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof(command), "rm -r '%s'", folder);
    return system(command);
}

static struct inventory *make_farm(const char *name, uint64_t seed, unsigned n_nodes)
{
    char place[256];
    const struct farm_plan plan = {
        .folder = place, .n_nodes = n_nodes, .seed = seed, .base_port = 5000
    };
    struct fault_list faults = { 0 };
    struct inventory *inventory = NULL;
    struct err err = { 0 };
    char path[PATH_MAX];

    snprintf(place, sizeof(place), "%s", path_of(name));
    if (farm_make(&plan, &err) < 0) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(farm_path(path, sizeof(path), place, NULL, "herd.yml", &err), 0);
    inventory = inventory_load(path, &faults);
    assert_non_null(inventory);
    fault_fini(&faults);
    return inventory;
}

static char *content_of(const char *name)
{
    struct buf text = { 0 };
    struct err err = { 0 };

    if (buf_read_file(&text, path_of(name), 100000, &err) < 0) {
        fail_msg("%s", err.text);
    }
    return text.data;
}

static void assert_same(const char *one, const char *two, bool is_same)
{
    char *left = content_of(one);
    char *right = content_of(two);

    assert_int_equal(strcmp(left, right) == 0, is_same);
    free(left);
    free(right);
}

static void test_a_farm_is_whole(void **state)
{
    struct inventory *inventory = make_farm("farm", 1, 3);
    struct key_pair controller;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(inventory->n_nodes, 3);
    assert_int_equal(key_load(&controller, path_of("farm/herd.key"), &err), 0);
    assert_int_equal(controller.role, ROLE_OPERATOR);
    for (size_t i = 0; i < 3; i++) {
        const struct inventory_node *node = &inventory->nodes[i];
        struct calibration calibration;
        struct key_pair pair;
        char name[128];

        assert_string_equal(node->host, "127.0.0.1");
        assert_string_equal(node->board, "sim");
        assert_int_equal(node->port, 5000 + i * FARM_PORT_STEP);
        snprintf(name, sizeof(name), "farm/%s/sheep.key", node->name);
        assert_int_equal(key_load(&pair, path_of(name), &err), 0);
        assert_string_equal(pair.public_key, node->public_key);
        assert_int_equal(pair.role, ROLE_SHEEP);
        snprintf(name, sizeof(name), "farm/%s/authorized/herd.pub", node->name);
        assert_int_equal(key_load_public(&pair, path_of(name), &err), 0);
        assert_string_equal(pair.public_key, controller.public_key);
        snprintf(name, sizeof(name), "farm/%s/calibration.yaml", node->name);
        assert_int_equal(calibration_load(&calibration, path_of(name), &err), 0);
        assert_int_equal(calibration_check(&calibration, &err), 0);
        assert_false(calibration.is_default);
    }
    inventory_destroy(&inventory);
}

static void test_everything_but_keys_follows_from_the_seed(void **state)
{
    struct inventory *one = make_farm("one", 7, 2);
    struct inventory *two = make_farm("two", 7, 2);
    struct inventory *other = make_farm("other", 8, 2);

    (void)state;
    assert_same("one/sheep1/calibration.yaml", "two/sheep1/calibration.yaml", true);
    assert_same("one/sheep1/sheep.yaml", "two/sheep1/sheep.yaml", true);
    assert_same("one/sheep0/calibration.yaml", "one/sheep1/calibration.yaml", false);
    assert_same("one/sheep1/calibration.yaml", "other/sheep1/calibration.yaml", false);
    assert_string_not_equal(one->nodes[0].public_key, two->nodes[0].public_key);
    inventory_destroy(&one);
    inventory_destroy(&two);
    inventory_destroy(&other);
}

static void test_firmware_makes_boards_that_execute_it(void **state)
{
    char place[256];
    const struct farm_plan plan = {
        .folder = place, .n_nodes = 1, .base_port = 5000, .firmware = "/tmp"
    };
    struct err err = { 0 };
    char *text = NULL;

    (void)state;
    snprintf(place, sizeof(place), "%s", path_of("iss"));
    assert_int_equal(farm_make(&plan, &err), 0);
    text = content_of("iss/sheep0/sheep.yaml");
    assert_non_null(strstr(text, "board: iss\n"));
    assert_non_null(strstr(text, "  firmware: /tmp\n"));
    free(text);
    text = content_of("iss/herd.yml");
    assert_non_null(strstr(text, "board: iss\n"));
    free(text);
}

static void test_a_farm_is_not_made_twice(void **state)
{
    struct inventory *inventory = make_farm("farm", 1, 1);
    char place[256];
    struct farm_plan plan = { .folder = place, .n_nodes = 1, .base_port = 5000 };
    struct err err = { 0 };

    (void)state;
    snprintf(place, sizeof(place), "%s", path_of("farm"));
    assert_int_equal(farm_make(&plan, &err), -1);
    assert_int_equal(err.code, ERR_EXISTS);
    snprintf(place, sizeof(place), "%s", path_of("new"));
    plan.environment = "/nonexistent.csv";
    assert_int_equal(farm_make(&plan, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_int_not_equal(access(path_of("new/herd.yml"), F_OK), 0);
    inventory_destroy(&inventory);
}

/* Plays the agent and, as the real one, leaves a recorder behind. */
static const char PLAYED_SHEEP[] = "#!/bin/sh\n"
                                   "if [ \"$1\" = run ]; then \"$0\" recorder -c \"$3\" & fi\n"
                                   "trap 'exit 0' TERM\n"
                                   "while :; do sleep 0.02; done\n";

static void test_processes_are_started_known_and_ended(void **state)
{
    struct inventory *inventory = make_farm("farm", 1, 2);
    char place[256];
    char sheep[256];
    pid_t pids[2] = { 0 };
    struct err err = { 0 };

    (void)state;
    snprintf(place, sizeof(place), "%s", path_of("farm"));
    snprintf(sheep, sizeof(sheep), "%s", path_of("sheep"));
    assert_int_equal(
        file_write_atomic(sheep, PLAYED_SHEEP, sizeof(PLAYED_SHEEP) - 1, 0755, &err), 0);
    assert_int_equal(farm_agent_pid(place, "sheep0"), 0);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(
            farm_start_node(sheep, place, inventory->nodes[i].name, &pids[i], &err), 0);
    }
    /* Between fork and exec the command line is ours; give it a moment. */
    for (int i = 0; i < 200 && farm_agent_pid(place, "sheep1") == 0; i++) {
        usleep(10000);
    }
    assert_int_equal(farm_agent_pid(place, "sheep0"), pids[0]);
    assert_int_equal(farm_agent_pid(place, "sheep1"), pids[1]);
    assert_int_equal(getsid(pids[0]), pids[0]);
    assert_int_equal(farm_stop(inventory, place), 2);
    assert_int_equal(kill(pids[0], 0), -1);
    assert_int_equal(farm_agent_pid(place, "sheep0"), 0);
    assert_int_equal(farm_stop(inventory, place), 0);
    inventory_destroy(&inventory);
}

/* A pid file that is older than the process with its number. */
static void test_another_process_is_not_taken_for_a_sheep(void **state)
{
    struct inventory *inventory = make_farm("farm", 1, 1);
    char place[256];
    char text[32];
    struct err err = { 0 };

    (void)state;
    snprintf(place, sizeof(place), "%s", path_of("farm"));
    snprintf(text, sizeof(text), "%d\n", (int)getpid());
    assert_int_equal(
        file_write_atomic(path_of("farm/sheep0/sheep.pid"), text, strlen(text), 0644, &err), 0);
    assert_int_equal(farm_agent_pid(place, "sheep0"), 0);
    assert_int_equal(farm_stop(inventory, place), 0);
    assert_int_equal(file_write_atomic(path_of("farm/sheep0/sheep.pid"), "no\n", 3, 0644, &err),
                     0);
    assert_int_equal(farm_agent_pid(place, "sheep0"), 0);
    inventory_destroy(&inventory);
}

static void test_the_program_is_found_in_the_path(void **state)
{
    char found[PATH_MAX];
    char saved[4096];
    struct err err = { 0 };

    (void)state;
    snprintf(saved, sizeof(saved), "%s", getenv("PATH"));
    assert_int_equal(mkdir(path_of("bin"), 0755), 0);
    setenv("PATH", path_of("bin"), 1);
    if (farm_find_sheep(found, sizeof(found), &err) < 0) {
        assert_int_equal(err.code, ERR_NOT_FOUND);
        assert_int_equal(file_write_atomic(path_of("bin/sheep"), "", 0, 0755, &err), 0);
        setenv("PATH", "", 1);
        assert_int_equal(farm_find_sheep(found, sizeof(found), &err), -1);
        setenv("PATH", path_of("bin"), 1);
        assert_int_equal(farm_find_sheep(found, sizeof(found), &err), 0);
        assert_string_equal(found, path_of("bin/sheep"));
    }
    setenv("PATH", saved, 1);
}

static int sim(const char *line)
{
    static const struct cmd_options options = { .is_quiet = true };
    char words[512];
    char *argv[17] = { NULL };
    char *rest = words;
    int argc = 0;

    snprintf(words, sizeof(words), "%s", line);
    for (char *word = strtok_r(words, " ", &rest); word != NULL && argc < 16;
         word = strtok_r(NULL, " ", &rest)) {
        argv[argc++] = word;
    }
    return cmd_sim.run(&options, argc, argv);
}

static void test_the_command_checks_what_is_asked(void **state)
{
    static const char *const WRONG[] = {
        "sim -n 0 -d x",
        "sim -n many -d x",
        "sim -n 5000 -d x",
        "sim --base-port 65530 -d x",
        "sim --base-port 70000 -d x",
        "sim -s -1 -d x",
        "sim -z -d x",
        "sim more -d x",
        "sim --stop -d nowhere",
        "sim -d x -e /nonexistent.csv --no-start",
    };

    (void)state;
    assert_int_equal(chdir(folder), 0);
    for (size_t i = 0; i < ARRAY_LEN(WRONG); i++) {
        assert_int_equal(sim(WRONG[i]), EXIT_USAGE);
        assert_int_not_equal(access(path_of("x/herd.yml"), F_OK), 0);
    }
    assert_int_equal(sim("sim -n 1 -d x --no-start"), 0);
    assert_int_equal(sim("sim -d x --no-start"), 0);
    assert_int_equal(sim("sim -n 1 -d x --no-start"), EXIT_USAGE);
    assert_int_equal(sim("sim -d x --stop"), 0);
    assert_int_equal(chdir("/"), 0);
}

#define FARM_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FARM_TEST(test_a_farm_is_whole),
        FARM_TEST(test_everything_but_keys_follows_from_the_seed),
        FARM_TEST(test_firmware_makes_boards_that_execute_it),
        FARM_TEST(test_a_farm_is_not_made_twice),
        FARM_TEST(test_processes_are_started_known_and_ended),
        FARM_TEST(test_another_process_is_not_taken_for_a_sheep),
        FARM_TEST(test_the_program_is_found_in_the_path),
        FARM_TEST(test_the_command_checks_what_is_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
