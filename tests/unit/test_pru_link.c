/* SPDX-License-Identifier: MIT */
/* Above any board: handshake, commands, canaries and rings, with the test in the PRU's place.
 */
#include "sheep/pru_link.h"

#include "common/clock.h"
#include "tests/support/board_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct board_memory *memory;
    struct pru_control *control;
    struct pru_link link;
    struct vsource_params params;
    struct err err;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->memory = board_memory_create();
    f->control = f->memory->board.shm.control;
    pru_link_init(&f->link, &f->memory->board);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    board_memory_destroy(&f->memory);
    free(f);
    return 0;
}

static void boot(struct fixture *f)
{
    if (pru_link_boot(&f->link, PRU_MODE_HARVEST, &f->err) < 0) {
        fail_msg("%s", f->err.text);
    }
}

static int configure(struct fixture *f)
{
    struct pru_link_setup setup = {
        .mode = PRU_MODE_EMULATE, .record_mask = 5, .gpio_mask = 0x0203, .params = &f->params
    };

    return pru_link_configure(&f->link, &setup, &f->err);
}

static void expect_err(const struct fixture *f, const char *text)
{
    assert_int_equal(f->err.code, ERR_HARDWARE);
    assert_string_equal(f->err.text, text);
}

/* ---- boot ---- */

static void test_boot_starts_from_clean_memory(void **state)
{
    struct fixture *f = *state;

    f->control->command = 77;
    f->control->gpio_lost = 3;
    boot(f);
    assert_int_equal(f->memory->n_halts, 1); /* whatever ran before */
    assert_int_equal(f->memory->n_boots, 1);
    assert_int_equal(f->memory->mode, PRU_MODE_HARVEST);
    assert_int_equal(f->control->command, 0);
    assert_int_equal(pru_link_edges_lost(&f->link), 0);
    assert_int_equal(pru_link_state(&f->link), PRU_STATE_IDLE);
    assert_int_equal(pru_link_check(&f->link, &f->err), 0);
}

static void test_boot_says_what_went_wrong(void **state)
{
    struct fixture *f = *state;

    f->memory->fails_to_boot = true;
    assert_int_equal(pru_link_boot(&f->link, PRU_MODE_HARVEST, &f->err), -1);
    expect_err(f, "board memory: no firmware");
    f->memory->fails_to_boot = false;
    f->memory->abi_version = PRU_ABI_VERSION + 1;
    assert_int_equal(pru_link_boot(&f->link, PRU_MODE_HARVEST, &f->err), -1);
    expect_err(f, "firmware has version 2 of the interface, not 1");
    f->memory->state_after_boot = PRU_STATE_FAULT;
    f->memory->error = PRU_ERROR_WATCHDOG;
    assert_int_equal(pru_link_boot(&f->link, PRU_MODE_HARVEST, &f->err), -1);
    expect_err(f, "PRU: the other core is silent (error 7, detail 0x2a)");
}

/* ---- commands ---- */

static void test_configure_hands_over_all_and_empties_the_rings(void **state)
{
    struct fixture *f = *state;
    struct pru_util util;
    const struct pru_block *block = NULL;

    boot(f);
    memset(&f->params, 0x5A, sizeof(f->params));
    board_memory_edge(f->memory, 5, 1);
    board_memory_block(f->memory, 0, 0, 10);
    f->control->util_write_idx = 2;
    pru_link_input_put(&f->link, &(struct pru_input){ 1, 2 }, 1);
    pru_link_input_end(&f->link);
    assert_int_equal(configure(f), 0);
    assert_int_equal(f->memory->command, PRU_COMMAND_CONFIGURE);
    assert_int_equal(f->control->mode, PRU_MODE_EMULATE);
    assert_int_equal(f->control->record_mask, 5);
    assert_int_equal(f->control->gpio_mask, 0x0203);
    assert_int_equal(f->control->period_ticks_q20, PRU_PERIOD_NOMINAL_Q20);
    assert_memory_equal(&f->control->params, &f->params, sizeof(f->params));
    assert_int_equal(pru_link_edges_waiting(&f->link), 0);
    assert_int_equal(pru_link_blocks_waiting(&f->link), 0);
    assert_int_equal(pru_link_block(&f->link, &block, &f->err), 0);
    assert_null(block);
    assert_false(pru_link_util(&f->link, &util));
    assert_int_equal(pru_link_input_room(&f->link), PRU_INPUT_SAMPLES);
    assert_int_equal(f->control->input_end, 0);
    assert_int_equal(pru_link_state(&f->link), PRU_STATE_READY);
}

