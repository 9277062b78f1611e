/* SPDX-License-Identifier: MIT */
/* Serial lines and both converters by themselves, without the cape around them (test_cape.c).
 */
#include "pru/sim/ads8691.h"
#include "pru/sim/dac8562.h"
#include "pru/sim/spi_rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct spi_timing STRICT = {
    .period_ns = 100,
    .high_ns = 40,
    .low_ns = 40,
    .select_setup_ns = 50,
    .select_hold_ns = 30,
    .select_pause_ns = 500,
    .quiet_ns = 20,
    .data_setup_ns = 10,
    .data_hold_ns = 10,
    .captures_on_rise = true,
};

static void test_every_rule_has_a_name_and_the_first_breach_is_kept(void **state)
{
    struct spi_account account = { 0 };

    (void)state;
    for (int rule = 0; rule < SPI_RULE_COUNT; rule++) {
        assert_non_null(spi_rule_name((enum spi_rule)rule));
        for (int other = 0; other < rule; other++) {
            assert_string_not_equal(spi_rule_name((enum spi_rule)rule),
                                    spi_rule_name((enum spi_rule)other));
        }
    }
    spi_break(&account, SPI_DATA_HOLD, 50);
    spi_break(&account, SPI_DATA_HOLD, 70);
    spi_break(&account, SPI_COMMAND, 90);
    assert_int_equal(account.first_cycle[SPI_DATA_HOLD], 50);
    assert_int_equal(account.n[SPI_DATA_HOLD], 2);
    assert_int_equal(account.n_total, 3);
}

static void test_edges_are_events_and_only_while_selected(void **state)
{
    struct spi_lines lines;

    (void)state;
    spi_lines_init(&lines, &STRICT);
    assert_int_equal(spi_lines_set(&lines, 1000, false, true, true), SPI_NOTHING);
    assert_int_equal(spi_lines_set(&lines, 1100, false, false, true), SPI_NOTHING);
    assert_int_equal(spi_lines_set(&lines, 1200, true, false, true), SPI_SELECTED);
    assert_int_equal(spi_lines_set(&lines, 1210, true, true, true), SPI_CAPTURED);
    assert_int_equal(spi_lines_set(&lines, 1220, true, false, true), SPI_LAUNCHED);
    assert_int_equal(spi_lines_set(&lines, 1230, true, true, true), SPI_CAPTURED);
    assert_int_equal(lines.n_clocks, 2);
    assert_int_equal(spi_lines_set(&lines, 1240, false, true, true), SPI_RELEASED);
    assert_int_equal(lines.account.n_total, 0);
}

/* One frame of two bits at the limits; each argument is in cycles of 5 ns. */
static struct spi_account frame(unsigned setup, unsigned high, unsigned low, unsigned hold,
                                unsigned data_before, unsigned data_behind)
{
    struct spi_lines lines;
    uint64_t now = 1000;

    spi_lines_init(&lines, &STRICT);
    (void)spi_lines_set(&lines, now, true, false, false);
    now += setup;
    (void)spi_lines_set(&lines, now - data_before, true, false, true);
    (void)spi_lines_set(&lines, now, true, true, true);
    (void)spi_lines_set(&lines, now + data_behind, true, true, false);
    now += high;
    (void)spi_lines_set(&lines, now, true, false, false);
    now += low;
    (void)spi_lines_set(&lines, now, true, true, false);
    now += hold;
    (void)spi_lines_set(&lines, now, false, true, false);
    return lines.account;
}

static void test_each_time_holds_at_its_limit_and_is_broken_a_cycle_below(void **state)
{
    (void)state;
    assert_int_equal(frame(10, 10, 10, 6, 2, 2).n_total, 0);
    assert_int_equal(frame(9, 10, 10, 6, 2, 2).n[SPI_SELECT_SETUP], 1);
    assert_int_equal(frame(10, 7, 13, 6, 2, 2).n[SPI_CLOCK_HIGH], 1);
    assert_int_equal(frame(10, 13, 7, 6, 2, 2).n[SPI_CLOCK_LOW], 1);
    assert_int_equal(frame(10, 10, 9, 6, 2, 2).n[SPI_CLOCK_PERIOD], 1);
    assert_int_equal(frame(10, 10, 10, 5, 2, 2).n[SPI_SELECT_HOLD], 1);
    assert_int_equal(frame(10, 10, 10, 6, 1, 2).n[SPI_DATA_SETUP], 1);
    assert_int_equal(frame(10, 10, 10, 6, 2, 1).n[SPI_DATA_HOLD], 1);
}

