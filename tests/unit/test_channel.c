/* SPDX-License-Identifier: MIT */
/* Named channels as text in a log. */
#include "common/channel.h"

#include "common/attrs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_a_channel_comes_back_as_it_was(void **state)
{
    struct channel channel = { "temperature.cpu-thermal", "degC", 1e-3, -273.15 };
    struct channel longest = { .gain = -1.2345678901234567e-300, .offset = 1e300 };
    struct channel found;
    char text[CHANNEL_TEXT_SIZE];

    (void)state;
    assert_true(channel_decode(&found, text, channel_encode(&channel, text)));
    assert_string_equal(found.name, channel.name);
    assert_string_equal(found.unit, "degC");
    assert_true(found.gain == 1e-3 && found.offset == -273.15);
    memset(longest.name, 'n', CHANNEL_NAME_SIZE - 1);
    memset(longest.unit, 'u', CHANNEL_UNIT_SIZE - 1);
    assert_true(channel_decode(&found, text, channel_encode(&longest, text)));
    assert_string_equal(found.name, longest.name);
    assert_true(found.gain == longest.gain);
}

static void test_what_is_no_channel_is_refused(void **state)
{
    static const char *const BAD[] = {
        "",
        "1",
        "1 0 V",
        "1 0 V ",
        "1 0  name",
        "x 0 V name",
        "1 0x V name",
        "nan 0 V name",
        "1 inf V name",
        "1 0 V name more",
        "1 0 V .name",
        "1 0 V a/b",
        "1 0 V ..",
        "1 0 V n\xC3\xA4",
        "1 0 sixteenletters16 name",
        "1 0 \xC2\xB5V name",
        "1 0 V\n name",
        "1 0 V nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn",
        "00000000000000000000000000000001 0 V name",
    };
    struct channel channel;
    char many[2 * CHANNEL_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        if (channel_decode(&channel, BAD[i], strlen(BAD[i]))) {
            fail_msg("taken: '%s'", BAD[i]);
        }
    }
    assert_false(channel_decode(&channel, "1 0 V na\0me", 11));
    memset(many, '1', sizeof(many));
    assert_false(channel_decode(&channel, many, sizeof(many)));
}

static void test_a_drivers_name_becomes_one_that_fits(void **state)
{
    struct channel channel = { 0 };

    (void)state;
    channel_set_name(&channel, "cooling", "Processor/0 (x)");
    assert_string_equal(channel.name, "cooling.Processor-0--x-");
    channel_set_name(&channel, "cpu",
                     "a name of a driver that is much longer than any channel's");
    assert_int_equal(strlen(channel.name), CHANNEL_NAME_SIZE - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_channel_comes_back_as_it_was),
        cmocka_unit_test(test_what_is_no_channel_is_refused),
        cmocka_unit_test(test_a_drivers_name_becomes_one_that_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