static void test_each_command_carries_its_fields(void **state)
{
    struct fixture *f = *state;
    unsigned n_kicks = 0;

    boot(f);
    assert_int_equal(configure(f), 0);
    assert_int_equal(pru_link_arm(&f->link, UINT64_C(1) << 40, 500, 2000u << 20, &f->err), 0);
    assert_int_equal(f->memory->command, PRU_COMMAND_ARM);
    assert_true(f->control->start_tick == UINT64_C(1) << 40);
    assert_int_equal(f->control->stop_sample, 500);
    assert_int_equal(f->control->period_ticks_q20, 2000u << 20);
    n_kicks = f->memory->n_kicks;
    pru_link_set_period(&f->link, 77); /* the firmware looks at it by itself */
    assert_int_equal(f->control->period_ticks_q20, 77);
    assert_int_equal(f->memory->n_kicks, n_kicks);
    assert_int_equal(pru_link_disarm(&f->link, &f->err), 0);
    assert_int_equal(f->memory->command, PRU_COMMAND_DISARM);
    assert_int_equal(pru_link_state(&f->link), PRU_STATE_READY);
    assert_int_equal(pru_link_stop_at(&f->link, 300, &f->err), 0);
    assert_int_equal(f->memory->command, PRU_COMMAND_STOP_AT);
    assert_int_equal(f->control->stop_sample, 300);
    assert_int_equal(f->control->command_seq, f->memory->n_kicks);
}

static void test_a_refused_command_says_which_and_why(void **state)
{
    struct fixture *f = *state;

    boot(f);
    f->memory->state_after_command = PRU_STATE_FAULT;
    f->memory->error = PRU_ERROR_START_MISSED;
    assert_int_equal(pru_link_arm(&f->link, 5, PRU_NO_STOP, 1, &f->err), -1);
    expect_err(f, "command 'arm': PRU: the start was already past when it was armed"
                  " (error 5, detail 0x2a)");
    f->memory->error = PRU_ERROR_PARAMS;
    assert_int_equal(configure(f), -1);
    expect_err(f, "command 'configure': PRU: a parameter that the firmware cannot run"
                  " (error 3, detail 0x2a)");
    f->memory->error = (enum pru_error)99;
    assert_int_equal(pru_link_disarm(&f->link, &f->err), -1);
    expect_err(f, "command 'disarm': PRU: unknown error (error 99, detail 0x2a)");
}

/* In virtual time the samples may all be taken before the host looks at the state. */
static void test_an_armed_board_may_be_further_than_that(void **state)
{
    static const enum pru_state LATER[] = { PRU_STATE_ARMED, PRU_STATE_RUNNING,
                                            PRU_STATE_DONE };
    struct fixture *f = *state;

    boot(f);
    for (size_t i = 0; i < ARRAY_LEN(LATER); i++) {
        f->memory->state_after_command = LATER[i];
        assert_int_equal(pru_link_arm(&f->link, 5, 1, 1, &f->err), 0);
    }
    f->memory->state_after_command = PRU_STATE_READY;
    assert_int_equal(pru_link_arm(&f->link, 5, 1, 1, &f->err), -1);
    expect_err(f, "command 'arm': PRU: no error given (error 0, detail 0x2a)");
    f->memory->state_after_command = PRU_STATE_RUNNING;
    assert_int_equal(configure(f), -1);
    /* Armed before, and refused now: the state alone does not tell. */
    f->memory->state_after_command = PRU_STATE_ARMED;
    f->memory->error = PRU_ERROR_PARAMS;
    assert_int_equal(pru_link_arm(&f->link, 5, 0, 1, &f->err), -1);
    expect_err(f, "command 'arm': PRU: a parameter that the firmware cannot run"
                  " (error 3, detail 0x2a)");
}