/* ---- ADC ---- */

static uint32_t give_code(void *context)
{
    return *(const uint32_t *)context;
}

static uint32_t adc_frame(struct ads8691 *adc, uint64_t *now, uint32_t word)
{
    uint32_t read = 0;

    (void)ads8691_set(adc, *now, true, false, false);
    *now += 4;
    for (int i = 31; i >= 0; i--) {
        bool bit = (word >> i & 1u) != 0;

        (void)ads8691_set(adc, *now, true, false, bit);
        *now += 4;
        read = read << 1 | (ads8691_output(adc, *now) ? 1u : 0u);
        (void)ads8691_set(adc, *now, true, true, bit);
        *now += 4;
    }
    (void)ads8691_set(adc, *now, true, false, false);
    *now += 4;
    assert_true(ads8691_set(adc, *now, false, false, false));
    *now += 400;
    return read;
}

static void test_an_adc_gives_codes_once_its_range_is_set(void **state)
{
    uint32_t code = 0x2F0C5;
    struct ads8691 adc;
    uint64_t now = 1000;

    (void)state;
    ads8691_init(&adc, give_code, &code);
    assert_int_equal(adc_frame(&adc, &now, 0), 0);
    (void)adc_frame(&adc, &now, 0x1Au << 27 | 0x14u << 16 | 0x0Bu); /* WRITE the range */
    assert_int_equal(adc_frame(&adc, &now, 0) >> 14, 0x2F0C5);
    code = 5;
    assert_int_equal(adc_frame(&adc, &now, 0) >> 14, 5);
    adc.defect = ADS8691_SILENT;
    assert_int_equal(adc_frame(&adc, &now, 0), 0);
    adc.defect = ADS8691_STUCK_HIGH;
    assert_int_equal(adc_frame(&adc, &now, 0), UINT32_MAX);
    adc.defect = ADS8691_SAME_CODE;
    (void)adc_frame(&adc, &now, 0);
    code = 99;
    assert_int_not_equal(adc_frame(&adc, &now, 0) >> 14, 99);
}

/* ---- DAC ---- */

static uint32_t dac_codes[DAC8562_CHANNELS];

static void keep_code(void *context, unsigned channel, uint32_t code)
{
    (void)context;
    dac_codes[channel] = code;
}

static void dac_frame(struct dac8562 *dac, uint64_t *now, uint32_t word, int n_bits)
{
    dac8562_set(dac, *now, true, false, false);
    *now += 4;
    for (int i = n_bits - 1; i >= 0; i--) {
        bool bit = (word >> i & 1u) != 0;

        dac8562_set(dac, *now, true, true, bit);
        *now += 4;
        dac8562_set(dac, *now, true, false, bit);
        *now += 4;
    }
    dac8562_set(dac, *now, false, false, false);
    *now += 40;
}

static void test_a_dac_moves_when_it_is_set_up_and_the_frame_is_whole(void **state)
{
    struct dac8562 dac;
    uint64_t now = 1000;

    (void)state;
    memset(dac_codes, 0, sizeof(dac_codes));
    dac8562_init(&dac, keep_code, NULL);
    dac_frame(&dac, &now, 3u << 19 | 1234, 24); /* before reference and gain */
    assert_int_equal(dac_codes[0], 0);
    assert_int_equal(dac.lines.account.n[SPI_SETTINGS], 1);
    dac_frame(&dac, &now, 7u << 19 | 1, 24);        /* internal reference */
    dac_frame(&dac, &now, 0u << 19 | 2u << 16, 24); /* gain 2 for both */
    dac_frame(&dac, &now, 3u << 19 | 1u << 16 | 0xBEEF, 24);
    assert_int_equal(dac_codes[1], 0xBEEF);
    dac_frame(&dac, &now, 3u << 19 | 1u << 16 | 7, 23); /* a bit short */
    assert_int_equal(dac_codes[1], 0xBEEF);
    assert_int_equal(dac.lines.account.n[SPI_FRAME_LENGTH], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_rule_has_a_name_and_the_first_breach_is_kept),
        cmocka_unit_test(test_edges_are_events_and_only_while_selected),
        cmocka_unit_test(test_each_time_holds_at_its_limit_and_is_broken_a_cycle_below),
        cmocka_unit_test(test_an_adc_gives_codes_once_its_range_is_set),
        cmocka_unit_test(test_a_dac_moves_when_it_is_set_up_and_the_frame_is_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
