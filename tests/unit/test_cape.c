/* SPDX-License-Identifier: MIT */
/* The converter models on bit-banged lines: what is right passes in silence and moves the right
 * codes, what is wrong is named. */
#include "pru/sim/cape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum flaw {
    SOUND,
    LSB_FIRST,
    DATA_LATE,  /* with the edge that captures */
    DATA_SHORT, /* taken away one cycle after that edge */
    READ_EARLY, /* one cycle behind the edge that launches */
    INVERTED,   /* the clock rests at the other level */
};

/* How the master moves the lines; times in cycles. */
struct master {
    unsigned setup; /* chip select to the first clock edge */
    unsigned high;
    unsigned low;
    unsigned hold; /* last edge to the chip select's rise */
    unsigned wait; /* after a frame */
    unsigned n_bits;
    enum flaw flaw;
};

static struct cape cape;
static struct pru_pins lines;
static uint64_t now;
static uint32_t r30;
static uint32_t adc_code;
static unsigned n_sampled;
static unsigned n_conversions;
static unsigned n_bare;
static uint32_t dac_code[3];
static bool is_good;

static uint32_t world_adc(void *context)
{
    (void)context;
    n_sampled++;
    return adc_code;
}

static void world_dac(void *context, enum sample_dac channel, uint32_t code)
{
    (void)context;
    dac_code[channel] = code;
}

static void world_good(void *context, bool good)
{
    (void)context;
    is_good = good;
}

static void world_converting(void *context, uint64_t cycle, bool is_bare)
{
    (void)context;
    n_bare += is_bare ? 1 : 0;
    assert_int_equal(cycle, now);
    n_conversions++;
}

static void drive(unsigned pin, bool level)
{
    r30 = (r30 & ~(1u << pin)) | (level ? 1u : 0) << pin;
    lines.output(lines.context, 0, now, r30);
}

static bool answer(void)
{
    return (lines.input(lines.context, 0, now) >> cape.pins.answer & 1u) != 0;
}

static int create(void **state)
{
    struct cape_pins pins = cape_pins_24();
    struct cape_world world = {
        .converting = world_converting,
        .io = {.adc_voltage = world_adc,
               .adc_current = world_adc,
               .dac_write = world_dac,
               .power_good = world_good}
    };

    (void)state;
    cape_init(&cape, &pins, &world);
    lines = cape_soc_pins(&cape);
    now = 1000;
    n_sampled = 0;
    n_conversions = 0;
    n_bare = 0;
    adc_code = 0x2A5C3;
    memset(dac_code, 0, sizeof(dac_code));
    r30 = 0xF8; /* all chip selects high */
    lines.output(lines.context, 0, now, r30);
    now += 1000;
    return 0;
}

static const struct master ADC_RIGHT = { .setup = 3,
                                         .high = 4,
                                         .low = 5,
                                         .hold = 3,
                                         .wait = 200,
                                         .n_bits = 32 };
static const struct master DAC_RIGHT = { .setup = 3,
                                         .high = 4,
                                         .low = 2,
                                         .hold = 3,
                                         .wait = 16,
                                         .n_bits = 24 };

static bool next_bit(const struct master *how, uint32_t word, unsigned i, unsigned width)
{
    unsigned place = how->flaw == LSB_FIRST ? i : width - 1 - i;

    return i < width && (word >> place & 1u) != 0;
}