static void test_a_deaf_core_is_given_up_and_halted_all_the_same(void **state)
{
    struct fixture *f = *state;
    int64_t begin_ns = 0;

    boot(f);
    f->memory->is_deaf = true;
    begin_ns = clock_mono_ns();
    pru_link_halt(&f->link);
    assert_true(clock_mono_ns() - begin_ns >= 500 * NS_PER_MS);
    assert_int_equal(f->memory->command, PRU_COMMAND_HALT);
    assert_int_equal(f->memory->n_halts, 2);
    pru_link_halt(&f->link); /* not booted: nobody to talk to */
    assert_int_equal(f->memory->n_kicks, 1);
    assert_int_equal(f->memory->n_halts, 3);
}

/* ---- faults ---- */

static void test_lost_canaries_are_seen(void **state)
{
    struct fixture *f = *state;

    boot(f);
    f->control->canary_head ^= 1;
    assert_int_equal(pru_link_check(&f->link, &f->err), -1);
    expect_err(f, "PRU: a canary of the shared memory is overwritten");
    f->control->canary_head ^= 1;
    assert_int_equal(pru_link_check(&f->link, &f->err), 0);
    f->control->canary_middle = 0;
    assert_int_equal(pru_link_check(&f->link, &f->err), -1);
    expect_err(f, "PRU: a canary of the shared memory is overwritten");
}

static void test_a_fault_of_the_PRU_is_told(void **state)
{
    struct fixture *f = *state;

    boot(f);
    f->control->state = PRU_STATE_FAULT;
    f->control->error = PRU_ERROR_ADC;
    f->control->error_detail = 0xC0DE;
    assert_int_equal(pru_link_check(&f->link, &f->err), -1);
    expect_err(f, "PRU: a converter does not answer (error 6, detail 0xc0de)");
}

/* ---- blocks ---- */

static void test_blocks_come_in_order_across_the_wrap_of_the_index(void **state)
{
    struct fixture *f = *state;
    const struct pru_block *block = NULL;

    boot(f);
    f->control->block_write_idx = UINT32_MAX - 1;
    f->control->block_read_idx = UINT32_MAX - 1;
    for (uint64_t b = 0; b < 4; b++) {
        board_memory_block(f->memory, b * 1000, b, 1000);
    }
    for (uint64_t b = 0; b < 4; b++) {
        assert_int_equal(pru_link_blocks_waiting(&f->link), 4 - b);
        assert_int_equal(pru_link_block(&f->link, &block, &f->err), 0);
        assert_non_null(block);
        assert_int_equal(block->first_sample, b * 1000);
        pru_link_block_done(&f->link);
    }
    assert_int_equal(pru_link_block(&f->link, &block, &f->err), 0);
    assert_null(block);
}

static void test_an_overwritten_block_is_refused(void **state)
{
    struct fixture *f = *state;
    struct pru_block *first = f->memory->board.shm.blocks;
    const struct pru_block *block = first;

    boot(f);
    board_memory_block(f->memory, 0, 0, 1000);
    first->n_samples = 1001;
    assert_int_equal(pru_link_block(&f->link, &block, &f->err), -1);
    expect_err(f, "PRU: block 0 of the ring is overwritten");
    assert_null(block);
    first->n_samples = 0;
    assert_int_equal(pru_link_block(&f->link, &block, &f->err), -1);
    first->n_samples = 1000;
    assert_int_equal(pru_link_block(&f->link, &block, &f->err), 0);
    first->canary = 0;
    assert_int_equal(pru_link_block(&f->link, &block, &f->err), -1);
    expect_err(f, "PRU: block 0 of the ring is overwritten");
}

