/* SPDX-License-Identifier: MIT */
/* The real board against a played kernel and PRU: what it finds, loads, maps and counts, and
 * samples that come through it. */
#include "sheep/board_pru.h"

#include "common/attrs.h"
#include "common/vsource_derive.h"
#include "sheep/pru_link.h"
#include "sheep/remoteproc.h"
#include "sheep/sysfs.h"
#include "sheep/uio.h"
#include "tests/support/kernel_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static struct kernel_fake *kernel;

static void have(struct kernel_fake_config config)
{
    kernel_fake_destroy(&kernel);
    kernel = kernel_fake_create(&config);
}

static void expect_missing(struct kernel_fake_config config, const char *words)
{
    struct err err = { 0 };

    have(config);
    assert_null(board_pru_create(kernel_fake_board(kernel), &err));
    if (strstr(err.text, words) == NULL) {
        fail_msg("no '%s' in: %s", words, err.text);
    }
}

static void test_what_is_missing_is_named_with_its_remedy(void **state)
{
    (void)state;
    expect_missing((struct kernel_fake_config){ .lacks_uio = true }, "overlay of pru/dts");
    expect_missing((struct kernel_fake_config){ .lacks_core = true }, "pru_rproc loaded");
    expect_missing((struct kernel_fake_config){ .ocmc_bytes = 4096 },
                   "map1/size is 4096 bytes, 65536 are needed");
}

static void expect_text(unsigned core, const char *attribute, const char *text)
{
    char there[SYSFS_TEXT_SIZE];

    assert_int_equal(sysfs_read(kernel_fake_core(kernel, core), attribute, there, NULL), 0);
    assert_string_equal(there, text);
}

static void test_boot_loads_the_firmware_of_the_mode_and_halt_stops_both_cores(void **state)
{
    struct err err = { 0 };
    struct board *board = NULL;

    (void)state;
    have((struct kernel_fake_config){ 0 });
    board = board_pru_create(kernel_fake_board(kernel), &err);
    assert_non_null(board);
    expect_text(0, "state", "offline");
    assert_int_equal(board->ops->boot(board, PRU_MODE_EMULATE, &err), 0);
    expect_text(0, "firmware", "bellwether/pru0-emulate-25.elf");
    expect_text(1, "firmware", "bellwether/pru1-25.elf");
    expect_text(0, "state", "running");
    expect_text(1, "state", "running");
    board->ops->halt(board);
    expect_text(0, "state", "offline");
    expect_text(1, "state", "offline");
    board->ops->halt(board);
    board->ops->destroy(board);
}

static void test_a_cape_without_a_harvester_refuses_to_harvest(void **state)
{
    struct board_pru_config config;
    struct err err = { 0 };
    struct board *board = NULL;

    (void)state;
    have((struct kernel_fake_config){ 0 });
    config = *kernel_fake_board(kernel);
    board = board_pru_create(&config, &err);
    assert_non_null(board);
    assert_int_equal(board->ops->boot(board, PRU_MODE_HARVEST, &err), -1);
    assert_non_null(strstr(err.text, "revision 2.5 has no converters"));
    expect_text(0, "state", "offline");
    board->ops->destroy(board);
    config.cape = 24;
    board = board_pru_create(&config, &err);
    assert_non_null(board);
    assert_int_equal(board->ops->boot(board, PRU_MODE_HARVEST, &err), 0);
    expect_text(0, "firmware", "bellwether/pru0-harvest-24.elf");
    board->ops->destroy(board);
}

static void test_a_firmware_that_does_not_start_is_named(void **state)
{
    struct err err = { 0 };
    struct board *board = NULL;

    (void)state;
    have((struct kernel_fake_config){ .lacks_firmware = true });
    board = board_pru_create(kernel_fake_board(kernel), &err);
    assert_non_null(board);
    assert_int_equal(board->ops->boot(board, PRU_MODE_EMULATE, &err), -1);
    assert_non_null(strstr(err.text, "bellwether/pru1-25.elf (is it below /lib/firmware?)"));
    board->ops->destroy(board);
}

static void test_a_core_that_does_not_stop_is_an_error(void **state)
{
    struct remoteproc core;
    struct err err = { 0 };

    (void)state;
    have((struct kernel_fake_config){ .stuck_in = "crashed" });
    assert_int_equal(remoteproc_find(&core, kernel_fake_root(kernel), "4a338000.pru", &err), 0);
    assert_int_equal(remoteproc_stop(&core, &err), -1);
    assert_int_equal(err.code, ERR_HARDWARE);
    assert_non_null(strstr(err.text, "does not become offline"));
}

/* The upper half comes from the PRU, which may not have seen the latest turn of the lower. */
static void test_the_counter_is_whole_across_its_turns(void **state)
{
    static const struct {
        uint32_t count;
        uint32_t turns;
        uint64_t tick;
    } CASES[] = {
        {5,           0,  5                     },
        { 0x7FFFFFFF, 0,  0x7FFFFFFF            },
        { 0x80000000, 0,  0x80000000            }, /* not brought up to date yet */
        { 0x80000000, 1,  0x80000000            },
        { 3,          1,  UINT64_C(0x100000003) },
        { 3,          2,  UINT64_C(0x100000003) },
        { 0xFFFFFFFF, 41, UINT64_C(0x14FFFFFFFF)},
        { 0,          41, UINT64_C(0x1500000000)},
    };
    struct err err = { 0 };
    struct board *board = NULL;

    (void)state;
    have((struct kernel_fake_config){ 0 });
    board = board_pru_create(kernel_fake_board(kernel), &err);
    assert_non_null(board);
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        kernel_fake_set_counter(kernel, CASES[i].count, CASES[i].turns);
        assert_int_equal(board->ops->counter(board), CASES[i].tick);
    }
    board->ops->destroy(board);
}