/* Clock rests low, capture on the rise: SPI-00-S. Returns what was read, first bit highest. */
static uint32_t adc_frame(const struct master *how, unsigned select, uint32_t word)
{
    uint32_t read = 0;

    drive(cape.pins.clock, (how->flaw == INVERTED));
    now += 10;
    drive(select, false);
    now += how->setup;
    for (unsigned i = 0; i < how->n_bits; i++) {
        bool bit = next_bit(how, word, i, 32);

        if (how->flaw == INVERTED) {
            drive(cape.pins.clock, false);
        }
        if (how->flaw != DATA_LATE) {
            drive(cape.pins.data, bit);
        }
        now += how->flaw == READ_EARLY ? 1 : 0;
        read = read << 1 | (how->flaw == READ_EARLY && answer() ? 1u : 0);
        now += how->low - (how->flaw == READ_EARLY ? 1 : 0);
        if (how->flaw == DATA_LATE) {
            r30 = (r30 & ~(1u << cape.pins.data)) | (bit ? 1u : 0) << cape.pins.data;
        }
        drive(cape.pins.clock, true);
        now += 1;
        read |= how->flaw != READ_EARLY && answer() ? 1u : 0;
        if (how->flaw == DATA_SHORT) {
            drive(cape.pins.data, !bit);
        }
        now += how->high - 1;
        if (how->flaw != INVERTED) {
            drive(cape.pins.clock, false);
        }
    }
    now += how->hold;
    drive(select, true);
    now += how->wait;
    return read;
}

/* Clock rests high, data change with its rise, capture on the fall. */
static void dac_frame(const struct master *how, unsigned select, uint32_t word)
{
    drive(cape.pins.clock, true);
    now += 2;
    drive(select, false);
    now += how->setup;
    for (unsigned i = 0; i < how->n_bits; i++) {
        bool bit = next_bit(how, word, i, 24);

        drive(cape.pins.clock, true);
        if (how->flaw != DATA_LATE) {
            drive(cape.pins.data, bit);
        }
        now += how->high;
        if (how->flaw == DATA_LATE) {
            r30 = (r30 & ~(1u << cape.pins.data)) | (bit ? 1u : 0) << cape.pins.data;
        }
        drive(cape.pins.clock, false);
        now += how->low;
    }
    now += how->hold;
    drive(select, true);
    now += how->wait;
}

static void expect_silence(void)
{
    char text[400];

    cape_explain(&cape, text, sizeof(text));
    assert_string_equal(text, "");
    assert_int_equal(cape_broken(&cape), 0);
}

static void start_adc(const struct master *how, unsigned select)
{
    (void)adc_frame(how, select, 0xD0140000u | 0x0B);
}

static void start_dac(const struct master *how, unsigned select)
{
    static const uint32_t WORDS[] = { 0x280001, 0x380001, 0x020000, 0x300003, 0x200003 };

    for (size_t i = 0; i < COUNT(WORDS); i++) {
        dac_frame(how, select, WORDS[i]);
    }
}

static void test_adc_converts_at_the_rise_and_answers_in_the_next_frame(void **state)
{
    struct master reading = ADC_RIGHT;

    (void)state;
    start_adc(&ADC_RIGHT, 4);
    reading.n_bits = 18;
    drive(4, false); /* trigger: 100 ns */
    now += 20;
    drive(4, true);
    now += 200;
    assert_int_equal(n_conversions, 2);
    assert_int_equal(n_bare, 1);
    assert_int_equal(n_sampled, 0); /* nobody wants it yet */
    assert_int_equal(adc_frame(&reading, 4, 0), 0x2A5C3);
    assert_int_equal(n_sampled, 1);
    adc_code = 0x15A3C;
    assert_int_equal(adc_frame(&ADC_RIGHT, 4, 0), 0x15A3Cu << 14);
    expect_silence();
}