/* Later they are divided by, or added to sample numbers. */
static void test_a_block_with_impossible_numbers_is_refused_too(void **state)
{
    struct fixture *f = *state;
    struct pru_block *first = f->memory->board.shm.blocks;
    const struct pru_block *block = NULL;

    boot(f);
    board_memory_block(f->memory, 0, 0, 1000);
    first->period_ticks_q20 = 0;
    assert_int_equal(pru_link_block(&f->link, &block, &f->err), -1);
    expect_err(f, "PRU: block 0 of the ring is overwritten");
    assert_null(block);
    first->period_ticks_q20 = PRU_PERIOD_NOMINAL_Q20;
    first->underruns = 1000;
    assert_int_equal(pru_link_block(&f->link, &block, &f->err), 0);
    first->first_underrun = 1;
    assert_int_equal(pru_link_block(&f->link, &block, &f->err), -1);
    first->first_underrun = UINT32_MAX;
    assert_int_equal(pru_link_block(&f->link, &block, &f->err), -1);
    first->first_underrun = 1000;
    first->underruns = 0;
    assert_int_equal(pru_link_block(&f->link, &block, &f->err), 0);
}

/* ---- edges ---- */

static void test_edges_come_up_to_the_end_and_no_more_than_asked_for(void **state)
{
    struct fixture *f = *state;
    struct pru_link_edge edges[8];

    boot(f);
    for (uint16_t i = 0; i < 6; i++) {
        board_memory_edge(f->memory, 1000 + i * 10u, i);
    }
    assert_int_equal(pru_link_edges(&f->link, 1000, edges, 8), 0);
    assert_int_equal(pru_link_edges(&f->link, 1031, edges, 2), 2);
    assert_int_equal(edges[1].tick, 1010);
    assert_int_equal(edges[1].pins, 1);
    assert_int_equal(pru_link_edges(&f->link, 1030, edges, 8), 1);
    assert_int_equal(edges[0].tick, 1020);
    assert_int_equal(pru_link_edges_waiting(&f->link), 3);
    assert_int_equal(pru_link_edges(&f->link, UINT64_MAX, edges, 8), 3);
    assert_int_equal(edges[2].pins, 5);
    assert_int_equal(pru_link_edges_waiting(&f->link), 0);
}

/* The ring keeps 48 bits of a tick: 16 days. */
static void test_ticks_are_unwrapped(void **state)
{
    static const uint64_t WRAP = UINT64_C(1) << 48;
    struct fixture *f = *state;
    struct pru_link_edge edges[2];

    boot(f);
    assert_int_equal(configure(f), 0);
    assert_int_equal(pru_link_arm(&f->link, 3 * WRAP - 100, PRU_NO_STOP, 1, &f->err), 0);
    board_memory_edge(f->memory, 3 * WRAP - 50, 1);
    board_memory_edge(f->memory, 3 * WRAP + 50, 2);
    assert_int_equal(pru_link_edges(&f->link, 3 * WRAP + 100, edges, 2), 2);
    assert_true(edges[0].tick == 3 * WRAP - 50);
    assert_true(edges[1].tick == 3 * WRAP + 50);
    /* Days without an edge, but with blocks: the end of each keeps the place. */
    for (uint64_t day = 1; day < 20; day++) {
        assert_int_equal(pru_link_edges(&f->link, 3 * WRAP + day * WRAP / 10, edges, 2), 0);
    }
    board_memory_edge(f->memory, 3 * WRAP + 19 * WRAP / 10 + 5, 3);
    assert_int_equal(pru_link_edges(&f->link, UINT64_MAX, edges, 2), 1);
    assert_true(edges[0].tick == 3 * WRAP + 19 * WRAP / 10 + 5);
}

static void test_an_edge_before_the_start_is_not_a_wrap_later(void **state)
{
    struct fixture *f = *state;
    struct pru_link_edge edge;

    boot(f);
    assert_int_equal(configure(f), 0);
    assert_int_equal(
        pru_link_arm(&f->link, (UINT64_C(1) << 48) + 3000, PRU_NO_STOP, 1, &f->err), 0);
    board_memory_edge(f->memory, (UINT64_C(1) << 48) - 3000, 1);
    assert_int_equal(pru_link_edges(&f->link, UINT64_MAX, &edge, 1), 1);
    assert_true(edge.tick == (UINT64_C(1) << 48) - 3000);
}

