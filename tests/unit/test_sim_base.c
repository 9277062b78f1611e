/* SPDX-License-Identifier: MIT */
/* What simulated boards stand on: doorbells, the thread's life, and the counter's rate. */
#include "sheep/sim_base.h"

#include "common/attrs.h"
#include "common/clock.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    LONG_S = 30
};

static const struct board_ops OPS = { .name = "bare" };

struct fixture {
    struct sim_base base;
    struct sim_config config;
    struct err err;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_int_equal(sim_config_load(&f->config, NULL, NULL, &f->err), 0);
    f->config.oscillator_ppm = 100;
    assert_int_equal(
        sim_base_init(&f->base, &OPS, &f->config, sizeof(struct pru_control), &f->err), 0);
    f->base.board.shm.control = (struct pru_control *)(void *)f->base.memory;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    sim_base_fini(&f->base);
    free(f);
    return 0;
}

static bool is_readable(int fd)
{
    struct pollfd pfd = { .fd = fd, .events = POLLIN };

    return poll(&pfd, 1, 0) == 1;
}

static void test_a_kick_ends_one_rest(void **state)
{
    struct fixture *f = *state;
    int64_t begin_ns = clock_mono_ns();

    sim_base_kick(&f->base.board);
    sim_base_kick(&f->base.board);
    sim_base_rest(&f->base, LONG_S * NS_PER_S);
    assert_true(clock_mono_ns() - begin_ns < LONG_S * NS_PER_S / 2);
    begin_ns = clock_mono_ns();
    sim_base_rest(&f->base, 20 * NS_PER_MS); /* both kicks were taken */
    assert_true(clock_mono_ns() - begin_ns >= 20 * NS_PER_MS);
    sim_base_kick(&f->base.board);
    sim_base_rest(&f->base, -1); /* nothing is waited for, nothing taken */
    assert_true(is_readable(f->base.kick_fd));
}

static void test_the_host_hears_of_news(void **state)
{
    struct fixture *f = *state;

    assert_false(is_readable(f->base.board.event_fd));
    sim_base_announce(&f->base);
    assert_true(is_readable(f->base.board.event_fd));
}

static void test_the_counter_has_its_oscillators_rate(void **state)
{
    struct fixture *f = *state;
    int64_t begin_ns = f->base.base_mono_ns;
    uint64_t a_second = (uint64_t)NS_PER_S / PRU_TICK_NS;

    assert_int_equal(sim_base_tick_at(&f->base, begin_ns), 0);
    assert_in_range(sim_base_tick_at(&f->base, begin_ns + NS_PER_S), a_second + 19999,
                    a_second + 20001);
    for (uint64_t tick = 1000; tick < 100000000; tick = tick * 3 + 1) {
        int64_t at_ns = sim_base_mono_at(&f->base, tick);

        assert_true(sim_base_tick_at(&f->base, at_ns) >= tick);
        assert_true(sim_base_tick_at(&f->base, at_ns - INT64_C(2) * PRU_TICK_NS) < tick);
    }
}

static void *wait_for_the_end(void *arg)
{
    struct sim_base *base = arg;

    shm_store_u32(&base->board.shm.control->state, PRU_STATE_IDLE);
    sim_base_announce(base);
    while (!atomic_load(&base->quits)) {
        sim_base_rest(base, LONG_S * NS_PER_S);
    }
    return NULL;
}

static void start(struct fixture *f)
{
    struct pollfd pfd = { .fd = f->base.board.event_fd, .events = POLLIN };
    uint64_t count = 0;

    assert_int_equal(sim_base_start(&f->base, wait_for_the_end, &f->err), 0);
    assert_int_equal(poll(&pfd, 1, LONG_S * 1000), 1);
    assert_int_equal(read(pfd.fd, &count, sizeof(count)), sizeof(count));
    assert_int_equal(shm_load_u32(&f->base.board.shm.control->state), PRU_STATE_IDLE);
}

static void test_a_halted_board_says_nothing_and_starts_again(void **state)
{
    struct fixture *f = *state;

    sim_base_halt(&f->base.board); /* harmless before a start */
    for (int i = 0; i < 3; i++) {
        start(f);
        sim_base_halt(&f->base.board);
        assert_false(f->base.has_thread);
        assert_int_equal(shm_load_u32(&f->base.board.shm.control->state), PRU_STATE_UNKNOWN);
    }
}

static void test_a_plan_comes_between_runs(void **state)
{
    struct fixture *f = *state;
    const struct board_plan plan = { .is_port_B = true,
                                     .has_uart = true,
                                     .truth_path = "truth" };

    start(f);
    sim_base_expect(&f->base.board, &plan);
    assert_false(f->base.has_thread);
    assert_true(f->base.is_port_B && f->base.outside.has_listener);
    assert_string_equal(f->base.truth_path, "truth");
}

static void test_a_world_that_cannot_be_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct sim_base other = { 0 };
    struct err err = { 0 };

    f->config.world.transducer.source_Ohm = -1;
    f->config.world.transducer.kind = TRANSDUCER_CONSTANT;
    assert_int_equal(sim_base_init(&other, &OPS, &f->config, sizeof(struct pru_control), &err),
                     -1);
    assert_int_equal(err.code, ERR_INPUT);
    assert_non_null(strstr(err.text, "simulated world: "));
    sim_base_fini(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_kick_ends_one_rest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_host_hears_of_news, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_counter_has_its_oscillators_rate, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_halted_board_says_nothing_and_starts_again,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_plan_comes_between_runs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_world_that_cannot_be_leaves_nothing, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