static void test_adc_registers_are_written_and_read(void **state)
{
    (void)state;
    start_adc(&ADC_RIGHT, 6);
    (void)adc_frame(&ADC_RIGHT, 6, 0xC8140000u);
    assert_int_equal(adc_frame(&ADC_RIGHT, 6, 0), 0x000B0000u);
    (void)adc_frame(&ADC_RIGHT, 6, 0xD2100000u | 0x1234); /* upper byte alone */
    (void)adc_frame(&ADC_RIGHT, 6, 0xD8100000u | 0x0003); /* set */
    (void)adc_frame(&ADC_RIGHT, 6, 0xC0100000u | 0x0201); /* clear */
    (void)adc_frame(&ADC_RIGHT, 6, 0xC8100000u);
    assert_int_equal(adc_frame(&ADC_RIGHT, 6, 0) >> 16, 0x1002);
    /* power: only behind the key */
    (void)adc_frame(&ADC_RIGHT, 6, 0xD0040001u);
    assert_int_equal(adc_frame(&ADC_RIGHT, 6, 0) >> 14, adc_code);
    (void)adc_frame(&ADC_RIGHT, 6, 0xD0046900u);
    (void)adc_frame(&ADC_RIGHT, 6, 0xD0046902u);
    expect_silence();
    assert_int_equal(adc_frame(&ADC_RIGHT, 6, 0), 0); /* naps */
    assert_int_equal(cape.adc[CAPE_ADC_HRV_V].lines.account.n[SPI_SETTINGS], 1);
}

static void test_dac_moves_the_addressed_channel_to_the_right_code(void **state)
{
    (void)state;
    start_dac(&DAC_RIGHT, 3);
    dac_frame(&DAC_RIGHT, 3, 0x190000u | 0xBEEF);
    assert_int_equal(dac_code[SAMPLE_DAC_TARGET], 0xBEEF);
    assert_int_equal(dac_code[SAMPLE_DAC_AUX], 0);
    dac_frame(&DAC_RIGHT, 3, 0x180000u | 0x1234);
    assert_int_equal(dac_code[SAMPLE_DAC_AUX], 0x1234);
    dac_frame(&DAC_RIGHT, 3, 0x000000u | 0x4321); /* input register only */
    assert_int_equal(dac_code[SAMPLE_DAC_AUX], 0x1234);
    dac_frame(&DAC_RIGHT, 3, 0x080000u);
    assert_int_equal(dac_code[SAMPLE_DAC_AUX], 0x4321);
    dac_frame(&DAC_RIGHT, 3, 0x200013u); /* both down, 1 kOhm */
    assert_int_equal(dac_code[SAMPLE_DAC_TARGET], 0);
    expect_silence();
    start_dac(&DAC_RIGHT, 5);
    dac_frame(&DAC_RIGHT, 5, 0x190000u | 77);
    assert_int_equal(dac_code[SAMPLE_DAC_HARVEST], 77);
    expect_silence();
}

static void test_power_good_and_target_pins_pass(void **state)
{
    (void)state;
    lines.output(lines.context, 1, now, 1u << 9);
    assert_true(is_good);
    lines.output(lines.context, 0, now, r30); /* not PRU0's */
    assert_true(is_good);
    lines.output(lines.context, 1, now, 0);
    assert_false(is_good);
    assert_int_equal(lines.input(lines.context, 1, now), 0);
}

/* What a mutant does to a master, and the rule that must be reported. */
struct mutant {
    const char *what;
    enum spi_rule rule;
    struct master how;
};

static void expect_broken(const struct mutant *mutant, const struct spi_account *account)
{
    char text[2000];

    cape_explain(&cape, text, sizeof(text));
    if (account->n[mutant->rule] == 0) {
        fail_msg("%s: \"%s\" is not in \"%s\"", mutant->what, spi_rule_name(mutant->rule),
                 text);
    }
    assert_non_null(strstr(text, spi_rule_name(mutant->rule)));
}