static const struct pru_block *wait_for_block(struct pru_link *link)
{
    const struct pru_block *block = NULL;
    struct timespec pause = { .tv_nsec = 1000000 };
    struct err err = { 0 };

    for (int ms = 0; block == NULL && ms < 20000; ms++) {
        if (pru_link_check(link, &err) < 0 || pru_link_block(link, &block, &err) < 0) {
            fail_msg("%s", err.text);
        }
        link->board->ops->clear(link->board);
        nanosleep(&pause, NULL);
    }
    assert_non_null(block);
    return block;
}

/* Handshake, parameters, start and rings through the mappings. */
static void test_samples_come_through_the_mappings(void **state)
{
    struct pru_link_setup setup = { .mode = PRU_MODE_HARVEST, .record_mask = 3 };
    struct board_pru_config config;
    struct vsource_params params;
    struct pru_link link;
    struct err err = { 0 };
    struct board *board = NULL;
    uint64_t start_tick = 0;

    (void)state;
    have((struct kernel_fake_config){ 0 });
    config = *kernel_fake_board(kernel);
    config.cape = 24;
    board = board_pru_create(&config, &err);
    assert_non_null(board);
    vsource_derive_defaults(&params);
    setup.params = &params;
    pru_link_init(&link, board);
    if (pru_link_boot(&link, setup.mode, &err) < 0
        || pru_link_configure(&link, &setup, &err) < 0) {
        fail_msg("%s", err.text);
    }
    start_tick = board->ops->counter(board) + 50 * 1000000 / PRU_TICK_NS;
    if (pru_link_arm(&link, start_tick, 2500, PRU_PERIOD_NOMINAL_Q20, &err) < 0) {
        fail_msg("%s", err.text);
    }
    for (uint64_t first = 0; first < 2500; first += PRU_BLOCK_SAMPLES) {
        const struct pru_block *block = wait_for_block(&link);

        assert_int_equal(block->first_sample, first);
        assert_int_equal(block->first_tick, start_tick + first * PRU_SAMPLE_TICKS);
        assert_int_equal(block->n_samples, first == 2000 ? 500 : 1000);
        pru_link_block_done(&link);
    }
    assert_int_equal(pru_link_state(&link), PRU_STATE_DONE);
    pru_link_halt(&link);
    expect_text(0, "state", "offline");
    board->ops->destroy(board);
}

static void test_attributes_are_read_with_care(void **state)
{
    unsigned long long number = 0;
    char text[SYSFS_TEXT_SIZE];
    struct err err = { 0 };
    struct uio uio;
    uint8_t *memory = NULL;

    (void)state;
    have((struct kernel_fake_config){ 0 });
    const char *core = kernel_fake_core(kernel, 0);

    assert_int_equal(sysfs_read(core, "nothing", text, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_int_equal(sysfs_read_number(core, "name", &number, &err), -1);
    assert_non_null(strstr(err.text, "'4a334000.pru' is not a number"));
    assert_int_equal(sysfs_write(core, "nothing/at/all", "1", &err), -1);
    assert_int_equal(
        uio_open(&uio, kernel_fake_root(kernel), "/nonexistent", "bellwether", 0, &err), -1);
    assert_non_null(strstr(err.text, "/nonexistent/uio1"));
    uio_close(&uio);
    assert_int_equal(uio_open(&uio, kernel_fake_root(kernel), kernel_fake_board(kernel)->dev,
                              "bellwether", 0, &err),
                     0);
    assert_int_equal(uio_map(&uio, UIO_MAPS, 1, &memory, &err), -1);
    assert_int_equal(uio_map(&uio, 3, 1, &memory, &err), -1);
    uio_close(&uio);
    uio_close(&uio);
}

static int tear_down(void **state)
{
    (void)state;
    kernel_fake_destroy(&kernel);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_what_is_missing_is_named_with_its_remedy, tear_down),
        cmocka_unit_test_teardown(
            test_boot_loads_the_firmware_of_the_mode_and_halt_stops_both_cores, tear_down),
        cmocka_unit_test_teardown(test_a_cape_without_a_harvester_refuses_to_harvest,
                                  tear_down),
        cmocka_unit_test_teardown(test_a_firmware_that_does_not_start_is_named, tear_down),
        cmocka_unit_test_teardown(test_a_core_that_does_not_stop_is_an_error, tear_down),
        cmocka_unit_test_teardown(test_the_counter_is_whole_across_its_turns, tear_down),
        cmocka_unit_test_teardown(test_samples_come_through_the_mappings, tear_down),
        cmocka_unit_test_teardown(test_attributes_are_read_with_care, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
