/* SPDX-License-Identifier: MIT */
/* Converters of the simulated cape: every code, its edges, the range and the noise. */
#include "pru/sim/converters.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct rng seeded(uint64_t seed)
{
    struct rng rng;

    rng_seed(&rng, seed);
    return rng;
}

static uint32_t convert(const struct converter_line *line, double value)
{
    struct rng rng = seeded(1);

    return adc_convert(line, value, 0.0, &rng);
}

static void test_a_line_has_the_errors_of_its_channel(void **state)
{
    struct world_channel errors = { .gain_error = 0.01, .offset = -0.002 };
    struct converter_line line = converter_line(0.5, &errors);

    (void)state;
    assert_true(fabs(line.gain - 0.505) < 1e-12);
    assert_true(fabs(line.offset + 0.002) < 1e-12);
}

/* Of the cape, said again here on purpose: 18 bits over 5.12 V and over 53.3 mA, 16 over 5 V.
 */
static void test_nominal_gains_are_those_of_the_cape(void **state)
{
    (void)state;
    assert_true(fabs(ADC_V_GAIN - 19.53125e-6) < 1e-12);
    assert_true(fabs(ADC_A_GAIN * 262144 - 0.0533333) < 1e-6);
    assert_true(fabs(DAC_V_GAIN * 65536 - 5.0) < 1e-12);
}

static void test_a_value_gets_the_nearest_code(void **state)
{
    struct world_channel errors = { .gain_error = -0.004, .offset = 0.0013 };
    struct converter_line line = converter_line(ADC_V_GAIN, &errors);

    (void)state;
    for (uint32_t code = 0; code < ADC_CODES; code += 257) {
        double value = code * line.gain + line.offset;

        assert_int_equal(convert(&line, value), code);
        assert_int_equal(convert(&line, value + 0.49 * line.gain), code);
        assert_int_equal(convert(&line, value + 0.51 * line.gain), code + 1);
    }
}

static void test_codes_stay_within_their_range(void **state)
{
    struct world_channel none = { 0 };
    struct converter_line line = converter_line(ADC_V_GAIN, &none);

    (void)state;
    assert_int_equal(convert(&line, -1e-4), 0);
    assert_int_equal(convert(&line, -1e300), 0);
    assert_int_equal(convert(&line, 5.12 - ADC_V_GAIN), ADC_CODES - 1);
    assert_int_equal(convert(&line, 5.12), ADC_CODES - 1);
    assert_int_equal(convert(&line, 1e300), ADC_CODES - 1);
    assert_int_equal(convert(&line, (double)INFINITY), ADC_CODES - 1);
}

static void test_noise_has_its_strength_and_follows_the_seed(void **state)
{
    enum {
        COUNT = 20000
    };
    struct world_channel none = { 0 };
    struct converter_line line = converter_line(ADC_V_GAIN, &none);
    struct rng rng = seeded(7);
    struct rng same = seeded(7);
    struct rng other = seeded(8);
    double sum = 0.0;
    double squares = 0.0;
    unsigned n_different = 0;

    (void)state;
    for (unsigned i = 0; i < COUNT; i++) {
        uint32_t code = adc_convert(&line, 2.56, 10.0, &rng);
        double error = (double)code - 131072.0;

        assert_int_equal(adc_convert(&line, 2.56, 10.0, &same), code);
        n_different += adc_convert(&line, 2.56, 10.0, &other) != code;
        sum += error;
        squares += error * error;
    }
    assert_true(fabs(sum / COUNT) < 0.3);
    assert_true(fabs(sqrt(squares / COUNT) - 10.0) < 0.3);
    assert_true(n_different > COUNT / 2);
}

static void test_a_dac_makes_what_its_line_says_and_nothing_negative(void **state)
{
    struct world_channel errors = { .gain_error = 0.02, .offset = -0.01 };
    struct converter_line line = converter_line(DAC_V_GAIN, &errors);

    (void)state;
    assert_true(dac_convert(&line, 0) == 0.0);
    assert_true(dac_convert(&line, 128) == 0.0); /* 9.96 mV - 10 mV */
    assert_true(fabs(dac_convert(&line, 32768) - (2.5 * 1.02 - 0.01)) < 1e-9);
    assert_true(fabs(dac_convert(&line, 65535) - (65535 * 5.0 / 65536 * 1.02 - 0.01)) < 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_has_the_errors_of_its_channel),
        cmocka_unit_test(test_nominal_gains_are_those_of_the_cape),
        cmocka_unit_test(test_a_value_gets_the_nearest_code),
        cmocka_unit_test(test_codes_stay_within_their_range),
        cmocka_unit_test(test_noise_has_its_strength_and_follows_the_seed),
        cmocka_unit_test(test_a_dac_makes_what_its_line_says_and_nothing_negative),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