static void test_wrong_adc_masters_are_named(void **state)
{
    static const struct mutant MUTANTS[] = {
        {"lsb first",             SPI_COMMAND,      { 3, 4, 5, 3, 200, 32, LSB_FIRST } },
        { "100 MHz",              SPI_CLOCK_PERIOD, { 3, 1, 1, 3, 200, 32, SOUND }     },
        { "high 5 ns",            SPI_CLOCK_HIGH,   { 3, 1, 5, 3, 200, 32, SOUND }     },
        { "low 5 ns",             SPI_CLOCK_LOW,    { 3, 4, 1, 3, 200, 32, SOUND }     },
        { "clock rests high",     SPI_CLOCK_REST,   { 3, 4, 5, 3, 200, 32, INVERTED }  },
        { "select to clock 5 ns", SPI_SELECT_SETUP, { 0, 4, 1, 3, 200, 32, SOUND }     },
        { "data with the edge",   SPI_DATA_SETUP,   { 3, 4, 5, 3, 200, 32, DATA_LATE } },
        { "data for 5 ns",        SPI_DATA_HOLD,    { 3, 4, 5, 3, 200, 32, DATA_SHORT }},
        { "31 clocks",            SPI_FRAME_LENGTH, { 3, 4, 5, 3, 200, 31, SOUND }     },
        { "33 clocks",            SPI_FRAME_LENGTH, { 3, 4, 5, 3, 200, 33, SOUND }     },
        { "conversion cut",       SPI_CONVERSION,   { 3, 4, 5, 3, 60, 32, SOUND }      },
    };

    for (size_t i = 0; i < COUNT(MUTANTS); i++) {
        (void)create(state);
        start_adc(&MUTANTS[i].how, 4);
        start_adc(&MUTANTS[i].how, 4);
        expect_broken(&MUTANTS[i], &cape.adc[CAPE_ADC_EMU_I].lines.account);
    }
}

/* Read right behind the launch a bit is that of before: the code is wrong, and it is said. */
static void test_reading_too_early_is_named(void **state)
{
    struct master early = ADC_RIGHT;

    (void)state;
    start_adc(&ADC_RIGHT, 4);
    early.flaw = READ_EARLY;
    assert_int_not_equal(adc_frame(&early, 4, 0) >> 14, adc_code);
    assert_true(cape.adc[CAPE_ADC_EMU_I].lines.account.n[SPI_DATA_EARLY] > 0);
}

static void test_unset_range_is_named(void **state)
{
    (void)state;
    assert_int_equal(adc_frame(&ADC_RIGHT, 4, 0), 0);
    assert_int_equal(cape.adc[CAPE_ADC_EMU_I].lines.account.n[SPI_SETTINGS], 1);
}

static void test_triggers_faster_than_the_acquisition_are_named(void **state)
{
    (void)state;
    start_adc(&ADC_RIGHT, 4);
    drive(4, false);
    now += 6;
    drive(4, true); /* 1 us and a little since the last: right */
    now += 140;
    expect_silence();
    drive(4, false);
    now += 6;
    drive(4, true); /* 730 ns */
    assert_int_equal(cape.adc[CAPE_ADC_EMU_I].lines.account.n[SPI_ACQUISITION], 1);
}

static void test_wrong_dac_masters_are_named(void **state)
{
    static const struct mutant MUTANTS[] = {
        {"lsb first",              SPI_COMMAND,      { 3, 4, 2, 3, 16, 24, LSB_FIRST }},
        { "66 MHz",                SPI_CLOCK_PERIOD, { 3, 2, 1, 3, 16, 24, SOUND }    },
        { "high 5 ns",             SPI_CLOCK_HIGH,   { 3, 1, 2, 3, 16, 24, SOUND }    },
        { "low 5 ns",              SPI_CLOCK_LOW,    { 3, 4, 1, 3, 16, 24, SOUND }    },
        { "select to clock 10 ns", SPI_SELECT_SETUP, { 0, 2, 2, 3, 16, 24, SOUND }    },
        { "released 10 ns after",  SPI_SELECT_HOLD,  { 3, 4, 1, 0, 16, 24, SOUND }    },
        { "pause 50 ns",           SPI_SELECT_PAUSE, { 3, 4, 2, 3, 8, 24, SOUND }     },
        { "data with the edge",    SPI_DATA_SETUP,   { 3, 4, 2, 3, 16, 24, DATA_LATE }},
        { "23 clocks",             SPI_FRAME_LENGTH, { 3, 4, 2, 3, 16, 23, SOUND }    },
        { "25 clocks",             SPI_FRAME_LENGTH, { 3, 4, 2, 3, 16, 25, SOUND }    },
    };

    for (size_t i = 0; i < COUNT(MUTANTS); i++) {
        (void)create(state);
        start_dac(&MUTANTS[i].how, 3);
        dac_frame(&MUTANTS[i].how, 3, 0x19A5A5);
        expect_broken(&MUTANTS[i], &cape.dac[CAPE_DAC_EMU].lines.account);
    }
}