static void test_the_ring_of_edges_wraps(void **state)
{
    struct fixture *f = *state;
    struct pru_link_edge edges[4];

    boot(f);
    f->control->gpio_write_idx = PRU_GPIO_EVENT_COUNT - 2;
    f->control->gpio_read_idx = PRU_GPIO_EVENT_COUNT - 2;
    for (uint16_t i = 0; i < 4; i++) {
        board_memory_edge(f->memory, i, i);
    }
    assert_int_equal(pru_link_edges(&f->link, 100, edges, 4), 4);
    for (uint16_t i = 0; i < 4; i++) {
        assert_int_equal(edges[i].pins, i);
    }
    f->control->gpio_lost = 9;
    assert_int_equal(pru_link_edges_lost(&f->link), 9);
}

/* ---- utilisation and input ---- */

static void test_utilisation_comes_row_by_row(void **state)
{
    struct fixture *f = *state;
    struct pru_util util;

    boot(f);
    f->control->util_read_idx = PRU_UTIL_COUNT - 1;
    f->control->util_write_idx = PRU_UTIL_COUNT + 1;
    f->control->util[PRU_UTIL_COUNT - 1].first_tick = 11;
    f->control->util[0].first_tick = 22;
    assert_true(pru_link_util(&f->link, &util));
    assert_int_equal(util.first_tick, 11);
    assert_true(pru_link_util(&f->link, &util));
    assert_int_equal(util.first_tick, 22);
    assert_false(pru_link_util(&f->link, &util));
}

static void test_input_fills_the_ring_across_its_end(void **state)
{
    static struct pru_input inputs[PRU_INPUT_SAMPLES];
    struct fixture *f = *state;
    const struct pru_input *ring = f->memory->board.shm.input;

    boot(f);
    f->control->input_write_idx = UINT32_MAX - 99;
    f->control->input_read_idx = UINT32_MAX - 99;
    assert_int_equal(pru_link_input_room(&f->link), PRU_INPUT_SAMPLES);
    for (uint32_t i = 0; i < PRU_INPUT_SAMPLES; i++) {
        inputs[i] = (struct pru_input){ i, i + 7 };
    }
    pru_link_input_put(&f->link, inputs, PRU_INPUT_SAMPLES);
    assert_int_equal(pru_link_input_room(&f->link), 0);
    assert_int_equal(ring[PRU_INPUT_SAMPLES - 100].voltage_uV, 0);
    assert_int_equal(ring[PRU_INPUT_SAMPLES - 1].voltage_uV, 99);
    assert_int_equal(ring[0].voltage_uV, 100);
    assert_int_equal(ring[0].current_nA, 107);
    f->control->input_read_idx += 10;
    assert_int_equal(pru_link_input_room(&f->link), 10);
    pru_link_input_end(&f->link);
    assert_int_equal(f->control->input_end, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_boot_starts_from_clean_memory),
        TEST(test_boot_says_what_went_wrong),
        TEST(test_configure_hands_over_all_and_empties_the_rings),
        TEST(test_each_command_carries_its_fields),
        TEST(test_a_refused_command_says_which_and_why),
        TEST(test_an_armed_board_may_be_further_than_that),
        TEST(test_a_deaf_core_is_given_up_and_halted_all_the_same),
        TEST(test_lost_canaries_are_seen),
        TEST(test_a_fault_of_the_PRU_is_told),
        TEST(test_blocks_come_in_order_across_the_wrap_of_the_index),
        TEST(test_an_overwritten_block_is_refused),
        TEST(test_a_block_with_impossible_numbers_is_refused_too),
        TEST(test_edges_come_up_to_the_end_and_no_more_than_asked_for),
        TEST(test_ticks_are_unwrapped),
        TEST(test_an_edge_before_the_start_is_not_a_wrap_later),
        TEST(test_the_ring_of_edges_wraps),
        TEST(test_utilisation_comes_row_by_row),
        TEST(test_input_fills_the_ring_across_its_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
