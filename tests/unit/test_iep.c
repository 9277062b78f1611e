/* SPDX-License-Identifier: MIT */
/* Timer and interrupt controller by themselves, register by register. */
#include "pru/sim/iep.h"

#include "pru/abi/pru_map.h"
#include "pru/sim/intc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum {
    CMP0 = 0x48,
    /* interrupt controller */
    GLOBAL_ENABLE = 0x10,
    CLEAR_INDEX = 0x24,
    ENABLE_INDEX = 0x28,
    HOST_ENABLE_INDEX = 0x34,
    HOST_DISABLE_INDEX = 0x38,
    FIRST_PENDING = 0x80,
    CHANNEL_MAP = 0x400,
    HOST_MAP = 0x800,
};

static struct iep iep;
static struct intc intc;

static uint32_t count_at(uint64_t cycle)
{
    iep_advance(&iep, cycle);
    return iep_read(&iep, PRU_IEP_COUNT);
}

static void test_it_counts_by_its_increment_once_enabled(void **state)
{
    (void)state;
    iep_reset(&iep, 100);
    assert_int_equal(count_at(1100), 0);
    iep_write(&iep, PRU_IEP_GLOBAL_CFG, 5u << 4 | 1u);
    assert_int_equal(count_at(1200), 500);
    iep_write(&iep, PRU_IEP_GLOBAL_CFG, 1u << 4 | 1u);
    assert_int_equal(count_at(1300), 600);
    assert_int_equal(count_at(1250), 600); /* time does not go back */
    assert_int_equal(iep_read(&iep, 0x3C), 0);
}

static void test_compensation_lasts_as_many_cycles_as_asked(void **state)
{
    (void)state;
    iep_reset(&iep, 0);
    iep_write(&iep, PRU_IEP_GLOBAL_CFG, 6u << 8 | 5u << 4 | 1u);
    iep_write(&iep, PRU_IEP_COMPEN, 10);
    assert_int_equal(count_at(4), 24);
    assert_int_equal(count_at(20), 60 + 50);
}

static void test_an_overflow_and_a_compare_are_kept_until_cleared(void **state)
{
    (void)state;
    iep_reset(&iep, 0);
    iep_write(&iep, PRU_IEP_GLOBAL_CFG, 1u << 4 | 1u);
    iep_write(&iep, PRU_IEP_COUNT, 0xFFFFFFF0u);
    iep_write(&iep, CMP0 + 4, 4);
    iep_write(&iep, PRU_IEP_CMP_CFG, 1u << 2);
    assert_int_equal(count_at(0x10 + 3), 3);
    assert_int_equal(iep_read(&iep, PRU_IEP_GLOBAL_STATUS), 1);
    assert_int_equal(iep_read(&iep, PRU_IEP_CMP_STATUS), 0);
    assert_int_equal(count_at(0x10 + 4), 4);
    assert_int_equal(iep_read(&iep, PRU_IEP_CMP_STATUS), 2);
    iep_write(&iep, PRU_IEP_CMP_STATUS, 2);
    iep_write(&iep, PRU_IEP_GLOBAL_STATUS, 1);
    assert_int_equal(iep_read(&iep, PRU_IEP_CMP_STATUS), 0);
    assert_int_equal(iep_read(&iep, PRU_IEP_GLOBAL_STATUS), 0);
}

static void test_cmp0_makes_periods(void **state)
{
    (void)state;
    iep_reset(&iep, 0);
    iep_write(&iep, PRU_IEP_GLOBAL_CFG, 1u << 4 | 1u);
    iep_write(&iep, CMP0, 9);
    iep_write(&iep, PRU_IEP_CMP_CFG, 3u);
    assert_int_equal(count_at(9), 9);
    assert_int_equal(count_at(10), 0);
    assert_int_equal(count_at(10 * 1000 + 7), 7);
}

static void open_door(unsigned event, uint32_t channel, uint32_t host)
{
    intc_reset(&intc);
    intc_write(&intc, CHANNEL_MAP + (event & ~3u), channel << 8 * (event & 3u));
    intc_write(&intc, HOST_MAP + (channel & ~3u), host << 8 * (channel & 3u));
    intc_write(&intc, ENABLE_INDEX, event);
    intc_write(&intc, HOST_ENABLE_INDEX, host);
    intc_write(&intc, GLOBAL_ENABLE, 1);
}

static void test_an_event_goes_through_channel_and_host_to_its_line(void **state)
{
    (void)state;
    open_door(PRU_EVENT_TO_HOST, 2, 2);
    assert_int_equal(intc_lines(&intc), 0);
    assert_int_equal(intc_read(&intc, FIRST_PENDING), 0x80000000u);
    intc_raise(&intc, PRU_EVENT_TO_HOST);
    assert_int_equal(intc_lines(&intc), 1u << 2);
    assert_int_equal(intc_read(&intc, FIRST_PENDING), PRU_EVENT_TO_HOST);
    intc_write(&intc, CLEAR_INDEX, PRU_EVENT_TO_HOST);
    assert_int_equal(intc_lines(&intc), 0);
    intc_raise(&intc, INTC_EVENTS + 3); /* no such event */
    assert_int_equal(intc.raw, 0);
}

static void test_what_is_not_enabled_stays_at_the_door(void **state)
{
    (void)state;
    open_door(17, 3, 4);
    intc_write(&intc, HOST_ENABLE_INDEX, 0);
    intc_raise(&intc, 16); /* channel and host 0; happened, but does not count */
    assert_int_equal(intc_lines(&intc), 0);
    intc_write(&intc, ENABLE_INDEX, 16);
    assert_int_equal(intc_lines(&intc), 1u << 0);
    intc_write(&intc, HOST_DISABLE_INDEX, 0);
    assert_int_equal(intc_lines(&intc), 0);
    intc_raise(&intc, 17);
    intc_write(&intc, GLOBAL_ENABLE, 0);
    assert_int_equal(intc_lines(&intc), 0);
    intc_write(&intc, GLOBAL_ENABLE, 1);
    assert_int_equal(intc_lines(&intc), 1u << 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_counts_by_its_increment_once_enabled),
        cmocka_unit_test(test_compensation_lasts_as_many_cycles_as_asked),
        cmocka_unit_test(test_an_overflow_and_a_compare_are_kept_until_cleared),
        cmocka_unit_test(test_cmp0_makes_periods),
        cmocka_unit_test(test_an_event_goes_through_channel_and_host_to_its_line),
        cmocka_unit_test(test_what_is_not_enabled_stays_at_the_door),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