static void test_wrong_dac_words_are_named(void **state)
{
    static const uint32_t WORDS[] = {
        0x20000B, /* power: the mode is in bits 5:4 */
        0x1A0000, /* no channel 2 */
        0x590000, /* a bit that does not matter */
        0x380003, 0x020010,
    };
    const struct spi_account *account = &cape.dac[CAPE_DAC_EMU].lines.account;

    (void)state;
    for (size_t i = 0; i < COUNT(WORDS); i++) {
        dac_frame(&DAC_RIGHT, 3, WORDS[i]);
        assert_int_equal(account->n[SPI_COMMAND], i + 1);
    }
    (void)create(state);
    dac_frame(&DAC_RIGHT, 3, 0x190000u | 5); /* neither reference nor gain */
    assert_int_equal(account->n[SPI_SETTINGS], 1);
    assert_int_equal(dac_code[SAMPLE_DAC_TARGET], 0);
}

static void test_aborted_dac_frames_do_nothing(void **state)
{
    struct master cut = DAC_RIGHT;

    (void)state;
    start_dac(&DAC_RIGHT, 3);
    cut.n_bits = 20;
    dac_frame(&cut, 3, 0x19FFFF);
    assert_int_equal(dac_code[SAMPLE_DAC_TARGET], 0);
}

static void test_clocking_two_converters_at_once_is_named(void **state)
{
    char text[400];

    (void)state;
    drive(4, false);
    now += 20;
    drive(6, false); /* no clock: two triggers */
    now += 20;
    drive(4, true);
    drive(6, true);
    now += 200;
    expect_silence();
    drive(6, false);
    (void)adc_frame(&ADC_RIGHT, 4, 0);
    cape_explain(&cape, text, sizeof(text));
    assert_non_null(strstr(text, "bus: two converters"));
}

static void test_defects_of_an_adc_show(void **state)
{
    (void)state;
    start_adc(&ADC_RIGHT, 4);
    cape.adc[CAPE_ADC_EMU_I].defect = ADS8691_SILENT;
    assert_int_equal(adc_frame(&ADC_RIGHT, 4, 0), 0);
    cape.adc[CAPE_ADC_EMU_I].defect = ADS8691_STUCK_HIGH;
    assert_int_equal(adc_frame(&ADC_RIGHT, 4, 0), UINT32_MAX);
    cape.adc[CAPE_ADC_EMU_I].defect = ADS8691_SAME_CODE;
    adc_code++;
    assert_int_equal(adc_frame(&ADC_RIGHT, 4, 0) >> 14, adc_code - 1);
    expect_silence();
    cape.adc[CAPE_ADC_EMU_I].defect = ADS8691_FORGETFUL;
    (void)adc_frame(&ADC_RIGHT, 4, 0xC8140000u);
    assert_int_equal(adc_frame(&ADC_RIGHT, 4, 0), 0);
}

#define TEST(name) cmocka_unit_test_setup(name, create)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_adc_converts_at_the_rise_and_answers_in_the_next_frame),
        TEST(test_adc_registers_are_written_and_read),
        TEST(test_dac_moves_the_addressed_channel_to_the_right_code),
        TEST(test_power_good_and_target_pins_pass),
        TEST(test_wrong_adc_masters_are_named),
        TEST(test_reading_too_early_is_named),
        TEST(test_unset_range_is_named),
        TEST(test_triggers_faster_than_the_acquisition_are_named),
        TEST(test_wrong_dac_masters_are_named),
        TEST(test_wrong_dac_words_are_named),
        TEST(test_aborted_dac_frames_do_nothing),
        TEST(test_clocking_two_converters_at_once_is_named),
        TEST(test_defects_of_an_adc_show),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
